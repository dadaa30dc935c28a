"""YAML that nobody vouches for: plain values only, no larger than it looks.

Aliases are allowed, but a few lines of them can stand for more values than fit in memory, or for one that contains
itself: what they stand for is counted before anything is built. Every error is one line.
"""

from __future__ import annotations

import sys
from typing import Any

import yaml

from eqenvs.errors import InputError

MAX_CHARACTERS = 500_000
MAX_VALUES = 50_000
MAX_DEPTH = 50
_FAULTS = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def parse_yaml(text: str) -> Any:
    """The values.

    Raises:
        InputError: saying what is wrong, and in which line; not where the text is from, which the caller adds.

    >>> parse_yaml("a: [1, 2.5, x]")
    {'a': [1, 2.5, 'x']}
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"it has {len(text):,} characters, the limit is {MAX_CHARACTERS:,}")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {})
        _require_keys_once(node, set())
        return _printable(loader.construct_document(node))
    except InputError:
        raise
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise InputError(f"{error.problem or error.context}{line}") from None
    except _FAULTS as error:
        raise InputError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from None


def _measure(node: yaml.Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """How many values a node stands for, and levels; None in `known` for those that it is a part of."""
    if isinstance(node, yaml.ScalarNode):
        return 1, 0
    line = f"(line {node.start_mark.line + 1})"
    if id(node) not in known:
        known[id(node)] = None
        parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        measures = [_measure(part, known) for part in parts]
        size, levels = 1 + sum(m[0] for m in measures), 1 + max((m[1] for m in measures), default=0)
        if size > MAX_VALUES:
            raise InputError(f"it stands for more than {MAX_VALUES:,} values {line}")
        if levels > MAX_DEPTH:
            raise InputError(f"more than {MAX_DEPTH} levels of nesting {line}")
        known[id(node)] = size, levels
    found = known[id(node)]
    if found is None:
        raise InputError(f"a value contains itself {line}")
    return found


def _require_keys_once(node: yaml.Node, seen: set[int]) -> None:
    """YAML forbids a key that comes twice; the loader would take the last."""
    if isinstance(node, yaml.ScalarNode) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in keys:
                    raise InputError(f"key {key.value!r} comes twice (line {key.start_mark.line + 1})")
                keys.add((key.tag, key.value))
    parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
    for part in parts:
        _require_keys_once(part, seen)


def _printable(value: Any) -> Any:
    """The value, where Python can print it: hexadecimal integers may have more digits than it writes."""
    parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        _printable(part)
    if isinstance(value, int) and value.bit_length() > 3 * sys.int_info.default_max_str_digits:
        raise InputError(f"an integer of {value.bit_length():,} bits")
    return value
