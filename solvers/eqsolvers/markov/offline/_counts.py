"""What a dataset says of a game: visits, mean rewards, frequencies of successors, and how wrong they may be.

Rows are decision points with a joint action, [I * P]; with a horizon every step has its own. A row's backup is its mean
reward plus the discounted mean of the next point's value. For a fixed value function within [low, high] of what can be
had, Hoeffding's inequality bounds its error after n visits, all rows and both sides at once with probability 1 - delta,
by (high - low) sqrt(ln(2 N I P / delta) / (2 n)): `errors`.

Where the frame does not say what the first state is drawn from, the share of the episodes that begin in each state
stands for it. Of n episodes that begin independently, with probability 1 - delta it is off by at most sqrt(2 ln((2^S -
2) / delta) / n) in the 1-norm, twice what the best of the 2^S - 2 sets of states gains, each by Hoeffding's inequality
(Weissman, Ordentlich, Seroussi, Verdu and Weinberger 2003, HP Laboratories HPL-2003-97); whence the mean of any value
function, one made from the same data too, by half of that times (high - low): `first_error`.
"""

from __future__ import annotations

from functools import cached_property
from math import log, log1p, sqrt
from typing import Any

import numpy as np
from scipy import sparse

from eqenvs.arrays import BoolArray, Float64Array, IntArray
from eqenvs.errors import GameTooLargeError
from eqenvs.models.markov import joint_legal
from eqsolvers.markov.offline._dataset import Dataset, Frame

MAX_ROWS = 20_000_000


class Counts:
    """See the module.

    Attributes:
        frame: of the game.
        visits: [I, P] int64.
        reward: [N, I, P] float64, mean; 0 where there was no visit.
        kernel: [I * P, I] sparse, frequency of each next point; rows miss what ended the game, or the horizon.
        first: [I] float64, distribution of the first point: the frame's, or else the frequency in the episodes.
        episodes: how many there are.
        low, high: [N, I] float64, the least and the most that a player can have from a point on.
        legal: [I, P] bool.
    """

    def __init__(self, dataset: Dataset) -> None:
        frame = dataset.frame
        self.frame: Frame = frame
        points, profiles, states = frame.points, frame.profiles, frame.states
        if points * profiles * len(frame.actions) > MAX_ROWS:
            raise GameTooLargeError(
                f"offline: {points:,} points of {profiles:,} joint actions are more rows than {MAX_ROWS:,} numbers hold"
            )
        at = dataset.step * states if frame.horizon else np.zeros_like(dataset.step)
        joint = np.ravel_multi_index(tuple(dataset.actions.T), frame.actions)
        row = (at + dataset.state) * profiles + joint
        seen = np.bincount(row, minlength=points * profiles)
        paid = [np.bincount(row, weights=own, minlength=points * profiles) for own in dataset.reward.T]
        self.visits: IntArray = seen.reshape(points, profiles).astype(np.int64)
        self.reward: Float64Array = (np.array(paid) / np.maximum(seen, 1)).reshape(-1, points, profiles)
        goes_on = dataset.after < states
        if frame.horizon:
            goes_on &= dataset.step + 1 < frame.horizon
        after = (at + (states if frame.horizon else 0) + dataset.after)[goes_on]
        weight = 1.0 / seen[row[goes_on]]
        shape = (points * profiles, points)
        self.kernel: Any = sparse.csr_array(sparse.coo_array((weight, (row[goes_on], after)), shape=shape))
        begun = dataset.state[dataset.step == 0]
        self.episodes = len(begun)
        self.first: Float64Array = np.bincount(begun, minlength=points) / self.episodes
        if frame.initial is not None:
            self.first = np.append(frame.initial, np.zeros(points - states))
        self.low, self.high = _bounds(frame)
        masks = [np.tile(mask, (frame.horizon or 1, 1)) for mask in frame.legal]
        self.legal: BoolArray = joint_legal(masks).reshape(points, profiles)

    @property
    def points(self) -> int:
        """I."""
        return self.frame.points

    @cached_property
    def seen(self) -> BoolArray:
        """Rows that were visited, [I, P]."""
        return self.visits > 0

    def backup(self, values: Float64Array, part: slice = slice(None)) -> Float64Array:
        """Mean reward plus discounted mean next value of each row, [N, part of I, P], from values [N, I]."""
        profiles = self.frame.profiles
        first, last, _ = part.indices(self.points)
        following = self.kernel[first * profiles : last * profiles] @ values.T
        ahead = np.moveaxis(following.reshape(last - first, profiles, -1), -1, 0)
        backed: Float64Array = self.reward[:, part] + self.frame.discount * ahead
        return backed

    def errors(self, delta: float, scale: float, part: slice = slice(None)) -> Float64Array:
        """What a backup may be off by, [N, part of I, P], times `scale`; the whole range where there was no visit."""
        players = len(self.frame.actions)
        several = log(2 * players * self.points * self.frame.profiles / delta)
        width = (self.high - self.low)[:, part, None]
        visits = self.visits[part]
        off = scale * np.sqrt(several / (2 * np.maximum(visits, 1)))
        bounded: Float64Array = np.where(visits > 0, width * np.minimum(off, 1.0), width)
        return bounded

    def first_error(self, delta: float) -> tuple[Float64Array, float]:
        """What values at the start may be off by for want of the first states' distribution; see the module.

        Args:
            delta: probability with which anything may fail.

        Returns:
            The error of each player's, [N], and what is left of `delta`: all of it where the distribution is known, and
            half of it elsewhere.
        """
        states, width = self.frame.states, (self.high - self.low)[:, 0]
        if self.frame.initial is not None or states == 1:
            return np.zeros(len(width)), delta
        events = states * log(2) + log1p(-(2.0 ** (1 - states)))
        off = sqrt(2 * (events + log(2 / delta)) / self.episodes)
        return width * min(off / 2, 1.0), delta / 2

    def at_start(
        self, least: Float64Array | float, most: Float64Array | float, off: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """Bounds of values at the start with `off` [N] taken off or added, within what can be had."""
        low, high = self.low[:, 0], self.high[:, 0]
        return np.clip(least - off, low, high), np.clip(most + off, low, high)

    def steps(self) -> list[slice]:
        """The points of each step, the last first; all at once where there is no horizon."""
        states = self.frame.states
        return [slice(h * states, (h + 1) * states) for h in range((self.frame.horizon or 1) - 1, -1, -1)]

    def shaped(self, rows: Float64Array) -> Float64Array:
        """[..., P] as [..., A_0, ..., A_{N-1}]."""
        return rows.reshape(*rows.shape[:-1], *self.frame.actions)


def _bounds(frame: Frame) -> tuple[Float64Array, Float64Array]:
    """The least and the most that each player can have from each point on, [N, I] each."""
    low, high = frame.lowest, frame.highest
    if frame.ends:
        low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    if frame.horizon is None:
        left = np.full(frame.states, 1 / (1 - frame.discount))
    else:
        left = np.repeat(np.cumsum(frame.discount ** np.arange(frame.horizon))[::-1], frame.states)
    return low[:, None] * left, high[:, None] * left
