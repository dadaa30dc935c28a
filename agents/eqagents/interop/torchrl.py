"""Games for TorchRL, and its actors as a behaviour policy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pettingzoo.utils import BaseParallelWrapper

from eqagents.interop.distributions import renormalised
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError, PolicyError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models.information_states import InformationStates

GROUP = "player"  # what `PettingZooWrapper` calls the agents player_0, player_1, ...
OBSERVATION = (GROUP, "observation", "observation")
MASK = (GROUP, "action_mask")


class _OneMask(BaseParallelWrapper):  # type: ignore[misc]  # pettingzoo is untyped for a strict checker
    """The mask in the observation alone: beside other infos TorchRL 0.14 does not expect it there, too."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        observations, infos = self.env.reset(seed=seed, options=options)
        return observations, _without_mask(infos)

    def step(self, actions: dict[str, Any]) -> Any:
        *rest, infos = self.env.step(actions)
        return *rest, _without_mask(infos)


def _without_mask(infos: dict[str, Any]) -> dict[str, Any]:
    return {agent: {"acting": info["acting"]} for agent, info in infos.items()}


def torchrl_env(game: Game, *, max_cycles: int | None = None) -> Any:
    """The game's Parallel environment in TorchRL's `PettingZooWrapper`, all players in one group.

    Keys are `OBSERVATION`, `MASK`, ("player", "action"), ("player", "reward") and ("player", "info", "acting").

    Raises:
        InputError: TorchRL is not installed.
        UnsupportedGame: the players have different numbers of actions, and their tensors no stack.
    """
    try:
        from torchrl.envs import PettingZooWrapper
    except ImportError as error:
        raise InputError("TorchRL is not installed, see `pip install 'eqenvs[frameworks]'`") from error
    if len(set(game.rules.num_actions)) > 1:
        raise UnsupportedGame(
            f"{game!r}: players of one group need as many actions as each other, got {game.rules.num_actions}"
        )
    env = _OneMask(game.parallel_env(max_cycles=max_cycles))
    return PettingZooWrapper(env, use_mask=True, done_on_any=False)


class TorchRLPolicy:
    """What a probabilistic actor for `torchrl_env` samples from.

    The actor is asked for all agents at once, as it was trained, every agent being given the observation in question;
    only the row of the agent asked about counts. So an actor that looks at other agents' observations has no policy
    here.

    Args:
        actor: with a method `get_dist`, such as `ProbabilisticActor`.
        num_players: of the game.
    """

    def __init__(self, actor: Any, num_players: int) -> None:
        if not hasattr(actor, "get_dist"):
            raise PolicyError(f"{type(actor).__name__} has no distribution over actions; a ProbabilisticActor has")
        self._actor, self._num_players = actor, num_players

    @torch.no_grad()
    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `eqenvs.policies.BehaviourPolicy`."""
        from tensordict import TensorDict

        masks = np.asarray(states.masks)
        batch = (len(masks), self._num_players, -1)
        seen = torch.tensor(np.asarray(states.observations))[:, None].expand(batch)
        legal = torch.tensor(masks)[:, None].expand(batch)
        found = self._actor.get_dist(TensorDict({OBSERVATION: seen, MASK: legal}, [len(masks)]))
        return renormalised(found.probs[:, player].cpu().numpy(), masks)
