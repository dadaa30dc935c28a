"""Every iterative method, on arrival: its residual is the independent score, and its state is all that it is."""

import itertools

import numpy as np
import pytest

import eqenvs
from eqsolvers import Status, score
from eqsolvers.iterative import run_process
from eqsolvers.result import solvers

KUHN = eqenvs.make("kuhn_poker")
METHODS = {name: spec for name, spec in solvers(eqenvs.Family.EXTENSIVE_FORM).items() if spec.start is not None}


@pytest.mark.parametrize("method", METHODS)
def test_residual_is_the_independent_score(method):
    if METHODS[method].concept != "nash":
        pytest.skip("another concept: its own tests score it")
    process = METHODS[method].start(KUHN.model(), seed=3)
    for more in (1, 20):
        process.run(more)
        assert process.residual() == pytest.approx(score(KUHN, process.policy()).nash_conv, abs=1e-12)
    assert process.iteration == 21
    assert process.touched > 0


@pytest.mark.parametrize("method", METHODS)
def test_restored_state_goes_on_to_the_bit(method):
    whole, first, second = (METHODS[method].start(KUHN.model(), seed=seed) for seed in (7, 7, 8))
    whole.run(30)
    first.run(10)
    state = first.state()
    first.run(1)  # what was stored is a copy
    second.restore(state)
    second.run(20)
    assert (second.iteration, second.touched) == (whole.iteration, whole.touched)
    assert second.residual() == whole.residual()
    for mine, theirs in zip(second.policy().tables, whole.policy().tables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_looks_are_reported_and_thin_out():
    seen = []
    process = METHODS["cfr"].start(KUHN.model(), seed=0)
    result = run_process(process, "cfr", tolerance=1e-12, iterations=300, check_every=2, on_check=seen.append)
    assert result.status is Status.ITERATION_LIMIT
    assert tuple(seen) == result.trace
    iterations = [check.iteration for check in seen]
    assert iterations[:3] == [2, 4, 6]
    assert iterations[-1] == 300
    assert np.diff(iterations)[:-1].max() == 5
    assert all(a.seconds <= b.seconds and a.touched < b.touched for a, b in itertools.pairwise(seen))
