"""Any game as a PettingZoo AEC environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pettingzoo import AECEnv

from eqenvs.envs.episode import PlayersView
from eqenvs.errors import IllegalActionError
from eqenvs.game import Game
from eqenvs.rendering.screen import RENDER_FPS, RENDER_MODES


class GameAECEnv(PlayersView, AECEnv):  # type: ignore[misc]  # pettingzoo is untyped for a strict checker
    """One agent acts at a time; players who move at once are asked in order, none seeing the others' choices.

    Observation: a dict of `observation`, float32 [D], and `action_mask`, int8 [A]; the mask is also in
    `infos[agent]["action_mask"]`. It is all zero for an agent that is not to move.
    Action: `Discrete(A)`. Reward: the rules' own, when they fall due.
    Termination: all agents together, at the rules' end. Truncation: all agents, after `max_cycles` stages.
    State: the players' observations in a row, float32 [N * D].
    Render modes: "ansi", "rgb_array" and "human"; see `render`.

    Version History: v0, first version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - PettingZoo's form
        "render_modes": list(RENDER_MODES),
        "is_parallelizable": True,
        "render_fps": RENDER_FPS,
    }

    def __init__(self, game: Game, *, max_cycles: int | None = None, render_mode: str | None = None) -> None:
        super().__init__(game, max_cycles=max_cycles, render_mode=render_mode)
        self._waiting: list[int] = []  # who is still to choose at this stage
        self._mover: int | None = None
        self._masks: dict[str, NDArray[np.int8]] = {}
        self._nothing = [np.zeros(width, dtype=np.int8) for width in game.rules.num_actions]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start a new game."""
        self._episode.reset(seed)
        self._chosen = {}
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self._skip_agent_selection: str | None = None
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._refresh()
        if self._live:
            self.render()

    def _refresh(self) -> None:
        """Recompute who is to move, ends and masks after the position has changed."""
        episode, mover = self._episode, None
        terminated, truncated = episode.terminated, episode.truncated
        if terminated or truncated:
            self.terminations = dict.fromkeys(self.agents, terminated)
            self.truncations = dict.fromkeys(self.agents, truncated)
            self.agent_selection = self.agents[0]
        else:
            acting, chosen = episode.acting(), self._chosen
            self._waiting = [player for player in acting if player not in chosen] if chosen else acting
            mover = self._waiting[0]
            self.agent_selection = self.possible_agents[mover]
            self._legal = episode.mask(mover)
        self._mover = mover
        infos, masks = {}, self._masks
        for player, agent in enumerate(self.possible_agents):
            mask = (self._legal if player == mover else self._nothing[player]).copy()
            masks[agent] = mask
            self._set_legal(player, mask)
            infos[agent] = {"action_mask": mask}
        self.infos = infos

    def step(self, action: Any) -> None:
        """Make the selected agent's move.

        Raises:
            IllegalActionError: if the action is illegal, the episode is over, or `reset` was not called.
        """
        self._require_running()
        agent, player = self.agent_selection, self._mover
        if player is None:
            if action is not None:
                raise IllegalActionError(f"{agent}: the episode is over, the only valid action is None, got {action!r}")
            self._was_dead_step(None)
            return
        chosen = self._episode.check(agent, action, self._legal)
        self._cumulative_rewards[agent] = 0.0
        self._chosen[player] = chosen
        if len(self._waiting) > 1:
            self.rewards = dict.fromkeys(self.agents, 0.0)
        else:
            self.rewards = dict(zip(self.possible_agents, self._episode.apply(self._chosen), strict=True))
            self._chosen = {}
            self._accumulate_rewards()
        self._refresh()
        if self._live:
            self.render()

    def observe(self, agent: str) -> dict[str, NDArray[Any]]:
        """What the agent sees."""
        player = self.possible_agents.index(agent)
        return {"observation": self._episode.observation(player).copy(), "action_mask": self._masks[agent]}
