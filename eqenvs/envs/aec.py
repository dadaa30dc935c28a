"""Any game as a PettingZoo AEC environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import AECEnv

from eqenvs.envs.episode import Episode, LegalDiscrete, agent_names, make_spaces
from eqenvs.errors import IllegalActionError
from eqenvs.game import Game


class GameAECEnv(AECEnv):  # type: ignore[misc]  # pettingzoo is untyped for a strict checker
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
        super().__init__()
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
        self._chosen: dict[int, int] = {}

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The same object on every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The same object on every call."""
        return self.action_spaces[agent]

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
            space = self.action_spaces[agent]
            assert isinstance(space, LegalDiscrete)
            space.legal = episode.mask(player) if player == self._mover else np.zeros(int(space.n), dtype=np.int8)
            if agent in self.agents:
                self.infos[agent] = {"action_mask": space.legal}

    def step(self, action: Any) -> None:
        """Make the selected agent's move.

        Raises:
            IllegalActionError: if the action is illegal, the episode is over, or `reset` was not called.
        """
        if not self.agents:
            raise IllegalActionError(f"{self.metadata['name']}: step() needs a game in progress; call reset() first")
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
        space = self.action_spaces[agent]
        assert isinstance(space, LegalDiscrete)
        return {"observation": self._episode.observation(player), "action_mask": space.legal}

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
