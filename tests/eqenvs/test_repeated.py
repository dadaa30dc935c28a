"""Repeated games: discounting, random stopping, memory, and what is known of the prisoner's dilemma."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError, UnknownNameError
from eqenvs.models import NormalFormModel
from eqenvs.policies import uniform
from eqenvs.rules import CHANCE, TERMINAL
from eqenvs.spec import Family
from eqenvs.testing import check_env_matches_model, check_game

TEMPTATION, REWARD, PUNISHMENT, SUCKER = 5.0, 3.0, 1.0, 0.0
COOPERATE, DEFECT = 0, 1
ASYMMETRIC = [[[3, -1, 2], [0, 4, -2]], [[1, 5, 0], [2, -3, 6]]]  # 2x3, general-sum


@pytest.fixture
def asymmetric(hand_made):
    return hand_made.game(NormalFormModel(ASYMMETRIC), constant_sum=False, family=Family.NORMAL_FORM)


def gains_and_values(model, tables):
    plans = [treeplex.realisation_plan(table) for treeplex, table in zip(model.treeplexes, tables, strict=True)]
    gradients = [model.gradient(player, plans) for player in range(model.num_players)]
    values = [float(g @ plan) for g, plan in zip(gradients, plans, strict=True)]
    best = [t.best_response(g)[0] for t, g in zip(model.treeplexes, gradients, strict=True)]
    return [b - v for b, v in zip(best, values, strict=True)], values


def random_tables(model, seed=0):
    rng = np.random.default_rng(seed)
    weights = [states.masks * rng.exponential(size=states.masks.shape) for states in model.information_states]
    return [weight / weight.sum(axis=1, keepdims=True) for weight in weights]


@pytest.mark.parametrize(
    "settings",
    [
        {"discount": 0.5},
        {"continuation": 0.4},
        {"continuation": 0.7, "discount": 0.9, "memory": 2},
        {"memory": 0},
        {"memory": 3},
        {"continuation": 0.0},
        {"discount": 0.0},
    ],
)
def test_repeated_games_keep_every_contract(asymmetric, settings):
    check_game(eqenvs.repeated(asymmetric, 2, **settings), exact=True, episodes=500)


def test_a_structured_stage_keeps_every_contract():
    stage = eqenvs.make("arms_bandit", num_players=3, rewards="3,1")
    check_game(eqenvs.repeated(stage, 2, discount=0.5, continuation=0.5), exact=True, episodes=500)


def played(rules, moves, outcomes):
    """Rewards of a repeated game in which everybody plays `moves[t]` and chance answers `outcomes[t]`."""
    state, rewards = rules.initial_state(1, np), []
    moves, outcomes = iter(moves), iter(outcomes)
    while (turn := rules.turn(state)[0]) != TERMINAL:
        joint = [[0] * rules.num_players + [next(outcomes)]] if turn == CHANCE else [[*next(moves), 0]]
        state, paid = rules.apply(state, np.array(joint))
        if turn == CHANCE:
            assert not paid.any()
        else:
            rewards.append(paid[0].tolist())
    return rewards


def test_rounds_are_discounted(asymmetric):
    rules = eqenvs.repeated(asymmetric, 3, discount=0.5).rules
    assert played(rules, [(0, 0), (1, 2), (0, 1)], []) == [[3, 1], [-1, 3], [-0.25, 1.25]]


def test_chance_ends_the_game_and_the_last_round_does_so_for_certain(asymmetric):
    rules = eqenvs.repeated(asymmetric, 3, continuation=0.25, discount=0.5).rules
    moves = [(0, 0), (1, 2), (0, 1)]
    go_on, stop = 0, 1
    assert played(rules, moves, [stop]) == [[3, 1]]
    assert played(rules, moves, [go_on, stop]) == [[3, 1], [-1, 3]]
    assert played(rules, moves, [go_on, go_on]) == [[3, 1], [-1, 3], [-0.25, 1.25]]
    state, _ = rules.apply(rules.initial_state(1, np), np.array([[0, 0, 0]]))
    assert rules.chance_probabilities(state).tolist() == [[0.25, 0.75]]


def test_after_the_end_nothing_changes(asymmetric):
    rules = eqenvs.repeated(asymmetric, 2, continuation=0.5).rules
    state, _ = rules.apply(rules.initial_state(1, np), np.array([[1, 2, 0]]))
    over, _ = rules.apply(state, np.array([[0, 0, 1]]))
    again, paid = rules.apply(over, np.array([[1, 1, 0]]))
    assert not paid.any()
    for before, after in zip(over, again, strict=True):
        np.testing.assert_array_equal(before, after)


def test_games_last_geometrically_many_rounds():
    env = eqenvs.make("repeated_game", num_rounds=50, continuation=0.5).vector_env(2000)
    env.reset(seed=0)
    step = env.step(np.zeros((2000, 2), dtype=np.int64))
    ended = step.terminated.mean()
    assert abs(ended - 0.5) <= 5 * 0.5 / np.sqrt(2000)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8, 1.0])
def test_discounting_and_stopping_at_random_are_worth_the_same(asymmetric, share):
    discounted = eqenvs.repeated(asymmetric, 3, discount=share).model()
    stopped = eqenvs.repeated(asymmetric, 3, continuation=share).model()
    for seed in range(3):
        tables = random_tables(discounted, seed)
        if share == 0:  # rounds that are never played have no information states
            stopping = [
                table[: len(states.keys)] for table, states in zip(tables, stopped.information_states, strict=True)
            ]
        else:
            stopping = tables
            for a, b in zip(discounted.information_states, stopped.information_states, strict=True):
                np.testing.assert_array_equal(a.keys, b.keys)
        for found, expected in zip(
            gains_and_values(stopped, stopping), gains_and_values(discounted, tables), strict=True
        ):
            assert found == pytest.approx(expected, abs=1e-12)


def test_both_together_multiply(asymmetric):
    both = eqenvs.repeated(asymmetric, 3, discount=0.5, continuation=0.6).model()
    one = eqenvs.repeated(asymmetric, 3, discount=0.3).model()
    tables = random_tables(both)
    assert gains_and_values(both, tables)[1] == pytest.approx(gains_and_values(one, tables)[1], abs=1e-12)


def grim(model, player):
    """Cooperate until anybody has defected."""
    keys = model.information_states[player].keys
    table = np.zeros((len(keys), 2))
    for row, key in enumerate(keys):
        table[row, DEFECT if DEFECT in key[key >= 0] else COOPERATE] = 1.0
    return table


@pytest.mark.parametrize("factor", ["discount", "continuation"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_against_a_grim_trigger_the_best_is_to_defect_once_in_the_best_round(factor, share, rounds):
    """Derived: to defect first in round s gains T - R then and loses R - P in each later round.

    It never pays before the last round if and only if share >= (T - R) / (T - P) = 1/2, as in the game without an end.
    """
    model = eqenvs.make("repeated_game", num_rounds=rounds, **{factor: share}).model()
    gains, values = gains_and_values(model, [grim(model, player) for player in range(2)])
    weight = share ** np.arange(rounds)
    by_round = [
        weight[s] * (TEMPTATION - REWARD) - (REWARD - PUNISHMENT) * weight[s + 1 :].sum() for s in range(rounds)
    ]
    assert values == pytest.approx([REWARD * weight.sum()] * 2, abs=1e-12)
    assert gains == pytest.approx([max(by_round)] * 2, abs=1e-12)


@pytest.mark.parametrize("settings", [{}, {"discount": 0.5}, {"continuation": 0.9}])
def test_defecting_always_is_an_equilibrium(settings):
    model = eqenvs.make("repeated_game", num_rounds=3, **settings).model()
    tables = [np.tile([0.0, 1.0], (len(states.keys), 1)) for states in model.information_states]
    gains, values = gains_and_values(model, tables)
    share = settings.get("discount", settings.get("continuation", 1.0))
    assert gains == pytest.approx([0, 0], abs=1e-12)
    assert values == pytest.approx([PUNISHMENT * (1 + share + share**2)] * 2, abs=1e-12)


def test_observations_hold_the_last_joint_actions_newest_first(asymmetric):
    rules = eqenvs.repeated(asymmetric, 4, memory=2).rules
    state = rules.initial_state(1, np)
    for joint in ((1, 2), (0, 1), (1, 0)):
        state, _ = rules.apply(state, np.array([[*joint, 0]]))
    seen = rules.observation(state, np.array([1]))[0]
    assert seen.tolist() == [0, 1, *(0, 1), *(1, 0, 0), *(1, 0), *(0, 1, 0)]
    # Information states remember everything, whatever is observed.
    assert rules.information_state(state, np.array([1]))[0].tolist() == [1, 2, 0, 1, 1, 0, -1, -1]


@pytest.mark.parametrize("continuation", [1.0, 0.5])
def test_environments_of_a_long_game_can_be_copied_and_pickled_in_the_middle(continuation):
    game = eqenvs.make("repeated_game", stage="rock_paper_scissors", num_rounds=1000, continuation=continuation)
    env = game.parallel_env()
    env.reset(seed=3)
    for _ in range(2):
        if env.agents:
            env.step(dict.fromkeys(env.agents, 1))
    for twin in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        assert twin.agents == env.agents
        np.testing.assert_array_equal(twin.state(), env.state())


def test_a_repeated_game_with_settings_travels(asymmetric):
    game = eqenvs.repeated(eqenvs.make("chicken"), 2, discount=0.5, continuation=0.75, memory=0)
    back = pickle.loads(pickle.dumps(game))
    np.testing.assert_array_equal(back.model().payoffs, game.model().payoffs)
    np.testing.assert_array_equal(back.model().chance, game.model().chance)


def test_the_registered_game_is_the_repeated_stage():
    parameters = {"discount": 0.5, "continuation": 0.75, "memory": 2}
    text = "rock_win=3,paper_win=2"
    named = eqenvs.make("repeated_game", stage="rock_paper_scissors", stage_parameters=text, num_rounds=2, **parameters)
    built = eqenvs.repeated(eqenvs.make("rock_paper_scissors", rock_win=3.0, paper_win=2.0), 2, **parameters)
    assert named.model().sizes() == built.model().sizes()
    np.testing.assert_array_equal(named.model().payoffs, built.model().payoffs)
    for a, b in zip(named.information_states, built.information_states, strict=True):
        np.testing.assert_array_equal(a.observations, b.observations)
    check_env_matches_model(named, uniform(named), episodes=500)


def test_a_large_stage_is_repeated_without_a_tensor():
    game = eqenvs.make("repeated_game", stage="braess_routing", stage_parameters="num_players=60", num_rounds=5)
    env = game.vector_env(4)
    env.reset(seed=0)
    step = env.step(np.full((4, 60), 2))
    np.testing.assert_allclose(step.rewards, -(0.25 + 2 + 2), rtol=0, atol=1e-12)
    assert not game.exact
    with pytest.raises(GameTooLargeError):
        game.model()


SUMS = [
    ("matching_pennies", {"continuation": 0.5}, True),
    ("beauty_contest", {}, True),
    ("beauty_contest", {"discount": 0.5}, True),
    ("beauty_contest", {"continuation": 0.5}, False),
    ("prisoners_dilemma", {"discount": 0.0}, False),
]


@pytest.mark.parametrize(("stage", "settings", "constant"), SUMS)
def test_random_stopping_keeps_only_a_sum_of_zero(stage, settings, constant):
    game = eqenvs.repeated(eqenvs.make(stage), 2, **settings)
    assert game.constant_sum is constant
    if stage != "beauty_contest":  # of 1331 profiles a round
        assert game.model().constant_sum() is constant


BAD = [
    (lambda: eqenvs.repeated(eqenvs.make("chicken"), 0), eqenvs.InputError, "num_rounds=0"),
    (lambda: eqenvs.repeated(eqenvs.make("chicken"), 2, memory=-1), eqenvs.InputError, "memory=-1"),
    (lambda: eqenvs.repeated(eqenvs.make("chicken"), 2, discount=1.5), eqenvs.InputError, "discount from 0 to 1, got"),
    (lambda: eqenvs.repeated(eqenvs.make("chicken"), 2, continuation=-0.1), eqenvs.InputError, "continuation from 0"),
    (lambda: eqenvs.make("repeated_game", stage="kuhn_poker"), eqenvs.UnsupportedGame, "kuhn_poker is extensive_form"),
    (lambda: eqenvs.make("repeated_game", stage="repeated_game"), eqenvs.UnsupportedGame, "stage='repeated_game'"),
    (lambda: eqenvs.make("repeated_game", stage="chickn"), UnknownNameError, "did you mean 'chicken'"),
    (
        lambda: eqenvs.make("repeated_game", stage="rock_paper_scissors", stage_parameters="rock_win"),
        eqenvs.InputError,
        "name=value,name=value,.., got 'rock_win'",
    ),
    (
        lambda: eqenvs.make("repeated_game", stage="rock_paper_scissors", stage_parameters="rock=2"),
        UnknownNameError,
        "rock_paper_scissors",
    ),
    (
        lambda: eqenvs.make("repeated_game", stage="rock_paper_scissors", stage_parameters="rock_win=-1"),
        eqenvs.InputError,
        "'rock_win'",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "message"), BAD)
def test_bad_settings_are_named(make, error, message):
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
