"""The Tiny Hanabi suite: six common-payoff games of a card each, one public move and one answer.

Both players are dealt a card independently and uniformly, player 0 acts in public, player 1 answers, and the two cards
and two actions give the common payoff. The games are by Burch and Bard (2018) and published in Sokota, Lockhart,
Timbers, Davoodi, D'Orazio, Burch, Schmid, Bowling and Lanctot (2021), "Solving common-payoff games with approximate
policy iteration", AAAI; game E is the matrix game of Foerster et al. (2019), "Bayesian action decoder", ICML, and the
one that OpenSpiel plays by default.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, device_of, namespace, one_hot, put_along, take_along
from eqenvs.rules import CHANCE, TERMINAL, Rules
from eqenvs.spec import Fact, Family, GameSpec, Parameter

# payoff[card of 0][card of 1][action of 0][action of 1]
PAYOFFS = {
    "A": [[[[0, 1], [0, 0]], [[0, 1], [3, 2]]], [[[3, 3], [3, 2]], [[2, 0], [3, 3]]]],
    "B": [[[[1, 0], [1, 0]], [[0, 1], [0, 1]]], [[[0, 1], [0, 0]], [[1, 0], [1, 0]]]],
    "C": [[[[3, 0], [0, 3]], [[2, 0], [3, 3]]], [[[2, 2], [3, 0]], [[0, 1], [0, 2]]]],
    "D": [[[[3, 0], [1, 3]], [[3, 0], [3, 0]]], [[[3, 2], [0, 2]], [[0, 1], [0, 0]]]],
    "E": [
        [[[10, 0, 0], [4, 8, 4], [10, 0, 0]], [[0, 0, 10], [4, 8, 4], [0, 0, 10]]],
        [[[0, 0, 10], [4, 8, 4], [0, 0, 0]], [[10, 0, 0], [4, 8, 4], [10, 0, 0]]],
    ],
    "F": [
        [[[0, 3], [3, 2]], [[0, 0], [0, 1]], [[3, 1], [2, 1]]],
        [[[0, 2], [0, 1]], [[1, 2], [1, 2]], [[0, 1], [0, 3]]],
        [[[1, 3], [1, 2]], [[0, 3], [2, 2]], [[3, 1], [3, 0]]],
    ],
}


class TinyHanabiState(NamedTuple):
    """A batch of games; -1 stands for what has not happened yet."""

    stage: Array  # [B] int64, moves made: two deals, then two actions
    cards: Array  # [B, 2] int64
    actions: Array  # [B, 2] int64


class TinyHanabi(Rules[TinyHanabiState]):
    """Tiny Hanabi.

    Observation: float32 [2 + C + 2 A], one-hot player, its card, and both actions as far as they are made (C cards and
    A actions: 2 and 2, but 2 and 3 in game E, 3 and 2 in game F).
    Actions: 0 .. A - 1.
    Reward: the same to both at the end, from the variant's table; common payoff.

    Version history: 0, first version.
    """

    def __init__(self, variant: str = "E") -> None:
        self.variant = variant
        self.payoffs = np.array(PAYOFFS[variant], dtype=np.float64)
        self.num_cards, _, self.actions_each, _ = self.payoffs.shape
        self.num_players = 2
        self.num_actions = (self.actions_each,) * 2
        self.num_chance_outcomes = self.num_cards
        self.observation_size = 2 + self.num_cards + 2 * self.actions_each
        self._tables: dict[tuple[str, str], Array] = {}

    def _on(self, xp: Any, device: Any) -> Array:
        """The payoffs, flat, in the batch's library and device; made once for each."""
        where = (xp.__name__, str(device))
        if where not in self._tables:
            self._tables[where] = xp.asarray(self.payoffs.reshape(-1), device=device)
        return self._tables[where]

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> TinyHanabiState:
        return TinyHanabiState(
            stage=xp.zeros((batch,), dtype=xp.int64, device=device),
            cards=xp.full((batch, 2), -1, dtype=xp.int64, device=device),
            actions=xp.full((batch, 2), -1, dtype=xp.int64, device=device),
        )

    def turn(self, state: TinyHanabiState) -> Array:
        xp = namespace(state.stage)
        mover = xp.where(state.stage < 4, state.stage - 2, TERMINAL)
        return xp.where(state.stage < 2, CHANCE, mover)

    def legal_actions(self, state: TinyHanabiState, player: Array) -> Array:
        xp = namespace(player)
        return xp.ones((player.shape[0], self.actions_each), dtype=xp.bool, device=device_of(player))

    def chance_probabilities(self, state: TinyHanabiState) -> Array:
        xp = namespace(state.stage)
        shape = (state.stage.shape[0], self.num_cards)
        return xp.full(shape, 1.0 / self.num_cards, dtype=xp.float64, device=device_of(state.stage))

    def apply(self, state: TinyHanabiState, actions: Array) -> tuple[TinyHanabiState, Array]:
        xp = namespace(actions)
        dealing, last = state.stage < 2, state.stage == 3
        after = TinyHanabiState(
            stage=state.stage + 1,
            cards=put_along(state.cards, state.stage, actions, dealing),
            actions=put_along(state.actions, state.stage - 2, actions, ~dealing),
        )
        cell = after.cards[:, 0] * self.num_cards + after.cards[:, 1]
        cell = (cell * self.actions_each + after.actions[:, 0]) * self.actions_each + after.actions[:, 1]
        payoff = xp.where(last, self._on(xp, device_of(actions))[xp.where(last, cell, 0)], 0.0)
        return after, xp.stack([payoff, payoff], axis=1)

    def observation(self, state: TinyHanabiState, player: Array) -> Array:
        xp = namespace(player)
        parts = [
            one_hot(player, 2),
            one_hot(take_along(state.cards, player), self.num_cards),
            xp.reshape(one_hot(state.actions, self.actions_each), (player.shape[0], -1)),
        ]
        return xp.astype(xp.concat(parts, axis=1), xp.float32)

    def information_state(self, state: TinyHanabiState, player: Array) -> Array:
        xp = namespace(player)
        return xp.concat([take_along(state.cards, player)[:, None], state.actions], axis=1)

    def public_observation(self, state: TinyHanabiState) -> Array:
        return state.actions

    def describe_information_state(self, player: int, key: Array) -> str:
        card, *actions = (int(entry) for entry in np.asarray(key))
        return f"card {card}:" + "".join(str(action) for action in actions if action >= 0)


def _fact(variant: str, optimum: str) -> Fact:
    payoffs = np.array(PAYOFFS[variant])
    cards, actions = payoffs.shape[0], payoffs.shape[2]
    infosets = [cards, cards * actions]
    return Fact(
        source=f"C cards, A actions: sizes by counting; best joint policy {optimum}, Sokota et al. (2021)",
        parameters={"variant": variant},
        sizes={
            "terminals": payoffs.size,
            "infosets": infosets,
            "sequences": [1 + actions * count for count in infosets],
        },
    )


SPEC = GameSpec(
    id="tiny_hanabi",
    family=Family.EXTENSIVE_FORM,
    title="Tiny Hanabi",
    build=TinyHanabi,
    constant_sum=False,
    source="Sokota et al. (2021), Solving common-payoff games with approximate policy iteration, AAAI",
    parameters=(
        Parameter(
            name="variant",
            default="E",
            kind=str,
            choices=tuple(PAYOFFS),
            description="which game of the suite; E is OpenSpiel's",
        ),
    ),
    facts=tuple(
        _fact(variant, optimum)
        for variant, optimum in (("A", "9/4"), ("B", "1"), ("C", "5/2"), ("D", "5/2"), ("E", "10"), ("F", "7/3"))
    ),
)
