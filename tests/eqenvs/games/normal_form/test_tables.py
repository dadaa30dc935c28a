"""Payoff tensors and stated figures against the games' definitions, profile by profile in exact fractions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

import eqenvs
from eqenvs.testing import check_game

Profile = tuple[int, ...]


def two_by_two(table: Sequence[Sequence[tuple[float, float]]]) -> Callable[[Profile], list[Fraction]]:
    return lambda a: [Fraction(x) for x in table[a[0]][a[1]]]


def cournot(
    a: Profile, step: float = 1, top: float = 12, slope: float = 1, cost: float = 0, more: float = 0
) -> list[Fraction]:
    price = max(Fraction(0), Fraction(top) - Fraction(slope) * Fraction(step) * sum(a))
    return [Fraction(step) * k * (price - Fraction(cost) - i * Fraction(more)) for i, k in enumerate(a)]


def bertrand(a: Profile, step: float = 1, top: float = 10, slope: float = 1, cost: float = 2) -> list[Fraction]:
    price = Fraction(step) * min(a)
    demand = max(Fraction(0), Fraction(top) - Fraction(slope) * price)
    return [(price - Fraction(cost)) * demand / a.count(min(a)) if k == min(a) else Fraction(0) for k in a]


def location(a: Profile, places: int) -> list[Fraction]:
    shares = [Fraction(0)] * len(a)
    for customer in range(places):
        near = min(abs(k - customer) for k in a)
        firms = [i for i, k in enumerate(a) if abs(k - customer) == near]
        for i in firms:
            shares[i] += Fraction(1, len(firms) * places)
    return shares


def travellers(a: Profile, low: int = 2, bonus: float = 2) -> list[Fraction]:
    mine, other = (low + k for k in a)
    if mine == other:
        return [Fraction(mine)] * 2
    lower = Fraction(min(mine, other))
    return (
        [lower + Fraction(bonus), lower - Fraction(bonus)]
        if mine < other
        else [lower - Fraction(bonus), lower + Fraction(bonus)]
    )


def minimum_effort(a: Profile, benefit: float = 0.2, cost: float = 0.1, base: float = 0.6) -> list[Fraction]:
    return [Fraction(benefit) * (1 + min(a)) - Fraction(cost) * (1 + k) + Fraction(base) for k in a]


def attrition(a: Profile, values: Sequence[float] = (4, 4), cost: float = 1) -> list[Fraction]:
    if a[0] == a[1]:
        return [Fraction(v) / 2 - Fraction(cost) * a[0] for v in values]
    winner = 0 if a[0] > a[1] else 1
    return [Fraction(v) * (i == winner) - Fraction(cost) * min(a) for i, v in enumerate(values)]


def dispersion(a: Profile) -> list[Fraction]:
    return [Fraction(sum(k != j for j in a), len(a) - 1) for k in a]


def coordination(a: Profile, premium: float = 0) -> list[Fraction]:
    return [Fraction(1) + a[0] * Fraction(premium) if len(set(a)) == 1 else Fraction(0) for _ in a]


def sgc(a: Profile, k: int = 2) -> list[Fraction]:
    cycle = 2 * k - 1
    first = [action < cycle for action in a]
    if all(first):
        own = {1 % cycle: Fraction(1), -1 % cycle: Fraction(1, 2)}.get((a[0] - a[1]) % cycle, Fraction(3, 4))
        return [own, Fraction(3, 2) - own]
    if any(first):
        return [Fraction(1, 2) if mine else Fraction(0) for mine in first]
    mine, other = (action - cycle for action in a)
    return [Fraction(3, 4) * (mine == other), Fraction(3, 4) * (mine != other and mine // 2 == other // 2)]


TEMPTED = [[(3, 3), (0, 5)], [(5, 0), (1, 1)]]
# Three firms and other numbers of places, players and efforts: the axes are told apart.
DEFINITIONS: dict[str, tuple[str, dict[str, Any], Callable[[Profile], list[Fraction]]]] = {
    "pennies": ("matching_pennies", {}, two_by_two([[(1, -1), (-1, 1)], [(-1, 1), (1, -1)]])),
    "pennies 3, 2": (
        "matching_pennies",
        {"heads_win": 3, "tails_win": 2},
        two_by_two([[(3, -3), (-1, 1)], [(-1, 1), (2, -2)]]),
    ),
    "prisoners": ("prisoners_dilemma", {}, two_by_two(TEMPTED)),
    "donors": ("donor_game", {}, two_by_two([[(2, 2), (-1, 3)], [(3, -1), (0, 0)]])),
    "chicken": ("chicken", {}, two_by_two([[(6, 6), (2, 7)], [(7, 2), (0, 0)]])),
    "stags": ("stag_hunt", {}, two_by_two([[(4, 4), (0, 3)], [(3, 0), (3, 3)]])),
    "sexes": ("battle_of_the_sexes", {}, two_by_two([[(2, 1), (0, 0)], [(0, 0), (1, 2)]])),
    "shapley": (
        "shapley",
        {},
        two_by_two([[(1, 0), (0, 1), (0, 0)], [(0, 0), (1, 0), (0, 1)], [(0, 1), (0, 0), (1, 0)]]),
    ),
    "3x2": ("bimatrix_3x2", {}, two_by_two([[(3, 3), (3, 2)], [(2, 2), (5, 6)], [(0, 3), (6, 1)]])),
    "3x2 degenerate": (
        "bimatrix_3x2",
        {"degenerate": True},
        two_by_two([[(3, 3), (3, 3)], [(2, 2), (5, 6)], [(0, 3), (6, 1)]]),
    ),
    "coordination": ("coordination", {}, coordination),
    "coordination 3p": (
        "coordination",
        {"num_players": 3, "num_actions": 3, "premium": 2.0},
        lambda a: coordination(a, 2),
    ),
    "sgc": ("sgc_game", {}, sgc),
    "sgc 3": ("sgc_game", {"size": 3}, lambda a: sgc(a, 3)),
    "cournot": ("cournot_oligopoly", {}, cournot),
    "cournot 3p": (
        "cournot_oligopoly",
        {"num_players": 3, "num_actions": 5, "step": 0.5, "intercept": 4.5, "slope": 1.25, "cost": 0.25}
        | {"cost_difference": 0.5},
        lambda a: cournot(a, 0.5, 4.5, 1.25, 0.25, 0.5),
    ),
    "bertrand": ("bertrand_oligopoly", {}, bertrand),
    "bertrand 3p": (
        "bertrand_oligopoly",
        {"num_players": 3, "num_actions": 6, "step": 0.75, "intercept": 6.0, "slope": 2.0, "cost": 1.0},
        lambda a: bertrand(a, 0.75, 6, 2, 1),
    ),
    "location": ("location_game", {}, lambda a: location(a, 9)),
    "location 3p": ("location_game", {"num_players": 3, "num_actions": 4}, lambda a: location(a, 4)),
    "travellers": ("travellers_dilemma", {}, travellers),
    "travellers 5..9": (
        "travellers_dilemma",
        {"low": 5, "high": 9, "bonus": 1.5},
        lambda a: travellers(a, 5, 1.5),
    ),
    "effort": ("minimum_effort", {}, minimum_effort),
    "effort 2p": (
        "minimum_effort",
        {"num_players": 2, "num_actions": 4, "benefit": 3.0, "cost": 2.0, "base": -1.0},
        lambda a: minimum_effort(a, 3, 2, -1),
    ),
    "attrition": ("war_of_attrition", {}, attrition),
    "attrition 4, 6": (
        "war_of_attrition",
        {"num_actions": 5, "second_value": 6.0},
        lambda a: attrition(a, (4, 6)),
    ),
    "attrition cheap": (
        "war_of_attrition",
        {"num_actions": 4, "first_value": 3.0, "second_value": 0.5, "cost": 0.25},
        lambda a: attrition(a, (3, 0.5), 0.25),
    ),
    "dispersion": ("dispersion_game", {}, dispersion),
    "dispersion 4p": ("dispersion_game", {"num_players": 4, "num_actions": 2}, dispersion),
}


@pytest.mark.parametrize(("game_id", "parameters", "payoff"), DEFINITIONS.values(), ids=DEFINITIONS)
def test_payoffs_are_those_of_the_definition(game_id, parameters, payoff):
    model = eqenvs.make(game_id, **parameters).model()
    expected = np.empty(model.payoffs.shape)
    for profile in product(*(range(n) for n in model.num_actions)):
        expected[(slice(None), *profile)] = [float(x) for x in payoff(profile)]
    np.testing.assert_allclose(model.payoffs, expected, rtol=0, atol=1e-13)


def nash_conv_of_uniform(counts: Sequence[int], payoff: Callable[[Profile], list[Fraction]]) -> Fraction:
    """By summing each player's payoff over the profiles, apart for each own action."""
    totals = [[Fraction(0)] * n for n in counts]
    for profile in product(*(range(n) for n in counts)):
        for player, value in enumerate(payoff(profile)):
            totals[player][profile[player]] += value
    profiles = int(np.prod(counts))
    return sum(((max(t) * n - sum(t)) / profiles for t, n in zip(totals, counts, strict=True)), start=Fraction(0))


@pytest.mark.parametrize(("game_id", "parameters", "payoff"), DEFINITIONS.values(), ids=DEFINITIONS)
def test_the_stated_nash_conv_of_uniform_play_is_the_exact_one(game_id, parameters, payoff):
    game = eqenvs.make(game_id, **parameters)
    stated = [fact.uniform_nash_conv for fact in game.facts if fact.uniform_nash_conv is not None]
    exact = nash_conv_of_uniform(game.model().num_actions, payoff)
    assert stated == pytest.approx([float(exact)] * len(stated), abs=1e-12)


@pytest.mark.parametrize(("game_id", "parameters", "payoff"), DEFINITIONS.values(), ids=DEFINITIONS)
def test_sums_are_constant_exactly_where_declared(game_id, parameters, payoff):
    game = eqenvs.make(game_id, **parameters)
    sums = {sum(payoff(profile)) for profile in product(*(range(n) for n in game.model().num_actions))}
    assert game.constant_sum == game.model().constant_sum() == (len(sums) == 1)


CONSTANT = {
    "no sale at a price": ("cournot_oligopoly", {"intercept": 1.0, "step": 1.0}, True),
    "a sale at a price": ("cournot_oligopoly", {"intercept": 1.0, "step": 0.9, "num_actions": 2}, False),
    "no sale, but costs": ("cournot_oligopoly", {"intercept": 1.0, "cost": 0.5}, False),
    "no sale, but costs to one": ("cournot_oligopoly", {"intercept": 1.0, "cost_difference": 0.5}, False),
    "no profit at any price": ("bertrand_oligopoly", {"intercept": 1.0, "cost": 0.0, "num_actions": 3}, True),
    "one profit at both prices": (
        "bertrand_oligopoly",
        {"num_actions": 2, "intercept": 3.0, "cost": 3.0, "step": 2.0, "slope": 1e-6},
        False,
    ),
    "the same loss at both prices": (
        "bertrand_oligopoly",
        {"num_actions": 2, "intercept": 4.0, "slope": 1.0, "cost": 4.0, "step": 8.0},
        False,
    ),
}


@pytest.mark.parametrize(("game_id", "parameters", "constant"), CONSTANT.values(), ids=CONSTANT)
def test_markets_have_a_constant_sum_where_nothing_can_be_earned(game_id, parameters, constant):
    game = eqenvs.make(game_id, **parameters)
    assert (game.constant_sum, game.model().constant_sum()) == (constant, constant)


@pytest.mark.parametrize("name", ["location 3p", "attrition 4, 6"])
def test_instances_keep_every_contract(name):
    game_id, parameters, _ = DEFINITIONS[name]
    check_game(eqenvs.make(game_id, **parameters), exact=True, episodes=500)
