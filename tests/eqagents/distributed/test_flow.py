"""Streams and flows: what goes first, who waits for whom, and who is told of a failure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eqagents.distributed import Executor, Flow, InlineExecutor, Job, Raised, Task, Work, asked, outcome
from eqenvs.errors import InputError

RAN: list[Any] = []


def note(seed: np.random.SeedSequence, *, name: Any) -> Any:
    """Task: its name, which is written down."""
    RAN.append(name)
    return name


def refuse(seed: np.random.SeedSequence, *, name: Any) -> Any:
    """Task: fails."""
    raise InputError(f"no {name}")


def task(*key: int, function: str = "note") -> Task:
    return Task(key, f"{__name__}:{function}", {"name": key})


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    RAN.clear()


def test_lower_ranks_run_first_and_nothing_runs_unasked() -> None:
    stream = InlineExecutor(0).stream()
    stream.send([task(5), task(6)], rank=2)
    stream.send([task(9), task(1)], rank=1)
    assert RAN == []
    assert [stream.receive()[0] for _ in range(3)] == [(9,), (1,), (5,)]
    stream.send([task(7)], rank=0)
    assert [stream.receive()[0] for _ in range(len(stream))] == [(7,), (6,)]
    assert RAN == [(9,), (1,), (5,), (7,), (6,)]
    with pytest.raises(LookupError, match="nothing is under way"):
        stream.receive()


def test_a_key_may_come_again_when_it_is_done_and_not_before() -> None:
    stream = InlineExecutor(0).stream()
    stream.send([task(1)])
    with pytest.raises(ValueError, match="duplicate task key"):
        stream.send([task(2), task(1)])
    assert len(stream) == 1  # none of a refused sending is under way
    stream.receive()
    stream.send([task(2), task(1)])
    assert len(stream) == 2
    stream.close()
    assert len(stream) == 0
    stream.send([task(2)])
    assert stream.receive() == ((2,), (2,))


@pytest.mark.ray
def test_a_stream_on_workers_gives_what_one_in_this_process_gives(here_and_spread: tuple[Executor, Executor]) -> None:
    """In three sendings, between which results are taken; short tasks share calls by then."""
    found = []
    for executor in here_and_spread:
        stream, results = executor.stream(), {}
        for part in range(3):
            draws = [Task((part, k), "eqagents.distributed.probe:draw", {"size": 3}) for k in range(50)]
            failing = Task((part, 99), f"{__name__}:refuse", {"name": part})
            stream.send([*draws[:20], failing, *draws[20:]], rank=2 - part)
            for _ in range(25):
                key, result = stream.receive()
                results[key] = result
        while len(stream):
            key, result = stream.receive()
            results[key] = result
        found.append(results)
    here, spread = found
    assert here.keys() == spread.keys()
    assert len(here) == 153
    for key, result in here.items():
        if key[1] == 99:
            assert isinstance(result, Raised)
            assert str(result.error) == str(spread[key].error) == f"no {key[0]}"
        else:
            np.testing.assert_array_equal(result, spread[key])


def test_work_goes_on_as_soon_as_what_it_waits_for_is_there() -> None:
    flow = Flow(InlineExecutor(0))

    def first() -> Work[str]:
        yield [task(1, 0)]
        yield [task(1, 1)]
        return "first"

    def second(of: Job[str]) -> Work[tuple[str, Any]]:
        (mine,) = yield [task(2, 0)]
        theirs = yield from outcome(of)
        return theirs, mine

    def third() -> Work[list[Any]]:
        found = yield from asked([task(3, 1), task(3, 0)])
        return found

    begun = flow.start(first(), rank=1)
    other = flow.start(second(begun), rank=1)
    late = flow.start(third(), rank=5)
    assert RAN == []
    assert flow.finish(other) == ("first", (2, 0))
    assert RAN == [(1, 0), (2, 0), (1, 1)]  # what is later was not touched
    assert not late.finished
    with pytest.raises(RuntimeError, match="not finished"):
        late.result()
    assert flow.finish(late) == [(3, 1), (3, 0)]  # in the order in which they were asked for


def test_who_waits_for_a_failure_is_told_and_nobody_else() -> None:
    flow = Flow(InlineExecutor(0))

    def failing() -> Work[None]:
        yield [task(0, 0), task(0, 1, function="refuse"), task(0, 2)]

    def waiting(job: Job[Any]) -> Work[Any]:
        found = yield from asked([job, Job.done(3)])
        return found

    def tolerant(job: Job[Any]) -> Work[str]:
        try:
            yield from outcome(job)
        except InputError as error:
            return f"caught: {error}"
        return "nothing to catch"

    bad = flow.start(failing())
    after, caught, good = flow.start(waiting(bad)), flow.start(tolerant(bad)), flow.start(asked([task(1, 0)]))
    assert flow.finish(good) == [(1, 0)]
    assert flow.finish(caught) == "caught: no (0, 1)"
    for job in (bad, after):
        with pytest.raises(InputError, match=r"no \(0, 1\)"):
            flow.finish(job)
    assert flow.run(asked([task(1, 1)])) == [(1, 1)]  # the flow goes on


def test_work_that_waits_for_itself_is_an_error() -> None:
    flow, jobs = Flow(InlineExecutor(0)), []

    def circular() -> Work[None]:
        yield [task(0)]
        yield jobs

    jobs.append(flow.start(circular()))
    with pytest.raises(RuntimeError, match="waits for work that waits for it"):
        flow.finish(jobs[0])


def test_work_without_tasks_is_done_at_once() -> None:
    flow = Flow(InlineExecutor(0))

    def trivial(value: int) -> Work[int]:
        yield from ()
        return value

    job = flow.start(trivial(4))
    assert job.finished
    assert job.result() == flow.finish(job) == 4
    with pytest.raises(ValueError, match="bad"):
        flow.run(raising())


def raising() -> Work[None]:
    yield []
    raise ValueError("bad")
