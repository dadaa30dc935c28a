"""How the networks under training play: what their outputs are made into before a move is drawn.

A behaviour may know several ways to play; every game then draws one of them anew for each player who learns, as it
draws members of populations. What a rollout keeps as `log_policy` is the distribution that was drawn from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

BEST_RESPONSE, AVERAGE = 0, 1  # ways of `Anticipatory`


class Behaviour(Protocol):
    """Plain data, so that it can be sent to who plays."""

    @property
    def ways(self) -> tuple[float, ...]:
        """Chances of the ways to play; one or more, together 1."""

    def log_policy(self, networks: Any, observations: Tensor, roles: Tensor, masks: Tensor, ways: Tensor) -> Tensor:
        """Log-probabilities [n, A] of the moves, -inf for those that are not made.

        Args:
            networks: under training.
            observations: [n, D].
            roles: [n] int64, whose policy decides.
            masks: [n, A] bool.
            ways: [n] int64, which way the player follows in this game.
        """


@dataclass(frozen=True)
class Softmax:
    """The actor as it is."""

    @property
    def ways(self) -> tuple[float, ...]:
        """One."""
        return (1.0,)

    def log_policy(self, networks: Any, observations: Tensor, roles: Tensor, masks: Tensor, ways: Tensor) -> Tensor:
        """See `Behaviour`."""
        found: Tensor = networks.log_policy(observations, roles, masks)
        return found


@dataclass(frozen=True)
class EpsilonGreedy:
    """The legal action of the highest value; with probability `epsilon` any legal one, all alike."""

    epsilon: float

    @property
    def ways(self) -> tuple[float, ...]:
        """One."""
        return (1.0,)

    def log_policy(self, networks: Any, observations: Tensor, roles: Tensor, masks: Tensor, ways: Tensor) -> Tensor:
        """See `Behaviour`."""
        return epsilon_greedy(networks.action_values(observations, roles), masks, self.epsilon).log()


@dataclass(frozen=True)
class Anticipatory:
    """In a share of the games epsilon-greedy (`BEST_RESPONSE`), in the others the actor (`AVERAGE`).

    Heinrich and Silver (2016), arXiv 1603.01121, section 3: the share is their anticipatory parameter.
    """

    epsilon: float
    share: float

    @property
    def ways(self) -> tuple[float, ...]:
        """The best response's and the average's."""
        return (self.share, 1.0 - self.share)

    def log_policy(self, networks: Any, observations: Tensor, roles: Tensor, masks: Tensor, ways: Tensor) -> Tensor:
        """See `Behaviour`."""
        found: Tensor = networks.log_policy(observations, roles, masks)
        rows = torch.nonzero(ways == BEST_RESPONSE)[:, 0]
        values = networks.action_values(observations[rows], roles[rows])
        return found.index_copy(0, rows, epsilon_greedy(values, masks[rows], self.epsilon).log())


def greedy(values: Tensor, masks: Tensor) -> Tensor:
    """[n] int64, the legal action of the highest of the values [n, A]; the first of several."""
    return values.masked_fill(~masks, float("-inf")).argmax(dim=1)


def epsilon_greedy(values: Tensor, masks: Tensor, epsilon: float) -> Tensor:
    """Probabilities [n, A]."""
    explored = epsilon * masks / masks.sum(dim=1, keepdim=True)
    return explored.scatter_add(1, greedy(values, masks)[:, None], torch.full_like(explored[:, :1], 1.0 - epsilon))
