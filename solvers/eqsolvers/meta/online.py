"""No-regret learners over the populations, which go on from one iteration to the next: online double oracle.

Dinh, McAleer, Tian, Perez-Nieves, Slumbers, Mguni, Wang, Bou Ammar and Yang (2022), "Online double oracle", TMLR,
algorithm 2: every iteration a player learns from what the others do, and responds to the mean of that over its present
*window*; where the response is new its learner and its window begin anew. The solution is the mean of play over all
iterations. The paper's learner is Hedge, with one round an iteration; its guarantee is sqrt(k ln k / T) for k policies
in all.

With more rounds an iteration it is the rule of periodic double oracle on populations. What was learned is in the
memory; policies must not be taken out of the populations.

Cost: `rounds` expected payoffs of every policy, O(prod K) each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.spec import Parameter
from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec, independent
from eqsolvers.normal_form._scales import payoff_ranges
from eqsolvers.normal_form.learning import OnlineLearner, hedge, rm_plus
from eqsolvers.normal_form.learning._state import from_tree, to_tree

LEARNERS: dict[str, Callable[[], OnlineLearner[Any]]] = {"hedge": hedge.learner, "rm+": rm_plus.learner}


class _Player:
    """A player's learner in its window.

    Args:
        learner: whose state it is.
        sizes: of the populations.
        memory: of the last call, or None before the first.
        own: whose it is.
    """

    def __init__(
        self, learner: OnlineLearner[Any], sizes: tuple[int, ...], memory: Mapping[str, Any] | None, own: int
    ) -> None:
        self.learner = learner
        self.state = learner.init(1, sizes[own])
        self.played = np.zeros(sizes[own])  # summed over all rounds
        self.seen = [np.zeros(size) for size in sizes]  # what the others played, summed over the window
        if memory is not None:
            before = memory["played"]
            self.played[: len(before)] = before
            if len(before) == sizes[own]:
                self.state = from_tree(self.state, memory["state"])
                for total, stored in zip(self.seen, memory["seen"], strict=True):
                    total[: len(stored)] = stored

    def strategy(self) -> Float64Array:
        """What is played next."""
        found: Float64Array = self.learner.strategy(self.state)[0]
        return found

    def learn(self, strategies: list[Float64Array], payoffs: Float64Array, own: int) -> None:
        """A round, with the payoff of every policy in [0, 1]."""
        assert self.learner.update is not None
        self.state = self.learner.update(self.state, payoffs[None])
        self.played += strategies[own]
        for total, strategy in zip(self.seen, strategies, strict=True):
            total += strategy

    def memory(self) -> dict[str, Any]:
        """For the next call."""
        return {"played": self.played, "seen": self.seen, "state": to_tree(self.state)}


def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The mean of play; a player's target is the mean of the others' in its window."""
    model, sizes = game.model, game.model.num_actions
    learner = LEARNERS[settings["learner"]]()
    stored = game.memory.get("players", [None] * len(sizes))
    players = [_Player(learner, sizes, memory, own) for own, memory in enumerate(stored)]
    spans, lowest = payoff_ranges(model), model.payoffs.reshape(len(sizes), -1).min(axis=1)
    for _ in range(settings["rounds"]):
        strategies = [player.strategy() for player in players]
        for own, player in enumerate(players):
            payoffs = (model.gradient(own, strategies) - lowest[own]) / spans[own]
            player.learn(strategies, payoffs, own)
    targets = tuple((independent([total / total.sum() for total in player.seen]),) for player in players)
    return MetaSolution(
        strategies=tuple(player.played / player.played.sum() for player in players),
        targets=targets,
        memory={"players": [player.memory() for player in players]},
    )


META_SOLVER = MetaSolverSpec(
    id="online",
    solve=solve,
    learns=True,
    source="Dinh et al. (2022), TMLR, algorithm 2",
    parameters=(
        Parameter(name="learner", default="hedge", kind=str, choices=tuple(LEARNERS), description="of every player"),
        Parameter(name="rounds", default=1, low=1, high=1_000_000, description="of an iteration"),
    ),
)
