"""Grid soccer: moves worked out by hand, a second set of rules, symmetry and sizes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqenvs.testing import check_game

STAND, NORTH, SOUTH, WEST, EAST = range(5)
STEPS = {STAND: (0, 0), NORTH: (-1, 0), SOUTH: (1, 0), WEST: (0, -1), EAST: (0, 1)}
BOARDS = [(4, 5), (3, 3), (2, 2), (2, 3), (3, 2), (5, 2), (2, 6)]


def outcomes(game, key, joint):
    """What the model says: the probability of each next state (None: over), and the rewards."""
    model = game.model()
    keys = [tuple(k) for k in model.keys.tolist()]
    state = keys.index(key)
    row = np.ravel_multi_index((state, *joint), model.reward.shape[1:])
    part = slice(*model.successors.start[row : row + 2])
    after = zip(model.successors.state[part], model.successors.probability[part], strict=True)
    return {[*keys, None][s]: p for s, p in after}, model.reward[:, state, joint[0], joint[1]].tolist()


def square(row, column):
    return 5 * row + column


A, B = 0, 1
KICK_OFF = {(square(2, 3), square(1, 1), A): 0.5, (square(2, 3), square(1, 1), B): 0.5}


def test_players_start_as_published_and_the_ball_is_drawn():
    model = eqenvs.make("grid_soccer").model()
    starts = {tuple(model.keys[s].tolist()): model.initial[s] for s in np.flatnonzero(model.initial)}
    assert starts == KICK_OFF


@pytest.mark.parametrize(
    ("key", "joint", "expected", "reward"),
    [
        pytest.param((0, 19, A), (SOUTH, NORTH), {(5, 14, A): 1.0}, 0.0, id="both move"),
        pytest.param((0, 19, B), (NORTH, EAST), {(0, 19, B): 1.0}, 0.0, id="off the grid, off the goal"),
        pytest.param((7, 8, A), (EAST, STAND), {(7, 8, B): 1.0}, 0.0, id="the ball goes to who stands there"),
        pytest.param((7, 8, A), (STAND, WEST), {(7, 8, A): 1.0}, 0.0, id="who stands keeps the ball"),
        pytest.param((7, 8, A), (EAST, WEST), {(7, 8, A): 0.5, (7, 8, B): 0.5}, 0.0, id="the last to run in loses it"),
        pytest.param((7, 8, A), (EAST, NORTH), {(7, 3, B): 0.5, (8, 3, A): 0.5}, 0.0, id="in time or too late"),
        pytest.param((7, 9, A), (EAST, WEST), {(8, 9, A): 0.5, (7, 8, B): 0.5}, 0.0, id="one square for two"),
        pytest.param((5, 19, A), (WEST, STAND), KICK_OFF, 1.0, id="player 0 scores in the west"),
        pytest.param((0, 14, B), (STAND, EAST), KICK_OFF, -1.0, id="player 1 scores in the east"),
        pytest.param((0, 5, A), (WEST, WEST), {(0, 5, A): 1.0}, 0.0, id="beside the goal, and without the ball"),
        pytest.param((9, 0, A), (EAST, STAND), {(9, 0, A): 1.0}, 0.0, id="no goal in the own goal"),
        pytest.param((5, 6, A), (WEST, WEST), KICK_OFF, 1.0, id="nobody is stopped from behind"),
    ],
)
def test_moves_are_those_worked_out_by_hand(key, joint, expected, reward):
    found, rewards = outcomes(eqenvs.make("grid_soccer"), key, joint)
    assert found == expected
    assert rewards == [reward, -reward]


def test_a_goal_is_the_end_unless_endless():
    game = eqenvs.make("grid_soccer", endless=False)
    assert outcomes(game, (5, 19, A), (WEST, STAND)) == ({None: 1.0}, [1.0, -1.0])


def plain(height, width, endless):
    """The rules once more, a state at a time."""
    posts = {height // 2, (height - 1) // 2}
    inset = (width - 1) // 4
    start = (height // 2 * width + width - 1 - inset, (height - 1) // 2 * width + inset)

    def step(key, joint):
        after = []
        for first in (A, B):
            at, ball, scorer = [divmod(s, width) for s in key[:2]], key[2], None
            for player in (first, 1 - first):
                to = tuple(np.add(at[player], STEPS[joint[player]]).tolist())
                inside = 0 <= to[0] < height and 0 <= to[1] < width
                if to == at[1 - player]:
                    ball = 1 - player
                elif inside:
                    at[player] = to
                elif ball == player and to[0] in posts and to[1] == (-1, width)[player]:
                    scorer = player
                    break
            if scorer is None:
                after.append((0.5, (*(r * width + c for r, c in at), ball), (0.0, 0.0)))
                continue
            reward = (1.0, -1.0) if scorer == A else (-1.0, 1.0)
            after += [(0.25, (*start, ball), reward) for ball in (A, B)] if endless else [(0.5, None, reward)]
        return after

    return {(*start, ball): 0.5 for ball in (A, B)}, step


@pytest.mark.parametrize(
    ("height", "width", "endless"), [(4, 5, True), (3, 3, True), (3, 3, False), (2, 3, True), (2, 3, False)]
)
@pytest.mark.slow
def test_the_model_is_that_of_rules_written_a_state_at_a_time(plain_rules, height, width, endless):
    initial, step = plain(height, width, endless)
    game = eqenvs.make("grid_soccer", height=height, width=width, endless=endless)
    plain_rules(game, initial, lambda key, player: set(range(5)), step)


@pytest.mark.parametrize("endless", [True, False])
@pytest.mark.parametrize(("height", "width"), BOARDS)
def test_every_place_of_players_and_ball_is_reached_and_no_other(height, width, endless):
    game = eqenvs.make("grid_soccer", height=height, width=width, endless=endless)
    assert game.model().num_rows == game.size
    cells = range(height * width)
    keys = {(a, b, ball) for a, b, ball in product(cells, cells, (A, B)) if a != b}
    assert {tuple(key) for key in game.model().keys.tolist()} == keys


@pytest.mark.parametrize("endless", [True, False])
@pytest.mark.parametrize(("height", "width"), BOARDS)
def test_half_a_turn_of_the_board_exchanges_the_players(symmetry, height, width, endless):
    last = height * width - 1
    turned = {STAND: STAND, NORTH: SOUTH, SOUTH: NORTH, WEST: EAST, EAST: WEST}
    symmetry(
        eqenvs.make("grid_soccer", height=height, width=width, endless=endless),
        (1, 0),
        lambda key: [last - key[1], last - key[0], 1 - key[2]],
        lambda key, player, action: turned[action],
    )


def test_no_deterministic_move_of_the_attacker_is_as_good_as_mixing(game_value):
    # Littman (1994), section 6.1: an attacker facing a defender must choose at random to get past.
    matrix_value, shapley_values = game_value
    game = eqenvs.make("grid_soccer", height=2, width=2, endless=False, discount=0.7)
    model, values = game.model(), shapley_values(game, 20)
    worth = np.array([values[tuple(key)] for key in model.keys.tolist()])
    assert max(abs(values[k] + values[3 - k[1], 3 - k[0], 1 - k[2]]) for k in values) <= 1e-9
    gaps = [
        matrix_value(stage) - stage.min(axis=1).max()
        for stage in (model.reward[0, s] + model.discount * model.transition[s] @ worth for s in range(len(worth)))
    ]
    assert max(gaps) > 0.01  # the iteration is within 0.7^20 < 0.001


@pytest.mark.parametrize(
    "parameters",
    [{"endless": False, "height": 3, "width": 2}, {"height": 2, "width": 3, "horizon": 6, "discount": 1.0}],
)
def test_other_instances_keep_every_contract(parameters):
    check_game(eqenvs.make("grid_soccer", **parameters), exact=True, episodes=1000)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"height": 1}, "'height' must be an integer from 2 to 20, got 1"),
        ({"width": 21}, "'width' must be an integer from 2 to 20, got 21"),
        ({"discount": 1.5}, "'discount' must be a number from 0.0 to 1.0"),
        ({"discount": 1.0}, "grid_soccer: discount=1 needs a horizon"),
        ({"horizon": 0}, "'horizon' must be an integer from 1"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(InputError, match=message):
        eqenvs.make("grid_soccer", **parameters)


def test_large_boards_are_refused_by_their_count():
    assert eqenvs.make("grid_soccer", height=20, width=20).size == 25 * 2 * 400 * 399
    with pytest.raises(InputError, match="7,980,000 pairs of a state and a joint action"):
        eqenvs.make("grid_soccer", height=20, width=20).model(max_size=1_000_000)
