import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from eqagents.leaderboard.statistics import alike, critical_difference, friedman, half_width, improvement, ranks, wins

DEMSAR = [3.143, 2.000, 2.893, 1.964]  # average ranks of four classifiers on 14 data sets, JMLR 7, page 12


def test_friedman_is_demsars_example():
    found = friedman(DEMSAR, 14)
    assert found.chi2 == pytest.approx(9.28, abs=0.005)
    assert found.f == pytest.approx(3.69, abs=0.005)
    assert stats.f.isf(0.05, 3, 39) == pytest.approx(2.85, abs=0.005)  # the critical value that he compares with
    assert found.f_p < 0.05


def test_critical_differences_are_demsars():
    assert [round(critical_difference(4, 14, alpha), 2) for alpha in (0.05, 0.1)] == [1.25, 1.12]


@pytest.mark.parametrize(
    ("k", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031), (9, 3.102), (10, 3.164)],
)
def test_quantiles_are_those_of_demsars_table(k, q):
    assert critical_difference(k, 1) / math.sqrt(k * (k + 1) / 6) == pytest.approx(q, abs=1.1e-3)


def test_friedman_is_scipys_where_nothing_ties():
    scores = np.random.default_rng(0).normal(size=(7, 5)) + np.arange(5)
    expected = stats.friedmanchisquare(*scores.T)
    found = friedman(ranks(scores).mean(axis=0), 7)
    assert found.chi2 == pytest.approx(expected.statistic)
    assert found.chi2_p == pytest.approx(expected.pvalue)


def test_entries_that_all_tasks_rank_alike_give_the_largest_statistic():
    found = friedman([1.0, 2.0, 3.0], 4)
    assert found.chi2 == pytest.approx(4 * 2)  # N (k - 1)
    assert found.f == math.inf
    assert found.f_p == 0


def test_entries_that_never_differ_give_none():
    found = friedman([2.0, 2.0, 2.0], 4)
    assert (found.chi2, found.f, found.f_p) == (0, 0, 1)


def test_interval_of_two_values_is_the_cauchy_quantile():
    # One degree of freedom: t is Cauchy's, and the standard error of two values is half their distance.
    assert half_width([1.0, 3.0]) == pytest.approx(math.tan(math.pi * 0.475))
    assert half_width([1.0]) is None
    assert half_width([0.25, 0.25, 0.25]) == 0


def test_interval_covers_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(3.0, 2.0, size=(4000, 3))
    covered = [abs(row.mean() - 3.0) <= half_width(row.tolist()) for row in draws]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


average_ranks = st.lists(st.integers(10, 60).map(lambda tenths: tenths / 10), min_size=2, max_size=8)


@given(average_ranks, st.sampled_from([0.5, 1.0, 2.3]))
def test_two_entries_share_a_group_exactly_where_they_are_nearer_than_the_difference(found, difference):
    groups = [set(group) for group in alike(found, difference)]
    for a in range(len(found)):
        for b in range(a):
            assert any({a, b} <= group for group in groups) == (abs(found[a] - found[b]) < difference)
    assert not any(one < other for one in groups for other in groups)


def test_wins_and_improvement_by_hand():
    # Two tasks, three entries; on the second the first two tie.
    assert wins(np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 4.0]])).tolist() == [[0, 1.5, 1], [0.5, 0, 1], [1, 1, 0]]
    first = [np.array([1.0, 2.0]), np.array([1.5, 9.0]), np.array([3.0])]
    runs = [first, [np.array([1.0]), np.array([1.0]), np.array([0.0])]]
    found = improvement(runs)
    assert found[0, 1] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert found[0, 2] == pytest.approx((1 + 0) / 2)
    assert found[1, 2] == pytest.approx((1 / 2 + 0) / 2)
    np.testing.assert_allclose(found + found.T, 1)


def test_equal_scores_share_their_ranks():
    assert ranks(np.array([[0.2, 0.1, 0.1, 0.1], [4.0, 3.0, 2.0, 1.0]])).tolist() == [[4, 2, 2, 2], [4, 3, 2, 1]]
