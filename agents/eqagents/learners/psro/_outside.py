"""The whole game behind an empirical one, for meta-solvers that look at best responses in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqagents.oracles import Member
from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.policies import TabularPolicy, mixable
from eqsolvers.scoring.scorers import scorer


class KnownGame:
    """See `eqsolvers.meta.Outside`; of two-player constant-sum games that can be enumerated.

    Args:
        game: the game.

    Raises:
        UnsupportedGame: if it is another one.
    """

    def __init__(self, game: Game) -> None:
        known = game.exact and mixable(game.model())
        if not known or game.num_players != 2 or not game.constant_sum:
            raise UnsupportedGame(
                f"psro: best responses in the whole game are known of two-player constant-sum games in normal or "
                f"extensive form that can be enumerated, {game!r} is none; use meta-solver 'nash'"
            )
        self._game, self._judge = game, scorer(game.model())
        self._tables: list[Float64Array] = []

    def show(self, populations: Sequence[Sequence[Member]]) -> None:
        """Take the populations; all members have tables."""
        self._tables = [np.stack([member.table for member in own if member.table is not None]) for own in populations]

    def against_best_responses(self, strategies: Sequence[Float64Array]) -> tuple[Float64Array, ...]:
        """See `eqsolvers.meta.Outside`."""
        model = self._game.model()
        assert mixable(model)  # by __init__
        mixed = [model.mix(p, tables, strategies[p]) for p, tables in enumerate(self._tables)]
        policy = TabularPolicy(self._game, mixed)
        found = []
        for player, tables in enumerate(self._tables):
            _, response = self._judge.best_response(1 - player, policy)
            own = [self._judge.values([table, response] if player == 0 else [response, table]) for table in tables]
            found.append(np.array([values[player] for values in own]))
        return tuple(found)
