"""A PettingZoo AEC environment in the form of a Parallel one, for frameworks that ask only whoever is to move.

PettingZoo's own conversions ask every agent for an action at each step (`turn_based_aec_to_parallel` drops those of all
but one) and take an agent that is out for one that goes on. Here a step is one agent's move: `infos[agent]["acting"]`
says whose, only its action is looked at, and agents that are out leave at once, each with its last observation.
"""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv, ParallelEnv

from eqenvs.errors import IllegalActionError, InputError

Dicts = tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Any]]


class TurnsEnv(ParallelEnv):  # type: ignore[misc]  # pettingzoo is untyped for a strict checker
    """An AEC environment, one move a step.

    Observation, action, spaces, render: the environment's own.
    Reward: what each agent received by the move.
    Termination, truncation: the environment's own, told once; who is out is no longer in `agents`.

    Version History: v0, first version.
    """

    def __init__(self, env: Any) -> None:
        """Wrap an environment.

        Raises:
            InputError: `env` is no AEC environment.
        """
        if not isinstance(env, AECEnv):
            raise InputError(f"env must be a PettingZoo AECEnv, got {type(env).__name__}")
        self._env = env
        self.metadata = {**env.metadata}
        self.render_mode = getattr(env, "render_mode", None)
        self.possible_agents: list[str] = list(env.possible_agents)
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> Any:
        """The environment's."""
        return self._env.observation_space(agent)

    def action_space(self, agent: str) -> Any:
        """The environment's."""
        return self._env.action_space(agent)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start a new episode."""
        self._env.reset(seed=seed, options=options)
        self.agents = list(self._env.agents)
        return self._look(self.agents)

    def step(self, actions: dict[str, Any]) -> Dicts:
        """The move of the agent that is to move; others' entries are not looked at.

        Raises:
            IllegalActionError: the agent is not among `actions`, or nobody is left.
        """
        env = self._env
        if not self.agents:
            raise IllegalActionError("step() needs an episode in progress; call reset() first")
        mover = env.agent_selection
        if mover not in actions:
            raise IllegalActionError(f"{mover} is to move and was given no action")
        env.step(actions[mover])
        present = self.agents
        rewards = {agent: float(env.rewards.get(agent, 0.0)) for agent in present}
        terminations = {agent: bool(env.terminations.get(agent, False)) for agent in present}
        truncations = {agent: bool(env.truncations.get(agent, False)) for agent in present}
        out = [agent for agent in present if terminations[agent] or truncations[agent]]
        last_seen, last_told = self._look(out)
        while env.agents and (env.terminations[env.agent_selection] or env.truncations[env.agent_selection]):
            env.step(None)
        self.agents = list(env.agents)  # without those that are out, with those that came in
        observations, infos = self._look(self.agents)
        return {**last_seen, **observations}, rewards, terminations, truncations, {**last_told, **infos}

    def _look(self, agents: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What agents see and are told, and which of them is to move."""
        env = self._env
        mover = env.agent_selection if env.agents else None
        seen = {agent: env.observe(agent) for agent in agents}
        return seen, {agent: {**env.infos.get(agent, {}), "acting": agent == mover} for agent in agents}

    def render(self) -> Any:
        """The environment's picture."""
        return self._env.render()

    def close(self) -> None:
        """Let the environment release what it holds."""
        self._env.close()
