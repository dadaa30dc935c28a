"""Pursuit and evasion: moves worked out by hand, a second set of rules, values of small boards, symmetry, sizes."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqenvs.testing import check_game

STAND, NORTH, SOUTH, WEST, EAST = range(5)
STEPS = {STAND: (0, 0), NORTH: (-1, 0), SOUTH: (1, 0), WEST: (0, -1), EAST: (0, 1)}
OPEN = {"height": 3, "width": 3, "obstacles": "", "capture_distance": 0}


@pytest.mark.parametrize(
    ("parameters", "key", "joint", "expected", "caught"),
    [
        pytest.param(OPEN, (0, 8), (EAST, NORTH), (1, 5), False, id="both move"),
        pytest.param(OPEN, (0, 2), (EAST, WEST), None, True, id="on one square"),
        pytest.param(OPEN, (0, 1), (EAST, WEST), None, True, id="they change squares"),
        pytest.param(OPEN, (0, 1), (EAST, EAST), (1, 2), False, id="in its steps"),
        pytest.param(OPEN, (0, 1), (SOUTH, SOUTH), (3, 4), False, id="side by side"),
        pytest.param(OPEN | {"capture_distance": 1}, (0, 2), (STAND, WEST), None, True, id="next to it"),
        pytest.param(OPEN | {"capture_distance": 1}, (0, 4), (STAND, SOUTH), (0, 7), False, id="gets away"),
        pytest.param(OPEN | {"capture_distance": 1}, (0, 4), (STAND, STAND), (0, 4), False, id="not diagonally"),
        pytest.param(
            OPEN | {"num_pursuers": 2}, (0, 2, 8), (5 * EAST + STAND, STAND), (1, 2, 8), False, id="the first moves"
        ),
        pytest.param(OPEN | {"num_pursuers": 2}, (0, 2, 8), (SOUTH, STAND), (0, 5, 8), False, id="the second moves"),
        pytest.param(
            OPEN | {"num_pursuers": 2}, (1, 2, 8), (5 * EAST + WEST, STAND), (1, 2, 8), False, id="they change places"
        ),
        pytest.param(OPEN | {"num_pursuers": 2}, (3, 5, 8), (SOUTH, STAND), None, True, id="the second catches it"),
    ],
)
def test_moves_are_those_worked_out_by_hand(parameters, key, joint, expected, caught):
    model = eqenvs.make("pursuit_evasion", **parameters).model()
    keys = [tuple(k) for k in model.keys.tolist()]
    state = keys.index(key)
    row = np.ravel_multi_index((state, *joint), model.reward.shape[1:])
    start, stop = model.successors.start[row : row + 2]
    assert [[*keys, None][s] for s in model.successors.state[start:stop]] == [expected]
    assert model.reward[:, state, joint[0], joint[1]].tolist() == [float(caught), -float(caught)]


def test_walls_and_obstacles_cannot_be_entered():
    model = eqenvs.make("pursuit_evasion", height=3, width=4, obstacles="1,1", capture_distance=0).model()
    keys = [tuple(k) for k in model.keys.tolist()]
    state = keys.index((0, 9))  # the corner, and the square south of the obstacle
    assert np.flatnonzero(model.legal[0][state]).tolist() == [STAND, SOUTH, EAST]
    assert np.flatnonzero(model.legal[1][state]).tolist() == [STAND, WEST, EAST]


def plain(height, width, closed, pursuers, distance):
    """The rules once more, a state at a time; squares are pairs here."""

    def square(place):
        return place[0] * width + place[1]

    def goes(place, move):
        to = tuple(np.add(place, STEPS[move]).tolist())
        return to if 0 <= to[0] < height and 0 <= to[1] < width and to not in closed else None

    def moves(place):
        return {move for move in STEPS if goes(place, move) is not None}

    def legal(key, player):
        if player == 1:
            return moves(divmod(key[-1], width))
        own = [moves(divmod(s, width)) for s in key[:-1]]
        return {sum(m * 5**i for i, m in enumerate(reversed(team))) for team in product(*own)}

    def step(key, joint):
        team = [int(d) for d in np.base_repr(joint[0], 5).zfill(pursuers)]
        before, fled_from = [divmod(s, width) for s in key[:-1]], divmod(key[-1], width)
        after = [goes(place, move) for place, move in zip(before, team, strict=True)]
        fled_to = goes(fled_from, joint[1])
        for was, now in zip(before, after, strict=True):
            near = abs(now[0] - fled_to[0]) + abs(now[1] - fled_to[1]) <= distance
            if near or (now, was) == (fled_from, fled_to):
                return [(1.0, None, (1.0, -1.0))]
        return [(1.0, (*sorted(map(square, after)), square(fled_to)), (0.0, 0.0))]

    corners = [0, width - 1, width * (height - 1)][:pursuers]
    return {(*sorted(corners), height * width - 1): 1.0}, legal, step


SIDES = {(0, 2), (2, 0), (2, 4), (4, 2)}
INSTANCES = [
    ({}, (5, 5, SIDES, 1, 1)),
    ({"capture_distance": 0}, (5, 5, SIDES, 1, 0)),
    ({"height": 3, "width": 4, "obstacles": "1,1", "capture_distance": 0}, (3, 4, {(1, 1)}, 1, 0)),
    ({"height": 3, "width": 3, "obstacles": "", "num_pursuers": 2}, (3, 3, set(), 2, 1)),
    ({"height": 2, "width": 3, "obstacles": "", "num_pursuers": 2, "capture_distance": 0}, (2, 3, set(), 2, 0)),
    ({"height": 2, "width": 2, "obstacles": "", "num_pursuers": 3, "capture_distance": 0}, (2, 2, set(), 3, 0)),
]


@pytest.mark.parametrize(("parameters", "plainly"), INSTANCES)
def test_the_model_is_that_of_rules_written_a_state_at_a_time(plain_rules, parameters, plainly):
    plain_rules(eqenvs.make("pursuit_evasion", **parameters), *plain(*plainly))


@pytest.mark.parametrize("pursuers", [1, 2, 3])
def test_pursuers_are_anywhere_but_on_the_evader_and_their_order_is_no_part_of_the_state(pursuers):
    game = eqenvs.make("pursuit_evasion", height=2, width=3, obstacles="", num_pursuers=pursuers, capture_distance=0)
    keys = {tuple(key) for key in game.model().keys.tolist()}
    anywhere = combinations_with_replacement(range(6), pursuers)
    assert keys == {(*team, e) for team in anywhere for e in range(6) if e not in team}


@pytest.mark.parametrize(("distance", "pursuers"), [(0, 1), (1, 1), (0, 2)])
def test_reflection_in_the_diagonal_changes_nothing(symmetry, distance, pursuers):
    size = 5 if pursuers == 1 else 3
    obstacles = "0,2;2,0;2,4;4,2" if pursuers == 1 else ""
    board = {"height": size, "width": size, "obstacles": obstacles}
    game = eqenvs.make("pursuit_evasion", **board, capture_distance=distance, num_pursuers=pursuers)
    flipped = {STAND: STAND, NORTH: WEST, WEST: NORTH, SOUTH: EAST, EAST: SOUTH}

    def mirror(place):
        return place % size * size + place // size

    if pursuers == 1:
        symmetry(game, (0, 1), lambda key: [mirror(s) for s in key], lambda key, player, action: flipped[action])
        return
    # The pursuers start in two corners that are not mirror images of each other, so states alone are compared.
    keys = {tuple(key) for key in game.model().keys.tolist()}
    assert keys == {(*sorted(map(mirror, key[:-1])), mirror(key[-1])) for key in keys}


def test_a_cornered_evader_is_caught_in_two_steps(game_value):
    # A corridor of three squares: whether it stays or runs, a pursuer who comes nearer has it in the next step.
    _, shapley_values = game_value
    game = eqenvs.make("pursuit_evasion", height=1, width=3, obstacles="", capture_distance=0, discount=0.8)
    values = shapley_values(game, 30)
    assert values == pytest.approx({(0, 2): 0.8, (0, 1): 0.8, (1, 2): 1.0}, abs=1e-8)


def test_one_pursuer_forces_nothing_on_a_ring_and_two_do(game_value):
    # Konstantinidis and Kehagias (2016): it takes as many as if they moved in turns, on a ring of four squares two.
    _, shapley_values = game_value
    ring = {"height": 2, "width": 2, "obstacles": "", "capture_distance": 0}
    for board in (ring, {"capture_distance": 0}):
        # Nothing is forced in one step anywhere, and so nothing ever.
        assert set(shapley_values(eqenvs.make("pursuit_evasion", **board), 1).values()) == {0.0}
    values = shapley_values(eqenvs.make("pursuit_evasion", **ring, num_pursuers=2), 10)
    # Two at opposite corners have the evader between them, whether it stays or runs.
    assert min(values.values()) >= 0.95**2 - 1e-9
    assert values[1, 2, 3] == pytest.approx(1.0)


def test_one_pursuer_with_a_reach_wins_by_mixing(game_value):
    matrix_value, shapley_values = game_value
    game = eqenvs.make("pursuit_evasion", height=3, width=3, obstacles="", discount=0.6)
    model, values = game.model(), np.array(list(shapley_values(game, 10).values()))
    stages = model.reward[0] + model.discount * model.transition @ values
    gaps = [
        matrix_value(stage[np.ix_(own, other)]) - stage[np.ix_(own, other)].min(axis=1).max()
        for stage, own, other in zip(stages, *model.legal, strict=True)
    ]
    assert values.min() > 0.1
    assert max(gaps) > 0.01  # the iteration is within 0.6^10 < 0.007


@pytest.mark.parametrize(
    "parameters",
    [
        {"height": 3, "width": 4, "obstacles": "1,1", "num_pursuers": 2, "capture_distance": 1},
        {"height": 2, "width": 3, "obstacles": "", "capture_distance": 0, "discount": 0.5},
    ],
)
def test_other_instances_keep_every_contract(parameters):
    check_game(eqenvs.make("pursuit_evasion", **parameters), exact=True, episodes=1000)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"obstacles": "1;2"}, "'obstacles' must be row,column;row,column;... in whole numbers, got '1;2'"),
        ({"obstacles": "1,x"}, "'obstacles' must be row,column"),
        ({"obstacles": "5,1"}, "square 5,1 is off the grid, rows 0 to 4 and columns 0 to 4"),
        ({"obstacles": "1,1;1,1"}, "square 1,1 is there twice"),
        ({"obstacles": "4,4"}, "must leave the corners where somebody starts free"),
        ({"obstacles": "0,1;1,0"}, "must not cut the free squares apart"),
        ({"obstacles": "0,2;1,3;0,4"}, "must not cut the free squares apart"),
        ({"height": 1, "width": 2, "obstacles": ""}, "caught at the start of a grid of 1 x 2"),
        ({"height": 1, "width": 5, "obstacles": "", "num_pursuers": 2}, "caught at the start"),
        ({"discount": 1.0}, "pursuit_evasion: discount=1 needs a horizon"),
        ({"num_pursuers": 4}, "'num_pursuers' must be an integer from 1 to 3"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(InputError, match=message):
        eqenvs.make("pursuit_evasion", **parameters)


def test_what_is_too_large_is_said_without_counting():
    assert not eqenvs.make("pursuit_evasion", height=20, width=20, obstacles="", num_pursuers=3).exact
    assert eqenvs.make("pursuit_evasion", num_pursuers=2).exact
    assert eqenvs.make("pursuit_evasion", height=20, width=20, obstacles="").exact
