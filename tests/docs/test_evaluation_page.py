"""Every command of docs/evaluation.md runs, in this process."""

import re
import shutil
import sys
from pathlib import Path

from eqagents.cli import app as cli

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.M | re.S) for line in block.splitlines()]


def test_commands_run(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(LINES) == 6
    for line in LINES:
        monkeypatch.setattr(sys, "argv", line.split())
        assert sys.argv[0] == "eqenvs"
        try:
            cli.run()
            status = 0
        except SystemExit as stop:
            status = stop.code or 0
        assert status == 0, f"{line}\n{capsys.readouterr().err}"
    assert (tmp_path / "comparison.json").is_file()
