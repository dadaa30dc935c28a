"""Learning from sampled play alone: mirror descent along the trajectory of each player, with implicit exploration.

In an episode both players and chance sample one play of the game. A player sees its own information sets, its own
actions and its payoff at the end; nothing else of the game enters an update. With mu_{1:h}(x, a) the probability that
the player itself gives to arriving at x and taking a there, the loss of an episode is estimated by

    1{x, a} loss / (mu_{1:h}(x, a) + gamma / w(x, a)),

and the policy moves to the minimiser of <mu, summed estimates> + sum over x of mu(x) w(x) / eta KL(mu(.|x), mu_1(.|x)).
Along the trajectory from its end, with rate r(x) = eta / w(x) and Z the normaliser of the row:

    mu'(a|x)  ~  mu(a|x) exp(-r(x) 1{a taken} (estimate - log Z(x') / r(x'))),    x' the player's next decision.

Rows off the trajectory stay as they are, so that an episode costs O(depth A). Where the weights w grow (adaptive FTRL)
the old log-policy is first drawn towards the start by the ratio of the old weight to the new one, which makes the same
formula the exact minimiser for the new weights; with constant weights that minimiser and mirror descent are the same.
The methods differ in the weights, one file each beside this one.

The guarantee is about the average of the realisation plans of all episodes. It is kept exactly at the same cost:
`average` of a sequence is the sum that has been passed down to it, `seen` of an information set is how much of its
parent's sum it has passed on. A row is passed what is missing just before it changes, and all rows when asked for.

Losses: a player's payoff is put to a loss in [0, 1] by the highest and lowest payoff that the player has in the game,
and charged at its last decision of the episode; the papers charge one in [0, 1] at each of H steps of a tree in which
all plays have the same length. Two players, constant sum, perfect recall.

Rates: each method's file gives learning rate and exploration that balance the terms of its regret bound for a number of
episodes, the horizon; both then take a factor. The default factors were picked from grids on Kuhn and Leduc together,
by the exploitability after 1e6 episodes (mean of three seeds): the bounds are pessimistic, so that learning gains from
rates 4 to 16 times as high and exploration 10 times as low (adaptive FTRL: 1 and 1/1000). On one game alone the best
rate is lower (Kuhn) or higher (Leduc) by about two.

Kozuno, Menard, Munos and Valko (2021), "Learning in two-player zero-sum partially observable Markov games with perfect
recall", NeurIPS, for the estimate and the update along the trajectory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.extensive_form import ExtensiveFormModel, Treeplex
from eqenvs.policies import TabularPolicy
from eqenvs.rules import CHANCE, TERMINAL
from eqenvs.spec import Family, Parameter
from eqsolvers.extensive_form._process import nash_conv
from eqsolvers.extensive_form._tree import Tree, flat_tree
from eqsolvers.iterative import iterative_solver, require_two_player_zero_sum
from eqsolvers.kernels import compiled, random_stream, uniform
from eqsolvers.result import SolverSpec, two_players_constant_sum


class Regulariser(NamedTuple):
    """What a method knows of one player's information sets before the first episode.

    Attributes:
        weight: [I], w(x): the learning rate at x is eta / w(x).
        action_weight: [Q - 1], w(x, a): the exploration is gamma / w(x, a).
        eta: the learning rate.
        gamma: the implicit exploration.
        start: [Q - 1], the policy that is played first and that the regulariser draws towards.
    """

    weight: Float64Array
    action_weight: Float64Array
    eta: float
    gamma: float
    start: Float64Array


class Layout(NamedTuple):
    """Both players' information sets in one numbering, the first player's before the second's.

    Sequences 0 and 1 are the players' empty ones; the others stand together by information set.
    """

    first: NDArray[np.uint32]  # [I + 1]
    parent: NDArray[np.uint32]  # [I]
    log_start: NDArray[np.float64]  # [Q], of the first policy
    eta: NDArray[np.float64]  # [2]
    gamma: NDArray[np.float64]  # [2]


class BanditState(NamedTuple):
    """All that changes but the random stream."""

    log_policy: NDArray[np.float64]  # [Q]
    policy: NDArray[np.float64]  # [Q]
    average: NDArray[np.float64]  # [Q], see the module
    seen: NDArray[np.float64]  # [I], see the module
    weight: NDArray[np.float64]  # [I]
    action_weight: NDArray[np.float64]  # [Q]


class Path(NamedTuple):
    """What each player saw of the episode, from its first decision to its last."""

    length: NDArray[np.uint32]  # [2]
    infoset: NDArray[np.uint32]  # [2, depth]
    sequence: NDArray[np.uint32]  # [2, depth], with the action taken there
    plan: NDArray[np.float64]  # [2, depth], the player's own probability of that sequence


@compiled
def pass_down(layout: Any, average: Any, seen: Any, policy: Any, infoset: int) -> None:
    """Pass on to the actions of an information set what has come to its parent since it last did."""
    arrived = average[layout.parent[infoset]]
    missing = arrived - seen[infoset]
    seen[infoset] = arrived
    for q in range(layout.first[infoset], layout.first[infoset + 1]):
        average[q] += missing * policy[q]


@compiled
def settle(layout: Any, average: Any, seen: Any, policy: Any) -> None:
    """Pass everything down: `average` becomes the sum of the plans of all episodes."""
    for infoset in range(len(layout.parent)):
        pass_down(layout, average, seen, policy, infoset)


@compiled
def sample(tree: Tree, layout: Any, tables: Any, path: Any, stream: Any, episode: int) -> tuple[int, int]:
    """Play an episode, number `episode` from 1, leaving the players' views in `path`; the terminal and the moves."""
    policy, average = tables.policy, tables.average
    for player in range(2):
        path.length[player] = 0
        average[player] = episode
    history = np.uint32(0)
    moves = 1
    while tree.player[history] != TERMINAL:
        player = tree.player[history]
        child = tree.first_child[history]
        last = tree.num_children[history] - np.uint32(1)
        draw = uniform(stream)
        k = np.uint32(0)
        if player == CHANCE:
            while k < last and draw >= tree.chance[child + k]:
                draw -= tree.chance[child + k]
                k += np.uint32(1)
        else:
            infoset = tree.infoset[history]
            pass_down(layout, average, tables.seen, policy, infoset)
            q = layout.first[infoset]
            while k < last and draw >= policy[q + k]:
                draw -= policy[q + k]
                k += np.uint32(1)
            at = path.length[player]
            arrived = path.plan[player, at - np.uint32(1)] if at > 0 else 1.0
            path.infoset[player, at] = infoset
            path.sequence[player, at] = q + k
            path.plan[player, at] = arrived * policy[q + k]
            path.length[player] = at + np.uint32(1)
        history = child + k
        moves += 1
    return tree.terminal[history], moves


@compiled
def learn(layout: Any, tables: Any, path: Any, player: int, loss: float, adaptive: bool) -> None:
    """One player's update along its own path, from the last decision to the first; see the module."""
    log_policy, policy = tables.log_policy, tables.policy
    length = np.int64(path.length[player])
    below = 0.0  # log Z / rate of the next decision
    for step in range(length):
        at = np.uint32(length - 1 - step)
        infoset, taken = path.infoset[player, at], path.sequence[player, at]
        start, stop = layout.first[infoset], layout.first[infoset + np.uint32(1)]
        inverse = 1.0 / (path.plan[player, at] + layout.gamma[player] / tables.action_weight[taken])
        kept = 1.0
        if adaptive:
            old = tables.weight[infoset]
            tables.action_weight[taken] += inverse
            tables.weight[infoset] += inverse / (stop - start)
            kept = old / tables.weight[infoset]
        rate = layout.eta[player] / tables.weight[infoset]
        estimate = loss * inverse if step == 0 else 0.0
        # The softmax is written out, as in `_mirror` and `_dilated`: a call tripled the time of an episode of Kuhn.
        highest = -np.inf
        for q in range(start, stop):
            logit = log_policy[q]
            if adaptive:
                logit = kept * logit + (1.0 - kept) * layout.log_start[q]
            if q == taken:
                logit -= rate * (estimate - below)
            log_policy[q] = logit
            highest = max(highest, logit)
        total = 0.0
        for q in range(start, stop):
            policy[q] = np.exp(log_policy[q] - highest)
            total += policy[q]
        log_normaliser = highest + np.log(total)
        for q in range(start, stop):
            policy[q] /= total
            log_policy[q] -= log_normaliser
        below = log_normaliser / rate


@compiled
def play(tree: Tree, layout: Any, tables: Any, path: Any, stream: Any, done: int, episodes: int, adaptive: bool) -> int:
    """Run episodes done + 1 .. done + episodes; the histories visited. `tree.payoffs` holds losses in [0, 1]."""
    touched = 0
    for episode in range(done + 1, done + episodes + 1):
        terminal, moves = sample(tree, layout, tables, path, stream, episode)
        touched += moves
        for player in range(2):
            learn(layout, tables, path, player, tree.payoffs[terminal, player], adaptive)
    return touched


class BanditLearner:
    """Self-play of two learners that see only what they are dealt, do and are paid.

    Args:
        model: two players, constant sum.
        regularisers: one per player.
        adaptive: whether the weights grow with the estimated probability of being brought to each decision.
        seed: of the random stream.
    """

    unit = "histories"  # of `touched`

    def __init__(
        self, model: ExtensiveFormModel, regularisers: tuple[Regulariser, ...], *, adaptive: bool, seed: int
    ) -> None:
        self.model = model
        self.adaptive = adaptive
        self.iteration = 0
        self.touched = 0
        treeplexes = model.treeplexes
        self._infosets = _bounds(0, [treeplex.num_infosets for treeplex in treeplexes])
        self._sequences = _bounds(2, [treeplex.num_sequences - 1 for treeplex in treeplexes])
        tree = flat_tree(model)
        offset = np.where(tree.player == 1, self._infosets[1].start, 0)
        self._tree = tree._replace(infoset=(tree.infoset + offset).astype(np.uint32), payoffs=losses(model.payoffs))
        parents = [
            np.where(treeplex.parent_sequence == 0, player, treeplex.parent_sequence - 1 + at.start)
            for player, (treeplex, at) in enumerate(zip(treeplexes, self._sequences, strict=True))
        ]
        counts = np.concatenate([treeplex.num_actions for treeplex in treeplexes])
        start = np.concatenate([[1.0, 1.0], *(regulariser.start for regulariser in regularisers)])
        self._layout = Layout(
            first=np.concatenate([[2], 2 + np.cumsum(counts)]).astype(np.uint32),
            parent=np.concatenate(parents).astype(np.uint32),
            log_start=np.log(start),
            eta=np.array([regulariser.eta for regulariser in regularisers]),
            gamma=np.array([regulariser.gamma for regulariser in regularisers]),
        )
        self._tables = BanditState(
            log_policy=np.log(start),
            policy=start,
            average=np.zeros(len(start)),
            seen=np.zeros(len(counts)),
            weight=np.concatenate([regulariser.weight for regulariser in regularisers]),
            action_weight=np.concatenate([[1.0, 1.0], *(r.action_weight for r in regularisers)]),
        )
        depth = max(len(treeplex.depth_start) - 1 for treeplex in treeplexes)
        self._path = empty_path(depth)
        self._stream = random_stream(seed)

    def run(self, iterations: int) -> None:
        """Play some more episodes."""
        self.touched += play(
            self._tree,
            self._layout,
            self._tables,
            self._path,
            self._stream,
            self.iteration,
            iterations,
            self.adaptive,
        )
        self.iteration += iterations

    def plans(self) -> list[Float64Array]:
        """The average of the realisation plans played, [Q] per player; before the first episode the plan to be played.

        What is missing below is passed down in a copy: looking does not change the state, not even its rounding.
        """
        tables, average, seen = self._tables, self._tables.average.copy(), self._tables.seen.copy()
        average[:2] = max(self.iteration, 1)
        settle(self._layout, average, seen, tables.policy)
        average /= max(self.iteration, 1)
        return [np.concatenate([[1.0], average[at]]) for at in self._sequences]

    def residual(self) -> float:
        """The exact NashConv of the average policy, in the game's payoffs."""
        return nash_conv(self.model, self.plans())

    def policy(self) -> TabularPolicy:
        """The average policy."""
        pairs = zip(self.model.treeplexes, self.plans(), strict=True)
        return TabularPolicy(self.model, [treeplex.behaviour(plan) for treeplex, plan in pairs])

    def measures(self) -> dict[str, float]:
        """None."""
        return {}

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        return {
            "iteration": self.iteration,
            "touched": self.touched,
            "stream": self._stream.copy(),
            "tables": {name: array.copy() for name, array in self._tables._asdict().items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`."""
        self.iteration, self.touched = int(state["iteration"]), int(state["touched"])
        self._stream[:] = state["stream"]
        for name, array in self._tables._asdict().items():
            array[:] = state["tables"][name]


def losses(payoffs: Float64Array) -> Float64Array:
    """Each player's payoffs [Z, 2] as losses in [0, 1]: 0 at its best in the game, 1 at its worst, all 0 if equal."""
    span = np.ptp(payoffs, axis=0)
    return np.ascontiguousarray((payoffs.max(axis=0) - payoffs) / np.where(span > 0, span, 1.0))


def sizes(treeplex: Treeplex) -> tuple[int, int, int]:
    """Depth, information sets and actions, for the rates; at least 1, 1 and 2, for a player who never moves."""
    depth, infosets, actions = len(treeplex.depth_start) - 1, treeplex.num_infosets, treeplex.num_sequences - 1
    return max(depth, 1), max(infosets, 1), max(actions, 2)


def uniform_start(treeplex: Treeplex) -> Float64Array:
    """The uniform policy, [Q - 1]."""
    return np.repeat(1.0 / treeplex.num_actions, treeplex.num_actions)


def sums_by_infoset(values: Float64Array, num_actions: IntArray) -> Float64Array:
    """Sums of the values of consecutive sequences over the actions of each information set."""
    return np.add.reduceat(values, np.cumsum(num_actions) - num_actions)


def empty_path(depth: int) -> Path:
    """Room for two players' views."""
    shape = (2, depth)
    index = np.uint32
    return Path(np.zeros(2, index), np.zeros(shape, index), np.zeros(shape, index), np.zeros(shape))


def _bounds(start: int, sizes: list[int]) -> tuple[slice, ...]:
    """Slices of those sizes, one after the other."""
    ends = start + np.cumsum(sizes)
    return tuple(slice(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True))


def warm_up() -> None:
    """Compile the loops or load them from the cache, without running a game."""
    index = np.zeros(1, dtype=np.uint32)
    tree = Tree(
        player=np.array([TERMINAL], dtype=np.int32),
        first_child=index,
        num_children=index,
        infoset=index,
        chance=np.ones(1),
        terminal=index,
        payoffs=np.zeros((1, 2)),
    )
    layout = Layout(np.array([2, 3], dtype=np.uint32), index, np.zeros(3), np.ones(2), np.ones(2))
    tables = BanditState(np.zeros(3), np.ones(3), np.zeros(3), np.zeros(1), np.ones(1), np.ones(3))
    play(tree, layout, tables, empty_path(1), random_stream(0), 0, 0, False)
    settle(layout, tables.average, tables.seen, tables.policy)


def bandit_solver(
    method: str,
    regulariser: Callable[[Treeplex, int], Regulariser],
    source: str,
    *,
    eta_scale: float,
    gamma_scale: float,
    adaptive: bool = False,
) -> SolverSpec:
    """The registered solver of one method.

    Args:
        method: its id.
        regulariser: from a player's information sets and the horizon to the weights and the rates of the theory.
        source: authors, year, venue.
        eta_scale: default of the factor on the theory's learning rate.
        gamma_scale: default of the factor on the theory's exploration.
        adaptive: see `BanditLearner`.
    """

    def start(
        model: ExtensiveFormModel, *, seed: int, horizon: int, eta_scale: float, gamma_scale: float
    ) -> BanditLearner:
        require_two_player_zero_sum(model, method)
        made = tuple(regulariser(treeplex, horizon) for treeplex in model.treeplexes)
        scaled = tuple(r._replace(eta=r.eta * eta_scale, gamma=r.gamma * gamma_scale) for r in made)
        return BanditLearner(model, scaled, adaptive=adaptive, seed=seed)

    return iterative_solver(
        method,
        start,
        source=source,
        family=Family.EXTENSIVE_FORM,
        covers=two_players_constant_sum,
        parameters=(
            Parameter(
                name="horizon",
                default=1_000_000,
                low=1,
                description="the number of episodes that learning rate and exploration are chosen for",
            ),
            Parameter(
                name="eta_scale",
                default=eta_scale,
                kind=float,
                low=1e-9,
                high=1e9,
                description="factor on the learning rate of the theory",
            ),
            Parameter(
                name="gamma_scale",
                default=gamma_scale,
                kind=float,
                low=0.0,
                high=1e9,
                description="factor on the implicit exploration of the theory",
            ),
        ),
        random=True,
        compile=lambda model: warm_up(),
        check_every=10_000,
        default_iterations=2_000_000,
    )
