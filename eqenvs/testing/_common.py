"""What the conformance tests share: messages, comparisons and random play through the rules alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from eqenvs.arrays import BoolArray, IntArray, make_backend, put_rows, sample_categorical, take_rows
from eqenvs.game import Game
from eqenvs.rules import CHANCE, CHANCE_BITS, SIMULTANEOUS, TERMINAL, Rules
from eqenvs.testing._differences import difference


def require(holds: Any, game: Game, place: str, expected: Any, found: Any) -> None:
    """Raise AssertionError unless `holds`, saying where, what should be and what is."""
    if not holds:
        raise AssertionError(f"{game!r}: {place}: expected {expected}, found {found}")


def require_equal(game: Game, place: str, expected: Any, found: Any, tolerance: float = 0.0) -> None:
    """Raise AssertionError at the first entry that differs by more than `tolerance` (absolute); NaN equals nothing."""
    want, got = np.asarray(expected), np.asarray(found)
    require(want.shape == got.shape, game, f"{place}, shape", want.shape, got.shape)
    same = want == got if tolerance == 0.0 else np.abs(want.astype(np.float64) - got) <= tolerance
    if not same.all():
        where = tuple(int(i) for i in np.argwhere(~same)[0])
        require(False, game, f"{place}[{', '.join(map(str, where))}]", want[where], got[where])


def require_same(game: Game, place: str, expected: Any, found: Any) -> None:
    """Raise AssertionError where two nested structures differ."""
    text = difference(expected, found)
    if text:
        raise AssertionError(f"{game!r}: {place}{text} (expected against found)")


def moving(rules: Rules[Any], state: Any) -> BoolArray:
    """Which players decide now, [B, N] bool; nobody where chance moves or the game is over."""
    turn = rules.turn(state)
    moves: BoolArray = rules.acting(state) & ((turn >= 0) | (turn == SIMULTANEOUS))[:, None]
    return moves


def random_actions(rules: Rules[Any], state: Any, rng: np.random.Generator) -> IntArray:
    """A random legal move at every row, in the form that `rules.apply` takes; 0 where the game is over."""
    turn, acting = rules.turn(state), moving(rules, state)
    joint = np.zeros((len(turn), rules.num_columns), dtype=np.int64)
    for player in range(rules.num_players):
        rows = np.flatnonzero(acting[:, player])
        if rows.size:
            masks = rules.legal_actions(take_rows(state, rows), np.full(len(rows), player))
            joint[rows, player] = sample_categorical(masks.astype(np.float64), rng.random(len(rows)))
    rows = np.flatnonzero(turn == CHANCE)
    if rows.size and rules.chance_draws:
        joint[rows, rules.num_players :] = rng.integers(2**CHANCE_BITS, size=(len(rows), rules.chance_draws))
    elif rows.size:
        outcomes = rules.chance_probabilities(take_rows(state, rows))
        joint[rows, -1] = sample_categorical(outcomes, rng.random(len(rows)))
    # Where one moves at a time, every row has at most one non-zero column.
    return joint if rules.simultaneous else joint.sum(axis=1)


def random_play(rules: Rules[Any], batch: int, steps: int, seed: int) -> Iterator[tuple[Any, IntArray]]:
    """`steps` batches of states met in random play, with a random move at each; finished games start again.

    Finished games stay in the batch for one step, so that TERMINAL rows are among those yielded.
    """
    rng = np.random.default_rng(seed)
    xp = make_backend().xp
    state = rules.initial_state(batch, xp)
    for _ in range(steps):
        actions = random_actions(rules, state, rng)
        yield state, actions
        over = np.flatnonzero(rules.turn(state) == TERMINAL)
        state, _ = rules.apply(state, actions)
        if over.size:
            state = put_rows(state, over, rules.initial_state(len(over), xp))


class RulesProxy:
    """Another game's rules, to be overridden in part; everything else is passed through."""

    def __init__(self, rules: Rules[Any]) -> None:
        self._rules = rules

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rules, name)
