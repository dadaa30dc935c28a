"""Elo by maximum likelihood: closed forms, another optimiser, and where there is no maximum."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from eqenvs.errors import InputError
from eqsolvers.evaluation import elo
from eqsolvers.evaluation.elo import DROP, SCALE
from eqsolvers.result import Status

games = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 20), min_size=k, max_size=k), min_size=k, max_size=k)
)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.64, 0.99])
def test_two_players_differ_by_the_log_odds_of_winning(p):
    found = elo(np.array([[0.0, p], [1 - p, 0.0]]), counted=False)
    assert found.status is Status.CONVERGED
    assert found.ratings[0] - found.ratings[1] == pytest.approx(400 * np.log10(p / (1 - p)))
    assert found.ratings.sum() == pytest.approx(0)
    assert found.standard_error is None
    assert found.predicted()[0, 1] == pytest.approx(p)


def test_the_standard_error_of_two_players_is_that_of_log_odds():
    wins = np.array([[0.0, 30.0], [10.0, 0.0]])
    error = SCALE * np.sqrt(1 / 30 + 1 / 10)
    assert elo(wins, anchor=1).standard_error == pytest.approx([error, 0.0])
    assert elo(wins).standard_error == pytest.approx([error / 2, error / 2])
    assert elo(wins, anchor=1).ratings == pytest.approx([SCALE * np.log(3), 0.0])


def test_scores_that_ratings_predict_give_these_ratings_back():
    truth = np.array([-200.0, 30.0, 70.0, 100.0])
    wins = expit((truth[:, None] - truth[None, :]) / SCALE) * np.array([[1, 5, 2, 9]]).T * np.array([[1, 5, 2, 9]])
    assert elo(wins).ratings == pytest.approx(truth, abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(games)
def test_ratings_are_where_another_optimiser_puts_them(wins):
    wins = np.array(wins, dtype=np.float64) + 0.5
    np.fill_diagonal(wins, 0.0)
    found = elo(wins)

    def loss(x):
        return -float(np.sum(wins * np.log(expit(x[:, None] - x[None, :]))))

    other = minimize(loss, np.zeros(len(wins)), method="BFGS", options={"gtol": 1e-7}).x
    assert found.status is Status.CONVERGED
    assert found.ratings == pytest.approx(SCALE * (other - other.mean()), abs=1e-2)
    assert loss(found.ratings / SCALE) <= loss(other) + 1e-9


@settings(max_examples=60, deadline=None)
@given(games, st.integers(2, 9), st.randoms(use_true_random=False))
def test_ratings_do_not_depend_on_the_order_of_players_or_the_unit_of_games(wins, factor, random):
    wins = np.array(wins, dtype=np.float64) + 0.5
    order = list(range(len(wins)))
    random.shuffle(order)
    found = elo(wins)
    assert elo(factor * wins).ratings == pytest.approx(found.ratings, abs=1e-6)
    assert elo(factor * wins).standard_error * np.sqrt(factor) == pytest.approx(found.standard_error, rel=1e-6)
    assert elo(wins[np.ix_(order, order)]).ratings == pytest.approx(found.ratings[order], abs=1e-6)
    assert elo(wins.T).ratings == pytest.approx(-found.ratings, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(games)
def test_there_is_a_maximum_if_and_only_if_wins_connect_all_both_ways(wins):
    wins = np.array(wins, dtype=np.float64)
    np.fill_diagonal(wins, 0.0)
    assume(wins.any())
    reach = np.linalg.matrix_power(np.eye(len(wins)) + (wins > 0), len(wins)) > 0
    found = elo(wins)
    assert (found.status is Status.CONVERGED) == bool(reach.all())
    assert np.isnan(found.ratings).any() == (not reach.all())


@pytest.mark.parametrize("number", [1, 10, 1000])
def test_who_always_won_has_a_bound_not_a_rating(number):
    found = elo(np.array([[0.0, number], [0.0, 0.0]]), anchor=1)
    assert found.status is Status.NONE_EXISTS
    assert np.isnan(found.ratings[0])
    assert found.ratings[1] == 0.0
    # The likelihood of all wins is sigma(x)^number; its log falls by DROP from its supremum, 0, at the bound.
    chance = np.exp(-DROP / number)
    assert found.at_least[0] == pytest.approx(SCALE * np.log(chance / (1 - chance)), rel=1e-6)
    assert found.at_most[0] == np.inf
    assert "1 always won" in found.message
    other = elo(np.array([[0.0, number], [0.0, 0.0]]), anchor=0)
    assert other.at_most[1] == pytest.approx(-found.at_least[0])
    assert other.at_least[1] == -np.inf


def test_bounds_of_a_chain_follow_the_likelihood():
    # 0 beats 1, 1 and 2 are even, 2 beats 3; the others are rated, and 0 and 3 are bounded alike from both sides.
    wins = np.zeros((4, 4))
    wins[0, 1], wins[1, 2], wins[2, 1], wins[2, 3] = 8, 5, 5, 8
    found = elo(wins)
    assert found.ratings[1:3] == pytest.approx([0, 0])
    assert np.isnan(found.ratings[[0, 3]]).all()
    assert found.at_least[0] == pytest.approx(-found.at_most[3], rel=1e-5)
    # With 1 and 2 free to move too, the bound is lower than that of 8 wins alone.
    chance = np.exp(-DROP / 8)
    assert found.at_least[0] < SCALE * np.log(chance / (1 - chance))
    assert found.at_most[0] == np.inf


def test_players_who_never_met_are_not_bounded():
    wins = np.zeros((4, 4))
    wins[0, 1] = wins[1, 0] = wins[2, 3] = wins[3, 2] = 3
    found = elo(wins)
    assert found.status is Status.NONE_EXISTS
    assert found.ratings[:2] == pytest.approx([0, 0])
    assert (found.at_least[2:] == -np.inf).all()
    assert (found.at_most[2:] == np.inf).all()
    assert "2 did not meet them" in found.message


def test_exact_probabilities_of_one_have_no_bound():
    found = elo(np.array([[0.0, 1.0], [0.0, 0.0]]), counted=False)
    assert found.status is Status.NONE_EXISTS
    assert found.at_least[0] == -np.inf


def test_a_prior_keeps_ratings_finite():
    found = elo(np.array([[0.0, 10.0], [0.0, 0.0]]), prior=1.0)
    assert found.status is Status.CONVERGED
    assert found.ratings[0] - found.ratings[1] == pytest.approx(400 * np.log10(10.5 / 0.5))


def test_the_argument_is_left_as_it_was():
    wins = np.array([[7.0, 3.0], [1.0, 9.0]])
    elo(wins, prior=2.0)
    assert wins.tolist() == [[7.0, 3.0], [1.0, 9.0]]


@pytest.mark.parametrize(
    ("wins", "options", "said"),
    [
        ([[0.0]], {}, "two players or more"),
        ([[0.0, 1.0, 2.0], [1.0, 0.0, 2.0]], {}, "square"),
        ([[0.0, -1.0], [1.0, 0.0]], {}, "non-negative"),
        ([[0.0, np.nan], [1.0, 0.0]], {}, "finite"),
        ([[0.0, 1.0], [1.0, 0.0]], {"anchor": 2}, "anchor must be from 0 to 1"),
        ([[0.0, 1.0], [1.0, 0.0]], {"prior": -1.0}, "prior"),
    ],
)
def test_bad_input_is_named(wins, options, said):
    with pytest.raises(InputError, match=said):
        elo(np.array(wins), **options)
