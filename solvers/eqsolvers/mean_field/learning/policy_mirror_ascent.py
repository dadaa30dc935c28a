"""Policy mirror ascent from experience: N agents on one trajectory, no resets, no model of the population.

Only games without a horizon: there is no trajectory that goes on in others, which `pma` takes. The default settings are
the published ones and learn next to nothing in their 1,000 samples; small games are learnt in some forty policy steps
with pooled=true, visits=true, floor=0.1, eta=0.1, samples=2000, mixing=1.

Yardim, Cayci, Geist and He (2023), "Policy mirror ascent for efficient and independent learning in mean field games",
ICML, arXiv 2212.14449. An iteration is one policy step: all tables begin at Q_max; agents play their policies; every
`mixing` steps the tables learn from one step of the agents' own (`_td`, algorithm 1), `samples` times; then

    p(s)  <-  argmax over u of  <u, Q(s, .)> + h(u) - |u - p(s)|^2 / (2 eta)

as in `eqsolvers.mean_field.pma`. Nobody is told a transition probability or the mean field. Centralised (algorithm 2):
the first agent of each population learns and everybody plays its policy. Independent (algorithm 3): every agent has a
table and a policy of its own and learns from its own steps alone.

The published step sizes are small: with k the least probability of a state and action, t_0 is of order 1 / k^2, and
fewer samples than that leave the tables where they began. These options, off by default, are for practice:

- `pooled`: centralised, with all agents' steps. `trajectories`: as many copies of the N agents side by side.
- `visits`: step sizes by each state and action's own visits. `offset`: t_0. `warm_start`: tables go on from the last.
- `replay`: an iteration's looks are kept and learnt from that many times, shuffled each time (Benjamin and Abate, arXiv
  2306.02766).
- `traces`: TD(lambda), with `mixing=1`.
- `communication_rounds` of independent agents within `radius`: `exchange="adopt"` (policies by what they earned in
  `trial` steps, arXiv 2306.02766), or averages of `"policies"` or of `"tables"` by visits; see `_communication`.

`policy` is what the population plays, of independent learners the mean of their policies by where each of them is
(`_population`); `disagreement` among the measures is how far their own are from it. `residual` is its exact NashConv in
the game of a continuum, without h; `policy_change` how far the exact operator moves it. `largest_reward` is the largest
one met: the tables' first values are upper bounds only while it is at most `reward_bound`, and a warning tells once
where it is not. With finitely many agents the tables tend to the values in a population that is never quite at rest, so
learnt policies are off by O(1 / sqrt N).

Cost of an iteration: `samples` x `mixing` x N steps of agents, compiled, and a call of the reward operator for some
thousand looks at a time. To judge independent agents all of their policies come to rest together: see `_population`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family
from eqsolvers.iterative import iterative_solver, require_alike
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field._mirror import Mirror
from eqsolvers.mean_field.learning._agents import Agents
from eqsolvers.mean_field.learning._population import played_together
from eqsolvers.mean_field.learning._settings import METHOD, PARAMETERS, Settings
from eqsolvers.mean_field.pma import policy_change
from eqsolvers.result import SolverSpec

logger = logging.getLogger(__name__)


class Best(NamedTuple):
    """The least exploitable of the policies looked at, of every seed."""

    nash_conv: Float64Array  # [B], infinite before the first look
    iteration: IntArray  # [B]
    policy: Float64Array  # [B, 1, P, S, A]


class PolicyMirrorAscentLearner:
    """See the module.

    Args:
        model: without a horizon.
        seed: one, or several to run side by side.
        mirror: the policy step.
        settings: see there.

    Attributes:
        model: the game.
        iteration: policy steps done.

    Raises:
        UnsupportedGame: if the game has a horizon.
        GameTooLargeError: if the tables would be too large.
        InputError: if there are fewer agents than populations.
    """

    unit = "agents' steps"

    def __init__(self, model: MeanFieldModel, seed: int | Sequence[int], mirror: Mirror, settings: Settings) -> None:
        if model.horizon is not None:
            raise UnsupportedGame(f"{METHOD}: needs a game without a horizon; one with a horizon is for method 'pma'")
        if settings.num_agents < model.num_populations:
            raise InputError(
                f"{METHOD}: num_agents must be at least {model.num_populations}, one for each population, got "
                f"{settings.num_agents}"
            )
        settings.check()
        self.model, self.iteration = model, 0
        self._mirror, self._settings, self._dynamics = mirror, settings, Dynamics(model)
        seeds = tuple(seed) if isinstance(seed, Sequence) else (int(seed),)
        self._agents = Agents(model, seeds, mirror, settings)
        self._tables = self._agents.tables
        runs = len(seeds)
        self._best = Best(np.full(runs, np.inf), np.zeros(runs, dtype=np.int64), np.zeros((runs, *model.policy_shape)))
        self._looked: dict[int, tuple[Float64Array, float]] = {}  # what is played and its residual, by seed
        self._warned = False

    @property
    def touched(self) -> int:
        """Steps of agents, of all trajectories and seeds."""
        return self.iteration * self._agents.steps * int(np.prod(self._tables.state.shape))

    def run(self, iterations: int) -> None:
        """Do some more policy steps."""
        for _ in range(iterations):
            for b in range(len(self._tables.stream)):
                self._agents.iterate(b)
            self.iteration += 1
            self._looked = {}
        self._warn()

    def _warn(self) -> None:
        """Tell once that Q_max is none."""
        most, bound = float(self._tables.largest.max()), self._settings.reward_bound
        if most > bound and not self._warned:
            self._warned = True
            logger.warning(
                "%s: a reward of %g was met, above reward_bound=%g: tables may begin too low; use reward_bound=%g",
                METHOD, most, bound, most,
            )  # fmt: skip

    def played_by(self, run: int) -> Float64Array:
        """What the population of the seed in that place plays, [1, P, S, A]."""
        return self._look(run)[0].copy()

    def _look(self, run: int) -> tuple[Float64Array, float]:
        """What the population of a seed plays, and its NashConv; computed once."""
        if run not in self._looked:
            policy = self._tables.policy[run]
            if not self._settings.centralised:
                policy = played_together(self.model, policy, self._agents.role)
            gain = float(self._dynamics.evaluate(policy[None]).gains.sum())
            if gain < self._best.nash_conv[run]:
                self._best.nash_conv[run], self._best.iteration[run] = gain, self.iteration
                self._best.policy[run] = policy
            self._looked[run] = (policy[None].copy(), gain)
        return self._looked[run]

    def policy_of(self, run: int) -> TabularPolicy:
        """The same as a policy."""
        return TabularPolicy(self.model, self.model.as_tables(self.played_by(run)))

    def policy(self) -> TabularPolicy:
        """Of the first seed."""
        return self.policy_of(0)

    def best_policy(self) -> TabularPolicy:
        """The least exploitable of the first seed's policies that were looked at."""
        self._look(0)
        return TabularPolicy(self.model, self.model.as_tables(self._best.policy[0]))

    def residual_of(self, run: int) -> float:
        """Exact NashConv of `policy_of(run)`."""
        return self._look(run)[1]

    def residual(self) -> float:
        """Of the first seed."""
        return self.residual_of(0)

    def residuals(self) -> Float64Array:
        """Of all seeds, [B]."""
        return np.array([self.residual_of(run) for run in range(len(self._tables.stream))])

    def measures(self) -> dict[str, float]:
        """Of the first seed.

        NashConv of the best policy looked at, and when; how far the exact operator moves the policy, and the agents'
        own are from it, in L1; the largest reward met.
        """
        policy, _ = self._look(0)
        found = {
            "best_nash_conv": float(self._best.nash_conv[0]),
            "best_iteration": float(self._best.iteration[0]),
            "policy_change": policy_change(self._dynamics, self._mirror, policy),
        }
        if self.iteration:
            found["largest_reward"] = float(self._tables.largest[0])
        if not self._settings.centralised:
            apart = np.abs(self._tables.policy[0] - policy[0, self._agents.role]).sum(axis=-1)
            found["disagreement"] = float(apart.mean())
        return found

    def state(self) -> dict[str, Any]:
        """All that changes, as copies."""
        return {
            "iteration": self.iteration,
            "tables": {name: array.copy() for name, array in self._tables._asdict().items()},
            "best": {name: array.copy() for name, array in self._best._asdict().items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave.

        Raises:
            InputError: if it is of another game or other settings.
        """
        require_alike(self.state(), state)
        self.iteration = int(state["iteration"])
        for part, own in (("tables", self._tables), ("best", self._best)):
            for name, array in own._asdict().items():
                array[:] = state[part][name]
        self._looked = {}


def start(
    model: MeanFieldModel,
    *,
    seed: int | Sequence[int] = 0,
    eta: float,
    tau: float,
    regulariser: str,
    distance: str,
    floor: float,
    num_agents: int,
    centralised: bool,
    samples: int,
    mixing: int,
    excitation: float,
    reward_bound: float,
    pooled: bool,
    trajectories: int,
    visits: bool,
    offset: float,
    warm_start: bool,
    replay: int,
    traces: float,
    communication_rounds: int,
    radius: float,
    exchange: str,
    temperature: float,
    trial: int,
) -> PolicyMirrorAscentLearner:
    """The learner with its parameters, which `SOLVER` has checked."""
    settings = Settings(
        num_agents=num_agents,
        centralised=centralised,
        samples=samples,
        mixing=mixing,
        excitation=excitation,
        reward_bound=reward_bound,
        pooled=pooled,
        trajectories=trajectories,
        visits=visits,
        offset=offset,
        warm_start=warm_start,
        replay=replay,
        traces=traces,
        communication_rounds=communication_rounds,
        radius=radius,
        exchange=exchange,
        temperature=temperature,
        trial=trial,
    )
    return PolicyMirrorAscentLearner(model, seed, Mirror(regulariser, tau, distance, eta, floor), settings)


def without_horizon(game: Game) -> bool:
    """Whether the method covers a game; nothing is enumerated for that."""
    model = game.model()
    return isinstance(model, MeanFieldModel) and model.horizon is None


def compiling(spec: SolverSpec) -> SolverSpec:
    """The solver, which has its loops compiled by an iteration of a game of one state and one action."""
    small = MeanFieldModel([[[1.0]]], lambda mean_field, moment: mean_field[..., None], [1.0], discount=0.5)

    def compile(model: object) -> None:
        del model
        assert spec.start is not None
        for options in ({}, {"centralised": False, "communication_rounds": 1, "replay": 1}):
            process = spec.start(small, settings={"num_agents": 2, "samples": 2, **options})
            process.run(1)
            process.measures()

    return replace(spec, compile=compile)


SOLVER = compiling(
    iterative_solver(
        METHOD,
        start,
        source="Yardim, Cayci, Geist, He (2023), ICML, arXiv 2212.14449",
        parameters=PARAMETERS,
        random=True,
        family=Family.MEAN_FIELD,
        covers=without_horizon,
        check_every=1,
        default_iterations=50,
    )
)
