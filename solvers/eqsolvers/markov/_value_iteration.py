"""Value iteration of Markov games: what the methods that solve a game in every state have in common.

In every state stands the game of one step, its payoffs the rewards and the discounted values of what follows. Solving
these *stage games* gives strategies, and the next values. With a horizon that is done once for each step, from the last
one back, and is exact: what is played is an equilibrium from every state on. Without one it goes on until the values
change by so little that the strategies are known to be good.

The bound is MacQueen's (1966, "A modified dynamic programming method for Markovian decision problems", Journal of
Mathematical Analysis and Applications 14) for games: if a step changed a player's values by between d and D (with 0
among them where the game may end), those of the strategies just found, and those of the best replies to them, lie
between discount / (1 - discount) times d and D from the new values. The gain is at most the difference, whatever the
method.

In general-sum games values need not stop changing. There the exact residual is computed now and then, and takes the
bound's place where it is smaller; the best iterate is kept. Where none has been better for long, values go a shorter
way towards the next ones, down to a sixteenth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import JointPolicy
from eqsolvers.scoring.chains import chains
from eqsolvers.scoring.score import score

Plays = Sequence[Float64Array]  # what was found for each state, arrays [S, ...]

PATIENCE = 10_000  # iterations without a smaller bound after which rounding is all that is left
CIRCLES = 50  # the same in general-sum games, after which the step is halved
LEAST_STEP = 1 / 16
JUDGE_EVERY = 10  # iterations between two exact residuals in general-sum games
ROUNDING = 4 * np.finfo(np.float64).eps  # a change of values that is none, per unit of the values


class Stages(Protocol):
    """A method for stage games."""

    def solve(self, payoffs: Float64Array) -> tuple[Float64Array, Plays]:
        """The values [S, M] and strategies for the payoffs [S, A_0, ..., A_{N-1}, M] of M players."""

    def state(self) -> dict[str, Any]:
        """What it remembers from one call to the next."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave."""


class ValueIteration:
    """A `Process`: one iteration solves every state's stage game once.

    Attributes:
        values: [S, M], of the step at hand.
        finished: whether there is nothing left to do: the horizon is done, or values change by rounding only, or the
            bound has long not fallen.
    """

    unit = "stage games"  # of `touched`

    def __init__(
        self,
        model: MarkovModel,
        stages: Stages,
        *,
        plays: Plays,
        policy: Callable[[MarkovModel, Plays], JointPolicy],
        residual: Callable[[MarkovModel, JointPolicy], float],
        backup: Callable[[Float64Array], Float64Array] | None = None,
        players: int | None = None,
        general_sum: bool = False,
    ) -> None:
        """Begin with values of 0.

        Args:
            model: the game.
            stages: solves stage games.
            plays: what is played where nothing was found yet, [I, ...].
            policy: makes a joint policy of what is played.
            residual: the policy's exact error.
            backup: the payoffs of the stage games [S, A_0, ..., A_{N-1}, M] from values [S, M]; by default the rewards
                and the expected values.
            players: M, how many of the first players have values; default all.
            general_sum: whether values may go round in circles; see the module.
        """
        self.model, self.stages = model, stages
        self._policy, self._residual = policy, residual
        self._backup = expected_payoffs(model, players) if backup is None else backup
        self.values = np.zeros((model.num_states, players or model.num_players))
        self.iteration, self._done, self.finished = 0, 0, False
        self._bound, self._since = np.inf, 0
        self._general_sum, self._step = general_sum, 1.0
        self._plays = [np.array(part) for part in plays]

    @property
    def touched(self) -> int:
        """Stage games solved."""
        return self._done * self.model.num_states

    def run(self, iterations: int) -> None:
        """See `Process`; where `finished`, iterations are counted and nothing more is done."""
        self.iteration += iterations
        for _ in range(iterations):
            if self.finished:
                return
            values, plays = self.stages.solve(self._backup(self.values))
            self._done += 1
            horizon, states = self.model.horizon, self.model.num_states
            if horizon is not None:
                first = (horizon - self._done) * states
                for part, found in zip(self._plays, plays, strict=True):
                    part[first : first + states] = found
                self.finished = self._done == horizon
                self._bound = 0.0 if self.finished else np.inf
            else:
                self._look_at(values, plays)
            self.values = values if self._step == 1 else self.values + self._step * (values - self.values)

    def _look_at(self, values: Float64Array, plays: Plays) -> None:
        """Keep what has the least bound; stop where values changed by rounding."""
        bound = gain_bound(self.model, values - self.values)
        if self._general_sum and self._done % JUDGE_EVERY == 0:
            bound = min(bound, self._residual(self.model, self._policy(self.model, plays)))
        self._since += 1
        if bound < self._bound:
            self._bound, self._plays, self._since = bound, list(plays), 0
        if self._general_sum and self._since >= CIRCLES and self._step > LEAST_STEP:
            self._step, self._since = self._step / 2, 0
        still = np.abs(values - self.values).max() <= ROUNDING * np.abs(values).max()
        self.finished = bool(still) or self._since >= (CIRCLES if self._general_sum else PATIENCE)

    def bound(self) -> float:
        """What the residual of `policy()` cannot exceed, but for errors of the stage games: payoff; inf: not known."""
        return self._bound

    def policy(self) -> JointPolicy:
        """That of the least bound; with a horizon, what is found for its last steps."""
        return self._policy(self.model, self._plays)

    def residual(self) -> float:
        """See `Process`."""
        return self._residual(self.model, self.policy())

    def measures(self) -> dict[str, float]:
        """The bound, in payoff."""
        return {"bound": self._bound} if np.isfinite(self._bound) else {}

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        return {
            "iteration": self.iteration,
            "done": self._done,
            "finished": self.finished,
            "bound": self._bound,
            "since": self._since,
            "step": self._step,
            "values": self.values.copy(),
            "plays": [part.copy() for part in self._plays],
            "stages": self.stages.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`."""
        self.iteration, self._done = state["iteration"], state["done"]
        self.finished, self._bound = state["finished"], state["bound"]
        self.values, self._since, self._step = np.array(state["values"]), state["since"], state["step"]
        self._plays = [np.array(part) for part in state["plays"]]
        self.stages.restore(state["stages"])


def gain_bound(model: MarkovModel, change: Float64Array) -> float:
    """What the players may gain in all where a step changed their values by `change` [S, M]; see the module."""
    high, low = change.max(axis=0), change.min(axis=0)
    if model.may_end:
        high, low = np.maximum(high, 0.0), np.minimum(low, 0.0)
    return model.discount / (1.0 - model.discount) * float((high - low).sum())


def expected_payoffs(model: MarkovModel, players: int | None = None) -> Callable[[Float64Array], Float64Array]:
    """The stage games [S, A_0, ..., A_{N-1}, M] as a function of the values [S, M] of the first M players."""
    form = chains(model)
    kernel: Any = form.kernel
    discount, shape = form.discount, form.shape
    rewards = np.ascontiguousarray(form.rewards[:, :players])

    def payoffs(values: Float64Array) -> Float64Array:
        after = kernel @ values if values.shape[1] > 1 else (kernel @ values[:, 0])[:, None]
        after *= discount
        after += rewards
        collected: Float64Array = after.reshape(*shape, -1)
        return collected

    return payoffs


def uniform_tables(model: MarkovModel) -> Plays:
    """Uniform play of every player, [I, A_p]."""
    return [points.uniform() for points in model.information_states]


def nash_residual(model: MarkovModel, policy: JointPolicy) -> float:
    """NashConv."""
    return score(model, policy).nash_conv
