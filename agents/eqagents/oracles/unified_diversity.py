"""A best response that also behaves, and fares, unlike its population.

Liu, Jia, Wen, Hu, Chen, Fan, Hu and Yang (2021), "Towards unifying behavioral and response diversity for open-ended
learning in zero-sum games", NeurIPS. The response maximises payoff + `behaviour` * BD + `response` * RD:

- BD, behavioural diversity: the divergence of its occupancy of decisions, against the others as they are mixed, from
  that of its own population's mixture, by Jensen and Shannon, in nats. An occupancy is how often a player expects to
  meet an information set and to act there so, in proportion; in a normal form it is the strategy itself.
- RD, response diversity: the squared distance of its payoff vector, against the members of the others' populations,
  from the convex hull of its own population's payoff vectors; 0 where a mixture of these fares alike.

Both are convex in the response's plan (BD where all plays have as many decisions). How the maximum is searched for,
from exact payoffs, is said by `_diverse`; how payoff + `response` * RD is learned from play, by `_weighted`. Two
players or more.

Differences from the paper: the distance itself, by non-negative least squares, not the bound that stands for it there;
of the f-divergences the one that is finite for pure responses, which its experiments use too.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eqagents.learners.deep._schedule import Schedule
from eqagents.oracles import OracleResult, OracleSpec, Situation, populations_of
from eqagents.oracles._diverse import DiverseConfig, Measure, check, diverse_response, of_plans
from eqagents.oracles._plans import Faced, faced
from eqagents.oracles._weighted import learned_response
from eqenvs.arrays import Float64Array

LEAST = 1e-12  # share of an occupancy at which the divergence's slope is taken, which at 0 has none


class UnifiedDiversityConfig(DiverseConfig):
    """Settings of the oracle `unified_diversity`."""

    id: Literal["unified_diversity"] = "unified_diversity"
    behaviour: Schedule = Field(
        default=Schedule(start=0.5, over=10, shape="inverse"),
        description="weight of the behavioural diversity, in units of payoff per nat; a schedule goes by the responses "
        "in the population",
    )
    response: Schedule = Field(
        default=Schedule(start=0.05, over=10, shape="inverse"),
        description="the same of the response diversity, in units of payoff per their square",
    )

    @model_validator(mode="after")
    def _measurable(self) -> Self:
        if self.learner is not None and max(self.behaviour.start, self.behaviour.end) > 0:
            raise ValueError(
                "the behavioural diversity is not learned from play; set behaviour: 0 or leave learner out"
            )
        return self


def nearest_mixture(points: Float64Array, target: Float64Array) -> Float64Array:
    """The point [J] nearest to `target` [J] in the convex hull of `points` [K, J], by Euclid's distance.

    With the points shifted by the target, minimise |sum_k u_k p_k|^2 + (sum_k u_k - 1)^2 over u >= 0: for a given
    direction u the best length is decreasing in the distance, so u is the nearest mixture up to its length.
    """
    from scipy.optimize import nnls  # takes long to import

    shifted = points - target
    unit = float(np.abs(shifted).max())
    if unit == 0.0:
        return target
    system = np.vstack([shifted.T / unit, np.ones(len(points))])
    weights, _ = nnls(system, np.append(np.zeros(len(target)), 1.0))
    found: Float64Array = (weights / weights.sum()) @ points
    return found


def jensen_shannon(p: Float64Array, q: Float64Array) -> float:
    """The divergence of two distributions [n], in nats, at most log 2."""
    middle = np.maximum((p + q) / 2, np.finfo(np.float64).tiny)
    parts = [np.where(part > 0, part * np.log(np.maximum(part, LEAST) / middle), 0.0) for part in (p, q)]
    return float(sum(part.sum() for part in parts)) / 2


def behavioural(used: Float64Array, own: Float64Array) -> Measure:
    """How far a plan's occupancy is from that of the population's mixture.

    Args:
        used: [Q], how often each entry of a plan is used if the player reaches it.
        own: [Q], the plan of the mixture.
    """
    before = _shares(used, own)[0]

    def of_plan(plan: Float64Array) -> tuple[float, Float64Array]:
        share, total = _shares(used, plan)
        at = np.maximum(share, LEAST)
        slope = np.log(2 * at / (at + before)) / 2
        return jensen_shannon(share, before), used * (slope - slope @ share) / total

    return of_plan


def _shares(used: Float64Array, plan: Float64Array) -> tuple[Float64Array, float]:
    occupancy = used * plan
    total = float(occupancy.sum())
    return occupancy / total, total


def responsive(payoffs: Float64Array) -> Measure:
    """How far a row of payoffs [J] is from the hull of the population's payoffs [K, J], squared."""

    def of_row(row: Float64Array) -> tuple[float, Float64Array]:
        off = row - nearest_mixture(payoffs, row)
        return float(off @ off), 2.0 * off

    return of_row


def _weighted(weight: float, payoffs: Float64Array) -> Measure:
    of_row = responsive(payoffs)

    def weighted(row: Float64Array) -> tuple[float, Float64Array]:
        value, slope = of_row(row)
        return weight * value, weight * slope

    return weighted


def measure(found: Faced, used: Float64Array, weights: tuple[float, float], scale: float) -> Measure:
    """Both diversities of a plan, weighted."""
    of_behaviour = behavioural(used, found.strategy @ found.own)
    of_response = of_plans(responsive(found.payoffs / scale), found.gradients / scale)

    def of_plan(plan: Float64Array) -> tuple[float, Float64Array]:
        parts = [of_behaviour(plan), of_response(plan)]
        value = sum(weight * part for weight, (part, _) in zip(weights, parts, strict=True))
        return value, weights[0] * parts[0][1] + weights[1] * parts[1][1]

    return of_plan


def respond(config: UnifiedDiversityConfig, situation: Situation) -> OracleResult:
    """A pure response; see `Oracle`."""
    before = len(populations_of(situation, config.id).members[situation.player]) - 1
    weights = config.behaviour.at(before), config.response.at(before)
    if config.learner is not None:
        return learned_response(config.learner, situation, config.id, partial(_weighted, weights[1]), config.scale)
    found = faced(situation, config.id)
    used = found.form.spread(found.form.met(situation.opponents))
    return diverse_response(config, found, measure(found, used, weights, config.scale), situation.seed)


ORACLE = OracleSpec(
    id="unified_diversity",
    config=UnifiedDiversityConfig,
    respond=respond,
    needs_model=False,
    needs_populations=True,
    may_lose=True,
    check=check,
)
