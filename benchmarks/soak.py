"""Runs for half an hour whose memory must stay flat, and what checkpoints cost.

    python benchmarks/soak.py --minutes 30 --out benchmarks/results/soak.json
    python docs/update_tables.py

Linux. Exit status 1 where something grew, was left, or cost too much.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from eqagents.bench import Section, brief
from eqagents.bench._measure import environment
from eqagents.bench._soak import BOUND, RUNS, sections, soak
from eqagents.bench._soak_overhead import CONFIGS, section

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="of the soak; 0: none")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between samples")
    parser.add_argument("--run", action="append", choices=[*RUNS], help="may be repeated; default all")
    parser.add_argument("--no-overhead", action="store_true", help="leave out what checkpoints cost")
    parser.add_argument("--config", action="append", choices=[*CONFIGS], help="for what checkpoints cost; default all")
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    found: list[Section] = []
    if told.minutes:
        # Ray's sockets are under it, whose names may have 107 bytes.
        place = Path(tempfile.mkdtemp(prefix="eqs-"))
        runs = {name: config for name, config in RUNS.items() if not told.run or name in told.run}
        found += sections(*soak(told.minutes, place, runs, told.every, say), told.minutes)
        shutil.rmtree(place, ignore_errors=True)
    if not told.no_overhead:
        names = {name: CONFIGS[name] for name in told.config or CONFIGS}
        found.append(section(ROOT / "configs", names, say))
    for each in found:
        print(f"\n{each.title}")
        for row in each.rows:
            print(brief(row))
    rows = {each.id: each.rows for each in found}
    bad = [row for name in ("memory", "counts") for row in rows.get(name, []) if row["flat"] is False]
    bad += [row for row in rows.get("work", []) if row["wrong"] != "nothing"]
    bad += [row for row in rows.get("overhead", []) if not row["within"]]
    print(f"\n{len(bad)} rows are not as they should be")
    if told.out is not None:
        document = {
            "benchmark": "soak",
            "title": "Runs for half an hour, and what checkpoints cost",
            "settings": {"minutes": told.minutes, "every": told.every, "bound_mib_per_hour": BOUND},
            "environment": environment(),
            "sections": {
                each.id: {"title": each.title, "columns": each.columns, "rows": each.rows, "notes": list(each.notes)}
                for each in found
            },
        }
        told.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
