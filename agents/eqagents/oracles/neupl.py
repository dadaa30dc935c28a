"""A population as one network that is told which mixture of opponents it answers.

Liu, Marris, Hennes, Merel, Heess and Graepel (2022), "NeuPL: neural population learning", ICLR. Row i of the
interaction graph is the mixture of opponents that member i answers; one network, conditioned on the row, is all members
at once and is trained on all rows at once, so that what is learned for one member serves the others. Here an iteration
of PSRO adds a row: training goes on from the last member's network, a share `new_share` of the games is for the new
row, and the earlier ones share the rest alike. The new member is the network together with its row.

Play and loss are those of the oracle `ppo`; actor and critic see the row's weights beside the observation. Every
opponent policy has a place of its own among the `capacity` places of a condition, whatever becomes of it.

Differences from the paper: each player has its own network, for games that are not symmetric; members stay as they were
when they joined, since the payoffs of the empirical game are theirs, and do not move as later rows are learned; rows
whose opponents were pruned are no longer trained; a new row starts from logits scaled down by `kept`. Two players.

What it saves: with 10 updates of 128 games x 16 stages a response, exploitability in Leduc poker after 20 iterations of
`nash` is .56 (three seeds, standard error .04) where `ppo` with new networks stands at 1.03 (.05); with 40 updates it
is .54 (.05) and .61 (.04). A `new_share` of 1, the warm start alone, gives .51 (.01) with 10: in so short a run the
gain is that of going on from the last network.

Cost: that of `ppo`, and a forward pass for each distinct opponent of all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from eqagents.learners.deep.ppo import loss
from eqagents.oracles import Member, OracleResult, OracleSpec, Situation, policy_of, populations_of, require_two_players
from eqagents.oracles._actor_learner import begun, check, judged, one_for_all, played_and_fitted, write
from eqagents.oracles._plans import others_weights
from eqagents.oracles._rows import MOST_ROWS, AgainstRows, Conditioned, Told, Watched, widened
from eqagents.oracles.ppo import ClippedConfig, learner_of
from eqagents.policies import PolicyRecord
from eqagents.policies.conditioned import RECORD
from eqagents.policies.digests import digest
from eqagents.rollout.networks import RoleNetwork
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.policies import MixturePolicy, ProductPolicy, uniform_play


class NeuPLConfig(ClippedConfig):
    """Settings of the oracle `neupl`."""

    id: Literal["neupl"] = "neupl"
    updates: int = Field(default=40, ge=1, description="rounds of play and learning per response")
    warm_start: bool = Field(default=True, description="go on from the last member's network")
    kept: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="of the last member's logits at the start: its policy is nearly pure, and would hardly explore",
    )
    new_share: float = Field(default=0.5, gt=0, le=1, description="of the games, for the new member's row")
    capacity: int = Field(
        default=64, ge=1, le=MOST_ROWS, description="opponent policies, and rows, that the network can be told of"
    )


def respond(config: NeuPLConfig, situation: Situation) -> OracleResult:
    """The network with the new row; see `Oracle`."""
    player = situation.player
    require_two_players(situation, config.id, "conditions on one opponent's mixture", "'ppo'")
    populations = populations_of(situation, config.id)
    theirs = populations.members[1 - player]
    before = next((m.record for m in reversed(populations.members[player]) if m.record["kind"] == RECORD.id), None)
    marks = [digest(member.record) for member in theirs]
    slots = list(dict.fromkeys([*(before["slots"] if before else ()), *marks]))
    if len(slots) > config.capacity:
        raise InputError(
            f"oracle 'neupl': {len(slots)} opponent policies are more than capacity {config.capacity}; raise "
            f"learner.oracle.capacity (at most {MOST_ROWS})"
        )
    place = {mark: slot for slot, mark in enumerate(slots)}
    new = np.zeros((1, config.capacity))
    new[0, [place[mark] for mark in marks]] = others_weights(populations.meta, player)
    graph = np.concatenate([_still(before, place, marks, config.capacity), new])
    if len(graph) > MOST_ROWS:
        graph = graph[-MOST_ROWS:]
    members = dict(zip([place[mark] for mark in marks], theirs, strict=True))
    record, episodes = _trained(config, situation, graph, members, before if config.warm_start else None)
    record = RECORD.record({**record, "condition": new[0], "graph": graph, "slots": slots})
    return judged(situation, record, learned=episodes, episodes=config.value_episodes)


def _still(before: PolicyRecord | None, place: Mapping[str, int], marks: Sequence[str], capacity: int) -> Float64Array:
    """The earlier rows [R, capacity] whose opponents are all there."""
    if before is None:
        return np.zeros((0, capacity))
    graph = np.asarray(before["graph"], dtype=np.float64)
    if graph.shape[1] != capacity:
        raise InputError(
            f"oracle 'neupl': the last member was made for capacity {graph.shape[1]}, not {capacity}; keep "
            "learner.oracle.capacity as it was"
        )
    gone = np.ones(capacity, dtype=bool)
    gone[[place[mark] for mark in marks]] = False
    kept: Float64Array = graph[~graph[:, gone].any(axis=1)]
    return kept


def _trained(
    config: NeuPLConfig,
    situation: Situation,
    graph: Float64Array,
    members: Mapping[int, Member],
    before: PolicyRecord | None,
) -> tuple[dict[str, Any], int]:
    """The network's part of a record, and how many games were begun."""
    game, player = situation.game, situation.player
    games, generator, words = begun(config, game, situation.seed)
    rules = game.rules
    inside = one_for_all(rules, config.network(), words[0], rules.observation_size + config.capacity)
    if before is not None:
        _take_up(inside.actor, before, before["weights"], config.kept)
        _take_up(inside.critic, before, before["critic"], 1.0)
    inside.to(games.device)
    conditions = torch.tensor(graph, dtype=torch.float32, device=games.device)
    networks = Conditioned(inside, conditions, inside.num_actions)
    cast = AgainstRows(
        game, networks, player, _rows(situation, graph, members, config.new_share), config.num_envs, generator,
        Told(conditions),
    )  # fmt: skip
    watched = Watched(games, networks)
    episodes = played_and_fitted(
        config, learner_of(config), loss, inside, watched, cast, words, lambda found: widened(found, conditions)
    )
    actor = inside.actor.record(0, rules.num_actions[player])
    parts = {name: actor[name] for name in ("hidden", "activation", "weights")}
    return {**parts, "critic": inside.critic.record(0, 1)["weights"]}, episodes


def _rows(situation: Situation, graph: Float64Array, members: Mapping[int, Member], new_share: float) -> MixturePolicy:
    """The opponent in every row, and how often each is met."""
    policies = {slot: policy_of(situation.game, 1 - situation.player, member) for slot, member in members.items()}
    rows = []
    for row in graph:
        support = np.flatnonzero(row)
        mixture = MixturePolicy([policies[int(slot)] for slot in support], row[support])
        entries: list[Any] = [uniform_play, uniform_play]
        entries[1 - situation.player] = mixture
        rows.append(ProductPolicy(entries))
    shares = np.full(len(rows), (1.0 - new_share) / max(1, len(rows) - 1))
    shares[-1] = 1.0 - shares[:-1].sum()
    return MixturePolicy(rows, shares)


def _take_up(network: RoleNetwork, before: PolicyRecord, weights: Mapping[str, Any], kept: float) -> None:
    inside = network.network
    found, shape = (tuple(before["hidden"]), before["activation"]), (inside.hidden, inside.activation)
    if found != shape:
        raise InputError(f"config: warm_start: the last member's network is {found}, hidden and activation say {shape}")
    tensors = [torch.tensor(np.asarray(array)) for array in weights.values()]
    layers = list(zip(tensors[::2], tensors[1::2], strict=True))
    head, shift = layers[-1]
    write(network, [*layers[:-1], (kept * head, kept * shift)])


ORACLE = OracleSpec(
    id="neupl", config=NeuPLConfig, respond=respond, needs_model=False, needs_populations=True, check=check
)
