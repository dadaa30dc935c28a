"""Runs from end to end: what they write, and that killing one and going on changes nothing."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml

from eqagents.oracles import OracleResult, find_oracle
from eqagents.report import load_report_data, render_report
from eqagents.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from eqagents.training.config import RunConfig, parse_config
from eqagents.training.metrics import read_metrics
from eqagents.training.progress import Progress
from eqagents.training.run import evaluate, load_trained, resume, train
from eqagents.training.run_directory import RunDirectory
from eqagents.training.trees import packed
from eqenvs.errors import CheckpointError, InputError
from eqsolvers.scoring import GAPS, score

if TYPE_CHECKING:
    from pathlib import Path

EXACT = {
    "game": {"id": "kuhn_poker"},
    "learner": {"id": "psro", "oracle": {"id": "exact"}},
    "iterations": 4,
    "checkpoint": {"every": 1, "keep": 2},
}
LEARNED = {
    "game": {"id": "kuhn_poker"},
    "learner": {
        "id": "psro",
        "oracle": {"id": "policy_gradient", "updates": 10, "num_envs": 64, "steps": 8, "hidden": [16]},
    },
    "iterations": 6,
    "seed": 3,
    "score": {"every": 2},
    "checkpoint": {"every": 1},
}


def config(data: dict[str, Any], *overrides: str) -> RunConfig:
    return parse_config(data, overrides)


def hashes(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    if isinstance(tree, dict):
        return {k: v for key, value in tree.items() for k, v in leaves(value, f"{path}/{key}").items()}
    if isinstance(tree, list | tuple):
        return {k: v for i, value in enumerate(tree) for k, v in leaves(value, f"{path}/{i}").items()}
    return {path: (tree.dtype.str, tree.shape, tree.tobytes()) if isinstance(tree, np.ndarray) else tree}


def timeless(directory: Path) -> list[dict[str, Any]]:
    """The metrics without what a clock measured."""
    records = read_metrics(directory)
    clocks = ("time", "run/iteration_s", "run/seconds")
    return [{k: v for k, v in record.items() if k not in clocks and not k.startswith("time/")} for record in records]


def last_checkpoint(directory: Path) -> dict[str, Any]:
    """The last checkpoint without what a clock measured."""
    step, tree = load_checkpoint(directory / "checkpoints")
    return {"step": step, **{path: leaf for path, leaf in leaves(tree).items() if path != "/seconds"}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with the exact oracle, to be read only."""
    return train(config(EXACT), tmp_path_factory.mktemp("finished") / "run").path


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """The finished run, to be changed."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with learned responses."""
    return train(config(LEARNED), tmp_path_factory.mktemp("learned") / "run").path


# --------------------------------------------------------------------------------------------------------------- files


def test_run_writes_its_configuration_environment_metrics_meta_game_and_checkpoints(finished: Path) -> None:
    assert parse_config(yaml.safe_load((finished / "config.yaml").read_text())) == config(EXACT)
    environment = json.loads((finished / "environment.json").read_text())
    assert environment["versions"]["numpy"] == np.__version__
    assert [record["step"] for record in read_metrics(finished)] == [0, 1, 2, 3, 4]
    assert list_checkpoints(finished / "checkpoints") == [3, 4]  # keep: 2
    assert (finished / "checkpoints" / "LATEST").read_text() == "step-000004\n"
    meta_game = json.loads((finished / "meta_game.json").read_text())
    assert np.array(meta_game["payoffs"]).shape == (2, 5, 5)
    assert not list(finished.rglob(".tmp-*"))


def test_metrics_hold_the_score_of_uniform_play_at_the_start(finished: Path) -> None:
    start = read_metrics(finished)[0]
    assert start["score/nash_conv"] == pytest.approx(11 / 12)
    assert start["score/exploitability"] == pytest.approx(11 / 24)
    assert start["score/value_0"] == pytest.approx(1 / 8)
    assert start["score/gain_0"] + start["score/gain_1"] == pytest.approx(11 / 12)


def test_tensorboard_reads_the_same_scalars(finished: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(finished / "tensorboard")).Reload()
    records = read_metrics(finished)
    assert set(events.Tags()["scalars"]) == {key for record in records for key in record} - {"step", "time"}
    scalars = events.Scalars("score/nash_conv")
    assert [event.step for event in scalars] == [record["step"] for record in records]
    assert [event.value for event in scalars] == pytest.approx([r["score/nash_conv"] for r in records], rel=1e-6)


def test_progress_is_told_from_the_start_to_the_end(tmp_path: Path) -> None:
    told: list[Progress] = []
    train(config(EXACT, "iterations=3", "score.every=2", "checkpoint.every=2"), tmp_path / "run", told.append)
    assert [(p.iteration, p.iterations, p.score is not None) for p in told] == [
        (0, 3, True),
        (1, 3, False),
        (2, 3, True),
        (3, 3, True),  # the last is always scored
    ]
    assert list_checkpoints(tmp_path / "run" / "checkpoints") == [2, 3]  # and always stored


def test_bad_configuration_writes_nothing(tmp_path: Path) -> None:
    for override in ("game.id=kuhn", "game.parameters.num_players=99", "learner.meta_solver=nsh"):
        with pytest.raises(InputError):
            train(config(EXACT, override), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_run_into_a_run_is_refused_and_touches_nothing(finished: Path) -> None:
    before = hashes(finished)
    with pytest.raises(CheckpointError, match="holds a run; resume it with") as caught:
        train(config(EXACT, "seed=9"), finished)
    assert "\n" not in str(caught.value)
    assert hashes(finished) == before


def test_directory_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="not empty"):
        train(config(EXACT), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


# ------------------------------------------------------------------------------------------------------------ going on


@pytest.mark.slow
def test_killed_run_goes_on_to_what_an_uninterrupted_one_gives(uninterrupted: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(LEARNED))
    run = tmp_path / "run"
    command = [sys.executable, "-m", "eqagents.cli.main", "train", str(tmp_path / "config.yaml"), "--out", str(run)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 90  # only against hanging
        while not any(record["step"] >= 2 for record in read_metrics(run)):
            assert process.poll() is None, "the run ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.03)
        process.kill()
    done, _ = load_checkpoint(run / "checkpoints")
    assert 1 <= done < LEARNED["iterations"]  # type: ignore[operator]
    told: list[Progress] = []
    resume(run, told.append)
    assert told[0].iteration == done + 1  # nothing that was stored is done again
    assert last_checkpoint(run) == last_checkpoint(uninterrupted)
    assert timeless(run) == timeless(uninterrupted)
    assert (run / "meta_game.json").read_bytes() == (uninterrupted / "meta_game.json").read_bytes()


@pytest.mark.parametrize("last", [1, 5])
def test_run_stopped_between_checkpoints_goes_on_to_the_same_end(
    uninterrupted: Path, last: int, tmp_path: Path
) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def stop(progress: Progress) -> None:
        if progress.iteration == last:
            raise Stop

    with pytest.raises(Stop):
        train(config(LEARNED, "checkpoint.every=3"), tmp_path / "run", stop)
    assert read_metrics(tmp_path / "run")[-1]["step"] == last
    resume(tmp_path / "run")
    assert timeless(tmp_path / "run") == timeless(uninterrupted)
    assert last_checkpoint(tmp_path / "run") == last_checkpoint(uninterrupted)


def test_finished_run_has_nothing_left_to_do(copied: Path) -> None:
    before = {name: digest for name, digest in hashes(copied).items() if not name.startswith("tensorboard")}
    told: list[Progress] = []
    resume(copied, told.append)
    assert told == []
    assert {name: d for name, d in hashes(copied).items() if not name.startswith("tensorboard")} == before


def test_run_without_a_checkpoint_starts_over(copied: Path, finished: Path) -> None:
    shutil.rmtree(copied / "checkpoints")
    (copied / "meta_game.json").unlink()
    resume(copied)
    assert last_checkpoint(copied) == last_checkpoint(finished)
    assert timeless(copied) == timeless(finished)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": "leduc_poker", "parameters": {}}, "leduc_poker"),
        ({"id": "kuhn_poker", "parameters": {"num_players": 3}}, "'num_players': 3"),
    ],
)
def test_checkpoint_of_another_game_is_refused(changes: dict[str, Any], named: str, copied: Path) -> None:
    file = copied / "config.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"game": changes}))
    before = hashes(copied)
    for use in (resume, evaluate, load_trained):
        with pytest.raises(CheckpointError, match=r"the checkpoint has (game kuhn_poker|parameters)") as caught:
            use(copied)
        assert named in str(caught.value)
        assert "\n" not in str(caught.value)
    assert hashes(copied) == before


@pytest.mark.parametrize("name", ["arrays.npz", "tree.json"])
def test_corrupt_checkpoint_is_named_and_the_one_before_it_used(
    name: str, copied: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = load_checkpoint(copied / "checkpoints")[1]["state"]
    file = copied / "checkpoints" / "step-000004" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(bytes(data))
    before = hashes(copied)
    with pytest.raises(CheckpointError, match=r"step-000004.*nearest checkpoint that loads is step 3") as caught:
        evaluate(copied, step=4)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert hashes(copied) == before
    evaluate(copied)
    assert json.loads((copied / "score.json").read_text())["evaluated_step"] == 3
    resume(copied)
    assert [f"{file}: " in record.getMessage() for record in caplog.records] == [True, True]
    assert packed(load_checkpoint(copied / "checkpoints", 4)[1]["state"]) == packed(whole)


def test_directory_without_a_run_is_refused(finished: Path, tmp_path: Path) -> None:
    for use in (resume, evaluate):
        with pytest.raises(CheckpointError, match="holds no run"):
            use(tmp_path)
    with pytest.raises(CheckpointError, match=r"did you mean .*run\?"):
        resume(finished.parent / "rum")


# --------------------------------------------------------------------------------------------------------------- scores


def test_evaluation_is_the_exact_score_of_the_loaded_policy(copied: Path) -> None:
    scored = evaluate(copied)
    trained = load_trained(copied)
    expected = score(trained.game, trained.policy)
    assert (scored.nash_conv, scored.values.tolist()) == (expected.nash_conv, expected.values.tolist())
    written = json.loads((copied / "score.json").read_text())
    assert written == {**expected.to_dict(), "evaluated_step": 4}
    assert read_metrics(copied)[-1]["score/nash_conv"] == expected.nash_conv


@pytest.mark.slow
def test_simulated_scores_are_lower_bounds_with_their_interval(tmp_path: Path) -> None:
    simulated = {"method": "simulated", "episodes": 2000}
    responder = {
        "id": "policy_gradient",
        "updates": 40,
        "num_envs": 64,
        "steps": 16,
        "hidden": [16],
        "learning_rate": 0.02,
    }
    data = {**EXACT, "iterations": 1, "score": {**simulated, "oracles": [responder]}}
    run = train(config(data), tmp_path / "run")
    bound = evaluate(run.path)
    assert bound.kind == "lower_bound"
    trained = load_trained(run.path)
    exact = score(trained.game, trained.policy)
    width = bound.detail["nash_conv_half_width"]
    assert 0 <= bound.nash_conv <= exact.nash_conv + width
    written = json.loads(run.score_file.read_text())
    assert written["kind"] == "lower_bound"
    assert written["detail"]["responders"] == ["policy_gradient"]
    assert written["detail"]["budgets"][0]["updates"] == 40
    assert math.isclose(read_metrics(run.path)[-1]["score/nash_conv"], bound.nash_conv)  # the same seed, the same bound
    start = read_metrics(run.path)[0]["score/nash_conv"]
    assert 0.5 < start < 11 / 12 + 0.15  # of uniform play, whose exact NashConv is 11/12; the budget is small


def test_simulated_scores_are_computed_under_one_torch_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights trained under 1 and 2 threads differ in their bits, and so would the scores of a resumed run."""
    threads: list[int] = []

    def respond(*arguments: Any, **keywords: Any) -> OracleResult:
        threads.append(torch.get_num_threads())
        return OracleResult({"kind": "uniform"}, {}, episodes=0)

    spec = replace(find_oracle("policy_gradient"), respond=respond)
    monkeypatch.setattr(
        "eqagents.oracles._tasks.find_oracle", lambda name: find_oracle(name) if name == "exact" else spec
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train(config(EXACT, "iterations=1", "score.method=simulated", "score.episodes=10"), tmp_path / "run")
    finally:
        torch.set_num_threads(before)
    assert set(threads) == {1}


def test_two_processes_cannot_train_one_run(tmp_path: Path) -> None:
    run = train(config(EXACT, "iterations=1"), tmp_path / "run")
    with run.locked(), pytest.raises(CheckpointError, match="another process is training this run"):
        resume(run.path)


@pytest.mark.parametrize(("key", "value", "named"), [("seed", 5, "seed 0"), ("learner", {"id": "psro"}, "learner")])
def test_checkpoint_of_other_settings_is_refused(key: str, value: Any, named: str, tmp_path: Path) -> None:
    run = train(config(EXACT, "iterations=1", "seed=0"), tmp_path / "run")
    written = yaml.safe_load(run.config_file.read_text())
    run.config_file.write_text(yaml.safe_dump(written | {key: value}))
    with pytest.raises(CheckpointError, match=f"the checkpoint has {named}"):
        resume(run.path)


def test_resume_from_an_earlier_step_ends_the_same(tmp_path: Path) -> None:
    run = train(config(EXACT, "iterations=3"), tmp_path / "run")
    before = last_checkpoint(run.path)
    resume(run.path, step=2)
    assert last_checkpoint(run.path) == before
    assert [record["step"] for record in read_metrics(run.path)] == [0, 1, 2, 3]


@pytest.mark.slow
def test_game_that_cannot_be_enumerated_gets_a_lower_bound_by_itself(tmp_path: Path) -> None:
    game = "game={id: dark_hex, parameters: {board_size: 4}}"
    settings = [game, "iterations=1", "score.episodes=20", "learner.tabulate=false"]
    settings += ["learner.payoffs={method: simulated, episodes: 10}"]
    oracle = "{id: policy_gradient, updates: 1, num_envs: 4, value_episodes: 4}"
    settings += [f"learner.oracle={oracle}", f"score.oracles=[{oracle}]"]
    run = train(config(EXACT, *settings), tmp_path / "run")
    assert evaluate(run.path).kind == "lower_bound"


# ------------------------------------------------------------------------------------------------------ every gap

V_LEARNING: dict[str, Any] = {
    "game": {"id": "random_markov_game", "parameters": {"num_states": 2, "horizon": 2}},
    "learner": {"id": "tabular", "method": "v-learning", "iterations_per_step": 20},
    "iterations": 2,
}


def test_metrics_score_and_report_have_every_gap_that_was_computed(tmp_path: Path) -> None:
    run = train(config(V_LEARNING), tmp_path / "run")
    scored = evaluate(run.path)
    assert {"markov_ce_gap", "markov_cce_gap"} <= scored.gaps.keys()
    last = run.metrics()[-1]
    assert {name: last[f"score/{name}"] for name in scored.gaps} == scored.gaps
    stored = run.score()
    assert stored is not None
    assert stored.gaps == scored.gaps
    page = render_report([load_report_data(run.path)])
    for name in scored.gaps:
        assert f"<th>{GAPS[name].title}</th>" in page
        assert f'aria-label="{GAPS[name].title} against iteration"' in page
    assert f"{round(last['samples/steps'])} steps" in page
    assert "NashConv against steps" in page
    assert "histories" not in page


def test_one_reader_gives_what_a_run_wrote(finished: Path) -> None:
    run = RunDirectory.open(finished)
    assert parse_config(run.config()) == config(EXACT)
    assert run.environment() == json.loads(run.environment_file.read_text())
    assert run.metrics() == [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    ended, meta_game = run.ended(), run.artefact("meta_game")
    assert ended is not None
    assert {
        "stopped": ended.stopped,
        "iteration": ended.iteration,
        "seconds": ended.seconds,
        "nash_conv": ended.nash_conv,
    } == json.loads(run.ended_file.read_text())
    assert meta_game == json.loads((finished / "meta_game.json").read_text())
    assert run.artefact("replicas") is None


def test_a_run_goes_on_in_no_other_game_of_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "game.csv"
    file.write_text("a,b,u,v\n0,0,1,-1\n0,1,0,0\n1,0,0,0\n1,1,1,-1\n")
    data = {"game": {"id": f"table:{file}"}, "learner": {"id": "tabular", "method": "rm+"}, "iterations": 2}
    run = train(config(data), tmp_path / "run")
    resume(run.path)
    file.write_text("a,b,u,v\n0,0,1,-1\n0,1,0,0\n1,0,0,0\n1,1,2,-2\n")
    with pytest.raises(CheckpointError, match="the checkpoint has game_data"):
        resume(run.path)


def test_a_checkpoint_with_more_in_its_identity_is_of_another_run(tmp_path: Path) -> None:
    run = train(config(EXACT, "iterations=1"), tmp_path / "run")
    step, tree = load_checkpoint(run.checkpoints)
    for value in (None, 3):
        tree["identity"]["more"] = value
        save_checkpoint(run.checkpoints, step, tree)
        with pytest.raises(CheckpointError, match=f"has more {value}, the run's configuration says None"):
            resume(run.path)
