"""Markov games under fixed joint play: values, and one player's best reply, both exact.

Joint play is a distribution over the joint actions at every decision point, [I, A_0, ..., A_{N-1}]: what Markov
policies that randomise independently give, and what a correlation device drawn anew at every point gives. Against it a
player faces a Markov decision process, whether it has committed before the draws or hears its own part of each draw
first, so the best reply needs no memory.

Infinite discounted games are solved by policy iteration (Howard 1960), each policy by a linear system; games with a
horizon by backward induction. Cost: O(E) a step of induction for E transitions. The linear system of a policy is
factorised up to 400 states, and beyond where it is nearly deterministic, so that its factors stay small. Otherwise
BiCGSTAB (van der Vorst 1992, SIAM Journal on Scientific and Statistical Computing 13) solves it, O(E) an iteration,
until the residual shows a relative error of 1e-12 or is rounding; where it stalls, systems of up to 5000 states, and
larger ones of a small bandwidth, are factorised after all, and others iterated on.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph, linalg

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.markov import MarkovModel
from eqsolvers.scoring.scorers import kept_with_model

DENSE = 400  # states up to which systems are factorised
ROUNDING = 1e-13  # of a policy's improvement that counts, per unit of the values
AIM = 1e-15  # residual of an iterative solution per unit of it that is tried for
ACCURACY = 1e-12  # error per unit of the solution that its residual must show, unless that is rounding:
FLOOR = 16 * float(np.finfo(np.float64).eps)  # residual per unit of the solution
STALLED = 50  # steps without progress after which a residual is rounding
REFINEMENTS = 6  # of an iterative solution, each of the residual that is left
MOST_STEPS = 500  # of BiCGSTAB in one of them
MOST_BRANCHES = 2000  # transitions beyond one a state: the factors have at most some 4 times its square of entries
# States up to which systems are factorised where BiCGSTAB stalls or there are at most two transitions a state. Where it
# stalls, larger systems too if their bandwidth times the states is at most the square of this.
MOST_FACTORISED = 5000
MAX_POLICIES = 10_000  # of policy iteration, which in practice needs a few


class Chains:
    """A model in the form of matrices.

    Attributes:
        kernel: [R, S] sparse, the successors of each row; the end of the game is left out, being worth nothing.
        rewards: [R, N].
        shape: [S, A_0, ..., A_{N-1}].
        points: decision points of each player: S, or S times the horizon.
        discount, horizon, initial, legal: as in the model, which is not kept.
    """

    def __init__(self, model: MarkovModel) -> None:
        start, state, probability = model.successors
        width = model.num_states + 1
        whole = sparse.csr_array((probability, state, start), shape=(model.num_rows, width))
        self.discount, self.horizon, self.initial, self.legal = (
            model.discount,
            model.horizon,
            model.initial,
            model.legal,
        )
        self.kernel = sparse.csr_array(whole[:, : width - 1])
        self.rewards = model.row_rewards
        self.shape = model.reward.shape[1:]
        self.points = model.num_points

    @property
    def num_states(self) -> int:
        """S."""
        return int(self.shape[0])

    @cached_property
    def profiles(self) -> int:
        """Joint actions of a state, illegal ones counted."""
        return int(np.prod(self.shape[1:]))

    def action_values(self, values: Float64Array) -> Float64Array:
        """What each row pays from here on, [S, A_0, ..., A_{N-1}, N], states being worth `values` [S, N]."""
        collected = self.rewards + self.discount * (self.kernel @ values)
        return collected.reshape(*self.shape, -1)

    def values(self, joint: Float64Array) -> Float64Array:
        """The players' values at every decision point under joint play [I, A_0, ..., A_{N-1}]: [I, N]."""
        flat = joint.reshape(self.points, self.profiles)
        if self.horizon is None:
            return self.stationary(flat, self._expected(flat, self.rewards))
        states, found = self.num_states, np.zeros((self.points + self.num_states, self.rewards.shape[1]))
        for first in range(self.points - states, -1, -states):
            later = found[first + states : first + 2 * states]
            collected = self.rewards + self.discount * (self.kernel @ later)
            found[first : first + states] = self._expected(flat[first : first + states], collected)
        return found[: self.points]

    def at_start(self, values: Float64Array) -> Float64Array:
        """Values at the decision points [I, ...], expected over the first state."""
        worth: Float64Array = self.initial @ values[: self.num_states]
        return worth

    def stationary(self, flat: Float64Array, paid: Float64Array, near: Float64Array | None = None) -> Float64Array:
        """Discounted sums of what play [S, profiles] is paid [S, M] a step, from every state: [S, M].

        Args:
            flat: play.
            paid: a step.
            near: a guess of the result, which may save time.
        """
        return solved(self.discount * (self._averaging(flat) @ self.kernel), paid, self.discount, near)

    def facing(self, player: int, others: Float64Array) -> tuple[Float64Array, sparse.csr_array]:
        """A player's decision processes against K ways in which the others play at one step.

        Args:
            player: who decides.
            others: [K, S, J], of the others' joint actions.

        Returns:
            What all players are paid for its actions, [K, S, A_p, N], and the successors, [K * S * A_p, S] sparse.
        """
        own = self.shape[1 + player]
        moved = np.moveaxis(np.arange(len(self.rewards)).reshape(self.shape), 1 + player, 1)
        rows = moved.reshape(self.num_states, own, -1)
        component, state, joint = np.nonzero(others)
        to = ((component * self.num_states + state) * own)[:, None] + np.arange(own)
        weight = np.repeat(others[component, state, joint], own)
        shape = (len(others) * self.num_states * own, len(self.rewards))
        average = sparse.csr_array((weight, (to.reshape(-1), rows[state, :, joint].reshape(-1))), shape=shape)
        paid = (average @ self.rewards).reshape(len(others), self.num_states, own, -1)
        return paid, sparse.csr_array(average @ self.kernel)

    def values_of_tables(self, player: int, others: Float64Array, tables: Float64Array) -> Float64Array:
        """All players' values at the start where one plays each of K tables, against the others' joint play: [K, N].

        Args:
            player: whose tables they are.
            others: [I, J].
            tables: [K, I, A_p].
        """
        states = self.num_states
        later = np.zeros((states, len(tables), self.rewards.shape[1]))
        for first in range(self.points - states, -1, -states):
            part = slice(first, first + states)
            paid, kernel = self.facing(player, others[None, part])
            if self.horizon is None:
                own = sparse.csr_array(kernel)
                later = np.stack([self._value_of_table(table, paid[0], own) for table in tables], axis=1)
                break
            after = (kernel @ later.reshape(states, -1)).reshape(*paid.shape[1:3], *later.shape[1:])
            later = np.einsum("ksa,sakn->skn", tables[:, part], paid[0][:, :, None] + self.discount * after)
        found: Float64Array = np.tensordot(self.initial, later, axes=1)
        return found

    def _value_of_table(self, table: Float64Array, paid: Float64Array, kernel: sparse.csr_array) -> Float64Array:
        """[S, N] of a table [S, A] where its actions are paid [S, A, N] and lead on by [S * A, S]."""
        states, own = table.shape
        average = sparse.csr_array(
            (table.reshape(-1), np.arange(table.size), np.arange(states + 1) * own), shape=(states, table.size)
        )
        return solved(self.discount * (average @ kernel), np.einsum("sa,san->sn", table, paid), self.discount)

    @cached_property
    def effort(self) -> int:
        """Of evaluating a policy, in multiplications, roughly; calls are counted as some."""
        if self.horizon is not None:
            return int(self.horizon * (self.kernel.nnz + 5_000))
        solving = self.num_states**3 // 3 if self.num_states <= DENSE else 200 * self.kernel.nnz
        return int(self.kernel.nnz + solving + 20_000)

    def reply(
        self, player: int, joint: Float64Array, *, told: bool, start: IntArray | None = None
    ) -> tuple[Float64Array, IntArray]:
        """A player's best reply to joint play.

        Args:
            player: who deviates.
            joint: [I, A_0, ..., A_{N-1}].
            told: whether it hears its own part of each draw before it chooses; else its part is summed over.
            start: a reply that policy iteration starts from, as it is returned; where there is a horizon, of no use.

        Returns:
            Its values at every decision point [I], and what it plays: an action for each point [I, 1], or for each
            point and recommendation [I, A_p].
        """
        own = self.shape[1:][player]
        # [I, A_p, rest]: what is recommended, and the others' actions.
        moved = np.moveaxis(joint.reshape(self.points, *self.shape[1:]), 1 + player, 1).reshape(self.points, own, -1)
        heard = moved if told else moved.sum(axis=1, keepdims=True)
        if self.horizon is None:
            return self._policy_iteration(player, heard, start)
        states = self.num_states
        later, values = np.zeros(states), np.empty(self.points)
        choice = np.empty((self.points, heard.shape[1]), dtype=np.int64)
        for first in range(self.points - states, -1, -states):
            part = slice(first, first + states)
            worth = self._worth(player, heard[part], later)
            choice[part] = worth.argmax(axis=2)
            later = values[part] = worth.max(axis=2).sum(axis=1)
        return values, choice

    def _policy_iteration(
        self, player: int, heard: Float64Array, start: IntArray | None
    ) -> tuple[Float64Array, IntArray]:
        states = self.num_states
        choice = self._worth(player, heard, np.zeros(states)).argmax(axis=2) if start is None else start
        values = np.zeros(states)
        # An iterative solution's error must not look like an improvement, or policies would follow each other for ever.
        rounding = ROUNDING if states <= DENSE else ROUNDING + FLOOR / (1.0 - self.discount)
        for _ in range(MAX_POLICIES):
            flat = self._with_choice(player, heard, choice)
            paid = self._expected(flat, self.rewards[:, player : player + 1])
            values = self.stationary(flat, paid, values[:, None])[:, 0]
            worth = self._worth(player, heard, values)
            kept = np.take_along_axis(worth, choice[:, :, None], axis=2)[:, :, 0]
            better = worth.max(axis=2) > kept + rounding * (1.0 + np.abs(values).max())
            if not better.any():
                break
            choice = np.where(better, worth.argmax(axis=2), choice)
        return values, choice

    def _worth(self, player: int, heard: Float64Array, values: Float64Array) -> Float64Array:
        """What each own action collects after each recommendation, weighted by its probability: [S, heard, A_p]."""
        collected = self.rewards[:, player] + self.discount * (self.kernel @ values)
        moved = np.moveaxis(collected.reshape(self.shape), 1 + player, 1).reshape(
            len(values), self.shape[1 + player], -1
        )
        worth = heard @ moved.transpose(0, 2, 1)
        return np.where(self.legal[player][:, None, :], worth, -np.inf)

    def _with_choice(self, player: int, heard: Float64Array, choice: IntArray) -> Float64Array:
        """The joint play once the player does what it chose, [S, profiles]."""
        states, own = choice.shape[0], self.shape[1 + player]
        indicator = (choice[:, :, None] == np.arange(own)).astype(np.float64)
        played = indicator.transpose(0, 2, 1) @ heard
        rest = [count for other, count in enumerate(self.shape[1:]) if other != player]
        whole: Float64Array = np.moveaxis(played.reshape(states, own, *rest), 1, 1 + player).reshape(states, -1)
        return whole

    def _expected(self, flat: Float64Array, collected: Float64Array) -> Float64Array:
        """The average over each state's rows, [S, M], of what they collect [R, M]."""
        found: Float64Array = np.einsum("sj,sjm->sm", flat, collected.reshape(*flat.shape, -1))
        return found

    def _averaging(self, flat: Float64Array) -> sparse.csr_array:
        """[S, R] sparse, the average over each state's rows."""
        played = np.flatnonzero(flat)
        start = np.searchsorted(played, np.arange(len(flat) + 1) * flat.shape[1])
        return sparse.csr_array((flat.reshape(-1)[played], played, start), shape=(len(flat), self.kernel.shape[0]))


def solved(
    step: sparse.csr_array, paid: Float64Array, discount: float, near: Float64Array | None = None
) -> Float64Array:
    """The solution x of x = paid + step x, [S, M].

    Args:
        step: [S, S], nonnegative; row sums, or column sums, are up to `discount`.
        paid: [S, M].
        discount: below 1.
        near: a guess of the result, which may save time.
    """
    states = step.shape[0]
    if states <= DENSE:
        return np.linalg.solve(np.eye(states) - step.toarray(), paid)
    if step.nnz <= states + MOST_BRANCHES or (states <= MOST_FACTORISED and step.nnz <= 2 * states):
        return _factorised(step, paid)
    guesses = np.zeros_like(paid) if near is None else near
    return np.stack([_iterated(step, b, x, discount) for b, x in zip(paid.T, guesses.T, strict=True)], axis=1)


def _can_be_factorised(step: sparse.csr_array) -> bool:
    """Whether the factors are sure to be small: the bandwidth is that of the order of Cuthill and McKee (1969)."""
    states = step.shape[0]
    if states <= MOST_FACTORISED:
        return True
    order = csgraph.reverse_cuthill_mckee(sparse.csr_matrix(step))
    place = np.empty(states, dtype=np.int64)
    place[order] = np.arange(states)
    entries = step.tocoo()
    return states * int(np.abs(place[entries.row] - place[entries.col]).max(initial=0)) <= MOST_FACTORISED**2


def _factorised(step: sparse.csr_array, paid: Float64Array) -> Float64Array:
    """By a sparse factorisation, refined once."""
    factors = linalg.splu((sparse.eye_array(step.shape[0]) - step).tocsc())
    found = factors.solve(paid)
    refined: Float64Array = found + factors.solve(paid + step @ found - found)
    return refined


def _iterated(step: sparse.csr_array, paid: Float64Array, near: Float64Array, discount: float) -> Float64Array:
    """One column by BiCGSTAB.

    The error is the residual over 1 - discount at most. Where BiCGSTAB stalls before that is small enough,
    x <- paid + step x goes on, which takes off what is rounding at once, and the rest slowly but certainly.
    """
    system: Any = linalg.LinearOperator(step.shape, matvec=lambda x: x - step @ x, dtype=np.float64)
    enough = max(ACCURACY * (1.0 - discount), FLOOR)
    found, left, size = near, paid + step @ near - near, 0.0
    for _ in range(REFINEMENTS):
        size = max(float(np.abs(found).max()), float(np.abs(paid).max()))
        if (before := float(np.abs(left).max())) <= AIM * size:
            return found
        change, _ = linalg.bicgstab(system, left, rtol=1e-12, atol=0.0, maxiter=MOST_STEPS)
        better = found + change
        after = paid + step @ better - better
        if not float(np.abs(after).max()) < before:  # nor NaN
            break
        found, left = better, after
        if float(np.abs(left).max()) > 0.1 * before:
            break
    least, since, taken = np.inf, 0, 0
    while (error := float(np.abs(left).max())) > enough * size and since < STALLED:
        if taken == STALLED and _can_be_factorised(step):
            return _factorised(step, paid[:, None])[:, 0]
        least, since, taken = *((error, 0) if error < least else (least, since + 1)), taken + 1
        found = found + left
        left = paid + step @ found - found
        size = max(float(np.abs(found).max()), float(np.abs(paid).max()))
    if error > enough * size and _can_be_factorised(step):
        return _factorised(step, paid[:, None])[:, 0]
    return found


@kept_with_model
def chains(model: MarkovModel) -> Chains:
    """The matrices of a model, made once and kept for as long as the model."""
    return Chains(model)
