"""Bellman-consistent pessimism for one player: the policy of the greatest value that the data guarantee.

Xie, Cheng, Jiang, Mineiro and Agarwal (2021), "Bellman-consistent pessimism for offline reinforcement learning",
NeurIPS. The actor answers the critic's most pessimistic consistent action values f_t of its policy with multiplicative
weights, as in their PSPI,

    policy(a)  <-  policy(a) exp(eta f_t(a)) / sum,     eta = sqrt(8 ln(A) / iterations) over the range of values,

the critic taking f_t from the version space itself, as in their first algorithm, where PSPI adds the Bellman error to
what it minimises. The result is the policy of all iterations with the greatest lower bound; the paper mixes them
evenly. Cost: two cone programmes an iteration.
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np

from eqenvs.errors import InputError, UnsupportedGame
from eqsolvers.markov.offline._counts import Counts
from eqsolvers.markov.offline._dataset import Dataset
from eqsolvers.markov.offline._intervals import most_by_deviating
from eqsolvers.markov.offline._result import OfflineResult
from eqsolvers.markov.offline._version_space import value_interval
from eqsolvers.normal_form.learning._simplex import softmax

METHOD = "bellman-consistent-pessimism"


def bellman_consistent_policy(dataset: Dataset, *, delta: float = 0.05, iterations: int = 100) -> OfflineResult:
    """The policy of a one-player game.

    Args:
        dataset: of the game.
        delta: probability with which the bounds may fail.
        iterations: of the actor, at least 1.

    Raises:
        UnsupportedGame: if there are several players.
        InputError: if there is no iteration.
    """
    if len(dataset.frame.actions) != 1:
        raise UnsupportedGame(f"{METHOD}: covers one player, the data have {len(dataset.frame.actions)}")
    if iterations < 1:
        raise InputError(f"{METHOD}: iterations must be at least 1, got {iterations}")
    counts = Counts(dataset)
    legal, actions = counts.legal, dataset.frame.actions[0]
    width = max(float((counts.high - counts.low).max()), np.finfo(float).tiny)
    eta = sqrt(8 * log(max(actions, 2)) / iterations) / width
    off, left = counts.first_error(delta)
    score = np.where(legal, 0.0, -np.inf)
    best, least = np.zeros(0), -np.inf
    for _ in range(iterations):
        played = softmax(score)
        found = value_interval(counts, played, 0, delta=left / (2 * iterations))
        if found.lower > least:
            best, least = played, found.lower
        score = score + eta * np.where(legal, found.pessimist, 0.0)
    most = most_by_deviating(counts, best, 0, left / 2, told=False)
    lower, upper = counts.at_start(np.array([least]), np.array([max(most, least)]), off)
    return OfflineResult(
        tables=(best,),
        joint=best,
        lower=lower,
        upper=upper,
        gap_bound=float((upper - lower)[0]),
        method=METHOD,
        detail={"iterations": iterations},
    )
