"""Value-based learners of Markov games: checkpoints, seeds side by side, scores, what they reach and what not."""

from functools import cache

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models import MarkovModel, NormalFormModel
from eqenvs.spec import Family
from eqsolvers import score
from eqsolvers.markov.learning import optimistic_nash_vi
from eqsolvers.normal_form.lp import solve as solve_lp
from eqsolvers.result import error_of, solvers

KNOWN = solvers(Family.MARKOV)
METHODS = {
    name: KNOWN[name]
    for name in (
        "v-learning",
        "optimistic-nash-vi",
        "nash-q",
        "ce-q",
        "joint-q",
        "independent-q",
        "fictitious-play",
    )
}
HORIZON = eqenvs.make(
    "random_markov_game", num_states=3, horizon=3, discount=1.0, zero_sum=True, seed=2, action_counts="2x3"
).model()
DISCOUNTED = eqenvs.make(
    "random_markov_game", num_states=3, zero_sum=True, discount=0.7, seed=4, action_counts="3x2"
).model()
GENERAL = eqenvs.make("random_markov_game", num_states=4, num_actions=2, discount=0.8, seed=6).model()
CASES = [(method, concept) for method, spec in METHODS.items() for concept in spec.concepts]


def started(method, concept, seed=0, model=HORIZON, **settings):
    spec = METHODS[method]
    chosen = {"concept": concept} if len(spec.concepts) > 1 else {}
    return spec.start(model, seed=seed, settings=settings, **chosen)


def bits(tree):
    if isinstance(tree, dict):
        return {name: bits(part) for name, part in tree.items()}
    return tree.tobytes() if isinstance(tree, np.ndarray) else tree


@pytest.mark.parametrize(("method", "concept"), CASES)
def test_run_goes_on_to_the_same_bits_after_a_restore(method, concept):
    whole, cut = started(method, concept), started(method, concept)
    whole.run(120)
    cut.run(50)
    kept = cut.state()
    cut.run(3)
    cut.policy(), cut.residual(), cut.measures()
    other = started(method, concept, seed=9)
    other.restore(kept)
    other.policy(), other.residual(), other.measures()  # looking changes nothing
    other.run(70)
    assert bits(other.state()) == bits(whole.state())
    assert other.residual() == whole.residual()


@pytest.mark.parametrize(("method", "concept"), CASES)
def test_seeds_side_by_side_are_the_runs_one_by_one(method, concept):
    together = started(method, concept, seed=(3, 1, 4))
    together.run(80)
    alone = [started(method, concept, seed=seed) for seed in (3, 1, 4)]
    for process in alone:
        process.run(80)
    assert together.residuals().tolist() == [process.residual() for process in alone]
    assert together.touched == sum(process.touched for process in alone)
    assert len({process.state()["streams"].tobytes() for process in alone}) == 3


@pytest.mark.parametrize(("method", "concept"), CASES)
def test_residual_is_the_exact_error_of_the_policy(method, concept):
    process = started(method, concept)
    process.run(40)
    assert process.residual() == error_of(score(HORIZON, process.policy()), concept)


@pytest.mark.parametrize("method", METHODS)
def test_state_of_another_game_is_refused(method):
    concept = METHODS[method].concepts[0]
    process, other = started(method, concept), started(method, concept, model=eqenvs_horizon_four())
    with pytest.raises(InputError, match=r"^restore: the state is of another game"):
        process.restore(other.state())


def eqenvs_horizon_four():
    return eqenvs.make("random_markov_game", num_states=3, horizon=4, discount=1.0, zero_sum=True, seed=2).model()


@cache
def shapley_value(model):
    """The value of a zero-sum game to the first player, by value iteration or backward induction with SciPy's LPs."""
    later = np.zeros(model.num_states)
    for _ in range(model.horizon or 200):
        stage = model.reward[0] + model.discount * model.transition @ later
        games = [NormalFormModel([payoff, -payoff]) for payoff in stage]
        later = np.array([score(game, solve_lp(game).policy).values[0] for game in games])
    return float(model.initial @ later)


ZERO_SUM = [  # method, settings, episodes, NashConv reached
    ("nash-q", {}, 5_000, 0.02),
    ("nash-q", {"episode_length": 5}, 60_000, 0.03),
    ("fictitious-play", {}, 20_000, 0.05),
    ("fictitious-play", {"informed": True, "exploration": 0.0, "belief_rate": 1.0, "value_rate": 1.0}, 5_000, 0.02),
]


@pytest.mark.parametrize(("method", "settings", "episodes", "reached"), ZERO_SUM)
def test_zero_sum_learners_find_shapleys_value(method, settings, episodes, reached):
    process = METHODS[method].start(DISCOUNTED, seed=0, settings=settings)
    process.run(episodes)
    found = score(DISCOUNTED, process.policy())
    assert found.nash_conv < reached
    assert found.values[0] == pytest.approx(shapley_value(DISCOUNTED), abs=reached)


@pytest.mark.parametrize(("method", "concept"), [("nash-q", "nash"), ("optimistic-nash-vi", "nash")])
def test_finite_horizon_learners_find_the_value_of_backward_induction(method, concept):
    process = started(method, concept)
    process.run(20_000)
    found = score(HORIZON, process.policy())
    assert found.nash_conv < 0.03
    assert found.values[0] == pytest.approx(shapley_value(HORIZON), abs=0.03)


@pytest.mark.parametrize("objective", ["utilitarian", "egalitarian", "republican"])
def test_ce_q_finds_correlated_equilibria_of_a_general_sum_game(objective):
    process = METHODS["ce-q"].start(GENERAL, seed=0, settings={"objective": objective})
    process.run(3_000)
    assert process.residual() < 0.02


def test_ce_q_covers_three_players():
    model = eqenvs.make("random_markov_game", num_players=3, num_states=2, discount=0.6, seed=1).model()
    process = METHODS["ce-q"].start(model, seed=0)
    process.run(2_000)
    assert process.residual() < 0.03


# Claus and Boutilier (1998), the climbing game: the best joint action is punished unless both play it.
CLIMBING = np.array([[11.0, -30.0, 0.0], [-30.0, 7.0, 6.0], [0.0, 0.0, 5.0]])


def repeated(*payoffs, discount=0.5):
    array = np.array(payoffs)[:, None]
    return MarkovModel(np.ones((1, *array.shape[2:], 1)), array, [1.0], discount=discount)


def test_independent_learners_miss_the_best_joint_policy_and_joint_learners_find_it():
    model = repeated(CLIMBING, CLIMBING)
    worth = {}
    for method in ("independent-q", "joint-q", "nash-q", "ce-q"):
        settings = {"selection": "welfare"} if method == "nash-q" else {}
        process = METHODS[method].start(model, seed=tuple(range(20)), settings=settings)
        process.run(60)
        worth[method] = [score(model, process.policy_of(run)).values[0] for run in range(20)]
    assert worth["joint-q"] == pytest.approx([22.0] * 20)
    assert worth["nash-q"] == pytest.approx([22.0] * 20)
    assert worth["ce-q"] == pytest.approx([22.0] * 20)
    missed = [value < 21.0 for value in worth["independent-q"]]
    assert sum(missed) >= 10, worth["independent-q"]


def test_independent_learners_never_settle_in_matching_pennies():
    pennies = np.array([[1.0, -1.0], [-1.0, 1.0]])
    process = METHODS["independent-q"].start(repeated(pennies, -pennies), seed=0)
    seen = set()
    for _ in range(50):
        process.run(20)
        seen.add(tuple(table.argmax() for table in process.policy().tables))
        assert process.residual() >= 2.0  # a pure policy: one of the two gains 2 in every step
    assert len(seen) > 1


def test_friends_values_are_what_a_team_could_have():
    model = eqenvs.make("random_markov_game", num_states=3, num_actions=2, common=True, discount=0.6, seed=5).model()
    process = METHODS["joint-q"].start(model, seed=0, settings={"exploration": 1.0, "rate": 0.7})
    process.run(10_000)
    best = np.zeros(model.num_states)
    for _ in range(200):
        best = (model.reward[0] + 0.6 * model.transition @ best).reshape(3, -1).max(axis=1)
    learned = process.payoffs()[0].reshape(3, -1).max(axis=1)
    np.testing.assert_allclose(learned, best, atol=0.02)
    assert process.residual() < 1e-9


def test_fictitious_play_does_not_converge_in_shapleys_game():
    """Shapley (1964), "Some topics in two-person games": beliefs go round for ever."""
    first = np.eye(3)
    second = np.eye(3)[[1, 2, 0]]
    settings = {"informed": True, "exploration": 0.0, "belief_rate": 1.0, "value_rate": 1.0}
    process = METHODS["fictitious-play"].start(repeated(first, second, discount=0.0), seed=0, settings=settings)
    process.run(2)
    errors = []
    for _ in range(20):
        process.run(process.iteration // 2)
        errors.append(process.residual())
    assert max(errors[10:]) > 0.2


@pytest.mark.parametrize("concept", ["nash", "cce", "ce"])
def test_certificate_with_full_bonuses_bounds_every_gain(concept):
    for seed in range(3):
        process = started("optimistic-nash-vi", concept, seed=seed, bonus_scale=3.0)
        before = np.inf
        for episodes in (1, 9, 90, 900):
            process.run(episodes)
            certificate = process.measures()["certificate"]
            assert certificate <= before  # it keeps the best plan
            before = certificate
            found = score(HORIZON, process.policy())
            assert found.gains.max() <= certificate + 1e-9


def test_optimistic_planning_needs_few_episodes():
    process = started("optimistic-nash-vi", "nash", seed=tuple(range(4)))
    gaps = []
    for episodes in (100, 400, 1_500, 6_000):
        process.run(episodes)
        gaps.append(process.residuals().mean())
    assert np.polyfit(np.log([100, 500, 2_000, 8_000]), np.log(np.array(gaps) + 1e-12), 1)[0] < -0.4
    assert gaps[-1] < 0.03


def test_plans_kept_for_some_episodes_are_the_same_plans():
    every, kept = started("optimistic-nash-vi", "cce"), started("optimistic-nash-vi", "cce", plan_every=10)
    every.run(1)
    kept.run(1)
    np.testing.assert_array_equal(every.policy().distributions, kept.policy().distributions)
    kept.run(9)
    assert kept.measures() == started_after_one().measures()


def started_after_one():
    process = started("optimistic-nash-vi", "cce")
    process.run(1)
    return process


def test_games_that_are_not_covered_are_refused():
    three = eqenvs.make("random_markov_game", num_players=3).model()
    for method in ("nash-q", "fictitious-play"):
        with pytest.raises(UnsupportedGame, match=f"^{method}: covers two-player games only"):
            METHODS[method].start(three)
    with pytest.raises(UnsupportedGame, match=r"^optimistic-nash-vi: needs a game with a horizon"):
        METHODS["optimistic-nash-vi"].start(GENERAL)
    general = eqenvs.make("random_markov_game", horizon=2).model()
    with pytest.raises(UnsupportedGame, match="concept 'nash' covers two-player constant-sum games only"):
        METHODS["optimistic-nash-vi"].start(general)
    with pytest.raises(InputError, match=r"^fictitious-play: value_rate must be at least belief_rate=0\.9, got 0\.5$"):
        METHODS["fictitious-play"].start(DISCOUNTED, settings={"value_rate": 0.5})


def test_upper_values_are_optimistic():
    """With full bonuses no plan's upper value is below the value of the game."""
    process = optimistic_nash_vi.OptimisticNashVI(HORIZON, 0, concept="nash", bonus_scale=3.0, plan_every=1)
    value = shapley_value(HORIZON)
    for _ in range(20):
        process.run(50)
        tables = process.state()["tables"]
        assert HORIZON.initial @ tables["upper"][0, :3, 0] >= value - 1e-9
        assert HORIZON.initial @ tables["lower"][0, :3, 0] <= value + 1e-9
