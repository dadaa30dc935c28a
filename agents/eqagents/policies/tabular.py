"""One player's behaviour table as a record: `table` [I, A], in the order of the game's information states."""

from __future__ import annotations

from eqagents.policies.records import PolicyRecord, RecordKind
from eqenvs.arrays import Float64Array
from eqenvs.game import Game
from eqenvs.policies import TOLERANCE, TabularPolicy, check_table, for_player


def _policy(record: PolicyRecord, game: Game, player: int) -> TabularPolicy:
    return for_player(game, player, _table(record, game, player))


def _table(record: PolicyRecord, game: Game, player: int) -> Float64Array:
    return check_table(player, game.information_states[player], record["table"], TOLERANCE)


RECORD = RecordKind(id="tabular", to_policy=_policy, to_table=_table)


def tabular_record(table: Float64Array) -> PolicyRecord:
    """The record of a table."""
    return RECORD.record({"table": table})
