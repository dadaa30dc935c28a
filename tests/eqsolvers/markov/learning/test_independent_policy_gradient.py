"""Independent policy gradient: monotone potentials, unbiased estimates, the slow player's guarantee."""

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import joint_play
from eqenvs.models import MarkovModel
from eqenvs.policies import TabularPolicy
from eqsolvers.markov.learning import independent_policy_gradient, natural_policy_gradient
from eqsolvers.markov.learning._evaluation import evaluate, starting_strategies
from eqsolvers.markov.learning._sampler import table_of
from eqsolvers.markov.learning.independent_policy_gradient import add_score, episode
from eqsolvers.scoring.chains import chains
from eqsolvers.scoring.score import score

SOLVER = independent_policy_gradient.SOLVER
METHODS = [SOLVER, natural_policy_gradient.SOLVER]


def values_along(process, iterations, value):
    found = [value(process.policy())]
    for _ in range(iterations):
        process.run(1)
        found.append(value(process.policy()))
    return np.array(found)


def congestion_potential(model, policy):
    """The discounted sum of Rosenthal's potentials of the stages, of `stateful_congestion` with its default weights."""
    users = np.indices(model.num_actions).reshape(model.num_players, -1)
    stage = sum(w * k * (k + 1) / 2 for f, w in enumerate((1, 2, 4, 6)) for k in [(users == f).sum(axis=0)])
    paid = stage[None] - 100.0 * model.keys
    form, joint = chains(model), joint_play(policy.tables).reshape(model.num_states, -1)
    return float(model.initial @ form.stationary(joint, (joint * paid).sum(axis=1)[:, None])[:, 0])


@pytest.mark.parametrize("solver", METHODS, ids=lambda solver: solver.id)
@pytest.mark.parametrize(
    "parameters",
    [
        {"discount": 0.8, "num_actions": 3, "num_states": 4},
        {"discount": 0.5, "num_players": 3, "action_counts": "2x3x2"},
        {"discount": 1.0, "horizon": 3, "action_counts": "3x2"},
        {"discount": 0.01, "num_actions": 2},
    ],
)
def test_a_common_value_never_falls_with_the_default_step(solver, parameters):
    for seed in range(4):
        model = eqenvs.make("random_markov_game", common=True, seed=seed, **parameters).model()
        process = solver.start(model, seed=seed, settings={"start": "random"})
        values = values_along(process, 100, lambda policy, model=model: score(model, policy).values[0])
        assert np.diff(values).min() > -1e-13 * np.abs(values).max()
        assert values[-1] > values[0]


def test_the_published_step_without_its_missing_term_lets_players_swap_places_for_ever():
    # Two players who try to meet, and start apart; rewards in [-1, 1] make 2 n gamma A / (1 - gamma)^3 the bound.
    discount = 0.01
    meet = np.array([[[1.0, -1.0], [-1.0, 1.0]]])
    model = MarkovModel(np.ones((1, 2, 2, 1)), np.stack([meet, meet]), [1.0], discount=discount)
    apart = np.array([[[[0.6, 0.4]], [[0.3, 0.7]]]])
    published = (1 - discount) ** 3 / (2 * 2 * discount * 2)
    ends = {}
    for eta in (published, None):
        process = SOLVER.start(model, seed=0, settings={"eta": eta})
        state = process.state()
        state["tables"]["strategy"] = apart
        process.restore(state)
        process.run(1000)
        ends[eta] = process.residual()
    assert ends[published] > 1.9
    assert ends[None] < 1e-12


@pytest.mark.parametrize("solver", METHODS, ids=lambda solver: solver.id)
@pytest.mark.parametrize("limits", [{"safe_limit": 4, "distancing_limit": 4}, {}])
def test_the_potential_of_the_congestion_game_never_falls(solver, limits):
    # With these limits every joint action leads to the safe state, and the sum of stage potentials is exact. Without
    # them it is not, and does not fall either.
    model = eqenvs.make("stateful_congestion", **limits).model()
    rng = np.random.default_rng(0)
    tables = [rng.dirichlet(np.ones(4), size=2) for _ in range(4)]
    moved = [rng.dirichlet(np.ones(4), size=2), *tables[1:]]
    before, after = TabularPolicy(model, tables), TabularPolicy(model, moved)
    gain = (score(model, after).values - score(model, before).values)[0]
    exact = congestion_potential(model, after) - congestion_potential(model, before) == pytest.approx(gain, rel=1e-9)
    assert exact == bool(limits)
    process = solver.start(model, seed=1, settings={"start": "random"})
    values = values_along(process, 200, lambda policy: congestion_potential(model, policy))
    assert np.diff(values).min() > -1e-12 * np.abs(values).max()


def test_the_step_of_the_published_experiment_solves_the_congestion_game():
    model = eqenvs.make("stateful_congestion").model()
    process = SOLVER.start(model, seed=1, settings={"eta": 1e-4, "start": "random"})
    values = values_along(process, 600, lambda policy: congestion_potential(model, policy))
    assert np.diff(values).min() > -1e-12 * np.abs(values).max()
    assert process.residual() < 1e-9


@pytest.mark.parametrize("parameters", [{"discount": 0.6}, {"discount": 0.9, "horizon": 3}])
@pytest.mark.slow
def test_sampled_gradients_are_unbiased(parameters):
    """By all that an episode pays and by what is still to come, [2] in this order."""
    model = eqenvs.make("random_markov_game", num_states=2, action_counts="2x3", seed=3, **parameters).model()
    table, exploration, episodes = table_of(model), 0.2, 80_000
    strategy = starting_strategies(model, (4,), True)[0]
    counts = np.array(model.num_actions)
    even = (np.arange(3) < counts[:, None]) / counts[:, None]
    exact = evaluate(model, table, (1 - exploration) * strategy + exploration * even[:, None])
    wanted = (1 - exploration) * exact.visits[None, :, None] * exact.averaged
    total, square = np.zeros((2, *strategy.shape)), np.zeros((2, *strategy.shape))
    one = np.zeros_like(strategy)
    stream = np.array([11, 22, 33, 44], dtype=np.uint64)
    seen, taken, paid = np.zeros((8, 2), np.int64), np.zeros((8, 2), np.int64), np.zeros((8, 2))
    for _ in range(episodes):
        length, seen, taken, paid = episode(table, strategy, exploration, stream, seen, taken, paid)
        weight = np.cumsum(paid[length - 1 :: -1], axis=0)[::-1] if length > 1 else paid[:1]
        for number, each in enumerate((np.repeat(weight[:1], length, axis=0), np.ascontiguousarray(weight))):
            one[:] = 0
            add_score(table, strategy, exploration, seen[:length], taken[:length], each, one)
            total[number] += one
            square[number] += one * one
    mean = total / episodes
    error = np.sqrt(square / episodes / episodes)
    legal = np.broadcast_to(even[:, None] > 0, strategy.shape)
    # Derivatives are free up to a number that is the same for all actions of a point.
    for player in range(2):
        for point in np.flatnonzero(exact.visits):
            own = legal[player, point]
            for number in range(2):
                off = (mean[number] - wanted)[player, point, own]
                bound = 5 * error[number, player, point, own].sum()
                assert np.abs(off - off.mean()).max() < bound < 0.2


def test_sampled_learner_approaches_an_equilibrium_of_a_common_interest_game():
    model = eqenvs.make("random_markov_game", common=True, discount=0.5, num_states=2, num_actions=2, seed=1).model()
    settings = {"gradient": "sampled", "episodes": 50, "eta": 0.02, "exploration": 0.02, "to_go": True}
    process = SOLVER.start(model, seed=tuple(range(6)), settings=settings)
    before = process.residuals().mean()
    process.run(2000)
    assert process.residuals().mean() < 0.05 * before


@pytest.mark.slow
def test_the_slow_player_of_a_zero_sum_game_ends_near_its_value_where_equal_steps_turn_in_circles():
    odd = np.array([[[2.0, -1.0], [-1.0, 1.0]]])  # value 1/5
    model = MarkovModel(np.ones((1, 2, 2, 1)), np.stack([odd, -odd]), [1.0], discount=0.5)
    value = 0.2 / (1 - 0.5)
    guaranteed = []
    for slow in (1.0, 0.01, 0.002, 0.0005):
        process = SOLVER.start(model, seed=0, settings={"eta": 0.2, "slow": slow})
        process.run(4000)
        found = []
        for _ in range(40):
            process.run(10)
            found.append(process.measures()["guaranteed_0"])
        assert max(found) < value + 1e-9
        guaranteed.append(np.mean(found))
    assert np.all(np.diff(guaranteed) > 0.02)
    assert guaranteed[-1] > value - 0.04
    assert guaranteed[0] < value - 1
