"""Connecting to a cluster that somebody else started, in a process of its own."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import ray
from ray.cluster_utils import Cluster
from eqagents.distributed import ExecutorConfig, InlineExecutor, Task, make_executor, run_ordered

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100_000_000})
tasks = [Task((i,), "eqagents.distributed.probe:draw", {"size": 4}) for i in range(3)]
with make_executor(ExecutorConfig(workers=1, address=cluster.address), seed=5) as executor:
    found = [str(result) for result in run_ordered(executor, tasks)]
assert found == [str(result) for result in run_ordered(InlineExecutor(5), tasks)]
ray.init(cluster.address, log_to_driver=False)  # the cluster lives on: it was not ours to stop
assert len(ray.nodes()) == 1
assert ray.nodes()[0]["Alive"]
ray.shutdown()
cluster.shutdown()
print("connected")
"""


@pytest.mark.ray
def test_an_address_connects_and_leaves_the_cluster_running():
    settings = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=settings, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "connected" in done.stdout
