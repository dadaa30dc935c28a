"""A batch of games in progress as torch tensors, whichever of the environments plays them.

Every decision has an axis for who decides: one mover, or all players where moves are simultaneous. A forced move is no
decision: there is nothing to learn from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from eqenvs.arrays import require_torch_device
from eqenvs.envs.vector import VectorStep
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.spec import Family

Source: TypeAlias = Literal["auto", "rules", "table", "torch"]  # torch: the rules, on torch wherever they run
TABLE_LIMIT = 1_000_000  # histories, or pairs of a state and a joint action, of a game that `auto` lays out as a table


class Shown(NamedTuple):
    """What is shown at a stage; M is 1 where one player moves at a time, N elsewhere.

    Attributes:
        players: [B, M] int64, who decides.
        decides: [B, M] bool, whether there is more than one legal action.
        observations: [B, M, D] float32.
        masks: [B, M, A] bool.
        keys: [B, M, W] int64.
    """

    players: Tensor
    decides: Tensor
    observations: Tensor
    masks: Tensor
    keys: Tensor


class Stage(NamedTuple):
    """What came of a stage: see `VectorStep`."""

    shown: Shown
    rewards: Tensor  # [B, N] float32
    over: Tensor  # [B] bool
    cut: Tensor  # [B] bool


def uses_table(game: Game, device: str, source: Source) -> bool:
    """Whether the games are to be played by `table_env`.

    Raises:
        InputError: if a table is asked for on another device than the CPU.
    """
    if source == "table" and device != "cpu":
        raise InputError(f"config: play.source: 'table' plays on the cpu, not on {device!r}; use 'rules'")
    if source != "auto":
        return source == "table"
    small = game.exact and game.size is not None and game.size <= TABLE_LIMIT
    covered = game.family is Family.MARKOV or (game.family is Family.EXTENSIVE_FORM and not game.rules.simultaneous)
    return device == "cpu" and small and covered


class Games:
    """B games of one kind.

    Attributes:
        roles: [N] int64, whose policy each player follows.
        discount: a stage.
    """

    def __init__(self, game: Game, num_envs: int, device: str = "cpu", source: Source = "auto") -> None:
        self.game, self.num_envs = game, num_envs
        self.device = require_torch_device(torch, device)
        self._tabular = uses_table(game, device, source)
        self._torch = not self._tabular and (source == "torch" or self.device.type != "cpu")
        library = "torch" if self._torch else None
        self._env: Any = (
            game.table_env(num_envs) if self._tabular else game.vector_env(num_envs, device, library=library)
        )
        self.simultaneous = game.rules.simultaneous
        self.roles = torch.tensor(game.rules.roles, device=self.device)
        self.discount = game.rules.discount

    def begin(self, seed: int) -> Shown:
        """Start all games."""
        return self._shown(self._env.reset(seed))

    def go_on(self, snapshot: Sequence[Any], seed: int) -> Shown:
        """Go on with games in progress, chance drawing from a new stream."""
        self._env.reset(seed)
        shown = self._shown(self._env.restore(_filled(self._env.snapshot(), iter(snapshot))))
        self._env.reseed(seed)
        return shown

    def snapshot(self) -> list[Any]:
        """The games in progress, to go on with: arrays, in the order in which the environment holds them."""
        return _leaves(self._env.snapshot())

    def step(self, actions: Tensor) -> Stage:
        """Move in every game by actions [B, M]."""
        moves = actions if self.simultaneous else actions[:, 0]
        step: VectorStep = self._env.step(moves if self._torch else moves.numpy())
        return Stage(
            self._shown(step), _tensor(step.rewards).float(), _tensor(step.terminated), _tensor(step.truncated)
        )

    def final_observations(self, player: int) -> Tensor:
        """What a player saw at the end of the last stage, before new games began: [B, D] float32."""
        return _tensor(self._env.final_observations(player))

    def final_decides(self, player: int) -> Tensor:
        """Whether a player had a choice there: [B] bool; anything where a game was over.

        Environments that are not rules often tell nothing at the end: then everybody has.
        """
        return _tensor(self._env.final_masks(player)).sum(dim=-1) != 1

    def all_observations(self, shown: Shown) -> Tensor:
        """What all players see now, side by side: [B, N * D] float32.

        Raises:
            UnsupportedGame: where one player moves at a time and the games are played from a table.
        """
        if self.simultaneous:
            return shown.observations.flatten(1)
        if self._tabular:
            raise UnsupportedGame(
                "config: network.centralised_critic needs play.source 'rules': a table has no such view"
            )
        return torch.cat([_tensor(self._env.observations(p)) for p in range(len(self.roles))], dim=1)

    def _shown(self, step: VectorStep) -> Shown:
        players, observations, masks, keys = map(_tensor, (step.players, step.observations, step.masks, step.keys))
        if self.simultaneous:
            players = torch.arange(len(self.roles), device=self.device).expand(masks.shape[:2])
        else:
            players, observations, masks, keys = (x[:, None] for x in (players, observations, masks, keys))
        return Shown(players, masks.sum(dim=-1) > 1, observations, masks, keys)


def _leaves(tree: Any) -> list[Any]:
    """The arrays in nested tuples."""
    return [leaf for part in tree for leaf in _leaves(part)] if isinstance(tree, tuple) else [tree]


def _filled(tree: Any, leaves: Iterator[Any]) -> Any:
    """Nested named tuples like `tree`, with other arrays."""
    return type(tree)(*(_filled(part, leaves) for part in tree)) if isinstance(tree, tuple) else next(leaves)


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)) if isinstance(array, np.ndarray) else array
