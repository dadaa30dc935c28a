"""Mixed-oracles: a response is learned to one opponent at a time, and the mixture is answered by mixing their values.

Smith, Anthony and Wellman (2021), "Iterative empirical game solving via single policy best response", ICLR, for the
loop; Smith, Anthony, Wang and Wellman (2020), "Learning to play against any mixture of opponents", arXiv 2009.14180,
for Q-mixing. An iteration of PSRO brings one new opponent policy, so only the response to that one is learned; action
values Q_j against the others are taken from the records of the player's own population. The response to a mixture that
draws opponent j with weight w_j is greedy on

    Q(s, a) = sum_j P(j | s) Q_j(s, a),

P(j | s) being the weights themselves (`belief: prior`) or what is believed of the opponent after what was seen, in
proportion to w_j times the chance of meeting s against j (`belief: posterior`, exact from the model, where the papers
learn a classifier). Q_j supposes that from the next decision on it is known who plays, so the response is the best one
where nothing is left to be learned from play, and never better than a best response to the mixture.

Values are exact, or learned by the oracle `tabular_q` or `dqn`. Where the game can be enumerated a record holds a table
and the one response learned for it; elsewhere it holds all networks that it mixes. Two players.

What it saves: in Leduc poker, 60 iterations of `nash` with `tabular_q`, exploitability is 1.16 instead of 1.47 where a
response has 2,000 episodes, .71 and .78 where it has 5,000, .50 and .48 with 20,000 (six seeds, standard errors .02 to
.06; prior beliefs 1.24, .76 and .53).

Cost: the responder's, once for every opponent not yet met, and a sum of tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, SerializeAsAny, field_validator

from eqagents.configuration import NamedSettings, by_id
from eqagents.oracles import (
    Member,
    OracleResult,
    OracleSpec,
    Situation,
    find_oracle,
    populations_of,
    require_two_players,
)
from eqagents.oracles._actor_learner import judged
from eqagents.oracles._plans import PlayerForm, greedy, others_weights, player_form, table_of
from eqagents.oracles._q_play import learned
from eqagents.oracles.dqn import DQNOracleConfig, trained, values_of
from eqagents.oracles.exact import ExactConfig
from eqagents.oracles.tabular_q import TabularQConfig, walked
from eqagents.policies import to_network, to_policy
from eqagents.policies.digests import digest
from eqagents.policies.q_mixing import RECORD, q_mixing_record
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models import ExtensiveFormModel
from eqenvs.policies import JointPolicy, ProductPolicy, TabularPolicy, for_player, uniform_play

RESPONDERS = ("exact", "tabular_q", "dqn")
STREAM = 2  # of the seeds of single responses, beside those that `judged` uses


class QMixingConfig(NamedSettings):
    """Settings of the oracle `q_mixing`."""

    id: Literal["q_mixing"] = "q_mixing"
    responder: SerializeAsAny[NamedSettings] = Field(
        default=ExactConfig(), description="id and settings of who answers single opponents: exact, tabular_q or dqn"
    )
    belief: Literal["posterior", "prior"] = Field(
        default="posterior", description="who is thought to play: by the mixture and what was seen, or by the mixture"
    )
    value_episodes: int = Field(
        default=1024, ge=2, description="episodes played at the end to say what the response earns"
    )

    @field_validator("responder", mode="wrap")
    @classmethod
    def _responder_by_id(cls, value: Any, handler: Any) -> NamedSettings:
        config = by_id(value, find_oracle, "learner.oracle.responder")
        if config.id not in RESPONDERS:
            raise InputError(
                f"config: learner.oracle.responder: {config.id!r} has no action values; use {', '.join(RESPONDERS)}"
            )
        return config


def respond(config: QMixingConfig, situation: Situation) -> OracleResult:
    """The response to the mixture; see `Oracle`."""
    game, player = situation.game, situation.player
    require_two_players(situation, config.id, "answers one opponent at a time", "'exact' or 'ppo'")
    populations = populations_of(situation, config.id)
    weights = others_weights(populations.meta, player)
    members = [populations.members[1 - player][j] for j in np.flatnonzero(weights > 0).tolist()]
    chances = weights[weights > 0].tolist()
    marks = [digest(member.record) for member in members]
    known, new, episodes = _known(populations.members[player]), [], 0
    for place, (mark, member) in enumerate(zip(marks, members, strict=True)):
        if mark not in known:
            seed = np.random.SeedSequence(situation.seed.entropy, spawn_key=(*situation.seed.spawn_key, STREAM, place))
            single = replace(situation, opponents=_alone(situation, member), seed=seed, warm_start=None)
            values, played = _answer(config.responder, single)
            known[mark] = {"opponent": mark, "values": values}
            new.append(known[mark])
            episodes += played
    answers = [known[mark] for mark in marks]
    if game.exact:
        masks = game.information_states[player].masks
        met = [np.ones(len(masks))] * len(members)
        if config.belief == "posterior":
            form = player_form(situation, config.id)
            met = [form.met(_alone(situation, member)) for member in members]
        tables = [answer["values"] for answer in answers]
        record = q_mixing_record(new, table=_greedy_on(tables, chances, met, masks))
    else:
        record = q_mixing_record(answers, weights=chances)
    found = judged(situation, record, learned=episodes, episodes=config.value_episodes)
    counts = {"trained": float(len(new)), "reused": float(len(members) - len(new))}
    return replace(found, metrics=found.metrics | counts)


def _known(members: Sequence[Member]) -> dict[str, dict[str, Any]]:
    """The answers in a population's records, by the opponent's digest."""
    return {
        answer["opponent"]: answer
        for member in members
        if member.record["kind"] == RECORD.id
        for answer in member.record["answers"]
    }


def _alone(situation: Situation, member: Member) -> JointPolicy:
    """One member of the opponent's population."""
    other, game = 1 - situation.player, situation.game
    if not game.exact:
        entries: list[Any] = [uniform_play, uniform_play]
        entries[other] = to_policy(member.record, game, other)
        return ProductPolicy(entries)
    return for_player(game, other, table_of(situation, other, member))


def _answer(config: NamedSettings, single: Situation) -> tuple[Any, int]:
    """Action values against one opponent, and how many games were played for them."""
    game = single.game
    if isinstance(config, DQNOracleConfig):
        record, episodes = trained(config, single)
        network = values_of(record)
        return (_evaluated(single, network) if game.exact else network), episodes
    if not game.exact:
        raise UnsupportedGame(
            f"oracle 'q_mixing': responder {config.id!r} needs a game that can be enumerated, {game!r} cannot; use "
            "responder 'dqn'"
        )
    if isinstance(config, TabularQConfig):
        model = game.model()
        if isinstance(model, ExtensiveFormModel):
            form = player_form(single, "q_mixing")
            return form.laid_out(walked(config, model, single)), config.episodes
        settings = config.episodes, config.num_envs, (config.first_epsilon, config.epsilon)
        table, episodes = learned(single, *settings, config.decay, config.least_rate)
        rows = table.rows(game.information_states[single.player].keys)
        return table.values[rows], episodes
    return _exact(player_form(single, "q_mixing"), single), 0


def _exact(form: PlayerForm, single: Situation) -> Float64Array:
    """What actions are worth with best play after them, 0 at information sets that are never met."""
    assert isinstance(single.opponents, TabularPolicy)  # by `_alone`
    gradient = form.gradient(single.opponents.tables)
    met = form.met(single.opponents)[:, None]
    return np.where(met > 0, form.laid_out(form.worth(gradient)) / np.where(met > 0, met, 1.0), 0.0)


@torch.no_grad()
def _evaluated(single: Situation, record: dict[str, Any]) -> Float64Array:
    network = to_network(record, single.game, single.player)
    assert network is not None
    states = single.game.information_states[single.player]
    values: Float64Array = network(torch.tensor(np.asarray(states.observations))).double().numpy()
    return values


def _greedy_on(
    tables: Sequence[Float64Array], chances: Sequence[float], met: Sequence[Float64Array], masks: Any
) -> Float64Array:
    """The pure table of the best mixed values; an action that was never tried is as bad as the worst that was."""
    total = np.zeros(masks.shape)
    for values, chance, meets in zip(tables, chances, met, strict=True):
        tried = np.isfinite(values) & masks
        worst = np.where(tried, values, np.inf).min(axis=1, keepdims=True)
        total += chance * meets[:, None] * np.where(tried, values, np.where(np.isfinite(worst), worst, 0.0))
    return greedy(np.where(masks, total, -np.inf))


def check(config: QMixingConfig) -> None:
    """Raise InputError if the responder cannot run on the machine."""
    find_oracle(config.responder.id).check(config.responder)


ORACLE = OracleSpec(
    id="q_mixing",
    config=QMixingConfig,
    respond=respond,
    needs_model=False,
    needs_populations=True,
    may_lose=True,
    check=check,
)
