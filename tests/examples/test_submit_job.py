"""A job begins the run, and submitted again resumes it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from eqagents.training.metrics import read_metrics
from eqenvs.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "psro_kuhn.yaml"


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Client:
    """Takes jobs and runs none."""

    def __init__(self):
        self.jobs = []

    def submit_job(self, *, entrypoint, runtime_env):
        sent = {path.name: path.read_text() for path in Path(runtime_env["working_dir"]).iterdir()}
        self.jobs.append((entrypoint, sent))
        return "job"


def test_wrong_configuration_is_not_sent():
    client = Client()
    with pytest.raises(InputError, match="iterations"):
        load("submit_job").submit(client, CONFIG, "/runs/a", 2, ["iterations=none"])
    assert client.jobs == []


def test_configuration_is_sent_along_as_it_was_changed():
    client = Client()
    assert load("submit_job").submit(client, CONFIG, "/runs/a b", 2, ["iterations=3"]) == "job"
    ((entrypoint, sent),) = client.jobs
    assert yaml.safe_load(sent["config.yaml"])["iterations"] == 3
    assert "--out '/runs/a b' --set executor.workers=2 --set executor.address=auto" in entrypoint


@pytest.mark.parametrize("begun", [False, True])
def test_command_begins_the_run_or_resumes_it(begun, tmp_path):
    run, tools = tmp_path / "a b", tmp_path / "bin"
    run.mkdir()
    tools.mkdir()
    (tools / "eqenvs").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tools / "eqenvs").chmod(0o755)
    if begun:
        (run / "config.yaml").touch()
    command = load("submit_job").entrypoint("config.yaml", str(run), 0)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    said = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=True).stdout
    expected = ["resume", str(run)] if begun else ["train", "config.yaml", "--out", str(run)]
    assert said.splitlines() == expected


JOBS = """
import sys, ray
from pathlib import Path
sys.path.insert(0, "examples")
import submit_job
from ray.job_submission import JobStatus, JobSubmissionClient

there = ray.init(
    address="local", num_cpus=2, include_dashboard=True, dashboard_port=0, object_store_memory=100_000_000,
    log_to_driver=False, _node_ip_address="127.0.0.1",
)
client = JobSubmissionClient(f"http://{there.dashboard_url}")
out = sys.argv[1]
for _ in range(2):
    job = submit_job.submit(client, Path("configs/psro_kuhn.yaml"), out, 1, ["iterations=2"])
    status = submit_job.wait(client, job)
    print(client.get_job_logs(job))
    assert status == JobStatus.SUCCEEDED, status
ray.shutdown()
"""


@pytest.mark.ray
def test_job_runs_on_the_cluster_that_it_is_on_and_is_resumed(tmp_path):
    pytest.importorskip("aiohttp_cors", reason="Ray Jobs need ray[default]")
    tools = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
    }
    command = [sys.executable, "-c", JOBS, str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert [row["step"] for row in read_metrics(tmp_path / "run")] == [0, 1, 2]
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["executor"]["workers"] == 1
    assert "nothing left to do" in done.stdout
