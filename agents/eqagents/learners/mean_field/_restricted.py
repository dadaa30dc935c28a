"""The game in which populations mix finitely many policies, and its equilibria.

Who draws policy k of its population keeps to it; all meet the mean field of the whole, to which every share
contributes. What a policy is worth is not linear in the shares, so there is no payoff matrix; it is evaluated at each
mixture, in one pass forward and one backward a policy.

Nash: shares x where no policy of a population is worth more than its mixture, a variational inequality over simplices,
by the extragradient method (Korpelevich 1976) with the step sizes of Khobotov (1987): it converges where the restricted
game is monotone; elsewhere the best mixture that was met is given, and its gap. CCE: the plays of regret matching+
with weights that grow linearly (Tammelin 2014, arXiv 1407.5042), a device that draws one of the mixtures for everybody;
its gap falls like 1 / sqrt(rounds) in every game.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.simplex import project

Mixture = tuple[Float64Array, ...]  # the shares of each population, [K_p]
HALVINGS = 60


class MixtureGame:
    """Some policies of each population of a model.

    Args:
        model: the game.
        tables: [K_p, M * S, A] of each population.
    """

    def __init__(self, model: MeanFieldModel, tables: Sequence[Float64Array]) -> None:
        self.model, self.dynamics, self._tables = model, Dynamics(model), tables
        self.sizes = tuple(len(table) for table in tables)
        self._roots = np.flatnonzero(model.moments.parent < 0) if model.horizon is not None else np.zeros(1, np.int64)
        deep = range(max(self.sizes))
        chosen = [[table[min(k, len(table) - 1)] for table in tables] for k in deep]
        self._joint = [model.as_array(each) for each in chosen]

    def uniform(self) -> Mixture:
        """Equal shares."""
        return tuple(np.full(size, 1 / size) for size in self.sizes)

    def flow(self, mixture: Mixture) -> tuple[Float64Array, Float64Array]:
        """The mean field of a mixture [M, P, S], and the rewards in it [M, P, S, A]."""
        mixed = [self.model.mix(p, self._tables[p], shares) for p, shares in enumerate(mixture)]
        flow = self.dynamics.flow(self.model.as_array(mixed))
        return flow, self.dynamics.rewards(flow)

    def payoffs(self, mixture: Mixture) -> Mixture:
        """What each policy gets in the mean field of a mixture, [K_p] of each population."""
        flow, reward = self.flow(mixture)
        begin = self._begin(flow)
        found = np.empty((len(self._joint), self.model.num_populations))
        for k, policy in enumerate(self._joint):
            quality = self.dynamics.own_quality(flow, reward, policy)
            worth = (policy[self._roots] * quality[self._roots]).sum(axis=-1)
            found[k] = (begin * worth).sum(axis=(0, 2))
        return tuple(found[:size, p] for p, size in enumerate(self.sizes))

    def _begin(self, flow: Float64Array) -> Float64Array:
        """The weight of each first state, [roots, P, S]."""
        if self.model.horizon is None:
            return flow
        weight: Float64Array = self.model.moments.probability[self._roots, None, None] * self.model.initial
        return weight


def gap(payoffs: Mixture, mixture: Mixture) -> float:
    """What the populations' best policies among the given gain, in all."""
    return float(sum(own.max() - own @ shares for own, shares in zip(payoffs, mixture, strict=True)))


def nash(
    payoffs_of: Callable[[Mixture], Mixture], start: Mixture, rounds: int, tolerance: float
) -> tuple[Mixture, float]:
    """A mixture that no policy gains from leaving, and its gap.

    Args:
        payoffs_of: see `MixtureGame.payoffs`.
        start: where to begin.
        rounds: the most steps.
        tolerance: the gap to stop at, in payoff.
    """
    at, payoffs, step = start, payoffs_of(start), 1.0
    best = (gap(payoffs, at), at)
    for _ in range(rounds):
        if best[0] <= tolerance:
            break
        for _ in range(HALVINGS):
            ahead = tuple(project(x + step * g) for x, g in zip(at, payoffs, strict=True))
            there = payoffs_of(ahead)
            moved = _distance(ahead, at)
            if moved == 0.0 or step * _distance(there, payoffs) <= 0.9 * moved:
                break
            step /= 2
        at = tuple(project(x + step * g) for x, g in zip(at, there, strict=True))
        payoffs, step = payoffs_of(at), 1.5 * step
        best = min(best, (gap(there, ahead), ahead), (gap(payoffs, at), at), key=lambda found: found[0])
    return best[1], best[0]


def _distance(one: Mixture, other: Mixture) -> float:
    return float(np.sqrt(sum(np.square(a - b).sum() for a, b in zip(one, other, strict=True))))


class Device(NamedTuple):
    """Mixtures that are drawn for everybody.

    Attributes:
        weights: [R] on the simplex.
        plays: [R, K_p] of each population.
    """

    weights: Float64Array
    plays: Mixture

    def mixtures(self) -> list[tuple[float, Mixture]]:
        """One by one."""
        return [(float(weight), tuple(play[r] for play in self.plays)) for r, weight in enumerate(self.weights)]

    def mean(self) -> Mixture:
        """The shares on average."""
        return tuple(self.weights @ play for play in self.plays)


def coarse_correlated(payoffs_of: Callable[[Mixture], Mixture], sizes: Sequence[int], rounds: int) -> Device:
    """The weighted plays of regret matching+."""
    regrets, plays = [np.zeros(size) for size in sizes], [np.empty((rounds, size)) for size in sizes]
    for r in range(rounds):
        mixture = tuple(_matched(regret) for regret in regrets)
        payoffs = payoffs_of(mixture)
        for p, (own, shares) in enumerate(zip(payoffs, mixture, strict=True)):
            plays[p][r] = shares
            regrets[p] = np.maximum(0.0, regrets[p] + own - own @ shares)
    weights = np.arange(1.0, rounds + 1)
    return Device(weights / weights.sum(), tuple(plays))


def _matched(regret: Float64Array) -> Float64Array:
    total = regret.sum()
    return regret / total if total > 0 else np.full(len(regret), 1 / len(regret))


def against(game: MixtureGame, device: Device) -> tuple[Float64Array, float]:
    """The best response to a device [M, P, S, A], in games whose moves do not depend on the mean field; the CCE gap.

    Who commits before the draw meets the mean of the rewards in the mixtures' mean fields.
    """
    dynamics, own = game.dynamics, 0.0
    flow, mean = np.zeros(game.model.policy_shape[:3]), np.zeros(game.model.policy_shape)
    for weight, mixture in device.mixtures():
        flow, reward = game.flow(mixture)
        mean += weight * reward
        own += weight * sum(float(g @ x) for g, x in zip(game.payoffs(mixture), mixture, strict=True))
    quality, best = dynamics.best_quality(flow, mean)
    return dynamics.greedy(quality), float(best.sum()) - own
