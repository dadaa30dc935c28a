"""Mean-field models: validation, moments, the flow, and the two forms of transitions against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError
from eqenvs.models.mean_field import Affine, CommonNoise, MeanFieldModel, Moment
from eqenvs.testing.mean_field import random_policy

CENTRE, LEFT, RIGHT = range(3)
KERNEL = np.zeros((3, 2, 3))
KERNEL[:, 0, LEFT] = KERNEL[:, 1, RIGHT] = 1
SUCCESSORS = np.broadcast_to(np.arange(3), (3, 2, 3)).copy()


def aversion(mean_field, moment):
    """-mu(L) at L, -2 mu(R) at R, whatever is done there."""
    return (mean_field * np.array([0.0, -1.0, -2.0]))[..., None]


def left_right(**changes):
    given = {"transition": KERNEL, "reward": aversion, "initial": [1.0, 0, 0], "horizon": 2}
    return MeanFieldModel(**(given | changes))


def constant(left, model):
    return np.broadcast_to(np.array([left, 1 - left]), model.policy_shape).copy()


def coupled(seed=0, populations=2, states=3, actions=2, outcomes=4, features=2, horizon=4, noise=None):
    """An affine game whose probabilities stay on the simplex, asymmetric in everything, and its parts."""
    rng = np.random.default_rng(seed)
    successors = rng.integers(states, size=(states, actions, outcomes))
    base = rng.dirichlet(np.ones(outcomes), size=(populations, states, actions))
    other = rng.dirichlet(np.ones(outcomes), size=(features, populations, states, actions))
    weight = rng.random((features, states)) / (2 * features)
    coupling = rng.dirichlet(np.ones(populations), size=populations)
    slope = other - base  # base + sum_j f_j (other_j - base), a mixture as long as the f_j sum to at most 1
    parts = {"successors": successors, "base": base, "slope": slope, "weight": weight, "coupling": coupling}
    model = MeanFieldModel(
        Affine(base=base, slope=slope, weight=weight),
        lambda mean_field, moment: (mean_field**2)[..., None] - np.asarray(moment.time)[..., None, None, None],
        rng.dirichlet(np.ones(states), size=populations),
        successors=successors,
        horizon=horizon,
        coupling=coupling,
        noise=noise,
    )
    return model, parts


def by_loops(model, parts, mean_field, policy):
    """A step of the population, one successor after the other."""
    after = np.zeros_like(mean_field)
    met = parts["coupling"] @ mean_field
    feature = met @ parts["weight"].T
    for p, s, a, k in np.ndindex(*mean_field.shape, *parts["successors"].shape[1:]):
        probability = parts["base"][p, s, a, k] + feature[p] @ parts["slope"][:, p, s, a, k]
        after[p, parts["successors"][s, a, k]] += mean_field[p, s] * policy[p, s, a] * probability
    return after


def test_the_flow_follows_the_policy_and_keeps_its_mass():
    model = left_right()
    np.testing.assert_allclose(model.flow(constant(0.25, model))[:, 0], [[1, 0, 0], [0, 0.25, 0.75]], atol=1e-15)


def test_the_flow_of_coupled_populations_is_that_of_plain_loops():
    model, parts = coupled()
    policy = random_policy(model, np.random.default_rng(1))
    flow = model.flow(policy)
    expected = model.initial
    for t in range(4):
        np.testing.assert_allclose(flow[t], expected, atol=1e-14)
        expected = by_loops(model, parts, expected, policy[t])


def test_an_operator_does_what_its_affine_form_does():
    model, parts = coupled()
    called = MeanFieldModel(
        model.probabilities,
        model.reward,
        model.initial,
        successors=parts["successors"],
        horizon=4,
        coupling=parts["coupling"],
    )
    policy = random_policy(model, np.random.default_rng(2))
    assert called.kernel is None
    np.testing.assert_allclose(called.flow(policy), model.flow(policy), atol=1e-14)


def test_histories_of_the_noise_are_moments_of_their_own():
    """Rain or shine once at time 1, which stays: three steps have 1 + 2 + 2 moments."""
    kernel = np.array([[[0.25, 0.75], [0, 1]], [[1, 0], [0, 1]]])
    model, _ = coupled(horizon=3, noise=CommonNoise(initial=[1.0, 0], kernel=kernel))
    moments = model.moments
    assert moments.time.tolist() == [0, 1, 1, 2, 2]
    assert moments.noise.tolist() == [0, 0, 1, 0, 1]
    assert moments.parent.tolist() == [-1, 0, 0, 1, 2]
    assert moments.reach.tolist() == [1, 0.25, 0.75, 0.25, 0.75]
    assert moments.history.tolist() == [[0, -1, -1], [0, 0, -1], [0, 1, -1], [0, 0, 0], [0, 1, 1]]
    policy = random_policy(model, np.random.default_rng(0))
    flow = model.flow(policy)
    np.testing.assert_array_equal(flow[1], flow[2])  # what is known later moves nobody before
    assert np.abs(flow[3] - flow[4]).max() > 1e-3
    points = model.information_states[0]
    assert points.keys.shape == (5 * 3, 1 + 3 + 1)
    assert points.observations.shape == (5 * 3, 1 + 2 + 3)
    assert len(np.unique(points.keys, axis=0)) == 15


def test_noise_that_branches_everywhere_is_refused_before_it_is_laid_out():
    noise = CommonNoise(initial=[0.5, 0.5], kernel=np.full((2, 2), 0.5))
    with pytest.raises(GameTooLargeError, match="more than 1,000,000 histories by time 18 of 40"):
        left_right(horizon=40, noise=noise)


def test_decision_points_are_time_first():
    model = left_right()
    (points,) = model.information_states
    assert points.keys.tolist() == [[t, s] for t in range(2) for s in range(3)]
    assert points.masks.shape == (6, 2)
    assert model.num_players == 1
    assert model.sizes() == {"populations": 1, "states": 3, "actions": 2, "successors": 1, "moments": 2}


def test_tables_and_arrays_are_one_policy():
    model, _ = coupled(populations=3)
    policy = random_policy(model, np.random.default_rng(0))
    tables = model.as_tables(policy)
    assert [table.shape for table in tables] == [(4 * 3, 2)] * 3
    np.testing.assert_array_equal(model.as_array(tables), policy)
    np.testing.assert_array_equal(tables[2][1 * 3 + 2], policy[1, 2, 2])


def test_a_game_without_a_horizon_has_one_moment_and_no_clock():
    model = left_right(horizon=None, discount=0.5)
    assert model.policy_shape == (1, 1, 3, 2)
    assert model.information_states[0].keys.tolist() == [[0], [1], [2]]


def shrinking(mean_field, moment):
    return KERNEL[None] * (1 - 0.5 * mean_field[..., LEFT, None, None, None])


BAD = {
    "horizon": ({"horizon": 0}, "horizon must be at least 1 step, got 0"),
    "endless": ({"horizon": None}, r"discount must be in \[0, 1\), or 1 with a horizon"),
    "initial shape": ({"initial": np.ones(2) / 2}, r"transition must have shape \(2, 2, 2\) as its successors have"),
    "initial sum": ({"initial": np.ones(3)}, "initial of population 0 must be .* and sum to 1, got the sum 3"),
    "initial negative": ({"initial": [2.0, -1, 0]}, "the least entry -1"),
    "initial nan": ({"initial": [np.nan, 1.0, 0.0]}, "initial of population 0 must be non-negative"),
    "transition shape": ({"transition": np.ones((3, 2)) / 2}, r"transition must have shape \[S, A, K\]"),
    "transition sum": (
        {"transition": KERNEL * 0.9},
        "transition must be non-negative and sum to 1 over the successors; of state 0, action 0 the sum is 0.9",
    ),
    "operator sum": (
        {"transition": shrinking, "successors": SUCCESSORS},
        "of state 0, action 0 at the mean field .* the sum is 0.5",
    ),
    "no successors": ({"transition": lambda mu, m: KERNEL[None]}, "successors are needed where"),
    "stray successor": ({"successors": SUCCESSORS + 1}, "state 0, action 0 leads to state 3; there are 3"),
    "reward shape": ({"reward": lambda mu, m: np.zeros((2, 3))}, r"reward must give arrays that .* \(1, 3, 2\)"),
    "reward nan": (
        {"reward": lambda mu, m: np.where(mu > 0, 1.0, np.nan)[..., None]},
        "reward must be finite, got nan of population 0, state 1, action 0 at time 0, where the mean field is 0; a "
        "reward must have a limit where nobody is",
    ),
    "legal": ({"legal": [[1, 0], [0, 0], [1, 1]]}, "has no legal action in state 1"),
    "coupling": ({"coupling": [[1.0, 0.0]]}, r"coupling must have shape \(1, 1\), got \(1, 2\)"),
    "noise without horizon": (
        {"horizon": None, "discount": 0.5, "noise": CommonNoise(initial=[1.0], kernel=[[1.0]])},
        "common noise needs a game with a horizon",
    ),
    "noise kernel": (
        {"noise": CommonNoise(initial=[1.0, 0.0], kernel=[[0.5, 0.4], [0, 1]])},
        "noise.kernel must be non-negative and sum to 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_bad_parts_are_refused_by_name(changes, message):
    with pytest.raises(eqenvs.InputError, match=message):
        left_right(**changes)


def test_an_operator_that_loses_mass_later_is_refused_there():
    """It is stochastic at time 0, where it is tried out, and not at time 1."""

    def leaking(mean_field, moment):
        late = np.asarray(moment.time) >= 1
        return KERNEL[None] * np.where(late, 0.75, 1.0)[..., None, None, None, None]

    model = left_right(transition=leaking, successors=SUCCESSORS, horizon=3)
    with pytest.raises(eqenvs.InputError, match=r"of state 0, action 0 at time 1 the sum is 0\.75"):
        model.flow(constant(0.5, model))


def test_affine_probabilities_are_bounded_over_all_mean_fields():
    """Met with weights 1 and -1: .5 - .3 f is within [0, 1] for |f| <= 1, and not for |f| <= 2."""
    base = np.full((2, 1, 2), 0.5)
    slope = np.broadcast_to([-0.3, 0.3], (1, 2, 1, 2))

    def made(coupling):
        return MeanFieldModel(
            Affine(base=base, slope=slope, weight=[[1.0, 0.0]]),
            lambda mu, m: -mu[..., None],
            [[0.5, 0.5], [0.5, 0.5]],
            horizon=3,
            coupling=coupling,
        )

    assert made([[1.0, -1.0], [0.0, 1.0]]).num_populations == 2
    with pytest.raises(eqenvs.InputError, match=r"action 0 in population 1 the least probability is -0\.1,"):
        made([[1.0, 0.0], [2.0, 0.0]])
    with pytest.raises(eqenvs.InputError, match=r"at every mean field; .* sums are off by 0\.1"):
        left_right(transition=Affine(base=KERNEL, slope=0.1 * KERNEL[None], weight=[[1.0, 1, 1]]))


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_of_affine_probabilities_is_reached(seed):
    """At corners, population by population: no mean field is worse, and the refusal is where one is negative."""
    rng = np.random.default_rng(seed)
    model, parts = coupled(seed)
    slope = parts["slope"] * rng.uniform(2, 6)
    worst = min(
        (parts["base"][p] + np.einsum("j,jsak->sak", feature, slope[:, p])).min()
        for p in range(2)
        for corner in np.ndindex(3, 3)
        for feature in [parts["coupling"][p] @ np.eye(3)[list(corner)] @ parts["weight"].T]
    )
    arguments = {"successors": parts["successors"], "horizon": 2, "coupling": parts["coupling"]}
    transition = Affine(base=parts["base"], slope=slope, weight=parts["weight"])
    if worst >= 0:
        assert MeanFieldModel(transition, model.reward, model.initial, **arguments).num_states == 3
    else:
        with pytest.raises(eqenvs.InputError, match="at every mean field"):
            MeanFieldModel(transition, model.reward, model.initial, **arguments)


def test_operators_that_take_one_mean_field_only_are_refused():
    """Right at one mean field, wrong at several: the reward of time 0 would be everybody's."""
    with pytest.raises(eqenvs.InputError, match="reward must take mean fields with leading axes"):
        left_right(reward=lambda mu, m: np.stack([-mu[0], -mu[0] - 0.2], axis=-1))
    with pytest.raises(eqenvs.InputError, match="transition must take mean fields with leading axes"):
        left_right(
            transition=lambda mu, m: KERNEL[None] * mu[0, 0] + (1 - mu[0, 0]) * KERNEL[None, :, ::-1],
            successors=SUCCESSORS,
        )


def test_sizes_are_refused_before_anything_is_made():
    with pytest.raises(GameTooLargeError, match=r"100,000,000 moments, .* the limit is 250,000,000"):
        left_right(horizon=100_000_000)
    noise = CommonNoise(initial=np.full(300, 1 / 300), kernel=np.full((300, 300), 1 / 300))
    for horizon, most in (
        (100_000, "2,500 histories by time 1 of 100000"),
        (10, "1,000,000 histories by time 2 of 10"),
    ):
        with pytest.raises(GameTooLargeError, match=f"more than {most}"):
            left_right(horizon=horizon, noise=noise)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward": np.zeros((3, 2))}, "reward must be a function of .*, got ndarray"),
        ({"noise": [0.5, 0.5]}, "noise must be CommonNoise"),
        (
            {"transition": Affine(base=KERNEL, slope=np.zeros((1, 3, 3, 2, 3)), weight=np.zeros((1, 3)))},
            r"slope must have shape \(1, 3, 2, 3\) or \(1, 1, 3, 2, 3\)",
        ),
    ],
)
def test_parts_of_another_kind_are_refused_by_name(changes, message):
    with pytest.raises(eqenvs.InputError, match=message):
        left_right(**changes)


def test_rewards_that_lose_their_limit_later_are_refused_with_the_time():
    def late(mean_field, moment):
        return np.where(np.asarray(moment.time)[..., None, None, None] > 0, np.inf, 0.0) + 0 * mean_field[..., None]

    model = left_right(reward=late)
    with pytest.raises(eqenvs.InputError, match="got inf of population 0, state 0, action 0 at time 1"):
        model.rewards(model.flow(constant(0.5, model)), model.at(slice(None)))


def test_the_initial_distribution_is_copied_and_read_only():
    given = np.array([1.0, 0, 0])
    model = left_right(initial=given)
    given[:] = 1 / 3
    assert model.initial.tolist() == [[1, 0, 0]]
    assert not model.initial.flags.writeable


def test_agents_move_as_the_mean_field_does():
    model, _ = coupled()
    rng = np.random.default_rng(3)
    mean_field = rng.dirichlet(np.ones(3), size=(5, 2))
    state, action = rng.integers(3, size=(5, 4)), rng.integers(2, size=(5, 4))
    population = np.array([0, 0, 1, 1])
    moment = Moment(np.zeros(5, dtype=np.int64), np.zeros(5, dtype=np.int64))
    found = model.agent_probabilities(mean_field, moment, population, state, action)
    full = model.probabilities(mean_field, moment)
    for b, i in np.ndindex(5, 4):
        np.testing.assert_allclose(found[b, i], full[b, population[i], state[b, i], action[b, i]], atol=1e-15)
