"""Regret of every online learner: against adversaries and in self-play, with the fitted power of the rounds.

A row per learner against the adversaries (the worst of them at each look, and the proved bound where there is one; of
bandit algorithms the regret of the mean over the seeds, the expectation that bounds are about), and a row per learner,
or dynamics of all players, and game in self-play (the largest average external regret of a player, payoffs scaled to
[0, 1], and the NashConv of the average and of the last strategies in two-player zero-sum games).

    python benchmarks/regret_rates.py --jobs 2 --out benchmarks/results/regret_rates.json
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from eqenvs.discovery import modules
from eqenvs.models import NormalFormModel
from eqenvs.policies import TabularPolicy
from eqsolvers.normal_form.learning import OnlineLearner, SelfPlay, together
from eqsolvers.normal_form.learning._adversaries import ADVERSARIES, gains, slope
from eqsolvers.scoring import score

MATRIX = np.array([[3.0, -1, 4], [-2, 2, 5]])
BIASED = np.array([[0.0, -3, 3], [3, 0, -1], [-3, 1, 0]])
GAMES = {
    "2x3 zero-sum": NormalFormModel([MATRIX, -MATRIX]),
    "biased rock-paper-scissors": NormalFormModel([BIASED, -BIASED]),
    "random, three players": NormalFormModel(np.random.default_rng(11).normal(size=(3, 2, 3, 4))),
}
VARIANTS: dict[str, list[dict[str, Any]]] = {  # beside the defaults
    "hedge": [{"horizon": "rounds"}, {"optimistic": True}, {"optimistic": True, "eta": 0.25}],
    "ftrl": [{"regulariser": name} for name in ("euclidean", "tsallis", "log-barrier")],
    "omd": [{"regulariser": "euclidean"}],
    "smooth_fictitious_play": [{"tau": 1.0, "vanishing": True}],
    "exp3_p": [{"horizon": "rounds"}],
    "tsallis_inf": [{"reduced_variance": True}],
    "extragradient": [{"regulariser": "entropy"}],
    "fictitious_play": [{"alternating": True}],
    "nash_md": [{"variant": "magnetic"}],
}

TWO_PLAYERS = ("extragradient", "halpern", "nash_md")


def against_adversaries(learner: OnlineLearner[Any], actions: int, looks: list[int], seeds: int) -> dict[str, Any]:
    """The worst average regret at each look, by whom, and the bound."""
    runs = 1 if learner.update is not None else seeds
    collected = gains(learner, list(ADVERSARIES.values()), actions=actions, looks=looks, seeds=runs, expected=False)
    regrets = collected.mean(axis=2).max(axis=2)
    worst = regrets.max(axis=1)
    return {
        "regret": worst.tolist(),
        "adversary": [list(ADVERSARIES)[k] for k in regrets.argmax(axis=1)],
        "bound": None if learner.bound is None else [learner.bound(rounds, actions) for rounds in looks],
        "slope": slope(looks, worst),
        "seeds": runs,
    }


def self_play(dynamics: Any, model: NormalFormModel, looks: list[int]) -> dict[str, Any]:
    """Regret and, of two-player zero-sum games, NashConv of the average and the last strategies at each look."""
    game = SelfPlay(model.payoffs[None], dynamics, keep_play=False)
    found: dict[str, list[float]] = {"regret": [], "swap_regret": [], "average": [], "last": []}
    for rounds in looks:
        game.run(rounds - game.rounds)
        found["regret"].append(float(game.regret().max()))
        found["swap_regret"].append(float(game.swap_regret().max()))
        if model.num_players == 2:
            for name, strategies in (("average", game.average()), ("last", game.last())):
                found[name].append(score(model, TabularPolicy(model, [own[0] for own in strategies])).nash_conv)
    slopes = {f"{name}_slope": slope(looks, values) for name, values in found.items() if values and min(values) > 1e-14}
    return {**found, **slopes}


def measure(name: str, looks: list[int], actions: int, seeds: int) -> list[dict[str, Any]]:
    """All rows of the learner, or dynamics, in one file; none of a file with neither."""
    module, rows = importlib.import_module(f"eqsolvers.normal_form.learning.{name}"), []
    for settings in [{}, *VARIANTS.get(name, [])]:
        chosen = {key: looks[-1] if value == "rounds" else value for key, value in settings.items()}
        row: dict[str, Any] = {"learner": name, "settings": settings, "looks": looks}
        started, learner = time.perf_counter(), module.learner(**chosen) if hasattr(module, "learner") else None
        if learner is not None:
            found = against_adversaries(learner, actions, looks, seeds)
            rows.append({**row, "kind": "adversarial", **found, "seconds": time.perf_counter() - started})
        for game, model in GAMES.items():
            started = time.perf_counter()
            if learner is not None:
                feedback = "full" if learner.update is not None else "bandit"
                dynamics = together([learner] * model.num_players, feedback=feedback)
            elif model.num_players != 2 and name in TWO_PLAYERS:
                continue
            else:
                dynamics = module.dynamics(**chosen)
            found = self_play(dynamics, model, looks)
            rows.append({**row, "kind": "self-play", "game": game, **found, "seconds": time.perf_counter() - started})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log2", type=int, nargs=2, default=[8, 16], help="first and last look, powers of two rounds")
    parser.add_argument("--actions", type=int, default=3, help="of the learner against adversaries")
    parser.add_argument("--seeds", type=int, default=16, help="runs of a bandit algorithm against each adversary")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", nargs="+", help="files of learners; default all")
    parser.add_argument("--out", type=Path, help="write the result here as JSON")
    arguments = parser.parse_args()
    looks = [2**k for k in range(arguments.log2[0], arguments.log2[1] + 1)]
    names = arguments.only or list(modules("eqsolvers.normal_form.learning"))
    rows = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for found in pool.map(measure, names, *map(repeat, (looks, arguments.actions, arguments.seeds))):
            for row in found:
                print(json.dumps(row), flush=True)
            rows += found
    result = {
        "rows": rows,
        "actions": arguments.actions,
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "numpy": np.__version__,
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
