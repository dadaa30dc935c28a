"""Policy mirror ascent: the operator's rate, and what agents learn from one trajectory beside its fixed point.

`rates`: the factor by which a step of the operator shrinks, fitted where steps are between 1e-4 and 1e-11.
`bias`: the distance of the learnt policy, the mean over the last iterations and the seeds, from the operator's fixed
point, and its power of N; of a game whose rewards are smooth in the mean field, and of one with a kink where it rests.
`options`: that distance after as many steps of one trajectory, for each option by itself and some together.
`speed`: nanoseconds for a step of one agent.

    python benchmarks/policy_mirror_ascent.py --out benchmarks/results/policy_mirror_ascent.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import eqenvs
from eqenvs.arrays import Constants
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Family
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field._mirror import Mirror
from eqsolvers.mean_field.pma import ascend
from eqsolvers.result import solvers

METHODS = solvers(Family.MEAN_FIELD)
OPERATOR, LEARNER = METHODS["pma"], METHODS["policy-mirror-ascent"]
TAU = 0.2
STATES, DISCOUNT = 5, 0.8
SMOOTH, KINK = "smooth", "kink"


def ring(crowd: float, *, capacity: float | None = None, states: int = STATES) -> MeanFieldModel:
    """Left, stay, right on a ring whose states pay 1/2 to 0 and less where there are many.

    With a capacity, only the first state pays less, and for what it holds above that.
    """
    successors, kernel = np.zeros((states, 3, 3), dtype=np.int64), np.full((states, 3, 3), 0.1)
    for state in range(states):
        for action in range(3):
            successors[state, action] = [(state - 1) % states, state, (state + 1) % states]
            kernel[state, action, action] += 0.7
    pay = 0.5 * np.linspace(1, 0, states)[:, None] + np.array([0.0, 0.02, 0.0])
    constants = Constants(pay=pay, first=np.eye(1, states)[0])

    def reward(mean_field: Any, moment: Any) -> Any:
        over = 0.5 * mean_field
        if capacity is not None:
            above = mean_field - capacity
            over = 0.5 * (above + abs(above)) * constants.on("first", mean_field)
        return constants.on("pay", mean_field) - crowd * over[..., None]

    first = np.full(states, 1 / states)
    return MeanFieldModel(kernel, reward, first, successors=successors, discount=DISCOUNT)


def fixed_point(model: MeanFieldModel, tau: float = TAU) -> np.ndarray:
    """The operator's, [1, P, S, A]."""
    process: Any = OPERATOR.start(model, settings={"tau": tau, "eta": 1.0})  # type: ignore[misc]
    process.run(300)
    return np.asarray(process.current())


def games() -> dict[str, MeanFieldModel]:
    """The two of `bias`; the second has the fixed point of the first without a crowd."""
    alone = ring(0.0, states=3)
    capacity = float(Dynamics(alone).flow(fixed_point(alone))[0, 0, 0])
    return {SMOOTH: ring(4.0, states=3), KINK: ring(1.0, capacity=capacity, states=3)}


def rates(quick: bool) -> list[dict[str, Any]]:
    """The operator's linear convergence."""
    models = {
        "ring": ring(1.0),
        "contraction_game": eqenvs.make("contraction_game").model(),
        "random_mean_field_game": eqenvs.make("random_mean_field_game", horizon=None).model(),
        "left_right": eqenvs.make("left_right").model(),
    }
    rows = []
    for name, model in models.items():
        assert isinstance(model, MeanFieldModel)
        for tau in (0.5, 1.0):
            points = []
            for distance, eta in (("euclidean", 0.5), ("euclidean", 1.0), ("euclidean", 4.0), ("kl", 1.0)):
                dynamics, mirror = Dynamics(model), Mirror("entropy", tau, distance, eta, 0.0)
                policy, sizes = dynamics.uniform(), []
                for _ in range(60 if quick else 250):
                    after = ascend(dynamics, mirror, policy)
                    sizes.append(float(np.abs(after - policy).sum(axis=-1).max()))
                    policy = after
                points.append(policy)
                logs = np.log([size for size in sizes if 1e-11 < size < 1e-4])
                factor = float(np.exp(np.polyfit(np.arange(len(logs)), logs, 1)[0])) if len(logs) > 2 else None
                reached = next((k for k, size in enumerate(sizes) if size < 1e-10), None)
                rows.append(
                    {
                        "game": name,
                        "tau": tau,
                        "distance": distance,
                        "eta": eta,
                        "factor": factor and round(factor, 3),
                        "iterations": reached,
                        "apart": float(f"{np.abs(policy - points[0]).max():.1e}"),
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    return rows


def bias(quick: bool) -> list[dict[str, Any]]:
    """The learnt policy beside the operator's fixed point, by N."""
    seeds, kept, budget = (2, 3, 200_000) if quick else (3, 6, 1_000_000)
    rows = []
    for name, model in games().items():
        fixed = fixed_point(model)
        # The operator's steps shrink by .66 and .33, so what is left of the start is below 1e-4 and 1e-5.
        counts, eta, before = ((10, 32, 100), 1.0, 20) if name == SMOOTH else ((10, 32, 100, 316, 1000), 4.0, 10)
        errors, apart = [], []
        for agents in counts:
            started = time.process_time()
            settings = {"num_agents": agents, "samples": budget // agents, "mixing": 5, "tau": TAU, "eta": eta}
            process: Any = LEARNER.start(  # type: ignore[misc]
                model, seed=tuple(range(seeds)), settings={**settings, "pooled": True, "visits": True}
            )
            process.run(before)
            seen = []
            for _ in range(kept):
                process.run(1)
                seen.append([process.played_by(run) for run in range(seeds)])
            means = np.mean(seen, axis=0)  # [seeds, 1, P, S, A]
            apart.append(np.abs(means - fixed).sum(axis=-1).max(axis=(1, 2, 3)))
            errors.append(float(np.abs(means.mean(axis=0) - fixed).sum(axis=-1).max()))
            noise = float(means.std(axis=0, ddof=1).max() / np.sqrt(seeds))
            rows.append(
                {
                    "game": name,
                    "agents": agents,
                    "distance": float(f"{errors[-1]:.3g}"),
                    "noise": float(f"{noise:.1g}"),
                    "seconds": round(time.process_time() - started, 1),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
        by_seed = [np.polyfit(np.log(counts), np.log([row[k] for row in apart]), 1)[0] for k in range(seeds)]
        fitted = {
            "game": name,
            "agents": "fitted power",
            "distance": round(float(np.polyfit(np.log(counts), np.log(errors), 1)[0]), 3),
            "noise": float(f"{np.std(by_seed, ddof=1) / np.sqrt(seeds):.1g}"),
        }
        rows.append(fitted)
        print(json.dumps(fitted), flush=True)
    return rows


STEPS = 10_000  # of one trajectory in an iteration
BASE: dict[str, Any] = {"num_agents": 100, "samples": STEPS // 5, "mixing": 5, "tau": TAU}
EVERY_STEP = {"samples": STEPS, "mixing": 1}
ALONE = {"centralised": False}
TALK = {**ALONE, "visits": True, "communication_rounds": 1}
OPTIONS: dict[str, dict[str, Any]] = {
    "as published": {},
    "offset 500": {"offset": 500.0},
    "offset 500, no waiting": {"offset": 500.0, **EVERY_STEP},
    "offset 500, traces .5, no waiting": {"offset": 500.0, **EVERY_STEP, "traces": 0.5},
    "offset 500, replay 10": {"offset": 500.0, "replay": 10},
    "offset 500, 10 trajectories": {"offset": 500.0, "trajectories": 10},
    "offset 500, pooled": {"offset": 500.0, "pooled": True},
    "offset 500, warm start": {"offset": 500.0, "warm_start": True},
    "visits": {"visits": True},
    "visits, no waiting": {"visits": True, **EVERY_STEP},
    "visits, replay 10": {"visits": True, "replay": 10},
    "visits, warm start": {"visits": True, "warm_start": True},
    "visits, 10 trajectories": {"visits": True, "trajectories": 10},
    "visits, pooled": {"visits": True, "pooled": True},
    "visits, pooled, no waiting": {"visits": True, "pooled": True, **EVERY_STEP},
    "independent": ALONE,
    "independent, visits": {**ALONE, "visits": True},
    "independent, visits, adopting, radius 0": {**TALK, "radius": 0.0},
    "independent, visits, adopting": TALK,
    "independent, visits, adopting at random": {**TALK, "trial": 0},
    "independent, visits, averaging policies": {**TALK, "exchange": "policies"},
    "independent, visits, averaging tables, radius 0": {**TALK, "exchange": "tables", "radius": 0.0},
    "independent, visits, averaging tables": {**TALK, "exchange": "tables"},
}
FEW: dict[str, Any] = {"samples": 60, "mixing": 5}


def options(quick: bool) -> list[dict[str, Any]]:
    """What each option does, alone and with others."""
    seeds, iterations = (2, 3) if quick else (5, 20)
    model = ring(1.0)
    fixed, rows = fixed_point(model), []
    few = {f"{name}, 60 samples": {**given, **FEW} for name, given in OPTIONS.items() if name.startswith("indep")}
    for name, given in {**OPTIONS, **few}.items():
        started = time.process_time()
        process: Any = LEARNER.start(model, seed=tuple(range(seeds)), settings={**BASE, **given})  # type: ignore[misc]
        process.run(iterations)
        spent = (time.process_time() - started) / seeds
        apart = np.array([np.abs(process.played_by(run) - fixed).sum(axis=-1).max() for run in range(seeds)])
        tables = process.state()["tables"]["policy"]
        own = np.abs(tables - fixed[0]).sum(axis=-1).max(axis=2).mean(axis=1)
        rows.append(
            {
                "learner": name,
                "distance": round(float(apart.mean()), 4),
                "spread": round(float(apart.std(ddof=1)), 4),
                "own": round(float(own.mean()), 4),
                "nash_conv": round(float(process.residuals().mean()), 4),
                "seconds": round(spent, 2),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    rows.append({"learner": "the operator's fixed point", "nash_conv": round(nash_conv(model, fixed), 4)})
    return rows


def nash_conv(model: MeanFieldModel, policy: np.ndarray) -> float:
    return float(Dynamics(model).evaluate(policy).gains.sum())


def speed(quick: bool) -> list[dict[str, Any]]:
    """A step of one agent, the learning included."""
    rows = []
    games = {"ring": ring(1.0), "contraction_game": eqenvs.make("contraction_game").model()}
    for name, model in games.items():
        for agents in (100, 1_000, 10_000, 100_000):
            row: dict[str, Any] = {"game": name, "agents": agents}
            for column, given in (("one", {}), ("pooled", {"pooled": True, "visits": True})):
                samples = max(1, (200_000 if quick else 2_000_000) // (agents * 10))
                settings = {"num_agents": agents, "samples": samples, "mixing": 10, **given}
                process: Any = LEARNER.start(model, settings=settings)  # type: ignore[misc]
                process.run(1)
                taken = []
                for _ in range(3):
                    before, started = process.touched, time.process_time()
                    process.run(1)
                    taken.append((time.process_time() - started) / (process.touched - before))
                row[column] = round(1e9 * float(np.median(taken)), 1)
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


SECTIONS = {
    "rates": (
        rates,
        "Linear convergence of the operator, tau times the entropy",
        {
            "game": "game",
            "tau": "tau",
            "distance": "distance",
            "eta": "eta",
            "factor": "fitted factor a step",
            "iterations": "steps to 1e-10",
            "apart": "fixed point from that of the first step size",
        },
    ),
    "bias": (
        bias,
        "Learnt policy from the operator's fixed point, largest L1 distance at a state, by the number of agents",
        {
            "game": "game",
            "agents": "N",
            "distance": "distance",
            "noise": "standard error",
            "seconds": "CPU seconds",
        },
    ),
    "options": (
        options,
        "Distance from the fixed point after 20 policy steps of 10 000 steps of 100 agents each (300 where it says 60 "
        "samples)",
        {
            "learner": "learner",
            "distance": "distance",
            "spread": "standard deviation over seeds",
            "own": "of the agents' own policies",
            "nash_conv": "NashConv",
            "seconds": "CPU seconds a seed",
        },
    ),
    "speed": (
        speed,
        "Nanoseconds for a step of one agent, everything included",
        {"game": "game", "agents": "N", "one": "one agent learns", "pooled": "from all agents' steps"},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="small budgets, to see that everything runs")
    parser.add_argument("--out", type=Path, help="write the result here as JSON")
    arguments = parser.parse_args()
    LEARNER.compile(None)
    found = {}
    for name in arguments.sections:
        measure, title, columns = SECTIONS[name]
        found[name] = {"title": title, "columns": columns, "rows": measure(arguments.quick)}
    result = {
        "benchmark": "policy_mirror_ascent",
        "title": "policy mirror ascent: the operator, and learning from one trajectory of N agents",
        "environment": {"processor": platform.machine(), "python": platform.python_version(), "numpy": np.__version__},
        "sections": found,
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
