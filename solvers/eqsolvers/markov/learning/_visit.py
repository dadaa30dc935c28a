"""What a visit of V-learning does to a player's value and bandit; see `v_learning`."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqsolvers.kernels import compiled
from eqsolvers.markov.learning._certified import Rule
from eqsolvers.normal_form.learning._stationary import stationary

# Joint actions of a state: a visit goes through all of them for `policy`, and with the certificate through what follows
# each of them for each player. At these a visit takes some 0.4 ms.
MAX_MIXED = 200_000
MAX_CERTIFIED = 5_000


@compiled
def softmin(loss: Any, actions: Any, count: int, eta: float, out: Any) -> None:
    """Write exp(-eta loss) on the legal actions, normalised."""
    least = loss[actions[0]]
    for k in range(1, count):
        least = min(least, loss[actions[k]])
    total = 0.0
    for k in range(count):
        out[actions[k]] = np.exp(eta * (least - loss[actions[k]]))
        total += out[actions[k]]
    for k in range(count):
        out[actions[k]] /= total


@compiled
def learn(
    rule: Any,
    loss: Any,
    strategy: Any,
    played: Any,
    actions: Any,
    count: int,
    horizon: int,
    n: int,
    taken: int,
    cost: float,
) -> None:
    """The bandit's n-th round: the loss `cost` of the action taken, in [0, 1].

    Args:
        rule: of the method.
        loss: [X, A], written.
        strategy: [A], what is to be played, written.
        played: [A], what was played; it may be `strategy` itself.
        actions: [A], the legal ones first.
        count: of the legal ones.
        horizon: H.
        n: from 1.
        taken: action.
        cost: its loss.
    """
    if count == 1:
        return
    rate = np.sqrt(horizon * np.log(count) / n)
    if not rule.swap:
        rate /= np.sqrt(count)
    kept = (n - 1.0) / (horizon + n - 1.0)  # w_{n-1} / w_n
    estimated = cost / (played[taken] + rule.gamma * rate)
    if not rule.swap:
        for k in range(count):
            loss[0, actions[k]] *= kept
        loss[0, taken] += estimated
        softmin(loss[0], actions, count, rule.eta * rate, strategy)
        return
    advice, row = np.empty((1, count, count)), np.zeros(loss.shape[1])
    for b in range(count):
        expert = actions[b]
        for k in range(count):
            loss[expert, actions[k]] *= kept
        loss[expert, taken] += played[expert] * estimated
        softmin(loss[expert], actions, count, rule.eta * rate, row)
        for k in range(count):
            advice[0, b, k] = row[actions[k]]
    fixed = stationary(advice)
    for k in range(count):
        strategy[actions[k]] = fixed[0, k]


@compiled
def backed_up(
    rule: Any, estimate: float, value: float, got: float, player: int, step: int, count: int, n: int, weight: float
) -> tuple[float, float, float]:
    """V without its cut and with it after a visit, and the loss in [0, 1] that the bandit is told.

    Args:
        rule: of the method.
        estimate: V without its cut before.
        value: V before.
        got: the reward and what the state that follows is worth.
        player: whose.
        step: of the game.
        count: legal actions.
        n: the visit's number, from 1.
        weight: a_n.
    """
    bonus = rule.bonus[player] * np.sqrt(float(count * count if rule.swap else count) / n)
    after = (1.0 - weight) * estimate + weight * (got + bonus)
    highest = rule.highest[player, step]
    cost = (highest - got) / rule.span[player, step]
    return after, min(after, min(value if rule.monotone else highest, highest)), min(max(cost, 0.0), 1.0)


@compiled
def write_product(strategy: Any, point: int, strides: Any, weight: float, out: Any) -> None:
    """Write `weight` times the product of the players' strategies [N, I, A] at a point, [joint actions]."""
    out[0] = weight
    size = 1
    for player in range(len(strides)):
        own = (len(out) if player == 0 else strides[player - 1]) // strides[player]
        for k in range(size - 1, -1, -1):
            before = out[k]
            for action in range(own):
                out[k * own + action] = before * strategy[player, point, action]
        size *= own


def rule_of(
    highest: Float64Array,
    least: Float64Array,
    concept: str,
    eta_scale: float,
    gamma_scale: float,
    bonus_scale: float,
    monotone: bool,
    certify: bool,
) -> Rule:
    """The method's constants, from what can be had from each step on, [N, H] each, and its settings."""
    spans = highest - least
    return Rule(
        eta=eta_scale,
        gamma=gamma_scale,
        bonus=bonus_scale * spans[:, -1] * highest.shape[1] ** 1.5,
        highest=highest,
        span=np.where(spans > 0, spans, 1.0),
        swap=concept == "ce",
        monotone=monotone,
        certify=certify,
    )
