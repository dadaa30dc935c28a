"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

import eqenvs
from eqagents.cli import completion
from eqagents.cli.console import assignments
from eqenvs.game import Game

GameId = Annotated[str, typer.Argument(metavar="GAME", autocompletion=completion.games)]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", help="A game parameter, name=value.", autocompletion=completion.parameters),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Step = Annotated[int | None, typer.Option("--step", help="The checkpoint of this iteration; default the last.")]


def made(game_id: str, parameters: list[str] | None) -> Game:
    """The game of a command line.

    Raises:
        InputError: there is no such game or parameter, or a value is out of range.
    """
    return eqenvs.make(game_id, **eqenvs.spec(game_id).parse(assignments("--parameter", parameters or [])))
