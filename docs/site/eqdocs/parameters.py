"""Tables of what can be set: the parameters of games, solvers and meta-solvers, and the settings of learners."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from eqagents.configuration import NamedSettings, Settings
from eqagents.learners.psro._meta import MetaSolverConfig
from eqdocs.markdown import escaped, table
from eqenvs.spec import Parameter

BOUNDS = (("gt", "> "), ("ge", "at least "), ("lt", "< "), ("le", "at most "), ("min_length", "length at least "))


def parameter_table(parameters: Iterable[Parameter]) -> str:
    """Name, default, range and meaning of each."""
    return table(
        ("parameter", "default", "range", "meaning"),
        [(f"`{p.name}`", f"`{_shown(p.default)}`", escaped(_range(p)), escaped(p.description)) for p in parameters],
    )


def _range(parameter: Parameter) -> str:
    """In words, whole numbers without their zero."""
    return re.sub(r"(\d)\.0\b", r"\1", parameter.range_text())


def settings_table(config: type[BaseModel]) -> str:
    """Key, default, type, range and meaning of every setting, with those of groups by their dotted path."""
    return table(("setting", "default", "takes", "meaning"), list(_rows(config, "", None, ())))


def _rows(
    config: type[BaseModel], prefix: str, default: Any, above: tuple[type[BaseModel], ...]
) -> Iterator[tuple[str, str, str, str]]:
    for name, field in config.model_fields.items():
        if name == "id" and issubclass(config, NamedSettings):
            continue
        value = field.get_default(call_default_factory=True) if default is None else getattr(default, name)
        group, path = _group(field.annotation), f"{prefix}{name}"
        if group is None or group in above:
            yield f"`{path}`", _default(value), _taken(field), escaped(field.description or "")
            continue
        if value is None or field.description:
            yield f"`{path}`", _default(value), "a group of keys", escaped(field.description or "")
        yield from _rows(group, f"{path}.", value if isinstance(value, group) else None, (*above, group))


def _group(annotation: Any) -> type[Settings] | None:
    """The settings that a key is a group of; None where its value is one thing (a number, an id with settings)."""
    for one in _alternatives(annotation):
        if isinstance(one, type) and issubclass(one, Settings) and not issubclass(one, NamedSettings):
            return None if one.whole else one
    return None


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _taken(field: FieldInfo) -> str:
    """Type and range in words."""
    names = [_type_name(one) for one in _alternatives(field.annotation)]
    bounds = [f"{word}{getattr(rule, key)}" for rule in field.metadata for key, word in BOUNDS if hasattr(rule, key)]
    return escaped(", ".join([" or ".join(dict.fromkeys(names)), *bounds]))


def _type_name(one: Any) -> str:
    if typing.get_origin(one) is Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(one))
    if typing.get_origin(one) is typing.Annotated:
        return _type_name(typing.get_args(one)[0])
    origin = typing.get_origin(one) or one
    if isinstance(origin, type) and issubclass(origin, NamedSettings):
        return "an id with its settings"
    known = {int: "integer", float: "number", bool: "true or false", str: "text", type(None): "null"}
    known |= {list: "list", tuple: "list", dict: "keys and values", MetaSolverConfig: "an id, or a group of keys"}
    if origin in known:
        return known[origin]
    name: str = getattr(origin, "__name__", str(origin))
    return {"Schedule": "number or schedule"}.get(name, name)


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, NamedSettings):
        return f"`{{id: {value.id}}}`"
    if isinstance(value, BaseModel):
        given = {name: getattr(value, name) for name in type(value).model_fields}
        if set(given) == {"start", "end", "over", "shape"} and given["end"] in (None, given["start"]):
            return f"`{_shown(given['start'])}`"
        return f"`{{{', '.join(f'{name}: {_shown(each)}' for name, each in given.items() if each is not None)}}}`"
    return f"`{_shown(value)}`"


def _shown(value: Any) -> str:
    """As YAML has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, BaseModel):
        return _default(value).strip("`")
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_shown(each)}' for key, each in value.items())}}}"
    return str(value)
