"""What every offline learner returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eqenvs.arrays import Float64Array
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy, TabularPolicy


@dataclass(frozen=True, kw_only=True, eq=False)
class OfflineResult:
    """A policy with what the data guarantee of it.

    Attributes:
        tables: each player's Markov policy, [I, A_p]; empty where the actions are correlated.
        joint: joint play at every point, [I, A_0, ..., A_{N-1}].
        lower: each player's least value of `joint` that the data allow, [N], from the first state on.
        upper: the most that each player could have by deviating alone, [N].
        gap_bound: at most the sum of upper - lower: a bound of the equilibrium gap, with probability 1 - delta. Where
            the distribution of the first state is not known, its sampling error is in all three (`_counts`).
        method: how it was found.
        detail: what else there is to say, as JSON data.
    """

    tables: tuple[Float64Array, ...]
    joint: Float64Array
    lower: Float64Array
    upper: Float64Array
    gap_bound: float
    method: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    def policy(self, model: MarkovModel) -> TabularPolicy | MarkovCorrelatedPolicy:
        """The policy for scores and environments of the game."""
        if self.tables:
            return TabularPolicy(model, self.tables)
        return MarkovCorrelatedPolicy(model, self.joint)
