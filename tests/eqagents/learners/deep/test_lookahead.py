"""Stepping back: the update itself, and what it does to a rotation."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

import pytest
import torch

from eqagents.learners.deep._lookahead import LookaheadConfig


def test_slow_weights_go_a_share_of_the_way_when_it_is_time() -> None:
    config = LookaheadConfig(every=3, share=0.25)
    slow, fast = {"w": torch.tensor([2.0, 0.0])}, {"w": torch.tensor([6.0, -4.0])}
    assert config.stepped_back(2, slow, fast) == (slow, fast)
    for kept in config.stepped_back(3, slow, fast):
        assert kept is not None
        assert kept["w"].tolist() == [3.0, -1.0]
    assert (slow["w"].tolist(), fast["w"].tolist()) == ([2.0, 0.0], [6.0, -4.0])
    assert LookaheadConfig().stepped_back(3, None, fast) == (None, fast)


def test_the_first_way_begins_after_the_start() -> None:
    """Weights that grow by 1: half of the way from 2 to 5, then of that from 3.5 to 6.5."""
    config = LookaheadConfig(every=3, start=2, share=0.5)
    slow = weights = {"w": torch.tensor(0.0)}
    found = []
    for iteration in range(1, 9):
        slow_t, weights = config.stepped_back(iteration, slow, {"w": weights["w"] + 1})
        assert slow_t is not None
        slow = slow_t
        found.append(float(weights["w"]))
    assert found == [1, 2, 3, 4, 3.5, 4.5, 5.5, 5]


@pytest.mark.parametrize(("share", "turns"), [(0.5, 0.5), (0.5, 0.2), (0.3, 0.4), (0.7, 1.0)])
def test_a_rotation_is_damped_by_the_stated_factor(share: float, turns: float) -> None:
    """Weights that turn about 0 by the same angle in every iteration."""
    config = LookaheadConfig(every=10, share=share)
    angle = 2 * pi * turns / config.every
    turn = torch.tensor([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]], dtype=torch.float64)
    slow = weights = {"w": torch.tensor([1.0, 0.5], dtype=torch.float64)}
    lengths = [float(weights["w"].norm())]
    for iteration in range(1, 41):
        slow_t, weights = config.stepped_back(iteration, slow, {"w": turn @ weights["w"]})
        assert slow_t is not None
        slow = slow_t
        if iteration % config.every == 0:
            lengths.append(float(weights["w"].norm()))
    factor = sqrt(max(0.0, 1 - 2 * share * (1 - share) * (1 - cos(2 * pi * turns))))
    assert lengths == pytest.approx([lengths[0] * factor**k for k in range(5)], abs=1e-7)
