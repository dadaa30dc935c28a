"""Leduc poker: a private card each, two rounds of limit betting, one public card between them.

Southey, Bowling, Larson, Piccione, Burch, Billings and Rayner (2005), "Bayes' bluff: opponent modelling in poker", UAI.
Ante 1; raises of 2 in the first round and 4 in the second; at most two raises a round. A pair with the public card
beats any other hand, then the higher card wins, and equal hands split the pot. With N > 2 players the deck has N + 1
ranks by default and the first player who has not folded opens each round.
"""

from __future__ import annotations

from collections import Counter
from math import comb
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, device_of, namespace, one_hot, put_along, take_along
from eqenvs.errors import InputError
from eqenvs.games.extensive_form._cards import SUIT_NAMES, rank_name
from eqenvs.rules import CHANCE, TERMINAL, Rules
from eqenvs.spec import Fact, Family, GameSpec, Parameter

FOLD, CALL, RAISE = 0, 1, 2
RAISE_SIZES = (2, 4)
MAX_RAISES = 2


class LeducState(NamedTuple):
    """A batch of Leduc games; -1 stands for what has not happened yet."""

    cards: Array  # [B, N] int64, private card types
    public: Array  # [B] int64, public card type
    dealt: Array  # [B] int64, private cards dealt
    round: Array  # [B] int64, 0 or 1
    player: Array  # [B] int64, who bets next
    calls: Array  # [B] int64, calls or checks since the last raise of the round
    raises: Array  # [B] int64, raises in the round
    contribution: Array  # [B, N] int64, chips in the pot
    folded: Array  # [B, N] bool
    history: Array  # [B, 2 L] int64, the moves of both rounds, L slots each
    length: Array  # [B, 2] int64, moves made in each round


class LeducPoker(Rules[LeducState]):
    """Leduc poker.

    Card types are rank * num_suits + suit, or the rank alone under `suit_isomorphism`: suits never affect play, so this
    is the same game with fewer information sets.

    Observation: float32 [N + 2 T + 6 L], one-hot player, private card, public card (T types), and for each of the
    2 L slots of the betting history (L = 3N - 2 moves a round at most) one-hot fold, call, raise.
    Actions: 0 fold (facing a bet), 1 call or check, 2 raise (at most two a round).
    Reward: chips won at the end; zero-sum.

    Version history: 0, first version.
    """

    def __init__(
        self,
        num_players: int = 2,
        num_ranks: int | None = None,
        num_suits: int = 2,
        suit_isomorphism: bool = False,
    ) -> None:
        self.num_players = num_players
        self.num_ranks = num_players + 1 if num_ranks is None else num_ranks
        self.num_suits = num_suits
        if self.num_ranks * num_suits < num_players + 1:
            raise InputError(
                f"leduc_poker: num_ranks * num_suits must be at least num_players + 1 = {num_players + 1} cards, "
                f"got {self.num_ranks} * {num_suits}"
            )
        self.copies = num_suits if suit_isomorphism else 1
        self.num_types = self.num_ranks * num_suits // self.copies
        self.types_per_rank = self.num_types // self.num_ranks
        self.slots = 3 * num_players - 2
        self.num_actions = (3,) * num_players
        self.num_chance_outcomes = self.num_types
        self.observation_size = num_players + 2 * self.num_types + 6 * self.slots

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> LeducState:
        def full(*shape: int, value: int) -> Array:
            return xp.full((batch, *shape), value, dtype=xp.int64, device=device)

        return LeducState(
            cards=full(self.num_players, value=-1),
            public=full(value=-1),
            dealt=full(value=0),
            round=full(value=0),
            player=full(value=0),
            calls=full(value=0),
            raises=full(value=0),
            contribution=full(self.num_players, value=1),
            folded=xp.zeros((batch, self.num_players), dtype=xp.bool, device=device),
            history=full(2 * self.slots, value=-1),
            length=full(2, value=0),
        )

    def _remaining(self, state: LeducState) -> Array:
        xp = namespace(state.folded)
        return xp.sum(xp.astype(~state.folded, xp.int64), axis=1)

    def _betting_closed(self, state: LeducState) -> Array:
        xp = namespace(state.calls)
        needed = self._remaining(state) - xp.astype(state.raises > 0, xp.int64)
        return state.calls == needed

    def _over(self, state: LeducState) -> Array:
        return (self._remaining(state) == 1) | ((state.round == 1) & self._betting_closed(state))

    def _chance(self, state: LeducState) -> Array:
        awaiting_public = (state.round == 1) & (state.public < 0)
        return (state.dealt < self.num_players) | awaiting_public

    def turn(self, state: LeducState) -> Array:
        xp = namespace(state.player)
        mover = xp.where(self._chance(state), CHANCE, state.player)
        return xp.where(self._over(state), TERMINAL, mover)

    def legal_actions(self, state: LeducState, player: Array) -> Array:
        xp = namespace(player)
        facing_bet = take_along(state.contribution, player) < xp.max(state.contribution, axis=1)
        always = xp.ones_like(facing_bet)
        return xp.stack([facing_bet, always, state.raises < MAX_RAISES], axis=1)

    def chance_probabilities(self, state: LeducState) -> Array:
        xp = namespace(state.cards)
        gone = xp.sum(xp.astype(one_hot(state.cards, self.num_types), xp.int64), axis=1)
        left = xp.astype(self.copies - gone, xp.float64)
        return left / xp.sum(left, axis=1, keepdims=True)

    def apply(self, state: LeducState, actions: Array) -> tuple[LeducState, Array]:
        xp = namespace(actions)
        chance = self._chance(state)
        dealing = state.dealt < self.num_players
        turning = chance & ~dealing
        betting = ~chance
        folds, calls, raises = (betting & (actions == move) for move in (FOLD, CALL, RAISE))

        highest = xp.max(state.contribution, axis=1)
        raise_size = xp.where(state.round == 0, RAISE_SIZES[0], RAISE_SIZES[1])
        paid = xp.where(raises, highest + raise_size, highest)
        slot = state.round * self.slots + take_along(state.length, state.round)
        moved = state._replace(
            cards=put_along(state.cards, state.dealt, actions, dealing),
            public=xp.where(turning, actions, state.public),
            dealt=state.dealt + xp.astype(dealing, xp.int64),
            calls=xp.where(raises, 0, state.calls + xp.astype(calls, xp.int64)),
            raises=state.raises + xp.astype(raises, xp.int64),
            contribution=put_along(state.contribution, state.player, paid, calls | raises),
            folded=state.folded | (one_hot(state.player, self.num_players) & folds[:, None]),
            history=put_along(state.history, slot, actions, betting),
            length=state.length + xp.astype(one_hot(state.round, 2) & betting[:, None], xp.int64),
        )
        next_round = betting & (moved.round == 0) & self._betting_closed(moved) & (self._remaining(moved) > 1)
        after = moved._replace(
            round=xp.where(next_round, 1, moved.round),
            calls=xp.where(next_round, 0, moved.calls),
            raises=xp.where(next_round, 0, moved.raises),
            player=xp.where(betting, self._next_player(moved, next_round), moved.player),
        )
        return after, self._payoffs(after)

    def _next_player(self, state: LeducState, from_first: Array) -> Array:
        """The next player who has not folded, counting from the mover or, at a new round, from player 0."""
        xp = namespace(state.player)
        seats = xp.arange(self.num_players, device=device_of(state.player))[None, :]
        start = xp.where(from_first, -1, state.player)[:, None]
        distance = (seats - start - 1) % self.num_players
        return xp.argmin(xp.where(state.folded, self.num_players, distance), axis=1)

    def _payoffs(self, state: LeducState) -> Array:
        xp = namespace(state.cards)
        rank = state.cards // self.types_per_rank
        public_rank = (state.public // self.types_per_rank)[:, None]
        paired = (rank == public_rank) & (state.public >= 0)[:, None]
        strength = xp.where(state.folded, -1, rank + xp.where(paired, self.num_ranks, 0))
        wins = strength == xp.max(strength, axis=1, keepdims=True)
        pot = xp.sum(state.contribution, axis=1, keepdims=True)
        share = xp.astype(pot, xp.float64) / xp.astype(
            xp.sum(xp.astype(wins, xp.int64), axis=1, keepdims=True), xp.float64
        )
        net = xp.where(wins, share, 0.0) - xp.astype(state.contribution, xp.float64)
        return xp.where(self._over(state)[:, None], net, 0.0)

    def observation(self, state: LeducState, player: Array) -> Array:
        xp = namespace(player)
        parts = [
            one_hot(player, self.num_players),
            one_hot(take_along(state.cards, player), self.num_types),
            one_hot(state.public, self.num_types),
            xp.reshape(one_hot(state.history, 3), (player.shape[0], 6 * self.slots)),
        ]
        return xp.astype(xp.concat(parts, axis=1), xp.float32)

    def information_state(self, state: LeducState, player: Array) -> Array:
        xp = namespace(player)
        return xp.concat([take_along(state.cards, player)[:, None], state.public[:, None], state.history], axis=1)

    def public_observation(self, state: LeducState) -> Array:
        return namespace(state.public).concat([state.public[:, None], state.history], axis=1)

    def describe_information_state(self, player: int, key: Array) -> str:
        card, public, *history = (int(entry) for entry in np.asarray(key))
        rounds = ["".join("fcr"[m] for m in part if m >= 0) for part in (history[: self.slots], history[self.slots :])]
        text = f"{self._card_name(card)}:{rounds[0]}"
        return text if public < 0 else f"{text}/{self._card_name(public)}:{rounds[1]}"

    def _card_name(self, card: int) -> str:
        rank, suit = divmod(card, self.types_per_rank)
        return rank_name(rank, self.num_ranks) + (SUIT_NAMES[suit] if self.types_per_rank > 1 else "")

    def describe_action(self, player: int, action: int) -> str:
        return ("fold", "call", "raise")[action]


def _deals(num_types: int, copies: int, length: int) -> int:
    """Ways to deal so many cards in order, of types with so many copies each."""
    ways = [1] + [0] * length  # by number of cards, of the types gone through so far
    for _ in range(num_types):
        ways = [sum(comb(k, j) * ways[k - j] for j in range(min(k, copies) + 1)) for k in range(length + 1)]
    return ways[length]


def _betting(num_players: int, copies: int) -> tuple[int, Counter[int]]:
    """Histories of one betting round, its start included, and how many of them close it, by players left.

    Args:
        num_players: who bet.
        copies: of every move.
    """
    histories, closed = 0, Counter[int]()
    going = Counter({(num_players, 0, 0): 1})  # players left, calls since the last raise, raises
    while going:
        after: Counter[tuple[int, int, int]] = Counter()
        for (left, calls, raises), ways in going.items():
            histories += ways
            if left == 1 or calls == left - (raises > 0):
                closed[left] += ways
                continue
            after[left, calls + 1, raises] += copies * ways
            if raises > 0:
                after[left - 1, calls, raises] += copies * ways
            if raises < MAX_RAISES:
                after[left, 0, raises + 1] += copies * ways
        going = after
    return histories, closed


def num_histories(
    num_players: int, num_ranks: int, num_suits: int, suit_isomorphism: bool, action_copies: int = 1
) -> int:
    """Histories: betting never depends on cards, so rounds and deals are counted apart and multiplied."""
    types, copies = (num_ranks, num_suits) if suit_isomorphism else (num_ranks * num_suits, 1)
    deals = [_deals(types, copies, length) for length in range(num_players + 2)]
    first, closed = _betting(num_players, action_copies)
    second = sum(ways * _betting(left, action_copies)[0] for left, ways in closed.items() if left > 1)
    return sum(deals[:num_players]) + deals[num_players] * first + deals[num_players + 1] * second


SPEC = GameSpec(
    id="leduc_poker",
    family=Family.EXTENSIVE_FORM,
    title="Leduc poker",
    build=LeducPoker,
    constant_sum=True,
    size=lambda **parameters: num_histories(**parameters),
    source="Southey et al. (2005), Bayes' bluff: opponent modelling in poker, UAI",
    parameters=(
        Parameter(name="num_players", default=2, low=2, high=6, description="number of players"),
        Parameter(
            name="num_ranks", default=None, low=1, high=26, description="card ranks; default one more than players"
        ),
        Parameter(name="num_suits", default=2, low=1, high=26, description="cards of each rank"),
        Parameter(
            name="suit_isomorphism",
            default=False,
            kind=bool,
            description="deal ranks instead of cards: same values, fewer information sets",
        ),
    ),
    facts=(
        Fact(
            source="value: Lanctot et al. (2019), OpenSpiel, and the sequence-form LP here; sizes: enumeration",
            parameters={"num_players": 2},
            sizes={"terminals": 5520, "infosets": [468, 468], "sequences": [1093, 1093]},
            values=(-0.085606424078, 0.085606424078),
            uniform_nash_conv=4.747222222222,
            tolerance=1e-10,
        ),
        Fact(
            source="as above, suits merged",
            parameters={"num_players": 2, "suit_isomorphism": True},
            sizes={"terminals": 1116, "infosets": [144, 144], "sequences": [337, 337]},
            values=(-0.085606424078, 0.085606424078),
            uniform_nash_conv=4.747222222222,
            tolerance=1e-10,
        ),
        Fact(
            source="enumeration here and in OpenSpiel",
            parameters={"num_players": 3},
            sizes={"terminals": 1043952, "infosets": [8600] * 3, "sequences": [19689] * 3},
        ),
    ),
)
