"""The document of a leaderboard: every run's score, the tables made of them, and the tests; all from the runs alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import eqenvs
from eqagents.bench import Row, cell
from eqagents.leaderboard.config import ALL, LeaderboardConfig
from eqagents.leaderboard.plan import Place
from eqagents.leaderboard.rankings import ROUNDING, Ranking, ranked
from eqagents.leaderboard.results import Outcome, Result
from eqagents.leaderboard.statistics import half_width
from eqagents.report.kinds import GAIN_SIGNS
from eqagents.training.run_directory import RunDirectory
from eqagents.training.stored import read_object
from eqenvs.policies import uniform_play
from eqsolvers.scoring import ScoreKind, score

UNNAMED = frozenset({"run", "release"})  # parts of a run's environment that say nothing about its numbers


def document(config: LeaderboardConfig, results: Mapping[Place, Result], directory: Path) -> dict[str, Any]:
    """What `eqenvs leaderboard --json` prints.

    Args:
        config: of the leaderboard; where it ran is left out.
        results: of all its runs.
        directory: that the runs are in; it is not named in the document.
    """
    uniform = uniform_scores(config)
    found = rankings(config, results)
    sections = {f"ranking_{each.name}": _ranking_section(each, results) for each in found}
    sections |= {"scores": _scores(config, results, uniform), "tasks": _tasks(config, uniform)}
    sections |= {f"improvement_{each.name}": _improvement_section(each) for each in found}
    if problems := _problems(results):
        sections["problems"] = problems
    return {
        "leaderboard": config.title,
        "config": config.model_dump(mode="json", exclude={"executor"}),
        "environments": _environments(results, directory),
        "tasks": {name: {"uniform_nash_conv": scale} for name, scale in uniform.items()},
        "runs": [{**place._asdict(), **result.to_json()} for place, result in results.items()],
        "rankings": {each.name: each.to_json() for each in found},
        "sections": sections,
    }


def markdown(document: Mapping[str, Any]) -> str:
    """The document's tables for people."""
    parts = [f"# {document['leaderboard']}\n"]
    for section in document["sections"].values():
        heads = section["columns"]
        rows = [[cell(row.get(key)) for key in heads] for row in section["rows"]]
        lines = [list(heads.values()), ["---"] * len(heads), *rows]
        parts += [f"## {section['title']}\n", "".join(f"| {' | '.join(map(_escaped, line))} |\n" for line in lines)]
        parts += [f"{note}\n" for note in section["notes"]]
    return "\n".join(parts)


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def rankings(config: LeaderboardConfig, results: Mapping[Place, Result]) -> list[Ranking]:
    """Of all entries, and of each group."""
    uniform = uniform_scores(config)
    groups = {ALL: tuple(entry.name for entry in config.entries), **config.groups}
    return [ranked(name, members, results, uniform) for name, members in groups.items()]


def uniform_scores(config: LeaderboardConfig) -> dict[str, float | None]:
    """NashConv of uniform play by task, where it is exact."""
    return {task.name: _uniform(task.id, json.dumps(task.parameters)) for task in config.tasks}


@cache
def _uniform(game_id: str, parameters: str) -> float | None:
    game = eqenvs.make(game_id, **json.loads(parameters))
    if not game.scored_exactly:
        return None
    scored = score(game, uniform_play)
    return scored.nash_conv if scored.kind is ScoreKind.EXACT else None


def _environments(results: Mapping[Place, Result], directory: Path) -> list[dict[str, Any]]:
    """The different ones that runs were begun in."""
    found = {}
    for place, result in results.items():
        if result.outcome is Outcome.SCORED:
            facts = read_object(RunDirectory(place.within(directory)).environment_file)
            facts = {name: value for name, value in facts.items() if name not in UNNAMED}
            found[json.dumps(facts, sort_keys=True)] = facts
    return list(found.values())


def _section(title: str, columns: Mapping[str, str], rows: Sequence[Row], notes: Sequence[str] = ()) -> dict[str, Any]:
    return {"title": title, "columns": dict(columns), "rows": list(rows), "notes": list(notes)}


def _of(results: Mapping[Place, Result], task: str | None, entry: str) -> list[Result]:
    """The results of an entry, on one task or on all."""
    return [each for place, each in results.items() if place.entry == entry and task in (None, place.task)]


def _ranking_section(ranking: Ranking, results: Mapping[Place, Result]) -> dict[str, Any]:
    rows = []
    letters = dict.fromkeys(ranking.entries, "")
    for index, group in enumerate(ranking.alike):
        for name in group:
            letters[name] += chr(ord("a") + index)
    for j, name in enumerate(ranking.entries):
        own = [each for each in _of(results, None, name) if each.outcome is Outcome.SCORED]
        cpu = [each.cpu_seconds for each in own if each.cpu_seconds is not None]
        seen = [each.samples for each in own if each.samples]
        others = [ranking.improvement[j, i] for i in range(len(ranking.entries)) if i != j]
        rows.append(
            {
                "entry": name,
                "average_rank": float(ranking.average_ranks[j]),
                "alike": letters[name],
                "normalised": _figure(float(ranking.normalised[j])),
                "wins": float(ranking.wins[j].sum()),
                "improvement": float(sum(others) / len(others)) if others else None,
                "samples": ", ".join(
                    f"{sum(each.get(unit, 0) for each in seen) / len(own):,.0f} {unit}" for unit in _units(seen)
                ),
                "cpu_seconds": sum(cpu) / len(cpu) if cpu else None,
            }
        )
    columns = {
        "entry": "entry",
        "average_rank": "average rank",
        "alike": "alike",
        "normalised": "normalised NashConv, IQM",
        "wins": "pairwise wins",
        "improvement": "probability of improvement",
        "samples": "samples a run",
        "cpu_seconds": "CPU seconds a run",
    }
    title = f"ranking: {ranking.name}, {len(ranking.entries)} entries on {len(ranking.tasks)} tasks"
    return _section(title, columns, rows, _ranking_notes(ranking))


def _units(samples: Sequence[Mapping[str, float]]) -> list[str]:
    """In which samples are counted."""
    return sorted({unit for each in samples for unit in each})


def _ranking_notes(ranking: Ranking) -> list[str]:
    notes = []
    if ranking.friedman is not None and ranking.critical_difference is not None:
        test = ranking.friedman
        notes.append(
            f"Friedman: chi2 = {test.chi2:.4g} (p = {test.chi2_p:.2g}), F = {test.f:.4g} (p = {test.f_p:.2g}). "
            f"Average ranks differ significantly (Nemenyi, 5 %) where they are {ranking.critical_difference:.3g} or "
            "more apart; entries that share a letter do not."
        )
    else:
        notes.append("No test: that takes two tasks that two entries cover.")
    if ranking.left_out:
        listed = "; ".join(f"{task} ({reason})" for task, reason in ranking.left_out.items())
        notes.append(f"Tasks without ranks: {listed}.")
    return notes


def _scores(
    config: LeaderboardConfig, results: Mapping[Place, Result], uniform: Mapping[str, float | None]
) -> dict[str, Any]:
    rows: list[Row] = [{"entry": "uniform play", **uniform}]
    for entry in config.entries:
        texts = {task.name: _mean(_of(results, task.name, entry.name)) for task in config.tasks}
        rows.append({"entry": entry.name, **texts})
    columns = {"entry": "entry", **{task.name: task.name for task in config.tasks}}
    seeds = "1 seed" if len(config.seeds) == 1 else f"{len(config.seeds)} seeds"
    notes = [
        f"NashConv (the sum of the players' gains from deviating) of the last policy, {seeds}: mean ± half the "
        "95 % interval (Student's t); without ± all seeds have the same score, or there is one. Exact unless marked: "
        "≥ a lower bound from learned best responses, ≈ an estimate."
    ]
    if any(result.timed_out for result in results.values()):
        notes.append("*: budget.seconds ended runs of it.")
    return _section("NashConv of every entry on every task", columns, rows, notes)


def _mean(runs: Sequence[Result]) -> str:
    """The mean over the seeds that have a score, or why there is none."""
    scored = [each for each in runs if each.outcome is Outcome.SCORED and each.nash_conv is not None]
    if not scored:
        return " ".join(sorted({each.outcome.value for each in runs}))
    values = [each.nash_conv for each in scored if each.nash_conv is not None]
    width = half_width(values)
    sign = max((GAIN_SIGNS[ScoreKind(each.kind)] for each in scored if each.kind), key=len)
    text = f"{sign}{_figure(sum(values) / len(values)):.4g}"
    if width is not None and width > ROUNDING:
        text += f" ± {width:.2g}"
    if any(each.timed_out for each in scored):
        text += " *"
    return text if len(scored) == len(runs) else f"{text} ({len(scored)} of {len(runs)})"


def _figure(value: float) -> float:
    return value if abs(value) > ROUNDING else 0.0


def _tasks(config: LeaderboardConfig, uniform: Mapping[str, float | None]) -> dict[str, Any]:
    rows: list[Row] = []
    for task in config.tasks:
        game = eqenvs.make(task.id, **task.parameters)
        rows.append(
            {
                "task": task.name,
                "game": game.spec.id,
                "parameters": task.parameters,
                "players": game.num_players,
                "uniform": uniform[task.name],
                **_sizes(game),
            }
        )
    columns = {
        "task": "task",
        "game": "game",
        "parameters": "parameters, where not default",
        "players": "players",
        "histories": "histories",
        "infosets": "information sets",
        "uniform": "NashConv of uniform play",
    }
    return _section("tasks", columns, rows)


def _sizes(game: eqenvs.Game) -> Row:
    """Of games in extensive form."""
    if not game.exact:
        return {}
    sizes = game.model().sizes()
    return {"histories": sizes.get("histories"), "infosets": sum(sizes["infosets"]) if "infosets" in sizes else None}


def _improvement_section(ranking: Ranking) -> dict[str, Any]:
    names = ranking.entries
    rows: list[Row] = []
    for j, name in enumerate(names):
        others = {names[i]: f"{ranking.improvement[j, i]:.2f}" for i in range(len(names)) if i != j}
        rows.append({"entry": name, **others})
    title = f"probability that a run of the row is better than one of the column: {ranking.name}"
    return _section(title, {"entry": "entry", **{name: name for name in names}}, rows)


def _problems(results: Mapping[Place, Result]) -> dict[str, Any] | None:
    """The runs without a score, and why; those that are alike in one row."""
    seeds: dict[tuple[str, str, str, str], list[int]] = {}
    for place, result in results.items():
        if result.outcome is not Outcome.SCORED:
            key = (place.task, place.entry, result.outcome.value, result.reason or "")
            seeds.setdefault(key, []).append(place.seed)
    if not seeds:
        return None
    rows = [
        {"task": task, "entry": entry, "outcome": outcome, "seeds": ", ".join(map(str, own)), "reason": reason}
        for (task, entry, outcome, reason), own in seeds.items()
    ]
    columns = {name: name for name in ("task", "entry", "outcome", "seeds", "reason")}
    return _section("runs without a score", columns, rows)
