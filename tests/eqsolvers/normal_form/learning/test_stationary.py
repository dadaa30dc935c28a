"""Stationary distributions of batches of chains: against powers of the chains, whatever their structure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolvers.normal_form.learning._stationary import stationary


def chains(batch, states, density, seed):
    """Random chains with that share of the transitions; a state without any stays where it is."""
    rng = np.random.default_rng(seed)
    found = rng.random((batch, states, states)) * (rng.random((batch, states, states)) < density)
    found += (found.sum(-1, keepdims=True) == 0) * np.eye(states)
    return found / found.sum(-1, keepdims=True)


def long_run(chain):
    """The average of the rows of a high power of the lazy chain, which is never periodic."""
    power = (chain + np.eye(chain.shape[-1])) / 2
    for _ in range(60):
        power = power @ power
        power /= power.sum(-1, keepdims=True)  # else rounding doubles with every square
    return power.mean(axis=-2)


@given(st.integers(1, 7), st.sampled_from([0.15, 0.3, 0.5, 1.0]), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_it_is_the_long_run_from_a_uniform_start_in_reducible_and_periodic_chains_too(states, density, seed):
    chain = chains(3, states, density, seed)
    np.testing.assert_allclose(stationary(chain), long_run(chain), atol=1e-11)


@given(st.integers(1, 7), st.sampled_from([0.15, 0.3, 1.0]), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_renaming_the_states_renames_the_result(states, density, seed):
    chain = chains(2, states, density, seed)
    names = np.random.default_rng(seed).permutation(states)
    np.testing.assert_allclose(stationary(chain[:, names][:, :, names]), stationary(chain)[:, names], atol=1e-13)


def test_small_probabilities_have_all_their_digits():
    """A birth-death chain is reversible: each state has (up / down) times the one before it."""
    up, down, states = 1e-30, 0.3, 6
    chain = np.zeros((1, states, states))
    for i in range(states - 1):
        chain[0, i, i + 1], chain[0, i + 1, i] = up, down
    expected = (up / down) ** np.arange(states)
    np.testing.assert_allclose(stationary(chain)[0], expected / expected.sum(), rtol=1e-13)
    np.testing.assert_allclose(stationary(chain[:, ::-1, ::-1])[0, ::-1], expected / expected.sum(), rtol=1e-13)


def test_two_blocks_that_hardly_meet_are_weighed_by_their_exchange():
    """Where elimination with subtractions has lost the rates of 1e-20 beside 1."""
    chain = np.array([[[0, 1.0, 0, 0], [1, 0, 2e-20, 0], [0, 1e-20, 0, 1], [0, 0, 1, 0]]])
    np.testing.assert_allclose(stationary(chain)[0], [1 / 6, 1 / 6, 1 / 3, 1 / 3], rtol=1e-13)


@pytest.mark.parametrize("scale", [50.0, 700.0, 3000.0])
def test_rates_of_any_size_give_distributions(scale):
    rates = np.exp(-scale * np.random.default_rng(0).random((500, 6, 6)))
    found = stationary(rates)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)


def test_a_chain_s_result_does_not_depend_on_the_batch_and_inputs_are_left_alone():
    batch = np.concatenate([chains(4, 5, 0.3, 1), chains(4, 5, 1.0, 2)])
    before = batch.copy()
    whole = stationary(batch)
    np.testing.assert_array_equal(batch, before)
    for row in range(len(batch)):
        np.testing.assert_array_equal(stationary(batch[row : row + 1])[0], whole[row])
