"""mElo2k: what it represents exactly, the best approximation of log odds, and fits of games."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from eqenvs.errors import InputError
from eqsolvers.evaluation import decompose, elo, multidimensional_elo
from eqsolvers.evaluation.elo import log_likelihood
from eqsolvers.evaluation.multidimensional_elo import circles
from eqsolvers.result import Status

CYCLE = np.array([[0.5, 0.2, 0.8], [0.8, 0.5, 0.2], [0.2, 0.8, 0.5]])


def antisymmetric(count, seed):
    matrix = np.random.default_rng(seed).normal(size=(count, count))
    return matrix - matrix.T


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 7), st.integers(0, 1000))
def test_full_rank_decompositions_are_exact(count, seed):
    matrix = antisymmetric(count, seed)
    found = decompose(matrix, count // 2)
    assert found.log_odds() == pytest.approx(matrix, abs=1e-10)
    assert found.ratings.sum() == pytest.approx(0, abs=1e-8)
    # Hodge: the second part has no divergence.
    assert circles(found.vectors).sum(axis=1) == pytest.approx(np.zeros(count), abs=1e-10)


@settings(max_examples=50, deadline=None)
@given(st.integers(4, 8), st.integers(1, 2), st.integers(0, 1000))
def test_circles_are_the_best_approximation_of_their_rank(count, k, seed):
    # Eckart and Young: the error is what the other singular values, which come in pairs, leave.
    matrix = antisymmetric(count, seed)
    found = decompose(matrix, k)
    mean = matrix.mean(axis=1)
    rest = matrix - (mean[:, None] - mean[None, :])
    singular = np.linalg.svd(rest, compute_uv=False)
    error = np.linalg.norm(rest - circles(found.vectors))
    assert error == pytest.approx(np.sqrt(np.square(singular[2 * k :]).sum()), abs=1e-9)
    assert np.linalg.matrix_rank(circles(found.vectors), tol=1e-9) <= 2 * k


def test_elo_predicts_nothing_of_a_circle_and_melo2_all_of_it():
    wins = 100 * CYCLE
    assert elo(wins).predicted() == pytest.approx(np.full((3, 3), 0.5))
    found = multidimensional_elo(wins, k=1)
    assert found.status is Status.CONVERGED
    assert found.predicted() == pytest.approx(CYCLE, abs=1e-6)
    assert found.ratings == pytest.approx(np.zeros(3), abs=1e-3)


def test_without_circles_it_is_elo():
    wins = np.random.default_rng(2).integers(1, 30, (5, 5)).astype(float)
    found = multidimensional_elo(wins, k=0)
    assert found.status is Status.CONVERGED
    assert found.ratings == pytest.approx(elo(wins).ratings, abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_games_of_a_model_with_circles_are_fitted_as_well_as_by_the_model(seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=6)[:, None] - rng.normal(size=6)[None, :]
    truth = (truth - truth.T) / 2 + circles(rng.normal(size=(6, 2)))
    number = rng.integers(20, 200, (6, 6))
    number = np.triu(number, 1) + np.triu(number, 1).T
    wins = np.triu(rng.binomial(number, expit(truth)), 1).astype(float)
    wins += np.tril(number - wins.T, -1)
    found = multidimensional_elo(wins, k=1)
    assert found.status is Status.CONVERGED
    reached = log_likelihood(wins, found.log_odds())
    assert reached >= log_likelihood(wins, truth)
    assert reached > log_likelihood(wins, multidimensional_elo(wins, k=0).log_odds())
    assert reached <= log_likelihood(wins, multidimensional_elo(wins, k=2).log_odds()) + 1e-6


def test_enough_circles_reproduce_every_win_rate():
    wins = np.random.default_rng(0).integers(1, 30, (4, 4)).astype(float)
    share = wins / (wins + wins.T)
    found = multidimensional_elo(wins, k=2)
    apart = ~np.eye(4, dtype=bool)
    assert found.predicted()[apart] == pytest.approx(share[apart], abs=1e-5)
    assert found.log_odds()[apart] == pytest.approx(logit(share[apart]), abs=1e-4)


def test_meetings_that_one_side_always_won_need_a_prior():
    wins = 10 * np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    found = multidimensional_elo(wins)
    assert found.status is Status.NONE_EXISTS
    assert "prior" in found.message
    kept = multidimensional_elo(wins, prior=1.0)
    assert kept.status is Status.CONVERGED
    assert kept.predicted()[0, 1] == pytest.approx(10.5 / 11, abs=1e-5)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="antisymmetric"):
        decompose(np.ones((2, 2)))
    with pytest.raises(InputError, match="k must be from 0 to 1"):
        decompose(np.zeros((3, 3)), 2)
    with pytest.raises(InputError, match="k must be from 0 to 1"):
        multidimensional_elo(np.ones((3, 3)), k=-1)
