"""Online mirror descent over a batch of simplices, stabilised where its rate changes.

The gradient of the regulariser at the strategy takes a step of eta_t times the payoffs and is then scaled by
eta_{t+1} / eta_t, which moves the strategy towards uniform, before it is projected: the dual-stabilised method of Fang,
Harvey, Portella and Friedlander (2020), "Online mirror descent and dual averaging: keeping pace in the dynamic case",
ICML, algorithm 2. Without it a falling rate leaves mirror descent with the entropy without a regret bound. Nemirovski
and Yudin (1983); Zinkevich (2003), "Online convex programming and generalized infinitesimal gradient ascent", ICML.

The regularisers whose gradients leave all bounds towards the simplex's border (all but the Euclidean one) give the same
strategies as `ftrl`, with the same bounds; the Euclidean one is projected gradient ascent, with D / eta_{T+1} for
D / eta_T. With `optimistic` the strategy is one more step ahead by the last payoffs, from a point that moves by the
payoffs themselves (Rakhlin and Sridharan 2013, "Optimization, learning, and games with predictable sequences",
NeurIPS); of the Euclidean one the bound is for a fixed rate. Full information. Cost: as `ftrl`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqsolvers.normal_form.learning._online import OnlineLearner
from eqsolvers.normal_form.learning._regularisers import ETA, HORIZON, OPTIMISTIC, REGULARISER, Rate, find_regulariser
from eqsolvers.normal_form.learning._self_play import online_solver


class MirrorState(NamedTuple):
    """Where mirror descent stands."""

    dual: Float64Array  # [B, A], the gradient of the regulariser at the centre, up to a shift of each row
    last: Float64Array  # [B, A], the payoffs of the last round
    t: IntArray  # [B], rounds seen


def init(batch: int, actions: int) -> MirrorState:
    """Uniform play: there every regulariser's gradient is the same for all actions."""
    uniform = np.full((batch, actions), 1.0 / actions)
    return MirrorState(uniform, np.zeros((batch, actions)), np.zeros(batch, dtype=np.int64))


def strategy(rate: Rate, state: MirrorState) -> Float64Array:
    """What to play in round t + 1, [B, A]."""
    if not rate.optimistic:
        return rate.regulariser.maximiser(state.dual)
    eta = rate.at(state.t[:, None] + 1.0, state.dual.shape[1])
    return rate.regulariser.maximiser(state.dual + eta * state.last)


def update(rate: Rate, state: MirrorState, payoff_t: Float64Array) -> MirrorState:
    """One round with the payoff of every action, [B, A]."""
    actions = payoff_t.shape[1]
    eta_t, eta_next = (rate.at(state.t[:, None] + ahead, actions) for ahead in (1.0, 2.0))
    # A single action has the rate 0 throughout, and nothing to decide.
    kept = np.divide(eta_next, eta_t, out=np.ones_like(eta_t), where=eta_t > 0)
    return MirrorState(rate.regulariser.dual(kept * (state.dual + eta_t * payoff_t)), payoff_t, state.t + 1)


def learner(
    *, regulariser: str = "entropy", eta: float | None = None, horizon: int | None = None, optimistic: bool = False
) -> OnlineLearner[MirrorState]:
    """The learner.

    Args:
        regulariser: entropy, euclidean, tsallis or log-barrier.
        eta: learning rate, above 0; None: by the horizon.
        horizon: rounds that the rate is best for; None: it falls with the square root of the round.
        optimistic: whether the last payoffs predict the next ones.
    """
    rate = Rate(regulariser=find_regulariser(regulariser), eta=eta, horizon=horizon, optimistic=optimistic)
    lazy = regulariser == "euclidean"
    fixed = eta is not None or horizon is not None

    def bound(rounds: int, actions: int) -> float:
        found = rate.bound(rounds, actions) or 0.0
        if not lazy or actions == 1:
            return found
        next_rate, last_rate = (float(rate.at(float(t), actions)) for t in (rounds + 1, rounds))
        return found + rate.regulariser.width(actions) * (1 / next_rate - 1 / last_rate) / rounds

    proved = rate.bound(1, 2) is not None and not (lazy and optimistic and not fixed)
    return OnlineLearner(
        init=init,
        strategy=lambda state: strategy(rate, state),
        update=lambda state, payoff_t: update(rate, state, payoff_t),
        bound=bound if proved else None,
    )


SOLVER = online_solver(
    "omd",
    learner,
    source="Fang, Harvey, Portella and Friedlander (2020), ICML; Rakhlin and Sridharan (2013), NeurIPS",
    parameters=(REGULARISER, ETA, HORIZON, OPTIMISTIC),
)
