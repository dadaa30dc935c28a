"""Ways to spoil an input: bytes, trees of plain values, and texts that have broken readers before."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

LONG = 100_000  # characters
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e308, -1e308, 5e-324,
    math.nan, math.inf, -math.inf, "", " ", "nan", "a\nb", "a\u2028b", "\x00", "\x1b[2J", "\N{SNAKE}", "\ud800",
    "\u0663", "../../../etc/passwd", "/etc/passwd", "/dev/zero", "/proc/self/environ", "..", "~", "C:\\x",
    "x" * LONG, [], {},
    [[]], {"": ""}, {"id": "ppo"}, {"id": "../ppo"}, "null", "1e9", "__class__", "__init__", "os:system", "1,2", "1_0",
    "-", ";", ",", "=", "0x10", "None", [None], [0, "a", {}], {"a": [1]}, [1e300] * 20, "9" * 5000,
)  # fmt: skip
YAML_TEXTS = (
    "!!python/object/apply:os.system ['echo fuzzed > canary']",
    "!!python/object/new:os.system ['echo fuzzed > canary']",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/tuple [1, 2]",
    "&a [*a]",
    "&a {b: *a}",
    "*missing",
    "{<<: 1}",
    "{<<: [{a: 1}, 2]}",
    "2020-13-45",
    "2020-01-01T25:00:00Z",
    "0x" + "f" * 5000,
    "1" * 5000,
    "1:60:99999",
    "!!int x",
    "!!float x",
    "!!bool x",
    "!!timestamp x",
    "!!binary \N{SNAKE}",
    "!!set {a, b}",
    "!!omap [1]",
    "!!pairs [{a: 1, b: 2}]",
    "? [a, b]\n: c",
    "? {a: b}\n: c",
    "[" * 3000,
    "{a: " * 3000,
    "- " * 3000,
    "%YAML 9.9\n---\na",
    "a\n---\nb",
    "\t",
    "@a",
    "`a",
    '"\\xzz"',
    '"\\ud800"',
    "!<tag:yaml.org,2002:python/object/apply:os.system> [ls]",
    "'",
    "|99\n a",
)


def laughs(levels: int = 12, wide: int = 10) -> str:
    """A few lines of YAML that stand for wide ** levels values."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * wide)}]" for level in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int = 20) -> str:
    """The same by merged mappings."""
    lines = ["a0: &a0 {x: 1}"]
    for level in range(1, levels):
        below = f"*a{level - 1}"
        lines += [f"a{level}: &a{level} {{<<: [{', '.join([below] * 5)}], y{level}: {below}}}"]
    return "\n".join(lines)


def nested(levels: int, key: str | None = None) -> Any:
    """A value inside that many lists, or mappings of one key."""
    value: Any = 0
    for _ in range(levels):
        value = [value] if key is None else {key: value}
    return value


def spoiled_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three changes: flips, cuts, insertions, repetitions, swaps of pieces."""
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(data) + 1))
        to = min(len(data), at + int(rng.integers(1, 40)))
        kind = int(rng.integers(9))
        if kind == 0 and at < len(data):
            data = data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at]
        elif kind == 2:
            data = data[:at] + rng.bytes(int(rng.integers(1, 20))) + data[at:]
        elif kind == 3:
            data = data[:at] + data[to:]
        elif kind == 4:
            data = data[:to] + data[at:to] * int(rng.integers(1, 50)) + data[to:]
        elif kind == 5:
            data = data[to:] + data[:at]
        elif kind == 6:
            data = data[:at] + b"\x00" * int(rng.integers(1, 9)) + data[at:]
        elif kind == 7:
            tokens = (b"NaN", b"-1", b"1e999", b"null", b"\xff\xfe", b"\n", b'"', b"{", b"]", b":", b",", b"9" * 400)
            data = data[:at] + tokens[int(rng.integers(len(tokens)))] + data[at:]
        else:
            data = data[:at] + b"\xff" * (to - at) + data[to:]
    return data


def hostile(rng: np.random.Generator) -> Any:
    """A value that few keys expect."""
    kind = int(rng.integers(len(HOSTILE) + 3))
    if kind < len(HOSTILE):
        return copy.deepcopy(HOSTILE[kind])
    return nested(int(rng.choice([20, 60, 100])), None if kind == len(HOSTILE) else "a")


def spoiled_tree(tree: Any, rng: np.random.Generator) -> Any:
    """A copy with one to three changes at random places."""
    tree = copy.deepcopy(tree)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        places = list(_places(tree))
        if not places:
            return hostile(rng)
        holder, key = places[int(rng.integers(len(places)))]
        _CHANGES[int(rng.integers(len(_CHANGES)))](holder, key, rng)
    return tree


def _places(tree: Any, depth: int = 0) -> Any:
    if depth > 12 or not isinstance(tree, dict | list):
        return
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        yield from _places(tree[key], depth + 1)


def _replace(holder: Any, key: Any, rng: np.random.Generator) -> None:
    holder[key] = hostile(rng)


def _remove(holder: Any, key: Any, rng: np.random.Generator) -> None:
    del holder[key]


def _rename(holder: Any, key: Any, rng: np.random.Generator) -> None:
    if isinstance(holder, dict):
        names = [str(key)[:-1], f"{key}s", f"{key}\n", str(key).upper(), "", "../x", "\x00", "id", "\ud800", "x" * 5000]
        holder[names[int(rng.integers(len(names)))]] = holder.pop(key)


def _swap(holder: Any, key: Any, rng: np.random.Generator) -> None:
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    other = keys[int(rng.integers(len(keys)))]
    holder[key], holder[other] = holder[other], holder[key]


def _repeat(holder: Any, key: Any, rng: np.random.Generator) -> None:
    if isinstance(holder, list):
        holder.extend([copy.deepcopy(holder[key])] * int(rng.integers(1, 30)))
    else:
        holder[f"{key}2"] = copy.deepcopy(holder[key])


def _wrap(holder: Any, key: Any, rng: np.random.Generator) -> None:
    holder[key] = [holder[key]] if rng.random() < 0.5 else {"id": holder[key]}


def _number(holder: Any, key: Any, rng: np.random.Generator) -> None:
    value = holder[key]
    if isinstance(value, int | float) and not isinstance(value, bool):
        ways: list[Callable[[Any], Any]] = [
            lambda v: -v, lambda v: v + 1, lambda v: v - 1, lambda v: v * 10, lambda v: v / 7, str, lambda v: v * 10**6,
        ]  # fmt: skip
        holder[key] = ways[int(rng.integers(len(ways)))](value)
    else:
        _replace(holder, key, rng)


_CHANGES = (_replace, _replace, _replace, _remove, _rename, _swap, _repeat, _wrap, _number, _number)
