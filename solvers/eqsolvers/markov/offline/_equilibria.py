"""Equilibria of general-sum games from data: of the candidates, the one of the least gap that the data allow.

Zhang, Bai and Jiang (2023), "Offline learning in Markov games with general function approximation", ICML (BCEL). A
candidate's gap is at most the sum over players of

    the most by a deviation that the data allow  -  the least value of the candidate that they allow,

0 where that is negative: deviations that make nothing of it even so are no reason to leave. The candidate whose bound
is least is taken, for Nash equilibria (independent policies), correlated and coarse correlated ones alike. Least values
are from the version space (`_version_space`) or from each row's error, whichever is greater; deviations' from the
latter (`_intervals`), over all of them, where the paper takes a class of policies.

The paper's candidates are a class given beforehand. Here they may be given; else they are solutions of two games made
from the data, one with the mean rewards and the frequencies of successors, one with each row's error taken off every
player's reward, both with the worst to come after rows never seen: by `nash-vi` or `correlated-vi` (for Nash equilibria
of more than two players the marginals of a correlated one, with no promise); for Nash equilibria of zero-sum games that
of `pessimistic_nash` too; and uniform play. Bounds are for candidates that do not depend on the
data, and with probability 1 - delta for all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from eqenvs.arrays import Float64Array, joint_play
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models.markov import MarkovModel, Successors
from eqenvs.policies import MarkovCorrelatedPolicy, TabularPolicy
from eqsolvers.markov import correlated_vi, nash_vi
from eqsolvers.markov.offline._counts import Counts
from eqsolvers.markov.offline._dataset import Dataset
from eqsolvers.markov.offline._intervals import least_value, most_by_deviating
from eqsolvers.markov.offline._pessimistic_nash import pessimistic_nash
from eqsolvers.markov.offline._result import OfflineResult
from eqsolvers.markov.offline._version_space import value_interval

METHOD = "bellman-consistent-equilibrium-learning"
CONCEPTS = ("nash", "ce", "cce")

Candidate = TabularPolicy | MarkovCorrelatedPolicy


def bellman_consistent_equilibrium(
    dataset: Dataset,
    *,
    concept: str = "nash",
    candidates: Sequence[Candidate] = (),
    delta: float = 0.05,
    error_scale: float = 1.0,
) -> OfflineResult:
    """An approximate equilibrium of any game.

    Args:
        dataset: of the game.
        concept: "nash", "ce" or "cce".
        candidates: policies of the game to choose from; none: made from the data.
        delta: probability with which the bounds may fail.
        error_scale: factor on each row's error, in the game that is solved for a candidate and in the bounds; below 1
            they are no bounds.

    Raises:
        InputError: if there is no such concept, or a Nash equilibrium is to be chosen from correlated play.
    """
    if concept not in CONCEPTS:
        raise InputError(f"{METHOD}: concept must be one of {', '.join(CONCEPTS)}, got {concept!r}")
    counts = Counts(dataset)
    tried = [_laid_out(counts, candidate, concept) for candidate in candidates]
    if not tried:
        tried = _made(dataset, counts, concept, delta, error_scale)
    off, left = counts.first_error(delta)
    share = left / (3 * len(tried) * len(dataset.frame.actions))
    found = [_bounds(counts, joint, concept, share, error_scale) for _, joint in tried]
    bounds = [counts.at_start(lower, upper, off * error_scale) for lower, upper in found]
    gaps = [float(np.maximum(upper - lower, 0.0).sum()) for lower, upper in bounds]
    best = int(np.argmin(gaps))
    return OfflineResult(
        tables=tried[best][0],
        joint=counts.shaped(tried[best][1]),
        lower=bounds[best][0],
        upper=bounds[best][1],
        gap_bound=gaps[best],
        method=METHOD,
        detail={"concept": concept, "chosen": best, "gap_bounds": gaps},
    )


Play = tuple[tuple[Float64Array, ...], Float64Array]  # tables, if independent, and joint play [I, P]


def _bounds(
    counts: Counts, joint: Float64Array, concept: str, delta: float, scale: float
) -> tuple[Float64Array, Float64Array]:
    """Each player's least value, and the most by deviating, [N] each; every one may fail with probability delta."""
    players = range(len(counts.frame.actions))
    lower = [
        max(value_interval(counts, joint, p, delta=delta).lower, least_value(counts, joint, p, delta, scale))
        for p in players
    ]
    upper = [most_by_deviating(counts, joint, p, delta, told=concept == "ce", scale=scale) for p in players]
    return np.array(lower), np.array(upper)


def _laid_out(counts: Counts, candidate: Candidate, concept: str) -> Play:
    if isinstance(candidate, TabularPolicy):
        tables: tuple[Float64Array, ...] = candidate.tables
        joint = joint_play(tables)
    elif concept == "nash":
        raise InputError(f"{METHOD}: a Nash equilibrium has independent policies, a candidate is correlated")
    else:
        tables, joint = (), candidate.distributions
    if joint.shape != (counts.points, *counts.frame.actions):
        raise InputError(
            f"{METHOD}: a candidate is joint play of shape {joint.shape}, the data need "
            f"{(counts.points, *counts.frame.actions)}"
        )
    return tables, joint.reshape(counts.points, -1)


def _made(dataset: Dataset, counts: Counts, concept: str, delta: float, scale: float) -> list[Play]:
    """Candidates from the data; see the module."""
    found: list[Play] = []
    for shift in (0.0, -scale):
        model = plug_in(counts, shift, delta)
        if concept == "nash" and len(counts.frame.actions) == 2:
            policy = nash_vi.SOLVER.solve(model).policy
        else:
            policy = correlated_vi.SOLVER.solve(model, concept="cce" if concept == "cce" else "ce").policy
            if concept == "nash":
                assert isinstance(policy, MarkovCorrelatedPolicy)
                policy = policy.marginals()
        if isinstance(policy, MarkovCorrelatedPolicy):
            found.append(((), _of_points(counts, policy.distributions).reshape(counts.points, -1)))
        else:
            assert isinstance(policy, TabularPolicy)
            tables = tuple(_of_points(counts, table) for table in policy.tables)
            found.append((tables, joint_play(tables).reshape(counts.points, -1)))
    if concept == "nash":
        try:
            pessimist = pessimistic_nash(dataset, delta=delta, error_scale=scale)
        except UnsupportedGame:
            pass
        else:
            found.append((pessimist.tables, pessimist.joint.reshape(counts.points, -1)))
    masks = [np.tile(mask, (counts.frame.horizon or 1, 1)) for mask in counts.frame.legal]
    even = tuple(mask / mask.sum(axis=1, keepdims=True) for mask in masks)
    found.append((even, joint_play(even).reshape(counts.points, -1)))
    return found


def plug_in(counts: Counts, shift: float, delta: float) -> MarkovModel:
    """A game of the data: its states are their points, and after rows never seen it ends with the worst to come.

    Args:
        counts: of the data.
        shift: how much of each row's error is added to every player's reward.
        delta: of the errors.
    """
    frame = counts.frame
    reward = counts.reward + shift * counts.errors(delta, 1.0)
    reward = np.where(counts.seen, reward, counts.low[:, :, None])
    left = 1.0 - np.asarray(counts.kernel.sum(axis=1)).reshape(-1)
    left[left < 1e-12] = 0.0
    whole = sparse.csr_array(sparse.hstack([counts.kernel, sparse.csr_array(left[:, None])]))
    whole.sum_duplicates()
    return MarkovModel(
        Successors(whole.indptr.astype(np.int64), whole.indices.astype(np.int64), whole.data),
        counts.shaped(reward),
        counts.first / counts.first.sum(),
        discount=frame.discount,
        horizon=frame.horizon,
        legal=[np.tile(mask, (frame.horizon or 1, 1)) for mask in frame.legal],
    )


def _of_points(counts: Counts, rows: Float64Array) -> Float64Array:
    """What a policy of the game of `plug_in` does at the points, whose steps it knows."""
    if counts.frame.horizon is None:
        return rows
    point = np.arange(counts.points)
    taken: Float64Array = rows[point // counts.frame.states * counts.points + point]
    return taken
