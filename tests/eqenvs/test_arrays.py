"""The array helpers that every game's rules are written with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqenvs.arrays import make_backend, put_along, put_rows, sample_categorical, take_along, take_rows
from eqenvs.games.extensive_form.kuhn_poker import KuhnPoker


@settings(max_examples=50, deadline=None)
@given(
    weights=st.lists(st.sampled_from([0.0, 1e-12, 0.3, 1.0]), min_size=1, max_size=6).filter(any),
    uniform=st.sampled_from([0.0, 0.25, 0.5, 1 - 2**-53]),
)
def test_no_impossible_outcome_is_ever_drawn(weights, uniform):
    draw = int(sample_categorical(np.array([weights]), np.array([uniform]))[0])
    assert weights[draw] > 0


def test_draws_invert_the_distribution_function():
    probabilities = np.tile([0.2, 0.0, 0.5, 0.3], (5, 1))
    draws = sample_categorical(probabilities, np.array([0.0, 0.19, 0.21, 0.69, 0.71]))
    assert draws.tolist() == [0, 0, 2, 2, 3]


def test_frequencies_are_the_probabilities():
    probabilities = np.array([0.1, 0.2, 0.7])
    draws = sample_categorical(np.tile(probabilities, (20_000, 1)), np.random.default_rng(0).random(20_000))
    deviation = np.sqrt(probabilities * (1 - probabilities) / 20_000)
    assert (np.abs(np.bincount(draws) / 20_000 - probabilities) <= 5 * deviation).all()


def test_helpers_give_new_arrays():
    values, index = np.arange(6).reshape(2, 3), np.array([2, -1])
    assert take_along(values, index).tolist() == [2, 5]  # negative ones count from the end
    put = put_along(values, index, np.array([9, 9]), np.array([True, True]))
    assert put.tolist() == [[0, 1, 9], [3, 4, 5]]
    assert values.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_rows_put_back_are_where_they_were_taken():
    rules = KuhnPoker()
    state = rules.initial_state(4, make_backend().xp)
    part, _ = rules.apply(take_rows(state, np.array([1, 3])), np.array([2, 0]))
    whole = put_rows(state, np.array([1, 3]), part)
    assert whole.cards[:, 0].tolist() == [-1, 2, -1, 0]
    assert (state.cards == -1).all()


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_streams_repeat_by_seed_and_stay_below_one(library):
    if library == "torch":
        pytest.importorskip("torch")
    stream = make_backend(library=library).stream
    first, second, third = (np.asarray(stream(seed).uniform(1000)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)
    assert first.dtype == np.float64
    assert ((first >= 0) & (first < 1)).all()
