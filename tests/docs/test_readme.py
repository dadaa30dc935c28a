"""Every command and every block of code in README.md runs.

In this process, through the `run` that the installed command calls: processes would each import torch again.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
SHELL = [code for language, code in BLOCKS if language == "sh"]
# Run by the installed command in that file, which reads what it measured.
ELSEWHERE = {"eqenvs bench extensive --quick": ROOT / "tests" / "eqagents" / "bench" / "test_bench.py"}
MAKE = [line for language, code in BLOCKS if language == "" for line in code.splitlines() if line.startswith("make ")]


def test_the_readme_has_the_blocks_that_these_tests_run():
    assert len(PYTHON) == 2
    assert len(SHELL) == 2
    assert MAKE == ["make demo", "make test"]


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_python_block_runs(code):
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("code", SHELL, ids=range(len(SHELL)))
def test_commands_run(code, run_lines):
    run_lines(line for line in code.splitlines() if line not in ELSEWHERE)


@pytest.mark.parametrize("line", ELSEWHERE)
def test_commands_that_run_elsewhere_do(line):
    words = ", ".join(f'"{word}"' for word in line.split()[1:])
    assert words in ELSEWHERE[line].read_text()
    assert line in "".join(SHELL).splitlines()


@pytest.mark.parametrize("line", MAKE)
def test_make_target_exists(line):
    done = subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
