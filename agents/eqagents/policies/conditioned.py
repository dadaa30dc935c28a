"""One member of a population that a single network stands for: the network, and the condition of this member.

The record holds a perceptron's `hidden`, `activation` and `weights`, whose first layer sees an observation and after it
a condition; and `condition` [C]. With the condition folded into the first layer's bias it is a plain perceptron over
observations. What training goes on from is kept beside it: the `critic`'s weights, the conditions of all members so far
(`graph` [R, C]), and which opponent each place of a condition stands for (`slots`, at most C digests).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eqagents.policies.mlp import RECORD as MLP
from eqagents.policies.network import PolicyNetwork, TorchPolicy
from eqagents.policies.records import PolicyRecord, RecordKind
from eqenvs.errors import CheckpointError
from eqenvs.game import Game


def folded(record: PolicyRecord) -> PolicyRecord:
    """The same policy as a record of kind `mlp`."""
    weights: dict[str, Any] = dict(record["weights"])
    condition = np.asarray(record["condition"], dtype=np.float32)
    first, shift, *_ = weights
    width = weights[first].shape[1] - len(condition)
    if width < 1:
        raise CheckpointError(
            f"a policy record of kind 'conditioned' has a first layer of {weights[first].shape[1]} inputs, its "
            f"condition alone has {len(condition)} numbers"
        )
    weights[shift] = weights[shift] + weights[first][:, width:] @ condition
    weights[first] = np.ascontiguousarray(weights[first][:, :width])
    return MLP.record({"hidden": record["hidden"], "activation": record["activation"], "weights": weights})


def _network(record: PolicyRecord, game: Game, player: int) -> PolicyNetwork:
    assert MLP.to_network is not None
    return MLP.to_network(folded(record), game, player)


def _policy(record: PolicyRecord, game: Game, player: int) -> TorchPolicy:
    return TorchPolicy(_network(record, game, player))


RECORD = RecordKind(id="conditioned", to_policy=_policy, to_network=_network)
