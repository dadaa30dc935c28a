"""The `eqenvs` command: what it prints, writes and refuses.

Most cases run in this process, through the same `run` that the installed command calls; a few start the real command.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

import eqenvs
from eqagents.cli.app import app
from eqsolvers.scoring import GAPS

COMMAND = Path(sys.executable).with_name("eqenvs")
SOLVE_KEYS = {
    *("game", "parameters", "concept", "method", "status", "iterations", "seconds", "compile_seconds"),
    *("build_seconds", "values", "nash_conv", "exploitability", "score_kind"),
}
SCORE_KEYS = {"values", "gains", "nash_conv", "exploitability", "welfare", "kind", *GAPS}
EXACT = {"game": {"id": "kuhn_poker"}, "learner": {"id": "psro", "oracle": {"id": "exact"}}, "iterations": 2}


class Outcome(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


Eqenvs = Callable[..., Outcome]


@pytest.fixture
def eqenvs_command(call: Callable[..., tuple[int, str, str]]) -> Eqenvs:
    """The command, in this process."""
    return lambda *arguments: Outcome(*call(*arguments))


def real(*arguments: object) -> Outcome:
    """The installed command, in a process of its own."""
    done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("configs") / "kuhn.yaml"
    file.write_text(yaml.safe_dump(EXACT))
    return file


@pytest.fixture(scope="module")
def finished(config_file: Path) -> Path:
    """A finished run, made by the installed command; to be read only."""
    run = config_file.parent / "finished"
    settings = ("--set", "iterations=10", "--set", "checkpoint.every=1")
    outcome = real("train", config_file, "--out", run, *settings, "--json")
    summary = outcome.json()
    assert summary["iteration"] == 10
    assert summary["score"]["nash_conv"] < 1e-9
    assert summary["run"] == str(run)
    assert "Traceback" not in outcome.err
    return run


@pytest.fixture
def policy(tmp_path: Path) -> dict[str, Any]:
    """Uniform play in Kuhn poker, as a policy file's data."""
    game = eqenvs.make("kuhn_poker")
    players = [{label: {"pass": 0.5, "bet": 0.5} for label in game.information_state_labels(p)} for p in range(2)]
    return {"game": "kuhn_poker", "parameters": {"num_players": 2}, "players": players}


# ------------------------------------------------------------------------------------------------------- games and show


def test_games_lists_what_is_registered(eqenvs_command: Eqenvs) -> None:
    listed = eqenvs_command("games", "--json").json()
    assert [game["id"] for game in listed] == eqenvs.game_ids()
    for game in listed:
        assert {"id", "family", "num_players", "constant_sum", "exact", "parameters"} <= game.keys()
        assert game["num_players"] == eqenvs.make(game["id"]).num_players
        for parameter in game["parameters"]:
            assert {"name", "type", "default", "low", "high", "choices", "description"} <= parameter.keys()


def test_games_table_has_whole_names(eqenvs_command: Eqenvs) -> None:
    table = eqenvs_command("games")
    assert table.status == 0
    assert [game_id for game_id in eqenvs.game_ids() if game_id not in table.out] == []


@pytest.mark.parametrize(
    ("arguments", "sizes", "value", "nash_conv"),
    [
        (["kuhn_poker"], {"terminals": 30, "infosets": [6, 6], "sequences": [13, 13]}, -1 / 18, 11 / 12),
        (
            ["leduc_poker"],
            {"terminals": 5520, "infosets": [468, 468], "sequences": [1093, 1093]},
            -0.085606424078,
            4.747222222222,
        ),
        (
            ["leduc_poker", "-p", "suit_isomorphism=true", "-p", "num_players=2"],
            {"terminals": 1116, "infosets": [144, 144], "sequences": [337, 337]},
            -0.085606424078,
            4.747222222222,
        ),
    ],
)
def test_show_gives_sizes_value_and_uniform_play(
    arguments: list[str], sizes: dict[str, Any], value: float, nash_conv: float, eqenvs_command: Eqenvs
) -> None:
    shown = eqenvs_command("show", *arguments, "--json").json()
    assert {"id", "family", "parameters", "sizes", "value", "uniform"} <= shown.keys()
    assert (shown["id"], shown["family"]) == (arguments[0], "extensive_form")
    assert sizes.items() <= shown["sizes"].items()
    assert shown["value"] == pytest.approx(value, abs=1e-10)
    assert shown["uniform"].keys() == {"nash_conv", "exploitability", "values"}
    assert shown["uniform"]["nash_conv"] == pytest.approx(nash_conv, abs=1e-10)
    assert shown["uniform"]["exploitability"] == pytest.approx(nash_conv / 2, abs=1e-10)
    assert sum(shown["uniform"]["values"]) == pytest.approx(0, abs=1e-12)


def test_show_leaves_out_what_is_unknown_or_undefined(eqenvs_command: Eqenvs) -> None:
    shown = eqenvs_command("show", "kuhn_poker", "-p", "num_players=3", "--json").json()
    assert shown["value"] is None
    assert shown["uniform"]["exploitability"] is None
    assert "undefined for this game" in eqenvs_command("show", "kuhn_poker", "-p", "num_players=3").out


# ---------------------------------------------------------------------------------------------------------------- solve


@pytest.mark.parametrize(
    ("arguments", "method", "values"),
    [
        (["kuhn_poker"], "sequence-lp", [-1 / 18, 1 / 18]),
        (["rock_paper_scissors", "-p", "rock_win=3"], "lp", [0, 0]),
    ],
)
def test_solve_gives_the_promised_keys(
    arguments: list[str], method: str, values: list[float], eqenvs_command: Eqenvs
) -> None:
    solved = eqenvs_command("solve", *arguments, "--method", method, "--json").json()
    assert solved.keys() >= SOLVE_KEYS
    assert (solved["game"], solved["concept"], solved["method"]) == (arguments[0], "nash", method)
    assert (solved["status"], solved["score_kind"]) == ("converged", "exact")
    assert solved["values"] == pytest.approx(values, abs=1e-9)
    assert solved["nash_conv"] <= 1e-9
    assert solved["exploitability"] == pytest.approx(solved["nash_conv"] / 2)
    assert solved["parameters"] == eqenvs.make(arguments[0], **({"rock_win": 3.0} if arguments[1:] else {})).parameters


@pytest.mark.parametrize("arguments", [["kuhn_poker"], ["leduc_poker", "-p", "suit_isomorphism=true"]])
def test_solution_written_to_a_file_is_scored_as_equilibrium(
    arguments: list[str], eqenvs_command: Eqenvs, tmp_path: Path
) -> None:
    file = tmp_path / "policy.json"
    solved = eqenvs_command("solve", *arguments, "--out", file, "--json").json()
    written = json.loads(file.read_text())
    assert written.keys() == {"game", "parameters", "players"}
    scored = eqenvs_command("evaluate", file, "--json").json()
    assert scored["nash_conv"] == pytest.approx(0, abs=1e-9)
    assert scored["values"] == pytest.approx(solved["values"], abs=1e-9)
    assert scored["kind"] == "exact"
    before = file.read_bytes()
    refused = eqenvs_command("solve", *arguments, "--out", file)
    assert refused.status == 2
    assert "exists" in refused.err
    assert file.read_bytes() == before


def test_result_that_misses_its_target_is_status_one(eqenvs_command: Eqenvs) -> None:
    outcome = eqenvs_command("solve", "rock_paper_scissors", "-p", "rock_win=3", "--target", "1e-300", "--json")
    assert outcome.status == 1
    assert json.loads(outcome.out)["status"] != "converged"
    assert outcome.err.startswith("not converged")


def test_solve_shows_the_answer_of_a_small_normal_form_game(eqenvs_command: Eqenvs) -> None:
    arguments = ["solve", "rock_paper_scissors", "-p", "rock_win=2", "--method", "lp"]
    solved = eqenvs_command(*arguments, "--json").json()
    assert [pytest.approx([1 / 4, 1 / 2, 1 / 4])] * 2 == solved["policy"]
    assert solved["message"] == ""
    assert "[[0.25, 0.5, 0.25], [0.25, 0.5, 0.25]]" in eqenvs_command(*arguments).out
    device = eqenvs_command("solve", "chicken", "--concept", "ce", "--json").json()
    assert device["policy"] == [pytest.approx([1 / 2, 1 / 4], abs=1e-9), pytest.approx([1 / 4, 0], abs=1e-9)]
    large = ["solve", "random_normal_form", "-p", "num_actions=51", "-p", "zero_sum=true", "--json"]
    assert eqenvs_command(*large).json()["policy"] is None
    assert "policy" not in eqenvs_command("solve", "kuhn_poker", "--json").json()


def test_solve_lists_several_equilibria_once(eqenvs_command: Eqenvs) -> None:
    for method in ("pure", "vertex-enumeration"):
        solved = eqenvs_command("solve", "chicken", "--method", method, "--json").json()
        assert [[0.0, 1.0], [1.0, 0.0]] in solved["equilibria"]
        text = eqenvs_command("solve", "chicken", "--method", method).out
        assert text.count("[[0, 1], [1, 0]]") == 1
        assert text.count("equilibrium 1") == 1
        assert "equilibria" not in text.replace("-enumeration", "")


def test_that_there_is_none_is_a_status_with_its_message_and_no_residual(eqenvs_command: Eqenvs) -> None:
    outcome = eqenvs_command("solve", "matching_pennies", "--method", "pure", "--json")
    assert outcome.status == 1
    solved = json.loads(outcome.out)
    assert (solved["status"], solved["residual"], solved["policy"]) == ("none_exists", None, None)
    assert solved["message"].startswith("the game has no pure equilibrium")
    assert outcome.err.startswith("none_exists: the game has no pure equilibrium")


def test_the_residual_of_a_quantal_response_equilibrium_is_a_probability(eqenvs_command: Eqenvs) -> None:
    arguments = ["solve", "chicken", "--method", "logit", "--json"]
    assert eqenvs_command(*arguments, "--concept", "qre").json()["residual_unit"] == "probability"
    assert eqenvs_command(*arguments).json()["residual_unit"] == "payoff"


# ------------------------------------------------------------------------------------------- train, evaluate and report


def test_evaluate_scores_a_run_and_keeps_the_score(finished: Path, eqenvs_command: Eqenvs, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    scored = eqenvs_command("evaluate", run, "--json").json()
    assert scored.keys() >= SCORE_KEYS
    assert scored["nash_conv"] < 1e-9
    assert scored["values"][0] == pytest.approx(-1 / 18, abs=1e-9)
    assert json.loads((run / "score.json").read_text()) == {**scored, "evaluated_step": 10}
    assert "nash_conv" in eqenvs_command("evaluate", run).out


def test_evaluate_scores_a_policy_file(policy: dict[str, Any], eqenvs_command: Eqenvs, tmp_path: Path) -> None:
    file = tmp_path / "uniform.json"
    file.write_text(json.dumps(policy))
    scored = eqenvs_command("evaluate", file, "--json").json()
    assert scored["nash_conv"] == pytest.approx(11 / 12)


def test_resume_of_a_finished_run_says_so_and_succeeds(finished: Path, eqenvs_command: Eqenvs, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    assert eqenvs_command("resume", run, "--json").json()["iteration"] == 10


def test_report_is_one_html_file_of_all_runs(finished: Path, eqenvs_command: Eqenvs, tmp_path: Path) -> None:
    other = shutil.copytree(finished, tmp_path / "other")
    file = tmp_path / "report.html"
    outcome = eqenvs_command("report", finished, other, "--out", file)
    assert outcome.status == 0, outcome.err
    page = file.read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "kuhn_poker" in page
    assert "other" in page
    assert eqenvs_command("report", other, "--out", file).status == 0  # a report is replaced


@pytest.mark.slow
def test_installed_command_prints_json_only_and_says_errors_in_one_line() -> None:
    assert [game["id"] for game in real("games", "--json").json()] == eqenvs.game_ids()
    outcome = real("show", "leduc_pokr")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "error: unknown game 'leduc_pokr'; did you mean 'leduc_poker'?\n"


# ------------------------------------------------------------------------------------------------------------ bad input


def hashes(directory: Path) -> dict[Path, str]:
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(directory.rglob("*")) if p.is_file()}


def refused(outcome: Outcome, *parts: str) -> None:
    assert outcome.status == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    assert outcome.err.startswith("error: ")
    for part in parts:
        assert part in outcome.err


BAD_ARGUMENTS = [
    (["show", "kuhn"], ["'kuhn'", "did you mean 'kuhn_poker'"]),
    (["solve", "rock_paper_sissors"], ["did you mean 'rock_paper_scissors'"]),
    (["show", "kuhn_poker", "-p", "players=3"], ["'players'", "did you mean 'num_players'"]),
    (["show", "rock_paper_scissors", "-p", "rok_win=3"], ["did you mean 'rock_win'"]),
    (["show", "kuhn_poker", "-p", "num_players=11"], ["'num_players'", "from 2 to 10", "got 11"]),
    (["show", "kuhn_poker", "-p", "num_players=two"], ["'num_players'", "an integer from 2 to 10", "got 'two'"]),
    (["show", "kuhn_poker", "-p", "num_players=2.5"], ["'num_players'", "got '2.5'"]),
    (["show", "leduc_poker", "-p", "suit_isomorphism=maybe"], ["'suit_isomorphism'", "true or false"]),
    (["show", "rock_paper_scissors", "-p", "rock_win=nan"], ["'rock_win'", "got nan"]),
    (["show", "leduc_poker", "-p", "num_ranks=1", "-p", "num_suits=1"], ["num_ranks * num_suits"]),
    (["show", "kuhn_poker", "-p", "num_players"], ["--parameter needs name=value", "'num_players'"]),
    (["solve", "kuhn_poker", "--method", "sequence_lp"], ["'sequence_lp'", "did you mean 'sequence-lp'"]),
    (["solve", "kuhn_poker", "--method", "simplex"], ["'simplex'", "sequence-lp"]),
    (["solve", "kuhn_poker", "--concept", "nahs"], ["'nahs'", "nash"]),
    (["solve", "kuhn_poker", "-p", "num_players=3", "--method", "sequence-lp"], ["two-player constant-sum"]),
    (["resume", "nowhere"], ["nowhere", "no such directory"]),
    (["evaluate", "nowhere"], ["nowhere", "no such directory"]),
    (["evaluate", "nowhere.json"], ["nowhere.json", "No such file"]),
    (["report", "nowhere", "--out", "report.html"], ["nowhere", "no such directory"]),
    (["train", "nowhere.yaml", "--out", "run"], ["nowhere.yaml", "No such file"]),
]


@pytest.mark.parametrize(("arguments", "parts"), BAD_ARGUMENTS, ids=[" ".join(a) for a, _ in BAD_ARGUMENTS])
def test_bad_argument_is_one_line_with_the_nearest_choice(
    arguments: list[str], parts: list[str], eqenvs_command: Eqenvs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(eqenvs_command(*arguments), *parts)
    assert list(tmp_path.iterdir()) == []


BAD_SETTINGS = [
    ("iteration=3", ["'iteration'", "did you mean 'iterations'"]),
    ("learner.payoffs.methd=exact", ["learner.payoffs.methd", "did you mean 'method'"]),
    ("learner.oracle.id=exat", ["'exat'", "did you mean 'exact'"]),
    ("learner.meta_solver=unifrom", ["did you mean 'uniform'"]),
    ("learner.id=pro", ["did you mean 'psro'"]),
    ("game.id=kun_poker", ["did you mean 'kuhn_poker'"]),
    ("game.parameters.num_playrs=2", ["did you mean 'num_players'"]),
    ("learner.meta_solver={id: logit, settings: {precison: 5}}", ["did you mean 'precision'"]),
    ("learner.meta_solver={id: nash, fallback: unifrom}", ["did you mean 'uniform'"]),
    pytest.param(
        "learner.oracle={id: policy_gradient, device: 'cuda:99'}",
        ["cuda:99", "cpu"],
    ),
    pytest.param(
        "learner.oracle={id: policy_gradient, updates: 1, hidden: [0]}",
        ["hidden"],
    ),
    ("seed=-1", ["seed", "greater than or equal to 0"]),
    ("iterations", ["--set needs key=value", "'iterations'"]),
    ("iterations.more=1", ["'iterations' is a value"]),
]


@pytest.mark.parametrize(("setting", "parts"), BAD_SETTINGS)
def test_bad_setting_is_one_line_and_starts_no_run(
    setting: str, parts: list[str], config_file: Path, eqenvs_command: Eqenvs, tmp_path: Path
) -> None:
    refused(eqenvs_command("train", config_file, "--out", tmp_path / "run", "--set", setting), *parts)
    assert list(tmp_path.iterdir()) == []


def test_missing_configuration_names_those_beside_it(config_file: Path, eqenvs_command: Eqenvs, tmp_path: Path) -> None:
    refused(eqenvs_command("train", config_file.with_name("kuhm.yaml"), "--out", tmp_path / "run"), str(config_file))


def test_training_into_a_run_is_refused_and_touches_nothing(
    config_file: Path, finished: Path, eqenvs_command: Eqenvs
) -> None:
    before = hashes(finished)
    refused(eqenvs_command("train", config_file, "--out", finished), str(finished), "eqenvs resume")
    assert hashes(finished) == before


@pytest.mark.parametrize("command", ["resume", "evaluate"])
def test_directory_that_is_no_run_names_the_one_beside_it(
    command: str, finished: Path, eqenvs_command: Eqenvs, tmp_path: Path
) -> None:
    refused(eqenvs_command(command, tmp_path), "holds no run")
    refused(eqenvs_command(command, finished.with_name("finish")), f"did you mean {finished}?")


@pytest.mark.parametrize("command", ["resume", "evaluate"])
def test_corrupt_checkpoint_is_named_and_the_last_good_one_is_used(
    command: str, finished: Path, eqenvs_command: Eqenvs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    file = run / "checkpoints" / "step-000010" / "arrays.npz"
    file.write_bytes(file.read_bytes()[:-20])
    refused(eqenvs_command(command, run, "--step", "10"), str(file), "the nearest checkpoint that loads is step 9")
    assert eqenvs_command(command, run).status == 0
    assert f"{file}: does not have the sha256" in caplog.text
    assert "checkpoint 9, the last that loads, is used instead" in caplog.text


def test_report_writes_over_nothing_but_a_report(finished: Path, eqenvs_command: Eqenvs, tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("<!DOCTYPE html>mine")
    refused(eqenvs_command("report", finished, "--out", mine), "mine.html", "no report")
    refused(eqenvs_command("report", finished, "--out", tmp_path), "no report")
    refused(eqenvs_command("report", finished, "--out", tmp_path / "a" / "b.html"), "there is no directory")
    assert mine.read_text() == "<!DOCTYPE html>mine"
    for _ in range(2):  # its own report it replaces
        assert eqenvs_command("report", finished, "--out", tmp_path / "r.html").status == 0


def no_row(data: dict[str, Any]) -> None:
    del data["players"][1]["Q:b"]


def extra_row(data: dict[str, Any]) -> None:
    data["players"][0]["K:pd"] = {"pass": 1.0}


def bad_sum(data: dict[str, Any]) -> None:
    data["players"][0]["J:"] = {"pass": 0.5, "bet": 0.4}


def negative(data: dict[str, Any]) -> None:
    data["players"][0]["J:"] = {"pass": 1.5, "bet": -0.5}


def bad_action(data: dict[str, Any]) -> None:
    data["players"][0]["J:"] = {"pas": 1.0}


def no_player(data: dict[str, Any]) -> None:
    del data["players"][1]


def bad_game(data: dict[str, Any]) -> None:
    data["game"] = "kuhn_pokr"


def bad_parameter(data: dict[str, Any]) -> None:
    data["parameters"] = {"num_players": 1}


def other_parameters(data: dict[str, Any]) -> None:
    data["parameters"] = {"num_players": 3}


def no_players(data: dict[str, Any]) -> None:
    del data["players"]


BAD_POLICIES = [
    (no_row, ["player 1", "'Q:b'", "1 of 6 are missing"]),
    (extra_row, ["player 0", "'K:pd'", "did you mean 'K:pb'"]),
    (bad_sum, ["player 0", "'J:'", "sum to 0.9"]),
    (negative, ["player 0", "negative probability"]),
    (bad_action, ["'pas'", "did you mean 'pass'"]),
    (no_player, ["each of the 2 players, got 1"]),
    (bad_game, ["'kuhn_pokr'", "did you mean 'kuhn_poker'"]),
    (bad_parameter, ["'num_players'", "from 2 to 10"]),
    (other_parameters, ["3 players"]),
    (no_players, ["'players'"]),
]


@pytest.mark.parametrize(("spoil", "parts"), BAD_POLICIES, ids=[spoil.__name__ for spoil, _ in BAD_POLICIES])
def test_bad_policy_file_is_one_line_with_the_place(
    spoil: Callable[[dict[str, Any]], None],
    parts: list[str],
    policy: dict[str, Any],
    eqenvs_command: Eqenvs,
    tmp_path: Path,
) -> None:
    spoil(policy)
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy))
    refused(eqenvs_command("evaluate", file), *parts)


def wrong_type(path: list[Any], value: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(data: Any) -> None:
        *parents, last = path
        for part in parents:
            data = data[part]
        data[last] = value

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        wrong_type(["game"], 3),
        wrong_type(["parameters"], []),
        wrong_type(["players"], 3),
        wrong_type(["players", 0, "J:"], [0.5, 0.5]),
        wrong_type(["players", 0, "J:", "bet"], "half"),
        wrong_type(["players", 0, "J:", "bet"], 10**400),
    ],
    ids=["game", "parameters", "players", "row", "text for a number", "huge number"],
)
def test_wrong_type_in_a_policy_file_is_one_line(
    spoil: Callable[[dict[str, Any]], None], policy: dict[str, Any], eqenvs_command: Eqenvs, tmp_path: Path
) -> None:
    spoil(policy)
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy))
    refused(eqenvs_command("evaluate", file), "policy.json")


def test_solution_for_a_directory_that_is_missing_is_one_line(eqenvs_command: Eqenvs, tmp_path: Path) -> None:
    refused(eqenvs_command("solve", "kuhn_poker", "--out", tmp_path / "a" / "b.json"), "there is no")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b"null",
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_policy_file_that_is_no_policy_is_named(content: bytes, eqenvs_command: Eqenvs, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_bytes(content)
    refused(eqenvs_command("evaluate", file), "policy.json")


EXPORTS = {
    "ending": (["kuhn_poker", "kuhn.txt"], "kuhn.txt: must end in .efg, .nfg, .npy, .csv"),
    "folder": (["kuhn_poker", "none/kuhn.efg"], "FILE none/kuhn.efg: there is no directory none"),
    "there": (["stag_hunt", "there.nfg"], "there.nfg exists; choose another FILE"),
    "form": (["kuhn_poker", "kuhn.nfg"], "kuhn.nfg: the file of kuhn_poker, in extensive_form, must end in .efg"),
    "family": (["grid_soccer", "soccer.efg"], "grid_soccer is markov; Gambit's files are of normal and extensive form"),
    "size": (["goofspiel", "g.efg", "-p", "num_cards=13"], "exact enumeration needs"),
}


@pytest.mark.parametrize(("arguments", "message"), EXPORTS.values(), ids=EXPORTS)
def test_games_that_cannot_be_exported_are_one_line_and_leave_no_file(call, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.nfg").write_text("mine")
    status, _, err = call("export", *arguments)
    assert status == 2
    assert message in err
    assert err.count("\n") == 1
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("there.nfg", "mine")]


def test_every_command_has_json(call):
    for command in app.registered_commands:
        assert command.callback is not None
        status, said, _ = call(command.callback.__name__, "--help")
        assert status == 0
        assert "--json" in said, command.callback.__name__


def test_export_and_report_say_in_json_what_they_wrote(call, tmp_path):
    file = tmp_path / "stag.nfg"
    status, said, _ = call("export", "stag_hunt", file, "--json")
    assert (status, json.loads(said)) == (0, {"written": str(file), "game": f"gambit:{file}"})
