"""The exact best response by one backward pass over the sequence form: the oracle of the double oracle algorithm.

McMahan, Gordon and Blum (2003), "Planning in the presence of cost functions controlled by an adversary", ICML.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.oracles import OracleResult, OracleSpec
from eqagents.policies.records import PolicyRecord
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqsolvers.scoring.score import best_response


class ExactConfig(NamedSettings):
    """The exact oracle has nothing to set."""

    id: Literal["exact"] = "exact"


def respond(
    config: ExactConfig,
    game: Game,
    player: int,
    opponents: JointPolicy,
    seed: np.random.SeedSequence,
    warm_start: PolicyRecord | None,
) -> OracleResult:
    """A pure best response; see `Oracle`."""
    value, table = best_response(game, player, opponents)
    return OracleResult({"kind": "tabular", "table": table}, {"value": value}, episodes=0)


ORACLE = OracleSpec(id="exact", config=ExactConfig, respond=respond, needs_model=True)
