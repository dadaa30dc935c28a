"""RLlib trains on a game here, and its checkpoint is scored; training lowers NashConv."""

from __future__ import annotations

import pytest

pytest.importorskip("ray.rllib", exc_type=ImportError)


@pytest.mark.ray
def test_checkpoint_is_scored_by_the_command(ray_cluster, example, recipe):
    nash_conv, found = recipe(example("rllib_ppo"))
    assert found["nash_conv"] == pytest.approx(nash_conv, abs=1e-9)
    assert nash_conv < 0.7  # uniform play: 0.917
