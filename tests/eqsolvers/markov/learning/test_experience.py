"""Tabular learners in batches of environments: the same updates as in the loops over a model, and no model needed."""

from __future__ import annotations

from functools import partial

import gymnasium
import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import make_backend
from eqenvs.envs.batched_parallel import BatchedParallelEnv
from eqenvs.envs.vector import VectorEnv
from eqenvs.errors import InputError, UnknownNameError, UnsupportedGame
from eqenvs.markov_rules import ModelRules
from eqenvs.models import MarkovModel
from eqenvs.policies import uniform
from eqenvs.robust import ActionPerturbation, ObservationPerturbation, RobustParallelEnv
from eqenvs.simulation import simulate
from eqenvs.spec import Family
from eqsolvers import score
from eqsolvers.markov.learning import OnlineProcess, Told, _experience, online_method, online_methods, told_of
from eqsolvers.result import error_of, solvers

KNOWN = solvers(Family.MARKOV)
ZERO_SUM = eqenvs.make(
    "random_markov_game", num_states=3, horizon=3, discount=1.0, zero_sum=True, seed=2, action_counts="2x3"
)
GENERAL = eqenvs.make("random_markov_game", num_states=3, horizon=3, discount=1.0, seed=2, action_counts="2x3")
DISCOUNTED = eqenvs.make("random_markov_game", num_states=4, discount=0.6, seed=6, action_counts="3x2")
METHODS = [
    (name, concept)
    for name, method in online_methods().items()
    if hasattr(method, "concepts")
    for concept in method.concepts
]


def started(game, method, *, games=8, seed=0, concept=None, rewards=None, max_cycles=None, **settings):
    told = told_of(game, rewards)
    learner = online_method(method).begin(told, settings, concept)
    return OnlineProcess(game.vector_env(games, max_cycles=max_cycles), told, method, learner, seed)


def of_model(model, method, *, games=1, max_cycles=None, **settings):
    told = Told(num_actions=model.num_actions, discount=model.discount, horizon=model.horizon)
    env = VectorEnv(ModelRules(model), games, make_backend(), max_cycles=max_cycles)
    return OnlineProcess(env, told, method, online_method(method).begin(told, settings), 0)


def bits(tree):
    if isinstance(tree, dict):
        return {name: bits(part) for name, part in tree.items()}
    if isinstance(tree, list):
        return [bits(part) for part in tree]
    return tree.tobytes() if isinstance(tree, np.ndarray) else tree


def deterministic(horizon, discount):
    """Four states, 2 x 3 actions, certain successors; all rewards are losses, so that greedy play tries everything."""
    rng = np.random.default_rng(5)
    transition = np.eye(4)[rng.integers(4, size=(4, 2, 3))]
    return MarkovModel(
        transition, -rng.uniform(0.1, 1.0, size=(2, 4, 2, 3)), [1.0, 0, 0, 0], horizon=horizon, discount=discount
    )


@pytest.mark.parametrize("method", ["independent-q", "joint-q"])
def test_greedy_play_of_one_deterministic_game_makes_the_updates_of_the_loop_over_the_model(method):
    model = deterministic(horizon=5, discount=0.9)
    loop = KNOWN[method].start(model, settings={"exploration": 0.0})
    loop.run(60)
    process = of_model(model, method, exploration=0.0)
    process.run(5 * 60)
    rows = process._numberings[0].find(model.information_states[0].keys)
    assert (rows >= 0).sum() == process.met > 8
    expected, found = loop.state()["tables"], process.state()["tables"]
    axis = 2 if method == "independent-q" else 1
    for name in ("payoff", "visits"):
        mine, theirs = np.moveaxis(expected[name], axis, 0), np.moveaxis(found[name], axis, 0)
        assert (mine[rows >= 0] == theirs[rows[rows >= 0]]).all()
        assert not mine[rows < 0].any()
    assert expected["visits"].sum() == (600 if method == "independent-q" else 300)


def test_values_against_uniform_play_are_those_of_the_decision_process():
    model = DISCOUNTED.model()
    process = started(DISCOUNTED, "independent-q", games=100, exploration=1.0, rate=0.8)
    process.run(400)
    rows = process._numberings[0].find(model.information_states[0].keys)
    tables = process.state()["tables"]
    joint = model.reward.shape[2:]
    kernel = np.zeros((model.num_rows, model.num_states))
    after = model.successors
    for row in range(model.num_rows):
        here = slice(after.start[row], after.start[row + 1])
        np.add.at(kernel[row], after.state[here], after.probability[here])
    kernel = kernel.reshape(model.num_states, *joint, model.num_states)
    for player in range(2):
        expected = np.zeros((model.num_states, joint[player]))
        for _ in range(200):
            backed_up = model.reward[player] + 0.6 * kernel @ expected.max(axis=1)
            expected = backed_up.mean(axis=2 - player)
        visits = tables["visits"][0, player, rows, : joint[player]]
        # The noise that steps of n ** -0.8 leave, of payoffs that deviate by less than 1: 5 deviations.
        allowed = 5 * np.sqrt(visits**-0.8 / 2)
        assert (np.abs(tables["payoff"][0, player, rows, : joint[player]] - expected) < allowed).all()
        assert visits.min() > 500
        assert np.ptp(expected) > 5 * allowed.min()


@pytest.mark.parametrize("cycles", [1, 3])
def test_a_game_that_is_cut_off_goes_on_in_the_values(cycles):
    model = MarkovModel([[[[0, 1.0]]], [[[1.0, 0]]]], [[[[1.0]], [[4.0]]]] * 2, [0.5, 0.5], discount=0.5)
    process = of_model(model, "independent-q", games=2, max_cycles=cycles, exploration=0.0, rate=0.0)
    process.run(60)
    keys = process._numberings[0].keys[:, 0]
    # v(0) = 1 + v(1) / 2, v(1) = 4 + v(0) / 2
    np.testing.assert_allclose(process.state()["tables"]["payoff"][0, 0, keys.argsort(), 0], [4, 6], rtol=1e-12)


REACHED = [
    ("nash-q", "nash", {}, 100, 0.01),
    ("ce-q", "ce", {}, 100, 0.01),
    ("fictitious-play", "nash", {}, 200, 0.1),
    ("optimistic-nash-vi", "nash", {"plan_every": 32}, 75, 0.05),
    ("optimistic-gradient", "nash", {"steps": 160}, 600, 0.1),
    ("independent-policy-gradient", "nash", {"eta": 0.1, "episodes": 32}, 600, 0.15),
]


@pytest.mark.parametrize(("method", "concept", "settings", "steps", "bound"), REACHED)
def test_the_error_comes_down(method, concept, settings, steps, bound):
    model = ZERO_SUM.model()
    process = started(ZERO_SUM, method, games=32, **settings)
    before = error_of(score(model, uniform(model)), concept)
    process.run(steps)
    assert error_of(score(model, process.policy_on(model)), concept) < bound < before / 2
    assert process.unmet(model) == 2  # two states can only be reached after the first step
    assert process.touched == steps * 32


def test_common_values_are_learned_by_joint_q():
    game = eqenvs.make("random_markov_game", num_states=3, num_actions=2, common=True, discount=0.6, seed=5)
    process = started(game, "joint-q", games=64, exploration=1.0, rate=0.7)
    process.run(300)
    before = score(game, uniform(game)).nash_conv
    assert score(game, process.policy_on(game.model())).nash_conv < 0.01 < before / 10


@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_v_learnings_gap_falls_with_play(concept):
    model = GENERAL.model()
    process = started(GENERAL, "v-learning", concept=concept, games=16)
    gaps = []
    for steps in (50, 250, 1250):
        process.run(steps)
        gaps.append(error_of(score(model, process.policy_on(model)), concept))
    assert gaps[2] < gaps[1] / 1.5 < gaps[0] / 2
    marginals = process.policy_on(model).marginals()
    for player, states in enumerate(model.information_states):
        np.testing.assert_allclose(process.behaviour()(player, states), marginals.tables[player], atol=1e-12)


@pytest.mark.parametrize(("method", "concept"), METHODS)
def test_a_restored_process_goes_on_to_the_same_bits(method, concept):
    settings = {"independent-policy-gradient": {"episodes": 6}, "optimistic-gradient": {"steps": 50}}.get(method, {})
    whole, cut, other = (
        started(ZERO_SUM, method, concept=concept, seed=seed, games=3, **settings) for seed in (1, 1, 2)
    )
    whole.run(40)
    cut.run(17)
    kept = cut.state()
    cut.run(3)
    cut.behaviour(), cut.policy_on(ZERO_SUM.model()), cut.measures()
    assert bits(other.state()) != bits(kept)
    other.restore(kept)
    other.behaviour(), other.policy_on(ZERO_SUM.model()), other.measures()  # looking changes nothing
    other.run(23)
    assert bits(other.state()) == bits(whole.state())


def test_a_state_of_another_game_or_batch_is_refused():
    process = started(ZERO_SUM, "independent-q", games=3)
    for other, what in (
        (started(ZERO_SUM, "independent-q", games=2), "2 games"),
        (started(eqenvs.make("grid_soccer"), "independent-q", games=3), "another game"),
        (started(ZERO_SUM, "joint-q", games=3), "payoff"),
    ):
        with pytest.raises(InputError, match=what):
            process.restore(other.state())


@pytest.mark.parametrize("method", ["independent-q", "nash-q", "v-learning", "optimistic-nash-vi", "fictitious-play"])
def test_growing_tables_change_nothing(method, monkeypatch):
    roomy = started(ZERO_SUM, method)
    monkeypatch.setattr(_experience, "FIRST_CAPACITY", 1)
    tight = started(ZERO_SUM, method)
    for process in (roomy, tight):
        process.run(60)
    assert roomy.state()["masks"].shape[1] == 64
    assert tight.state()["masks"].shape[1] == 8  # of 7 states met
    for player, states in enumerate(ZERO_SUM.model().information_states):
        assert (roomy.behaviour()(player, states) == tight.behaviour()(player, states)).all()


@pytest.mark.parametrize("method", ["independent-q", "v-learning", "independent-policy-gradient"])
def test_the_fishery_of_the_published_size_needs_no_model(method):
    game = eqenvs.make("fishery_commons")
    assert not game.exact
    process = started(game, method, games=32, rewards=(0.0, 100.0))
    process.run(60)
    policy = process.behaviour()
    assert process.met > 2
    assert all(((table > 0).sum(axis=1) > 0).all() for table in policy.tables)
    payoffs = simulate(game.rules, policy, 50, np.random.SeedSequence(1))
    assert payoffs.shape == (50, 5)
    assert (payoffs.sum(axis=1) <= 650 + 1e-9).all()  # a single owner's, see the game's facts


def test_what_a_method_cannot_do_is_said():
    fishery = eqenvs.make("fishery_commons")
    with pytest.raises(UnsupportedGame, match="10,510,100,501"):
        started(fishery, "joint-q")
    with pytest.raises(InputError, match="least_reward and most_reward"):
        started(fishery, "v-learning")
    with pytest.raises(UnsupportedGame, match="horizon"):
        started(DISCOUNTED, "v-learning")
    with pytest.raises(UnsupportedGame, match="constant-sum"):
        started(DISCOUNTED, "fictitious-play")
    for method in ("natural-policy-gradient", "log-barrier-policy-optimisation"):
        with pytest.raises(UnsupportedGame, match="from the model; these can: ce-q"):
            started(DISCOUNTED, method)
    with pytest.raises(UnknownNameError, match="nash-q"):
        started(DISCOUNTED, "nashq")
    with pytest.raises(UnsupportedGame, match="covers Markov games"):
        told_of(eqenvs.make("kuhn_poker"))


def test_a_time_limit_of_an_environment_without_masks_at_the_end_goes_on_in_the_values():
    # Down and left of the start are walls: who stays there is paid nothing, and the way to the goal is 2 steps.
    lake = partial(gymnasium.make, "FrozenLake-v1", desc=["SF", "FG"], is_slippery=False, max_episode_steps=1)
    env = BatchedParallelEnv(partial(RobustParallelEnv, lake, ActionPerturbation(alpha=0.0)), 2)
    told = Told(num_actions=(4, 4), discount=0.5)
    learner = online_method("independent-q").begin(told, {"exploration": 1.0, "rate": 0.0})
    process = OnlineProcess(env, told, "independent-q", learner, 0)
    process.run(200)
    keys = process._numberings[0].keys[:, 0]
    assert keys.tolist() == [0]  # the others are only seen as ends of games, where nothing says what could be done
    assert not process.state()["tables"]["payoff"].any()


LAKE = partial(gymnasium.make, "FrozenLake-v1", desc=["SF", "HG"], is_slippery=False)


def robust_lake():
    return RobustParallelEnv(LAKE, ActionPerturbation(alpha=0.2))


@pytest.mark.parametrize("method", ["nash-q", "independent-q"])
def test_a_protagonist_without_a_model_withstands_its_adversary_better_than_uniform_play(method):
    game = eqenvs.make("robust_gym", env_parameters="desc=SF/HG,is_slippery=False", alpha=0.2, discount=0.9)
    told = Told(num_actions=(4, 4), discount=0.9, constant_sum=True)
    process = OnlineProcess(BatchedParallelEnv(robust_lake, 4), told, method, online_method(method).begin(told), 0)
    process.run(800)

    def guaranteed(policy):
        found = score(game, policy)
        return found.values[0] - found.gains[1]

    assert process.unmet(game.model()) == 0
    # Right and then down, each unless the adversary overrides it: 0.66 at best, uniform play is sure of 0.10.
    assert guaranteed(process.policy_on(game.model())) > 0.5 > 2 * guaranteed(uniform(game.model()))


def test_players_who_see_different_things_learn_by_themselves():
    make = partial(RobustParallelEnv, LAKE, ObservationPerturbation(budget=1))
    told = Told(num_actions=(4, 5), discount=0.9, shared=False, constant_sum=True)
    with pytest.raises(UnsupportedGame, match="all see the same state"):
        online_method("nash-q").begin(told)
    learner = online_method("independent-q").begin(told)
    process = OnlineProcess(BatchedParallelEnv(make, 3), told, "independent-q", learner, 0)
    process.run(300)
    of_protagonist, of_adversary = process.behaviour().keys
    assert set(of_protagonist[:, 1]) == {-1}  # nothing but what it is shown
    assert {0, 1} <= set(of_adversary[:, 0])  # what is left of the budget
    blind = Told(num_actions=(4, 5), discount=0.9)
    with pytest.raises(UnsupportedGame, match="shared=False"):
        OnlineProcess(BatchedParallelEnv(make, 3), blind, "independent-q", learner, 0).run(5)
