"""Lookahead: every few iterations the weights go back a part of the way that they have come since the last time.

Zhang, Lucas, Hinton and Ba (2019), "Lookahead optimizer: k steps forward, 1 step back", NeurIPS, algorithm 1: slow
weights phi and fast weights theta, which the optimiser moves; after every k iterations

    phi <- phi + share (theta - phi),    theta <- phi,

and training goes on from there; what the optimiser remembers is kept. Chavdarova, Pagliardini, Stich, Fleuret and
Jaggi (2021), "Taming GANs with Lookahead-Minmax", ICLR, algorithm 1, step back for all players at once, which damps
the rotation of games: where the fast weights turn about an equilibrium by an angle w in k iterations, the slow ones'
distance to it is multiplied by

    sqrt(1 - 2 share (1 - share) (1 - cos w)),

so that with share 1/2 half a turn brings them to the centre, while k of few iterations (w near 0) or of a whole turn
change nothing. A drift that does not turn is slowed to `share` of its speed.

Differences from the papers: k counts iterations of play and fit instead of gradient steps, and the first `start`
iterations are left as they are. Critics step back with the policies.

Cost: a copy of the weights.
"""

from __future__ import annotations

from pydantic import Field

from eqagents.configuration import Settings
from eqagents.rollout.networks import Weights, blended


class LookaheadConfig(Settings):
    """When the weights step back, and how far."""

    every: int = Field(default=0, ge=0, description="iterations between two steps back, near half a turn; 0: none")
    start: int = Field(default=0, ge=0, description="iterations made without: far from equilibrium it only slows down")
    share: float = Field(default=0.5, gt=0, lt=1, description="of the way since the last step back that is kept")

    def stepped_back(self, iteration: int, slow: Weights | None, fast: Weights) -> tuple[Weights | None, Weights]:
        """The slow weights after an iteration, and the weights that training goes on from.

        Args:
            iteration: iterations done.
            slow: weights after the last step back, or at the start; None where there are none.
            fast: weights after the fit.
        """
        if slow is None:
            return None, fast
        if iteration <= self.start:
            return fast, fast
        if (iteration - self.start) % self.every:
            return slow, fast
        back = blended(slow, fast, 1 - self.share)
        return back, back
