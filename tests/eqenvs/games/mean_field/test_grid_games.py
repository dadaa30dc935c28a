"""Crowds on grids: moves and noise by hand on a walled grid of two rows and three columns, rewards, and the peers."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import uniform
from eqsolvers.scoring import score

NORTH, WEST, STAY, EAST, SOUTH = range(5)
DRAWING = (" # ", "   ")  # cells 0 and 1 in the first row, 2, 3 and 4 in the second


def test_walls_and_edges_leave_a_player_where_it_is_and_are_illegal():
    grid = _crowds.grid_of(_crowds.drawn(DRAWING), torus=False)
    assert grid.cells.tolist() == [[0, 0], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert grid.to.tolist() == [[0, 0, 0, 0, 2], [1, 1, 1, 1, 4], [0, 2, 2, 3, 2], [3, 2, 3, 4, 3], [1, 3, 4, 4, 4]]
    assert grid.legal.astype(int).tolist() == [
        [0, 0, 1, 0, 1],
        [0, 0, 1, 0, 1],
        [1, 0, 1, 1, 0],
        [0, 1, 1, 1, 0],
        [1, 1, 1, 0, 0],
    ]


def test_on_a_torus_edges_lead_to_the_opposite_ones():
    grid = _crowds.grid_of(_crowds.drawn(DRAWING), torus=True)
    assert grid.to.tolist() == [[2, 1, 0, 0, 2], [4, 1, 1, 0, 4], [0, 4, 2, 3, 0], [3, 2, 3, 4, 3], [1, 3, 4, 2, 1]]
    assert np.argwhere(~grid.legal).tolist() == [[0, EAST], [1, WEST], [3, NORTH], [3, SOUTH]]


def test_noise_is_uniform_over_the_legal_moves_of_the_cell_reached():
    grid = _crowds.grid_of(_crowds.drawn(DRAWING), torus=False)
    successors, probability = _crowds.scattered(grid, 0.6)
    reached = dict(zip(successors[2, EAST].tolist(), probability[2, EAST].tolist(), strict=True))
    assert probability[2, EAST].tolist() == pytest.approx([0, 0.2, 0.6, 0.2, 0])  # at cell 3: west, stay, east
    assert {cell for cell, chance in reached.items() if chance > 0} <= {2, 3, 4}
    np.testing.assert_allclose(probability.sum(axis=-1), 1, atol=1e-15)


def test_a_walled_torus_is_openspiels():
    """OpenSpiel 2.0.2, 5 x 5, walls [1|2;3|0], noise .25, aversion .5, horizon 6, distribution reward only.

    Asked to start at [4|1] it starts at (1, 4); that is a swap of its own.
    """
    is_open = np.ones((5, 5), dtype=bool)
    is_open[1, 2] = is_open[3, 0] = False
    grid = _crowds.grid_of(is_open, torus=True)
    successors, probability = _crowds.scattered(grid, 0.25)
    model = MeanFieldModel(
        probability,
        lambda mean_field, moment: -0.5 * _crowds.log_density(mean_field)[..., None],
        _crowds.start_at("some_game", "1,4", grid),
        successors=successors,
        horizon=6,
        legal=grid.legal,
    )
    assert score(model, uniform(model)).nash_conv == pytest.approx(2.003090928093677, abs=1e-9)


def test_crowd_2d_with_places_and_weak_noise_is_openspiels():
    """OpenSpiel 2.0.2's rules with the last move kept in the state: positional_reward [1|3;0|2], [0.75;1.5]."""
    game = eqenvs.make("crowd_2d", size=5, horizon=4, noise=0.25, aversion=0.5, positions="1,3,0.75;0,2,1.5")
    result = score(game, uniform(game))
    assert result.nash_conv == pytest.approx(4.535829500000001, abs=1e-7)  # it keeps noise and values as floats
    assert result.values[0] == pytest.approx(2.9177516497364007, abs=1e-6)


def test_rewards_of_crowd_2d_by_hand():
    model = eqenvs.make("crowd_2d", size=4, horizon=3, aversion=2.0, positions="1,3,0.5;2,1,1").model()
    mean_field = np.full((1, 16), 0.06)
    mean_field[0, 8] = 0.1  # row 2, column 0
    worth = 2 - 0.25 * (1 + 3) - 0.5 * (0 + 1) - 2 * np.log(0.1)
    first, last = (model.rewards(mean_field, model.at(moment))[0, 8] for moment in (0, 2))
    np.testing.assert_allclose(first, worth - np.array([0.25, 0.25, 0, 0.25, 0.25]), atol=1e-12)
    np.testing.assert_allclose(last, worth, atol=1e-12)


def test_paying_for_the_last_move_on_arrival_is_what_crowd_2d_charges_at_once():
    """The same game with the last move kept in the state, as in OpenSpiel's rules."""
    size, horizon = 3, 4
    model = eqenvs.make("crowd_2d", size=size, horizon=horizon, noise=0.7, positions="0,2,1").model()
    cells, actions = model.num_states, model.num_actions
    grid = _crowds.grid_of(np.ones((size, size), dtype=bool), torus=True)
    successors, probability = _crowds.scattered(grid, 0.7)
    place, last = np.divmod(np.arange(cells * actions), actions)
    worth = 2 - 2 / size * np.abs(grid.cells - [0, 2]).sum(axis=1)

    def reward(mean_field, moment):
        at = mean_field.reshape(*mean_field.shape[:-1], cells, actions).sum(axis=-1)
        return (worth[place] - (last != STAY) / size - _crowds.log_density(at)[..., place])[..., None]

    start = np.zeros(cells * actions)
    start[last == STAY] = 1 / cells
    kept = MeanFieldModel(
        probability[place],
        reward,
        start,
        successors=successors[place] * actions + np.arange(actions)[:, None],
        horizon=horizon,
    )
    ours, theirs = score(model, uniform(model)), score(kept, uniform(kept))
    assert ours.nash_conv == pytest.approx(theirs.nash_conv, abs=1e-10)
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-10)


@pytest.mark.parametrize(("game_id", "cells"), [("four_rooms", 104), ("maze", 259)])
def test_nobody_is_let_into_walls(game_id, cells):
    """104 = 4 rooms of 5 x 5 and 4 doors; the maze's open cells are counted in its drawing."""
    model = eqenvs.make(game_id).model()
    assert model.num_states == cells
    assert model.initial[0].argmax() == 0
    assert model.keys[0].tolist() == [1, 1]
    legal = model.legal
    assert legal[:, STAY].all()
    moved = model.successors[:, :, STAY]
    np.testing.assert_array_equal(legal, (moved != np.arange(cells)[:, None]) | (np.arange(5) == STAY))


def test_the_crowd_of_four_rooms_needs_as_many_steps_as_cells_are_away():
    game = eqenvs.make("four_rooms", horizon=8, noise=0.0, starts="1,1;3,6")
    model = game.model()
    flow = model.flow(model.as_array(uniform(game).tables))
    away = np.min([np.abs(model.keys - start).sum(axis=1) for start in ([1, 1], [3, 6])], axis=0)
    door = [row for row, key in enumerate(model.keys.tolist()) if key == [3, 6]]
    assert flow[0, 0, door].tolist() == [0.5]
    for time in range(8):
        # In the two northern rooms no wall is in the way of either start.
        northern = model.keys[:, 0] <= 5
        np.testing.assert_array_equal(flow[time, 0, northern] > 0, away[northern] <= time)


def test_a_hundred_by_hundred_cells_and_two_hundred_decisions_fit():
    model = eqenvs.make("crowd_2d", size=100, horizon=200, starts="17,3").model()
    assert model.successors.nbytes + np.asarray(model.probabilities(model.initial, model.at(0))).nbytes < 5e6
    policy = np.broadcast_to(np.full(5, 0.2), model.policy_shape)
    flow = model.flow(policy)
    assert flow.nbytes == 16e6
    row, column = model.keys.T
    np.testing.assert_allclose(flow[:, 0].sum(axis=1), 1, atol=1e-12)
    # Moves in either direction are equally likely, so a hundred steps from the start the crowd is symmetric about it.
    mirrored = np.ravel_multi_index(((34 - row) % 100, (6 - column) % 100), (100, 100))
    np.testing.assert_allclose(flow[100, 0], flow[100, 0, mirrored], atol=1e-15)


@pytest.mark.parametrize(
    ("game_id", "parameters", "message"),
    [
        ("crowd_2d", {"size": 1}, "'size' must be an integer from 2 to 1000, got 1"),
        ("crowd_2d", {"noise": 1.5}, "'noise' must be a number from 0.0 to 1.0, got 1.5"),
        ("crowd_2d", {"positions": "1,2"}, "'positions' must be row,column,value;"),
        ("crowd_2d", {"positions": "1,2,x"}, "'positions' must be row,column,value;"),
        ("crowd_2d", {"positions": "1,2,nan"}, "'positions' must be row,column,value;"),
        ("crowd_2d", {"positions": "1,10,1"}, "'positions': 1,10 is no open cell; rows go to 9, columns to 9"),
        ("crowd_2d", {"starts": "1,2,3"}, "'starts' must be row,column;"),
        ("crowd_2d", {"starts": "1,2;1,2"}, "'starts': cell 1,2 is there twice"),
        ("four_rooms", {"starts": "0,1"}, "'starts': 0,1 is no open cell"),
        ("four_rooms", {"horizon": 0}, "'horizon' must be"),
        ("maze", {"starts": "1;1"}, "'starts' must be row,column;"),
        ("maze", {"aversion": -1.0}, "'aversion' must be"),
    ],
)
def test_bad_parameters_are_refused_by_name(game_id, parameters, message):
    with pytest.raises(InputError) as caught:
        eqenvs.make(game_id, **parameters).model()
    assert message in str(caught.value)
    assert game_id in str(caught.value)
