"""Commands about games: games, show, solve, export, check, play."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import eqenvs
from eqagents.cli import completion
from eqagents.cli.console import assignments, busy, err, out, print_json
from eqagents.cli.inputs import loaded, require_new, require_parent
from eqagents.cli.options import GameId, JsonFlag, Parameters, Step, made
from eqenvs import registry
from eqenvs.errors import InputError
from eqenvs.game import Game


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


def show(game_id: GameId, parameter: Parameters = None, as_json: JsonFlag = False) -> None:
    """Show a game's parameters, sizes, value where known, and the score of uniformly random play."""
    from eqagents.cli.playing import first_picture
    from eqagents.cli.tables import game_table
    from eqenvs.policies import uniform_play
    from eqsolvers.scoring import score

    game = made(game_id, parameter)
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


def solve(
    game_id: GameId,
    parameter: Parameters = None,
    concept: Annotated[
        str | None,
        typer.Option(
            help="What to compute; default what the method does, or nash.", autocompletion=completion.concepts
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="Which solver; default the preferred one for the concept.", autocompletion=completion.methods
        ),
    ] = None,
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
        made(game_id, parameter),
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


def export(
    game_id: GameId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new .efg, .nfg, .npy or .csv file.")],
    parameter: Parameters = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a game as a file of Gambit (.efg, .nfg) or, in normal form, as a table of payoffs (.npy, .csv)."""
    from eqenvs.interop import gambit, table

    writers = {".efg": gambit.write, ".nfg": gambit.write, ".npy": table.write, ".csv": table.write}
    if file.suffix not in writers:
        raise InputError(f"{file}: must end in {', '.join(writers)}")
    require_new(file, "FILE")
    with busy("building the model"):
        writers[file.suffix](made(game_id, parameter), file)
    scheme = "gambit" if file.suffix in (".efg", ".nfg") else "table"
    if as_json:
        print_json({"written": str(file), "game": f"{scheme}:{file}"})
    else:
        out.print(f"written: {file}, which is the game {scheme}:{file}")


def check(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="GAME|MODULE:FUNCTION",
            help="A game, or a function that makes a PettingZoo environment; two, to compare AEC and Parallel.",
        ),
    ] = None,
    parameter: Parameters = None,
    every: Annotated[bool, typer.Option("--all", help="Every registered game, in small instances.")] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes for --all; default one per core.")] = None,
    file: Annotated[
        Path | None, typer.Option("--out", help="Write the JSON document here; replaced if it is of this command.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check that environments keep their contracts; exit status 1 if one does not."""
    from eqagents.cli import checking
    from eqagents.cli.tables import section_table
    from eqagents.training.files import write_json

    if bool(targets) == every:
        raise InputError("check needs a GAME, one or two MODULE:FUNCTION, or --all")
    if every and parameter:
        raise InputError("-p sets a parameter of one game; --all has its own instances")
    if file is not None:
        if file.exists() and not checking.is_ours(file):
            raise InputError(f"--out {file} exists and is no document of this command; choose another")
        require_parent(file)
    named = targets or []
    if every:
        started, count = time.perf_counter(), jobs or os.cpu_count() or 1
        found = checking.check_all(eqenvs.game_ids(), count)
        data = checking.document(found, time.perf_counter() - started, count)
        sections = [data["sections"][name] for name in ("families", "failures")]
        shown = [section_table(section) for section in sections if section["rows"]]
    else:
        with busy("checking"):
            if all(map(checking.is_constructor, named)) and len(named) < 3:
                one = checking.check_constructors(named, assignments("--parameter", parameter or []))
            elif len(named) == 1:
                one = checking.check_game(made(named[0], parameter))
            else:
                raise InputError("check takes one game, or one or two MODULE:FUNCTION")
        found, data, shown = [one], one.to_json(), [checking.findings_table(one)]
    if file is not None:
        write_json(file, data)
    if as_json:
        print_json(data)
    else:
        for table in shown:
            out.print(table)
    findings = list(checking.every_finding(found))
    err.print(checking.summary(findings))
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


def play(
    what: Annotated[str, typer.Argument(metavar="GAME|RUN", help="A game, or a run or policy file to play against.")],
    parameter: Parameters = None,
    player: Annotated[int, typer.Option(help="Yours, from 0.")] = 0,
    seed: Annotated[int | None, typer.Option(min=0, help="Of chance and the others' choices.")] = None,
    step: Step = None,
    as_json: JsonFlag = False,
) -> None:
    """Play in the terminal: against the policy of a run or a file, or against uniformly random play."""
    from eqagents.cli.playing import Leaves, play_game
    from eqenvs.policies import uniform_play

    path = Path(what)
    if path.exists() and what not in eqenvs.game_ids():
        if parameter:
            raise InputError("-p is for a game; the policy's game has its own parameters")
        game, policy, _ = loaded(path, step)
    elif step is not None:
        raise InputError(f"--step chooses a run's checkpoint, and there is no run {what!r}")
    elif ":" not in what and (path.suffix or len(path.parts) > 1):
        raise InputError(f"there is no run or policy file {what!r}")
    else:
        game, policy = made(what, parameter), uniform_play
    try:
        # With --json the talk is on standard error: a prompt of `input` alone would be on standard output.
        tell = err.print if as_json else out.print
        paid: list[float] | None = play_game(game, policy, player=player, seed=seed, ask=_asking(tell), tell=tell)
    except (Leaves, EOFError):
        err.print("left")
        paid = None
    if as_json:
        print_json({"game": game.spec.id, "player": player, "payoffs": paid})


def _asking(tell: Callable[..., None]) -> Callable[[str], str]:
    def ask(prompt: str) -> str:
        tell(prompt, end="")
        return input()

    return ask
