"""How near to equilibrium each learner with networks comes on Kuhn and Leduc poker: exact NashConv, several seeds.

Every run's last iterate (of NFSP its average network) is scored exactly as it goes. The runs are tasks, shared out to
two workers; settings are those below and otherwise the learners' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.configuration import by_id
from eqagents.distributed import Executor, InlineExecutor, Task
from eqagents.distributed.ray_executor import RayExecutor
from eqagents.learners import find_learner
from eqsolvers.scoring import score

SEEDS = 5
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t, two-sided, of the mean of so many seeds
SHARES = (0.1, 0.25, 0.5, 1.0)  # of the budget, at which the policy is scored


@dataclass(frozen=True)
class Case:
    """A game, the budget of its runs, and settings by learner."""

    game: str
    stages: int
    learners: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def _falling(start: float, end: float, over: int) -> dict[str, Any]:
    return {"start": start, "end": end, "over": over, "shape": "exponential"}


CASES = (
    Case(
        "kuhn_poker",
        400_000,
        {
            "pma": {"step": 0.3, "pull": _falling(0.3, 0.03, 80), "fit": {"learning_rate": 1e-3}},
            "ppo": {}, "a2c": {}, "reinforce": {}, "mdpo": {}, "mdpo_off_policy": {}, "dqn": {}, "nfsp": {},
            "quantal_curriculum": {"adversary_temperature": _falling(2.0, 0.05, 40), "temperature": 0.05},
        },
    ),
    Case(
        "leduc_poker",
        1_000_000,
        {
            "pma": {
                "play": {"num_envs": 512, "steps": 32, "source": "rules"},
                "network": {"hidden": (256, 256), "activation": "relu", "centralised_critic": True},
                "step": 0.05, "pull": _falling(1.0, 0.2, 60),
                "fit": {"epochs": 5, "minibatches": 16, "learning_rate": 1e-3},
            },
            "ppo": {}, "a2c": {}, "reinforce": {}, "mdpo": {}, "mdpo_off_policy": {}, "dqn": {}, "nfsp": {},
            "quantal_curriculum": {"adversary_temperature": _falling(2.0, 0.2, 80), "temperature": 0.2},
        },
    ),
)  # fmt: skip


def run(
    seed: np.random.SeedSequence, *, game: str, learner: str, settings: dict[str, Any], marks: list[int]
) -> list[float]:
    """One run: exact NashConv of its policy when so many stages have been played."""
    built = eqenvs.make(game)
    spec = find_learner(learner)
    found = spec.build(built, by_id({"id": learner, **settings}, find_learner, "learner"), InlineExecutor(0))
    state, scores = found.init(seed), []
    played = 0.0
    for mark in marks:
        while played < mark:
            state, metrics = found.step(state)
            played = metrics["samples/stages"]
        scores.append(score(built, found.average_policy(state)).nash_conv)
    return scores


def section(settings: Settings) -> Section:
    """NashConv by learner and stages played, mean and half-width of the 95 % interval over seeds."""
    rows: list[Row] = []
    seeds = 2 if settings.quick else SEEDS
    with RayExecutor(0, 2) if not settings.quick else InlineExecutor(0) as executor:
        for case in CASES[:1] if settings.quick else CASES:
            budget = 4_000 if settings.quick else case.stages
            for name, own in case.learners.items():
                marks = [round(budget * share) for share in SHARES]
                found = _runs(executor, case.game, name, own, marks, seeds)
                row: Row = {"game": case.game, "learner": name, "stages": budget}
                for place, share in enumerate(SHARES):
                    values = found[:, place]
                    half = T_95[seeds] * values.std(ddof=1) / np.sqrt(seeds)
                    row[f"at_{share:g}"] = f"{values.mean():.3f} ± {half:.3f}"
                row["exploitability"] = float(found[:, -1].mean() / 2)
                row["best_seed"] = float(found[:, -1].min() / 2)
                rows.append(row)
                settings.say(brief(row))
    return Section(
        id="curves",
        title=f"Exact NashConv of learners with networks, {seeds} seeds",
        columns={
            "game": "game",
            "learner": "learner",
            "stages": "stages played",
            **{f"at_{share:g}": f"NashConv at {100 * share:g} %" for share in SHARES},
            "exploitability": "exploitability at the end",
            "best_seed": "best seed",
        },
        rows=rows,
        notes=(
            "Mean and half-width of the 95 % interval of the mean (Student's t). Uniform play has NashConv .917 on "
            "Kuhn poker and 4.747 on Leduc poker; exploitability is half of NashConv.",
        ),
    )


def _runs(
    executor: Executor, game: str, name: str, own: dict[str, Any], marks: list[int], seeds: int
) -> np.ndarray[Any, np.dtype[np.float64]]:
    number = sum(map(ord, game + name))  # a key of its own for every learner on every game
    tasks = [
        Task(
            (number, seed),
            "eqagents.bench._deep_curves:run",
            {"game": game, "learner": name, "settings": own, "marks": marks},
        )
        for seed in range(seeds)
    ]
    results = dict(executor.run(tasks))
    return np.array([results[task.key] for task in tasks])
