"""One network against several mixtures of the opponent at once: every game draws a row, and the network is told which.

A row is a mixture of the opponent's members, and the vector that says so is seen beside every observation. Rows are the
components of a device: `Against` draws one for each game, then a member of its mixture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eqagents.oracles._opponents import Against
from eqagents.rollout.games import Games, Stage
from eqagents.rollout.networks import ActorCritic
from eqagents.rollout.trajectory import Rollout
from eqenvs.game import Game
from eqenvs.policies import MixturePolicy

MOST_ROWS = 127  # a rollout keeps them as 8 bits


@dataclass(frozen=True)
class Told:
    """How the network plays in each row: see `eqagents.rollout.behaviour.Behaviour`."""

    conditions: Tensor  # [R, C]

    @property
    def ways(self) -> tuple[float, ...]:
        """One: rows are drawn with the opponents."""
        return (1.0,)

    def log_policy(
        self, networks: Conditioned, observations: Tensor, roles: Tensor, masks: Tensor, ways: Tensor
    ) -> Tensor:
        """Log-probabilities [n, A] where the games are of the rows `ways` [n]."""
        seen = torch.cat([observations, self.conditions[ways]], dim=1)
        return networks.inside.log_policy(seen, torch.zeros_like(roles), masks)


class Conditioned:
    """The network as a cast and a rollout see it: the values of states depend on the rows of the games in progress.

    Args:
        inside: sees observations and conditions, for one role.
        conditions: [R, C].
        num_actions: of each player.
    """

    def __init__(self, inside: ActorCritic, conditions: Tensor, num_actions: tuple[int, ...]) -> None:
        self.inside, self.num_actions, self._conditions = inside, num_actions, conditions
        self.rows = torch.zeros(0, dtype=torch.int64)  # [B], of the games in progress
        self.cut = torch.zeros(0, dtype=torch.bool)  # [B], games that the last stage cut off

    def values(self, states: Tensor, roles: Tensor) -> Tensor:
        """Of a stage's states [B * M, D], or of those of the games that were cut off."""
        movers, rest = divmod(len(states), len(self.rows))
        rows = self.rows[self.cut] if rest or not movers else self.rows.repeat_interleave(movers)
        return self.inside.values(torch.cat([states, self._conditions[rows]], dim=1), torch.zeros_like(roles))


class AgainstRows(Against):
    """One player against the rows.

    Args:
        game: the game.
        networks: under training.
        player: who learns.
        rows: a component for each row.
        batch: B.
        generator: of all draws.
        behaviour: how the network plays.
    """

    def __init__(
        self,
        game: Game,
        networks: Conditioned,
        player: int,
        rows: MixturePolicy,
        batch: int,
        generator: torch.Generator,
        behaviour: Told,
    ) -> None:
        self._own, self._told = player, networks
        super().__init__(game, networks, player, rows, batch, generator, behaviour)

    def redraw(self, rows: Tensor) -> None:
        """New rows and opponents for the games of some rows of the batch [B] bool."""
        super().redraw(rows)
        self.drawn[:, self._own] = self._profile
        self._told.rows = self._profile


class Watched(Games):
    """Games that tell the network which of them were cut off.

    Args:
        games: taken over as they are, since to lay them out anew costs far more than to play them.
        networks: are told.
    """

    def __init__(self, games: Games, networks: Conditioned) -> None:
        vars(self).update(vars(games))
        self._networks = networks

    def step(self, actions: Tensor) -> Stage:
        """See `Games`."""
        stage = super().step(actions)
        self._networks.cut = stage.cut
        return stage


def widened(found: Rollout, conditions: Tensor) -> Rollout:
    """The rollout with its rows' conditions beside the observations, which is what the network sees."""
    rows = torch.where(found.learns, found.ways.long(), 0)
    seen = torch.cat([found.observations, conditions[rows]], dim=-1)
    return found._replace(observations=seen, states=seen)
