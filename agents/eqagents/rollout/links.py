"""Decisions of players linked to their own next ones: what learners from action values are made of.

A player's next decision may be several stages later, or in the play that comes after: one decision a player may wait at
the end, and is linked when the next play goes on. Were it left out, a decision would be kept or not by what followed
it (games that end early are kept), which biases what is learned from the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from eqagents.rollout.trajectory import Rollout


class Waiting(NamedTuple):
    """Who has decided and waits for what comes of it.

    Attributes:
        place: [B, N] int64, of the decision, as in `Transitions`; -1 where nobody waits.
        paid: [B, N] float32, since then, discounted by the stage.
        factor: [B, N] float32, the discount so far.
    """

    place: Tensor
    paid: Tensor
    factor: Tensor


class Transitions(NamedTuple):
    """Decisions of players and their own next ones, as flat batches of length n.

    Attributes:
        decision: [n] int64, place among the T * B * M decisions of the rollout, and after them B * N, by row and
            player, that waited at its start.
        reward: [n] float32, paid until the next decision, discounted by the stage.
        discount: [n] float32, of the next decision's value; 0 where the game ended before it.
        following: [n] int64, place of the next decision; this one's own where the game ended.
        waiting: at the end.
    """

    decision: Tensor
    reward: Tensor
    discount: Tensor
    following: Tensor
    waiting: Waiting


def transitions(rollout: Rollout, discount: float, waited: Waiting | None = None) -> Transitions:
    """All decisions whose player's next one, or the game's end, is in the rollout.

    A decision that a truncation cuts off from what follows is left out: what to bootstrap from is not stored.

    Args:
        rollout: the play.
        discount: a stage.
        waited: at the end of the play before, which this one goes on from; None at the start.
    """
    steps, batch, movers = rollout.learns.shape
    players = rollout.rewards.shape[2]
    place = torch.arange(steps * batch * movers, device=rollout.learns.device).view(steps, batch, movers)
    if waited is None:
        last = place.new_full((batch, players), -1)
        paid, factor = torch.zeros_like(rollout.next_values), torch.ones_like(rollout.next_values)
    else:
        before = place.numel() + torch.arange(batch * players, device=place.device).view(batch, players)
        last = torch.where(waited.place >= 0, before, -1)
        paid, factor = waited.paid, waited.factor
    moved_to, ended_at = [], []
    for t in range(steps):
        who, decides = rollout.players[t], rollout.learns[t]
        earlier = last.gather(1, who)
        moved_to.append((earlier, paid.gather(1, who), factor.gather(1, who), place[t], decides & (earlier >= 0)))
        moved = torch.zeros_like(last, dtype=torch.bool).scatter(1, who, decides)
        last = torch.where(moved, last.scatter(1, who, place[t]), last)
        paid, factor = paid.masked_fill(moved, 0.0), factor.masked_fill(moved, 1.0)
        paid, factor = paid + factor * rollout.rewards[t], discount * factor
        over, ended = rollout.over[t][:, None], (rollout.over[t] | rollout.cut[t])[:, None]
        ended_at.append((last, paid, torch.zeros_like(factor), last, over & (last >= 0)))
        last, paid, factor = last.masked_fill(ended, -1), paid.masked_fill(ended, 0.0), factor.masked_fill(ended, 1.0)
    columns = [
        _flat(column) for column in zip(*(tuple(zip(*part, strict=True)) for part in (moved_to, ended_at)), strict=True)
    ]
    kept = columns[-1]
    decision, reward, weight, after = (column[kept] for column in columns[:-1])
    return Transitions(decision, reward, weight, after, Waiting(last, paid, factor))


def _flat(parts: tuple[tuple[Tensor, ...], ...]) -> Tensor:
    return torch.cat([torch.stack(part).flatten() for part in parts])
