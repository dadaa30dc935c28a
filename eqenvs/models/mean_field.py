"""Finite mean-field games: one representative player against the distribution of all the others.

Lasry and Lions (2007), "Mean field games", Japanese Journal of Mathematics 2; in discrete time and space, Lauriere et
al. (2022), "Learning in mean field games: a survey", arXiv 2205.12944.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
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
        if self.initial.shape != (self.num_states,) or abs(self.initial.sum() - 1) > 1e-9 or (self.initial < 0).any():
            raise InputError(f"initial must be a distribution over {self.num_states} states")
        kernel = self.transition(self.initial, 0)
        if kernel.shape != (self.num_states, self.num_actions, self.num_states):
            raise InputError(f"transition must give [S, A, S] arrays, got shape {kernel.shape}")
        if not np.allclose(kernel.sum(axis=-1), 1.0, rtol=0, atol=1e-9) or (kernel < 0).any():
            raise InputError("transition must give non-negative rows that sum to 1")
        if self.reward(self.initial, 0).shape != (self.num_states, self.num_actions):
            raise InputError("reward must give [S, A] arrays")

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
