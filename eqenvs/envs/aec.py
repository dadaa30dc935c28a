"""Any game as a PettingZoo AEC environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pettingzoo import AECEnv

from eqenvs.envs.episode import PlayersView
from eqenvs.errors import IllegalActionError
from eqenvs.game import Game


class GameAECEnv(PlayersView, AECEnv):  # type: ignore[misc]  # pettingzoo is untyped for a strict checker
    """One agent acts at a time; players who move at once are asked in order, none seeing the others' choices.

    Observation: a dict of `observation`, float32 [D], and `action_mask`, int8 [A]; the mask is also in
    `infos[agent]["action_mask"]`. It is all zero for an agent that is not to move.
    Action: `Discrete(A)`. Reward: the rules' own, when they fall due.
    Termination: all agents together, at the rules' end. Truncation: all agents, after `max_cycles` stages.
    State: the players' observations in a row, float32 [N * D].

    Version History: v0, first version.
    """

    metadata: dict[str, Any] = {"render_modes": [], "is_parallelizable": True, "render_fps": 1}  # noqa: RUF012 - PettingZoo's form

    def __init__(self, game: Game, *, max_cycles: int | None = None) -> None:
        super().__init__(game, max_cycles=max_cycles)
        self._chosen: dict[int, int] = {}
        self._masks: dict[str, NDArray[np.int8]] = {}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start a new game."""
        self._episode.reset(seed)
        self._chosen = {}
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self._skip_agent_selection: str | None = None
        self._refresh()

    def _refresh(self) -> None:
        """Recompute who is to move, ends and masks after the position has changed."""
        episode = self._episode
        terminated, truncated = episode.terminated, episode.truncated
        self.terminations = dict.fromkeys(self.agents, terminated)
        self.truncations = dict.fromkeys(self.agents, truncated)
        waiting = [] if terminated or truncated else [p for p in episode.acting() if p not in self._chosen]
        self._mover = waiting[0] if waiting else None
        if self._mover is not None:
            self.agent_selection = self.possible_agents[self._mover]
        elif self.agents:
            self.agent_selection = self.agents[0]
        self.infos = {}
        for player, agent in enumerate(self.possible_agents):
            nothing = np.zeros(self.game.rules.num_actions[player], dtype=np.int8)
            mask = self._set_legal(agent, episode.mask(player) if player == self._mover else nothing)
            self._masks[agent] = mask
            if agent in self.agents:
                self.infos[agent] = {"action_mask": mask}

    def step(self, action: Any) -> None:
        """Make the selected agent's move.

        Raises:
            IllegalActionError: if the action is illegal, the episode is over, or `reset` was not called.
        """
        self._require_running()
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            if action is not None:
                raise IllegalActionError(f"{agent}: the episode is over, the only valid action is None, got {action!r}")
            self._was_dead_step(None)
            return
        player = self.possible_agents.index(agent)
        chosen = self._episode.check(agent, action, self._episode.mask(player))
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        self._chosen[player] = chosen
        if len(self._chosen) == len(self._episode.acting()):
            rewards = self._episode.apply(self._chosen)
            self._chosen = {}
            for name, reward in zip(self.possible_agents, rewards, strict=True):
                self.rewards[name] = float(reward)
        self._accumulate_rewards()
        self._refresh()

    def observe(self, agent: str) -> dict[str, NDArray[Any]]:
        """What the agent sees."""
        player = self.possible_agents.index(agent)
        return {"observation": self._episode.observation(player), "action_mask": self._masks[agent]}
