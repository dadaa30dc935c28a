"""The score of a joint policy of a Markov game.

A player that deviates may or may not remember the past. Against opponents who randomise independently at every state,
or hear a device that is drawn anew at every state, memory is worth nothing, and best replies are Markov. Against a
device that draws one joint policy for the whole game it is worth something: the player learns which was drawn. `ce_gap`
and `cce_gap` are of deviations with memory; `markov_ce_gap` and `markov_cce_gap` of those without, which can be smaller
(Daskalakis, Golowich and Zhang 2023, "The complexity of Markov equilibrium in stochastic games", COLT; Liu, Szepesvari
and Jin 2022, "Sample-efficient reinforcement learning of partially observable Markov games", NeurIPS).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, joint_play
from eqenvs.errors import GameTooLargeError, PolicyError, UnsupportedGame
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import (
    JointPolicy,
    MarkovCorrelatedPolicy,
    MixturePolicy,
    flatten,
    player_entries,
    player_table,
    private_mixture,
    require_fits,
)
from eqsolvers.scoring.beliefs import MAX_NUMBERS, Bracket, best_reply_to_mixture
from eqsolvers.scoring.chains import Chains, chains
from eqsolvers.scoring.memoryless import best_markov_reply
from eqsolvers.scoring.score import Score, ScoreKind

MAX_COMPONENTS = 10_000  # of a device, once the players' private mixtures are multiplied out
MAX_EFFORT = 2_000_000_000  # multiplications to value the product of a device's marginals, roughly

Tables = tuple[Float64Array, ...]  # [I, A_p] of each player


@dataclass(frozen=True)
class Gaps:
    """The players' gains, in all, from deviating before a device's draw and after hearing their own part of it."""

    cce: Bracket
    ce: Bracket

    @property
    def why(self) -> str:
        """What stood in the way of exact figures, else empty."""
        return self.cce.why or self.ce.why


class _Device(NamedTuple):
    """Joint policies, one of which is drawn for the whole game."""

    components: list[Tables]
    weights: Float64Array


def score_markov(model: MarkovModel, policy: JointPolicy) -> Score:
    """The exact score; see `eqsolvers.scoring.score.score`."""
    form = chains(model)
    if isinstance(policy, MarkovCorrelatedPolicy):
        require_fits(model, policy.marginals())
        return _score_drawn_anew(model, form, policy)
    device = _laid_out(model, policy)
    if len(device.weights) == 1:
        return _score_product(model, form, device.components[0])
    return _score_device(model, form, device)


def best_markov_response(model: MarkovModel, player: int, policy: JointPolicy) -> tuple[float, Float64Array]:
    """A player's best response as the solution of a Markov decision process; see `score.best_response`."""
    if isinstance(policy, MarkovCorrelatedPolicy):
        require_fits(model, policy.marginals())
        joint = policy.distributions
    else:
        entries = player_entries(policy, model.num_players)
        own = model.information_states[player].uniform()
        if any(len(private_mixture(entry, p)[1]) > 1 for p, entry in enumerate(entries) if p != player):
            raise UnsupportedGame(
                "the best response to policies that are drawn for the whole game has a memory; score() gives its value"
            )
        tables = [
            own if p == player else player_table(model, p, private_mixture(entry, p)[0][0])
            for p, entry in enumerate(entries)
        ]
        joint = joint_play(tuple(tables))
    form = chains(model)
    values, choice = form.reply(player, joint, told=False)
    return float(form.at_start(values)), np.eye(model.num_actions[player])[choice[:, 0]]


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


def _score_device(model: MarkovModel, form: Chains, device: _Device) -> Score:
    values = _values(form, device)
    remembering, forgetting = _Replies(form, best_reply_to_mixture), _Replies(form, _markov_reply)
    remembered, forgetful = (_gaps(device, values, replies) for replies in (remembering, forgetting))
    detail: dict[str, Any] = {}
    if forgetful.why:
        detail["markov_gaps"] = forgetful.why
    gaps: dict[str, float | None] = {}
    for name in ("cce", "ce"):
        gap, known = getattr(remembered, name), getattr(forgetful, name)
        gaps[name] = None if gap.why else _middle(gap)
        if gap.why and np.isfinite(gap.upper):
            detail[f"{name}_gap_bounds"] = max(gap.lower, known.lower), max(gap.upper, known.lower)
    if remembered.why:
        detail["gaps"] = f"omitted: {remembered.why}; the Markov gaps bound them from below"
    gains, why = _gains_of_marginals(form, device, remembering, forgetting)
    if why:
        detail["gains"] = why
    return _score(
        model,
        values,
        gains,
        cce=(gaps["cce"], forgetful.cce.lower),
        ce=(gaps["ce"], forgetful.ce.lower),
        kind=ScoreKind.LOWER_BOUND if why else ScoreKind.EXACT,
        detail=detail,
    )


def _middle(bracket: Bracket) -> float:
    return (bracket.lower + bracket.upper) / 2


def _score(
    model: MarkovModel,
    values: Float64Array,
    gains: Float64Array,
    *,
    cce: tuple[float | None, float],
    ce: tuple[float | None, float],
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
        constant_sum=model.num_players == 2 and model.constant_sum(),
        detail=detail or {},
    )


def _gains(form: Chains, joint: Float64Array, values: Float64Array, *, told: bool) -> Float64Array:
    """What each player gains by its best reply to joint play that is worth `values` at the start, [N]."""
    best = [form.at_start(form.reply(player, joint, told=told)[0]) for player in range(len(values))]
    gains: Float64Array = np.maximum(0.0, np.array(best) - values)
    return gains


def _laid_out(model: MarkovModel, policy: JointPolicy) -> _Device:
    """A joint policy as a device: private mixtures are independent, so every combination of theirs is a component."""
    n = model.num_players
    profiles, weights = flatten(policy) if isinstance(policy, MixturePolicy) and n > 1 else ([policy], np.ones(1))
    found: dict[tuple[bytes, ...], int] = {}
    components: list[Tables] = []
    shares: list[float] = []
    for profile, weight in zip(profiles, weights, strict=True):
        if isinstance(profile, MarkovCorrelatedPolicy):
            raise PolicyError("a mixture of policies that correlate at every state cannot be scored")
        entries = [private_mixture(entry, p) for p, entry in enumerate(player_entries(profile, n))]
        _refuse_above([len(members) for members, _ in entries])
        tables = [[player_table(model, p, member) for member in members] for p, (members, _) in enumerate(entries)]
        for picked in product(*(range(len(members)) for members, _ in entries)):
            component = tuple(own[index] for own, index in zip(tables, picked, strict=True))
            share = weight * prod(float(own[1][index]) for own, index in zip(entries, picked, strict=True))
            _add(component, share, found, components, shares)
    return _Device(components, np.array(shares))


def _refuse_above(counts: list[int]) -> None:
    if prod(counts) > MAX_COMPONENTS:
        raise GameTooLargeError(
            f"private mixtures of {' x '.join(map(str, counts))} policies are {prod(counts):,} joint policies, the "
            f"limit is {MAX_COMPONENTS:,}"
        )


def _add(
    component: Tables, share: float, found: dict[tuple[bytes, ...], int], components: list[Tables], shares: list[float]
) -> None:
    """One more component, or more weight to one that is the same."""
    number = found.setdefault(tuple(table.tobytes() for table in component), len(components))
    if number == len(components):
        components.append(component)
        shares.append(0.0)
    shares[number] += share


def _values(form: Chains, device: _Device) -> Float64Array:
    """Expected over the components, [N]."""
    each = [form.at_start(form.values(joint_play(tables))) for tables in device.components]
    values: Float64Array = device.weights @ np.array(each)
    return values


Reply = Callable[[Chains, int, Float64Array, Float64Array], Bracket]
_Drawn = list[tuple[Tables, float]]  # what may be drawn, with its weight


def _markov_reply(form: Chains, player: int, opponents: Float64Array, weights: Float64Array) -> Bracket:
    value, best = best_markov_reply(form, player, opponents, weights)
    if best:
        return Bracket(value, value)
    return Bracket(value, np.inf, "the best Markov deviations that were found: lower bounds")


class _Replies:
    """Best replies of one kind, each found once: committed ones and those to the marginals are the same for two."""

    def __init__(self, form: Chains, reply: Reply) -> None:
        self._form, self._reply = form, reply
        self._known: dict[tuple[object, ...], Bracket] = {}

    def best(self, player: int, drawn: _Drawn) -> Bracket:
        """The player's best reply to opponents' tables that are drawn for the whole game, times their weight in all."""
        found: dict[tuple[bytes, ...], int] = {}
        components: list[Tables] = []
        shares: list[float] = []
        for others, weight in drawn:
            _add(others, weight, found, components, shares)
        key = player, tuple(found), tuple(np.round(shares, 14).tolist())
        if key not in self._known:
            self._known[key] = self._to(player, components, np.array(shares))
        return self._known[key]

    def too_many(self, player: int, draws: int) -> str:
        """Why opponents that may draw so much are not laid out; empty where they are."""
        count = draws * self._form.points * self._form.profiles // self._form.shape[1 + player]
        if count <= MAX_NUMBERS:
            return ""
        return f"the opponents' play has {count:,} numbers over {draws:,} draws, the limit is {MAX_NUMBERS:,}"

    def _to(self, player: int, components: list[Tables], weights: Float64Array) -> Bracket:
        form = self._form
        if why := self.too_many(player, len(weights)):
            return Bracket(-np.inf, np.inf, why)
        play = [joint_play(own).reshape(form.points, -1) if own else np.ones((form.points, 1)) for own in components]
        try:
            best = self._reply(form, player, np.stack(play), weights / weights.sum())
        except GameTooLargeError as error:
            return Bracket(-np.inf, np.inf, str(error))
        return Bracket(float(weights.sum() * best.lower), float(weights.sum() * best.upper), best.why)


def _sum(brackets: list[Bracket]) -> Bracket:
    whys = [bracket.why for bracket in brackets if bracket.why]
    lower, upper = (sum(getattr(bracket, name) for bracket in brackets) for name in ("lower", "upper"))
    return Bracket(lower, upper, whys[0] if whys else "")


def _gain(replies: list[Bracket], value: float) -> Bracket:
    """From replies to all that may be drawn, over what is got without."""
    best = _sum(replies)
    return Bracket(max(0.0, best.lower - value), max(0.0, best.upper - value), best.why)


def _gaps(device: _Device, values: Float64Array, replies: _Replies) -> Gaps:
    """CCE and CE gap with a kind of reply."""
    committed, told = [], []
    for player, value in enumerate(values.tolist()):
        drawn: _Drawn = []
        groups: dict[bytes, _Drawn] = {}
        for tables, weight in zip(device.components, device.weights.tolist(), strict=True):
            drawn.append((tables[:player] + tables[player + 1 :], weight))
            groups.setdefault(tables[player].tobytes(), []).append(drawn[-1])
        committed.append(_gain([replies.best(player, drawn)], value))
        told.append(_gain([replies.best(player, group) for group in groups.values()], value))
    return Gaps(_sum(committed), _sum(told))


def _gains_of_marginals(
    form: Chains, device: _Device, remembering: _Replies, forgetting: _Replies
) -> tuple[Float64Array, str]:
    """The gains against the product of what each player plays, [N], and why they are lower bounds, else nothing."""
    own = [_distinct(device, player) for player in range(len(device.components[0]))]
    joint = prod(len(drawn) for drawn in own)
    if joint * form.effort > MAX_EFFORT:
        counts = " x ".join(str(len(drawn)) for drawn in own)
        return np.zeros(len(own)), (
            f"omitted, 0 being a lower bound: the marginals' {counts} policies are {joint:,} joint policies, some "
            f"{joint * form.effort:.0e} multiplications, the limit is {MAX_EFFORT:.0e}"
        )
    values = _values_of_product(form, own)
    gains, whys = np.empty(len(own)), []
    for player, value in enumerate(values.tolist()):
        others = own[:player] + own[player + 1 :]
        if why := remembering.too_many(player, prod(len(drawn) for drawn in others)):
            gains[player] = 0.0
            whys.append(why)
            continue
        drawn = _combined(others)
        gain = _gain([remembering.best(player, drawn)], value)
        gains[player] = _middle(gain)
        if gain.why:
            gains[player] = max(gain.lower, _gain([forgetting.best(player, drawn)], value).lower)
            whys.append(gain.why)
    return gains, f"of deviations that were found, lower bounds: {whys[0]}" if whys else ""


def _distinct(device: _Device, player: int) -> _Drawn:
    """What a player may draw, each of its tables once."""
    found: dict[tuple[bytes, ...], int] = {}
    tables: list[Tables] = []
    shares: list[float] = []
    for component, weight in zip(device.components, device.weights.tolist(), strict=True):
        _add((component[player],), weight, found, tables, shares)
    return list(zip(tables, shares, strict=True))


def _combined(drawn: list[_Drawn]) -> _Drawn:
    """Independent draws of several players, as draws of all their tables."""
    return [
        (tuple(table for (table,), _ in picked), prod(weight for _, weight in picked)) for picked in product(*drawn)
    ]


def _values_of_product(form: Chains, own: list[_Drawn]) -> Float64Array:
    """What the players get, [N], each drawing for itself."""
    mover = max(range(len(own)), key=lambda player: len(own[player]))
    tables = np.stack([table for (table,), _ in own[mover]])
    weights = np.array([weight for _, weight in own[mover]])
    values = np.zeros(len(own))
    for others, share in _combined(own[:mover] + own[mover + 1 :]):
        play = joint_play(others).reshape(form.points, -1) if others else np.ones((form.points, 1))
        values += share * (weights @ form.values_of_tables(mover, play, tables))
    return values
