"""How much of a game a dataset covers, and how much of it a target needs.

An equilibrium can be learned from data that cover it together with all unilateral deviations (Cui and Du 2022,
NeurIPS): the *unilateral concentrability* of a policy is the largest ratio, over points, joint actions, players p and
policies of p alone,

    probability of the row under (p's policy, the others' part of the target) / probability of it in the data.

For every row the best deviation is found exactly: it first goes for the row's point, and then plays its own part.
Infinite where such a row is never seen. Cost: for each player a backward induction of I values at I points, O(I) times
that of a best reply.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqenvs.arrays import Float64Array, joint_play
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import JointPolicy, tabulate
from eqsolvers.markov.offline._counts import Counts
from eqsolvers.markov.offline._dataset import Dataset, joint_of
from eqsolvers.scoring.chains import chains

MAX_NUMBERS = 20_000_000  # of a backward induction for all points at once


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Of a dataset.

    Attributes:
        episodes: number.
        steps: number.
        rows: legal joint actions at all points.
        seen: of these, those that were visited.
        points_seen: points that were visited, of `points`.
        points: number.
        least: visits of the row that has the fewest, of those that have any.
        median: of the visits of these rows.
        ended: episodes that the rules ended.
        cut: episodes that were cut off; 0 given a horizon.
    """

    episodes: int
    steps: int
    rows: int
    seen: int
    points: int
    points_seen: int
    least: int
    median: float
    ended: int
    cut: int


def coverage(dataset: Dataset) -> Coverage:
    """The statistics of a dataset."""
    counts = Counts(dataset)
    visits = counts.visits[counts.seen]
    episodes = len(np.unique(dataset.episode))
    ended = int((dataset.after == dataset.frame.states).sum())
    return Coverage(
        episodes=episodes,
        steps=len(dataset.episode),
        rows=int(counts.legal.sum()),
        seen=int(counts.seen.sum()),
        points=counts.points,
        points_seen=int(counts.seen.any(axis=1).sum()),
        least=int(visits.min()),
        median=float(np.median(visits)),
        ended=ended,
        cut=0 if dataset.frame.horizon else episodes - ended,
    )


def unilateral_concentrability(
    model: MarkovModel, target: JointPolicy, behaviour: JointPolicy | Dataset
) -> tuple[float, Float64Array]:
    """The unilateral concentrability of a target for data, in a known game.

    Args:
        model: the game, with a horizon.
        target: independent policies, such as an equilibrium.
        behaviour: the policy that plays the data, or data, whose frequencies then count.

    Returns:
        The coefficient, and the rows' largest probabilities under unilateral deviations, [I, P].

    Raises:
        UnsupportedGame: if there is no horizon.
        GameTooLargeError: if the backward inductions would take more than 20 million numbers.
        InputError: if the data are of another game.
    """
    if model.horizon is None:
        raise UnsupportedGame("unilateral_concentrability: needs a game with a horizon")
    form = chains(model)
    tables = tabulate(model, target).tables
    if isinstance(behaviour, Dataset):
        if (behaviour.frame.points, behaviour.frame.actions) != (form.points, model.num_actions):
            raise InputError("unilateral_concentrability: the data are of a game of another size")
        visits = Counts(behaviour).visits
        share = visits / len(np.unique(behaviour.episode))
    else:
        share = _occupancy(model, joint_of(model, behaviour))
    reached = np.zeros_like(share)
    for player in range(model.num_players):
        reached = np.maximum(reached, _reachable(model, player, tables))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(reached > 0, reached / share, 0.0)
    return float(ratio.max()), reached


def _occupancy(model: MarkovModel, joint: Float64Array) -> Float64Array:
    """The probability of each row, not discounted, [I, P]."""
    form, states = chains(model), model.num_states
    flat = joint.reshape(form.points, -1)
    found, now = np.zeros_like(flat), np.asarray(model.initial)
    for first in range(0, form.points, states):
        found[first : first + states] = now[:, None] * flat[first : first + states]
        now = np.asarray(form.kernel.T @ found[first : first + states].reshape(-1), dtype=np.float64)
    return found


def _reachable(model: MarkovModel, player: int, tables: tuple[Float64Array, ...]) -> Float64Array:
    """The largest probability of each row that the player alone can bring about, [I, P]."""
    form, states, horizon = chains(model), model.num_states, model.horizon or 1
    if form.points * max(form.points, form.profiles) * model.num_actions[player] > MAX_NUMBERS:
        raise GameTooLargeError(
            f"unilateral_concentrability: {form.points:,} points of {form.profiles:,} joint actions are too many"
        )
    # The player is given probability 1 for each of its own actions; what is left is the chance of the others.
    others = joint_play(tuple(np.ones_like(own) if p == player else own for p, own in enumerate(tables)))
    allowed = np.where(model.legal[player], 0.0, -np.inf)
    found = np.zeros((form.points, form.profiles))
    for target in range(horizon):
        chance = np.eye(states)  # [S, targets]: the best probability of being there at step `target`
        for step in range(target - 1, -1, -1):
            ahead = np.asarray(form.kernel @ chance).reshape(*form.shape, states)
            weighted = others[step * states : (step + 1) * states, ..., None] * ahead
            axes = tuple(1 + p for p in range(model.num_players) if p != player)
            chance = (weighted.sum(axis=axes) + allowed[:, :, None]).max(axis=1)
        part = slice(target * states, (target + 1) * states)
        legal = model.joint_legal.reshape(states, -1)
        found[part] = (model.initial @ chance)[:, None] * others[part].reshape(states, -1) * legal
    return found
