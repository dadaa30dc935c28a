"""Optimistic online mirror descent over the treeplex with a dilated regulariser, in self-play.

Each player measures its step from a centre z and bets that the next gradient is the last one:
z_t = prox(z_tm1, g_t), x_t+1 = prox(z_t, g_t); see `_dilated` for prox and weights. Without optimism x_t+1 = z_t.
Farina, Kroer and Sandholm (2019), "Optimistic regret minimization for extensive-form games via dilated
distance-generating functions", NeurIPS: the uniform average of simultaneous optimistic play is within O(1/T) of
equilibrium for eta small enough. Lee, Kroer and Luo (2021), "Last-iterate convergence in extensive-form games",
NeurIPS: the last iterate converges too; `euclidean` is their DOGDA, `entropy` their DOMWU.

Two-player constant-sum games. The weights of the information sets are those of Kroer, Waugh, Kilinc-Karzan and Sandholm
(2020) or all one (Fan, Kroer and Farina 2024); the former make the regulariser grow with the treeplex and the fitting
step with it. The theory's step is below the reciprocal of the gradients' Lipschitz constant; what works is larger.
NashConv after 1000 iterations of the uniform average (of the last iterate in brackets), measured here:

    weights one                 Kuhn              Leduc            liar's dice 1x4   goofspiel-4
    entropy, eta 1              5.3e-3 (3.4e-3)   .24 (1.4)        .12 (.049)        7.0e-3 (3.1e-5)
    entropy, eta 3              1.8e-3 (1e-16)    .074 (.47)       .034 (1.9e-3)     3.6e-3 (9.5e-4)
    entropy, eta 10             1.1e-3 (.36)      .022 (.28)       .010 (.13)        3.5e-3 (2.0)
    Euclidean, eta .3           6.3e-3 (7.3e-3)   .25 (.26)        .10 (.033)        7.5e-3 (4e-10)
    Euclidean, eta 1            1.9e-3 (1e-16)    .075 (.11)       .027 (1.8e-3)     diverges

Differs from the papers in that averaging weights t ** gamma and alternation may be asked for.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.extensive_form import _dilated
from eqsolvers.extensive_form._process import TreeplexProcess, realisation, uniform_strategy
from eqsolvers.extensive_form._regret import exponent
from eqsolvers.extensive_form._symmetry import QuotientPlayer, quotient
from eqsolvers.iterative import iterative_solver, require_two_player_zero_sum
from eqsolvers.result import two_players_constant_sum

WEIGHTS = {"kroer": _dilated.kroer_weights, "one": _dilated.unit_weights}


class MirrorDescent(TreeplexProcess):
    """Both players' mirror descent from the uniform policy.

    Args:
        model: two players, constant sum.
        eta: step size, per unit of payoff, above 0.
        entropy: the dilated entropy; False: the dilated Euclidean regulariser.
        weights: of the information sets in the regulariser, a key of `WEIGHTS`.
        optimistic: whether the last gradient predicts the next one.
        gamma: iteration t weighs t ** gamma in the average.
        last: judge the last iterate instead of the average.
        alternating: whether the second player answers the first one's newest plan.
        reduce: whether to work on the exact quotient of the game; the iterates are the same.

    Raises:
        UnsupportedGame: for any other game.
    """

    def __init__(
        self,
        model: ExtensiveFormModel,
        *,
        eta: float,
        entropy: bool = True,
        weights: str = "one",
        optimistic: bool = True,
        gamma: float = 0.0,
        last: bool = False,
        alternating: bool = False,
        reduce: bool = True,
    ) -> None:
        require_two_player_zero_sum(model, "omd")
        players = quotient(model, reduce=reduce)
        tables = [_tables(player, entropy) for player in players]
        super().__init__(model, players, tables, traversals=2 if alternating else 1)
        self._plans = tuple(table.plan for table in tables)
        self._betas = tuple(WEIGHTS[weights](player) for player in players)
        self._eta, self._gamma = eta, gamma
        self._entropy, self._optimistic, self._last, self._alternating = entropy, optimistic, last, alternating

    def run(self, iterations: int) -> None:
        """See `Process`."""
        t = np.arange(self.iteration + 1, self.iteration + 1 + iterations, dtype=np.float64)
        flags = (self._entropy, self._optimistic, self._alternating)
        _dilated.iterate(self._sides, self._tables, self._plans, self._betas, self._eta, t**self._gamma, *flags)
        self.iteration += iterations

    def policy(self) -> TabularPolicy:
        """The average policy, or the last iterate."""
        if self._last:
            return self._policy_of_strategies([table.strategy for table in self._tables])
        return self._policy_of_plans(self._judged())

    def residual(self) -> float:
        """Its exact NashConv."""
        return self._nash_conv(self._judged())

    def _judged(self) -> tuple[Float64Array, ...]:
        """The plans that `policy` is about, [Q] with the empty sequence at 1."""
        if self._last or self.iteration == 0:
            return self._plans
        return tuple(table.average / table.average[0] for table in self._tables)


def _tables(player: QuotientPlayer, entropy: bool) -> _dilated.DilatedState:
    strategy = uniform_strategy(player)
    size = len(strategy)
    centre = np.log(strategy) if entropy else strategy.copy()
    return _dilated.DilatedState(
        centre, strategy, realisation(player, strategy), np.zeros(size), np.zeros(size), np.zeros(size)
    )


def start(
    model: ExtensiveFormModel,
    *,
    seed: int,
    regulariser: str,
    weights: str,
    eta: float,
    optimistic: bool,
    policy: str,
    gamma: float,
    alternating: bool,
) -> MirrorDescent:
    """See `iterative_solver`."""
    del seed  # nothing is random
    return MirrorDescent(
        model,
        eta=eta,
        entropy=regulariser == "entropy",
        weights=weights,
        optimistic=optimistic,
        gamma=gamma,
        last=policy == "last",
        alternating=alternating,
    )


SOLVER = iterative_solver(
    "omd",
    start,
    source="Farina, Kroer and Sandholm (2019), NeurIPS; Lee, Kroer and Luo (2021), NeurIPS",
    family=Family.EXTENSIVE_FORM,
    covers=two_players_constant_sum,
    parameters=(
        Parameter(
            name="regulariser",
            default="entropy",
            kind=str,
            choices=("entropy", "euclidean"),
            description="what is dilated over the treeplex",
        ),
        Parameter(
            name="weights",
            default="one",
            kind=str,
            choices=tuple(WEIGHTS),
            description="of the information sets in the regulariser: kroer, growing with what is below, or one",
        ),
        Parameter(name="eta", default=1.0, kind=float, low=1e-9, high=1e9, description="step size, per unit of payoff"),
        Parameter(
            name="optimistic", default=True, kind=bool, description="whether the last gradient predicts the next one"
        ),
        Parameter(
            name="policy",
            default="average",
            kind=str,
            choices=("average", "last"),
            description="the iterate that counts",
        ),
        exponent("gamma", 0.0, "exponent of the averaging weights; the O(1/T) bound is for 0"),
        Parameter(
            name="alternating",
            default=False,
            kind=bool,
            description="the second player answers the first one's newest plan; false: both update at once",
        ),
    ),
    compile=lambda model: _dilated.warm_up(),
)
