"""What runs have learned, read back from their last checkpoints as tables, for the sections that show strategies.

A run whose policy has no table, or none of a size to show, has a reason of one line instead. Of a correlation device
each player's own part is shown.

Cost: of each run reading its checkpoint, enumerating its game, which is done anew by most learners, and asking every
policy that it mixes about all information states once; the caps below keep that to seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import eqenvs
from eqagents.configuration import validate
from eqagents.report.replay import Path, path_of
from eqagents.report.standing import Standing, standings
from eqagents.training.config import RunConfig
from eqagents.training.run import load_trained
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.policies import (
    CorrelatedStrategy,
    MarkovCorrelatedPolicy,
    MixturePolicy,
    marginals,
    player_entries,
    player_table,
    private_mixture,
)
from eqenvs.spec import Family

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eqagents.report.data import ReportData
    from eqagents.training.run import Trained
    from eqenvs.arrays import Float64Array
    from eqenvs.game import Game
    from eqenvs.policies import JointPolicy

MAX_RUNS = 8  # whose policies are read, the first ones
MAX_SIZE = 1_000_000  # of a game, see `GameSpec.size`: a few seconds to enumerate
MAX_NUMBERS = 5_000_000  # of all tables that a player's mixture is made of


@dataclass(frozen=True, eq=False, kw_only=True)
class Played:
    """The policy of a run's last checkpoint.

    Attributes:
        game: the same object for all runs of one game.
        step: the checkpoint's iteration.
        tables: [I, A] of each player.
        standings: reach and gains at each player's information states.
        correlated: whether they are the players' own parts of a correlation device.
        path: how it came to be, of a game in normal form; else None.
    """

    game: Game
    step: int
    tables: tuple[Float64Array, ...]
    standings: list[Standing]
    correlated: bool
    path: Path | None = None


def load_played(runs: Sequence[ReportData], order: Sequence[int]) -> list[Played | str]:
    """The policy of each run, or why there is none to show.

    Args:
        runs: with their directories.
        order: which of them are read before others where there are too many.
    """
    games: dict[str, Game] = {}
    too_many = f"policies are read of {MAX_RUNS} runs, of each configuration first of one"
    found: list[Played | str] = [too_many] * len(runs)
    for at in order[:MAX_RUNS]:
        try:
            found[at] = _played(runs[at], games)
        except InputError as error:
            found[at] = str(error)
    return found


def own_parts(game: Game, policy: JointPolicy) -> tuple[Float64Array, ...]:
    """Each player's policy as a table [I, A]; of a correlation device its own part.

    Raises:
        PolicyError: it has none.
        UnsupportedGame: it would take too many numbers to find.
    """
    model = game.model()
    if isinstance(policy, CorrelatedStrategy | MarkovCorrelatedPolicy):
        policy = policy.marginals()
    if isinstance(policy, MixturePolicy):
        policy = marginals(policy, len(model.information_states))
    tables = []
    for player, own in enumerate(player_entries(policy, len(model.information_states))):
        mixed = len(private_mixture(own, player)[0])
        if mixed * model.information_states[player].masks.size > MAX_NUMBERS:
            raise UnsupportedGame(f"player {player} mixes {mixed} policies: more than {MAX_NUMBERS:,} numbers")
        entry: Any = own  # a product as well
        tables.append(player_table(model, player, entry))
    return tuple(tables)


def _played(run: ReportData, games: dict[str, Game]) -> Played:
    config = validate(RunConfig, run.config)
    _require_small(eqenvs.make(config.game.id, **config.game.parameters))
    trained = load_trained(run.directory)
    key = json.dumps([config.game.id, trained.game.parameters, trained.game.spec.digest], sort_keys=True, default=str)
    game = games.setdefault(key, trained.game)
    correlated = isinstance(trained.policy, CorrelatedStrategy | MarkovCorrelatedPolicy | MixturePolicy)
    tables = own_parts(game, trained.policy)
    return Played(
        game=game,
        step=trained.step,
        tables=tables,
        standings=standings(game, tables),
        correlated=correlated and len(tables) > 1,
        path=_path(run, trained, game, tables),
    )


def _path(run: ReportData, trained: Trained, game: Game, tables: tuple[Float64Array, ...]) -> Path | None:
    if game.family is not Family.NORMAL_FORM:
        return None
    seconds = [value for value in run.column("run/seconds") if value >= 0]
    return path_of(trained, tables, lambda policy: own_parts(game, policy), seconds[-1] if seconds else None)


def _require_small(game: Game) -> None:
    """Raises UnsupportedGame unless the game can be enumerated in seconds."""
    if not game.exact:
        raise UnsupportedGame(f"{game!r} cannot be enumerated, so its policies have no tables")
    if game.size is not None and game.size > MAX_SIZE:
        raise UnsupportedGame(f"{game!r} is of size {game.size:,}; strategies are shown up to {MAX_SIZE:,}")
