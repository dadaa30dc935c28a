"""Evaluations of many policies a second: batched passes on numpy, torch and a GPU, against one policy at a time."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._measure import Step, medians, paired
from eqagents.bench._mf_peers import model_of, one_thread
from eqenvs.arrays import Float64Array, make_backend
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field._batched import BatchedDynamics
from eqsolvers.mean_field._dynamics import Dynamics

GAMES = ("sis", "crowd_1d", "four_rooms")
BATCHES = (1, 16, 256)
WHERE = {"numpy": "cpu", "torch": "cpu", "gpu": "cuda"}


def section(settings: Settings) -> Section:
    """Games by numbers of policies."""
    rows: list[Row] = []
    with one_thread():
        for name in GAMES[:1] if settings.quick else GAMES:
            model = model_of(name)
            for batch in BATCHES[:2] if settings.quick else BATCHES:
                policies = random_policies(model, batch)
                contestants = {"loop": _loop(model, policies)}
                for key, device in WHERE.items():
                    if device == "cpu" or has_gpu():
                        contestants[key] = batched(model, policies, "numpy" if key == "numpy" else "torch", device)
                seconds = medians(paired(contestants, settings))
                row: Row = {"game": name, "policies": batch}
                row |= {f"{key}_per_second": batch / found for key, found in seconds.items()}
                row |= {f"ratio_{key}": seconds["loop"] / seconds[key] for key in seconds if key != "loop"}
                rows.append(row)
                settings.say(brief(row))
    return Section(
        id="batched",
        title="Exploitabilities of random policies a CPU second",
        columns={
            "game": "game",
            "policies": "policies at once",
            "loop_per_second": "compiled, one by one",
            "numpy_per_second": "batched, numpy",
            "torch_per_second": "batched, torch on the CPU",
            "gpu_per_second": "batched, torch on the GPU",
            "ratio_numpy": "numpy / one by one",
            "ratio_torch": "torch / one by one",
            "ratio_gpu": "GPU / one by one",
        },
        rows=rows,
        notes=(
            "The batched passes are there for gradients and GPUs. A GPU's figure counts the seconds in which the "
            "processor waits for it." + ("" if has_gpu() else " No GPU was present."),
        ),
    )


def random_policies(model: MeanFieldModel, batch: int) -> Float64Array:
    """[B, M, P, S, A], from an exponential distribution by legal action."""
    drawn = np.random.default_rng(0).exponential(size=(batch, *model.policy_shape)) * model.legal
    policies: Float64Array = drawn / drawn.sum(axis=-1, keepdims=True)
    return policies


def batched(model: MeanFieldModel, policies: Float64Array, library: str, device: str) -> Step:
    """All at once."""
    backend = make_backend(device, library)
    dynamics = BatchedDynamics(model, backend)
    given: Any = backend.xp.asarray(policies, device=backend.device)

    def run(times: int) -> None:
        for _ in range(times):
            gains = dynamics.gains(given)
            if device != "cpu":
                gains.cpu()  # waits for the device

    return run


def has_gpu() -> bool:
    """Whether torch sees one."""
    try:
        return bool(importlib.import_module("torch").cuda.is_available())
    except ImportError:
        return False


def _loop(model: MeanFieldModel, policies: Float64Array) -> Step:
    dynamics = Dynamics(model)

    def run(times: int) -> None:
        for _ in range(times):
            for policy in policies:
                dynamics.evaluate(policy)

    run(1)
    return run
