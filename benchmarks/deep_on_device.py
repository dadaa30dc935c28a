"""Play plus update of PPO on one device, without Ray: `python benchmarks/deep_on_device.py --device cuda --out FILE`.

For every game and batch: stages a second of the environment alone, with networks, and end to end; the share of the
wall-clock time in which a CUDA device computes nothing (from the profiler's kernels); peak memory. On the CPU the same
lines run, so the figures of two machines can be divided.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import eqenvs
from eqagents.bench._measure import environment
from eqagents.configuration import validate
from eqagents.distributed import InlineExecutor
from eqagents.learners.deep import ppo
from eqagents.rollout import Games

GAMES = ("leduc_poker", "connect_four", "phantom_tic_tac_toe", "grid_soccer")


def busy_share(call: Any, device: torch.device) -> float | None:
    """Share of the wall-clock time of a call in which kernels run on a CUDA device; None elsewhere."""
    if device.type != "cuda":
        return None
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        started = time.perf_counter()
        call()
        torch.cuda.synchronize(device)
        wall = time.perf_counter() - started
    return sum(event.device_time_total for event in profile.key_averages()) / 1e6 / wall


def measured(game_id: str, envs: int, steps: int, device: str, repeats: int) -> dict[str, Any]:
    """One row."""
    game = eqenvs.make(game_id)
    config: Any = validate(
        ppo.PPOConfig,
        {
            "play": {"num_envs": envs, "steps": steps, "device": device, "source": "rules"},
            "fit": {"device": device, "minibatches": 4, "epochs": 4},
            "network": {"hidden": (128, 128)},
        },
    )
    learner: Any = ppo.LEARNER.build(game, config, InlineExecutor(0))
    place = torch.device(device)
    state, _ = learner.step(learner.init(np.random.SeedSequence(0)))
    walls, played, metrics = [], [], {}
    for _ in range(repeats):
        started = time.perf_counter()
        state, metrics = learner.step(state)
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        walls.append(time.perf_counter() - started)
        played.append(metrics["time/waited_s"])
    games = Games(game, envs, device, "rules")
    shown = games.begin(0)
    started = time.perf_counter()
    for _ in range(steps):
        shown = games.step(shown.masks.int().argmax(dim=-1)).shown
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    alone = time.perf_counter() - started
    busy = busy_share(lambda: learner.step(state), place)
    return {
        "game": game_id,
        "games": envs,
        "stages": steps,
        "environment_per_second": envs * steps / alone,
        "play_per_second": envs * steps / float(np.median(played)),
        "end_to_end_per_second": envs * steps / float(np.median(walls)),
        "idle_share": None if busy is None else 1.0 - busy,
        "rollout_bytes": metrics["memory/rollout_bytes"],
        "update_bytes": metrics["memory/update_bytes"],
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--games", nargs="*", default=list(GAMES))
    parser.add_argument("--envs", nargs="*", type=int, default=[1024, 16384])
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()
    rows = []
    for game in told.games:
        for envs in told.envs:
            rows.append(measured(game, envs, told.steps, told.device, told.repeats))
            print(rows[-1], flush=True)
    name = torch.cuda.get_device_name(told.device) if told.device.startswith("cuda") else "cpu"
    found = {"device": name, "threads": torch.get_num_threads(), "environment": environment(), "rows": rows}
    if told.out is not None:
        told.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
