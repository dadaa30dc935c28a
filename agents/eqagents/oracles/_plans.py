"""One player's payoffs in a game where they are linear in its plan: realisation plans, or mixed strategies.

Against a fixed profile of the others a plan x earns gradient . x; against several of them the vector of its payoffs is
linear in x too. Whatever is maximised over policies through these is maximised by best responses to gradients.

Cost: O(P) a gradient for P payoff entries, O(Q) a plan or best response.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from eqagents.oracles import Member, Populations, Situation, populations_of
from eqagents.policies import to_policy
from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.models import ExtensiveFormModel, NormalFormModel
from eqenvs.policies import JointPolicy, components, player_entries, player_table
from eqsolvers.meta import MetaSolution


class PlayerForm(Protocol):
    """A model as one player sees it."""

    def plan(self, table: Float64Array) -> Float64Array:
        """The plan [Q] of a behaviour table [I, A]."""

    def gradient(self, tables: Sequence[Float64Array]) -> Float64Array:
        """What each entry of a plan earns [Q] against the others' tables; the player's own is not read."""

    def worth(self, gradient: Float64Array) -> Float64Array:
        """What each entry earns with best play after it, [Q]."""

    def laid_out(self, entries: Float64Array) -> Float64Array:
        """Entries [Q] as a table [I, A], -inf where an action is illegal."""

    def met(self, opponents: JointPolicy) -> Float64Array:
        """How often each information set is met [I] by a plan that does all to reach it."""

    def spread(self, met: Float64Array) -> Float64Array:
        """What is known of information sets [I] at their entries [Q]; 0 for the empty sequence."""

    def pure(self) -> list[Float64Array] | None:
        """All pure tables, where they are the player's actions; None where there are too many to list."""


class NormalFormSide:
    """A mixed strategy is its own plan."""

    def __init__(self, model: NormalFormModel, player: int) -> None:
        self._model, self._player = model, player
        self._actions = model.num_actions[player]

    def plan(self, table: Float64Array) -> Float64Array:
        """See `PlayerForm`."""
        (strategy,) = table
        found: Float64Array = strategy
        return found

    def gradient(self, tables: Sequence[Float64Array]) -> Float64Array:
        """See `PlayerForm`."""
        found: Float64Array = self._model.gradient(self._player, [table[0] for table in tables])
        return found

    def worth(self, gradient: Float64Array) -> Float64Array:
        """See `PlayerForm`."""
        return gradient

    def laid_out(self, entries: Float64Array) -> Float64Array:
        """See `PlayerForm`."""
        return entries[None]

    def met(self, opponents: JointPolicy) -> Float64Array:
        """See `PlayerForm`."""
        return np.ones(1)

    def spread(self, met: Float64Array) -> Float64Array:
        """See `PlayerForm`."""
        return np.repeat(met, self._actions)

    def pure(self) -> list[Float64Array] | None:
        """See `PlayerForm`."""
        return [row[None] for row in np.eye(self._actions)]


class ExtensiveFormSide:
    """Realisation plans over the player's sequences."""

    def __init__(self, model: ExtensiveFormModel, player: int) -> None:
        self._model, self._player = model, player
        self._treeplex = model.treeplexes[player]

    def plan(self, table: Float64Array) -> Float64Array:
        """See `PlayerForm`."""
        return self._treeplex.realisation_plan(table)

    def gradient(self, tables: Sequence[Float64Array]) -> Float64Array:
        """See `PlayerForm`."""
        plans = [each.realisation_plan(table) for each, table in zip(self._model.treeplexes, tables, strict=True)]
        return self._model.gradient(self._player, plans)

    def worth(self, gradient: Float64Array) -> Float64Array:
        """See `PlayerForm`."""
        treeplex, worth = self._treeplex, np.array(gradient)
        for infosets, sequences in reversed(treeplex.levels):
            starts = treeplex.first_sequence[infosets] - sequences.start
            highest = np.maximum.reduceat(worth[sequences], starts)
            np.add.at(worth, treeplex.parent_sequence[infosets], highest)
        return worth

    def laid_out(self, entries: Float64Array) -> Float64Array:
        """See `PlayerForm`."""
        masks = self._treeplex.states.masks
        values = np.full(masks.shape, -np.inf)
        values[masks] = entries[1:]
        return values

    def met(self, opponents: JointPolicy) -> Float64Array:
        """See `PlayerForm`: by chance and the others."""
        found = np.zeros(self._treeplex.num_infosets)
        for profile, weight in zip(*components(opponents, self._model.num_players), strict=True):
            found += weight * self._met(profile)
        return found

    def spread(self, met: Float64Array) -> Float64Array:
        """See `PlayerForm`."""
        return np.append(0.0, met[self._treeplex.sequence_infoset[1:]])

    def _met(self, profile: JointPolicy) -> Float64Array:
        model = self._model
        entries = player_entries(profile, model.num_players)
        reach = model.chance.copy()  # of the edge into each history; 1 where a player moves
        mover = model.player[model.parent[1:]]
        for other in range(model.num_players):
            if other != self._player:
                table = player_table(model, other, entries[other])
                edges = 1 + np.flatnonzero(mover == other)
                reach[edges] = table[model.infoset[model.parent[edges]], model.action[edges]]
        for start, stop in itertools.pairwise(model.level_start[1:]):
            reach[start:stop] *= reach[model.parent[start:stop]]
        mine = model.player == self._player
        found: Float64Array = np.bincount(
            model.infoset[mine], weights=reach[mine], minlength=self._treeplex.num_infosets
        ).astype(np.float64, copy=False)
        return found

    def pure(self) -> list[Float64Array] | None:
        """See `PlayerForm`."""
        return None


def best(form: PlayerForm, gradient: Float64Array) -> Float64Array:
    """The pure table [I, A] whose plan earns most, the first of equals."""
    return greedy(form.laid_out(form.worth(gradient)))


def greedy(values: Float64Array) -> Float64Array:
    """The pure table [I, A] of the highest values [I, A], the first of equals; -inf where an action is illegal."""
    table = np.zeros(values.shape)
    table[np.arange(len(values)), values.argmax(axis=1)] = 1.0
    return table


def player_form(situation: Situation, oracle: str) -> PlayerForm:
    """The game as the player who responds sees it.

    Raises:
        UnsupportedGame: if payoffs are not linear in plans.
    """
    model = situation.game.model()
    if isinstance(model, NormalFormModel):
        return NormalFormSide(model, situation.player)
    if isinstance(model, ExtensiveFormModel):
        return ExtensiveFormSide(model, situation.player)
    raise UnsupportedGame(
        f"oracle {oracle!r}: payoffs of a {type(model).__name__} are not linear in a plan; use oracle 'exact'"
    )


class Faced:
    """A player's population and what the others' populations do to it.

    Attributes:
        form: the game.
        gradients: [J, Q], against each profile of the others, in C order of their members.
        weights: [J], of the profiles, as they are mixed.
        own: [K, Q], plans of the player's members.
        strategy: [K], of these, as they are mixed.
        payoffs: [K, J], of the members.
    """

    def __init__(self, form: PlayerForm, populations: Populations, situation: Situation) -> None:
        player, players = situation.player, range(situation.game.num_players)
        tables = [[table_of(situation, p, member) for member in own] for p, own in enumerate(populations.members)]
        meta, sizes = populations.meta, [len(own) for own in tables]
        others = [range(1) if p == player else range(sizes[p]) for p in players]
        self.form = form
        self.gradients = np.stack(
            [form.gradient([tables[p][k] for p, k in enumerate(profile)]) for profile in itertools.product(*others)]
        )
        self.weights = others_weights(meta, player)
        self.own = np.stack([form.plan(table) for table in tables[player]])
        self.strategy: Float64Array = np.asarray(meta.strategies[player])
        self.payoffs = self.own @ self.gradients.T


def others_weights(meta: MetaSolution, player: int) -> Float64Array:
    """Of the profiles of all players but one, as they are mixed, in C order of their members: [J]."""
    found: Float64Array = meta.joint().sum(axis=player).reshape(-1)
    return found


def table_of(situation: Situation, player: int, member: Member) -> Float64Array:
    """The behaviour table [I, A] of a player's member."""
    if member.table is not None:
        return member.table
    return player_table(situation.game.model(), player, to_policy(member.record, situation.game, player))


def faced(situation: Situation, oracle: str) -> Faced:
    """What the player who responds faces.

    Raises:
        InputError: if the response is to join no populations.
        UnsupportedGame: if payoffs are not linear in plans.
    """
    return Faced(player_form(situation, oracle), populations_of(situation, oracle), situation)
