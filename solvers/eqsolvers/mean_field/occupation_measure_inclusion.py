"""Occupation measure inclusion: forward-backward splitting over the occupation measures of a mean-field game.

Hu and Zhang (2024), "MF-OML: online mean-field reinforcement learning with occupation measures for large population
games", arXiv 2405.00282: MF-OMI-FBS. Where moves do not depend on the mean field, an occupation measure d is an
equilibrium exactly where its rewards are in the normal cone of the polytope of occupation measures at d. So

    d <- projection of (1 - alpha perturbation) d + alpha r(d) onto the polytope, population by population.

In monotone games (Lasry and Lions: crowds are not attractive) with perturbation > 0, or where monotonicity is strong,
the last iterate converges linearly for a small enough step; the perturbation moves the equilibrium in proportion.
Elsewhere nothing is promised. Of common noise d[m] is the measure given the moment's history, and moments weigh as much
as they are reached and worth: without noise and discount this is the published norm.

Games with a horizon, of constant probabilities or `Affine` ones without slope. Cost of an iteration: a few
factorisations of M S sparse equations for each population (`_flow_polytope`).
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Parameter
from eqsolvers.mean_field._flow_polytope import FlowPolytope
from eqsolvers.mean_field._process import MeanFieldProcess, mean_field_solver

METHOD = "occupation-measure-inclusion"
EMPTY = 1e-12  # mass of a state at which its measure says nothing about what is played there
SHARE = 0.3  # of an action's usual mass, moved by its usual advantage where no step is asked for


class OccupationInclusion(MeanFieldProcess):
    """The process.

    `measure` [M, P, S, A] is d, `dual` [M, P, S] that of its flow equations, `policy` [M, P, S, A] what d plays,
    `alpha` the step, `work` [2] the last projections' violation and all Newton steps so far.
    """

    def __init__(
        self, model: MeanFieldModel, *, seed: int = 0, alpha: float | None = None, perturbation: float = 0.0
    ) -> None:
        """Begin with the uniform policy; nothing is drawn, whatever the seed.

        Args:
            model: the game.
            seed: of no use.
            alpha: step, in probability per payoff.
            perturbation: in payoff per probability.

        Raises:
            UnsupportedGame: if the game has no horizon, or moves depend on the mean field or could.
        """
        if model.horizon is None:
            raise UnsupportedGame(f"{METHOD}: covers games with a horizon only; mf-omo, pma and omd take both")
        if model.kernel is None or len(model.kernel.slope):
            raise UnsupportedGame(
                f"{METHOD}: covers moves that do not depend on the mean field, given as an array or `Affine` without "
                "slope; mf-omo, omd and fictitious-play take any"
            )
        super().__init__(model, {})
        weight = model.moments.reach * model.discount**model.moments.time
        self._weight = weight[:, None, None]
        self._polytopes = [FlowPolytope(model, population, weight) for population in range(model.num_populations)]
        self._perturbation = perturbation
        policy = self.dynamics.uniform()
        flow = self.dynamics.flow(policy)
        if alpha is None:
            quality = self.dynamics.own_quality(flow, self.dynamics.rewards(flow), policy)
            alpha = first_step(policy, flow, quality)
        self._arrays = {
            "measure": flow[..., None] * policy,
            "dual": np.zeros(flow.shape),
            "policy": policy,
            "alpha": np.full(1, alpha),
            "work": np.zeros(2),
        }

    def current(self) -> Float64Array:
        """The policy of the last iterate."""
        return self._arrays["policy"]

    def _step(self) -> None:
        measure, policy, alpha = self._arrays["measure"], self._arrays["policy"], float(self._arrays["alpha"][0])
        mean_field = measure.sum(axis=-1)
        reward = self.dynamics.rewards(mean_field)
        point = (1.0 - alpha * self._perturbation) * measure + alpha * reward
        # With the values of the policy as dual every state would keep its mass, but for what is cut off at 0.
        quality = self.dynamics.own_quality(mean_field, reward, policy)
        values = -alpha * self._weight * (policy * quality).sum(axis=-1)
        dual = self._arrays["dual"]
        guesses = [values] if self.iteration == 0 else [dual, values]
        found = [
            polytope.project(point[:, population], *(guess[:, population] for guess in guesses))
            for population, polytope in enumerate(self._polytopes)
        ]
        measure = np.stack([projection.measure for projection in found], axis=1)
        reduced = np.stack([projection.reduced for projection in found], axis=1)
        violation, steps = max(each.violation for each in found), sum(each.steps for each in found)
        self._arrays = {
            **self._arrays,
            "measure": measure,
            "dual": np.stack([projection.dual for projection in found], axis=1),
            "policy": self._played(measure, reduced),
            "work": np.array([violation, self._arrays["work"][1] + steps]),
        }

    def _played(self, measure: Float64Array, reduced: Float64Array) -> Float64Array:
        """What a measure plays; where nobody is, the action that is nearest to being played."""
        mass = measure.sum(axis=-1, keepdims=True)
        nearest = np.where(self.model.legal & (reduced == reduced.max(axis=-1, keepdims=True)), 1.0, 0.0)
        other = nearest / nearest.sum(axis=-1, keepdims=True)
        return np.asarray(np.divide(measure, mass, out=other, where=mass > EMPTY))

    def measures(self) -> dict[str, float]:
        """Those of all mean-field methods, the step, and of the projections the error and Newton steps so far."""
        violation, steps = (float(number) for number in self._arrays["work"])
        own = {"step": float(self._arrays["alpha"][0]), "flow_violation": violation, "newton_steps": steps}
        return super().measures() | own


def first_step(policy: Float64Array, flow: Float64Array, quality: Float64Array) -> float:
    """The step by which an action's usual advantage moves `SHARE` of its usual mass.

    Args:
        policy: [M, P, S, A].
        flow: [M, P, S], its mean field.
        quality: [M, P, S, A], what actions are worth with the policy from there on.
    """
    measure = flow[..., None] * policy
    advantage = quality - (policy * quality).sum(axis=-1, keepdims=True)
    spread = float(np.sqrt((measure * advantage**2).sum() / measure.sum()))
    usual = float((measure**2).sum() / measure.sum())
    return SHARE * usual / spread if spread > 0.0 else usual


def covers(game: Game) -> bool:
    """Whether the method takes a game: one with a horizon whose moves are given without the mean field."""
    model = game.model()
    return (
        isinstance(model, MeanFieldModel)
        and model.horizon is not None
        and model.kernel is not None
        and not len(model.kernel.slope)
    )


SOLVER = mean_field_solver(
    METHOD,
    OccupationInclusion,
    covers=covers,
    source="Hu and Zhang (2024), arXiv 2405.00282",
    parameters=(
        Parameter(
            name="alpha",
            default=None,
            kind=float,
            low=1e-12,
            high=1e6,
            description="step, in probability per payoff; none: an action's usual mass over its usual advantage",
        ),
        Parameter(
            name="perturbation",
            default=0.0,
            kind=float,
            low=0.0,
            high=1e6,
            description="strong monotonicity that is added, in payoff per probability; moves the equilibrium",
        ),
    ),
)
