"""Each conformance check fails, with the place in its message, on a game that is wrong in the way it looks for."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import namespace
from eqenvs.envs import GameAECEnv, GameParallelEnv, VectorEnv
from eqenvs.games.extensive_form.kuhn_poker import KuhnPoker
from eqenvs.models import NormalFormModel
from eqenvs.policies import uniform
from eqenvs.spec import Family
from eqenvs.testing import (
    check_backends_agree,
    check_env_matches_model,
    check_environments,
    check_game,
    check_model,
    check_rules_are_pure,
    check_tree_matches_env,
    check_vector_env,
)


class WritesToItsArgument(KuhnPoker):
    def legal_actions(self, state, player):
        state.length[:] = 0
        return super().legal_actions(state, player)


class WritesToActions(KuhnPoker):
    def apply(self, state, actions):
        after = super().apply(state, actions.copy() if hasattr(actions, "copy") else actions)
        actions[:] = 0
        return after


class MixesRows(KuhnPoker):
    def observation(self, state, player):
        xp = namespace(player)
        return xp.flip(super().observation(state, player), axis=0)


class WrongType(KuhnPoker):
    def observation(self, state, player):
        return super().observation(state, player) * np.float64(1)


class OutOfBounds(KuhnPoker):
    def observation(self, state, player):
        return 2 * super().observation(state, player)


class WrongOnTorch(KuhnPoker):
    def _payoffs(self, state):
        payoffs = super()._payoffs(state)
        return payoffs if isinstance(payoffs, np.ndarray) else payoffs + 1e-9


class PlaysAnotherGame(KuhnPoker):
    """Enumerates as Kuhn poker but pays two chips more in large batches, as a simulator's bug would."""

    def _payoffs(self, state):
        payoffs = super()._payoffs(state)
        return payoffs + 2 * (payoffs != 0) if len(payoffs) > 200 else payoffs


PURITY = {
    "argument": (WritesToItsArgument(), r"legal_actions.* changed its argument: state\.length"),
    "actions": (WritesToActions(), r"apply changed its argument: actions"),
    "rows": (MixesRows(), r"observation.*permuted rows"),
    "dtype": (WrongType(), r"observation.*dtype: expected float32, found float64"),
    "bounds": (OutOfBounds(), r"observation of player 0: expected entries in \[0.0, 1.0\]"),
}


@pytest.mark.parametrize(("rules", "message"), PURITY.values(), ids=PURITY)
def test_impure_rules_are_named(hand_made, rules, message):
    with pytest.raises(AssertionError, match=message):
        check_rules_are_pure(hand_made.game(rules))


def test_a_backend_that_differs_is_named(hand_made):
    with pytest.raises(AssertionError, match=r"apply, rewards on torch\[\d+, \d\]: expected"):
        check_backends_agree(hand_made.game(WrongOnTorch()))


def test_a_simulator_that_pays_otherwise_is_caught(hand_made):
    game = hand_made.game(PlaysAnotherGame())
    with pytest.raises(AssertionError, match=r"simulate, player \d's mean payoff"):
        check_env_matches_model(game, uniform(game), episodes=500)


def edited(game, **arrays):
    """The game with parts of its model replaced."""
    game._enumerated = (dataclasses.replace(game.model(), **arrays), 0)
    return game


def changed(array, index, value):
    copy = array.copy()
    copy[index] = value
    copy.flags.writeable = False
    return copy


def with_treeplex(game, **arrays):
    first, *others = game.model().treeplexes
    return edited(game, treeplexes=(dataclasses.replace(first, **arrays), *others))


TREE = {
    "writeable": (lambda g, m: edited(g, payoffs=m.payoffs.copy()), "payoffs: expected a read-only array"),
    "chance": (lambda g, m: edited(g, chance=changed(m.chance, 1, 0.5)), "probabilities summing to 1"),
    "parents": (lambda g, m: edited(g, parent=changed(m.parent, 5, 7)), "parents before children"),
    "payoffs": (lambda g, m: edited(g, payoff_values=changed(m.payoff_values, (0, 0), 9.0)), "payoff_values"),
    "sequences": (
        lambda g, m: edited(g, terminal_sequences=changed(m.terminal_sequences, (3, 1), 0)),
        "terminal_sequences",
    ),
    "infoset": (
        lambda g, m: edited(g, infoset=changed(m.infoset, np.flatnonzero(m.player == 0)[0], 3)),
        "perfect recall|legal actions|with members",
    ),
    "mover": (
        lambda g, m: edited(g, player=changed(m.player, m.terminals[0], 0)),
        "those without children",
    ),
    "numbering": (
        lambda g, m: with_treeplex(g, first_sequence=changed(m.treeplexes[0].first_sequence, 1, 4)),
        "player 0's treeplex, first_sequence",
    ),
    "order": (
        lambda g, m: with_treeplex(g, parent_sequence=changed(m.treeplexes[0].parent_sequence, 0, 11)),
        "its parent before it",
    ),
    "constant sum": (
        lambda g, m: edited(g, payoffs=changed(m.payoffs, (0, 0), 9.0)),
        "payoff_values|constant sum",
    ),
}


@pytest.mark.parametrize(("break_it", "message"), TREE.values(), ids=TREE)
def test_a_broken_tree_is_named(break_it, message):
    game = eqenvs.make("kuhn_poker")
    broken = break_it(game, game.model())
    with pytest.raises(AssertionError, match=message) as caught:
        check_model(broken)
    assert str(caught.value).startswith("kuhn_poker(num_players=2): ")


def test_a_wrong_declaration_of_the_sum_is_named(hand_made):
    general = NormalFormModel([[[1, 2, 3], [4, 5, 6]], [[0, 1, 0], [1, 0, 7]]])
    check_model(hand_made.game(general, family=Family.NORMAL_FORM, constant_sum=False))
    with pytest.raises(AssertionError, match=re.escape("constant sum: expected True as in SPEC, found False")):
        check_model(hand_made.game(general, family=Family.NORMAL_FORM, constant_sum=True))


def test_a_model_with_another_observation_than_the_environment_is_named():
    game = eqenvs.make("kuhn_poker")
    states = game.model().treeplexes[0].states
    seen = changed(states.observations, slice(None), 1.0)
    broken = with_treeplex(game, states=states._replace(observations=seen))
    with pytest.raises(AssertionError, match=r"player_0, history \d+, observation"):
        check_tree_matches_env(broken)


def test_a_model_with_other_payoffs_than_the_environment_is_named():
    game = eqenvs.make("kuhn_poker")
    with pytest.raises(AssertionError, match=r"end at history \d+, payoffs"):
        check_tree_matches_env(edited(game, payoffs=game.model().payoffs + 1))


def test_a_truncation_one_stage_late_is_named(monkeypatch):
    from eqenvs.envs.episode import Episode

    late = property(lambda self: self.max_cycles is not None and self.cycles > self.max_cycles and not self.terminated)
    monkeypatch.setattr(Episode, "truncated", late)
    with pytest.raises(AssertionError, match=r"max_cycles=\d"):
        check_environments(eqenvs.make("kuhn_poker"))


def test_masks_of_another_type_are_named(monkeypatch):
    from eqenvs.envs.episode import Episode

    kind = Episode.mask
    monkeypatch.setattr(Episode, "mask", lambda self, player: kind(self, player).astype(np.int64))
    with pytest.raises(AssertionError, match="int8"):
        check_environments(eqenvs.make("leduc_poker"))


def test_accepted_illegal_actions_are_named(monkeypatch):
    from eqenvs.envs.episode import Episode

    monkeypatch.setattr(Episode, "check", lambda self, agent, action, mask: int(np.flatnonzero(mask)[0]))
    with pytest.raises(AssertionError, match="player_0 plays -1: expected IllegalActionError"):
        check_environments(eqenvs.make("kuhn_poker"))


def test_a_copy_that_shares_its_state_is_named(monkeypatch):
    monkeypatch.setattr(GameAECEnv, "__deepcopy__", lambda self, memo: self, raising=False)
    monkeypatch.setattr(GameParallelEnv, "__deepcopy__", lambda self, memo: self, raising=False)
    with pytest.raises((AssertionError, eqenvs.InputError)):
        check_environments(eqenvs.make("kuhn_poker"))


def test_rewards_of_the_next_game_are_caught(monkeypatch):
    look = VectorEnv._look

    def late(self, rewards, terminated, truncated):
        return look(self, rewards * ~terminated[:, None], terminated, truncated)

    monkeypatch.setattr(VectorEnv, "_look", late)
    with pytest.raises(AssertionError, match=r"vector environment, max_cycles=None, step \d+, rewards"):
        check_vector_env(eqenvs.make("kuhn_poker"))


def test_final_observations_of_the_next_game_are_caught(monkeypatch):
    monkeypatch.setattr(
        VectorEnv,
        "final_observations",
        lambda self, player: self.rules.observation(self._state, np.full(self.num_envs, player)),
    )
    with pytest.raises(AssertionError, match=r"final_observations\(0\)"):
        check_vector_env(eqenvs.make("kuhn_poker"))


def test_a_hand_made_game_passes_everything(hand_made):
    check_game(hand_made.game(hand_made.Rules(hand_made.guess())), exact=True, episodes=2000)
