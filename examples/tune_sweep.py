"""A sweep with Ray Tune: one run for each combination of settings.

    pip install "eqenvs[cluster]"
    python examples/tune_sweep.py configs/psro_kuhn.yaml --out sweeps --grid learner.meta_solver=nash,uniform,prd

A run is in the directory of its trial, under `--out`. A trial whose process or node is lost is started again and
resumes its run from the last checkpoint, to the numbers that it would have had; a sweep that was killed goes on with
`--resume`. On several machines `--out` must be a folder that all of them have, and eqenvs be installed there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from eqagents.distributed import start_ray
from eqagents.training.config import load_config, parse_config
from eqagents.training.progress import Progress
from eqagents.training.run import resume, train

if TYPE_CHECKING:
    from ray import tune

METRIC = "nash_conv"


def trial(
    settings: Mapping[str, Any],
    base: Mapping[str, Any],
    out: str,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """One run, new or resumed; each score is reported.

    Args:
        settings: of this trial, by dotted name.
        base: the configuration that they change.
        out: where the sweep is.
        report: takes the metrics; default Tune.
    """
    from ray import tune

    report = report or tune.report
    context = tune.get_context()
    # Not the working directory of the trial's process, which is on one node and goes with Ray's session.
    directory = Path(out) / context.get_experiment_name() / Path(context.get_trial_dir()).name / "run"

    def tell(progress: Progress) -> None:
        if progress.score is not None:
            report({METRIC: progress.score.nash_conv, "iteration": progress.iteration, **progress.metrics})

    if (directory / "config.yaml").exists():
        resume(directory, tell)
    else:
        train(
            parse_config(base, [f"{name}={yaml.safe_dump(value)}" for name, value in settings.items()]), directory, tell
        )


def sweep(
    base: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]],
    out: Path,
    *,
    name: str = "sweep",
    go_on: bool = False,
    run_trial: Callable[..., None] = trial,
) -> tune.ResultGrid:
    """Every combination of the grid.

    Args:
        base: a run's configuration.
        grid: values by dotted name.
        out: where to put the sweep's folder.
        name: of the folder.
        go_on: whether to go on with the sweep that is there.
        run_trial: what to do for each combination.
    """
    from ray import tune

    storage = str(out.absolute())
    trainable = tune.with_resources(tune.with_parameters(run_trial, base=dict(base), out=storage), {"cpu": 1})
    if go_on:
        tuner = tune.Tuner.restore(str(Path(storage) / name), trainable, resume_unfinished=True, restart_errored=True)
    else:
        tuner = tune.Tuner(
            trainable,
            param_space={setting: tune.grid_search(list(values)) for setting, values in grid.items()},
            tune_config=tune.TuneConfig(metric=METRIC, mode="min"),
            run_config=tune.RunConfig(
                name=name, storage_path=storage, failure_config=tune.FailureConfig(max_failures=3), verbose=0
            ),
        )
    return tuner.fit()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a run's configuration")
    parser.add_argument("--out", type=Path, required=True, help="where to put the sweep's folder")
    parser.add_argument(
        "--grid", action="append", default=[], metavar="a.b=x,y", help="values of a setting; repeatable"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="a.b=c", dest="changes", help="as in eqenvs train"
    )
    parser.add_argument("--address", help="of a Ray cluster; without it Ray starts on this machine")
    parser.add_argument(
        "--resume", action="store_true", help="go on with the sweep that is there; give the rest as before"
    )
    options = parser.parse_args(arguments)
    grid = {}
    for entry in options.grid:
        setting, _, values = entry.partition("=")
        grid[setting] = yaml.safe_load(f"[{values}]")
    base = load_config(options.config, options.changes).model_dump(mode="json")
    if base.pop("executor")["workers"]:
        parser.error("a trial is one process; add --set executor.workers=0")
    start_ray(options.address)
    found = sweep(base, grid, options.out, go_on=options.resume)
    for result in sorted(found, key=lambda each: (each.metrics or {}).get(METRIC, float("inf"))):
        settings = " ".join(f"{setting}={value}" for setting, value in (result.config or {}).items())
        metrics = result.metrics or {}
        shown = f"{metrics[METRIC]:.3g} after {metrics['iteration']} iterations" if METRIC in metrics else "no score"
        print(f"{settings}: NashConv {shown}, in {result.path}/run")  # noqa: T201


if __name__ == "__main__":
    main()
