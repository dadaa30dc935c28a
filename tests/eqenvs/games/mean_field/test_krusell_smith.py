"""The Krusell-Smith economy: its laws and prices by hand, and the quarters of its exact model."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqenvs.games.mean_field.krusell_smith import MOVES, NEWS
from eqenvs.models.aggregate_economy import BOOM, EMPLOYED, SLUMP, UNEMPLOYED, AggregateEconomy

# Den Haan, Judd and Juillard (2010), "Computational suite of models with heterogeneous agents II", Journal of Economic
# Dynamics and Control 34: slump unemployed, slump employed, boom unemployed, boom employed.
PUBLISHED_LAW = np.array(
    [
        [0.525, 0.35, 0.03125, 0.09375],
        [0.038889, 0.836111, 0.002083, 0.122917],
        [0.09375, 0.03125, 0.291667, 0.583333],
        [0.009115, 0.115885, 0.024306, 0.850694],
    ]
)


def test_the_law_of_employment_and_the_aggregate_state_is_the_published_one():
    law = AggregateEconomy().joint_law[::-1, :, ::-1].reshape(4, 4)  # slump first
    np.testing.assert_allclose(law, PUBLISHED_LAW, atol=6e-7)


def test_shares_of_the_unemployed_are_kept_at_every_change():
    economy = AggregateEconomy(unemployment=(0.08, 0.12), spell=(2.0, 3.0), duration=(5.0, 7.0))
    for z in range(2):
        share = np.array([economy.unemployment[z], 1 - economy.unemployment[z]])
        for after in range(2):
            found = share @ economy.employment_law[z, after]
            assert found[UNEMPLOYED] == pytest.approx(economy.unemployment[after], abs=1e-12)


def test_products_are_paid_out_and_benefits_paid_for():
    economy = AggregateEconomy(benefit=0.15)
    capital, (labour, _) = 35.0, economy.labour
    product = 1.01 * capital**0.36 * labour**0.64
    net = (economy.gross_return(capital, labour, 1.01) - 1 + 0.025) * capital
    assert net + economy.wage(capital, labour, 1.01) * labour == pytest.approx(product)
    for z, idle in enumerate(economy.unemployment):
        income = np.array([idle, 1 - idle]) @ economy.labour_income[z]
        assert income == pytest.approx(economy.labour[z])
    steady = economy.gross_return(economy.steady_capital, economy.labour.mean(), 1.0)
    assert steady == pytest.approx(1 / economy.discount)


def test_impossible_laws_are_refused():
    with pytest.raises(InputError, match="no transitions have the shares"):
        AggregateEconomy(unemployment=(0.01, 0.5), spell=(10.0, 10.0))
    with pytest.raises(InputError, match="depreciation must be in"):
        AggregateEconomy(depreciation=1.5)


def uniform(model):
    return np.broadcast_to(model.legal / model.legal.sum(axis=1, keepdims=True), model.policy_shape)


def test_a_quarter_is_a_choice_and_a_draw():
    model = eqenvs.make("krusell_smith", quarters=3).model()
    flow = model.flow(uniform(model))
    place, employment = model.keys.T
    for moment, (time, noise, parent) in enumerate(zip(*model.moments[:3], strict=True)):
        idle = flow[moment, 0] @ (employment == UNEMPLOYED)
        if noise < NEWS:
            assert time % 2 == 0
            assert idle == pytest.approx(model.economy.unemployment[noise], abs=1e-12)
        else:
            assert (noise - NEWS) // 2 == model.moments.noise[parent]
            before = flow[parent, 0] @ (employment == UNEMPLOYED)
            assert idle == pytest.approx(before, abs=1e-12)
        # The draw leaves capital alone.
        if time > 0 and time % 2 == 0:
            capital = [np.bincount(place, weights=flow[at, 0]) for at in (parent, moment)]
            np.testing.assert_allclose(*capital, atol=1e-12)
    reach = model.moments.reach[(model.moments.time == 4)]
    assert reach.sum() == pytest.approx(1)
    slump = model.moments.noise == SLUMP
    assert model.moments.reach[slump & (model.moments.time == 2)].sum() == pytest.approx(1 / 8)


@pytest.mark.parametrize("risk_aversion", [1.0, 2.0])
def test_a_reward_by_hand(risk_aversion):
    model = eqenvs.make("krusell_smith", quarters=2, benefit=0.2, risk_aversion=risk_aversion).model()
    rewards = model.rewards(model.initial, model.at(0))[0]
    economy = model.economy
    capital, labour = economy.steady_capital, (1 - 0.04) / 0.9
    gross = 1 - 0.025 + 1.01 * 0.36 * (capital / labour) ** (0.36 - 1)
    wage = 1.01 * 0.64 * (capital / labour) ** 0.36
    own = capital + 2 * 0.5
    states = {tuple(key): state for state, key in enumerate(model.keys.tolist())}
    for employment, move, income in ((EMPLOYED, 1, 1 / 0.9 - 0.2 * 0.04 / 0.96), (UNEMPLOYED, -3, 0.2)):
        consumption = gross * own + wage * income - (own + 0.5 * move)
        expected = np.log(consumption) if risk_aversion == 1 else 1 - 1 / consumption
        state, action = states[33 // 2 + 2, employment], int(np.flatnonzero(move == MOVES)[0])
        assert rewards[state, action] == pytest.approx(expected, abs=1e-12)


def test_at_the_end_capital_is_worth_what_it_yields_for_ever():
    model = eqenvs.make("krusell_smith", quarters=1).model()
    rewards = model.rewards(model.initial, model.at(0))[0]
    state = int(model.keys.tolist().index([33 // 2, EMPLOYED]))
    stay = int(np.flatnonzero(MOVES == 0)[0])
    capital, economy = model.capital, model.economy
    wage = economy.wage(economy.steady_capital, economy.labour.mean(), 1.0)
    later = (1 / 0.99 - 1) * capital[[33 // 2, 33 // 2 + 1]] + wage * economy.labour.mean()
    wealth = economy.gross_return(economy.steady_capital, economy.labour[BOOM], 1.01) * capital[33 // 2]
    wealth += economy.wage(economy.steady_capital, economy.labour[BOOM], 1.01) / 0.9
    expected = np.log(wealth - capital[[33 // 2, 33 // 2 + 1]]) + 99 * np.log(later)
    assert rewards[state, [stay, stay + 1]] == pytest.approx(expected, abs=1e-9)
