"""The exact best response from the game's model: the oracle of the double oracle algorithm.

In Markov games it is the best Markov policy, or the best that is found (`eqsolvers.scoring.memoryless`): against
opponents who draw a policy for the whole game a response with memory may be better, and belongs to no population.

McMahan, Gordon and Blum (2003), "Planning in the presence of cost functions controlled by an adversary", ICML.
"""

from __future__ import annotations

from typing import Literal

from eqagents.configuration import NamedSettings
from eqagents.oracles import OracleResult, OracleSpec, Situation
from eqagents.policies import tabular_record
from eqenvs.models import MarkovModel
from eqsolvers.scoring.score import best_response


class ExactConfig(NamedSettings):
    """The exact oracle has nothing to set."""

    id: Literal["exact"] = "exact"


def respond(config: ExactConfig, situation: Situation) -> OracleResult:
    """A pure best response; see `Oracle`."""
    model, player, opponents = situation.game.model(), situation.player, situation.opponents
    if isinstance(model, MarkovModel):
        from eqsolvers.scoring.markov import best_markov_response  # needs SciPy

        value, table, _ = best_markov_response(model, player, opponents)
    else:
        value, table = best_response(model, player, opponents)
    return OracleResult(tabular_record(table), {"value": value}, episodes=0)


ORACLE = OracleSpec(id="exact", config=ExactConfig, respond=respond, needs_model=True)
