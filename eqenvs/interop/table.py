"""Normal-form games from and to tables of payoffs: NumPy and CSV files.

`eqenvs.make("table:payoffs.npy")`: an array [N, A_0, ..., A_{N-1}] of each player's payoffs, or [A_0, A_1] of a
two-player zero-sum game, those of the first player.

`eqenvs.make("table:payoffs.csv")`: a heading and a line for every joint action in any order, with N columns of actions,
numbered from 0, and then N columns of payoffs.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.given_files import read_bytes, read_text
from eqenvs.interop._given import MAX_PLAYERS, given
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.models.numbers import MAX_NUMBERS
from eqenvs.npz import read_array
from eqenvs.spec import GameSpec


def spec(reference: str) -> GameSpec:
    """The game of a file.

    Args:
        reference: the path of an .npy or .csv file.

    Raises:
        InputError: it cannot be read, or is no such table; the message says where.
    """
    path = Path(reference)
    readers = {".npy": _array, ".csv": _csv}
    if path.suffix not in readers:
        raise InputError(f"table:{reference}: must be a .npy or .csv file")
    payoffs = readers[path.suffix](path)
    try:
        model = NormalFormModel(payoffs)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return given(f"table:{reference}", f"{path.stem} (table of payoffs)", model, str(path.name))


def _array(path: Path) -> Float64Array:
    data = read_bytes(path)
    try:
        found = read_array(data)
    except ValueError as error:
        raise InputError(f"{path}: is no array of NumPy ({error})") from error
    if found.dtype.kind not in "fiu":
        raise InputError(f"{path}: must be an array of numbers, not of {found.dtype}")
    if found.size > MAX_NUMBERS:
        raise GameTooLargeError(f"{path}: has {found.size:,} payoffs, the limit is {MAX_NUMBERS:,}")
    payoffs = found.astype(np.float64)
    return np.stack([payoffs, -payoffs]) if payoffs.ndim == 2 else payoffs


def _csv(path: Path) -> Float64Array:
    lines: dict[tuple[int, ...], list[float]] = {}
    try:
        rows = csv.reader(io.StringIO(read_text(path), newline=""))
        width = len(next(rows, []))
        if width > 2 * MAX_PLAYERS:
            raise InputError(f"{path}, line 1: at most {MAX_PLAYERS} players, {width} columns are there")
        if width < 2 or width % 2:
            raise InputError(f"{path}, line 1: needs a column of actions and one of payoffs for each player")
        for row in rows:
            if row:
                where = f"{path}, line {rows.line_num}"
                actions, payoffs = _line(row, width, where)
                if actions in lines:
                    raise InputError(f"{where}: joint action {actions} came before")
                lines[actions] = payoffs
    except csv.Error as error:
        raise InputError(f"{path}: is no CSV text ({error})") from error
    if not lines:
        raise InputError(f"{path}: has no joint actions")
    shape = tuple((np.array(list(lines)).max(axis=0) + 1).tolist())
    if len(lines) != math.prod(shape):
        counts = " x ".join(map(str, shape))
        raise InputError(f"{path}: {counts} actions make {math.prod(shape):,} joint actions, {len(lines):,} are there")
    tensor = np.zeros((width // 2, *shape))
    for actions, payoffs in lines.items():
        np.moveaxis(tensor, 0, -1)[actions] = payoffs
    return tensor


def _line(row: list[str], width: int, where: str) -> tuple[tuple[int, ...], list[float]]:
    if len(row) != width:
        raise InputError(f"{where}: has {len(row)} columns, the heading {width}")
    half = width // 2
    try:
        payoffs = [float(text) for text in row[half:]]
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    for text in row[:half]:
        number = text.strip()
        if not (number.isascii() and number.isdigit()) or len(number) > 9:
            raise InputError(f"{where}: actions are numbered from 0, got {text!r}")
    return tuple(int(text) for text in row[:half]), payoffs


def write(game: Game, path: Path) -> None:
    """Write a normal-form game's payoffs, every number to its last bit.

    Args:
        game: the game.
        path: the new .npy or .csv file; it must not exist.

    Raises:
        InputError: the file exists, or ends otherwise.
        UnsupportedGame: the game is not in normal form.
    """
    model = game.model()
    if not isinstance(model, NormalFormModel):
        raise UnsupportedGame(f"{game.spec.id} is {game.family}; a table holds a game in normal form")
    if path.suffix not in (".npy", ".csv"):
        raise InputError(f"{path}: must be a .npy or .csv file")
    try:
        with path.open("xb") as file:
            if path.suffix == ".npy":
                np.save(file, model.payoffs, allow_pickle=False)
            else:
                file.write(_csv_text(model).encode())
    except FileExistsError:
        raise InputError(f"{path} exists; choose another") from None


def _csv_text(model: NormalFormModel) -> str:
    text, players = io.StringIO(newline=""), range(model.num_players)
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([f"{what}_{player}" for what in ("action", "payoff") for player in players])
    for actions in np.ndindex(*model.num_actions):
        lines.writerow([*actions, *(repr(float(model.payoffs[(player, *actions)])) for player in players)])
    return text.getvalue()
