"""Oshi-Zumo (the pushing sumo wrestler): sealed bids of coins, the higher pushes a wrestler one place outwards.

Buro (2003), "Solving the Oshi-Zumo game", Advances in Computer Games 10. The wrestler starts in the middle of
2 size + 1 places. Both players pay what they bid; a tie moves nothing. The game ends when the wrestler is pushed out,
when nobody has coins left, or at the horizon (a bound that OpenSpiel adds, Lanctot et al. 2019); whoever's opponent the
wrestler is nearer to wins. In the variant that OpenSpiel calls Alesia only pushing the wrestler out wins.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from eqenvs.arrays import Array, IntArray, device_of, namespace, one_hot, put_along, take_along
from eqenvs.errors import InputError
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.rendering import Picture, player_colour, squares
from eqenvs.rendering.picture import WALL
from eqenvs.rules import SIMULTANEOUS, TERMINAL, Rules
from eqenvs.spec import Fact, Family, GameSpec, Parameter


class OshiZumoState(NamedTuple):
    """A batch of games; -1 stands for what has not happened yet."""

    round: Array  # [B] int64, rounds played
    position: Array  # [B] int64, the wrestler's place from the middle, positive towards player 1's side
    coins: Array  # [B, 2] int64, coins left
    bids: Array  # [B, 2 L] int64, the bids of both players, round by round


class OshiZumo(Rules[OshiZumoState]):
    """Oshi-Zumo.

    Observation: float32 [2 + (2 size + 3) + 2 (coins + 1) + 2 L], one-hot player, one-hot place of the wrestler, each
    player's coins one-hot, and the bids so far as (bid + 1) / (coins + 1), 0 where not made yet (L rounds at most).
    Actions: the coins to bid, at least `min_bid`; a player who has fewer left bids them all. Simultaneous, seen after.
    Reward: 1 to the winner and -1 to the loser at the end, 0 for a draw; zero-sum.

    Version history: 0, first version.
    """

    simultaneous: ClassVar[bool] = True

    def __init__(self, coins: int = 4, size: int = 1, horizon: int = 6, alesia: bool = False, min_bid: int = 0) -> None:
        if min_bid > coins:
            raise InputError(f"oshi_zumo: min_bid must be at most coins = {coins}, got {min_bid}")
        self.coins, self.size, self.horizon, self.alesia, self.min_bid = coins, size, horizon, alesia, min_bid
        # With a minimum bid everybody is out of coins after so many rounds.
        self.max_rounds = min(horizon, -(-coins // min_bid)) if min_bid else horizon
        self.num_players = 2
        self.num_actions = (coins + 1,) * 2
        self.num_chance_outcomes = 0
        self.observation_size = 2 + (2 * size + 3) + 2 * (coins + 1) + 2 * self.max_rounds

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> OshiZumoState:
        return OshiZumoState(
            round=xp.zeros((batch,), dtype=xp.int64, device=device),
            position=xp.zeros((batch,), dtype=xp.int64, device=device),
            coins=xp.full((batch, 2), self.coins, dtype=xp.int64, device=device),
            bids=xp.full((batch, 2 * self.max_rounds), -1, dtype=xp.int64, device=device),
        )

    def _out(self, state: OshiZumoState) -> Array:
        return namespace(state.position).abs(state.position) > self.size

    def _over(self, state: OshiZumoState) -> Array:
        broke = namespace(state.coins).max(state.coins, axis=1) == 0
        return self._out(state) | broke | (state.round == self.horizon)

    def turn(self, state: OshiZumoState) -> Array:
        xp = namespace(state.round)
        return xp.where(self._over(state), TERMINAL, xp.full_like(state.round, SIMULTANEOUS))

    def legal_actions(self, state: OshiZumoState, player: Array) -> Array:
        xp = namespace(player)
        bids = xp.arange(self.coins + 1, device=device_of(player))[None, :]
        left = take_along(state.coins, player)
        least = xp.where(left < self.min_bid, left, self.min_bid)
        return (bids >= least[:, None]) & (bids <= left[:, None])

    def apply(self, state: OshiZumoState, actions: Array) -> tuple[OshiZumoState, Array]:
        xp = namespace(actions)
        going = ~self._over(state)
        first, second = actions[:, 0], actions[:, 1]
        push = xp.sign(first - second)
        bids = put_along(state.bids, 2 * state.round, first, going)
        after = OshiZumoState(
            round=state.round + xp.astype(going, xp.int64),
            position=state.position + xp.where(going, push, 0),
            coins=state.coins - xp.where(going[:, None], actions[:, :2], 0),
            bids=put_along(bids, 2 * state.round + 1, second, going),
        )
        decided = self._out(after) if self.alesia else self._over(after)
        result = xp.astype(xp.where(going & decided, xp.sign(after.position), 0), xp.float64)
        return after, xp.stack([result, -result], axis=1)

    def observation(self, state: OshiZumoState, player: Array) -> Array:
        xp = namespace(player)
        known = [
            one_hot(player, 2),
            one_hot(state.position + self.size + 1, 2 * self.size + 3),
            xp.reshape(one_hot(state.coins, self.coins + 1), (player.shape[0], -1)),
        ]
        bids = xp.astype(state.bids + 1, xp.float32) / (self.coins + 1)
        return xp.concat([xp.astype(xp.concat(known, axis=1), xp.float32), bids], axis=1)

    def information_state(self, state: OshiZumoState, player: Array) -> Array:
        return state.bids

    def public_observation(self, state: OshiZumoState) -> Array:
        return state.bids

    def describe_information_state(self, player: int, key: Array) -> str:
        rounds = [(int(first), int(second)) for first, second in np.asarray(key).reshape(-1, 2) if first >= 0]
        return " ".join(f"{first}-{second}" for first, second in rounds) or "start"

    def picture(self, state: OshiZumoState) -> Picture:
        width = 2 * self.size + 3
        place = int(state.position[0]) + self.size + 1
        board = squares(
            1,
            width,
            marks=[(0, "<", player_colour(1)), (width - 1, ">", player_colour(0))],  # out: who has won there
            pieces=[(place, "W", WALL)],
        )
        coins = state.coins[0].tolist()
        return Picture(boards=(board,), lines=tuple(f"player_{who} has {left} coins" for who, left in enumerate(coins)))


def num_histories(coins: int, size: int, horizon: int, min_bid: int) -> int:
    """Histories, counted round by round up to the round in which they exceed the default limit of enumeration.

    What can follow depends on the wrestler's place and both players' coins alone, so these are gone through with the
    number of ways to each.
    """
    left = np.arange(coins + 1)
    choices = left - np.minimum(left, min_bid) + 1
    start = np.zeros((coins + 1, coins + 1), dtype=np.int64)
    start[coins, coins] = 1
    ways = {0: start}  # place -> [coins of player 0, coins of player 1]
    total = 1
    for _ in range(horizon):
        # Each of player 0's bids is a history, and each of the answers.
        total += sum(int(choices @ at @ (1 + choices)) for at in ways.values())
        if total > DEFAULT_MAX_SIZE:
            break
        after: dict[int, IntArray] = {}
        for place, at in ways.items():
            for step, made in zip((-1, 0, 1), _after_bids(at, min_bid), strict=True):
                if abs(place + step) <= size:
                    after.setdefault(place + step, np.zeros_like(start))[: len(made), : len(made)] += made
        for at in after.values():
            at[0, 0] = 0  # nobody has coins left: an end
        ways = after
    return total


def _after_bids(ways: IntArray, min_bid: int) -> tuple[IntArray, IntArray, IntArray]:
    """Ways to the coins left after the bids, where player 1, nobody or player 0 bids more, [coins + 1 - min_bid] ** 2.

    Where both are below the minimum bid they bid all they have, and that is an end.

    Args:
        ways: to the coins before the bids, [coins + 1, coins + 1].
        min_bid: least bid of who can afford it.
    """

    def from_the_end(numbers: IntArray, axis: int) -> IntArray:
        return np.flip(np.cumsum(np.flip(numbers, axis), axis), axis)

    tie = ways[min_bid:, min_bid:].copy()  # both bid the least; now also more
    for row in range(len(tie) - 2, -1, -1):
        tie[row, :-1] += tie[row + 1, 1:]
    second, first = np.zeros_like(tie), np.zeros_like(tie)
    second[:, :-1] = from_the_end(tie, 1)[:, 1:]
    first[:-1] = from_the_end(tie, 0)[1:]
    second[0] += from_the_end(ways[:min_bid, min_bid:].sum(axis=0), 0)
    first[:, 0] += from_the_end(ways[min_bid:, :min_bid].sum(axis=1), 0)
    return second, tie, first


SPEC = GameSpec(
    id="oshi_zumo",
    family=Family.EXTENSIVE_FORM,
    title="Oshi-Zumo",
    build=OshiZumo,
    constant_sum=True,
    size=lambda coins, size, horizon, min_bid, **_: num_histories(coins, size, horizon, min_bid),
    source="Buro (2003), Solving the Oshi-Zumo game, Advances in Computer Games 10",
    parameters=(
        Parameter(name="coins", default=4, low=1, high=1000, description="coins of each player at the start"),
        Parameter(name="size", default=1, low=0, high=100, description="places on each side of the middle"),
        Parameter(name="horizon", default=6, low=1, high=1000, description="rounds after which the game ends"),
        Parameter(name="alesia", default=False, kind=bool, description="only pushing the wrestler out wins"),
        Parameter(name="min_bid", default=0, low=0, high=1000, description="least bid of who can afford it"),
    ),
    facts=(
        Fact(
            source="sizes and uniform policy: OpenSpiel 2.0.2; value 0 by symmetry",
            parameters={"coins": 4, "size": 1, "horizon": 6},
            sizes={"terminals": 29438, "infosets": [10434] * 2, "sequences": [20682] * 2},
            values=(0.0, 0.0),
            uniform_nash_conv=1.4008182613168723,
        ),
        Fact(
            source="as above",
            parameters={"coins": 3, "size": 2, "horizon": 3},
            sizes={"terminals": 400, "infosets": [100] * 2, "sequences": [228] * 2},
            values=(0.0, 0.0),
            uniform_nash_conv=1.2465277777777777,
        ),
        Fact(
            source="as above",
            parameters={"coins": 4, "size": 1, "horizon": 6, "min_bid": 1},
            sizes={"terminals": 62, "infosets": [60] * 2, "sequences": [82] * 2},
            values=(0.0, 0.0),
            uniform_nash_conv=7 / 6,
        ),
    ),
)
