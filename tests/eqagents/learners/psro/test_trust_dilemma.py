"""Which equilibrium of a trust dilemma PSRO ends at: Slumbers et al. (2023), ICML, risk-averse against Nash."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.distributed import InlineExecutor
from eqagents.learners.psro.psro import LEARNER, PSROConfig
from eqenvs.policies import tabulate
from eqsolvers.scoring import score

STAG, HARE, FOLLOW = [[1, 0], [1, 0]], [[0, 1], [0, 1]], [[1, 0], [0, 1]]  # player 1, by the sign


def played(meta_solver: Any, *, iterations: int = 8, **parameters: Any) -> tuple[list[list[list[float]]], float]:
    """The players' final tables, rounded, and the NashConv."""
    game = eqenvs.make("trust_dilemma", **parameters)
    config = PSROConfig(oracle={"id": "exact"}, meta_solver=meta_solver)
    learner = LEARNER.build(game, config, InlineExecutor(0))
    state = learner.init(np.random.SeedSequence(0))
    for _ in range(iterations):
        state, _ = learner.step(state)
    policy = learner.average_policy(state)
    return [table.round(6).tolist() for table in tabulate(game.model(), policy).tables], score(game, policy).nash_conv


def risk_averse(gamma: float, tremble: float = 0.2) -> dict[str, Any]:
    return {"id": "risk_averse", "settings": {"gamma": gamma, "tremble": tremble}}


@pytest.mark.parametrize("noise", [0.1, 0.2])
def test_risk_aversion_ends_at_the_risk_dominant_outcome_and_nash_at_the_better_one(noise: float) -> None:
    first, second = played("nash", noise=noise)[0]
    assert (first, second) == ([[1, 0]], STAG)
    (first, second), gap = played(risk_averse(5.0), noise=noise)
    assert (first, second) == ([[0, 1]], HARE)
    assert gap == pytest.approx(0, abs=1e-9)  # it is an equilibrium as well


def test_without_an_aversion_to_risk_the_tremble_alone_does_not_lead_there() -> None:
    (first, second), _ = played(risk_averse(0.0))
    assert first == [[1, 0]]
    assert second == FOLLOW


@pytest.mark.parametrize("meta_solver", ["nash", risk_averse(5.0)], ids=["nash", "risk-averse"])
def test_where_the_sign_tells_nothing_both_hunt_hare(meta_solver: Any) -> None:
    """Best responses to play at random are hare then, and nobody's population ever gets the stag."""
    (first, second), _ = played(meta_solver, noise=0.5)
    assert (first, second) == ([[0, 1]], HARE)
