"""The best Markov reply, one that forgets, to opponents who have drawn one of K joint policies and keep to it.

The problem is NP-hard (Steimle, Kaufman and Denton 2021, "Multi-model Markov decision processes", IISE Transactions
53). Games with a horizon and few pure policies are searched through: one of them is best, the value being linear in
each row of a policy. Otherwise rows are improved, given all others, from the best replies to each component and to the
average play (after their weight-select-update heuristic), which gives a lower bound; the result says which it is.

A sweep computes reach and values once. With a horizon it goes backwards: all rows of a step are improved together,
given the reach from the steps before, which stand, and the values of the steps after, already improved; that never
lowers the value. Without one all rows are changed at once where the exact value rises by it, else the single row of
most promise, else the search ends. Cost: O(K E) a sweep for E transitions, and without a horizon 2K linear systems.

Budget: 1e9 multiplications to value the starts (those of the heaviest components, where there are too many), as many
again for all sweeps, from the best start on, and 100 sweeps of a start. Where the K processes have more than 2e7
numbers, the best of the starts is the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from scipy import sparse

from eqenvs.arrays import Float64Array, IntArray
from eqsolvers.scoring.chains import Chains, solved

MAX_SEARCHED = 4096  # pure policies
MAX_SWEEPS = 100  # of a start
MAX_EFFORT = 1_000_000_000  # multiplications, of valuing the starts and of all sweeps
MAX_NUMBERS = 20_000_000  # in the components' processes
ROUNDING = 1e-12  # of an improvement that counts, per unit of the values


class MarkovReply(NamedTuple):
    """What the player gets at the start by the best Markov policy that was found."""

    value: float
    best: bool  # whether there is none better
    choice: IntArray  # [I], the action at every decision point


def best_markov_reply(chains: Chains, player: int, opponents: Float64Array, weights: Float64Array) -> MarkovReply:
    """The best Markov reply that was found.

    Args:
        chains: the game.
        player: who deviates.
        opponents: [K, I, J] float64, the opponents' joint play in each component, J of their joint actions.
        weights: [K], of the components.
    """
    average = np.tensordot(weights, opponents, axes=1)
    if len(weights) == 1:
        values, choice = reply_to(chains, player, average)
        return MarkovReply(float(chains.at_start(values)), True, choice)
    legal = np.tile(chains.legal[player], (chains.horizon or 1, 1))
    fits = numbers(chains, opponents) <= MAX_NUMBERS
    problem = Mixture(chains, player, opponents, weights) if fits else None
    if problem and chains.horizon is not None and prod(legal.sum(axis=1).tolist()) <= MAX_SEARCHED:
        every = (np.array(pure) for pure in product(*(np.flatnonzero(row) for row in legal)))
        value, choice = _first_of_best((problem.value(pure), pure) for pure in every)
        return MarkovReply(value, True, choice)
    evaluations = MAX_EFFORT // (len(weights) * chains.effort)
    kept = np.argsort(-weights, kind="stable")[: max(0, evaluations - 1)]
    starts = [reply_to(chains, player, play)[1] for play in (average, *opponents[kept])]
    if problem is None:
        value, choice = _first_of_best((_value(chains, player, opponents, weights, start), start) for start in starts)
        return MarkovReply(value, False, choice)
    value, choice = _improved(problem, starts, evaluations // 2)
    return MarkovReply(value, False, choice)


def _first_of_best(found: Iterable[tuple[float, IntArray]]) -> tuple[float, IntArray]:
    return max(found, key=lambda pair: pair[0])


def numbers(chains: Chains, opponents: Float64Array) -> int:
    """How many numbers `Mixture` keeps, at most."""
    return int(len(opponents) * (chains.horizon or 1) * max(chains.kernel.nnz, len(chains.rewards)))


def reply_to(chains: Chains, player: int, others: Float64Array) -> tuple[Float64Array, IntArray]:
    """The best reply to opponents [I, J]: values and actions, [I] each."""
    own = chains.shape[1 + player]
    values, choice = chains.reply(
        player, _joined(chains, player, others, np.full((len(others), own), 1 / own)), told=False
    )
    return values, choice[:, 0]


def _joined(chains: Chains, player: int, others: Float64Array, table: Float64Array) -> Float64Array:
    """Joint play [I, A_0, ..., A_{N-1}]: the player's table [I, A_p], and the opponents' joint play [I, J]."""
    rest = [count for other, count in enumerate(chains.shape[1:]) if other != player]
    whole = (table[:, :, None] * others[:, None]).reshape(*table.shape, *rest)
    return np.moveaxis(whole, 1, 1 + player)


def _value(chains: Chains, player: int, opponents: Float64Array, weights: Float64Array, choice: IntArray) -> float:
    """At the start, of a pure policy [I], one component at a time."""
    table = np.eye(chains.shape[1 + player])[choice]
    each = [chains.at_start(chains.values(_joined(chains, player, others, table)))[player] for others in opponents]
    return float(weights @ np.array(each))


def _improved(problem: Mixture, starts: list[IntArray], sweeps: int) -> tuple[float, IntArray]:
    """The best value from any start, within so many sweeps, and the policy that has it."""
    distinct = list({start.tobytes(): start for start in starts}.values())
    ranked = sorted(((problem.value(start), start) for start in distinct), key=lambda pair: -pair[0])
    best = ranked[0]
    for value, start in ranked:
        choice = start
        for _ in range(MAX_SWEEPS):
            if sweeps <= 0:
                return best
            sweeps -= 1
            before = value
            choice, value = problem.swept(choice, before)
            best = _first_of_best((best, (value, choice)))
            if value <= before + ROUNDING * (1 + abs(before)):
                break
    return best


class Mixture:
    """One decision process for each component, all of them to be served by one policy."""

    def __init__(self, chains: Chains, player: int, opponents: Float64Array, weights: Float64Array) -> None:
        self.weights, self.discount, self.horizon = weights, chains.discount, chains.horizon
        self.initial, self.legal = chains.initial, chains.legal[player]
        states, own = self.legal.shape
        count = len(weights)
        self._near = np.zeros(
            (count, states)
        )  # values of the last policy; where there is no horizon, a guess of the next
        self._of: IntArray | None = None  # that policy
        self._own = np.arange(count * states).reshape(count, states) * own  # first row of each component and state
        self._paid: list[Float64Array] = []  # of each step, [K, S, A_p]
        self._kernel: list[sparse.csr_array] = []  # of each step, [K * S * A_p, K * S], in blocks
        for first in range(0, chains.points, states):
            paid, kernel = chains.facing(player, opponents[:, first : first + states])
            self._paid.append(paid[..., player])
            block = np.repeat(np.arange(count) * states, np.diff(kernel.indptr[:: states * own]))
            self._kernel.append(
                sparse.csr_array(
                    (kernel.data, kernel.indices + block, kernel.indptr), shape=(kernel.shape[0], count * states)
                )
            )

    def value(self, choice: IntArray) -> float:
        """At the start, expected over the components, of a pure policy [I]."""
        return float(self.weights @ (self.values(choice)[:, : len(self.legal)] @ self.initial))

    def values(self, choice: IntArray) -> Float64Array:
        """Of a pure policy [I] in each component, at every decision point: [K, I]."""
        states = len(self.legal)
        found = np.empty((len(self.weights), len(choice)))
        if self.horizon is None:
            if self._of is not None and (self._of == choice).all():
                return self._near
            at = self._own + choice
            for k, step in enumerate(self._steps(at)):
                paid = self._paid[0].reshape(-1)[at[k]]
                found[k] = solved(step, paid[:, None], self.discount, self._near[k][:, None])[:, 0]
            self._near, self._of = found, choice.copy()
            return found
        later = np.zeros((len(self.weights), states))
        for t in range(self.horizon - 1, -1, -1):
            part = slice(t * states, (t + 1) * states)
            later = found[:, part] = self._worth(t, later).reshape(-1)[self._own + choice[part]]
        return found

    def swept(self, choice: IntArray, value: float) -> tuple[IntArray, float]:
        """A pure policy that is no worse, and its value."""
        reach = self._reach(choice) * self.weights[:, None]
        states = len(self.legal)
        if self.horizon is None:
            total = self._promise(reach, self._worth(0, self.values(choice)))
            better = self._better(total, choice, value)
            found = self.value(better)
            if found <= value and (better != choice).any():
                kept = np.take_along_axis(total, choice[:, None], axis=1)[:, 0]
                row = int((total.max(axis=1) - kept).argmax())
                better = np.where(np.arange(states) == row, better, choice)
                found = self.value(better)
            return (better, found) if found > value else (choice, value)
        later, better = np.zeros((len(self.weights), states)), choice.copy()
        for t in range(self.horizon - 1, -1, -1):
            part = slice(t * states, (t + 1) * states)
            worth = self._worth(t, later)
            better[part] = self._better(self._promise(reach[:, part], worth), choice[part], value)
            later = worth.reshape(-1)[self._own + better[part]]
        found = float(self.weights @ (later @ self.initial))
        return (better, found) if found > value else (choice, value)

    def _worth(self, t: int, later: Float64Array) -> Float64Array:
        """What actions collect in each component, [K, S, A_p], states being worth [K, S] after."""
        collected: Float64Array = self._kernel[t] @ later.reshape(-1)
        return self._paid[t] + self.discount * collected.reshape(self._paid[t].shape)

    def _promise(self, reach: Float64Array, worth: Float64Array) -> Float64Array:
        """What the rows of a step collect over all components, [S, A_p]."""
        return np.where(self.legal, np.einsum("ks,ksa->sa", reach, worth), -np.inf)

    def _better(self, total: Float64Array, choice: IntArray, value: float) -> IntArray:
        kept = np.take_along_axis(total, choice[:, None], axis=1)[:, 0]
        return np.where(total.max(axis=1) > kept + ROUNDING * (1 + abs(value)), total.argmax(axis=1), choice)

    def _steps(self, at: IntArray) -> list[sparse.csr_array]:
        """Of a discounted game, the discounted transitions of each component, [S, S], the rows `at` being played."""
        states = at.shape[1]
        whole = self._kernel[0][at.reshape(-1)]
        parts = [whole[k * states : (k + 1) * states, k * states : (k + 1) * states] for k in range(len(at))]
        return [sparse.csr_array(self.discount * part) for part in parts]

    def _reach(self, choice: IntArray) -> Float64Array:
        """Of each component, the discounted probability of every decision point: [K, I]."""
        count, states = self._own.shape
        found = np.empty((count, len(choice)))
        if self.horizon is None:
            for k, step in enumerate(self._steps(self._own + choice)):
                found[k] = solved(sparse.csr_array(step.T), self.initial[:, None], self.discount)[:, 0]
            return found
        now = np.tile(self.initial, (count, 1))
        for t in range(self.horizon):
            part = slice(t * states, (t + 1) * states)
            found[:, part] = now
            played = np.zeros(self._kernel[t].shape[0])
            played[self._own + choice[part]] = now
            now = self.discount * (self._kernel[t].T @ played).reshape(count, states)
        return found
