"""What the benchmarks of games of other programs share."""

from __future__ import annotations

import json
from pathlib import Path

from eqagents.bench import Benchmark, Row, Settings, document


def written(benchmark: Benchmark, settings: Settings, file: Path | None) -> list[Row]:
    """Run a benchmark, and write its document to the file, where there is one.

    Returns:
        The rows of all its sections.
    """
    result = document(benchmark, settings)
    if file is not None:
        file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return [row for section in result["sections"].values() for row in section["rows"]]
