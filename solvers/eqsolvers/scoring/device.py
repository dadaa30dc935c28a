"""A correlation device as arrays: every component's plan and gradient, from which all gaps are read off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models import ExtensiveFormModel, NormalFormModel
from eqenvs.policies import tabulate
from eqsolvers.scoring.deviations import Evaluator


@dataclass(frozen=True, eq=False)
class Device:
    """A weighted set of product policies; plans and gradients as in `eqsolvers.scoring.deviations`.

    Attributes:
        weights: [K] float64, on the simplex.
        plans: [K, Q] float64, of each component.
        gradients: [K, Q] float64, at each component.
        values: [K, N] float64, the players' expected payoffs in each component.
        groups: per player, the components that give it one and the same policy, which it cannot tell apart.
    """

    weights: Float64Array
    plans: Float64Array
    gradients: Float64Array
    values: Float64Array
    groups: tuple[tuple[list[int], ...], ...]


def lay_out(
    model: ExtensiveFormModel | NormalFormModel, form: Evaluator, components: Sequence[Any], weights: Float64Array
) -> Device:
    """The arrays of a device over all players; a component is evaluated at every information set once."""
    size = (len(components), form.num_entries)
    plans, gradients, values = np.empty(size), np.empty(size), np.empty((len(components), model.num_players))
    groups: list[dict[bytes, list[int]]] = [{} for _ in range(model.num_players)]
    for index, component in enumerate(components):
        tables = tabulate(model, component).tables
        plans[index] = form.plan(tables)
        gradients[index], values[index] = form.collected(plans[index])
        for player, table in enumerate(tables):
            groups[player].setdefault(table.tobytes(), []).append(index)
    return Device(weights, plans, gradients, values, tuple(tuple(found.values()) for found in groups))
