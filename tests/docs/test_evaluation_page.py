"""Every command of docs/evaluation.md runs, in this process."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.M | re.S) for line in block.splitlines()]


def test_commands_run(tmp_path, run_lines):
    assert len(LINES) == 6
    run_lines(LINES)
    assert (tmp_path / "comparison.json").is_file()
