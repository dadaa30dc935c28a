"""Every iterative method of normal-form games, on arrival: its residual is the score, its state all that it is."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import UnsupportedGame
from eqenvs.models import NormalFormModel
from eqenvs.policies import CorrelatedStrategy
from eqsolvers import score
from eqsolvers.result import error_of, solvers

METHODS = {name: spec for name, spec in solvers(eqenvs.Family.NORMAL_FORM).items() if spec.start is not None}
JUDGED = [
    (name, concept) for name, spec in METHODS.items() for concept in spec.concepts if concept in ("nash", "ce", "cce")
]
MATRIX = np.array([[3.0, -1, 4], [-2, 2, 5]])
ZERO_SUM = NormalFormModel([MATRIX, -MATRIX])
THREE = NormalFormModel(np.random.default_rng(0).normal(size=(3, 2, 3, 2)))
MODELS = {
    "2x3": ZERO_SUM,
    "three players": THREE,
    "one action": NormalFormModel([[[1.0, 2.0]], [[-1.0, -2.0]]]),
    "nothing to win": NormalFormModel(np.full((2, 2, 3), 4.0)),
}


def begin(method, model, concept, seed=0, **settings):
    spec = METHODS[method]
    chosen = {"concept": concept} if len(spec.concepts) > 1 else {}
    try:
        return spec.start(model, seed=seed, settings=settings, **chosen)
    except UnsupportedGame:
        pytest.skip("another class of games")


def arrays(policy):
    return [policy.distribution] if isinstance(policy, CorrelatedStrategy) else list(policy.tables)


@pytest.mark.parametrize("case", MODELS)
@pytest.mark.parametrize(("method", "concept"), JUDGED)
def test_residual_is_the_independent_score(method, concept, case):
    process = begin(method, MODELS[case], concept)
    for more in (0, 1, 20):
        process.run(more)
        found = error_of(score(MODELS[case], process.policy()), concept)
        assert process.residual() == pytest.approx(found, abs=1e-12)
    assert process.iteration == 21
    if hasattr(process, "measures"):
        assert all(np.isfinite(value) for value in process.measures().values())


@pytest.mark.parametrize("settings", [{}, {"feedback": "bandit"}, {"feedback": "semi-bandit"}], ids=str)
@pytest.mark.parametrize(("method", "concept"), JUDGED)
def test_restored_state_goes_on_to_the_bit(method, concept, settings):
    if not set(settings) <= {parameter.name for parameter in METHODS[method].parameters}:
        pytest.skip("no feedback to choose")
    model = THREE if concept != "nash" else ZERO_SUM
    whole, first, second = (begin(method, model, concept, seed, **settings) for seed in (7, 7, 8))
    whole.run(30)
    first.run(10)
    state = first.state()
    first.run(1)  # what was stored is a copy
    second.restore(state)
    second.run(20)
    assert (second.iteration, second.touched) == (whole.iteration, whole.touched)
    assert second.residual() == whole.residual()
    for mine, theirs in zip(arrays(second.policy()), arrays(whole.policy()), strict=True):
        np.testing.assert_array_equal(mine, theirs)
