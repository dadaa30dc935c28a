"""The game of N agents solved exactly, as the deviator's decision problem over counts of the others.

Everybody else plays one policy, so the others are exchangeable, and (moment, own state s, counts c of the other N - 1)
is a Markov decision process. In it all others move independently, given the mean field (c + e_s) / N: the next counts
are a sum of independent draws, whose distribution is built agent after agent. The best play in this process is the best
of all deviations, since what else the others' identities or the past could tell is worth nothing.

One population. Counts are numbered by the combinatorial number system of their suffix sums r_i = c_i + ... + c_{S-1}:
rank = sum_i binom(r_i + S - 1 - i, S - i) over i = 1 .. S - 1. It does not depend on how many agents there are, so one
table of successors serves all of them.

Cost of a moment: S (1 where moves do not depend on the mean field) times C distributions over C = binom(N - 2 + S,
S - 1) counts, each built in D binom(N - 2 + S, S) additions.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import GameTooLargeError
from eqenvs.kernels import compiled
from eqsolvers.scoring._population import (
    ENTRIES,
    Population,
    best_deviation,
    others_moves,
    own_fields,
    own_moves,
    own_rewards,
    probabilities,
    row_entries,
)

MAX_PAIRS = 1_000_000  # of an own state and counts
MAX_WORK = 5_000_000_000  # additions, about a second for each thousand million
MAX_KEPT = 20_000_000  # entries of the distributions kept from step to step


class Simplex(NamedTuple):
    """All counts of n agents over S states.

    Attributes:
        counts: [C, S] int64, in the order of their ranks.
        up: [C', S] int64, of n - 1 agents' counts the rank with one more agent in a state.
        size: [n + 1] int64, how many counts there are of 0 .. n agents.
    """

    counts: IntArray
    up: IntArray
    size: IntArray


class Size(NamedTuple):
    """What an exact score takes.

    Attributes:
        pairs: of an own state and counts.
        work: additions.
    """

    pairs: int
    work: int


def size_of(population: Population) -> Size:
    """What `solve` would take, without doing it."""
    states, others = population.model.num_states, int(population.sizes[0]) - 1
    wide = population.targets.state.shape[1]
    counts, below = comb(others + states - 1, states - 1), comb(others + states - 1, states)
    rows = counts * (1 if population.constant else states)
    build, apply = rows * below * wide, 3 * rows * counts * states
    if population.model.horizon is None:
        kept = population.steps if rows * counts > MAX_KEPT else 1
        return Size(states * counts, kept * build + population.steps * apply)
    passes = 1 if population.constant else 2
    return Size(states * counts, passes * population.num_moments * (build + apply))


def require_small(population: Population) -> None:
    """Refuse what would take too long, before anything is allocated.

    Raises:
        GameTooLargeError: with the numbers.
    """
    pairs, work = size_of(population)
    if pairs > MAX_PAIRS or work > MAX_WORK:
        raise GameTooLargeError(
            f"{int(population.sizes[0]):,} agents in {population.model.num_states:,} states: {_rounded(pairs)} pairs "
            f"of an own state and counts and {_rounded(work)} additions pass the limits {MAX_PAIRS:,} and "
            f"{MAX_WORK:,}; use fewer agents, or method 'estimate'"
        )


def _rounded(count: int) -> str:
    """Three digits, also of what no float holds."""
    return f"{count:.3g}" if count < 10**300 else "over 1e+300"


def simplex(agents: int, states: int) -> Simplex:
    """All counts of so many agents."""
    size = np.array([comb(n + states - 1, states - 1) for n in range(agents + 1)], dtype=np.int64)
    suffix = _suffix_sums(int(size[-1]), agents, states)
    ends = np.zeros((len(suffix), 1), dtype=np.int64)
    counts = np.concatenate([ends + agents, suffix], axis=1) - np.concatenate([suffix, ends], axis=1)
    table = np.array(
        [[comb(r + states - 1 - i, states - i) for r in range(agents + 1)] for i in range(1, states)], dtype=np.int64
    ).reshape(states - 1, agents + 1)
    fewer = suffix[: size[agents - 1]]
    terms = [np.zeros(len(fewer), dtype=np.int64)]
    up = np.empty((len(fewer), states), dtype=np.int64)
    up[:, 0] = np.arange(len(fewer))
    for i in range(states - 1):  # one more agent in state i + 1 adds 1 to the suffix sums up to there
        terms.append(terms[-1] + table[i][fewer[:, i] + 1] - table[i][fewer[:, i]])
        up[:, i + 1] = up[:, 0] + terms[-1]
    return Simplex(counts, up, size)


@compiled
def _suffix_sums(count: int, agents: int, states: int) -> IntArray:
    """[C, S - 1], non-increasing, in lexicographic order."""
    suffix = np.zeros((count, states - 1), dtype=np.int64)
    for row in range(1, count):
        suffix[row] = suffix[row - 1]
        for i in range(states - 2, -1, -1):
            if suffix[row, i] < (suffix[row, i - 1] if i > 0 else agents):
                suffix[row, i] += 1
                suffix[row, i + 1 :] = 0
                break
    return suffix


@compiled
def spread(
    up: IntArray, size: IntArray, counts: IntArray, moves: Float64Array, target: IntArray, after: Float64Array
) -> None:
    """Write into `after` [R, C] the distribution of counts where agents at `counts` [R, S] make `moves` [R, S, D]."""
    now, then = np.empty(size[-1]), np.empty(size[-1])
    for row in range(len(counts)):
        n = 0
        now[0] = 1.0
        for state in range(counts.shape[1]):
            for _ in range(counts[row, state]):
                then[: size[n + 1]] = 0.0
                for place in range(size[n]):
                    mass = now[place]
                    if mass == 0.0:
                        continue
                    for d in range(target.shape[1]):
                        then[up[place, target[state, d]]] += mass * moves[row, state, d]
                now, then = then, now
                n += 1
        after[row] = now


class Solved(NamedTuple):
    """What one agent gets, from the start.

    Attributes:
        values: [V], of each policy that was asked for.
        best: of the best of all deviations.
        largest: the largest reward in absolute value.
    """

    values: Float64Array
    best: float
    largest: float


class Counted:
    """The decision problem of one population's deviator.

    Attributes:
        population: the game.
        simplex: the others' counts.
    """

    def __init__(self, population: Population) -> None:
        """Lay it out.

        Raises:
            GameTooLargeError: if it is too large, before anything is allocated.
        """
        require_small(population)
        self.population = population
        self.simplex = simplex(int(population.sizes[0]) - 1, population.model.num_states)
        self._kept: dict[int, Float64Array] = {}

    def independent(self, distribution: Float64Array) -> Float64Array:
        """How likely counts are of agents who are each distributed as [S], [C]."""
        states = self.population.model.num_states
        after = np.empty((1, len(self.simplex.counts)))
        there = np.tile(np.arange(states), (states, 1))
        everybody = self.simplex.size.size - 1
        counts = np.zeros((1, states), dtype=np.int64)
        counts[0, 0] = everybody
        moves = np.tile(distribution, (1, states, 1))
        spread(self.simplex.up, self.simplex.size, counts, moves, there, after)
        return np.asarray(after[0])

    def _local(self, moment: int) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Rewards [C, S, A], own moves [C or 1, S, A, K], the others' moves [C, S or 1, S, D]."""
        population, counts = self.population, self.simplex.counts
        rows = max(1, ENTRIES // row_entries(population))
        parts = []
        for begin in range(0, len(counts), rows):
            some = counts[begin : begin + rows]
            moments = np.full(len(some), moment)
            fields = own_fields(population, some[:, None], 0)
            chance = probabilities(population, fields, moments)
            others = others_moves(population, chance, moments)[:, :, 0]
            parts.append((own_rewards(population, fields, moments, 0), own_moves(population, chance, 0), others))
        rewards, owns, moves = zip(*parts, strict=True)
        own = owns[0] if population.constant else np.concatenate(owns)
        return np.concatenate(rewards), own, np.concatenate(moves)

    def _next_counts(self, moment: int, others: Float64Array) -> Iterator[tuple[slice, Float64Array]]:
        """Some of the counts now with the distributions of those a step later, [counts, S or 1, C]."""
        counts, up, size = self.simplex
        wide, own = len(counts), others.shape[1]
        if moment in self._kept:
            yield slice(0, wide), self._kept[moment]
            return
        keep = self.population.model.horizon is None and wide * own * wide <= MAX_KEPT
        rows = wide if keep else max(1, ENTRIES // (own * wide))
        for begin in range(0, wide, rows):
            some = slice(begin, min(begin + rows, wide))
            moves = np.ascontiguousarray(others[some].reshape(-1, *others.shape[2:]))
            after = np.empty((len(moves), wide))
            spread(up, size, np.repeat(counts[some], own, axis=0), moves, self.population.targets.state, after)
            found = after.reshape(-1, own, wide)
            if keep:
                self._kept[moment] = found
            yield some, found

    def solve(self, policies: Float64Array) -> Solved:
        """What one agent gets by each of these policies [V, M, S, A] against the others', and by the best play."""
        population, model = self.population, self.population.model
        moments, (states, _, _) = model.moments, model.successors.shape
        count, wide = len(self.simplex.counts), len(policies) + 1
        stationary = model.horizon is None
        future = {len(moments.time): np.zeros((count, wide, states))}
        largest = 0.0
        local = self._local(0) if stationary else None
        for step in range(population.steps if stationary else population.num_moments):
            moment = 0 if stationary else population.num_moments - 1 - step
            reward, own, others = local or self._local(moment)
            largest = max(largest, float(np.abs(reward).max()))
            later = np.zeros((1, 1, wide, states))
            if moment in future:  # not at the last moments
                worth = future.pop(moment).reshape(count, -1)
                parts = [after @ worth for _, after in self._next_counts(moment, others)]
                later = np.concatenate(parts).reshape(count, -1, wide, states)
            value = self._pull(policies[:, moment], reward, own, later)
            before = moment if stationary else int(moments.parent[moment])
            before = len(moments.time) if before < 0 else before
            if stationary:
                future[moment] = value
            else:
                held = future.setdefault(before, np.zeros_like(value))
                held += moments.probability[moment] * value
        total = future[0 if stationary else len(moments.time)]
        start = population.start[0]
        found = np.einsum("c,cvs,s->v", self.independent(start), total, start)
        return Solved(found[:-1], float(found[-1]), largest)

    def _pull(
        self, policies: Float64Array, reward: Float64Array, own: Float64Array, later: Float64Array
    ) -> Float64Array:
        """One moment: [C, V + 1, S], of the policies [V, S, A] and, last, the best actions."""
        model = self.population.model
        state = np.arange(model.num_states)[:, None, None]
        value = np.empty((len(reward), len(policies) + 1, model.num_states))
        for which in range(value.shape[1]):
            arm = later[:, :, which]  # [C, S or 1, S]
            arm = np.broadcast_to(arm, (len(arm), model.num_states, model.num_states))
            follows = (own * arm[:, state, model.successors]).sum(axis=-1)
            quality = reward + model.discount * follows
            if which < len(policies):
                value[:, which] = (policies[which] * quality).sum(axis=-1)
            else:
                value[:, which] = np.where(model.legal, quality, -np.inf).max(axis=-1)
        return value

    def deviation(self) -> Float64Array:
        """A good pure policy [M, S, A] that sees what the policy sees.

        It is the best against rewards and moves averaged over the counts that a player of the policy meets there. Where
        nobody's moves depend on the mean field, no other of its kind does better: one's own state tells nothing of the
        counts, which are those of independent draws from the flow.
        """
        population, model = self.population, self.population.model
        reward = np.empty((population.num_moments, *model.legal.shape))
        chance = np.empty((*reward.shape, model.successors.shape[2]))
        followed = not population.constant and model.horizon is not None
        law: dict[int, Float64Array] = {}
        for moment in range(len(reward)):
            paid, own, others = self._local(moment)
            likely = self.independent(population.flow[moment, 0])[:, None]
            if followed:
                if model.moments.parent[moment] < 0:
                    law[moment] = likely * population.start[0]
                here = law.pop(moment)
                mass = here.sum(axis=0)
                likely = np.divide(here, mass, out=np.tile(likely, (1, len(mass))), where=mass > 0)
                children = np.flatnonzero(model.moments.parent == moment)
                if len(children):
                    law |= dict.fromkeys(children.tolist(), self._followed(moment, here, own, others))
            reward[moment] = np.einsum("cs,csa->sa", np.broadcast_to(likely, paid.shape[:2]), paid)
            chance[moment] = own[0] if len(own) == 1 else np.einsum("cs,csak->sak", likely, own)
        return best_deviation(population, reward, chance)

    def _followed(self, moment: int, here: Float64Array, own: Float64Array, others: Float64Array) -> Float64Array:
        """How likely counts and own states are a step later, [C, S], where the deviator plays the policy."""
        model = self.population.model
        going = here[..., None, None] * self.population.policy[moment, 0][..., None] * own
        after = np.zeros_like(here)
        place = np.eye(model.num_states)[model.successors]  # [S, A, K, S]
        leaving = np.einsum("csak,sakt->cst", going, place, optimize=True)
        for some, counts in self._next_counts(moment, others):
            after += np.einsum("rsc,rst->ct", counts, leaving[some], optimize=True)
        return after
