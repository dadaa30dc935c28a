"""One iteration of Munchausen mirror descent with networks, as tasks: play, fit, tabulate.

A network's outputs are Q / tau, so its masked softmax is the policy and its record is one that any game's policy has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from eqagents.learners.mean_field._experience import (
    Act,
    Looks,
    Play,
    SamplingConfig,
    TableAct,
    merged,
    play_of,
    rules_of,
)
from eqagents.learners.mean_field._experience import Experience as Steps
from eqagents.learners.mean_field._networks import (
    NetworkAct,
    TrainingConfig,
    fit_values,
    fresh,
    points_of,
    restored,
    tabulated,
)
from eqagents.learners.mean_field._starts import StartsConfig, draw_starts
from eqagents.policies import PolicyRecord
from eqenvs.arrays import Float64Array
from eqenvs.game import Game
from eqenvs.models.mean_field import MeanFieldModel


def begin(seed: np.random.SeedSequence, *, game: Game, training: TrainingConfig, own_seed: int) -> PolicyRecord:
    """Task: a new network."""
    rules = rules_of(game, "deep_omd")
    return fresh(rules.model, rules.sees_distribution, training, own_seed)


def sample(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    records: Sequence[PolicyRecord],
    sampling: SamplingConfig,
    starts: StartsConfig | None,
) -> Play:
    """Task: play of N agents who follow the networks, each population from where `starts` has it; see `play_of`."""
    rules, rng = rules_of(game, "deep_omd"), np.random.default_rng(seed)
    first = None if starts is None else draw_starts(rules.model, starts, sampling.episodes, rng)
    networks = [restored(record) for record in records]
    sees = rules.sees_distribution
    act: Act = NetworkAct(rules.model, networks) if sees else TableAct(tabulated(rules.model, networks, False))
    return play_of(game, sampling, rng, act, first=first)


def improve(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    record: PolicyRecord,
    population: int,
    plays: Sequence[Play],
    training: TrainingConfig,
    temperature: float,
    iteration: int,
) -> tuple[PolicyRecord, float]:
    """Task: the next network of one population, and the error of the fit, in payoff squared.

    In units of tau, with l = Q / tau and pi the policy so far, a step's target is
    r / tau + log pi(a | s) + discount * sum_b pi(b | s') (l'(s', b) - log pi(b | s')).
    """
    rules = rules_of(game, "deep_omd")
    model = rules.model
    network = restored(record, training.device)
    observations, masks, experience = points_of(model, rules.sees_distribution, merged(plays), population)
    seen, legal = torch.tensor(observations, device=training.device), torch.tensor(masks, device=training.device)
    with torch.no_grad():
        logs = network(seen, legal)
    policy, finite = logs.exp(), logs.masked_fill(~legal, 0.0)
    point, action = (torch.tensor(part, device=training.device) for part in (experience.point, experience.action))
    paid = torch.tensor(experience.reward / temperature, dtype=torch.float32, device=training.device)

    def worth(outputs: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = (policy * (outputs - finite)).sum(dim=1)
        return value

    bonus = paid + finite[point, action]
    rng = np.random.default_rng(seed)
    error = fit_values(network, seen, experience, bonus, worth, model.discount, training, rng, iteration)
    return network.record(), error * temperature**2


def table(seed: np.random.SeedSequence, *, game: Game, records: Sequence[PolicyRecord]) -> Float64Array:
    """Task: the joint policy [M, P, S, A] of the networks; as a task it is computed under one torch thread."""
    rules = rules_of(game, "deep_omd")
    return table_of(rules.model, records, rules.sees_distribution)


def table_of(model: MeanFieldModel, records: Sequence[PolicyRecord], sees: bool) -> Float64Array:
    """The joint policy [M, P, S, A] of the networks."""
    return tabulated(model, [restored(record) for record in records], sees)


def play_tree(play: Play) -> dict[str, Any]:
    """A play as plain data."""
    return {"looks": list(play.looks), "experience": [list(part) for part in play.experience]}


def play_from(tree: dict[str, Any]) -> Play:
    """What `play_tree` gave."""
    return Play(Looks(*tree["looks"]), tuple(Steps(*part) for part in tree["experience"]))
