"""Q-learning against fixed opponents by a compiled walk over the histories of an enumerated extensive-form game.

Only the sampled walk is seen: chance and the opponents are drawn, and no expectation over them is taken. Every history
has its children side by side in the order of the legal actions, so a move is a draw and an addition.

Cost: O(depth) an episode, some tens of nanoseconds a move.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray, cumulative_by_row
from eqenvs.kernels import drawn_entry
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.policies import JointPolicy, components, player_entries, player_table
from eqenvs.rules import CHANCE
from eqsolvers.kernels import compiled, uniform

BY_CHANCE, OPPONENT, PLAYER, NOBODY = range(4)


class Walk(NamedTuple):
    """A game as one player meets it, with the others drawn from the components of a device.

    Attributes:
        first_child: [H + 1] int64; children of history h are first_child[h] to first_child[h + 1] - 1.
        start: [H] int64, where the row of the mover's draw begins: in `chance`, in a component of `others`, or in the
            player's sequences.
        mover: [H] int64: BY_CHANCE, OPPONENT, PLAYER or NOBODY.
        payoff: [H] float64, at the end of the game; 0 elsewhere.
        chance: [H] float64, cumulative over siblings, at the place of the child.
        others: [M, P] float64, cumulative over legal actions, by component.
        weights: [M] float64, cumulative.
    """

    first_child: IntArray
    start: IntArray
    mover: IntArray
    payoff: Float64Array
    chance: Float64Array
    others: Float64Array
    weights: Float64Array


def walk_of(model: ExtensiveFormModel, player: int, opponents: JointPolicy) -> Walk:
    """Lay a game out; every policy is evaluated once at all information sets."""
    histories = np.arange(len(model.parent) + 1)
    first_child = np.searchsorted(model.parent, histories)
    others, begin = [], 0
    offset = np.zeros(model.num_players, dtype=np.int64)
    drawn, weights = components(opponents, model.num_players)
    for other, treeplex in enumerate(model.treeplexes):
        if other != player:
            offset[other], begin = begin, begin + treeplex.num_sequences - 1
            tables = [player_table(model, other, player_entries(each, model.num_players)[other]) for each in drawn]
            bounds = np.append(treeplex.first_sequence, treeplex.num_sequences) - 1
            others.append(np.stack([cumulative_by_row(bounds, table[treeplex.states.masks]) for table in tables]))
    deciding = np.flatnonzero(model.player >= 0)
    start = first_child[:-1].copy()
    for other, treeplex in enumerate(model.treeplexes):
        at = deciding[model.player[deciding] == other]
        start[at] = treeplex.first_sequence[model.infoset[at]] - (0 if other == player else 1 - offset[other])
    payoff = np.zeros(len(model.parent))
    payoff[model.terminals] = model.payoffs[:, player]
    who = [model.player == CHANCE, model.player == player, model.player >= 0]
    mover = np.select(who, [BY_CHANCE, PLAYER, OPPONENT], NOBODY)
    return Walk(
        first_child=first_child,
        start=start,
        mover=mover,
        payoff=payoff,
        chance=_cumulative_chance(model, first_child),
        others=np.concatenate(others, axis=1),
        weights=cumulative_by_row(np.array([0, len(weights)]), weights),
    )


def _cumulative_chance(model: ExtensiveFormModel, first_child: IntArray) -> Float64Array:
    """[H], the chance probabilities of children, cumulative over siblings."""
    edges = cumulative_by_row(first_child - first_child[0], model.chance[first_child[0] :])
    return np.concatenate([np.zeros(first_child[0]), edges])


@compiled
def learn(
    walk: Any, values: Any, visits: Any, epsilon: float, decay: float, least: float, episodes: int, stream: Any,
    path: Any,
) -> None:  # fmt: skip
    """Play some episodes and learn from each at its end, backwards; values and visits change in place.

    Args:
        walk: a `Walk`.
        values: [Q], of the player's sequences; -inf where never learned.
        visits: [Q], how often each was learned from.
        epsilon: chance of a move drawn uniformly.
        decay: step sizes are (1 + visits)^-decay.
        least: they are at least this, after the first.
        episodes: how many.
        stream: of `uniform`.
        path: [decisions, 3], scratch: the sequence chosen, and the bounds of those that could be.
    """
    for _ in range(episodes):
        component = drawn_entry(walk.weights, 0, len(walk.weights), uniform(stream)) if len(walk.weights) > 1 else 0
        at, count = 0, 0
        while walk.mover[at] != NOBODY:
            first, start = walk.first_child[at], walk.start[at]
            width = walk.first_child[at + 1] - first
            if walk.mover[at] == BY_CHANCE:
                at = drawn_entry(walk.chance, first, first + width, uniform(stream))
            elif walk.mover[at] == OPPONENT:
                at = first + drawn_entry(walk.others[component], start, start + width, uniform(stream)) - start
            elif width == 1:
                at = first
            else:
                pick = 0
                if uniform(stream) < epsilon:
                    pick = int(uniform(stream) * width)
                else:
                    for k in range(1, width):
                        if values[start + k] > values[start + pick]:
                            pick = k
                path[count, 0], path[count, 1], path[count, 2] = start + pick, start, start + width
                count += 1
                at = first + pick
        worth = walk.payoff[at]
        for k in range(count - 1, -1, -1):
            chosen = path[k, 0]
            move(values, visits, chosen, worth, decay, least)
            worth = values[chosen]
            for other in range(path[k, 1], path[k, 2]):
                worth = max(worth, values[other])


@compiled
def move(values: Any, visits: Any, at: int, target: float, decay: float, least: float) -> None:
    """One step of a value towards a target; the first takes it whole."""
    if visits[at] == 0:
        values[at] = target
    else:
        values[at] += max(least, (1.0 + visits[at]) ** -decay) * (target - values[at])
    visits[at] += 1
