"""Online learners: plain formulas on small inputs, batches; and for every learner there is, the simplex."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eqenvs.arrays import sample_categorical
from eqenvs.discovery import modules
from eqenvs.errors import InputError
from eqsolvers.normal_form.learning import (
    OnlineLearner,
    exp3,
    exp3_ix,
    exp3_p,
    ftrl,
    hedge,
    importance_weighted,
    ogda,
    omd,
    smooth_fictitious_play,
    tsallis_inf,
)

ALL = {  # those of the regret-matching family too, which have tests of their own besides
    name: module.learner()
    for name, path in modules("eqsolvers.normal_form.learning").items()
    if hasattr(module := importlib.import_module(path), "learner")
}


def played(learner: OnlineLearner, payoffs: np.ndarray, seed: int = 0) -> list[np.ndarray]:
    """The strategies [B, A] of each round and the next, for payoffs [T, B, A]; bandits draw with numbers per row."""
    numbers = [np.random.default_rng((seed, row)).random(len(payoffs)) for row in range(payoffs.shape[1])]
    state = learner.init(*payoffs.shape[1:])
    found = [learner.strategy(state)]
    for t, payoff in enumerate(payoffs):
        if learner.update is not None:
            state = learner.update(state, payoff)
        else:
            action = sample_categorical(found[-1], np.array([row[t] for row in numbers]))
            state = learner.observe(state, action, payoff[np.arange(len(action)), action])
        found.append(learner.strategy(state))
    return found


@settings(max_examples=12, deadline=None)
@given(
    payoffs=st.integers(1, 5).flatmap(
        lambda a: hnp.arrays(np.float64, (6, 2, a), elements=st.floats(0, 1, allow_subnormal=False))
    )
)
@pytest.mark.parametrize("name", ALL)
def test_strategies_are_on_the_simplex_whatever_is_paid(name: str, payoffs: np.ndarray) -> None:
    before = payoffs.copy()
    for strategy in played(ALL[name], payoffs):
        assert strategy.shape == payoffs.shape[1:]
        assert (strategy >= 0).all()
        np.testing.assert_allclose(strategy.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_array_equal(payoffs, before)


@pytest.mark.parametrize("name", ALL)
def test_batch_of_three_is_three_batches_of_one(name: str) -> None:
    payoffs = np.random.default_rng(5).random((40, 3, 4))
    whole = played(ALL[name], payoffs[:, [1, 1, 1]])
    for t, strategy in enumerate(played(ALL[name], payoffs[:, 1:2])):
        np.testing.assert_allclose(whole[t][0], strategy[0], atol=1e-12)
    if ALL[name].update is not None:
        whole = played(ALL[name], payoffs)
        for row in range(3):
            for t, strategy in enumerate(played(ALL[name], payoffs[:, row : row + 1])):
                np.testing.assert_allclose(whole[t][row], strategy[0], atol=1e-12)


def test_hedge_is_the_exponential_of_the_payoffs() -> None:
    payoffs = np.array([[[0.0, 1.0, 0.5]], [[1.0, 0.0, 0.5]], [[1.0, 0.25, 0.0]]])
    total = np.array([2.0, 1.25, 1.0])
    weight = np.exp(0.3 * total)
    np.testing.assert_allclose(played(hedge.learner(eta=0.3), payoffs)[-1][0], weight / weight.sum(), atol=1e-15)
    anytime = np.exp(2 * math.sqrt(math.log(3) / 4) * total)
    np.testing.assert_allclose(played(hedge.learner(), payoffs)[-1][0], anytime / anytime.sum(), atol=1e-15)
    ahead = np.exp(0.3 * (total + payoffs[-1, 0]))
    found = played(hedge.learner(eta=0.3, optimistic=True), payoffs)[-1][0]
    np.testing.assert_allclose(found, ahead / ahead.sum(), atol=1e-15)


@pytest.mark.parametrize("optimistic", [False, True])
@pytest.mark.parametrize("regulariser", ["entropy", "tsallis", "log-barrier"])
def test_mirror_descent_with_a_barrier_follows_the_regularised_leader(regulariser: str, optimistic: bool) -> None:
    payoffs = np.random.default_rng(6).random((60, 2, 4))
    settings = {"regulariser": regulariser, "optimistic": optimistic}
    for mine, theirs in zip(
        played(omd.learner(**settings), payoffs), played(ftrl.learner(**settings), payoffs), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-11)


def test_projected_ascent_on_the_border_by_hand() -> None:
    """eta 1: from (0, 1) the step (1, 0) leads to (1, 1), nearest to (1/2, 1/2); sums of (1, 2) lead to (0, 1)."""
    payoffs = np.array([[[0.0, 1.0]], [[0.0, 1.0]], [[1.0, 0.0]]])
    mirror = played(omd.learner(regulariser="euclidean", eta=1.0), payoffs)
    leader = played(ftrl.learner(regulariser="euclidean", eta=1.0), payoffs)
    np.testing.assert_allclose([x[0] for x in mirror], [[0.5, 0.5], [0, 1], [0, 1], [0.5, 0.5]], atol=1e-15)
    np.testing.assert_allclose([x[0] for x in leader], [[0.5, 0.5], [0, 1], [0, 1], [0, 1]], atol=1e-15)


def test_ogda_steps_ahead_of_its_centre_by_hand() -> None:
    """eta 1/4: the centre goes from (1/2, 1/2) to (3/8, 5/8), from where the last payoffs lead to (1/4, 3/4)."""
    strategies = played(ogda.learner(eta=0.25), np.array([[[0.0, 1.0]], [[1.0, 0.0]]]))
    np.testing.assert_allclose([x[0] for x in strategies], [[0.5, 0.5], [0.25, 0.75], [0.625, 0.375]], atol=1e-15)


def test_smooth_fictitious_play_answers_the_average() -> None:
    payoffs = np.array([[[0.0, 1.0, 0.5]], [[1.0, 0.0, 0.5]], [[1.0, 0.25, 0.0]]])
    weight = np.exp(payoffs.mean(axis=(0, 1)) / 0.2)
    found = played(smooth_fictitious_play.learner(tau=0.2), payoffs)[-1][0]
    np.testing.assert_allclose(found, weight / weight.sum(), atol=1e-15)


def test_estimates_of_the_bandit_algorithms_by_hand() -> None:
    """One round from uniform play over two actions; the second was drawn and paid 1/4, a loss of 3/4."""
    action, payoff = np.array([1]), np.array([0.25])
    log = math.log(2)
    first = exp3.learner()
    assert first.observe(first.init(1, 2), action, payoff).loss.tolist() == [[0.0, 1.5]]
    ix = exp3_ix.learner()
    gamma = math.sqrt(log / 2) / 2
    np.testing.assert_allclose(ix.observe(ix.init(1, 2), action, payoff).loss, [[0, 0.75 / (0.5 + gamma)]], atol=1e-15)
    inf = tsallis_inf.learner()
    state = inf.observe(inf.init(1, 2), action, payoff)
    assert state.loss.tolist() == [[0.0, 1.5]]
    x = inf.strategy(state)[0]  # 1 / sqrt(x) differ by the rate 1 / sqrt(2) times the losses
    assert 1 / math.sqrt(x[1]) - 1 / math.sqrt(x[0]) == pytest.approx(1.5 / math.sqrt(2), abs=1e-12)
    reduced = tsallis_inf.learner(reduced_variance=True)  # 1/2 < 4 ** 2 / 1: no baseline in the first rounds
    assert reduced.observe(reduced.init(1, 2), action, payoff).loss.tolist() == [[0.0, 1.5]]
    late = reduced.init(1, 2)._replace(t=np.array([99]))  # 4 ** 2 / 100 < 1/2: from 1/2
    assert reduced.observe(late, action, payoff).loss.tolist() == [[0.5, 1.0]]
    p = exp3_p.learner(horizon=100, delta=0.1)
    beta = math.sqrt(math.log(20) / 200)
    state = p.observe(p.init(1, 2), action, payoff)
    np.testing.assert_allclose(np.diff(state.payoff), [[((0.25 + beta) - beta) / 0.5]], atol=1e-12)
    weight = np.exp(0.95 * math.sqrt(log / 200) * np.array([0.0, 0.5]))
    gamma = 1.05 * math.sqrt(2 * log / 100)
    expected = (1 - gamma) * weight / weight.sum() + gamma / 2
    np.testing.assert_allclose(p.strategy(state)[0], expected, atol=1e-15)
    later = p.observe(state, np.array([0]), np.array([1.0])).payoff - state.payoff
    np.testing.assert_allclose(np.diff(later), [[beta / expected[1] - (1 + beta) / expected[0]]], atol=1e-12)


@pytest.mark.parametrize("bounded", [False, True])
def test_importance_weighted_payoffs_are_unbiased_up_to_scale(bounded: bool) -> None:
    """The learner is told, on average over the draw, the payoffs (times exploration / A where they are bounded)."""
    told = []
    base = hedge.learner(eta=0.7)
    spy = OnlineLearner(
        init=base.init, strategy=base.strategy, update=lambda state, payoff: told.append(payoff) or state
    )
    learner = importance_weighted(spy, 0.2, bounded=bounded)
    assert learner.update is None
    state = base.update(base.init(1, 3), np.array([[0.0, 1.0, 0.4]]))
    strategy, payoff = learner.strategy(state)[0], np.array([0.3, 0.9, 0.0])
    assert strategy.min() >= 0.2 / 3
    for action in range(3):
        learner.observe(state, np.array([action]), payoff[[action]])
    mean = sum(chance * estimate[0] for chance, estimate in zip(strategy, told, strict=True))
    np.testing.assert_allclose(mean, payoff * (0.2 / 3 if bounded else 1.0), atol=1e-12)
    if bounded:
        assert min(map(np.min, told)) >= 0
        assert max(map(np.max, told)) <= 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hedge.learner(eta=0.0), "eta must be above 0"),
        (lambda: ftrl.learner(regulariser="entropyy"), "did you mean 'entropy'"),
        (lambda: hedge.learner(horizon=0), "horizon must be at least 1"),
        (lambda: ogda.learner(eta=-1.0), "eta must be above 0"),
        (lambda: exp3.learner(eta=math.nan), "eta must be above 0"),
        (lambda: exp3_p.learner(delta=1.0), "delta must be between 0 and 1"),
        (lambda: smooth_fictitious_play.learner(tau=0.0), "tau must be above 0"),
        (lambda: importance_weighted(exp3.learner(), 0.1), "full-information"),
        (lambda: importance_weighted(hedge.learner(), 0.0), "exploration must be above 0"),
    ],
)
def test_parameters_out_of_range_are_named(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]
