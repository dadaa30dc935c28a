"""Copies side by side are the runs that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import validate
from eqagents.distributed import InlineExecutor
from eqagents.learners import find_learner
from eqenvs.errors import InputError
from eqsolvers.scoring import score

INNER = {"id": "mean_field_actor_critic", "sampling": {"episodes": 2}}


def learner_of(game: eqenvs.Game, seed: int, settings: dict[str, Any]) -> Any:
    spec = find_learner(settings["id"])
    return spec.build(game, validate(spec.config, settings), InlineExecutor(seed))


def test_a_copy_is_the_run_with_its_seed_and_its_game() -> None:
    game, seed = eqenvs.make("sis", horizon=3), 7
    copies = {"id": "side_by_side", "learner": INNER, "seeds": 2, "vary": "num_agents", "values": [5, 40]}
    learner = learner_of(game, seed, {**copies, "iterations_per_step": 2})
    state = learner.init(np.random.SeedSequence(seed))
    for _ in range(2):
        state, metrics = learner.step(state)
    assert state.nash_conv.shape == (2, 4)
    for number, (agents, own_seed) in enumerate([(5, 7), (5, 8), (40, 7), (40, 8)]):
        lone_game = eqenvs.make("sis", horizon=3, num_agents=agents)
        lone = learner_of(lone_game, own_seed, INNER)
        own = lone.init(np.random.SeedSequence(own_seed))
        for _ in range(4):
            own, _ = lone.step(own)
        assert score(lone_game, lone.average_policy(own)).nash_conv == state.nash_conv[-1, number]
    assert metrics["side_by_side/nash_conv_mean_num_agents_40"] == pytest.approx(state.nash_conv[-1, 2:].mean())
    kept = learner.artefacts(state)["side_by_side"]
    assert kept["iterations"] == [2, 4]
    assert [(each["seed"], each["value"]) for each in kept["copies"]] == [(7, 5), (8, 5), (7, 40), (8, 40)]


def test_other_families_can_be_copied_too() -> None:
    game = eqenvs.make("kuhn_poker")
    inner = {"id": "tabular", "method": "es-mccfr", "iterations_per_step": 50}
    learner = learner_of(game, 0, {"id": "side_by_side", "learner": inner, "seeds": 3})
    state, _ = learner.step(learner.init(np.random.SeedSequence(0)))
    assert len(set(state.nash_conv[0].tolist())) == 3
    assert score(game, learner.average_policy(state)).nash_conv == state.nash_conv[0, 0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vary": "num_agents"}, r"learner.vary and learner.values must be given together"),
        (
            {"vary": "num_agent", "values": [5]},
            r"parameter of sis 'num_agent'; did you mean 'num_agents'",
        ),
        ({"learner": {"id": "deep_ond"}}, r"unknown learner 'deep_ond'; did you mean 'deep_omd'"),
    ],
)
def test_bad_settings_are_refused_in_one_line(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        learner_of(eqenvs.make("sis"), 0, {"id": "side_by_side", "learner": INNER, **fields})
