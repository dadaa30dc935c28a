"""Buildings, hunting populations and blocked moves: successors and rewards by hand on grids that are not square."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqenvs.policies import uniform
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.scoring import score


def model_of(game_id, **parameters):
    return eqenvs.make(game_id, num_agents=20, **parameters).model()


def cells_after(model, cell):
    """The cells that each action leads to with positive probability at the initial mean field."""
    keys = [tuple(key) for key in model.keys.tolist()]
    state = keys.index(cell)
    probability = model.probabilities(model.initial, model.at(0))[0, state]
    return [
        {keys[s] for s, p in zip(row, chance, strict=True) if p > 0}
        for row, chance in zip(model.successors[state].tolist(), probability.tolist(), strict=True)
    ]


BUILDING = {"floors": 3, "height": 2, "width": 4}


@pytest.mark.parametrize(
    ("crossing", "cell", "expected"),
    [
        # south, north, west, east, down, up
        (True, (0, 1, 3), [(0, 1, 3), (0, 0, 3), (0, 1, 2), (0, 1, 3), (0, 1, 3), (1, 1, 3)]),
        (True, (1, 1, 3), [(1, 1, 3), (1, 0, 3), (1, 1, 2), (1, 1, 3), (0, 1, 3), (1, 1, 3)]),
        (True, (1, 0, 0), [(1, 1, 0), (1, 0, 0), (1, 0, 0), (1, 0, 1), (1, 0, 0), (2, 0, 0)]),
        (True, (2, 0, 0), [(2, 1, 0), (2, 0, 0), (2, 0, 0), (2, 0, 1), (1, 0, 0), (2, 0, 0)]),
        (True, (2, 1, 3), [(2, 1, 3), (2, 0, 3), (2, 1, 2), (2, 1, 3), (2, 1, 3), (2, 1, 3)]),
        (False, (1, 1, 3), [(1, 1, 3), (1, 0, 3), (1, 1, 2), (1, 1, 3), (1, 1, 3), (2, 1, 3)]),
        (False, (1, 0, 0), [(1, 1, 0), (1, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 0), (1, 0, 0)]),
        (False, (0, 0, 2), [(0, 1, 2), (0, 0, 2), (0, 0, 1), (0, 0, 3), (0, 0, 2), (0, 0, 2)]),
    ],
)
def test_stairs_lead_where_they_are_said_to(crossing, cell, expected):
    assert cells_after(model_of("building_evacuation", crossing=crossing, **BUILDING), cell) == [{e} for e in expected]


def test_the_way_down_is_across_every_floor():
    """From the corner of the third floor farthest from its stairs: across it, down, across, down."""
    model = model_of("building_evacuation", horizon=20, aversion=0.0, **BUILDING)
    dynamics = Dynamics(model)
    flow = dynamics.flow(dynamics.uniform())
    quality, _ = dynamics.best_quality(flow, dynamics.rewards(flow))
    start = model.keys.tolist().index([2, 1, 3])
    across = (2 - 1) + (4 - 1)
    assert quality[0, 0, start].max() == pytest.approx(10 * (20 - 2 * (across + 1)))


def test_rewards_of_a_building_by_hand():
    model = model_of("building_evacuation", aversion=0.5, ground=7.0, **BUILDING)
    mean_field = np.full((1, 24), 1 / 24)
    reward = model.rewards(mean_field, model.at(0))[0]
    np.testing.assert_allclose(reward[:8], 7 + 0.5 * np.log(24))
    np.testing.assert_allclose(reward[8:], 0.5 * np.log(24))


def test_hunters_moves_by_hand():
    """Stay, east, south, north, west, and then a cell further with probability .8."""
    model = model_of("predator_prey", height=2, width=3)
    east = cells_after(model, (0, 1))[1]
    assert east == {(0, 2), (1, 2), (0, 1)}  # off the grid is staying
    state = model.keys.tolist().index([0, 1])
    chance = np.zeros(6)
    np.add.at(chance, model.successors[state, 1], model.probabilities(model.initial, model.at(0))[0, state, 1])
    np.testing.assert_allclose(chance, [0, 0.2, 0.2 + 0.2 + 0.2, 0, 0, 0.2], atol=1e-15)
    round_it = cells_after(model_of("predator_prey", height=2, width=3, torus=True), (0, 2))[1]
    assert round_it == {(0, 0), (0, 1), (1, 0), (0, 2)}


def test_rewards_of_hunters_by_hand():
    model = model_of(
        "predator_prey", populations=2, height=2, width=3, matrix="0,2;-1,.5", starts="0,1;1,2", aversion=0.5
    )
    assert model.initial.argmax(axis=1).tolist() == [1, 5]
    mean_field = np.array([[0.1, 0.2, 0.3, 0.4, 0.0, 0.0], [0.0, 0.1, 0.0, 0.2, 0.0, 0.7]])
    reward = model.rewards(mean_field, model.at(0))
    np.testing.assert_allclose(reward[:, 3, 0], [2 * 0.2 - 0.5 * np.log(0.4), -0.4 + 0.1 - 0.5 * np.log(0.2)])


def test_populations_start_in_their_corners():
    model = model_of("predator_prey", populations=4, height=3, width=4)
    assert [model.keys[s].tolist() for s in model.initial.argmax(axis=1)] == [[0, 0], [2, 0], [2, 3], [0, 3]]
    model = model_of("predator_prey", height=3, width=4)
    assert [model.keys[s].tolist() for s in model.initial.argmax(axis=1)] == [[0, 0], [0, 3], [2, 0]]


def test_three_populations_on_a_torus_are_openspiels():
    """OpenSpiel 2.0.2, geometry 1."""
    game = eqenvs.make("predator_prey", torus=True)
    assert score(game, uniform(game)).nash_conv == pytest.approx(3.158357597025507, abs=1e-10)


def test_the_place_of_interest_moves_and_then_stays():
    model = model_of("crowd_motion", height=2, width=4, horizon=4, path="0,3;1,1", weight=6.0, aversion=0.5)
    mean_field = np.full((1, 8), 1 / 8)
    crowd = 0.5 * np.log(1 / 8)
    for moment, distance in (
        (0, [3, 2, 1, 0, 4, 3, 2, 1]),
        (1, [2, 1, 2, 3, 1, 0, 1, 2]),
        (3, [2, 1, 2, 3, 1, 0, 1, 2]),
    ):
        reward = model.rewards(mean_field, model.at(moment))[0]
        np.testing.assert_allclose(reward[:, 2], 6 * (1 - np.array(distance) / 6) - crowd)


def test_a_crowds_move_and_noise_are_cut_short_in_sum():
    """North, west, stay, east, south: to the north of the first row and back is where one was."""
    model = model_of("crowd_motion", height=3, width=4, path="0,0", still=0.6)
    chance = np.zeros(12)
    np.add.at(chance, model.successors[1, 0], model.probabilities(model.initial, model.at(0))[0, 1, 0])
    np.testing.assert_allclose(chance[[0, 1, 2]], [0.1, 0.8, 0.1], atol=1e-15)
    assert cells_after(model_of("crowd_motion", height=3, width=4, path="0,0", torus=True), (0, 1))[0] == {
        (2, 1), (1, 1), (2, 0), (2, 2), (0, 1)
    }  # fmt: skip


def test_a_move_into_a_dense_cell_fails_as_often_as_the_cell_is_full():
    model = model_of("kinetic_congestion", height=2, width=3, capacity=0.4)
    mean_field = np.array([[0.1, 0.3, 0.5, 0.1, 0.0, 0.0]])
    probability = model.probabilities(mean_field, model.at(0))[0]
    # North, east, south, west, stay; successors are the cell itself and the neighbour.
    np.testing.assert_allclose(probability[0, :4], [[0.25, 0.75], [0.75, 0.25], [0.25, 0.75], [0.25, 0.75]])
    assert model.successors[0].tolist() == [[0, 0], [0, 1], [0, 3], [0, 0], [0, 0]]
    np.testing.assert_allclose(probability[1, 1], [1.0, 0.0])  # fuller than full
    np.testing.assert_allclose(probability[1, 2], [0.0, 1.0])  # empty


def test_rewards_of_kinetic_congestion_by_hand():
    model = model_of("kinetic_congestion", height=2, width=3, cost=0.3, target="0,1")
    expected = np.full((6, 5), -1.3)
    expected[:, 4] = -1.0
    expected[1] += 1.0
    np.testing.assert_allclose(model.rewards(model.initial, model.at(0))[0], expected)


def test_uniform_play_in_kinetic_congestion_is_worth_what_it_is_by_hand():
    """It rests in the uniform distribution: .04 of .18 is 2 / 9, so 7 moves of 9 succeed."""
    game = eqenvs.make("kinetic_congestion")
    result = score(game, uniform(game))
    assert result.values[0] == pytest.approx(-(24 / 25 + 0.8 * 0.1) / 0.1)
    worth = [0.0]
    for _ in range(8):
        worth.append((0.9 * 7 / 9 * worth[-1] - 1.1) / (1 - 0.9 * 2 / 9))
    cells = np.array([1, 2, 3, 4, 5, 4, 3, 2, 1])  # so many steps from the corner
    assert result.values[0] + result.nash_conv == pytest.approx(cells @ worth / 25)


@pytest.mark.parametrize(
    ("game_id", "parameters", "message"),
    [
        ("building_evacuation", {"floors": 0}, "'floors' must be an integer from 1 to 1000, got 0"),
        ("building_evacuation", {"ground": -1.0}, "'ground' must be"),
        ("predator_prey", {"populations": 5}, "'matrix' must be given unless there are 3 or 4 populations"),
        ("predator_prey", {"populations": 2, "matrix": "0,1;1,0"}, "'starts' must be given unless there are 3 or 4"),
        ("predator_prey", {"matrix": "0,1;1,0"}, "'matrix' must be 3 rows of 3 numbers"),
        ("predator_prey", {"matrix": "0,1,x;1,0,0;0,0,0"}, "'matrix' must be 3 rows of 3 numbers"),
        ("predator_prey", {"matrix": "0,1,nan;1,0,0;0,0,0"}, "'matrix' must be 3 rows of 3 numbers"),
        ("predator_prey", {"starts": "0,0;1,1"}, "'starts' must be a cell for each of the 3 populations"),
        ("predator_prey", {"starts": "0,0;;1,1"}, "'starts' names no cell for population 1"),
        ("predator_prey", {"starts": "0,0;5,1;1,1"}, "'starts': 5,1 is no open cell"),
        ("crowd_motion", {"path": "1,1;;2,2"}, "'path' must be row,column;row,column;"),
        ("crowd_motion", {"path": "1,20"}, "'path': 1,20 is no open cell; rows go to 19, columns to 19"),
        ("kinetic_congestion", {"capacity": 0.0}, "'capacity' must be"),
        ("kinetic_congestion", {"discount": 1.0}, "'discount' must be"),
        ("kinetic_congestion", {"target": "0,0;1,1"}, "'target' must be one cell"),
    ],
)
def test_bad_parameters_are_refused_by_name(game_id, parameters, message):
    with pytest.raises(InputError) as caught:
        eqenvs.make(game_id, **parameters).model()
    assert message in str(caught.value)
    assert game_id in str(caught.value)
