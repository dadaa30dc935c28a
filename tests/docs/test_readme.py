"""Every command and every block of code in README.md runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
SHELL = [code for language, code in BLOCKS if language == "sh"]
MAKE = [line for language, code in BLOCKS if language == "" for line in code.splitlines() if line.startswith("make ")]


def test_the_readme_has_the_blocks_that_these_tests_run():
    assert len(PYTHON) == 2
    assert len(SHELL) == 2
    assert MAKE == ["make demo", "make test"]


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_python_block_runs(code):
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("code", SHELL, ids=range(len(SHELL)))
def test_commands_run(code, tmp_path):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "runs").mkdir()
    for line in code.splitlines():
        program, *arguments = line.split()
        assert program == "eqenvs"
        done = subprocess.run(
            [sys.executable, "-m", "eqagents.cli.main", *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"


@pytest.mark.parametrize("line", MAKE)
def test_make_target_exists(line):
    done = subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
