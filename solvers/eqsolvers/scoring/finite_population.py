"""Mean-field policies in the game of N agents: what one of them gains by deviating, and how fast that falls with N.

All agents play the policy, each in its own state, and rewards and moves see the agents' empirical distribution, the
agent itself counted. An equilibrium of the limit is an epsilon-equilibrium of the game of N agents, epsilon falling to
0 (Saldi, Basar and Raginsky, 2018, "Markov-Nash equilibria in mean-field games with discounted cost", SIAM Journal on
Control and Optimization 56); for Lipschitz games like 1 / sqrt(N), with a factor that may grow fast with the horizon
(Yardim, Goldman and He, 2024, "When is mean-field reinforcement learning tractable and relevant?", AAMAS).

Two classes of deviations are told apart. One that sees the *counts* of all others besides its own state is the largest
class: what it gains is the gain of `score_in_population`'s exact method. One that sees *what the policy sees* (time,
common noise, own state) gains no more: it is `detail["own_state_gain"]`, and what the estimate bounds from below. At an
equilibrium of the limit that mixes, the first reacts to chance fluctuations of order 1 / sqrt(N), the second cannot.

Several populations have as many agents each as `eqenvs.population_rules` gives them. Without a horizon, agents begin
independently in the population's stable distribution under the policy, and what follows once the discounted weight is
below `tolerance` is left out (`detail["truncation"]`). A population that does not come to rest has no such
distribution: agents begin where it was left, `detail["stable_distribution"]` says so, and the score is an estimate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from scipy.stats import norm

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models import Model
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import JointPolicy, tabulate
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.scoring._counts import Counted
from eqsolvers.scoring._population import Population, best_deviation, population_of, require_playable
from eqsolvers.scoring._population_draws import conditional, everybody, learned, limit, met, paired
from eqsolvers.scoring.mean_field import FAR
from eqsolvers.scoring.score import Score, ScoreKind

Method = Literal["auto", "exact", "estimate", "conditional", "paired"]
Z_95 = float(norm.ppf(0.975))
EFFECTIVE = 0.5  # share of the episodes that must count for weighed ones to be trusted


@dataclass(frozen=True, kw_only=True)
class PopulationScore(Score):
    """A score in the game of N agents: agents of one population are alike, so it has one figure for each population.

    Attributes:
        values: [P] float64, of one agent of each population.
        gains: [P] float64, the same.
        normaliser: N, so that `exploitability` is the mean gain of an agent.
        sizes: [P] int64, the agents of each population.
    """

    sizes: IntArray

    @property
    def nash_conv(self) -> float:
        """The sum of all N agents' gains."""
        return float(self.sizes @ self.gains)

    @property
    def welfare(self) -> float:
        """The sum of all N agents' values."""
        return float(self.sizes @ self.values)

    def to_dict(self) -> dict[str, Any]:
        """The score as JSON data."""
        return {**super().to_dict(), "sizes": self.sizes.tolist()}


class Fit(NamedTuple):
    """A power of N, least squares of logarithms: figure = constant * N^-rate.

    Attributes:
        rate: None of fewer than two points.
        error: its standard error; None of fewer than three points.
        sizes: the N whose figures were positive, and of estimates above their half-width.
    """

    rate: float | None
    error: float | None
    sizes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class PopulationCurve:
    """Scores over N.

    Attributes:
        sizes: N.
        scores: one for each.
        limit: the gain against the mean field itself, the mean over populations.
        fits: of means over populations. `gain`, of deviations that see what the policy sees; `distance`, how far that
            is from `limit`, of a policy that is no equilibrium of the limit; `full_information`, gains of deviations
            that see the counts.
    """

    sizes: tuple[int, ...]
    scores: tuple[PopulationScore, ...]
    limit: float
    fits: Mapping[str, Fit]

    def to_dict(self) -> dict[str, Any]:
        """The curve as JSON data."""
        return {
            "limit": self.limit,
            "fits": {name: fit._asdict() | {"sizes": list(fit.sizes)} for name, fit in self.fits.items()},
            "scores": [
                {"num_agents": size, **scored.to_dict()} for size, scored in zip(self.sizes, self.scores, strict=True)
            ],
        }


def score_in_population(
    game: Game | Model,
    policy: JointPolicy,
    num_agents: int,
    *,
    method: Method = "auto",
    episodes: int = 1_000,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> PopulationScore:
    """What one agent of N gains by deviating alone from a mean-field policy that all play.

    Args:
        game: a mean-field game, or its model.
        policy: any policy that a mean-field score takes.
        num_agents: N, at least 2, and one for each population.
        method: `exact` (one population, few agents and states), `estimate`, or `auto`: exact where it is small enough.
            `conditional` and `paired` are the two ways to estimate; `estimate` takes the first where its weights allow.
        episodes: of an estimate, at least 2; as many again to learn the deviation from, and to learn what to correct.
        seed: of an estimate.
        tolerance: without a horizon, the discounted weight below which what follows is left out.

    Returns:
        `values` and `gains` [P] of one agent of each population; `nash_conv` sums the gains of all N agents, and
        `exploitability` is their mean. Exact gains are those of the best deviation that sees the counts of all others.
        Estimated ones are what a good deviation that sees what the policy sees gains in fresh episodes, at least 0: a
        lower bound, up to its sampling error, which cutting off at 0 biases upwards where gains are about that small.
        `detail` has `method`, `own_state_gain` [P] (as it was measured, so possibly below 0), and of estimates
        `own_state_half_width` and `values_half_width` [P], of 95 % intervals.

    Raises:
        InputError: if an argument is out of range.
        UnsupportedGame: if the game is no mean-field game, or exact scores of several populations are asked for.
        GameTooLargeError: if `exact` was asked for and passes the stated limits, or an estimate passes its own, with
            the numbers: several thousand states, or too many decisions in too many episodes.
        PolicyError: as `eqsolvers.scoring.score`.

    >>> import eqenvs
    >>> from eqenvs.policies import uniform
    >>> sis = eqenvs.make("sis", horizon=5)
    >>> round(score_in_population(sis, uniform(sis), 10).exploitability, 6) > 0
    True
    """
    where = "score_in_population"
    model, array = _checked(game, policy, method, episodes, seed, where)
    population = population_of(model, array, num_agents, tolerance, where)
    detail: dict[str, Any] = {"num_agents": int(num_agents)}
    if model.horizon is None:
        stability = population.stability
        detail |= {"truncation": population.steps, "stability_residual": stability.residual}
        if stability.distance > FAR:
            detail["stable_distribution"] = (
                f"not reached: after {stability.steps:,} steps {stability.residual:.3g} of the population still moves, "
                f"{stability.factor:.6g} times as much as a step before; agents begin where it was left"
            )
    if method in ("auto", "exact"):
        try:
            return _exact(population, detail)
        except (GameTooLargeError, UnsupportedGame) as refused:
            if method == "exact":
                raise
            detail["exact_refused"] = str(refused)
    return _estimate(population, method, episodes, seed, detail)


def population_curve(
    game: Game | Model,
    policy: JointPolicy,
    sizes: Sequence[int],
    *,
    method: Method = "auto",
    episodes: int = 1_000,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> PopulationCurve:
    """Scores over N, and the power of N with which one agent's gain falls.

    Args:
        game: see `score_in_population`, as for the rest.
        policy: see there.
        sizes: the N, increasing.
        method: see there.
        episodes: see there.
        seed: see there; each N draws from a stream of its own.
        tolerance: see there.
    """
    listed = isinstance(sizes, Sequence | np.ndarray) and not isinstance(sizes, str)
    if not listed or not len(sizes):
        raise InputError(f"population_curve: sizes must be increasing numbers of agents, got {sizes!r}")
    model, array = _checked(game, policy, method, episodes, seed, "population_curve")
    for size in sizes:  # a bad one is refused before any is scored
        population_of(model, array, size, tolerance, "population_curve")
    if any(later <= earlier for earlier, later in pairwise(sizes)):
        raise InputError(f"population_curve: sizes must be increasing numbers of agents, got {list(sizes)}")
    tabular = tabulate(model, policy)
    scores = []
    for size in sizes:
        began = time.perf_counter()
        scored = score_in_population(
            model, tabular, size, method=method, episodes=episodes, seed=seed, tolerance=tolerance
        )
        scores.append(replace(scored, detail={**scored.detail, "seconds": time.perf_counter() - began}))
    limit = float(Dynamics(model).evaluate(array).gains.mean())
    own = [float(np.mean(each.detail["own_state_gain"])) for each in scores]
    noise = [_half_width(each) for each in scores]
    exact = [(n, float(each.gains.mean()), 0.0) for n, each in zip(sizes, scores, strict=True) if _is_exact(each)]
    fits = {
        "gain": _fit(list(zip(sizes, own, noise, strict=True))),
        "distance": _fit([(n, abs(gain - limit), error) for n, gain, error in zip(sizes, own, noise, strict=True)]),
        "full_information": _fit(exact),
    }
    return PopulationCurve(sizes=tuple(int(n) for n in sizes), scores=tuple(scores), limit=limit, fits=fits)


def _checked(
    game: Game | Model, policy: JointPolicy, method: str, episodes: int, seed: int, where: str
) -> tuple[MeanFieldModel, Float64Array]:
    model = game.model() if isinstance(game, Game) else game
    if not isinstance(model, MeanFieldModel):
        raise UnsupportedGame(f"{where}: games of N agents are made from mean-field games, got {model.family.value}")
    if method not in get_args(Method):
        raise InputError(f"{where}: method must be one of {', '.join(get_args(Method))}, got {method!r}")
    for name, given, least in (("episodes", episodes, 2), ("seed", seed, 0)):
        if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < least:
            raise InputError(f"{where}: {name} must be a whole number of at least {least}, got {given!r}")
    return model, model.as_array(tabulate(model, policy).tables)


def _is_exact(scored: Score) -> bool:
    return scored.kind is ScoreKind.EXACT


def _half_width(scored: Score) -> float:
    """Of the mean over populations, whose episodes are independent."""
    widths = scored.detail.get("own_state_half_width", [0.0])
    return float(np.linalg.norm(widths)) / len(widths)


def _exact(population: Population, detail: Mapping[str, Any]) -> PopulationScore:
    """By counts, of one population."""
    if population.model.num_populations > 1:
        raise UnsupportedGame(
            f"exact scores of N agents are of one population, this game has {population.model.num_populations}; use "
            "method 'estimate'"
        )
    counted = Counted(population)
    solved = counted.solve(np.stack([population.policy[:, 0], counted.deviation()]))
    value, own = solved.values
    found = {**detail, "method": "exact", "deviation": "sees its own state and the counts of all others"}
    if population.model.horizon is None:
        factor = population.model.discount
        found["truncation_error"] = factor**population.steps * solved.largest / (1 - factor)
    return PopulationScore(
        values=np.array([value]),
        gains=np.array([max(0.0, solved.best - value)]),
        kind=ScoreKind.EXACT if population.stability.distance <= FAR else ScoreKind.ESTIMATE,
        normaliser=int(population.sizes.sum()),
        sizes=population.sizes,
        detail={
            **found,
            "own_state_gain": [max(0.0, float(own - value))],
            # Where nobody's moves depend on the others, where one is tells nothing of where they are.
            "own_state": "optimal" if population.constant and population.model.horizon is not None else "lower bound",
        },
    )


class _Deviated(NamedTuple):
    """What a deviator of one population was measured to gain.

    Attributes:
        gains: [E], one figure per episode.
        way: `conditional` or `paired`.
        effective: the share of the episodes that count.
    """

    gains: Float64Array
    way: str
    effective: float


def _estimate(
    population: Population, method: str, episodes: int, seed: int, detail: Mapping[str, Any]
) -> PopulationScore:
    """By play."""
    require_playable(population, episodes)
    count, size = len(population.sizes), int(population.sizes.sum())
    *streams, whole = np.random.SeedSequence([seed, size]).spawn(3 * count + 1)
    found = [_deviated(population, p, method, episodes, streams[3 * p : 3 * p + 3]) for p in range(count)]
    # Unweighed, and of all agents: the weighed figures of `conditional` have tails too heavy for intervals.
    values = everybody(population, episodes, whole)
    gain = np.stack([each.gains for each in found], axis=1)
    ways = [each.way for each in found]
    return PopulationScore(
        values=values.mean(axis=0),
        gains=np.maximum(0.0, gain.mean(axis=0)),
        kind=ScoreKind.LOWER_BOUND if population.stability.distance <= FAR else ScoreKind.ESTIMATE,
        normaliser=size,
        sizes=population.sizes,
        detail={
            **detail,
            "method": ways[0] if len(set(ways)) == 1 else ways,
            "deviation": "sees what the policy sees; learned from as many episodes as it was judged on",
            "own_state_gain": gain.mean(axis=0).tolist(),
            "own_state_half_width": _half_widths(gain),
            "values_half_width": _half_widths(values),
            "effective_episodes": [each.effective * episodes for each in found],
            "episodes": int(episodes),
            "seed": int(seed),
        },
    )


def _half_widths(figures: Float64Array) -> list[float]:
    """Of the 95 % intervals of means over episodes [E, P]."""
    widths: list[float] = (Z_95 * figures.std(axis=0, ddof=1) / math.sqrt(len(figures))).tolist()
    return widths


def _deviated(
    population: Population, deviator: int, method: str, episodes: int, streams: Sequence[np.random.SeedSequence]
) -> _Deviated:
    """Learn a deviation for one population's agent, choose how to measure it, and measure it in fresh episodes."""
    learning, trying, judging = streams
    seen = met(population, deviator, episodes, learning), limit(population, deviator)
    candidates = np.stack([best_deviation(population, *each) for each in seen])
    pilot = conditional(population, deviator, candidates, episodes, trying)
    told = learned(pilot)
    best = int(np.argmax((pilot.values - pilot.surprise @ told).mean(axis=0)[1:]))
    way = method
    if method in ("auto", "estimate"):
        way = "conditional" if pilot.effective >= EFFECTIVE else "paired"
    if way == "conditional":
        played = conditional(population, deviator, candidates[best : best + 1], episodes, judging)
        figures = played.values - played.surprise @ told[:, [0, best + 1]]
    else:
        played = paired(population, deviator, candidates[best], episodes, judging)
        figures = played.values
    return _Deviated(figures[:, 1] - figures[:, 0], way, played.effective)


def _fit(points: Sequence[tuple[int, float, float]]) -> Fit:
    """Of (N, figure, half-width)."""
    used = [(n, figure) for n, figure, width in points if figure > max(width, 1e-14)]
    sizes = tuple(int(n) for n, _ in used)
    if len(used) < 2:
        return Fit(None, None, sizes)
    x, y = np.log(np.array(used)).T
    x = x - x.mean()
    slope = float((x * y).sum() / (x * x).sum())
    if len(used) < 3:
        return Fit(-slope, None, sizes)
    residual = y - y.mean() - slope * x
    return Fit(-slope, math.sqrt(float((residual**2).sum()) / (len(used) - 2) / float((x * x).sum())), sizes)
