"""Every command of docs/evaluation.md runs, in this process."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.M | re.S) for line in block.splitlines()]


def test_commands_run(tmp_path, monkeypatch, call):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(LINES) == 6
    for line in LINES:
        program, *arguments = line.split()
        assert program == "eqenvs"
        status, _, err = call(*arguments)
        assert status == 0, f"{line}\n{err}"
    assert (tmp_path / "comparison.json").is_file()
