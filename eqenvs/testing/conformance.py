"""All conformance checks that apply to a game."""

from __future__ import annotations

import importlib.util

import numpy as np

from eqenvs.game import Game
from eqenvs.models import MarkovModel, MeanFieldModel
from eqenvs.policies import MixturePolicy, TabularPolicy, uniform
from eqenvs.testing.agreement import check_env_matches_model, check_tree_matches_env
from eqenvs.testing.environments import check_environments
from eqenvs.testing.markov import check_returns_match_env, check_states_match_env
from eqenvs.testing.mean_field import check_population_matches_model
from eqenvs.testing.models import check_model
from eqenvs.testing.purity import check_backends_agree, check_rules_are_pure
from eqenvs.testing.vectorised import check_vector_env


def random_tables(game: Game, seed: int) -> TabularPolicy:
    """A policy with random rows, of full support on the legal actions."""
    rng = np.random.default_rng(seed)
    weights = [states.masks * rng.exponential(size=states.masks.shape) for states in game.information_states]
    return TabularPolicy(game, [weight / weight.sum(axis=1, keepdims=True) for weight in weights])


def check_game(game: Game, *, exact: bool | None = None, episodes: int = 4000, seed: int = 0) -> None:
    """Run every check that applies.

    Args:
        game: any game.
        exact: whether to build the exact model and compare with it; None for what SPEC says of the default instance.
        episodes: simulated episodes per policy.
        seed: of all randomness.

    Raises:
        AssertionError: at the first thing that is wrong.
        GameTooLargeError: if `exact` is true of a game that cannot be enumerated.
    """
    owners = max(game.rules.roles) + 1
    assert owners == game.num_players, f"{game!r}: the rules follow {owners} players' policies"
    check_rules_are_pure(game, seed=seed)
    if importlib.util.find_spec("torch") is not None:
        check_backends_agree(game, seed=seed)
    check_environments(game)
    check_vector_env(game, seed=seed)
    if not (game.exact if exact is None else exact):
        return
    check_model(game)
    if isinstance(game.model(), MarkovModel):
        check_states_match_env(game, seed=seed)
        # Transitions were compared one by one: fewer episodes do, and discounted ones are long.
        check_returns_match_env(game, random_tables(game, seed), episodes=min(episodes, 1000), seed=seed)
        return
    if isinstance(game.model(), MeanFieldModel):
        check_population_matches_model(game, seed=seed)
        return
    check_tree_matches_env(game, seed=seed)
    first, second = random_tables(game, seed), random_tables(game, seed + 1)
    for policy in (uniform(game), first, MixturePolicy([first, second], [0.3, 0.7])):
        check_env_matches_model(game, policy, episodes=episodes, seed=seed)
