"""The step of policy mirror ascent at every decision point: a strictly concave maximum over the simplex, compiled.

Given what actions are worth, q, and the policy so far, p, the next policy at a point is

    argmax over u of  <u, q> + h(u) - D(u, p),     u on the legal actions, sum 1, every entry at least `least`,

with h = tau H(u), H the entropy, or h = -tau |u|^2 / 2, and D = |u - p|^2 / (2 eta) or KL(u, p) / eta. (Entries bounded
from below are the policies on which the entropy's gradient is bounded: U_L of Yardim et al., 2023.) All four are

    argmax of  <u, c> + a H(u) - b |u|^2 / 2,     c = q + p / eta  or  q + log(p) / eta,

so u_i is the larger of `least` and the root of a log u + b u = c_i - v. The sum of the u_i is convex and falls in the
multiplier v: Newton's method from a v where the sum is at least 1 goes up to the root without a safeguard and gains
digits quadratically; where a = 0 (a projection) it ends after at most A steps. The inner root is found in w = log u,
where a w + b exp(w) is convex too. Cost of a point: O(A) times some ten Newton steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import xlogy

from eqenvs.arrays import BoolArray, Float64Array
from eqenvs.spec import Parameter
from eqsolvers.kernels import compiled

EPSILON = 2.0**-52
ENTROPY, EUCLIDEAN, KL = "entropy", "euclidean", "kl"


class Mirror(NamedTuple):
    """A step: what is added to the payoff, and how far it may go.

    Attributes:
        regulariser: "entropy" or "euclidean".
        tau: its weight, at least 0, per unit of payoff.
        distance: "euclidean" or "kl".
        eta: step size, above 0.
        floor: least probability of a legal action, times their number; in [0, 1).
    """

    regulariser: str
    tau: float
    distance: str
    eta: float
    floor: float

    def bonus(self, policy: Float64Array) -> Float64Array:
        """H of each row of a policy [..., A]."""
        if self.regulariser == ENTROPY:
            return np.asarray(-self.tau * xlogy(policy, policy).sum(axis=-1))
        return np.asarray(-0.5 * self.tau * (policy**2).sum(axis=-1))

    def most(self, actions: int) -> float:
        """An upper bound of h."""
        return self.tau * float(np.log(actions)) if self.regulariser == ENTROPY else 0.0

    def step(self, policy: Float64Array, quality: Float64Array, legal: BoolArray) -> Float64Array:
        """The next policy [..., S, A], with `legal` [S, A]; rows of illegal actions are 0."""
        near, kl = 1.0 / self.eta, self.distance == KL
        entropic = self.regulariser == ENTROPY
        with np.errstate(divide="ignore"):
            pulled = quality + near * (np.log(policy) if kl else policy)
        found = np.zeros_like(pulled)
        maximise_all(
            pulled.reshape(-1, pulled.shape[-1]),
            legal,
            (self.tau if entropic else 0.0) + (near if kl else 0.0),
            (0.0 if entropic else self.tau) + (0.0 if kl else near),
            self.floor,
            found.reshape(-1, pulled.shape[-1]),
        )
        return found


def mirror_parameters(eta: float = 1.0, tau: float = 0.1) -> tuple[Parameter, ...]:
    """The parameters of a `Mirror` with these defaults."""
    return (
        Parameter(name="eta", default=eta, kind=float, low=1e-9, high=1e9, description="step, per unit of payoff"),
        Parameter(name="tau", default=tau, kind=float, low=0.0, high=1e9, description="weight of the regulariser"),
        Parameter(
            name="regulariser",
            default=ENTROPY,
            kind=str,
            choices=(ENTROPY, EUCLIDEAN),
            description="what is added to the payoff: tau times the entropy, or -tau / 2 times the squared length",
        ),
        Parameter(
            name="distance",
            default=EUCLIDEAN,
            kind=str,
            choices=(EUCLIDEAN, KL),
            description="what keeps a step short: half the squared distance, or the KL divergence (multiplicative)",
        ),
        Parameter(
            name="floor",
            default=0.0,
            kind=float,
            low=0.0,
            high=0.999,
            description="least probability of an action, as a share of the uniform one",
        ),
    )


@compiled
def entry(right: float, entropy: float, square: float) -> float:
    """The root u of entropy log u + square u = right, or 0 where entropy is 0 and it would be negative."""
    if entropy == 0.0:
        return max(right, 0.0) / square
    if square == 0.0:
        return float(np.exp(right / entropy))
    w = np.log(right / square) if right > 0.0 else right / entropy
    for _ in range(100):
        risen = square * np.exp(w)
        step = (entropy * w + risen - right) / (entropy + risen)
        w -= step
        if abs(step) <= EPSILON * max(1.0, abs(w)):
            break
    return float(np.exp(w))


@compiled
def maximise(linear: Any, count: int, entropy: float, square: float, least: float, found: Any) -> None:
    """Write the maximum of <u, linear> + entropy H(u) - square |u|^2 / 2 over the first `count` entries."""
    top = linear[0]
    for k in range(1, count):
        top = max(top, linear[k])
    multiplier = -square  # the largest entry is 1, so the sum is at least that
    for _ in range(200):
        excess, slope = -1.0, 0.0
        for k in range(count):
            found[k] = entry(linear[k] - top - multiplier, entropy, square)
            if found[k] <= least:
                found[k] = least
            else:
                slope += found[k] / (entropy + square * found[k])
            excess += found[k]
        if excess <= count * EPSILON or multiplier + excess / slope == multiplier:
            break
        multiplier += excess / slope
    free, fixed = 0.0, 0.0
    for k in range(count):
        if found[k] > least:
            free += found[k]
        else:
            fixed += found[k]
    for k in range(count):
        if found[k] > least:
            found[k] *= (1.0 - fixed) / free


@compiled
def maximise_all(
    linear: Float64Array, legal: BoolArray, entropy: float, square: float, floor: float, found: Float64Array
) -> None:
    """`maximise` in every row [X, A], the states one after the other again and again; 0 at illegal actions."""
    rows, actions = linear.shape
    packed, best = np.empty(actions), np.empty(actions)
    for row in range(rows):
        own = legal[row % len(legal)]
        count = 0
        for action in range(actions):
            if own[action]:
                packed[count] = linear[row, action]
                count += 1
        maximise(packed, count, entropy, square, floor / count, best)
        count = 0
        for action in range(actions):
            found[row, action] = 0.0
            if own[action]:
                found[row, action] = best[count]
                count += 1
