"""Huggett's economy: rewards by hand, and its price by bisection in a problem with continuous savings."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.games.mean_field.huggett import DISCOUNT, ENDOWMENT, FLOOR, LAW
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field.fictitious_play import FictitiousPlay


def bonds_of(model, limit, top):
    place = model.keys[:, 0]
    return np.linspace(-limit, top, place.max() + 1)[place]


def mean_bonds(price, limit, points=250, top=20.0):
    """Held on average at a price: endogenous grid points, and the stable histogram by a linear solve."""
    bonds = -limit + (top + limit) * np.linspace(0, 1, points) ** 2
    wealth = bonds + ENDOWMENT[:, None]
    consumption = np.maximum(wealth - price * bonds * 0.999, 1e-2)
    change = np.inf
    while change > 1e-9:
        spent = (DISCOUNT / price * LAW @ consumption**-1.5) ** (-1 / 1.5)
        rich = spent + price * bonds
        found = np.stack([np.interp(wealth[e], rich[e], spent[e]) for e in range(2)])
        found = np.where(wealth <= rich[:, :1], wealth + price * limit, found)
        change, consumption = np.abs(found - consumption).max(), found
    saved = np.clip((wealth - consumption) / price, -limit, top)
    low = np.clip(np.searchsorted(bonds, saved, side="right") - 1, 0, points - 2)
    share = (saved - bonds[low]) / (bonds[low + 1] - bonds[low])
    kernel = np.zeros((2, points, 2, points))
    for e in range(2):
        for f in range(2):
            np.add.at(kernel[e, :, f], (np.arange(points), low[e]), (1 - share[e]) * LAW[e, f])
            np.add.at(kernel[e, :, f], (np.arange(points), low[e] + 1), share[e] * LAW[e, f])
    system = kernel.reshape(2 * points, -1).T - np.eye(2 * points)
    system[-1] = 1.0
    return float(np.linalg.solve(system, np.eye(2 * points)[-1]) @ np.tile(bonds, 2))


@pytest.mark.parametrize(("limit", "price"), [(2.0, 1.01278), (4.0, 0.99800), (6.0, 0.99503), (8.0, 0.99411)])
def test_the_stated_prices_clear_the_market(limit, price):
    assert mean_bonds(price - 1e-4, limit) > 0 > mean_bonds(price + 1e-4, limit)


def test_on_a_grid_the_best_response_at_that_price_holds_no_bonds_on_average():
    held = []
    for price in (0.9970, 0.9980, 0.9990):
        model = eqenvs.make("huggett", points=201, price=price, slope=0.0, top=8.0).model()
        dynamics = Dynamics(model)
        flow = dynamics.flow(dynamics.uniform())
        response = dynamics.greedy(dynamics.best_quality(flow, dynamics.rewards(flow))[0])
        held.append(float(dynamics.flow(response)[0, 0] @ bonds_of(model, 4.0, 8.0)))
    assert held[0] > 0.2 > abs(held[1])
    assert held[2] < -0.2


def test_rewards_by_hand():
    model = eqenvs.make("huggett", limit=2.0, top=3.0, points=11, price=0.99, slope=0.02).model()
    states = {tuple(key): state for state, key in enumerate(model.keys.tolist())}
    mean_field = np.zeros((1, 22))
    mean_field[0, states[6, 1]], mean_field[0, states[10, 0]] = 0.75, 0.25  # 1 and 3 bonds: 1.5 on average
    rewards = model.rewards(mean_field, model.at(0))[0]
    price = 0.99 * np.exp(0.02 * 1.5)
    for place, endowment, after in ((6, 1, 5), (4, 0, 2)):  # bonds -2 + place / 2
        consumption = -2 + place / 2 + (0.1, 1.0)[endowment] - price * (-2 + after / 2)
        assert rewards[states[place, endowment], after] == pytest.approx(-2 / np.sqrt(consumption), abs=1e-12)


def test_legal_actions_leave_something_to_consume_at_every_mean_field():
    model = eqenvs.make("huggett").model()
    states, actions = np.nonzero(model.legal)
    bonds = np.linspace(-4, 6, 51)
    for held in (0, model.num_states - 1):  # everybody owes, or has, the most
        price = 0.998 * np.exp(0.003 * bonds[model.keys[held, 0]])
        wealth = bonds[model.keys[:, 0]] + ENDOWMENT[model.keys[:, 1]]
        consumption = wealth[states] - price * bonds[actions]
        assert consumption.min() >= FLOOR
        rewards = model.rewards(np.eye(model.num_states)[[held]], model.at(0))[0, states, actions]
        np.testing.assert_allclose(rewards, -2 / np.sqrt(consumption), rtol=0, atol=1e-9)
    assert model.legal[:, 0].all()


def test_fictitious_play_comes_near_an_equilibrium_where_few_bonds_are_held():
    model = eqenvs.make("huggett", limit=2.0, top=3.0, points=21, price=1.01278).model()
    process = FictitiousPlay(model)
    before = process.evaluation().exploitability
    process.run(50)
    evaluation = process.evaluation()
    assert evaluation.exploitability < 1.5 * before / 52  # the uniform policy has that weight in the average
    held = np.linspace(-2, 3, 21)[model.keys[:, 0]]
    assert abs(evaluation.flow[0, 0] @ held) < 0.2
