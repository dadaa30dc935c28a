"""What a run says of itself while it goes on and afterwards: its status and its log."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from eqagents.training.config import parse_config
from eqagents.training.progress import Progress
from eqagents.training.run import resume, train
from eqagents.training.status import Status, status_of
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA: dict[str, Any] = {
    "game": {"id": "kuhn_poker"},
    "learner": {"id": "psro", "oracle": {"id": "exact"}},
    "iterations": 6,
    "score": {"every": 2},
    "checkpoint": {"every": 3},
}


class Died(Exception):  # noqa: N818
    pass


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_status_of_a_run_under_way_and_of_one_that_died(tmp_path: Path) -> None:
    path, seen = tmp_path / "run", []

    def look(progress: Progress) -> None:
        seen.append(status_of(path))
        if progress.iteration == 5:
            raise Died

    with pytest.raises(Died):
        train(parse_config(DATA), path, look)
    assert [each.state for each in seen] == ["running"] * 6
    assert [each.iteration for each in seen] == list(range(6))
    assert [each.checkpoint for each in seen] == [0, 0, 0, 3, 3, 3]
    assert [each.scored_iteration for each in seen] == [0, 0, 2, 2, 4, 4]
    assert [each.kept_results > 0 for each in seen] == [False, True, True, False, True, True]
    died = status_of(path)
    assert (died.state, died.why, died.iteration, died.iterations, died.checkpoint) == ("stopped", None, 5, 6, 3)
    assert died.seconds_per_iteration is not None
    assert died.seconds_left == pytest.approx(died.seconds_per_iteration)
    assert died.since_written is not None
    assert 0 <= died.since_written < 600
    resume(path)
    ended = status_of(path)
    assert (ended.state, ended.why, ended.iteration, ended.seconds_left) == ("ended", "iterations", 6, None)
    assert ended.kept_results == 0


def test_status_of_a_failed_run_names_the_task(tmp_path: Path) -> None:
    run = train(parse_config(DATA), tmp_path / "run").path
    (run / "failed.json").write_text(json.dumps({"function": "a:b", "key": [3, 1], "details": "..."}))
    found = status_of(run)
    assert (found.state, found.why) == ("failed", "task (3, 1) (a:b)")


def test_command_says_the_same(tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    run = train(parse_config(DATA), tmp_path / "run").path
    status, out, _ = call("status", run, "--json")
    assert status == 0
    said = json.loads(out)
    assert said.pop("run") == str(run)
    found = status_of(run)
    assert {**said, "since_written": None} == {**found.to_dict(), "since_written": None}
    _, out, _ = call("status", run)
    for shown in ("ended: iterations", "6 of 6", f"{found.nash_conv:.6g} (iteration 6)"):
        assert shown in out
    status, _, err = call("status", tmp_path / "none")
    assert status == 2
    assert "holds no run" in err
    with pytest.raises(CheckpointError, match="holds no run"):
        status_of(tmp_path)


def test_long_times_are_told_in_larger_units() -> None:
    from eqagents.cli.tables import status_table

    found = Status("running", None, 3, 9, 7200.0, 90.0, 540.0, None, None, None, 4.0, 2)
    cells = [cell for column in status_table(found, "run").columns for cell in column.cells]
    assert {"2 h", "90 s", "9 min", "4 s ago", "none"} <= set(cells)


def test_log_tells_what_happened_to_the_run(tmp_path: Path) -> None:
    path = tmp_path / "run"

    def die(progress: Progress) -> None:
        if progress.iteration == 4:
            logging.getLogger("eqagents.somewhere").warning("a %s thing", "strange")
            raise Died

    with pytest.raises(Died):
        train(parse_config(DATA), path, die)
    resume(path)
    found = lines(path)
    run = json.loads((path / "environment.json").read_text())["run"]
    assert [(line["iteration"], line["level"], line["message"]) for line in found] == [
        (0, "INFO", "begun"),
        (4, "WARNING", "a strange thing"),
        (4, "INFO", "ended by Died: "),
        (3, "INFO", "resumed from the checkpoint"),
        (6, "INFO", "ended: iterations"),
    ]
    assert {line["run"] for line in found} == {run}
    assert [line["time"] for line in found] == sorted(line["time"] for line in found)
    logging.getLogger("eqagents.somewhere").warning("not this run's")
    assert len(lines(path)) == 5
