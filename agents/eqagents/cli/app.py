"""The `eqenvs` command; `eqenvs --help` lists what it does.

Results go to standard output, as a table or, with `--json`, as one JSON document; progress and errors go to standard
error. Exit status: 0 done, 1 not converged, none exists or a defect, 2 bad input (one line says what), 130 and
143 interrupted.
"""

from __future__ import annotations

import logging
import sys

import typer

from eqagents.cli import game_commands, result_commands, run_commands
from eqagents.cli.console import err
from eqenvs.errors import InputError

app = typer.Typer(
    name="eqenvs",
    help="Games, learners and equilibrium solvers over one definition of a game.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS = (
    game_commands.games,
    game_commands.show,
    game_commands.solve,
    game_commands.play,
    game_commands.check,
    game_commands.export,
    run_commands.train,
    run_commands.resume,
    run_commands.status,
    run_commands.replay,
    run_commands.evaluate,
    result_commands.compare,
    result_commands.leaderboard,
    result_commands.report,
    result_commands.bench,
    result_commands.doctor,
)
for command in COMMANDS:
    app.command()(command)


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
