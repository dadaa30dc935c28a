"""All players of a normal-form game learning against each other, over a batch of games at once.

A `Dynamics` is what the players do in a round: `together` makes one of no-regret learners, methods that need more than
the gradient at what was played (extragradient, fictitious play, ...) give their own. `SelfPlay` runs a dynamics on B
games of one shape; `play` is the call for that, and `online_solver` and `joint_solver` make registered solvers of a
learner and of a dynamics.

Payoffs are scaled to [0, 1] by each player's range in each game, which changes no equilibrium. Counted in every round:

- each player's average strategy; the product of the averages is a Nash equilibrium of a two-player zero-sum game up to
  the sum of the average regrets, and in other games nothing is promised of it;
- what each player's actions would have collected where it played each action: the average external and swap regret;
- the play-average, the average over the rounds of the product of the players' strategies [A_0, ..., A_{N-1}] (or of the
  actions they drew). Its CCE gap is the sum of the players' average external regrets and its CE gap that of their
  average swap regrets, exactly.

Cost of a round: O(B N A_0...A_{N-1}) for the gradients. Random numbers are a function of a game's seed and the round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from eqenvs.arrays import Float64Array, IntArray, sample_categorical
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import CorrelatedStrategy, TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.normal_form.learning._online import Build, OnlineLearner, StateT, drawn, importance_weighted
from eqsolvers.result import SolverSpec, error_of
from eqsolvers.scoring.score import score

MAX_NUMBERS = 20_000_000  # of a play-average over all games, eight bytes each
BLOCK = 256  # rounds whose random numbers are drawn at once

Strategies: TypeAlias = tuple[Float64Array, ...]  # [B, A_p] of each player


class Oracle(Protocol):
    """What the actions of the players of B games collect, in [0, 1]."""

    @property
    def num_actions(self) -> tuple[int, ...]:
        """Each player's number of actions."""

    def gradient(self, player: int, strategies: Sequence[Float64Array]) -> Float64Array:
        """The expected payoff of each of the player's actions against the others' strategies, [B, A_p]."""

    def collected(self, actions: Sequence[IntArray]) -> Strategies:
        """What the players' actions ([B] each) pay them, [B] each."""


def gradients(oracle: Oracle, strategies: Sequence[Float64Array]) -> Strategies:
    """Every player's gradient."""
    return tuple(oracle.gradient(player, strategies) for player in range(len(strategies)))


class Tensors:
    """B games of one shape by their payoff tensors.

    Args:
        payoffs: [B, N, A_0, ..., A_{N-1}]; each game's and player's payoffs are scaled to [0, 1].

    Attributes:
        span: [B, N], one unit of scaled payoff in units of payoff; 1 where a player's payoffs are all the same.

    Raises:
        InputError: if the shape is none of a batch of games, or a payoff is not finite.
    """

    def __init__(self, payoffs: ArrayLike) -> None:
        array = np.asarray(payoffs, dtype=np.float64)
        if array.ndim < 3 or array.ndim != array.shape[1] + 2 or 0 in array.shape:
            raise InputError(f"payoffs must have shape [B, N, A_0, ..., A_(N-1)], got {array.shape}")
        if not np.isfinite(array).all():
            raise InputError("payoffs must be finite")
        self.batch = array.shape[0]
        self.num_actions = tuple(array.shape[2:])
        flat = array.reshape(*array.shape[:2], -1)
        low, width = flat.min(axis=2), np.ptp(flat, axis=2)
        self.span: Float64Array = np.where(width > 0, width, 1.0)
        scaled = (flat - low[..., None]) / self.span[..., None]
        self._payoffs = [np.ascontiguousarray(scaled[:, player]) for player in range(array.shape[1])]
        self._strides = np.cumprod([1, *self.num_actions[:0:-1]])[::-1]

    def gradient(self, player: int, strategies: Sequence[Float64Array]) -> Float64Array:
        """See `Oracle`: the players behind are contracted from the last axis, then those before from the first."""
        value, batch = self._payoffs[player], self.batch
        for other in range(len(strategies) - 1, player, -1):
            matrix = value.reshape(batch, -1, self.num_actions[other])
            value = np.matmul(matrix, strategies[other][:, :, None])
        for other in range(player):
            value = np.matmul(strategies[other][:, None, :], value.reshape(batch, self.num_actions[other], -1))
        return value.reshape(batch, -1)

    def collected(self, actions: Sequence[IntArray]) -> Strategies:
        """See `Oracle`."""
        profile = sum(action * stride for action, stride in zip(actions, self._strides, strict=True))
        rows = np.arange(self.batch)
        return tuple(payoffs[rows, profile] for payoffs in self._payoffs)


class Round(NamedTuple):
    """One round of a dynamics.

    Attributes:
        state: after it.
        played: what counts as each player's play in it.
        gradients: each player's gradient that its play is measured by: at `played`, unless the players move in turn.
        actions: [B] of each player where they drew some, else None.
    """

    state: Any
    played: Strategies
    gradients: Strategies
    actions: tuple[IntArray, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Dynamics(Generic[StateT]):
    """What all players do together.

    Attributes:
        init: from (B, actions of each player) to the state before the first round, a tree of tuples of arrays.
        strategies: the current ones: the last iterate.
        step: a round, from the state, the games and uniform random numbers [B, N].
        random: whether `step` reads the random numbers; it is given none otherwise.
    """

    init: Callable[[int, tuple[int, ...]], StateT]
    strategies: Callable[[StateT], Strategies]
    step: Callable[[StateT, Oracle, Float64Array | None], Round]
    random: bool = False


def together(
    learners: Sequence[OnlineLearner[Any]],
    *,
    feedback: str = "full",
    alternating: bool = False,
    exploration: float = 0.05,
) -> Dynamics[tuple[Any, ...]]:
    """Learners, one per player, that learn of each other what the feedback says.

    Args:
        learners: in the order of the players.
        feedback: "full", "semi-bandit" or "bandit"; see `_online`. Learners without `observe` get one by importance
            weighting under "bandit".
        alternating: players update in turn, each against the newest strategies of those before it.
        exploration: of those learners; see `importance_weighted`.

    Raises:
        InputError: if the feedback is unknown, too little for a learner, or sampled while the players move in turn.
    """
    if feedback not in ("full", "semi-bandit", "bandit"):
        raise InputError(f"feedback must be full, semi-bandit or bandit, got {feedback!r}")
    if alternating and feedback != "full":
        raise InputError("alternating updates need feedback 'full': in turn there is no joint draw of actions")
    if feedback == "bandit":
        learners = [rule if rule.observe is not None else importance_weighted(rule, exploration) for rule in learners]
    elif any(rule.update is None for rule in learners):
        raise InputError(f"a bandit algorithm has no use for feedback {feedback!r}; ask for 'bandit'")

    def init(batch: int, num_actions: tuple[int, ...]) -> tuple[Any, ...]:
        return tuple(rule.init(batch, actions) for rule, actions in zip(learners, num_actions, strict=True))

    def strategies(state: tuple[Any, ...]) -> Strategies:
        return tuple(rule.strategy(own) for rule, own in zip(learners, state, strict=True))

    def updated(state: tuple[Any, ...], payoffs: Strategies) -> tuple[Any, ...]:
        return tuple(rule.update(own, p) for rule, own, p in zip(learners, state, payoffs, strict=True) if rule.update)

    def at_once(state: tuple[Any, ...], oracle: Oracle, uniform: Float64Array | None) -> Round:
        played = strategies(state)
        collected = gradients(oracle, played)
        return Round(updated(state, collected), played, collected)

    def in_turn(state: tuple[Any, ...], oracle: Oracle, uniform: Float64Array | None) -> Round:
        played, after, collected = strategies(state), list(state), []
        newest = list(played)
        for player, rule in enumerate(learners):
            assert rule.update is not None
            collected.append(oracle.gradient(player, newest))
            after[player] = rule.update(state[player], collected[player])
            newest[player] = rule.strategy(after[player])
        return Round(tuple(after), played, tuple(collected))

    def sampled(state: tuple[Any, ...], oracle: Oracle, uniform: Float64Array | None) -> Round:
        assert uniform is not None
        played = strategies(state)
        actions = tuple(sample_categorical(own, uniform[:, player]) for player, own in enumerate(played))
        if feedback == "bandit":
            after = tuple(
                rule.observe(own, action, payoff)
                for rule, own, action, payoff in zip(learners, state, actions, oracle.collected(actions), strict=True)
                if rule.observe
            )
        else:
            pure = [drawn(action, own.shape[1]) for action, own in zip(actions, played, strict=True)]
            after = updated(state, gradients(oracle, pure))
        return Round(after, played, gradients(oracle, played), actions)

    step = in_turn if alternating else at_once if feedback == "full" else sampled
    return Dynamics(init=init, strategies=strategies, step=step, random=feedback != "full")


def joint(strategies: Sequence[Float64Array]) -> Float64Array:
    """The product distributions of strategies [B, A_p], [B, A_0, ..., A_{N-1}]."""
    product = strategies[0]
    for own in strategies[1:]:
        product = product[..., None] * own.reshape(len(own), *(1,) * (product.ndim - 1), -1)
    return product


class SelfPlay:
    """A dynamics at work on B games of one shape.

    Args:
        payoffs: [B, N, A_0, ..., A_{N-1}].
        dynamics: of N players.
        seeds: one per game; game b goes as it would alone with that seed.
        gamma: round t weighs t ** gamma in the average strategies; regrets and play-average weigh all rounds the same.
        keep_play: whether to add up the play-average.
        empirical: whether it is of the drawn actions instead of the strategies.

    Raises:
        GameTooLargeError: if the play-average of so many games of this size is asked for and too large.
        InputError: for bad payoffs or seeds, or drawn actions asked of a dynamics that draws none.
    """

    def __init__(
        self,
        payoffs: ArrayLike,
        dynamics: Dynamics[Any],
        *,
        seeds: Sequence[int] = (0,),
        gamma: float = 0.0,
        keep_play: bool = True,
        empirical: bool = False,
    ) -> None:
        self._games = Tensors(payoffs)
        shape, batch = self._games.num_actions, self._games.batch
        if len(seeds) != batch:
            raise InputError(f"self-play of {batch} games needs as many seeds, got {len(seeds)}")
        if empirical and not dynamics.random:
            raise InputError("the play-average of drawn actions needs feedback 'bandit' or 'semi-bandit'")
        if keep_play and batch * prod(shape) > MAX_NUMBERS:
            raise GameTooLargeError(
                f"the play-average of {batch} games of {prod(shape):,} profiles has {batch * prod(shape):.3g} numbers, "
                f"the limit is {MAX_NUMBERS:,}; concept 'nash' needs none"
            )
        self.rounds = 0
        self.calls = 0  # of a player's gradient
        self._dynamics, self._gamma, self._empirical = dynamics, gamma, empirical
        self._seeds = np.array(seeds, dtype=np.int64)
        self._drawn: tuple[int, Float64Array] | None = None
        self._state = dynamics.init(batch, shape)
        self._weight = 0.0
        self._averages = [np.zeros((batch, actions)) for actions in shape]
        self._collected = [np.zeros((batch, actions, actions)) for actions in shape]
        self._play = np.zeros((batch, *shape)) if keep_play else None

    @property
    def span(self) -> Float64Array:
        """[B, N], one unit of scaled payoff in units of payoff."""
        return self._games.span

    @property
    def num_actions(self) -> tuple[int, ...]:
        """Each player's number of actions."""
        return self._games.num_actions

    def gradient(self, player: int, strategies: Sequence[Float64Array]) -> Float64Array:
        """See `Oracle`; counted."""
        self.calls += 1
        return self._games.gradient(player, strategies)

    def collected(self, actions: Sequence[IntArray]) -> Strategies:
        """See `Oracle`."""
        return self._games.collected(actions)

    def run(self, rounds: int) -> None:
        """Play that many more."""
        for _ in range(rounds):
            uniform = self._uniform() if self._dynamics.random else None
            self._state, played, collected, actions = self._dynamics.step(self._state, self, uniform)
            self.rounds += 1
            weight = float(self.rounds) ** self._gamma
            self._weight += weight
            for own, gradient, average, table in zip(played, collected, self._averages, self._collected, strict=True):
                average += weight * own
                table += own[:, :, None] * gradient[:, None, :]
            if self._play is not None:
                if self._empirical:
                    assert actions is not None
                    played = tuple(drawn(a, own.shape[1]) for a, own in zip(actions, played, strict=True))
                self._play += joint(played)

    def average(self) -> Strategies:
        """The players' average strategies; before the first round those they begin with."""
        if self.rounds == 0:
            return self.last()
        return tuple(total / self._weight for total in self._averages)

    def last(self) -> Strategies:
        """The players' current strategies."""
        return self._dynamics.strategies(self._state)

    def play(self) -> Float64Array:
        """The play-average, [B, A_0, ..., A_{N-1}]; before the first round the product of the first strategies.

        Raises:
            InputError: if it was not kept.
        """
        if self._play is None:
            raise InputError("the play-average was not kept")
        return joint(self.last()) if self.rounds == 0 else self._play / self.rounds

    def regret(self) -> Float64Array:
        """The average external regret, [B, N], payoffs in [0, 1]; below 0 where the play did better than any action."""
        worth = [table.sum(axis=1).max(axis=1) - np.trace(table, axis1=1, axis2=2) for table in self._collected]
        return np.stack(worth, axis=1) / max(self.rounds, 1)

    def swap_regret(self) -> Float64Array:
        """The average swap regret, [B, N], payoffs in [0, 1]; never negative."""
        worth = [table.max(axis=2).sum(axis=1) - np.trace(table, axis1=1, axis2=2) for table in self._collected]
        return np.stack(worth, axis=1) / max(self.rounds, 1)

    def state(self) -> dict[str, Any]:
        """All that changes, as nested dicts, numbers and arrays; copies."""
        return {
            "rounds": self.rounds,
            "calls": self.calls,
            "weight": self._weight,
            "seeds": self._seeds.copy(),
            "learners": _to_tree(self._state),
            "averages": [average.copy() for average in self._averages],
            "collected": [table.copy() for table in self._collected],
            "play": None if self._play is None else self._play.copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave."""
        self.rounds, self.calls, self._weight = int(state["rounds"]), int(state["calls"]), float(state["weight"])
        self._seeds = np.array(state["seeds"], dtype=np.int64)
        self._drawn = None
        self._state = _from_tree(self._state, state["learners"])
        self._averages = [np.array(average) for average in state["averages"]]
        self._collected = [np.array(table) for table in state["collected"]]
        self._play = None if state["play"] is None else np.array(state["play"])

    def _uniform(self) -> Float64Array:
        """This round's random numbers, [B, N]."""
        block, row = divmod(self.rounds, BLOCK)
        if self._drawn is None or self._drawn[0] != block:
            n = len(self.num_actions)
            numbers = [np.random.default_rng((int(seed), block)).random((BLOCK, n)) for seed in self._seeds]
            self._drawn = block, np.stack(numbers, axis=1)
        uniform: Float64Array = self._drawn[1][row]
        return uniform


def _to_tree(state: Any) -> Any:
    """A learner's state without its types: named tuples as dicts, other tuples as lists, arrays copied."""
    if isinstance(state, tuple):
        fields = getattr(state, "_fields", None)
        return (
            [_to_tree(part) for part in state]
            if fields is None
            else {name: _to_tree(part) for name, part in zip(fields, state, strict=True)}
        )
    return np.array(state) if isinstance(state, np.ndarray) else state


def _from_tree(like: Any, tree: Any) -> Any:
    """The state of the same types as `like` that `_to_tree` made `tree` of."""
    if isinstance(like, tuple):
        fields = getattr(like, "_fields", None)
        if fields is None:
            return tuple(_from_tree(part, stored) for part, stored in zip(like, tree, strict=True))
        return type(like)(*(_from_tree(part, tree[name]) for name, part in zip(fields, like, strict=True)))
    return np.array(tree, dtype=like.dtype) if isinstance(like, np.ndarray) else type(like)(tree)


def play(
    payoffs: ArrayLike,
    learners: OnlineLearner[Any] | Sequence[OnlineLearner[Any]] | Dynamics[Any],
    rounds: int,
    *,
    feedback: str = "full",
    alternating: bool = False,
    exploration: float = 0.05,
    seeds: Sequence[int] | int = 0,
    gamma: float = 0.0,
    keep_play: bool = False,
) -> SelfPlay:
    """Self-play on many games of one shape at once.

    Args:
        payoffs: [B, N, A_0, ..., A_{N-1}].
        learners: one for every player, one per player, or a dynamics of all of them (to which feedback, alternation and
            exploration do not apply).
        rounds: how many to play.
        feedback: see `together`.
        alternating: see `together`.
        exploration: see `together`.
        seeds: one per game, or the first of B consecutive ones.
        gamma: see `SelfPlay`.
        keep_play: see `SelfPlay`.

    Returns:
        The self-play after these rounds: `average()`, `last()`, `regret()`, `swap_regret()`, and `run` for more.

    >>> from eqsolvers.normal_form.learning import hedge
    >>> pennies = np.array([[[1.0, -1], [-1, 1]], [[-1, 1], [1, -1]]])
    >>> games = np.stack([pennies, pennies + 7, 1e3 * pennies])
    >>> found = play(games, hedge.learner(), 100)
    >>> [strategies.tolist() for strategies in found.average()]
    [[[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]]
    """
    array = np.asarray(payoffs, dtype=np.float64)
    batch, players = (array.shape[0], array.shape[1]) if array.ndim > 2 else (1, 1)
    if isinstance(learners, Dynamics):
        dynamics = learners
    else:
        each = [learners] * players if isinstance(learners, OnlineLearner) else list(learners)
        if len(each) != players:
            raise InputError(f"a game of {players} players needs as many learners, got {len(each)}")
        dynamics = together(each, feedback=feedback, alternating=alternating, exploration=exploration)
    chosen = range(seeds, seeds + batch) if isinstance(seeds, int) else seeds
    game = SelfPlay(array, dynamics, seeds=chosen, gamma=gamma, keep_play=keep_play)
    game.run(rounds)
    return game


class SelfPlayProcess:
    """Self-play on one game as a `Process`.

    Args:
        model: the game.
        dynamics: of its players.
        seed: of the random numbers.
        concept: "nash": `policy` is the product of the averages, or the last iterate. "ce" or "cce": the play-average.
        last: judge the last iterate, under concept "nash".
        gamma: see `SelfPlay`.
        empirical: see `SelfPlay`.
        simultaneous: whether regrets are against what the others played in the same round, so that they are the gaps
            of the play-average.

    Raises:
        InputError: if a play-average is asked for where the players move in turn.
    """

    def __init__(
        self,
        model: NormalFormModel,
        dynamics: Dynamics[Any],
        *,
        seed: int = 0,
        concept: str = "nash",
        last: bool = False,
        gamma: float = 0.0,
        empirical: bool = False,
        simultaneous: bool = True,
    ) -> None:
        if concept != "nash" and not simultaneous:
            raise InputError(f"concept {concept!r} needs simultaneous play: in turn there is no joint play to average")
        self.model = model
        self._concept, self._last, self._simultaneous = concept, last, simultaneous
        self._play = SelfPlay(
            model.payoffs[None],
            dynamics,
            seeds=(seed,),
            gamma=gamma,
            keep_play=concept != "nash",
            empirical=empirical and concept != "nash",
        )

    @property
    def iteration(self) -> int:
        """See `Process`."""
        return self._play.rounds

    @property
    def touched(self) -> int:
        """Payoffs looked at for gradients: one for each profile and player's gradient, those for the measures too."""
        return self._play.calls * prod(self.model.num_actions)

    def run(self, iterations: int) -> None:
        """See `Process`."""
        self._play.run(iterations)

    def policy(self) -> TabularPolicy | CorrelatedStrategy:
        """See the class."""
        if self._concept != "nash":
            return CorrelatedStrategy(self.model, self._play.play()[0])
        strategies = self._play.last() if self._last else self._play.average()
        return TabularPolicy(self.model, [own[0] for own in strategies])

    def residual(self) -> float:
        """The exact error of `policy()`: NashConv, CE or CCE gap."""
        return error_of(score(self.model, self.policy()), self._concept)

    def measures(self) -> dict[str, float]:
        """Each player's average regrets in its units of payoff, and the gaps of the play-average where it is one."""
        external = (self._play.regret() * self._play.span)[0]
        swap = (self._play.swap_regret() * self._play.span)[0]
        found = {f"external_regret_{player}": float(regret) for player, regret in enumerate(external)}
        found |= {f"swap_regret_{player}": float(regret) for player, regret in enumerate(swap)}
        if self._simultaneous and self.iteration:
            found |= {"cce_gap": float(np.maximum(external, 0.0).sum()), "ce_gap": float(swap.sum())}
        return found

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        return self._play.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`."""
        self._play.restore(state)


def policy_parameter(*, last: bool) -> Parameter:
    """Which strategies count under concept "nash"."""
    return Parameter(
        name="policy",
        default="last" if last else "average",
        kind=str,
        choices=("average", "last"),
        description="the strategies that count under concept nash",
    )


def weighting_parameter(default: float = 0.0) -> Parameter:
    """How rounds weigh in the average strategies."""
    return Parameter(
        name="gamma",
        default=default,
        kind=float,
        low=0.0,
        high=100.0,
        description="round t weighs t ** gamma in the average strategies; regret bounds are about 0",
    )


def online_solver(
    method: str,
    learner: Build,
    *,
    source: str,
    parameters: tuple[Parameter, ...] = (),
    concepts: tuple[str, ...] = ("nash", "cce"),
    bandit: bool = False,
    last: bool = False,
    gamma: float = 0.0,
    alternating: bool = False,
    default_iterations: int = 20_000,
) -> SolverSpec:
    """The registered solver of a learner: all players use it against each other.

    Args:
        method: id.
        learner: from the parameters to the learner.
        source: authors, year, venue.
        parameters: the learner's own.
        concepts: ("nash", "cce"), or ("nash", "ce", "cce") of a learner without swap regret.
        bandit: whether it is a bandit algorithm, which has no feedback to choose.
        last: whether the last iterate counts where nothing else is asked for.
        gamma: the averaging exponent where none is asked for.
        alternating: whether the players move in turn where nothing else is asked for.
        default_iterations: see `iterative_solver`.
    """
    shared = (
        policy_parameter(last=last),
        weighting_parameter(gamma),
        Parameter(
            name="empirical",
            default=False,
            kind=bool,
            description="whether a play-average is of the actions drawn; false: of the strategies",
        ),
    )
    informed = (
        Parameter(
            name="feedback",
            default="full",
            kind=str,
            choices=("full", "semi-bandit", "bandit"),
            description="what a player learns: all its payoffs, those against the actions drawn, or only what it got",
        ),
        Parameter(
            name="exploration",
            default=0.05,
            kind=float,
            low=1e-6,
            high=1.0,
            description="probability of a uniform action under feedback bandit",
        ),
        Parameter(
            name="alternating",
            default=alternating,
            kind=bool,
            description="players update in turn, against the newest strategies; false: all at once",
        ),
    )

    def start(
        model: NormalFormModel,
        *,
        seed: int,
        policy: str,
        gamma: float,
        empirical: bool,
        feedback: str = "bandit",
        exploration: float = 0.05,
        alternating: bool = False,
        concept: str = "nash",
        **own: Any,
    ) -> SelfPlayProcess:
        rule = learner(**own)
        return SelfPlayProcess(
            model,
            together([rule] * model.num_players, feedback=feedback, alternating=alternating, exploration=exploration),
            seed=seed,
            concept=concept,
            last=policy == "last",
            gamma=gamma,
            empirical=empirical,
            simultaneous=not alternating,
        )

    return iterative_solver(
        method,
        start,
        source=source,
        parameters=(*parameters, *(() if bandit else informed), *shared),
        random=True,
        concepts=concepts,
        family=Family.NORMAL_FORM,
        default_iterations=default_iterations,
    )


def joint_solver(
    method: str,
    dynamics: Callable[..., Dynamics[Any]],
    *,
    source: str,
    parameters: tuple[Parameter, ...] = (),
    concepts: tuple[str, ...] = ("nash",),
    last: bool = False,
    gamma: float = 0.0,
    zero_sum: bool = False,
    simultaneous: bool = True,
    random: bool = False,
    default_iterations: int = 20_000,
) -> SolverSpec:
    """The registered solver of a dynamics of all players together.

    Args:
        method: id.
        dynamics: from the parameters to the dynamics.
        source: authors, year, venue.
        parameters: the dynamics' own.
        concepts: what it computes.
        last: whether the last iterate counts where nothing else is asked for.
        gamma: the averaging exponent where none is asked for.
        zero_sum: whether it covers two-player constant-sum games only.
        simultaneous: whether each round's play is joint play; see `SelfPlayProcess`.
        random: whether the seed matters.
        default_iterations: see `iterative_solver`.
    """

    def start(
        model: NormalFormModel, *, seed: int, policy: str, gamma: float, concept: str = "nash", **own: Any
    ) -> SelfPlayProcess:
        if zero_sum and (model.num_players != 2 or not model.constant_sum()):
            raise UnsupportedGame(f"{method}: covers two-player constant-sum games only")
        return SelfPlayProcess(
            model,
            dynamics(**own),
            seed=seed,
            concept=concept,
            last=policy == "last",
            gamma=gamma,
            simultaneous=simultaneous,
        )

    return iterative_solver(
        method,
        start,
        source=source,
        parameters=(*parameters, policy_parameter(last=last), weighting_parameter(gamma)),
        random=random,
        concepts=concepts,
        family=Family.NORMAL_FORM,
        default_iterations=default_iterations,
    )
