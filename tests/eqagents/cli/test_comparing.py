"""`eqenvs compare`: what it prints of runs and policy files, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.training.config import RunConfig
from eqagents.training.run import evaluate, train
from eqenvs.policies import CorrelatedStrategy, TabularPolicy, uniform
from eqenvs.policy_files import policy_to_json
from eqsolvers.scoring import score

Call = Callable[..., tuple[int, str, str]]
KUHN = {"game": {"id": "kuhn_poker"}, "learner": {"id": "psro", "oracle": {"id": "exact"}}, "iterations": 6}


def trained(path: Path, **changes: Any) -> Path:
    config = {**KUHN, **changes}
    train(RunConfig.model_validate(config), path)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Finished runs and policy files of Kuhn poker; to be read only."""
    base = tmp_path_factory.mktemp("runs")
    learner = KUHN["learner"]
    assert isinstance(learner, dict)
    found = {
        "nash": trained(base / "nash"),
        "uniform": trained(base / "uniform", learner={**learner, "meta_solver": "uniform"}),
        "pruned": trained(base / "pruned", learner={**learner, "prune_after": 1}),
        "cfr": trained(base / "cfr", learner={"id": "tabular", "method": "cfr"}, iterations=1),
    }
    game = eqenvs.make("kuhn_poker")
    found["file"] = base / "uniform.json"
    found["file"].write_text(json.dumps(policy_to_json(game, uniform(game))))
    return found


def compared(call: Call, *arguments: object) -> dict[str, Any]:
    status, out, err = call("compare", *arguments, "--json")
    assert status == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def test_runs_and_files_are_compared_exactly(call: Call, runs: dict[str, Path]) -> None:
    paths = [runs[name] for name in ("nash", "uniform", "file")]
    found = compared(call, *paths)
    assert (found["game"], found["kind"], found["seed"]) == ("kuhn_poker", "exact", None)
    assert [each["name"] for each in found["contestants"]] == [str(path) for path in paths]
    assert [each["kind"] for each in found["contestants"]] == ["run", "run", "policy"]
    payoff = np.array(found["cross_play"]["payoff"])
    assert payoff == pytest.approx(-payoff.T, abs=1e-12)
    assert found["cross_play"]["half_width"] is None
    assert found["elo"]["status"] == "converged"
    assert sum(found["elo"]["ratings"]) == pytest.approx(0)
    average = found["nash_averaging"]
    assert np.array(found["cross_play"]["margin"]) @ average["distribution"] == pytest.approx(average["skill"])
    assert max(average["skill"]) <= 1e-12


def test_regrets_are_those_of_the_scorer_where_the_run_scored_itself(call: Call, runs: dict[str, Path]) -> None:
    """With `nash` as its own meta-solver and exact oracles, a run's mixtures are the evaluated profiles."""
    found = compared(call, runs["nash"], runs["file"])["regret"]
    assert found["solver"] == "nash"
    (run,) = found["runs"]
    lines = {line["iteration"]: line for line in run["iterations"]}
    assert list(lines) == list(range(7))
    metrics = [json.loads(line) for line in (runs["nash"] / "metrics.jsonl").read_text().splitlines()]
    for line in metrics:
        step = lines[line["step"]]
        assert step["nash_conv"] == pytest.approx(line["score/nash_conv"], abs=1e-12)
        assert step["policies"] == [line.get("population/size_0", 1), line.get("population/size_1", 1)]
        assert step["least_regret"] <= step["regret"] + 1e-12
        assert step["regret"] <= step["nash_conv"] + 1e-12
        assert sum(step["gains"]) == pytest.approx(step["regret"])
        # An exact best response to the last solution has joined since, so nothing gains more in the whole game.
        if line["step"] < 6:
            assert step["regret"] == pytest.approx(step["nash_conv"], abs=1e-12)
    assert run["own"]["regret"] == pytest.approx(lines[6]["regret"], abs=1e-12)


def test_one_solver_judges_all_runs(call: Call, runs: dict[str, Path]) -> None:
    found = compared(call, runs["nash"], runs["uniform"])["regret"]
    by_name = {each["name"]: each for each in found["runs"]}
    uniform_run = by_name[str(runs["uniform"])]
    last = uniform_run["iterations"][-1]
    # How the run mixes is uniform; what it has found is judged by an equilibrium of it.
    assert uniform_run["own"]["regret"] != pytest.approx(last["regret"])
    trained_score = evaluate(runs["uniform"])
    assert uniform_run["own"]["regret"] <= trained_score.nash_conv + 1e-12
    as_uniform = compared(call, runs["nash"], runs["uniform"], "--solver", "uniform")["regret"]
    for each in as_uniform["runs"]:
        if each["name"] == str(runs["uniform"]):
            assert each["iterations"][-1]["regret"] == pytest.approx(each["own"]["regret"])


def test_policies_without_populations_are_part_of_the_combined_game(call: Call, runs: dict[str, Path]) -> None:
    alone = compared(call, runs["nash"], runs["file"])["regret"]
    among = compared(call, runs["nash"], runs["cfr"])["regret"]
    assert [each["name"] for each in among["runs"]] == [str(runs["nash"])]
    sizes = alone["runs"][0]["iterations"][-1]["policies"]
    # The run starts from uniform play, but as a record of its own: a file's is another policy by its key.
    assert alone["policies"] == [size + 1 for size in sizes]
    assert among["policies"] == [size + 1 for size in sizes]
    assert compared(call, runs["cfr"], runs["file"])["regret"] is None
    assert compared(call, runs["nash"], runs["file"], "--no-regret")["regret"] is None


def test_of_populations_that_lost_policies_there_is_the_last_alone(call: Call, runs: dict[str, Path]) -> None:
    metrics = [json.loads(line) for line in (runs["pruned"] / "metrics.jsonl").read_text().splitlines()]
    assert any(line.get("population/pruned_0") for line in metrics)
    (run,) = compared(call, runs["pruned"], runs["file"])["regret"]["runs"]
    assert [line["iteration"] for line in run["iterations"]] == [6]
    assert run["iterations"][0]["policies"] == [metrics[-1]["population/size_0"], metrics[-1]["population/size_1"]]


def test_policies_of_a_pipeline_and_actions_of_xdo_are_compared(
    call: Call, runs: dict[str, Path], tmp_path: Path
) -> None:
    oracle = {"id": "ppo", "updates": 1, "num_envs": 8, "steps": 8, "warm_start": True}
    learner = {"id": "psro", "oracle": oracle, "pipeline": {"levels": 2}}
    pipeline = trained(tmp_path / "pipeline", learner=learner, iterations=2)
    xdo = trained(tmp_path / "xdo", learner={"id": "xdo"}, iterations=2)
    found = compared(call, pipeline, xdo)["regret"]
    (run,) = found["runs"]  # XDO keeps actions, no policies
    assert run["name"] == str(pipeline)
    # Active policies are trained on, so what they were before is not kept.
    assert [line["iteration"] for line in run["iterations"]] == [2]
    assert run["iterations"][0]["policies"] == [3, 3]
    assert run["own"]["regret"] == pytest.approx(run["iterations"][0]["regret"])


def test_every_chooses_iterations_and_keeps_the_last(call: Call, runs: dict[str, Path]) -> None:
    (run,) = compared(call, runs["nash"], runs["file"], "--every", 4)["regret"]["runs"]
    assert [line["iteration"] for line in run["iterations"]] == [0, 4, 6]


def test_a_copy_changes_nobodys_skill_or_regret(call: Call, runs: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(runs["nash"], tmp_path / "copy")
    alone = compared(call, runs["nash"], runs["uniform"])
    among = compared(call, runs["nash"], copy, runs["uniform"], runs["nash"])
    assert among["contestants"][3]["name"] == f"{runs['nash']} (2)"
    first, last = alone["nash_averaging"]["skill"]
    assert among["nash_averaging"]["skill"] == pytest.approx([first, first, last, first])
    assert among["regret"]["policies"] == alone["regret"]["policies"]
    assert among["regret"]["runs"][1]["iterations"] == alone["regret"]["runs"][0]["iterations"]


def test_simulated_play_is_the_same_for_the_same_seed_and_close_to_exact(call: Call, runs: dict[str, Path]) -> None:
    arguments = [runs["nash"], runs["file"], "--no-regret", "--episodes", 2000]
    found = compared(call, *arguments)
    assert found == compared(call, *arguments)
    assert found != compared(call, *arguments, "--seed", 1)
    exact = compared(call, runs["nash"], runs["file"], "--no-regret")
    assert (found["kind"], found["seed"]) == ("estimate", 0)
    width = found["cross_play"]["half_width"][0][1]
    assert abs(found["cross_play"]["payoff"][0][1] - exact["cross_play"]["payoff"][0][1]) < 3 * width
    assert found["cross_play"]["episodes"][0][1] == 4000
    # A further contestant changes no cell.
    more = compared(call, runs["cfr"], *arguments)
    assert more["cross_play"]["payoff"][1][2] == found["cross_play"]["payoff"][0][1]
    error = found["elo"]["standard_error"]
    assert error[0] == pytest.approx(error[1])
    assert error[0] > 0


def test_a_target_is_reached(call: Call, runs: dict[str, Path]) -> None:
    found = compared(call, runs["nash"], runs["file"], "--no-regret", "--half-width", 0.05, "--episodes", 500)
    # Cells have 0.05; a meeting of two cells has less.
    assert found["cross_play"]["half_width"][0][1] <= 0.05 / np.sqrt(2) + 1e-9
    assert found["cross_play"]["episodes"][0][1] > 1000


def test_shared_populations_and_devices_are_compared(call: Call, tmp_path: Path) -> None:
    learner = {"id": "psro", "oracle": {"id": "exact"}, "symmetric": True}
    shared = trained(tmp_path / "shared", game={"id": "rock_paper_scissors"}, learner=learner, iterations=4)
    game = eqenvs.make("rock_paper_scissors")
    file = tmp_path / "device.json"
    file.write_text(json.dumps(policy_to_json(game, CorrelatedStrategy(game, np.eye(3) / 3))))
    found = compared(call, shared, file)
    assert np.abs(found["cross_play"]["payoff"]).max() < 1e-12  # both are uniform in either place
    assert found["nash_averaging"]["distribution"] == pytest.approx([0.5, 0.5])
    line = found["regret"]["runs"][0]["iterations"][-1]
    assert line["regret"] == pytest.approx(0, abs=1e-12)
    assert line["policies"][0] == line["policies"][1]


def test_three_players_and_correlated_solvers(call: Call, tmp_path: Path) -> None:
    game = {"id": "kuhn_poker", "parameters": {"num_players": 3}}
    learner = {"id": "psro", "oracle": {"id": "exact"}, "meta_solver": "max_gini_cce"}
    run = trained(tmp_path / "joint", game=game, learner=learner, iterations=3)
    made = eqenvs.make("kuhn_poker", num_players=3)
    file = tmp_path / "uniform.json"
    file.write_text(json.dumps(policy_to_json(made, uniform(made))))
    found = compared(call, run, file, "--solver", "max_gini_cce")
    (regret,) = found["regret"]["runs"]
    last = regret["iterations"][-1]
    assert last["least_regret"] is None
    assert last["nash_conv"] is None
    assert last["regret"] == pytest.approx(regret["own"]["regret"], abs=1e-6)
    assert evaluate(run).cce_gap >= last["regret"] - 1e-9
    assert len(found["cross_play"]["payoff"]) == 2


def test_games_whose_exact_play_has_no_winner_have_no_elo_unless_simulated(call: Call, tmp_path: Path) -> None:
    game = eqenvs.make("random_markov_game", num_states=2, num_actions=2, zero_sum=True)
    first = TabularPolicy(game, [np.tile([1.0, 0.0], (len(states.keys), 1)) for states in game.information_states])
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file, policy in zip(files, (uniform(game), first), strict=True):
        file.write_text(json.dumps(policy_to_json(game, policy)))
    found = compared(call, *files)
    assert found["elo"] is None
    assert found["cross_play"]["score"] is None
    status, out, _ = call("compare", *files)
    assert status == 0
    assert "no Elo" in out
    assert compared(call, *files, "--episodes", 10)["elo"] is not None


def test_the_document_is_written(call: Call, runs: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "comparison.json"
    status, out, err = call("compare", runs["nash"], runs["file"], "-o", file)
    assert status == 0, err
    assert json.loads(file.read_text()) == compared(call, runs["nash"], runs["file"])
    for said in ("payoff of the row against the column, exact", "Elo", "Nash averaging", "mixture", "profiles by nash"):
        assert said in out
    assert call("compare", runs["nash"], runs["file"], "-o", file)[0] == 2


def test_figures_are_not_cut_however_many_contestants(call: Call, runs: dict[str, Path]) -> None:
    names = ["nash", "uniform", "pruned", "cfr", "file", "nash", "uniform", "cfr"]
    arguments = [*(runs[name] for name in names), "--no-regret", "--episodes", 50]
    status, out, _ = call("compare", *arguments)
    assert status == 0
    assert "…" not in out
    assert out.count("±") >= len(names) * (len(names) - 1)


def test_someone_who_always_wins_has_a_bound(call: Call, tmp_path: Path) -> None:
    game = eqenvs.make("rock_paper_scissors")
    files = []
    for action in ("rock", "paper"):
        row = [1.0, 0.0, 0.0] if action == "rock" else [0.0, 1.0, 0.0]
        files.append(tmp_path / f"{action}.json")
        files[-1].write_text(json.dumps(policy_to_json(game, TabularPolicy(game, [[row], [row]]))))
    found = compared(call, *files, "--episodes", 50)["elo"]
    assert found["status"] == "none_exists"
    assert found["ratings"].count(None) == 1
    status, out, _ = call("compare", *files, "--episodes", 50)
    assert status == 0
    assert "at least" in out or "at most" in out
    assert "1 always" in out


def test_bad_input_is_one_line(call: Call, runs: dict[str, Path], tmp_path: Path) -> None:
    other = tmp_path / "rps.json"
    game = eqenvs.make("rock_paper_scissors")
    other.write_text(json.dumps(policy_to_json(game, uniform(game))))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    field = tmp_path / "field.json"
    crowd = eqenvs.make("left_right")
    field.write_text(json.dumps(policy_to_json(crowd, uniform(crowd))))
    nash, file = runs["nash"], runs["file"]
    cases = [
        ([nash], "two runs or policy files at least, got 1"),
        ([nash, other], "is of rock_paper_scissors"),
        ([nash, tmp_path / "none.json"], "cannot be read"),
        ([nash, tmp_path / "none"], "holds no run"),
        ([nash, broken], "is no JSON"),
        ([field, field], "mean-field game"),
        ([nash, file, "--solver", "nsh"], "did you mean 'nash'?"),
        ([nash, file, "--solver", "anytime"], "does not solve a population's game by itself"),
        ([nash, file, "--solver", "online"], "does not solve a population's game by itself"),
        ([nash, file, "--every", 0], "--every must be at least 1"),
        ([nash, file, "--episodes", 1], "episodes must be at least 2"),
        ([nash, file, "--half-width", 0], "half_width must be positive"),
        ([nash, file, "--budget", 10], "too small"),
        ([nash, file, "-o", tmp_path / "no" / "file.json"], "there is no directory"),
    ]
    for arguments, said in cases:
        status, out, err = call("compare", *arguments)
        assert (status, out) == (2, ""), arguments
        assert said in err
        assert len(err.splitlines()) == 1, err


def test_the_score_of_a_run_is_that_of_its_policy(call: Call, runs: dict[str, Path]) -> None:
    """The contestant is the policy that `evaluate` scores: against uniform play it earns what the scorer says."""
    from eqagents.training.run import load_trained
    from eqenvs.policies import ProductPolicy, player_entries

    run = load_trained(runs["cfr"])
    game, other = run.game, uniform(run.game)
    mine = player_entries(run.policy, 2)
    places = [ProductPolicy([mine[0], other]), ProductPolicy([other, mine[1]])]
    expected = np.mean([score(game, policy).values[place] for place, policy in enumerate(places)])
    found = compared(call, runs["cfr"], runs["file"])["cross_play"]["payoff"][0][1]
    assert found == pytest.approx(expected, abs=1e-12)
