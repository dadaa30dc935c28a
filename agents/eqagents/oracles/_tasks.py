"""What oracles do as tasks of an executor: respond to a joint policy, and say whether they can run on a worker."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.distributed import Failed
from eqagents.oracles import OracleResult, Situation, find_oracle
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.policies import JointPolicy

CHECK, ANSWER, RESPOND_TO = (f"{__name__}:{name}" for name in ("check", "answer", "respond_to"))


def check(seed: np.random.SeedSequence, *, oracles: Mapping[str, NamedSettings]) -> None:
    """Task: raise InputError for the first of the oracles that cannot run on this worker, after what it is called."""
    for name, config in oracles.items():
        try:
            find_oracle(config.id).check(config)
        except InputError as error:
            raise InputError(f"{name}{error}") from None


def reporting(task: Callable[..., OracleResult]) -> Callable[..., dict[str, Any] | Failed]:
    """A task that gives the fields of an oracle's result as a tree, or why there is none."""

    @wraps(task)
    def attempt(seed: np.random.SeedSequence, **arguments: Any) -> dict[str, Any] | Failed:
        try:
            return vars(task(seed, **arguments))
        except (UnsupportedGame, MemoryError):
            raise  # not this response's fault
        except Exception as error:  # whatever it is, the other responses are not lost for it
            reason = str(error).partition("\n")[0]
            if isinstance(error, InputError):
                return Failed(reason)
            return Failed(f"{type(error).__name__}: {reason}", traceback.format_exc())

    return attempt


def answer(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    config: NamedSettings,
    player: int,
    opponents: JointPolicy,
    own: np.random.SeedSequence | None = None,
) -> OracleResult:
    """Task: one player's response to a joint policy, by the oracle that `config` names.

    Its randomness is that of `own`, whatever the task is called; by default that of the task.
    """
    return find_oracle(config.id).respond(config, Situation(game, player, opponents, own or seed))


respond_to = reporting(answer)
