"""Uniformly random play, in any game: a record with nothing in it."""

from __future__ import annotations

from eqagents.policies.records import PolicyRecord, RecordKind
from eqenvs.arrays import Float64Array
from eqenvs.game import Game
from eqenvs.models.information_states import InformationStates


class UniformPolicy:
    """Every legal action with the same probability."""

    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `eqenvs.policies.BehaviourPolicy`."""
        return states.uniform()


def _policy(record: PolicyRecord, game: Game, player: int) -> UniformPolicy:
    return UniformPolicy()


RECORD = RecordKind(id="uniform", to_policy=_policy)


def uniform_record() -> PolicyRecord:
    """The record of uniformly random play."""
    return RECORD.record({})
