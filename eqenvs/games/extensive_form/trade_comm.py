"""Trade Comm: two players must talk to find the one trade that pays.

Both hold an item, dealt independently and uniformly. Player 0 utters a word and player 1, who hears it, another; then
each proposes, unseen by the other, to give one item for another. If both proposals are to swap exactly what the two
hold, both get 1, else 0. Sokota, Lockhart, Timbers, Davoodi, D'Orazio, Burch, Schmid, Bowling and Lanctot (2021),
"Solving common-payoff games with approximate policy iteration", AAAI; the best joint policies get (1, 1).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, device_of, namespace, one_hot, put_along, take_along
from eqenvs.rules import CHANCE, TERMINAL, Rules
from eqenvs.spec import Fact, Family, GameSpec, Parameter


class TradeCommState(NamedTuple):
    """A batch of games; -1 stands for what has not happened yet."""

    stage: Array  # [B] int64, moves made: the deal, two words, two proposals
    items: Array  # [B, 2] int64
    words: Array  # [B, 2] int64
    proposals: Array  # [B, 2] int64, M * item given + item wanted


class TradeComm(Rules[TradeCommState]):
    """Trade Comm with M items and as many words.

    Observation: float32 [2 + M + 2 M + M^2], one-hot player, its item, both words and its own proposal.
    Actions: 0 .. M - 1 the words; M + M g + w proposes to give item g for item w.
    Reward: 1 to both if they propose the trade of what they hold, at the end; common payoff.

    Version history: 0, first version.
    """

    def __init__(self, num_items: int = 2) -> None:
        self.num_items = num_items
        self.num_players = 2
        self.num_actions = (num_items + num_items**2,) * 2
        self.num_chance_outcomes = num_items**2
        self.observation_size = 2 + 3 * num_items + num_items**2

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> TradeCommState:
        def unknown() -> Array:
            return xp.full((batch, 2), -1, dtype=xp.int64, device=device)

        stage = xp.zeros((batch,), dtype=xp.int64, device=device)
        return TradeCommState(stage, items=unknown(), words=unknown(), proposals=unknown())

    def turn(self, state: TradeCommState) -> Array:
        xp = namespace(state.stage)
        mover = xp.where(state.stage < 5, (state.stage - 1) % 2, TERMINAL)
        return xp.where(state.stage == 0, CHANCE, mover)

    def legal_actions(self, state: TradeCommState, player: Array) -> Array:
        xp = namespace(player)
        word = xp.arange(self.max_actions, device=device_of(player))[None, :] < self.num_items
        return word == (state.stage < 3)[:, None]

    def chance_probabilities(self, state: TradeCommState) -> Array:
        xp = namespace(state.stage)
        shape = (state.stage.shape[0], self.num_chance_outcomes)
        return xp.full(shape, 1.0 / self.num_chance_outcomes, dtype=xp.float64, device=device_of(state.stage))

    def apply(self, state: TradeCommState, actions: Array) -> tuple[TradeCommState, Array]:
        xp = namespace(actions)
        dealing = state.stage == 0
        talking = ~dealing & (state.stage < 3)
        trading = (state.stage == 3) | (state.stage == 4)
        dealt = xp.stack([actions // self.num_items, actions % self.num_items], axis=1)
        after = TradeCommState(
            stage=state.stage + 1,
            items=xp.where(dealing[:, None], dealt, state.items),
            words=put_along(state.words, state.stage - 1, actions, talking),
            proposals=put_along(state.proposals, state.stage - 3, actions - self.num_items, trading),
        )
        first, second = after.items[:, 0], after.items[:, 1]
        wanted = xp.stack([first * self.num_items + second, second * self.num_items + first], axis=1)
        agreed = (state.stage == 4) & xp.all(after.proposals == wanted, axis=1)
        payoff = xp.astype(agreed, xp.float64)
        return after, xp.stack([payoff, payoff], axis=1)

    def observation(self, state: TradeCommState, player: Array) -> Array:
        xp = namespace(player)
        parts = [
            one_hot(player, 2),
            one_hot(take_along(state.items, player), self.num_items),
            xp.reshape(one_hot(state.words, self.num_items), (player.shape[0], -1)),
            one_hot(take_along(state.proposals, player), self.num_items**2),
        ]
        return xp.astype(xp.concat(parts, axis=1), xp.float32)

    def information_state(self, state: TradeCommState, player: Array) -> Array:
        xp = namespace(player)
        item, proposal = take_along(state.items, player), take_along(state.proposals, player)
        return xp.concat([item[:, None], state.words, proposal[:, None]], axis=1)

    def public_observation(self, state: TradeCommState) -> Array:
        return state.words

    def describe_information_state(self, player: int, key: Array) -> str:
        item, *words, proposal = (int(entry) for entry in np.asarray(key))
        said = f"item {item}: " + " ".join(str(word) for word in words if word >= 0)
        return f"{said}, {self.describe_action(player, self.num_items + proposal)}" if proposal >= 0 else said

    def describe_action(self, player: int, action: int) -> str:
        if action < self.num_items:
            return f"say {action}"
        given, wanted = divmod(action - self.num_items, self.num_items)
        return f"{given} for {wanted}"


def num_histories(num_items: int) -> int:
    """Histories: the deal and the words multiply them by M^2, M and M, each proposal by M^2."""
    return sum(num_items**power for power in (0, 2, 3, 4, 6, 8))


def _fact(num_items: int) -> Fact:
    m = num_items
    # Player 0 speaks knowing its item; player 1 has heard a word as well; both trade knowing item and both words.
    words, trades = (m, m**2), m**3
    return Fact(
        source="sizes by counting, as OpenSpiel 2.0.2; a uniform partner trades well with 1/M^2, so that knowing one's "
        "own item gains 1/M^3 - 1/M^4",
        parameters={"num_items": m},
        sizes={
            "terminals": m**8,
            "infosets": [count + trades for count in words],
            "sequences": [1 + count * m + trades * m**2 for count in words],
        },
        uniform_nash_conv=2 * (m - 1) / m**4,
    )


SPEC = GameSpec(
    id="trade_comm",
    family=Family.EXTENSIVE_FORM,
    title="Trade Comm",
    build=TradeComm,
    constant_sum=lambda num_items: num_items == 1,  # then there is one trade to propose, and it pays
    size=lambda num_items: num_histories(num_items),
    source="Sokota et al. (2021), Solving common-payoff games with approximate policy iteration, AAAI",
    parameters=(
        Parameter(name="num_items", default=2, low=1, high=30, description="kinds of items, and words to say"),
    ),
    facts=(_fact(2), _fact(3)),
)
