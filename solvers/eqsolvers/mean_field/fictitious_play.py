"""Fictitious play: everybody best responds to the average of all past mean fields.

Perrin, Perolat, Lauriere, Geist, Elie and Pietquin (2020), "Fictitious play for mean field games: continuous time
analysis and applications", NeurIPS, algorithm 1, in discrete time: the average policy weighs each best response by how
much of its population was in the state, so that it generates the average of the mean fields where moves do not depend
on the mean field. In monotone games its exploitability falls like 1/t; elsewhere it may not fall at all.

The average starts as the uniform policy, with the weight of one best response. Of equally good actions the first is
taken, which decides the trajectory in games with ties.

Cost of an iteration: two passes forward and one backward.
"""

from __future__ import annotations

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field._process import MeanFieldProcess, mean_field_solver
from eqsolvers.mean_field._tables import blended, conditional


class FictitiousPlay(MeanFieldProcess):
    """The process; `played` [M, P, S, A] is the average of mean field times policy."""

    def __init__(self, model: MeanFieldModel, *, seed: int = 0) -> None:
        """Begin with the uniform policy; nothing is drawn, whatever the seed."""
        super().__init__(model, {})
        policy = self.dynamics.uniform()
        self._arrays = {"played": self.dynamics.flow(policy)[..., None] * policy, "unseen": policy}

    def current(self) -> Float64Array:
        """The average policy; where nobody has been yet, the last best response."""
        return conditional(self._arrays["played"], self._arrays["unseen"])

    def _step(self) -> None:
        response = self.dynamics.greedy(self.evaluation().quality)
        rate = 1.0 / (self.iteration + 2)
        played = blended(self._arrays["played"], rate, self.dynamics.flow(response), response)
        self._arrays = {"played": played, "unseen": response}


SOLVER = mean_field_solver("fictitious-play", FictitiousPlay, source="Perrin et al. (2020), NeurIPS", preference=5)
