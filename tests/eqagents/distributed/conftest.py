"""What the tests of executors share."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def run_script() -> Callable[[str, float], str]:
    """Runs a script that starts a Ray cluster of its own, in a process of its own; its output."""

    def run(script: str, timeout: float) -> str:
        settings = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
        done = subprocess.run(
            [sys.executable, "-c", script], env=settings, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run
