"""Independent policy gradient: every player climbs its own value, as if the others were part of the world.

Leonardos, Overman, Panageas and Piliouras (2022), "Global convergence of multi-agent policy gradient in Markov
potential games", ICLR. With x a player's probabilities and P the projection to the simplex, state by state,

    x  <-  P(x + eta * dV/dx),      all players at once.

In a Markov potential game the potential never falls for eta up to the reciprocal of its smoothness, and the iterates
have an epsilon-Nash equilibrium among them after O(1 / epsilon^2) steps. The published bound of the smoothness is 2 n
gamma A / (1 - gamma)^3 for n players of up to A actions and rewards in [-1, 1]. Its factor gamma leaves out what two
players do to each other in one step: for gamma near 0, where eta = 1 / bound knows no limit, two players who try to
meet swap places for ever. With that term, at most A / (1 - gamma)^2, it is no more than 2 n A / (1 - gamma)^3: the
default is eta = (1 - gamma)^3 / (2 n A) over the size of the rewards, and with a horizon, H^-3 for (1 - gamma)^3.

`gradient=sampled` is their stochastic version: play is (1 - exploration) x + exploration / A, an episode goes on with
probability gamma after each step, which makes the sum of its rewards unbiased with no limit of time, and dV/dx is
estimated from it by the score function (REINFORCE), the mean of `episodes`. `to_go` counts only rewards that come after
an action, which is unbiased too and varies less. `policy` is x, without the exploration.

`slow` below 1 multiplies the first player's step: Daskalakis, Foster and Golowich (2020), "Independent policy gradient
methods for competitive reinforcement learning", NeurIPS. In two-player zero-sum games the *slow* player's iterates then
are near-optimal on average, nothing being said of the fast one, who answers: the measure `guaranteed_0`, what player 0
gets at least. In other games nothing is proved.

Cost of an exact iteration: see `_evaluation`; of a sampled one, O(N) a step of play and O(N I A) for the projections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray, joint_play
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import compiled, uniform
from eqsolvers.markov.learning._evaluation import (
    effective_horizon,
    evaluate,
    policy_of_strategies,
    project_at,
    reward_scales,
    starting_strategies,
)
from eqsolvers.markov.learning._online import Moves, OnlineLearner, OnlineMethod, Told, uniform_at
from eqsolvers.markov.learning._process import SampledProcess, compiling, refuse_large, seeds_of
from eqsolvers.markov.learning._sampler import END, Table, explored_action, first_of, point_after, successor_entry
from eqsolvers.scoring.chains import chains

METHOD = "independent-policy-gradient"


class PolicyGradientState(NamedTuple):
    """All that changes."""

    strategy: Float64Array  # [B, N, I, A]


@compiled
def ascend(table: Any, eta: Any, gradient: Any, strategy: Any) -> None:
    """Move strategies [N, I, A] by eta [N] times a gradient [N, I, A], and back to the simplices."""
    moved = np.empty(strategy.shape[2])
    for player in range(strategy.shape[0]):
        for point in range(strategy.shape[1]):
            state = point % table.states
            if table.counts[player, state] > 1:
                for action in range(len(moved)):
                    moved[action] = strategy[player, point, action] + eta[player] * gradient[player, point, action]
                project_at(table, player, state, moved, strategy[player, point])


@compiled
def add_score(table: Any, strategy: Any, exploration: float, seen: Any, taken: Any, weight: Any, gradient: Any) -> None:
    """Add the score function of an episode's steps times weights.

    Args:
        table: the game.
        strategy: [N, I, A].
        exploration: share of uniform play.
        seen: [T, N], points.
        taken: [T, N], actions.
        weight: [T, N].
        gradient: [N, I, A], added to.
    """
    for t in range(len(seen)):
        for player in range(taken.shape[1]):
            point, action = seen[t, player], taken[t, player]
            least = exploration / table.counts[player, point % table.states]
            played = (1.0 - exploration) * strategy[player, point, action] + least
            gradient[player, point, action] += weight[t, player] * (1.0 - exploration) / played


@compiled
def episode(table: Any, strategy: Any, exploration: float, stream: Any, seen: Any, taken: Any, paid: Any) -> Any:
    """Play on while the discount has it: how many steps, and their points, actions and rewards, [T, N] each."""
    players = strategy.shape[0]
    state, steps = first_of(table, stream), 0
    point, going = state, True
    while going:
        if steps == len(seen):
            seen = np.concatenate((seen, np.zeros_like(seen)))
            taken = np.concatenate((taken, np.zeros_like(taken)))
            paid = np.concatenate((paid, np.zeros_like(paid)))
        row = state * table.profiles
        for player in range(players):
            count, actions = table.counts[player, state], table.actions[player, state]
            action = explored_action(strategy[player, point], actions, count, exploration, stream)
            taken[steps, player] = action
            row += action * table.strides[player]
        seen[steps, :], paid[steps] = point, table.reward[row]
        after = table.state[successor_entry(table, row, stream)]
        point = point_after(table, point // table.states, after)
        state = after
        steps += 1
        going = point != END and uniform(stream) < table.discount
    return steps, seen, taken, paid


@compiled
def choose_all(table: Any, exploration: float, strategy: Any, points: Any, stream: Any, taken: Any) -> None:
    """Write the actions [M, N] at points [M, N], from strategies [1, N, I, A]."""
    for m in range(points.shape[0]):
        for player in range(points.shape[1]):
            point = points[m, player]
            count, actions = table.counts[player, point], table.actions[player, point]
            taken[m, player] = explored_action(strategy[0, player, point], actions, count, exploration, stream)


@compiled
def play(
    table: Any,
    eta: Any,
    exploration: float,
    episodes: int,
    to_go: bool,
    strategies: Any,
    streams: Any,
    steps: Any,
    iterations: int,
) -> None:
    """Run some iterations of every seed, with gradients estimated from `episodes` of play each."""
    players = strategies.shape[1]
    gradient = np.zeros(strategies.shape[1:])
    seen, taken = np.zeros((64, players), np.int64), np.zeros((64, players), np.int64)
    paid = np.zeros((64, players))
    for b in range(len(streams)):
        strategy = strategies[b]
        for _ in range(iterations):
            gradient[:] = 0.0
            for _ in range(episodes):
                length, seen, taken, paid = episode(table, strategy, exploration, streams[b], seen, taken, paid)
                steps[b] += length
                for player in range(players):
                    for t in range(length - 2, -1, -1):
                        paid[t, player] += paid[t + 1, player]
                    if not to_go:
                        paid[:length, player] = paid[0, player]
                add_score(table, strategy, exploration, seen[:length], taken[:length], paid[:length], gradient)
            gradient /= episodes
            ascend(table, eta, gradient, strategy)


class IndependentPolicyGradient(SampledProcess):
    """See the module.

    Args:
        model: the game.
        seed: one, or several to run side by side.
        gradient: "exact" or "sampled".
        eta: step size, per unit of payoff; None: the default of the module.
        slow: factor on the first player's.
        start: "uniform" or "random" strategies; random ones are drawn by the seed.
        exploration: share of uniform play, of `sampled`; the next two too.
        episodes: of an iteration.
        to_go: whether rewards before an action are left out.
    """

    def __init__(
        self,
        model: MarkovModel,
        seed: int | Sequence[int],
        *,
        gradient: str,
        eta: float | None,
        slow: float,
        start: str,
        exploration: float,
        episodes: int,
        to_go: bool,
    ) -> None:
        seeds = seeds_of(seed)
        refuse_large(METHOD, len(seeds), model.num_players, model.num_points, max(model.num_actions))
        super().__init__(
            model, seed, PolicyGradientState(starting_strategies(model, seeds, start == "random")), concept="nash"
        )
        self._sampled, self._exploration, self._episodes, self._to_go = (
            gradient == "sampled",
            exploration,
            episodes,
            to_go,
        )
        self._eta = default_steps(model) if eta is None else np.full(model.num_players, eta)
        self._eta[0] *= slow

    def _play(self, episodes: int) -> None:
        strategies = self._tables.strategy
        if self._sampled:
            play(
                self.table,
                self._eta,
                self._exploration,
                self._episodes,
                self._to_go,
                strategies,
                self._streams,
                self._steps,
                episodes,
            )
            return
        for run, strategy in enumerate(strategies):
            for _ in range(episodes):
                found = evaluate(self.model, self.table, strategy)
                ascend(self.table, self._eta, found.visits[None, :, None] * found.averaged, strategy)
                self._steps[run] += self.model.num_points * self.table.profiles

    def policy_of(self, run: int) -> TabularPolicy:
        """The last strategies of the seed in that place."""
        return policy_of_strategies(self.model, self._tables.strategy[run])

    def measures(self) -> dict[str, float]:
        """What player 0 gets at least, in two-player constant-sum games."""
        if self.model.num_players != 2 or not self.model.constant_sum():
            return {}
        form, joint = chains(self.model), joint_play(self.policy_of(0).tables)
        worst = form.at_start(form.reply(1, joint, told=False)[0])
        values = form.at_start(form.values(joint))
        return {"guaranteed_0": float(values.sum() - worst)}


def default_steps(model: MarkovModel) -> Float64Array:
    """(1 - gamma)^3 / (2 n A) over the size of the rewards, for each player; H^-3 / (2 n A) given a horizon."""
    smooth = 2 * model.num_players * max(model.num_actions) * effective_horizon(model) ** 3
    return 1 / (smooth * np.full(model.num_players, reward_scales(model).max()))


class OnlinePolicyGradient(OnlineLearner):
    """The learner in an environment, `gradient=sampled`, from the first `episodes` games that begin after an update.

    Where the loop of this file ends an episode with probability 1 - gamma after each step, a game in progress cannot be
    stopped here; its steps weigh instead as much as they would be reached, so that the estimate is the expectation over
    these ends. What comes after a game is cut off is left out, at most the discounted weight that is left there. Rows
    whose game began under earlier strategies play on and are not counted: `episodes` should be a multiple of the games.

    Args:
        told: of the game.
        eta: step size, per unit of payoff; None: the default of the module, for which the rewards' bounds are needed.
        slow: factor on the first player's.
        exploration: share of uniform play.
        episodes: of an update.
        to_go: whether rewards before an action are left out.
    """

    def __init__(
        self, told: Told, *, eta: float | None, slow: float, exploration: float, episodes: int, to_go: bool
    ) -> None:
        if eta is None:
            smooth = 2 * told.num_players * max(told.num_actions) * told.effective_horizon(METHOD) ** 3
            eta = 1 / (smooth * told.scale(METHOD))
        self._told, self._exploration, self._episodes, self._to_go = told, exploration, episodes, to_go
        self._eta = np.full(told.num_players, eta)
        self._eta[0] *= slow
        self._begun = self._ended = 0  # of the games that the next update counts
        self._paths: list[list[Float64Array] | None] = []  # of each row's game, [3, N] a step; None: not counted

    def blank(self, points: int) -> OnlineGradientState:
        """See `OnlineLearner`."""
        shape = 1, self._told.num_players, points, max(self._told.num_actions)
        refuse_large(METHOD, *shape)
        return OnlineGradientState(np.zeros(shape), np.zeros(shape))

    def meet(self, table: Table, tables: OnlineGradientState, player: int, rows: IntArray, steps: IntArray) -> None:
        """See `OnlineLearner`; play begins uniform."""
        tables.strategy[0, player, rows] = uniform_at(table, player, rows)

    def act(self, table: Table, tables: OnlineGradientState, points: IntArray, stream: Any) -> tuple[IntArray, None]:
        """See `OnlineLearner`."""
        if not self._paths:
            self._paths = [self._next_path() for _ in points]
        taken = np.zeros_like(points)
        choose_all(table, self._exploration, tables.strategy, points, stream, taken)
        return taken, None

    def learn(self, table: Table, tables: OnlineGradientState, moves: Moves, chosen: None) -> None:
        """See `OnlineLearner`."""
        for row, path in enumerate(self._paths):
            if path is not None:
                path.append(np.stack([moves.point[row], moves.action[row], moves.reward[row]]))
                if moves.begins[row]:
                    self._add(table, tables, np.stack(path, axis=1))
                    self._ended += 1
        if self._ended == self._episodes:
            ascend(table, self._eta, tables.gradient[0] / self._episodes, tables.strategy[0])
            tables.gradient[:] = 0.0
            self._begun = self._ended = 0
        for row in np.flatnonzero(moves.begins).tolist():
            self._paths[row] = self._next_path()

    def strategies(self, table: Table, tables: OnlineGradientState) -> Float64Array:
        """The last strategies."""
        found: Float64Array = tables.strategy[0]
        return found

    def memory(self) -> dict[str, Any]:
        """The games in progress."""
        width = self._told.num_players
        paths = [np.array(path or [], dtype=np.float64).reshape(-1, 3, width) for path in self._paths]
        counted = [path is not None for path in self._paths]
        return {"begun": self._begun, "ended": self._ended, "counted": counted, "paths": paths}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """See `OnlineLearner`."""
        self._begun, self._ended = int(memory["begun"]), int(memory["ended"])
        stored = zip(memory["counted"], memory["paths"], strict=True)
        self._paths = [list(np.array(path)) if counted else None for counted, path in stored]

    def _next_path(self) -> list[Float64Array] | None:
        """Room for a game that begins, if it is to be counted."""
        self._begun += 1
        return [] if self._begun <= self._episodes else None

    def _add(self, table: Table, tables: OnlineGradientState, path: Float64Array) -> None:
        """Add the score function of a game, [3, T, N]."""
        seen, taken, paid = path[0].astype(np.int64), path[1].astype(np.int64), path[2]
        factor = (self._told.discount ** np.arange(len(paid)))[:, None]
        weight = np.cumsum((factor * paid)[::-1], axis=0)[::-1]  # factor_t times what is still to come
        if not self._to_go:
            weight = weight + factor * (np.cumsum(paid, axis=0) - paid)
        weight = np.ascontiguousarray(weight)
        add_score(table, tables.strategy[0], self._exploration, seen, taken, weight, tables.gradient[0])


class OnlineGradientState(NamedTuple):
    """All tables that change in an environment."""

    strategy: Float64Array  # [1, N, I, A]
    gradient: Float64Array  # [1, N, I, A], summed up for the next update


START = Parameter(
    name="start", default="uniform", kind=str, choices=("uniform", "random"), description="the first strategies"
)
ETA = Parameter(
    name="eta", default=None, kind=float, low=1e-300, high=1e9, description="step size, per unit of payoff; none: safe"
)
EXPLORED = Parameter(
    name="exploration",
    default=0.1,
    kind=float,
    low=0.0,
    high=1.0,
    description="share of uniform play while gradients are sampled",
)
TO_GO = Parameter(
    name="to_go",
    default=False,
    kind=bool,
    description="whether the score of an action is weighed by the rewards from there on only",
)
EPISODES = Parameter(name="episodes", default=10, low=1, high=1_000_000, description="that a gradient is sampled from")
SLOW = Parameter(
    name="slow", default=1.0, kind=float, low=0.0, high=1.0, description="factor on the first player's step"
)
ONLINE = OnlineMethod(id=METHOD, start=OnlinePolicyGradient, parameters=(ETA, SLOW, EXPLORED, EPISODES, TO_GO))
SOLVER = compiling(
    iterative_solver(
        METHOD,
        IndependentPolicyGradient,
        source="Leonardos, Overman, Panageas, Piliouras (2022), ICLR; Daskalakis, Foster, Golowich (2020), NeurIPS",
        parameters=(
            Parameter(
                name="gradient",
                default="exact",
                kind=str,
                choices=("exact", "sampled"),
                description="from the model, or estimated from play",
            ),
            ETA,
            SLOW,
            START,
            EXPLORED,
            EPISODES,
            TO_GO,
        ),
        random=True,
        family=Family.MARKOV,
        check_every=100,
        default_iterations=10_000,
    )
)
