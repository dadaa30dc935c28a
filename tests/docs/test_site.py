"""The generated pages of the documentation: nothing that is registered lacks one, links lead somewhere, code runs.

Without mkdocs: what is tested here are the functions that make the pages. `mkdocs build --strict` tests the rest.
"""

import doctest
import importlib
import posixpath
import re
import sys
from pathlib import Path

import pytest
import yaml

import eqenvs
from eqagents.learners import find_learner
from eqagents.learners.tabular import iterative_methods
from eqagents.training.config import parse_config

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

from eqdocs import generated_pages, markdown, navigation, parameters, repository  # noqa: E402

# One process makes the pages, which takes seconds, and all of these tests use them.
pytestmark = [pytest.mark.xdist_group("site"), pytest.mark.slow]

# Folders of one-file things, and the folder of their pages; files that begin with an underscore are helpers.
FOLDERS = {
    "eqenvs/games/*": "games",
    "solvers/eqsolvers/meta": "meta_solvers",
    "agents/eqagents/learners": "learners",
    "agents/eqagents/learners/*": "learners",
    "agents/eqagents/oracles": "oracles",
    **{f"solvers/eqsolvers/{family}{below}": f"solvers/{family}" for family in eqenvs.Family for below in ("", "/*")},
}
# Examples that take seconds; that the methods begin on their games was seen when the pages were made.
SLOW = ("approximate_aggregation", "policy_mirror_ascent")


NAV = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_a_registered_thing_has_a_page(folder):
    files = [path.stem for path in ROOT.glob(f"{folder}/[a-z]*.py")]
    assert files or folder.endswith("/*")
    assert [name for name in files if f"{FOLDERS[folder]}/{name}.md" not in generated_pages()] == []


def test_the_folders_have_as_many_files_as_there_are_pages():
    files = [path for folder in FOLDERS for path in ROOT.glob(f"{folder}/[a-z]*.py")]
    pages = [path for path in generated_pages() if not path.endswith("index.md")]
    assert len(files) == len(pages)


def test_the_page_of_a_thing_has_what_its_spec_says():
    for game_id in eqenvs.game_ids():
        text = generated_pages()[f"games/{game_id}.md"].text
        spec = eqenvs.spec(game_id)
        assert [p.name for p in spec.parameters if f"| `{p.name}` |" not in text] == []
        assert markdown.escaped(spec.source) in text
        assert text.count(f'"{game_id}"') >= 2
    kuhn = generated_pages()["games/kuhn_poker.md"].text
    for shown in ("`pass`, `bet`", "NashConv 0.916667 (exact)", "| histories | 58 |", "-0.0555556, 0.0555556"):
        assert shown in kuhn
    ppo = generated_pages()["learners/ppo.md"].text
    for shown in ("| `clip` | `0.2` | number, \\> 0 |", "| `fit.epochs` | `4` |", "eqenvs bench deep --out"):
        assert shown in ppo


def test_games_on_a_board_have_a_picture():
    pages = generated_pages()
    assert pages["games/connect_four.md"].files["games/connect_four.png"].startswith(b"\x89PNG")
    assert "(connect_four.png)" in pages["games/connect_four.md"].text
    assert not pages["games/kuhn_poker.md"].files
    assert "kuhn_poker: player_1 to move" in pages["games/kuhn_poker.md"].text
    assert sum(bool(page.files) for page in pages.values()) >= 30


def _targets(text):
    """Every link that is no code and leads to a page or file, without its anchor."""
    found = []
    repository._outside_code(text, lambda line: found.extend(repository.LINK.findall(line)) or line)
    return [target.partition("#")[0] for _, target, _ in found if not target.startswith(("#", "http"))]


def _written(path):
    home = next((name for name, page in repository.PAGES.items() if page == path), f"docs/{path}")
    return (ROOT / home).read_text(encoding="utf-8")


def test_every_link_leads_to_a_page_or_a_file():
    pages = generated_pages()
    texts = {path: page.text for path, page in pages.items()}
    texts |= {path: _written(path) for path in (*repository.written_pages(), *repository.PAGES.values())}
    there = set(texts) | {name for page in pages.values() for name in page.files}
    assert len(texts) > 250
    broken = []
    for path, text in texts.items():
        linked, needed = repository.links(text, path)
        assert all((ROOT / name).exists() for name in needed)
        copies = set(map(repository.destination, needed))
        for target in _targets(linked):
            found = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            if found not in there | copies and not (ROOT / "docs" / found).is_file():
                broken.append((path, target))
    assert broken == []


def test_links_out_of_the_site_become_links_to_copies():
    text = "[a](../examples), [b](../CONTRIBUTING.md#style), [c](psro.md), `[d](../LICENSE)`\n```\n[e](../LICENSE)\n```"
    linked, needed = repository.links(text.replace("`[d](../LICENSE)`", ""), "deep.md")
    assert needed == {"examples", "CONTRIBUTING.md"}
    assert "[a](files/examples/index.md), [b](contributing.md#style), [c](psro.md)" in linked
    assert "[e](../LICENSE)" in linked
    assert repository.links("[x](../../configs/psro_kuhn.yaml)", "learners/psro.md")[0] == (
        "[x](../files/configs/psro_kuhn.yaml.txt)"
    )
    assert "tune_sweep.py" in repository.folder_page("examples")


def test_every_page_is_in_the_navigation_once():
    named = list(navigation.paths(navigation.expanded(NAV, generated_pages())))
    pages = {*generated_pages(), *repository.written_pages(), *repository.PAGES.values()}
    assert len(named) == len(set(named))
    assert set(named) == pages


def test_a_page_that_the_navigation_does_not_name_comes_last():
    assert navigation.expanded(["index.md"], {})[-1].keys() == {navigation.REST}


def test_code_of_game_pages_runs():
    for game_id in eqenvs.game_ids():
        codes = blocks(generated_pages()[f"games/{game_id}.md"].text, "python")
        assert len(codes) == 2
        for code in codes:
            exec(compile(code, f"games/{game_id}.md", "exec"), {})


@pytest.mark.parametrize("folder", ["solvers", "meta_solvers"])
def test_code_of_solver_pages_runs(folder):
    for path, page in generated_pages().items():
        if path.startswith(f"{folder}/") and Path(path).stem not in SLOW:
            for code in blocks(page.text, "python"):
                exec(compile(code, path, "exec"), {})


def test_configurations_of_learner_pages_are_configurations():
    for path, page in generated_pages().items():
        if path.startswith("learners/") and not path.endswith("index.md"):
            (text,) = blocks(page.text, "yaml")
            config = parse_config(yaml.safe_load(text))
            assert config.learner.id == Path(path).stem
            eqenvs.make(config.game.id, **config.game.parameters)


def test_every_setting_of_every_learner_is_described():
    """The exceptions are ids, whose meaning is the learner itself."""
    unsaid = []
    for path, page in generated_pages().items():
        if path.startswith(("learners/", "oracles/")):
            unsaid += [
                (path, line) for line in page.text.splitlines() if line.startswith("| `") and line.endswith("|  |")
            ]
    assert unsaid == []


def test_every_iterative_method_is_on_the_page_of_tabular():
    text = generated_pages()["learners/tabular.md"].text
    assert [name for name in iterative_methods() if f"`{name}`" not in text] == []
    assert find_learner("tabular").id == "tabular"


def test_docstrings_keep_their_meaning():
    assert doctest.testmod(markdown) == (0, 1)
    text = "One *two* [3] < 4.\n\n    a_b = c\n\nList:\n- x_1\n  more\n- `y_2`\n\n>>> f(1)\n2"
    assert markdown.prose(text) == (
        "One \\*two\\* \\[3\\] &lt; 4.\n\n    a_b = c\n\nList:\n\n- x\\_1\n  more\n- `y_2`\n\n    >>> f(1)\n    2"
    )
    assert markdown.table(("a",), []) == ""
    assert markdown.table(("a", "b"), [("x|y", 1)]).splitlines()[-1] == r"| x\|y | 1 |"
    assert parameters.parameter_table(eqenvs.spec("rock_paper_scissors").parameters).startswith("| parameter |")


def test_what_the_api_pages_name_is_there():
    for page in (ROOT / "docs" / "api").glob("*.md"):
        for name in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                package, _, attribute = name.rpartition(".")
                assert hasattr(importlib.import_module(package), attribute), name


def test_generated_pages_need_no_mkdocs():
    files = (ROOT / "docs" / "site" / "eqdocs").glob("*.py")
    assert [path.name for path in files if re.search(r"^\s*(import|from) mkdocs", path.read_text(), re.MULTILINE)] == []
