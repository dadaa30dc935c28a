"""Meta-solvers with a correlation device: chicken as an empirical game, and populations of unequal sizes."""

from __future__ import annotations

import numpy as np
import pytest

from eqenvs.models import NormalFormModel
from eqenvs.policies import CorrelatedStrategy
from eqsolvers.meta import find_meta_solver
from eqsolvers.scoring import score

CHICKEN = np.array([[[6.0, 2], [7, 0]], [[6, 7], [2, 0]]])
CORRELATED = ["max_gini_ce", "max_gini_cce", "max_welfare_ce", "max_welfare_cce"]


@pytest.mark.parametrize("name", [*CORRELATED, "alpha_rank"])
def test_device_has_the_strategies_as_its_marginals_and_payoffs_are_left_alone(name: str) -> None:
    payoffs = np.random.default_rng(0).normal(size=(3, 2, 3, 4))
    payoffs.setflags(write=False)
    solution = find_meta_solver(name)(payoffs)
    assert solution.device is not None
    assert solution.device.shape == (2, 3, 4)
    assert solution.device.sum() == pytest.approx(1, abs=1e-12)
    for player, strategy in enumerate(solution.strategies):
        own = np.moveaxis(solution.device, player, 0).reshape(len(strategy), -1).sum(axis=1)
        np.testing.assert_allclose(strategy, own, atol=1e-15)


@pytest.mark.parametrize("name", CORRELATED)
def test_device_is_an_equilibrium_of_the_concept(name: str) -> None:
    for payoffs in (CHICKEN, np.random.default_rng(1).normal(size=(3, 2, 3, 2)), np.zeros((2, 1, 1))):
        model = NormalFormModel(payoffs)
        scored = score(model, CorrelatedStrategy(model, find_meta_solver(name)(payoffs).device))
        gap = scored.cce_gap if name.endswith("cce") else scored.ce_gap
        assert gap is not None
        assert gap <= 1e-9


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("max_welfare_ce", [[1 / 2, 1 / 4], [1 / 4, 0]]),
        ("max_gini_cce", np.array([[9, 10], [10, 5]]) / 34),
        ("alpha_rank", [[0, 1 / 2], [1 / 2, 0]]),
    ],
)
def test_chicken_has_the_device_worked_by_hand(name: str, device: object) -> None:
    np.testing.assert_allclose(find_meta_solver(name)(CHICKEN).device, device, atol=1e-6)
