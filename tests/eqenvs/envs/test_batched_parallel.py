"""Parallel environments of any origin, stepped together: the same episodes as one by one, masks, keys, snapshots."""

from __future__ import annotations

from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import ParallelEnv

import eqenvs
from eqenvs.envs.batched_parallel import BatchedParallelEnv, key_of, key_width
from eqenvs.errors import IllegalActionError, InputError, UnsupportedGame
from eqenvs.robust import ActionPerturbation, RobustParallelEnv

LAKE = partial(gymnasium.make, "FrozenLake-v1", is_slippery=True, max_episode_steps=7)


def robust():
    return RobustParallelEnv(LAKE, ActionPerturbation(alpha=0.5, budget=2))


def fishery():
    return eqenvs.make("fishery_commons", num_players=2, catch_step=25, horizon=4).parallel_env()


class Leaving(ParallelEnv):
    """Two players, of whom the first is over after a step."""

    possible_agents = ["a", "b"]  # noqa: RUF012 - PettingZoo's form
    metadata = {"name": "leaving"}  # noqa: RUF012

    def observation_space(self, agent):
        return spaces.Discrete(2)

    def action_space(self, agent):
        return spaces.Discrete(2, start=3)

    def reset(self, seed=None, options=None):
        self.agents = ["a", "b"]
        return dict.fromkeys(self.agents, 0), {agent: {} for agent in self.agents}

    def step(self, actions):
        assert set(actions.values()) == {4}
        no = {"a": False, "b": False}
        return dict.fromkeys(no, 1), dict.fromkeys(no, 0.0), no | {"a": True}, no, {agent: {} for agent in no}


def drawn(masks, rng):
    return np.where(masks, rng.random(masks.shape), -1).argmax(axis=2)


@pytest.mark.parametrize("make", [robust, fishery])
def test_a_batch_plays_the_episodes_of_its_environments(make):
    batch = BatchedParallelEnv(make, 3)
    shown = batch.reset(seed=4)
    seeds = np.random.default_rng(4)
    twins = [make() for _ in range(3)]
    for twin in twins:
        twin.reset(seed=int(seeds.integers(2**31)))
    rng, ends = np.random.default_rng(0), 0
    for _ in range(40):
        actions = drawn(shown.masks, rng)
        shown = batch.step(actions)
        for row, twin in enumerate(twins):
            own = dict(zip(twin.possible_agents, actions[row].tolist(), strict=True))
            observations, rewards, ended, cut, infos = twin.step(own)
            assert shown.rewards[row].tolist() == list(rewards.values())
            assert shown.terminated[row] == all(ended.values())
            assert shown.truncated[row] == (all(cut.values()) and not shown.terminated[row])
            for player, agent in enumerate(twin.possible_agents):
                seen = observations[agent]
                plain = seen["observation"] if isinstance(seen, dict) else seen
                if isinstance(plain, np.ndarray) and plain.dtype == np.float32:
                    assert (batch.final_observations(player)[row, : plain.size] == plain).all()
                else:
                    assert plain in batch.final_keys(player)[row]
                mask = infos[agent].get("action_mask")
                if mask is not None and not (ended[agent] or cut[agent]):
                    assert (batch.final_masks(player)[row, : len(mask)] == mask).all()
            if shown.terminated[row] or shown.truncated[row]:
                ends += 1
                twin.reset(seed=int(seeds.integers(2**31)))
    assert ends > 5
    assert shown.observations.dtype == np.float32
    assert shown.observations.shape == (3, 2, batch.observation_size)


def test_a_snapshot_goes_on_as_the_games_did():
    one, two = BatchedParallelEnv(robust, 2), BatchedParallelEnv(robust, 2)
    shown, rng = one.reset(seed=1), np.random.default_rng(3)
    for _ in range(4):
        shown = one.step(drawn(shown.masks, rng))
    again = two.restore(one.snapshot())
    for name in ("observations", "masks", "keys"):
        assert (getattr(shown, name) == getattr(again, name)).all()
    for step in range(20):
        actions = drawn(shown.masks, rng)
        one.reseed(step), two.reseed(step)
        shown, other = one.step(actions), two.step(actions)
        assert all((mine == theirs).all() for mine, theirs in zip(shown, other, strict=True))


def test_a_horizon_is_an_end_that_the_players_see():
    batch = BatchedParallelEnv(robust, 1, horizon=3)
    shown = batch.reset(seed=0)
    for step in range(6):
        assert shown.keys[0, :, 0].tolist() == [step % 3] * 2
        assert shown.observations[0, :, 0].tolist() == [np.float32(step % 3 / 3)] * 2
        shown = batch.step(np.array([[0, 0]]))  # against the wall, unless the ice has it otherwise
        assert shown.truncated[0] == 0
        if step % 3 == 2:
            assert shown.terminated[0]
            assert batch.final_keys(0)[0, 0] == 3
        elif shown.terminated[0]:
            pytest.fail("the seed leads into a hole")


def test_keys_are_the_integers_of_an_element():
    pair = spaces.Tuple([spaces.Discrete(5), spaces.MultiBinary(2)])
    space = spaces.Dict({"b": spaces.MultiDiscrete([3, 4]), "a": pair})
    assert key_width(space) == 5
    assert key_of(space, {"a": (4, np.array([1, 0])), "b": np.array([2, 3])}) == [4, 1, 0, 2, 3]
    assert key_width(spaces.Box(0, 1, (2,))) is None
    assert key_width(spaces.Dict({"a": spaces.Box(0, 1, (2,)), "b": spaces.Discrete(2)})) is None
    assert not BatchedParallelEnv(fishery, 1).keyed


def test_what_cannot_be_batched_is_said():
    with pytest.raises(InputError, match=r"pettingzoo\.ParallelEnv"):
        BatchedParallelEnv(LAKE, 2)
    pendulum = partial(gymnasium.make, "Pendulum-v1")
    with pytest.raises(UnsupportedGame, match="Discrete"):
        BatchedParallelEnv(lambda: RobustParallelEnv(pendulum, ActionPerturbation(epsilon=0.5)), 1)
    batch = BatchedParallelEnv(robust, 2)
    with pytest.raises(IllegalActionError, match="reset"):
        batch.step([[0, 0], [0, 0]])
    batch.reset(seed=0)
    with pytest.raises(IllegalActionError, match="shape"):
        batch.step([0, 0])
    with pytest.raises(IllegalActionError, match="game 1: action 4 of player_0"):
        batch.step([[0, 0], [4, 0]])
    with pytest.raises(InputError, match="3 games"):
        BatchedParallelEnv(robust, 3).restore(batch.snapshot())
    leaving = BatchedParallelEnv(Leaving, 1)
    leaving.reset()
    with pytest.raises(UnsupportedGame, match="at once"):
        leaving.step([[1, 1]])
