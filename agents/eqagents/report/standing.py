"""How often a policy comes to each of a player's information states, and what playing better there would gain.

All of it is exact, of the product of the players' tables:

- normal form: reach is 1, the gain is the player's.
- extensive form: reach is the probability of coming there, by chance and all players. The gain is what the best play
  from there on has over the policy's, weighted with the probability that chance and the others lead there (the
  player's own does not count): over a player's first decisions it adds up to the player's gain.
- Markov: reach is the share of the time, discounted where the game is, that is spent there; with a horizon, of each
  step. The gain is what the best play from there on has over the policy's, once there.
- mean field: reach is the share of the population that is there then; gains are not computed.

Cost: a pass over the histories and the sequences of a tree; a linear system or a pass over the steps, and a best reply
of each player of a Markov game; the flow of a mean field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from eqenvs.models import ExtensiveFormModel, MarkovModel, MeanFieldModel
from eqenvs.policies import TabularPolicy
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.scoring import score
from eqsolvers.scoring.chains import chains, solved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eqenvs.arrays import Float64Array, IntArray
    from eqenvs.game import Game
    from eqenvs.models.extensive_form import Treeplex

ROUNDING = 1e-13  # of the highest value: gains below that are 0
MAX_STATES = 5_000  # of a discounted Markov game whose gains are computed: best replies are linear systems


class Standing(NamedTuple):
    """What is known of a player's information states under a joint policy.

    Attributes:
        reach: [I] float64.
        gain: [I] float64; NaN where it is not computed.
    """

    reach: Float64Array
    gain: Float64Array


def standings(game: Game, tables: Sequence[Float64Array]) -> list[Standing]:
    """Of each player.

    Args:
        game: one that can be enumerated.
        tables: [I, A] of each player.
    """
    model = game.model()
    if isinstance(model, ExtensiveFormModel):
        return _of_tree(model, tables)
    if isinstance(model, MarkovModel):
        return _of_markov(model, tables)
    if isinstance(model, MeanFieldModel):
        return _of_mean_field(model, tables)
    gains = score(game, TabularPolicy(game, tables)).gains
    return [Standing(np.ones(1), np.array([gain])) for gain in gains]


def mean_field(model: MeanFieldModel, tables: Sequence[Float64Array]) -> Float64Array:
    """The flow of a policy's own distribution over states, [M, P, S], moment by moment."""
    return Dynamics(model).flow(model.as_array(tables))


def _of_tree(model: ExtensiveFormModel, tables: Sequence[Float64Array]) -> list[Standing]:
    reach = _history_reach(model, tables)
    plans = [plex.realisation_plan(table) for plex, table in zip(model.treeplexes, tables, strict=True)]
    found = []
    for player, (treeplex, table) in enumerate(zip(model.treeplexes, tables, strict=True)):
        own = model.player == player
        arrived = _summed(model.infoset[own], reach[own], treeplex.num_infosets)
        others = np.ones(len(model.payoff_sequences))
        for other, plan in enumerate(plans):
            if other != player:
                others *= plan[model.payoff_sequences[:, other]]
        weighted = model.payoff_values[:, player] * others
        collected = _summed(model.payoff_sequences[:, player], weighted, treeplex.num_sequences)
        found.append(Standing(arrived, gains_from_here_on(treeplex, table, collected)))
    return found


def _summed(places: IntArray, values: Float64Array, count: int) -> Float64Array:
    return np.bincount(places, weights=values, minlength=count).astype(np.float64)


def gains_from_here_on(treeplex: Treeplex, table: Float64Array, collected: Float64Array) -> Float64Array:
    """What the best play from each information set on has over a policy's, [I].

    Args:
        treeplex: the player's.
        table: [I, A], the policy.
        collected: [Q], what each sequence collects against the others when the player plays to reach it.
    """
    best, kept = collected.astype(np.float64), collected.astype(np.float64)
    probability = np.append(1.0, table[treeplex.states.masks])  # of each sequence's last action
    gain = np.zeros(treeplex.num_infosets)
    for infosets, sequences in reversed(treeplex.levels):
        starts = treeplex.first_sequence[infosets] - sequences.start
        highest = np.maximum.reduceat(best[sequences], starts)
        expected = np.add.reduceat(probability[sequences] * kept[sequences], starts)
        gain[infosets] = highest - expected
        np.add.at(best, treeplex.parent_sequence[infosets], highest)
        np.add.at(kept, treeplex.parent_sequence[infosets], expected)
    return np.where(gain > ROUNDING * np.abs(best).max(), gain, 0.0)


def _history_reach(model: ExtensiveFormModel, tables: Sequence[Float64Array]) -> Float64Array:
    """The probability of each history, [H]."""
    edge = model.chance.astype(np.float64)
    mover = np.append(-1, model.player[model.parent[1:]])
    for player, table in enumerate(tables):
        led = np.flatnonzero(mover == player)
        edge[led] = table[model.infoset[model.parent[led]], model.action[led]]
    reach = np.ones(len(edge))
    for start, stop in zip(model.level_start[1:-1], model.level_start[2:], strict=True):
        reach[start:stop] = reach[model.parent[start:stop]] * edge[start:stop]
    return reach


def _of_markov(model: MarkovModel, tables: Sequence[Float64Array]) -> list[Standing]:
    joint = tables[0]
    for table in tables[1:]:
        joint = joint[..., None] * table.reshape(len(table), *(1 for _ in joint.shape[1:]), -1)
    reach = _occupancy(model, joint)
    if model.horizon is None and model.num_states > MAX_STATES:
        return [Standing(reach, np.full(len(reach), np.nan)) for _ in tables]
    form = chains(model)
    values = form.values(joint)
    return [
        Standing(reach, _over(form.reply(player, joint, told=False)[0], values[:, player]))
        for player in range(len(tables))
    ]


def _over(best: Float64Array, kept: Float64Array) -> Float64Array:
    """What one value has over another, without rounding."""
    gain = best - kept
    return np.where(gain > ROUNDING * np.abs(best).max(), gain, 0.0)


def _occupancy(model: MarkovModel, joint: Float64Array) -> Float64Array:
    """The share of the time spent at each decision point, [I]; with a horizon that of its step."""
    states, flat = model.num_states, joint.reshape(len(joint), -1)
    start, successor, probability = model.successors
    ends = np.repeat(np.arange(states), np.diff(start[:: flat.shape[1]]))
    stays = successor < states  # or the game ends

    def step(play: Float64Array) -> sparse.csr_array:
        weight = probability * np.repeat(play.reshape(-1), np.diff(start))
        entries = weight[stays], (ends[stays], successor[stays])
        return sparse.csr_array(sparse.coo_array(entries, shape=(states, states)))

    if model.horizon is None:
        onward = sparse.csr_array(model.discount * step(flat).T)
        return (1 - model.discount) * solved(onward, model.initial[:, None], model.discount)[:, 0]
    mass = [np.asarray(model.initial, dtype=np.float64)]
    for first in range(0, len(flat) - states, states):
        mass.append(mass[-1] @ step(flat[first : first + states]))
    return np.concatenate(mass)


def _of_mean_field(model: MeanFieldModel, tables: Sequence[Float64Array]) -> list[Standing]:
    flow = mean_field(model, tables)
    weight = model.moments.reach[:, None, None]
    return [Standing(mass.reshape(-1), np.full(mass.size, np.nan)) for mass in np.moveaxis(weight * flow, 1, 0)]
