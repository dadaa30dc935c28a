"""Best-response oracles, one file each: what PSRO and approximate scoring train against fixed opponents.

An oracle's file defines `ORACLE`, an `OracleSpec`. The function is pure: all randomness comes from the seed, so it can
run anywhere and be run again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.policies import PolicyRecord
from eqenvs import discovery
from eqenvs.game import Game
from eqenvs.policies import JointPolicy


@dataclass(frozen=True)
class OracleResult:
    """What an oracle found.

    Attributes:
        record: the response.
        metrics: what it measured on the way, by name.
        episodes: how many episodes it played.
    """

    record: PolicyRecord
    metrics: dict[str, float]
    episodes: int


class Oracle(Protocol):
    """A best response for one player, exact or learned."""

    def __call__(
        self,
        config: Any,
        game: Game,
        player: int,
        opponents: JointPolicy,
        seed: np.random.SeedSequence,
        warm_start: PolicyRecord | None,
    ) -> OracleResult:
        """Respond to `opponents`, whose entry for `player` is ignored.

        Args:
            config: the oracle's own configuration.
            game: the game.
            player: who responds.
            opponents: a joint policy.
            seed: of all randomness.
            warm_start: the player's previous response, which the oracle may start from.
        """


@dataclass(frozen=True, kw_only=True)
class OracleSpec:
    """An oracle that can be asked for by name.

    Attributes:
        id: the file's name.
        config: its configuration, with an `id` field.
        respond: the oracle.
        needs_model: whether the game must be enumerable.
        check: raises InputError if the configuration cannot run on the machine that it is called on.
    """

    id: str
    config: type[NamedSettings]
    respond: Oracle
    needs_model: bool
    check: Callable[[Any], None] = lambda config: None


def find_oracle(name: str) -> OracleSpec:
    """The oracle called `name`.

    Raises:
        UnknownNameError: naming the nearest one.
    """
    found: OracleSpec = discovery.load("eqagents.oracles", "oracle", name, "ORACLE")
    return found
