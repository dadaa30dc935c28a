"""The score that a configuration asks for, its best responses learned through an executor."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache, partial

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor, Task, one_torch_thread, run_ordered
from eqagents.oracles import Situation, find_oracle
from eqagents.policies.records import PolicyRecord, to_policy
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
        record = respond(seed, game=game, policy=policy, config=self.config, player=player, own=seed)
        return to_policy(record, game, player)


def respond(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    policy: JointPolicy,
    config: NamedSettings,
    player: int,
    own: np.random.SeedSequence,
) -> PolicyRecord:
    """Task: one response; its randomness is that of the attempt, `own`, whatever the task is called."""
    del seed
    return find_oracle(config.id).respond(config, Situation(game, player, policy, own)).record


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
    run_ordered(executor, [Task((0,), "eqagents.training.scoring:check", {"oracles": config.oracles})])


def check(seed: np.random.SeedSequence, *, oracles: Sequence[NamedSettings]) -> None:
    """Task: raises InputError if an oracle cannot run on this worker."""
    del seed
    for place, settings in enumerate(oracles):
        try:
            find_oracle(settings.id).check(settings)
        except InputError as error:
            raise InputError(f"config: score.oracles.{place}: {error}") from None


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
            "policy": published[id(attempt.policy)],
            "config": attempt.responder.config,
            "player": attempt.player,
            "own": attempt.seed,
        }
        tasks.append(Task((index,), "eqagents.training.scoring:respond", arguments))
    records = run_ordered(executor, tasks)
    return [to_policy(record, game, attempt.player) for record, attempt in zip(records, attempts, strict=True)]
