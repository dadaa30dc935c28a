"""Pictures: what they show, in text, in pixels and in a window; that nothing is paid for them where none is drawn."""

import copy
import pickle
import re
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test.render_test import render_test

import eqenvs
from eqenvs.envs.exploiter import ExploiterEnv, ExploiterVectorEnv
from eqenvs.errors import InputError
from eqenvs.games.mean_field.four_rooms import ROOMS
from eqenvs.rendering import Board, Picture, as_text, player_colour, squares
from eqenvs.rendering.crowds import MOST, NOBODY, crowd_boards, places_of
from eqenvs.rendering.image import LARGEST, as_image, layout, middle
from eqenvs.rendering.picture import GROUND, PLAYERS, SEA, WALL
from eqenvs.rendering.screen import RENDER_MODES, picture_of
from eqenvs.robust import ActionPerturbation, RobustParallelEnv, RobustSingleAgentEnv
from eqenvs.spec import Family

DRAWN = {  # games with a board of their own
    "battleship": 2,
    "connect_four": 1,
    "dark_hex": 1,
    "grid_soccer": 1,
    "intersection": 1,
    "level_based_foraging": 1,
    "oshi_zumo": 1,
    "phantom_tic_tac_toe": 1,
    "pursuit_evasion": 1,
    "tic_tac_toe": 1,
    "vehicle_racing": 1,
}
SMALL = {"horizon": 4, "bins": 3, "core_bins": 2, "max_degree": 2}  # of a mean-field game


class StandIn:
    """Takes a window's place and keeps what it was shown."""

    opened: list = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, title):
        self.title, self.shown, self.closed = title, [], False
        StandIn.opened.append(self)

    def show(self, image, fps):
        self.shown.append((image, fps))

    def close(self):
        self.closed = True

    def __reduce__(self):
        raise TypeError("a window cannot be pickled")


@pytest.fixture
def windows(monkeypatch):
    """Every window that is opened; pygame is not needed."""
    monkeypatch.setattr("eqenvs.rendering.screen.Window", StandIn)
    monkeypatch.setattr("eqenvs.rendering.screen.require_pygame", lambda: None)
    StandIn.opened = []
    return StandIn.opened


def small(game_id):
    game = eqenvs.make(game_id)
    if game.family is not Family.MEAN_FIELD:
        return game
    sizes = {name: size for name, size in SMALL.items() if (game.parameters.get(name) or 0) > size}
    return eqenvs.make(game_id, **sizes, num_agents=max(3, eqenvs.make(game_id, **sizes).num_players))


def play(env, moves, seed=0):
    """An AEC environment after these moves, by their names."""
    env.reset(seed=seed)
    for move in moves.split():
        player = env.possible_agents.index(env.agent_selection)
        labels = env.game.action_labels(player)
        env.step(labels.index(move))
    return env


def states(game, seed=0, most=40):
    """The states of one random game, from the first to the last."""
    env = game.parallel_env(max_cycles=most)
    env.reset(seed=seed)
    for space in env.action_spaces.values():
        space.seed(seed)
    yield env._episode._positions.state(env._episode._at)
    while env.agents:
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
        yield env._episode._positions.state(env._episode._at)


@pytest.mark.parametrize("game_id", eqenvs.game_ids())
def test_pettingzoos_render_test_passes(game_id, windows):
    game = small(game_id)
    render_test(lambda render_mode: game.aec_env(render_mode=render_mode))
    assert all(window.closed for window in windows)
    assert any(window.shown for window in windows)


@pytest.mark.parametrize("game_id", eqenvs.game_ids())
def test_every_state_has_a_picture_of_the_same_size(game_id):
    game = small(game_id)
    sizes, texts, keys = set(), set(), set()
    for state in states(game):
        before = copy.deepcopy(state)
        picture = picture_of(game.rules, state)
        text = as_text(picture)
        assert all(np.array_equal(now, then) for now, then in zip(state, before, strict=True))
        assert text == as_text(picture_of(game.rules, state))
        assert not re.search(r"[^\n -~]| \n", text)
        sizes.add((layout(picture, 2), len(picture.boards)))
        texts.add(text)
        players = (np.array([player]) for player in range(game.rules.num_players))
        keys.add(tuple(game.rules.information_state(state, player).tobytes() for player in players))
    ((_, boards),) = sizes
    if game.family is Family.MEAN_FIELD:
        assert boards > 0
    else:
        assert boards == DRAWN.get(game_id, 0)
        assert boards or len(texts) == len(keys)  # text tells apart what the players together do


def test_drawing_changes_nothing_in_play(windows):
    for mode in (None, *RENDER_MODES):
        game = eqenvs.make("leduc_poker")
        env, plain = game.parallel_env(render_mode=mode), game.parallel_env()
        results = []
        for one in (env, plain):
            for space in one.action_spaces.values():
                space.seed(3)
            result = [one.reset(seed=3)]
            while one.agents:
                if one is env and mode:
                    one.render()
                result.append(one.step({agent: one.action_space(agent).sample() for agent in one.agents}))
            results.append(result)
        np.testing.assert_equal(*results)


TIC_TAC_TOE = """\
tic_tac_toe: player_1 to move
last: player_0 c3
  a b c
1 . . .
2 . X O
3 . . X
"""
CONNECT_FOUR = """\
connect_four: player_0 to move
last: player_1 a
  a b c d e
4 . . . . .
3 . . . . .
2 O . . . .
1 X . . O X
"""
DARK_HEX = """\
dark_hex: player_1 to move
last: player_0 a2
X joins top and bottom, O left and right
  a b c
1 . O .
 2 X . .
  3 . . X
player_0 tried c3 b1! a2
player_1 tried b1
"""
BATTLESHIP = """\
battleship: player_0 to move
last: player_1 c2
ships of player_0
  a b c
1 1 2 2
2 . . o
ships of player_1
  a b c
1 # . .
2 2 2 .
"""
SOCCER = """\
grid_soccer: player_1 to move; chosen: player_0 west
last: player_0 stand, player_1 south
.  .  .  .  .
.  .  .  .  .
.  1* .  0  .
.  .  .  .  .
* has the ball; player 0 plays to the left
"""
PURSUIT = """\
pursuit_evasion: player_0, player_1 to move
last: player_0 east+stand, player_1 north
. P # . P
. . . . .
# . . . #
. . . . E
. . # . .
P: pursuers, E: the evader
"""
FORAGING = """\
level_based_foraging: player_0, player_1 to move
last: player_0 north, player_1 west
.  2  B2 .
A1 .  .  .
.  .  3  .
A, B, ...: players 0, 1, ..., with their levels; numbers: levels of food
"""
INTERSECTION = """\
intersection: player_0, player_1 to move
last: player_0 keep, player_1 accelerate; paid: player_0 -1, player_1 -1
# # . # #
# # . # #
. 0 1 # #
# # # # #
# # # # #
player_0: position 1, speed 1
player_1: position 2, speed 2
"""
RACING = """\
vehicle_racing: player_0, player_1 to move
last: player_0 keep, player_1 left
. . 0 |
. . 1 |
. . . |
player_0: speed 1
player_1: speed 1
"""
OSHI_ZUMO = """\
oshi_zumo: player_0, player_1 to move
last: player_0 2, player_1 1
< . . W >
player_0 has 2 coins
player_1 has 3 coins
"""
KUHN = """\
kuhn_poker: over
last: player_1 bet; paid: player_0 -2, player_1 2
player_0: Q:bb
player_1: K:bb
"""
GOLDEN = {
    "tic_tac_toe": ({}, "b2 c2 c3", TIC_TAC_TOE),
    "connect_four": ({"num_rows": 4, "num_cols": 5}, "a d e a", CONNECT_FOUR),
    "dark_hex": ({"board_size": 3}, "c3 b1 b1 a2", DARK_HEX),
    "battleship": ({"width": 3}, "a1> a1> b1> a2> a1 c2", BATTLESHIP),
    "grid_soccer": ({}, "stand south west", SOCCER),
    "pursuit_evasion": ({"num_pursuers": 2}, "east+stand north", PURSUIT),
    "level_based_foraging": ({}, "north west", FORAGING),
    "intersection": ({"distance": 2}, "keep accelerate", INTERSECTION),
    "vehicle_racing": ({"length": 3, "num_lanes": 3}, "accelerate accelerate keep left", RACING),
    "oshi_zumo": ({}, "2 1", OSHI_ZUMO),
    "kuhn_poker": ({}, "bet bet", KUHN),
}


@pytest.mark.parametrize(("game_id", "case"), GOLDEN.items(), ids=GOLDEN)
def test_text_shows_the_game(game_id, case):
    parameters, moves, text = case
    seed = 1 if game_id in ("kuhn_poker", "grid_soccer") else 0
    assert play(eqenvs.make(game_id, **parameters).aec_env(render_mode="ansi"), moves, seed).render() == text


def cells_of(env):
    """(glyph, colour) by board, row and column, read from the pixels a little to the left of each cell's middle."""
    picture = picture_of(env.game.rules, env._episode._positions.state(env._episode._at))
    image, plan = env.render(), layout(picture, 2)
    assert (image.dtype, image.shape) == (np.dtype(np.uint8), (plan.height, plan.width, 3))
    found = {}
    for number, (board, corner) in enumerate(zip(picture.boards, plan.corners, strict=True)):
        for row, column in np.ndindex(board.glyphs.shape):
            x, y = middle(board, corner, plan.cell, row, column)
            colour = tuple(image[round(y), round(x - 0.3 * plan.cell)].tolist())
            found[number, row, column] = (str(board.glyphs[row, column]), colour)
    return found


@pytest.mark.parametrize(("game_id", "moves"), [("tic_tac_toe", "b2 c2 c3"), ("dark_hex", "a1 b2")])
def test_pixels_have_the_pieces_colours(game_id, moves):
    env = play(eqenvs.make(game_id).aec_env(render_mode="rgb_array"), moves)
    colours = {"X": PLAYERS[0], "O": PLAYERS[1], "": GROUND}
    found = cells_of(env)
    assert {colour for _, colour in found.values()} == set(colours.values())
    assert all(colour == colours[glyph] for glyph, colour in found.values())
    assert np.array_equal(env.render(), env.render())


def test_a_square_is_where_it_is_said_to_be():
    board = squares(2, 3, marks=[(4, "", SEA)])
    image = as_image(Picture(boards=(board,)))
    rows, columns = np.nonzero((image == SEA).all(axis=2))
    assert image.shape[0] % 2 == image.shape[1] % 2 == 0
    # Row 1, column 1: one cell down and one to the right of the margin, its border left out.
    assert (rows.min() - 12, columns.min() - 12) == (LARGEST + 1, LARGEST + 1)
    assert len(rows) == (LARGEST - 1) ** 2


def test_hexagons_stand_half_a_cell_to_the_right_of_those_above():
    board = squares(3, 2, marks=[(0, "", SEA), (5, "", WALL)], hexagonal=True)
    image = as_image(Picture(boards=(board,)))
    where = [np.argwhere((image == colour).all(axis=2)).mean(axis=0) for colour in (SEA, WALL)]
    down, right = (where[1] - where[0]) / LARGEST
    assert (down, right) == pytest.approx((2 * np.sqrt(0.75), 1 + 2 / 2), abs=0.02)


def test_sunk_ships_and_misses_have_colours_of_their_own():
    env = play(eqenvs.make("battleship", width=3).aec_env(render_mode="rgb_array"), "a1> a1> b1> a2> a1 c2")
    found = cells_of(env)
    assert found[0, 0, 0] == ("1", player_colour(0))
    assert found[0, 1, 2] == ("o", player_colour(1))
    assert found[0, 1, 0] == ("", SEA)
    assert found[1, 0, 0][0] == "#"
    assert found[1, 0, 0][1] not in (SEA, player_colour(0), player_colour(1))


def test_agents_of_a_crowd_are_where_their_states_are():
    env = eqenvs.make("four_rooms", num_agents=7).aec_env(render_mode="rgb_array")
    env.reset(seed=0)
    found = cells_of(env)
    # Everybody is in the corner; the drawing's outer walls have no cells.
    for (_, row, column), cell in found.items():
        if ROOMS[row + 1][column + 1] == "#":
            assert cell == ("#", WALL)
        elif (row, column) == (0, 0):
            assert cell == ("7", tuple(MOST.astype(int)))
        else:
            assert cell == ("", tuple(NOBODY.astype(int)))
    assert len(found) == 11 * 11


@pytest.mark.parametrize("game_id", [g for g in eqenvs.game_ids() if eqenvs.spec(g).family is Family.MEAN_FIELD])
def test_every_agent_is_shown_once(game_id):
    game = small(game_id)
    *_, state = states(game)
    shown = [glyph for board in game.rules.picture(state).boards for glyph in board.glyphs.ravel() if glyph.isdigit()]
    assert sum(map(int, shown)) == game.rules.num_players


def test_states_are_laid_out_by_their_keys():
    grid = np.array([[3, 1], [3, 2], [4, 1]])
    assert places_of(grid).cells.tolist() == [[[0, 1], [2, -1]]]
    assert places_of(grid, axes=(1, 0)).cells.tolist() == [[[0, 2], [1, -1]]]
    assert places_of(np.array([[0, 0, 0], [1, 0, 1]])).cells.tolist() == [[[0, -1]], [[-1, 1]]]
    # No grid: a line in the order of the states; of one number in its order.
    assert places_of(np.array([[0, 0], [9, 9]])).cells.tolist() == [[[0, 1]]]
    line = places_of(np.array([[5], [2], [7]]))
    assert (line.cells.tolist(), line.numbers.tolist()) == ([[[1, 0, 2]]], [5, 2, 7])
    long = places_of(np.arange(60)[:, None])
    assert long.cells.shape == (1, 3, 25)
    assert (long.cells[0, 2, 9:] == [59, *[-1] * 15]).all()


def test_populations_share_a_board_where_a_row_is_enough():
    two = crowd_boards(np.array([[1, 0, 2], [0, 4, 0]]), places_of(np.arange(3)[:, None]))
    assert as_text(Picture(boards=two)) == "             0 1 2\npopulation 0 1 . 2\npopulation 1 . 4 .\n"
    grid = places_of(np.indices((2, 2)).reshape(2, -1).T)
    boards = crowd_boards(np.array([[1, 0, 2, 0], [0, 4, 0, 0]]), grid)
    assert as_text(Picture(boards=boards)) == "population 0\n1 .\n2 .\npopulation 1\n. 4\n. .\n"
    (one,) = crowd_boards(np.ones((40, 4), dtype=np.int64), grid)
    assert as_text(Picture(boards=(one,))) == "all populations\n40 40\n40 40\n"


def test_many_players_are_counted():
    env = eqenvs.make("crowd_1d", num_agents=9).aec_env(render_mode="ansi")
    env.reset(seed=0)
    env.step(2)
    env.step(0)
    assert env.render().startswith("crowd_1d: 7 of 9 players to move; chosen: player_0 2, player_1 0\nlast: -\n")
    for action in (0, 1, 0, 0, 0, 0, 2):
        env.step(action)
    now, last = env.render().splitlines()[:2]
    assert now == "crowd_1d: 9 of 9 players to move"
    assert last.startswith("last: 6 x 0, 2 x 2, 1 x 1; paid: from ")


def test_players_beyond_those_described_are_counted(monkeypatch):
    monkeypatch.setattr("eqenvs.rules.MOST_DESCRIBED", 1)
    env = eqenvs.make("kuhn_poker", num_players=3).aec_env(render_mode="ansi")
    env.reset(seed=1)
    assert re.fullmatch(r"kuhn_poker: player_0 to move\nlast: -\nplayer_0: .:\n\.\.\. and 2 more\n", env.render())


def test_nobody_is_anywhere_before_chance_has_drawn_the_first_states():
    rules = eqenvs.make("crowd_1d").rules
    assert as_text(rules.picture(rules.initial_state(1, np))).split()[10:] == [*"." * 10, *["time", "0", "of", "10"]]


def test_a_new_game_has_no_last_move():
    env = play(eqenvs.make("tic_tac_toe").aec_env(render_mode="ansi"), "b2")
    env.reset()
    assert env.render().splitlines()[1] == "last: -"


def test_large_boards_are_images_only():
    board = Board(glyphs=np.full((200, 1000), "x"), ground=np.zeros((200, 1000, 3), dtype=np.uint8))
    assert as_text(Picture(boards=(board,))) == "200,000 cells are too many for text; see them as an image\n"
    image = as_image(Picture(boards=(board,)))
    assert (image == 0).all(axis=2).sum() == 200_000


def test_long_lines_fit_into_an_image():
    for header in (True, False):
        lines = (("W" * length,) for length in (5, 2000))
        short, long = (as_image(Picture(), line) if header else as_image(Picture(lines=line)) for line in lines)
        assert short.shape == long.shape
        assert (long[:, -12:] == 255).all()
        assert (long[:, -40:] < 255).any()
        assert (short[:, -40:] == 255).all()


@pytest.mark.parametrize("parts", [{"rows": ("1",)}, {"columns": ("a", "b")}, {"ground": np.zeros((2, 2, 3))}])
def test_a_board_that_does_not_fit_together_is_refused(parts):
    whole = {"glyphs": np.full((2, 3), ""), "ground": np.zeros((2, 3, 3), dtype=np.uint8)}
    Board(**whole)
    with pytest.raises(InputError, match="a board"):
        Board(**{**whole, **parts})


@pytest.mark.parametrize("api", ["aec_env", "parallel_env"])
def test_a_wrong_mode_is_refused_in_one_line(api):
    with pytest.raises(InputError, match=r"^unknown render_mode 'ascii'; did you mean 'ansi'\?$"):
        getattr(eqenvs.make("tic_tac_toe"), api)(render_mode="ascii")


def test_human_without_pygame_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'needs pygame: pip install "eqenvs\[render\]"'):
        eqenvs.make("tic_tac_toe").aec_env(render_mode="human")


@pytest.mark.parametrize("mode", RENDER_MODES)
def test_there_is_nothing_to_draw_before_the_first_reset(mode, windows):
    game = eqenvs.make("tic_tac_toe")
    for env in (
        game.aec_env(render_mode=mode),
        game.parallel_env(render_mode=mode),
        ExploiterEnv(game, render_mode=mode),
    ):
        with pytest.raises(InputError, match=r"call reset\(\) first"):
            env.render()


def test_render_without_a_mode_warns_and_draws_nothing():
    game = eqenvs.make("tic_tac_toe")
    for env in (game.aec_env(), game.parallel_env(), ExploiterEnv(game)):
        env.reset()
        with pytest.warns(UserWarning, match="no render_mode was given; use one of ansi, rgb_array, human"):
            assert env.render() is None
        env.close()


def test_human_shows_every_reset_and_step(windows):
    env = eqenvs.make("tic_tac_toe").aec_env(render_mode="human")
    assert windows == []
    frames = play(eqenvs.make("tic_tac_toe").aec_env(render_mode="rgb_array"), "")
    env.reset(seed=0)
    for number, cell in enumerate((4, 0, 8)):
        assert np.array_equal(windows[0].shown[number][0], frames.render())
        env.step(cell)
        frames.step(cell)
    assert len(windows[0].shown) == 4
    assert env.render() is None
    assert len(windows[0].shown) == 5
    env.metadata["render_fps"] = 60
    env.reset()
    assert [fps for _, fps in windows[0].shown] == [4] * 5 + [60]
    assert windows[0].title == "tic_tac_toe_v0"
    env.close()
    assert windows[0].closed
    env.close()
    exploiter = ExploiterEnv("tic_tac_toe", render_mode="human")
    exploiter.reset(seed=0)
    exploiter.step(4)
    assert len(windows[1].shown) == 2
    parallel = eqenvs.make("rock_paper_scissors").parallel_env(render_mode="human")
    parallel.reset()
    parallel.step({"player_0": 0, "player_1": 1})
    assert len(windows[2].shown) == 2


@pytest.mark.parametrize("mode", RENDER_MODES)
def test_environments_travel_mid_episode(mode, windows):
    env = play(eqenvs.make("dark_hex").aec_env(render_mode=mode), "a1 b2")
    env.render()
    exploiter = ExploiterEnv("dark_hex", render_mode=mode)
    exploiter.reset(seed=0)
    exploiter.render()
    for original in (env, exploiter):
        for made in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original)):
            assert made.render_mode == mode
            shown = made.render()
            if mode == "human":
                assert np.array_equal(windows[-1].shown[-1][0], windows[env is not original].shown[-1][0])
                made.close()
                assert not windows[env is not original].closed
            else:
                assert np.array_equal(shown, original.render())


def test_both_apis_draw_the_same():
    game = eqenvs.make("grid_soccer")
    parallel = game.parallel_env(render_mode="ansi")
    parallel.reset(seed=4)
    aec = play(game.aec_env(render_mode="ansi"), "", seed=4)
    for _ in range(5):
        parallel.step({"player_0": 3, "player_1": 4})
        aec.step(3)
        aec.step(4)
        assert aec.render() == parallel.render()


def test_truncation_is_told():
    env = eqenvs.make("grid_soccer").parallel_env(max_cycles=1, render_mode="ansi")
    env.reset(seed=0)
    env.step({"player_0": 0, "player_1": 0})
    assert env.render().startswith("grid_soccer: cut off after 1 stages\nlast: player_0 stand, player_1 stand\n")


def test_the_mode_goes_through_every_way_to_make_an_environment():
    from eqenvs.zoo import tic_tac_toe_v0

    eqenvs.register_pettingzoo()
    made = [
        eqenvs.registry.aec_env("tic_tac_toe", render_mode="ansi"),
        eqenvs.registry.parallel_env("tic_tac_toe", render_mode="ansi"),
        tic_tac_toe_v0.env(render_mode="ansi"),
        tic_tac_toe_v0.raw_env(render_mode="ansi"),
        tic_tac_toe_v0.parallel_env(render_mode="ansi"),
        pettingzoo.make("aec", "eqenvs/tic_tac_toe-v0", render_mode="ansi"),
        pettingzoo.make("parallel", "eqenvs/tic_tac_toe-v0", render_mode="ansi"),
    ]
    for env in made:
        env.reset(seed=0)
        assert env.render() == "tic_tac_toe: player_0 to move\nlast: -\n  a b c\n1 . . .\n2 . . .\n3 . . .\n"
        assert env.metadata["render_modes"] == ["ansi", "rgb_array", "human"]


@pytest.mark.parametrize("game_id", ["leduc_poker", "connect_four", "grid_soccer"])
def test_gymnasiums_check_passes_with_every_mode(game_id, windows):
    for mode in RENDER_MODES:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", message=".*different from the unwrapped version.*")
            env = gymnasium.make("eqenvs:Exploit-v0", game=game_id, render_mode=mode)
            check_env(env.unwrapped)
            env.reset(seed=0)
            env.render()
        env.close()
    assert len(windows) > 1
    assert all(window.closed for window in windows[:1])


def test_the_exploiters_text_names_what_it_did():
    env = ExploiterEnv("kuhn_poker", render_mode="ansi")
    env.reset(seed=0)
    assert re.fullmatch(r"kuhn_poker: player_0 to move\nlast: player_0 -\nplayer_0: .:\nplayer_1: .:\n", env.render())
    _, reward, *_ = env.step(1)
    assert env.render().startswith(f"kuhn_poker: over\nlast: player_0 bet; paid: {reward:g}\n")
    env.reset(seed=0)
    env.step(99)
    assert "\nlast: player_0 illegal 99; paid: " in env.render()
    with pytest.raises(InputError, match="must be None for many games at once"):
        ExploiterVectorEnv("kuhn_poker", num_envs=2, render_mode="ansi")


def test_robust_wrappers_draw_what_the_environment_draws():
    def make_env():
        return ExploiterEnv("tic_tac_toe", render_mode="rgb_array")

    plain = make_env()
    plain.reset(seed=0)
    both = RobustParallelEnv(make_env, ActionPerturbation(alpha=0.1))
    one = RobustSingleAgentEnv(make_env, ActionPerturbation(alpha=0.1), lambda seen, mask, rng: int(mask.argmax()))
    for env in (both, one):
        env.reset(seed=0)
        assert (env.render_mode, env.metadata["render_modes"]) == ("rgb_array", list(RENDER_MODES))
        assert np.array_equal(env.render(), plain.render())
        env.close()


def test_nothing_is_imported_for_pictures_before_one_is_drawn():
    code = (
        "import sys, eqenvs, eqenvs.envs.exploiter\n"
        "for game_id in ('tic_tac_toe', 'four_rooms'):\n"
        "    for mode in (None, 'ansi', 'rgb_array'):\n"
        "        env = eqenvs.make(game_id).aec_env(render_mode=mode)\n"
        "        env.reset(); env.step(int(env.observe(env.agent_selection)['action_mask'].argmax()))\n"
        "        if mode == 'ansi': env.render()\n"
        "assert not {'PIL', 'pygame'} & set(sys.modules)\n"
        "env.render(); assert 'PIL' in sys.modules and 'pygame' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class TestWindow:
    """pygame itself, on its driver without a display."""

    @pytest.fixture
    def pygame(self, monkeypatch):
        monkeypatch.setenv("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
        module = pytest.importorskip("pygame")
        yield module
        module.display.quit()

    @staticmethod
    def env():
        env = eqenvs.make("tic_tac_toe").aec_env(render_mode="human")
        env.metadata["render_fps"] = 10_000
        return env

    def test_the_window_shows_the_pixels(self, pygame):
        env = play(self.env(), "b2 c2")
        frame = play(eqenvs.make("tic_tac_toe").aec_env(render_mode="rgb_array"), "b2 c2").render()
        shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
        assert np.array_equal(shown, frame)
        assert pygame.display.get_caption()[0] == "tic_tac_toe_v0"
        env.close()
        assert not pygame.display.get_init()
        env.reset()
        assert pygame.display.get_init()

    def test_a_window_that_was_closed_stays_closed_and_play_goes_on(self, pygame):
        env = play(self.env(), "b2")
        pygame.event.post(pygame.event.Event(pygame.QUIT))
        env.step(0)
        assert not pygame.display.get_init()
        env.step(1)
        env.reset()
        assert not pygame.display.get_init()
        env.close()

    def test_the_last_environment_that_drew_has_the_display(self, pygame):
        first, other = play(self.env(), "b2"), eqenvs.make("kuhn_poker").aec_env(render_mode="human")
        assert pygame.display.get_surface().get_size() == (480, 260)
        other.reset()
        assert pygame.display.get_surface().get_size() == (640, 112)
        assert pygame.display.get_caption()[0] == "kuhn_poker_v0"
        first.close()
        assert pygame.display.get_init()
        alike = eqenvs.make("kuhn_poker").aec_env(render_mode="human")
        alike.reset()
        other.close()
        assert pygame.display.get_init()
        alike.close()
        assert not pygame.display.get_init()

    def test_without_a_display_the_error_is_one_line(self, pygame, monkeypatch):
        monkeypatch.setenv("SDL_VIDEODRIVER", "no such driver")
        with pytest.raises(InputError, match=r"^render_mode 'human' needs a display \(.*\); 'rgb_array' does not$"):
            self.env().reset()
