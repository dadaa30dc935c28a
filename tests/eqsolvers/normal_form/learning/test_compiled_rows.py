"""The compiled loops over rows against the same in plain numpy, and the sums over rounds against sums of each round."""

from __future__ import annotations

import numpy as np
import pytest

from eqenvs.arrays import Float64Array, joint_play, sample_categorical
from eqsolvers.normal_form.learning import _tallies
from eqsolvers.normal_form.learning._matching import instantaneous_regret, matched, onto_chopped_orthant
from eqsolvers.normal_form.learning._online import drawn, sample
from eqsolvers.normal_form.learning._oracles import SMALL, Tensors
from eqsolvers.normal_form.learning._simplex import corner, normalised, power, project, shifted, softmax

RNG = np.random.default_rng(0)
ROWS = {
    "short": RNG.normal(size=(50, 3)),
    "one action": RNG.normal(size=(4, 1)),
    "long": RNG.normal(size=(2, 700)),
    "ties": RNG.integers(-1, 2, size=(200, 4)).astype(np.float64),
    "scales": RNG.normal(size=(61, 5)) * np.logspace(-12, 12, 61)[:, None],
    "nothing": np.zeros((3, 4)),
    "tiny": np.full((1, 3), 1e-310) * [1, 2, -1],
    "huge": np.full((1, 3), 1e308) * [1.5, 1.7, -1.7],
}


def by_sorting(point: Float64Array) -> Float64Array:
    """The projection onto the simplex of Held, Wolfe and Crowder (1974)."""
    down = point - point.max(axis=1, keepdims=True)
    falling = -np.sort(-down, axis=1)
    levels = (falling.cumsum(axis=1) - 1.0) / np.arange(1, point.shape[1] + 1)
    kept = np.count_nonzero(falling > levels, axis=1)
    positive = np.maximum(down - levels[np.arange(len(point)), kept - 1][:, None], 0.0)
    return positive / positive.sum(axis=1, keepdims=True)


def by_halving(score: Float64Array, exponent: int) -> Float64Array:
    """The level of `power` by bisection between where it is too low and too high."""
    gap = score.max(axis=1, keepdims=True) - score
    low, high = np.ones((len(score), 1)), np.full((len(score), 1), float(score.shape[1]))
    for _ in range(200):
        middle = (low + high) / 2
        more = ((middle + gap) ** -float(exponent)).sum(axis=1, keepdims=True) > 1
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return (low + gap) ** -float(exponent)


def in_proportion(weight: Float64Array) -> Float64Array:
    positive = np.maximum(weight, 0.0)
    largest = positive.max(axis=1, keepdims=True)
    scaled = np.where(largest > 0, positive / np.where(largest > 0, largest, 1.0), 1.0)
    return scaled / scaled.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_those_of_plain_numpy(name: str) -> None:
    x = ROWS[name]
    before = x.copy()
    if name != "huge":  # where differences overflow
        down = x - x.max(axis=1, keepdims=True)
        np.testing.assert_array_equal(shifted(x), down)
        np.testing.assert_allclose(softmax(x), np.exp(down) / np.exp(down).sum(axis=1, keepdims=True), atol=1e-15)
        np.testing.assert_allclose(project(x), by_sorting(x), atol=1e-14)
        positive = np.maximum(x, 0.0)
        chopped = np.where(positive.sum(axis=1, keepdims=True) >= 1.0, positive, by_sorting(x))
        np.testing.assert_allclose(onto_chopped_orthant(x), chopped, rtol=1e-13, atol=1e-14)
        for exponent in (1, 2):
            np.testing.assert_allclose(power(x, exponent), by_halving(x, exponent), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(matched(x), in_proportion(x), rtol=1e-14)
    np.testing.assert_array_equal(corner(x), np.eye(x.shape[1])[x.argmax(axis=1)])
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (2, 500)])
def test_sums_along_rows(shape: tuple[int, int]) -> None:
    x, payoff = RNG.random(shape), RNG.normal(size=shape)
    np.testing.assert_allclose(normalised(x), x / x.sum(axis=1, keepdims=True), rtol=1e-13)
    regret = payoff - (x * payoff).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(instantaneous_regret(x, payoff), regret, rtol=1e-12, atol=1e-12)


def test_draws_are_those_of_the_environments() -> None:
    """Also of rows with actions of no probability, and of numbers at the ends of [0, 1)."""
    x = RNG.random((5000, 4)) * RNG.integers(0, 2, size=(5000, 4))
    x[x.sum(axis=1) == 0, 1] = 1.0
    uniform = RNG.random(5000)
    uniform[::7], uniform[1::7] = 0.0, np.nextafter(1.0, 0.0)
    found = sample(x, uniform)
    np.testing.assert_array_equal(found, sample_categorical(x, uniform))
    assert (x[np.arange(5000), found] > 0).all()
    np.testing.assert_array_equal(drawn(found, 4), np.eye(4)[found])


@pytest.mark.parametrize("shape", [(3, 4), (1, 7), (30, 40), (2, 3, 4), (12, 2, 13)])
def test_gradients_of_small_and_large_games(shape: tuple[int, ...]) -> None:
    """With matrices on both sides of `SMALL`."""
    payoffs = RNG.random((3, len(shape), *shape))
    games, low = Tensors(payoffs), payoffs.reshape(3, len(shape), -1).min(axis=2)
    own = [RNG.dirichlet(np.ones(size), size=3) for size in shape]
    assert shape != (30, 40) or np.prod(shape) > SMALL
    for player in range(len(shape)):
        mixed = joint_play([table if p != player else np.ones_like(table) for p, table in enumerate(own)])
        axes = tuple(axis + 1 for axis in range(len(shape)) if axis != player)
        expected = ((payoffs[:, player] - low[:, player].reshape(3, *(1,) * len(shape))) * mixed).sum(axis=axes)
        found = games.gradient(player, own) * games.span[:, player, None]
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(40, 50), (33, 3, 40)])
def test_gradients_against_few_actions_are_those_against_the_same_in_a_batch(shape: tuple[int, ...]) -> None:
    """A single game picks out the payoffs of the actions in use, a batch does not."""
    payoffs = RNG.random((1, len(shape), *shape))
    own = [np.zeros((1, size)) for size in shape]
    for table in own:
        table[0, -1], table[0, 0] = 0.25, 0.75
    one, two = Tensors(payoffs), Tensors(np.concatenate([payoffs, payoffs]))
    for player in range(len(shape)):
        expected = two.gradient(player, [np.concatenate([table, table]) for table in own])[:1]
        np.testing.assert_allclose(one.gradient(player, own), expected, atol=1e-14)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("empirical", [False, True])
def test_tallies_are_the_same_to_the_bit_however_long_rounds_wait(
    shape: tuple[int, ...], empirical: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rounds(count: int) -> list[Float64Array]:
        rng = np.random.default_rng(5)
        tallies = _tallies.Tallies(2, shape, keep_play=True, empirical=empirical)
        averages = [np.zeros((2, size)) for size in shape]
        tables, play = [np.zeros((2, size, size)) for size in shape], np.zeros((2, *shape))
        for t in range(count):
            played, gradients, shown = ([rng.random((2, size)) for size in shape] for _ in range(3))
            if 20 <= t < 60:
                for own in played:
                    own[0] = np.arange(own.shape[1]) == t // 9 % own.shape[1]  # pure for longer than four rounds
            tallies.add(t + 0.5, played, gradients, shown if empirical else ())
            for p in range(len(shape)):
                averages[p] += (t + 0.5) * played[p]
                tables[p] += played[p][:, :, None] * gradients[p][:, None, :]
            play += joint_play(shown if empirical else played)
            if t == 10:
                tallies.averages()
        found = tallies.play()
        assert found is not None
        for mine, plain in zip(
            [*tallies.averages(), *tallies.collected(), found], [*averages, *tables, play], strict=True
        ):
            np.testing.assert_array_equal(mine, plain)
        return [*tallies.averages(), *tallies.collected(), found]

    waited = rounds(150)
    monkeypatch.setattr(_tallies, "HELD", 1)
    for one, other in zip(waited, rounds(150), strict=True):
        np.testing.assert_array_equal(one, other)
