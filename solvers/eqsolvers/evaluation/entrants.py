"""Policies that are compared: each has a name, and can be asked to take any player's place."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models import Model
from eqenvs.policies import (
    BehaviourPolicy,
    CorrelatedStrategy,
    MarkovCorrelatedPolicy,
    MixturePolicy,
    marginals,
    player_entries,
    player_table,
    private_mixture,
)
from eqenvs.spec import Family


@dataclass(frozen=True, eq=False)
class Entrant:
    """A policy under a name.

    Attributes:
        name: what it is called in results.
        policy: a joint policy of the game, which in a player's place plays that player's part alone; of a correlation
            device its marginal, since nobody else hears the same draw. Where an entrant takes one player's place only,
            that player's policy, or private mixture of policies, will do.
        key: what random streams are made from; entrants with the same key are the same policy. Default the name.
    """

    name: str
    policy: Any
    key: str = ""

    @property
    def identity(self) -> str:
        """The key, or the name in its place."""
        return self.key or self.name

    def entry(self, player: int, num_players: int) -> BehaviourPolicy | MixturePolicy:
        """What it plays by as `player`."""
        policy = self.policy
        if isinstance(policy, MixturePolicy | CorrelatedStrategy | MarkovCorrelatedPolicy):
            policy = marginals(policy, num_players)
        entry: BehaviourPolicy | MixturePolicy = player_entries(policy, num_players)[player]
        return entry

    def members(self, player: int, model: Model) -> tuple[list[Float64Array], Float64Array]:
        """The tables [I, A] that it draws from as `player`, and the weights it draws them with.

        Raises:
            PolicyError: if one of them is no policy of the game.
        """
        drawn, weights = private_mixture(self.entry(player, model.num_players), player)
        return [player_table(model, player, member) for member in drawn], weights


def stream_key(entrants: Sequence[Entrant]) -> tuple[int, ...]:
    """Numbers for a random stream that follow from who takes which player's place, and from nothing else."""
    digest = hashlib.sha256("\0".join(entrant.identity for entrant in entrants).encode()).digest()
    return tuple(int.from_bytes(digest[start : start + 4], "little") for start in range(0, 16, 4))


def require_seats(game: Game, seats: Sequence[Sequence[Entrant]]) -> None:
    """Check who is to play what.

    Raises:
        InputError: unless there are entrants for each player.
        UnsupportedGame: if the game has no players that meet.
    """
    if game.family is Family.MEAN_FIELD:
        raise UnsupportedGame(
            f"{game!r} is a mean-field game, in which policies do not meet as players; compare in a game of N agents"
        )
    if game.num_players < 2:
        raise UnsupportedGame(f"{game!r} has one player: there is nobody to play against")
    if len(seats) != game.num_players:
        raise InputError(f"cross-play needs entrants for each of {game.num_players} players, got {len(seats)} lists")

    for player, entrants in enumerate(seats):
        if not entrants:
            raise InputError(f"cross-play needs an entrant at least for player {player}, got none")
