"""What the conformance checks do not cover of the environments: PettingZoo's clock test, hash seeds, devices."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
from pettingzoo.test.max_cycles_test import max_cycles_test

import eqenvs
from eqenvs.arrays import make_backend
from eqenvs.envs.vector import VectorEnv, count_stage
from eqenvs.errors import IllegalActionError, UnsupportedGame
from eqenvs.games.extensive_form.kuhn_poker import KuhnPoker, KuhnState
from eqenvs.rules import TERMINAL
from eqenvs.simulation import decision_points
from eqenvs.testing import check_tree_matches_env

TRAJECTORY = """
import hashlib, numpy as np, eqenvs
digest = hashlib.sha256()
for game in (eqenvs.make("kuhn_poker", num_players=3), eqenvs.make("leduc_poker"),
             eqenvs.repeated(eqenvs.make("rock_paper_scissors"), 5)):
    aec, parallel, vector = game.aec_env(), game.parallel_env(), game.vector_env(4)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        aec.reset(seed=seed)
        for agent in aec.agent_iter():
            seen, reward, terminated, truncated, info = aec.last()
            digest.update(repr((agent, seen, reward, terminated, truncated, info)).encode())
            aec.step(None if terminated or truncated else int(rng.choice(np.flatnonzero(seen["action_mask"]))))
        views, _ = parallel.reset(seed=seed)
        while parallel.agents:
            moves = {a: int(rng.choice(np.flatnonzero(views[a]["action_mask"]))) for a in parallel.agents}
            views, *rest = parallel.step(moves)
            digest.update(repr((moves, views, rest)).encode())
        step = vector.reset(seed=seed)
        for _ in range(10):
            step = vector.step(np.argmax(np.where(step.masks, rng.random(step.masks.shape), -1), axis=-1))
            digest.update(repr(step).encode())
print(digest.hexdigest())
"""


def test_pettingzoos_max_cycles_test_passes_on_a_long_game():
    game = eqenvs.repeated(eqenvs.make("rock_paper_scissors"), 100)
    max_cycles_test(SimpleNamespace(parallel_env=game.parallel_env, env=game.aec_env))


def test_trajectories_do_not_depend_on_the_hash_seed():
    runs = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", TRAJECTORY],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("0", "4242")
    ]
    digests = [run.communicate()[0].strip() for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert len(digests[0]) == 64
    assert digests[0] == digests[1]


def test_another_seed_gives_another_deal_and_no_seed_goes_on():
    env = eqenvs.make("leduc_poker").aec_env()

    def deals(seeds):
        found = []
        for seed in seeds:
            env.reset(seed=seed)
            found.append(tuple(env.state().tolist()))
        return found

    assert len(set(deals(range(20)))) > 3
    env.reset(seed=1)
    unseeded = deals([None] * 20)
    assert len(set(unseeded)) > 3
    env.reset(seed=1)
    assert deals([None] * 20) == unseeded


def test_the_vector_environment_deals_by_the_rules_frequencies():
    # 4000 deals of 6 equally likely pairs of cards: each count is within 5 standard deviations of 666.7.
    step = eqenvs.make("kuhn_poker").vector_env(4000).reset(seed=0)
    cards = np.bincount(step.keys[:, 0], minlength=3)
    deviation = np.sqrt(4000 * (1 / 3) * (2 / 3))
    assert np.abs(cards - 4000 / 3).max() <= 5 * deviation


def test_torch_and_numpy_vector_environments_play_by_the_same_rules():
    torch = pytest.importorskip("torch")
    game = eqenvs.repeated(eqenvs.make("rock_paper_scissors"), 3)  # without chance, they must agree entirely
    ours, theirs = game.vector_env(5, library="numpy"), game.vector_env(5, library="torch")
    a, b = ours.reset(seed=0), theirs.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(8):
        actions = rng.integers(3, size=(5, 2))
        a, b = ours.step(actions), theirs.step(torch.from_numpy(actions))
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y.numpy())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "cuda:99"}, "device 'cuda:99' is absent; present: cpu"),
        ({"device": "nonsense"}, "unknown device 'nonsense'; present: cpu"),
        ({"library": "jax"}, "unknown array library 'jax'; known: numpy, torch"),
        ({"device": "cuda", "library": "numpy"}, "runs on device 'cpu' only"),
    ],
)
def test_unknown_devices_and_libraries_are_named(arguments, message):
    with pytest.raises(eqenvs.InputError, match=message):
        eqenvs.make("kuhn_poker").vector_env(2, **arguments)


@pytest.mark.parametrize("arguments", [{"num_envs": 0}, {"num_envs": 2, "max_cycles": 0}])
def test_empty_batches_and_clocks_are_refused(arguments):
    with pytest.raises(eqenvs.InputError, match="at least 1, got 0"):
        eqenvs.make("kuhn_poker").vector_env(**arguments)


def test_an_illegal_action_leaves_a_message_with_the_legal_ones():
    env = eqenvs.make("leduc_poker").aec_env()
    env.reset(seed=0)
    with pytest.raises(IllegalActionError, match=r"player_0: action 0 is illegal here; legal actions: \[1, 2\]"):
        env.step(0)


def test_fractional_actions_are_refused():
    env = eqenvs.make("kuhn_poker").vector_env(2)
    env.reset(seed=0)
    with pytest.raises(IllegalActionError):
        env.step(np.array([0.7, 1.2]))


class Ante(KuhnPoker):
    """Kuhn poker in which the second deal pays player 0 a chip."""

    def apply(self, state, actions):
        after, rewards = super().apply(state, actions)
        return after, rewards + ((state.dealt < 2) & (after.dealt == 2))[:, None] * np.array([1.0, -1.0])


def test_rewards_of_the_opening_chance_moves_are_paid(hand_made):
    check_tree_matches_env(hand_made.game(Ante()))


def test_a_new_game_of_the_vector_environment_pays_its_opening_rewards(hand_made):
    env = hand_made.game(Ante()).vector_env(1)
    plain = eqenvs.make("kuhn_poker").vector_env(1)
    steps, plain_steps = [env.reset(seed=0)], [plain.reset(seed=0)]
    for _ in range(12):
        steps.append(env.step(np.zeros(1, dtype=np.int64)))
        plain_steps.append(plain.step(np.zeros(1, dtype=np.int64)))
    games = 1 + sum(int(step.terminated[0]) for step in steps)
    surplus = sum(step.rewards[0, 0] for step in steps) - sum(step.rewards[0, 0] for step in plain_steps)
    assert games == 7
    assert surplus >= games - 1  # the last game's chip may fall due at its first step


def test_a_states_first_field_may_have_three_axes():
    class Reordered(KuhnPoker):
        def information_state(self, state, player):
            return super().information_state(KuhnState(state[0][:, 0, :], *state[1:]), player)

        def observation(self, state, player):
            return super().observation(KuhnState(state[0][:, 0, :], *state[1:]), player)

    rules = Reordered()
    state = KuhnPoker().initial_state(5, make_backend().xp)
    decision_points(rules, state._replace(cards=state.cards[:, None, :]), 0)


def test_a_step_asks_for_each_players_view_once(monkeypatch):
    rules = eqenvs.make("level_based_foraging").rules
    env = VectorEnv(rules, 3, make_backend())
    step = env.reset(seed=0)
    views = {
        name: MagicMock(wraps=getattr(rules, name)) for name in ("legal_actions", "observation", "information_state")
    }
    for name, asked in views.items():
        monkeypatch.setattr(rules, name, asked)
    env.step(np.argmax(step.masks, axis=-1))
    assert {name: asked.call_count for name, asked in views.items()} == dict.fromkeys(views, rules.num_players)


def test_rules_that_offer_no_action_are_named_as_such():
    class Stuck(KuhnPoker):
        def legal_actions(self, state, player):
            return super().legal_actions(state, player) & False

    env = VectorEnv(Stuck(num_players=2), 3, make_backend("cpu"))
    env.reset(seed=0)
    with pytest.raises(IllegalActionError, match="game 0: the rules give whoever is to move no legal action"):
        env.step(np.zeros(3, dtype=np.int64))


@pytest.mark.parametrize("most", [0, 1, 3])
def test_stages_are_counted_as_by_arrays(most):
    rng = np.random.default_rng(most)
    for games in (1, 2, 50):
        turn, cycles = rng.choice([TERMINAL, 0, 1], games), rng.integers(0, 4, games)
        over = turn == TERMINAL
        cut = ~over & (cycles + 1 >= most) if most else np.zeros(games, dtype=bool)
        expected = np.where(over | cut, 0, cycles + 1)
        terminated, truncated, ended = np.empty(games, dtype=bool), np.empty(games, dtype=bool), np.full(games, -1)
        count = count_stage(turn, cycles, most, terminated, truncated, ended)
        np.testing.assert_array_equal(terminated, over)
        np.testing.assert_array_equal(truncated, cut)
        np.testing.assert_array_equal(cycles, expected)
        np.testing.assert_array_equal(ended[:count], np.flatnonzero(over | cut))


@pytest.mark.parametrize("games", [1, 3])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_what_the_caller_writes_to_a_step_changes_no_later_one(games, library):
    """Games without chance begin as one that is kept."""
    env, written = (eqenvs.make("tic_tac_toe").vector_env(games, library=library) for _ in range(2))
    steps = [env.reset(seed=0), written.reset(seed=0)]
    for _ in range(25):
        first_legal = np.argmax(np.asarray(steps[0].masks), axis=-1)
        for part in steps[1]:
            part[...] = 0
        steps = [env.step(first_legal), written.step(first_legal)]
        for left, right in zip(*steps, strict=True):
            np.testing.assert_array_equal(np.asarray(left), np.asarray(right))


def test_who_does_not_move_at_the_end_has_only_its_first_action():
    """Games cut after three moves, when player 1 is to move: alternating offers of 5 actions, and cells on a board."""
    game = eqenvs.make("sequential_bargaining", num_units=3)
    for env in (game.vector_env(4, max_cycles=3), game.table_env(4, max_cycles=3)):
        env.reset(seed=0)
        for mover in (0, 1, 0):
            step = env.step(np.tile([1 - mover, mover], (4, 1)))  # whoever moves offers to keep nothing
        assert step.truncated.all()
        np.testing.assert_array_equal(env.final_masks(0), [[True] + [False] * 4] * 4)
        np.testing.assert_array_equal(env.final_masks(1), [[True] * 5] * 4)
    board = eqenvs.make("tic_tac_toe").vector_env(4, max_cycles=3)
    board.reset(seed=0)
    for cell in (0, 4, 2):
        board.step(np.full(4, cell))
    np.testing.assert_array_equal(board.final_masks(0), [[True] + [False] * 8] * 4)
    np.testing.assert_array_equal(board.final_masks(1), [[False, True, False, True, False, True, True, True, True]] * 4)
    kuhn = eqenvs.make("kuhn_poker").table_env(2)
    kuhn.reset(seed=0)
    with pytest.raises(UnsupportedGame, match="use vector_env"):
        kuhn.final_masks(0)
