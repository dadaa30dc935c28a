"""A Ray cluster of several nodes on this machine, whose nodes can be made to die, in a process of its own.

Ray is used in that process alone. A node that is gone is missed after a second: the cluster is asked for a health check
every half second, and gives up after two.
"""

from __future__ import annotations

import os
import subprocess
import sys

HOST = """
import json, random, sys
from ray.cluster_utils import Cluster

checks = {"health_check_period_ms": 500, "health_check_failure_threshold": 2, "health_check_initial_delay_ms": 5000}
memory = 100_000_000
cluster = Cluster(
    initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": memory, "_system_config": checks}
)
nodes = [cluster.add_node(num_cpus=1, object_store_memory=memory) for _ in range(2)]
cluster.wait_for_nodes()
print(cluster.address, flush=True)
for line in sys.stdin:
    cluster.remove_node(nodes.pop(int(line)), allow_graceful=False)
    nodes.append(cluster.add_node(num_cpus=1, object_store_memory=memory))
    print("lost", flush=True)
cluster.shutdown()
"""
SETTINGS = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}


class Nodes:
    """A head and two nodes of a processor each.

    Args:
        settings: further environment variables.
    """

    def __init__(self, settings: dict[str, str]) -> None:
        self._host = subprocess.Popen(
            [sys.executable, "-c", HOST],
            env={**os.environ, **settings, **SETTINGS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self._answer()

    def lose(self, number: int) -> None:
        """One of the nodes dies without a word, and a new one is started."""
        assert self._host.stdin is not None
        self._host.stdin.write(f"{number}\n")
        self._host.stdin.flush()
        self._answer()

    def close(self) -> None:
        """End all of it."""
        try:
            self._host.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self._host.kill()

    def _answer(self) -> str:
        """The host's next line that is not Ray's."""
        assert self._host.stdout is not None
        for line in self._host.stdout:
            said = line.strip()
            if said == "lost" or (said.count(":") == 1 and said.rpartition(":")[2].isdigit()):
                return said
        raise RuntimeError("the cluster's host ended")
