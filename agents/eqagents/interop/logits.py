"""A torch module that gives one logit per action, as a behaviour policy: CleanRL's agents and the like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from eqagents.interop.distributions import softmax_of_legal
from eqenvs.arrays import Float64Array
from eqenvs.models.information_states import InformationStates


class LogitsPolicy:
    """The softmax of a function's logits over legal actions.

    Adding a large negative number to the logits of illegal actions, as masked losses do, gives the same distribution.

    Args:
        logits: from observations [B, D] float32 to [B, A], such as the actor of an agent; A is the player's number of
            actions or more, what is beyond that is left out.
        device: where it computes.
    """

    def __init__(self, logits: Callable[[Tensor], Tensor], device: torch.device | str = "cpu") -> None:
        self._logits, self._device = logits, device

    @torch.no_grad()
    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `eqenvs.policies.BehaviourPolicy`."""
        observations = torch.tensor(np.asarray(states.observations), device=self._device)
        masks = np.asarray(states.masks)
        return softmax_of_legal(self._logits(observations)[:, : masks.shape[1]].cpu().numpy(), masks)
