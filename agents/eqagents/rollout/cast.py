"""Who plays in each row of a batch: the networks under training, or members drawn from fixed populations.

A role that learns is played by the networks under training; every other has a population and weights, from which each
game draws a member anew. All members that are perceptrons of one shape are one stacked module, so a batch in which
every row has its own opponent takes one grouped forward pass; policies of other kinds are asked in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from eqagents.policies.mlp import MaskedMLP
from eqagents.policies.network import TorchPolicy
from eqagents.policies.records import PolicyRecord, to_network, to_policy
from eqagents.policies.stacked import StackedMLP
from eqagents.rollout.behaviour import Behaviour, Softmax
from eqagents.rollout.games import Shown
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.models.information_states import InformationStates
from eqenvs.policies import BehaviourPolicy

SOFTMAX = Softmax()


class Seat(NamedTuple):
    """A role that is played by a population.

    Attributes:
        members: records, or policies.
        weights: of the members, [K] not all 0; drawn from for every game.
    """

    members: Sequence[PolicyRecord | BehaviourPolicy]
    weights: Sequence[float]


class Playing(Protocol):
    """What a cast asks of who learns: an `ActorCritic`, `QNetworks` or what stands for them; behaviours ask for more.

    Attributes:
        num_actions: of each role, [R].
    """

    num_actions: tuple[int, ...]

    def values(self, states: Tensor, roles: Tensor) -> Tensor:
        """The critic's values [n] of states [n, C] for roles [n] int64; 0 where there is none."""


class Acted(NamedTuple):
    """What was decided.

    Attributes:
        actions: [B, M] int64.
        log_policy: [B, M, A] float32, of who decided.
        learns: [B, M] bool, whether the networks under training made a decision.
        ways: [B, M] int64, which of their ways to play they followed; a member's number elsewhere.
    """

    actions: Tensor
    log_policy: Tensor
    learns: Tensor
    ways: Tensor


class Cast:
    """Who plays.

    Args:
        game: the game.
        networks: under training; they play the roles that have no seat.
        seats: of the other roles.
        batch: B.
        generator: of all draws, on the networks' device.
        behaviour: how the networks play.

    Raises:
        InputError: if a seat is empty or its weights are no weights, or all roles have seats.
    """

    def __init__(
        self,
        game: Game,
        networks: Playing,
        seats: Mapping[int, Seat],
        batch: int,
        generator: torch.Generator,
        behaviour: Behaviour = SOFTMAX,
    ) -> None:
        self.networks, self.generator, self.behaviour = networks, generator, behaviour
        self._device = generator.device
        roles = torch.tensor(game.rules.roles, device=self._device)
        self.roles = roles
        learning = [role not in seats for role in range(len(networks.num_actions))]
        if not any(learning):
            raise InputError("rollout: every role has a population; nobody is left to learn")
        self.learning = torch.tensor(learning, device=self._device)[roles]  # [N]
        self._seats = {role: _checked(role, seat) for role, seat in seats.items()}
        self._members = _Members(game, self._seats, self._device)
        self._ways = torch.tensor(behaviour.ways, dtype=torch.float64, device=self._device)
        self.drawn = torch.zeros((batch, len(roles)), dtype=torch.int64, device=self._device)
        self.redraw(torch.ones(batch, dtype=torch.bool, device=self._device))

    def redraw(self, rows: Tensor) -> None:
        """New members, and ways to play, for the games of some rows [B] bool."""
        for role, (number, weights) in enumerate(self._members.of_role):
            # Members are numbered over all roles, ways to play are not.
            first, chances = (number, weights) if role in self._seats else (0, self._ways)
            if role not in self._seats and len(chances) == 1:
                continue
            for player in torch.nonzero(self.roles == role)[:, 0].tolist():
                new = first + sample(chances.expand(len(rows), -1), self.generator)
                self.drawn[:, player] = torch.where(rows, new, self.drawn[:, player])

    def first_member(self, role: int) -> int:
        """The number, in `drawn`, of the first member of a role's population; the others follow it."""
        return self._members.of_role[role][0]

    @torch.no_grad()
    def act(self, shown: Shown) -> Acted:
        """Everybody's draw at a stage."""
        batch, movers, width = shown.masks.shape
        players = shown.players.reshape(-1)
        roles = self.roles[players]
        drawn = self.drawn.gather(1, shown.players).reshape(-1)
        masks, observations = shown.masks.reshape(-1, width), shown.observations.reshape(batch * movers, -1)
        if not self._seats:
            log_policy = self.behaviour.log_policy(self.networks, observations, roles, masks, drawn)
            learns = shown.decides
        else:
            mine = self.learning[players]
            learns = mine.view(batch, movers) & shown.decides
            log_policy = torch.empty(masks.shape, device=self._device)
            own = torch.nonzero(mine)[:, 0]
            seen = observations[own], roles[own], masks[own], drawn[own]
            log_policy[own] = self.behaviour.log_policy(self.networks, *seen)
            others = torch.nonzero(~mine)[:, 0]
            keys = shown.keys.reshape(batch * movers, -1)
            self._members.fill(log_policy, others, drawn[others], players, observations, masks, keys)
        actions = sample(log_policy.exp(), self.generator)
        return Acted(actions.view(batch, movers), log_policy.view(shown.masks.shape), learns, drawn.view(batch, movers))


def _checked(role: int, seat: Seat) -> Seat:
    weights = np.asarray(seat.weights, dtype=np.float64)
    bad = len(weights) != len(seat.members) or not len(weights) or not np.isfinite(weights).all() or (weights < 0).any()
    if bad or weights.sum() <= 0:
        raise InputError(
            f"rollout: the population of role {role} has {len(seat.members)} members and weights {weights.tolist()}; "
            "one non-negative weight a member, not all 0"
        )
    return seat


class _Members:
    """All members of all seats, numbered one after the other."""

    def __init__(self, game: Game, seats: Mapping[int, Seat], device: torch.device) -> None:
        self.of_role: list[tuple[int, Tensor]] = []  # by role: number of the first member, and weights
        networks: dict[tuple[object, ...], list[tuple[int, MaskedMLP]]] = {}
        self._policies: dict[int, tuple[int, BehaviourPolicy]] = {}
        number = 0
        roles = game.rules.roles
        self._widths = [game.rules.num_actions[roles.index(role)] for role in range(max(roles) + 1)]
        for role in range(max(roles) + 1):
            seat = seats.get(role, Seat((), ()))
            self.of_role.append((number, torch.tensor(np.asarray(seat.weights, dtype=np.float64), device=device)))
            for member in seat.members:
                network = _network(member, game, role)
                if network is None:
                    policy = to_policy(member, game, role) if isinstance(member, dict) else member
                    self._policies[number] = (role, policy)
                else:
                    shape = (network.activation, *(tuple(part.shape) for part in network.parameters()))
                    networks.setdefault(shape, []).append((number, network))
                number += 1
        self._stacks = [StackedMLP([network for _, network in group]).to(device) for group in networks.values()]
        self._stack = torch.full((number,), -1, dtype=torch.int64, device=device)
        self._place = torch.zeros((number,), dtype=torch.int64, device=device)
        for index, group in enumerate(networks.values()):
            for place, (member_number, _) in enumerate(group):
                self._stack[member_number], self._place[member_number] = index, place

    def fill(
        self,
        log_policy: Tensor,
        rows: Tensor,
        member: Tensor,
        players: Tensor,
        observations: Tensor,
        masks: Tensor,
        keys: Tensor,
    ) -> None:
        """Write the members' log-probabilities to `rows` [n] of `log_policy`; `member` [n] says who plays there."""
        stack = self._stack[member]
        for index, module in enumerate(self._stacks):
            chosen = torch.nonzero(stack == index)[:, 0]
            there = rows[chosen]
            width = module.biases[-1].shape[1]
            found = module(observations[there], self._place[member[chosen]], masks[there][:, :width])
            log_policy[there] = _widened(found, masks.shape[1])
        for number, (role, policy) in self._policies.items():
            there = rows[member == number]
            if len(there) == 0:
                continue
            width = self._widths[role]
            known, seen, legal = (part[there].cpu().numpy() for part in (keys, observations, masks[:, :width]))
            states = InformationStates(known, seen, legal)
            found = torch.from_numpy(np.asarray(policy(role, states))).to(log_policy.device)
            log_policy[there] = _widened(found.log().float(), masks.shape[1])


def _network(member: PolicyRecord | BehaviourPolicy, game: Game, role: int) -> MaskedMLP | None:
    if isinstance(member, TorchPolicy):
        return member.network if isinstance(member.network, MaskedMLP) else None
    if not isinstance(member, dict):
        return None
    network = to_network(member, game, role)
    return network if isinstance(network, MaskedMLP) else None


def _widened(log_policy: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(log_policy, (0, width - log_policy.shape[1]), value=float("-inf"))


def sample(weights: Tensor, generator: torch.Generator) -> Tensor:
    """One index a row in proportion to weights [n, A]: the first to arrive of independent exponential clocks."""
    clocks = torch.empty_like(weights).exponential_(generator=generator)
    return (weights / clocks.clamp_(min=torch.finfo(weights.dtype).tiny)).argmax(dim=-1)
