"""MFGLib's environments loaded and solved here and by MFGLib's own algorithms, and all policies judged by both.

    python benchmarks/mfglib_environments.py --out benchmarks/results/mfglib_environments.json
    python docs/update_tables.py

Needs mfglib; about three minutes of CPU time. Exit status 1 where two scores of a policy differ by more than 1e-9 of
the uniform policy's, or where solving here lowers no exploitability.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any, Protocol

os.environ.setdefault("OMP_NUM_THREADS", "1")

import eqenvs
from eqagents.bench import Benchmark, Row, Section, Settings, brief
from eqagents.bench._interop import written
from eqenvs.game import Game
from eqenvs.interop._mfglib_model import default_precision
from eqenvs.interop._mfglib_named import constructors, environment, known, version
from eqenvs.interop.mfglib import from_policy, to_policy
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import TabularPolicy, uniform
from eqenvs.spec import Family
from eqenvs.testing.conformance import random_tables
from eqsolvers.result import solvers
from eqsolvers.scoring import score

BUDGET = 1.0  # CPU seconds of each method, scoring apart
TARGET = 1e-6  # exploitability at which a method has nothing left to do
STEPS = (0.1, 1.0, 10.0)  # of mirror descent
AGREE = 1e-9
MOST_UNIFORM = 1e-12  # exploitability of uniform play that leaves nothing to lower


class Method(Protocol):
    """An algorithm under way."""

    name: str

    def run(self, iterations: int) -> None:
        """Do that many more."""

    def policy(self) -> TabularPolicy:
        """What it plays now."""


class Ours:
    """A solver here."""

    def __init__(self, game: Game, method: str, **settings: float) -> None:
        self.name = method + "".join(f", eta={value:g}" for value in settings.values())
        start = solvers(Family.MEAN_FIELD)[method].start
        assert start is not None
        self._process: Any = start(game.model(), settings=settings)

    def run(self, iterations: int) -> None:
        self._process.run(iterations)

    def policy(self) -> TabularPolicy:
        found = self._process.policy()
        assert isinstance(found, TabularPolicy)
        return found


class Theirs:
    """An algorithm of MFGLib, in double precision."""

    def __init__(self, game: Game, env: Any, algorithm: Any) -> None:
        self.name = str(algorithm)
        self._game, self._algorithm = game, algorithm
        self._state = algorithm.init_state(env, to_policy(game, uniform(game)))

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self._state = self._algorithm.step_next_state(self._state, None, None)

    def policy(self) -> TabularPolicy:
        return from_policy(self._game, self._state.pi)


def run(game: Game, method: Method, budget: float) -> Row:
    """The best policy that a method has shown within the budget, at some looks, with the seconds until then."""
    done, spent = 0, 0.0
    best: Row = {"value": float("inf")}
    chunk = 1
    while spent < budget:
        started = time.process_time()
        method.run(chunk)
        spent += time.process_time() - started
        done += chunk
        policy = method.policy()
        value = score(game, policy).nash_conv
        if value < best["value"]:
            best = {"value": value, "policy": policy, "seconds": spent, "method": method.name}
        if value <= TARGET:
            break
        chunk = max(1, int(done * min(1.0, (budget - spent) / max(spent, 1e-6))))  # twice as many, or what is left
    return best


def measure(name: str, budget: float) -> Row:
    """The row of an environment."""
    algorithms = importlib.import_module("mfglib.alg")
    scoring = importlib.import_module("mfglib.scoring")
    started = time.process_time()
    game = eqenvs.make(f"mfglib:{name}")
    model = game.model()
    assert isinstance(model, MeanFieldModel)
    row: Row = {"game": name, "load": time.process_time() - started}
    env = environment(name)
    row |= {"sees": "where they are" if known(name).states_only else "what they do", "states": env.n_states}
    row |= {"actions": env.n_actions, "decisions": env.T + 1}
    row |= {"model_states": model.num_states, "moments": len(model.moments.time)}
    methods = [Ours(game, "fictitious-play"), *(Ours(game, "omd", eta=step) for step in STEPS)]
    own = min((run(game, method, budget) for method in methods), key=lambda best: (best["value"], best["seconds"]))
    with default_precision(env.mu0.dtype):
        peers = [algorithms.FictitiousPlay(), *(algorithms.OnlineMirrorDescent(alpha=step) for step in STEPS)]
        found, failed = [], []
        for peer in peers:
            try:
                found.append(run(game, Theirs(game, env, peer), budget))
            except RuntimeError as error:  # its fictitious play takes no actions of several dimensions
                failed.append(f"{type(peer).__name__}: {error}")
        other = min(found, key=lambda best: (best["value"], best["seconds"]))
        policies = (uniform(game), random_tables(game, 0), own["policy"], other["policy"])
        here = [score(game, policy).nash_conv for policy in policies]
        there = [scoring.exploitability_score(env, to_policy(game, policy)) for policy in policies]
    row |= {"uniform": here[0], "method": own["method"], "seconds": own["seconds"], "exploitability": here[2]}
    row |= {"exploitability_by_mfglib": there[2], "peer": other["method"], "peer_seconds": other["seconds"]}
    row |= {"peer_exploitability": there[3], "peer_failed": "; ".join(failed) or None}
    return row | {"difference": max(abs(one - two) for one, two in zip(here, there, strict=True))}


def section(settings: Settings) -> Section:
    """Every environment, with its own defaults."""
    budget = 0.05 if settings.quick else BUDGET
    measure("left_right", 0.01)  # what is loaded at the first use is no environment's
    rows = []
    for name in constructors():
        rows.append(measure(name, budget))
        settings.say(brief(rows[-1]))
    return Section(
        id="environments",
        title=f"MFGLib's environments: solved here and by MFGLib for {budget:g} CPU seconds a method, judged by both",
        columns={
            "game": "environment",
            "sees": "rewards and moves see of the others",
            "states": "states",
            "actions": "actions",
            "decisions": "decisions",
            "model_states": "states of the model",
            "load": "CPU s to load",
            "uniform": "exploitability of uniform play",
            "method": "best method here",
            "seconds": "CPU s",
            "exploitability": "exploitability",
            "peer": "best method of MFGLib",
            "peer_seconds": "CPU s of MFGLib",
            "peer_exploitability": "exploitability by MFGLib",
            "difference": "scores differ by",
        },
        rows=rows,
        notes=(
            f"MFGLib {version()}, in double precision, with the parameters' defaults.",
            "Both have fictitious play and online mirror descent with the steps "
            f"{', '.join(f'{step:g}' for step in STEPS)}; each gets the budget, scoring apart, and stops at "
            f"{TARGET:g}. Shown is the best policy of the best method, and the seconds until it was there.",
            "MFGLib's fictitious play fails where actions have several dimensions, as in equilibrium_price; it is left "
            "out there.",
            "The difference is the largest of four policies' exploitability here and by MFGLib: of uniform play, a "
            "random policy, and the two that were found.",
        ),
    )


BENCHMARK = Benchmark(id="mfglib_environments", title="MFGLib's environments, here and by MFGLib", sections=(section,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short slices")
    parser.add_argument("--out", type=Path, help="write the result here as JSON")
    told = parser.parse_args()
    settings = Settings(quick=told.quick, say=lambda line: print(line, flush=True))
    rows = written(BENCHMARK, settings, told.out)
    differ = [row["game"] for row in rows if row["difference"] > AGREE * max(1.0, row["uniform"])]
    same = [row["game"] for row in rows if row["exploitability"] >= row["uniform"] > MOST_UNIFORM]
    print(f"{len(rows)} environments; scores differ: {differ or 'none'}; not lowered: {same or 'none'}")
    sys.exit(bool(differ or same))


if __name__ == "__main__":
    main()
