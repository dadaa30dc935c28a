"""Results as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from eqenvs.spec import Family

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eqagents.cli.solving import Solved
    from eqagents.training.status import Status
    from eqenvs.game import Game
    from eqenvs.spec import Parameter
    from eqsolvers.scoring import Score


def parameter_line(parameter: Parameter) -> str:
    """A parameter, its default, meaning and range."""
    return f"{parameter.name}={parameter.default}: {parameter.description} ({parameter.range_text()})"


def game_line(game: Game) -> str:
    """A game in a line."""
    size = "exact model" if game.exact else "too large for an exact model"
    return f"{game.spec.id}: {game.spec.title}; {game.spec.family}, {_players(game)}, {size}"


def _players(game: Game) -> str:
    if game.family is Family.MEAN_FIELD:
        return f"{game.num_players} representative player{'' if game.num_players == 1 else 's'}"
    return f"{game.num_players} players, {'constant-sum' if game.constant_sum else 'general-sum'}"


def game_table(game: Game, data: Mapping[str, Any], scored: Score | None) -> Table:
    """What `eqenvs show` says, from its JSON data and the score of uniform play."""
    table = Table(game.spec.title, repr(game), show_header=True)
    table.add_row("source", game.spec.source)
    for known in game.spec.parameters:
        table.add_row("parameter", parameter_line(known))
    for name, size in (data["sizes"] or {"sizes": "too large for an exact model"}).items():
        table.add_row(name, str(size))
    who = "representative player 0" if game.family is Family.MEAN_FIELD else "player 0"
    table.add_row(f"value to {who}", "not recorded" if data["value"] is None else f"{data['value']:.9g}")
    if scored is not None:
        add_score(table, scored, "uniform play: ")
    return table


def score_table(scored: Score, title: str) -> Table:
    """A score."""
    table = Table("score", title)
    add_score(table, scored)
    return table


def add_score(table: Table, scored: Score, prefix: str = "") -> None:
    """The rows of a score."""
    data = scored.to_dict()
    for name in ("nash_conv", "exploitability", "values", "gains"):
        value = data[name]
        if value is None:
            undefined = name == "exploitability" and scored.normaliser is None
            text = "undefined for this game" if undefined else "not computed"
        elif isinstance(value, list):
            text = ", ".join("not computed" if v is None else f"{v:.6g}" for v in value)
        else:
            text = f"{value:.6g}"
        table.add_row(prefix + name, text)
    for name, gap in scored.gaps.items():
        table.add_row(prefix + name, f"{gap:.6g}")
    if not scored.gaps:
        table.add_row(prefix + "gaps", "not computed")
    table.add_row(prefix + "welfare", f"{data['welfare']:.6g}")
    table.add_row(prefix + "kind", data["kind"])
    detail: dict[str, Any] = data["detail"]
    tried = {name: detail[name] for name in ("attempts", "cce_gap_attempts") if name in detail}
    listed = {"responders", "budgets", *tried} if tried else set()
    for name, value in detail.items():
        if name not in listed:
            table.add_row(prefix + name, str(value))
    if tried:
        for number, (learner, budget) in enumerate(zip(detail["responders"], detail["budgets"], strict=True)):
            table.add_row(f"{prefix}responder {number}", f"{learner}: {_settings(budget)}")
    for name, attempts in tried.items():
        for attempt in attempts:
            table.add_row(prefix + name.removesuffix("s"), _attempt(attempt, attempts, detail))


def _settings(budget: Any) -> str:
    """A responder's budget, which is what it says or its settings by name."""
    if not isinstance(budget, dict):
        return str(budget)
    return ", ".join(f"{name}={value}" for name, value in budget.items() if name != "id")


def _attempt(attempt: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]], detail: Mapping[str, Any]) -> str:
    """A response that was learned; the one that its player kept is said to be kept."""
    gain, place = attempt["selected_gain"], attempt["responder"]
    best = max(other["selected_gain"] for other in attempts if other["player"] == attempt["player"])
    key = ".".join(map(str, attempt["spawn_key"]))
    kept = ", kept" if gain == best > 0 else ""
    return (
        f"player {attempt['player']}, responder {place} ({detail['responders'][place]}), seed {detail['seed']}/{key}: "
        f"gain {gain:.6g} ± {attempt['selected_half_width']:.2g}{kept}"
    )


def solved_table(solved: Solved, data: Mapping[str, Any]) -> Table:
    """What `eqenvs solve` says, from its JSON data and the score."""
    result = solved.result
    table = Table("result", repr(solved.game))
    shown = ("concept", "method", "status", "residual", "iterations", "seconds", "build_seconds", "compile_seconds")
    for name in (*shown, *result.measures, *result.detail, *({"iterate"} & data.keys())):
        value = data[name]
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        table.add_row(name, "nothing was found" if value is None and name == "residual" else text)
    if len(result.equilibria) > 1:
        for number, equilibrium in enumerate(data["equilibria"], start=1):
            table.add_row(f"equilibrium {number}", _written(equilibrium))
    elif data.get("policy") is not None:
        table.add_row("policy", _written(data["policy"]))
    add_score(table, solved.scored, "" if solved.found else "uniform play: ")
    return table


def status_table(found: Status, title: str) -> Table:
    """How a run stands."""
    table = Table("run", title)
    table.add_row("state", found.state if found.why is None else f"{found.state}: {found.why}")
    table.add_row("iteration", f"{'none' if found.iteration is None else found.iteration} of {found.iterations}")
    table.add_row("learning", _duration(found.seconds))
    if found.seconds_per_iteration is not None:
        table.add_row("an iteration", _duration(found.seconds_per_iteration))
    if found.seconds_left is not None:
        table.add_row("to the last one", _duration(found.seconds_left))
    if found.nash_conv is not None:
        table.add_row("nash_conv", f"{found.nash_conv:.6g} (iteration {found.scored_iteration})")
    table.add_row("checkpoint", "none" if found.checkpoint is None else str(found.checkpoint))
    table.add_row("results kept since", str(found.kept_results))
    if found.since_written is not None:
        table.add_row("last written", f"{_duration(found.since_written)} ago")
    return table


def _duration(seconds: float) -> str:
    """In a unit that suits it."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def section_table(section: Mapping[str, Any]) -> Table:
    """One section of a benchmark's document."""
    from eqagents.bench import cell

    table = Table(title=section["title"], title_justify="left")
    rows = [[cell(row.get(key)) for key in section["columns"]] for row in section["rows"]]
    for heading, texts in zip(section["columns"].values(), zip(*rows, strict=True), strict=True):
        # Figures are never cut: in a narrow terminal, or none, lines grow instead.
        width = max(map(len, (*heading.split(), *texts)))
        table.add_column(heading, min_width=width, justify="left" if any(map(_worded, texts)) else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _worded(text: str) -> bool:
    """Whether a cell holds words, not a figure."""
    return bool(text) and not text[0].isdigit()


def _written(numbers: Any) -> str:
    """Nested lists of probabilities, with as many digits as one reads."""
    return f"[{', '.join(map(_written, numbers))}]" if isinstance(numbers, list) else f"{numbers:.6g}"
