"""A policy that is greedy on mixed action values, with the values that were learned for it, so that others reuse them.

Its record holds `answers`, a list of what was learned against single opponents: `opponent` (the digest of its record)
and `values`, a table [I, A] or a network's record. What is played is `table` [I, A], a pure behaviour table; or, where
the game is too large for one, the greedy policy of the answers' networks mixed by `weights`, one for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from eqagents.policies.mlp import RECORD as MLP
from eqagents.policies.network import PolicyNetwork
from eqagents.policies.records import PolicyRecord, RecordKind
from eqagents.policies.tabular import RECORD as TABULAR
from eqagents.policies.tabular import tabular_record
from eqenvs.arrays import Float64Array
from eqenvs.errors import CheckpointError
from eqenvs.game import Game
from eqenvs.models.information_states import InformationStates
from eqenvs.policies import BehaviourPolicy


class MixedValues:
    """Greedy on the weighted sum of the networks' outputs."""

    def __init__(self, networks: Sequence[PolicyNetwork], weights: Sequence[float]) -> None:
        self._networks, self._weights = list(networks), list(weights)

    @torch.no_grad()
    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `eqenvs.policies.BehaviourPolicy`."""
        seen = torch.tensor(np.asarray(states.observations))
        values = np.zeros(states.masks.shape)
        for weight, network in zip(self._weights, self._networks, strict=True):
            values += weight * network(seen).double().numpy()
        best = np.where(states.masks, values, -np.inf).argmax(axis=1)
        table: Float64Array = np.eye(states.masks.shape[1])[best]
        return table


def _policy(record: PolicyRecord, game: Game, player: int) -> BehaviourPolicy:
    if record["table"] is not None:
        return TABULAR.to_policy(tabular_record(record["table"]), game, player)
    answers, weights = record["answers"], record["weights"]
    if not answers or len(answers) != len(weights):
        raise CheckpointError(
            f"a policy record of kind 'q_mixing' needs a weight for each answer, got {len(weights)} for {len(answers)}"
        )
    assert MLP.to_network is not None
    used = [(answer, weight) for answer, weight in zip(answers, weights, strict=True) if weight > 0]
    return MixedValues([MLP.to_network(a["values"], game, player) for a, _ in used], [w for _, w in used])


RECORD = RecordKind(id="q_mixing", to_policy=_policy)


def q_mixing_record(
    answers: Sequence[dict[str, Any]], *, table: Float64Array | None = None, weights: Sequence[float] = ()
) -> PolicyRecord:
    """The record of a policy, see the module."""
    return RECORD.record({"answers": list(answers), "table": table, "weights": [float(w) for w in weights]})
