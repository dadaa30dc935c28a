"""Finite mean-field games: one representative player against the distribution of all the others.

Lasry and Lions (2007), "Mean field games", Japanese Journal of Mathematics 2; in discrete time and space, Lauriere et
al. (2022), "Learning in mean field games: a survey", arXiv 2205.12944.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, read_only
from eqenvs.errors import InputError
from eqenvs.models.information_states import InformationStates


@dataclass(frozen=True, eq=False, kw_only=True)
class MeanFieldModel:
    """A single-population game of finite horizon.

    Attributes:
        num_states: S.
        num_actions: A.
        horizon: T, the number of decisions; rewards are collected at times 0 .. T - 1.
        initial: [S] float64, the distribution at time 0.
        transition: from (mean field [S], time) to [S, A, S], rows on the simplex.
        reward: from (mean field [S], time) to [S, A], the representative player's reward.
    """

    num_states: int
    num_actions: int
    horizon: int
    initial: Float64Array
    transition: Callable[[Float64Array, int], Float64Array]
    reward: Callable[[Float64Array, int], Float64Array]

    def __post_init__(self) -> None:
        """Check the sizes and the operators' output at time 0.

        Raises:
            InputError: if a shape is wrong or a distribution is off the simplex by more than 1e-9.
        """
        if self.horizon < 1:
            raise InputError(f"horizon must be at least 1 decision, got {self.horizon}")
        initial = np.array(self.initial, dtype=np.float64)
        if initial.shape != (self.num_states,) or not _distributions(initial):
            raise InputError(f"initial must be a distribution over {self.num_states} states")
        object.__setattr__(self, "initial", read_only(initial))
        kernel = self.transition(self.initial, 0)
        if kernel.shape != (self.num_states, self.num_actions, self.num_states):
            raise InputError(f"transition must give [S, A, S] arrays, got shape {kernel.shape}")
        if not _distributions(kernel):
            raise InputError("transition must give non-negative rows that sum to 1")
        reward = self.reward(self.initial, 0)
        if reward.shape != (self.num_states, self.num_actions) or not np.isfinite(reward).all():
            raise InputError("reward must give finite [S, A] arrays")

    @property
    def num_players(self) -> int:
        """One representative player."""
        return 1

    @property
    def information_states(self) -> tuple[InformationStates, ...]:
        """Each (time, state) pair, time first, as decision points of the representative player."""
        time, state = (grid.reshape(-1) for grid in np.mgrid[: self.horizon, : self.num_states])
        one_hot = np.eye(self.num_states, dtype=np.float32)[state]
        clock = (time / self.horizon).astype(np.float32)
        return (
            InformationStates(
                keys=np.stack([time, state], axis=1).astype(np.int64),
                observations=np.concatenate([clock[:, None], one_hot], axis=1),
                masks=np.ones((len(time), self.num_actions), dtype=bool),
            ),
        )

    def flow(self, policy: Float64Array) -> Float64Array:
        """The mean field at times 0 .. T when everybody plays `policy` [T, S, A]; [T + 1, S], rows sum to 1."""
        distributions = [self.initial]
        for t in range(self.horizon):
            at = distributions[-1]
            distributions.append(np.einsum("s,sa,sat->t", at, policy[t], self.transition(at, t)))
        return np.stack(distributions)

    def sizes(self) -> dict[str, Any]:
        """States, actions, horizon."""
        return {"states": self.num_states, "actions": self.num_actions, "horizon": self.horizon}


def _distributions(array: Float64Array) -> bool:
    """Whether the rows over the last axis are non-negative and sum to 1 within 1e-9; False for NaN."""
    return bool((array >= 0).all() and (np.abs(array.sum(axis=-1) - 1) <= 1e-9).all())
