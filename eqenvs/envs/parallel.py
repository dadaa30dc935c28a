"""Any game as a PettingZoo Parallel environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from eqenvs.envs.episode import PlayersView, named
from eqenvs.errors import IllegalActionError
from eqenvs.rendering.screen import RENDER_FPS, RENDER_MODES

Observation = dict[str, NDArray[Any]]
Info = dict[str, Any]


class GameParallelEnv(PlayersView, ParallelEnv):  # type: ignore[misc]  # pettingzoo is untyped for a strict checker
    """Every live agent gives an action at every step.

    Where a game takes turns, an agent that is not to move has action 0 as its only legal one, and it does nothing:
    a learner gets neither entropy nor gradient from it. `infos[agent]["acting"]` says who really moves.

    Observation, action, reward, termination, truncation and state are those of `GameAECEnv`, in dicts by agent, and so
    are the pictures.

    Version History: v0, first version.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": RENDER_FPS}  # noqa: RUF012 - PettingZoo's form

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, Info]]:
        """Start a new game."""
        self._episode.reset(seed)
        self.agents = self.possible_agents[:]
        if self._live:
            self.render()
        return self._look()

    def _look(self) -> tuple[dict[str, Observation], dict[str, Info]]:
        episode = self._episode
        over = episode.terminated or episode.truncated
        acting = frozenset(() if over else episode.acting())
        widths = self.game.rules.num_actions
        seen, legal = episode.seen_by_all()
        observations: dict[str, Observation] = {}
        infos: dict[str, Info] = {}
        for player, agent in enumerate(self.possible_agents):
            mask = np.zeros(widths[player], dtype=np.int8)
            if player in acting:
                mask[:] = legal[player, : widths[player]]
            else:
                mask[0] = not over
            self._set_legal(player, mask)
            observations[agent] = {"observation": seen[player].copy(), "action_mask": mask}
            infos[agent] = {"action_mask": mask, "acting": player in acting}
        self._masks = legal
        return observations, infos

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Info]]:
        """Make the moves of all agents that are to move; the other agents' entries are not needed.

        Raises:
            IllegalActionError: if an action is illegal or missing, the episode is over, or `reset` was not called.
        """
        self._require_running()
        live = frozenset(self.agents)
        for agent in actions:
            if agent not in live:
                raise IllegalActionError(f"no live agent {agent!r}; live agents: {named(self.agents)}")
        chosen = {}
        for player in self._episode.acting():
            agent = self.possible_agents[player]
            if agent not in actions:
                raise IllegalActionError(f"{agent} is to move and was given no action")
            mask = self._masks[player, : self.game.rules.num_actions[player]]
            chosen[player] = self._episode.check(agent, actions[agent], mask)
        payoffs = self._episode.apply(chosen)
        observations, infos = self._look()
        terminated, truncated = self._episode.terminated, self._episode.truncated
        rewards = dict(zip(self.possible_agents, payoffs, strict=True))
        terminations = dict.fromkeys(self.possible_agents, terminated)
        truncations = dict.fromkeys(self.possible_agents, truncated)
        if terminated or truncated:
            self.agents = []
        if self._live:
            self.render()
        return observations, rewards, terminations, truncations, infos
