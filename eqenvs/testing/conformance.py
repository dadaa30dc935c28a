"""All conformance checks that apply to a game."""

from __future__ import annotations

import importlib.util
from functools import cache

import numpy as np

from eqenvs.errors import GameTooLargeError
from eqenvs.game import Game
from eqenvs.models import MarkovModel, MeanFieldModel, Model
from eqenvs.policies import MixturePolicy, TabularPolicy, uniform
from eqenvs.testing._subject import EnvSettings
from eqenvs.testing.agreement import check_env_matches_model, check_tree_matches_env
from eqenvs.testing.environments import environment_checks
from eqenvs.testing.findings import Check, Finding, NotApplicable, raise_first, run_checks
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
    raise_first(game_checks(game, exact=exact, episodes=episodes, seed=seed))


def game_findings(game: Game, *, max_size: int | None = None, episodes: int = 4000, seed: int = 0) -> list[Finding]:
    """What every check of a game finds; unlike `check_game`'s, with hash seeds and windows.

    Args:
        game: any game.
        max_size: see `game_checks`.
        episodes: simulated episodes per policy.
        seed: of all randomness.
    """
    checks = game_checks(
        game, max_size=max_size, episodes=episodes, seed=seed, hash_seeds=EnvSettings.hash_seeds, windows=True
    )
    return run_checks(checks)


def game_checks(
    game: Game,
    *,
    exact: bool | None = None,
    max_size: int | None = None,
    episodes: int = 4000,
    seed: int = 0,
    hash_seeds: tuple[int, ...] = (),
    windows: bool = False,
) -> list[Check]:
    """All checks: of rules, environments, batches and, where it can be enumerated, the exact model.

    Args:
        game: any game.
        exact: see `check_game`.
        max_size: leave out the model where enumerating it would pass this many of `Rules.size_unit`; None: never.
        episodes: simulated episodes per policy.
        seed: of all randomness.
        hash_seeds: see `environment_checks`.
        windows: see `environment_checks`.
    """

    @cache
    def model() -> Model:
        if not (game.exact if exact is None else exact):
            raise NotApplicable("SPEC says that this game cannot be enumerated")
        try:
            return game.model() if max_size is None else game.model(max_size=max_size)
        except GameTooLargeError as error:
            if max_size is None:
                raise
            raise NotApplicable(str(error)) from error

    def structure() -> str:
        sizes = model().sizes()
        check_model(game)
        return ", ".join(f"{name} {size}" for name, size in sizes.items())

    def plays() -> None:
        if isinstance(model(), MarkovModel):
            check_states_match_env(game, seed=seed)
        elif isinstance(model(), MeanFieldModel):
            check_population_matches_model(game, seed=seed)
        else:
            check_tree_matches_env(game, seed=seed)

    def pays() -> None:
        if isinstance(model(), MarkovModel):
            # Transitions were compared one by one: fewer episodes do, and discounted ones are long.
            check_returns_match_env(game, random_tables(game, seed), episodes=min(episodes, 1000), seed=seed)
            return
        if isinstance(model(), MeanFieldModel):
            raise NotApplicable("the limit pays otherwise than few agents get; rewards are compared step by step")
        first, second = random_tables(game, seed), random_tables(game, seed + 1)
        for policy in (uniform(game), first, MixturePolicy([first, second], [0.3, 0.7])):
            check_env_matches_model(game, policy, episodes=episodes, seed=seed)

    return [
        Check("rules.owners", lambda: _check_owners(game), "eqenvs"),
        Check("rules.pure", lambda: check_rules_are_pure(game, seed=seed), "eqenvs"),
        Check("rules.backends", lambda: _check_backends(game, seed), "eqenvs"),
        *environment_checks(game, hash_seeds=hash_seeds, windows=windows),
        Check("vector", lambda: check_vector_env(game, seed=seed), "eqenvs"),
        Check("model.structure", structure, "eqenvs"),
        Check("model.env_plays_it", plays, "eqenvs"),
        Check("model.env_pays_it", pays, "eqenvs"),
    ]


def _check_owners(game: Game) -> None:
    owners = max(game.rules.roles) + 1
    assert owners == game.num_players, f"{game!r}: the rules follow {owners} players' policies"


def _check_backends(game: Game, seed: int) -> None:
    if importlib.util.find_spec("torch") is None:
        raise NotApplicable("torch is not installed")
    check_backends_agree(game, seed=seed)
