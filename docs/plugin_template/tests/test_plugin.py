"""The package's game, learner and meta-solver as eqenvs finds them."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqagents.training.config import parse_config
from eqagents.training.run import load_trained, train
from eqenvs.testing import check_game
from eqsolvers.meta import find_meta_solver
from eqsolvers.result import find_solver
from eqsolvers.scoring import score


def test_the_game_keeps_every_contract():
    check_game(eqenvs.make("inspection_game"), episodes=200)


@pytest.mark.parametrize("parameters", [{}, {"fine": 3.0}, {"cost": 1.0, "harm": 2.0}])
def test_the_equilibrium_is_the_one_of_the_description(parameters):
    game = eqenvs.make("inspection_game", **parameters)
    given = game.parameters
    inspect, violate = given["gain"] / (given["gain"] + given["fine"]), given["cost"] / given["harm"]
    found = find_solver(game.family, "nash", "support-enumeration").solve(game.model())
    [equilibrium] = found.equilibria
    np.testing.assert_allclose(equilibrium.tables[0][0], [1 - inspect, inspect])
    np.testing.assert_allclose(equilibrium.tables[1][0], [1 - violate, violate])


def test_a_bad_parameter_is_one_line():
    with pytest.raises(eqenvs.InputError, match=r"cost must be less than harm=4\.0, got 5\.0"):
        eqenvs.make("inspection_game", cost=5.0)


def test_the_meta_solver_mixes_the_last_policies():
    payoffs = np.random.default_rng(0).normal(size=(2, 5, 2))
    first, second = find_meta_solver("recent")(payoffs, {"window": 3}).strategies
    np.testing.assert_allclose(first, [0, 0, 1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(second, [0.5, 0.5])


def test_the_learner_converges_to_a_logit_equilibrium(tmp_path):
    temperature = 0.5
    learner = {"id": "smooth_play", "temperature": temperature}
    config = parse_config({"game": {"id": "inspection_game"}, "learner": learner, "iterations": 500})
    train(config, tmp_path / "run")
    policy = load_trained(tmp_path / "run").policy
    model = eqenvs.make("inspection_game").model()
    strategies = [table[0] for table in policy.tables]
    for player, strategy in enumerate(strategies):
        odds = np.exp(model.gradient(player, strategies) / temperature)
        np.testing.assert_allclose(strategy, odds / odds.sum(), atol=5e-3)
    # A logit response gives up the temperature times log 2 at most.
    assert score(model, policy).nash_conv < 2 * temperature * np.log(2) + 5e-3
