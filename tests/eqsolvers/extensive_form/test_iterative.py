"""Every iterative method, on arrival: its residual is the independent score, and its state is all that it is."""

import itertools

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import UnsupportedGame
from eqenvs.models import ExtensiveFormModel, InformationStates, Treeplex
from eqenvs.policies import uniform
from eqenvs.rules import TERMINAL
from eqsolvers import Status, score
from eqsolvers.iterative import run_process
from eqsolvers.result import solvers

KUHN = eqenvs.make("kuhn_poker")
METHODS = {name: spec for name, spec in solvers(eqenvs.Family.EXTENSIVE_FORM).items() if spec.start is not None}


@pytest.mark.parametrize("method", METHODS)
def test_residual_is_the_independent_score(method):
    if METHODS[method].concepts != ("nash",):
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


def one_decision(payoffs, mover):
    """A game of one decision: `mover` picks the row of `payoffs` [A, N] that all are paid."""
    payoffs = np.array(payoffs)
    actions, players = payoffs.shape
    ends = np.arange(1, 1 + actions)
    sequences = np.zeros((actions, players), dtype=np.int64)
    sequences[:, mover] = ends

    def treeplex(player):
        size = int(player == mover)
        states = InformationStates(
            np.zeros((size, 1), np.int64), np.zeros((size, 1), np.float32), np.ones((size, actions), dtype=bool)
        )
        none = np.zeros(size, np.int64)
        return Treeplex(states, none, none + 1, none + actions, np.arange(1 + size))

    return ExtensiveFormModel(
        parent=np.concatenate([[-1], np.zeros(actions, np.int64)]),
        action=np.arange(-1, actions),
        player=np.concatenate([[mover], np.full(actions, TERMINAL)]),
        chance=np.ones(1 + actions),
        infoset=np.concatenate([[0], np.full(actions, -1)]),
        level_start=np.array([0, 1, 1 + actions]),
        terminals=ends,
        payoffs=payoffs,
        chance_reach=np.ones(actions),
        terminal_sequences=sequences,
        treeplexes=tuple(map(treeplex, range(players))),
        payoff_sequences=sequences,
        payoff_values=payoffs,
    )


DEGENERATE = {
    "one player": ([[1.0], [3.0], [2.0]], 0),
    "only the first moves": ([[1.0, -1.0], [3.0, -3.0], [2.0, -2.0]], 0),
    "only the second moves": ([[1.0, -1.0], [3.0, -3.0]], 1),
    "only the third moves": ([[1.0, 0.0, 2.0], [3.0, 1.0, 4.0]], 2),
    "one action": ([[1.0, -1.0]], 0),
    "nothing to win": ([[0.0, 0.0], [0.0, 0.0]], 1),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("method", METHODS)
def test_games_of_one_decision_are_solved(method, case):
    """Players without information sets, single actions and even payoffs; at no iterations, at one and at many."""
    model = one_decision(*DEGENERATE[case])
    try:
        process = METHODS[method].start(model, seed=0)
    except UnsupportedGame:
        pytest.skip("another class of games")
    for more in (0, 1, 200):
        process.run(more)
        policy, residual = process.policy(), process.residual()
        found = score(model, policy).nash_conv
        for table in policy.tables:
            np.testing.assert_allclose(table.sum(axis=1), 1.0, atol=1e-12)
        if METHODS[method].concepts == ("nash",):
            assert residual == pytest.approx(found, abs=1e-12)
    before = score(model, uniform(model)).nash_conv
    assert found < 0.95 * before or found == pytest.approx(before, abs=1e-12) == 0


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
