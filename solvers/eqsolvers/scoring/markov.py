"""The score of a joint policy of a Markov game.

A player that deviates may or may not remember the past. Against opponents who randomise independently at every state,
or hear a device that is drawn anew at every state, memory is worth nothing, and best replies are Markov. Against a
device that draws one joint policy for the whole game it is worth something: the player learns which was drawn. `ce_gap`
and `cce_gap` are of deviations with memory; `markov_ce_gap` and `markov_cce_gap` of those without, which can be smaller
(Daskalakis, Golowich and Zhang 2023, "The complexity of Markov equilibrium in stochastic games", COLT; Liu, Szepesvari
and Jin 2022, "Sample-efficient reinforcement learning of partially observable Markov games", NeurIPS).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, joint_play
from eqenvs.errors import GameTooLargeError, UnsupportedGame
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import (
    JointPolicy,
    MarkovCorrelatedPolicy,
    MixturePolicy,
    ProductPolicy,
    TabularPolicy,
    components,
    player_entries,
    player_table,
    private_mixture,
    require_fits,
)
from eqsolvers.scoring._drawn import Drawn, Draws, Tables, add, combined, distinct, laid_out
from eqsolvers.scoring.beliefs import MAX_NUMBERS, Bracket, best_reply_to_mixture
from eqsolvers.scoring.chains import Chains, chains
from eqsolvers.scoring.memoryless import best_markov_reply
from eqsolvers.scoring.score import Score, ScoreKind

MAX_EFFORT = 2_000_000_000  # multiplications to value the product of a device's marginals, roughly


@dataclass(frozen=True)
class Gaps:
    """The players' gains, in all, from deviating before a device's draw and after hearing their own part of it."""

    cce: Bracket
    ce: Bracket

    @property
    def why(self) -> str:
        """What stood in the way of exact figures, else empty."""
        return self.cce.why or self.ce.why


class MarkovScorer:
    """See `eqsolvers.scoring.scorers.Scorer`."""

    def __init__(self, model: MarkovModel) -> None:
        self._model, self._form = model, chains(model)

    def score(self, policy: JointPolicy) -> Score:
        """The exact score."""
        if isinstance(policy, MarkovCorrelatedPolicy):
            require_fits(self._model, policy.marginals())
            return _score_drawn_anew(self._model, self._form, policy)
        device = laid_out(self._model, policy)
        if len(device.weights) == 1:
            return _score_product(self._model, self._form, device.components[0])
        return _score_device(self._model, self._form, device)

    def best_response(self, player: int, policy: JointPolicy) -> tuple[float, Float64Array]:
        """The solution of a Markov decision process."""
        joint = _against(self._model, player, policy)
        values, choice = self._form.reply(player, joint, told=False)
        return float(self._form.at_start(values)), np.eye(self._model.num_actions[player])[choice[:, 0]]

    def values(self, tables: Sequence[Float64Array]) -> Float64Array:
        """The players' expected payoffs, [N]."""
        return self._form.at_start(self._form.values(joint_play(tuple(tables))))

    def warm_up(self) -> None:
        """Nothing is compiled, and solvers share what is laid out."""


SCORER = MarkovScorer


def best_markov_response(model: MarkovModel, player: int, policy: JointPolicy) -> tuple[float, Float64Array, bool]:
    """The best response that was found among Markov policies, to a joint policy that may be drawn for the whole game.

    Args:
        model: the game.
        player: who responds.
        policy: as for `eqsolvers.scoring.score.best_response`; private mixtures and devices are allowed.

    Returns:
        Its payoff, a pure table [I, A], and whether no Markov policy is better; `eqsolvers.scoring.memoryless` says
        when one may be. A policy with memory may be better still.

    Raises:
        GameTooLargeError: if the others may draw too many joint policies.
    """
    if isinstance(policy, MarkovCorrelatedPolicy):
        return *MarkovScorer(model).best_response(player, policy), True
    own = TabularPolicy(model, [points.uniform() for points in model.information_states])
    n = model.num_players
    profiles, weights = components(policy, n)
    entries = [player_entries(profile, n) for profile in profiles]
    against = [ProductPolicy([*each[:player], own, *each[player + 1 :]]) for each in entries]
    device = laid_out(model, MixturePolicy(against, weights))
    form = chains(model)
    if why := _too_many(form, player, len(device.weights)):
        raise GameTooLargeError(f"best Markov response: {why}")
    play = [_play(form, tables[:player] + tables[player + 1 :]) for tables in device.components]
    found = best_markov_reply(form, player, np.stack(play), device.weights)
    return found.value, np.eye(model.num_actions[player])[found.choice], found.best


def _against(model: MarkovModel, player: int, policy: JointPolicy) -> Float64Array:
    """Joint play [I, A_0, ..., A_{N-1}] of the others; the player's own part of it does not matter."""
    if isinstance(policy, MarkovCorrelatedPolicy):
        require_fits(model, policy.marginals())
        return policy.distributions
    entries = player_entries(policy, model.num_players)
    own = model.information_states[player].uniform()
    if any(len(private_mixture(entry, p)[1]) > 1 for p, entry in enumerate(entries) if p != player):
        raise UnsupportedGame(
            "the best response to policies that are drawn for the whole game has a memory; score() gives its value, "
            "eqsolvers.scoring.markov.best_markov_response() a table"
        )
    tables = [
        own if p == player else player_table(model, p, private_mixture(entry, p)[0][0])
        for p, entry in enumerate(entries)
    ]
    return joint_play(tuple(tables))


def _score_product(model: MarkovModel, form: Chains, tables: Tables) -> Score:
    joint = joint_play(tables)
    values = form.at_start(form.values(joint))
    gains = _gains(form, joint, values, told=False)
    total = float(gains.sum())
    return _score(model, values, gains, cce=(total, total), ce=(total, total))


def _score_drawn_anew(model: MarkovModel, form: Chains, policy: MarkovCorrelatedPolicy) -> Score:
    joint = policy.distributions
    values = form.at_start(form.values(joint))
    cce = float(_gains(form, joint, values, told=False).sum())
    ce = float(_gains(form, joint, values, told=True).sum())
    apart = joint_play(policy.marginals().tables)
    gains = _gains(form, apart, form.at_start(form.values(apart)), told=False)
    return _score(model, values, gains, cce=(cce, cce), ce=(ce, ce))


def _score_device(model: MarkovModel, form: Chains, device: Drawn) -> Score:
    values = _values(form, device)
    remembering, forgetting = _Replies(form, best_reply_to_mixture), _Replies(form, _markov_reply)
    remembered, forgetful = (_gaps(device, values, replies) for replies in (remembering, forgetting))
    detail: dict[str, Any] = {}
    if forgetful.why:
        detail["markov_gaps"] = forgetful.why
    gaps: dict[str, tuple[float | None, float | None]] = {}
    for name in ("cce", "ce"):
        gap, known = getattr(remembered, name), getattr(forgetful, name)
        gaps[name] = None if gap.why else _middle(gap), _found(known)
        if gap.why and np.isfinite(gap.upper):
            detail[f"{name}_gap_bounds"] = max(gap.lower, known.lower), max(gap.upper, known.lower)
    if remembered.why:
        below = "" if _found(forgetful.cce) is None else "; the Markov gaps bound them from below"
        detail["gaps"] = f"omitted: {remembered.why}{below}"
    gains, why = _gains_of_marginals(form, device, remembering, forgetting)
    if why:
        detail["gains"] = why
    bounded = bool(why) and not np.isnan(gains).all()
    return _score(
        model,
        values,
        gains,
        cce=gaps["cce"],
        ce=gaps["ce"],
        kind=ScoreKind.LOWER_BOUND if bounded else ScoreKind.EXACT,
        detail=detail,
    )


def _found(bracket: Bracket) -> float | None:
    """The lower end, None where nothing was computed."""
    return None if bracket.lower == -np.inf else bracket.lower


def _middle(bracket: Bracket) -> float:
    return (bracket.lower + bracket.upper) / 2


def _score(
    model: MarkovModel,
    values: Float64Array,
    gains: Float64Array,
    *,
    cce: tuple[float | None, float | None],
    ce: tuple[float | None, float | None],
    kind: ScoreKind = ScoreKind.EXACT,
    detail: dict[str, Any] | None = None,
) -> Score:
    return Score(
        values=values,
        gains=gains,
        cce_gap=cce[0],
        markov_cce_gap=cce[1],
        ce_gap=ce[0],
        markov_ce_gap=ce[1],
        kind=kind,
        normaliser=2 if model.num_players == 2 and model.constant_sum() else None,
        detail=detail or {},
    )


def _gains(form: Chains, joint: Float64Array, values: Float64Array, *, told: bool) -> Float64Array:
    """What each player gains by its best reply to joint play that is worth `values` at the start, [N]."""
    best = [form.at_start(form.reply(player, joint, told=told)[0]) for player in range(len(values))]
    gains: Float64Array = np.maximum(0.0, np.array(best) - values)
    return gains


def _values(form: Chains, device: Drawn) -> Float64Array:
    """Expected over the components, [N]."""
    each = [form.at_start(form.values(joint_play(tables))) for tables in device.components]
    values: Float64Array = device.weights @ np.array(each)
    return values


Reply = Callable[[Chains, int, Float64Array, Float64Array], Bracket]


def _markov_reply(form: Chains, player: int, opponents: Float64Array, weights: Float64Array) -> Bracket:
    found = best_markov_reply(form, player, opponents, weights)
    if found.best:
        return Bracket(found.value, found.value)
    return Bracket(found.value, np.inf, "the best Markov deviations that were found: lower bounds")


def _too_many(form: Chains, player: int, draws: int) -> str:
    """Why opponents that may draw so much are not laid out; empty where they are."""
    count = draws * form.points * form.profiles // form.shape[1 + player]
    if count <= MAX_NUMBERS:
        return ""
    return f"the opponents' play has {count:,} numbers over {draws:,} draws, the limit is {MAX_NUMBERS:,}"


def _play(form: Chains, tables: Tables) -> Float64Array:
    """The joint play of some of the players, [I, J]; with nobody, J is 1."""
    return joint_play(tables).reshape(form.points, -1) if tables else np.ones((form.points, 1))


class _Replies:
    """Best replies of one kind, each found once: committed ones and those to the marginals are the same for two."""

    def __init__(self, form: Chains, reply: Reply) -> None:
        self._form, self._reply = form, reply
        self._known: dict[tuple[object, ...], Bracket] = {}

    def best(self, player: int, drawn: Draws) -> Bracket:
        """The player's best reply to opponents' tables that are drawn for the whole game, times their weight in all."""
        found: dict[tuple[bytes, ...], int] = {}
        components: list[Tables] = []
        shares: list[float] = []
        for others, weight in drawn:
            add(others, weight, found, components, shares)
        key = player, tuple(found), tuple(np.round(shares, 14).tolist())
        if key not in self._known:
            self._known[key] = self._to(player, components, np.array(shares))
        return self._known[key]

    def _to(self, player: int, components: list[Tables], weights: Float64Array) -> Bracket:
        form = self._form
        if why := _too_many(form, player, len(weights)):
            return Bracket(-np.inf, np.inf, why)
        play = [_play(form, own) for own in components]
        try:
            best = self._reply(form, player, np.stack(play), weights / weights.sum())
        except GameTooLargeError as error:
            return Bracket(-np.inf, np.inf, str(error))
        return Bracket(float(weights.sum() * best.lower), float(weights.sum() * best.upper), best.why)


def _sum(brackets: list[Bracket]) -> Bracket:
    """Nothing is known of the sum unless something is of every part."""
    whys = [bracket.why for bracket in brackets if bracket.why]
    lower, upper = (sum(getattr(bracket, name) for bracket in brackets) for name in ("lower", "upper"))
    return Bracket(lower, upper, whys[0] if whys else "")


def _gain(replies: list[Bracket], value: float) -> Bracket:
    """From replies to all that may be drawn, over what is got without; not deviating is no finding."""
    best = _sum(replies)
    lower = best.lower if best.lower == -np.inf else max(0.0, best.lower - value)
    return Bracket(lower, max(0.0, best.upper - value), best.why)


def _gaps(device: Drawn, values: Float64Array, replies: _Replies) -> Gaps:
    """CCE and CE gap with a kind of reply."""
    committed, told = [], []
    for player, value in enumerate(values.tolist()):
        drawn: Draws = []
        groups: dict[bytes, Draws] = {}
        for tables, weight in zip(device.components, device.weights.tolist(), strict=True):
            drawn.append((tables[:player] + tables[player + 1 :], weight))
            groups.setdefault(tables[player].tobytes(), []).append(drawn[-1])
        committed.append(_gain([replies.best(player, drawn)], value))
        told.append(_gain([replies.best(player, group) for group in groups.values()], value))
    return Gaps(_sum(committed), _sum(told))


def _gains_of_marginals(
    form: Chains, device: Drawn, remembering: _Replies, forgetting: _Replies
) -> tuple[Float64Array, str]:
    """The gains against the product of what each player plays, [N], and why some are lower bounds or NaN, if any."""
    own = [distinct(device, player) for player in range(len(device.components[0]))]
    joint = prod(len(drawn) for drawn in own)
    if joint * form.effort > MAX_EFFORT:
        counts = " x ".join(str(len(drawn)) for drawn in own)
        return np.full(len(own), np.nan), (
            f"omitted: the marginals' {counts} policies are {joint:,} joint policies, some "
            f"{joint * form.effort:.0e} multiplications, the limit is {MAX_EFFORT:.0e}"
        )
    values = _values_of_product(form, own)
    gains, whys = np.full(len(own), np.nan), []
    for player, value in enumerate(values.tolist()):
        others = own[:player] + own[player + 1 :]
        if why := _too_many(form, player, prod(len(drawn) for drawn in others)):
            whys.append(why)
            continue
        drawn = combined(others)
        gain = _gain([remembering.best(player, drawn)], value)
        if not gain.why:
            gains[player] = _middle(gain)
            continue
        whys.append(gain.why)
        least = max(gain.lower, _gain([forgetting.best(player, drawn)], value).lower)
        if least > -np.inf:
            gains[player] = least
    if not whys:
        return gains, ""
    missing = np.isnan(gains)
    found = "omitted" if missing.all() else "of deviations that were found, lower bounds"
    some = ", omitted where none was" if missing.any() and not missing.all() else ""
    return gains, f"{found}{some}: {whys[0]}"


def _values_of_product(form: Chains, own: list[Draws]) -> Float64Array:
    """What the players get, [N], each drawing for itself."""
    mover = max(range(len(own)), key=lambda player: len(own[player]))
    tables = np.stack([table for (table,), _ in own[mover]])
    weights = np.array([weight for _, weight in own[mover]])
    values = np.zeros(len(own))
    for others, share in combined(own[:mover] + own[mover + 1 :]):
        play = _play(form, others)
        values += share * (weights @ form.values_of_tables(mover, play, tables))
    return values
