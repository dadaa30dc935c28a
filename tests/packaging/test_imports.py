"""What an import costs, and the layout that keeps import names unique."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ["matplotlib", "numba", "pydantic", "pygame", "ray", "scipy", "torch"]


def modules_loaded_by(package: str) -> set[str]:
    """Top-level modules in `sys.modules` after a fresh interpreter imports `package`."""
    code = f"import json, sys, {package}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    # -P: the interpreter sees the installed packages only, not whatever lies in the working directory.
    finished = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(finished.stdout))


def test_importing_eqenvs_loads_nothing_heavy():
    assert not modules_loaded_by("eqenvs") & set(HEAVY)


def test_importing_the_solvers_loads_neither_torch_nor_ray():
    assert not modules_loaded_by("eqsolvers") & {"torch", "ray", "eqagents"}


@pytest.mark.parametrize("folder", ["agents", "solvers"])
def test_folders_named_by_the_project_are_not_packages(folder):
    assert not (ROOT / folder / "__init__.py").exists()
