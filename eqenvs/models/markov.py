"""Markov (stochastic) games with simultaneous moves: sparse transitions, rewards, discounted or of finite horizon.

Shapley (1953), "Stochastic games", PNAS 39.

A *row* is a state with a joint action, numbered in C order of [S, A_0, ..., A_{N-1}]. Its successors are stored one
after the other, so that a game takes memory for the transitions that can happen and not for S * S of them. Where a
player has nothing to decide, action 0 is its only legal one. The game may also end by its rules: with the successor S,
which is no state and is worth nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eqenvs.arrays import BoolArray, Float32Array, Float64Array, IntArray, cumulative_by_row, read_only
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models import markov_checks as checks
from eqenvs.models.information_states import InformationStates
from eqenvs.models.numbers import finite_array
from eqenvs.spec import Family

if TYPE_CHECKING:
    from eqenvs.rules import Rules

MAX_DENSE = 50_000_000  # numbers in a dense transition tensor
MAX_OBSERVED = 200_000_000  # numbers in the observations of all players: 800 MB


class Successors(NamedTuple):
    """What follows each of R rows.

    Attributes:
        start: [R + 1] int64; row r's successors are entries start[r] to start[r + 1]. None at illegal joint actions.
        state: [E] int64 in [0, S]; S is the end of the game. Increasing within a row.
        probability: [E] float64, positive.
    """

    start: IntArray
    state: IntArray
    probability: Float64Array


class FirstStates(NamedTuple):
    """The M states that a game may begin in.

    Attributes:
        state: [M] int64, increasing.
        probability: [M] float64, positive.
        cumulative: [M] float64, the probabilities summed up, 1 at the end: what draws look up.
    """

    state: IntArray
    probability: Float64Array
    cumulative: Float64Array


@dataclass(frozen=True, eq=False)
class MarkovModel:
    """A finite Markov game, the state seen by every player.

    Attributes:
        successors: of each row, R = S * A_0 * ... * A_{N-1} of them.
        reward: [N, S, A_0, ..., A_{N-1}] float64, expected over the successors; 0 at illegal joint actions.
        initial: [S] float64, distribution of the first state.
        discount: factor in [0, 1) of a discounted game, or up to 1 with a horizon.
        horizon: number of steps, or None.
        legal: per player the legal actions, [S, A_p] bool.
        keys: [S, W] int64, the states' names, unique.
        views: per player what it sees in each state, [S, D] float32, without the clock.
    """

    family: ClassVar[Family] = Family.MARKOV
    successors: Successors
    reward: Float64Array
    initial: Float64Array
    discount: float
    horizon: int | None
    legal: tuple[BoolArray, ...]
    keys: IntArray
    views: tuple[Float32Array, ...]

    def __init__(
        self,
        transition: ArrayLike | Successors,
        reward: ArrayLike,
        initial: ArrayLike,
        *,
        discount: float = 1.0,
        horizon: int | None = None,
        legal: Sequence[ArrayLike] | None = None,
        keys: ArrayLike | None = None,
        views: Sequence[ArrayLike] | None = None,
    ) -> None:
        """Check and copy the parts.

        Args:
            transition: [S, A_0, ..., A_{N-1}, S], or [..., S + 1] with the probability that the game ends last; or
                `Successors`.
            reward: [N, S, A_0, ..., A_{N-1}].
            initial: [S].
            discount: see the class.
            horizon: see the class.
            legal: default all actions.
            keys: default the numbers of the states, [S, 1].
            views: default indicators of the state, [S, S]; of more than 1024 states the binary digits of its number.

        Raises:
            InputError: if shapes disagree, entries are no finite real numbers (whole numbers of states and keys), a
                reward is above 1e300, a distribution is off the simplex by more than 1e-9, a successor is no state, a
                player has no legal action, or the game is neither discounted nor of finite horizon.
        """
        factor, steps = checks.checked_time(discount, horizon)
        payoff = finite_array("reward", reward)
        if payoff.ndim < 3 or payoff.shape[0] != payoff.ndim - 2 or 0 in payoff.shape:
            raise InputError(f"reward must have shape [N, S, A_0, ..., A_(N-1)], none of them 0, got {payoff.shape}")
        states, actions = payoff.shape[1], payoff.shape[2:]
        start = checks.checked_initial(initial, states)
        masks = checks.checked_legal(legal, states, actions)
        allowed = joint_legal(masks)
        payoff[:, ~allowed] = 0.0
        if isinstance(transition, Successors):
            after = checks.checked_successors(transition, payoff.shape[1:], allowed)
        else:
            after = checks.from_dense(transition, payoff.shape[1:], allowed)
        names = checks.checked_keys(keys, states)
        seen = checks.checked_views(views, states, len(actions))
        fields = {
            "successors": Successors(*map(read_only, after)),
            "reward": read_only(payoff),
            "initial": read_only(start),
            "discount": factor,
            "horizon": steps,
            "legal": tuple(map(read_only, masks)),
            "keys": read_only(names),
            "views": seen,
        }
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    @property
    def num_players(self) -> int:
        """N."""
        return int(self.reward.shape[0])

    @property
    def num_states(self) -> int:
        """S."""
        return int(self.reward.shape[1])

    @property
    def num_actions(self) -> tuple[int, ...]:
        """Each player's number of actions."""
        return tuple(int(a) for a in self.reward.shape[2:])

    @property
    def num_profiles(self) -> int:
        """Joint actions of a state, illegal ones counted."""
        return prod(self.num_actions)

    @property
    def num_rows(self) -> int:
        """R, illegal joint actions counted."""
        return self.num_states * self.num_profiles

    @property
    def num_points(self) -> int:
        """I, the decision points of a Markov policy: states, times the horizon if there is one."""
        return self.num_states * (self.horizon or 1)

    @cached_property
    def may_end(self) -> bool:
        """Whether the rules may end the game before its horizon."""
        return bool((self.successors.state == self.num_states).any())

    @cached_property
    def first(self) -> FirstStates:
        """What the first state is drawn from."""
        state = np.flatnonzero(self.initial)
        probability = self.initial[state]
        cumulative = cumulative_by_row(np.array([0, len(state)]), probability)
        return FirstStates(read_only(state), read_only(probability), cumulative)

    @cached_property
    def strides(self) -> IntArray:
        """[N] int64: joint action a is number a @ strides of its state's rows."""
        return read_only(np.cumprod([1, *self.num_actions[:0:-1]])[::-1].astype(np.int64))

    @cached_property
    def row_rewards(self) -> Float64Array:
        """[R, N] float64, the rewards by row."""
        return read_only(np.ascontiguousarray(self.reward.reshape(self.num_players, -1).T))

    @cached_property
    def cumulative(self) -> Float64Array:
        """[E] float64, the successors' probabilities summed up within each row, 1 at its end: what draws look up."""
        return cumulative_by_row(self.successors.start, self.successors.probability)

    @cached_property
    def joint_legal(self) -> BoolArray:
        """The legal joint actions, [S, A_0, ..., A_{N-1}]."""
        return read_only(joint_legal(self.legal))

    @cached_property
    def transition(self) -> Float64Array:
        """[S, A_0, ..., A_{N-1}, S] float64, dense; rows sum to 1 less the probability that the game ends.

        Raises:
            GameTooLargeError: if that would be more than 50 million numbers.
        """
        size = self.num_rows * self.num_states
        if size > MAX_DENSE:
            raise GameTooLargeError(
                f"a dense transition tensor of this game has {size:,} numbers, the limit is {MAX_DENSE:,}; use "
                "`successors`"
            )
        dense = np.zeros((self.num_rows, self.num_states + 1))
        row = np.repeat(np.arange(self.num_rows), np.diff(self.successors.start))
        dense[row, self.successors.state] = self.successors.probability
        shape = (self.num_states, *self.num_actions, self.num_states)
        return read_only(np.ascontiguousarray(dense[:, :-1]).reshape(shape))

    @cached_property
    def information_states(self) -> tuple[InformationStates, ...]:
        """The decision points of Markov policies: the states, or (time, state) pairs, time first, given a horizon.

        A finite horizon puts the step first in the key, and the share of the horizon gone first in the observation.
        Players whose views are one array share their observations.

        Raises:
            GameTooLargeError: if the observations of a game with a horizon would be more than 200 million numbers.
        """
        if self.horizon is None:
            return tuple(InformationStates(self.keys, *seen) for seen in zip(self.views, self.legal, strict=True))
        different = {id(view): view for view in self.views}
        width = 1 + self.views[0].shape[1]
        if (size := self.horizon * self.num_states * width * len(different)) > MAX_OBSERVED:
            raise GameTooLargeError(
                f"{self.horizon:,} steps of {self.num_states:,} states with observations of {width:,} numbers, "
                f"{len(different)} for different players, are {size:,} numbers, the limit is {MAX_OBSERVED:,}; use a "
                "shorter horizon or `views` of fewer numbers"
            )
        time = np.repeat(np.arange(self.horizon), self.num_states)[:, None]
        keys = read_only(np.concatenate([time, np.tile(self.keys, (self.horizon, 1))], axis=1))
        clock = (time / self.horizon).astype(np.float32)
        observed = {
            which: read_only(np.concatenate([clock, np.tile(view, (self.horizon, 1))], axis=1))
            for which, view in different.items()
        }
        return tuple(
            InformationStates(keys, observed[id(view)], read_only(np.tile(mask, (self.horizon, 1))))
            for view, mask in zip(self.views, self.legal, strict=True)
        )

    def constant_sum(self) -> bool:
        """Whether the players' payoffs add up to the same number however the game is played.

        That is so where rewards add up to 0 everywhere, or to one number in a game that its rules never end.
        """
        totals = self.reward.sum(axis=0)[self.joint_legal]
        scale = 1e-9 * max(float(np.abs(self.reward).max()), np.finfo(float).tiny)
        if np.ptp(totals) > scale:
            return False
        return bool(abs(totals[0]) <= scale or not self.may_end)

    def as_rules(self) -> Rules[Any]:
        """A game's definition as rules."""
        from eqenvs.markov_rules import ModelRules

        return ModelRules(self)

    def as_model(self, name: str, max_size: int) -> tuple[MarkovModel, int]:
        """A game's definition as an exact model: this one, of which nothing is enumerated."""
        return self, 0

    def sizes(self) -> dict[str, Any]:
        """States, action counts, legal rows, and transitions that can happen (ends counted)."""
        return {
            "states": self.num_states,
            "actions": list(self.num_actions),
            "joint_actions": int(self.joint_legal.sum()),
            "transitions": len(self.successors.state),
        }


def joint_legal(legal: Sequence[BoolArray]) -> BoolArray:
    """The joint actions all of whose parts are legal, [S, A_0, ..., A_{N-1}], from [S, A_p] of each player."""
    allowed = legal[0]
    for mask in legal[1:]:
        allowed = allowed[..., None] & mask.reshape(len(mask), *(1,) * (allowed.ndim - 1), -1)
    return allowed
