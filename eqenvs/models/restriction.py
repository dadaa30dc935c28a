"""A game in which players may use only some of their actions: the part of an exact model that they can still reach.

McAleer, Lanier, Wang, Baldi and Fox (2021), "XDO: a double oracle algorithm for extensive-form games", NeurIPS,
section 4: the restricted game of extensive-form double oracle. Chance is not restricted.

Cost: one pass over the histories, O(H + P log P) for P payoff entries that stay.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array, IntArray, read_only
from eqenvs.errors import InputError
from eqenvs.models.enumeration import collected_payoffs
from eqenvs.models.extensive_form import ExtensiveFormModel, Treeplex
from eqenvs.models.information_states import InformationStates


@dataclass(frozen=True, eq=False)
class Restriction:
    """A restricted game, and where it lies in the whole one.

    Attributes:
        whole: the game.
        model: the restricted game, an exact model as any other.
        infosets: per player, the information sets of the whole game that are left, [I'] int64, in the order of the
            restricted game's.
    """

    whole: ExtensiveFormModel
    model: ExtensiveFormModel
    infosets: tuple[IntArray, ...]

    def extended(self, tables: Sequence[Float64Array], elsewhere: Sequence[Float64Array]) -> list[Float64Array]:
        """Behaviour tables of the restricted game as tables of the whole one.

        Args:
            tables: [I', A] per player.
            elsewhere: [I, A] per player, what is played at information sets that the restricted game never reaches.
        """
        found = []
        for table, other, at in zip(tables, elsewhere, self.infosets, strict=True):
            whole = other.copy()
            whole[at] = table
            found.append(whole)
        return found


def restrict(model: ExtensiveFormModel, allowed: Sequence[BoolArray]) -> Restriction:
    """The game in which only some actions may be used.

    Args:
        model: the whole game.
        allowed: [I, A] bool per player; of actions that are not legal it may say anything.

    Raises:
        InputError: if an information set that can be reached has no action left.
    """
    masks = []
    for treeplex, may in zip(model.treeplexes, allowed, strict=True):
        if may.shape != treeplex.states.masks.shape:
            raise InputError(f"restrict: allowed has shape {may.shape}, not {treeplex.states.masks.shape}")
        masks.append(treeplex.states.masks & may)
    histories = np.flatnonzero(_kept(model, masks))
    number = np.full(len(model.parent), -1)
    number[histories] = np.arange(len(histories))
    parts, infosets = [], []
    infoset = np.full(len(histories), -1)
    for player, treeplex in enumerate(model.treeplexes):
        members = np.flatnonzero(model.player[histories] == player)
        own = model.infoset[histories[members]]
        left = np.unique(own)
        _require_actions(player, left, masks[player])
        infoset[members] = np.searchsorted(left, own)
        parts.append(_part(treeplex, left, masks[player]))
        infosets.append(read_only(left))
    treeplexes, sequences = zip(*parts, strict=True)
    ends = np.flatnonzero(number[model.terminals] >= 0)
    terminal_sequences = np.stack(
        [new[model.terminal_sequences[ends, player]] for player, new in enumerate(sequences)], axis=1
    )
    payoffs, reach = model.payoffs[ends], model.chance_reach[ends]
    payoff_sequences, payoff_values = collected_payoffs(terminal_sequences, payoffs, reach)
    above = model.parent[histories]
    restricted = ExtensiveFormModel(
        parent=read_only(np.where(above >= 0, number[above], -1)),
        action=read_only(model.action[histories]),
        player=read_only(model.player[histories]),
        chance=read_only(model.chance[histories]),
        infoset=read_only(infoset),
        level_start=read_only(np.unique(np.searchsorted(histories, model.level_start))),
        terminals=read_only(number[model.terminals[ends]]),
        payoffs=read_only(payoffs),
        chance_reach=read_only(reach),
        terminal_sequences=read_only(terminal_sequences),
        treeplexes=treeplexes,
        payoff_sequences=read_only(payoff_sequences),
        payoff_values=read_only(payoff_values),
    )
    return Restriction(model, restricted, tuple(infosets))


def _kept(model: ExtensiveFormModel, masks: Sequence[BoolArray]) -> BoolArray:
    """Which histories can be reached, [H]."""
    open_edge = np.ones(len(model.parent), dtype=bool)
    above = model.parent[1:]
    for player, mask in enumerate(masks):
        moved = 1 + np.flatnonzero(model.player[above] == player)
        open_edge[moved] = mask[model.infoset[model.parent[moved]], model.action[moved]]
    kept = open_edge
    for start, stop in itertools.pairwise(model.level_start[1:]):
        kept[start:stop] &= kept[model.parent[start:stop]]
    return kept


def _require_actions(player: int, left: IntArray, mask: BoolArray) -> None:
    without = left[~mask[left].any(axis=1)]
    if without.size:
        raise InputError(f"restrict: player {player} has no action left at information set {without[0]}")


def _part(treeplex: Treeplex, left: IntArray, mask: BoolArray) -> tuple[Treeplex, IntArray]:
    """What is left of a treeplex, and the new number of each of its sequences, -1 for those that are gone."""
    stays = np.zeros(treeplex.num_infosets, dtype=bool)
    stays[left] = True
    used = (mask & stays[:, None])[treeplex.states.masks]
    number = np.append(0, np.where(used, np.cumsum(used), -1))
    states = treeplex.states.rows(left)
    counts = mask[left].sum(axis=1, dtype=np.int64)
    depth = np.repeat(np.arange(len(treeplex.depth_start) - 1), np.diff(treeplex.depth_start))[left]
    part = Treeplex(
        states=InformationStates(read_only(states.keys), read_only(states.observations), read_only(mask[left])),
        parent_sequence=read_only(number[treeplex.parent_sequence[left]]),
        first_sequence=read_only(1 + np.cumsum(counts) - counts),
        num_actions=read_only(counts),
        depth_start=read_only(np.searchsorted(depth, np.arange(depth.max(initial=-1) + 2))),
    )
    return part, number
