"""Decisions linked to next ones: a play in pieces is linked as the whole is."""

from __future__ import annotations

import pytest
import torch

from eqagents.rollout import Cast, Games, NetworkConfig, Rollout, Waiting, rollout, transitions
from eqagents.rollout.task import networks_of
from eqenvs import make

STEPS, BATCH, DISCOUNT = 15, 6, 0.9


@pytest.mark.parametrize("game_id", ["kuhn_poker", "leduc_poker", "goofspiel", "grid_soccer"])
@pytest.mark.parametrize("pieces", [(5, 1, 9), (1,) * STEPS, (14, 1)])
def test_pieces_are_linked_as_the_whole_is(game_id: str, pieces: tuple[int, ...]) -> None:
    """Places are numbered in the whole play; a decision that waits keeps its number."""
    game = make(game_id)
    games, networks = Games(game, BATCH, source="rules"), networks_of(game, NetworkConfig(hidden=(8,)), seed=3)
    cast = Cast(game, networks, {}, BATCH, torch.Generator().manual_seed(1))
    found, _ = rollout(games, cast, games.begin(5), STEPS)
    whole = transitions(found, DISCOUNT)
    expected = {int(d): k for k, d in enumerate(whole.decision)}
    late = Rollout._fields.index("next_values")
    seen: set[int] = set()
    waited: Waiting | None = None
    numbers = torch.arange(found.learns.numel())
    waiting_numbers = torch.zeros(0, dtype=torch.int64)
    start, each = 0, found.learns[0].numel()
    for length in pieces:
        early = (part[start : start + length] for part in found[:late])
        told = transitions(Rollout(*early, *found[late:]), DISCOUNT, waited)
        names = torch.cat([numbers[start * each : (start + length) * each], waiting_numbers])
        for k, place in enumerate(names[told.decision].tolist()):
            assert place not in seen
            seen.add(place)
            same = expected[place]
            assert told.reward[k].item() == pytest.approx(whole.reward[same].item(), abs=1e-5)
            assert told.discount[k].item() == pytest.approx(whole.discount[same].item(), abs=1e-6)
            assert int(names[told.following[k]]) == int(whole.following[same])
        waited = told.waiting
        waiting_numbers = names[waited.place.clamp(min=0).flatten()]
        start += length
    assert seen == set(expected)
    assert seen
    assert waited is not None
    torch.testing.assert_close(waited.paid, whole.waiting.paid)
    torch.testing.assert_close(waited.factor, whole.waiting.factor)
