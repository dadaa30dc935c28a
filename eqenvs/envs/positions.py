"""Positions of a game that were met before: what one game in progress asks of rules that are made for batches.

A call of batched rules costs the same for one game as for a hundred, tens of microseconds. So what they say of a
position is kept, and which position follows which move; a game small enough is then played without asking them again.
Rules are pure functions, so nothing that is played depends on what is kept. What is kept is shared by all environments
of a `Game` and is at most `MEMORY` bytes, by a rough count; positions met after that are forgotten.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import IntArray, RandomStream, make_backend
from eqenvs.game import Game
from eqenvs.rules import CHANCE, TERMINAL, Rules
from eqenvs.simulation import chance_actions

MEMORY = 64 * 2**20  # bytes of positions kept of a game
POSITION_BYTES = 600  # of a position with a player's view, beside its state and observation
MOVE_BYTES = 200  # of a move known to lead from one position to another

Move = int | tuple[int, ...]  # the mover's action or chance's outcome; all players' actions where they may move at once
Rewards = tuple[float, ...]  # [N]


class Position:
    """What is known of a position, a batch of one.

    Attributes:
        turn: who moves; see `Rules.turn`.
        acting: the players who move; not to be written to, as nothing here.
        key: of the state, where other games may come here; None where this one alone does.
        state: of the rules; None where the key tells it.
        after: by move, the next position and the rewards on the way.
        masks: by player, legal actions [A_p] int8, or None if not asked for; as the next two.
        observations: by player, [D] float32.
        seen: every player's observation [N, D] and mask [N, A] bool.
        cumulative: of chance's outcomes, with the last possible outcome.
    """

    __slots__ = ("acting", "after", "cumulative", "key", "masks", "observations", "seen", "state", "turn")

    def __init__(self, turn: int, acting: list[int], state: Any, num_players: int) -> None:
        self.turn = turn
        self.acting = acting
        self.state = state
        self.key: bytes | None = None
        self.after: dict[Move, tuple[Position, Rewards]] | None = None
        self.masks: list[NDArray[np.int8] | None] = [None] * num_players
        self.observations: list[NDArray[np.float32] | None] = [None] * num_players
        self.seen: tuple[NDArray[np.float32], NDArray[np.bool_]] | None = None
        self.cumulative: tuple[list[float], int] | None = None


class Positions:
    """The positions of a game that are kept."""

    def __init__(self, rules: Rules[Any]) -> None:
        self.rules = rules
        count = rules.num_players
        self._who = [np.array([player]) for player in range(count)]
        self._alone = [[player] for player in range(count)]
        self._nobody: list[int] = []
        self._nothing: Rewards = (0.0,) * count
        first = rules.initial_state(1, make_backend().xp)
        self._form = type(first)
        self._fields = [(field.dtype, field.shape, field.size, field.nbytes) for field in first]
        self._by_key: dict[bytes, Position] = {}
        # Outcomes that are not listed do not come again. Stand-ins for rules may do more than rules: they are asked.
        self._left = MEMORY if isinstance(rules, Rules) and not rules.chance_draws else 0
        self._first = self.at(first)

    def first(self) -> Position:
        """The one before the first move, chance moves included."""
        return self._first

    def at(self, state: Any) -> Position:
        """The position of a state."""
        return self._kept(self._position(state))

    def _position(self, state: Any) -> Position:
        rules = self.rules
        turn = int(rules.turn(state)[0])
        if turn >= 0:
            acting = self._alone[turn]
        elif rules.simultaneous and turn not in (CHANCE, TERMINAL):
            acting = [int(player) for player in np.flatnonzero(rules.acting(state)[0])]
        else:
            acting = self._nobody
        return Position(turn, acting, state, rules.num_players)

    def _kept(self, position: Position) -> Position:
        """The same position as it was met before, or this one, kept while there is room."""
        if self._left <= 0:
            return position
        key = b"".join([field.tobytes() for field in position.state])
        found = self._by_key.get(key)
        if found is not None:
            return found
        if any(
            field.dtype != dtype or field.shape != shape
            for field, (dtype, shape, _, _) in zip(position.state, self._fields, strict=True)
        ):
            return position  # its bytes would not tell the state
        self._by_key[key] = position
        position.key, position.state = key, None
        self._left -= len(key) + POSITION_BYTES + 4 * self.rules.observation_size
        return position

    def state(self, position: Position) -> Any:
        """Of the rules."""
        if position.key is None:
            return position.state
        fields, at = [], 0
        for dtype, shape, size, nbytes in self._fields:
            fields.append(np.frombuffer(position.key, dtype, size, at).reshape(shape))
            at += nbytes
        return self._form(*fields)

    def following(self, position: Position, move: Move) -> tuple[Position, Rewards]:
        """The position after a move, and what the move paid."""
        known = position.after
        if known is not None and (found := known.get(move)) is not None:
            return found
        rules = self.rules
        if not rules.simultaneous:
            actions = np.array([move])
        else:
            actions = np.zeros((1, rules.num_columns), dtype=np.int64)
            if isinstance(move, tuple):
                actions[0, : rules.num_players] = move
            else:
                actions[0, rules.num_players] = move
        after, rewards = self._apply(self.state(position), actions)
        if position.key is not None:
            after = self._kept(after)
            if after.key is not None:
                if position.after is None:
                    position.after = {}
                position.after[move] = (after, rewards)
                self._left -= MOVE_BYTES
        return after, rewards

    def _apply(self, state: Any, actions: IntArray) -> tuple[Position, Rewards]:
        after, rewards = self.rules.apply(state, actions)
        paid = tuple(rewards[0].tolist())
        return self._position(after), paid if any(paid) else self._nothing

    def settled(self, position: Position, stream: RandomStream) -> tuple[Position, Rewards | None]:
        """Chance's moves made until it is no longer its turn, and what they paid; see `simulation.resolve_chance`."""
        total: Rewards | None = None
        while position.turn == CHANCE:
            if self.rules.chance_draws:
                state = self.state(position)
                position, paid = self._apply(state, chance_actions(self.rules, state, stream))
            else:
                position, paid = self.following(position, self._outcome(position, float(stream.uniform(1)[0])))
            total = tuple(a + b for a, b in zip(total or (0.0,) * len(paid), paid, strict=True))
        return position, total

    def _outcome(self, position: Position, uniform: float) -> int:
        """As `arrays.sample_categorical` draws."""
        if position.cumulative is None:
            probabilities = self.rules.chance_probabilities(self.state(position))[0]
            position.cumulative = np.cumsum(probabilities).tolist(), int(np.flatnonzero(probabilities > 0)[-1])
        cumulative, last = position.cumulative
        return min(bisect_right(cumulative, uniform * cumulative[-1]), last)

    def mask(self, position: Position, player: int) -> NDArray[np.int8]:
        """Legal actions of a player who moves now, [A_p] int8."""
        found = position.masks[player]
        if found is None:
            legal = self.rules.legal_actions(self.state(position), self._who[player])[0]
            found = position.masks[player] = legal[: self.rules.num_actions[player]].astype(np.int8)
        return found

    def observation(self, position: Position, player: int) -> NDArray[np.float32]:
        """[D] float32."""
        found = position.observations[player]
        if found is None:
            # A copy, because a part of a larger array would keep all of it.
            found = self.rules.observation(self.state(position), self._who[player])[0].copy()
            position.observations[player] = found
        return found

    def seen_by_all(self, position: Position) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Every player's observation [N, D] float32, and legal actions [N, A] bool, those of players who move now."""
        if position.seen is None:
            rules = self.rules
            if rules.simultaneous:
                _, seen, legal = rules.seen_by_all(self.state(position))
                position.seen = np.array(seen[0]), np.array(legal[0])
            else:
                seen = np.stack([self.observation(position, player) for player in range(rules.num_players)])
                legal = np.zeros((rules.num_players, rules.max_actions), dtype=bool)
                for player in position.acting:
                    legal[player, : rules.num_actions[player]] = self.mask(position, player)
                position.seen = seen, legal
        return position.seen


_POSITIONS: WeakKeyDictionary[Game, Positions] = WeakKeyDictionary()


def positions(game: Game) -> Positions:
    """The one memory of a game."""
    found = _POSITIONS.get(game)
    if found is None or found.rules is not game.rules:
        found = _POSITIONS[game] = Positions(game.rules)
    return found
