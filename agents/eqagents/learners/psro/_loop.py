"""The loop of every double-oracle method: respond to the solution of a restricted game, enlarge it, solve it anew.

McMahan, Gordon and Blum (2003), "Planning in the presence of cost functions controlled by an adversary", ICML. What
the game is restricted to is a `RestrictedGame`: mixtures of some policies (`_policies`, the learner `psro`) or some
actions at every information set (`_infosets`, the learner `xdo`).

The driver owns all state; oracles are tasks whose random streams follow from (iteration, phase, player, index), so a
run has the same bits on any number of workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from eqagents.configuration import NamedSettings
from eqagents.distributed import Flow, Task, Work, asked
from eqagents.learners import HIGHEST_GAIN, Learner
from eqagents.learners.psro._responses import CHECK_PHASE, NONE, Responses
from eqagents.oracles import Populations
from eqagents.oracles._tasks import CHECK
from eqenvs.policies import JointPolicy

StateT = TypeVar("StateT")


@dataclass(frozen=True)
class Enlarged(Generic[StateT]):
    """A restricted game after an iteration.

    Attributes:
        state: enlarged and solved.
        metrics: by name.
        episodes: played to evaluate it.
        responses: by which it was enlarged.
        gains: of players whose responses are at the end of their training: the most that any of them may gain over the
            solution that it responds to, in payoff.
    """

    state: StateT
    metrics: dict[str, float]
    episodes: int = 0
    responses: Responses = NONE
    gains: Mapping[int, float] = field(default_factory=dict)

    def highest_gain(self) -> float | None:
        """Of all players that were asked; None where one is not known."""
        players = [player for player, own in enumerate(self.responses.of) if own]
        if not players or not all(player in self.gains for player in players):
            return None
        return max(self.gains[player] for player in players)


class RestrictedGame(Protocol[StateT]):
    """What a game is restricted to, and how that is solved."""

    def begin(self, seed: np.random.SeedSequence) -> Work[Enlarged[StateT]]:
        """Before the first response, solved."""

    def enlarge(self, state: StateT, iteration: int) -> Work[Enlarged[StateT]]:
        """Ask for responses to its solution (`respond`), enlarge it by them, and solve it anew: iteration 1, 2, ..."""

    def policy(self, state: StateT) -> JointPolicy:
        """The solution, as a joint policy of the whole game."""

    def measures(self, state: StateT) -> dict[str, float]:
        """See `Learner`."""
        return {}

    def populations(self, state: StateT) -> Populations | None:
        """The policies that it is made of and their mixture; None where it is made of something else."""
        return None

    def to_tree(self, state: StateT) -> dict[str, Any]:
        """See `Learner`."""

    def from_tree(self, tree: dict[str, Any]) -> StateT:
        """See `Learner`."""

    def artefacts(self, state: StateT) -> dict[str, Any]:
        """See `Learner`."""
        return {}


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


class DoubleOracle(Learner[LoopState[StateT]], Generic[StateT]):
    """The loop as a `Learner`.

    Args:
        oracle: the oracles' configuration.
        restricted: the restricted game.
        flow: of the oracles' tasks.
    """

    def __init__(self, oracle: NamedSettings, restricted: RestrictedGame[StateT], flow: Flow) -> None:
        self._oracle, self._restricted, self._flow = oracle, restricted, flow

    def init(self, seed: np.random.SeedSequence) -> LoopState[StateT]:
        """Before the first response; raises InputError where the oracle cannot run on the workers."""
        self._flow.run(asked([Task((0, CHECK_PHASE), CHECK, {"oracles": {"": self._oracle}})]))
        begun = self._flow.run(self._restricted.begin(seed))
        return LoopState(0, begun.episodes, begun.state)

    def step(self, state: LoopState[StateT]) -> tuple[LoopState[StateT], dict[str, float]]:
        """Respond, enlarge, solve."""
        iteration = state.iteration + 1
        found = self._flow.run(self._restricted.enlarge(state.restricted, iteration))
        episodes = state.episodes + found.episodes + found.responses.episodes
        metrics = {**found.responses.metrics(), **found.metrics, "samples/episodes": float(episodes)}
        if (highest := found.highest_gain()) is not None:
            metrics[HIGHEST_GAIN] = highest
        return LoopState(iteration, episodes, found.state), metrics

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
