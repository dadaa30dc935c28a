"""A best response that also makes its population more diverse, by the expected cardinality of its payoff vectors.

Perez-Nieves, Yang, Slumbers, Mguni, Wen and Wang (2021), "Modelling behavioural diversity for learning in open-ended
games", ICML. The diversity of a population whose members' payoffs against the others' populations are the rows of M is
the expected size of a draw from the determinantal point process with the kernel L = M M':

    EC(M) = trace(I - (L + I)^-1) = sum_i s_i^2 / (1 + s_i^2),   s_i the singular values of M.

The response maximises its payoff plus `weight` times what it adds to EC. With P = (I + M'M)^-1 a row m adds

    m' P^2 m / (1 + m' P m),

which follows from the inverse of a bordered matrix and is between 0 and 1. How the maximum is searched for, from exact
payoffs, is said by `_diverse`; how it is learned from play by `_weighted`. Two players or more.

Differences from the paper: the response is pure, as in its experiments on normal forms (its theory is about mixed
ones); the weight may fall as the population grows, on which the convergence of its PSRO rests. Nothing is drawn.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from eqagents.learners.deep._schedule import Schedule
from eqagents.oracles import OracleResult, OracleSpec, Situation, populations_of
from eqagents.oracles._diverse import DiverseConfig, Measure, check, diverse_response, of_plans
from eqagents.oracles._plans import faced
from eqagents.oracles._weighted import learned_response
from eqenvs.arrays import Float64Array


class ExpectedCardinalityConfig(DiverseConfig):
    """Settings of the oracle `expected_cardinality`."""

    id: Literal["expected_cardinality"] = "expected_cardinality"
    weight: Schedule = Field(
        default=Schedule(start=0.5, over=20, shape="inverse"),
        description="of the diversity, in units of payoff; a schedule goes by the responses in the population",
    )


def expected_cardinality(payoffs: Float64Array) -> float:
    """Of members with the payoff vectors [K, J].

    >>> expected_cardinality(np.array([[0.0, 1.0], [-1.0, 0.0]]))
    1.0
    """
    squares = np.square(np.linalg.svd(payoffs, compute_uv=False))
    return float((squares / (1.0 + squares)).sum())


def added(payoffs: Float64Array) -> tuple[Float64Array, Float64Array]:
    """P and P^2 [J, J] of a population with the payoff vectors [K, J]; see the module."""
    inverse = np.linalg.inv(np.eye(payoffs.shape[1]) + payoffs.T @ payoffs).astype(np.float64, copy=False)
    return inverse, inverse @ inverse


def measure(payoffs: Float64Array, weight: float) -> Measure:
    """What a row of payoffs [J] adds to a population with the payoffs [K, J], weighted."""
    inverse, squared = added(payoffs)

    def of_row(row: Float64Array) -> tuple[float, Float64Array]:
        once, twice = inverse @ row, squared @ row
        above, below = float(row @ twice), 1.0 + float(row @ once)
        return weight * above / below, 2.0 * weight * (twice * below - once * above) / below**2

    return of_row


def respond(config: ExpectedCardinalityConfig, situation: Situation) -> OracleResult:
    """A pure response; see `Oracle`."""
    members = populations_of(situation, config.id).members[situation.player]
    weight = config.weight.at(len(members) - 1)
    if config.learner is not None:
        return learned_response(config.learner, situation, config.id, lambda rows: measure(rows, weight), config.scale)
    found = faced(situation, config.id)
    of_row = measure(found.payoffs / config.scale, weight)
    return diverse_response(config, found, of_plans(of_row, found.gradients / config.scale), situation.seed)


ORACLE = OracleSpec(
    id="expected_cardinality",
    config=ExpectedCardinalityConfig,
    respond=respond,
    needs_model=False,
    needs_populations=True,
    may_lose=True,
    check=check,
)
