"""External sampling Monte Carlo CFR: all of the updating player's actions, one of everybody else's and of chance.

Lanctot, Waugh, Zinkevich and Bowling (2009), "Monte Carlo sampling for regret minimization in extensive games",
NeurIPS; Lanctot (2013), PhD thesis, chapter 4. A move is drawn anew at every history, where the paper
draws one per information set; both have the expectation of full-width CFR. See `_mccfr` for the average strategy, the
variants and the baselines, which here stand in for the moves of the others and of chance.

Cost: the updating player's part of the tree per traversal, about 22 histories on Leduc.
"""

from __future__ import annotations

from eqsolvers.extensive_form._mccfr import AVERAGING, BASELINE, DECAY, REGRETS, external_width, sampling_solver
from eqsolvers.extensive_form._mccfr_kernel import iterate_external

SOLVER = sampling_solver(
    "es-mccfr",
    iterate_external,
    external_width,
    (REGRETS, AVERAGING, BASELINE, DECAY),
    source="Lanctot, Waugh, Zinkevich and Bowling (2009), NeurIPS",
    check_every=10_000,
)
