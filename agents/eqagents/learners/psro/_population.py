"""Members of a population and their mixtures, and the tasks that make them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.distributed import Failed
from eqagents.oracles import OracleResult, Populations, Situation, find_oracle
from eqagents.policies.records import PolicyRecord, to_policy
from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.policies import (
    JointPolicy,
    MixturePolicy,
    ProductPolicy,
    TabularPolicy,
    mixable,
    player_table,
)
from eqenvs.spec import Family
from eqsolvers.meta import MetaSolution

CHECK, MAKE, RESPOND, RESPOND_TO = (
    f"{__name__}:{name}" for name in ("check_oracle", "make_member", "respond", "respond_to")
)


@dataclass(frozen=True)
class Member:
    """One policy of a population.

    Attributes:
        record: what is stored.
        table: its behaviour table [I, A], or None where the run does not tabulate.
    """

    record: PolicyRecord
    table: Float64Array | None


def check_oracle(seed: np.random.SeedSequence, *, config: NamedSettings) -> None:
    """Task: raise InputError if the oracle cannot run on this worker."""
    find_oracle(config.id).check(config)


def make_member(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    record: PolicyRecord,
    player: int,
    tabulated: bool,
    rows: IntArray | None = None,
) -> Member:
    """Task: a policy, evaluated at every information set of its player where the run tabulates.

    `rows` [I] says which of them each information set of another player is, who plays the same.

    As a task it is computed under one torch thread wherever it runs, so its bits do not depend on the machine's load.
    """
    table = player_table(game.model(), player, to_policy(record, game, player)) if tabulated else None
    return Member(record, table if table is None or rows is None else table[rows])


def joint_policy(game: Game, populations: Sequence[Sequence[Member]], meta: MetaSolution) -> JointPolicy:
    """The populations under their meta-strategies; members of weight 0 are left out.

    A product of private mixtures, or the mixture of profiles that a correlation device draws.
    """
    if meta.device is not None:
        cells = [tuple(int(k) for k in cell) for cell in np.argwhere(meta.device > 0)]
        profiles = [ProductPolicy([_policy(game, p, populations[p][k]) for p, k in enumerate(cell)]) for cell in cells]
        return MixturePolicy(profiles, [meta.device[cell] for cell in cells])
    mixtures = []
    for player, (members, weights) in enumerate(zip(populations, meta.strategies, strict=True)):
        support = np.flatnonzero(weights > 0)
        mixtures.append(MixturePolicy([_policy(game, player, members[int(k)]) for k in support], weights[support]))
    return ProductPolicy(mixtures)


def _mixed(
    game: Game, populations: Sequence[Sequence[Member]], meta: MetaSolution, responder: int
) -> TabularPolicy | None:
    """A table equivalent to each private mixture, which is played and scored faster; None where there is none.

    What the responder itself mixes matters in mean-field games alone, where others are like it.
    """
    model = game.model() if meta.device is None and populations[0][0].table is not None else None
    if model is None or not mixable(model):
        return None
    mixed = []
    for player, (members, weights) in enumerate(zip(populations, meta.strategies, strict=True)):
        support = np.flatnonzero(weights > 0)
        tables = [table for k in support if (table := members[int(k)].table) is not None]
        read = player != responder or game.family is Family.MEAN_FIELD
        mixed.append(model.mix(player, np.stack(tables), weights[support]) if read and len(tables) > 1 else tables[0])
    return TabularPolicy.of_checked(game, mixed)


def _policy(game: Game, player: int, member: Member) -> Any:
    """The member's policy, to be asked about `player` only."""
    if member.table is None:
        return to_policy(member.record, game, player)
    tables = [states.uniform() for states in game.information_states]
    tables[player] = member.table
    return TabularPolicy.of_checked(game, tables)


def reporting(task: Callable[..., OracleResult]) -> Callable[..., dict[str, Any] | Failed]:
    """A task that gives the fields of an oracle's result as a tree, or why there is none."""

    @wraps(task)
    def attempt(seed: np.random.SeedSequence, **arguments: Any) -> dict[str, Any] | Failed:
        try:
            return vars(task(seed, **arguments))
        except (UnsupportedGame, MemoryError):
            raise  # not this response's fault
        except Exception as error:  # whatever it is, the other responses are not lost for it
            reason = str(error).partition("\n")[0]
            if isinstance(error, InputError):
                return Failed(reason)
            return Failed(f"{type(error).__name__}: {reason}", traceback.format_exc())

    return attempt


@reporting
def respond(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    config: NamedSettings,
    player: int,
    populations: Sequence[Sequence[Member]],
    meta: MetaSolution,
    payoffs: Float64Array | None = None,
    warm_start: PolicyRecord | None = None,
) -> OracleResult:
    """Task: one player's response to the meta-strategies of the populations, by the oracle that `config` names.

    `payoffs` [N, K_0, ..., K_{N-1}] are those of the empirical game, for oracles that ask for them; `warm_start` is
    what they may start from, by default the last policy of the player.
    """
    opponents = _mixed(game, populations, meta, player) or joint_policy(game, populations, meta)
    situation = Situation(
        game,
        player,
        opponents,
        seed,
        warm_start or populations[player][-1].record,
        Populations(populations, meta, payoffs),
    )
    return find_oracle(config.id).respond(config, situation)


@reporting
def respond_to(
    seed: np.random.SeedSequence, *, game: Game, config: NamedSettings, player: int, opponents: JointPolicy
) -> OracleResult:
    """Task: one player's response to a joint policy, by the oracle that `config` names."""
    return find_oracle(config.id).respond(config, Situation(game, player, opponents, seed))
