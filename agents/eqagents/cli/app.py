"""The `eqenvs` command; `eqenvs --help` lists what it does.

Results go to standard output, as a table or, with `--json`, as one JSON document; progress and errors go to standard
error. Exit status: 0 done, 1 not converged, none exists or a defect, 2 bad input (one line says what), 130 and
143 interrupted.
"""

from __future__ import annotations

import logging
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import eqenvs
from eqagents.cli.console import assignments, busy, err, interruptible, out, print_json
from eqagents.cli.inputs import is_policy_file, loaded, require_new, require_parent
from eqenvs import registry
from eqenvs.errors import InputError
from eqenvs.game import Game

app = typer.Typer(
    name="eqenvs",
    help="Games, learners and equilibrium solvers over one definition of a game.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Parameters = Annotated[list[str] | None, typer.Option("--parameter", "-p", help="A game parameter, name=value.")]
Step = Annotated[int | None, typer.Option("--step", help="The checkpoint of this iteration; default the last.")]


def _make(game_id: str, parameters: list[str] | None) -> Game:
    return eqenvs.make(game_id, **eqenvs.spec(game_id).parse(assignments("--parameter", parameters or [])))


@app.command()
def games(as_json: JsonFlag = False) -> None:
    """List the games and their parameters."""
    from eqagents.cli.tables import game_line, parameter_line

    rows: list[dict[str, Any]] = []
    for spec in registry.specs().values():
        game = Game(spec)
        rows.append(
            {
                "id": game.spec.id,
                "family": game.spec.family.value,
                "num_players": game.num_players,
                "constant_sum": game.constant_sum,
                "exact": game.exact,
                "parameters": [parameter.to_dict() for parameter in game.spec.parameters],
            }
        )
        if not as_json:
            out.print(game_line(game))
            for parameter in game.spec.parameters:
                out.print(f"    {parameter_line(parameter)}")
    if as_json:
        print_json(rows)


@app.command()
def show(
    game_id: Annotated[str, typer.Argument(metavar="GAME")], parameter: Parameters = None, as_json: JsonFlag = False
) -> None:
    """Show a game's parameters, sizes, value where known, and the score of uniformly random play."""
    from eqagents.cli.playing import first_picture
    from eqagents.cli.tables import game_table
    from eqenvs.policies import uniform_play
    from eqsolvers.scoring import score

    game = _make(game_id, parameter)
    with busy("scoring uniform play"):
        scored = score(game, uniform_play) if game.scored_exactly else None
    values = next((fact.values for fact in game.facts if fact.values is not None), None)
    sizes = game.model().sizes() if game.exact else None
    data = {
        "id": game.spec.id,
        "family": game.spec.family.value,
        "parameters": game.parameters,
        "title": game.spec.title,
        "source": game.spec.source,
        "sizes": sizes,
        "value": None if values is None else values[0],
        "uniform": None
        if scored is None
        else {
            "nash_conv": scored.nash_conv,
            "exploitability": scored.exploitability_or_none,
            "values": [float(v) for v in scored.values],
        },
    }
    if as_json:
        print_json(data)
        return
    out.print(game_table(game, data, scored))
    if (picture := first_picture(game)) is not None:
        out.print(f"\nAfter `reset(seed=0)`, everything shown:\n{picture}")


@app.command()
def solve(
    game_id: Annotated[str, typer.Argument(metavar="GAME")],
    parameter: Parameters = None,
    concept: Annotated[str | None, typer.Option(help="What to compute; default what the method does, or nash.")] = None,
    method: Annotated[str | None, typer.Option(help="Which solver; default the preferred one for the concept.")] = None,
    iterations: Annotated[int | None, typer.Option(min=1, help="The most iterations, for iterative methods.")] = None,
    seconds: Annotated[float | None, typer.Option(help="The longest to run, for iterative methods.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of a method's randomness, where it has any.")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="A parameter of the method, name=value.")] = None,
    target: Annotated[
        float,
        typer.Option(help="Residual that counts as converged, payoff units; of qre, alpha-rank, sink: probability."),
    ] = 1e-9,
    best: Annotated[
        bool, typer.Option("--best", help="The best iterate looked at instead of the last, where a method keeps it.")
    ] = False,
    save: Annotated[Path | None, typer.Option("--out", help="Write the policy to this JSON file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Solve a game on its exact model, and score what was found."""
    from eqagents.cli.solving import solve_game
    from eqagents.cli.tables import solved_table
    from eqagents.training.files import write_json
    from eqsolvers.result import Status

    require_new(save)
    solved = solve_game(
        _make(game_id, parameter),
        concept=concept,
        method=method,
        iterations=iterations,
        seconds=seconds,
        seed=seed,
        settings=assignments("--set", setting or []),
        target=target,
        best=best,
        busy=busy,
    )
    if save is not None:
        write_json(save, solved.policy_to_json())
    data = solved.to_json()
    if as_json:
        print_json(data)
    else:
        out.print(solved_table(solved, data))
    result = solved.result
    if result.status is not Status.CONVERGED:
        what = result.status.value
        if result.status is not Status.NONE_EXISTS:
            what = f"not converged: {what}, residual {result.residual:.3g}"
        err.print(f"{what}{': ' if result.message else ''}{result.message}")
        raise typer.Exit(1)


@app.command()
def export(
    game_id: Annotated[str, typer.Argument(metavar="GAME")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new .efg, .nfg, .npy or .csv file.")],
    parameter: Parameters = None,
) -> None:
    """Write a game as a file of Gambit (.efg, .nfg) or, in normal form, as a table of payoffs (.npy, .csv)."""
    from eqenvs.interop import gambit, table

    writers = {".efg": gambit.write, ".nfg": gambit.write, ".npy": table.write, ".csv": table.write}
    if file.suffix not in writers:
        raise InputError(f"{file}: must end in {', '.join(writers)}")
    require_new(file, "FILE")
    with busy("building the model"):
        writers[file.suffix](_make(game_id, parameter), file)
    scheme = "gambit" if file.suffix in (".efg", ".nfg") else "table"
    out.print(f"written: {file}, which is the game {scheme}:{file}")


def _finish(path: Path, as_json: bool) -> None:
    from eqagents.cli.progress import summary

    said = summary(path)
    if as_json:
        print_json(said)
    else:
        out.print(f"run: {said['run']}  (TensorBoard: tensorboard --logdir {said['tensorboard']})")


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def replay(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a run that a task failed in.")],
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


@app.command()
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


@app.command()
def compare(
    paths: Annotated[
        list[Path], typer.Argument(metavar="RUN_OR_POLICY...", help="Run directories and policy files of one game.")
    ],
    file: Annotated[Path | None, typer.Option("--out", "-o", help="Write the JSON document here.")] = None,
    solver: Annotated[
        str, typer.Option(help="The meta-solver that picks a profile from every run's populations.")
    ] = "nash",
    every: Annotated[int, typer.Option(help="Iterations between the populations that are evaluated.")] = 1,
    regrets: Annotated[bool, typer.Option("--regret/--no-regret", help="Whether to evaluate populations.")] = True,
    episodes: Annotated[
        int | None,
        typer.Option(help="Simulate, in blocks of so many episodes a cell; default exact, or 1024 where it cannot be."),
    ] = None,
    half_width: Annotated[
        float | None, typer.Option(help="Simulate until 95 % intervals are as narrow, payoff units.")
    ] = None,
    budget: Annotated[int | None, typer.Option(help="The most episodes that a table of payoffs may take.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of simulated play.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Play runs and policies against each other: payoffs, ratings, and the regret of their populations."""
    from eqagents.cli.comparing import compare as compare_all
    from eqagents.cli.comparing import comparison_tables
    from eqagents.cli.contestants import load_contestants
    from eqagents.training.files import write_json
    from eqsolvers.evaluation import Allocation

    require_new(file)
    allocation = None
    if (episodes, half_width, budget) != (None, None, None):
        allocation = Allocation(episodes=episodes or 1024, half_width=half_width, budget=budget)
    with busy("loading"):
        contestants = load_contestants(paths)
    found = compare_all(
        contestants, allocation=allocation, seed=seed, solver=solver, every=every, regrets=regrets, busy=busy
    )
    if file is not None:
        write_json(file, found.to_json())
    if as_json:
        print_json(found.to_json())
    else:
        out.print(comparison_tables(found))


@app.command()
def report(
    directories: Annotated[list[Path], typer.Argument(metavar="RUN...", help="One or more run directories.")],
    file: Annotated[Path, typer.Option("--out", help="The HTML file to write; replaced if it is a report.")],
) -> None:
    """Write one self-contained HTML report of one or several runs."""
    from eqagents.report import is_report, load_report_data, render_report
    from eqagents.training.files import write_text

    if file.exists() and not is_report(file):
        raise InputError(f"--out {file} exists and is no report of this command; choose another")
    require_parent(file)
    write_text(file, render_report([load_report_data(directory) for directory in directories]))
    out.print(f"report: {file}")


@app.command()
def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which benchmark, such as extensive.")],
    file: Annotated[
        Path | None, typer.Option("--out", help="Write the JSON document here; replaced if it is of this benchmark.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small games, short slices: to see that it runs.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure speed and memory beside other programs, where these are installed."""
    from eqagents.bench import Settings, document, find_benchmark, is_document
    from eqagents.cli.tables import section_table
    from eqagents.training.files import write_json

    benchmark = find_benchmark(name)
    if file is not None:
        if file.exists() and not is_document(file, benchmark):
            raise InputError(f"--out {file} exists and is no document of benchmark {name!r}; choose another")
        require_parent(file)
    data = document(benchmark, Settings(quick=quick, say=err.print))
    if file is not None:
        write_json(file, data)
    if as_json:
        print_json(data)
        return
    facts = data["environment"]
    versions = ", ".join(f"{package} {version or 'not installed'}" for package, version in facts["versions"].items())
    out.print(f"{data['title']}\n{facts['processor']}, {facts['threads']} thread, {facts['date']}; {versions}")
    for section in data["sections"].values():
        out.print()
        out.print(section_table(section))
        for note in section["notes"]:
            out.print(note)
    if file is not None:
        out.print(f"\nwritten: {file}")


@app.command()
def play(
    what: Annotated[str, typer.Argument(metavar="GAME|RUN", help="A game, or a run or policy file to play against.")],
    parameter: Parameters = None,
    player: Annotated[int, typer.Option(help="Yours, from 0.")] = 0,
    seed: Annotated[int | None, typer.Option(min=0, help="Of chance and the others' choices.")] = None,
    step: Step = None,
) -> None:
    """Play in the terminal: against the policy of a run or a file, or against uniformly random play."""
    from eqagents.cli.playing import Leaves, play_game
    from eqenvs.policies import uniform_play

    path = Path(what)
    if path.exists() and what not in eqenvs.game_ids():
        if parameter:
            raise InputError("-p is for a game; the policy's game has its own parameters")
        game, policy, _ = loaded(path, step)
    else:
        game, policy = _make(what, parameter), uniform_play
    try:
        play_game(game, policy, player=player, seed=seed, ask=input, tell=out.print)
    except (Leaves, EOFError):
        err.print("left")


@app.command()
def doctor(
    with_ray: Annotated[
        bool, typer.Option("--ray", help="Start Ray with a worker as well, which takes seconds.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Look at what is installed and what this machine has; exit status 1 if something does not run."""
    from eqagents.cli.doctor import Status, doctor_table, examine

    with busy("looking"):
        findings = list(examine(with_ray=with_ray))
    if as_json:
        print_json([each.to_json() for each in findings])
    else:
        out.print(doctor_table(findings))
    if any(each.status is Status.BAD for each in findings):
        raise typer.Exit(1)


def run() -> None:
    """Run the command; the one place where errors become messages and exit statuses."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    try:
        app()
    except InputError as error:
        err.print(f"error: {' '.join(str(error).split())}")
        sys.exit(2)
    except RuntimeError as error:
        from eqagents.distributed import TaskError

        if not isinstance(error, TaskError):
            raise
        err.print(f"error: task {error.key} ({error.function}) failed: {' '.join(error.reason.split())}")
        sys.exit(1)
