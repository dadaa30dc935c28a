"""Simulated economies for `structural_rl`: paths, what they are worth to households, and the gradient of that.

Of a policy pi(own state, z, signal) and one path of aggregate states, the population g moves by Young's histogram and
makes the signals; households, wherever they start, move by the same law d_{t+1} = A_pi(z_t, signal_t)^T d_t and get
sum_t discount^t d_t . u(c_t), where signals are not theirs to move. The derivative is taken through consumption and
through A_pi, that is through the budget and the weights of the points next to the assets chosen.

Unrolled, it is sum_t discount^t d_t . (u'(c_t) dc_t + discount dA_t V_{t+1}) with V by one pass back: two passes that
need no tape, and one differentiation of all periods at once. It is the same derivative to rounding.

Axis letters: T periods, B paths, and those of `_structural_economies`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eqagents.learners._structural_economies import Economy, between, bracket, shared_out
from eqenvs.arrays import Float64Array, IntArray

RIDGE = 0.5  # in periods seen, as a share of all: signals that are seen less change less


@dataclass(frozen=True)
class Paths:
    """Simulated paths; periods are 0 to T, choices are made in 0 to T - 1.

    Attributes:
        aggregate: [T + 1, B].
        signal: [T + 1, B].
        households: [T, B, E, H], who may have started elsewhere than the population.
        population: [T + 1, B, E, H].
    """

    aggregate: Tensor
    signal: Tensor
    households: Tensor
    population: Tensor


def aggregate_paths(law: Float64Array, first: IntArray, periods: int, rng: np.random.Generator) -> IntArray:
    """Aggregate states [T + 1, B], from `first` [B] on."""
    ladder, draw = np.cumsum(law, axis=1)[:, :-1], rng.random((periods, len(first)))
    path = np.empty((periods + 1, len(first)), dtype=np.int64)
    path[0] = first
    for t in range(periods):
        path[t + 1] = (draw[t][:, None] >= ladder[path[t]]).sum(axis=1)
    return path


def at_signal(economy: Economy, table: Tensor, aggregate: Tensor, signal: Tensor) -> Tensor:
    """A table [Z, J, E, H] in states and at signals [...], [..., E, H]."""
    below, weight = bracket(economy.signals, signal)
    low, high = table[aggregate, below], table[aggregate, below + 1]
    return low + weight[..., None, None] * (high - low)


@torch.no_grad()
def simulate(economy: Economy, saved: Tensor, aggregate: Tensor, population: Tensor, households: Tensor) -> Paths:
    """Live on.

    Args:
        economy: whose budgets and markets.
        saved: [Z, J, E, H], assets next.
        aggregate: [T + 1, B].
        population: [B, E, H], at first.
        households: the same, of those whose rewards count.
    """
    last = len(aggregate) - 1
    both, stories, signals = torch.stack([households, population]), [], []
    for t in range(last + 1):
        stories.append(both)
        signals.append(economy.clear(aggregate[t], both[1], saved))
        if t < last:
            below, weight = bracket(economy.points, at_signal(economy, saved, aggregate[t], signals[t]))
            moved = shared_out(both, below.expand_as(both), weight.expand_as(both))
            law = economy.employment_law[aggregate[t], aggregate[t + 1]]
            both = law.transpose(-1, -2) @ moved
    story = torch.stack(stories)
    return Paths(aggregate, torch.stack(signals), story[:-1, 0], story[:, 1])


def consumed(economy: Economy, saved: Tensor, aggregate: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
    """Assets next and consumption [..., E, H] in states and at signals [...]."""
    kept = at_signal(economy, saved, aggregate, signal)
    return kept, economy.wealth(aggregate, signal, economy.points) - economy.cost(signal)[..., None, None] * kept


@torch.no_grad()
def worths(economy: Economy, saved: Tensor, paths: Paths, tail: Tensor) -> tuple[Tensor, Tensor]:
    """What each state is worth on the paths, by one pass back from the tail.

    Args:
        economy: whose utility.
        saved: [Z, J, E, H], assets next.
        paths: on which.
        tail: [Z, J, E, H], worth of period T on.

    Returns:
        The worth of period t on [T, B, E, H], and of what is held at its end [T, B, E, H], before the next employment.
    """
    kept, consumption = consumed(economy, saved, paths.aggregate[:-1], paths.signal[:-1])
    utility, (below, weight) = economy.utility(consumption), bracket(economy.points, kept)
    after = at_signal(economy, tail, paths.aggregate[-1], paths.signal[-1])
    worth, ahead = torch.empty_like(utility), torch.empty_like(utility)
    for t in reversed(range(len(utility))):
        law = economy.employment_law[paths.aggregate[t], paths.aggregate[t + 1]]
        ahead[t] = law @ after
        after = worth[t] = utility[t] + economy.discount * between(ahead[t], below[t], weight[t])
    return worth, ahead


def surrogate(economy: Economy, saved: Tensor, paths: Paths, ahead: Tensor) -> Tensor:
    """A number whose derivative in `saved` is that of the households' lifetime reward, averaged over paths."""
    kept, consumption = consumed(economy, saved, paths.aggregate[:-1], paths.signal[:-1])
    reward = economy.utility(consumption) + economy.discount * between(ahead, *bracket(economy.points, kept))
    periods = torch.arange(len(reward), device=kept.device)
    weight = economy.discount ** periods.double()[:, None, None, None] / reward.shape[1]
    return (weight * paths.households * reward).sum()


def rescaled(economy: Economy, population: Tensor, factor: Tensor) -> Tensor:
    """Populations [B, E, H] with all assets above the least times a factor [B]."""
    least = economy.points[0]
    below, weight = bracket(economy.points, least + factor[:, None, None] * (economy.points - least))
    return shared_out(population, below.expand_as(population), weight.expand_as(population))


def tail_after(economy: Economy, paths: Paths, worth: Tensor, tail: Tensor) -> Tensor:
    """The tail [Z, J, E, H] that fits what was seen in the first half of the paths, by ridge regression around `tail`.

    Least squares rather than averages around each signal, which would be those of signals nearer to the usual one.
    """
    half = max(1, len(worth) // 2)
    aggregate, signal = paths.aggregate[:half], paths.signal[:half]
    off = (worth[:half] - at_signal(economy, tail, aggregate, signal)).flatten(0, 1)
    below, weight = bracket(economy.signals, signal.reshape(-1))
    basis = torch.zeros(len(off), len(economy.signals), dtype=off.dtype, device=off.device)
    basis.scatter_(1, below[:, None], 1.0 - weight[:, None]).scatter_(1, below[:, None] + 1, weight[:, None])
    ridge = RIDGE * len(off) * torch.eye(basis.shape[1], dtype=off.dtype, device=off.device)
    found = tail.clone()
    for z in range(len(tail)):
        here = basis * (aggregate.reshape(-1) == z)[:, None]
        step = torch.linalg.solve(here.T @ here + ridge, here.T @ off.flatten(1))
        found[z] += step.reshape(found[z].shape)
    return found


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A policy on held-out paths, all from everybody having the same assets.

    Attributes:
        lifetime_reward: the population's, of periods 0 to T - 1, averaged over paths.
        mean_signal: after the first fifth.
        last_signal: [B], in period T.
        euler_error: |consumption that the Euler equation asks for / consumption - 1|, averaged over who is not
            constrained and over periods after the first fifth.
        euler_error_99: its 99th percentile.
        mean_assets: after the first fifth.
    """

    lifetime_reward: float
    mean_signal: float
    last_signal: Float64Array
    euler_error: float
    euler_error_99: float
    mean_assets: float


@torch.no_grad()
def evaluate(economy: Economy, saved: Tensor, aggregate: Tensor) -> Evaluation:
    """Simulate the policy `saved` [Z, J, E, H] along aggregate states [T + 1, B]."""
    first = economy.first(aggregate[0])
    paths = simulate(economy, saved, aggregate, first, first)
    kept, consumption = consumed(economy, saved, aggregate[:-1], paths.signal[:-1])
    reward = (paths.households * economy.utility(consumption)).sum((-1, -2)).mean(1)
    weight = economy.discount ** torch.arange(len(reward), device=reward.device).double()
    below, share = bracket(economy.points, kept)
    marginal = torch.zeros_like(kept)
    for z in range(len(economy.aggregate_law)):
        later, signal = torch.full_like(aggregate[1:], z), paths.signal[1:]
        _, spent = consumed(economy, saved, later, signal)
        law = economy.employment_law[aggregate[:-1], later]
        chance = torch.tensor(economy.aggregate_law, device=kept.device)[aggregate[:-1], z]
        scale = (chance * economy.gross(later, signal))[..., None, None]
        for f in range(kept.shape[-2]):
            # Marginal utility of consumption between points, not marginal utilities between points.
            each = between(spent[..., f : f + 1, :].expand_as(kept), below, share).clamp(min=economy.floor)
            marginal += scale * law[..., f][..., None] * each**-economy.risk_aversion
    asked = economy.discount * marginal / economy.cost(paths.signal[:-1])[..., None, None]
    error = (asked ** (-1.0 / economy.risk_aversion) / consumption.clamp(min=economy.floor) - 1.0).abs()
    burnt = len(reward) // 5
    free = (kept[burnt:] > economy.points[1]) & (kept[burnt:] < economy.points[-1])
    mass, error = (paths.households[burnt:] * free).reshape(-1), error[burnt:].reshape(-1)
    order = error.argsort()
    cumulated = mass[order].cumsum(0)
    return Evaluation(
        lifetime_reward=float((weight * reward).sum()),
        mean_signal=float(paths.signal[burnt:].mean()),
        last_signal=paths.signal[-1].cpu().numpy(),
        euler_error=float((mass * error).sum() / mass.sum()),
        euler_error_99=float(error[order][torch.searchsorted(cumulated, 0.99 * cumulated[-1])]),
        mean_assets=float((paths.population[burnt:] * economy.points).sum((-1, -2)).mean()),
    )
