"""Random Markov games of the Garnet kind: few successors per joint action, rewards drawn independently.

Archibald, McKinnon and Thomas (1995), "On the generation of Markov decision processes", Journal of the Operational
Research Society 46, as Garnets in Bhatnagar et al. (2009), Automatica 45: each row has `branching` different successors
with the probabilities that the same number of uniform cuts of [0, 1] leave. Rewards are uniform in [-1, 1].

With `potential`, transitions depend on the state alone, and player i's reward is phi(s, a) + u_i(s, a_-i), both uniform
in [-1/2, 1/2]. What i changes by its policy is then the value of phi alone, which makes a Markov potential game in the
sense of Leonardos, Overman, Panageas and Piliouras (2022), "Global convergence of multi-agent policy gradient in Markov
potential games", ICLR.
"""

from __future__ import annotations

from math import prod

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.games._draws import subsets
from eqenvs.games.normal_form import _tensors
from eqenvs.models import MarkovModel, Successors
from eqenvs.spec import Family, GameSpec, Parameter

MAX_NUMBERS = 100_000_000  # of rewards or transitions


def build(
    num_players: int,
    num_states: int,
    num_actions: int,
    zero_sum: bool,
    common: bool,
    potential: bool,
    branching: int,
    sparsity: float,
    discount: float,
    horizon: int | None,
    seed: int,
    action_counts: str | None,
) -> MarkovModel:
    """The model.

    Raises:
        InputError: if parameters contradict each other.
        GameTooLargeError: if it would take more than 100 million numbers.
    """
    if zero_sum and num_players != 2:
        raise InputError(f"random_markov_game: zero_sum needs num_players=2, got {num_players}")
    chosen = [name for name, asked in (("zero_sum", zero_sum), ("common", common), ("potential", potential)) if asked]
    if len(chosen) > 1:
        raise InputError(f"random_markov_game: {' and '.join(chosen)} exclude each other")
    if discount == 1 and horizon is None:
        raise InputError("random_markov_game: discount=1 needs a horizon")
    actions = _tensors.action_counts("random_markov_game", num_players, num_actions, action_counts)
    rows = num_states * prod(actions)
    wide = min(branching, num_states)
    if rows * max(wide, num_players) > MAX_NUMBERS:
        raise GameTooLargeError(
            f"random_markov_game: {rows:,} pairs of a state and a joint action with {wide} successors and "
            f"{num_players} rewards each are more than {MAX_NUMBERS:,} numbers"
        )
    rng = np.random.default_rng(seed)
    shape = (num_players, num_states, *actions)
    if potential:
        reward = _potential_rewards(rng, shape, sparsity)
    else:
        drawn = 1 if zero_sum or common else num_players
        reward = rng.uniform(-1, 1, size=(drawn, rows)) * (rng.random((drawn, rows)) >= sparsity)
        if zero_sum:
            reward = np.concatenate([reward, -reward])
        elif common:
            reward = np.repeat(reward, num_players, axis=0)
    own = num_states if potential else rows  # different rows
    state = subsets(rng, num_states, own, wide)
    cuts = np.sort(rng.random((own, wide - 1)), axis=1)
    edges = np.concatenate([np.zeros((own, 1)), cuts, np.ones((own, 1))], axis=1)
    state, probability = (np.repeat(part, rows // own, axis=0).reshape(-1) for part in (state, np.diff(edges, axis=1)))
    successors = Successors(np.arange(rows + 1) * wide, state, probability)
    initial = np.eye(1, num_states)[0]
    return MarkovModel(successors, reward.reshape(shape), initial, discount=discount, horizon=horizon)


def _potential_rewards(rng: np.random.Generator, shape: tuple[int, ...], sparsity: float) -> Float64Array:
    """phi(s, a) + u_i(s, a_-i) of each player, [N, S, A_0, ..., A_{N-1}]; both are 0 with probability `sparsity`."""

    def draw(size: tuple[int, ...]) -> Float64Array:
        drawn: Float64Array = rng.uniform(-0.5, 0.5, size=size) * (rng.random(size) >= sparsity)
        return drawn

    phi = draw(shape[1:])
    return np.stack(
        [phi + draw(tuple(1 if axis == 1 + i else n for axis, n in enumerate(shape[1:]))) for i in range(shape[0])]
    )


SPEC = GameSpec(
    id="random_markov_game",
    family=Family.MARKOV,
    title="Random Markov game (Garnet)",
    build=build,
    constant_sum=lambda zero_sum, **_: zero_sum,
    source="Archibald, McKinnon and Thomas (1995), Journal of the Operational Research Society 46",
    parameters=(
        Parameter(name="num_players", default=2, low=1, high=10, description="players"),
        Parameter(name="num_states", default=5, low=1, high=1_000_000, description="states"),
        Parameter(name="num_actions", default=2, low=1, high=10_000, description="actions of every player"),
        Parameter(name="zero_sum", default=False, kind=bool, description="player 1 pays player 0; two players only"),
        Parameter(name="common", default=False, kind=bool, description="all players have the same reward"),
        Parameter(
            name="potential",
            default=False,
            kind=bool,
            description="a Markov potential game of different rewards; transitions depend on the state alone",
        ),
        Parameter(
            name="branching",
            default=3,
            low=1,
            high=1_000_000,
            description="successors of each joint action; every state where there are fewer",
        ),
        Parameter(
            name="sparsity",
            default=0.0,
            kind=float,
            low=0.0,
            high=1.0,
            description="expected share of rewards that are 0",
        ),
        Parameter(name="discount", default=0.9, kind=float, low=0.0, high=1.0, description="factor a step"),
        Parameter(name="horizon", default=None, low=1, high=10_000, description="steps; none: never ends"),
        Parameter(name="seed", default=0, low=0, high=2**31 - 1, description="of the draw"),
        _tensors.ACTION_COUNTS,
    ),
)
