"""The rules of a game: pure, batched functions over a struct-of-arrays state.

From one subclass of `Rules` come the PettingZoo environments, the batched simulator and the exact model. Every method
is a pure function of its arguments, written against the array namespace of its inputs (`eqenvs.arrays.namespace`), and
works on a batch whose rows may be in different phases (one player to move, several at once, chance, over).

Axis letters used throughout: N players, A actions, B batch, C chance outcomes, D observation, W information-state key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic

import numpy as np

from eqenvs.arrays import Array, StateT, everywhere, namespace, one_hot
from eqenvs.models.information_states import InformationStates

if TYPE_CHECKING:
    from eqenvs.models import Model
    from eqenvs.rendering import Picture

CHANCE: Final = -1
TERMINAL: Final = -2
SIMULTANEOUS: Final = -3
CHANCE_BITS: Final = 53  # of a draw that is not listed: what float64 holds
MOST_DESCRIBED: Final = 20  # players, one a line


class Rules(ABC, Generic[StateT]):
    """The rules of one game instance; an instance holds its parameters and nothing that changes in play.

    Attributes:
        num_players: N.
        num_actions: width of each player's action set; masks and tables of player p have this width.
        num_chance_outcomes: C, the widest chance node; 0 if the game has none.
        observation_size: D; observations are float32 in [0, 1] unless `observation_bounds` says otherwise.
        observation_bounds: (low, high) of every entry of an observation.
        simultaneous: whether `turn` can be SIMULTANEOUS, which changes the form of `apply`'s actions.
        open_information: whether every player knows the whole state, so that a picture of it may be shown to players.
        chance_draws: 0 where chance's outcomes are listed by `chance_probabilities`. Otherwise chance makes that many
            independent draws at once, each of `CHANCE_BITS` uniform bits, which `apply` turns into outcomes; such rules
            must be `simultaneous`, and cannot be enumerated.
        discount: what a decision stage later multiplies the rewards by in what the game is worth, in [0, 1].
        scorer: the module of `eqsolvers.scoring` that scores policies exactly where the game cannot be enumerated; None
            for none.
        default_max_cycles: decision stages after which environments truncate a game where nothing else is asked for;
            None for no limit.
    """

    size_unit: ClassVar[str] = "histories"  # what an exact model has of, in messages

    num_players: int
    num_actions: tuple[int, ...]
    num_chance_outcomes: int
    observation_size: int
    observation_bounds: tuple[float, float] = (0.0, 1.0)
    simultaneous: ClassVar[bool] = False
    open_information: ClassVar[bool] = False
    chance_draws: int = 0
    discount: float = 1.0
    scorer: str | None = None
    default_max_cycles: int | None = None

    @property
    def max_actions(self) -> int:
        """A, the widest of the players' action sets."""
        return max(self.num_actions)

    @property
    def roles(self) -> tuple[int, ...]:
        """Whose policy each player follows, [N]; the same number for players who are alike. By default its own."""
        return tuple(range(self.num_players))

    @property
    def num_columns(self) -> int:
        """Width of the actions of `simultaneous` rules: the players' and chance's."""
        return self.num_players + max(1, self.chance_draws)

    @abstractmethod
    def initial_state(self, batch: int, xp: Any, device: Any = None) -> StateT:
        """`batch` copies of the state before the first move, chance moves included."""

    @abstractmethod
    def turn(self, state: StateT) -> Array:
        """Who moves, [B] int64: a player, CHANCE, TERMINAL or (if `simultaneous`) SIMULTANEOUS."""

    def acting(self, state: StateT) -> Array:
        """Which players move now, [B, N] bool; a SIMULTANEOUS row has all of them unless this is overridden."""
        turn = self.turn(state)
        return one_hot(turn, self.num_players) | (turn == SIMULTANEOUS)[:, None]

    @abstractmethod
    def legal_actions(self, state: StateT, player: Array) -> Array:
        """The mask of `player` ([B] int), who moves at that row: [B, A] bool; other rows' masks are ignored."""

    def chance_probabilities(self, state: StateT) -> Array:
        """Distribution over chance outcomes at CHANCE rows: [B, C] float64; other rows are ignored."""
        raise NotImplementedError(f"{type(self).__name__} has no chance moves")

    @abstractmethod
    def apply(self, state: StateT, actions: Array) -> tuple[StateT, Array]:
        """Every row's move, and what it paid.

        Args:
            state: the batch; it is not changed.
            actions: [B] int64, the mover's action or chance's outcome; or, where `simultaneous`, [B, N + 1] int64,
                a column per player and the last one for chance (`chance_draws` columns, where there are draws), in
                which the entries of those not moving are ignored.

        Returns:
            The next states and the rewards received on the way, [B, N] float64. A TERMINAL row may return anything.
        """

    @abstractmethod
    def observation(self, state: StateT, player: Array) -> Array:
        """What `player` ([B] int) sees, [B, D] float32: a function of the player's information state."""

    @abstractmethod
    def information_state(self, state: StateT, player: Array) -> Array:
        """The key of `player`'s information state, [B, W] int64.

        Two histories have the same key exactly where the player cannot tell them apart, given everything that it saw
        and did (perfect recall).
        """

    def seen_by_all(self, state: StateT) -> InformationStates:
        """What each player knows, with axes [B, N, ...]; masks are A wide."""
        xp = namespace(state[0])
        players = [everywhere(state[0], player) for player in range(self.num_players)]
        asked = (self.information_state, self.observation, self.legal_actions)
        return InformationStates(*(xp.stack([ask(state, player) for player in players], axis=1) for ask in asked))

    def as_rules(self) -> Rules[Any]:
        """A game's definition as rules: these."""
        return self

    def as_model(self, name: str, max_size: int) -> tuple[Model, int]:
        """A game's definition as an exact model, and how many histories it has.

        Args:
            name: of the game, for messages.
            max_size: the most to enumerate.

        Raises:
            GameTooLargeError: if there are more.
        """
        from eqenvs.models.enumeration import enumerate_rules

        model = enumerate_rules(self, name=name, max_size=max_size)
        return model, len(model.parent)

    def public_observation(self, state: StateT) -> Array | None:
        """What every player knows in common, [B, V] int64, or None if the game declares no public part."""
        return None

    def describe_information_state(self, player: int, key: Array) -> str:
        """A short readable name of one key ([W] int64), unique among the player's information states."""
        return "-".join(str(int(entry)) for entry in np.asarray(key))

    def describe_action(self, player: int, action: int) -> str:
        """A short readable name of an action."""
        return str(action)

    def picture(self, state: StateT) -> Picture | None:
        """What a spectator sees, hidden pieces included; None: the text of `describe_state` is all there is.

        Args:
            state: one game, a batch of one on numpy; boards and lines are as many and as large in every state.
        """
        return None

    def describe_state(self, state: StateT) -> str:
        """What a spectator sees as lines of text, where there is no picture; by default what each player knows."""
        lines = []
        for player in range(min(self.num_players, MOST_DESCRIBED)):
            key = self.information_state(state, np.array([player]))[0]
            lines.append(f"player_{player}: {self.describe_information_state(player, key)}")
        more = self.num_players - len(lines)
        return "\n".join([*lines, f"... and {more:,} more"] if more else lines)
