"""Games for Stable-Baselines3 by way of SuperSuit, and its policies as behaviour policies.

A saved model is a zip file with pickles in it. Where its origin is not beyond doubt, make the model anew and call its
`set_parameters`, which reads the tensors alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv
from pettingzoo.utils import BaseParallelWrapper

from eqagents.interop.distributions import renormalised
from eqenvs.arrays import Float64Array
from eqenvs.errors import PolicyError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models.information_states import InformationStates


class _Unmasked(BaseParallelWrapper):  # type: ignore[misc]  # pettingzoo is untyped for a strict checker
    """Observations without their masks, [D] float32, and plain action spaces."""

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self._spaces = {
            agent: (env.observation_space(agent)["observation"], spaces.Discrete(int(env.action_space(agent).n)))
            for agent in env.possible_agents
        }

    def observation_space(self, agent: str) -> Any:
        """The same object on every call."""
        return self._spaces[agent][0]

    def action_space(self, agent: str) -> Any:
        """The same object on every call."""
        return self._spaces[agent][1]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start a new game."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return _bare(observations), infos

    def step(self, actions: dict[str, Any]) -> Any:
        """Everybody's moves."""
        observations, *rest = self.env.step(actions)
        return _bare(observations), *rest


def _bare(observations: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    return {agent: seen["observation"] for agent, seen in observations.items()}


def shared_env(game: Game, *, max_cycles: int | None = None) -> ParallelEnv:
    """A game in which all players can learn with one unmasked policy, for SuperSuit's `pettingzoo_env_to_vec_env_v1`.

    The observation says which player sees it.

    Raises:
        GameTooLargeError: what is legal cannot be listed.
        UnsupportedGame: players take turns, have different numbers of actions, or not all actions are always legal.
    """
    rules = game.rules
    if not rules.simultaneous:
        raise UnsupportedGame(f"{game!r}: players take turns; use the view of one player, eqenvs:Exploit-v0")
    if len(set(rules.num_actions)) > 1:
        raise UnsupportedGame(f"{game!r}: a shared policy needs one number of actions, got {rules.num_actions}")
    if not all(states.masks.all() for states in game.model().information_states):
        raise UnsupportedGame(f"{game!r}: some actions are illegal at times, and SuperSuit passes no masks on")
    return _Unmasked(game.parallel_env(max_cycles=max_cycles))


class SB3Policy:
    """What an on-policy learner with discrete actions (PPO, A2C, MaskablePPO) samples from, over legal actions.

    A maskable policy is told the masks. Any other one's probabilities of illegal actions are dealt out to the legal
    ones in proportion, as if it had drawn again.

    Args:
        model: a learner of Stable-Baselines3 or SB3-Contrib, trained on flat observations.
    """

    def __init__(self, model: Any) -> None:
        if not hasattr(model.policy, "get_distribution"):
            raise PolicyError(f"{type(model).__name__} has no distribution over actions; on-policy learners have")
        self._policy = model.policy
        self._maskable = type(model.policy).__name__.startswith("Maskable")

    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `eqenvs.policies.BehaviourPolicy`."""
        masks = np.asarray(states.masks)
        self._policy.set_training_mode(False)
        seen, _ = self._policy.obs_to_tensor(np.asarray(states.observations))
        told = {"action_masks": masks.copy()} if self._maskable else {}
        found = self._policy.get_distribution(seen, **told).distribution
        return renormalised(found.probs.detach().cpu().numpy(), masks)
