"""The loop of every double-oracle method: respond to the solution of a restricted game, enlarge it, solve it anew.

McMahan, Gordon and Blum (2003), "Planning in the presence of cost functions controlled by an adversary", ICML. What
the game is restricted to is a `RestrictedGame`: mixtures of some policies (`_policies`, the learner `psro`) or some
actions at every information set (`_infosets`, the learner `xdo`).

The driver owns all state; oracles are tasks whose random streams follow from (iteration, phase, player, index), so a
run has the same bits on any number of workers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor, Failed, Task, run_ordered
from eqagents.oracles import OracleResult, Populations
from eqenvs.errors import InputError
from eqenvs.policies import JointPolicy

_LOG = logging.getLogger(__name__)
StateT = TypeVar("StateT")
ORACLE_PHASE, PAYOFF_PHASE, MEMBER_PHASE, CHECK_PHASE = range(4)  # in the tasks' keys


@dataclass(frozen=True)
class Request:
    """A response that is wanted.

    Attributes:
        player: who responds.
        function: of the task, a `_population.reporting` one.
        arguments: of the task.
    """

    player: int
    function: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Enlarged(Generic[StateT]):
    """A restricted game after an iteration.

    Attributes:
        state: enlarged and solved.
        metrics: by name.
        episodes: played to evaluate it.
    """

    state: StateT
    metrics: dict[str, float]
    episodes: int = 0


class RestrictedGame(Protocol[StateT]):
    """What a game is restricted to, and how that is solved."""

    def begin(self, seed: np.random.SeedSequence) -> Enlarged[StateT]:
        """Before the first response, solved."""

    def requests(self, state: StateT, iteration: int) -> list[Request]:
        """The responses to its solution that an iteration asks for; at least one."""

    def enlarged(
        self, state: StateT, iteration: int, responses: Sequence[list[OracleResult | None]]
    ) -> Enlarged[StateT]:
        """With the responses to the requests, for each player in their order; None where the oracle failed."""

    def policy(self, state: StateT) -> JointPolicy:
        """The solution, as a joint policy of the whole game."""

    def measures(self, state: StateT) -> dict[str, float]:
        """See `Learner`."""

    def populations(self, state: StateT) -> Populations | None:
        """The policies that it is made of and their mixture; None where it is made of something else."""

    def to_tree(self, state: StateT) -> dict[str, Any]:
        """See `Learner`."""

    def from_tree(self, tree: dict[str, Any]) -> StateT:
        """See `Learner`."""

    def artefacts(self, state: StateT) -> dict[str, Any]:
        """See `Learner`."""


@dataclass(frozen=True)
class LoopState(Generic[StateT]):
    """Everything that an iteration leaves behind.

    Attributes:
        iteration: iterations done.
        episodes: played so far, by oracles and to evaluate the restricted game.
        restricted: the restricted game and its solution.
    """

    iteration: int
    episodes: int
    restricted: StateT


class DoubleOracle(Generic[StateT]):
    """The loop as a `Learner`.

    Args:
        num_players: N.
        oracle: the oracles' configuration.
        restricted: the restricted game.
        executor: of the oracles' tasks.
    """

    def __init__(
        self, num_players: int, oracle: NamedSettings, restricted: RestrictedGame[StateT], executor: Executor
    ) -> None:
        self._num_players = num_players
        self._oracle = oracle
        self._restricted = restricted
        self._executor = executor

    def init(self, seed: np.random.SeedSequence) -> LoopState[StateT]:
        """Before the first response; raises InputError where the oracle cannot run on the workers."""
        check = "eqagents.learners.psro._population:check_oracle"
        run_ordered(self._executor, [Task((0, CHECK_PHASE), check, {"config": self._oracle})])
        begun = self._restricted.begin(seed)
        return LoopState(0, begun.episodes, begun.state)

    def iteration(self, state: LoopState[StateT]) -> int:
        """Iterations done."""
        return state.iteration

    def step(self, state: LoopState[StateT]) -> tuple[LoopState[StateT], dict[str, float]]:
        """Respond, enlarge, solve."""
        started = time.perf_counter()
        responses = self._respond(state)
        seconds = time.perf_counter() - started
        found = self._restricted.enlarged(state.restricted, state.iteration + 1, responses)
        played = found.episodes + sum(each.episodes for own in responses for each in own if each is not None)
        after = LoopState(state.iteration + 1, state.episodes + played, found.state)
        metrics = {}
        for player, own in enumerate(responses):
            if not own:
                continue  # its policies are another player's
            good = [each for each in own if each is not None]
            metrics[f"oracle/failed_{player}"] = float(len(own) - len(good))
            for name in good[0].metrics if good else ():
                metrics[f"oracle/{name}_{player}"] = float(np.mean([each.metrics[name] for each in good]))
        return after, {
            **metrics,
            **found.metrics,
            "samples/episodes": float(after.episodes),
            "time/oracle_s": seconds,
        }

    def _respond(self, state: LoopState[StateT]) -> list[list[OracleResult | None]]:
        """Per player, what its oracle found for each request, None where it failed; a task each.

        Raises:
            InputError: if all of them failed.
        """
        requests = self._restricted.requests(state.restricted, state.iteration)
        count = [0] * self._num_players
        tasks = []
        for request in requests:
            key = (state.iteration, ORACLE_PHASE, request.player, count[request.player])
            tasks.append(Task(key, request.function, request.arguments, durable=True))
            count[request.player] += 1
        results = run_ordered(self._executor, tasks)
        reasons = [result.reason for result in results if isinstance(result, Failed)]
        if len(reasons) == len(results):
            raise InputError(f"iteration {state.iteration + 1}: oracle {self._oracle.id!r} failed: {reasons[0]}")
        found: list[list[OracleResult | None]] = [[] for _ in range(self._num_players)]
        for request, result in zip(requests, results, strict=True):
            if isinstance(result, Failed):
                message = "iteration %d: oracle %r failed for player %d, whose response is left out: %s"
                _LOG.warning(message, state.iteration + 1, self._oracle.id, request.player, result.reason)
            found[request.player].append(None if isinstance(result, Failed) else OracleResult(**result))
        return found

    def average_policy(self, state: LoopState[StateT]) -> JointPolicy:
        """The restricted game's solution."""
        return self._restricted.policy(state.restricted)

    def measures(self, state: LoopState[StateT]) -> dict[str, float]:
        """See `Learner`."""
        return self._restricted.measures(state.restricted)

    def populations(self, state: LoopState[StateT]) -> Populations | None:
        """See `RestrictedGame`."""
        return self._restricted.populations(state.restricted)

    def to_tree(self, state: LoopState[StateT]) -> dict[str, Any]:
        """See `Learner`."""
        restricted = self._restricted.to_tree(state.restricted)
        return {"iteration": state.iteration, "episodes": state.episodes, "restricted": restricted}

    def from_tree(self, tree: dict[str, Any]) -> LoopState[StateT]:
        """See `Learner`."""
        return LoopState(tree["iteration"], tree["episodes"], self._restricted.from_tree(tree["restricted"]))

    def artefacts(self, state: LoopState[StateT]) -> dict[str, Any]:
        """See `Learner`."""
        return self._restricted.artefacts(state.restricted)
