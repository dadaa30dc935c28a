"""Policies as plain data: what a population holds, a checkpoint stores and a task receives.

A record is a dict with its `kind`, the `version` of the kind's format (1 where none is stated), and all that it takes
to build the same policy again. Nothing in it is code, so loading one runs none.

A kind is one file of this package, named like its id, that defines `RECORD`, a `RecordKind`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

from eqagents.policies.network import PolicyNetwork
from eqenvs import discovery
from eqenvs.arrays import Float64Array
from eqenvs.errors import CheckpointError, PolicyError
from eqenvs.game import Game
from eqenvs.policies import BehaviourPolicy
from eqenvs.spec import Family

PolicyRecord: TypeAlias = dict[str, Any]
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class RecordKind:
    """A way to store policies.

    Attributes:
        id: the file's name.
        version: of the format that is written; this one and all before it are read.
        to_policy: from (record, game, player) to the policy, to be asked about that player. What a record lacks or
            misstates may raise KeyError or PolicyError; `to_policy` below makes one line of it.
        to_network: the same, to a network that can be trained on; None where the kind is no network.
        to_table: the same, to the behaviour table [I, A] that the record holds; None where it must be evaluated.
    """

    id: str
    version: int = 1
    to_policy: Callable[[PolicyRecord, Game, int], BehaviourPolicy]
    to_network: Callable[[PolicyRecord, Game, int], PolicyNetwork] | None = None
    to_table: Callable[[PolicyRecord, Game, int], Float64Array] | None = None

    def record(self, content: PolicyRecord) -> PolicyRecord:
        """A record of this kind."""
        return {"kind": self.id, "version": self.version, **content}


@cache
def kinds() -> dict[str, RecordKind]:
    """The kinds of records, by id."""
    return discovery.load_all("eqagents.policies", "kind of policy", "RECORD", RecordKind, optional=True)


def to_policy(record: PolicyRecord, game: Game, player: int) -> BehaviourPolicy:
    """The policy that a record stands for, to be asked about `player`.

    Raises:
        CheckpointError: if the record is of an unknown kind or version, or does not fit the game.
    """
    return _built(_kind_of(record).to_policy, record, game, player)


def to_network(record: PolicyRecord, game: Game, player: int) -> PolicyNetwork | None:
    """The network of a record, to be trained on; None where its kind is no network.

    Raises:
        CheckpointError: as of `to_policy`.
    """
    kind = _kind_of(record)
    return None if kind.to_network is None else _built(kind.to_network, record, game, player)


def to_table(record: PolicyRecord, game: Game, player: int) -> Float64Array | None:
    """The behaviour table [I, A] that a record holds, checked; None where its kind must be evaluated.

    Raises:
        CheckpointError: as of `to_policy`.
    """
    kind = _kind_of(record)
    return None if kind.to_table is None else _built(kind.to_table, record, game, player)


def network_sizes(game: Game, player: int) -> tuple[int, int]:
    """The width of an observation and the number of actions, D and A, of one of the game's policies.

    The environment of a mean-field game has more agents than the game has policies, so there its rules do not say.
    """
    if game.family is Family.MEAN_FIELD:
        states = game.information_states[player]
        return states.observations.shape[1], states.masks.shape[1]
    return game.rules.observation_size, game.rules.num_actions[player]


def _kind_of(record: PolicyRecord) -> RecordKind:
    name, version = record.get("kind"), record.get("version", 1)
    kind = kinds().get(name) if isinstance(name, str) else None
    if kind is None:
        raise CheckpointError(f"unknown kind of policy {name!r}; known: {', '.join(sorted(kinds()))}")
    if not isinstance(version, int) or not 1 <= version <= kind.version:
        raise CheckpointError(
            f"a policy record of kind {name!r} has version {version!r}; this release reads 1 to {kind.version}"
        )
    return kind


def _built(build: Callable[[PolicyRecord, Game, int], _T], record: PolicyRecord, game: Game, player: int) -> _T:
    try:
        return build(record, game, player)
    except KeyError as error:
        raise CheckpointError(f"a policy record of kind {record['kind']!r} lacks {error}") from None
    except PolicyError as error:
        raise CheckpointError(f"the policy record does not fit {game!r}: {error}") from None
