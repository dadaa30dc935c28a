"""Spoiled inputs of every kind that is read: each must give a result or one line of an error, and run nothing.

    python benchmarks/fuzz.py --cases 10000 --seed 0 --out benchmarks/results/fuzz.json

Linux, one process. Exit status 1 where a case was anything else.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from eqagents.bench._fuzz_campaign import campaign
from eqagents.bench._measure import environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", help="of input; may be repeated; default all")
    parser.add_argument("--seconds", type=float, help="after which no further case is begun")
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()
    started = time.monotonic()
    found = campaign(
        told.cases, told.seed, kinds=told.kind, seconds=told.seconds, say=lambda line: print(ascii(line), flush=True)
    )
    rows = [
        {
            "kind": kind,
            "cases": each.valid + each.refused + len(each.findings),
            "valid": each.valid,
            "refused": each.refused,
            "findings": len(each.findings),
            "slowest_s": round(each.slowest, 3),
        }
        for kind, each in found.items()
    ]
    cases, findings = sum(row["cases"] for row in rows), sum(row["findings"] for row in rows)
    summary = f"{cases} cases, {findings} neither valid nor refused in one line"
    for row in rows:
        print(row)
    print(f"{summary}, {time.monotonic() - started:.0f} s")
    if told.out is not None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        document = {
            "benchmark": "fuzz",
            "title": "Spoiled inputs",
            "summary": summary,
            "settings": {"cases": told.cases, "seed": told.seed, "peak_bytes": peak},
            "environment": environment(),
            "rows": rows,
            "findings": [
                ascii(f"{f.kind}, case {f.number}: {f.fault}") for each in found.values() for f in each.findings
            ],
        }
        told.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.exit(0 if findings == 0 and cases == told.cases else 1)


if __name__ == "__main__":
    main()
