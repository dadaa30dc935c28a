"""Reading the transitions that an environment publishes."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import eqenvs
from eqenvs.robust.finite_mdp import mdp_of, named_mdp, parse_environment


def test_a_table_becomes_rows_without_unreached_states_and_with_ends(two_states):
    assert two_states.names.tolist() == [0, 1]
    assert two_states.initial.tolist() == [1.0, 0.0]
    assert two_states.outcomes.start.tolist() == [0, 1, 2, 3, 4]
    assert two_states.outcomes.state.tolist() == [0, 1, 0, 2]
    assert two_states.outcomes.reward.tolist() == [1.0, 0.0, 2.0, -4.0]


def test_outcomes_of_the_same_state_and_reward_are_one_and_of_others_are_not(table_env):
    listed = [(0.25, 0, 1, False), (0.25, 0, 1, False), (0.3, 0, 2, False), (0.2, 0, 1, True), (0.0, 7, 1, False)]
    mdp = mdp_of(table_env({0: {0: listed}}, [1.0]))
    assert mdp.outcomes.state.tolist() == [0, 0, 1]
    assert mdp.outcomes.reward.tolist() == [1, 2, 1]
    np.testing.assert_allclose(mdp.outcomes.probability, [0.5, 0.3, 0.2])


def test_actions_that_a_state_lacks_are_illegal(table_env):
    mdp = mdp_of(table_env({0: {0: [(1.0, 1, 0, False)]}, 1: {0: [(1.0, 0, 0, True)], 1: [(1.0, 0, 1, True)]}}, [1, 0]))
    assert mdp.legal.tolist() == [[True, False], [True, True]]
    game = eqenvs.robust.perturbed_game(mdp, eqenvs.robust.override_menu, alpha=0.5, discount=0.5)
    assert [mask.tolist() for mask in game.legal] == [mdp.legal.tolist()] * 2


@pytest.mark.parametrize(("env_id", "states"), [("FrozenLake-v1", 11), ("CliffWalking-v1", 37), ("Taxi-v4", 400)])
@pytest.mark.slow
def test_toy_text_is_read_and_its_value_is_that_of_the_table(env_id, states, q_values):
    mdp = named_mdp("test", env_id)
    assert mdp.num_states == states
    values = np.zeros(states)
    for _ in range(300):
        values = q_values(mdp, values, 0.9).max(axis=1)
    inner = gymnasium.make(env_id).unwrapped
    plain = np.zeros(len(inner.P))
    for _ in range(300):
        plain = np.array(
            [
                max(sum(p * (r + 0.9 * plain[t] * (not over)) for p, t, r, over in row) for row in inner.P[s].values())
                for s in range(len(plain))
            ]
        )
    np.testing.assert_allclose(values, plain[mdp.names], atol=1e-9)


def test_the_optimal_value_of_the_slippery_lake_is_the_known_one(q_values):
    # 0.5420 at a discount of 0.99 is what every course that solves this environment finds.
    mdp, values = named_mdp("test", "FrozenLake-v1"), np.zeros(11)
    for _ in range(3000):
        values = q_values(mdp, values, 0.99).max(axis=1)
    assert values[0] == pytest.approx(0.54202593, abs=1e-7)


def test_parameters_are_read_from_text():
    found = parse_environment("g", " map_name=8x8, is_slippery=False ,success_rate=0.5,n=3,desc=SF/HG,x=none")
    assert found == {
        "map_name": "8x8", "is_slippery": False, "success_rate": 0.5, "n": 3, "desc": ["SF", "HG"], "x": None
    }  # fmt: skip


BAD_TABLES = {
    "no distribution": ({0: {0: [(0.5, 0, 0, False)]}}, [1.0], r"P\[0\]\[0\]: probabilities must sum to 1, got 0.5"),
    "negative": ({0: {0: [(1.5, 0, 0, False), (-0.5, 0, 0, True)]}}, [1.0], "at least 0 .* got -0.5"),
    "three entries": (
        {0: {0: [(1.0, 0, 0)]}},
        [1.0],
        r"toy: P\[0\]\[0\]: entries must be \(probability, .* got \(1.0, 0",
    ),
    "a text": ({0: {0: [("a", 0, 0, True)]}}, [1.0], r"entries must be .* got \('a', 0, 0, True\)"),
    "no tuple": ({0: {0: [1.0]}}, [1.0], "entries must be .* got 1.0"),
    "no list": ({0: {0: 1.0}}, [1.0], "must be a list of outcomes, got 1.0"),
    "reward": ({0: {0: [(1.0, 0, np.inf, False)]}}, [1.0], "rewards finite, got 1.0 and inf"),
    "no state": ({0: {0: [(1.0, 3, 0, False)]}}, [1.0], "state 3 can be reached, but P has no action there"),
    "no action": ({0: {0: [(1.0, 1, 0, False)]}, 1: {}}, [1.0, 0.0], "state 1 can be reached"),
    "start": ({0: {0: [(1.0, 0, 0, True)]}}, [0.5], "initial_state_distrib must be a distribution, its sum is 0.5"),
}


@pytest.mark.parametrize(("table", "initial", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables_are_refused(table_env, table, initial, message):
    with pytest.raises(eqenvs.InputError, match=message):
        mdp_of(table_env(table, initial), name="toy")


@pytest.mark.parametrize(
    ("env_id", "parameters", "kind", "message"),
    [
        ("FrozenLak-v1", "", eqenvs.InputError, "'FrozenLak-v1'; did you mean 'FrozenLake-v1'"),
        ("FrozenLake-v7", "", eqenvs.InputError, "did you mean 'FrozenLake"),
        ("CartPole-v1", "", eqenvs.UnsupportedGame, r"CartPole-v1 has no unwrapped.P.*RobustParallelEnv"),
        ("Pendulum-v1", "", eqenvs.UnsupportedGame, r"Pendulum-v1 has no unwrapped.P, so no exact model \(Box"),
        ("FrozenLake-v1", "size=3", eqenvs.InputError, "cannot make 'FrozenLake-v1' with {'size': 3}"),
        ("FrozenLake-v1", "map_name=9x9", eqenvs.InputError, "cannot make 'FrozenLake-v1'"),
        ("FrozenLake-v1", "slippery", eqenvs.InputError, "'env_parameters' must be name=value,.* got 'slippery'"),
    ],
)
@pytest.mark.parametrize("game_id", ["robust_gym", "robust_observation_gym"])
def test_bad_environments_are_refused_in_one_line(game_id, env_id, parameters, kind, message):
    with pytest.raises(kind, match=message) as caught:
        eqenvs.make(game_id, env_id=env_id, env_parameters=parameters)
    assert "\n" not in str(caught.value)
