"""One game in progress, as a batch of one: what the two PettingZoo environments share."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from eqenvs.arrays import Float64Array, IntArray, make_backend
from eqenvs.errors import IllegalActionError, InputError
from eqenvs.game import Game
from eqenvs.rules import TERMINAL, Rules
from eqenvs.simulation import advance, start


class LegalDiscrete(spaces.Discrete):
    """A `Discrete` space whose unmasked samples are actions that are legal at present.

    Code that samples without a mask then plays legally, which a plain space cannot promise; with a mask, and in every
    other respect, it is the plain space.
    """

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.legal = np.ones(n, dtype=np.int8)

    def sample(self, mask: Any = None, probability: Any = None) -> Any:
        """A random action, legal at present where neither `mask` nor `probability` is given."""
        if mask is None and probability is None and self.legal.any():
            mask = self.legal
        return super().sample(mask=mask, probability=probability)


def agent_names(num_players: int) -> list[str]:
    """PettingZoo's names for the players."""
    return [f"player_{player}" for player in range(num_players)]


def make_spaces(game: Game) -> tuple[dict[str, spaces.Space[Any]], dict[str, spaces.Space[Any]]]:
    """Observation and action spaces by agent."""
    rules = game.rules
    low, high = rules.observation_bounds
    observation: dict[str, spaces.Space[Any]] = {}
    action: dict[str, spaces.Space[Any]] = {}
    for agent, actions in zip(agent_names(rules.num_players), rules.num_actions, strict=True):
        observation[agent] = spaces.Dict(
            {
                "observation": spaces.Box(low, high, (rules.observation_size,), np.float32),
                "action_mask": spaces.Box(0, 1, (actions,), np.int8),
            }
        )
        action[agent] = LegalDiscrete(actions)
    return observation, action


def named(agents: list[str]) -> str:
    """Some agents' names, for a message."""
    return ", ".join(agents if len(agents) <= 10 else [*agents[:3], "...", agents[-1]])


class Episode:
    """The state of one game, its randomness and its clock."""

    def __init__(self, game: Game, max_cycles: int | None) -> None:
        if max_cycles is not None and not (isinstance(max_cycles, int) and max_cycles >= 1):
            raise InputError(f"max_cycles must be an integer of at least 1, got {max_cycles!r}")
        self._game = game  # not its rules: a game travels by its id
        self.max_cycles = self.rules.default_max_cycles if max_cycles is None else max_cycles
        self.stream = make_backend().stream(None)
        self.state: Any = None
        self.turn = TERMINAL
        self.cycles = 0

    def reset(self, seed: int | None) -> None:
        """Start a new game; without a seed the randomness goes on where it was."""
        backend = make_backend()
        if seed is not None:
            self.stream = backend.stream(seed)
        self.cycles = 0
        self.state, turn, self._opening = start(self.rules, 1, backend, self.stream)
        self.turn = int(turn[0])

    @property
    def rules(self) -> Rules[Any]:
        """The game's."""
        return self._game.rules

    @property
    def terminated(self) -> bool:
        """Whether the game is over by its rules."""
        return self.turn == TERMINAL

    @property
    def truncated(self) -> bool:
        """Whether the clock has run out on a game that is not over."""
        return self.max_cycles is not None and self.cycles >= self.max_cycles and not self.terminated

    def acting(self) -> list[int]:
        """The players who move now."""
        if not self.rules.simultaneous:
            return [] if self.terminated else [self.turn]
        return [int(player) for player in np.flatnonzero(self.rules.acting(self.state)[0])]

    def mask(self, player: int) -> NDArray[np.int8]:
        """Legal actions of a player who moves now, [A_p] int8."""
        legal: NDArray[np.bool_] = self.rules.legal_actions(self.state, np.array([player]))
        return legal[0, : self.rules.num_actions[player]].astype(np.int8)

    def observation(self, player: int) -> NDArray[np.float32]:
        """[D] float32."""
        seen: NDArray[np.float32] = self.rules.observation(self.state, np.array([player]))[0]
        return seen

    def seen_by_all(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Every player's observation [N, D] float32, and legal actions [N, A] bool, those of players who move now."""
        rules = self.rules
        if rules.simultaneous:
            _, seen, legal = rules.seen_by_all(self.state)
            return np.array(seen[0]), np.array(legal[0])
        seen = np.stack([self.observation(player) for player in range(rules.num_players)])
        legal = np.zeros((rules.num_players, rules.max_actions), dtype=bool)
        for player in self.acting():
            legal[player, : rules.num_actions[player]] = self.mask(player)
        return seen, legal

    def information_state(self, player: int) -> IntArray:
        """The key of the player's information state, [W] int64."""
        key: IntArray = self.rules.information_state(self.state, np.array([player]))[0]
        return key

    def apply(self, actions: dict[int, int]) -> Float64Array:
        """Make the moves of all acting players, then chance's; returns the rewards, [N] float64.

        What the opening chance moves paid comes with the first move: PettingZoo's `reset` has no rewards.
        """
        if self.rules.simultaneous:
            move = np.zeros((1, self.rules.num_columns), dtype=np.int64)
            move[0, list(actions)] = list(actions.values())
        else:
            move = np.array(list(actions.values()), dtype=np.int64)
        self.state, turn, rewards = advance(self.rules, self.state, move, self.stream)
        self.turn = int(turn[0])
        self.cycles += 1
        received: Float64Array = (rewards + self._opening)[0]
        self._opening = np.zeros_like(rewards)
        return received

    def check(self, agent: str, action: Any, mask: NDArray[Any]) -> int:
        """The action as an int.

        Raises:
            IllegalActionError: naming the agent, the action and the legal ones.
        """
        legal = np.flatnonzero(mask)
        integral = isinstance(action, int | np.integer) or (isinstance(action, np.ndarray) and action.ndim == 0)
        if not integral or int(action) not in legal:
            raise IllegalActionError(f"{agent}: action {action!r} is illegal here; legal actions: {legal.tolist()}")
        return int(action)


class PlayersView:
    """What the AEC and the Parallel environment of a game have in common: names, spaces, and looking at the game."""

    metadata: dict[str, Any]

    def __init__(self, game: Game, *, max_cycles: int | None = None) -> None:
        self.game = game
        self.metadata = {**type(self).metadata, "name": f"{game.spec.id}_v{game.spec.version}"}
        self.render_mode = None
        self.possible_agents = agent_names(game.rules.num_players)
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

    def information_state(self, agent: str) -> IntArray:
        """The key of the agent's information state, [W] int64: what a `TabularPolicy` looks up."""
        return self._episode.information_state(self.possible_agents.index(agent))

    def state(self) -> NDArray[np.float32]:
        """The players' observations in a row, float32 [N * D]."""
        return np.concatenate([self._episode.observation(player) for player in range(len(self.possible_agents))])

    def render(self) -> None:
        """Nothing to draw: `render_modes` is empty."""

    def close(self) -> None:
        """Nothing to release."""

    def _require_running(self) -> None:
        if not self.agents:
            raise IllegalActionError(f"{self.metadata['name']}: step() needs a game in progress; call reset() first")

    def _set_legal(self, agent: str, mask: NDArray[np.int8]) -> NDArray[np.int8]:
        """Tell the agent's action space what is legal at present."""
        space = self.action_spaces[agent]
        assert isinstance(space, LegalDiscrete)
        space.legal = mask
        return mask
