"""A best response learned in a table: Q-learning from play against the fixed opponents.

Watkins and Dayan (1992), "Q-learning", Machine Learning 8. Against fixed opponents a player's information states and
actions form a Markov decision process (with perfect recall, or in a Markov game whose opponents keep to one policy):

    Q(s, a) <- Q(s, a) + rate * (paid + max_b Q(s', b) - Q(s, a)),

s' being the player's next decision in the game; what is paid and what follows is discounted by the stage. Step sizes
are (1 + n)^-decay at the n-th visit, for which Even-Dar and Mansour (2003), "Learning rates for Q-learning", JMLR 5,
show convergence with decay in (1/2, 1). Play is epsilon-greedy, the response the greedy pure policy.

In extensive-form games that can be enumerated, and whose policies can then be tabulated, play is a compiled walk and an
episode is learned from backwards, so that a payoff reaches all of its decisions; in others games are played side by
side. Nothing is taken from the model but what a simulator would show. Differences from the paper: the first visit
takes the target whole; actions that were never tried are left out of the maximum; forced moves are no decisions.

Cost: some 130 ns an episode of Leduc poker by the walk; about 1 ms for every stage of all games side by side.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from eqagents.configuration import NamedSettings
from eqagents.oracles import OracleResult, OracleSpec, Situation
from eqagents.oracles._actor_learner import judged
from eqagents.oracles._plans import greedy
from eqagents.oracles._q_play import learned
from eqagents.oracles._q_tree import learn, walk_of
from eqagents.policies import PolicyRecord, tabular_record
from eqagents.policies.keyed import keyed_record
from eqenvs.arrays import BoolArray, Float64Array
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.policies import MarkovCorrelatedPolicy, components
from eqenvs.spec import Family
from eqsolvers.kernels import random_stream

CHUNKS = 200  # of the walk; epsilon stands still within one


class TabularQConfig(NamedSettings):
    """Settings of the oracle `tabular_q`."""

    id: Literal["tabular_q"] = "tabular_q"
    episodes: int = Field(default=1_000_000, ge=1, description="episodes to learn from")
    num_envs: int = Field(
        default=256, ge=1, description="games side by side, where the game is no enumerated extensive-form game"
    )
    epsilon: float = Field(
        default=0.1, ge=0, le=1, description="share of moves drawn uniformly at the end of play; it falls linearly"
    )
    first_epsilon: float = Field(default=1.0, ge=0, le=1, description="the same at the start")
    decay: float = Field(default=0.85, ge=0, le=1, description="step sizes are (1 + visits)^-decay")
    least_rate: float = Field(default=0.0, ge=0, le=1, description="step sizes are at least this, after the first")
    value_episodes: int = Field(
        default=1024, ge=2, description="episodes played at the end to say what the response earns"
    )


def respond(config: TabularQConfig, situation: Situation) -> OracleResult:
    """A pure response, greedy on what was learned; see `Oracle`."""
    game = situation.game
    drawn, _ = components(situation.opponents, game.num_players)
    by_stage = any(isinstance(each, MarkovCorrelatedPolicy) for each in drawn)
    if game.family is Family.EXTENSIVE_FORM and game.exact and not by_stage:
        record, episodes = _by_walk(config, situation), config.episodes
    else:
        record, episodes = _by_play(config, situation)
    return judged(situation, record, learned=episodes, episodes=config.value_episodes)


def _by_walk(config: TabularQConfig, situation: Situation) -> PolicyRecord:
    model = situation.game.model()
    assert isinstance(model, ExtensiveFormModel)  # by the family
    states = model.treeplexes[situation.player].states
    table = np.full(states.masks.shape, -np.inf)
    table[states.masks] = walked(config, model, situation)[1:]
    return tabular_record(_of_tried(table, states.masks))


def walked(config: TabularQConfig, model: ExtensiveFormModel, situation: Situation) -> Float64Array:
    """Action values of the player's sequences, learned by the walk: [Q], -inf where never tried."""
    treeplex = model.treeplexes[situation.player]
    walk = walk_of(model, situation.player, situation.opponents)
    values = np.full(treeplex.num_sequences, -np.inf)
    visits = np.zeros(treeplex.num_sequences, dtype=np.int64)
    path = np.zeros((len(model.level_start), 3), dtype=np.int64)
    stream = random_stream(int(situation.seed.generate_state(1, np.uint64)[0]))
    for chunk, episodes in enumerate(np.diff(np.linspace(0, config.episodes, CHUNKS + 1).astype(np.int64))):
        epsilon = config.first_epsilon + chunk / CHUNKS * (config.epsilon - config.first_epsilon)
        learn(walk, values, visits, epsilon, config.decay, config.least_rate, int(episodes), stream, path)
    return values


def _by_play(config: TabularQConfig, situation: Situation) -> tuple[PolicyRecord, int]:
    game, player = situation.game, situation.player
    table, episodes = learned(
        situation,
        config.episodes,
        config.num_envs,
        (config.first_epsilon, config.epsilon),
        config.decay,
        config.least_rate,
    )
    if not game.exact:
        tried = np.isfinite(table.values).any(axis=1)
        return keyed_record(table.keys[tried], table.values[tried].argmax(axis=1)), episodes
    states = game.information_states[player]
    rows = table.rows(states.keys)
    return tabular_record(_of_tried(table.values[rows], states.masks)), episodes


def _of_tried(values: Float64Array, masks: BoolArray) -> Float64Array:
    """The best action that was tried, the first legal one where none was: a pure table [I, A]."""
    tried = np.where(np.isfinite(values).any(axis=1, keepdims=True), values, 0.0)
    return greedy(np.where(masks, tried, -np.inf))


ORACLE = OracleSpec(id="tabular_q", config=TabularQConfig, respond=respond, needs_model=False)
