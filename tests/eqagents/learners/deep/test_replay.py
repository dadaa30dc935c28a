"""Memories: what is held after any pieces of rows, that older ones can be had back, and that the sample is uniform."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eqagents.learners.deep._replay import (
    Decisions,
    Experience,
    Memory,
    blank,
    from_tree,
    memory,
    rows_of,
    with_latest,
    with_sample,
)

CPU = torch.device("cpu")


def numbered(first: int, count: int) -> Decisions:
    """Rows that say their number in every part."""
    number = torch.arange(first, first + count)
    return Decisions(
        number[:, None].expand(-1, 3).float(), (number[:, None] >> torch.arange(2)) % 2 == 1, number, number
    )


def held(found: Memory[Decisions]) -> list[int]:
    rows = found.sample(torch.arange(found.size))
    assert torch.equal(rows.observations, rows.actions[:, None].expand(-1, 3).float())
    assert torch.equal(rows.masks, numbered(0, 200).masks[rows.actions])
    return sorted(rows.actions.tolist())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), st.lists(st.integers(0, 12), max_size=8))
def test_a_ring_holds_the_latest_rows(capacity: int, pieces: list[int]) -> None:
    ring, shown = memory(blank(Decisions, capacity, 3, 2, CPU)), 0
    for count in pieces:
        ring = with_latest(ring, numbered(shown, count))
        shown += count
        assert held(ring) == list(range(max(0, shown - capacity), shown))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=2, max_size=6), st.booleans())
def test_adding_leaves_every_older_memory_as_it_was(pieces: list[int], ring: bool) -> None:
    draws = torch.Generator().manual_seed(0)
    past = [memory(blank(Decisions, 5, 3, 2, CPU))]
    for index, count in enumerate(pieces):
        rows = numbered(12 * index, count)
        past.append(with_latest(past[-1], rows) if ring else with_sample(past[-1], rows, draws))
    expected = [held(each) for each in past]
    order = [0, *range(len(past)), len(past) - 1, *reversed(range(len(past))), 1]
    assert [held(past[k]) for k in order] == [expected[k] for k in order]
    # Two futures of one past.
    middle = past[len(past) // 2]
    other = with_latest(middle, numbered(150, 2))
    assert {150, 151} <= set(held(other))
    assert [held(each) for each in past] == expected


@pytest.mark.parametrize("piece", [3, 7, 50])
def test_a_reservoir_keeps_every_row_with_the_same_chance(piece: int) -> None:
    """400 runs over 50 rows into 10 places: each is kept in 80, give or take 5 standard deviations of 8."""
    runs, rows, capacity = 400, 50, 10
    counts, shown = np.zeros(rows), numbered(0, rows)
    draws = torch.Generator().manual_seed(4)
    for _ in range(runs):
        reservoir = memory(blank(Decisions, capacity, 3, 2, CPU))
        for first in range(0, rows, piece):
            reservoir = with_sample(reservoir, rows_of(shown, torch.arange(first, min(first + piece, rows))), draws)
        counts[held(reservoir)] += 1
    assert reservoir.count == rows
    assert counts.sum() == runs * capacity
    assert np.abs(counts - runs * capacity / rows).max() < 5 * np.sqrt(runs * 0.2 * 0.8)


@pytest.mark.parametrize("piece", [3, 30])
def test_a_stored_memory_is_the_same(piece: int) -> None:
    ring = with_latest(memory(blank(Experience, 10, 3, 2, CPU)), _experience(piece))
    again = from_tree(blank(Experience, 10, 3, 2, CPU), ring.to_tree())
    assert (again.count, again.size) == (piece, min(piece, 10))
    index = torch.arange(ring.size)
    for left, right in zip(ring.sample(index), again.sample(index), strict=True):
        assert torch.equal(left, right)
    more = _experience(4)
    for left, right in zip(with_latest(ring, more).sample(index), with_latest(again, more).sample(index), strict=True):
        assert torch.equal(left, right)


def _experience(count: int) -> Experience:
    rows = numbered(0, count)
    paid = torch.rand(count, generator=torch.Generator().manual_seed(count))
    return Experience(*rows, paid, 1 - paid, rows.observations + 1, ~rows.masks)


def test_rows_are_picked_in_every_part() -> None:
    picked = rows_of(numbered(0, 5), torch.tensor([3, 1]))
    assert picked.actions.tolist() == [3, 1]
    assert picked.observations[:, 0].tolist() == [3.0, 1.0]
