"""Things of other distributions: the template as an installed wheel, and packages in which something is wrong."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import eqenvs
from eqagents.learners import find_learner
from eqenvs import discovery, registry
from eqenvs.discovery import PluginError
from eqenvs.errors import UnknownNameError
from eqenvs.spec import Family
from eqsolvers.meta import find_meta_solver, meta_solver_ids
from eqsolvers.result import solvers

TEMPLATE = Path(__file__).resolve().parents[2] / "docs" / "plugin_template"
CHECK = "eqenvs check inspection_game"
SOLVE = "eqenvs solve inspection_game -p fine=3"
TRAIN_PSRO = "eqenvs train psro.yaml --out psro_run"
TRAIN_LEARNER = "eqenvs train smooth_play.yaml --out smooth_run"
TEST = "pytest tests"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder in which pip has installed the template's wheel."""
    [wheel] = WheelBuilder(str(TEMPLATE)).build(directory=str(tmp_path_factory.mktemp("dist")))
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", "--target", str(folder), wheel], check=True)
    return folder


@pytest.fixture
def run(installed, tmp_path):
    """Runs a line of the template's page in an interpreter that has it installed, among its files but its code."""
    shutil.copytree(TEMPLATE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("eqenvs_inspection"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])}
    modules = {"eqenvs": "eqagents.cli.main", "pytest": "pytest"}

    def call(line: str) -> str:
        program, *arguments = shlex.split(line)
        command = [sys.executable, "-m", modules[program], *arguments]
        finished = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    return call


def test_the_page_says_what_is_tested_here():
    [block] = re.findall(r"^```sh\n(.*?)^```", (TEMPLATE / "README.md").read_text(encoding="utf-8"), flags=re.M | re.S)
    assert block.splitlines() == [CHECK, SOLVE, TRAIN_PSRO, TRAIN_LEARNER, TEST]
    page = (TEMPLATE.parent / "plugins.md").read_text(encoding="utf-8")
    assert f"\n{SOLVE}\n" in page
    assert f"\n{TRAIN_PSRO.replace('psro.yaml', 'docs/plugin_template/psro.yaml')}\n" in page


def test_the_templates_own_tests_pass(run):
    assert " passed" in run(TEST)


def test_the_command_finds_what_the_template_brings(run):
    assert "inspection_game" in [game["id"] for game in json.loads(run("eqenvs games --json"))]
    solved = json.loads(run(f"{SOLVE} --json"))
    assert solved["status"] == "converged"
    assert solved["values"] == pytest.approx([-1, 0])
    run(CHECK)


def test_the_templates_learner_trains_and_is_scored(run):
    run(TRAIN_LEARNER)
    score = json.loads(run("eqenvs evaluate smooth_run --json"))
    assert score["kind"] == "exact"
    assert 0 <= score["nash_conv"] < 0.2


@pytest.mark.ray
def test_workers_find_the_game_and_the_meta_solver_as_well(run):
    run(f"{TRAIN_PSRO} --set executor.workers=1")


@pytest.fixture
def bring(tmp_path, monkeypatch):
    """Puts a distribution with one entry point and its module on the path."""

    def install(
        group: str, name: str, text: str, *, distribution: str = "others", module: str = "others_thing"
    ) -> None:
        site = tmp_path / distribution
        info = site / f"{distribution}-1.5.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
        (site / f"{module}.py").write_text(text)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, module, raising=False)
        discovery._found.cache_clear()
        discovery._leave_out.cache_clear()

    yield install
    monkeypatch.undo()
    discovery._found.cache_clear()
    discovery._leave_out.cache_clear()


GAME = """
import numpy as np
from eqenvs.models import NormalFormModel
from eqenvs.spec import Family, GameSpec
SPEC = GameSpec(id="{id}", family=Family.NORMAL_FORM, title="Brought", source="none", constant_sum=False,
                build=lambda: NormalFormModel(np.zeros((2, 2, 2))))
"""


def test_a_game_that_is_brought_is_one_of_the_registrys(bring):
    bring("eqenvs.games", "brought_game", GAME.format(id="brought_game"))
    assert "brought_game" in eqenvs.game_ids()
    assert registry.specs()["brought_game"].title == "Brought"
    assert eqenvs.make("brought_game").model().num_actions == (2, 2)
    with pytest.raises(UnknownNameError, match="did you mean 'brought_game'"):
        eqenvs.make("brought_gam")


BROKEN = {
    "an import that fails": (
        "import a_module_that_is_not_there",
        r"game 'broken' of others 1\.5: others_thing cannot be imported \(ModuleNotFoundError: No module named .*\)",
    ),
    "no such object": (
        "SPECS = 1",
        r"game 'broken' of others 1\.5: others_thing defines no SPEC; did you mean 'SPECS'\?",
    ),
    "another type": (
        "SPEC = {'id': 'broken'}",
        r"game 'broken' of others 1\.5: its SPEC must be a GameSpec, got dict",
    ),
    "an exit": (
        "import sys; sys.exit(4)",
        r"game 'broken' of others 1\.5: others_thing cannot be imported \(SystemExit: 4\)",
    ),
    "another id": (
        GAME.format(id="other"),
        r"game 'broken' of others 1\.5: its SPEC has the id 'other'; the entry point must be called the same",
    ),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_left_out_of_lists_and_one_line_by_name(bring, caplog, text, message):
    bring("eqenvs.games", "broken", text)
    with caplog.at_level(logging.WARNING, logger="eqenvs"):
        known = registry.specs()
        again = registry.specs()
    assert "broken" not in known
    assert known.keys() == again.keys() == set(eqenvs.game_ids()) - {"broken"}
    assert len(caplog.records) == 1  # once for a process
    with pytest.raises(PluginError, match=f"^{message}$"):
        eqenvs.make("broken")
    eqenvs.make("kuhn_poker")


def test_a_name_that_is_taken_is_nobodys(bring):
    bring("eqenvs.games", "kuhn_poker", GAME.format(id="kuhn_poker"))
    with pytest.raises(PluginError) as raised:
        eqenvs.make("kuhn_poker")
    assert str(raised.value) == (
        "game 'kuhn_poker' is brought by more than one: eqenvs.games.extensive_form.kuhn_poker (eqenvs itself), "
        "others_thing (others 1.5)"
    )
    assert "kuhn_poker" not in registry.specs()
    eqenvs.make("leduc_poker")


def test_a_solver_with_the_id_of_another_is_left_out(bring, caplog):
    own = solvers(Family.EXTENSIVE_FORM)
    text = """
import dataclasses
from eqsolvers.extensive_form.cfr import SOLVER as OWN
SOLVER = dataclasses.replace(OWN, id="cfr+")
"""
    bring("eqsolvers.extensive_form", "cfr+", text)
    with caplog.at_level(logging.WARNING, logger="eqenvs"):
        assert solvers(Family.EXTENSIVE_FORM) == own
    assert caplog.messages == ["left out: solver 'cfr+' of others_thing (others 1.5): there is another with this id"]


def test_learners_and_meta_solvers_are_brought_likewise(bring):
    learner = """
import dataclasses
from eqagents.learners.tabular import LEARNER as OWN
LEARNER = dataclasses.replace(OWN, id="mine")
"""
    bring("eqagents.learners", "mine", learner, distribution="first", module="first_thing")
    meta = """
from eqsolvers.meta import MetaSolverSpec
from eqsolvers.meta.uniform import solve
META_SOLVER = MetaSolverSpec(id="even", solve=solve, source="none")
"""
    bring("eqsolvers.meta", "even", meta)
    assert find_learner("mine").id == "mine"
    assert "even" in meta_solver_ids()
    assert find_meta_solver("even").id == "even"
