"""Rules as pure batched functions: contract of shapes, no side effects, independent rows, the same on every library."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, BoolArray, IntArray, make_backend, map_state, namespace, take_rows
from eqenvs.game import Game
from eqenvs.rules import CHANCE, TERMINAL, Rules
from eqenvs.testing._common import moving, random_play, require, require_equal

FLOAT_TOLERANCE = 1e-12  # absolute, in probability, payoff units or observation units


class _Call(NamedTuple):
    """One call of a rules method, ready to be made."""

    name: str
    make: Callable[[], tuple[Array, ...]]
    dtypes: tuple[str, ...]  # of the results
    shapes: tuple[tuple[int, ...] | None, ...]  # of the results; None where the rules are free
    rows: BoolArray  # where the contract says something about the results


def _calls(rules: Rules[Any], state: Any, actions: Array, reference: Any) -> Iterator[_Call]:
    """Every method at a batch of states; `reference` is the same state on numpy, from which the rows are read."""
    turn, acting = np.asarray(rules.turn(reference)), moving(rules, reference)
    batch, n = acting.shape
    everywhere = np.ones(batch, dtype=bool)
    xp = namespace(actions)

    def asked(method: Callable[[Any, Array], Array], player: int) -> Callable[[], tuple[Array, ...]]:
        who = xp.full((batch,), player, dtype=xp.int64)
        return lambda: (method(state, who),)

    def applied() -> tuple[Array, ...]:
        after, rewards = rules.apply(state, actions)
        return (rewards, *after)

    yield _Call("turn", lambda: (rules.turn(state),), ("int64",), ((batch,),), everywhere)
    yield _Call("acting", lambda: (rules.acting(state),), ("bool",), ((batch, n),), everywhere)
    chance = turn == CHANCE
    if chance.any() and not rules.chance_draws:
        shape = (batch, rules.num_chance_outcomes)
        yield _Call(
            "chance_probabilities", lambda: (rules.chance_probabilities(state),), ("float64",), (shape,), chance
        )
    for player in range(n):
        of = f"(player {player})"
        shape = (batch, rules.observation_size)
        yield _Call(f"observation{of}", asked(rules.observation, player), ("float32",), (shape,), everywhere)
        yield _Call(f"information_state{of}", asked(rules.information_state, player), ("int64",), (None,), everywhere)
        masks = (batch, rules.max_actions)
        yield _Call(f"legal_actions{of}", asked(rules.legal_actions, player), ("bool",), (masks,), acting[:, player])
    if rules.public_observation(reference) is not None:
        yield _Call("public_observation", lambda: (rules.public_observation(state),), ("int64",), (None,), everywhere)
    fields = tuple(str(field.dtype) for field in reference)
    shapes = tuple(tuple(int(length) for length in field.shape) for field in reference)
    yield _Call("apply", applied, ("float64", *fields), ((batch, n), *shapes), turn != TERMINAL)


def _results(call: _Call) -> list[tuple[Any, str]]:
    """The results as numpy arrays, with zeros where the contract is silent, and their dtypes' names."""
    found = []
    for part in call.make():
        # A copy: torch shares its memory with numpy, and some methods give back a part of the state.
        array = np.asarray(part).copy()
        array[~call.rows] = 0
        found.append((array, str(part.dtype).removeprefix("torch.")))
    return found


def _part(call: _Call, state: Any, index: int) -> str:
    if call.name != "apply":
        return call.name
    names = getattr(type(state), "_fields", ())
    return f"apply, {'rewards' if index == 0 else f'state.{names[index - 1]}'}"


def _tolerance(array: Any) -> float:
    return FLOAT_TOLERANCE if array.dtype.kind == "f" else 0.0


def check_rules_are_pure(game: Game, steps: int = 30, batch: int = 16, seed: int = 0) -> None:
    """Rules keep their contract at states met in random play.

    Results have the stated shapes and dtypes; no method changes its arguments; rows are independent, so that permuting
    the rows, or taking one alone, permutes or restricts the results; whoever moves has a legal action, and only actions
    of its own; chance probabilities sum to one; observations stay in their bounds; all initial states are equal.

    Args:
        game: a game with rules.
        steps: moves of random play.
        batch: games played at once.
        seed: of all randomness.

    Raises:
        AssertionError: naming the method, the step and the row.
    """
    rules = game.rules
    rng = np.random.default_rng([seed, 1])
    for name, field in zip(*_fields(rules.initial_state(3, make_backend().xp)), strict=True):
        require_equal(game, f"initial_state, {name}, all rows equal", np.stack([field[0]] * 3), field)
    widths: dict[str, int] = {}
    for step, (state, actions) in enumerate(random_play(rules, batch, steps, seed)):
        before, moves = map_state(np.copy, state), actions.copy()
        order = rng.permutation(batch)
        alone = rng.integers(batch, size=1)
        shuffled, single = take_rows(state, order), take_rows(state, alone)
        results = {}
        for call in _calls(rules, state, actions, before):
            results[call.name] = _results(call)
            for index, (array, dtype) in enumerate(results[call.name]):
                place = f"step {step}, {_part(call, state, index)}"
                require(dtype == call.dtypes[index], game, f"{place}, dtype", call.dtypes[index], dtype)
                shape = call.shapes[index] or (batch, widths.setdefault(call.name, int(array.shape[-1])))
                require(array.shape == shape, game, f"{place}, shape", shape, array.shape)
            for name, now, then in zip(_fields(state)[0], state, before, strict=True):
                require_equal(game, f"step {step}, {call.name} changed its argument: state.{name}", then, now)
            require_equal(game, f"step {step}, {call.name} changed its argument: actions", moves, actions)
        for rows, part, what in ((order, shuffled, "permuted rows"), (alone, single, "one row alone")):
            for call in _calls(rules, part, actions[rows], part):
                for index, (array, _) in enumerate(_results(call)):
                    whole = results[call.name][index][0][rows]
                    place = f"step {step}, {_part(call, state, index)}, {what}"
                    require_equal(game, place, whole, array, _tolerance(whole))
        _check_values(game, state, step)


def _fields(state: Any) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    return getattr(type(state), "_fields", tuple(map(str, range(len(state))))), tuple(state)


def _check_values(game: Game, state: Any, step: int) -> None:
    rules = game.rules
    turn, acting = rules.turn(state), moving(rules, state)
    low, high = rules.observation_bounds
    at_chance = np.flatnonzero(turn == CHANCE)
    if at_chance.size and not rules.chance_draws:
        outcomes = rules.chance_probabilities(take_rows(state, at_chance))
        place = f"step {step}, chance_probabilities"
        require((outcomes >= 0).all(), game, place, "non-negative numbers", float(outcomes.min()))
        require_equal(game, f"{place}, sum", np.ones(len(at_chance)), outcomes.sum(axis=1), 1e-9)
    idle = np.flatnonzero(~acting.any(axis=1) & (turn != CHANCE) & (turn != TERMINAL))
    require(not idle.size, game, f"step {step}, acting", "somebody to move", f"nobody at row {idle[:1].tolist()}")
    for player in range(rules.num_players):
        who: IntArray = np.full(len(turn), player, dtype=np.int64)
        seen = rules.observation(state, who)
        place = f"step {step}, observation of player {player}"
        require(((seen >= low) & (seen <= high)).all(), game, place, f"entries in [{low}, {high}]", seen.max())
        masks = rules.legal_actions(state, who)[acting[:, player]]
        place = f"step {step}, legal actions of player {player}"
        require(masks.any(axis=1).all(), game, place, "at least one", "none")
        width = rules.num_actions[player]
        require(not masks[:, width:].any(), game, place, f"actions below {width}", "one beyond")


def check_backends_agree(game: Game, steps: int = 30, batch: int = 16, seed: int = 0) -> None:
    """The rules give the same on numpy and on torch (CPU): integers and booleans exactly, floats to 1e-12.

    Args:
        game: a game with rules.
        steps: moves of random play.
        batch: games played at once.
        seed: of all randomness.

    Raises:
        AssertionError: naming the method, the step and the row.
        ImportError: if torch is not installed.
    """
    torch = importlib.import_module("torch")
    rules = game.rules
    ours, theirs = make_backend(library="numpy"), make_backend(library="torch")
    starts = rules.initial_state(2, ours.xp), rules.initial_state(2, theirs.xp, theirs.device)
    for name, numpy_field, torch_field in zip(_fields(starts[0])[0], *starts, strict=True):
        place = f"initial_state, {name} on torch"
        dtype = str(torch_field.dtype).removeprefix("torch.")
        require(dtype == str(numpy_field.dtype), game, f"{place}, dtype", numpy_field.dtype, dtype)
        require_equal(game, place, numpy_field, np.asarray(torch_field))
    for step, (state, actions) in enumerate(random_play(rules, batch, steps, seed)):
        copied = map_state(lambda field: torch.from_numpy(np.copy(field)), state)
        pairs = zip(
            _calls(rules, state, actions, state),
            _calls(rules, copied, torch.from_numpy(actions.copy()), state),
            strict=True,
        )
        for on_numpy, on_torch in pairs:
            expected, found = _results(on_numpy), _results(on_torch)
            for index, ((want, dtype), (got, other)) in enumerate(zip(expected, found, strict=True)):
                place = f"step {step}, {_part(on_numpy, state, index)} on torch"
                require(dtype == other, game, f"{place}, dtype", dtype, other)
                require_equal(game, place, want, got, _tolerance(want))
