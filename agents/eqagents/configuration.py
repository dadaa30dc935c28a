"""Typed configuration: pydantic models, with errors that name the key and the nearest known one."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from eqagents.yaml_text import parse_yaml
from eqenvs.errors import InputError, nearest

ModelT = TypeVar("ModelT", bound=BaseModel)


class Settings(BaseModel):
    """A group of keys: immutable, and an unknown key is an error.

    A group inside that is given in part takes the rest from this one's default for it, not from its class.

    Attributes:
        whole: whether such a group is taken as it is given; for groups that are one value, like a schedule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    whole: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _own_defaults(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        filled = dict(data)
        for name, field in cls.model_fields.items():
            default, value = field.default, data.get(name)
            parted = isinstance(default, Settings) and not isinstance(default, NamedSettings) and not default.whole
            if parted and isinstance(value, Mapping):
                filled[name] = {**default.model_dump(), **value}
        return filled


class NamedSettings(Settings):
    """The settings of a thing that is found by its id (a learner, an oracle)."""

    id: str


def validate(model: type[ModelT], data: Mapping[str, Any], where: str = "") -> ModelT:
    """The typed configuration.

    Args:
        model: what is expected.
        data: what was written.
        where: dotted path of `data` in the whole configuration, for messages.

    Raises:
        InputError: for the first thing wrong, on one line; an unknown key names the nearest known one.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, InputError):
            raise cause from None
        path = [str(part) for part in first["loc"]]
        key = ".".join([where, *path] if where else path)
        if first["type"] == "extra_forbidden":
            known = _fields(model, path[:-1])
            raise InputError(f"config: unknown key {key!r}; {nearest(path[-1], known)}") from None
        if first["type"] == "missing":
            raise InputError(f"config: key {key!r} is required") from None
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"config: {key}: {message}, got {first['input']!r}"[:500]) from None


def _fields(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The keys that the model at `path` below `model` knows."""
    for part in path:
        field = model.model_fields.get(part)
        nested = None if field is None else _model_in(field.annotation)
        if nested is None:
            return []
        model = nested
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next((m for m in map(_model_in, typing.get_args(annotation)) if m is not None), None)
    return None


class HasSettings(Protocol):
    """A registered thing."""

    @property
    def config(self) -> type[NamedSettings]:
        """Its settings."""


def by_id(value: Any, find: Callable[[str], HasSettings], where: str) -> NamedSettings:
    """The configuration of a thing that its `id` names (a learner, an oracle).

    Args:
        value: a configuration already, or a mapping with an `id`.
        find: from the id to an object with a `config` model.
        where: dotted path, for messages.

    Raises:
        InputError: if there is no id, it is unknown, or the settings are wrong.
    """
    if isinstance(value, NamedSettings):
        return value
    if not isinstance(value, Mapping) or not isinstance(value.get("id"), str):
        raise InputError(f"config: {where} must be a mapping with an 'id', got {value!r}")
    return validate(find(value["id"]).config, value, where)


def with_overrides(data: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The configuration with `a.b=c` assignments made; values are read as YAML.

    Raises:
        InputError: if an assignment has no `=`, or goes through something that is no mapping.

    >>> with_overrides({"seed": 0, "executor": {"workers": 2}}, ["executor.workers=0", "seed=7"])
    {'seed': 7, 'executor': {'workers': 0}}
    """
    result: dict[str, Any] = _copied(data)
    for assignment in overrides:
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            raise InputError(f"--set needs key=value, got {assignment!r}")
        *parents, last = path.split(".")
        target: Any = result
        for part in parents:
            target = target.setdefault(part, {})
            if not isinstance(target, dict):
                raise InputError(f"--set {path}: {part!r} is a value, not a group of keys")
        try:
            target[last] = parse_yaml(text)
        except InputError as error:
            raise InputError(f"--set {path}: {text[:100]!r} is no YAML value: {error}") from None
    return result


def _copied(data: Any) -> Any:
    return {key: _copied(value) for key, value in data.items()} if isinstance(data, Mapping) else data
