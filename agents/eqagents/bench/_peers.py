"""OpenSpiel (C++) and LiteEFG (C++) as contestants; neither need be installed.

LiteEFG takes its games from OpenSpiel and is there only with it. It runs in one thread.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

INSTALL = "pip install 'eqenvs[bench]'"

# LiteEFG's algorithms: the module, and the average that its own training loop judges (None: kept by the graph).
LITE_EFG_ALGORITHMS: dict[str, tuple[str, str | None]] = {
    "cfr": ("CFR", "avg-iterate"),
    "cfr+": ("CFRplus", "linear-avg-iterate"),
    "pcfr+": ("PCFR", "linear-avg-iterate"),
    "dcfr": ("DCFR", None),
    "os-mccfr": ("OS_MCCFR", "avg-iterate"),
}


@cache
def open_spiel() -> Any:
    """The module `pyspiel`, or None."""
    with contextlib.suppress(ImportError):
        return importlib.import_module("pyspiel")
    return None


@cache
def lite_efg() -> Any:
    """The module `LiteEFG`, or None."""
    if open_spiel() is None:
        return None
    with contextlib.suppress(ImportError):
        module = importlib.import_module("LiteEFG")
        importlib.import_module("LiteEFG.baselines")
        module.set_threads(1)
        return module
    return None


def absent() -> tuple[str, ...]:
    """A note for each peer that is not installed."""
    peers = {"OpenSpiel": open_spiel(), "LiteEFG": lite_efg()}
    return tuple(
        f"{name} is not installed, and its cells are empty; {INSTALL} brings it."
        for name, module in peers.items()
        if module is None
    )


class OpenSpielSolver:
    """A CFR+ solver of OpenSpiel's: alternating updates, linear averaging.

    Attributes:
        game: OpenSpiel's.
        setup_seconds: CPU time of making the solver.
    """

    def __init__(self, name: str) -> None:
        self.game = open_spiel().load_game(name)
        started = time.process_time()
        self._solver = open_spiel().CFRPlusSolver(self.game)
        self.setup_seconds = time.process_time() - started

    def run(self, iterations: int) -> None:
        """Run some more iterations."""
        for _ in range(iterations):
            self._solver.evaluate_and_update_policy()

    def exploitability(self) -> float:
        """NashConv / 2 of the average policy."""
        return float(open_spiel().nash_conv(self.game, self._solver.average_policy())) / 2


class LiteEFGSolver:
    """A baseline of LiteEFG's, stepped as its own training loop does.

    Args:
        name: OpenSpiel's string for the game.
        method: one of `LITE_EFG_ALGORITHMS`.
        traversal: "Enumerate", "External" or "Outcome".
        average: whether to keep the average that the algorithm is judged by.
        fresh: whether to build the game from OpenSpiel even if it has been built before.

    Attributes:
        environment: LiteEFG's game.
        graph: the algorithm.
        setup_seconds: CPU time of laying the graph on the game.
    """

    def __init__(
        self, name: str, method: str, *, traversal: str = "Enumerate", average: bool = True, fresh: bool = False
    ) -> None:
        module, self._kind = LITE_EFG_ALGORITHMS[method]
        self.environment = lite_efg_game(name, traversal=traversal, fresh=fresh)
        started = time.process_time()
        with quiet():
            self.graph = getattr(lite_efg().baselines, module).graph()
            self.environment.set_graph(self.graph)
        self.setup_seconds = time.process_time() - started
        # The environment's own pass over the game keeps an average; DCFR's graph does that itself.
        self._pass = average and self._kind is not None

    def run(self, iterations: int) -> None:
        """Run some more iterations."""
        for _ in range(iterations):
            self.graph.update_graph(self.environment)
            if self._pass:
                self.environment.update_strategy(self.graph.current_strategy())

    def exploitability(self) -> float:
        """NashConv / 2 of the average policy."""
        if self._kind is None:
            gains = self.environment.exploitability(self.graph.current_strategy("average-iterate"))
        else:
            gains = self.environment.exploitability(self.graph.current_strategy(), self._kind)
        return float(sum(gains)) / 2


def lite_efg_game(name: str, *, traversal: str = "Enumerate", fresh: bool = True) -> Any:
    """LiteEFG's environment of a game of OpenSpiel's."""
    with quiet():
        return lite_efg().OpenSpielEnv(open_spiel().load_game(name), traverse_type=traversal, regenerate=fresh)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """LiteEFG prints as it builds, and leaves a file of each game in the home directory: neither is wanted here."""
    home = os.environ.get("HOME")
    os.environ["HOME"] = _directory().name
    try:
        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
            yield
    finally:
        if home is None:
            del os.environ["HOME"]
        else:
            os.environ["HOME"] = home


@cache
def _directory() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="eqenvs-bench-")
