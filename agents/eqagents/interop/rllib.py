"""Games and other PettingZoo environments, Parallel and AEC, for RLlib's new API stack (Ray 2.60).

RLlib's own `ParallelPettingZooEnv` orders agents by hash, never ends an episode in which one agent terminates as
another is truncated, and asks all agents of a turn-based game for an action at every step. Here

- agents come in the order of `possible_agents`;
- observations are dicts of `observations` and `action_mask`, as RLlib's `ActionMaskingTorchRLModule` reads them;
- only agents that are to move receive observations, and all agents when they end;
- `__all__` is set in every mix of endings. When nobody is left and somebody was truncated, the truncation is under
  `__all__` alone: `MultiAgentEpisode.add_env_step` takes an episode whose agents are each flagged as done for a
  terminated one, and learners then count nothing after the time limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

from eqagents.interop._turns import TurnsEnv
from eqenvs import registry
from eqenvs.errors import InputError, unknown_name

if TYPE_CHECKING:

    class MultiAgentEnv:
        """RLlib's, of which a strict checker is told what is used here."""

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            """Seeds its own generator."""

else:
    try:
        from ray.rllib.env.multi_agent_env import MultiAgentEnv
    except ImportError:  # modules are looked at where RLlib is not installed, too; `RLlibEnv` says what is missing
        MultiAgentEnv = object

NAME = "eqenvs"  # for RLlib's `config.environment(...)`
KEYS = ("game", "parameters", "max_cycles")  # of `env_config`
Dicts = tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Any]]


class RLlibEnv(MultiAgentEnv):
    """A PettingZoo environment for RLlib; of an AEC one a step is one agent's move.

    Observation: where the environment's is a dict of `observation` and `action_mask`, a dict of `observations` (as it
    was) and `action_mask`, float32 [A]; else as it was. An agent whose info says `acting: False` receives none.
    Action, reward: the environment's own; RLlib adds up what an agent is paid between its observations.
    Termination, truncation: see the module.
    State: the environment's; it is pickled with it.

    Version History: v0, first version.

    Attributes:
        possible_agents: in the environment's order.
        agents: who is live; after an episode, those who were at its end, whom RLlib's own check looks for.
    """

    def __init__(self, env: Any) -> None:
        """Wrap an environment.

        Raises:
            InputError: RLlib is not installed, or `env` is no PettingZoo environment.
        """
        _require_rllib()
        if isinstance(env, AECEnv):
            env = TurnsEnv(env)
        if not isinstance(env, ParallelEnv):
            raise InputError(f"env must be a PettingZoo ParallelEnv or AECEnv, got {type(env).__name__}")
        super().__init__()
        self._env = env
        self.metadata = {**getattr(env, "metadata", {})}  # its own: RLlib's vector environment writes to it
        self.render_mode = getattr(env, "render_mode", None)
        self.possible_agents: list[str] = list(env.possible_agents)
        self.agents: list[str] = []
        self.observation_spaces = {agent: _space(env.observation_space(agent)) for agent in self.possible_agents}
        self.action_spaces = {agent: env.action_space(agent) for agent in self.possible_agents}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start a new episode; without a seed the randomness goes on where it was."""
        super().reset(seed=seed, options=options)
        observations, infos = self._env.reset(seed=seed, options=options)
        self.agents = self._in_order(self._env.agents)
        return self._shown(observations, infos, frozenset())

    def step(self, action_dict: dict[str, Any]) -> Dicts:
        """The moves of the agents that were shown something.

        Raises:
            IllegalActionError: of the games here, where an action is illegal.
        """
        observations, rewards, ended, cut, infos = self._env.step(action_dict)
        present = self._in_order(rewards)
        over = not self._env.agents
        terminateds = {agent: bool(ended[agent]) for agent in present}
        truncateds = {agent: bool(cut[agent]) and not terminateds[agent] for agent in present}
        last = frozenset(agent for agent in present if terminateds[agent] or truncateds[agent])
        any_cut = any(truncateds.values())
        if over:
            truncateds = {}
            self.agents = present
        else:
            self.agents = self._in_order(self._env.agents)
        terminateds["__all__"] = over and not any_cut
        truncateds["__all__"] = over and any_cut
        seen, told = self._shown(observations, infos, last)
        return seen, {agent: float(rewards[agent]) for agent in present}, terminateds, truncateds, told

    def _in_order(self, agents: Any) -> list[str]:
        present = frozenset(agents)
        return [agent for agent in self.possible_agents if agent in present]

    def _shown(
        self, observations: Mapping[str, Any], infos: Mapping[str, Any], ended: frozenset[str]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the agents see that are to move or have come to their end, and their infos."""
        shown = [
            agent
            for agent in self._in_order(observations)
            if agent in ended or infos.get(agent, {}).get("acting", True)
        ]
        return {a: _renamed(observations[a]) for a in shown}, {a: infos.get(a, {}) for a in shown}

    def render(self) -> Any:
        """The environment's picture."""
        return self._env.render()

    def close(self) -> None:
        """Let the environment release what it holds."""
        self._env.close()


def _require_rllib() -> None:
    if MultiAgentEnv is object:
        raise InputError("RLlib is not installed, see `pip install 'eqenvs[rllib]'`")


def _masked(space: Any) -> bool:
    return isinstance(space, spaces.Dict) and set(space.spaces) == {"observation", "action_mask"}


def _space(space: spaces.Space[Any]) -> spaces.Space[Any]:
    if not _masked(space):
        return space
    assert isinstance(space, spaces.Dict)
    width = space["action_mask"].shape
    return spaces.Dict({"observations": space["observation"], "action_mask": spaces.Box(0.0, 1.0, width, np.float32)})


def _renamed(observation: Any) -> Any:
    if not isinstance(observation, Mapping) or observation.keys() != {"observation", "action_mask"}:
        return observation
    return {
        "observations": observation["observation"],
        "action_mask": np.asarray(observation["action_mask"], dtype=np.float32),
    }


def make_env(env_config: Mapping[str, Any]) -> RLlibEnv:
    """A game as RLlib asks for it.

    Args:
        env_config: `game`, an id; optionally its `parameters`, and `max_cycles`.

    Raises:
        InputError: a key is unknown or missing, or there is no such game or parameter.
    """
    for key in env_config:
        if key not in KEYS:
            raise unknown_name("key of env_config", key, KEYS)
    if "game" not in env_config:
        raise InputError("env_config: key 'game' is required, the id of a game")
    game = registry.make(env_config["game"], **env_config.get("parameters", {}))
    return RLlibEnv(game.parallel_env(max_cycles=env_config.get("max_cycles")))


def register_rllib(name: str = NAME) -> str:
    """Make the games known to RLlib: `config.environment(name, env_config={"game": ...})`.

    Returns:
        The name.

    Raises:
        InputError: RLlib is not installed.
    """
    _require_rllib()
    from ray.tune.registry import register_env

    register_env(name, make_env)
    return name
