"""How kernels are compiled: once for all constants, and called by address where they are large."""

import pickle

import numpy as np
import pytest

from eqsolvers.kernels import Linked, call_linked, compiled, link


@compiled
def raised(numbers, by):
    for k in range(len(numbers)):
        numbers[k] += by
    return by > 0


@compiled
def raised_by_constants(numbers):
    return raised(numbers, 2) and raised(numbers, 3)


@compiled
def raised_by_address(linked, numbers):
    return call_linked(linked, numbers, 2)


@compiled
def refused(numbers, by):
    if by > 1:
        raise ValueError("too much")
    return True


def test_constants_of_callers_share_one_compiled_kernel():
    numbers = np.zeros(3)
    assert raised_by_constants(numbers)
    assert numbers.tolist() == [5.0] * 3
    assert len(raised.overloads) <= 1  # none where the caller came from the disk


def test_a_linked_kernel_does_and_raises_what_it_does_when_called():
    numbers = np.zeros(2)
    assert raised_by_address(link(raised, numbers, 0), numbers)
    assert numbers.tolist() == [2.0] * 2
    with pytest.raises(ValueError, match="too much"):
        raised_by_address(link(refused, numbers, 0), numbers)


@pytest.mark.parametrize("other", [(np.zeros(2, np.int64), 0), (np.zeros(4)[::2], 0), (np.zeros(2), 0.0)])
def test_a_kernel_linked_for_other_types_is_refused(other):
    numbers = np.zeros(2)
    with pytest.raises(TypeError, match="the linked kernel takes other types"):
        raised_by_address(link(raised, *other), numbers)
    assert numbers.tolist() == [0.0, 0.0]


def test_an_address_does_not_leave_its_process():
    with pytest.raises(TypeError, match="call `link` there"):
        pickle.dumps(Linked(1, 2))
