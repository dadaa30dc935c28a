"""Snapshots of batched environments: games go on from them as they did, on any backend."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import eqenvs
from eqenvs.envs import VectorStep

ENVIRONMENTS = {
    "rules": lambda game: game.vector_env(7, max_cycles=5),
    "rules on torch": lambda game: game.vector_env(7, library="torch", max_cycles=5),
    "tables": lambda game: game.table_env(7, max_cycles=5),
}
GAMES = {
    "turns": ("leduc_poker", {}),
    "at once": ("random_markov_game", {"horizon": 4, "discount": 1.0, "action_counts": "2x3"}),
}
every_environment = pytest.mark.parametrize("kind", ENVIRONMENTS)
every_game = pytest.mark.parametrize(("game_id", "parameters"), GAMES.values(), ids=GAMES)


def environment(kind, game_id, parameters):
    if "torch" in kind:
        pytest.importorskip("torch")
    return ENVIRONMENTS[kind](eqenvs.make(game_id, **parameters))


def plain(step):
    return VectorStep(*(np.asarray(field).copy() for field in step))


def play(env, step, steps, seed):
    """Random legal play from what `step` shows; all that is seen on the way, copied."""
    rng, seen = np.random.default_rng(seed), [plain(step)]
    for _ in range(steps):
        masks = np.asarray(step.masks)
        actions = np.argmax(np.where(masks, rng.random(masks.shape), -1), axis=-1)
        step = env.step(actions)
        seen.append(plain(step))
    return seen


def finals(env, kind):
    if kind == "tables" and env.restore(env.snapshot()).masks.ndim == 2:
        return None  # of a tree, tables do not say
    return [np.asarray(env.final_observations(player)).copy() for player in range(2)]


@every_game
@every_environment
def test_a_restored_environment_goes_on_as_it_did(kind, game_id, parameters):
    env = environment(kind, game_id, parameters)
    step = env.reset(seed=1)
    step = VectorStep(*play(env, step, 6, seed=2)[-1])
    saved, ended = env.snapshot(), finals(env, kind)
    env.reseed(3)
    first = play(env, step, 12, seed=4)
    for other in (env, environment(kind, game_id, parameters)):  # also one that was never reset
        shown = other.restore(pickle.loads(pickle.dumps(saved)))
        assert not np.asarray(shown.rewards).any()
        assert not np.asarray(shown.terminated).any()
        assert not np.asarray(shown.truncated).any()
        for name in ("players", "observations", "masks", "keys"):
            np.testing.assert_array_equal(np.asarray(getattr(shown, name)), getattr(step, name), err_msg=name)
        if ended is not None:
            np.testing.assert_array_equal(finals(other, kind), ended)
        other.reseed(3)
        for mine, theirs in zip(play(other, shown, 12, seed=4)[1:], first[1:], strict=True):
            for name, x, y in zip(VectorStep._fields, mine, theirs, strict=True):
                np.testing.assert_array_equal(x, y, err_msg=name)


@every_game
@every_environment
def test_the_random_stream_is_not_in_the_snapshot(kind, game_id, parameters):
    env = environment(kind, game_id, parameters)
    env.reset(seed=1)
    saved = env.snapshot()
    runs = []
    for seed in (3, 4):
        env.reseed(seed)
        runs.append(np.stack([step.keys for step in play(env, env.restore(saved), 12, seed=0)]))
    assert (runs[0][0] == runs[1][0]).all()
    assert (runs[0] != runs[1]).any()


@every_environment
def test_a_snapshot_shares_no_memory_with_the_environment(kind):
    env = environment(kind, *GAMES["turns"])
    saved = env.snapshot() if env.reset(seed=0) else None
    before = pickle.dumps(saved)
    play(env, env.restore(saved), 10, seed=0)
    assert pickle.dumps(saved) == before
    shown = plain(env.restore(saved))
    for field in (saved.cycles, saved.opening):
        field[:] = 9  # what a caller does to its arrays is its own business
    np.testing.assert_array_equal(np.asarray(env.snapshot().cycles), 0)
    np.testing.assert_array_equal(np.asarray(env.snapshot().opening), 0)
    assert (np.asarray(env.step(np.ones(7, dtype=np.int64)).rewards) < 9).all()
    assert shown.players.tolist() == [0] * 7


@every_environment
def test_snapshots_of_no_games_or_of_other_batches_are_refused(kind):
    env = environment(kind, *GAMES["turns"])
    with pytest.raises(eqenvs.InputError, match=r"snapshot\(\) needs games in progress; call reset"):
        env.snapshot()
    game = eqenvs.make("leduc_poker")
    fewer = game.table_env(3) if kind == "tables" else game.vector_env(3)
    fewer.reset(seed=0)
    with pytest.raises(eqenvs.InputError, match=r"restore\(\) needs a snapshot of 7 games, got one of 3"):
        env.restore(fewer.snapshot())
