from __future__ import annotations

import contextlib
import gc
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from eqagents.distributed import (
    Executor,
    ExecutorConfig,
    InlineExecutor,
    Task,
    TaskError,
    crew,
    make_executor,
    run_ordered,
)
from eqenvs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SEED = 7
PROBE = "eqagents.distributed.probe:"
SLEEP = {"seconds": 600.0, "size": 1}  # no test waits for it


@pytest.fixture
def make_ray(ray_cluster: None) -> Iterator[Callable[..., Executor]]:
    made: list[Executor] = []

    def make(workers: int, **fields: Any) -> Executor:
        made.append(make_executor(ExecutorConfig(workers=workers, **fields), SEED))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def draws(count: int) -> list[Task]:
    """Tasks of very different lengths, the longest first."""
    seconds = [0.3, *[0.0, 0.02] * count][:count]
    return [Task((2, i), PROBE + "sleep_then_draw", {"seconds": s, "size": i + 1}) for i, s in enumerate(seconds)]


def assert_equal_bits(actual: list[Any], expected: list[Any]) -> None:
    assert [a.tobytes() for a in actual] == [e.tobytes() for e in expected]


# ------------------------------------------------------------------------------------------------ tasks, in process


def test_importing_the_package_imports_neither_ray_nor_torch() -> None:
    code = "import sys, eqagents.distributed; print([m for m in ('ray', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_stream_follows_from_seed_and_key_alone() -> None:
    alone = run_ordered(InlineExecutor(SEED), [Task((1, 5), PROBE + "draw", {"size": 4})])[0]
    among = run_ordered(InlineExecutor(SEED), [Task((1, i), PROBE + "draw", {"size": 4}) for i in (9, 5, 0)])[1]
    expected = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(1, 5))).standard_normal(4)
    assert_equal_bits([alone, among], [expected, expected])
    assert not np.array_equal(alone, run_ordered(InlineExecutor(SEED + 1), [Task((1, 5), PROBE + "draw", {"size": 4})]))


@pytest.mark.parametrize("key", [(), (-1,), (2**32,)])
def test_bad_key_is_a_value_error(key: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="task key"):
        Task(key, PROBE + "draw", {})


@pytest.mark.parametrize("function", ["draw", "module:", ":draw", "module:a b"])
def test_bad_function_name_is_a_value_error(function: str) -> None:
    with pytest.raises(ValueError, match=r"package\.module:name"):
        Task((0,), function, {})


def test_handles_are_replaced_where_they_are_nested() -> None:
    executor = InlineExecutor(SEED)
    table = np.arange(3.0)
    handle = executor.publish(table)
    value = {"a": [handle, 1], "b": (handle, {"c": handle}), "d": [2]}
    (echoed,) = run_ordered(executor, [Task((0,), PROBE + "echo", {"value": value})])
    assert echoed["a"][0] is table
    assert echoed["b"][0] is table
    assert echoed["b"][1]["c"] is table
    assert echoed["d"] == [2]
    assert value["a"][0] is handle  # the caller's containers are left alone


def test_published_object_goes_with_its_handle() -> None:
    executor = InlineExecutor(SEED)
    kept, dropped = executor.publish("kept"), executor.publish("dropped")
    assert len(executor._objects) == 2
    del dropped
    gc.collect()
    assert list(executor._objects.values()) == ["kept"]
    executor.release(kept)
    executor.release(kept)
    assert not executor._objects
    with pytest.raises(TaskError, match="has been released"):
        run_ordered(executor, [Task((0,), PROBE + "echo", {"value": kept})])


def test_progress_is_told_after_each_result() -> None:
    told: list[tuple[int, int]] = []
    run_ordered(InlineExecutor(SEED), draws(3), on_result=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_unknown_function_is_a_task_error() -> None:
    with pytest.raises(TaskError, match="no_such_probe"):
        run_ordered(InlineExecutor(SEED), [Task((0,), PROBE + "no_such_probe", {})])


def test_task_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(TaskError((1, 2), PROBE + "fail", "Traceback: because")))
    assert (error.key, error.function, error.details) == ((1, 2), PROBE + "fail", "Traceback: because")
    assert "(1, 2)" in str(error)


def test_torch_thread_count_of_the_driver_is_restored() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        (threads, _), *_ = run_ordered(InlineExecutor(SEED), [Task((0,), PROBE + "torch_sum", {"size": 8})])
        assert threads == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_config_refuses_an_unknown_key_and_an_address_without_workers() -> None:
    with pytest.raises(ValueError, match="worker"):
        ExecutorConfig.model_validate({"worker": 2})
    with pytest.raises(ValueError, match="address"):
        ExecutorConfig(workers=0, address="auto")
    assert isinstance(make_executor(ExecutorConfig(), SEED), InlineExecutor)


# -------------------------------------------------------------------------------------------------------------- Ray


def assert_same_bits_as_inline(executor: Executor) -> None:
    import torch  # noqa: F401 - the probe below needs it loaded here, so that the thread count is set

    inline = InlineExecutor(SEED)
    sums = [Task((3, i), PROBE + "torch_sum", {"size": 300_000 + i}) for i in range(3)]
    assert_equal_bits(run_ordered(executor, draws(12)), run_ordered(inline, draws(12)))
    assert run_ordered(executor, sums) == run_ordered(inline, sums)


@pytest.mark.ray
@pytest.mark.slow
def test_results_are_the_same_bits_on_one_worker(make_ray: Callable[..., Executor]) -> None:
    executor = make_ray(1)
    assert_same_bits_as_inline(executor)
    assert executor.workers == 1


@pytest.fixture(scope="module")
def two_workers(ray_cluster: None) -> Iterator[Any]:
    with make_executor(ExecutorConfig(workers=2), SEED) as made:
        yield made


@pytest.mark.ray
class TestTwoWorkers:
    """What leaves the workers as they were shares them: a process takes a second to start."""

    @pytest.mark.slow
    def test_results_are_the_same_bits(self, two_workers: Any) -> None:
        assert_same_bits_as_inline(two_workers)
        assert two_workers.workers == 2

    def test_published_objects_reach_workers_and_are_released(self, two_workers: Any) -> None:
        table = np.arange(200_000.0)
        handle = two_workers.publish(table)
        tasks = [Task((i,), PROBE + "echo", {"value": [handle, i]}) for i in range(6)]
        for i, (echoed, number) in enumerate(run_ordered(two_workers, tasks)):
            assert number == i
            assert echoed.tobytes() == table.tobytes()
            assert not echoed.flags.writeable
        del handle, tasks
        gc.collect()
        assert not two_workers._published

    @pytest.mark.slow
    def test_runs_can_be_nested_and_left_early(self, two_workers: Any) -> None:
        outer = []
        for key, _ in two_workers.run(draws(6)):
            inner = two_workers.run([Task((8, i), PROBE + "echo", {"value": i}) for i in range(5)])
            next(inner)
            inner.close()
            outer.append(key)
        assert sorted(outer) == [task.key for task in draws(6)]


@pytest.mark.ray
def test_one_long_task_does_not_hold_up_the_others(make_ray: Callable[..., Executor]) -> None:
    tasks = [Task((0,), PROBE + "sleep_then_draw", SLEEP)]
    tasks += [Task((i,), PROBE + "echo", {"value": i}) for i in range(1, 12)]
    run = make_ray(2, in_flight=1).run(tasks)
    assert sorted(next(run)[0] for _ in range(11)) == [task.key for task in tasks[1:]]


@pytest.mark.ray
@pytest.mark.slow
def test_task_that_is_stuck_is_done_by_another_worker(
    make_ray: Callable[..., Executor], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that is stopped by the system holds its task for ever; its process goes when the other is done."""
    monkeypatch.setattr(crew, "AT_LEAST", 1.0)
    executor: Any = make_ray(2)
    with contextlib.closing(executor):
        run_ordered(executor, draws(8))  # both workers have begun, and it is known how long such tasks take
        pids = set(run_ordered(executor, [Task((9, k), "eqagents.distributed.probe:process", {}) for k in range(40)]))
        stopped = pids.pop()
        os.kill(stopped, signal.SIGSTOP)
        tasks = [Task((1, k), "eqagents.distributed.probe:draw", {"size": 4}) for k in range(30)]
        found = run_ordered(executor, tasks)
        assert "s, and is sent to another worker too" in caplog.text
        for mine, theirs in zip(found, run_ordered(InlineExecutor(executor._seed), tasks), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        deadline = time.monotonic() + 20
        while alive(stopped) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not alive(stopped)
        assert run_ordered(executor, tasks[:3])[0].tolist() == found[0].tolist()  # there are two workers again


@pytest.mark.ray
@pytest.mark.slow
def test_the_only_task_is_stuck_and_nobody_knows_how_long_it_takes(
    make_ray: Callable[..., Executor], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    executor: Any = make_ray(2)
    with contextlib.closing(executor):
        probes = [Task((9, k), "eqagents.distributed.probe:process", {}) for k in range(41)]
        assert len(set(run_ordered(executor, probes[1:]))) == 2  # both workers have begun
        (stopped,) = run_ordered(executor, probes[:1])
        os.kill(stopped, signal.SIGSTOP)
        monkeypatch.setattr(crew, "AT_LEAST", 1.0)
        monkeypatch.setattr(crew, "UNKNOWN", 2.0)
        task = Task((1, 0), "eqagents.distributed.probe:draw", {"size": 4})
        (found,) = run_ordered(executor, [task])  # a lone task goes to the same worker as the one before it
        assert re.search(r"task \(1, 0\) \(eqagents\.distributed\.probe:draw\) is not done after \d+ s", caplog.text)
        np.testing.assert_array_equal(found, run_ordered(InlineExecutor(executor._seed), [task])[0])


def alive(pid: int) -> bool:
    """Whether a process is there, and is more than a dead one that nobody has asked after."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.ray
@pytest.mark.slow
def test_result_is_the_same_when_workers_are_killed_in_the_middle(
    make_ray: Callable[..., Executor], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = draws(8)
    deadly = {"marker": str(tmp_path / "died"), "size": 5}
    tasks.insert(3, Task((4, 0), PROBE + "die_once", deadly))
    on_ray = run_ordered(make_ray(2), tasks)
    assert (tmp_path / "died").exists()
    assert_equal_bits(on_ray, run_ordered(InlineExecutor(SEED), tasks))
    assert "task (4, 0) (eqagents.distributed.probe:die_once) lost its worker" in caplog.text


@pytest.mark.ray
@pytest.mark.slow
def test_result_is_the_same_when_a_worker_is_gone_for_good(make_ray: Callable[..., Executor]) -> None:
    import ray

    executor: Any = make_ray(2)
    tasks = draws(10)
    results = {}
    for key, result in executor.run(tasks):
        if not results:
            for worker in executor._crew.workers:
                ray.kill(worker.actor, no_restart=True)
        results[key] = result
    assert_equal_bits([results[task.key] for task in tasks], run_ordered(InlineExecutor(SEED), tasks))


@pytest.mark.ray
@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.slow
def test_task_that_always_dies_is_named_and_its_neighbours_are_not(
    make_ray: Callable[..., Executor], retries: int
) -> None:
    executor = make_ray(1, retries=retries, in_flight=3)
    tasks = [Task((0, i), PROBE + "echo", {"value": i}) for i in range(3)]
    tasks.insert(1, Task((9, 9), PROBE + "die", {}))
    with pytest.raises(TaskError, match=f"its worker was lost {retries + 1} times") as caught:
        run_ordered(executor, tasks)
    assert caught.value.key == (9, 9)
    assert caught.value.function == PROBE + "die"
    assert run_ordered(executor, tasks[:1]) == [0]  # the executor still works


@pytest.mark.ray
def test_exception_in_a_task_stops_the_run_with_its_traceback(make_ray: Callable[..., Executor]) -> None:
    executor = make_ray(1)
    tasks = [Task((0,), PROBE + "fail", {"message": "seven"}), Task((1,), PROBE + "sleep_then_draw", SLEEP)]
    with pytest.raises(TaskError, match="ArithmeticError: seven") as caught:
        run_ordered(executor, tasks)
    assert caught.value.key == (0,)
    assert "probe.py" in caught.value.details
    assert run_ordered(executor, [Task((0,), PROBE + "echo", {"value": 1})]) == [1]  # does not wait for the sleeper


@pytest.mark.ray
@pytest.mark.parametrize("workers", [0, 1])
def test_duplicate_key_is_an_error_before_anything_runs(make_ray: Callable[..., Executor], workers: int) -> None:
    executor = make_ray(workers)
    with pytest.raises(ValueError, match=r"duplicate task key \(2, 0\)"):
        executor.run([*draws(2), *draws(1)])


@pytest.mark.ray
def test_initialised_ray_is_left_running_without_our_workers(ray_cluster: None) -> None:
    import ray

    with make_executor(ExecutorConfig(workers=1), SEED) as executor:
        (process,) = run_ordered(executor, [Task((0,), PROBE + "process", {})])
        assert process > 0
        actor = executor._crew.workers[0].actor  # type: ignore[attr-defined]
    assert ray.is_initialized()
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(actor.run.remote(Task((1,), PROBE + "process", {}), {}, []))
    with pytest.raises(RuntimeError, match="closed"):
        executor.run(draws(1))


@pytest.mark.ray
def test_more_workers_than_the_cluster_has_is_one_line(ray_cluster: None) -> None:
    with pytest.raises(InputError, match=r"workers=9 need 9 CPUs; the Ray cluster has 8"):
        make_executor(ExecutorConfig(workers=9), SEED)
    with pytest.raises(InputError, match=r"need 512 GPUs"):
        make_executor(ExecutorConfig(workers=1, num_gpus_per_worker=512), SEED)


def test_address_without_a_cluster_is_one_line() -> None:
    from eqagents.distributed import cluster

    with pytest.raises(InputError, match=r"^address '127\.0\.0\.1:1': nothing answers there"):
        cluster.start_ray(1, "127.0.0.1:1", None)


@pytest.mark.ray
@pytest.mark.slow
def test_ray_that_the_executor_started_is_shut_down_with_its_workers(tmp_path: Path) -> None:
    # In a directory of its own, with a module that only the driver's sys.path reaches.
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "own_task.py").write_text("import os\ndef pid(seed):\n    return os.getpid()\n")
    script = """
        import os, sys, time
        sys.path.insert(0, "modules")
        from eqagents.distributed import *
        config = ExecutorConfig(workers=2, object_store_memory=100_000_000)
        with make_executor(config, 7) as executor:
            pids = run_ordered(executor, [Task((i,), "own_task:pid", {}) for i in range(4)])
            import ray
            assert ray.nodes()[0]["NodeManagerAddress"] == "127.0.0.1"
        assert os.getpid() not in pids
        assert not ray.is_initialized()
        def alive(pid):
            try:
                return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
            except FileNotFoundError:
                return False
        for _ in range(300):
            if not any(alive(pid) for pid in pids):
                break
            time.sleep(0.1)
        print([pid for pid in pids if alive(pid)])
    """
    (tmp_path / "driver.py").write_text(textwrap.dedent(script))
    done = subprocess.run([sys.executable, "driver.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
