"""Who plays: stacked networks give every row what its own network gives, and draws follow the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eqagents.policies import MaskedMLP, to_policy
from eqagents.policies.stacked import StackedMLP
from eqagents.rollout import Cast, Games, NetworkConfig, Seat
from eqagents.rollout.behaviour import Anticipatory
from eqagents.rollout.task import critics_and_actors_of, networks_of
from eqenvs import make, policies
from eqenvs.errors import InputError
from eqenvs.models.information_states import InformationStates


def members(count: int, width: int = 5, outputs: int = 3) -> list[MaskedMLP]:
    return [MaskedMLP(width, (7, 6), outputs, torch.Generator().manual_seed(k)) for k in range(count)]


@pytest.mark.parametrize("sizes", [(1, 0, 200), (40, 3, 7), (0, 0, 5), (64, 64, 64)])
def test_stacked_networks_give_each_row_its_own(sizes: tuple[int, ...]) -> None:
    nets = members(3)
    stacked = StackedMLP(nets)
    member = torch.cat([torch.full((size,), k) for k, size in enumerate(sizes)])
    member = member[torch.randperm(len(member), generator=torch.Generator().manual_seed(0))]
    rows = torch.randn(len(member), 5, generator=torch.Generator().manual_seed(1))
    masks = torch.rand(len(member), 3, generator=torch.Generator().manual_seed(2)) < 0.7
    masks[:, 0] = True
    found = stacked(rows, member, masks)
    for k, net in enumerate(nets):
        torch.testing.assert_close(found[member == k], net(rows[member == k], masks[member == k]))


def test_gradients_reach_the_member_that_played_only() -> None:
    stacked = StackedMLP(members(3))
    stacked(torch.ones(4, 5), torch.tensor([2, 2, 2, 2])).sum().backward()
    gradient = stacked.weights[0].grad
    assert gradient is not None
    assert gradient[:2].abs().max() == 0
    assert gradient[2].abs().max() > 0


@pytest.mark.parametrize("shared", [True, False])
def test_a_roles_record_plays_as_the_network_does(shared: bool) -> None:
    """Sheriff: the two players have different numbers of actions."""
    game = make("sheriff")
    networks = networks_of(game, NetworkConfig(hidden=(8, 8), shared=shared), seed=5)
    torch.nn.init.normal_(networks.actor.network.weights[-1], generator=torch.Generator().manual_seed(0))
    for role, record in enumerate(networks.records()):
        states = game.information_states[role]
        policy = to_policy(record, game, role)
        width = game.rules.max_actions
        masks = np.pad(states.masks, ((0, 0), (0, width - states.masks.shape[1])))
        roles = torch.full((len(masks),), role)
        logs = networks.log_policy(torch.tensor(states.observations), roles, torch.from_numpy(masks))
        expected = logs.exp().detach().numpy()[:, : states.masks.shape[1]]
        np.testing.assert_allclose(policy(role, states), expected, atol=1e-6)


def test_opponents_are_drawn_by_their_weights_and_play_as_they_do() -> None:
    """Three kinds of members in one batch: two shapes of networks and a table."""
    game = make("kuhn_poker")
    networks = networks_of(game, NetworkConfig(hidden=(4,)))
    width, actions = game.rules.observation_size, game.rules.num_actions[1]
    small = MaskedMLP(width, (3,), actions, torch.Generator().manual_seed(1))
    large = MaskedMLP(width, (9, 9), actions, torch.Generator().manual_seed(2))
    for net in (small, large):
        torch.nn.init.normal_(net.layers[-1].weight, generator=torch.Generator().manual_seed(3))
    always_bet = np.tile([0.0, 1.0], (6, 1))
    table = policies.TabularPolicy(game.model(), [game.information_states[0].uniform(), always_bet])
    population = [small.record(), large.record(), table]
    seat = Seat(population, [1.0, 2.0, 1.0])
    batch = 4000
    cast = Cast(game, networks, {1: seat}, batch, torch.Generator().manual_seed(0))
    counts = torch.bincount(cast.drawn[:, 1], minlength=3) / batch
    np.testing.assert_allclose(counts, [0.25, 0.5, 0.25], atol=0.03)
    games = Games(game, batch, source="rules")
    shown = games.begin(3)
    assert bool((shown.players == 0).all())
    first = cast.act(shown)
    assert bool(first.learns.all())
    shown = games.step(first.actions).shown
    acted = cast.act(shown)
    moved = shown.players[:, 0] == 1
    assert not bool(acted.learns[moved].any())
    for number, member in enumerate(population):
        rows = torch.nonzero(moved & (cast.drawn[:, 1] == number))[:, 0]
        policy = member if callable(member) else to_policy(member, game, 1)
        states = InformationStates(*(x[rows, 0].numpy() for x in (shown.keys, shown.observations, shown.masks)))
        np.testing.assert_allclose(acted.log_policy[rows, 0].exp().numpy(), policy(1, states), atol=1e-5)
    frequency = torch.nn.functional.one_hot(acted.actions[:, 0], 2).float().mean(dim=0)
    np.testing.assert_allclose(frequency, acted.log_policy[:, 0].exp().mean(dim=0), atol=0.03)


def test_bad_populations_are_refused() -> None:
    game = make("kuhn_poker")
    networks = networks_of(game, NetworkConfig(hidden=(4,)))
    table = policies.uniform(game)
    for weights in ([], [0.0], [-1.0], [1.0, 1.0], [float("nan")]):
        with pytest.raises(InputError, match="one non-negative weight a member"):
            Cast(game, networks, {1: Seat([table], weights)}, 4, torch.Generator())
    everybody = {role: Seat([table], [1.0]) for role in (0, 1)}
    with pytest.raises(InputError, match="nobody is left to learn"):
        Cast(game, networks, everybody, 4, torch.Generator())


def test_ways_to_play_are_numbered_apart_from_members() -> None:
    """The seat of role 0 has three members; role 1 learns in two ways."""
    game = make("kuhn_poker")
    networks = critics_and_actors_of(game, NetworkConfig(hidden=(4,)))
    table = policies.uniform(game)
    seat = Seat([table, table, table], [1.0, 1.0, 1.0])
    batch, share = 4000, 0.25
    cast = Cast(game, networks, {0: seat}, batch, torch.Generator().manual_seed(0), Anticipatory(0.1, share))
    counts = torch.bincount(cast.drawn[:, 1], minlength=2) / batch
    assert counts.tolist() == pytest.approx([share, 1 - share], abs=0.03)
