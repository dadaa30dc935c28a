"""Workers and learners run on the nodes that have what they ask for, or an error says at once that there is none."""

from __future__ import annotations

import pytest

from eqagents.configuration import validate
from eqagents.distributed import ExecutorConfig
from eqenvs.errors import InputError

SCRIPT = """
import pytest
from ray.cluster_utils import Cluster
from eqagents.distributed import ExecutorConfig, InlineExecutor, Task, make_executor, run_ordered
from eqenvs.errors import InputError

small = {"object_store_memory": 100_000_000}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4, **small})
play = cluster.add_node(num_cpus=2, resources={"play": 4}, **small).node_id
learn = cluster.add_node(num_cpus=1, resources={"learn": 1}, **small).node_id
asked = {"address": cluster.address, "resources_per_worker": {"play": 1}, "resources_per_learner": {"learn": 0.5}}
probe = "eqagents.distributed.probe:"
draws = [Task((0, i), probe + "draw", {"size": 3}) for i in range(8)]
with make_executor(ExecutorConfig(workers=2, **asked), seed=5) as executor:
    where = [Task((1, i), probe + "node", {}) for i in range(40)]
    assert set(run_ordered(executor, where)) == {play}
    assert set(executor.together(where[:2])) == {learn}
    found = [str(result) for result in run_ordered(executor, draws)]
assert found == [str(result) for result in run_ordered(InlineExecutor(5), draws)]
refused = [
    # four are there, but only two processors are where they are
    (ExecutorConfig(workers=3, **asked), "^workers=3 need 1 CPU, 1 play each, on one node; .* have room for 2$"),
    (ExecutorConfig(workers=5, **asked), "^workers=5 need 5 of the resource 'play'; the Ray cluster has 4$"),
    (
        ExecutorConfig(workers=1, address=cluster.address, resources_per_worker={"pley": 1}),
        "^workers=1 need 1 of the resource 'pley'; the Ray cluster has 0; did you mean 'play'.$",
    ),
    (
        ExecutorConfig(workers=1, address=cluster.address, resources_per_learner={"learn": 2}),
        "^learner processes need 2 of the resource 'learn'; the Ray cluster has 1$",
    ),
]
for config, message in refused:
    with pytest.raises(InputError, match=message):
        make_executor(config, seed=5)
cluster.shutdown()
print("placed")
"""


@pytest.mark.ray
@pytest.mark.slow
def test_workers_and_learners_run_where_their_resources_are(run_script):
    assert "placed" in run_script(SCRIPT, 300)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"GPU": 1}, "num_gpus_per_worker"),
        ({"CPU": 2}, "a worker reserves one CPU"),
        ({"play": 0}, "'play' must be an amount > 0"),
        ({"play": float("inf")}, "resources_per_worker"),
        ({"play": "some"}, "resources_per_worker.play"),
    ],
)
def test_resources_that_make_no_sense_are_one_line(resources, message):
    with pytest.raises(InputError, match=message) as caught:
        validate(ExecutorConfig, {"workers": 1, "resources_per_worker": resources})
    assert "\n" not in str(caught.value)


def test_refused_connection_is_one_line(monkeypatch):
    from ray.exceptions import RayError

    from eqagents.distributed import cluster

    def refuse(**_):
        raise RayError("no token was found\nand more")  # Ray's AuthenticationError is one

    monkeypatch.setattr(cluster.ray, "init", refuse)
    with pytest.raises(InputError, match=r"^address 'auto': no token was found; a cluster that asks for a token"):
        cluster.start_ray(1, "auto", None)
