"""Commands about many results, and about the program itself: compare, leaderboard, report, bench, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eqagents.cli import completion
from eqagents.cli.console import busy, err, out, print_json
from eqagents.cli.inputs import require_new, require_parent
from eqagents.cli.options import JsonFlag
from eqenvs.errors import InputError


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


def leaderboard(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file: tasks, entries, seeds, a budget.")],
    directory: Annotated[
        Path, typer.Option("--out", help="Its directory; what is there already is not made again, the rest is.")
    ],
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Override a key: a.b=value.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run learners x games x seeds and rank them; the same command goes on where it was stopped."""
    from eqagents.cli.tables import section_table
    from eqagents.leaderboard.command import Interrupted, run_leaderboard

    try:
        finished = run_leaderboard(config, directory, overrides or [], err.print)
    except Interrupted as stop:
        err.print("interrupted; the same command goes on with it")
        raise typer.Exit(128 + stop.number) from None
    if as_json:
        print_json(finished.document)
    else:
        for section in finished.document["sections"].values():
            out.print(section_table(section))
            for note in section["notes"]:
                out.print(note)
            out.print()
        out.print(f"written: {directory}/leaderboard.json, leaderboard.md, critical_difference.svg")
    if finished.failed:
        err.print(f"{len(finished.failed)} runs failed, the first of them {finished.failed[0]}")
        raise typer.Exit(1)


def report(
    directories: Annotated[list[Path], typer.Argument(metavar="RUN...", help="One or more run directories.")],
    file: Annotated[Path, typer.Option("--out", help="The HTML file to write; replaced if it is a report.")],
    as_json: JsonFlag = False,
) -> None:
    """Write one self-contained HTML report of one or several runs."""
    from eqagents.report import is_report, load_report_data, render_report
    from eqagents.training.files import write_text

    if file.exists() and not is_report(file):
        raise InputError(f"--out {file} exists and is no report of this command; choose another")
    require_parent(file)
    write_text(file, render_report([load_report_data(directory) for directory in directories]))
    if as_json:
        print_json({"report": str(file), "runs": [str(directory) for directory in directories]})
    else:
        out.print(f"report: {file}")


def bench(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Which benchmark, such as extensive.", autocompletion=completion.benchmarks
        ),
    ],
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
