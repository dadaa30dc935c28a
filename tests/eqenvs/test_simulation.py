"""Playing joint policies of every shape, and blocks of enumeration."""

import numpy as np
import pytest

import eqenvs
from eqenvs.models import MarkovModel, enumeration
from eqenvs.policies import MixturePolicy, ProductPolicy, TabularPolicy, uniform
from eqenvs.simulation import simulate

KUHN = eqenvs.make("kuhn_poker")
U = uniform(KUHN)
BET = TabularPolicy(KUHN, [np.tile([0.0, 1.0], (6, 1))] * 2)
PASS = TabularPolicy(KUHN, [np.tile([1.0, 0.0], (6, 1))] * 2)


@pytest.mark.parametrize(
    "policy",
    [
        MixturePolicy([ProductPolicy([MixturePolicy([BET, BET], [0.5, 0.5]), PASS])] * 2, [0.5, 0.5]),
        MixturePolicy([MixturePolicy([ProductPolicy([BET, PASS])], [1.0])], [1.0]),
        ProductPolicy([MixturePolicy([MixturePolicy([BET], [1.0])], [1.0]), ProductPolicy([U, PASS])]),
    ],
    ids=["device over private mixtures", "device of devices", "nested private mixture and product"],
)
def test_nested_policies_are_played_as_what_they_amount_to(policy):
    """All three are player 0 betting and player 1 passing: player 0 wins one chip every time."""
    assert simulate(KUHN.rules, policy, 50, 0).tolist() == [[1.0, -1.0]] * 50


def test_a_device_draws_one_component_for_everybody():
    device = MixturePolicy([ProductPolicy([BET, BET]), ProductPolicy([PASS, PASS])], [0.5, 0.5])
    stakes = np.abs(simulate(KUHN.rules, device, 400, 0)[:, 0])
    assert set(stakes) == {1.0, 2.0}  # both bet, or both pass; a single bet would be folded to, for one chip too
    bet_by_0 = simulate(KUHN.rules, ProductPolicy([MixturePolicy([BET, PASS], [0.5, 0.5]), PASS]), 400, 0)[:, 0]
    assert set(np.abs(bet_by_0)) == {1.0}


def test_blocks_of_enumeration_do_not_show(monkeypatch):
    game = eqenvs.make("goofspiel", num_cards=3)
    whole = game.model()
    monkeypatch.setattr(enumeration, "BLOCK", 7)
    pieces = enumeration.enumerate_rules(game.rules, name="pieces")
    for name in ("parent", "action", "player", "chance", "infoset", "level_start", "payoffs", "payoff_sequences"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name), err_msg=name)
    for mine, theirs in zip(whole.treeplexes, pieces.treeplexes, strict=True):
        np.testing.assert_array_equal(mine.states.keys, theirs.states.keys)


def test_what_a_caller_does_to_its_masks_makes_nothing_legal():
    env = eqenvs.make("leduc_poker").aec_env()
    env.reset(seed=0)
    env.last()[4]["action_mask"][:] = 1
    with pytest.raises(eqenvs.InputError, match="illegal"):
        env.step(0)
    batch = eqenvs.make("leduc_poker").vector_env(2)
    step = batch.reset(seed=0)
    step.masks[:] = True
    with pytest.raises(eqenvs.InputError, match="illegal"):
        batch.step(np.array([0, 0]))


def test_finite_horizon_markov_policies_know_the_time():
    transition, reward = np.full((2, 3, 2), 0.5), np.zeros((1, 2, 3))
    assert MarkovModel(transition, reward, [1, 0], discount=0.9).information_states[0].keys.tolist() == [[0], [1]]
    timed = MarkovModel(transition, reward, [1, 0], horizon=2).information_states[0]
    assert timed.keys.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert timed.observations.tolist() == [[0, 1, 0], [0, 0, 1], [0.5, 1, 0], [0.5, 0, 1]]
