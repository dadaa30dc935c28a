"""Stopping rules: a run ends at its target or when its seconds are spent, however often it was interrupted."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import eqenvs
from eqagents.distributed import Failed
from eqagents.learners.psro._loop import Enlarged
from eqagents.learners.psro._responses import Responses
from eqagents.report import load_report_data, render_report
from eqagents.training.checkpoint import list_checkpoints, load_checkpoint
from eqagents.training.config import RunConfig, StopConfig, parse_config
from eqagents.training.metrics import read_metrics
from eqagents.training.progress import Ended, Progress, Standing
from eqagents.training.run import evaluate, resume, train
from eqenvs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TABULAR: dict[str, Any] = {
    "game": {"id": "kuhn_poker"},
    "learner": {"id": "tabular", "method": "cfr+", "iterations_per_step": 5},
    "iterations": 40,
    "stop": {"nash_conv": 0.02},
}
PSRO: dict[str, Any] = {
    "game": {"id": "kuhn_poker"},
    "learner": {"id": "psro", "oracle": {"id": "exact"}},
    "iterations": 20,
    "stop": {"nash_conv": 0.1},
}
CLOCKS = ("time", "run/iteration_s", "run/seconds")


class Stop(Exception):  # noqa: N818
    pass


def config(data: dict[str, Any], *overrides: str) -> RunConfig:
    return parse_config(data, overrides)


def ended(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "ended.json").read_text())
    return found


def timeless(run: Path) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in record.items() if k not in CLOCKS and not k.startswith("time/")}
        for record in read_metrics(run)
    ]


def stored(run: Path) -> str:
    """The last checkpoint, without what a clock measured."""
    step, tree = load_checkpoint(run / "checkpoints")
    return repr((step, tree | {"seconds": None}))


def interrupted(run: Path, data: dict[str, Any], after: int, *overrides: str) -> None:
    """A run that died after an iteration."""

    def stop(progress: Progress) -> None:
        if progress.iteration == after:
            raise Stop

    with pytest.raises(Stop):
        train(config(data, *overrides), run, stop)


@pytest.fixture
def command(call: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[str, str]]:
    """The `eqenvs` command in this process; it must succeed. Gives what it printed, and what it said on the side."""

    def succeed(*arguments: object) -> tuple[str, str]:
        status, printed, said = call(*arguments)
        assert not status, said
        return printed, said

    return succeed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock for the run loop and the learner by which every interval between two looks is a second."""
    now = iter(range(1_000_000))
    for module in ("training.run", "learners.tabular", "learners._stepped"):
        clock = SimpleNamespace(perf_counter=lambda: float(next(now)))
        monkeypatch.setattr(f"eqagents.{module}.time", clock)


# ------------------------------------------------------------------------------------------------------------- target


@pytest.mark.parametrize("data", [TABULAR, PSRO], ids=["tabular", "psro"])
def test_run_ends_at_its_target_with_a_checkpoint_and_a_score(data: dict[str, Any], tmp_path: Path) -> None:
    told: list[Progress] = []
    run = train(config(data, "checkpoint.every=7"), tmp_path / "run", told.append).path
    records, target = read_metrics(run), data["stop"]["nash_conv"]
    last = records[-1]
    assert last["step"] < data["iterations"]
    assert last["score/nash_conv"] <= target
    assert all(record["score/nash_conv"] > target for record in records[:-1])
    assert list_checkpoints(run / "checkpoints")[-1] == last["step"]
    assert (ended(run)["stopped"], ended(run)["iteration"]) == ("target", last["step"])
    assert ended(run)["nash_conv"] == last["score/nash_conv"] == evaluate(run).nash_conv
    assert [progress.ended for progress in told] == [None] * (len(told) - 1) + [Ended.TARGET]


def test_target_is_looked_at_where_a_score_is_due(tmp_path: Path) -> None:
    steps = []
    for every in (1, 4):
        run = train(config(TABULAR, f"score.every={every}"), tmp_path / f"run{every}").path
        steps.append(ended(run)["iteration"])
    assert steps[1] == -(-steps[0] // 4) * 4 != steps[0]


def test_target_that_is_met_at_the_start_needs_no_iteration(tmp_path: Path) -> None:
    run = train(config(TABULAR, "stop.nash_conv=1"), tmp_path / "run").path  # uniform play has 11/12
    assert [record["step"] for record in read_metrics(run)] == [0]
    assert (ended(run)["stopped"], ended(run)["iteration"]) == ("target", 0)
    assert evaluate(run).nash_conv == pytest.approx(11 / 12)


@pytest.mark.parametrize("after", [1, 3])
def test_resumed_run_stops_where_the_uninterrupted_one_does(after: int, tmp_path: Path) -> None:
    settings = ("checkpoint.every=2", "stop.nash_conv=0.01")
    whole = train(config(TABULAR, *settings), tmp_path / "whole").path
    interrupted(tmp_path / "run", TABULAR, after, *settings)
    assert not (tmp_path / "run" / "ended.json").exists()
    resume(tmp_path / "run")
    assert ended(whole)["iteration"] > after
    assert timeless(tmp_path / "run") == timeless(whole)
    assert stored(tmp_path / "run") == stored(whole)
    assert ended(tmp_path / "run") | {"seconds": None} == ended(whole) | {"seconds": None}


def test_run_that_has_ended_has_nothing_left_to_do(tmp_path: Path, command: Callable[..., tuple[str, str]]) -> None:
    run = train(config(TABULAR), tmp_path / "run").path
    before, facts = read_metrics(run), ended(run)
    (run / "ended.json").unlink()  # as if it had died in between
    told: list[Progress] = []
    resume(run, told.append)
    assert told == []
    assert (read_metrics(run), ended(run)) == (before, facts)
    printed, said = command("resume", run, "--json")
    assert "nothing left to do" in said
    summary = json.loads(printed)
    assert (summary["stopped"], summary["iteration"]) == ("target", facts["iteration"])
    assert summary["score"]["nash_conv"] == facts["nash_conv"]


def test_run_that_is_asked_for_more_goes_on(tmp_path: Path) -> None:
    run = train(config(TABULAR), tmp_path / "run").path
    file = run / "config.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"stop": {"nash_conv": 0.005}}))
    interrupted_at = ended(run)["iteration"]
    resume(run)
    assert ended(run)["iteration"] > interrupted_at
    assert ended(run)["nash_conv"] <= 0.005
    straight = train(config(TABULAR, "stop.nash_conv=0.005"), tmp_path / "straight").path
    assert timeless(run) == timeless(straight)
    assert stored(run) == stored(straight)


def test_target_that_is_not_reached_leaves_it_to_the_iterations(tmp_path: Path) -> None:
    run = train(config(TABULAR, "stop.nash_conv=0", "iterations=3"), tmp_path / "run").path
    assert (ended(run)["stopped"], ended(run)["iteration"]) == ("iterations", 3)


# ------------------------------------------------------------------------------------------------------------ seconds


@pytest.mark.usefixtures("clock")
def test_run_ends_when_its_seconds_are_spent_with_a_score_that_was_not_due(tmp_path: Path) -> None:
    # Four looks an iteration, two of them the learner's own: 3 seconds of learning.
    settings = ("stop={seconds: 9}", "score.every=2", "checkpoint.every=5")
    run = train(config(TABULAR, *settings), tmp_path / "run").path
    records = read_metrics(run)
    assert [record["run/seconds"] for record in records] == [0, 3, 6, 9]  # scores and checkpoints cost nothing
    assert [("score/nash_conv" in record) for record in records] == [True, False, True, True]
    assert list_checkpoints(run / "checkpoints") == [0, 3]
    assert ended(run) == {
        "stopped": "seconds",
        "iteration": 3,
        "seconds": 9.0,
        "nash_conv": records[-1]["score/nash_conv"],
    }


@pytest.mark.usefixtures("clock")
def test_seconds_add_up_over_resumes(tmp_path: Path) -> None:
    interrupted(tmp_path / "run", TABULAR, 3, "stop={seconds: 10}", "checkpoint.every=2")
    resume(tmp_path / "run")  # from 2, with 6 seconds spent
    assert [record["run/seconds"] for record in read_metrics(tmp_path / "run")] == [0, 3, 6, 9, 12]
    assert (ended(tmp_path / "run")["stopped"], ended(tmp_path / "run")["seconds"]) == ("seconds", 12.0)


def test_least_budget_is_spent_by_one_iteration(tmp_path: Path) -> None:
    run = train(config(TABULAR, "stop.seconds=1.0e-9", "stop.nash_conv=0"), tmp_path / "run").path
    assert (ended(run)["stopped"], ended(run)["iteration"]) == ("seconds", 1)
    assert ended(run)["seconds"] == read_metrics(run)[-1]["run/seconds"] > 0


# -------------------------------------------------------------------------------------------------------------- gains


RESPONDING = [
    ({"id": "psro", "oracle": {"id": "exact"}}, {"id": "kuhn_poker"}),
    ({"id": "xdo", "until": {"rule": "iterations", "iterations": 400}}, {"id": "kuhn_poker"}),
    ({"id": "mean_field_psro"}, {"id": "mean_field_rps"}),
    ({"id": "psro", "oracle": {"id": "exact"}, "pipeline": {"levels": 2}}, {"id": "kuhn_poker"}),
]


@pytest.mark.parametrize(("learner", "game"), RESPONDING)
def test_run_ends_when_no_response_gains_more(learner: dict[str, Any], game: dict[str, Any], tmp_path: Path) -> None:
    """With exact responses a gain is the most that a player can gain: N of them bound NashConv."""
    data = {"game": game, "learner": learner, "iterations": 60, "stop": {"gain": 0.01}}
    run = train(config(data), tmp_path / "run").path
    assert ended(run)["stopped"] == "converged"
    records = read_metrics(run)
    gains = [record["response/highest_gain"] for record in records if "response/highest_gain" in record]
    assert gains[-1] <= 0.01 < min(gains[:-1])
    players = eqenvs.make(game["id"]).num_players
    assert records[-2]["score/nash_conv"] <= players * 0.01 + 1e-12  # of the solution that was responded to


def test_gains_must_stay_low_as_often_as_asked_for(tmp_path: Path) -> None:
    learner = {"id": "psro", "oracle": {"id": "exact"}}
    data = {"game": {"id": "kuhn_poker"}, "learner": learner, "iterations": 60, "seed": 1, "stop": {"gain": 1e-9}}
    once, thrice = (train(config(data, f"stop.gain_for={times}"), tmp_path / str(times)).path for times in (1, 3))
    assert ended(once)["stopped"] == ended(thrice)["stopped"] == "converged"
    assert ended(thrice)["iteration"] == ended(once)["iteration"] + 2  # nothing is added any more
    # A run that is stopped in between counts on.
    interrupted(tmp_path / "again", data, ended(once)["iteration"], "stop.gain_for=3", "checkpoint.every=2")
    resume(tmp_path / "again")
    assert ended(tmp_path / "again")["iteration"] == ended(thrice)["iteration"]


def test_a_response_that_failed_says_nothing_about_convergence() -> None:
    found = Responses((("one",), (Failed("none"),)))  # type: ignore[arg-type]
    assert Enlarged(None, {}, responses=found, gains={0: 0.0}).highest_gain() is None
    assert Enlarged(None, {}, responses=found, gains={0: 0.0, 1: -1.0}).highest_gain() == 0.0
    assert Enlarged(None, {}).highest_gain() is None
    shared = Responses((("one",), ()))  # type: ignore[arg-type]  # of a symmetric game
    assert Enlarged(None, {}, responses=shared, gains={0: 0.25}).highest_gain() == 0.25


def test_gains_are_asked_of_learners_that_respond(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"stop\.gain needs a learner that responds, .* 'tabular' does not"):
        train(config(TABULAR, "stop.gain=0.1"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


REASONS = [
    (Standing(3, 1.0, 0.5), None),
    (Standing(3, 9.0, 0.1), Ended.TARGET),  # the first reason of several
    (Standing(5, 9.0, None), Ended.ITERATIONS),
    (Standing(4, 2.0, None), Ended.SECONDS),
    (Standing(4, 1.9, None), None),
    (Standing(4, 1.9, None, (0.3, 0.2)), None),
    (Standing(4, 1.9, None, (0.2,)), None),
    (Standing(5, 1.9, None, (0.2, 0.1)), Ended.CONVERGED),
]


@pytest.mark.parametrize(("standing", "reason"), REASONS)
def test_reasons_have_an_order(standing: Standing, reason: Ended | None) -> None:
    assert standing.ended(5, StopConfig(nash_conv=0.1, seconds=2.0, gain=0.2, gain_for=2)) == reason


# ------------------------------------------------------------------------------------------------------ configuration


BAD = [
    ("stop.nash_con=1", "unknown key 'stop.nash_con'; did you mean 'nash_conv'"),
    ("stop.nash_conv=-1", "stop.nash_conv: .*greater than or equal to 0"),
    ("stop.nash_conv=.nan", "stop.nash_conv: .*finite number"),
    ("stop.seconds=0", "stop.seconds: .*greater than 0"),
    ("stop.seconds=soon", "stop.seconds: .*number"),
]


@pytest.mark.parametrize(("override", "message"), BAD)
def test_bad_rules_are_named(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        config(TABULAR, override)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("overrides", [
    ["score.method=simulated"],
    ["game={id: dark_hex, parameters: {board_size: 4}}", "learner.tabulate=false", "learner.payoffs.method=simulated"],
])  # fmt: skip
def test_target_on_lower_bounds_is_refused_and_writes_nothing(overrides: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"stop\.nash_conv needs exact scores, .* use stop\.seconds") as caught:
        train(config(PSRO, *overrides), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ more than two players


def test_three_player_run_shows_nash_conv_and_the_gap_of_the_play_average(
    tmp_path: Path, command: Callable[..., tuple[str, str]]
) -> None:
    game = {"id": "kuhn_poker", "parameters": {"num_players": 3}}
    data = TABULAR | {"game": game, "iterations": 4, "stop": {}, "checkpoint": {"every": 1}}
    run = train(config(data), tmp_path / "run").path
    last = read_metrics(run)[-1]
    scored = evaluate(run)
    gap = last["measures/play_cce_gap"]
    assert scored.detail == {"measures": {"play_cce_gap": gap}}
    assert scored.nash_conv == last["score/nash_conv"] != gap
    assert json.loads((run / "score.json").read_text()) == {**scored.to_dict(), "evaluated_step": 4}
    page = render_report([load_report_data(run)])
    for shown in (
        "Play CCE gap against iteration",
        "NashConv against iteration",
        "NashConv against seconds",
        "NashConv against histories",
        f"<td class='num'>{gap:.4g}".replace("e-0", "e-"),
        f"<td class='num'>{scored.nash_conv:.4g}".replace("e-0", "e-"),
        "all iterations done",
    ):
        assert shown in page
    table, _ = command("evaluate", run)
    assert "nash_conv" in table
    assert f"'play_cce_gap': {gap}" in table
    earlier = evaluate(run, step=2)
    assert earlier.detail["measures"]["play_cce_gap"] == read_metrics(run)[2]["measures/play_cce_gap"] != gap
