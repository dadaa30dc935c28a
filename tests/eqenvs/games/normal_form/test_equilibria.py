"""What the games' files say of equilibria, checked by brute force: all pure profiles, all pairs of supports."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations, product
from math import comb

import numpy as np
import pytest
from scipy.optimize import linprog

import eqenvs
from eqenvs.games.normal_form import cournot_oligopoly


def tensor(game_id, **parameters):
    return eqenvs.make(game_id, **parameters).model().payoffs


def regret(payoffs, profile: Sequence[int]) -> float:
    """The most that a player can gain by leaving a pure profile."""
    gains = []
    for player, own in enumerate(payoffs):
        line = own[tuple(slice(None) if p == player else a for p, a in enumerate(profile))]
        gains.append(line.max() - line[profile[player]])
    return max(gains)


def pure_equilibria(payoffs) -> set[tuple[int, ...]]:
    profiles = product(*(range(n) for n in payoffs.shape[1:]))
    return {profile for profile in profiles if regret(payoffs, profile) <= 1e-12}


def mixed_equilibria(A, B, among: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """One equilibrium for each pair of supports that has one, exactly those supports, of the first `among` actions.

    A support pair's equilibria are a polytope in x times one in y; the linear program looks for a point of each with
    the least probability as large as possible.
    """
    found = []
    for rows, columns in product(supports(among or A.shape[0]), supports(among or A.shape[1])):
        y = indifferent(A, rows, columns)
        x = None if y is None else indifferent(B.T, columns, rows)
        if x is not None:
            found.append((x, y))
    return found


def supports(actions: int):
    return chain.from_iterable(combinations(range(actions), k) for k in range(1, 1 + actions))


def indifferent(payoff, mine, others) -> np.ndarray | None:
    """The other's strategy with support `others`, against which exactly `mine` (at least) are best replies."""
    actions, count = payoff.shape
    # Variables: probabilities, value, least probability in the support.
    below = np.zeros((actions + len(others), count + 2))
    below[:actions, :count] = payoff
    below[:actions, count] = -1
    for row, action in enumerate(others):
        below[actions + row, [action, count + 1]] = -1, 1
    equal = np.zeros((len(mine) + 1, count + 2))
    equal[:-1, :count], equal[:-1, count] = payoff[list(mine)], -1
    equal[-1, :count] = 1
    bounds = [(0, 1) if a in others else (0, 0) for a in range(count)] + [(None, None), (None, 1)]
    result = linprog(-np.eye(count + 2)[-1], below, np.zeros(len(below)), equal, [*[0] * len(mine), 1], bounds=bounds)
    return result.x[:count] if result.status == 0 and result.x[-1] > 1e-9 else None


# Uniqueness by enumeration of all pairs of supports; the games with closed forms also in other sizes.
UNIQUE = {
    "pennies": ("matching_pennies", {"heads_win": 3.0}),
    "rock": ("rock_paper_scissors", {"rock_win": 3.0, "paper_win": 3.0}),
    "prisoners": ("prisoners_dilemma", {}),
    "prisoners 10, 4, -1, -5": (
        "prisoners_dilemma",
        {"temptation": 10.0, "reward": 4.0, "punishment": -1.0, "sucker": -5.0},
    ),
    "donors": ("donor_game", {}),
    "shapley": ("shapley", {}),
    "location": ("location_game", {"num_actions": 3}),
    "travellers": ("travellers_dilemma", {"high": 5}),
}


@pytest.mark.parametrize(("game_id", "parameters"), UNIQUE.values(), ids=UNIQUE)
def test_the_only_equilibrium_is_the_stated_one(game_id, parameters):
    game = eqenvs.make(game_id, **parameters)
    found = mixed_equilibria(*game.model().payoffs)
    assert len(found) == 1
    for fact in game.facts:
        if fact.equilibrium is not None:
            for mine, theirs in zip(found[0], fact.equilibrium, strict=True):
                assert mine == pytest.approx(theirs, abs=1e-9)


def least_excess(payoff, action, weighed, met) -> float:
    """The least of y[met] - 2/3 y[weighed].sum() over the y to which `action` is a best reply."""
    objective = np.zeros(payoff.shape[1])
    objective[weighed] -= 2 / 3
    objective[met] += 1
    result = linprog(objective, payoff - payoff[action], np.zeros(len(payoff)), [[1] * payoff.shape[1]], [1])
    return result.fun if result.status == 0 else np.inf


@pytest.mark.parametrize("size", [2, 3])
def test_sandholm_gilpin_and_conitzers_game_has_one_equilibrium_with_half_of_the_actions(size):
    A, B = tensor("sgc_game", size=size)
    first = 2 * size - 1
    rest = np.arange(first, len(A))
    # What best replies among the other actions need of the opponent: most of its weight there on one action, which
    # two cannot have; and player 1 needs the partner of the one that player 0 needs, so none is played.
    for action in rest:
        partner = first + ((action - first) ^ 1)
        assert least_excess(A, action, rest, action) >= -1e-9
        assert least_excess(B.T, action, rest, partner) >= -1e-9
        assert A[action, :first].max() == B[:first, action].max() == 0
    # Of the supports that are left, with deviations to all actions:
    (x, y), *others = mixed_equilibria(A, B, among=first)
    assert not others
    assert x == pytest.approx([1 / first] * first + [0] * len(rest))
    assert y == pytest.approx(x)


@pytest.mark.parametrize("size", [3, 5])
def test_larger_games_of_that_class_keep_the_equilibrium(size):
    A, B = tensor("sgc_game", size=size)
    x = np.repeat([1 / (2 * size - 1), 0], [2 * size - 1, 2 * size])
    assert (A @ x).max() == pytest.approx(0.75)
    assert (x @ B).max() == pytest.approx(0.75)
    assert x @ A @ x == pytest.approx(0.75)
    assert not pure_equilibria(np.stack([A, B]))


@pytest.mark.parametrize(("heads", "tails"), [(1.0, 1.0), (3.0, 1.0), (0.5, 4.0)])
def test_matching_pennies_with_unequal_wins(heads, tails):
    A, B = tensor("matching_pennies", heads_win=heads, tails_win=tails)
    ((x, y),) = mixed_equilibria(A, B)
    assert x == pytest.approx(y)
    assert x[0] == pytest.approx((tails + 1) / (heads + tails + 2))
    assert x @ A @ y == pytest.approx((heads * tails - 1) / (heads + tails + 2))


# Each: pure equilibria, then the first action's probability for both players in the mixed one.
SYMMETRIC = {
    "chicken": ("chicken", {}, {(0, 1), (1, 0)}, (2 / 3, 2 / 3)),
    "chicken 9, 4, 1, -2": (
        "chicken",
        {"temptation": 9.0, "reward": 4.0, "sucker": 1.0, "crash": -2.0},
        {(0, 1), (1, 0)},
        (3 / 8, 3 / 8),
    ),
    "stags": ("stag_hunt", {}, {(0, 0), (1, 1)}, (3 / 4, 3 / 4)),
    "stags 5, 4, 2, 1": (
        "stag_hunt",
        {"reward": 5.0, "temptation": 4.0, "punishment": 2.0, "sucker": 1.0},
        {(0, 0), (1, 1)},
        (1 / 2, 1 / 2),
    ),
    "sexes": ("battle_of_the_sexes", {}, {(0, 0), (1, 1)}, (2 / 3, 1 / 3)),
    "sexes 5, 2, 1": (
        "battle_of_the_sexes",
        {"favourite": 5.0, "other": 2.0, "apart": 1.0},
        {(0, 0), (1, 1)},
        (4 / 5, 1 / 5),
    ),
    "coordination": ("coordination", {"premium": 1.0}, {(0, 0), (1, 1)}, (2 / 3, 2 / 3)),
}


@pytest.mark.parametrize(("game_id", "parameters", "pure", "mixed"), SYMMETRIC.values(), ids=SYMMETRIC)
def test_two_by_two_games_have_the_three_equilibria_of_their_kind(game_id, parameters, pure, mixed):
    payoffs = tensor(game_id, **parameters)
    assert pure_equilibria(payoffs) == pure
    found = mixed_equilibria(*payoffs)
    assert len(found) == 3
    (inner,) = [(x[0], y[0]) for x, y in found if 0 < x[0] < 1]
    assert inner == pytest.approx(mixed)


def test_the_best_correlated_equilibrium_of_chicken_totals_ten_and_a_half():
    A, B = tensor("chicken")
    gain = np.zeros((4, 4))  # of player 0 then 1, told an action, from the other one; columns: profiles
    for told in range(2):
        for other in range(2):
            gain[told, 2 * told + other] = A[1 - told, other] - A[told, other]
            gain[2 + told, 2 * other + told] = B[other, 1 - told] - B[other, told]
    result = linprog(-(A + B).ravel(), gain, np.zeros(4), [[1] * 4], [1])
    assert -result.fun == pytest.approx(10.5)
    assert result.x == pytest.approx([1 / 2, 1 / 4, 1 / 4, 0])


EQUILIBRIA_3X2 = [
    ([1, 0, 0], [1, 0]),
    ([4 / 5, 1 / 5, 0], [2 / 3, 1 / 3]),
    ([0, 1 / 3, 2 / 3], [1 / 3, 2 / 3]),
]


def test_the_3x2_game_has_three_equilibria_and_no_strategy_with_too_many_best_replies():
    A, B = tensor("bimatrix_3x2")
    found = mixed_equilibria(A, B)
    assert len(found) == 3
    for (x, y), (first, second) in zip(sorted(found, key=lambda xy: -xy[0][0]), EQUILIBRIA_3X2, strict=True):
        assert x == pytest.approx(first)
        assert y == pytest.approx(second)
    for support, size in product(range(1, 4), range(1, 4)):
        if size > support:
            for mine in combinations(range(3), size):
                assert all(indifferent(A, mine, others) is None for others in combinations(range(2), support))
            for mine in combinations(range(2), size):
                assert all(indifferent(B.T, mine, others) is None for others in combinations(range(3), support))


def test_its_degenerate_version_has_a_segment_of_equilibria():
    A, B = tensor("bimatrix_3x2", degenerate=True)
    for q, equilibrium in ((1.0, True), (0.8, True), (2 / 3, True), (0.66, False)):
        y = np.array([q, 1 - q])
        assert (A[0] @ y >= (A @ y).max() - 1e-12) == equilibrium
    assert np.ptp(B[0]) == 0
    x, y = map(np.array, EQUILIBRIA_3X2[2])
    assert x @ A @ y == pytest.approx((A @ y).max())
    assert x @ B @ y == pytest.approx((x @ B).max())


def test_fictitious_play_does_not_converge_in_shapleys_game():
    A, B = tensor("shapley")
    rows, columns = np.array([1.0, 0, 0]), np.array([1.0, 0, 0])
    gaps = []
    for step in range(1, 20_001):
        row, column = A @ columns, rows @ B
        if step in (2_000, 20_000):
            gaps.append((row.max() - rows @ row / step + column.max() - column @ columns / step) / step)
        rows[row.argmax()] += 1
        columns[column.argmax()] += 1
    assert min(gaps) > 0.1


@pytest.mark.parametrize(
    ("players", "intercept", "slope", "cost", "difference", "step"),
    [
        (2, 12.0, 1.0, 0.0, 0.0, 1.0),
        (2, 12.0, 1.0, 3.0, 3.0, 1.0),  # unequal costs: 4 and 1
        (3, 10.0, 0.5, 2.0, 0.0, 2.0),
        (3, 14.0, 1.0, 1.0, 1.0, 0.5),  # 4, 3 and 2
    ],
)
def test_cournots_equilibrium_is_one_of_a_grid_that_contains_it(players, intercept, slope, cost, difference, step):
    of_market = {"num_players": players, "intercept": intercept, "slope": slope, "cost": cost}
    quantities = cournot_oligopoly.equilibrium(**of_market, cost_difference=difference)
    actions = quantities / step
    assert actions == pytest.approx(np.round(actions))
    payoffs = tensor("cournot_oligopoly", **of_market, cost_difference=difference, step=step, num_actions=14)
    assert regret(payoffs, [int(a) for a in np.round(actions)]) <= 1e-12
    assert quantities.min() > 0


@pytest.mark.parametrize("players", [2, 3])
@pytest.mark.parametrize("step", [0.7, 0.9, 1.3])
def test_cournots_equilibrium_is_nearly_one_of_any_grid(players, step):
    of_market = {"num_players": players, "intercept": 11.0, "slope": 1.5, "cost": 1.0}
    (quantity, *_) = cournot_oligopoly.equilibrium(**of_market)
    assert quantity == pytest.approx((11 - 1) / (1.5 * (players + 1)))
    nearest = round(quantity / step)
    distance = abs(nearest * step - quantity)
    found = regret(tensor("cournot_oligopoly", **of_market, step=step, num_actions=15), [nearest] * players)
    assert found <= 1.5 * ((players + 1) * distance / 2) ** 2 + 1e-12
    assert found <= 1.5 * ((players + 1) * step / 4) ** 2


@pytest.mark.parametrize("players", [2, 3])
@pytest.mark.parametrize(("step", "cost"), [(1.0, 2.0), (0.75, 2.0), (0.3, 0.0), (0.7, 4.0)])
def test_bertrands_price_is_an_equilibrium_of_the_grid(players, step, cost):
    payoffs = tensor("bertrand_oligopoly", num_players=players, step=step, cost=cost)
    first = int(np.ceil(cost / step - 1e-12))
    assert regret(payoffs, [first] * players) <= 1e-12
    # Nearest from either side, sold below cost at worst: the loss is what can be saved.
    nearest = round(cost / step)
    loss = max(0.0, cost - nearest * step) * (10 - nearest * step) / players
    assert regret(payoffs, [nearest] * players) == pytest.approx(loss, abs=1e-12)


def test_two_firms_may_both_ask_one_step_more_than_the_cost_but_no_more():
    symmetric = {a for a, b in pure_equilibria(tensor("bertrand_oligopoly")) if a == b}
    assert {2, 3} <= symmetric
    assert not symmetric & {0, 1, 5, 6, 7, 8, 9}


@pytest.mark.parametrize("places", [3, 6, 7])
def test_two_firms_meet_in_the_middle_of_the_street(places):
    middles = {(places - 1) // 2, places // 2}
    assert pure_equilibria(tensor("location_game", num_actions=places)) == set(product(middles, repeat=2))


def test_the_middle_of_the_street_beats_every_other_place():
    share = tensor("location_game")[0]
    assert (np.delete(share[4], 4) > 0.5).all()
    assert share[4, 4] == 0.5


@pytest.mark.parametrize(("bonus", "all_equal"), [(2.0, False), (1.5, False), (1.0, True), (0.5, True)])
def test_travellers_claim_the_least_if_the_bonus_exceeds_a_unit(bonus, all_equal):
    found = pure_equilibria(tensor("travellers_dilemma", low=3, high=12, bonus=bonus))
    assert found == {(k, k) for k in range(10 if all_equal else 1)}


@pytest.mark.parametrize(("players", "efforts"), [(2, 5), (3, 7)])
def test_equal_efforts_are_the_equilibria_of_the_minimum_effort_game(players, efforts):
    payoffs = tensor("minimum_effort", num_players=players, num_actions=efforts)
    assert pure_equilibria(payoffs) == {(e,) * players for e in range(efforts)}
    diagonal = payoffs[(0, *(np.arange(efforts),) * players)]
    assert (np.diff(diagonal) > 0).all()


@pytest.mark.parametrize("values", [(4.0, 4.0), (4.0, 9.0), (2.0, 13.0), (13.0, 11.5)])
def test_giving_up_at_once_is_an_equilibrium_if_the_other_would_hold_out_for_long_enough(values):
    last = 6
    payoffs = tensor("war_of_attrition", num_actions=last + 1, first_value=values[0], second_value=values[1])
    assert (regret(payoffs, (0, last)) <= 1e-12) == (2 * last >= values[0])
    assert (regret(payoffs, (last, 0)) <= 1e-12) == (2 * last >= values[1])


@pytest.mark.parametrize(("players", "actions"), [(2, 3), (3, 2), (4, 3), (5, 2)])
def test_the_most_dispersed_profiles_are_the_equilibria_of_the_dispersion_game(players, actions):
    payoffs = tensor("dispersion_game", num_players=players, num_actions=actions)
    found = pure_equilibria(payoffs)
    even = {
        profile
        for profile in product(range(actions), repeat=players)
        if np.ptp([profile.count(a) for a in range(actions)]) <= 1
    }
    assert found == even
    if actions == 2 and players % 2 == 0:
        assert len(found) == comb(players, players // 2)


@pytest.mark.parametrize(("players", "actions"), [(2, 4), (3, 3), (4, 2)])
def test_every_meeting_is_an_equilibrium_of_pure_coordination(players, actions):
    payoffs = tensor("coordination", num_players=players, num_actions=actions, premium=0.5)
    strict = {(a,) * players for a in range(actions)}
    found = pure_equilibria(payoffs)
    assert strict <= found
    # With three or more, those that nobody alone can turn into a meeting are equilibria as well.
    assert (found == strict) == (players == 2)
