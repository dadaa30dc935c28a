"""Sums over the rounds of a self-play, several rounds in one go.

What the players' actions would have collected, where they played each, is a matrix for each player; adding each round
to it by itself reads and writes the matrix every round, 8 MB for 1000 actions. The terms are added in the order of the
rounds, so that the sums are the same to the bit however many rounds are added at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from eqenvs.arrays import Float64Array, joint_play
from eqsolvers.kernels import compiled

HELD = 1 << 18  # numbers of the rounds that wait: two megabytes, for a cache
LONGEST = 64  # rounds


@compiled
def add_products(total: Float64Array, left: Float64Array, right: Float64Array) -> None:
    """Add the products left[k, b, i] right[k, b, j] of all rounds k to total[b, i, j].

    Args:
        total: [B, M, A], changed.
        left: [K, B, M].
        right: [K, B, A].
    """
    rounds, batch, rows = left.shape
    columns = right.shape[2]
    fours = rounds - rounds % 4
    for b in range(batch):
        for i in range(rows):
            for k in range(0, fours, 4):
                # Four rounds for each time that a row is read and written.
                x0, x1, x2, x3 = left[k, b, i], left[k + 1, b, i], left[k + 2, b, i], left[k + 3, b, i]
                if x0 == 0.0 and x1 == 0.0 and x2 == 0.0 and x3 == 0.0:
                    continue  # as where strategies are nearly pure
                for j in range(columns):
                    total[b, i, j] = (
                        total[b, i, j]
                        + x0 * right[k, b, j]
                        + x1 * right[k + 1, b, j]
                        + x2 * right[k + 2, b, j]
                        + x3 * right[k + 3, b, j]
                    )
            for k in range(fours, rounds):
                for j in range(columns):
                    total[b, i, j] += left[k, b, i] * right[k, b, j]


@compiled
def add_weighted(total: Float64Array, weight: Float64Array, terms: Float64Array) -> None:
    """Add weight[k] terms[k, b, a] of all rounds k to total[b, a].

    Args:
        total: [B, A], changed.
        weight: [K].
        terms: [K, B, A].
    """
    rounds, batch, actions = terms.shape
    for k in range(rounds):
        for b in range(batch):
            for a in range(actions):
                total[b, a] += weight[k] * terms[k, b, a]


class Tallies:
    """The sums of a self-play.

    Args:
        batch: B.
        num_actions: each player's.
        keep_play: whether the players' joint play is added up.
        empirical: whether that is of other strategies than those of the averages and regrets.
    """

    def __init__(self, batch: int, num_actions: tuple[int, ...], *, keep_play: bool, empirical: bool = False) -> None:
        self._averages = [np.zeros((batch, actions)) for actions in num_actions]
        self._collected = [np.zeros((batch, actions, actions)) for actions in num_actions]
        self._play = np.zeros((batch, *num_actions)) if keep_play else None
        sizes = [*num_actions] * (3 if keep_play and empirical else 2)
        numbers = batch * (sum(sizes) + (prod(num_actions[:-1]) if keep_play else 0))
        rounds = max(1, min(LONGEST, HELD // numbers))
        held = [np.empty((rounds, batch, actions)) for actions in sizes]
        players = len(num_actions)
        self._played, self._gradients, self._shown = held[:players], held[players : 2 * players], held[2 * players :]
        self._weights = np.empty(rounds)
        self._waiting = 0  # rounds that are in no sum yet

    def add(
        self,
        weight: float,
        played: Sequence[Float64Array],
        gradients: Sequence[Float64Array],
        shown: Sequence[Float64Array] = (),
    ) -> None:
        """One round.

        Args:
            weight: in the averages.
            played: [B, A_p] of each player.
            gradients: what the actions would have collected, [B, A_p] of each player.
            shown: what counts for the joint play, where it is empirical.
        """
        row = self._waiting
        self._weights[row] = weight
        for held, own in zip(self._played, played, strict=True):
            held[row] = own
        for held, own in zip(self._gradients, gradients, strict=True):
            held[row] = own
        for held, own in zip(self._shown, shown, strict=True):
            held[row] = own
        self._waiting += 1
        if self._waiting == len(self._weights):
            self._settle()

    def averages(self) -> list[Float64Array]:
        """The weighted sums of the players' strategies, [B, A_p]."""
        self._settle()
        return self._averages

    def collected(self) -> list[Float64Array]:
        """[B, A_p, A_p] of each player: what the second action would have collected where the first was played."""
        self._settle()
        return self._collected

    def play(self) -> Float64Array | None:
        """The sum of the joint play, [B, A_0, ..., A_{N-1}]; None if it is not kept."""
        self._settle()
        return self._play

    def set(
        self, averages: Sequence[Float64Array], collected: Sequence[Float64Array], play: Float64Array | None
    ) -> None:
        """Go on from these sums, of the same shapes; they are copied."""
        self._waiting = 0
        self._averages = [np.array(sums, order="C") for sums in averages]
        self._collected = [np.array(sums, order="C") for sums in collected]
        self._play = None if play is None else np.array(play, order="C")

    def _settle(self) -> None:
        """Add what waits."""
        rounds, self._waiting = self._waiting, 0
        if rounds == 0:
            return
        for own, gradients, average, table in zip(
            self._played, self._gradients, self._averages, self._collected, strict=True
        ):
            add_weighted(average, self._weights[:rounds], own[:rounds])
            add_products(table, own[:rounds], gradients[:rounds])
        if self._play is not None:
            *before, last = [own[:rounds] for own in self._shown or self._played]
            batch, size = last.shape[1:]
            rows = joint_play([own.reshape(rounds * batch, -1) for own in before or [np.ones((rounds, batch, 1))]])
            add_products(self._play.reshape(batch, -1, size), rows.reshape(rounds, batch, -1), last)
