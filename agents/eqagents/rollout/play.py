"""Playing a batch of games for some stages, and what was seen: self-play, populations and N agents alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqagents.rollout.cast import Cast
from eqagents.rollout.games import Games, Shown
from eqagents.rollout.trajectory import Rollout


def rollout(games: Games, cast: Cast, shown: Shown, steps: int, *, central: bool = False) -> tuple[Rollout, Shown]:
    """Play `steps` stages of every game.

    Args:
        games: in progress.
        cast: who plays.
        shown: what the games show.
        steps: T, at least 1.
        central: let the critic see what all players see.

    Returns:
        What was seen, and what the games show now.
    """
    buffers: dict[str, Tensor] = {}

    def keep(t: int, **parts: Tensor) -> None:
        for name, part in parts.items():
            if name not in buffers:
                buffers[name] = torch.empty((steps, *part.shape), dtype=part.dtype, device=part.device)
            buffers[name][t] = part

    sees = _Critic(games, cast, central)
    for t in range(steps):
        acted = cast.act(shown)
        states, values = sees.now(shown)
        keep(
            t, observations=shown.observations, masks=shown.masks, players=shown.players, learns=acted.learns,
            actions=acted.actions, log_policy=acted.log_policy, ways=acted.ways.to(torch.int8), values=values,
        )  # fmt: skip
        if central:
            keep(t, states=states)
        stage = games.step(acted.actions)
        ended = stage.over | stage.cut
        keep(t, rewards=stage.rewards, over=stage.over, cut=stage.cut, cut_values=sees.cut(stage.cut))
        if bool(ended.any()):
            cast.redraw(ended)
        shown = stage.shown
    buffers.setdefault("states", buffers["observations"])
    _, values = sees.now(shown)
    players = len(games.roles)
    blank = torch.zeros((games.num_envs, players), device=games.device)
    learns = cast.learning[shown.players] & shown.decides
    buffers["next_values"] = blank.scatter(1, shown.players, values)
    buffers["next_known"] = blank.bool().scatter(1, shown.players, learns)
    return Rollout(**{name: buffers[name] for name in Rollout._fields}), shown


class _Critic:
    """What the critic sees, and its values."""

    def __init__(self, games: Games, cast: Cast, central: bool) -> None:
        self._games, self._cast, self._central = games, cast, central

    @torch.no_grad()
    def now(self, shown: Shown) -> tuple[Tensor, Tensor]:
        """States [B, M, C] and values [B, M] at a stage."""
        states = self._widened(shown)
        flat = states.reshape(-1, states.shape[-1])
        roles = self._games.roles[shown.players].reshape(-1)
        return states, self._cast.networks.values(flat, roles).view(shown.players.shape)

    @torch.no_grad()
    def cut(self, cut: Tensor) -> Tensor:
        """Values [B, N] of the states that truncation cut off; 0 elsewhere."""
        count = len(self._games.roles)
        found = torch.zeros((len(cut), count), device=cut.device)
        rows = torch.nonzero(cut)[:, 0]
        if len(rows) == 0:
            return found
        seen = [self._games.final_observations(player)[rows] for player in range(count)]
        for player, own in enumerate(seen):
            states = torch.cat(seen, dim=1) if self._central else own
            found[rows, player] = self._cast.networks.values(states, self._games.roles[player].expand(len(rows)))
        return found

    def _widened(self, shown: Shown) -> Tensor:
        if not self._central:
            return shown.observations
        everything = self._games.all_observations(shown)
        return everything[:, None].expand(-1, shown.players.shape[1], -1)


def collected(
    games: Games, cast: Cast, steps: int, *, seed: int, snapshot: Sequence[Any] | None = None, central: bool = False
) -> tuple[Rollout, list[Any]]:
    """`rollout` from where a snapshot left off, or from new games: what was played, and the next snapshot."""
    if snapshot is None:
        shown = games.begin(seed)
    else:
        shown = games.go_on(snapshot[1:], seed)
        cast.drawn = torch.as_tensor(np.array(snapshot[0])).to(games.device)
    found, _ = rollout(games, cast, shown, steps, central=central)
    return found, [cast.drawn.cpu().numpy(), *games.snapshot()]
