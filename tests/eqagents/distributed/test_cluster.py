"""Connecting to a cluster that somebody else started, in a process of its own."""

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
@pytest.mark.slow
def test_an_address_connects_and_leaves_the_cluster_running(run_script):
    assert "connected" in run_script(SCRIPT, 240)
