"""Runs of other seeds are one curve with Student's interval; runs of other settings are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from eqagents.intervals import mean_and_half_width
from eqagents.report.data import ReportData
from eqagents.report.grouping import MAX_PLACES, group_runs, mean_curve, one_of_each_first


def run(seed, *, method="cfr", metrics=(), **changes):
    config = {"game": {"id": "kuhn_poker"}, "learner": {"id": "tabular", "method": method}, "seed": seed, **changes}
    return ReportData(directory=Path(f"{method}-{seed}"), config=config, environment={}, metrics=tuple(metrics))


@pytest.mark.parametrize("count", [2, 3, 7, 40])
def test_interval_is_students(count):
    values = np.random.default_rng(count).normal(3.0, 2.0, size=(count, 5))
    mean, half = mean_and_half_width(values)
    low, high = stats.t.interval(0.95, count - 1, loc=values.mean(axis=0), scale=stats.sem(values, axis=0))
    np.testing.assert_allclose(mean - half, low, rtol=1e-12)
    np.testing.assert_allclose(mean + half, high, rtol=1e-12)


def test_interval_covers_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(size=(4, 20_000))
    mean, half = mean_and_half_width(draws)
    assert np.mean(np.abs(mean) <= half) == pytest.approx(0.95, abs=0.005)  # 3 standard errors of the share: 0.0046


def test_one_run_has_no_interval():
    mean, half = mean_and_half_width([[2.0]])
    assert mean.tolist() == [2.0]
    assert np.isnan(half).all()


def test_mean_takes_each_runs_latest_value_where_all_have_one():
    curves = [([0.0, 2.0, 5.0], [8.0, 4.0, 1.0]), ([1.0, 3.0, 4.0], [6.0, 2.0, 0.0])]
    places, mean, half = mean_curve(curves)
    assert places.tolist() == [1.0, 2.0, 3.0, 4.0]  # from the later beginning to the earlier end
    assert mean.tolist() == [7.0, 5.0, 3.0, 2.0]
    spread = [1.0, 1.0, 1.0, 2.0]  # half the difference: of two values half the t interval is 12.706 times that
    np.testing.assert_allclose(half, stats.t.ppf(0.975, 1) * np.array(spread), rtol=1e-12)


def test_mean_passes_over_what_is_missing_and_is_empty_without_a_common_place():
    places, mean, _ = mean_curve([([0.0, 1.0, 2.0], [1.0, np.nan, 3.0]), ([0.0, 1.0, 2.0], [5.0, 7.0, np.inf])])
    assert places.tolist() == [0.0, 1.0]
    assert mean.tolist() == [3.0, 4.0]
    for empty in ([([0.0], [1.0]), ([2.0], [1.0])], [([0.0], [np.nan]), ([0.0], [1.0])]):
        assert [part.size for part in mean_curve(empty)] == [0, 0, 0]


def test_long_mean_curve_keeps_its_ends():
    x = np.arange(10_000.0)
    places, mean, _ = mean_curve([(x, x), (x + 0.5, x)])
    assert len(places) == MAX_PLACES
    assert (places[0], places[-1]) == (0.5, 9_999.0)
    assert mean[-1] == 9_998.5


def test_runs_are_one_group_where_they_differ_in_their_seed_alone():
    runs = [run(0), run(3, method="cfr+"), run(1), run(2, score={"every": 5}), run(7)]
    names = ["a", "b", "c", "d", "e"]
    groups = group_runs(runs, names)
    assert [group.names for group in groups] == [("a", "c", "e"), ("b",), ("d",)]
    assert [group.index for group in groups] == [0, 1, 2]
    assert groups[0].label == "learner.method=cfr: 3 seeds (0, 1, 7)"  # beside "d", which has another setting
    two = group_runs([run(0), run(1), run(0, method="cfr+"), run(1, method="cfr+")], names[:4])
    assert [group.label for group in two] == ["cfr: 2 seeds (0, 1)", "cfr+: 2 seeds (0, 1)"]
    assert [group.label for group in groups[1:]] == ["b", "d"]
    assert one_of_each_first(groups, names) == [0, 1, 3, 2, 4]


def test_same_seed_is_not_counted_twice():
    groups = group_runs([run(0), run(1), run(1)], ["a", "b", "copy"])
    assert [group.names for group in groups] == [("a", "b"), ("copy",)]


def test_group_gives_the_mean_with_its_interval_and_every_run():
    runs = [run(seed, metrics=[{"step": s, "gap": float(10 * seed + s)} for s in (0, 1)]) for seed in (1, 2, 3)]
    [group] = group_runs(runs, ["a", "b", "c"])
    *members, mean = group.series("gap", lambda each: each.column("step"))
    assert [member.label for member in members] == ["a", "b", "c"]
    assert all(member.member for member in members)
    assert list(mean.y) == [20.0, 21.0]
    half = stats.t.ppf(0.975, 2) * 10.0 / np.sqrt(3)
    np.testing.assert_allclose(mean.low, np.array(mean.y) - half)
    np.testing.assert_allclose(mean.high, np.array(mean.y) + half)
    alone = group_runs(runs[:1], ["a"])[0].series("gap", lambda each: each.column("step"))
    assert [(series.member, tuple(series.low)) for series in alone] == [(False, ())]
