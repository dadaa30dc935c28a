"""Epidemics, rumours and malware against their formulas, one state at a time."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.models.mean_field import Affine, Moment
from eqenvs.policies import uniform
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.scoring import score

NOW = Moment(np.array(0), np.array(0))
TWO = [[0, 1]]


def moves(model, mean_field, population, state, action):
    """Where one goes, as a dictionary."""
    probability = np.broadcast_to(
        np.asarray(model.probabilities(np.asarray(mean_field), NOW)),
        (model.num_populations, *model.successors.shape),
    )[population, state, action]
    found = {}
    for to, chance in zip(model.successors[state, action].tolist(), probability.tolist(), strict=True):
        found[to] = found.get(to, 0.0) + chance
    return {to: chance for to, chance in found.items() if chance}


def same_as_plain(game, actions, move, reward, plain_gains, tolerance=1e-9):
    """The uniform policy's values and best responses are those of the formulas; their NashConv."""
    model = game.model()
    values, best = plain_gains(model.initial, actions, move, reward, model.horizon, model.discount)
    found = score(game, uniform(game))
    np.testing.assert_allclose(found.values, values, rtol=tolerance)
    np.testing.assert_allclose(found.gains, best - values, rtol=tolerance, atol=tolerance)
    return float((best - values).sum())


def illness(infection, recovery, waning=None, met=None):
    """Moves and rewards of an epidemic by hand; `met` gives the share of infected that a population meets."""
    met = met or (lambda p, now: now[p][1])

    def move(p, s, a, now):
        if s == 0:
            caught = min(1.0, infection * met(p, now)) if a == 0 else 0.0
            return [(0, 1 - caught), (1, caught)]
        if s == 1:
            return [(1, 1 - recovery), (0 if waning is None else 2, recovery)]
        return [(2, 1 - waning), (0, waning)]

    return move, lambda p, s, a, now: -2.0 * (s == 1) - 0.5 * a


def test_sir_moves_are_those_of_the_formulas():
    model = eqenvs.make("sir", waning=0.125).model()
    mean_field = [[0.5, 0.3, 0.2]]
    assert moves(model, mean_field, 0, 0, 0) == pytest.approx({0: 1 - 0.8 * 0.3, 1: 0.8 * 0.3})
    assert moves(model, mean_field, 0, 0, 1) == {0: 1.0}
    for action in range(2):
        assert moves(model, mean_field, 0, 1, action) == pytest.approx({1: 0.8, 2: 0.2})
        assert moves(model, mean_field, 0, 2, action) == pytest.approx({2: 0.875, 0: 0.125})
    np.testing.assert_allclose(
        np.broadcast_to(model.rewards(np.array(mean_field), NOW), (1, 3, 2))[0], [[0, -0.5], [-2, -2.5], [0, -0.5]]
    )
    assert isinstance(model.transition, Affine)


@pytest.mark.parametrize("waning", [0.0, 0.1])
def test_sir_uniform_policy_against_plain_arithmetic(waning, plain_gains):
    game = eqenvs.make("sir", waning=waning)
    same_as_plain(game, [[0, 1]] * 3, *illness(0.8, 0.2, waning), plain_gains)


def test_sir_fact_is_that_of_plain_arithmetic(plain_gains):
    game = eqenvs.make("sir")
    found = same_as_plain(game, [[0, 1]] * 3, *illness(0.8, 0.2, 0.0), plain_gains)
    assert found == pytest.approx(game.spec.facts[0].uniform_nash_conv, abs=1e-8)


def test_an_epidemic_that_nobody_avoids_follows_kermack_and_mckendrick():
    # Small steps: the share that is never infected solves s = s_0 exp(-(b / g) (1 - s)), the final-size relation.
    step, b, g = 1e-3, 2.0, 1.0
    game = eqenvs.make(
        "sir", infection=b * step, recovery=g * step, first_infected=1e-3, horizon=60_000, illness_cost=0.0
    )
    model = game.model()
    policy = np.zeros(model.policy_shape)
    policy[..., 0] = 1.0
    last = model.flow(policy)[-1, 0]
    left = 0.2
    for _ in range(200):
        left = 0.999 * np.exp(-b / g * (1 - left))
    assert last[1] < 1e-9
    assert last[0] == pytest.approx(left, abs=5e-4)  # of the order of a step


def test_sir_without_a_horizon_rests_where_waning_balances_infection():
    # i' = 0 and r' = 0: s = g / b, i (1 + g / w) = 1 - s, where everybody goes out.
    game = eqenvs.make("sir", horizon=None, discount=0.9, infection=0.8, recovery=0.2, waning=0.1)
    model = game.model()
    policy = np.zeros(model.policy_shape)
    policy[..., 0] = 1.0
    flow, stability = Dynamics(model).rest(policy)
    assert stability.residual < 1e-12
    infected = (1 - 0.25) / (1 + 0.2 / 0.1)
    np.testing.assert_allclose(flow[0, 0], [0.25, infected, 2 * infected], atol=1e-10)


def test_rumour_moves_and_rewards_are_those_of_the_formulas():
    model = eqenvs.make("rumour", hearing=0.6, gain=0.5, loss=0.7, forgetting=0.125).model()
    mean_field = np.array([[0.5, 0.3, 0.2]])  # unaware, silent, spreading
    assert moves(model, mean_field, 0, 0, 0) == pytest.approx({0: 1 - 0.12, 1: 0.12})
    for state in (1, 2):
        for action in range(2):
            assert moves(model, mean_field, 0, state, action) == pytest.approx({1 + action: 0.875, 0: 0.125})
    reward = np.broadcast_to(model.rewards(mean_field, NOW), (1, 3, 2))[0]
    np.testing.assert_allclose(reward[2], 0.5 * 0.5 - 0.7 * 0.5)
    assert not reward[:2].any()
    assert model.legal.tolist() == [[True, False], [True, True], [True, True]]


def test_rumour_fact_is_that_of_plain_arithmetic(plain_gains):
    def move(p, s, a, now):
        if s == 0:
            return [(0, 1 - 0.3 * now[p][2]), (1, 0.3 * now[p][2])]
        return [(1 + a, 1.0)]

    game = eqenvs.make("rumour")
    found = same_as_plain(
        game,
        [[0], [0, 1], [0, 1]],
        move,
        lambda p, s, a, now: (s == 2) * (0.5 * now[p][0] - 0.8 * (1 - now[p][0])),
        plain_gains,
    )
    assert found == pytest.approx(game.spec.facts[0].uniform_nash_conv, abs=1e-8)


def test_spreading_pays_exactly_where_enough_are_unaware_a_step_later():
    model = eqenvs.make("rumour", gain=0.5, loss=0.3, first_aware=0.2).model()
    dynamics = Dynamics(model)
    evaluation = dynamics.evaluate(dynamics.uniform())
    unaware = evaluation.flow[1:, 0, 0]
    choice = evaluation.quality[:-1, 0, 1, 1] > evaluation.quality[:-1, 0, 1, 0]
    assert choice.any()
    assert not choice.all()
    np.testing.assert_array_equal(choice, unaware > 0.3 / 0.8)


def cyber(numbers, step):
    """Moves and costs of the cyber-security game by hand, DI DS UI US."""
    n = numbers

    def move(p, s, a, now):
        di, _, ui, _ = now[p]
        rates = {
            0: {1: n["recovery_defended"], 2: n["response"] * a},
            1: {
                0: n["attack"] * n["intrusion_defended"] + n["spread_dd"] * di + n["spread_ud"] * ui,
                3: n["response"] * a,
            },
            2: {3: n["recovery_unprotected"], 0: n["response"] * a},
            3: {
                2: n["attack"] * n["intrusion_unprotected"] + n["spread_du"] * di + n["spread_uu"] * ui,
                1: n["response"] * a,
            },
        }[s]
        return [(s, 1 - step * sum(rates.values())), *((to, step * rate) for to, rate in rates.items())]

    def reward(p, s, a, now):
        return -step * (n["defence_cost"] * (s < 2) + n["infection_cost"] * (s in (0, 2)))

    return move, reward


UNEVEN = {
    "response": 0.31,
    "attack": 0.21,
    "intrusion_defended": 0.07,
    "intrusion_unprotected": 0.13,
    "spread_dd": 0.11,
    "spread_du": 0.61,
    "spread_ud": 0.23,
    "spread_uu": 0.71,
    "recovery_defended": 0.37,
    "recovery_unprotected": 0.19,
    "defence_cost": 0.41,
    "infection_cost": 1.7,
}


@pytest.mark.parametrize(("given", "step"), [({}, 0.5), (UNEVEN, 0.3)], ids=["published", "uneven"])
def test_cyber_security_against_plain_arithmetic(given, step, plain_gains):
    game = eqenvs.make("cyber_security", **given, step=step)
    numbers = {name: game.parameters[name] for name in UNEVEN}
    found = same_as_plain(game, [[0, 1]] * 4, *cyber(numbers, step), plain_gains)
    if not given:
        assert found == pytest.approx(game.spec.facts[0].uniform_nash_conv, abs=1e-8)


def test_a_step_too_long_for_the_rates_is_refused():
    with pytest.raises(ValueError, match=r"cyber_security: parameter 'step' must be at most 0\.9"):
        eqenvs.make("cyber_security", step=1.0).model()


def test_who_can_neither_be_infected_nor_recover_defends_only_if_that_is_free():
    # With nothing to fear, a defended player lets its defence go at once, and loses it at the response rate.
    game = eqenvs.make(
        "cyber_security", attack=0.0, spread_dd=0.0, spread_du=0.0, spread_ud=0.0, spread_uu=0.0, horizon=3, step=0.5
    )
    best = Dynamics(game.model()).evaluate(Dynamics(game.model()).uniform()).quality[0, 0]
    assert best[1, 1] > best[1, 0]
    assert best[3, 0] > best[3, 1]
    # DS over three steps of 0.5 at cost 0.7: 0.35 (1 + 0.85 + 0.85^2).
    assert best[1].max() == pytest.approx(-0.35 * (1 + 0.85 + 0.85**2), abs=1e-12)
