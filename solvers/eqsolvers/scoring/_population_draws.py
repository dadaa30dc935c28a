"""Play of N agents drawn as counts: the others' moves are multinomial, so a million agents cost no more than a hundred.

Two estimators of what a deviation gains over the policy, both unbiased, both with one figure per episode:

- `conditional`: the others are drawn, the deviator is not: all its paths are followed at once, each weighed by how
  likely the others' moves are if it is there, relative to the law they were drawn from (importance sampling; that law
  is the average over where the deviator may be, under both plays and given what the others did so far). Where moves do
  not depend on the mean field all weights are 1, and this is Rao and Blackwell's conditional expectation. Elsewhere the
  weights spread with the number of steps divided by N; `effective` says how far.
- `paired`: both plays are drawn, with as many of the others' moves in common as their distributions have (maximal
  coupling), and one number for where the deviator goes.

To first order a gain fluctuates with the counts, like 1 / sqrt(N), where its mean falls like 1 / N. `conditional` keeps
what each draw of counts was off its mean, and what these say of the figures (`learned`, from other
episodes) can be taken out: control variates of mean 0, so nothing is biased.

What the policy itself is worth needs no deviator: `everybody` draws all agents and takes their mean.

Cost of an episode's step: `conditional` O(S) mean fields, `paired` two, `everybody` one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.mean_field import Moment
from eqsolvers.scoring._population import (
    ENTRIES,
    Population,
    children_of,
    landed,
    moment_at,
    others_moves,
    own_fields,
    own_moves,
    own_rewards,
    probabilities,
    row_entries,
)

EPISODES_EACH = 4  # the fewest episodes for each surprise that is kept


class Played(NamedTuple):
    """Episodes.

    Attributes:
        values: [E, V], of the policy and of deviations.
        weight: [E, V], what the deviator's paths weigh in all at the end; 1 where nothing was weighed.
        surprise: [E, F], counts less their means given what was before; F = 0 where they were not kept.
    """

    values: Float64Array
    weight: Float64Array
    surprise: Float64Array

    @property
    def effective(self) -> float:
        """The share of the episodes that count, 1 / (1 + squared variation of the weights), the least of the plays."""
        spread = self.weight.var(axis=0) / np.maximum(self.weight.mean(axis=0), 1e-300) ** 2
        return float((1 / (1 + spread)).min())


class Met(NamedTuple):
    """What the deviator met on average, by moment and its own state.

    Attributes:
        reward: [M, S, A].
        probability: [M, S, A, K].
    """

    reward: Float64Array
    probability: Float64Array


def _chunks(population: Population, episodes: int, rng: np.random.SeedSequence) -> Iterator[Any]:
    """(generator, episodes) of parts that fit in memory; sizes and streams depend on the game alone."""
    size = max(1, min(1000, ENTRIES // row_entries(population)))
    full, rest = divmod(episodes, size)
    sizes = [size] * full + [rest] * (rest > 0)
    return zip((np.random.default_rng(stream) for stream in rng.spawn(len(sizes))), sizes, strict=True)


def _multinomial(rng: np.random.Generator, count: IntArray, probability: Float64Array) -> IntArray:
    """Draws with rows made to sum to 1; rows of no mass only ever have nobody to place, or one place."""
    clipped = np.maximum(probability, 0.0)
    total = clipped.sum(axis=-1, keepdims=True)
    rows = np.divide(clipped, total, out=np.zeros_like(clipped), where=total > 0)
    rows[..., 0] += np.where(total[..., 0] > 0, 0.0, 1.0)
    return rng.multinomial(count, rows)


class _Clock:
    """Which moments episodes are at."""

    def __init__(self, population: Population, rng: np.random.Generator, episodes: int) -> None:
        self._rng, self._stationary = rng, population.model.horizon is None
        self._child, chance = children_of(population.model)
        self._cumulative = chance.cumsum(axis=1)
        self.now = np.full(episodes, population.num_moments)
        self.go_on()

    def go_on(self) -> None:
        """To the next moments."""
        if self._stationary:
            self.now = np.zeros_like(self.now)
        elif self._child.shape[1] == 1:
            self.now = self._child[self.now, 0]
        else:
            draw = self._rng.random((len(self.now), 1)) * self._cumulative[self.now, -1:]
            column = (self._cumulative[self.now] <= draw).sum(axis=1)
            self.now = self._child[self.now, np.minimum(column, self._child.shape[1] - 1)]


def _first(population: Population, deviator: int, rng: np.random.Generator, episodes: int) -> IntArray:
    """The others' first counts, [E, P, S]."""
    others = np.broadcast_to(population.others(deviator), (episodes, len(population.start)))
    return _multinomial(rng, others, np.broadcast_to(population.start, (*others.shape, population.start.shape[1])))


def limit(population: Population, deviator: int) -> Met:
    """The mean field of the limit with the deviator in it."""
    model, others = population.model, population.others(deviator)
    state = np.arange(model.num_states)
    rewards, chances = [], []
    for moment in range(population.num_moments):
        now = np.array([moment])
        at = np.repeat((population.flow[moment] * others[:, None])[None, None], model.num_states, axis=1)
        at[:, state, deviator, state] += 1.0
        fields = at / population.sizes[:, None]
        rewards.append(own_rewards(population, fields, now, deviator)[0])
        chances.append(own_moves(population, probabilities(population, fields, now), deviator)[0])
    return Met(np.stack(rewards), np.stack(chances))


def met(population: Population, deviator: int, episodes: int, stream: np.random.SeedSequence) -> Met:
    """What a deviator meets where it plays as all do until then, from about as many episodes."""
    found = limit(population, deviator)
    if population.constant:
        return Met(_independent(population, deviator, episodes, stream), found.probability)
    # The limit counts as one more episode: it is what is left where the noise's history was never drawn.
    (reward, chance), count = found, np.ones(population.num_moments)
    policy = population.policy[:, deviator]
    for rng, size in _chunks(population, episodes, stream):
        clock = _Clock(population, rng, size)
        counts = _first(population, deviator, rng, size)
        alpha = np.tile(population.start[deviator], (size, 1, 1))
        for step in range(population.steps):
            fields = own_fields(population, counts, deviator)
            every = probabilities(population, fields, clock.now)
            own = own_moves(population, every, deviator)
            np.add.at(reward, clock.now, own_rewards(population, fields, clock.now, deviator))
            np.add.at(chance, clock.now, own)
            np.add.at(count, clock.now, 1.0)
            if step + 1 < population.steps:
                arms = policy[clock.now][:, None]
                counts, alpha, _ = _moved(population, rng, counts, alpha, arms, every, own, clock.now)
                clock.go_on()
    return Met(reward / count[:, None, None], chance / count[:, None, None, None])


def _independent(population: Population, deviator: int, episodes: int, stream: np.random.SeedSequence) -> Float64Array:
    """Expected rewards [M, S, A] where nobody's moves depend on the mean field.

    Given the common noise, all others are independent draws from the flow: means of counts are known, and what is
    linear in them costs no accuracy.
    """
    wide = population.start.size
    draws = max(wide * EPISODES_EACH, episodes * population.steps // population.num_moments, 2)
    draws = min(draws, max(episodes, wide * EPISODES_EACH))
    rewards = np.zeros((population.num_moments, *population.model.legal.shape))
    for moment, root in enumerate(stream.spawn(population.num_moments)):
        law, others = population.flow[moment], population.others(deviator)
        sampled, off = [], []
        for rng, size in _chunks(population, draws, root):
            counts = _multinomial(rng, np.tile(others, (size, 1)), np.tile(law, (size, 1, 1)))
            now = np.full(size, moment)
            sampled.append(own_rewards(population, own_fields(population, counts, deviator), now, deviator))
            off.append((counts - others[:, None] * law).reshape(size, -1))
        reward = np.concatenate(sampled).reshape(draws, -1)
        surprise = np.concatenate(off)
        unseen = Played(reward, np.ones_like(reward), surprise)
        rewards[moment] = (reward - surprise @ learned(unseen)).mean(axis=0).reshape(rewards.shape[1:])
    return rewards


def learned(pilot: Played) -> Float64Array:
    """What surprises tell of values, [F, V], by least squares."""
    surprise = pilot.surprise - pilot.surprise.mean(axis=0)
    if not surprise.shape[1]:
        return np.zeros((0, pilot.values.shape[1]))
    return np.asarray(np.linalg.lstsq(surprise, pilot.values - pilot.values.mean(axis=0))[0])


def conditional(
    population: Population, deviator: int, deviations: Float64Array, episodes: int, stream: np.random.SeedSequence
) -> Played:
    """Episodes with the deviator's paths summed over; `deviations` are [V - 1, M, S, A].

    Surprises are kept where they are few beside the episodes. Without a horizon their discounted sum is kept.
    """
    stationary = population.model.horizon is None
    parts = 1 if stationary else population.steps
    kept = parts * population.start.size <= episodes // EPISODES_EACH
    surprises = []
    both = np.stack([population.policy[:, deviator], *deviations], axis=1)  # [M, V, S, A]
    values, weights = [], []
    for rng, size in _chunks(population, episodes, stream):
        clock = _Clock(population, rng, size)
        counts = _first(population, deviator, rng, size)
        alpha = np.tile(population.start[deviator], (size, both.shape[1], 1))
        total = np.zeros((size, both.shape[1]))
        surprise = np.zeros((size, parts if kept else 0, *population.start.shape))
        if kept:
            surprise[:, 0] = counts - population.others(deviator)[:, None] * population.start
        for step in range(population.steps):
            fields = own_fields(population, counts, deviator)
            reward = own_rewards(population, fields, clock.now, deviator)
            arms = both[clock.now]
            paid = (arms * reward[:, None]).sum(axis=-1)
            total += population.model.discount**step * (alpha * paid).sum(axis=-1)
            if step + 1 < population.steps:
                every = probabilities(population, fields, clock.now)
                own = own_moves(population, every, deviator)
                counts, alpha, mean = _moved(population, rng, counts, alpha, arms, every, own, clock.now)
                if kept:
                    factor = population.model.discount ** (step + 1) if stationary else 1.0
                    surprise[:, 0 if stationary else step + 1] += factor * (counts - mean)
                clock.go_on()
        values.append(total)
        weights.append(alpha.sum(axis=-1))
        surprises.append(surprise.reshape(size, -1))
    return Played(np.concatenate(values), np.concatenate(weights), np.concatenate(surprises))


def _moved(
    population: Population,
    rng: np.random.Generator,
    counts: IntArray,
    alpha: Float64Array,
    arms: Float64Array,
    every: Float64Array,
    own: Float64Array,
    moments: IntArray,
) -> tuple[IntArray, Float64Array, Float64Array]:
    """A step later: the others' counts [E, P, S], the weights of where the deviator is [E, V, S], the counts' means."""
    others = others_moves(population, every, moments)  # [E, S or 1, P, S, D]
    if others.shape[1] == 1:
        drawn_from = others[:, 0]
        movers = _multinomial(rng, counts, drawn_from)
    else:
        # Weights that have vanished stay 0, whatever the others are drawn from.
        whole, even = alpha.sum(axis=-1, keepdims=True), np.full_like(alpha, 1 / alpha.shape[-1])
        law = np.divide(alpha, whole, out=even, where=whole > 0).mean(axis=1)
        drawn_from = np.einsum("es,espxd->epxd", law, others)
        movers = _multinomial(rng, counts, drawn_from)
        moved = movers > 0
        reference = np.log(np.where(moved, drawn_from, 1.0))
        with np.errstate(divide="ignore"):  # moves that cannot be, if the deviator is there
            ratio = np.log(np.where(moved[:, None], others, 1.0)) - reference[:, None]
        likely = np.exp(np.where(moved[:, None], movers[:, None] * ratio, 0.0).sum(axis=(2, 3, 4)))
        alpha = alpha * likely[:, None]
    after = np.rint(landed(population, movers)).astype(np.int64)
    mean = landed(population, counts[..., None] * drawn_from)
    return after, landed(population, _own_movers(population, alpha, arms, own)), mean


def _own_movers(population: Population, alpha: Float64Array, arms: Float64Array, own: Float64Array) -> Float64Array:
    """How much of the deviator goes where, [E, V, S, D], from where it is and what it plays there, [E, V, S, A]."""
    entry, state = population.targets.entry, np.arange(population.model.num_states)
    going = np.zeros((*alpha.shape, population.targets.state.shape[1]))
    for action in range(arms.shape[-1]):
        for k in range(entry.shape[2]):
            share = alpha * arms[..., action]
            going[..., state, entry[:, action, k]] += share * own[:, None, :, action, k]
    return going


def paired(
    population: Population, deviator: int, deviation: Float64Array, episodes: int, stream: np.random.SeedSequence
) -> Played:
    """Episodes with everybody drawn; `deviation` is [M, S, A]."""
    both = np.stack([population.policy[:, deviator], deviation], axis=1)
    values = []
    for rng, size in _chunks(population, episodes, stream):
        clock = _Clock(population, rng, size)
        rows, arm = np.arange(size)[:, None], np.arange(2)
        counts = np.repeat(_first(population, deviator, rng, size)[:, None], 2, axis=1)  # [E, 2, P, S]
        own = np.repeat(rng.choice(len(population.start[0]), size, p=population.start[deviator])[:, None], 2, axis=1)
        total = np.zeros((size, 2))
        for step in range(population.steps):
            fields = counts.astype(np.float64)
            fields[rows, arm, deviator, own] += 1.0
            fields /= population.sizes[:, None]
            now = np.repeat(clock.now[:, None], 2, axis=1)
            moment = Moment(*(np.broadcast_to(part, now.shape) for part in moment_at(population.model, clock.now, 1)))
            reward = np.asarray(population.model.rewards(fields, moment))[rows, arm, deviator, own]
            playing = both[now, arm, own]  # [E, 2, A]
            total += population.model.discount**step * (playing * reward).sum(axis=-1)
            if step + 1 == population.steps:
                break
            every = probabilities(population, fields, clock.now)  # [E, 2, P or 1, S, A, K]
            every = np.broadcast_to(every, (size, 2, *every.shape[2:]))
            others = others_moves(population, every, clock.now)
            which = deviator if every.shape[2] > 1 else 0
            chance = (playing[..., None] * every[rows, arm, which, own]).reshape(size, 2, -1)
            draw = rng.random((size, 1, 1)) * chance.sum(axis=-1, keepdims=True)
            column = (chance.cumsum(axis=-1) <= draw).sum(axis=-1).clip(max=chance.shape[-1] - 1)
            listed = population.model.successors[own].reshape(size, 2, -1)
            own = np.take_along_axis(listed, column[..., None], axis=-1)[..., 0]
            counts = _coupled(population, rng, counts, others)
            clock.go_on()
        values.append(total)
    found = np.concatenate(values)
    return Played(found, np.ones_like(found), np.zeros((len(found), 0)))


def everybody(population: Population, episodes: int, stream: np.random.SeedSequence) -> Float64Array:
    """What an agent of each population gets where all play the policy, [E, P], each the mean over these agents."""
    model, sizes = population.model, population.sizes
    values = []
    for rng, size in _chunks(population, episodes, stream):
        clock = _Clock(population, rng, size)
        start = np.broadcast_to(population.start, (size, *population.start.shape))
        counts = _multinomial(rng, np.broadcast_to(sizes, start.shape[:2]), start)
        total = np.zeros((size, len(sizes)))
        for step in range(population.steps):
            fields = counts / sizes[:, None]
            reward = np.asarray(model.rewards(fields, moment_at(model, clock.now, 0)))
            paid = (population.policy[clock.now] * reward).sum(axis=-1)
            total += model.discount**step * (fields * paid).sum(axis=-1)
            if step + 1 < population.steps:
                every = probabilities(population, fields[:, None], clock.now)
                movers = _multinomial(rng, counts, others_moves(population, every, clock.now)[:, 0])
                counts = np.rint(landed(population, movers)).astype(np.int64)
                clock.go_on()
        values.append(total)
    return np.concatenate(values)


def _coupled(population: Population, rng: np.random.Generator, counts: IntArray, moves: Float64Array) -> IntArray:
    """Both plays' counts [E, 2, P, S] a step later, with as many agents as possible moving alike; moves [..., S, D]."""
    common = counts.min(axis=1)
    alike = moves.min(axis=1)
    rest = np.maximum(0.0, 1.0 - alike.sum(axis=-1, keepdims=True))
    drawn = _multinomial(rng, common, np.concatenate([alike, rest], axis=-1))
    movers = np.repeat(drawn[:, None, ..., :-1], 2, axis=1)
    apart = np.repeat(drawn[:, None, ..., -1], 2, axis=1)
    movers = movers + _multinomial(rng, apart, moves - alike[:, None])
    movers = movers + _multinomial(rng, counts - common[:, None], moves)
    return np.asarray(np.rint(landed(population, movers)), dtype=np.int64)
