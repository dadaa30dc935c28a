"""What a batch of games played for some stages holds, and what learners make of it.

Games run on from stage to stage and start anew where they end, so a row is several games one after the other. At a
stage M players decide: the one to move (M = 1), or everybody (M = N) where moves are simultaneous. A player's next
decision may be several stages later; what is paid meanwhile is discounted by the stage.

At the last stage some players' next decisions are not yet seen. To keep only the decisions whose consequences were seen
would favour actions that end games soon, so what is left out goes by the stage alone: no decision of a player's in the
last K - 1 stages is learnt from, K being the longest time that the player waited, in any of the games, for its next
decision or the end of the game.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from eqagents.rollout import _estimates


class Rollout(NamedTuple):
    """T stages of B games, on one device; A actions, D numbers seen, C numbers that the critic sees.

    Attributes:
        observations: [T, B, M, D] float32.
        states: [T, B, M, C] float32, what the critic sees; the observations where it sees no more.
        masks: [T, B, M, A] bool, legal actions.
        players: [T, B, M] int64, who decides; 0 where `learns` is False.
        learns: [T, B, M] bool, whether that player decides there and is one to learn from.
        actions: [T, B, M] int64.
        log_policy: [T, B, M, A] float32, of the policy that played; -inf where illegal.
        ways: [T, B, M] int8, which of its ways to play the behaviour followed; see `Behaviour`.
        values: [T, B, M] float32, the critic's.
        rewards: [T, B, N] float32, received by the stage.
        over: [T, B] bool, the game ended by its rules in the stage.
        cut: [T, B] bool, the game was truncated in the stage.
        cut_values: [T, B, N] float32, the critic's of the states that were cut off, or, for a player who has no choice
            there, of its last decision; 0 elsewhere.
        next_values: [B, N] float32, the critic's after the last stage.
        next_known: [B, N] bool, for whom there is one: those who decide there.
    """

    observations: Tensor
    states: Tensor
    masks: Tensor
    players: Tensor
    learns: Tensor
    actions: Tensor
    log_policy: Tensor
    ways: Tensor
    values: Tensor
    rewards: Tensor
    over: Tensor
    cut: Tensor
    cut_values: Tensor
    next_values: Tensor
    next_known: Tensor

    def to(self, device: torch.device) -> Rollout:
        """The same on a device."""
        return Rollout(*changed_once(self, lambda part: part.to(device, non_blocking=True)))

    def nbytes(self) -> int:
        """Memory held."""
        return sum(part.nbytes for part in {part.data_ptr(): part for part in self}.values())


def changed_once(parts: Iterable[Any], change: Callable[[Any], Any]) -> list[Any]:
    """The parts of a rollout changed; one that is there twice, as what the critic sees may be, stays one."""
    kept = list(parts)
    changed = {name: change(part) for name, part in {id(part): part for part in kept}.items()}
    return [changed[id(part)] for part in kept]


def joined(parts: list[Rollout]) -> Rollout:
    """Rollouts of as many stages side by side."""
    if len(parts) == 1:
        return parts[0]
    alike = all(part.states is part.observations for part in parts)
    fields: dict[str, Tensor] = {}
    for name, column in zip(Rollout._fields, zip(*parts, strict=True), strict=True):
        if name == "states" and alike:
            fields[name] = fields["observations"]
        else:
            fields[name] = torch.cat(column, dim=0 if name in {"next_values", "next_known"} else 1)
    return Rollout(**fields)


def of_players(rollout: Rollout, which: Tensor) -> Rollout:
    """The part of some players [n] int64, numbered anew, of a game in which all decide at once."""
    fields = rollout._asdict()
    by_player = {"rewards", "cut_values", "next_values", "next_known"}
    for name, part in fields.items():
        if name in by_player:
            fields[name] = part[..., which]
        elif name not in {"over", "cut"}:
            fields[name] = part[:, :, which]
    if rollout.states is rollout.observations:
        fields["states"] = fields["observations"]
    fields["players"] = torch.arange(len(which), device=which.device).expand(fields["players"].shape)
    return Rollout(**fields)


def longest_waits(rollout: Rollout) -> Tensor:
    """The most stages from a decision of each player to its next one, or to the end of the game: [N], at least 1.

    A wait whose end is not seen counts as one stage more than was seen of it.
    """
    waited = torch.zeros_like(rollout.next_values)  # 0: for nothing
    longest = torch.ones_like(waited[0])
    for who, decides, over, cut in zip(rollout.players, rollout.learns, rollout.over, rollout.cut, strict=True):
        moved = torch.zeros_like(rollout.next_known).scatter(1, who, decides)
        longest = torch.maximum(longest, torch.where(moved, waited, 0.0).amax(dim=0))
        waited = torch.where(moved, 1.0, torch.where(waited > 0, waited + 1, 0.0))
        ended = (over | cut)[:, None]
        longest = torch.maximum(longest, torch.where(ended, waited, 0.0).amax(dim=0))
        waited = waited.masked_fill(ended, 0.0)
    unseen = (waited > 0) & ~rollout.next_known
    return torch.maximum(longest, (waited + unseen).amax(dim=0)).long()


class Advantages(NamedTuple):
    """Estimates for the decisions of a rollout, [T, B, M] each.

    Attributes:
        advantages: float32.
        returns: float32, the critic's targets: advantage plus value.
        known: bool, whether there is one: False where `learns` is, and where the player's next decision is not seen.
    """

    advantages: Tensor
    returns: Tensor
    known: Tensor


def advantages(rollout: Rollout, discount: float, decay: float) -> Advantages:
    """Generalised advantage estimates of every player's own decisions (Schulman et al. 2016, ICLR, equation 16).

    A(d) = sum_k decay^k delta(d + k) over a player's successive decisions d, each discounted by the stages between;
    delta is what is paid until the next decision plus its value, less the value of this one. The sum ends with the last
    decision that is not of the stages left out.

    Args:
        rollout: the play.
        discount: a stage.
        decay: lambda of the estimate, from 0 (one step) to 1 (returns).
    """
    if rollout.values.device.type != "cpu":
        return advantages_by_arrays(rollout, discount, decay)
    found, usable = torch.zeros_like(rollout.values), torch.zeros_like(rollout.learns)
    # Compiled for contiguous arrays alone; all of a rollout's are, but for those of some of its players.
    players, learns = (np.ascontiguousarray(part) for part in (rollout.players, rollout.learns))
    ended, next_known = (np.ascontiguousarray(part) for part in (rollout.over | rollout.cut, rollout.next_known))
    values, rewards, cut_values, next_values = (
        np.ascontiguousarray(part)
        for part in (rollout.values, rollout.rewards, rollout.cut_values, rollout.next_values)
    )
    _estimates.estimated(
        players,
        learns,
        ended,
        values,
        rewards,
        cut_values,
        next_values,
        next_known,
        _estimates.longest_waits(players, learns, ended, next_known),
        np.float32(discount),
        np.float32(decay),
        found.numpy(),
        usable.numpy(),
    )
    return Advantages(found, found + rollout.values, usable)


def advantages_by_arrays(rollout: Rollout, discount: float, decay: float) -> Advantages:
    """What `advantages` does, as operations on whole arrays of any device."""
    value, known = rollout.next_values.clone(), rollout.next_known.clone()
    ahead, paid = torch.zeros_like(value), torch.zeros_like(value)
    found, usable = torch.zeros_like(rollout.values), torch.zeros_like(rollout.learns)
    everybody = torch.zeros_like(known)
    late = len(rollout.over) - longest_waits(rollout)
    for t in reversed(range(len(rollout.over))):
        ended = (rollout.over[t] | rollout.cut[t])[:, None]
        value = discount * torch.where(ended, rollout.cut_values[t], value)
        ahead = discount * ahead.masked_fill(ended, 0.0)
        paid = rollout.rewards[t] + discount * paid.masked_fill(ended, 0.0)
        known = known | ended
        who, decides, at = rollout.players[t], rollout.learns[t], rollout.values[t]
        sure = known.gather(1, who) & decides & (t <= late[who])
        delta = paid.gather(1, who) + value.gather(1, who) - at
        estimate = torch.where(sure, delta + decay * ahead.gather(1, who), 0.0)
        found[t], usable[t] = estimate, sure
        moved = everybody.scatter(1, who, decides)
        value = torch.where(moved, torch.zeros_like(value).scatter(1, who, at), value)
        ahead = torch.where(moved, torch.zeros_like(value).scatter(1, who, estimate), ahead)
        paid = paid.masked_fill(moved, 0.0)
        known = known | moved
    return Advantages(found, found + rollout.values, usable)
