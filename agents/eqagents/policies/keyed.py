"""A pure policy at the information states that were met, by key, uniform at all others: for games of any size.

Its record holds `keys` [I, W] int64 and `actions` [I] int64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from eqagents.policies.records import PolicyRecord, RecordKind
from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import CheckpointError
from eqenvs.game import Game
from eqenvs.models.information_states import InformationStates


class KeyedPolicy:
    """See the module.

    Args:
        keys: [I, W].
        actions: [I].
    """

    def __init__(self, keys: ArrayLike, actions: ArrayLike) -> None:
        known: IntArray = np.ascontiguousarray(keys, dtype=np.int64)
        chosen: IntArray = np.asarray(actions, dtype=np.int64)
        if known.ndim != 2 or chosen.shape != (len(known),):
            raise CheckpointError(
                f"a policy record of kind 'keyed' needs an action for each key, got {known.shape} and {chosen.shape}"
            )
        self._action = {key.tobytes(): int(action) for key, action in zip(known, chosen, strict=True)}

    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `eqenvs.policies.BehaviourPolicy`."""
        keys = np.ascontiguousarray(states.keys, dtype=np.int64)
        chosen = np.array([self._action.get(key.tobytes(), -1) for key in keys], dtype=np.int64)
        pure = np.arange(states.masks.shape[1]) == chosen[:, None]
        return np.where(chosen[:, None] >= 0, pure, states.uniform())


def _policy(record: PolicyRecord, game: Game, player: int) -> KeyedPolicy:
    return KeyedPolicy(record["keys"], record["actions"])


RECORD = RecordKind(id="keyed", to_policy=_policy)


def keyed_record(keys: IntArray, actions: IntArray) -> PolicyRecord:
    """The record of the actions [I] at keys [I, W]."""
    return RECORD.record({"keys": keys, "actions": actions})
