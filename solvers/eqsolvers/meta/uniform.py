"""Uniform meta-solver: every policy of a population counts the same.

PSRO then is fictitious play, if a response that comes again is counted again (`keep_repeats`).

Heinrich, Lanctot and Silver (2015), "Fictitious self-play in extensive-form games", ICML.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, independent


def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The uniform distribution for each player."""
    del settings  # there are none
    return independent([np.full(size, 1.0 / size) for size in game.model.num_actions])


META_SOLVER = MetaSolverSpec(id="uniform", solve=solve, source="Heinrich, Lanctot and Silver (2015), ICML")
