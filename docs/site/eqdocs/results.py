"""The stored results that name a solver or a learner, and the command that measures them again."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from eqagents.bench import cell
from eqdocs.markdown import folded, table
from eqdocs.page import ROOT
from eqenvs import discovery

NAMED = ("method", "learner", "run")  # columns that say what a row is about
FEWEST = 12  # rows shown outright; more are folded away


@cache
def _documents() -> dict[str, dict[str, Any]]:
    folder = ROOT / "benchmarks" / "results"
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    return {name: document for name, document in found.items() if "sections" in document}


def tables(names: Collection[str], documents: Collection[str]) -> list[str]:
    """A part of a page for each stored table with rows about one of `names`.

    Args:
        names: what rows call it, in lower case; `rm` finds "rm", "`rm`" and "rm, in turn".
        documents: the stored results to look at, by the names of their files.
    """
    return [
        _part(name, section, rows)
        for name, document in _documents().items()
        if name in documents
        for section in document["sections"].values()
        if (rows := list(_about(section, names)))
    ]


def _about(section: dict[str, Any], names: Collection[str]) -> Iterator[dict[str, Any]]:
    column = next((key for key in NAMED if key in section["columns"]), None)
    for row in section["rows"]:
        if column is not None and _name(str(row.get(column))) in names:
            yield row


def _name(text: str) -> str:
    return text.partition(",")[0].replace("`", "").lower()


def _part(document: str, section: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    shown = {
        key: heading
        for key, heading in section["columns"].items()
        if any(row.get(key) not in (None, "") for row in rows)
    }
    drawn = table(list(shown.values()), [[cell(row.get(key)) for key in shown] for row in rows])
    notes = "\n\n".join(section.get("notes", ()))
    heading = str(section["title"])
    said = [f"**{heading}**", drawn, notes, f"Measured by `{command(document)}`."]
    parts = [part for part in said if part]
    if len(rows) <= FEWEST:
        return "\n\n".join(parts)
    return folded(f"{heading}: {len(rows)} rows", "\n\n".join(parts[1:]))


def command(document: str) -> str:
    """What measures a stored result again."""
    stored = f"benchmarks/results/{document}.json"
    if document in discovery.modules("eqagents.bench"):
        return f"eqenvs bench {document} --out {stored}"
    (script,) = (
        path for path in sorted((ROOT / "benchmarks").glob("*.py")) if stored in path.read_text(encoding="utf-8")
    )
    return f"python benchmarks/{script.name} --out {stored}"
