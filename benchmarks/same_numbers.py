"""Every learner on 0, 1, 2 and 8 workers and with several hash seeds: the same numbers, to the bit.

    python benchmarks/same_numbers.py --out benchmarks/results/same_numbers.json
    python docs/update_tables.py

Exit status 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from eqagents.bench._measure import environment
from eqagents.bench._same_numbers import WORKERS, section


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", action="append", help="a family, learner or run; may be repeated; default all")
    parser.add_argument("--workers", type=int, action="append", help="may be repeated; default 0, 1, 2, 8")
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()
    found = section(told.family, told.workers or WORKERS, lambda line: print(line, flush=True))
    if told.out is not None:
        document = {
            "benchmark": "same_numbers",
            "title": found.title,
            "environment": environment(),
            "sections": {
                found.id: {"title": found.title, "columns": found.columns, "rows": found.rows, "notes": [*found.notes]}
            },
        }
        told.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(row["differing"] != "nothing" for row in found.rows))


if __name__ == "__main__":
    main()
