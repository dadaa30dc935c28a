"""Results as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from eqenvs.spec import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eqagents.cli.solving import Solved
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
    for name, value in data["detail"].items():
        table.add_row(prefix + name, str(value))


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
