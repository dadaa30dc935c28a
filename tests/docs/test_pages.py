"""The pages under docs: their Python runs, their methods exist, their tables are the stored results."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

import eqenvs
from eqsolvers.meta import meta_solver_ids
from eqsolvers.result import solvers

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def updater():
    spec = importlib.util.spec_from_file_location("update_tables", ROOT / "docs" / "update_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_tables_are_the_stored_results(page):
    text = page.read_text(encoding="utf-8")
    assert updater().updated(text) == text, "run: python docs/update_tables.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.slow
def test_python_blocks_run(page):
    for code in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL):
        exec(compile(code, page.name, "exec"), {})


@pytest.mark.parametrize("family", eqenvs.Family)
def test_every_method_of_a_family_is_on_its_pages(family):
    pages = (ROOT / "docs").glob(f"{family.value}*.md")
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert [method for method in solvers(family) if f"`{method}`" not in text] == []


def test_every_meta_solver_is_on_its_page():
    page = (ROOT / "docs" / "psro.md").read_text(encoding="utf-8")
    assert [name for name in meta_solver_ids() if f"`{name}`" not in page] == []


def stored(name):
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def test_every_learners_regret_is_measured_and_within_its_guarantee():
    rows = stored("regret_rates")["sections"]["rates"]["rows"]
    learners = ROOT / "solvers" / "eqsolvers" / "normal_form" / "learning"
    files = {path.stem for path in learners.glob("[a-z]*.py")} - {"vr_halpern"}  # which has no rounds of play
    assert len({row["learner"] for row in rows}) == len(files)
    shares = [row["share"] for row in rows if row["share"] is not None]
    assert len(shares) >= 25
    assert max(shares) < 1


def test_stored_play_averages_are_correlated_equilibria_up_to_their_swap_regrets():
    sections = stored("regret_rates")["sections"]
    swap = {row["learner"] for row in sections["rates"]["rows"] if row["regret"] == "swap"}
    assert len(swap) >= 5
    assert {row["learner"] for row in sections["ce_gaps"]["rows"]} == swap
    assert all(row["difference"] < 1e-9 for row in sections["ce_gaps"]["rows"])
