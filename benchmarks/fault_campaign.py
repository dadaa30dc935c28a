"""Random faults at runs of every learner: each must end, to the bit, like the run that nothing happened to.

    python benchmarks/fault_campaign.py --kills 200 --seed 0 --out benchmarks/results/faults.json
    python docs/update_tables.py

Linux; a full disk is a small file system in memory where the user may mount one, else a limit on the size of files.
Exit status 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from eqagents.bench._faults_campaign import Campaign
from eqagents.bench._faults_forks import Forks
from eqagents.bench._measure import environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="faults that must have happened")
    parser.add_argument("--seed", type=int, default=0, help="of the choice and the moments of faults")
    parser.add_argument("--family", action="append", help="a family, learner or run; may be repeated; default all")
    parser.add_argument("--seconds", type=float, help="after which no further run is begun")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1)), help="runs at a time")
    parser.add_argument("--on", action="append", choices=("driver", "workers", "cluster"), help="default all")
    parser.add_argument("--fresh", action="store_true", help="every driver is an interpreter of its own: slow")
    parser.add_argument("--quick", action="store_true", help="a dozen faults at four learners, in the driver only")
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()
    kills, names, on = told.kills, told.family, told.on or ["driver", "workers", "cluster"]
    if told.quick:
        kills, on = min(kills, 12), told.on or ["driver"]
        names = names or ["tabular", "psro, simulated cells", "ppo", "mean_field_q_learning"]
    forks = None if told.fresh else Forks()
    campaign = Campaign(
        kills,
        told.seed,
        names=names,
        seconds=told.seconds,
        jobs=told.jobs,
        forks=forks,
        on=on,
        say=lambda line: print(line, flush=True),
    )
    trials = campaign.run()
    if forks is not None:
        forks.close()
    wrong = sum(len(each.wrong) for each in trials)
    equal = sum(each.equal for each in trials)
    summary = f"{campaign.faults} faults, {len(trials)} runs, {equal} equal, {wrong} things wrong"
    print(f"{summary}, {campaign.seconds:.0f} s")
    sections = {
        each.id: {"title": each.title, "columns": each.columns, "rows": each.rows, "notes": list(each.notes)}
        for each in campaign.sections()
    }
    if told.out is not None:
        facts = {"kills": kills, "seed": told.seed, "jobs": told.jobs, "on": on, "seconds": campaign.seconds}
        document = {
            "benchmark": "faults",
            "title": "Random faults at runs of every learner",
            "summary": summary,
            "settings": facts,
            "environment": environment(),
            "sections": sections,
        }
        told.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.exit(0 if wrong == 0 and equal == len(trials) and campaign.faults >= kills else 1)


if __name__ == "__main__":
    main()
