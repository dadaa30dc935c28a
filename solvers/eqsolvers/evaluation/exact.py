"""Exact cross-play from the model.

Payoffs of normal and extensive forms are multilinear in the players' plans (strategies, realisation plans), a private
mixture's plan is the mixture of its members' plans, and whether one player ends with more than another is a payoff like
any other. Cells that differ in the last player alone share the others' weights: O(P) for each of them, P payoff
entries, and O(Q) for each cell. Markov games, and normal forms without a tensor, go cell by cell through their scorer,
once for each profile that private mixtures may draw.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import GameTooLargeError
from eqenvs.models import ExtensiveFormModel, Model, NormalFormModel
from eqenvs.models.enumeration import collected_payoffs
from eqenvs.models.structured import StructuredModel
from eqsolvers.evaluation.entrants import Entrant
from eqsolvers.scoring.scorers import scorer

TIE = 1e-9  # of the largest payoff: what counts as the same
MOST_PROFILES = 10_000  # that the private mixtures of one cell may draw, where each is valued on its own


def exact_cells(
    model: Model, seats: Sequence[Sequence[Entrant]], cells: IntArray
) -> tuple[Float64Array, Float64Array | None, float]:
    """The players' expected payoffs [M, N] in some cells, who is how likely ahead [M, N, N], and the payoffs' scale.

    See `CrossPlay`.

    Args:
        model: the game.
        seats: per player, the entrants that take its place.
        cells: [M, N].

    Raises:
        GameTooLargeError: if private mixtures of a game in which they are no tables draw too many profiles.
        PolicyError: if an entrant is no policy of the game.
    """
    members = [[entrant.members(player, model) for entrant in entrants] for player, entrants in enumerate(seats)]
    if isinstance(model, ExtensiveFormModel):
        paid = model.payoffs
        columns = with_comparisons(paid)
        sequences, values = collected_payoffs(model.terminal_sequences, columns, model.chance_reach)
        plans = [
            np.stack([_mixed([treeplex.realisation_plan(table) for table in own], w) for own, w in entrants])
            for treeplex, entrants in zip(model.treeplexes, members, strict=True)
        ]
    elif isinstance(model, NormalFormModel) and not isinstance(model, StructuredModel):
        n = model.num_players
        sequences = np.indices(model.num_actions).reshape(n, -1).T
        paid = model.payoffs.reshape(n, -1).T
        values = with_comparisons(paid)
        plans = [np.stack([_mixed([t[0] for t in own], w) for own, w in entrants]) for entrants in members]
    else:
        means = _one_by_one(model, members, cells)
        return means, None, float(np.abs(means).max(initial=0.0))
    found = _multilinear(sequences, values, plans, cells)
    ahead = _square(found[:, model.num_players :], model.num_players)
    return found[:, : model.num_players], ahead, float(np.abs(paid).max(initial=0.0))


def with_comparisons(payoffs: Float64Array) -> Float64Array:
    """The payoffs [Z, N], and who has more: a column for each pair of players p < q, 1, 0, or 1/2 for a tie."""
    close = TIE * float(np.abs(payoffs).max(initial=0.0))
    columns = [payoffs]
    for p, q in itertools.combinations(range(payoffs.shape[1]), 2):
        lead = payoffs[:, p] - payoffs[:, q]
        columns.append(np.where(np.abs(lead) <= close, 0.5, lead > 0)[:, None])
    return np.concatenate(columns, axis=1)


def _square(pairs: Float64Array, num_players: int) -> Float64Array:
    """The columns of the pairs, [M, pairs], as [M, N, N]; half on the diagonal."""
    ahead = np.full((len(pairs), num_players, num_players), 0.5)
    for column, (p, q) in enumerate(itertools.combinations(range(num_players), 2)):
        ahead[:, p, q], ahead[:, q, p] = pairs[:, column], 1.0 - pairs[:, column]
    return ahead


def _mixed(plans: Sequence[Float64Array], weights: Float64Array) -> Float64Array:
    mixed: Float64Array = np.tensordot(weights, np.stack(plans), axes=1)
    return mixed


def _multilinear(
    sequences: IntArray, values: Float64Array, plans: Sequence[Float64Array], cells: IntArray
) -> Float64Array:
    """Sum over entries of `values` times the plans at their sequences.

    Args:
        sequences: [P, N].
        values: [P, C].
        plans: per player, [K_p, Q_p].
        cells: [M, N].

    Returns:
        [M, C].
    """
    last = len(plans) - 1
    found = np.empty((len(cells), values.shape[1]))
    others, group = np.unique(cells[:, :last], axis=0, return_inverse=True)
    for index, cell in enumerate(others):
        weight = np.ones(len(sequences))
        for player, k in enumerate(cell):
            weight = weight * plans[player][k, sequences[:, player]]
        collected = np.stack(
            [
                np.bincount(sequences[:, last], weights=weight * column, minlength=plans[last].shape[1])
                for column in values.T
            ],
            axis=1,
        )
        rows = np.flatnonzero(group.ravel() == index)
        found[rows] = plans[last][cells[rows, last]] @ collected
    return found


def _one_by_one(
    model: Model, members: Sequence[Sequence[tuple[list[Float64Array], Float64Array]]], cells: IntArray
) -> Float64Array:
    judge = scorer(model)
    found = np.zeros((len(cells), model.num_players))
    for row, cell in enumerate(cells):
        drawn = [members[player][k] for player, k in enumerate(cell)]
        profiles = prod(len(weights) for _, weights in drawn)
        if profiles > MOST_PROFILES:
            raise GameTooLargeError(
                f"the private mixtures of a cell draw {profiles:,} profiles, of which each is valued on its own in a "
                f"{type(model).__name__}; the limit is {MOST_PROFILES:,}: simulate instead"
            )
        for profile in itertools.product(*(range(len(weights)) for _, weights in drawn)):
            share = prod(float(weights[k]) for (_, weights), k in zip(drawn, profile, strict=True))
            if share > 0:
                found[row] += share * judge.values([own[k] for (own, _), k in zip(drawn, profile, strict=True)])
    return found
