"""Write the stored benchmark results into the pages that show them.

A page says where with `<!-- table: DOCUMENT SECTION COLUMN ... -->` and `<!-- end -->`; what stands between is
replaced. Without columns a table has all of its section's.

    python docs/update_tables.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from eqagents.bench import cell

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PLACE = re.compile(r"(<!-- table: (\S+) (\S+)((?: \S+)*) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(section: dict[str, Any], columns: list[str]) -> str:
    """A section as a Markdown table."""
    chosen = {key: section["columns"].get(key, key) for key in columns or section["columns"]}
    rows = [[cell(row.get(key)) for key in chosen] for row in section["rows"]]
    lines = [list(chosen.values()), ["---"] * len(chosen), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def updated(text: str) -> str:
    """A page with its tables as the stored results have them."""

    def replace(place: re.Match[str]) -> str:
        document = json.loads((ROOT / "benchmarks" / "results" / f"{place[2]}.json").read_text(encoding="utf-8"))
        return f"{place[1]}\n{table(document['sections'][place[3]], place[4].split())}\n{place[5]}"

    return PLACE.sub(replace, text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
