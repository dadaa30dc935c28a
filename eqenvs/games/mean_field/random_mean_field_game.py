"""Random mean-field games of the Garnet kind: few successors, random rewards, and a crowd that changes both.

Garnets as of Archibald, McKinnon and Thomas (1995), Journal of the Operational Research Society 46, made mean-field
games as in Perolat et al. (2022), "Scaling mean field games by online mirror descent", AAMAS, section 5.1, and in
MFGLib's random linear environment. Population p has

- from each state and action `branching` different successors, the same ones for all populations;
- probabilities (1 - mixing) P_p + mixing sum_j f_j(mu) P_pj, with rows of all P uniform on the simplex and the features
  f_j = sum_s weight[j, s] mean_q mu_q(s): each state belongs to `num_features` classes in random proportions;
- rewards R_p(s, a) - strength sum_{q, t} M[(p, s), (q, t)] mu_q(t), with R uniform in [-1, 1].

M is standard normal over sqrt(P S), so the game need not have one equilibrium; with `monotone` it is G G' / (P S) with
G normal, which is positive semidefinite. The rewards are then monotone in the sense of Lasry and Lions,

    sum_p <r_p(mu) - r_p(mu'), mu_p - mu'_p> <= 0,

and with mixing = 0 so is the game: fictitious play and mirror descent converge.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants, IntArray, namespace
from eqenvs.errors import GameTooLargeError
from eqenvs.games._draws import subsets
from eqenvs.games.mean_field import _time
from eqenvs.models.mean_field import Affine, MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

MAX_NUMBERS = 50_000_000  # of all tables together, and of the numbers that successors are drawn by


def build(
    num_states: int,
    num_actions: int,
    num_populations: int,
    branching: int,
    num_features: int,
    mixing: float,
    strength: float,
    monotone: bool,
    horizon: int | None,
    discount: float | None,
    seed: int,
) -> MeanFieldModel:
    """The model.

    Raises:
        GameTooLargeError: if its tables would take more than 50 million numbers.
    """
    wide, cells = min(branching, num_states), num_populations * num_states
    features = num_features if mixing > 0 else 0
    rows = num_states * num_actions
    numbers = (1 + (1 + features) * num_populations) * rows * wide + cells * num_actions + cells**2
    if numbers > MAX_NUMBERS:
        raise GameTooLargeError(
            f"random_mean_field_game: {numbers:,} successors, probabilities, rewards and interactions are more than "
            f"{MAX_NUMBERS:,}"
        )
    rng = np.random.default_rng(seed)
    places = _places(rng, num_states, num_actions, wide)
    shape = (num_populations, num_states, num_actions)
    base = rng.dirichlet(np.ones(wide), size=shape)
    worth = rng.uniform(-1, 1, size=shape)
    normal = rng.standard_normal((cells, cells))
    interaction = normal @ normal.T / cells if monotone else normal / np.sqrt(cells)
    transition = Affine(base=base)
    if features:
        slope = mixing * rng.dirichlet(np.ones(wide), size=(features, *shape))
        weight = rng.dirichlet(np.ones(features), size=num_states).T
        transition = Affine(base=(1 - mixing) * base, slope=slope, weight=weight)
    constants = Constants(worth=worth, interaction=strength * interaction.T)

    def reward(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        flat = xp.reshape(mean_field, (*mean_field.shape[:-2], 1, cells))
        felt = xp.matmul(flat, constants.on("interaction", mean_field))
        return constants.on("worth", mean_field) - xp.reshape(felt, mean_field.shape)[..., None]

    steps, factor = _time.resolved(horizon, discount)
    return MeanFieldModel(
        transition,
        reward,
        rng.dirichlet(np.ones(num_states), size=num_populations),
        successors=places,
        horizon=steps,
        discount=factor,
        coupling=None if num_populations == 1 else np.full((num_populations, num_populations), 1 / num_populations),
    )


def _places(rng: np.random.Generator, states: int, actions: int, wide: int) -> IntArray:
    """The successors of each state and action, all different, [S, A, K]."""
    rows = states * actions
    if rows * states > MAX_NUMBERS:  # then wide < states: Floyd's algorithm, whose time is quadratic in `wide`
        return subsets(rng, states, rows, wide).reshape(states, actions, wide)
    return rng.random((states, actions, states)).argpartition(wide - 1, axis=-1)[..., :wide]


SPEC = mean_field_spec(
    id="random_mean_field_game",
    title="Random mean-field game (Garnet)",
    build=build,
    source="Perolat et al. (2022), AAMAS; Archibald, McKinnon and Thomas (1995)",
    parameters=(
        Parameter(name="num_states", default=10, low=1, high=10_000, description="states"),
        Parameter(name="num_actions", default=3, low=1, high=1_000, description="actions"),
        Parameter(name="num_populations", default=1, low=1, high=100, description="populations"),
        Parameter(name="branching", default=3, low=1, high=10_000, description="successors, at most all states"),
        Parameter(name="num_features", default=2, low=1, high=1_000, description="classes of states that change moves"),
        Parameter(
            name="mixing",
            default=0.3,
            kind=float,
            low=0.0,
            high=1.0,
            description="how much of the probabilities depends on the mean field",
        ),
        Parameter(
            name="strength",
            default=1.0,
            kind=float,
            low=0.0,
            high=1e6,
            description="of what the crowd takes from rewards",
        ),
        Parameter(
            name="monotone",
            default=False,
            kind=bool,
            description="whether rewards are monotone; with mixing=0 the game then is",
        ),
        _time.horizon_parameter(10),
        _time.discount_parameter(),
        Parameter(name="seed", default=0, low=0, high=2**63 - 1, description="of all that is drawn"),
    ),
    facts=(Fact(source="plain recomputation, one state at a time", uniform_nash_conv=5.565955140, tolerance=1e-8),),
)
