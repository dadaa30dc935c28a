"""Gambit's catalogue of games read here and by Gambit, solved here, and the solution judged by Gambit.

    python benchmarks/gambit_files.py --out benchmarks/results/gambit.json
    python docs/update_tables.py

Needs pygambit. Exit status 1 where a file was not read, payoffs or NashConv differ, or an equilibrium is none.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from eqagents.bench import Benchmark, Settings
from eqagents.bench._interop import written
from eqagents.bench._interop_gambit import TOLERANCE, section

BENCHMARK = Benchmark(id="gambit", title="Gambit's catalogue of games, here and by Gambit", sections=(section,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the first files only")
    parser.add_argument("--out", type=Path, help="write the result here as JSON")
    told = parser.parse_args()
    rows = written(BENCHMARK, Settings(quick=told.quick, say=lambda line: print(line, flush=True)), told.out)
    read = [row for row in rows if "refused" not in row]
    wrong = [row["file"] for row in rows if not row["same_players"] or ("refused" in row) == row["perfect_recall"]]
    wrong += [row["file"] for row in read if max(row["payoffs"], row["difference"]) > 1e-9]
    wrong += [row["file"] for row in read if row["nash_conv"] > TOLERANCE]
    print(f"{len(rows)} files, {len(read)} solved; wrong: {', '.join(wrong) or 'none'}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
