"""Playing a batch of games for some stages, and what was seen: self-play, populations and N agents alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqagents.rollout.cast import Cast
from eqagents.rollout.games import Games, Shown
from eqagents.rollout.networks import ActorCritic, QNetworks
from eqagents.rollout.trajectory import Rollout

PASS_ROWS = 8192  # states whose values are found in one pass, unless a single stage has more


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
    rows: dict[str, tuple[Tensor, ...]] = {}

    def keep(t: int, **parts: Tensor) -> None:
        for name, part in parts.items():
            if name not in buffers:
                dtype = torch.int8 if name == "ways" else part.dtype
                buffers[name] = torch.empty((steps, *part.shape), dtype=dtype, device=part.device)
                rows[name] = buffers[name].unbind()
            rows[name][t].copy_(part)

    sees = _Critic(games, cast, central)
    # What stands for networks may go by the games in progress, and is asked at every stage.
    at_once = isinstance(cast.networks, ActorCritic | QNetworks)
    players = len(games.roles)
    cut_values = torch.zeros((steps, games.num_envs, players), device=games.device)
    idle = torch.zeros(cut_values.shape, dtype=torch.bool, device=games.device)
    for t in range(steps):
        acted = cast.act(shown)
        if central or not at_once:
            states = sees.states(shown)
            if central:
                keep(t, states=states)
            if not at_once:
                keep(t, values=sees.values(states, shown.players))
        keep(
            t, observations=shown.observations, masks=shown.masks, players=shown.players, learns=acted.learns,
            actions=acted.actions, log_policy=acted.log_policy, ways=acted.ways,
        )  # fmt: skip
        stage = games.step(acted.actions)
        keep(t, rewards=stage.rewards, over=stage.over, cut=stage.cut)
        if bool(stage.cut.any()):
            cut_values[t], idle[t] = sees.cut(stage.cut)
        ended = stage.over | stage.cut
        if bool(ended.any()):
            cast.redraw(ended)
        shown = stage.shown
    buffers.setdefault("states", buffers["observations"])
    if at_once:
        buffers["values"] = sees.of_stages(buffers["states"], buffers["players"])
    values = sees.values(sees.states(shown), shown.players)
    blank = torch.zeros((games.num_envs, players), device=games.device)
    learns = cast.learning[shown.players] & shown.decides
    buffers["cut_values"] = cut_values
    buffers["next_values"] = blank.scatter(1, shown.players, values)
    buffers["next_known"] = blank.bool().scatter(1, shown.players, learns)
    found = Rollout(**{name: buffers[name] for name in Rollout._fields})
    if bool(idle.any()):
        # Critics are fitted where players decide. To leave the last decisions out would go by how the game went.
        found = found._replace(cut_values=torch.where(idle, _last_values(found), cut_values))
    return found, shown


class _Critic:
    """What the critic sees, and its values."""

    def __init__(self, games: Games, cast: Cast, central: bool) -> None:
        self._games, self._cast, self._central = games, cast, central

    def states(self, shown: Shown) -> Tensor:
        """What it sees at a stage, [B, M, C]."""
        if not self._central:
            return shown.observations
        everything = self._games.all_observations(shown)
        return everything[:, None].expand(-1, shown.players.shape[1], -1)

    @torch.no_grad()
    def values(self, states: Tensor, players: Tensor) -> Tensor:
        """Values [..., M] of states [..., M, C]."""
        flat = states.reshape(-1, states.shape[-1])
        return self._cast.networks.values(flat, self._games.roles[players].reshape(-1)).view(players.shape)

    def of_stages(self, states: Tensor, players: Tensor) -> Tensor:
        """Values [T, B, M] of states [T, B, M, C], several stages in a pass."""
        count = max(1, PASS_ROWS // max(1, players[0].numel()))
        parts = zip(torch.split(states, count), torch.split(players, count), strict=True)
        return torch.cat([self.values(*part) for part in parts])

    @torch.no_grad()
    def cut(self, cut: Tensor) -> tuple[Tensor, Tensor]:
        """Values [B, N] of states that truncation cut off, 0 elsewhere, and who has no choice there, [B, N] bool."""
        count = len(self._games.roles)
        found = torch.zeros((len(cut), count), device=cut.device)
        rows = torch.nonzero(cut)[:, 0]
        seen = [self._games.final_observations(player)[rows] for player in range(count)]
        for player, own in enumerate(seen):
            states = torch.cat(seen, dim=1) if self._central else own
            found[rows, player] = self._cast.networks.values(states, self._games.roles[player].expand(len(rows)))
        decides = torch.stack([self._games.final_decides(player) for player in range(count)], dim=1)
        return found, cut[:, None] & ~decides


def _last_values(found: Rollout) -> Tensor:
    """The critic's values [T, B, N] of each player's last decision in the game so far; 0 where there was none."""
    value = torch.zeros_like(found.next_values)
    stages = []
    for who, decides, at, ended in zip(found.players, found.learns, found.values, found.over | found.cut, strict=True):
        moved = torch.zeros_like(found.next_known).scatter(1, who, decides)
        value = torch.where(moved, value.scatter(1, who, at), value)
        stages.append(value)
        value = value.masked_fill(ended[:, None], 0.0)
    return torch.stack(stages)


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
