"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import ModuleType

    from eqagents.distributed import Executor

# Before numpy and torch are imported, and for the processes that tests start: on arrays this small more threads only
# wait for each other, for minutes where the other workers keep all processors busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_worker_niceness", "0")  # at Ray's own 15 its workers wait for all other tests

ROOT = Path(__file__).resolve().parents[1]
# These use nearly all methods: on one worker each kernel is compiled once.
COMPILING = ("tests/docs/", "tests/cli/", "tests/eqagents/bench/", "tests/eqagents/learners/test_tabular")


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command, in this process: exit status, output, errors."""

    from eqagents.cli import app as cli

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["eqenvs", *map(str, arguments)])
        capsys.readouterr()
        status: object = 0
        try:
            cli.run()
        except SystemExit as stop:
            status = stop.code
        assert status is None or isinstance(status, int)
        return status or 0, *capsys.readouterr()

    return run


@pytest.fixture
def example() -> Callable[[str], ModuleType]:
    """One of the examples, by the name of its file."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One local Ray for the whole session; tests that ask for it are marked `ray`."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # listen on 127.0.0.1 only
    import ray

    # A cluster of our own, whatever else runs on this machine. Ray counts processors and binds none: the executors that
    # tests share keep theirs while other tests make more.
    ray.init(address="local", num_cpus=8, include_dashboard=False, object_store_memory=200_000_000, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def here_and_spread(ray_cluster: None) -> Iterator[tuple[Executor, Executor]]:
    """An executor in this process and one on two workers, of one seed: what they give must be the same to the bit.

    Workers take seconds to start, so the tests that leave them as they were share these.
    """
    from eqagents.distributed import ExecutorConfig, InlineExecutor, make_executor

    with make_executor(ExecutorConfig(workers=2), 3) as spread:
        yield InlineExecutor(3), spread


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are found and none is let go: a third of that time went into looking for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@cache
def group_of(file: str) -> str:
    """Which files one of several workers runs together: a file stays in one piece, for its fixtures."""
    if "@pytest.mark.ray" in (ROOT / file).read_text(encoding="utf-8"):
        return "ray"  # they share one cluster
    return "kernels" if file.startswith(COMPILING) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, groups by file; xdist's own are lost in pytest 9.2 (pytest-xdist issue 1386)."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid.split("::")[0])

    return ByGroup(config, log)
