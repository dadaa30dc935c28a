"""The masked softmax of the networks under training against torch's along rows."""

from __future__ import annotations

import pytest
import torch

from eqagents.policies.mlp import masked_log_softmax
from eqagents.rollout.networks import LANES, MANY_ROWS, log_softmax_of_legal


@pytest.mark.parametrize("actions", [1, 2, 9, LANES - 1, LANES, 40])
@pytest.mark.parametrize("rows", [1, MANY_ROWS - 1, MANY_ROWS, MANY_ROWS + 7, 1981])
def test_legal_actions_have_torchs_probabilities_and_gradients(rows: int, actions: int) -> None:
    generator = torch.Generator().manual_seed(rows * 100 + actions)
    masks = torch.rand(rows, actions, generator=generator) < 0.5
    masks[:, 0] = True
    logits = 4 * torch.randn(rows, actions, generator=generator)
    weights = torch.randn(rows, actions, generator=generator)
    found = []
    for function in (log_softmax_of_legal, masked_log_softmax):
        at = logits.clone().requires_grad_(True)
        log_policy = function(at, masks)
        log_policy.masked_fill(~masks, 0.0).mul(weights).sum().backward()
        assert at.grad is not None
        assert bool((at.grad[~masks] == 0).all())
        found.append((log_policy.detach(), at.grad))
    (ours, slope), (expected, expected_slope) = found
    assert torch.equal(ours == float("-inf"), ~masks)
    # Rounding of a sum of at most 40 numbers in float32.
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(slope, expected_slope, atol=1e-5, rtol=1e-5)


def test_a_number_that_is_not_finite_is_not_hidden() -> None:
    logits = torch.zeros(MANY_ROWS, 3)
    logits[5, 1] = float("nan")
    assert bool(log_softmax_of_legal(logits, torch.ones(MANY_ROWS, 3, dtype=torch.bool))[5].isnan().all())
