"""The others' parts of a joint policy as a cast: one player's network learns, everybody else plays as the policy says.

What a correlation device draws is drawn for all opponents of a game together, private mixtures after it, for each of
them alone; both anew for every game. A `MarkovCorrelatedPolicy` draws a joint action at every stage, of which each
opponent plays its own part; what the device would tell the learner goes unheard.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqagents.rollout.behaviour import Behaviour
from eqagents.rollout.cast import SOFTMAX, Acted, Cast, Playing, Seat, sample
from eqagents.rollout.games import Shown
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.models.information_states import KeyIndex
from eqenvs.policies import (
    JointPolicy,
    MarkovCorrelatedPolicy,
    components,
    player_entries,
    private_mixture,
    require_behaviour,
)


class Against(Cast):
    """One player against the others' entries of a joint policy.

    Args:
        game: the game.
        networks: under training.
        player: who learns.
        opponents: the joint policy; its entry for the player is ignored.
        batch: B.
        generator: of all draws, on the networks' device.
        behaviour: how the networks play.

    Raises:
        UnsupportedGame: if the game's players are interchangeable agents of one population.
    """

    def __init__(
        self,
        game: Game,
        networks: Playing,
        player: int,
        opponents: JointPolicy,
        batch: int,
        generator: torch.Generator,
        behaviour: Behaviour = SOFTMAX,
    ) -> None:
        count = game.rules.num_players
        if tuple(game.rules.roles) != tuple(range(count)):
            raise UnsupportedGame(
                f"{game.spec.id}: its agents follow one policy, and no one of them is the player who responds; use an "
                "oracle for mean-field games"
            )
        profiles, weights = components(opponents, count)
        self._devices = {
            index: _Device(profile, generator.device)
            for index, profile in enumerate(profiles)
            if isinstance(profile, MarkovCorrelatedPolicy)
        }
        entries = [
            player_entries(profile.marginals() if index in self._devices else profile, count)
            for index, profile in enumerate(profiles)
        ]
        seats, self._chances = {}, {}
        for other in range(count):
            if other != player:
                seats[other], chances = _seat([entry[other] for entry in entries], other)
                self._chances[other] = chances.to(generator.device)
        self._weights = torch.tensor(weights, dtype=torch.float64, device=generator.device)
        self._profile = torch.zeros(batch, dtype=torch.int64, device=generator.device)
        super().__init__(game, networks, seats, batch, generator, behaviour)

    def redraw(self, rows: Tensor) -> None:
        """New opponents for the games of some rows [B] bool: a component of the device, then each one's member."""
        if len(self._weights) > 1:
            drawn = sample(self._weights.expand(len(rows), -1), self.generator)
            self._profile = torch.where(rows, drawn, self._profile)
        for other, chances in self._chances.items():
            new = torch.zeros_like(self._profile)
            if chances.shape[1] > 1:
                new = sample(chances[self._profile], self.generator)
            self.drawn[:, other] = torch.where(rows, self.first_member(other) + new, self.drawn[:, other])

    @torch.no_grad()
    def act(self, shown: Shown) -> Acted:
        """Everybody's draw at a stage."""
        acted = super().act(shown)
        # Where one player moves at a time nobody hears another's part: its own is drawn from the marginal.
        if self._devices and shown.players.shape[1] > 1:
            for index, device in self._devices.items():
                rows = torch.nonzero(self._profile == index)[:, 0]
                told = device.draw(shown.keys[rows, 0], self.generator)
                for other in self._chances:
                    acted.actions[rows, other] = told[:, other]
        return acted


class _Device:
    """Joint actions of a `MarkovCorrelatedPolicy`."""

    def __init__(self, policy: MarkovCorrelatedPolicy, device: torch.device) -> None:
        shape = policy.distributions.shape
        self._shape, self._index = shape[1:], KeyIndex(policy.information_states[0].keys)
        self._weights = torch.tensor(policy.distributions.reshape(shape[0], -1), device=device)

    def draw(self, keys: Tensor, generator: torch.Generator) -> Tensor:
        """A joint action [n, N] at each of the states with the keys [n, W]."""
        points = torch.from_numpy(self._index.rows(keys.cpu().numpy())).to(keys.device)
        return torch.stack(torch.unravel_index(sample(self._weights[points], generator), self._shape), dim=1)


def _seat(entries: list[Any], player: int) -> tuple[Seat, Tensor]:
    """One player's policies in all components, and the chances of each in each [P, K]."""
    members: list[Any] = []
    place: dict[int, int] = {}  # a policy that several components hold is one member
    found: list[tuple[int, int, float]] = []
    for index, entry in enumerate(entries):
        for policy, weight in zip(*private_mixture(entry, player), strict=True):
            require_behaviour(policy)
            if id(policy) not in place:
                place[id(policy)] = len(members)
                members.append(policy)
            found.append((index, place[id(policy)], float(weight)))
    chances = np.zeros((len(entries), len(members)))
    for index, number, weight in found:
        chances[index, number] += weight
    return Seat(members, chances.sum(axis=0).tolist()), torch.from_numpy(chances)
