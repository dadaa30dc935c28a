"""Dynamic routing: by hand, against shortest paths, and against figures computed with OpenSpiel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

import eqenvs
from eqenvs.errors import GameTooLargeError
from eqenvs.games.mean_field import _road_networks, dynamic_routing
from eqenvs.games.mean_field.dynamic_routing import AT_ORIGIN, ENTERED, routing_model
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field.omd import MirrorDescent

A_B, A_C, B_C, B_D, C_D = range(5)

# Uniform policy: (network, time steps, their length) -> value and exploitability, from OpenSpiel 2.0.2's
# python_mfg_dynamic_routing. Of the two populations of sioux_falls_dummy_demand, equally many drivers, the mean.
OPEN_SPIEL = {
    ("line", 5, 1.0): (-2.0, 0.0),
    ("line", 4, 0.5): (-2.5, 0.0),
    ("braess", 100, 0.05): (-3.5, 0.5),
    ("braess", 30, 0.3): (-3.3, 0.0),
    ("braess", 12, 0.5): (-3.5, 0.0),
    ("sioux_falls_dummy_demand", 12, 2.0): (-25.99954282407407, 5.999542824074069),
    ("sioux_falls_dummy_demand", 24, 1.5): (-37.488672480605075, 17.988672480605075),
    ("sioux_falls_dummy_demand", 16, 4.0): (-67.93926988191772, 43.939269881917724),
}


@pytest.mark.parametrize(("network", "horizon", "time_step"), OPEN_SPIEL)
def test_the_uniform_policy_scores_as_in_openspiel(network, horizon, time_step):
    model = eqenvs.make("dynamic_routing", network=network, horizon=horizon, time_step=time_step).model()
    dynamics = Dynamics(model)
    evaluation = dynamics.evaluate(dynamics.uniform())
    found = (evaluation.values.mean(), evaluation.exploitability)
    assert found == pytest.approx(OPEN_SPIEL[network, horizon, time_step], abs=1e-11)


def braess_policy(model, to_b, shortcut):
    """Everybody goes A-B with probability `to_b`, and from B to C with probability `shortcut`."""
    policy = Dynamics(model).uniform()
    for state, (place, wait) in enumerate(model.keys.tolist()):
        if wait == AT_ORIGIN:
            policy[:, :, state] = [to_b, 1 - to_b]
        elif place == A_B and wait in (0, ENTERED) and model.legal[state].all():
            policy[:, :, state] = [shortcut, 1 - shortcut]
    return policy


@pytest.mark.parametrize(
    ("to_b", "shortcut", "time", "gain"),
    [
        (0.75, 2 / 3, 3.75, 0.0),  # each of the three routes takes 3.75
        (0.5, 0.0, 3.5, 0.75),  # the social optimum; the shortcut alone would take 2.75
        (1.0, 1.0, 4.25, 1.25),  # all over both congested roads; over A-C one gets to C-D before them: 3
    ],
)
def test_times_and_gains_in_braess_network_by_hand(to_b, shortcut, time, gain):
    model = eqenvs.make("dynamic_routing").model()
    evaluation = Dynamics(model).evaluate(braess_policy(model, to_b, shortcut))
    assert evaluation.values[0] == pytest.approx(-time, abs=1e-9)
    assert evaluation.exploitability == pytest.approx(gain, abs=1e-9)


def test_the_equilibrium_time_of_braess_network_is_approached_as_steps_shrink():
    errors = []
    for horizon, time_step in ((20, 0.25), (50, 0.1), (100, 0.05)):
        model = eqenvs.make("dynamic_routing", horizon=horizon, time_step=time_step).model()
        process = MirrorDescent(model, eta=1.0)
        process.run(30)
        assert process.evaluation().exploitability <= time_step  # where waits jump there need be no equilibrium
        errors.append(abs(process.evaluation().values[0] + 3.75))
        assert errors[-1] <= 5 * time_step  # four roads of a trip are rounded down to whole steps
    assert errors[-1] == pytest.approx(0, abs=1e-6)


def test_waiting_is_counted_down_and_told_by_the_volume():
    model = eqenvs.make("dynamic_routing", time_step=0.25, horizon=20).model()
    flow = model.flow(braess_policy(model, 0.6, 0.0))
    state = {tuple(key): index for index, key in enumerate(model.keys.tolist())}
    assert flow[1, 0, state[A_B, ENTERED]] == pytest.approx(0.6)
    # 1 + 0.6 is 6.4 steps of a quarter: 6, the one on entering counted.
    assert [float(flow[2 + i, 0, state[A_B, 4 - i]]) for i in range(5)] == pytest.approx([0.6] * 5)
    assert flow[7, 0, state[B_D, ENTERED]] == pytest.approx(0.6)
    assert flow[1, 0, state[A_C, ENTERED]] == pytest.approx(0.4)
    assert flow[2, 0, state[A_C, 6]] == pytest.approx(0.4)


def test_leaving_elsewhere_costs_as_much_as_never_arriving():
    network = replace(_road_networks.line(), exits=(1, 2))
    model = routing_model(network, 6, 0.5)
    state = {tuple(key): index for index, key in enumerate(model.keys.tolist())}
    leave = Dynamics(model).uniform()
    leave[:, :, state[0, 0]] = [0.0, 1.0]  # O-A takes two steps, the second a wait of 0
    evaluation = Dynamics(model).evaluate(leave)
    assert evaluation.values[0] == pytest.approx(-7 * 0.5)
    assert evaluation.best[0] == pytest.approx(-4 * 0.5)


@pytest.mark.parametrize("time_step", [1.0, 2.5])
def test_without_congestion_the_best_response_is_the_shortest_path(time_step):
    network = replace(_road_networks.sioux_falls(), congestion=np.zeros(76))
    model = routing_model(network, int(60 / time_step), time_step)
    best = Dynamics(model).evaluate(Dynamics(model).uniform()).best
    steps = np.maximum(1, network.free_flow // time_step)
    distance = dijkstra(csr_array((steps, (network.tail, network.head)), shape=(24, 24))) * time_step
    expected = np.zeros(24)
    for (origin, destination), count in network.trips.items():
        expected[destination] -= count * distance[origin, destination]
    trips = np.array([sum(c for (_, to), c in network.trips.items() if to == node) for node in range(24)])
    np.testing.assert_allclose(best, expected / trips, rtol=0, atol=1e-9)


def test_the_tables_of_sioux_falls_are_complete():
    network = _road_networks.sioux_falls()
    assert (len(network.tail), len(network.trips), sum(network.trips.values())) == (76, 528, 360_600)
    assert set(zip(network.tail, network.head, strict=True)) == set(zip(network.head, network.tail, strict=True))
    # b is 0.15 free_flow / capacity^4 with the capacities that later publications give, here of 1-2 and 10-17.
    for tail, head, capacity in ((0, 1, 25900.20064), (9, 16, 4993.510694)):
        road = np.flatnonzero((network.tail == tail) & (network.head == head))[0]
        b = 0.15 * network.free_flow[road] / capacity**4
        assert network.congestion[road] == pytest.approx(b, rel=0.02)


def test_mirror_descent_spreads_the_drivers_of_sioux_falls():
    model = eqenvs.make("dynamic_routing", network="sioux_falls_dummy_demand", horizon=16, time_step=4.0).model()
    process = MirrorDescent(model, eta=0.1)
    before = process.evaluation().exploitability
    process.run(20)
    assert process.evaluation().exploitability < 1e-3 * before


def test_agents_of_every_destination_are_needed():
    with pytest.raises(ValueError, match="num_agents must be from 24"):
        eqenvs.make("dynamic_routing", network="sioux_falls", num_agents=23, horizon=4).parallel_env()


@pytest.mark.parametrize(
    ("horizon", "time_step", "named"),
    [
        (10_000, 2e-4, r"41,252 x 2 x 5,002 successors"),
        (10_000, 5e-4, r"10,000 x 1 x [\d,]+ x 2 probabilities in a policy"),
    ],
)
def test_tables_beyond_memory_are_refused_before_they_are_made(horizon, time_step, named):
    with pytest.raises(GameTooLargeError, match=rf"^dynamic_routing: {named} are more than 200,000,000; use a horizon"):
        eqenvs.make("dynamic_routing", horizon=horizon, time_step=time_step).model()


@pytest.mark.parametrize("network", ["line", "braess", "sioux_falls_dummy_demand"])
def test_what_is_counted_is_what_the_model_has(network, monkeypatch):
    model = eqenvs.make("dynamic_routing", network=network, horizon=12).model()
    for numbers, shape in ((0, model.successors.shape), (model.successors.size, model.policy_shape)):
        monkeypatch.setattr(dynamic_routing, "MAX_NUMBERS", numbers)
        with pytest.raises(GameTooLargeError) as error:
            eqenvs.make("dynamic_routing", network=network, horizon=12).model()
        counted = str(error.value).split(": ")[1].split(" x ")
        assert [int(size.split()[0].replace(",", "")) for size in counted] == [*shape]
