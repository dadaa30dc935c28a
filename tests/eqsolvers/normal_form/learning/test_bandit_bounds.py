"""The regret bounds that bandit algorithms state, against adversaries, and how regret falls with the rounds."""

from __future__ import annotations

import pytest

from eqsolvers.normal_form.learning import exp3, exp3_ix, exp3_p, tsallis_inf
from eqsolvers.normal_form.learning._adversaries import ADVERSARIES, gains, slope

LOOKS = [2**k for k in range(8, 14)]
BANDITS = {
    "exp3": exp3.learner(),
    "exp3-ix": exp3_ix.learner(),
    "exp3-p": exp3_p.learner(horizon=LOOKS[-1]),
    "tsallis-inf": tsallis_inf.learner(),
}


@pytest.mark.parametrize("name", BANDITS)
def test_expected_regret_of_bandits_stays_below_the_bound(name: str) -> None:
    learner = BANDITS[name]
    collected = gains(learner, list(ADVERSARIES.values()), actions=3, looks=LOOKS, seeds=24, expected=False)
    worst = collected.mean(axis=2).max(axis=(1, 2))
    assert (worst <= [learner.bound(rounds, 3) for rounds in LOOKS]).all()
    assert slope(LOOKS, worst) <= -0.4
    if name in ("exp3-ix", "exp3-p"):  # with probability 99 %: 144 runs, of which 2 may fail
        assert (collected[-1].max(axis=2) > learner.bound(LOOKS[-1], 3)).sum() <= 2
