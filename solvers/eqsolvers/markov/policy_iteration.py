"""Equilibrium of a two-player zero-sum discounted Markov game by policy iteration.

Hoffman and Karp (1966), "On nonterminating stochastic games", Management Science 12: the first player keeps its
maximin strategies of the stage games, the values become what the second player's best reply to them leaves, a Markov
decision process, and the stage games are solved again. The values rise monotonically, at least as fast as value
iteration's.

With `newton=true`, Pollatschek and Avi-Itzhak (1969), "Algorithms for stochastic games with geometrical
interpretation", Management Science 15: the values become those of both players' strategies. That is Newton's method on
T(v) - v = 0, T being a step of value iteration, and it may cycle (van der Wal 1978, Journal of Optimization Theory and
Applications 25). A Newton step is taken only where it brings the largest |T(v) - v| down to `discount` times what it
was; else v becomes T(v), of which that is always true. So it converges at least as fast as value iteration from every
start. (Filar and Tolwinski 1991 search along the Newton direction instead.)

Cost of an iteration: as of value iteration, and a few sparse linear systems; one for a Newton step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, IntArray, joint_play
from eqenvs.game import Game
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Parameter
from eqsolvers.iterative import require_two_player_zero_sum
from eqsolvers.markov._bounded import bounded_solver
from eqsolvers.markov._matrix_games import compile_kernels
from eqsolvers.markov._value_iteration import ROUNDING, expected_payoffs, gain_bound, nash_residual, uniform_tables
from eqsolvers.markov._zero_sum import MatrixStages, require_discounted
from eqsolvers.result import two_players_constant_sum, with_horizon
from eqsolvers.scoring.chains import chains

PATIENCE = 20  # iterations without a smaller bound after which rounding is all that is left


class PolicyIteration:
    """A `Process`: one iteration evaluates strategies and solves every stage game once.

    Attributes:
        values: [S, 1], the first player's.
        errors: the largest |T(v) - v| after every iteration, since the start or the last `restore`.
        looks: iterations done before it `finished`.
        value_steps: iterations of `newton` that a step of value iteration took the place of.
    """

    unit = "stage games"  # of `touched`

    def __init__(self, model: MarkovModel, *, newton: bool) -> None:
        self.model, self._newton = model, newton
        self._form, self._payoffs = chains(model), expected_payoffs(model, 1)
        self._stages = MatrixStages(model)
        # Rewards add up to another number than 0 only where the game never ends.
        self._total = float(model.reward.sum(axis=0)[model.joint_legal][0]) / (1.0 - model.discount)
        self.iteration, self.finished, self.looks, self.value_steps = 0, False, 0, 0
        self.errors = [np.inf]
        self._since = 0  # iterations since the bound last fell
        self._reply: IntArray = model.legal[1].argmax(axis=1)[:, None]  # any policy to begin with
        self._bound = np.inf
        self._strategies = self._best = tuple(uniform_tables(model))
        self.values = np.zeros((model.num_states, 1))
        self._next = self.values  # T(v)

    @property
    def touched(self) -> int:
        """Stage games solved."""
        return self.looks * self.model.num_states

    def run(self, iterations: int) -> None:
        """See `Process`; where `finished`, iterations are counted and nothing more is done."""
        self.iteration += iterations
        for _ in range(iterations):
            if self.finished:
                return
            if self._newton:
                self._newton_step()
            else:
                self._improve(self._against_best_reply())
            self._look()

    def _against_best_reply(self) -> Float64Array:
        """What the first player's strategies guarantee it, [S, 1]."""
        joint = joint_play(self._strategies)
        theirs, self._reply = self._form.reply(1, joint, told=False, start=self._reply)
        return self._total - theirs[:, None]

    def _newton_step(self) -> None:
        """From values of 0 at first."""
        if self.looks == 0:
            self._improve(self.values)
            return
        old, goal = self._next, self.model.discount * self.errors[-1]
        self._improve(self._form.values(joint_play(self._strategies))[:, :1])
        if not self._error() <= goal:
            self.value_steps += 1
            self._improve(old)

    def _improve(self, values: Float64Array) -> None:
        """Take over values, and solve their stage games."""
        self.values = values
        self._next, plays = self._stages.solve(self._payoffs(values))
        self._strategies = tuple(plays)

    def _error(self) -> float:
        return float(np.abs(self._next - self.values).max())

    def _look(self) -> None:
        bound = gain_bound(self.model, self._next - self.values)
        self.errors.append(self._error())
        self.looks += 1
        self._since += 1
        if bound < self._bound:
            self._bound, self._best, self._since = bound, self._strategies, 0
        rounding = ROUNDING * float(np.abs(self.values).max())
        self.finished = bool(self.errors[-1] <= rounding) or self._since >= PATIENCE

    def bound(self) -> float:
        """What NashConv of `policy()` cannot exceed, but for rounding: payoff."""
        return self._bound

    def policy(self) -> TabularPolicy:
        """The stage games' strategies of the least bound."""
        return TabularPolicy(self.model, self._best)

    def residual(self) -> float:
        """NashConv."""
        return nash_residual(self.model, self.policy())

    def measures(self) -> dict[str, float]:
        """The bound, in payoff, and how often value iteration had to take over."""
        steps = {"value_steps": float(self.value_steps)} if self._newton else {}
        return {"bound": self._bound, **steps}

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        return {
            "iteration": self.iteration,
            "finished": self.finished,
            "error": self.errors[-1],
            "looks": self.looks,
            "value_steps": self.value_steps,
            "since": self._since,
            "bound": self._bound,
            "values": self.values.copy(),
            "next": self._next.copy(),
            "reply": self._reply.copy(),
            "strategies": [part.copy() for part in self._strategies],
            "best": [part.copy() for part in self._best],
            "stages": self._stages.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`."""
        self.iteration, self.finished, self._bound = state["iteration"], state["finished"], state["bound"]
        self.errors, self.looks = [state["error"]], state["looks"]
        self.value_steps, self._since = state["value_steps"], state["since"]
        self.values, self._next = np.array(state["values"]), np.array(state["next"])
        self._reply = np.array(state["reply"])
        self._strategies = tuple(np.array(part) for part in state["strategies"])
        self._best = tuple(np.array(part) for part in state["best"])
        self._stages.restore(state["stages"])


def start(model: MarkovModel, *, newton: bool, seed: int = 0) -> PolicyIteration:
    """The process.

    Args:
        model: the game.
        newton: see the module.
        seed: of no use; nothing is drawn.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum, or has a horizon.
    """
    require_two_player_zero_sum(model, "policy-iteration", hint="nash-vi takes any")
    require_discounted(model, "policy-iteration")
    return PolicyIteration(model, newton=newton)


def compile_for(model: Any) -> None:
    """Compile the kernels, or load them from the cache."""
    compile_kernels()


def covers(game: Game) -> bool:
    """Whether the method takes a game: of two players, constant-sum, without a horizon."""
    return two_players_constant_sum(game) and not with_horizon(game)


SOLVER = bounded_solver(
    "policy-iteration",
    start,
    parameters=(
        Parameter(
            name="newton",
            default=False,
            kind=bool,
            description="evaluate both players' strategies, a Newton step, safeguarded by value iteration",
        ),
    ),
    preference=4,
    covers=covers,
    compile=compile_for,
    source="Hoffman, Karp (1966); Pollatschek, Avi-Itzhak (1969)",
)
