"""Outcome sampling Monte Carlo CFR: one play of the game per traversal.

Lanctot, Waugh, Zinkevich and Bowling (2009), "Monte Carlo sampling for regret minimization in extensive games",
NeurIPS; Lanctot (2013), PhD thesis, chapter 4. The updating player plays its strategy mixed with
`epsilon` of uniform play, the others and chance move as they do. See `_mccfr` for the average strategy, the variants
and the baselines, which here make the most difference.

Cost: the length of a play per traversal.
"""

from __future__ import annotations

from eqsolvers.extensive_form._mccfr import AVERAGING, BASELINE, DECAY, EPSILON, REGRETS, outcome_width, sampling_solver
from eqsolvers.extensive_form._mccfr_kernel import iterate_outcome

SOLVER = sampling_solver(
    "os-mccfr",
    iterate_outcome,
    outcome_width,
    (REGRETS, AVERAGING, BASELINE, DECAY, EPSILON),
    source="Lanctot, Waugh, Zinkevich and Bowling (2009), NeurIPS",
    check_every=10_000,
)
