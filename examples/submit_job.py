"""A run as a Ray job: it goes on when this machine is switched off, and submitting it again resumes it.

    pip install "eqenvs[cluster]"
    python examples/submit_job.py configs/psro_kuhn.yaml --out /shared/runs/kuhn --workers 4 --address http://HEAD:8265

The cluster needs eqenvs installed, and `--out` must be a folder that its nodes have: the job's driver may be on any of
them. The configuration is sent along. Without `--wait` this ends when the job is accepted; `ray job logs`, `ray job
stop` and `eqenvs status` do the rest.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml
from ray.job_submission import JobStatus, JobSubmissionClient

from eqagents.training.config import load_config

POLL = 1.0  # seconds between looks at the job


def entrypoint(config: str, out: str, workers: int) -> str:
    """The job's command: resume the run where there is one, else begin it; tasks run on the job's own cluster."""
    on_cluster = [f"executor.workers={workers}", "executor.address=auto"] if workers else []
    settings = [word for setting in on_cluster for word in ("--set", setting)]
    train = shlex.join(["eqenvs", "train", config, "--out", out, *settings])
    there = shlex.join(["test", "-f", f"{out}/config.yaml"])
    return f"if {there}; then exec {shlex.join(['eqenvs', 'resume', out])}; else exec {train}; fi"


def submit(client: JobSubmissionClient, config: Path, out: str, workers: int, changes: Sequence[str] = ()) -> str:
    """Sends the job.

    Args:
        client: of the cluster.
        config: a run's configuration.
        out: the run's directory, on the cluster.
        workers: of the run's executor; 0: none.
        changes: settings, as `eqenvs train --set` takes them.

    Returns:
        The job's id.

    Raises:
        InputError: the configuration is wrong; nothing is sent then.
    """
    checked = load_config(config, changes).model_dump(mode="json")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(yaml.safe_dump(checked, sort_keys=False), encoding="utf-8")
        return client.submit_job(
            entrypoint=entrypoint("config.yaml", out, workers), runtime_env={"working_dir": folder}
        )


def wait(client: JobSubmissionClient, job: str) -> JobStatus:
    """How the job ended."""
    while not (status := client.get_job_status(job)).is_terminal():
        time.sleep(POLL)
    return status


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a run's configuration")
    parser.add_argument("--out", required=True, help="the run's directory, on the cluster")
    parser.add_argument("--workers", type=int, default=0, help="worker processes; 0: the job's own process alone")
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=c", dest="changes", help="as in eqenvs train"
    )
    parser.add_argument("--address", default="http://127.0.0.1:8265", help="of the cluster's dashboard")
    parser.add_argument("--wait", action="store_true", help="wait for the end, and show what the job wrote")
    options = parser.parse_args(arguments)
    client = JobSubmissionClient(options.address)
    job = submit(client, options.config, options.out, options.workers, options.changes)
    print(f"job {job}: `ray job logs {job} --address {options.address} --follow`")  # noqa: T201
    if options.wait:
        status = wait(client, job)
        print(client.get_job_logs(job))  # noqa: T201
        sys.exit(f"job {job}: {status}" if status != JobStatus.SUCCEEDED else 0)


if __name__ == "__main__":
    main()
