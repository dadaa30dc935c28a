"""What the methods for two-player zero-sum Markov games share: the stage games, solved together, and what they cover.

The values are the first player's. Where the rewards add up to another number than 0 the game never ends, and the second
player's values are a constant less these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import TabularPolicy
from eqsolvers.markov._matrix_games import MatrixGames
from eqsolvers.markov._value_iteration import Plays


class MatrixStages:
    """Maximin strategies in every state, by `MatrixGames`; implements `Stages` for one player's values."""

    def __init__(self, model: MarkovModel, legal: tuple[BoolArray, BoolArray] | None = None) -> None:
        """By default for the model's legal actions, [S, A_0] and [S, A_1]."""
        self.games = MatrixGames(*(model.legal[:2] if legal is None else legal))

    def solve(self, payoffs: Float64Array) -> tuple[Float64Array, Plays]:
        """From [S, A_0, A_1, 1] to values [S, 1] and both players' strategies."""
        found = self.games.solve(payoffs[..., 0])
        return found.values[:, None], (found.rows, found.columns)

    def state(self) -> dict[str, Any]:
        """The bases that the next solutions start from."""
        return {"basis": [part.copy() for part in self.games.basis], "cold": self.games.cold}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave."""
        self.games.basis = np.array(state["basis"][0]), np.array(state["basis"][1])
        self.games.cold = state["cold"]


def require_discounted(model: MarkovModel, method: str) -> None:
    """Refuse games with a horizon.

    Raises:
        UnsupportedGame: if the game has one.
    """
    if model.horizon is not None:
        raise UnsupportedGame(f"{method}: covers games without a horizon; shapley-iteration takes both")


def product(model: MarkovModel, plays: Plays) -> TabularPolicy:
    """Strategies at every decision point as a policy."""
    return TabularPolicy(model, plays)
