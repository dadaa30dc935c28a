"""Level-based foraging: moves and rewards worked out by hand, a second set of rules, symmetry and sizes."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import make_backend
from eqenvs.errors import InputError
from eqenvs.testing import check_game

STAND, NORTH, SOUTH, WEST, EAST, LOAD = range(6)
STEPS = {STAND: (0, 0), NORTH: (-1, 0), SOUTH: (1, 0), WEST: (0, -1), EAST: (0, 1), LOAD: (0, 0)}
ALONE = {"height": 3, "width": 3, "agents": "0,0,1;2,2,2", "foods": "1,1,2", "penalty": 0.25}
SINGLE = {"height": 2, "width": 4, "agents": "0,1,2", "foods": "0,0,1;0,3,2"}
EVEN = {"agents": "2,0,1;0,3,1", "foods": "0,1,2;2,2,2"}


def play(parameters, squares, joint, food=None):
    """One step by the rules: squares, food and rewards after it."""
    rules = eqenvs.make("level_based_foraging", **parameters).rules
    state = rules.initial_state(1, make_backend().xp)
    state = state._replace(squares=np.array([squares]))
    if food is not None:
        state = state._replace(food=np.array([food], dtype=bool))
    for player, action in enumerate(joint):
        assert rules.legal_actions(state, np.array([player]))[0, action]
    after, rewards = rules.apply(state, np.array([[*joint, 0]]))
    return tuple(after.squares[0].tolist()), after.food[0].tolist(), rewards[0].tolist()


THREE = {"height": 2, "width": 5, "agents": "0,0,1;0,1,1;0,2,1", "foods": "1,4,1"}


@pytest.mark.parametrize(
    ("parameters", "squares", "joint", "expected"),
    [
        pytest.param(ALONE, (0, 8), (EAST, WEST), (1, 7), id="both move"),
        pytest.param(ALONE, (0, 2), (EAST, WEST), (0, 2), id="both want one square"),
        pytest.param(ALONE, (0, 1), (EAST, WEST), (1, 0), id="they change places"),
        pytest.param(ALONE, (0, 1), (EAST, STAND), (0, 1), id="somebody stands there"),
        pytest.param(ALONE, (0, 1), (EAST, LOAD), (0, 1), id="somebody loads there"),
        pytest.param(ALONE, (0, 1), (EAST, EAST), (1, 2), id="one after the other"),
        pytest.param(THREE, (0, 1, 3), (EAST, EAST, WEST), (0, 1, 3), id="who is held up holds up the next"),
        pytest.param(THREE, (0, 1, 6), (EAST, SOUTH, WEST), (1, 6, 5), id="all in a circle"),
    ],
)
def test_moves_are_those_worked_out_by_hand(parameters, squares, joint, expected):
    assert play(parameters, squares, joint)[0] == expected


@pytest.mark.parametrize(
    ("parameters", "squares", "joint", "left", "rewards"),
    [
        pytest.param(ALONE, (1, 7), (LOAD, STAND), True, [-0.25, 0.0], id="level 1 of 2 in vain"),
        pytest.param(ALONE, (1, 7), (STAND, LOAD), False, [0.0, 1.0], id="level 2 alone"),
        pytest.param(ALONE, (1, 7), (LOAD, LOAD), False, [1 / 3, 2 / 3], id="shared by level"),
        pytest.param(ALONE | {"foods": "1,1,3"}, (1, 7), (LOAD, LOAD), False, [1 / 3, 2 / 3], id="just enough"),
        pytest.param(ALONE | {"foods": "1,1,3"}, (1, 7), (STAND, LOAD), True, [0.0, -0.25], id="not enough"),
        pytest.param(ALONE | {"coop": True}, (1, 7), (STAND, LOAD), True, [0.0, -0.25], id="coop: all are needed"),
        pytest.param(ALONE | {"coop": True}, (1, 7), (LOAD, LOAD), False, [1 / 3, 2 / 3], id="coop: all load"),
    ],
)
def test_rewards_are_those_worked_out_by_hand(parameters, squares, joint, left, rewards):
    _, food, paid = play(parameters, squares, joint)
    assert food == [left]
    assert paid == pytest.approx(rewards, abs=1e-15)


def test_two_pieces_can_be_lifted_at_once_each_for_its_share_of_all_levels():
    # Level 2 of 5 in all to player 1 alone; the other piece needs 3, which player 0 has not got.
    assert play({}, (6, 0), (LOAD, LOAD))[1:] == ([False, True], [0.0, 0.4])
    assert play({"foods": "0,1,2;2,2,1"}, (6, 0), (LOAD, LOAD))[1:] == (
        [False, False],
        pytest.approx([1 / 3, 2 / 3]),
    )


def test_coop_asks_for_the_three_weakest_players():
    crowd = {"height": 3, "width": 3, "agents": "0,0,3;0,1,1;0,2,2;2,0,4", "foods": "1,1,1", "coop": True}
    assert play(crowd, (0, 1, 3, 5), (STAND, LOAD, LOAD, STAND))[1] == [True]
    assert play(crowd, (0, 1, 3, 5), (STAND, LOAD, STAND, LOAD))[1:] == ([True], [0.0, 0.0, 0.0, 0.0])
    assert play(crowd, (0, 1, 3, 5), (STAND, STAND, LOAD, LOAD))[1:] == (
        [False],
        pytest.approx([0.0, 0.0, 1 / 3, 2 / 3]),
    )


def plain(height, width, agents, foods, penalty):
    """The rules once more, a state at a time; agents and foods are (row, column, level)."""
    spots = [tuple(place) for *place, _ in foods]

    def at(number):
        return divmod(number, width)

    def goes(place, move):
        return place[0] + STEPS[move][0], place[1] + STEPS[move][1]

    def beside(place, spot):
        return abs(place[0] - spot[0]) + abs(place[1] - spot[1]) == 1

    def there(key):
        return {spot for spot, flag in zip(spots, key[len(agents) :], strict=True) if flag}

    def legal(key, player):
        place, food = at(key[player]), there(key)
        free = {(row, column) for row in range(height) for column in range(width)} - food
        inside = {move for move in range(LOAD) if goes(place, move) in free}
        return inside | ({LOAD} if any(beside(place, spot) for spot in food) else set())

    def step(key, joint):
        places, food = [at(s) for s in key[: len(agents)]], there(key)
        wanted = [goes(place, move) for place, move in zip(places, joint, strict=True)]
        while len(set(wanted)) < len(wanted):
            clash = {to for to in wanted if wanted.count(to) > 1}
            wanted = [place if to in clash else to for place, to in zip(places, wanted, strict=True)]
        paid = [0.0] * len(agents)
        for (*_, level), spot in zip(foods, spots, strict=True):
            if spot not in food:
                continue
            team = [i for i, place in enumerate(places) if joint[i] == LOAD and beside(place, spot)]
            strength = sum(agents[i][2] for i in team)
            for i in team:
                paid[i] = agents[i][2] * level / strength / sum(f[2] for f in foods) if strength >= level else -penalty
            if strength >= level:
                food.remove(spot)
        after = (*(r * width + c for r, c in wanted), *(int(spot in food) for spot in spots))
        return [(1.0, after if food else None, tuple(paid))]

    return {(*(r * width + c for r, c, _ in agents), *[1] * len(foods)): 1.0}, legal, step


INSTANCES = [
    ({}, (3, 4, [(2, 0, 1), (0, 3, 2)], [(0, 1, 2), (2, 2, 3)], 0.0)),
    (ALONE, (3, 3, [(0, 0, 1), (2, 2, 2)], [(1, 1, 2)], 0.25)),
    (THREE, (2, 5, [(0, 0, 1), (0, 1, 1), (0, 2, 1)], [(1, 4, 1)], 0.0)),
    (SINGLE, (2, 4, [(0, 1, 2)], [(0, 0, 1), (0, 3, 2)], 0.0)),
]


@pytest.mark.parametrize(("parameters", "plainly"), INSTANCES)
@pytest.mark.slow
def test_the_model_is_that_of_rules_written_a_state_at_a_time(plain_rules, parameters, plainly):
    plain_rules(eqenvs.make("level_based_foraging", **parameters), *plain(*plainly))


def test_half_a_turn_of_the_board_exchanges_players_of_one_level(symmetry):
    turned = {STAND: STAND, NORTH: SOUTH, SOUTH: NORTH, WEST: EAST, EAST: WEST, LOAD: LOAD}
    symmetry(
        eqenvs.make("level_based_foraging", **EVEN),
        (1, 0),
        lambda key: [11 - key[1], 11 - key[0], key[3], key[2]],
        lambda key, player, action: turned[action],
    )


@pytest.mark.parametrize("penalty", [0.0, 0.5])
def test_lifting_everything_pays_one_in_sum(penalty):
    # Undiscounted and without a penalty, whatever has been played; the penalties of random play are on top.
    rules = eqenvs.make("level_based_foraging", penalty=penalty, horizon=10_000, discount=1.0).rules
    rng = np.random.default_rng(0)
    state, total, vain = rules.initial_state(64, make_backend().xp), np.zeros(64), np.zeros(64)
    for _ in range(3000):
        masks = np.stack([rules.legal_actions(state, np.full(64, p)) for p in range(2)], axis=1)
        actions = np.concatenate([np.argmax(masks * rng.random(masks.shape), axis=2), np.zeros((64, 1), int)], axis=1)
        over = rules.ended(state)
        state, rewards = rules.apply(state, actions)
        total += np.where(over[:, None], 0.0, rewards).sum(axis=1)
        vain += np.where(over[:, None], 0.0, rewards == -penalty).sum(axis=1) if penalty else 0.0
    assert rules.ended(state).all()
    np.testing.assert_allclose(total + penalty * vain, 1.0, atol=1e-9)


@pytest.mark.parametrize("parameters", [SINGLE, ALONE | {"coop": True, "discount": 0.5}])
def test_other_instances_keep_every_contract(parameters):
    check_game(eqenvs.make("level_based_foraging", **parameters), exact=True, episodes=1000)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"agents": "0,0"}, "'agents' must be row,column,level;row,column,level;... in whole numbers, levels of at"),
        ({"agents": "0,0,0"}, "levels of at least 1, got '0,0,0'"),
        ({"agents": ""}, "'agents' must be 1 to 6 players, got 0"),
        ({"agents": "0,0,9;0,1,9"}, "nobody can start on a square with food"),
        ({"foods": ""}, "'foods' must be at least one piece"),
        ({"foods": "3,0,1"}, "square 3,0 is off the grid, rows 0 to 2 and columns 0 to 3"),
        ({"foods": "0,0,1;0,2,1"}, "pieces must be 3 steps apart or more"),
        ({"foods": "0,1,4"}, "level 4 is more than the 2 strongest players around that piece reach together"),
        (
            {"agents": "1,1,1;1,2,1;1,3,1", "foods": "0,0,1", "coop": True},
            "level 3 is more than the 2 strongest players",
        ),
        ({"penalty": -1.0}, "'penalty' must be a number from 0.0 to 1.0"),
        ({"discount": 1.0}, "level_based_foraging: discount=1 needs a horizon"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(InputError, match=message):
        eqenvs.make("level_based_foraging", **parameters)


def test_what_is_too_large_is_said_without_counting():
    large = {"height": 8, "width": 8, "agents": "0,0,1;7,7,2;0,7,1", "foods": "3,3,2;5,5,1;1,5,2"}
    assert not eqenvs.make("level_based_foraging", **large).exact
