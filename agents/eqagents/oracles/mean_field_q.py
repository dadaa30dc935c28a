"""A learned best response in a mean-field game: a deep Q-network, from representatives who meet N agents.

Mnih et al. (2015), "Human-level control through deep reinforcement learning", Nature 518 (DQN), as Lauriere et al.
(2022), "Scalable deep reinforcement learning algorithms for mean field games", ICML, use it in deep fictitious play.
The agents play the given policies; the representatives weigh nothing, so what is responded to stays as it is while they
explore (epsilon-greedily, at random in the first round unless the start is warm).

The response is softmax(Q / temperature) with a temperature near 0: equally good actions are shared. Play goes on in
rounds and all of it is kept; a truncated game is no end. Where agents see the distribution, the response does not: it
is one to a given flow. Players count populations.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field

from eqagents.configuration import NamedSettings
from eqagents.learners.mean_field._experience import Play, SamplingConfig, TableAct, merged, play_of, rules_of
from eqagents.learners.mean_field._networks import (
    TrainingConfig,
    fit_values,
    fresh,
    points_of,
    probabilities,
    restored,
    sharpened,
)
from eqagents.oracles import OracleResult, OracleSpec, Situation
from eqagents.policies import MaskedMLP
from eqenvs.arrays import Float64Array, require_torch_device
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import for_player, tabulate

GREEDY = 1e-6  # temperature at which the representatives' policy is as good as greedy


class MeanFieldQConfig(NamedSettings):
    """Settings of the oracle `mean_field_q`."""

    id: Literal["mean_field_q"] = "mean_field_q"
    rounds: int = Field(default=3, ge=1, description="times that play and fitting alternate in a response")
    temperature: float = Field(default=0.01, gt=0, description="of the response's softmax, in payoff")
    warm_start: bool = Field(default=True, description="start from the population's previous response")
    sampling: SamplingConfig = SamplingConfig(episodes=2, representatives=500)
    training: TrainingConfig = TrainingConfig(updates=150)


def respond(config: MeanFieldQConfig, situation: Situation) -> OracleResult:
    """A response to the mean field of the opponents, the population's own entry included; see `Oracle`."""
    game, player = situation.game, situation.player
    rules = rules_of(game, config.id)
    model, training, rng = rules.model, config.training, np.random.default_rng(situation.seed)
    agents = TableAct(model.as_array(tabulate(model, situation.opponents).tables))
    own = int(rng.integers(2**32))
    previous = situation.warm_start if config.warm_start else None
    if previous is not None and previous["kind"] == "mlp":
        network = restored(sharpened(restored(previous), config.temperature), training.device)
    else:
        previous, network = None, restored(fresh(model, False, training, own), training.device)
    representatives = max(config.sampling.representatives, model.num_populations)
    plays, error = [], float("nan")
    for round_ in range(config.rounds):
        random = previous is None and round_ == 0
        sampling = config.sampling.model_copy(
            update={"representatives": representatives} | ({"exploration": 1.0} if random else {})
        )
        explore = TableAct(_with_greedy(model, player, network))
        plays.append(play_of(game, sampling, rng, agents, explore=explore))
        error = _fit(model, network, merged(plays), player, training, rng, round_)
    record = sharpened(network, 1.0 / config.temperature)
    return OracleResult(record, {"squared_error": error}, episodes=config.rounds * config.sampling.episodes)


def _fit(
    model: MeanFieldModel, network: MaskedMLP, play: Play, player: int, training: TrainingConfig,
    rng: np.random.Generator, round_: int,
) -> float:  # fmt: skip
    observations, masks, experience = points_of(model, False, play, player)
    seen, legal = torch.tensor(observations, device=training.device), torch.tensor(masks, device=training.device)
    paid = torch.tensor(experience.reward, dtype=torch.float32, device=training.device)

    def worth(outputs: torch.Tensor) -> torch.Tensor:
        return outputs.masked_fill(~legal, float("-inf")).max(dim=1).values

    return fit_values(network, seen, experience, paid, worth, model.discount, training, rng, round_)


def _with_greedy(model: MeanFieldModel, player: int, network: MaskedMLP) -> Float64Array:
    """A joint policy [M, P, S, A] in which one population plays greedily; the others' representatives are unused."""
    states = model.information_states[player]
    table = probabilities(restored(sharpened(network, 1.0 / GREEDY)), states.observations, states.masks)
    return model.as_array(for_player(model, player, table).tables)


def check(config: MeanFieldQConfig) -> None:
    """Raise InputError if a device is absent where the oracle runs."""
    for device in (config.training.device, config.sampling.device):
        require_torch_device(torch, device)


ORACLE = OracleSpec(id="mean_field_q", config=MeanFieldQConfig, respond=respond, needs_model=True, check=check)
