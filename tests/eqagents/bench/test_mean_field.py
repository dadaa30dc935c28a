"""`eqenvs bench mean_field`: a quick run, held against what must be so whatever the clock says, and its contestants."""

from __future__ import annotations

import logging
import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import eqenvs
from eqagents.bench import (
    Settings,
    _mf_agents,
    _mf_batched,
    _mf_curves,
    _mf_figure,
    _mf_large,
    _mf_peers,
    find_benchmark,
)
from eqagents.bench._measure import without_warnings
from eqenvs.spec import Family
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.result import solvers

SECTIONS = ["compile", "iterations", "agents", "large", "curves", "batched"]


@pytest.fixture(scope="module")
def sections():
    return {section.id: section for section in find_benchmark("mean_field").run(Settings(quick=True))}


@pytest.mark.slow
def test_every_section_has_rows_under_its_columns(sections):
    assert list(sections) == SECTIONS
    for section in sections.values():
        assert section.rows
        assert all(set(row) & set(section.columns) for row in section.rows)
        assert {key for row in section.rows for key in row} >= {next(iter(section.columns))}


def test_times_rates_and_ratios_are_positive_and_finite(sections):
    seen = set()
    for section in sections.values():
        for row in section.rows:
            for key, value in row.items():
                if key.startswith("ratio") or key.endswith(("_ms", "_per_second", "seconds", "_megabytes")):
                    assert math.isfinite(value), (section.id, key)
                    assert value > 0 or section.id == "compile", (section.id, key)
                    seen.add(key)
    assert seen >= {"eqenvs_ms", "population_per_second", "peak_megabytes", "loop_per_second", "evaluation_seconds"}


def test_the_iterations_table_shows_known_figures(sections):
    rows = {(row["game"], row["work"]): row for row in sections["iterations"].rows}
    assert set(rows) == {(game, work) for game in ("SIS", "2-D crowd") for work in ("evaluation", *_mf_peers.METHODS)}
    assert rows["SIS", "evaluation"]["eqenvs_nash_conv"] == pytest.approx(5.466874, abs=5e-7)
    for game in ("SIS", "2-D crowd"):
        before = rows[game, "evaluation"]["eqenvs_nash_conv"]
        assert rows[game, "omd"]["eqenvs_nash_conv"] < before


def test_peers_are_named_where_they_are_absent_and_agree_where_they_are_there(sections):
    section = sections["iterations"]
    for key, name, module in (
        ("open_spiel", "OpenSpiel", _mf_peers.open_spiel()),
        ("mfglib", "MFGLib", _mf_peers.mfglib()),
    ):
        assert any(f"{key}_ms" in row for row in section.rows) == bool(module)
        assert any(f"{name} is not installed" in note for note in section.notes) == (not module)
    for row in section.rows:
        for key in ("open_spiel_nash_conv", "mfglib_nash_conv"):
            if row["same_game"] and key in row:
                assert row[key] == pytest.approx(row["eqenvs_nash_conv"], rel=1e-5)


def instances_with(peer):
    return [game for game in _mf_peers.INSTANCES if game.same and getattr(game, peer) is not None]


@pytest.mark.skipif(not _mf_peers.mfglib(), reason="MFGLib is not installed")
@pytest.mark.parametrize("game", instances_with("mfglib"), ids=lambda game: game.name)
def test_mfglib_makes_the_iterations_that_we_do(game):
    programs = game.programs()
    assert programs["mfglib"].uniform() == pytest.approx(programs["eqenvs"].uniform(), rel=1e-5)
    ours, theirs = (programs[name].start("omd") for name in ("eqenvs", "mfglib"))
    for run in (ours, theirs):
        run.run(3)
    assert theirs.nash_conv() == pytest.approx(ours.nash_conv(), rel=1e-4)


@pytest.mark.skipif(not _mf_peers.open_spiel(), reason="OpenSpiel is not installed")
@pytest.mark.parametrize("game", instances_with("open_spiel"), ids=lambda game: game.name)
def test_openspiel_makes_the_first_iteration_that_we_do(game):
    programs = game.programs()
    assert programs["open_spiel"].uniform() == pytest.approx(programs["eqenvs"].uniform(), rel=1e-12)
    # Its policy is read from the sums while they are added to, so that only the first iteration is the textbook's.
    ours, theirs = (programs[name].start("omd") for name in ("eqenvs", "open_spiel"))
    for run in (ours, theirs):
        run.run(1)
    assert theirs.nash_conv() == pytest.approx(ours.nash_conv(), rel=1e-9)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_agents_draw_every_action_as_often_as_the_policy_says(library):
    if library == "torch":
        pytest.importorskip("torch")
    name, agents = "four_rooms", 40_000
    env = eqenvs.make(name, num_agents=agents).vector_env(1, library=library)
    draw = _mf_agents._numpy_draw(name) if library == "numpy" else _mf_agents._torch_draw(name)
    step = env.reset(seed=0)
    for _ in range(2):
        step = env.step(draw(step))  # refused if an action is illegal
    model = _mf_peers.model_of(name)
    keys, actions = np.asarray(step.keys)[0, :, 1:], np.asarray(draw(step))[0]
    state = (keys[:, None] == model.keys).all(axis=-1).argmax(axis=1)
    drawn = np.zeros((model.num_states, model.num_actions))
    np.add.at(drawn, (state, actions), 1)
    expected = drawn.sum(axis=1, keepdims=True) * Dynamics(model).uniform()[0, 0]
    # Pearson's statistic: its mean is the number of free cells, and five standard deviations are sqrt(50) of it.
    cells = expected > 0
    free = cells.sum() - (drawn.sum(axis=1) > 0).sum()
    statistic = ((drawn - expected)[cells] ** 2 / expected[cells]).sum()
    assert abs(statistic - free) < 5 * np.sqrt(2 * free)


def test_the_large_grid_is_measured_in_a_process_of_its_own(sections):
    rows = sections["large"].rows
    assert [(row["method"], row["iterations"]) for row in rows] == [
        (method, look) for method in _mf_peers.METHODS for look in (0, *_mf_large.LOOKS[:2])
    ]
    assert all(row["best_nash_conv"] <= row["nash_conv"] for row in rows)
    assert rows[0]["nash_conv"] == rows[3]["nash_conv"]
    assert all(row["peak_megabytes"] >= row["start_megabytes"] for row in rows)


def test_the_peak_grows_by_what_is_held():
    before = _mf_large.peak()
    held = np.ones(64 * 2**20 // 8)
    grown = _mf_large.peak() - before
    assert held.sum() > 0
    assert grown <= 80 * 2**20


def test_every_deterministic_nash_solver_has_a_curve_on_every_game(sections):
    rows = sections["curves"].rows
    methods = {
        name
        for name, spec in solvers(Family.MEAN_FIELD).items()
        if "nash" in spec.concepts and spec.start is not None and not spec.random
    }
    for game in ("left_right", "crowd_1d"):
        found = {row["method"] for row in rows if row["game"] == game}
        assert {"omd", "fictitious-play", "pma", "mf-omo"} <= found <= methods
    for row in rows:
        curve = row["curve"]
        assert curve["iterations"] == _mf_curves.looks()[: len(curve["iterations"])]
        assert row["best"] == min(curve["exploitability"])
        assert row["last"] == curve["exploitability"][-1]
        assert (np.diff(curve["seconds"]) > 0).all()


def test_curves_are_those_that_the_methods_have_alone(sections):
    row = next(row for row in sections["curves"].rows if (row["game"], row["method"]) == ("crowd_1d", "omd"))
    spec = solvers(Family.MEAN_FIELD)["omd"]
    process = spec.start(_mf_peers.model_of("crowd_1d"))
    process.run(10)
    at = row["curve"]["iterations"].index(10)
    assert row["curve"]["exploitability"][at] == pytest.approx(process.residual(), rel=1e-12)


def test_the_log_level_is_as_before():
    log = logging.getLogger("eqsolvers")
    before = log.level
    with without_warnings("eqsolvers"):
        assert log.level == logging.ERROR
    assert log.level == before


def test_the_figure_has_a_panel_per_game_and_a_curve_and_a_dot_per_method(sections):
    rows = sections["curves"].rows
    tree = ElementTree.fromstring(_mf_figure.figure(rows))
    svg = "{http://www.w3.org/2000/svg}"
    panels = tree.findall(f"{svg}g")
    assert len(panels) == 2
    methods = list(dict.fromkeys(row["method"] for row in rows))
    for panel, game in zip(panels, ("left_right", "crowd_1d"), strict=True):
        here = [row for row in rows if row["game"] == game]
        assert panel.find(f"{svg}text").text == game
        assert len(panel.findall(f"{svg}path")) == len(panel.findall(f"{svg}circle")) == len(here)
        for circle in panel.findall(f"{svg}circle"):
            assert 0 <= float(circle.get("cx")) <= _mf_figure.WIDTH
            assert 0 <= float(circle.get("cy")) <= _mf_figure.HEIGHT
    looks = [_mf_figure.style(number) for number in range(len(methods))]
    assert len(set(looks)) == len(methods)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_batched_contestants_judge_the_policies_that_the_loop_does(library):
    if library == "torch":
        pytest.importorskip("torch")
    model = _mf_peers.model_of("four_rooms", horizon=4)
    policies = _mf_batched.random_policies(model, 3)
    np.testing.assert_allclose(policies.sum(axis=-1), 1.0)
    assert not policies[..., ~model.legal].any()
    _mf_batched.batched(model, policies, library, "cpu")(1)
