"""Regret bounds that learners state, against adversaries, and how regret falls. Bandits have a file of their own."""

from __future__ import annotations

import math

import pytest

from eqsolvers.normal_form.learning import (
    exp3_ix,
    exp3_p,
    ftrl,
    hedge,
    ogda,
    omd,
    smooth_fictitious_play,
    tsallis_inf,
)
from eqsolvers.normal_form.learning._adversaries import ADVERSARIES, gains, slope
from eqsolvers.normal_form.learning._regularisers import REGULARISERS

LOOKS = [2**k for k in range(8, 14)]
FULL = {
    "hedge": hedge.learner(),
    "optimistic hedge": hedge.learner(optimistic=True),
    "smooth fictitious play, vanishing": smooth_fictitious_play.learner(tau=1.0, vanishing=True),
    **{f"ftrl {name}": ftrl.learner(regulariser=name) for name in REGULARISERS},
    "optimistic ftrl euclidean": ftrl.learner(regulariser="euclidean", optimistic=True),
    "omd euclidean": omd.learner(regulariser="euclidean"),
}
FIXED = {  # a rate for one horizon: no rate of decay to fit
    "hedge by the horizon": hedge.learner(horizon=LOOKS[-1]),
    "optimistic omd euclidean": omd.learner(regulariser="euclidean", optimistic=True, horizon=LOOKS[-1]),
    "ogda": ogda.learner(),
    "smooth fictitious play": smooth_fictitious_play.learner(),
}


@pytest.mark.parametrize("name", FULL | FIXED)
def test_regret_against_every_adversary_stays_below_the_bound(name: str) -> None:
    learner = (FULL | FIXED)[name]
    assert learner.bound is not None
    worst = gains(learner, list(ADVERSARIES.values()), actions=3, looks=LOOKS)[:, :, 0].max(axis=(1, 2))
    for rounds, regret in zip(LOOKS, worst, strict=True):
        if name != "hedge by the horizon" or rounds == LOOKS[-1]:
            assert regret <= learner.bound(rounds, 3)
    if name in FULL:
        # The bounds fall as T ** -1/2; of the log-barrier as sqrt(ln(T) / T), -0.42 over these rounds.
        assert slope(LOOKS, worst) <= -0.4


def test_known_bounds_are_those_of_the_literature() -> None:
    rounds, actions = 10_000, 7
    log = math.log(actions)
    assert hedge.learner(horizon=rounds).bound(rounds, actions) == pytest.approx(math.sqrt(log / (2 * rounds)))
    assert hedge.learner().bound(rounds, actions) <= math.sqrt(log / rounds)
    assert hedge.learner().bound(rounds, actions) >= 0.99 * math.sqrt(log / rounds)
    assert exp3_p.learner(horizon=rounds, delta=0.01).bound(rounds, actions) <= 5.15 * math.sqrt(
        actions * math.log(actions / 0.01) / rounds
    )
    assert tsallis_inf.learner().bound(rounds, actions) == 4 * math.sqrt(actions / rounds)
    ix = 4 * math.sqrt(actions * log / rounds) + (math.sqrt(actions / (log * rounds)) + 1 / rounds) * math.log(200)
    assert exp3_ix.learner().bound(rounds, actions) == pytest.approx(ix)
