"""Games on lines and rings: moves and rewards by hand, closed forms of their continuous limits, and the peers."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.games.mean_field.linear_quadratic import eta
from eqenvs.policies import uniform
from eqenvs.testing import check_backends_agree, check_model, check_population_matches_model
from eqenvs.testing.mean_field import dense_kernel
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.scoring import score

COSTS = {"mean_reversion": 0.4, "cross_cost": 0.1, "state_cost": 0.5, "terminal_cost": 1.2}


def test_eta_is_the_published_figure_and_solves_its_equation():
    stated = {"mean_reversion": 0.0, "cross_cost": 0.01, "state_cost": 0.5, "terminal_cost": 1.0}
    assert eta(10.0, **stated) == pytest.approx(0.697106961138, abs=5e-13)
    assert eta(0.0, **COSTS) == pytest.approx(1.2)
    at, step = eta(0.7, **COSTS), 1e-5
    slope = (eta(0.7 - step, **COSTS) - eta(0.7 + step, **COSTS)) / (2 * step)  # time runs against what remains
    assert slope == pytest.approx(2 * (0.4 + 0.1) * at + at**2 - (0.5 - 0.1**2), abs=1e-8)
    nothing = dict.fromkeys(COSTS, 0.0)
    assert eta(3.0, **nothing | {"terminal_cost": 2.0}) == pytest.approx(2 / 7)


def refined(level, mean_reversion):
    """A line from -2 to 2 over one unit of time, and speeds a `level`-th of .4 apart up to 3.2."""
    time_step, spacing = 0.5 / level, 0.2 / level**2
    return eqenvs.make(
        "linear_quadratic",
        size=round(4 / spacing) + 1,
        horizon=round(1 / time_step),
        time_step=time_step,
        spacing=spacing,
        moves=8 * level,
        noises=round(3.5 * 0.4 * sqrt(time_step) / spacing),
        volatility=0.4,
        ring=False,
        **COSTS | {"mean_reversion": mean_reversion},
    ).model()


@pytest.mark.parametrize("mean_reversion", [0.0, 0.4])
def test_refining_the_grid_approaches_the_continuous_equilibrium(mean_reversion):
    """Against a flow of mean 0: values -eta_0 x^2 / 2 - sigma^2 int eta / 2, and actions -(q + eta_0) x."""
    costs = COSTS | {"mean_reversion": mean_reversion}
    times = (np.arange(2000) + 0.5) / 2000
    spent = 0.4**2 / 2 * np.mean([eta(t, **costs) for t in times])
    value_errors, action_errors = [], []
    for level in (1, 2, 3):
        model = refined(level, mean_reversion)
        dynamics = Dynamics(model)
        flow = np.broadcast_to(model.initial, (model.policy_shape[0], *model.initial.shape)).copy()
        quality, _ = dynamics.best_quality(flow, dynamics.rewards(flow))
        place = np.linspace(-2, 2, model.num_states)
        near = np.abs(place) <= 1
        exact = -eta(1.0, **costs) * place**2 / 2 - spent
        value_errors.append(np.abs(quality[0, 0].max(axis=1) - exact)[near].max())
        speed = 0.4 / level * (np.arange(model.num_actions) - model.num_actions // 2)
        action = speed[quality[0, 0].argmax(axis=1)]
        action_errors.append(np.abs(action + (0.1 + eta(1.0, **costs)) * place)[near].max())
    for errors in (value_errors, action_errors):
        assert errors[2] < 0.6 * errors[0], errors
    assert value_errors[2] < 0.05
    assert action_errors[2] < 0.2


def test_the_continuous_equilibrium_is_ever_less_exploitable_on_finer_grids():
    gains = []
    for level in (1, 2):
        model = refined(level, 0.4)
        steps, _, states, actions = model.policy_shape
        place, speed = np.linspace(-2, 2, states), 0.4 / level * (np.arange(actions) - actions // 2)
        policy = np.zeros(model.policy_shape)
        for moment in range(steps):
            remaining = max(0.0, 1 - moment / (steps - 1))
            wanted = -(0.1 + eta(remaining, **COSTS)) * place
            nearest = np.abs(speed - wanted[:, None]).argmin(axis=1)
            policy[moment, 0, np.arange(states), nearest] = 1
        gains.append(Dynamics(model).evaluate(policy).exploitability)
    assert gains[1] < 0.6 * gains[0]
    assert gains[1] < 0.03


def test_linear_quadratic_moves_and_noise_by_hand():
    """Cells 0 to 4, from 1 by +1 with noise of one cell at most, and from 4 over the end."""
    parameters = {"size": 5, "moves": 1, "noises": 1, "volatility": 0.8, "spacing": 0.5, "time_step": 0.25}
    ring = dense_kernel(eqenvs.make("linear_quadratic", **parameters).model(), np.full((1, 5), 0.2), 0)[0]
    middle = erf(0.5 / (0.8 * 0.5 / 0.5) / sqrt(2))  # deviation .8 sqrt(.25) is .8 cells
    side = (1 - middle) / 2
    np.testing.assert_allclose(ring[1, 2], [0, side, middle, side, 0], atol=1e-15)
    np.testing.assert_allclose(ring[4, 2], [middle, side, 0, 0, side], atol=1e-15)
    walled = dense_kernel(eqenvs.make("linear_quadratic", ring=False, **parameters).model(), np.full((1, 5), 0.2), 0)[0]
    np.testing.assert_allclose(walled[4, 2], [0, 0, 0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(walled[3, 2], [0, 0, 0, side, 1 - side], atol=1e-15)


def test_drift_to_the_mean_is_shared_by_the_two_nearest_cells():
    model = eqenvs.make("linear_quadratic", size=5, moves=1, noises=0, mean_reversion=0.5, ring=False).model()
    mean_field = np.array([[0.0, 0.0, 0.0, 0.5, 0.5]])  # its mean is 3.5
    kernel = dense_kernel(model, mean_field, 0)[0]
    np.testing.assert_allclose(kernel[1, 1], [0, 0, 0.75, 0.25, 0], atol=1e-15)  # .5 (3.5 - 1) = 1.25 cells
    np.testing.assert_allclose(kernel[4, 0], [0, 0, 0.25, 0.75, 0], atol=1e-15)  # -1 - .25 cells


def test_linear_quadratic_rewards_by_hand():
    model = eqenvs.make(
        "linear_quadratic", size=4, moves=1, spacing=0.5, time_step=0.25, cross_cost=0.3, terminal_cost=2.0
    ).model()
    mean_field = np.array([[0.5, 0.0, 0.0, 0.5]])
    off, speed = 0.75, 2.0  # of cell 0, and half a unit in a quarter
    running, last = (model.rewards(mean_field, model.at(moment))[0, 0] for moment in (0, 10))
    assert running[2] == pytest.approx(0.25 * (-(speed**2) / 2 + 0.3 * speed * off - 0.5 * off**2 / 2))
    assert running[0] == pytest.approx(0.25 * (-(speed**2) / 2 - 0.3 * speed * off - 0.5 * off**2 / 2))
    np.testing.assert_allclose(last, -2.0 * off**2 / 2)


def test_drift_conforms_too():
    game = eqenvs.make("linear_quadratic", size=7, horizon=3, mean_reversion=0.6, num_agents=4)
    for check in (check_model, check_backends_agree, check_population_matches_model):
        check(game)


def test_periodic_aversion_rewards_and_moves_by_hand():
    model = eqenvs.make(
        "periodic_aversion", size=5, horizon=3, moves=1, time_step=0.1, volatility=2.0, aversion=0.5
    ).model()
    mean_field = np.array([[0.1, 0.2, 0.3, 0.4, 0.0]])
    wave, width = 1.0, 0.25  # of cell 1, at 1 / 4
    rate = 2 * np.pi**2 * 4 * wave + 2 / 4 * wave - 0.5 * np.log(0.2 / width)
    first, last = (model.rewards(mean_field, model.at(moment))[0, 1] for moment in (1, 2))
    cost = (width / 0.1) ** 2 / 2
    np.testing.assert_allclose(first, 0.1 * (rate - np.array([cost, 0, cost])))
    np.testing.assert_allclose(last, 0.1 * rate)
    chance = np.exp(-0.5 * (width / (2 * sqrt(0.1))) ** 2)
    kernel = dense_kernel(model, mean_field, 0)[0]
    np.testing.assert_allclose(kernel[4, 2], np.array([1, chance, 0, 0, chance]) / (1 + 2 * chance), atol=1e-15)


@pytest.mark.parametrize("volatility", [1.0, 1.3])
def test_refining_the_circle_approaches_the_ergodic_equilibrium(volatility):
    """Its density is left in place by a* = 2 pi cos(2 pi x), which far from the horizon is the best response to it."""
    density_errors, action_errors = [], []
    for level in (1, 2):
        size, time_step = 40 * level**2, 0.008 / level
        deviation = volatility * sqrt(time_step) * size
        speed_step = 1 / size / time_step
        game = eqenvs.make(
            "periodic_aversion",
            size=size,
            horizon=round(0.4 / time_step),
            time_step=time_step,
            moves=max(round(4 * deviation), 2 + round(2 * np.pi / speed_step)),
            volatility=volatility,
            both_ends=False,
        )
        model = game.model()
        place = np.arange(size) / size
        density = np.exp(2 / volatility**2 * np.sin(2 * np.pi * place))
        density /= density.sum()
        steps, _, states, actions = model.policy_shape
        flow = np.broadcast_to(density, (steps, 1, states)).copy()
        dynamics = Dynamics(model)
        quality, _ = dynamics.best_quality(flow, dynamics.rewards(flow))
        speed = speed_step * (np.arange(actions) - actions // 2)
        wanted = 2 * np.pi * np.cos(2 * np.pi * place)
        action_errors.append(np.abs(speed[quality[0, 0].argmax(axis=1)] - wanted).max())
        # Between two speeds of the grid, the mixture of the wanted mean.
        policy = np.maximum(0, 1 - np.abs(speed - wanted[:, None]) / speed_step)
        after = model.advance(density[None], np.broadcast_to(policy, model.policy_shape), 0)[0]
        density_errors.append(np.abs(after - density).sum() / time_step)
    assert density_errors[1] < 0.7 * density_errors[0], density_errors
    assert action_errors[1] < 0.8 * action_errors[0], action_errors


def test_beach_bar_rewards_and_moves_by_hand():
    model = eqenvs.make("beach_bar", size=5, horizon=3, bar=1, still=0.6).model()
    mean_field = np.array([[0.1, 0.2, 0.3, 0.3, 0.1]])
    reward = model.rewards(mean_field, model.at(2))[0]
    np.testing.assert_allclose(reward[:, 1], -np.array([1, 0, 1, 2, 2]) - np.log(mean_field[0]))
    np.testing.assert_allclose(reward[:, 0], reward[:, 1] - 0.2)
    kernel = dense_kernel(model, mean_field, 0)[0]
    np.testing.assert_allclose(kernel[4, 2], [0.6, 0.2, 0, 0, 0.2])
    cut = dense_kernel(eqenvs.make("beach_bar", size=5, still=0.6, ends=True).model(), mean_field, 0)[0]
    np.testing.assert_allclose(cut[4, 2], [0, 0, 0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(cut[0, 0], [1, 0, 0, 0, 0], atol=1e-15)


def test_the_bar_closes_half_way_for_everybody_at_once():
    model = eqenvs.make("beach_bar", size=6, horizon=5, bar=0, closing=0.3).model()
    assert model.moments.time.tolist() == [0, 1, 2, 2, 3, 3, 4, 4]
    assert model.moments.noise.tolist() == [0, 0, 0, 1, 0, 1, 0, 1]
    np.testing.assert_allclose(model.moments.reach, [1, 1] + [0.7, 0.3] * 3)
    is_open, closed = (model.rewards(model.initial, model.at(moment))[0, :, 1] for moment in (2, 3))
    np.testing.assert_allclose(is_open - closed, [0, -1, -2, -3, -2, -1])


def test_a_bar_that_closes_is_worth_the_mixture_to_those_who_do_not_mind():
    """Uniform play does not react, so its value is linear in the probability of closing."""
    values = [
        score(game, uniform(game)).values[0]
        for game in (eqenvs.make("beach_bar", size=6, horizon=5, closing=c) for c in (0.0, 0.25, 1.0))
    ]
    assert values[1] == pytest.approx(0.75 * values[0] + 0.25 * values[2])
    assert values[2] - values[0] == pytest.approx(3 * (0 + 1 + 1 + 2 + 2 + 3) / 6)  # three steps without distances


@pytest.mark.parametrize("game_id", ["linear_quadratic", "periodic_aversion"])
def test_a_line_too_fine_for_memory_is_refused(game_id):
    with pytest.raises(GameTooLargeError, match=f"{game_id}: 100,000 cells, 20,001 actions"):
        eqenvs.make(game_id, size=100_000, moves=10_000).model()


@pytest.mark.parametrize(
    ("game_id", "parameters", "message"),
    [
        ("linear_quadratic", {"spacing": 0.0}, "'spacing' must be"),
        ("linear_quadratic", {"volatility": -1.0}, "'volatility' must be"),
        ("linear_quadratic", {"moves": 0}, "'moves' must be an integer from 1"),
        ("linear_quadratic", {"cross_cost": 0.9}, "'cross_cost' must be at most the root of 'state_cost'"),
        ("periodic_aversion", {"time_step": 0.0}, "'time_step' must be"),
        ("periodic_aversion", {"size": 1}, "'size' must be"),
        ("periodic_aversion", {"volatility": 0.0}, "'volatility' must be"),
        ("beach_bar", {"size": 10, "bar": 10}, "'bar' must be from 0 to size - 1 = 9, got 10"),
        ("beach_bar", {"still": 1.1}, "'still' must be"),
        ("beach_bar", {"horizon": 1, "closing": 0.5}, "'closing' needs a horizon of at least 2"),
    ],
)
def test_bad_parameters_are_refused_by_name(game_id, parameters, message):
    with pytest.raises(InputError) as caught:
        eqenvs.make(game_id, **parameters).model()
    assert message in str(caught.value)
    assert game_id in str(caught.value)
