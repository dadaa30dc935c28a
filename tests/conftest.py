"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eqagents.distributed import Executor


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On several workers a file stays in one piece, for its fixtures, and whatever uses Ray shares one cluster."""
    on_ray = {item.path for item in items if item.get_closest_marker("ray") is not None}
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if item.path in on_ray else str(item.path)))
