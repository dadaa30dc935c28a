"""Uniformly random play, in any game: a record with nothing in it."""

from __future__ import annotations

from eqagents.policies.records import PolicyRecord, RecordKind
from eqenvs.game import Game
from eqenvs.policies import BehaviourPolicy, uniform_play


def _policy(record: PolicyRecord, game: Game, player: int) -> BehaviourPolicy:
    return uniform_play


RECORD = RecordKind(id="uniform", to_policy=_policy)


def uniform_record() -> PolicyRecord:
    """The record of uniformly random play."""
    return RECORD.record({})
