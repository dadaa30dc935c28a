"""Self-play PSRO's oracle: a best response to what a population guarantees, and a policy from regret matching."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.distributed import InlineExecutor
from eqagents.learners.psro.psro import PSROConfig, build
from eqagents.oracles import Populations, Situation, find_oracle, populations_of
from eqagents.oracles.self_play import SelfPlayConfig, _action_values, _behaviour, _masks, _mixed, _plan
from eqagents.policies import uniform_record
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models import ExtensiveFormModel
from eqenvs.policies import TabularPolicy, uniform
from eqsolvers.meta import MetaSolution
from eqsolvers.scoring import score
from eqsolvers.scoring.score import best_response


class OnlyUniform:
    """A population's one member, which plays uniformly."""

    def __init__(self, game: eqenvs.Game, player: int) -> None:
        self.record, self.table = uniform_record(), game.information_states[player].uniform()


def situation(game: eqenvs.Game, player: int) -> Situation:
    members = [[OnlyUniform(game, p)] for p in range(game.num_players)]
    populations = Populations(members, MetaSolution((np.ones(1),) * game.num_players))
    return Situation(game, player, uniform(game), np.random.SeedSequence(0), None, populations)


@pytest.mark.parametrize("player", [0, 1])
def test_action_values_are_what_a_deviation_at_one_information_set_collects(player: int) -> None:
    game = eqenvs.make("leduc_poker", suit_isomorphism=True, num_ranks=2)
    model, rng = game.model(), np.random.default_rng(1)
    assert isinstance(model, ExtensiveFormModel)
    tables = []
    for own in range(2):
        table = np.where(_masks(model, own), rng.random(_masks(model, own).shape) + 0.1, 0.0)
        tables.append(table / table.sum(axis=1, keepdims=True))
    plans = [_plan(model, own, table) for own, table in enumerate(tables)]
    gradient = model.gradient(player, plans)
    values = _action_values(model, player, tables[player], gradient)
    treeplex = model.treeplexes[player]
    for infoset in range(treeplex.num_infosets):
        reach = plans[player][treeplex.parent_sequence[infoset]]
        before = float(plans[player] @ gradient)
        for action in np.flatnonzero(treeplex.states.masks[infoset]):
            other = tables[player].copy()
            other[infoset] = np.eye(other.shape[1])[action]
            gained = float(_plan(model, player, other) @ gradient) - before
            expected = reach * (values[infoset, action] - tables[player][infoset] @ values[infoset])
            assert gained == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("game_id", "parameters"), [("kuhn_poker", {}), ("rock_paper_scissors", {"rock_win": 3.0})])
def test_mixture_with_the_new_policy_comes_near_to_equilibrium(game_id: str, parameters: dict[str, Any]) -> None:
    """Whatever the members are: the new policy can become what the mixture lacks."""
    game = eqenvs.make(game_id, **parameters)
    model = game.model()
    tables = []
    for player in (0, 1):
        asked = populations_of(situation(game, player), "test")
        tables.append(_behaviour(model, player, _mixed(model, player, asked, 3000)[0]))
    assert score(game, TabularPolicy(game, tables)).nash_conv < 0.05
    assert score(game, uniform(game)).nash_conv > 0.3


def test_response_is_the_best_one_to_the_mixture() -> None:
    game = eqenvs.make("kuhn_poker")
    config = SelfPlayConfig(rounds=1)  # the mixture is the uniform policy, and another uniform one
    found = find_oracle("self_play").respond(config, situation(game, 1))
    value, table = best_response(game, 1, uniform(game))
    assert found.metrics["value"] == pytest.approx(value, abs=1e-12)
    np.testing.assert_array_equal(found.record["table"], table)


def test_population_is_less_exploitable_sooner_than_with_best_responses_alone() -> None:
    game = eqenvs.make("leduc_poker", suit_isomorphism=True)
    gaps: dict[str, float] = {}
    for name, oracle in {"self_play": {"id": "self_play", "rounds": 60}, "exact": {"id": "exact"}}.items():
        fields: dict[str, Any] = {"id": "psro", "oracle": oracle, "least_gain": 0.0}
        learner = build(game, PSROConfig.model_validate(fields), InlineExecutor(0))
        state = learner.init(np.random.SeedSequence(0))
        for _ in range(6):
            state, metrics = learner.step(state)
        gaps[name] = score(game, learner.average_policy(state)).nash_conv
        sizes = {"self_play": 13, "exact": 7}  # two policies an iteration, or one
        assert metrics["population/size_0"] <= sizes[name]
    assert gaps["self_play"] < gaps["exact"] / 3


def test_games_and_callers_it_does_not_cover_are_refused() -> None:
    for game in (eqenvs.make("kuhn_poker", num_players=3), eqenvs.make("chicken"), eqenvs.make("grid_soccer")):
        with pytest.raises(UnsupportedGame, match="covers two-player constant-sum games in normal or extensive form"):
            find_oracle("self_play").respond(SelfPlayConfig(), situation(game, 0))
    game = eqenvs.make("kuhn_poker")
    with pytest.raises(InputError, match="self_play"):
        find_oracle("self_play").respond(SelfPlayConfig(), Situation(game, 0, uniform(game), np.random.SeedSequence(0)))
