"""Alpha-Rank: closed forms, exact rational twins of the chain's solution, and published behaviour."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form import alpha_rank as module
from eqsolvers.normal_form._markov import _reduce, _reduce_mild
from eqsolvers.normal_form.alpha_rank import alpha_rank, log_fixation, solve
from eqsolvers.result import Status

BATTLE = NormalFormModel([[[3, 0], [0, 2]], [[2, 0], [0, 3]]])
ROCK = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])


def chain(model: NormalFormModel, weight: object) -> dict[tuple[int, int], object]:
    """The rates between profiles by the definition, in loops: {(from, to): weight(gain)}."""
    joint = list(product(*map(range, model.num_actions)))
    number = {a: i for i, a in enumerate(joint)}
    rates = {}
    for a in joint:
        for player, actions in enumerate(model.num_actions):
            for b in range(actions):
                if b != a[player]:
                    new = (*a[:player], b, *a[player + 1 :])
                    gain = model.payoffs[(player, *new)] - model.payoffs[(player, *a)]
                    rates[number[a], number[new]] = weight(float(gain))  # type: ignore[operator]
    return rates


def by_eigenvector(rates: dict[tuple[int, int], float], n: int) -> np.ndarray:
    matrix = np.zeros((n, n))
    for (i, j), rate in rates.items():
        matrix[i, j] = rate
    generator = matrix - np.diag(matrix.sum(axis=1))
    values, vectors = np.linalg.eig(generator.T)
    found = np.abs(np.real(vectors[:, np.argmin(np.abs(values))]))
    return found / found.sum()


class Leading:
    """c eps^k: exact arithmetic on the leading terms of what has no subtraction in it."""

    def __init__(self, c: Fraction, k: int) -> None:
        self.c, self.k = c, k

    def __add__(self, other: Leading) -> Leading:
        if self.c == 0 or other.c == 0:
            return other if self.c == 0 else self
        if self.k != other.k:
            return min(self, other, key=lambda x: x.k)
        return Leading(self.c + other.c, self.k)

    def __mul__(self, other: Leading) -> Leading:
        return Leading(self.c * other.c, self.k + other.k)

    def __truediv__(self, other: Leading) -> Leading:
        return Leading(self.c / other.c, self.k - other.k)


def limit_by_leading_terms(rates: dict[tuple[int, int], Leading], n: int) -> np.ndarray:
    nothing = Leading(Fraction(0), 0)
    p = [[rates.get((i, j), nothing) for j in range(n)] for i in range(n)]
    for k in range(n - 1, 0, -1):
        out = sum(p[k][:k], nothing)
        for i in range(k):
            p[i][k] = p[i][k] / out
            for j in range(k):
                if i != j:
                    p[i][j] = p[i][j] + p[i][k] * p[k][j]
    found = [Leading(Fraction(1), 0)]
    for k in range(1, n):
        found.append(sum((found[i] * p[i][k] for i in range(k)), nothing))
    lowest = min(x.k for x in found if x.c)
    leading = np.array([float(x.c) if x.c and x.k == lowest else 0.0 for x in found])
    return leading / leading.sum()


@pytest.mark.parametrize("alpha", [1e-8, 0.1, 3.0, 1e3, 1e12])
@pytest.mark.parametrize("population", [2, 50])
def test_two_actions_of_one_player_have_the_odds_of_their_fixations(alpha: float, population: int) -> None:
    # rho(d) / rho(-d) = exp((m - 1) alpha d).
    found, error = alpha_rank(NormalFormModel([[0.0, 0.25]]), alpha=alpha, population=population)
    assert found[0] == pytest.approx(1 / (1 + np.exp(np.minimum(700, (population - 1) * alpha * 0.25))), rel=1e-9)
    assert error <= 1e-15


def test_fixation_is_the_textbook_ratio_and_finite_at_any_strength() -> None:
    x = np.array([-0.7, -1e-3, 1e-3, 0.4])
    np.testing.assert_allclose(np.exp(log_fixation(x, 2.0, 10)), (1 - np.exp(-2 * x)) / (1 - np.exp(-20 * x)))
    assert np.exp(log_fixation(np.zeros(1), 5.0, 8)) == pytest.approx(1 / 8)
    assert np.isfinite(log_fixation(np.array([-1e6, 1e6, 1e-300]), 1e100, 50)).all()


@pytest.mark.parametrize("shape", [(2, 3), (2, 2, 3), (4,)])
@pytest.mark.parametrize("alpha", [0.05, 0.5])
def test_stationary_distribution_is_the_eigenvector(shape: tuple[int, ...], alpha: float) -> None:
    model = NormalFormModel(np.random.default_rng(sum(shape)).normal(size=(len(shape), *shape)))
    rates = chain(model, lambda d: (1 - np.exp(-alpha * d)) / (1 - np.exp(-10 * alpha * d)))
    found, _ = alpha_rank(model, alpha=alpha, population=10)
    np.testing.assert_allclose(found.ravel(), by_eigenvector(rates, found.size), atol=1e-10)  # type: ignore[arg-type]


@pytest.mark.parametrize("epsilon", [0.3, 1e-2, 1e-4])
def test_perturbed_response_graph_has_the_stated_weights(epsilon: float) -> None:
    model = NormalFormModel(np.random.default_rng(5).integers(-1, 2, size=(2, 2, 3)))
    rates = chain(model, lambda d: 1 - epsilon if d > 0 else epsilon if d < 0 else 0.5)
    found, _ = alpha_rank(model, epsilon=epsilon)
    np.testing.assert_allclose(found.ravel(), by_eigenvector(rates, 6), atol=1e-10)  # type: ignore[arg-type]


def leading_weight(gain: float) -> Leading:
    return Leading(Fraction(1, 2) if gain == 0 else Fraction(1), 1 if gain < 0 else 0)


@settings(max_examples=40, deadline=None)
@given(
    payoffs=st.sampled_from([(2, 2, 3), (3, 2, 2, 2), (2, 3, 3)]).flatmap(
        lambda shape: hnp.arrays(np.float64, shape, elements=st.integers(-1, 1).map(float))
    )
)
def test_infinite_alpha_is_the_exact_limit_also_with_ties_and_many_sinks(payoffs: np.ndarray) -> None:
    model = NormalFormModel(payoffs)
    exact = limit_by_leading_terms(chain(model, leading_weight), payoffs[0].size)  # type: ignore[arg-type]
    result = solve(model)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.policy.distribution.ravel(), exact, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_limit_is_approached_by_small_perturbations(seed: int) -> None:
    model = NormalFormModel(np.random.default_rng(seed).normal(size=(3, 2, 3, 2)))
    errors = [np.abs(alpha_rank(model, epsilon=e)[0] - alpha_rank(model)[0]).max() for e in (1e-4, 1e-6, 1e-8)]
    assert errors[1] < 0.02 * errors[0] + 1e-12
    assert errors[2] < 1e-5


def test_symmetric_equilibria_share_the_limit_and_the_better_coordination_takes_it() -> None:
    np.testing.assert_allclose(alpha_rank(BATTLE)[0], [[0.5, 0], [0, 0.5]], atol=1e-12)
    np.testing.assert_allclose(alpha_rank(BATTLE, alpha=1e4)[0], [[0.5, 0], [0, 0.5]], atol=1e-9)
    stag = NormalFormModel([[[4, 0], [3, 3]], [[4, 3], [0, 3]]])
    # Leaving (stag, stag) costs 1, leaving (hare, hare) costs 3: strong selection sees that, the response graph not.
    np.testing.assert_allclose(alpha_rank(stag, alpha=50.0)[0], [[0, 0], [0, 1]], atol=1e-9)
    np.testing.assert_allclose(alpha_rank(stag)[0], [[0.5, 0], [0, 0.5]], atol=1e-12)


def test_cycle_is_uniform_in_one_population_and_in_two() -> None:
    model = NormalFormModel([ROCK, ROCK.T])
    for chosen in ({"alpha": 2.0}, {"alpha": None}):
        one, _ = alpha_rank(model, single_population=True, **chosen)
        np.testing.assert_allclose(one, np.eye(3) / 3, atol=1e-12)
        marginals = solve(model, settings=chosen).detail["masses"]
        np.testing.assert_allclose(marginals, np.full((2, 3), 1 / 3), atol=1e-12)


def test_single_population_follows_what_the_two_pay_each_other() -> None:
    matrix = np.array([[1.0, 5], [2, 3]])  # the first meets the second and gets 5, against its 2
    found, _ = alpha_rank(NormalFormModel([matrix, matrix.T]), alpha=0.1, population=10, single_population=True)
    assert found[1, 1] / found[0, 0] == pytest.approx(np.exp(-9 * 0.1 * 3), rel=1e-12)


# Made by OpenSpiel 2.0.2, open_spiel.python.egt.alpharank.compute(tables, m=50, alpha=0.1), to 9 digits.
OPEN_SPIEL = [[0.133349615, 0.142438247, 0.133742284], [0.000532651, 0.203154686, 0.386782517]]


def test_figures_of_openspiel() -> None:
    model = NormalFormModel([[[2, 0, 1], [1, 3, 0]], [[1, 2, 0], [0, 1, 3]]])
    np.testing.assert_allclose(alpha_rank(model, alpha=0.1)[0], OPEN_SPIEL, atol=1e-9)


@pytest.mark.parametrize("spread", [0.5, 4.0, 40.0])
def test_both_kernels_reduce_as_exact_fractions_do(spread: float) -> None:
    rng = np.random.default_rng(1)
    logs = spread * rng.normal(size=(6, 6))
    exact = {(i, j): Leading(Fraction(float(np.exp(logs[i, j]))), 0) for i in range(6) for j in range(6) if i != j}
    twin = limit_by_leading_terms(exact, 6)
    np.fill_diagonal(logs, -np.inf)
    by_logs = np.exp(_reduce(logs.copy()))
    by_rates = _reduce_mild(np.exp(logs))
    np.testing.assert_allclose(by_logs / by_logs.sum(), twin, rtol=1e-11)
    np.testing.assert_allclose(by_rates / by_rates.sum(), twin, rtol=1e-11)


@pytest.mark.parametrize("actions", [5, 10])
def test_three_populations_of_many_actions_are_ranked_at_any_strength(actions: int) -> None:
    model = NormalFormModel(np.random.default_rng(actions).uniform(size=(3, actions, actions, actions)))
    for alpha in (0.1, 1.0, None) + ((1e7,) if actions == 5 else ()):
        result = solve(model, settings={"alpha": alpha})
        assert result.status is Status.CONVERGED
        assert result.residual <= 1e-12


def test_what_is_not_covered_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedGame, match="symmetric two-player"):
        solve(BATTLE, settings={"single_population": True})
    with pytest.raises(InputError, match="'alpha' must be a number of at least 0"):
        solve(BATTLE, settings={"alpha": -1.0})
    monkeypatch.setattr(module, "LARGEST", 3)
    with pytest.raises(GameTooLargeError, match="4 states exceed the limit of 3"):
        solve(BATTLE)
    assert solve(NormalFormModel([ROCK, -ROCK])).status is Status.CONVERGED  # a single sink needs no dense matrix
