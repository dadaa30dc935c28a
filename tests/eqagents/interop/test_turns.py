"""AEC environments a move at a time: games here are their Parallel environments; agents leave one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import AECEnv

import eqenvs
from eqagents.interop._turns import TurnsEnv
from eqenvs.errors import IllegalActionError, InputError


class TurnScript(AECEnv):
    """Agents move in turn until their own number of moves is done, and end as they are told to.

    A move pays the mover 1 and every other agent that is in the game 10.
    """

    metadata = {"name": "turn_script"}  # noqa: RUF012 - PettingZoo's form

    def __init__(self, endings):
        super().__init__()
        self.endings = endings
        self.possible_agents = [f"agent_{i}" for i in range(len(endings))]

    def observation_space(self, agent):
        return spaces.Box(0, 99, (1,), np.float32)

    def action_space(self, agent):
        return spaces.Discrete(2)

    def observe(self, agent):
        return np.full(1, self.moves, dtype=np.float32)

    def reset(self, seed=None, options=None):
        self.moves = 0
        self.agents = self.possible_agents[:]
        self.made = dict.fromkeys(self.agents, 0)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self._skip_agent_selection = None
        self.agent_selection = self.agents[0]

    def step(self, action):
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        assert action in (0, 1)
        self._cumulative_rewards[agent] = 0
        self.moves += 1
        self.made[agent] += 1
        self.rewards = {other: 1.0 if other == agent else 10.0 for other in self.agents}
        moves, kind = self.endings[self.possible_agents.index(agent)]
        if self.made[agent] == moves:
            (self.terminations if kind == "terminated" else self.truncations)[agent] = True
        following = self.agents.index(agent) + 1
        self.agent_selection = self.agents[following % len(self.agents)]
        self._accumulate_rewards()
        self._deads_step_first()


ENDS = list(product((1, 2), ("terminated", "truncated")))


@pytest.mark.parametrize("endings", [*product(ENDS, repeat=2), *product(ENDS[::2], ENDS[1::2], ENDS)])
def test_agents_leave_when_they_are_out_and_are_told_once_how(endings):
    env = TurnsEnv(TurnScript(endings))
    env.reset()
    left, moves, paid = {}, dict.fromkeys(env.possible_agents, 0), dict.fromkeys(env.possible_agents, 0.0)
    expected = dict.fromkeys(env.possible_agents, 0.0)
    observations, infos = env.reset()
    for step in range(1, 1 + sum(count for count, _ in endings)):
        [mover] = [agent for agent in env.agents if infos[agent]["acting"]]
        moves[mover] += 1
        for agent in env.agents:
            expected[agent] += 1.0 if agent == mover else 10.0
        before = env.agents
        observations, rewards, terminations, truncations, infos = env.step({mover: 1})
        assert list(rewards) == list(terminations) == list(truncations) == before
        assert observations.keys() == infos.keys() == set(before)
        assert all(seen[0] == step for seen in observations.values())
        for agent in before:
            paid[agent] += rewards[agent]
            if terminations[agent] or truncations[agent]:
                left[agent] = (moves[agent], "terminated" if terminations[agent] else "truncated")
        assert env.agents == [agent for agent in env.possible_agents if agent not in left]
    assert not env.agents
    assert [left[agent] for agent in env.possible_agents] == list(endings)
    assert paid == expected
    with pytest.raises(IllegalActionError, match="call reset"):
        env.step({})


@pytest.mark.parametrize("game_id", ["kuhn_poker", "leduc_poker", "tic_tac_toe"])
@pytest.mark.parametrize("max_cycles", [None, 3])
def test_a_game_played_in_turns_is_its_parallel_environment(game_id, max_cycles):
    game, rng = eqenvs.make(game_id), np.random.default_rng(0)
    env, parallel = TurnsEnv(game.aec_env(max_cycles=max_cycles)), game.parallel_env(max_cycles=max_cycles)
    for seed in range(10):
        (seen, infos), (expected, told) = env.reset(seed=seed), parallel.reset(seed=seed)
        while parallel.agents:
            assert env.agents == parallel.agents
            [mover] = [agent for agent in env.agents if infos[agent]["acting"]]
            assert told[mover]["acting"]
            assert (seen[mover]["observation"] == expected[mover]["observation"]).all()
            assert (seen[mover]["action_mask"] == expected[mover]["action_mask"]).all()
            action = {mover: int(rng.choice(np.flatnonzero(seen[mover]["action_mask"])))}
            seen, *ours, infos = env.step(action)
            expected, *theirs, told = parallel.step(action)
            assert ours == theirs
        assert not env.agents


def test_the_mover_must_move_and_other_environments_are_refused():
    env = TurnsEnv(eqenvs.make("kuhn_poker").aec_env())
    env.reset(seed=0)
    with pytest.raises(IllegalActionError, match="player_0 is to move and was given no action"):
        env.step({"player_1": 0})
    with pytest.raises(InputError, match="must be a PettingZoo AECEnv, got GameParallelEnv"):
        TurnsEnv(eqenvs.make("kuhn_poker").parallel_env())


class Joins(TurnScript):
    """The second agent comes in with the first move, and the first moves again after it."""

    def reset(self, seed=None, options=None):
        super().reset(seed, options)
        self.agents = self.possible_agents[:1]

    def step(self, action):
        if len(self.agents) == 1 and self.moves == 0:
            self.agents = self.possible_agents[:]
        super().step(action)


def test_agents_may_come_in_later():
    env = TurnsEnv(Joins([(2, "terminated"), (1, "terminated")]))
    _, infos = env.reset()
    assert env.agents == ["agent_0"]
    *_, infos = env.step({"agent_0": 0})
    assert env.agents == ["agent_0", "agent_1"]
    assert infos["agent_1"]["acting"]
    env.step({"agent_1": 0})
    env.step({"agent_0": 0})
    assert env.agents == []
