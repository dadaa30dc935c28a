"""MF-OMO: a mean-field equilibrium as the minimum, 0, of one function of an occupation measure and its dual.

Guo, Hu and Zhang (2024), "MF-OMO: an optimization formulation of mean-field games", SIAM Journal on Control and
Optimization 62. An occupation measure L[m, p, s, a] is an equilibrium exactly where, in its own mean field
mu = sum_a L, it flows (every state receives what is sent there), some values V have Bellman slack
z = V - r - discount P V >= 0, and L z = 0. The objective adds up the squared residuals of the first two and the third:

    flow_weight ||sum_a L - initial - P' L||^2 + ||V - r - discount P V - z||^2 + weight sum L z,

over L in a simplex at each moment and z >= 0. No monotonicity or contraction is needed, and no population is moved or
best response found on the way. The programme is not convex: the descent may stop at another stationary point, which the
residual shows.

Steps are Adam's (Kingma and Ba, 2015) in L and V, and L is projected. Three things are ours:
- z is not descended on: for given L and V the best is max(0, V - r - discount P V - weight L / 2), and it is put in;
- payoffs are counted in units in which the largest slack at the uniform policy is `scale`, so that settings do not
  depend on the game's currency, and L is stepped in units of 1 / sqrt(S A);
- `start`: L is uniform over states and actions ("uniform", the customary start), or what the uniform policy generates
  ("flow"); V is that of the best response to it in either.

No setting is good everywhere: where payoffs have a singularity, as -log mu at places where nobody is, the last iterate
can be far worse than the best, which the measures tell; a `scale` of 3 is better on linear_quadratic.

Gradients are torch's, on the CPU, through the game's own operators. Cost of an iteration: O(M P S A K), about five
times that of an iteration of online mirror descent, and a sort of S A numbers a moment.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, sum_by_index
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.spec import Parameter
from eqsolvers.mean_field._process import MeanFieldProcess, mean_field_solver
from eqsolvers.simplex import project_rows

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # Adam's decay rates and its guard
EMPTY = 1e-9  # mass of a state at which its measure says nothing about what is played there
STARTS = ("uniform", "flow")


class OccupationOptimisation(MeanFieldProcess):
    """The process: `measure` [M, P, S, A] is L, `values` [M, P, S] is V in the objective's unit; and Adam's moments."""

    def __init__(
        self,
        model: MeanFieldModel,
        *,
        seed: int = 0,
        eta: float = 0.1,
        dual_eta: float = 0.03,
        weight: float = 0.3,
        flow_weight: float = 1.0,
        scale: float = 0.3,
        start: str = "uniform",
    ) -> None:
        """Begin with the uniform policy; nothing is drawn, whatever the seed.

        Args:
            model: the game.
            seed: of no use.
            eta: Adam's step for L, times sqrt(S A).
            dual_eta: for V.
            weight: of L z.
            flow_weight: of the flow equations.
            scale: the largest slack at the uniform policy.
            start: one of `STARTS`.

        Raises:
            UnsupportedGame: if an operator of the game cannot be differentiated by torch.
        """
        super().__init__(model, {})
        self._torch = importlib.import_module("torch")
        policy = self.dynamics.uniform()
        evaluation = self.dynamics.evaluate(policy)
        most = float(self._slack(evaluation.quality).max())
        self._unit = scale / most if most > 0.0 else 1.0
        flow, quality = evaluation.flow, evaluation.quality
        if start == "uniform":
            flow = np.full(flow.shape, 1.0 / model.num_states)
            quality, _ = self.dynamics.best_quality(flow, self.dynamics.rewards(flow))
        self._begin(flow[..., None] * policy, self._unit * self._top(quality))
        self._rates = {"measure": eta / np.sqrt(model.num_states * model.num_actions), "values": dual_eta}
        self._weight, self._flow_weight = weight, flow_weight
        moments = model.moments
        send = self._torch.tensor
        self._moment = Moment(*(send(part.copy()) for part in model.at(slice(None))))
        self._parent, self._chance = send(moments.parent.copy()), send(moments.probability.copy())
        self._initial = send(model.initial.copy())
        self._index = send(model.successors.reshape(-1).copy())
        self._legal = send(model.legal.copy())
        self._require_differentiable()

    def _begin(self, measure: Float64Array, values: Float64Array) -> None:
        start = {"measure": measure, "values": values}
        zeros = {f"{which}_{name}": np.zeros_like(a) for which in ("first", "second") for name, a in start.items()}
        self._arrays = {**start, **zeros}

    def _require_differentiable(self) -> None:
        """Refuse operators that take numpy arrays alone, which torch tells in words of its own."""
        mean_field = self._torch.tensor(self._arrays["measure"][:1], requires_grad=True).sum(dim=-1)
        first = Moment(*(part[:1] for part in self._moment))
        for name, operator in (("reward", self.model.rewards), ("transition", self.model.probabilities)):
            try:
                found = operator(mean_field, first)
            except InputError:
                raise
            except Exception as error:
                raise UnsupportedGame(f"mf-omo: {_told(name)} ({type(error).__name__})") from error
            if not isinstance(found, self._torch.Tensor):
                raise UnsupportedGame(f"mf-omo: {_told(name)} (it gives {type(found).__name__})")

    def _top(self, quality: Float64Array) -> Float64Array:
        return np.asarray(np.where(self.model.legal, quality, -np.inf).max(axis=-1))

    def _slack(self, quality: Float64Array) -> Float64Array:
        return np.where(self.model.legal, self._top(quality)[..., None] - quality, 0.0)

    def current(self) -> Float64Array:
        """What L plays; where it has no mass, every legal action alike."""
        measure = self._arrays["measure"]
        mass = measure.sum(axis=-1, keepdims=True)
        return np.asarray(np.divide(measure, mass, out=self.dynamics.uniform(), where=mass > EMPTY))

    def terms(self, measure: Any, values: Any) -> tuple[Any, Any, Any]:
        """The flow equations' squares, the Bellman equations' and L z, of torch tensors; unweighted."""
        torch, model = self._torch, self.model
        mean_field = measure.sum(dim=-1)
        probability = model.probabilities(mean_field, self._moment)
        reward = self._unit * model.rewards(mean_field, self._moment)
        sent = (measure[..., None] * probability).flatten(start_dim=2)
        arriving = sum_by_index(sent, self._index, model.num_states)
        expected = torch.where((self._parent < 0)[:, None, None], self._initial, arriving[self._parent])
        flow = ((mean_field - expected) ** 2).sum()
        # What states are worth a step later: the children's values by their chance, or its own without a horizon.
        later = torch.zeros_like(values)
        children = torch.nonzero(self._parent >= 0)[:, 0]
        later = later.index_add(0, self._parent[children], self._chance[children, None, None] * values[children])
        ahead = later[..., self._index].reshape(*later.shape[:2], *model.successors.shape)
        quality = reward + model.discount * (probability * ahead).sum(dim=-1)
        slack = torch.where(self._legal, values[..., None] - quality, 0.0)
        # z is at its minimum, so that the objective's gradient is that with z held.
        z = torch.relu(slack - 0.5 * self._weight * measure).detach()
        return flow, ((slack - z) ** 2).sum(), (measure * z).sum()

    def objective(self, measure: Any, values: Any) -> Any:
        """Of torch tensors: L, and V in the objective's units."""
        flow, bellman, complementarity = self.terms(measure, values)
        return self._flow_weight * flow + bellman + self._weight * complementarity

    def _step(self) -> None:
        torch, model = self._torch, self.model
        names = ("measure", "values")
        variables = [torch.tensor(self._arrays[name], requires_grad=True) for name in names]
        gradients = torch.autograd.grad(self.objective(*variables), variables)
        count = self.iteration + 1
        after = dict(self._arrays)
        for name, given in zip(names, gradients, strict=True):
            gradient = given.numpy()
            first = FIRST * self._arrays[f"first_{name}"] + (1 - FIRST) * gradient
            second = SECOND * self._arrays[f"second_{name}"] + (1 - SECOND) * gradient**2
            mean, spread = first / (1 - FIRST**count), second / (1 - SECOND**count)
            after[name] = self._arrays[name] - self._rates[name] * mean / (np.sqrt(spread) + TINY)
            after[f"first_{name}"], after[f"second_{name}"] = first, second
        moved = np.where(model.legal, after["measure"], -np.inf)
        after["measure"] = project_rows(moved.reshape(*moved.shape[:2], -1)).reshape(moved.shape)
        self._arrays = after

    def measures(self) -> dict[str, float]:
        """Those of all mean-field methods, the objective, and the root of the flow equations' squares."""
        torch = self._torch
        found = [torch.tensor(self._arrays[name]) for name in ("measure", "values")]
        own = {"objective": float(self.objective(*found)), "flow_violation": float(self.terms(*found)[0]) ** 0.5}
        return super().measures() | own


def _told(operator: str) -> str:
    return (
        f"the game's {operator} operator does not take torch tensors; write it against "
        "eqenvs.arrays.namespace(mean_field), with constants from eqenvs.arrays.Constants(...).on(name, mean_field)"
    )


SOLVER = mean_field_solver(
    "mf-omo",
    OccupationOptimisation,
    source="Guo, Hu and Zhang (2024), SIAM Journal on Control and Optimization 62",
    parameters=(
        Parameter.real("eta", 0.1, 1e-9, 100.0, "Adam's step for L, times sqrt(states * actions)"),
        Parameter.real("dual_eta", 0.03, 1e-9, 100.0, "Adam's step for V, in the unit that scale sets"),
        Parameter.real("weight", 0.3, 1e-6, 1e6, "of L z in the objective"),
        Parameter.real("flow_weight", 1.0, 1e-6, 1e6, "of the flow equations"),
        Parameter.real("scale", 0.3, 1e-6, 1e6, "what the largest gain of an action at the uniform policy counts"),
        Parameter(
            name="start",
            default="uniform",
            kind=str,
            choices=STARTS,
            description="first mean field: uniform over states, or what the uniform policy generates",
        ),
    ),
)
