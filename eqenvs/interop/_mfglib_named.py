"""What MFGLib's own constructors make: references read, and environments made in double precision."""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeGuard

from eqenvs.errors import GameTooLargeError, InputError, unknown_name
from eqenvs.interop._mfglib_model import MAX_NUMBERS, MAX_TIME, default_precision, torch

SCHEME = "mfglib"
OLDEST = (0, 3)  # of MFGLib's versions
LONGEST = 10_000  # characters of a reference
LARGEST = 1_000_000  # of an integer
ROUNDING = 1e-5  # of single precision, relative, after some arithmetic


@dataclass(frozen=True, kw_only=True)
class Known:
    """What MFGLib 0.3.0's code says of a constructor's environments.

    Attributes:
        states_only: see `model_of`.
        fixed_moves: see there.
        numbers: about how many it computes, or takes the time of, by the parameters.
    """

    states_only: bool
    fixed_moves: bool
    numbers: Callable[[Mapping[str, Any]], int]


KNOWN = {
    "beach_bar": Known(states_only=True, fixed_moves=True, numbers=lambda p: 3 * p["n"] ** 2),
    "building_evacuation": Known(
        states_only=True, fixed_moves=True, numbers=lambda p: 6 * (p["n_floor"] * p["floor_l"] * p["floor_w"]) ** 2
    ),
    "conservative_treasure_hunting": Known(states_only=False, fixed_moves=False, numbers=lambda p: p["n"] ** 4),
    "crowd_motion": Known(
        states_only=True,
        fixed_moves=True,
        numbers=lambda p: (p["torus_l"] * p["torus_w"]) * max(5 * p["torus_l"] * p["torus_w"], 100 * (p["T"] + 1)),
    ),
    "equilibrium_price": Known(
        states_only=False,
        fixed_moves=True,
        numbers=lambda p: ((p["s_inv"] + 1) * (p["Q"] + 1) * (p["H"] + 1)) ** 2,
    ),
    "left_right": Known(states_only=True, fixed_moves=True, numbers=lambda p: 0),
    "linear_quadratic": Known(
        states_only=True,
        fixed_moves=False,
        # Its moves are loops in Python, some 200 microseconds a state and action at every call.
        numbers=lambda p: (2 * p["el"] + 1) * (2 * p["m"] + 1) * max(20_000, 2 * p["el"] + 1),
    ),
    "random_linear": Known(states_only=False, fixed_moves=False, numbers=lambda p: p["n"] ** 4),
    "rock_paper_scissors": Known(states_only=True, fixed_moves=True, numbers=lambda p: 0),
    "susceptible_infected": Known(states_only=True, fixed_moves=False, numbers=lambda p: 0),
}


def known(name: str) -> Known:
    """What is known of a constructor's environments; of one of a later version nothing, so all may matter."""
    return KNOWN.get(name, Known(states_only=False, fixed_moves=False, numbers=lambda p: 0))


def library() -> Any:
    """MFGLib's module of environments.

    Raises:
        InputError: it is not installed, or one from before it had its present form.
    """
    try:
        found = importlib.import_module("mfglib.env")
    except ImportError as error:
        raise InputError(f"{SCHEME}: needs the package mfglib, see `pip install 'eqenvs[interop]'`") from error
    if tuple(map(int, re.findall(r"\d+", version())[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise InputError(
            f"{SCHEME}: needs mfglib {oldest} or later, {version()} is installed; beside rich 15 or later pip takes an "
            "old one, so ask for 'rich<15' too"
        )
    return found


def version() -> str:
    """MFGLib's."""
    return str(getattr(importlib.import_module("mfglib"), "__version__", "0.0"))


def constructors() -> dict[str, inspect.Signature]:
    """The constructors of `Environment` with their parameters, by name."""
    kind = library().Environment
    names = [name for name, found in vars(kind).items() if isinstance(found, classmethod) and name[0] != "_"]
    return {name: inspect.signature(getattr(kind, name)) for name in sorted(names)}


@lru_cache(maxsize=4)
def environment(reference: str) -> Any:
    """What a constructor makes, in double precision; of what its seed draws, what MFGLib makes of it in single.

    Raises:
        GameTooLargeError: it has too many states.
        InputError: MFGLib is absent, or knows no such constructor or parameter, or cannot make it.
    """
    name, given = parsed(reference)
    where = f"{SCHEME}:{reference}"
    numbers = known(name).numbers(given)
    if numbers > MAX_NUMBERS:
        raise GameTooLargeError(f"{where}: takes about {numbers:,} numbers, the limit is {MAX_NUMBERS:,}")
    try:
        env = _made(name, given, torch().float64)
        single = _made(name, given, torch().float32) if "seed" in given else env
    except Exception as error:  # whatever MFGLib may raise of parameters
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{where}: MFGLib cannot make it ({reason})") from error
    for holder, other in zip(holders(env), holders(single), strict=True):
        for key, value in vars(holder).items():
            setattr(holder, key, _drawn(value, vars(other)[key]))
    return env


def holders(env: Any) -> tuple[Any, Any, Any]:
    """The objects that hold what an environment is played by."""
    return env, env.reward_fn, env.transition_fn


def _made(name: str, given: Mapping[str, Any], kind: Any) -> Any:
    """What the constructor makes where that is torch's default kind; torch's random state is kept."""
    before = torch().get_rng_state()
    try:
        with default_precision(kind):
            if isinstance(given.get("mu0"), tuple) and constructors()[name].parameters["mu0"].default == "uniform":
                given = {**given, "mu0": torch().tensor(given["mu0"])}
            return getattr(library().Environment, name)(**given)
    finally:
        torch().set_rng_state(before)


def _drawn(double: Any, single: Any) -> Any:
    """What was computed, in double precision; what was drawn, and so is another in single precision, as drawn there."""
    if isinstance(double, list):
        return [_drawn(*each) for each in zip(double, single, strict=True)]
    if not isinstance(double, torch().Tensor) or torch().allclose(double, single.to(double), rtol=ROUNDING, atol=0.0):
        return double
    return single.to(double)


@lru_cache(maxsize=4)
def parsed(reference: str) -> tuple[str, dict[str, Any]]:
    """A constructor's name, and all its parameters."""
    where = f"{SCHEME}:{reference}"
    name, bracket, rest = reference.partition("(")
    known = constructors()
    if name not in known:
        raise unknown_name("environment of MFGLib", name, known)
    if bracket and not rest.endswith(")"):
        raise InputError(f"{where}: parameters must stand in brackets, as in {name}({_example(known[name])})")
    given: dict[str, Any] = {}
    for word in _keywords(rest[:-1], where, name, known[name]):
        parameter = word.arg or "**"
        if parameter not in known[name].parameters:
            raise unknown_name(f"parameter of {SCHEME}:{name}", parameter, known[name].parameters)
        if parameter in given:
            raise InputError(f"{where}: parameter {parameter!r} is given twice")
        given[parameter] = _value(word.value, known[name].parameters[parameter].default, f"{where}: {parameter!r}")
    given = {key: given.get(key, parameter.default) for key, parameter in known[name].parameters.items()}
    if not 0 <= given.get("T", 0) <= MAX_TIME:
        raise InputError(f"{where}: 'T' must be from 0 to {MAX_TIME:,}, got {given['T']}")
    return name, given


def _example(signature: inspect.Signature) -> str:
    key, parameter = next(iter(signature.parameters.items()))
    return f"{key}={parameter.default}"


def _keywords(text: str, where: str, name: str, signature: inspect.Signature) -> list[ast.keyword]:
    if len(text) > LONGEST:
        raise InputError(f"{where}: has more than {LONGEST:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange literals, which are refused
            call = ast.parse(f"f({text})", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        call = None
    if not isinstance(call, ast.Call) or call.args or not isinstance(call.func, ast.Name):
        raise InputError(f"{where}: parameters must be NAME=VALUE,..., as in {name}({_example(signature)})")
    return call.keywords


def _value(node: ast.expr, default: Any, where: str) -> Any:
    """A parameter of the kind of its default."""
    try:
        value = node.id if isinstance(node, ast.Name) else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        value = None
    if default == "uniform":
        if value == default or isinstance(value, tuple):
            return value
        raise InputError(f"{where} must be uniform or nested tuples of probabilities")
    if isinstance(default, tuple):
        if isinstance(value, tuple) and all(map(_is_number, value)):
            return tuple(map(float, value))
        raise InputError(f"{where} must be a tuple of numbers, such as {default}")
    if isinstance(default, int) and (type(value) is not int or not 0 <= value <= LARGEST):
        raise InputError(f"{where} must be an integer from 0 to {LARGEST:,}, got {ast.unparse(node)}")
    if isinstance(default, float):
        if not _is_number(value):
            raise InputError(f"{where} must be a finite number, got {ast.unparse(node)}")
        return float(value)
    return value


def _is_number(value: Any) -> TypeGuard[float]:
    if type(value) is int:
        return abs(value) < 1 << 53
    return type(value) is float and math.isfinite(value)
