"""Pictures of a run: what is played, the empirical game of populations, and where a mean field is.

They are drawn where the policy is scored, the first time and then every time that the number of scores has doubled, and
at the end: as learning curves are read, and few enough to cost next to nothing. They follow from the learner's state
alone, and draw no random numbers.

What is not drawn: policies in a game that cannot be enumerated or is scored by simulation; players, information sets
and strategies after the first few (see the constants); a policy that takes more than `MAX_NUMBERS` numbers to mix; a
mean field of more states or times.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from eqagents.drawing.heat_maps import HeatMap
from eqagents.drawing.meta_games import empirical_game, meta_game_of
from eqenvs.errors import InputError
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import (
    CorrelatedStrategy,
    MarkovCorrelatedPolicy,
    MixturePolicy,
    ProductPolicy,
    TabularPolicy,
    marginals,
    player_entries,
    player_table,
    private_mixture,
    tabulate,
)
from eqsolvers.mean_field._dynamics import Dynamics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from eqenvs.arrays import Float64Array
    from eqenvs.game import Game
    from eqenvs.policies import JointPolicy

logger = logging.getLogger(__name__)

MAX_PLAYERS = 6  # whose policies are drawn, and populations
MAX_ROWS = 64  # information sets of a player, the first in the model's order: the earliest decisions
MAX_ACTIONS = 128
MAX_TIMES, MAX_STATES = 512, 1024  # of a mean field
MAX_NUMBERS = 5_000_000  # of all tables that a mixture is made of, and of a policy whose mean field is drawn


def due(scores: int) -> bool:
    """Whether pictures are drawn after so many scores: after 0, 1, 2, 4, 8, ..

    >>> [scores for scores in range(20) if due(scores)]
    [0, 1, 2, 4, 8, 16]
    """
    return scores & (scores - 1) == 0


def pictures(game: Game, policy: JointPolicy | None, artefacts: Mapping[str, Any]) -> dict[str, HeatMap]:
    """All pictures of one iteration, by name.

    Args:
        game: the game.
        policy: the joint policy to draw; None: none.
        artefacts: of the learner, see `Learner.artefacts`.

    Returns:
        `strategy/player_0`, .., `population/meta_game`, `population/mean_field_0`, ..: those that there are.
    """
    found: dict[str, HeatMap] = {}
    makers: list[Callable[[], Iterator[tuple[str, HeatMap]]]] = [lambda: _populations(artefacts)]
    if policy is not None and game.exact:
        makers += [lambda: _strategies(game, policy), lambda: _mean_fields(game, policy)]
    for maker in makers:
        try:
            found.update(maker())
        except InputError as error:
            logger.debug("no picture: %s", error)  # such as of a mixture that has no table
    return found


def _populations(artefacts: Mapping[str, Any]) -> Iterator[tuple[str, HeatMap]]:
    if "meta_game" in artefacts:
        yield "population/meta_game", empirical_game(meta_game_of(artefacts["meta_game"], "meta_game"))


def _strategies(game: Game, policy: JointPolicy) -> Iterator[tuple[str, HeatMap]]:
    """Action probabilities at each player's first information sets; of a correlation device, each player's own part."""
    points = game.model().information_states
    if isinstance(policy, CorrelatedStrategy | MarkovCorrelatedPolicy):
        policy = policy.marginals()
    if isinstance(policy, MixturePolicy):
        policy = marginals(policy, len(points))
    for player, entry in enumerate(player_entries(policy, len(points))[:MAX_PLAYERS]):
        if points[player].masks.shape[1] > MAX_ACTIONS or not len(points[player].keys):
            continue
        table = _first_rows(game, player, entry)
        if table is not None:
            yield f"strategy/player_{player}", _strategy_map(game, player, table)


def _first_rows(game: Game, player: int, policy: Any) -> Float64Array | None:
    """[rows, A]; None where the tables that it takes are too large."""
    model = game.model()
    states = model.information_states[player]
    rows = np.arange(min(MAX_ROWS, len(states.keys)))
    if not isinstance(policy, TabularPolicy | ProductPolicy | MixturePolicy):
        return np.asarray(policy(player, states.rows(rows)), dtype=np.float64)
    if len(private_mixture(policy, player)[0]) * states.masks.size > MAX_NUMBERS:
        return None
    entry: Any = policy  # a product as well
    return player_table(model, player, entry)[rows]


def _strategy_map(game: Game, player: int, table: Float64Array) -> HeatMap:
    states = game.model().information_states[player]
    return HeatMap(
        title=f"Action probabilities of player {player}",
        # Actions that are not legal are grey, and not improbable.
        values=np.where(states.masks[: len(table)], table, np.nan),
        row_labels=[game.rules.describe_information_state(player, key) for key in states.keys[: len(table)]],
        column_labels=game.action_labels(player),
        row_title=f"the first {len(table)} of {len(states.keys):,} information sets",
        column_title="actions",
        limit=1.0,
    )


def _mean_fields(game: Game, policy: JointPolicy) -> Iterator[tuple[str, HeatMap]]:
    """Where each population is when all play the policy; with common noise its mean over what may have happened."""
    model = game.model()
    if not isinstance(model, MeanFieldModel):
        return
    times = model.horizon or 1
    if times > MAX_TIMES or model.num_states > MAX_STATES or np.prod(model.policy_shape) > MAX_NUMBERS:
        return
    tables: Sequence[Float64Array] = tabulate(model, policy).tables
    flow = Dynamics(model).flow(model.as_array(tables))
    mass = np.zeros((times, *flow.shape[1:]))
    np.add.at(mass, model.moments.time, model.moments.reach[:, None, None] * flow)
    for population in range(min(model.num_populations, MAX_PLAYERS)):
        yield (
            f"population/mean_field_{population}",
            HeatMap(
                title=f"Mean field of population {population}",
                values=mass[:, population],
                row_labels=[str(time) for time in range(times)] if model.horizon else ["at rest"],
                column_labels=["-".join(map(str, key)) for key in model.keys.tolist()],
                row_title="time",
                column_title="states",
            ),
        )
