"""The RayJob has the form that KubeRay and Ray read, and its configuration and command do what they say.

Nothing here runs on Kubernetes.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from eqagents.training.config import parse_config

ROOT = Path(__file__).resolve().parents[2]
CLAIM, CONFIG, JOB = yaml.safe_load_all((ROOT / "examples" / "kuberay" / "rayjob.yaml").read_text(encoding="utf-8"))
CLUSTER = JOB["spec"]["rayClusterSpec"]
# The JSON names of the fields in KubeRay's ray-operator/apis/ray/v1, rayjob_types.go and raycluster_types.go.
JOB_FIELDS = {
    "activeDeadlineSeconds",
    "backoffLimit",
    "rayClusterSpec",
    "submitterPodTemplate",
    "metadata",
    "clusterSelector",
    "submitterConfig",
    "managedBy",
    "deletionStrategy",
    "entrypoint",
    "runtimeEnvYAML",
    "jobId",
    "submissionMode",
    "entrypointResources",
    "entrypointNumCpus",
    "entrypointNumGpus",
    "ttlSecondsAfterFinished",
    "shutdownAfterJobFinishes",
    "suspend",
    "schedule",
}
CLUSTER_FIELDS = {
    "headGroupSpec",
    "workerGroupSpecs",
    "rayVersion",
    "enableInTreeAutoscaling",
    "autoscalerOptions",
    "headServiceAnnotations",
    "suspend",
}
HEAD_FIELDS = {"serviceType", "headService", "enableIngress", "rayStartParams", "template"}
GROUP_FIELDS = {
    "groupName",
    "replicas",
    "minReplicas",
    "maxReplicas",
    "numOfHosts",
    "rayStartParams",
    "template",
    "scaleStrategy",
}


def test_fields_are_those_of_the_api():
    assert (JOB["apiVersion"], JOB["kind"]) == ("ray.io/v1", "RayJob")
    assert JOB["spec"].keys() <= JOB_FIELDS
    assert CLUSTER.keys() <= CLUSTER_FIELDS
    assert {"rayStartParams", "template"} <= CLUSTER["headGroupSpec"].keys() <= HEAD_FIELDS
    for group in CLUSTER["workerGroupSpecs"]:
        assert {"groupName", "rayStartParams", "template"} <= group.keys() <= GROUP_FIELDS
    parameters = [group["rayStartParams"] for group in (CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"])]
    assert all(isinstance(value, str) for each in parameters for value in each.values())
    assert JOB["spec"]["submissionMode"] in {"K8sJobMode", "HTTPMode", "InteractiveMode"}


def test_ray_reads_the_groups_as_they_are_meant():
    read = pytest.importorskip("ray.autoscaler._private.kuberay.autoscaling_config")
    whole = {"metadata": {"name": "c", "namespace": "n"}, "spec": CLUSTER}
    types = read._derive_autoscaling_config_from_ray_cr(whole)["available_node_types"]
    head, play = types.values()
    assert head["resources"]["CPU"] == 0
    assert (play["resources"]["CPU"], play["resources"]["play"], play["min_workers"]) == (4, 4, 2)


def test_a_shell_gives_ray_the_resources_as_json():
    (group,) = CLUSTER["workerGroupSpecs"]
    assert shlex.split(f"ray start --resources={group['rayStartParams']['resources']}")[-1] == '--resources={"play": 4}'


def test_configuration_is_valid_and_its_workers_have_room():
    config = parse_config(yaml.safe_load(CONFIG["data"]["config.yaml"]))
    (group,) = CLUSTER["workerGroupSpecs"]
    cpus = int(group["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"])
    assert config.executor.workers == group["replicas"] * cpus
    assert config.executor.address == "auto"
    assert config.executor.resources_per_worker == {"play": 1}


def test_volumes_are_the_claim_and_the_configuration():
    pod = CLUSTER["headGroupSpec"]["template"]["spec"]
    runs, config = pod["volumes"]
    assert runs["persistentVolumeClaim"]["claimName"] == CLAIM["metadata"]["name"]
    assert config["configMap"]["name"] == CONFIG["metadata"]["name"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts == {"runs": "/runs", "config": "/config"}


@pytest.mark.parametrize("begun", [False, True])
def test_command_begins_the_run_or_resumes_it(begun, tmp_path):
    run, tools = tmp_path / "runs" / "leduc", tmp_path / "bin"
    run.mkdir(parents=True)
    tools.mkdir()
    (tools / "eqenvs").write_text('#!/bin/sh\necho "$@"\n')
    (tools / "eqenvs").chmod(0o755)
    if begun:
        (run / "config.yaml").touch()
    command = JOB["spec"]["entrypoint"].replace("/runs", str(tmp_path / "runs"))
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    said = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.split() == (["resume", str(run)] if begun else ["train", "/config/config.yaml", "--out", str(run)])
