"""OpenSpiel's games loaded and solved here, and the policies judged by OpenSpiel's own code.

    python benchmarks/open_spiel_games.py --out benchmarks/results/open_spiel.json
    python docs/update_tables.py

Needs open_spiel; about two minutes of CPU time and 2 GB. Exit status 1 where two scores of a policy differ by more than
1e-9, or where fewer than 25 games are solved.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from eqagents.bench import Benchmark, Settings
from eqagents.bench._interop import written
from eqagents.bench._interop_openspiel import TARGET, coverage, games

BENCHMARK = Benchmark(id="open_spiel", title="OpenSpiel's games, here and by OpenSpiel", sections=(games, coverage))
FEWEST = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few small games")
    parser.add_argument("--out", type=Path, help="write the result here as JSON")
    told = parser.parse_args()
    settings = Settings(quick=told.quick, say=lambda line: print(line, flush=True))
    rows = [row for row in written(BENCHMARK, settings, told.out) if "game" in row]
    differ = [row["game"] for row in rows if row["difference"] > 1e-9]
    solved = [row["game"] for row in rows if max(row["nash_conv"], row["theirs"]) <= TARGET]
    unsolved = [row["game"] for row in rows if row["game"] not in solved]
    print(f"{len(rows)} games, {len(solved)} solved; not: {unsolved or 'none'}; scores differ: {differ or 'none'}")
    sys.exit(bool(differ) or (len(solved) < FEWEST and not told.quick))


if __name__ == "__main__":
    main()
