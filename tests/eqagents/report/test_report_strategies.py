"""The sections that show what runs have learned: the numbers on the page are the policy's."""

from __future__ import annotations

import html
import re
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

import eqenvs
from eqagents.drawing.triangles import places
from eqagents.report import load_report_data, played, render_report, replay, strategies
from eqagents.report.played import Played, load_played
from eqagents.report.populations import flow_of, grid_of
from eqagents.report.replay import AGAIN, KEPT, steps_shown
from eqagents.training.config import parse_config
from eqagents.training.run import load_trained, train
from eqenvs.policies import tabulate
from eqsolvers.scoring import score

if TYPE_CHECKING:
    from pathlib import Path


def page_of(*directories: Path) -> str:
    return render_report([load_report_data(directory) for directory in directories])


def read(*directories: Path) -> list[Played | str]:
    return load_played([load_report_data(directory) for directory in directories], range(len(directories)))


def section(page: str, title: str) -> str:
    return page.partition(f"<h2>{title}</h2>")[2].partition("<h2>")[0]


def rows_of(page: str) -> list[tuple[str, str, list[str]]]:
    """Player, label and cells of each row of the table of strategies."""
    body = section(page, "Strategies").partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr><td>(\d)</td><th scope='row'>(.*?)</th>(.*?)</tr>", body)
    return [(player, html.unescape(label), re.findall(r"<td.*?>(.*?)</td>", cells)) for player, label, cells in rows]


def test_table_has_every_information_state_with_the_policys_probabilities(trained: dict[str, Path]) -> None:
    run = load_trained(trained["kuhn"])
    tables = tabulate(run.game.model(), run.policy).tables
    found = {(int(player), label): cells for player, label, cells in rows_of(page_of(trained["kuhn"]))}
    assert len(found) == 12
    for player in range(2):
        for label, row in zip(run.game.information_state_labels(player), tables[player], strict=True):
            mix = html.unescape(found[player, label][0])
            shown = [float(text.replace("<", "")) for text in re.findall(r": (<?[\d.]+)</span>", mix)]
            np.testing.assert_allclose(shown, row, atol=6e-4)
            lengths = [int(width) for width in re.findall(r"class='w(\d+)'", mix)]
            np.testing.assert_allclose(lengths, 100 * row, atol=0.51)
    reach = [float(cells[1]) for cells in found.values()]
    assert reach == sorted(reach, reverse=True)


def test_gains_of_first_decisions_add_up_to_the_score(trained: dict[str, Path]) -> None:
    run = load_trained(trained["seed_0"])
    expected = score(run.game, run.policy).gains
    first = {"J:", "Q:", "K:"}
    found = [float(cells[2]) for player, label, cells in rows_of(page_of(trained["seed_0"])) if label in first]
    assert sum(found) == pytest.approx(expected[0], abs=1e-3)


def test_runs_of_one_game_are_side_by_side_and_every_configuration_comes_first(trained: dict[str, Path]) -> None:
    names = ["seed_0", "seed_1", "seed_2", "cfr", "kuhn"]
    page = page_of(*(trained[name] for name in names))
    heads = re.findall(r"<th scope='colgroup' colspan='3'>(.*?)</th>", page)
    assert heads == ["seed_0", "cfr", "kuhn", "seed_1"]
    assert "The first 4 of 5 runs" in section(page, "Strategies")
    assert all(len(cells) == 4 * 3 for _, _, cells in rows_of(page))
    alone = {row[:2]: row[2] for row in rows_of(page_of(trained["cfr"]))}
    assert all(cells[3:6] == alone[player, label] for player, label, cells in rows_of(page))


def test_table_is_cut_to_what_is_reached_most(trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows_of(page_of(trained["kuhn"]))
    monkeypatch.setattr(strategies, "MAX_ROWS", 5)
    page = page_of(trained["kuhn"])
    assert rows_of(page) == whole[:5]
    assert "The 5 most reached of 12 information states." in page
    monkeypatch.setattr(strategies, "MAX_CELLS", 8)  # of two actions each
    assert rows_of(page_of(trained["kuhn"])) == whole[:4]


def test_each_players_part_of_a_device_is_shown_and_said_to_be_that(trained: dict[str, Path]) -> None:
    [own] = read(trained["device"])
    assert isinstance(own, Played)
    device = load_trained(trained["device"]).policy.distribution
    np.testing.assert_allclose(own.tables[0][0], device.sum(axis=1))
    np.testing.assert_allclose(own.tables[1][0], device.sum(axis=0))
    page = html.unescape(page_of(trained["device"]))
    assert "Of a correlation device each player's own part is shown" in page
    assert "device" not in section(page_of(trained["kuhn"]), "Strategies")


def test_states_of_markov_games_have_strategies_reach_and_gains(trained: dict[str, Path]) -> None:
    run = load_trained(trained["markov"])
    rows = rows_of(page_of(trained["markov"]))
    assert len(rows) == 8
    assert all(len(cells) == 3 for _, _, cells in rows)
    reach = [float(cells[1]) for player, _, cells in rows if player == "0"]
    assert sum(reach) == pytest.approx(1.0, abs=5e-3)
    assert run.game.information_state_labels(0)[0] in {label for _, label, _ in rows}


REASONS = [
    ("checkpoints", "LATEST: missing; no other checkpoint loads"),
    ("size", "of size 58; strategies are shown up to 1"),
    ("numbers", "player 0 mixes 3 policies: more than 10 numbers"),
    ("runs", "policies are read of 0 runs"),
]


@pytest.mark.parametrize(("what", "reason"), REASONS)
def test_run_without_strategies_says_why(
    trained: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, reason: str
) -> None:
    directory = tmp_path / "kuhn"
    shutil.copytree(trained["kuhn"], directory)
    if what == "checkpoints":
        shutil.rmtree(directory / "checkpoints")
    elif what == "size":
        assert eqenvs.make("kuhn_poker").size == 58
        monkeypatch.setattr(played, "MAX_SIZE", 1)
    elif what == "numbers":
        monkeypatch.setattr(played, "MAX_NUMBERS", 10)
    else:
        monkeypatch.setattr(played, "MAX_RUNS", 0)
    page = page_of(directory)
    assert "<table" not in section(page, "Strategies")
    [said] = re.findall(r"<p class='note'>(Not shown of kuhn: .*?)</p>", page)
    assert reason in said


def test_game_that_cannot_be_enumerated_is_named_without_being_tried(trained: dict[str, Path], tmp_path: Path) -> None:
    directory = tmp_path / "huge"
    shutil.copytree(trained["kuhn"], directory)
    config = (directory / "config.yaml").read_text().replace("kuhn_poker", "dark_hex")
    (directory / "config.yaml").write_text(re.sub(r"parameters: {}", "parameters: {board_size: 5}", config))
    assert "cannot be enumerated, so its policies have no tables" in section(page_of(directory), "Strategies")


def test_path_goes_through_every_iteration_to_the_policy(trained: dict[str, Path]) -> None:
    [own] = read(trained["rps"])
    assert isinstance(own, Played)
    path = own.path
    assert path is not None
    assert path.source == AGAIN
    assert path.steps == tuple(range(31))
    for mine, theirs in zip(path.main[-1], own.tables, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
    np.testing.assert_allclose(path.main[0][0], [[1 / 3] * 3])
    # Regret matching's average moves to what is played: (t + 1) a' - t a, over the rounds of a step, is a strategy.
    for before, after, step in zip(path.main[1:], path.main[2:], path.steps[1:], strict=False):
        played_then = (step + 1) * after[0] - step * before[0]
        assert played_then.min() > -1e-9
        assert played_then.sum() == pytest.approx(1.0)
    assert len(path.last) == 31
    assert any(not np.allclose(last[0], main[0]) for last, main in zip(path.last, path.main, strict=True))


def test_triangle_shows_the_path_and_the_known_equilibrium(trained: dict[str, Path]) -> None:
    page = section(page_of(trained["rps"]), "Strategies on the simplex")
    assert page.count("<svg") == 2
    x, y = places(np.array([1 / 7, 3 / 7, 3 / 7]))
    assert page.count(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" class="target"') == 2
    assert "iteration 30" in page
    assert "last iterate 30" in page
    assert "ratio s : r : p" in page  # the source of the fact


def test_path_is_of_the_checkpoints_where_the_run_takes_long_or_comes_out_elsewhere(
    trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "steps_shown", lambda last: {0, last - 1})
    [elsewhere] = read(trained["rps"])
    monkeypatch.undo()
    monkeypatch.setattr(replay, "MAX_SECONDS", 0.0)
    [long] = read(trained["rps"])
    for own in (elsewhere, long):
        assert isinstance(own, Played)
        assert own.path is not None
        assert own.path.source == KEPT
        assert own.path.steps[-1] == 30
        assert len(own.path.steps) <= 3


@pytest.mark.parametrize("last", [0, 1, 7, 200, 100_000])
def test_points_of_a_path_hold_both_ends_and_stay_few(last: int) -> None:
    shown = steps_shown(last)
    assert {0, last} <= shown
    assert max(shown) == last
    assert len(shown) <= replay.MAX_POINTS + 1
    assert min(last, 7) < 1 or set(range(min(last, 7))) <= shown


def test_tree_games_have_their_states_on_the_simplex(trained: dict[str, Path]) -> None:
    assert "Strategies on the simplex" not in page_of(trained["kuhn"])  # of two actions
    page = section(page_of(trained["crowd"]), "Strategies on the simplex")
    game = eqenvs.make("crowd_1d")
    assert page.count("<circle") == len(game.information_states[0].keys)


def test_flow_is_the_policys_own_and_play_is_of_those_who_are_there(trained: dict[str, Path]) -> None:
    [own] = read(trained["crowd"])
    assert isinstance(own, Played)
    model = own.game.model()
    flow = flow_of(model, own.tables)
    np.testing.assert_allclose(flow.mass, model.flow(model.as_array(own.tables)), atol=1e-15)
    np.testing.assert_allclose(flow.play, model.as_array(own.tables), atol=1e-12)
    noisy = eqenvs.make("beach_bar", size=6, horizon=4, closing=0.3).model()
    rng = np.random.default_rng(0)
    tables = [rng.dirichlet(np.ones(noisy.num_actions), size=len(noisy.information_states[0].keys))]
    flow = flow_of(noisy, tables)
    np.testing.assert_allclose(flow.mass.sum(axis=2), 1.0, atol=1e-12)
    np.testing.assert_allclose(flow.play.sum(axis=3), 1.0, atol=1e-12)
    policy, mass = noisy.as_array(tables), noisy.flow(noisy.as_array(tables))
    at = np.flatnonzero(noisy.moments.time == 2)
    weight = noisy.moments.reach[at, None] * mass[at, 0]
    expected = (weight[..., None] * policy[at, 0]).sum(axis=0) / weight.sum(axis=0)[:, None]
    np.testing.assert_allclose(flow.play[2, 0], expected, atol=1e-12)


def test_populations_are_maps_of_time_or_of_places(trained: dict[str, Path]) -> None:
    line = section(page_of(trained["crowd"]), "Populations")
    assert line.count("<svg") == 2
    assert "share of the population" in line
    assert re.findall(r">(action \d)<", line) == ["action 0", "action 1", "action 2"]
    grid = section(page_of(trained["grid"]), "Populations")
    assert len(re.findall(r">t = \d+<", grid)) == 6
    assert "<h2>Populations" not in page_of(trained["kuhn"])
    keys = eqenvs.make("crowd_2d").model().keys
    cells = grid_of(keys)
    assert cells is not None
    assert cells.shape == (10, 10)
    assert all(cells[tuple(key - keys.min(axis=0))] == at for at, key in enumerate(keys))
    assert grid_of(eqenvs.make("crowd_1d").model().keys) is None
    assert grid_of(np.array([[0, 0], [100, 100]])) is None


def test_pages_stay_small(trained: dict[str, Path]) -> None:
    assert len(page_of(*(trained[name] for name in ("seed_0", "seed_1", "seed_2"))).encode()) < 500_000
    assert len(page_of(trained["grid"]).encode()) < 1_000_000


def test_every_score_on_the_page_says_what_kind_it_is(trained: dict[str, Path]) -> None:
    page = page_of(trained["seed_0"], trained["seed_1"], trained["seed_2"])
    for title in ("Exploitability against iteration", "Exploitability against seconds", "Gain of player 0"):
        head = re.search(rf"<h3>{title}.*?</h3>", page)
        assert head is not None
        assert "<span class='kind exact'>= exact</span>" in head[0]
    others = section(page, "Other metrics")
    heads = re.findall(r"<h3>(score/.*?)</h3>", others)
    assert heads
    assert all("class='kind exact'" in head for head in heads)
    not_scored = render_report([load_report_data(trained["device"])])  # its kind is what its configuration asks for
    assert "<span class='kind exact'>" in section(not_scored, "Distance from equilibrium")
    assert "class='kind exact'" in section(page_of(trained["kuhn"]), "Meta-game")


def test_names_of_games_are_text_on_the_page(tmp_path: Path) -> None:
    payoffs = np.random.default_rng(0).normal(size=(2, 3, 3))
    runs = []
    for number, name in enumerate(["<script>alert(1)<b>.npy", "<img src=x onerror=alert(2)>.npy"]):
        np.save(tmp_path / name, payoffs)
        game = {"id": f"table:{tmp_path / name}"}
        config = {"game": game, "learner": {"id": "tabular", "method": "hedge"}, "iterations": 1}
        runs.append(train(parse_config(config), tmp_path / f"run_{number}").path)
    page = render_report([load_report_data(run) for run in runs])
    assert "Strategies on the simplex" in page
    assert "<script>alert" not in page
    assert "<img" not in page
