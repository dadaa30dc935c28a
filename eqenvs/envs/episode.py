"""One game in progress, as a batch of one: what the two PettingZoo environments share."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from eqenvs.arrays import IntArray, make_backend
from eqenvs.envs.positions import Move, Position, Rewards, positions
from eqenvs.envs.vector import checked_count
from eqenvs.errors import IllegalActionError, InputError
from eqenvs.game import Game
from eqenvs.rendering import screen
from eqenvs.rules import CHANCE, TERMINAL, Rules


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


def make_spaces(game: Game) -> tuple[dict[str, spaces.Space[Any]], list[LegalDiscrete]]:
    """Observation spaces by agent, and the action spaces."""
    rules = game.rules
    low, high = rules.observation_bounds
    observation: dict[str, spaces.Space[Any]] = {}
    for agent, actions in zip(agent_names(rules.num_players), rules.num_actions, strict=True):
        observation[agent] = spaces.Dict(
            {
                "observation": spaces.Box(low, high, (rules.observation_size,), np.float32),
                "action_mask": spaces.Box(0, 1, (actions,), np.int8),
            }
        )
    return observation, [LegalDiscrete(actions) for actions in rules.num_actions]


def named(agents: list[str]) -> str:
    """Some agents' names, for a message."""
    return ", ".join(agents if len(agents) <= 10 else [*agents[:3], "...", agents[-1]])


class Episode:
    """One game in progress, its randomness and its clock."""

    def __init__(self, game: Game, max_cycles: int | None) -> None:
        self._game = game  # not its rules: a game travels by its id
        given = max_cycles is not None
        self.max_cycles = checked_count("max_cycles", max_cycles) if given else game.rules.default_max_cycles
        self.stream = make_backend().stream(None)
        self.cycles = 0
        self._opening: Rewards = ()
        self.last: tuple[dict[int, int], Rewards] | None = None  # the moves of the last stage, and what they paid
        self._position: Position | None = None
        self._positions = positions(game)

    def __getstate__(self) -> dict[str, Any]:
        state = None if self._position is None else self._positions.state(self._position)
        return {**self.__dict__, "_position": state, "_positions": None}  # the memory stays where it is

    def __setstate__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)
        self._positions = positions(self._game)
        if values["_position"] is not None:
            self._position = self._positions.at(values["_position"])

    def reset(self, seed: int | None) -> None:
        """Start a new game; without a seed the randomness goes on where it was."""
        if seed is not None:
            self.stream = make_backend().stream(seed)
        self.cycles, self.last = 0, None
        self._position, paid = self._positions.settled(self._positions.first(), self.stream)
        self._opening = paid or (0.0,) * self._game.rules.num_players

    @property
    def rules(self) -> Rules[Any]:
        """The game's."""
        return self._game.rules

    @property
    def _at(self) -> Position:
        if self._position is None:
            raise InputError("there is no game in progress; call reset() first")
        return self._position

    @property
    def terminated(self) -> bool:
        """Whether the game is over by its rules."""
        return self._position is None or self._position.turn == TERMINAL

    @property
    def truncated(self) -> bool:
        """Whether the clock has run out on a game that is not over."""
        return self.max_cycles is not None and self.cycles >= self.max_cycles and not self.terminated

    def acting(self) -> list[int]:
        """The players who move now; not to be written to."""
        return self._at.acting

    def mask(self, player: int) -> NDArray[np.int8]:
        """Legal actions of a player who moves now, [A_p] int8; not to be written to, as the arrays below."""
        return self._positions.mask(self._at, player)

    def observation(self, player: int) -> NDArray[np.float32]:
        """[D] float32."""
        return self._positions.observation(self._at, player)

    def seen_by_all(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Every player's observation [N, D] float32, and legal actions [N, A] bool, those of players who move now."""
        return self._positions.seen_by_all(self._at)

    def information_state(self, player: int) -> IntArray:
        """The key of the player's information state, [W] int64."""
        key: IntArray = self.rules.information_state(self._positions.state(self._at), np.array([player]))[0].copy()
        return key

    def apply(self, actions: dict[int, int]) -> Rewards:
        """Make the moves of all acting players, then chance's; returns the rewards, [N].

        What the opening chance moves paid comes with the first move: PettingZoo's `reset` has no rewards.
        """
        rules, known = self.rules, self._positions
        if rules.simultaneous:
            move: Move = tuple([actions.get(player, 0) for player in range(rules.num_players)])
        else:
            (move,) = actions.values()
        position, rewards = known.following(self._at, move)
        if position.turn == CHANCE:
            position, paid = known.settled(position, self.stream)
            if paid is not None:
                rewards = tuple([a + b for a, b in zip(rewards, paid, strict=True)])
        self._position = position
        self.cycles += 1
        if self._opening:
            rewards, self._opening = tuple([a + b for a, b in zip(rewards, self._opening, strict=True)]), ()
        self.last = actions, rewards
        return rewards

    @property
    def position(self) -> Any:
        """The rules' state, a batch of one; not to be written to."""
        return self._positions.state(self._at)

    def draw(self, on: screen.Screen, chosen: dict[int, int]) -> screen.Frame:
        """The picture of a spectator.

        Args:
            on: what draws.
            chosen: what players who move at once have chosen already.
        """
        rules, state = self.rules, self.position
        if self.terminated or self.truncated:
            now = "over" if self.terminated else f"cut off after {self.cycles:,} stages"
        else:
            now = screen.waiting(rules, [player for player in self.acting() if player not in chosen])
        if chosen:
            now += f"; chosen: {screen.moves(rules, chosen)}"
        before = "-" if self.last is None else screen.moves(rules, self.last[0]) + screen.payments(self.last[1])
        return on.draw(screen.picture_of(rules, state), [f"{self._game.spec.id}: {now}", f"last: {before}"])

    def check(self, agent: str, action: Any, mask: NDArray[Any]) -> int:
        """The action as an int.

        Raises:
            IllegalActionError: naming the agent, the action and the legal ones.
        """
        integral = isinstance(action, int | np.integer) or (isinstance(action, np.ndarray) and action.ndim == 0)
        if not integral or not 0 <= (number := int(action)) < len(mask) or not mask[number] or number != action:
            legal = np.flatnonzero(mask).tolist()
            raise IllegalActionError(f"{agent}: action {action!r} is illegal here; legal actions: {legal}")
        return number


class PlayersView:
    """What the AEC and the Parallel environment of a game have in common: names, spaces, and looking at the game."""

    metadata: dict[str, Any]

    def __init__(self, game: Game, *, max_cycles: int | None = None, render_mode: str | None = None) -> None:
        self.game = game
        name = f"{game.spec.id}_v{game.spec.version}"
        self.metadata = {**type(self).metadata, "name": name}
        self._screen = screen.Screen(render_mode, name, self.metadata)
        self.render_mode = render_mode
        self._live = render_mode == "human"  # drawn after every reset and step
        self._chosen: dict[int, int] = {}  # at this stage, while others are still to choose
        self.possible_agents = agent_names(game.rules.num_players)
        self.agents: list[str] = []
        self.observation_spaces, self._spaces = make_spaces(game)
        self.action_spaces = dict(zip(self.possible_agents, self._spaces, strict=True))
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

    def position(self) -> Any:
        """The rules' state of the game in progress, a batch of one, hidden parts included; not to be written to."""
        return self._episode.position

    def render(self) -> screen.Frame:
        """The game as a spectator sees it, with everything that is hidden from players.

        Returns:
            Text for `render_mode` "ansi", pixels [H, W, 3] uint8 for "rgb_array", None for "human", which shows them
            in a window.

        Raises:
            InputError: before the first `reset`.
        """
        if self.render_mode is None:
            self._screen.no_mode()
            return None
        return self._episode.draw(self._screen, self._chosen)

    def close(self) -> None:
        """Close the window, if there is one."""
        self._screen.close()

    def _require_running(self) -> None:
        if not self.agents:
            raise IllegalActionError(f"{self.metadata['name']}: step() needs a game in progress; call reset() first")

    def _set_legal(self, player: int, mask: NDArray[np.int8]) -> None:
        """Tell the player's action space what is legal at present."""
        self._spaces[player].legal = mask
