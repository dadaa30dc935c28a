"""The oracles that respond to a mean field, as a part of a learner's configuration."""

from __future__ import annotations

from typing import Any

from eqagents.configuration import NamedSettings, by_id
from eqagents.oracles import find_oracle
from eqenvs.errors import InputError

OF_PLAYERS = "policy_gradient"  # responds to the other players of a game, of which a mean field has none


def mean_field_oracle(value: Any) -> NamedSettings:
    """The configuration of an oracle, from its id.

    Raises:
        InputError: as of `by_id`, or if the oracle takes no mean-field games.
    """
    config = by_id(value, find_oracle, "learner.oracle")
    if find_oracle(config.id).needs_populations:
        raise InputError(f"config: learner.oracle: {config.id!r} joins populations of players; use 'mean_field_q'")
    if config.id == OF_PLAYERS:
        raise InputError(
            f"config: learner.oracle: {OF_PLAYERS!r} responds to players, not to a mean field; use "
            f"'mean_field_{OF_PLAYERS}'"
        )
    return config
