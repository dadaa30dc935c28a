"""Meta-solvers with a correlation device: chicken as an empirical game, and populations of unequal sizes."""

from __future__ import annotations

import numpy as np
import pytest

from eqenvs.errors import InputError
from eqenvs.models import NormalFormModel
from eqenvs.policies import CorrelatedStrategy
from eqsolvers.meta import _correlated, find_meta_solver
from eqsolvers.scoring import score

CHICKEN = np.array([[[6.0, 2], [7, 0]], [[6, 7], [2, 0]]])
CORRELATED = [
    f"{kind}_{concept}"
    for kind in ("max_gini", "max_entropy", "max_welfare", "random_vertex")
    for concept in ("ce", "cce")
]


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


def test_a_player_hears_each_recommendation_that_occurs() -> None:
    solution = find_meta_solver("max_welfare_ce")(CHICKEN)  # [[1/2, 1/4], [1/4, 0]]
    first, second = solution.against(0)
    np.testing.assert_allclose(first.device, [[2 / 3, 1 / 3], [0, 0]], atol=1e-9)
    np.testing.assert_allclose(second.device, [[0, 0], [1, 0]], atol=1e-9)
    np.testing.assert_allclose(first.strategies[1], [2 / 3, 1 / 3], atol=1e-9)
    (alone,) = find_meta_solver("max_welfare_cce")(CHICKEN).against(0)
    assert alone.device is not None


def test_epsilon_lets_deviations_gain_that_much() -> None:
    """Prisoner's dilemma: cooperation pays 1 less than defecting, so that epsilon 1 allows it for certain."""
    dilemma = np.array([[[3.0, 0], [4, 1]], [[3, 4], [0, 1]]])
    for kind in ("max_welfare_ce", "max_welfare_cce"):
        np.testing.assert_allclose(find_meta_solver(kind)(dilemma).device, [[0, 0], [0, 1]], atol=1e-9)
        np.testing.assert_allclose(find_meta_solver(kind)(dilemma, {"epsilon": 1}).device, [[1, 0], [0, 0]], atol=1e-9)
    with pytest.raises(InputError, match="epsilon"):
        find_meta_solver("max_gini_ce")(dilemma, {"epsilon": -1})


def test_a_random_vertex_follows_from_the_seed() -> None:
    find = find_meta_solver("random_vertex_cce")
    first, again, other = (find(CHICKEN, seed=seed).device for seed in (1, 1, 5))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("name", [name for name in CORRELATED if "gini" in name or "entropy" in name])
def test_the_last_solution_is_where_the_next_one_starts(name: str) -> None:
    payoffs = np.random.default_rng(1).normal(size=(3, 3, 4, 2))
    find = find_meta_solver(name)
    last = find(payoffs[:, :2, :3])
    assert sorted(last.memory) == ["prices_0", "prices_1", "prices_2"]
    grown = find(payoffs, memory=last.memory)
    fresh = find(payoffs)
    np.testing.assert_allclose(grown.device, fresh.device, atol=1e-8)
    for solution in (last, grown, fresh):
        assert solution.residual <= 1e-9
        assert solution.message == ""
    # What another meta-solver left is no start.
    np.testing.assert_array_equal(find(payoffs, memory={"weights": np.ones(3)}).device, fresh.device)


def test_an_inaccurate_solution_says_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_correlated, "ACCURACY", -1.0)
    solution = find_meta_solver("max_gini_cce")(CHICKEN)
    assert "gains exceed epsilon by" in solution.message
    assert "duality gap" in solution.message


@pytest.mark.parametrize("name", CORRELATED)
def test_two_rules_for_epsilon_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="min_epsilon chooses epsilon itself"):
        find_meta_solver(name)(CHICKEN, {"min_epsilon": True, "relative": True})
