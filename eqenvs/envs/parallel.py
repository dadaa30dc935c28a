"""Any game as a PettingZoo Parallel environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from eqenvs.envs.episode import Episode, LegalDiscrete, agent_names, make_spaces
from eqenvs.errors import IllegalActionError
from eqenvs.game import Game

Observation = dict[str, NDArray[Any]]
Info = dict[str, Any]


class GameParallelEnv(ParallelEnv):  # type: ignore[misc]  # pettingzoo is untyped for a strict checker
    """Every live agent gives an action at every step.

    Where a game takes turns, an agent that is not to move has action 0 as its only legal one, and it does nothing:
    a learner gets neither entropy nor gradient from it. `infos[agent]["acting"]` says who really moves.

    Observation, action, reward, termination, truncation and state are those of `GameAECEnv`, in dicts by agent.

    Version History: v0, first version.
    """

    metadata: dict[str, Any] = {"render_modes": [], "render_fps": 1}  # noqa: RUF012 - PettingZoo's form

    def __init__(self, game: Game, *, max_cycles: int | None = None) -> None:
        self.game = game
        self.metadata = {**type(self).metadata, "name": f"{game.spec.id}_v{game.spec.version}"}
        self.render_mode = None
        self.possible_agents = agent_names(game.num_players)
        self.agents: list[str] = []
        self.observation_spaces, self.action_spaces = make_spaces(game)
        rules = game.rules
        low, high = rules.observation_bounds
        self.state_space = spaces.Box(low, high, (rules.num_players * rules.observation_size,), np.float32)
        self._episode = Episode(game, max_cycles)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The same object on every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The same object on every call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, Info]]:
        """Start a new game."""
        self._episode.reset(seed)
        self.agents = self.possible_agents[:]
        return self._look()

    def _look(self) -> tuple[dict[str, Observation], dict[str, Info]]:
        episode = self._episode
        over = episode.terminated or episode.truncated
        acting = [] if over else episode.acting()
        observations: dict[str, Observation] = {}
        infos: dict[str, Info] = {}
        for player, agent in enumerate(self.possible_agents):
            space = self.action_spaces[agent]
            assert isinstance(space, LegalDiscrete)
            if player in acting:
                space.legal = episode.mask(player)
            else:
                space.legal = np.zeros(int(space.n), dtype=np.int8)
                space.legal[0] = not over
            observations[agent] = {"observation": episode.observation(player), "action_mask": space.legal}
            infos[agent] = {"action_mask": space.legal, "acting": player in acting}
        return observations, infos

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Info]]:
        """Make the moves of all agents that are to move; the other agents' entries are not needed.

        Raises:
            IllegalActionError: if an action is illegal or missing, the episode is over, or `reset` was not called.
        """
        if not self.agents:
            raise IllegalActionError(f"{self.metadata['name']}: step() needs a game in progress; call reset() first")
        for agent in actions:
            if agent not in self.agents:
                raise IllegalActionError(f"no live agent {agent!r}; live agents: {', '.join(self.agents)}")
        chosen = {}
        for player in self._episode.acting():
            agent = self.possible_agents[player]
            if agent not in actions:
                raise IllegalActionError(f"{agent} is to move and was given no action")
            chosen[player] = self._episode.check(agent, actions[agent], self._episode.mask(player))
        payoffs = self._episode.apply(chosen)
        observations, infos = self._look()
        terminated, truncated = self._episode.terminated, self._episode.truncated
        rewards = {agent: float(payoff) for agent, payoff in zip(self.possible_agents, payoffs, strict=True)}
        terminations = dict.fromkeys(self.possible_agents, terminated)
        truncations = dict.fromkeys(self.possible_agents, truncated)
        if terminated or truncated:
            self.agents = []
        return observations, rewards, terminations, truncations, infos

    def information_state(self, agent: str) -> NDArray[np.int64]:
        """The key of the agent's information state, [W] int64: what a `TabularPolicy` looks up."""
        return self._episode.information_state(self.possible_agents.index(agent))

    def state(self) -> NDArray[np.float32]:
        """The players' observations in a row, float32 [N * D]."""
        return np.concatenate([self._episode.observation(player) for player in range(len(self.possible_agents))])

    def render(self) -> None:
        """Nothing to draw: `render_modes` is empty."""

    def close(self) -> None:
        """Nothing to release."""
