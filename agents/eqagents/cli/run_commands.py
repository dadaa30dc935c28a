"""Commands about one run: train, resume, status, replay, evaluate."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from eqagents.cli.console import busy, err, interruptible, out, print_json
from eqagents.cli.inputs import is_policy_file, loaded
from eqagents.cli.options import JsonFlag, Step
from eqenvs.errors import InputError


def _finish(path: Path, as_json: bool) -> None:
    from eqagents.cli.progress import summary

    said = summary(path)
    if as_json:
        print_json(said)
    else:
        out.print(f"run: {said['run']}  (TensorBoard: tensorboard --logdir {said['tensorboard']})")


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.")],
    directory: Annotated[Path, typer.Option("--out", help="The run's directory; must not exist or be empty.")],
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Override a key: a.b=value.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Start a run."""
    from eqagents.cli.progress import TrainingDisplay
    from eqagents.training.config import load_config
    from eqagents.training.run import train as start

    settings = load_config(config, overrides or [])
    with interruptible(directory) as interrupt, TrainingDisplay() as display:
        start(settings, directory, display, interrupt)
    _finish(directory, as_json)


def resume(
    run_or_uri: Annotated[
        str, typer.Argument(metavar="RUN_OR_URI", help="A run's directory, or where its checkpoints were copied to.")
    ],
    step: Step = None,
    directory: Annotated[
        Path | None, typer.Option("--out", help="Of a URI: the run's new directory; must not exist or be empty.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Go on with an interrupted run from its last checkpoint, or from a copy of it."""
    from eqagents.cli.progress import TrainingDisplay
    from eqagents.training.run import resume as go_on

    path = Path(run_or_uri)
    if "://" in run_or_uri and directory is None:
        raise InputError("resuming from a URI needs --out DIR, the run's new directory")
    if directory is not None:
        from eqagents.training.remote import fetch

        with busy("fetching the checkpoint"):
            fetch(run_or_uri, directory, step)
        path, step = directory, None
    with interruptible(path) as interrupt, TrainingDisplay() as display:
        go_on(path, display, interrupt, step=step)
    _finish(path, as_json)


def status(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory.")], as_json: JsonFlag = False
) -> None:
    """Say how a run stands, also while it is trained."""
    from eqagents.cli.tables import status_table
    from eqagents.training.status import status_of

    found = status_of(directory)
    if as_json:
        print_json({"run": str(directory), **found.to_dict()})
    else:
        out.print(status_table(found, str(directory)))


def replay(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run that a task failed in.")],
    as_json: JsonFlag = False,
) -> None:
    """Run the task that a run failed at again, in this process, to see why."""
    from eqagents.distributed import TaskError
    from eqagents.training.run import replay as again

    with busy("going to the task"):
        try:
            task, _ = again(directory)
        except TaskError as error:
            err.print(error.details)  # what it is asked for
            raise
    if as_json:
        print_json({"key": list(task.key), "function": task.function, "failed": False})
        return
    what = f"task {task.key} ({task.function})"
    out.print(f"{what} does not fail here: `eqenvs resume {shlex.quote(str(directory))}` goes on")


def _evaluate_in_populations(path: Path, step: int | None, num_agents: str, as_json: bool) -> None:
    from eqagents.cli.populations import population_table, sizes_of
    from eqsolvers.scoring.finite_population import population_curve

    sizes = sizes_of(num_agents)
    with busy("scoring"):
        found = loaded(path, step)
        curve = population_curve(found.game, found.policy, sizes)
    if as_json:
        print_json(curve.to_dict())
    else:
        out.print(population_table(curve, str(path)))


def evaluate(
    path: Annotated[Path, typer.Argument(metavar="RUN_OR_POLICY", help="A run's directory or a policy's JSON file.")],
    step: Step = None,
    num_agents: Annotated[
        str | None,
        typer.Option(metavar="N[,N...]", help="Score a mean-field policy in games of so many agents instead."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Score a trained run or a policy file against equilibrium."""
    from eqagents.cli.tables import score_table
    from eqenvs.policy_files import load_policy
    from eqsolvers.scoring import score

    if num_agents is not None:
        _evaluate_in_populations(path, step, num_agents, as_json)
        return
    with busy("scoring"):
        if is_policy_file(path, step):
            scored = score(*load_policy(path))
        else:
            from eqagents.training.run import evaluate as evaluate_run

            scored = evaluate_run(path, step=step)
    if as_json:
        print_json(scored.to_dict())
    else:
        out.print(score_table(scored, str(path)))
