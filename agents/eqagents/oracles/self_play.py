"""A best response to the opponent's least exploitable mixture, and a mixed policy found by self-play: self-play PSRO.

McAleer, Lanier, Wang, Baldi, Fox and Sandholm (2022), "Self-play PSRO: toward optimal populations in two-player
zero-sum games", arXiv 2207.06541. A population is mixed by a no-regret learner against the best response of the whole
game to its mixture, as by the meta-solver `anytime`; one member of the mixture is a new policy, which learns against
that best response in the meantime. Its average joins the population beside the best response to the other population's
mixture, and often is nearer to equilibrium than any pure response.

Exact where the paper has networks: best responses come from the model, and the new policy learns by regret matching+ at
every information set, as in CFR-BR (Johanson, Bard, Burch and Bowling 2012, AAAI). The mixture is weighed by regret
matching+ too; averages are linear. What the meta-solver found is not used. Two players, constant sum,
normal or extensive form.

Cost: `rounds` times two best responses and 2 K inner products, for populations of K.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from pydantic import Field

from eqagents.configuration import NamedSettings
from eqagents.oracles import OracleResult, OracleSpec, Populations, Situation, populations_of
from eqagents.policies import tabular_record
from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.models import ExtensiveFormModel, NormalFormModel

Matrix: TypeAlias = ExtensiveFormModel | NormalFormModel


class SelfPlayConfig(NamedSettings):
    """Settings of the oracle."""

    id: Literal["self_play"] = "self_play"
    rounds: int = Field(default=100, ge=1, description="of the mixture and the new policy against best responses")


def respond(config: SelfPlayConfig, situation: Situation) -> OracleResult:
    """The best response, and the new policy beside it; see `Oracle`."""
    game, player = situation.game, situation.player
    model = game.model()
    if game.num_players != 2 or not game.constant_sum or not isinstance(model, ExtensiveFormModel | NormalFormModel):
        raise UnsupportedGame(
            f"oracle 'self_play': covers two-player constant-sum games in normal or extensive form, {game!r} is none; "
            "use oracle 'exact'"
        )
    populations = populations_of(situation, "self_play")
    theirs, _ = _mixed(model, 1 - player, populations, config.rounds)
    plans = [theirs, theirs]
    gradient = model.gradient(player, plans)
    _, own = _mixed(model, player, populations, config.rounds)
    response = _best(model, player, gradient)
    value = float(_plan(model, player, response) @ gradient)
    return OracleResult(tabular_record(response), {"value": value}, 0, also=(tabular_record(own),))


def _mixed(model: Matrix, player: int, populations: Populations, rounds: int) -> tuple[Float64Array, Float64Array]:
    """The plan of a population's mixture with a new policy, and the table of that policy, both averages."""
    tables = [member.table for member in populations.members[player]]
    members = np.stack([_plan(model, player, table) for table in tables if table is not None])
    weight_regret, weights = np.zeros(len(members) + 1), np.full(len(members) + 1, 1.0 / (len(members) + 1))
    new = _uniform(model, player)
    regret = np.zeros_like(new)
    mixture, average = np.zeros(members.shape[1]), np.zeros(members.shape[1])
    for round_ in range(1, rounds + 1):
        plan = _plan(model, player, new)
        every = np.vstack([members, plan])
        mixed = weights @ every
        mixture += round_ * mixed
        average += round_ * plan
        opponent = 1 - player
        met = _plan(model, opponent, _best(model, opponent, model.gradient(opponent, [mixed, mixed])))
        gradient = model.gradient(player, [met, met])
        earned = every @ gradient
        weight_regret = np.maximum(weight_regret + earned - weights @ earned, 0.0)
        weights = _matched(weight_regret[None], np.ones((1, len(weights)), dtype=bool))[0]
        worth = _action_values(model, player, new, gradient)
        regret = np.maximum(regret + worth - (new * worth).sum(axis=1, keepdims=True), 0.0)
        new = _matched(regret, _masks(model, player))
    total = rounds * (rounds + 1) / 2
    return mixture / total, _behaviour(model, player, average / total)


def _matched(regret: Float64Array, masks: np.ndarray) -> Float64Array:
    """In proportion to regrets [I, A], which are not negative; uniform over what is legal where there are none."""
    legal = np.where(masks, regret, 0.0)
    total = legal.sum(axis=1, keepdims=True)
    uniform = masks / masks.sum(axis=1, keepdims=True)
    return np.where(total > 0, legal / np.where(total > 0, total, 1.0), uniform)


def _masks(model: Matrix, player: int) -> np.ndarray:
    return model.information_states[player].masks


def _uniform(model: Matrix, player: int) -> Float64Array:
    return model.information_states[player].uniform()


def _plan(model: Matrix, player: int, table: Float64Array) -> Float64Array:
    return table[0] if isinstance(model, NormalFormModel) else model.treeplexes[player].realisation_plan(table)


def _behaviour(model: Matrix, player: int, plan: Float64Array) -> Float64Array:
    return plan[None] if isinstance(model, NormalFormModel) else model.treeplexes[player].behaviour(plan)


def _best(model: Matrix, player: int, gradient: Float64Array) -> Float64Array:
    """The pure best response [I, A], the first of equals."""
    if isinstance(model, NormalFormModel):
        table = np.zeros((1, len(gradient)))
        table[0, gradient.argmax()] = 1.0
        return table
    return model.treeplexes[player].best_response(gradient)[1]


def _action_values(model: Matrix, player: int, table: Float64Array, gradient: Float64Array) -> Float64Array:
    """What every action collects with the table's play after it, [I, A]; 0 where it is not legal."""
    if isinstance(model, NormalFormModel):
        return gradient[None]
    treeplex = model.treeplexes[player]
    worth, behaviour = gradient.copy(), np.append(1.0, table[treeplex.states.masks])
    for infosets, sequences in reversed(treeplex.levels):
        starts = treeplex.first_sequence[infosets] - sequences.start
        expected = np.add.reduceat((behaviour * worth)[sequences], starts)
        np.add.at(worth, treeplex.parent_sequence[infosets], expected)
    found = np.zeros(table.shape)
    found[treeplex.states.masks] = worth[1:]
    return found


ORACLE = OracleSpec(id="self_play", config=SelfPlayConfig, respond=respond, needs_model=True, needs_populations=True)
