"""Members of a population and their mixtures, and the tasks that make them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.oracles import Member, OracleResult, Populations, Situation, find_oracle, policy_of
from eqagents.oracles._tasks import reporting
from eqagents.policies.records import PolicyRecord, to_policy
from eqenvs.arrays import Float64Array, IntArray
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

MAKE, RESPOND = (f"{__name__}:{name}" for name in ("make_member", "respond"))


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
        profiles = [
            ProductPolicy([policy_of(game, p, populations[p][k]) for p, k in enumerate(cell)]) for cell in cells
        ]
        return MixturePolicy(profiles, [meta.device[cell] for cell in cells])
    mixtures = []
    for player, (members, weights) in enumerate(zip(populations, meta.strategies, strict=True)):
        support = np.flatnonzero(weights > 0)
        mixtures.append(MixturePolicy([policy_of(game, player, members[int(k)]) for k in support], weights[support]))
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
