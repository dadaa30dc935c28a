"""Agent quantal response equilibrium (logit), by magnetic mirror descent at a fixed temperature.

Every information set is an agent that plays its actions with probabilities proportional to exp(q / temperature), q the
expected payoff of the action given that the information set is reached and all others, the player's own later agents
among them, play likewise. McKelvey and Palfrey (1998), "Quantal response equilibria for extensive form games",
Experimental Economics 1; their lambda is 1 / temperature. Method: Sokota et al. (2023), ICLR, see `_mirror`.

One exists in every finite game; it need not be the only one, and no theorem says that the method converges to it: the
paper's are for the normal and the sequence form. For small steps it does in all games tried here. The step defaults to
temperature / r ** 2 with r half the widest range of a player's payoffs, the largest one that the theorem allows in
two-player zero-sum normal forms. The divergence from the equilibrium then shrinks by 1 / (1 + (temperature / r) ** 2)
an iteration: a quarter of the temperature takes sixteen times the iterations.

The residual, and so the tolerance, is in units of probability, where Nash methods have payoff: the largest difference,
over all information sets and actions, between a probability and its logit response. That is the error of the equations
that define the concept. `measures` gives the sum over agents of what each could gain in expected payoff plus
temperature times entropy: in units of payoff, and quadratic in the error of the probabilities, so that rounding hides
it sooner. Any number of players, perfect recall.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.spec import Family, Parameter
from eqsolvers.extensive_form import _mirror
from eqsolvers.extensive_form._mirror import MagneticMirrorDescent
from eqsolvers.iterative import iterative_solver


class LogitDescent(MagneticMirrorDescent):
    """Magnetic mirror descent to the logit equilibrium of a temperature, judged by the error of its equations.

    Args:
        model: any number of players.
        temperature: in units of payoff, above 0.
        eta: step size per unit of payoff; None: see the module.
        reduce: whether to work on the exact quotient of the game; the iterates are the same.
    """

    def __init__(
        self, model: ExtensiveFormModel, *, temperature: float, eta: float | None = None, reduce: bool = True
    ) -> None:
        half_range = float(np.ptp(model.payoffs, axis=0).max()) / 2
        chosen = eta if eta is not None else temperature / half_range**2 if half_range > 0 else 1.0

        def schedule(t: Float64Array) -> Float64Array:
            return np.tile([chosen, temperature, 0.0], (len(t), 1))

        super().__init__(model, schedule, reduce=reduce)
        self.temperature = temperature

    def residual(self) -> float:
        """The largest error of a probability, in units of probability; see the module."""
        return max(furthest for furthest, _ in self._errors())

    def measures(self) -> dict[str, float]:
        """See the module."""
        return {"agents_gain": sum(gain for _, gain in self._errors())}

    def _errors(self) -> list[tuple[float, float]]:
        _mirror.evaluate(self._sides, self._reaches, self._tables, self._plans)
        return [
            _mirror.logit_error(side, player.size, tables, self.temperature)
            for side, player, tables in zip(self._sides, self._players, self._tables, strict=True)
        ]


def start(model: ExtensiveFormModel, *, seed: int, temperature: float, eta: float | None) -> LogitDescent:
    """See `iterative_solver`."""
    del seed  # nothing is random
    return LogitDescent(model, temperature=temperature, eta=eta)


SOLVER = iterative_solver(
    "aqre",
    start,
    source="McKelvey and Palfrey (1998), Experimental Economics; Sokota et al. (2023), ICLR",
    family=Family.EXTENSIVE_FORM,
    parameters=(
        Parameter(
            name="temperature",
            default=0.1,
            kind=float,
            low=1e-6,
            high=1e9,
            description="of the logit response, in units of payoff; 1 / lambda",
        ),
        Parameter(
            name="eta",
            default=None,
            kind=float,
            low=1e-12,
            high=1e9,
            description="step size per unit of payoff; default temperature / (half the widest range of payoffs) ** 2",
        ),
    ),
    concepts=("qre",),
    residual_unit="probability",
    compile=lambda model: _mirror.warm_up(model.num_players),
    default_iterations=1_000_000,
)
