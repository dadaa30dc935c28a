"""The most even equilibria: the dual method against Clarabel, its parts against scipy, its prices and its residuals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import lsq_linear
from scipy.special import entr

from eqenvs.errors import InputError
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form import _conic, _even
from eqsolvers.normal_form._conic import ConicProgramError, most_even
from eqsolvers.normal_form._epsilon import Epsilon, loosened
from eqsolvers.normal_form._even import even_device
from eqsolvers.normal_form._even_dual import ascend, bounded_maximum, judged
from eqsolvers.normal_form._incentives import scaled_incentives

RANDOM = NormalFormModel(np.random.default_rng(3).normal(size=(3, 2, 4, 3)))
FINITE = st.floats(-5, 5, allow_nan=False)


def evenness(x: np.ndarray, entropy: bool) -> float:
    return float(entr(x).sum()) if entropy else float(1 - (x**2).sum())


def degenerate(seed: int, *sizes: int) -> NormalFormModel:
    """Payoffs in {-1, 0, 1}, and a policy of each player twice: little of such a game is played in equilibrium."""
    payoffs = np.random.default_rng(seed).integers(-1, 2, size=(len(sizes), *sizes)).astype(float)
    for axis in range(1, payoffs.ndim):
        payoffs = np.concatenate([payoffs, np.take(payoffs, [0], axis=axis)], axis=axis)
    return NormalFormModel(payoffs)


@pytest.mark.parametrize("seed", range(40))
def test_bounded_maximum_is_that_of_a_general_solver(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 30))
    root = rng.normal(size=(size, size)) + 2 * np.sqrt(size) * np.eye(size)  # of a moderate condition number
    gradient, low = 5 * rng.normal(size=size), -rng.exponential(size=size)
    # gradient.d - |root d|^2 / 2 is, up to a constant, -|root d - target|^2 / 2.
    target = np.linalg.solve(root.T, gradient)
    expected = lsq_linear(root, target, bounds=(low, np.inf), method="bvls", tol=1e-14)
    assert expected.success
    found = bounded_maximum(root.T @ root, gradient, low)
    assert (found >= low).all()
    assert np.linalg.norm(root @ found - target) <= np.linalg.norm(root @ expected.x - target) + 1e-12 * np.linalg.norm(
        target
    )


def test_a_step_without_its_maximum_still_rises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eqsolvers.normal_form._even_dual.MOST_PIVOTS", 1)
    rng = np.random.default_rng(0)
    root = rng.normal(size=(9, 9))
    hessian, gradient = root.T @ root, rng.normal(size=9)
    step = bounded_maximum(hessian, gradient, np.full(9, -0.01))
    assert (step >= -0.01).all()
    assert gradient @ step > 0


@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("concept", ["ce", "cce"])
@pytest.mark.parametrize("epsilon", [0.0, 0.05])
@pytest.mark.parametrize("seed", range(4))
def test_the_dual_finds_what_an_interior_point_method_finds(
    seed: int, epsilon: float, concept: str, entropy: bool
) -> None:
    model = NormalFormModel(np.random.default_rng(seed).normal(size=(3, 3, 5, 4)))
    programme = loosened(model, concept, Epsilon(epsilon=epsilon))
    ((_, bound),) = programme.allowed
    found = ascend(programme.matrix, bound, entropy=entropy, most=60)
    assert found.found
    assert found.violation <= 1e-13
    assert found.gap <= 1e-10
    x, prices, _ = most_even(programme.matrix, bound, entropy=entropy)
    assert evenness(found.distribution, entropy) == pytest.approx(evenness(x, entropy), abs=1e-9)
    np.testing.assert_allclose(found.distribution, x, atol=1e-6)
    np.testing.assert_allclose(found.prices, prices, atol=1e-5 * max(1.0, prices.max()))


@pytest.mark.parametrize("entropy", [False, True])
def test_no_equilibrium_is_more_even_than_any_prices_say(entropy: bool) -> None:
    """Weak duality: the gap of whatever prices bounds what is missing to the best."""
    matrix, units, _ = scaled_incentives(RANDOM, "cce")
    best = even_device(RANDOM, "cce", Epsilon(), entropy=entropy)
    rng = np.random.default_rng(0)
    x = best.device.ravel()
    for _ in range(20):
        _, gap = judged(matrix, 0.0, x, rng.exponential(size=len(units)), entropy=entropy)
        assert gap >= -1e-12
    assert best.gap <= 1e-12
    violation, gap = judged(matrix, 0.0, np.full(24, 1 / 24), np.zeros(len(units)), entropy=entropy)
    assert gap == pytest.approx(0, abs=1e-12)  # uniform play is the most even of all,
    assert violation == pytest.approx(max(0.0, float((matrix @ np.full(24, 1 / 24)).max())))  # but no equilibrium


@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("concept", ["ce", "cce"])
def test_prices_are_what_a_payoff_more_of_each_gain_is_worth(concept: str, entropy: bool) -> None:
    def best(epsilon: float) -> float:
        return evenness(even_device(RANDOM, concept, Epsilon(epsilon=epsilon), entropy=entropy).device, entropy)

    prices = even_device(RANDOM, concept, Epsilon(epsilon=0.02), entropy=entropy).prices
    assert [table.shape for table in prices] == ([(2, 2), (4, 4), (3, 3)] if concept == "ce" else [(2,), (4,), (3,)])
    slope = (best(0.0201) - best(0.0199)) / 0.0002
    assert sum(float(table.sum()) for table in prices) == pytest.approx(slope, rel=1e-3)
    assert slope > 0.01


@pytest.mark.parametrize("entropy", [False, True])
def test_too_few_steps_are_said_and_how_much_is_missing(entropy: bool) -> None:
    matrix, _, _ = scaled_incentives(RANDOM, "ce")
    found = ascend(matrix, 0.0, entropy=entropy, most=1)
    assert not found.found
    assert found.iterations == 1
    assert found.violation == pytest.approx(float((matrix @ found.distribution).max()))
    assert max(found.violation, found.gap) > 1e-6


def test_bounds_that_nothing_keeps_are_seen_by_the_value_of_the_dual() -> None:
    matrix, _, _ = scaled_incentives(RANDOM, "cce")
    for entropy in (False, True):
        found = ascend(matrix, -5.0, entropy=entropy, most=1000)
        assert not found.found
        assert found.iterations < 100
    with pytest.raises(ConicProgramError, match="Infeasible"):
        _even._most_even(matrix, np.full(matrix.shape[0], -5.0), entropy=False, start=None)


@pytest.mark.parametrize("concept", ["ce", "cce"])
@pytest.mark.parametrize("entropy", [False, True])
def test_large_random_games_need_no_interior_point_method(
    monkeypatch: pytest.MonkeyPatch, concept: str, entropy: bool
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("not needed")

    monkeypatch.setattr(_conic, "most_even", refuse)
    model = NormalFormModel(np.random.default_rng(0).normal(size=(3, 11, 10, 9)))
    found = even_device(model, concept, Epsilon(), entropy=entropy)
    assert found.iterations <= 10
    assert found.violation <= 1e-12
    assert found.gap <= 1e-12


@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("concept", ["ce", "cce"])
@pytest.mark.parametrize("seed", range(3))
def test_degenerate_games_are_solved_to_rounding_whichever_method_ends(seed: int, concept: str, entropy: bool) -> None:
    model = degenerate(seed, 4, 3, 4)
    found = even_device(model, concept, Epsilon(), entropy=entropy)
    assert found.violation <= 1e-11  # of payoffs in [-1, 1]
    assert found.gap <= 1e-9
    matrix, units, _ = scaled_incentives(model, concept)
    assert found.violation == pytest.approx(max(0.0, float(((matrix @ found.device.ravel()) * units).max())))


def test_prices_of_the_interior_point_method_are_made_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    model = degenerate(1, 4, 3, 4)
    exact = even_device(model, "cce", Epsilon(), entropy=False)
    monkeypatch.setattr(_even, "STEPS", {False: 0})
    found = even_device(model, "cce", Epsilon(), entropy=False)
    assert found.violation <= 1e-13
    np.testing.assert_allclose(found.device, exact.device, atol=1e-9)
    monkeypatch.setattr(_even, "MORE_STEPS", 0)  # Clarabel's own answer, and how good that is
    rough = even_device(model, "cce", Epsilon(), entropy=False)
    np.testing.assert_allclose(rough.device, exact.device, atol=1e-5)
    assert rough.gap <= 1e-6


@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("concept", ["ce", "cce"])
def test_the_prices_of_a_smaller_game_are_a_start_and_no_more(concept: str, entropy: bool) -> None:
    small = RANDOM.payoffs[:, :, :3, :2]
    start = even_device(NormalFormModel(small), concept, Epsilon(), entropy=entropy).prices
    cold = even_device(RANDOM, concept, Epsilon(), entropy=entropy)
    warm = even_device(RANDOM, concept, Epsilon(), entropy=entropy, start=start)
    np.testing.assert_allclose(warm.device, cold.device, atol=1e-7)
    again = even_device(RANDOM, concept, Epsilon(), entropy=entropy, start=cold.prices)
    assert again.iterations <= 1 < cold.iterations
    shrunk = even_device(NormalFormModel(small), concept, Epsilon(), entropy=entropy, start=cold.prices)
    np.testing.assert_allclose(
        shrunk.device, even_device(NormalFormModel(small), concept, Epsilon(), entropy=entropy).device, atol=1e-7
    )
    misleading = [np.full_like(table, 1e6) for table in cold.prices]
    far = even_device(RANDOM, concept, Epsilon(), entropy=entropy, start=misleading)
    assert far.iterations == cold.iterations


@settings(max_examples=40, deadline=None)
@given(
    payoffs=hnp.arrays(np.float64, (3, 2, 3, 2), elements=st.integers(-2, 2).map(float)),
    concept=st.sampled_from(["ce", "cce"]),
)
def test_nothing_is_flatter_than_the_flattest(payoffs: np.ndarray, concept: str) -> None:
    model = NormalFormModel(payoffs)
    programme = loosened(model, concept, Epsilon())
    flat = even_device(model, concept, Epsilon(), entropy=False).device.ravel()
    other = even_device(model, concept, Epsilon(), entropy=True).device.ravel()
    assert (programme.matrix @ flat).max(initial=0.0) <= 1e-10
    # The first-order condition: no equilibrium is on the near side of the flattest, seen from the origin.
    assert flat @ other >= flat @ flat - 1e-8


def test_two_rules_for_epsilon_are_one_too_many() -> None:
    with pytest.raises(InputError, match="min_epsilon chooses epsilon itself"):
        Epsilon(epsilon=0.1, min_epsilon=True)
