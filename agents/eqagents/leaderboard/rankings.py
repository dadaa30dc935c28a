"""Which entries are ranked on which tasks, and what the tests say of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqagents.leaderboard.plan import Place
from eqagents.leaderboard.results import Outcome, Result
from eqagents.leaderboard.statistics import (
    ALPHA,
    Friedman,
    alike,
    critical_difference,
    friedman,
    improvement,
    interquartile_mean,
    ranks,
    wins,
)
from eqenvs.arrays import Float64Array
from eqsolvers.scoring import ScoreKind

ROUNDING = 1e-12  # of scores of the order of 1: they are 0 up to this
DIGITS = 9  # after the point of a normalised score: what is equal up to here is a tie, not rounding


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Entries on the tasks that all of them cover with exact scores of all seeds.

    Attributes:
        name: of the ranking.
        entries: that are ranked, best first.
        tasks: that they are ranked on.
        left_out: why, by each other task.
        ranks: [N, k], of the means over seeds, on each task.
        average_ranks: [k].
        normalised: [k], interquartile means over all runs of the NashConv divided by that of uniform play.
        friedman: the test of all being alike; None with fewer than two tasks or entries.
        critical_difference: of average ranks; None where there is no test.
        alike: groups of entries that do not differ significantly.
        wins: [k, k], tasks on which the row is better than the column, ties half.
        improvement: [k, k], the probability that a run of the row is better than one of the column.
    """

    name: str
    entries: tuple[str, ...]
    tasks: tuple[str, ...]
    left_out: Mapping[str, str]
    ranks: Float64Array
    average_ranks: Float64Array
    normalised: Float64Array
    friedman: Friedman | None
    critical_difference: float | None
    alike: tuple[tuple[str, ...], ...]
    wins: Float64Array
    improvement: Float64Array

    def to_json(self) -> dict[str, Any]:
        """A number that is not finite is null."""
        return {
            "name": self.name,
            "entries": list(self.entries),
            "tasks": list(self.tasks),
            "left_out": dict(self.left_out),
            "average_ranks": self.average_ranks.tolist(),
            "normalised": self.normalised.tolist(),
            "ranks": self.ranks.tolist(),
            "friedman": None
            if self.friedman is None
            else {name: value if math.isfinite(value) else None for name, value in self.friedman._asdict().items()},
            "alpha": ALPHA,
            "critical_difference": self.critical_difference,
            "alike": [list(group) for group in self.alike],
            "wins": self.wins.tolist(),
            "improvement": self.improvement.tolist(),
        }


def ranked(
    name: str, entries: Sequence[str], results: Mapping[Place, Result], uniform: Mapping[str, float | None]
) -> Ranking:
    """The ranking of some entries; of those that have a score at all.

    Args:
        name: of the ranking.
        entries: by name.
        results: of all runs.
        uniform: NashConv of uniform play by task, in the order of the tasks; None where it is not exact.
    """
    scored = {place.entry for place, result in results.items() if result.outcome is Outcome.SCORED}
    entries = [entry for entry in entries if entry in scored]
    scores: dict[str, list[Float64Array]] = {}
    left_out: dict[str, str] = {}
    for task, scale in uniform.items():
        runs = [[result for place, result in results.items() if place[:2] == (task, entry)] for entry in entries]
        reason = _unranked(entries, runs, scale)
        if reason is not None:
            left_out[task] = reason
        else:
            scores[task] = [_normalised(own, scale) for own in runs]
    means = np.array([[own.mean() for own in runs] for runs in scores.values()]).reshape(len(scores), len(entries))
    placed = ranks(np.round(means, DIGITS)) if means.size else means
    average = placed.mean(axis=0) if means.size else np.zeros(0)
    order = np.argsort(average, kind="stable") if means.size else np.zeros(0, dtype=np.int64)
    chosen = [entries[j] for j in order]
    average, placed, means = average[order], placed[:, order], means[:, order]
    tested = len(scores) >= 2 and len(chosen) >= 2
    difference = critical_difference(len(chosen), len(scores)) if tested else None
    groups = [] if difference is None else alike(average.tolist(), difference)
    runs_of = [[np.round(runs[j], DIGITS) for j in order] for runs in scores.values()]
    return Ranking(
        name=name,
        entries=tuple(chosen),
        tasks=tuple(scores),
        left_out=left_out,
        ranks=placed,
        average_ranks=average,
        normalised=np.array([interquartile_mean(np.concatenate(own)) for own in zip(*runs_of, strict=True)]),
        friedman=friedman(average.tolist(), len(scores)) if tested else None,
        critical_difference=difference,
        alike=tuple(tuple(chosen[j] for j in group) for group in groups),
        wins=wins(np.round(means, DIGITS)) if chosen else np.zeros((0, 0)),
        improvement=improvement(runs_of) if chosen else np.zeros((0, 0)),
    )


def _unranked(entries: Sequence[str], runs: Sequence[Sequence[Result]], scale: float | None) -> str | None:
    """Why nobody is ranked on a task."""
    for entry, own in zip(entries, runs, strict=True):
        lacking = [result for result in own if result.outcome is not Outcome.SCORED]
        if lacking:
            return f"{entry}: {lacking[0].outcome.value}"
    if not entries:
        return "no entry has a score"
    if any(result.kind != ScoreKind.EXACT for own in runs for result in own):
        return "scores are not exact: a bound says little about who is nearer to equilibrium"
    return "uniform play is not scored exactly" if scale is None else None


def _normalised(runs: Sequence[Result], scale: float | None) -> Float64Array:
    """NashConv in units of that of uniform play; as it is where uniform play is an equilibrium."""
    scores = np.array([result.nash_conv for result in runs], dtype=np.float64)
    return scores / scale if scale is not None and scale > ROUNDING else scores
