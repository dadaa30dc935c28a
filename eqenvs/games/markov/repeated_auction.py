"""A sequence of sealed-bid auctions with budgets: what is paid today cannot be bid tomorrow.

Benoit and Krishna (2001), "Multiple-object auctions with budget constrained bidders", Review of Economic Studies 68;
Pitchik and Schotter (1988), "Perfect equilibria in budget-constrained sequential auctions", RAND Journal of Economics
19. In every round each player's value is drawn anew and all players see all values and budgets: the state of a Markov
game is seen by everybody. A player may bid to empty a rival's purse. Where budgets cannot bind, the rounds of the
second-price auction are separate, and to bid one's value is an equilibrium (Vickrey 1961, Journal of Finance 16).
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

from eqenvs.arrays import Array, device_of, namespace, one_hot, take_along
from eqenvs.errors import InputError
from eqenvs.games.markov import _parameters
from eqenvs.markov_rules import MarkovRules
from eqenvs.models.state_search import MAX_TRANSITIONS
from eqenvs.spec import Fact, Family, GameSpec, Parameter

MAX_DRAWS = 10_000  # outcomes of the draw of all values


class AuctionState(NamedTuple):
    """A batch of sequences of auctions."""

    budgets: Array  # [B, N] int64
    values: Array  # [B, N] int64, 1 .. V; 0 before chance has drawn them
    bids: Array  # [B, N] int64, the bids of a round in which chance is to break a tie; -1 at other times
    step: Array  # [B] int64


class RepeatedAuction(MarkovRules[AuctionState]):
    """Repeated auctions of one object each.

    Observation: float32 [3 N], one-hot player, then the budgets and the values as shares of the largest, in the order
    of the seats from one's own.
    Actions: the bid, at most one's budget and `max_bid`; 0 stays out. Who has no budget has only action 0 and does not
    act.
    Reward: the winner's value less the price, which is the highest other bid under "second" and its own bid under
    "first"; if all stay out the object is not sold.
    Chance: the values, independent and uniform on 1 .. V, before each round; and the winner among equal highest bids.
    End: at the horizon, and when nobody has any budget left.

    Version history: 0, first version.
    """

    def __init__(
        self,
        num_players: int = 2,
        num_values: int = 3,
        budget: int = 4,
        max_bid: int | None = None,
        payment: str = "second",
        discount: float = 1.0,
        horizon: int = 3,
    ) -> None:
        draws = num_values**num_players
        if draws > MAX_DRAWS:
            raise InputError(
                f"repeated_auction: num_values to the power num_players must be at most {MAX_DRAWS}, got {draws}"
            )
        self.max_bid = budget if max_bid is None else max_bid
        if self.max_bid > budget:
            raise InputError(f"repeated_auction: max_bid must be at most budget = {budget}, got {self.max_bid}")
        self.num_players, self.num_values, self.budget, self.payment = num_players, num_values, budget, payment
        self.discount, self.horizon = discount, horizon
        self.num_actions = (self.max_bid + 1,) * num_players
        self.num_chance_outcomes = max(num_players, draws)
        self.view_size = 3 * num_players

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> AuctionState:
        zeros = xp.zeros((batch, self.num_players), dtype=xp.int64, device=device)
        return AuctionState(zeros + self.budget, zeros, zeros - 1, zeros[:, 0])

    def ended(self, state: AuctionState) -> Array:
        return ~namespace(state.budgets).any(state.budgets > 0, axis=1)

    def undecided(self, state: AuctionState) -> Array:
        return (state.values[:, 0] == 0) | (state.bids[:, 0] >= 0)

    def acting(self, state: AuctionState) -> Array:
        return super().acting(state) & (state.budgets > 0)

    def legal_actions(self, state: AuctionState, player: Array) -> Array:
        bid = namespace(player).arange(self.max_bid + 1, device=device_of(player))
        return bid[None, :] <= take_along(state.budgets, player)[:, None]

    def chance_probabilities(self, state: AuctionState) -> Array:
        xp = namespace(state.budgets)
        like = device_of(state.budgets)
        outcome = xp.arange(self.num_chance_outcomes, device=like)[None, :]
        tied = one_hot(outcome, self.num_players) & _highest(state.bids)[:, None, :]
        draws = outcome < self.num_values**self.num_players
        possible = xp.where(state.bids[:, :1] >= 0, xp.any(tied, axis=2), draws)
        weight = xp.astype(possible, xp.float64)
        return weight / xp.sum(weight, axis=1, keepdims=True)

    def apply(self, state: AuctionState, actions: Array) -> tuple[AuctionState, Array]:
        xp = namespace(actions)
        breaking, drawing = state.bids[:, 0] >= 0, state.values[:, 0] == 0
        bidding = ~breaking & ~drawing
        outcome = xp.where(bidding, 0, actions[:, self.num_players])
        given = xp.where(bidding[:, None], actions[:, : self.num_players], 0)
        bids = xp.where(breaking[:, None], state.bids, given)
        best = _highest(bids)
        bidders = xp.sum(xp.astype(best, xp.int64), axis=1)
        some = xp.any(bids > 0, axis=1)
        tied = bidding & some & (bidders > 1)
        winner = xp.where(breaking, outcome, xp.argmax(bids, axis=1))
        sold = one_hot(winner, self.num_players) & (some & ~tied & ~drawing)[:, None]
        ranked = xp.sort(bids, axis=1)
        price = ranked[:, -2] if self.payment == "second" else ranked[:, -1]
        paid = xp.where(sold, state.values - price[:, None], 0)
        strides = self.num_values ** xp.arange(self.num_players - 1, -1, -1, dtype=xp.int64, device=device_of(actions))
        drawn = 1 + (outcome[:, None] // strides[None, :]) % self.num_values
        cleared = xp.where(tied[:, None], state.values, 0)
        after = AuctionState(
            budgets=state.budgets - xp.where(sold, price[:, None], 0),
            values=xp.where(drawing[:, None], drawn, cleared),
            bids=xp.where(tied[:, None], bids, -1),
            step=state.step + xp.astype(bidding, xp.int64),
        )
        return after, xp.astype(paid, xp.float64)

    def state_key(self, state: AuctionState) -> Array:
        return namespace(state.budgets).concat([state.budgets, state.values], axis=1)

    def view(self, state: AuctionState, player: Array) -> Array:
        xp, device = namespace(player), device_of(player)
        seat = (player[:, None] + xp.arange(self.num_players, device=device)[None, :]) % self.num_players
        row = xp.arange(player.shape[0], device=device)[:, None]
        budgets = xp.astype(state.budgets[row, seat], xp.float32) / self.budget
        values = xp.astype(state.values[row, seat], xp.float32) / self.num_values
        return xp.concat([xp.astype(one_hot(player, self.num_players), xp.float32), budgets, values], axis=1)


def _highest(bids: Array) -> Array:
    """Who bids most, [B, N] bool."""
    return bids == namespace(bids).max(bids, axis=1, keepdims=True)


def num_rows(num_players: int, num_values: int, budget: int, max_bid: int | None) -> int:
    """Pairs of a state and a joint action: any budgets but none at all, any values, any bids.

    Payments of 1 lead from the first budgets to any others; with nobody left to pay, the game is over.
    """
    bids = (budget if max_bid is None else max_bid) + 1
    rows: int = ((budget + 1) ** num_players - 1) * num_values**num_players * bids**num_players
    return rows


def num_transitions(num_players: int, num_values: int, budget: int, max_bid: int | None, payment: str) -> int:
    """Transitions of the exact model: who can win at each pair of budgets and bids, times the values before and after.

    A bid of k is legal at budget + 1 - k budgets, and wins if the others' are k at most. Bids of nothing leave budgets
    as they are. The game ends where the only one with a budget pays all of it, which second prices never ask for.
    """
    bids = budget if max_bid is None else max_bid
    wins, at_most = 0, budget + 1
    for bid in range(1, bids + 1):
        at_most += budget + 1 - bid
        wins += num_players * (budget + 1 - bid) * at_most ** (num_players - 1)
    unsold = (budget + 1) ** num_players - 1
    ends = num_players * bids if payment == "first" else 0
    draws = num_values**num_players
    transitions: int = draws * ((wins + unsold - ends) * draws + ends)
    return transitions


def _exact(
    num_players: int, num_values: int, budget: int, max_bid: int | None, payment: str, discount: float, horizon: int
) -> bool:
    del discount, horizon
    return num_transitions(num_players, num_values, budget, max_bid, payment) <= MAX_TRANSITIONS


def _legal(budget: int) -> int:
    """Legal pairs of bids of two players, over all budgets but none at all."""
    return sum((1 + own) * (1 + other) for own, other in product(range(budget + 1), repeat=2)) - 1


SPEC = GameSpec(
    id="repeated_auction",
    family=Family.MARKOV,
    title="Repeated auctions with budgets",
    build=RepeatedAuction,
    constant_sum=False,
    exact=_exact,
    size=lambda num_players, num_values, budget, max_bid, **_: num_rows(num_players, num_values, budget, max_bid),
    source="Benoit and Krishna (2001), Multiple-object auctions with budget constrained bidders, Rev. Econ. Stud. 68",
    parameters=(
        Parameter(name="num_players", default=2, low=2, high=10, description="number of bidders"),
        Parameter(name="num_values", default=3, low=1, high=100, description="V, values are 1 .. V"),
        Parameter(name="budget", default=4, low=1, high=1000, description="of each player, for all rounds"),
        Parameter(name="max_bid", default=None, low=1, high=1000, description="highest bid; none: the budget"),
        Parameter(
            name="payment",
            default="second",
            kind=str,
            choices=("second", "first"),
            description="what the winner pays: the highest other bid or its own",
        ),
        _parameters.discount(1.0),
        Parameter(name="horizon", default=3, low=1, high=10_000, description="rounds"),
    ),
    facts=(
        Fact(
            source="budgets 0 .. 4 each but not both 0, with 9 pairs of values; bids up to the budget",
            sizes={"states": 24 * 9, "actions": [5, 5], "joint_actions": 9 * _legal(4)},
        ),
    ),
)
