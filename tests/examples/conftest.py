"""The commands of docs/frameworks.md, run in this process."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def recipe(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> Callable[[ModuleType], tuple[Any, dict[str, Any]]]:
    """Runs an example as the page says: what it returns, and what `eqenvs evaluate` says of its policy file."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "frameworks.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```", page, flags=re.M | re.S)
    lines = block.splitlines()

    def run(module: ModuleType) -> tuple[Any, dict[str, Any]]:
        (index,) = (i for i, line in enumerate(lines) if line.startswith(f"python examples/{module.__name__}.py "))
        _, _, *arguments = shlex.split(lines[index])
        returned = module.main(arguments)
        program, *evaluation = shlex.split(lines[index + 1])
        assert program == "eqenvs"
        status, said, error = call(*evaluation, "--json")
        assert status == 0, error
        return returned, json.loads(said)

    return run
