"""Chance sampling Monte Carlo CFR: one outcome of every chance move, all actions of all players.

Zinkevich, Johanson, Bowling and Piccione (2007), "Regret minimization in games with incomplete information", NeurIPS,
who ran CFR on poker like this; Lanctot (2013), PhD thesis, chapter 4. Outcomes are drawn anew at every
chance history that a traversal meets. See `_mccfr` for the variants. The strategies of an iteration stand still until
its traversal ends, since several of its histories may lie in one information set.

Cost: the tree between two chance moves, per traversal.
"""

from __future__ import annotations

from eqsolvers.extensive_form._mccfr import AVERAGING, REGRETS, chance_width, sampling_solver
from eqsolvers.extensive_form._mccfr_kernel import iterate_chance

SOLVER = sampling_solver(
    "cs-mccfr",
    iterate_chance,
    chance_width,
    (REGRETS, AVERAGING),
    source="Zinkevich, Johanson, Bowling and Piccione (2007), NeurIPS",
    check_every=1_000,
)
