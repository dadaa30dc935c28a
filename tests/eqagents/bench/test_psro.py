"""`eqenvs bench psro`: schedules against closed forms and bounds, and what must hold whatever the clock says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqagents.bench import Section, Settings, _psro_fill, _psro_gini, _psro_schedule, _psro_targets
from eqagents.bench._psro_schedule import Node, Recorder, critical_path, graph_of, makespan
from eqagents.distributed import Executor, Task, run_ordered

QUICK = Settings(quick=True)


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """Work for the workers alone, each piece after some of those before it."""
    size = draw(st.integers(0, 12))
    seconds = draw(st.lists(st.integers(1, 9), min_size=size, max_size=size))
    return [
        Node(float(each), tuple(sorted(draw(st.sets(st.integers(0, place - 1), max_size=3))) if place else ()))
        for place, each in enumerate(seconds)
    ]


@given(graph=graphs(), workers=st.integers(1, 5))
def test_list_scheduling_keeps_grahams_bound(graph: list[Node], workers: int) -> None:
    work, path, span = sum(node.seconds for node in graph), critical_path(graph), makespan(graph, workers)
    assert max(path, work / workers) <= span <= work / workers + (1 - 1 / workers) * path + 1e-9
    assert makespan(graph, 1) == pytest.approx(work)
    assert makespan(graph, 100) == pytest.approx(path)


def test_the_driver_sends_one_task_after_the_other() -> None:
    # 2 s of the driver, then a task every second: they end at 8, 9, 10, and the driver is done at 11.
    graph = graph_of([(2.0, [5.0, 5.0, 5.0]), (1.0, [])], dispatch=1.0)
    assert makespan(graph, 3) == 11.0
    assert makespan(graph, 1) == 2 + 1 + 15 + 1
    assert critical_path(graph) == 2 + 3 + 5 + 1
    assert critical_path(graph_of([(2.0, [5.0, 4.0]), (0.5, []), (1.0, [3.0])], dispatch=0.0)) == 2 + 5 + 0.5 + 1 + 3


def test_the_recorder_runs_what_it_is_given_and_keeps_the_phases() -> None:
    with Recorder() as executor:
        handle = executor.publish(np.arange(3))
        tasks = [
            Task((0, 1, k), "eqagents.bench._psro_fill:timed", {"function": "numpy.random:default_rng"})
            for k in range(2)
        ]
        found = run_ordered(executor, tasks)
        assert run_ordered(executor, []) == []
        (before, wave), (after, rest) = executor.finish()
        executor.release(handle)
    assert [phase for phase, _ in wave] == [1, 1]
    assert rest == []
    assert min(before, after, *(seconds for _, seconds in wave)) >= 0
    # The streams are those of any executor: by the root seed and the task's key.
    expected = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0, 1, 1))).integers(1000)
    assert found[1][0].integers(1000) == expected


@pytest.fixture(scope="module")
def schedule() -> Section:
    return _psro_schedule.section(QUICK)


def test_no_schedule_is_shorter_than_the_path_or_longer_than_the_work(schedule: Section) -> None:
    assert [row["variant"] for row in schedule.rows] == list(_psro_schedule.VARIANTS)
    for row in schedule.rows:
        spans = [row[f"on_{count}"] for count in _psro_schedule.WORKERS]
        assert row["critical_path"] <= min(spans)
        assert row["oracles"] + row["cells"] <= spans[0]
        assert max(spans) == spans[0]
    pipeline, plain = (
        next(row for row in schedule.rows if row["variant"].startswith(name))
        for name in ("psro, pipeline", "psro, learned")
    )
    assert pipeline["tasks"] > plain["tasks"]


def test_ours_comes_down_to_the_targets() -> None:
    (ours, *theirs) = _psro_targets.section(QUICK).rows
    assert ours["program"] == "eqenvs"
    assert ours["exploitability"] <= 0.05
    assert 0 < ours["at_0.1"] <= ours["at_0.05"]
    for row in theirs:
        assert row["program"] == "OpenSpiel"
        assert row["ratio_0.05"] > 0


def test_maximum_gini_solutions_are_equilibria_of_cubes() -> None:
    section = _psro_gini.section(QUICK)
    assert [row["concept"] for row in section.rows] == ["cce", "ce", "cce", "ce"]
    assert section.rows[2]["profiles"] == "4 x 4 x 4"  # repeated policies are kept
    for row in section.rows:
        assert row["violation"] <= 1e-10
        assert row["residual"] <= 1e-9


@pytest.mark.ray
def test_cells_on_workers_are_those_in_process(here_and_spread: tuple[Executor, Executor]) -> None:
    import eqenvs

    for fill in _psro_fill.QUICK_FILLS:
        cells = [(i, j) for i in range(fill.policies) for j in range(fill.policies)]
        game = eqenvs.make(fill.game)
        found = []
        for executor in here_and_spread:
            tasks = list(_psro_fill._tasks(fill, game, cells, executor))
            assert sum(fill.batch for _ in tasks) == len(cells)
            found.append([result for result, _ in run_ordered(executor, tasks)])
        np.testing.assert_equal(*found)
