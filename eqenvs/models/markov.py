"""Markov (stochastic) games as transition and reward tensors.

Shapley (1953), "Stochastic games", PNAS 39.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eqenvs.arrays import Float64Array, read_only
from eqenvs.errors import InputError
from eqenvs.models.information_states import InformationStates


@dataclass(frozen=True, eq=False)
class MarkovModel:
    """A finite Markov game with simultaneous moves, discounted or with a finite horizon.

    Attributes:
        transition: [S, A_0, ..., A_{N-1}, S] float64, rows over the last axis on the simplex.
        reward: [N, S, A_0, ..., A_{N-1}] float64.
        initial: [S] float64, distribution of the first state.
        discount: factor in [0, 1) of a discounted game, or 1 with a horizon.
        horizon: number of steps, or None for an infinite discounted game.
    """

    transition: Float64Array
    reward: Float64Array
    initial: Float64Array
    discount: float
    horizon: int | None

    def __init__(
        self,
        transition: ArrayLike,
        reward: ArrayLike,
        initial: ArrayLike,
        *,
        discount: float = 1.0,
        horizon: int | None = None,
    ) -> None:
        """Check and copy the tensors.

        Raises:
            InputError: if shapes disagree, numbers are not finite, a distribution is off the simplex by more than 1e-9,
                or the game is neither discounted nor of finite horizon.
        """
        kernel, payoff, start = (np.array(part, dtype=np.float64) for part in (transition, reward, initial))
        if payoff.ndim < 3 or payoff.shape[0] != payoff.ndim - 2:
            raise InputError(f"reward must have shape [N, S, A_0, ..., A_(N-1)], got {payoff.shape}")
        if kernel.shape != (*payoff.shape[1:], payoff.shape[1]):
            raise InputError(f"transition must have shape {(*payoff.shape[1:], payoff.shape[1])}, got {kernel.shape}")
        if start.shape != payoff.shape[1:2]:
            raise InputError(f"initial must have shape {payoff.shape[1:2]}, got {start.shape}")
        if not np.isfinite(payoff).all():
            raise InputError("reward must be finite")
        for name, distribution in (("transition", kernel), ("initial", start)):
            if not (distribution >= 0).all() or not np.allclose(distribution.sum(axis=-1), 1.0, rtol=0, atol=1e-9):
                raise InputError(f"{name} must be non-negative and sum to 1 over its last axis")
        if not 0 <= discount <= 1 or (discount == 1 and horizon is None):
            raise InputError(f"discount must be in [0, 1), or 1 with a horizon; got discount={discount}, {horizon=}")
        if horizon is not None and horizon < 1:
            raise InputError(f"horizon must be at least 1 step, got {horizon}")
        for field, value in (("transition", kernel), ("reward", payoff), ("initial", start)):
            object.__setattr__(self, field, read_only(value))
        object.__setattr__(self, "discount", float(discount))
        object.__setattr__(self, "horizon", horizon)

    @property
    def num_players(self) -> int:
        """N."""
        return int(self.reward.shape[0])

    @property
    def num_states(self) -> int:
        """S."""
        return int(self.reward.shape[1])

    @property
    def num_actions(self) -> tuple[int, ...]:
        """Each player's number of actions."""
        return tuple(int(a) for a in self.reward.shape[2:])

    @property
    def information_states(self) -> tuple[InformationStates, ...]:
        """The decision points of Markov policies: the states, or (time, state) pairs, time first, given a horizon."""
        if self.horizon is None:
            keys = np.arange(self.num_states, dtype=np.int64)[:, None]
            observations = np.eye(self.num_states, dtype=np.float32)
        else:
            time, state = (grid.reshape(-1) for grid in np.mgrid[: self.horizon, : self.num_states])
            keys = np.stack([time, state], axis=1).astype(np.int64)
            clock = (time / self.horizon).astype(np.float32)
            observations = np.concatenate([clock[:, None], np.eye(self.num_states, dtype=np.float32)[state]], axis=1)
        return tuple(
            InformationStates(keys, observations, np.ones((len(keys), actions), dtype=bool))
            for actions in self.num_actions
        )

    def sizes(self) -> dict[str, Any]:
        """States, action counts, and the support of the transition kernel."""
        return {
            "states": self.num_states,
            "actions": list(self.num_actions),
            "transitions": int(np.count_nonzero(self.transition)),
        }
