"""Monte Carlo CFR: regret minimisation that visits a random part of the tree in every iteration.

Lanctot, Waugh, Zinkevich and Bowling (2009), "Monte Carlo sampling for regret minimization in extensive games",
NeurIPS; Lanctot (2013), "Monte Carlo sampling and regret minimization for equilibrium computation and decision-making
in large extensive form games", PhD thesis, University of Alberta, chapter 4. One iteration is one traversal per player.
Any number of players, perfect recall, payoffs of any sum; the guarantee is for two-player constant-sum games.

Regrets are those of CFR; with a floor, as in CFR+; or with weight t in iteration t, as in linear MCCFR (Brown and
Sandholm 2019, "Solving imperfect-information games via discounted regret minimization", AAAI). Averages weigh
iterations evenly or linearly.

The average strategy. It has to weigh a player's strategy at an information set by the player's own part of the reach,
up to a constant that does not change from one iteration to the next. With two players, the traversals of the other
player arrive like that, and give it for nothing (outcome sampling divides by the probability of what the other player
explored). With more, what arrives is weighed by the present strategies of third players, which do change, and dividing
by them does not help where they are zero; OpenSpiel's solvers leave it at that. A single player is not met by anybody.
Unless there are two, every traversal is therefore preceded by one play in which the player follows its strategy and all
others move uniformly at random. In chance sampling the player's own traversal has the reach at hand. All of these are
unbiased: given the strategies of an iteration, the expectation of what is added is the full-width term times that
constant.

Baselines (control variates) for what is sampled, kept per player:

- learned: of every history and action, moving averages of the values seen below (the learned history baseline of Davis,
  Schmid and Bowling 2020, "Low-variance and zero-variance baselines for extensive-form games", ICML);
- infoset: the same of every information set of the mover and action (Schmid, Burch, Lanctot, Moravcik, Kadlec and
  Bowling 2019, "Variance reduction in Monte Carlo counterfactual regret minimization (VR-MCCFR) for extensive form
  games using baselines", AAAI). Theirs average the importance-weighted value of their equation 9, with a share of one
  half for the newest; here it is the value below the sampled action, without a weight. Chance histories have their own;
- predictive: of every history and action, the value that the baselines below give under the strategies as updated
  (Davis et al.), brought up to date along what is visited. They start from zero, not from a walk over the game.

They leave expectations as they are. What is sampled are single histories; the public outcome sampling under which
predictive baselines have no variance at all is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.rules import CHANCE
from eqenvs.spec import Family, Parameter
from eqsolvers.extensive_form._mccfr_kernel import AVERAGE, STRATEGY, SampledGame, Settings, Workspace
from eqsolvers.extensive_form._process import nash_conv
from eqsolvers.extensive_form._tree import flat_tree
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import random_stream
from eqsolvers.result import SolverSpec

REGRETS = Parameter(
    name="regrets",
    default="cfr",
    kind=str,
    choices=("cfr", "cfr+", "linear"),
    description="cfr: summed; cfr+: summed with a floor at zero; linear: those of iteration t weigh t",
)
AVERAGING = Parameter(
    name="averaging",
    default="uniform",
    kind=str,
    choices=("uniform", "linear"),
    description="weights of the strategies in the average: even, or t in iteration t",
)
BASELINE = Parameter(
    name="baseline",
    default="none",
    kind=str,
    choices=("none", "learned", "infoset", "predictive"),
    description="control variates: none; learned per history or per infoset; or predictive per history",
)
DECAY = Parameter(
    name="decay",
    default=0.5,
    kind=float,
    low=0.0,
    high=1.0,
    description="share of the newest value in a learned baseline",
)
EPSILON = Parameter(
    name="epsilon",
    default=0.6,
    kind=float,
    low=0.01,
    high=1.0,
    description="share of uniform play at the updating player's own moves",
)

Iterate = Callable[..., int]  # (game, table, baselines, work, stream, settings, start, stop) -> histories visited
Width = Callable[[ExtensiveFormModel], int]


class MonteCarloMinimiser:
    """Self-play of regret matchers on sampled parts of a game.

    Args:
        model: any number of players, perfect recall.
        iterate: the sampling scheme's kernel.
        width: the longest queue of a traversal.
        seed: of the random stream.
        regrets, averaging, baseline, decay, epsilon: see the parameters.
    """

    unit = "histories"  # of `touched`

    def __init__(
        self,
        model: ExtensiveFormModel,
        iterate: Iterate,
        width: int,
        *,
        seed: int,
        regrets: str = "cfr",
        averaging: str = "uniform",
        baseline: str = "none",
        decay: float = 0.5,
        epsilon: float = 0.6,
    ) -> None:
        self.model = model
        self.iteration = 0
        self.touched = 0
        self._iterate = iterate
        self._first = first_rows(model)
        self._game = sampled_game(model, per_infoset=baseline == "infoset")
        self._table = np.zeros((self._first[-1], 3))
        self._table[:, STRATEGY] = np.concatenate(
            [np.repeat(1.0 / treeplex.num_actions, treeplex.num_actions) for treeplex in model.treeplexes]
        )
        rows = 0
        if baseline != "none":
            rows = len(model.parent) + (self._first[-1] if baseline == "infoset" else 0)
        self._baselines = np.zeros((model.num_players, rows))
        self._stream = random_stream(seed)
        self._work = workspace(width)
        self._settings = Settings(
            floor=0.0 if regrets == "cfr+" else -np.inf,
            linear_regrets=regrets == "linear",
            linear_average=averaging == "linear",
            epsilon=epsilon,
            corrected=baseline != "none",
            predictive=baseline == "predictive",
            rate=decay,
        )

    def run(self, iterations: int) -> None:
        """Run some more iterations."""
        start = self.iteration + 1
        self.touched += self._iterate(
            self._game,
            self._table,
            self._baselines,
            self._work,
            self._stream,
            self._settings,
            start,
            start + iterations,
        )
        self.iteration += iterations

    def _behaviour(self, player: int) -> Float64Array:
        """The average strategy [I, A]; uniform where the player has never been."""
        treeplex = self.model.treeplexes[player]
        table = np.zeros(treeplex.states.masks.shape)
        table[treeplex.states.masks] = self._table[self._first[player] : self._first[player + 1], AVERAGE]
        total = table.sum(axis=1, keepdims=True)
        return np.where(total > 0, table / np.where(total > 0, total, 1.0), treeplex.states.uniform())

    def policy(self) -> TabularPolicy:
        """The average policy."""
        return TabularPolicy(self.model, [self._behaviour(player) for player in range(self.model.num_players)])

    def residual(self) -> float:
        """The exact NashConv of the average policy (of the product of the averages, for any number of players)."""
        treeplexes = self.model.treeplexes
        return nash_conv(self.model, [t.realisation_plan(self._behaviour(p)) for p, t in enumerate(treeplexes)])

    def measures(self) -> dict[str, float]:
        """See `Process`; there are none, since the profiles that were played are not kept."""
        return {}

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        return {
            "iteration": self.iteration,
            "touched": self.touched,
            "table": self._table.copy(),
            "baselines": self._baselines.copy(),
            "stream": self._stream.copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`."""
        self.iteration, self.touched = int(state["iteration"]), int(state["touched"])
        self._table[:] = state["table"]
        self._baselines[:] = state["baselines"]
        self._stream[:] = state["stream"]


def first_rows(model: ExtensiveFormModel) -> IntArray:
    """Where each player's sequences, without the empty one, begin in the table; last, the length of it. [N + 1]."""
    return np.cumsum([0] + [treeplex.num_sequences - 1 for treeplex in model.treeplexes])


def sampled_game(model: ExtensiveFormModel, *, per_infoset: bool = False) -> SampledGame:
    """A model as the kernels walk it.

    Args:
        model: any.
        per_infoset: whether the histories of an information set share their baselines; chance histories have their own.
    """
    size, chance, tree = len(model.parent), model.num_players, flat_tree(model)
    counts, child = tree.num_children, tree.first_child
    kind = np.where(model.player >= 0, model.player, np.where(model.player == CHANCE, chance, chance + 1))
    row = np.zeros(size, dtype=np.int64)
    for player, (treeplex, first) in enumerate(zip(model.treeplexes, first_rows(model), strict=False)):
        mine = model.player == player
        row[mine] = first + treeplex.first_sequence[model.infoset[mine]] - 1
    row[model.terminals] = tree.terminal[model.terminals]
    baseline_row = child
    if per_infoset:
        baseline_row = np.where(model.player >= 0, row, first_rows(model)[-1] + child)
    threshold, alias = np.ones(size), np.zeros(size, dtype=np.uint32)
    for history in np.flatnonzero(model.player == CHANCE):
        outcomes = slice(child[history], child[history] + counts[history])
        threshold[outcomes], alias[outcomes] = alias_table(model.chance[outcomes])
    return SampledGame(
        nodes=np.stack([kind, counts, child, row], axis=1).astype(np.uint32),
        threshold=threshold,
        alias=alias,
        payoffs=model.payoffs.copy(),  # the kernels are compiled for arrays that could be written to
        baseline_row=baseline_row.astype(np.uint32),
    )


def alias_table(probabilities: Float64Array) -> tuple[Float64Array, IntArray]:
    """A distribution over K outcomes as K cells of equal weight, each with at most two outcomes.

    Walker (1977), ACM Transactions on Mathematical Software 3; built as by Vose (1991).

    Returns:
        The part of each cell that is its own outcome, and the outcome of the rest.
    """
    scaled = probabilities * len(probabilities)
    if (np.abs(scaled - 1.0) < 1e-12).all():
        return np.ones(len(scaled)), np.arange(len(scaled))
    threshold, alias = np.ones(len(scaled)), np.arange(len(scaled))
    small, large = list(np.flatnonzero(scaled < 1.0)), list(np.flatnonzero(scaled >= 1.0))
    rest = scaled.copy()
    while small and large:
        cell, donor = small.pop(), large[-1]
        threshold[cell], alias[cell] = rest[cell], donor
        rest[donor] -= 1.0 - rest[cell]
        if rest[donor] < 1.0:
            small.append(large.pop())
    return threshold, alias  # what is left over is 1 but for rounding


def workspace(width: int) -> Workspace:
    """A queue of that length."""
    return Workspace(
        history=np.zeros(width, dtype=np.uint32),
        below=np.zeros(width, dtype=np.uint32),
        pick=np.zeros(width, dtype=np.uint32),
        inner=np.zeros(width, dtype=np.uint32),
        value=np.zeros(width),
        ahead=np.zeros(width),
        own=np.zeros(width),
        others=np.zeros(width),
    )


def external_width(model: ExtensiveFormModel) -> int:
    """The most histories that one traversal of external sampling can visit."""
    return max(_width(model, model.player == player) for player in range(model.num_players))


def outcome_width(model: ExtensiveFormModel) -> int:
    """The longest play."""
    return len(model.level_start)


def chance_width(model: ExtensiveFormModel) -> int:
    """The most histories that one traversal of chance sampling can visit."""
    return _width(model, model.player != CHANCE)


def _width(model: ExtensiveFormModel, explored: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    """The histories visited by a traversal that takes all children of some histories and one of the others."""
    below = np.ones(len(model.parent), dtype=np.int64)
    added = np.zeros(len(model.parent), dtype=np.int64)
    for start, stop in reversed(list(pairwise(model.level_start[1:]))):
        below[start:stop] += added[start:stop]
        parent = model.parent[start:stop]
        take_all = explored[parent]
        np.add.at(added, parent[take_all], below[start:stop][take_all])
        np.maximum.at(added, parent[~take_all], below[start:stop][~take_all])
    return int(1 + added[0])


def sampling_solver(
    method: str, iterate: Iterate, width: Width, parameters: tuple[Parameter, ...], *, source: str, check_every: int
) -> SolverSpec:
    """The registered solver of one sampling scheme."""

    def start(model: ExtensiveFormModel, *, seed: int, **settings: Any) -> MonteCarloMinimiser:
        return MonteCarloMinimiser(model, iterate, width(model), seed=seed, **settings)

    def warm_up(model: ExtensiveFormModel) -> None:
        """No iterations of nothing: compiles, or loads from the cache."""
        nothing = SampledGame(
            nodes=np.zeros((1, 4), dtype=np.uint32),
            threshold=np.ones(1),
            alias=np.zeros(1, dtype=np.uint32),
            payoffs=np.zeros((1, model.num_players)),
            baseline_row=np.zeros(1, dtype=np.uint32),
        )
        settings = Settings(0.0, False, False, 1.0, False, False, 1.0)
        table, baselines = np.zeros((1, 3)), np.zeros((1, 0))
        iterate(nothing, table, baselines, workspace(1), random_stream(0), settings, 1, 1)  # as `run` calls it

    return iterative_solver(
        method,
        start,
        source=source,
        family=Family.EXTENSIVE_FORM,
        parameters=parameters,
        random=True,
        compile=warm_up,
        check_every=check_every,
        default_iterations=100_000_000,
    )
