"""The score that a configuration asks for, its best responses learned through an executor."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache, partial

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor, Task, one_torch_thread, run_ordered
from eqagents.oracles import find_oracle
from eqagents.oracles._tasks import ANSWER, CHECK, answer
from eqagents.policies.records import to_policy
from eqagents.training.config import ScoreConfig
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import BehaviourPolicy, JointPolicy
from eqsolvers.scoring import Score, score, score_by_simulation
from eqsolvers.scoring.simulated import Attempt

logger = logging.getLogger(__name__)


class OracleResponder:
    """An oracle as the best responder of `score_by_simulation`."""

    def __init__(self, config: NamedSettings) -> None:
        self.id: str = config.id
        self.budget = config.model_dump(mode="json")
        self.config = config

    def __call__(self, game: Game, player: int, policy: JointPolicy, seed: np.random.SeedSequence) -> BehaviourPolicy:
        """Train against the others' entries of `policy`."""
        found = answer(seed, game=game, config=self.config, player=player, opponents=policy)
        return to_policy(found.record, game, player)


@cache
def _say_lower_bound(game: str) -> None:
    """Once a process: every score of the run is of the same kind."""
    logger.warning("%s cannot be enumerated: scores are lower bounds from learned best responses", game)


def is_exact(config: ScoreConfig, game: Game) -> bool:
    """Whether the configuration asks for an exact score of the game."""
    return config.method == "exact" or (config.method == "auto" and game.scored_exactly)


def require_oracles(config: ScoreConfig, game: Game, executor: Executor) -> None:
    """That the best responses of simulated scores can be learned, where they will be.

    Raises:
        InputError: naming the first oracle that cannot.
    """
    if is_exact(config, game):
        return
    for place, settings in enumerate(config.oracles):
        spec = find_oracle(settings.id)
        if spec.needs_populations:
            raise InputError(
                f"config: score.oracles.{place}: oracle {settings.id!r} responds as a member of populations; use "
                "'ppo', 'dqn' or 'policy_gradient'"
            )
        if spec.needs_model and not game.exact:
            raise InputError(
                f"config: score.oracles.{place}: oracle {settings.id!r} needs a game that can be enumerated, {game!r} "
                "cannot; use 'ppo', 'dqn' or 'policy_gradient'"
            )
    oracles = {f"config: score.oracles.{place}: ": settings for place, settings in enumerate(config.oracles)}
    run_ordered(executor, [Task((0,), CHECK, {"oracles": oracles})])


def score_as(config: ScoreConfig, game: Game, policy: JointPolicy, seed: int, executor: Executor) -> Score:
    """The score that a configuration asks for.

    Args:
        config: how to score.
        game: the game.
        policy: the joint policy.
        seed: of a simulated score.
        executor: learns the best responses of a simulated score; its bits do not depend on which.

    Raises:
        GameTooLargeError: if an exact score is asked for and the game cannot be enumerated.
    """
    if is_exact(config, game):
        return score(game, policy)
    if config.method == "auto":
        _say_lower_bound(repr(game))
    with one_torch_thread("scoring"):  # as in a task, or the bits would depend on the driver's threads
        return score_by_simulation(
            game,
            policy,
            [OracleResponder(settings) for settings in config.oracles],
            episodes=config.episodes,
            repeats=config.repeats,
            seed=seed,
            respond=partial(_shared_out, executor),
        )


def _shared_out(executor: Executor, game: Game, attempts: Sequence[Attempt]) -> list[BehaviourPolicy]:
    """The responses of all attempts, a task each."""
    shared = executor.publish(game)
    policies = {id(attempt.policy): attempt.policy for attempt in attempts}
    published = {name: executor.publish(policy) for name, policy in policies.items()}
    tasks = []
    for index, attempt in enumerate(attempts):
        assert isinstance(attempt.responder, OracleResponder)
        arguments = {
            "game": shared,
            "config": attempt.responder.config,
            "player": attempt.player,
            "opponents": published[id(attempt.policy)],
            "own": attempt.seed,
        }
        tasks.append(Task((index,), ANSWER, arguments))
    found = run_ordered(executor, tasks)
    return [to_policy(each.record, game, attempt.player) for each, attempt in zip(found, attempts, strict=True)]
