"""What the methods that move a point of every player's treeplex have in common: the quotient game, scores, checkpoints.

Shared by magnetic mirror descent, fictitious play and mirror descent with dilated regularisers; each keeps one named
tuple of arrays per player and says which of them it is judged by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.extensive_form import ExtensiveFormModel, Treeplex
from eqenvs.policies import TabularPolicy
from eqsolvers.extensive_form import _kernel
from eqsolvers.extensive_form._symmetry import QuotientPlayer


class TreeplexProcess:
    """A full-width method at work on the quotient of a game; `run` is the method's own.

    Args:
        model: perfect recall.
        players: its quotient.
        tables: one named tuple of arrays per player, all that changes but the iteration.
        traversals: of the whole tree in one iteration, as the textbook's method would make them.
    """

    unit = "histories"  # of `touched`

    def __init__(
        self, model: ExtensiveFormModel, players: tuple[QuotientPlayer, ...], tables: Sequence[Any], traversals: int
    ) -> None:
        self.model = model
        self.iteration = 0
        self._traversals = traversals
        self._players = players
        self._sides = sides(players)
        self._tables = tuple(tables)

    @property
    def touched(self) -> int:
        """See `Process`."""
        return self.iteration * self._traversals * len(self.model.parent)

    def measures(self) -> dict[str, float]:
        """See `Process`; there are none."""
        return {}

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        tables = [{name: array.copy() for name, array in table._asdict().items()} for table in self._tables]
        return {"iteration": self.iteration, "tables": tables}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`."""
        self.iteration = int(state["iteration"])
        for table, stored in zip(self._tables, state["tables"], strict=True):
            for name, array in table._asdict().items():
                array[:] = stored[name]

    def _nash_conv(self, plans: tuple[Float64Array, ...]) -> float:
        """The exact NashConv of plans on the quotient; `nash_conv` has them on the model."""
        total = 0.0
        for player, side in enumerate(self._sides):
            gradient = np.zeros(len(plans[player]))
            _kernel.collect(side, player, plans, gradient)
            value = float((gradient * plans[player]) @ self._players[player].size)
            total += _kernel.best_response_value(side, gradient) - value
        return max(0.0, total)

    def _policy_of_plans(self, plans: Sequence[Float64Array]) -> TabularPolicy:
        """The policy of plans on the quotient, on the model's own information sets; uniform where they never arrive."""
        tables = []
        for treeplex, player, plan in zip(self.model.treeplexes, self._players, plans, strict=True):
            tables.append(treeplex.behaviour(plan[sequence_classes(player, treeplex)]))
        return TabularPolicy(self.model, tables)

    def _policy_of_strategies(self, strategies: Sequence[Float64Array]) -> TabularPolicy:
        """The policy of behaviour on the quotient, arrived at or not."""
        tables = []
        for treeplex, player, strategy in zip(self.model.treeplexes, self._players, strategies, strict=True):
            table = np.zeros(treeplex.states.masks.shape)
            table[treeplex.states.masks] = strategy[sequence_classes(player, treeplex)[1:]]
            tables.append(table)
        return TabularPolicy(self.model, tables)


def nash_conv(model: ExtensiveFormModel, plans: list[Float64Array]) -> float:
    """The exact NashConv of realisation plans, [Q] per player."""
    total = 0.0
    for player, treeplex in enumerate(model.treeplexes):
        gradient = model.gradient(player, plans)
        total += max(0.0, treeplex.best_response(gradient)[0] - float(gradient @ plans[player]))
    return total


def empty_side(num_players: int) -> _kernel.Side:
    """A player with one information set of one action, in a game that pays nothing: what kernels are warmed up with."""
    return _kernel.Side(
        first=np.array([1, 2], dtype=np.uint32),
        parent=np.zeros(1, dtype=np.uint32),
        multiplicity=np.ones(1),
        row_start=np.zeros(3, dtype=np.uint32),
        others=np.zeros((0, num_players - 1), dtype=np.uint32),
        values=np.zeros(0),
    )


def sides(players: tuple[QuotientPlayer, ...]) -> tuple[_kernel.Side, ...]:
    """The players' parts of the game, as the kernels take them."""
    return tuple(_kernel.side_of(player) for player in players)


def uniform_strategy(player: QuotientPlayer) -> Float64Array:
    """Uniform play everywhere, [Q] with the empty sequence at 1."""
    counts = np.diff(player.first)
    return np.concatenate([[1.0], np.repeat(1.0 / counts, counts)])


def realisation(player: QuotientPlayer, strategy: Float64Array) -> Float64Array:
    """The plan of a strategy, [Q]; parents stand before children."""
    plan = strategy.copy()
    for infoset, parent in enumerate(player.parent):
        plan[player.first[infoset] : player.first[infoset + 1]] *= plan[parent]
    return plan


def sequence_classes(player: QuotientPlayer, treeplex: Treeplex) -> IntArray:
    """The quotient sequence of each of the model's, [full Q]."""
    infoset = treeplex.sequence_infoset[1:]
    offset = np.arange(1, treeplex.num_sequences) - treeplex.first_sequence[infoset]
    return np.concatenate([[0], player.first[player.infoset_class[infoset]] + offset])
