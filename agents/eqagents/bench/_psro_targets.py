"""PSRO with exact best responses to an exploitability, beside OpenSpiel's `psro_v2` with its exact oracle.

Both mix by a Nash equilibrium of the empirical game. OpenSpiel plays the cells of that game, with as many episodes as
it is told; ours come from the model. Clocks stop while the exploitability is looked at.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._games import KUHN, LEDUC, Instance
from eqagents.bench._nf_peers import absent, module
from eqagents.configuration import validate
from eqagents.distributed import InlineExecutor
from eqagents.learners.psro import psro
from eqenvs.game import Game
from eqsolvers.scoring import score

TARGETS = (0.1, 0.05)  # NashConv / 2
SIMULATIONS = (10, 100, 1000)  # episodes of a cell of OpenSpiel's; 1000 is what its example has
LIMIT, QUICK_LIMIT = 60.0, 1.0  # CPU seconds of one run of OpenSpiel's
MOST = 1000  # iterations of ours
ASKED = 100.0  # times sooner on Kuhn poker
PSRO_V2 = "open_spiel.python.algorithms.psro_v2.psro_v2"
PEERS = {PSRO_V2: "OpenSpiel", "ecos": "ECOS, which OpenSpiel's Nash meta-solver needs,"}


def double_oracle() -> psro.PSROConfig:
    """Ours."""
    found: psro.PSROConfig = validate(psro.PSROConfig, {"oracle": {"id": "exact"}, "meta_solver": "nash"})
    return found


def section(settings: Settings) -> Section:
    """A row per game, program and number of episodes."""
    rows: list[Row] = []
    for game in (KUHN,) if settings.quick else (KUHN, LEDUC):
        rows += _rows(game, settings)
    return Section(
        id="target",
        title="PSRO with exact best responses: CPU seconds to an exploitability (NashConv / 2)",
        columns={
            "game": "game",
            "program": "program",
            "episodes": "episodes a cell",
            **{f"at_{target}": f"to {target}" for target in TARGETS},
            "iterations": "iterations",
            "exploitability": "exploitability then",
            **{f"ratio_{target}": f"times ours to {target}" for target in TARGETS},
            "asked": "asked",
        },
        rows=rows,
        notes=(
            f"Medians over runs in turns on Kuhn poker; on Leduc poker OpenSpiel is run once, for {LIMIT:.0f} CPU "
            "seconds, and the ratio is a lower bound where it did not come to the target. Runs end at the second "
            "target.",
            "Without episodes: cells are computed from the model, which is built before the clock starts; OpenSpiel "
            "walks the game's tree in its steps.",
            *absent(PEERS),
        ),
    )


def _rows(instance: Instance, settings: Settings) -> list[Row]:
    once = instance is LEDUC
    rounds = 1 if settings.quick else 3 if once else 5
    limit = QUICK_LIMIT if settings.quick else LIMIT
    game = eqenvs.make(instance.id, **instance.parameters)
    game.model()
    _run(partial(_Ours, game), 1.0)  # what is compiled, or read from the disk, is off the clock
    peers = [n for n in SIMULATIONS if all(module(name) for name in PEERS) and not (once and n == SIMULATIONS[0])]
    ours: list[Row] = []
    theirs: dict[int, list[Row]] = {episodes: [] for episodes in peers}
    for turn in range(rounds):
        ours.append(_run(partial(_Ours, game), limit))
        for episodes in peers if turn == 0 or not once else ():
            theirs[episodes].append(_run(partial(_OpenSpiel, instance.peer, episodes, turn), limit))
    rows: list[Row] = [{"game": instance.name, "program": "eqenvs", "episodes": None, **_middle(ours)}]
    for episodes, runs in theirs.items():
        row: Row = {"game": instance.name, "program": "OpenSpiel", "episodes": episodes, **_middle(runs)}
        for target in TARGETS:
            pairs = zip(runs, ours, strict=False)
            row[f"ratio_{target}"] = statistics.median(_taken(t, target) / _taken(o, target) for t, o in pairs)
        rows.append(row if once or settings.quick else row | {"asked": ASKED})
    for row in rows:
        settings.say(brief(row))
    return rows


def _taken(run: Row, target: float) -> float:
    """Seconds to a target, or of the whole run where it was not reached."""
    seconds = run[f"at_{target}"]
    return float(run["seconds"] if seconds is None else seconds)


def _middle(runs: list[Row]) -> Row:
    """The medians of some runs; None where most of them did not come so far."""
    found: Row = {}
    for key in (*(f"at_{target}" for target in TARGETS), "iterations", "exploitability"):
        values = [run[key] for run in runs if run[key] is not None]
        found[key] = statistics.median(values) if 2 * len(values) > len(runs) else None
    return found


class Contestant(Protocol):
    """A PSRO of some program."""

    def step(self) -> None:
        """One iteration."""

    def exploitability(self) -> float:
        """NashConv / 2 of its mixture."""


def _run(begin: Callable[[], Contestant], limit: float) -> Row:
    """Step until the last target or the limit: CPU seconds of the steps at every target."""
    reached: Row = {f"at_{target}": None for target in TARGETS}
    started = time.process_time()
    contestant = begin()
    seconds, iterations, gap = time.process_time() - started, 0, np.inf
    while gap > TARGETS[-1] and seconds < limit and iterations < MOST:
        started = time.process_time()
        contestant.step()
        seconds += time.process_time() - started
        iterations, gap = iterations + 1, contestant.exploitability()
        for target in TARGETS:
            if gap <= target and reached[f"at_{target}"] is None:
                reached[f"at_{target}"] = seconds
    return reached | {"seconds": seconds, "iterations": iterations, "exploitability": gap}


class _Ours:
    """The learner `psro` on a game whose model exists."""

    def __init__(self, game: Game) -> None:
        self._game = game
        self._learner = psro.LEARNER.build(game, double_oracle(), InlineExecutor(0))
        self._state = self._learner.init(np.random.SeedSequence(0))

    def step(self) -> None:
        """One iteration."""
        self._state, _ = self._learner.step(self._state)

    def exploitability(self) -> float:
        """Of the mixture."""
        found = score(self._game, self._learner.average_policy(self._state)).exploitability
        assert found is not None  # two players, constant sum
        return found


class _OpenSpiel:
    """OpenSpiel's PSRO with exact best responses."""

    def __init__(self, name: str, episodes: int, seed: int) -> None:
        np.random.seed(seed)  # noqa: NPY002 - OpenSpiel draws from numpy's global generator
        self._game = module("pyspiel").load_game(name)
        oracle = module("open_spiel.python.algorithms.psro_v2.best_response_oracle")
        policies = module("open_spiel.python.policy")
        self._aggregator = module("open_spiel.python.algorithms.policy_aggregator").PolicyAggregator(self._game)
        with contextlib.redirect_stdout(io.StringIO()):
            self._solver = module(PSRO_V2).PSROSolver(
                self._game,
                oracle.BestResponseOracle(game=self._game, policy=None),
                initial_policies=[policies.UniformRandomPolicy(self._game) for _ in range(2)],
                training_strategy_selector="probabilistic",
                rectifier="",
                sims_per_entry=episodes,
                number_policies_selected=1,
                meta_strategy_method="nash",
                sample_from_marginals=True,
                symmetric_game=False,
            )

    def step(self) -> None:
        """One iteration."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._solver.iteration()

    def exploitability(self) -> float:
        """Of the mixture."""
        mixture = self._aggregator.aggregate(range(2), self._solver.get_policies(), self._solver.get_meta_strategies())
        return float(module("open_spiel.python.algorithms.exploitability").nash_conv(self._game, mixture)) / 2
