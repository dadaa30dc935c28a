"""What the tests of pages share."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., tuple[int, str, str]]
) -> Callable[[Iterable[str]], None]:
    """Runs lines of the `eqenvs` command in this process, in a directory with the configurations; all must succeed."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)

    def run(lines: Iterable[str]) -> None:
        for line in lines:
            program, *arguments = line.split()
            assert program == "eqenvs"
            status, _, err = call(*arguments)
            assert status == 0, f"{line}\n{err}"

    return run
