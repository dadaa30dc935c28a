"""What a game's file says about itself: its id, family, parameters, source and known facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any

import numpy as np

from eqenvs.errors import InputError, unknown_name


class Family(StrEnum):
    """The four model classes; the name of a game's folder under `eqenvs.games`."""

    NORMAL_FORM = "normal_form"
    EXTENSIVE_FORM = "extensive_form"
    MARKOV = "markov"
    MEAN_FIELD = "mean_field"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a game or a solver, with its type, default and range (inclusive) or choices.

    None is accepted where it is the default, and where the parameter is `optional`.
    """

    name: str
    default: int | float | bool | str | None
    description: str
    kind: type = int
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False

    @classmethod
    def real(cls, name: str, default: float, low: float, high: float, description: str) -> Parameter:
        """A real one within bounds."""
        return cls(name=name, default=default, kind=float, low=low, high=high, description=description)

    def check(self, game_id: str, value: Any) -> Any:
        """`value` as the parameter's type, or an InputError naming the parameter and its range."""
        if value is None and (self.optional or self.default is None):
            return None
        where = f"{game_id}: parameter {self.name!r}"
        if self.kind is bool:
            accepted = isinstance(value, bool)
        elif self.kind is int:
            accepted = isinstance(value, int | np.integer) and not isinstance(value, bool)
        elif self.kind is float:
            accepted = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        else:
            accepted = isinstance(value, self.kind)
        if not accepted:
            raise InputError(f"{where} must be {self.range_text()}, got {value!r}")
        try:
            value = self.kind(value)
        except OverflowError:
            raise InputError(f"{where} must be {self.range_text()}, got an integer too large for a float") from None
        too_low = self.low is not None and not value >= self.low
        too_high = self.high is not None and not value <= self.high
        if too_low or too_high or (self.choices and value not in self.choices):
            raise InputError(f"{where} must be {self.range_text()}, got {value!r}")
        if self.kind is float and not isfinite(value):
            raise InputError(f"{where} must be finite and {self.range_text()}, got {value!r}")
        return value

    def parse(self, game_id: str, text: str) -> Any:
        """The value written as `text` on a command line."""
        lowered = text.strip().lower()
        if (self.optional or self.default is None) and lowered in {"none", "null"}:
            return None
        if self.kind is bool and lowered in {"true", "false"}:
            return lowered == "true"
        try:
            value: Any = text if self.kind in (bool, str) else self.kind(text)
        except ValueError:
            value = text
        return self.check(game_id, value)

    def range_text(self) -> str:
        """The rule in words, for messages and listings."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        name = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}.get(self.kind, "a value")
        if self.low is not None and self.high is not None:
            return f"{name} from {self.low} to {self.high}"
        if self.low is not None:
            return f"{name} of at least {self.low}"
        if self.high is not None:
            return f"{name} of at most {self.high}"
        return name

    def to_dict(self) -> dict[str, Any]:
        """The parameter as JSON data."""
        return {
            "name": self.name,
            "type": self.kind.__name__,
            "default": self.default,
            "low": self.low,
            "high": self.high,
            "choices": list(self.choices),
            "description": self.description,
        }


@dataclass(frozen=True, kw_only=True)
class Parameterised:
    """Something with an id and parameters: a game, a solver.

    Attributes:
        id: as it is asked for.
        parameters: what may be set.
    """

    id: str
    parameters: tuple[Parameter, ...] = ()

    def resolve(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters with `given` over the defaults, checked.

        Raises:
            InputError: for an unknown parameter or a value outside its type or range.
        """
        known = self._known(given)
        return {name: p.check(self.id, given.get(name, p.default)) for name, p in known.items()}

    def parse(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Parameters written as text (`-p name=value`), checked and typed."""
        known = self._known(texts)
        return {name: known[name].parse(self.id, text) for name, text in texts.items()}

    def _known(self, names: Iterable[str]) -> dict[str, Parameter]:
        """The parameters by name; every one of `names` must be among them."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in names:
            if name not in known:
                raise unknown_name(f"parameter of {self.id}", name, known or ["(it takes none)"])
        return known


def one_hot_rows(actions: Iterable[int], num_actions: int) -> tuple[tuple[float, ...], ...]:
    """A table of `Fact.equilibria` that takes one action at each information state.

    >>> one_hot_rows([1, 0], 3)
    ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    """
    return tuple(tuple(float(k == action) for k in range(num_actions)) for action in actions)


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Published or derived figures of one instance of the game, which the test-suite checks.

    Sizes are keyed as in `eqenvs show --json`; `values` are the players' payoffs in equilibrium where it is unique;
    `equilibrium` gives each player's strategy of a normal-form game's unique equilibrium; `uniform_nash_conv` is the
    NashConv of the uniformly random policy. `equilibria` are equilibria among others, exact or of an approximation: for
    each a table per player, a row of probabilities per information state, of a NashConv of at most `epsilon`.

    Figures hold up to `tolerance`.
    """

    source: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[float, ...] | None = None
    equilibrium: tuple[tuple[float, ...], ...] | None = None
    uniform_nash_conv: float | None = None
    equilibria: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...] = ()
    epsilon: float = 0.0
    tolerance: float = 1e-9


@dataclass(frozen=True, kw_only=True)
class GameSpec(Parameterised):
    """Everything that is known of a game before an instance is built; `id` is the name of the file that defines it.

    Attributes:
        family: the model class it belongs to.
        title: the game in a few words.
        build: from parameters to `Rules` or to a model.
        constant_sum: whether the players' payoffs add up to the same number at every end; a function of the parameters
            (as keywords) where it depends on them.
        exact: whether an instance has an exact model, where `size` does not tell; likewise.
        size: of a game defined by rules, how many histories (of a Markov game, pairs of a state and a joint action) its
            exact model has, as a function of the parameters (or any number above the default limit of enumeration,
            where the count exceeds it); None where it is not known.
        source: authors, year, venue.
        facts: figures that hold.
        version: raised when observations, rewards or rules change.
        digest: of a game that is given as data, what tells it from others of the same name; None where the file of the
            game and its parameters do.
    """

    family: Family
    title: str
    build: Callable[..., Any]
    constant_sum: bool | Callable[..., bool]
    source: str
    exact: bool | Callable[..., bool] = True
    size: Callable[..., int] | None = None
    facts: tuple[Fact, ...] = ()
    version: int = 0
    digest: str | None = None
