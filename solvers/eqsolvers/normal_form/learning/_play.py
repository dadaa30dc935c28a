"""All players of a normal-form game learning against each other, over a batch of games at once.

`SelfPlay` runs a `Dynamics` on B games of one shape; `play` is the call for that. Counted in every round:

- each player's average strategy; the product of the averages is a Nash equilibrium of a two-player zero-sum game up to
  the sum of the average regrets, and in other games nothing is promised of it;
- what each player's actions would have collected where it played each action: the average external and swap regret;
- the play-average, the average over the rounds of the product of the players' strategies [A_0, ..., A_{N-1}] (or of the
  actions they drew). Its CCE gap is the sum of the players' average external regrets and its CE gap that of their
  average swap regrets, exactly.

Cost of a round: that of the gradients, and O(B sum of A_p^2) for the regrets. Random numbers are a function of a game's
seed and the round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eqenvs.arrays import Float64Array, IntArray, joint_play
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models.numbers import MAX_NUMBERS
from eqsolvers.iterative import require_alike
from eqsolvers.normal_form.learning._dynamics import Dynamics, together
from eqsolvers.normal_form.learning._online import OnlineLearner, drawn
from eqsolvers.normal_form.learning._oracles import Games, Strategies, Tensors
from eqsolvers.normal_form.learning._state import from_tree, to_tree
from eqsolvers.normal_form.learning._tallies import Tallies

BLOCK = 256  # rounds whose random numbers are drawn at once


class SelfPlay:
    """A dynamics at work on B games of one shape.

    Args:
        payoffs: [B, N, A_0, ..., A_{N-1}], or the games themselves.
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
        payoffs: ArrayLike | Games,
        dynamics: Dynamics[Any],
        *,
        seeds: Sequence[int] = (0,),
        gamma: float = 0.0,
        keep_play: bool = True,
        empirical: bool = False,
    ) -> None:
        self._games: Games = payoffs if isinstance(payoffs, Games) else Tensors(payoffs)
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
        self._dynamics, self._gamma = dynamics, gamma
        self._shows = keep_play and empirical
        self._seeds = np.array(seeds, dtype=np.int64)
        self._drawn: tuple[int, Float64Array] | None = None
        self._state = dynamics.init(batch, shape)
        self._weight = 0.0
        self._tallies = Tallies(batch, shape, keep_play=keep_play, empirical=empirical)

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
            shown: Strategies = ()
            if self._shows:
                assert actions is not None
                shown = tuple(drawn(action, own.shape[1]) for action, own in zip(actions, played, strict=True))
            self._tallies.add(weight, played, collected, shown)

    def average(self) -> Strategies:
        """The players' average strategies; before the first round those they begin with."""
        if self.rounds == 0:
            return self.last()
        return tuple(total / self._weight for total in self._tallies.averages())

    def last(self) -> Strategies:
        """The players' current strategies."""
        return self._dynamics.strategies(self._state)

    def play(self) -> Float64Array:
        """The play-average, [B, A_0, ..., A_{N-1}]; before the first round the product of the first strategies.

        Raises:
            InputError: if it was not kept.
        """
        total = self._tallies.play()
        if total is None:
            raise InputError("the play-average was not kept")
        return joint_play(self.last()) if self.rounds == 0 else total / self.rounds

    def regret(self) -> Float64Array:
        """The average external regret, [B, N], payoffs in [0, 1]; below 0 where the play did better than any action."""
        tables = self._tallies.collected()
        worth = [table.sum(axis=1).max(axis=1) - np.trace(table, axis1=1, axis2=2) for table in tables]
        return np.stack(worth, axis=1) / max(self.rounds, 1)

    def swap_regret(self) -> Float64Array:
        """The average swap regret, [B, N], payoffs in [0, 1]; never negative."""
        tables = self._tallies.collected()
        worth = [table.max(axis=2).sum(axis=1) - np.trace(table, axis1=1, axis2=2) for table in tables]
        return np.stack(worth, axis=1) / max(self.rounds, 1)

    def state(self) -> dict[str, Any]:
        """All that changes, as nested dicts, numbers and arrays; copies."""
        play = self._tallies.play()
        return {
            "rounds": self.rounds,
            "calls": self.calls,
            "weight": self._weight,
            "seeds": self._seeds.copy(),
            "learners": to_tree(self._state),
            "averages": [average.copy() for average in self._tallies.averages()],
            "collected": [table.copy() for table in self._tallies.collected()],
            "play": None if play is None else play.copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave.

        Raises:
            InputError: if it is of other games, learners or settings.
        """
        require_alike(self.state(), state)
        self.rounds, self.calls, self._weight = int(state["rounds"]), int(state["calls"]), float(state["weight"])
        self._seeds = np.array(state["seeds"], dtype=np.int64)
        self._drawn = None
        self._state = from_tree(self._state, state["learners"])
        self._tallies.set(state["averages"], state["collected"], state["play"])

    def _uniform(self) -> Float64Array:
        """This round's random numbers, [B, N]."""
        block, row = divmod(self.rounds, BLOCK)
        if self._drawn is None or self._drawn[0] != block:
            n = len(self.num_actions)
            numbers = [np.random.default_rng((int(seed), block)).random((BLOCK, n)) for seed in self._seeds]
            self._drawn = block, np.stack(numbers, axis=1)
        uniform: Float64Array = self._drawn[1][row]
        return uniform


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
