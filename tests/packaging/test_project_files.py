"""What stands in several files of the project is the same in all."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_citation_is_of_this_version_and_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["title"].endswith(PROJECT["description"][0].lower() + PROJECT["description"][1:])


@pytest.mark.parametrize(
    "file", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda file: file.name
)
def test_issue_templates_are_forms(file):
    form = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert form["name"]
    assert form["description"]
    kinds = {entry["type"] for entry in form["body"]}
    assert kinds <= {"textarea", "checkboxes", "markdown", "input", "dropdown"}
    fields = [entry["id"] for entry in form["body"]]
    assert len(set(fields)) == len(fields)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "RELEASING.md", "docs/architecture.md", "docs/versions.md"])
def test_files_that_pages_name_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)", text)
    paths = re.findall(r"`((?:agents|benchmarks|docs|eqenvs|solvers|tests)/[\w./]+|[\w]+\.(?:toml|txt|cff|md))`", text)
    assert links or paths
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert missing + [path for path in paths if not (ROOT / path).exists()] == []
