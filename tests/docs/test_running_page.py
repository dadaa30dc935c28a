"""The commands of docs/running.md run, in this process, and what it says of a run's directory is so."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.M | re.S) for line in block.splitlines()]
OTHERS = re.findall(r"^python (benchmarks/\S+)", PAGE, flags=re.M)


def test_commands_run_and_every_file_of_the_run_is_on_the_page(tmp_path, run_lines):
    assert len(LINES) == 4
    run_lines(LINES)
    names = {path.name for path in (tmp_path / "runs" / "kuhn").iterdir() if not path.name.startswith(".")}
    told = set(re.findall(r"`([\w.]+)[/`]", PAGE))
    assert names - told <= {"meta_game.json"}  # of the learner


def test_what_takes_long_is_there():
    assert OTHERS
    assert all((ROOT / name).is_file() for name in OTHERS)
