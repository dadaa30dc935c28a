"""The `eqenvs` command: games, show, solve, train, resume, evaluate, report, bench.

Results go to standard output, as a table or, with `--json`, as one JSON document; progress and errors go to standard
error. Exit status: 0 done, 1 not converged, none exists or a defect, 2 bad input (one line says what), 130 interrupted.
"""

from __future__ import annotations

import json
import logging
import math
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import eqenvs
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.spec import Family, Parameter

if TYPE_CHECKING:
    from eqsolvers.scoring import Score

app = typer.Typer(
    name="eqenvs",
    help="Games, learners and equilibrium solvers over one definition of a game.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# Paths and game names are printed as they are: a bracket in one is no markup.
out = Console(highlight=False, markup=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

SHOWN = 100  # probabilities of a policy that are printed

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Parameters = Annotated[list[str] | None, typer.Option("--parameter", "-p", help="A game parameter, name=value.")]


Step = Annotated[int | None, typer.Option("--step", help="The checkpoint of this iteration; default the last.")]


def _print_json(data: Any) -> None:
    print(json.dumps(data, allow_nan=False))  # noqa: T201 - the command's output


def _make(game_id: str, parameters: list[str] | None) -> Game:
    return eqenvs.make(game_id, **eqenvs.spec(game_id).parse(_assignments("--parameter", parameters or [])))


def _assignments(option: str, items: list[str]) -> dict[str, str]:
    """The `name=value` items of a repeated option, by name."""
    texts = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals:
            raise InputError(f"{option} needs name=value, got {item!r}")
        texts[name] = text
    return texts


@contextmanager
def _busy(what: str) -> Iterator[None]:
    """A spinner on standard error while something takes its time."""
    if err.is_terminal:
        with err.status(what):
            yield
    else:
        yield


def _require_parent(file: Path) -> None:
    if not file.parent.is_dir():
        raise InputError(f"--out {file}: there is no directory {file.parent}")


@app.command()
def games(as_json: JsonFlag = False) -> None:
    """List the games and their parameters."""
    rows: list[dict[str, Any]] = []
    for game_id in eqenvs.game_ids():
        game = Game(eqenvs.spec(game_id))
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
            sums = "constant-sum" if game.constant_sum else "general-sum"
            size = "exact model" if game.exact else "too large for an exact model"
            out.print(
                f"{game.spec.id}: {game.spec.title}; {game.spec.family}, {game.num_players} players, {sums}, {size}"
            )
            for parameter in game.spec.parameters:
                out.print(f"    {_parameter_line(parameter)}")
    if as_json:
        _print_json(rows)


def _parameter_line(parameter: Parameter) -> str:
    return f"{parameter.name}={parameter.default}: {parameter.description} ({parameter.range_text()})"


@app.command()
def show(
    game_id: Annotated[str, typer.Argument(metavar="GAME")], parameter: Parameters = None, as_json: JsonFlag = False
) -> None:
    """Show a game's parameters, sizes, value where known, and the score of uniformly random play."""
    from eqenvs.policies import uniform
    from eqsolvers.scoring import score

    game = _make(game_id, parameter)
    with _busy("building the exact model"):
        scored = score(game, uniform(game)) if game.exact else None
    values = next((fact.values for fact in game.facts if fact.values is not None), None)
    sizes = None if scored is None else game.model().sizes()
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
            "exploitability": scored.exploitability if scored.constant_sum else None,
            "values": [float(v) for v in scored.values],
        },
    }
    if as_json:
        _print_json(data)
        return
    table = Table(game.spec.title, repr(game), show_header=True)
    table.add_row("source", game.spec.source)
    for known in game.spec.parameters:
        table.add_row("parameter", _parameter_line(known))
    for name, size in (sizes or {"sizes": "too large for an exact model"}).items():
        table.add_row(name, str(size))
    table.add_row("value to player 0", "not recorded" if values is None else f"{values[0]:.9g}")
    if scored is not None:
        _add_score(table, scored, "uniform play: ")
    out.print(table)


GAPS = ("ce_gap", "cce_gap", "efce_gap", "efcce_gap", "markov_ce_gap", "markov_cce_gap")  # the last four: of some games


def _add_score(table: Table, scored: Score, prefix: str = "") -> None:
    data = scored.to_dict()
    for name in ("nash_conv", "exploitability", "values", "gains", *GAPS, "welfare"):
        value = data[name]
        if value is None and name in GAPS[2:]:
            continue
        if value is None:
            text = "undefined for this game" if name == "exploitability" else "not computed"
        elif isinstance(value, list):
            text = ", ".join(f"{v:.6g}" for v in value)
        else:
            text = f"{value:.6g}"
        table.add_row(prefix + name, text)
    table.add_row(prefix + "kind", data["kind"])
    for name, value in data["detail"].items():
        table.add_row(prefix + name, str(value))


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
    save: Annotated[Path | None, typer.Option("--out", help="Write the policy to this JSON file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Solve a game on its exact model, and score what was found."""
    from eqagents.training.files import write_json
    from eqenvs.policies import CorrelatedStrategy, MarkovCorrelatedPolicy, tabulate
    from eqenvs.policy_files import policy_to_json
    from eqsolvers.result import NOTHING_FOUND, Status, find_solver
    from eqsolvers.scoring import score, warm_up

    if save is not None:
        if save.exists():
            raise InputError(f"{save} exists; choose another --out")
        _require_parent(save)
    if not 0 < target < math.inf:
        raise InputError(f"--target must be a positive number, got {target}")
    game = _make(game_id, parameter)
    solver = find_solver(game.family, concept, method, game)
    concept = concept or ("nash" if method is None else solver.concepts[0])
    budget = {"iterations": iterations, "seconds": seconds, "seed": seed}
    options: dict[str, Any] = {name: value for name, value in budget.items() if value is not None}
    for name in options:
        if name not in solver.options:
            raise InputError(f"method {solver.id!r} takes no --{name}")
    if "concept" in solver.options:
        options["concept"] = concept
    if setting:
        options["settings"] = solver.parse(_assignments("--set", setting))
    with _busy("building the exact model"):
        started = time.perf_counter()
        model = game.model()
        built = time.perf_counter()
    with _busy("compiling"):
        solver.compile(model)
        warm_up(model)
        compiled = time.perf_counter()
    with _busy(f"solving by {solver.id}"):
        result = solver.solve(model, tolerance=target, **options)
        solved = time.perf_counter()
    scored = score(game, result.policy)
    if save is not None:
        if isinstance(result.policy, CorrelatedStrategy | MarkovCorrelatedPolicy):
            found = policy_to_json(game, result.policy)
        else:
            found = policy_to_json(game, tabulate(model, result.policy))
        write_json(save, found)
    data = {
        "game": game.spec.id,
        "parameters": game.parameters,
        "concept": concept,
        "method": solver.id,
        "status": result.status.value,
        "iterations": result.iterations,
        "seconds": solved - compiled,
        "compile_seconds": compiled - built,
        "build_seconds": built - started,
        "values": [float(v) for v in scored.values],
        "residual": result.residual if math.isfinite(result.residual) else None,
        "residual_unit": solver.unit_of(concept),
        "message": result.message,
        "nash_conv": scored.nash_conv,
        "exploitability": scored.exploitability if scored.constant_sum else None,
        "score_kind": scored.kind.value,
        "gaps": {name: gap for name in GAPS if (gap := getattr(scored, name)) is not None},
        **result.measures,
        **result.detail,
    }
    if game.family is Family.NORMAL_FORM:
        data["policy"] = (
            None if result.status in NOTHING_FOUND or _size(result.policy) > SHOWN else _arrays(result.policy)
        )
    if result.equilibria:
        data["equilibria"] = [_arrays(equilibrium) for equilibrium in result.equilibria]
    if as_json:
        _print_json(data)
    else:
        table = Table("result", repr(game))
        shown = ("concept", "method", "status", "residual", "iterations", "seconds", "build_seconds", "compile_seconds")
        for name in (*shown, *result.measures, *result.detail):
            value = data[name]
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            table.add_row(name, "nothing was found" if value is None and name == "residual" else text)
        if len(result.equilibria) > 1:
            for number, equilibrium in enumerate(result.equilibria, start=1):
                table.add_row(f"equilibrium {number}", _written(_arrays(equilibrium)))
        elif data.get("policy") is not None:
            table.add_row("policy", _written(data["policy"]))
        _add_score(table, scored, "uniform play: " if result.status in NOTHING_FOUND else "")
        out.print(table)
    if result.status is not Status.CONVERGED:
        what = result.status.value
        if result.status is not Status.NONE_EXISTS:
            what = f"not converged: {what}, residual {result.residual:.3g}"
        err.print(f"{what}{': ' if result.message else ''}{result.message}")
        raise typer.Exit(1)


def _arrays(policy: Any) -> Any:
    """A joint strategy of a normal-form game as JSON data: a list per player, or a distribution over joint actions."""
    return policy.distribution.tolist() if hasattr(policy, "distribution") else [t[0].tolist() for t in policy.tables]


def _size(policy: Any) -> float:
    """How many numbers `_arrays` gives; infinite for a policy that is no arrays."""
    if hasattr(policy, "distribution"):
        return int(policy.distribution.size)
    return sum(table.size for table in policy.tables) if hasattr(policy, "tables") else math.inf


def _written(numbers: Any) -> str:
    """Nested lists of probabilities, with as many digits as one reads."""
    return f"[{', '.join(map(_written, numbers))}]" if isinstance(numbers, list) else f"{numbers:.6g}"


class _TrainingDisplay:
    """The progress of a run on standard error: a bar, and a line for every score."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self._task: Any = None

    def __enter__(self) -> _TrainingDisplay:
        self._progress.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._progress.__exit__(*exc)
        if self._task is None and exc[0] is None:
            err.print("nothing left to do: the run has ended")

    def __call__(self, progress: Any) -> None:
        if self._task is None:
            self._task = self._progress.add_task("iterations", total=progress.iterations)
        self._progress.update(self._task, completed=progress.iteration)
        if progress.score is not None:
            scored = progress.score
            line = f"iteration {progress.iteration}/{progress.iterations}  nash_conv {scored.nash_conv:.6g}"
            if scored.constant_sum:
                line += f"  exploitability {scored.exploitability:.6g}"
            err.print(f"{line}  ({scored.kind.value})")
        if progress.ended is not None:
            err.print(f"ended by {progress.ended.value}")


def _summary(run_path: Path) -> dict[str, Any]:
    """What a finished run says on standard output."""
    from eqagents.training.metrics import read_metrics
    from eqagents.training.run import ENDED_FILE
    from eqagents.training.run_directory import RunDirectory

    run = RunDirectory.open(run_path)
    last = next(reversed(read_metrics(run.path)), {"step": None})
    ended = json.loads((run.path / ENDED_FILE).read_text(encoding="utf-8"))
    return {
        "run": str(run.path),
        "iteration": last["step"],
        "stopped": ended["stopped"],
        "seconds": ended["seconds"],
        "score": {name.removeprefix("score/"): value for name, value in last.items() if name.startswith("score/")},
        "tensorboard": str(run.tensorboard),
    }


def _finish(path: Path, as_json: bool) -> None:
    summary = _summary(path)
    if as_json:
        _print_json(summary)
    else:
        out.print(f"run: {summary['run']}  (TensorBoard: tensorboard --logdir {summary['tensorboard']})")


@contextmanager
def _interruptible(directory: Path) -> Iterator[None]:
    """Ctrl-C ends a run with the command that goes on with it."""
    try:
        yield
    except KeyboardInterrupt:
        err.print(f"interrupted; `eqenvs resume {shlex.quote(str(directory))}` goes on from the last checkpoint")
        raise typer.Exit(130) from None


@app.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.")],
    directory: Annotated[Path, typer.Option("--out", help="The run's directory; must not exist or be empty.")],
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Override a key: a.b=value.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Start a run."""
    from eqagents.training.config import load_config
    from eqagents.training.run import train as start

    loaded = load_config(config, overrides or [])
    with _interruptible(directory), _TrainingDisplay() as display:
        start(loaded, directory, display)
    _finish(directory, as_json)


@app.command()
def resume(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory.")],
    step: Step = None,
    as_json: JsonFlag = False,
) -> None:
    """Go on with an interrupted run from its last checkpoint."""
    from eqagents.training.run import resume as go_on

    with _interruptible(directory), _TrainingDisplay() as display:
        go_on(directory, display, step=step)
    _finish(directory, as_json)


@app.command()
def evaluate(
    path: Annotated[Path, typer.Argument(metavar="RUN_OR_POLICY", help="A run's directory or a policy's JSON file.")],
    step: Step = None,
    as_json: JsonFlag = False,
) -> None:
    """Score a trained run or a policy file against equilibrium."""
    from eqenvs.policy_files import load_policy
    from eqsolvers.scoring import score

    if not path.is_file() and path.suffix != ".json":
        from eqagents.training.run import evaluate as evaluate_run

        with _busy("scoring"):
            scored = evaluate_run(path, step=step)
    elif step is not None:
        raise InputError(f"--step chooses a run's checkpoint; {path} is a file")
    else:
        with _busy("scoring"):
            scored = score(*load_policy(path))
    if as_json:
        _print_json(scored.to_dict())
        return
    table = Table("score", str(path))
    _add_score(table, scored)
    out.print(table)


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
    _require_parent(file)
    write_text(file, render_report([load_report_data(directory) for directory in directories]))
    out.print(f"report: {file}")


def _worded(text: str) -> bool:
    """Whether a cell holds words, not a figure."""
    return bool(text) and not text[0].isdigit()


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
    from eqagents.bench import Settings, cell, document, find_benchmark, is_document
    from eqagents.training.files import write_json

    benchmark = find_benchmark(name)
    if file is not None:
        if file.exists() and not is_document(file, benchmark):
            raise InputError(f"--out {file} exists and is no document of benchmark {name!r}; choose another")
        _require_parent(file)
    data = document(benchmark, Settings(quick=quick, say=err.print))
    if file is not None:
        write_json(file, data)
    if as_json:
        _print_json(data)
        return
    facts = data["environment"]
    versions = ", ".join(f"{package} {version or 'not installed'}" for package, version in facts["versions"].items())
    out.print(f"{data['title']}\n{facts['processor']}, {facts['threads']} thread, {facts['date']}; {versions}")
    for section in data["sections"].values():
        table = Table(title=section["title"], title_justify="left")
        rows = [[cell(row.get(key)) for key in section["columns"]] for row in section["rows"]]
        for heading, texts in zip(section["columns"].values(), zip(*rows, strict=True), strict=True):
            # Figures are never cut: in a narrow terminal, or none, lines grow instead.
            width = max(map(len, (*heading.split(), *texts)))
            table.add_column(heading, min_width=width, justify="left" if any(map(_worded, texts)) else "right")
        for row in rows:
            table.add_row(*row)
        out.print()
        out.print(table)
        for note in section["notes"]:
            out.print(note)
    if file is not None:
        out.print(f"\nwritten: {file}")


def run() -> None:
    """Run the command; the one place where errors become messages and exit statuses."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    try:
        app()
    except InputError as error:
        err.print(f"error: {' '.join(str(error).split())}")
        sys.exit(2)
