"""Every registered game keeps the contracts, so a new file is tested on arrival; and so do instances worth naming."""

from __future__ import annotations

import pytest

import eqenvs
from eqenvs.models import MarkovModel, MeanFieldModel
from eqenvs.policies import MixturePolicy, ProductPolicy
from eqenvs.spec import Family
from eqenvs.testing import (
    check_backends_agree,
    check_env_matches_model,
    check_environments,
    check_game,
    check_model,
    check_population_matches_model,
    check_returns_match_env,
    check_rules_are_pure,
    check_states_match_env,
    check_tree_matches_env,
    check_vector_env,
)
from eqenvs.testing.conformance import random_tables
from eqenvs.testing.instances import HISTORIES, small_instance

POPULATIONS = ("beach_bar", "contraction_game", "crowd_1d", "four_rooms", "predator_prey", "sis_graphon")

INSTANCES = {
    "common noise": ("beach_bar", {"closing": 0.5, "horizon": 4, "size": 5, "num_agents": 3}),
    "agents see the distribution": ("predator_prey", {"horizon": 3, "num_agents": 3, "sees_distribution": True}),
    "kuhn 3p": ("kuhn_poker", {"num_players": 3}),
    "kuhn 4p": ("kuhn_poker", {"num_players": 4}),
    "leduc by rank": ("leduc_poker", {"suit_isomorphism": True}),
    "leduc one suit": ("leduc_poker", {"num_ranks": 4, "num_suits": 1}),
    "markov finite horizon": ("random_markov_game", {"horizon": 4, "discount": 1.0, "action_counts": "2x3"}),
    "markov 3p": ("random_markov_game", {"num_players": 3, "branching": 2, "sparsity": 0.5}),
    "markov myopic": ("random_markov_game", {"discount": 0.0, "zero_sum": True}),
    "rps biased": ("rock_paper_scissors", {"rock_win": 3.0, "paper_win": 3.0, "scissors_win": 1.0}),
}


@pytest.fixture(scope="module", params=eqenvs.game_ids())
def game(request):
    """A default instance; a module's fixture, so that its tests share one model."""
    return small_instance(request.param)


def require_rules_of_its_own(game):
    """Unless the environments run rules that other games test for it."""
    if game.family is Family.MEAN_FIELD and game.spec.id not in POPULATIONS:
        pytest.skip("all mean-field games have the same rules")


def exact_model(game):
    """The model, unless it is too large for a test of seconds."""
    if not game.exact:
        pytest.skip("SPEC says that this game cannot be enumerated")
    try:
        return game.model(max_size=HISTORIES)
    except eqenvs.InputError as error:
        pytest.skip(str(error))


class TestDefaultInstance:
    def test_rules_are_pure(self, game):
        check_rules_are_pure(game)

    def test_backends_agree(self, game):
        check_backends_agree(game)

    def test_environments(self, game):
        require_rules_of_its_own(game)
        check_environments(game, cycles=50, seeds=2)

    def test_vector_env(self, game):
        require_rules_of_its_own(game)
        check_vector_env(game, num_envs=4)

    def test_model(self, game):
        exact_model(game)
        check_model(game)

    def test_env_plays_the_model(self, game):
        model = exact_model(game)
        if isinstance(model, MeanFieldModel):
            check_population_matches_model(game)
        elif isinstance(model, MarkovModel):
            check_states_match_env(game)
        else:
            check_tree_matches_env(game)

    def test_env_pays_what_the_model_says(self, game):
        model = exact_model(game)
        if isinstance(model, MeanFieldModel):
            pytest.skip("the limit pays otherwise than few agents get; rewards are compared step by step")
        if isinstance(model, MarkovModel):
            check_returns_match_env(game, random_tables(game, 0))
        else:
            check_env_matches_model(game, random_tables(game, 0), episodes=2000)


@pytest.mark.parametrize(("game_id", "parameters"), INSTANCES.values(), ids=INSTANCES)
@pytest.mark.slow
def test_instances_keep_every_contract(game_id, parameters):
    check_game(eqenvs.make(game_id, **parameters), exact=True, episodes=1000)


def test_a_repeated_game_keeps_every_contract():
    check_game(eqenvs.repeated(eqenvs.make("rock_paper_scissors"), 2), exact=True, episodes=1000)


def test_leduc_for_three_keeps_the_contracts_that_need_no_enumeration():
    check_game(eqenvs.make("leduc_poker", num_players=3), exact=False)


def test_private_mixtures_are_simulated_as_scored():
    game = eqenvs.make("kuhn_poker", num_players=3)
    tables = [random_tables(game, seed) for seed in range(4)]
    private = ProductPolicy([MixturePolicy(tables[:2], [0.2, 0.8]), tables[2], MixturePolicy(tables[2:], [0.5, 0.5])])
    check_env_matches_model(game, private, episodes=4000)


def test_a_correlated_mixture_of_products_is_simulated_as_scored():
    game = eqenvs.make("rock_paper_scissors")
    a, b, c = (random_tables(game, seed) for seed in range(3))
    check_env_matches_model(game, MixturePolicy([ProductPolicy([a, b]), ProductPolicy([b, c])], [0.6, 0.4]))
