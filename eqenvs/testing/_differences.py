"""Nested structures (dicts, sequences, arrays, scalars) compared, and digested so that processes can compare them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np


def difference(expected: Any, found: Any, place: str = "") -> str:
    """Where two structures first differ, or "" if they are the same; NaN is NaN, and dicts have an order."""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping) or list(expected) != list(found):
            return f"{place}: keys {list(expected)} against {list(found) if isinstance(found, Mapping) else found!r}"
        parts = (difference(expected[key], found[key], f"{place}[{key!r}]") for key in expected)
        return next(filter(None, parts), "")
    if isinstance(expected, np.ndarray):
        return _between_arrays(expected, found, place)
    if isinstance(expected, list | tuple):
        if not isinstance(found, list | tuple) or len(expected) != len(found):
            return f"{place}: {expected!r} against {found!r}"
        parts = (difference(e, f, f"{place}[{i}]") for i, (e, f) in enumerate(zip(expected, found, strict=True)))
        return next(filter(None, parts), "")
    if _inherits(expected, "__eq__") and type(expected) is type(found):
        return difference(_inside(expected), _inside(found), place)
    both_nan = expected != expected and found != found
    return "" if both_nan or expected == found else f"{place}: {expected!r} against {found!r}"


def _between_arrays(expected: np.ndarray[Any, Any], found: Any, place: str) -> str:
    if not isinstance(found, np.ndarray):
        return f"{place}: {expected!r} against {found!r}"
    if expected.dtype != found.dtype or expected.shape != found.shape:
        return f"{place}: {expected.dtype} {expected.shape} against {found.dtype} {found.shape}"
    differ = expected != found
    if expected.dtype.kind in "fc":
        differ = differ & ~(np.isnan(expected) & np.isnan(found))
    if not differ.any():
        return ""
    where = tuple(int(i) for i in np.argwhere(differ)[0])
    return f"{place}{list(where)}: {expected[where]} against {found[where]}"


def _inherits(thing: object, method: str) -> bool:
    """Whether a method is that of `object`, which tells things apart by their place in memory."""
    return getattr(type(thing), method) is getattr(object, method)


def _inside(thing: object) -> dict[str, Any]:
    return dict(getattr(thing, "__dict__", {}))


def digest(thing: Any) -> str:
    """Sixteen characters that two structures share if `difference` finds none between them, the order of sets apart."""
    summary = hashlib.sha256()
    _feed(summary, thing)
    return summary.hexdigest()[:16]


def _feed(summary: Any, thing: Any) -> None:
    if isinstance(thing, Mapping):
        parts: list[Any] = [part for item in thing.items() for part in item]
    elif isinstance(thing, list | tuple):
        parts = list(thing)
    elif isinstance(thing, set | frozenset):
        parts = sorted(map(repr, thing))
    elif isinstance(thing, np.ndarray) and thing.dtype != object:
        summary.update(f"{thing.dtype.str}{thing.shape}".encode())
        summary.update(np.ascontiguousarray(thing).tobytes())
        return
    elif _inherits(thing, "__repr__"):
        parts = [type(thing).__qualname__, _inside(thing)]
    else:
        summary.update(repr(thing).encode() + b";")
        return
    summary.update(f"{len(parts)}(".encode())
    for part in parts:
        _feed(summary, part)
