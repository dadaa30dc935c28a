"""The pages under docs: their Python runs, their methods exist, their tables are the stored results."""

import importlib.util
import re
from pathlib import Path

import pytest

import eqenvs
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
def test_python_blocks_run(page):
    for code in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL):
        exec(compile(code, page.name, "exec"), {})


@pytest.mark.parametrize("family", [eqenvs.Family.NORMAL_FORM, eqenvs.Family.EXTENSIVE_FORM])
def test_every_method_of_a_family_is_on_its_page(family):
    text = (ROOT / "docs" / f"{family.value}.md").read_text(encoding="utf-8")
    assert [method for method in solvers(family) if f"`{method}`" not in text] == []
