"""RLlib modules as a joint policy.

RLlib's checkpoints are pickles that run what they hold, and those that are not still have pickles beside them: here is
no function that reads them. Load one that you trust with `RLModule.from_checkpoint` or `MultiRLModule.from_checkpoint`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from eqagents.interop.distributions import softmax_of_legal
from eqenvs.arrays import Float64Array
from eqenvs.errors import PolicyError
from eqenvs.models.information_states import InformationStates


class RLModulePolicy:
    """What RLlib samples from when it explores, one module per player.

    A module is shown what `RLlibEnv` shows: the dict with the mask if its observation space is one, else the
    observation. Connectors between the environment and the module, such as filters that normalise, are not applied.

    Args:
        modules: torch modules with a distribution over discrete actions (PPO, IMPALA, not DQN), by player; one may be
            there several times.
    """

    def __init__(self, modules: Sequence[Any]) -> None:
        self._modules = tuple(modules)

    @torch.no_grad()
    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `eqenvs.policies.BehaviourPolicy`.

        Raises:
            PolicyError: there is no module for the player, or it gives no logits.
        """
        if player >= len(self._modules):
            raise PolicyError(f"player {player} has no module, there are {len(self._modules)}")
        module, masks = self._modules[player], np.asarray(states.masks)
        observations: Any = torch.tensor(np.asarray(states.observations))
        if isinstance(module.observation_space, spaces.Dict):
            observations = {"observations": observations, "action_mask": torch.tensor(masks.astype(np.float32))}
        found = module.forward_exploration({"obs": observations}, t=0)
        if "action_dist_inputs" not in found:
            raise PolicyError(f"player {player}: {type(module).__name__} gives no logits, but {', '.join(found)}")
        return softmax_of_legal(found["action_dist_inputs"].cpu().numpy(), masks)
