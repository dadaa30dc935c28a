"""Compiled work on tables against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from eqsolvers.mean_field import _tables

LEGAL = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1], [1, 0, 1]], dtype=bool)
SHAPE = (5, 2, 4, 3)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("shape", [SHAPE, (4, 3), (2, 4, 3)])
def test_softmax_is_the_exponentials_over_their_sum_and_writes_to_nothing(rng, shape):
    logits = rng.normal(scale=300.0, size=shape)
    before = logits.copy()
    found = _tables.softmax(logits, LEGAL)
    weight = np.where(LEGAL, np.exp(logits - np.where(LEGAL, logits, -np.inf).max(axis=-1, keepdims=True)), 0.0)
    np.testing.assert_allclose(found, weight / weight.sum(axis=-1, keepdims=True), rtol=1e-14, atol=0)
    assert (logits == before).all()


def test_softmax_takes_any_layout(rng):
    logits = rng.normal(size=SHAPE[::-1]).T
    np.testing.assert_array_equal(_tables.softmax(logits, LEGAL), _tables.softmax(logits.copy(order="C"), LEGAL))


def test_shifted_has_its_largest_legal_at_zero(rng):
    logits = rng.normal(size=(7, 4, 3))
    found = _tables.shifted(logits, LEGAL, 9.0)
    assert (found[:, ~LEGAL] == 9.0).all()
    assert (np.where(LEGAL, found, -np.inf).max(axis=-1) == 0).all()


@pytest.mark.parametrize("given", [1, 3])
def test_spread_repeats_and_masks(rng, given):
    reward = rng.normal(size=(*SHAPE[:-1], given))
    expected = np.where(LEGAL, np.broadcast_to(reward, SHAPE), 0.0)
    np.testing.assert_array_equal(_tables.spread(reward, LEGAL, 3), expected)


def test_received_is_the_weighted_sum(rng):
    weight, flow, reward, policy = (rng.random(shape) for shape in (SHAPE[:1], SHAPE[:-1], SHAPE, SHAPE))
    expected = np.einsum("m,mps,mpsa,mpsa->p", weight, flow, reward, policy)
    np.testing.assert_allclose(_tables.received(weight, flow, reward, policy), expected, rtol=1e-13)


def test_first_best_is_the_first_of_equal_legal_actions(rng):
    quality = rng.integers(3, size=SHAPE).astype(np.float64)
    found = _tables.first_best(quality, LEGAL)
    chosen = np.where(LEGAL, quality, -np.inf).argmax(axis=-1)
    np.testing.assert_array_equal(found, np.eye(3)[chosen])


def test_conditional_and_blended_are_their_formulas(rng):
    played, unseen, response = rng.random((3, *SHAPE))
    played[2, 1] = 0.0
    found = _tables.conditional(played, unseen)
    np.testing.assert_array_equal(found[2, 1], unseen[2, 1])
    rest = played.sum(axis=-1) > 0
    np.testing.assert_allclose(found[rest], (played / np.maximum(played.sum(axis=-1, keepdims=True), 1e-300))[rest])
    flow = rng.random(SHAPE[:-1])
    expected = 0.75 * played + 0.25 * flow[..., None] * response
    np.testing.assert_allclose(_tables.blended(played, 0.25, flow, response), expected, rtol=1e-14)
