"""`eqenvs bench psro`: schedules against closed forms and bounds, and what must hold whatever the clock says."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqagents.bench import Section, Settings, _psro_fill, _psro_gini, _psro_schedule, _psro_targets
from eqagents.bench._virtual import Tape, VirtualWorkers
from eqagents.distributed import Executor, Flow, Job, Task, Work, run_ordered

QUICK = Settings(quick=True)
DRIVER = 100.0  # seconds that this process may take beside the tasks, which take thousands
Node: TypeAlias = tuple[float, tuple[int, ...]]  # seconds, and what it waits for


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """Pieces of work, each after some of those before it."""
    size = draw(st.integers(0, 12))
    seconds = draw(st.lists(st.integers(1, 9), min_size=size, max_size=size))
    return [
        (1000.0 * each, tuple(sorted(draw(st.sets(st.integers(0, place - 1), max_size=3))) if place else ()))
        for place, each in enumerate(seconds)
    ]


def work_of(flow: Flow, graph: list[Node]) -> Work[list[str]]:
    """A graph's work: a task of each node, sent when those that it waits for are done."""

    def node(place: int, after: list[Job[str]]) -> Work[str]:
        yield after
        (result,) = yield [Task((0, place), "no:function", {})]
        return str(result)

    jobs: list[Job[str]] = []
    for place, (_, after) in enumerate(graph):
        jobs.append(flow.start(node(place, [jobs[each] for each in after])))
    found = yield jobs
    return found


def span_of(graph: list[Node], workers: int, dispatch: float = 0.0) -> float:
    """Seconds of a graph whose nodes' results are on the tape."""
    tape = Tape({("no:function", (0, k)): (f"result {k}", seconds) for k, (seconds, _) in enumerate(graph)})
    with VirtualWorkers(workers, dispatch, tape) as executor:
        flow = Flow(executor)
        assert flow.run(work_of(flow, graph)) == [f"result {k}" for k in range(len(graph))]
        return executor.now


def longest(graph: list[Node]) -> float:
    ends: list[float] = []
    for seconds, after in graph:
        ends.append(seconds + max((ends[each] for each in after), default=0.0))
    return max(ends, default=0.0)


@settings(deadline=None)
@given(graph=graphs(), workers=st.integers(1, 5))
def test_list_scheduling_keeps_grahams_bound(graph: list[Node], workers: int) -> None:
    work, path, span = sum(seconds for seconds, _ in graph), longest(graph), span_of(graph, workers)
    assert max(path, work / workers) <= span <= work / workers + (1 - 1 / workers) * path + DRIVER
    assert span_of(graph, 1) == pytest.approx(work, abs=DRIVER)
    assert span_of(graph, 100) == pytest.approx(path, abs=DRIVER)


def test_the_driver_sends_one_task_after_the_other() -> None:
    """Sending takes 1,000 s: the last of three tasks begins at 3,000."""
    graph: list[Node] = [(5000.0, ()), (5000.0, ()), (5000.0, ())]
    assert span_of(graph, 3, dispatch=1000.0) == pytest.approx(1000 * (1 + 1 + 1 + 5), abs=DRIVER)
    # One worker is busy while the driver sends: it begins at 1,000 and has no break.
    assert span_of(graph, 1, dispatch=1000.0) == pytest.approx(1000 * (1 + 15), abs=DRIVER)
    chain: list[Node] = [(5000.0, ()), (3000.0, (0,))]
    assert span_of(chain, 3, dispatch=1000.0) == pytest.approx(1000 * (1 + 5 + 1 + 3), abs=DRIVER)


def test_what_is_played_back_is_what_was_run() -> None:
    tape, found = Tape(), []
    for workers in (1, 3):
        with VirtualWorkers(workers, 0.0, tape) as executor:
            handle = executor.publish(np.arange(3))
            draw = "eqagents.distributed.probe:draw"
            found.append(run_ordered(executor, [Task((0, 1, k), draw, {"size": 2}) for k in range(4)]))
            executor.release(handle)
            assert set(executor.seconds) == {(0, 1, k) for k in range(4)}
    assert all(one is other for one, other in zip(*found, strict=True))
    # The streams are those of any executor: by the root seed and the task's key.
    expected = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0, 1, 3))).standard_normal(2)
    np.testing.assert_array_equal(found[0][3], expected)


@pytest.fixture(scope="module")
def schedule() -> Section:
    return _psro_schedule.section(QUICK)


@pytest.mark.slow
def test_no_schedule_is_shorter_than_the_path_or_longer_than_the_work(schedule: Section) -> None:
    assert [row["variant"] for row in schedule.rows] == list(_psro_schedule.VARIANTS)
    for row in schedule.rows:
        spans = [row[f"on_{count}"] for count in _psro_schedule.WORKERS]
        # The driver's own work is timed anew each time.
        assert row["critical_path"] <= min(spans) + 2.0
        assert row["oracles"] + row["cells"] <= spans[0]
        assert max(spans) <= spans[0] + 2.0
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
@pytest.mark.slow
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
