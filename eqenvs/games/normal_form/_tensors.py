"""What the files of this folder share: sizes checked before anything is allocated, axes, usual parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from eqenvs.arrays import IntArray
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.models.numbers import MAX_NUMBERS, written
from eqenvs.spec import Parameter

SEED = Parameter(name="seed", default=0, low=0, description="of the game")


def players(default: int = 2, *, most: int = 20) -> Parameter:
    """The parameter `num_players`; how many there may be is a matter of the tensor's size, but numpy has 64 axes."""
    return Parameter(name="num_players", default=default, low=2, high=most, description="number of players")


def actions(default: int, *, name: str = "num_actions", description: str = "actions of every player") -> Parameter:
    """A number of actions."""
    return Parameter(name=name, default=default, low=2, high=10_000, description=description)


def number(name: str, default: float, description: str, *, low: float = -1e6, high: float = 1e6) -> Parameter:
    """A real parameter."""
    return Parameter.real(name, default, low, high, description)


ACTION_COUNTS = Parameter(
    name="action_counts",
    default=None,
    kind=str,
    description="each player's number of actions, such as 2x3x4, where they differ; default: num_actions for all",
)


def action_counts(game_id: str, num_players: int, num_actions: int, counts: str | None) -> tuple[int, ...]:
    """Each player's number of actions, from the parameters that say it.

    Raises:
        InputError: if `counts` does not give each of the `num_players` a number, or no player a choice.
    """
    if counts is None:
        return (num_actions,) * num_players
    parts = counts.lower().split("x")
    numbers = tuple(int(part) if part.strip().isdecimal() else 0 for part in parts)
    if len(numbers) != num_players or min(numbers) < 1 or max(numbers) < 2:
        raise InputError(
            f"{game_id}: parameter 'action_counts' must be num_players={num_players} positive numbers joined by x, "
            f"at least one above 1, got {counts!r}"
        )
    return numbers


def require_fits(game_id: str, counts: Sequence[int]) -> None:
    """Refuse a tensor above the limit, before it is allocated.

    Raises:
        GameTooLargeError: with the size it would have.
    """
    numbers = len(counts) * math.prod(counts)
    if numbers > MAX_NUMBERS:
        raise GameTooLargeError(
            f"{game_id}: {len(counts)} players with {' x '.join(map(str, counts))} actions make a tensor of "
            f"{written(numbers)} payoffs, the limit is {MAX_NUMBERS:,}"
        )


def require_decreasing(game_id: str, **values: float) -> None:
    """The named parameters must fall strictly in the order given.

    Raises:
        InputError: naming the order.
    """
    numbers = list(values.values())
    if any(not above > below for above, below in pairwise(numbers)):
        raise InputError(f"{game_id}: parameters must satisfy {' > '.join(values)}, got {', '.join(map(str, numbers))}")


def axes(counts: Sequence[int]) -> tuple[IntArray, ...]:
    """Each player's action as an array that varies along that player's axis only, to be broadcast."""
    return tuple(np.ogrid[tuple(slice(count) for count in counts)])


def symmetric_bimatrix(row: ArrayLike) -> NormalFormModel:
    """The two-player game in which both have the payoffs `row` [own action, other's action]."""
    own = np.asarray(row, dtype=np.float64)
    return NormalFormModel([own, own.T])
