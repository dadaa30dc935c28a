"""Benchmarks, one file each: figures of ours beside those of other programs, measured in one run on one machine.

A benchmark's file defines `BENCHMARK`. It gives sections, tables of one row per thing measured; a section that compares
with a program that is not installed leaves its cells empty. What is read on a clock is CPU time of one thread, because
that moves less than wall-clock time where something else is running; on an idle machine the two are the same.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eqenvs import discovery

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much to measure.

    Attributes:
        quick: small games and short slices, to see that everything runs; the figures mean little.
        say: told of every row as it is measured, in one line.
    """

    quick: bool = False
    say: Callable[[str], None] = lambda line: None

    @property
    def seconds(self) -> float:
        """Of one slice of one contestant."""
        return 0.01 if self.quick else 0.3

    @property
    def rounds(self) -> int:
        """Slices of each contestant."""
        return 2 if self.quick else 5


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table.

    Attributes:
        id: its key in the document.
        title: what is measured, and in which unit.
        columns: heading by key of a row, in the order of the table; a row may hold more, for programs.
        rows: an absent or None cell was not measured.
        notes: what a reader must know to read the figures, a sentence or more each.
    """

    id: str
    title: str
    columns: dict[str, str]
    rows: list[Row]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A benchmark that can be asked for by name.

    Attributes:
        id: the file's name.
        title: one line.
        sections: what is measured, each a function that measures it.
        kernels: by name, what compiles them or loads them from the disk, before any section's clock starts.
        notes: of the table of the kernels, asked for when it is made.
    """

    id: str
    title: str
    sections: tuple[Callable[[Settings], Section], ...] = field(repr=False)
    kernels: Mapping[str, Callable[[], object]] = field(default_factory=dict, repr=False)
    notes: Callable[[], tuple[str, ...]] = tuple

    def run(self, settings: Settings) -> list[Section]:
        """All sections, the compilation first."""
        found = [self._compile(settings)] if self.kernels else []
        for section in self.sections:
            gc.collect()
            found.append(section(settings))
        return found

    def _compile(self, settings: Settings) -> Section:
        rows: list[Row] = []
        for name, ready in self.kernels.items():
            started = time.process_time()
            ready()
            rows.append({"kernels": name, "seconds": time.process_time() - started})
            settings.say(brief(rows[-1]))
        return Section(
            id="compile",
            title="CPU seconds to have the kernels ready, before any clock below starts",
            columns={"kernels": "kernels", "seconds": "seconds"},
            rows=rows,
            notes=("Compiled on the first use after installation, later read from the disk.", *self.notes()),
        )


def find_benchmark(name: str) -> Benchmark:
    """The benchmark called `name`.

    Raises:
        UnknownNameError: naming the nearest one.
    """
    found: Benchmark = discovery.load("eqagents.bench", "benchmark", name, "BENCHMARK", Benchmark)
    return found


def document(benchmark: Benchmark, settings: Settings) -> dict[str, Any]:
    """Run a benchmark: what `eqenvs bench NAME --json` prints."""
    from eqagents.bench._measure import environment

    sections = benchmark.run(settings)
    return {
        "benchmark": benchmark.id,
        "title": benchmark.title,
        "quick": settings.quick,
        "environment": environment(),
        "sections": {
            section.id: {
                "title": section.title,
                "columns": section.columns,
                "rows": section.rows,
                "notes": list(section.notes),
            }
            for section in sections
        },
    }


def is_document(path: Path, benchmark: Benchmark) -> bool:
    """Whether a file holds a document of this benchmark, which a newer one may replace."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and data.get("benchmark") == benchmark.id


def brief(row: Row) -> str:
    """A row in one line, for the progress."""
    return "  ".join(f"{key} {cell(value)}" for key, value in row.items() if value not in (None, {}))


def cell(value: Any) -> str:
    """A value as tables print it: four digits of a number; empty if it was not measured."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return str(value)
