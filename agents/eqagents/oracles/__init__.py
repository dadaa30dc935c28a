"""Best-response oracles, one file each: what PSRO and approximate scoring train against fixed opponents.

An oracle's file defines `ORACLE`, an `OracleSpec`. The function is pure: all randomness comes from the seed, so it can
run anywhere and be run again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.policies import PolicyRecord, to_policy
from eqenvs import discovery
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.policies import BehaviourPolicy, JointPolicy, for_player
from eqsolvers.meta import MetaSolution


@dataclass(frozen=True)
class OracleResult:
    """What an oracle found.

    Attributes:
        record: the response.
        metrics: what it measured on the way, by name.
        episodes: how many episodes it played.
        also: further policies that are to join the player's population.
    """

    record: PolicyRecord
    metrics: dict[str, float]
    episodes: int
    also: tuple[PolicyRecord, ...] = ()


@dataclass(frozen=True)
class Member:
    """One policy of a population.

    Attributes:
        record: what is stored.
        table: its behaviour table [I, A], or None where it was not tabulated.
    """

    record: PolicyRecord
    table: Float64Array | None


def policy_of(game: Game, player: int, member: Member) -> BehaviourPolicy:
    """A member's policy, to be asked about `player` only; by its table where it has one, which is played faster.

    The table says who plays it, too: of a shared population one record is another policy for another player.
    """
    if member.table is None:
        return to_policy(member.record, game, player)
    return for_player(game, player, member.table)


@dataclass(frozen=True, eq=False)
class Populations:
    """The populations that a response is to join.

    Attributes:
        members: per player, its policies so far.
        meta: how they are mixed; the mixture that is responded to.
        payoffs: [N, K_0, ..., K_{N-1}] float64, the empirical game; None where it is not known.
    """

    members: Sequence[Sequence[Member]]
    meta: MetaSolution
    payoffs: Float64Array | None = None


@dataclass(frozen=True, eq=False)
class Situation:
    """What a response is asked for.

    Attributes:
        game: the game.
        player: who responds.
        opponents: a joint policy; its entry for the player is ignored.
        seed: of all randomness.
        warm_start: the player's previous response, which the oracle may start from.
        populations: which the response is to join; None where it joins none, as in scoring.
    """

    game: Game
    player: int
    opponents: JointPolicy
    seed: np.random.SeedSequence
    warm_start: PolicyRecord | None = None
    populations: Populations | None = None


class Oracle(Protocol):
    """A best response for one player, exact or learned."""

    def __call__(self, config: Any, situation: Situation) -> OracleResult:
        """Respond to the opponents; `config` is the oracle's own configuration."""


@dataclass(frozen=True, kw_only=True)
class OracleSpec:
    """An oracle that can be asked for by name.

    Attributes:
        id: the file's name.
        config: its configuration, with an `id` field.
        respond: the oracle.
        needs_model: whether the game must be enumerable.
        needs_populations: whether it responds only as a member of populations.
        may_lose: whether a response that is as it should be may earn less than the mixture that it answers; a loop that
            leaves such responses out would ask for the same one again.
        check: raises InputError if the configuration cannot run on the machine that it is called on.
    """

    id: str
    config: type[NamedSettings]
    respond: Oracle
    needs_model: bool
    needs_populations: bool = False
    may_lose: bool = False
    check: Callable[[Any], None] = lambda config: None


def find_oracle(name: str) -> OracleSpec:
    """The oracle called `name`.

    Raises:
        UnknownNameError: naming the nearest one.
    """
    found: OracleSpec = discovery.load("eqagents.oracles", "oracle", name, "ORACLE", OracleSpec)
    return found


def populations_of(situation: Situation, oracle: str) -> Populations:
    """The populations that a response is to join.

    Raises:
        InputError: naming the oracle, if there are none.
    """
    if situation.populations is None:
        raise InputError(f"oracle {oracle!r} responds as a member of populations, as in learner 'psro'; use 'exact'")
    return situation.populations


def require_two_players(situation: Situation, oracle: str, why: str, use: str) -> None:
    """Raises UnsupportedGame, naming the oracle, why it has one opponent, and what to use, where there are more."""
    game = situation.game
    if game.num_players != 2:
        raise UnsupportedGame(f"oracle {oracle!r}: {why}, {game.spec.id} has {game.num_players} players; use {use}")
