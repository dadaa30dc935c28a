"""Vectors of lanes against numpy: the same rounding lane by lane, whatever the width."""

import numpy as np
import pytest

from eqsolvers.kernels import compiled
from eqsolvers.simd import larger, load, splat, store, where_positive


@compiled
def combine(lanes, first, second, scalar, result):
    """Every operation once, at an odd offset: nothing has to be aligned."""
    a, b, c = load(lanes, first, 1), load(lanes, second, 1), splat(lanes, scalar)
    value = (a + b * c - a / b) * where_positive(a, b, c)
    store(result, 1, larger(value, a))


@pytest.mark.parametrize("width", [4, 8])
def test_operations_are_numpys_to_the_bit(width):
    rng = np.random.default_rng(width)
    first, second = rng.normal(size=(2, width + 2))
    first[2] = 0.0
    result = np.full(width + 2, 7.0)
    combine((0,) * width, first, second, 0.3, result)
    a, b = first[1:-1], second[1:-1]
    value = (a + b * 0.3 - a / b) * np.where(a > 0, b, 0.3)
    np.testing.assert_array_equal(result[1:-1], np.maximum(value, a))
    assert result[0] == result[-1] == 7.0
