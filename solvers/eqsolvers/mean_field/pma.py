"""Policy mirror ascent as an operator: exact values, then one short step of every decision point.

Yardim, Cayci, Geist and He (2023), "Policy mirror ascent for efficient and independent learning in mean field games",
ICML, arXiv 2212.14449: with m the mean field of the policy p (without a horizon the population's stable distribution)
and q_h(s, a) = R(s, a, m) + gamma E V_h(s'), where V_h counts h(p(s)) to the reward of every step,

    p'(s)  =  argmax over u of  <u, q_h(s, .)> + h(u) - |u - p(s)|^2 / (2 eta),

h a strongly concave regulariser: tau times the entropy, or -tau / 2 times the squared length. Fixed points do not
depend on eta: with the entropy they are softmax(q_h / tau), equilibria of the regularised game, and with tau = 0
equilibria of the game itself. Where the game is regular enough for the regulariser the map contracts, and convergence
is linear; it need not be elsewhere. `distance="kl"` puts KL(u, p) / eta in place of the square, which makes the step
multiplicative and has the same fixed points of full support. With a horizon the same step is made at every moment.

`residual` is NashConv of the game without the regulariser, which its fixed points do not bring to 0;
`measures()["policy_change"]` is how far from a fixed point the policy is.

Cost of an iteration: one pass forward and one backward, and O(A) times some ten Newton steps a decision point.
"""

from __future__ import annotations

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Parameter
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field._mirror import Mirror, mirror_parameters
from eqsolvers.mean_field._process import MeanFieldProcess, compile_for, mean_field_solver


def regularised_quality(dynamics: Dynamics, mirror: Mirror, policy: Float64Array) -> Float64Array:
    """q_h of the policy in its own mean field, [M, P, S, A]; without h of the step itself."""
    bonus = mirror.bonus(policy)[..., None]
    flow = dynamics.flow(policy)
    quality = dynamics.own_quality(flow, dynamics.rewards(flow) + bonus, policy)
    return quality - bonus


def ascend(dynamics: Dynamics, mirror: Mirror, policy: Float64Array) -> Float64Array:
    """One application of the operator, [M, P, S, A]."""
    return mirror.step(policy, regularised_quality(dynamics, mirror, policy), dynamics.model.legal)


def policy_change(dynamics: Dynamics, mirror: Mirror, policy: Float64Array) -> float:
    """The L1 distance that the operator moves a policy, at the point where that is most."""
    return float(abs(ascend(dynamics, mirror, policy) - policy).sum(axis=-1).max())


class PolicyMirrorAscent(MeanFieldProcess):
    """The process; `policy` [M, P, S, A] is the last iterate."""

    def __init__(
        self,
        model: MeanFieldModel,
        *,
        seed: int = 0,
        eta: float,
        tau: float,
        regulariser: str,
        distance: str,
        floor: float,
    ) -> None:
        """Begin with the uniform policy, where h is largest; nothing is drawn, whatever the seed."""
        super().__init__(model, {})
        self._mirror = Mirror(regulariser, tau, distance, eta, floor)
        self._arrays = {"policy": self.dynamics.uniform()}

    def current(self) -> Float64Array:
        """The last iterate."""
        return self._arrays["policy"]

    def _step(self) -> None:
        self._arrays = {"policy": ascend(self.dynamics, self._mirror, self._arrays["policy"])}

    def measures(self) -> dict[str, float]:
        """Besides those of every method, `policy_change`: how far the next step goes."""
        return super().measures() | {"policy_change": policy_change(self.dynamics, self._mirror, self.current())}


def _compile(model: MeanFieldModel) -> None:
    compile_for(model)
    dynamics = Dynamics(model)
    ascend(dynamics, Mirror("entropy", 0.1, "euclidean", 1.0, 0.0), dynamics.uniform())


PARAMETERS: tuple[Parameter, ...] = mirror_parameters(eta=0.01)  # small enough for payoffs of tens

SOLVER = mean_field_solver(
    "pma",
    PolicyMirrorAscent,
    source="Yardim, Cayci, Geist, He (2023), ICML, arXiv 2212.14449",
    parameters=PARAMETERS,
    compile=_compile,
)
