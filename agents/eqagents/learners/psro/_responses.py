"""What an iteration asks of the oracles, and their answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqagents.distributed import Failed, Task, TaskError, Work
from eqagents.oracles import OracleResult
from eqenvs.errors import InputError

logger = logging.getLogger(__name__)
ORACLE_PHASE, PAYOFF_PHASE, MEMBER_PHASE, CHECK_PHASE = range(4)  # in the keys of tasks


@dataclass(frozen=True)
class Request:
    """A response that is wanted.

    Attributes:
        player: who responds.
        function: of the task, a `reporting` one, see `eqagents.oracles._tasks`.
        arguments: of the task.
    """

    player: int
    function: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Responses:
    """Answers to requests.

    Attributes:
        of: for each player, in the order of the requests; `Failed` where the oracle has none.
        seconds: from the asking to the last answer.
    """

    of: tuple[tuple[OracleResult | Failed, ...], ...] = ()
    seconds: float = 0.0

    def found(self, player: int) -> list[OracleResult | None]:
        """A player's responses, None where the oracle failed."""
        return [None if isinstance(each, Failed) else each for each in self.of[player]]

    def and_also(self, other: Responses) -> Responses:
        """Those of other requests after these."""
        joined = tuple((*own, *theirs) for own, theirs in zip(self.of, other.of, strict=True))
        return Responses(joined, max(self.seconds, other.seconds))

    @property
    def episodes(self) -> int:
        """Played by the oracles."""
        return sum(each.episodes for own in self.of for each in own if isinstance(each, OracleResult))

    def metrics(self) -> dict[str, float]:
        """How many failed, and the oracles' own metrics, averaged over a player's responses."""
        found = {"time/oracle_s": self.seconds}
        for player, own in enumerate(self.of):
            if not own:
                continue  # its policies are another player's
            good = [each for each in own if isinstance(each, OracleResult)]
            found[f"oracle/failed_{player}"] = float(len(own) - len(good))
            for name in good[0].metrics if good else ():
                found[f"oracle/{name}_{player}"] = float(np.mean([each.metrics[name] for each in good]))
        return found


NONE = Responses()  # where nothing was asked


def respond(
    requests: Sequence[Request], num_players: int, oracle: str, iteration: int, first: int = 0
) -> Work[Responses]:
    """The responses to requests, a task each.

    Args:
        requests: what is wanted.
        num_players: N.
        oracle: its id, for messages.
        iteration: of the run; the tasks' keys have that before it, whose solution is responded to.
        first: number of each player's first request among its requests of the iteration.

    Raises:
        InputError: if all of them failed for the user to mend.
        TaskError: if all of them failed, and one by a defect.
    """
    started = time.perf_counter()
    count = [first] * num_players
    tasks = []
    for request in requests:
        key = (iteration - 1, ORACLE_PHASE, request.player, count[request.player])
        tasks.append(Task(key, request.function, request.arguments, durable=True))
        count[request.player] += 1
    results = yield tasks
    failures = [(task, result) for task, result in zip(tasks, results, strict=True) if isinstance(result, Failed)]
    if len(failures) == len(results):
        for task, failed in failures:
            if failed.details is not None:
                raise TaskError(task.key, task.function, failed.details)
        raise InputError(f"iteration {iteration}: oracle {oracle!r} failed: {failures[0][1].reason}")
    found: list[list[OracleResult | Failed]] = [[] for _ in range(num_players)]
    for request, result in zip(requests, results, strict=True):
        if isinstance(result, Failed):
            message = "iteration %d: oracle %r failed for player %d, whose response is left out: %s"
            logger.warning(message, iteration, oracle, request.player, result.reason)
            logger.info("%s", result.details)
        found[request.player].append(result if isinstance(result, Failed) else OracleResult(**result))
    return Responses(tuple(map(tuple, found)), time.perf_counter() - started)
