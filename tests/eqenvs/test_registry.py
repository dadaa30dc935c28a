"""The registry: names, parameters, discovery and instances that travel."""

from __future__ import annotations

import importlib
import pickle

import numpy as np
import pytest

import eqenvs
from eqenvs import discovery, registry
from eqenvs.errors import GameDefinitionError, UnknownNameError
from eqenvs.spec import Family, Parameter
from eqenvs.testing import check_model


def test_all_registered_games_are_consistent_with_their_files():
    for game_id in eqenvs.game_ids():
        spec = eqenvs.spec(game_id)
        module = discovery.modules("eqenvs.games")[game_id]
        assert spec.id == game_id
        assert module == f"eqenvs.games.{spec.family}.{game_id}"
        assert spec.title
        assert spec.source
        defaults = {p.name: p.default for p in spec.parameters}
        assert spec.resolve({}) == spec.resolve({k: v for k, v in defaults.items() if v is not None})


BAD_CALLS = {
    "unknown game": ("leduk_poker", {}, "unknown game 'leduk_poker'; did you mean 'leduc_poker'?"),
    "unknown parameter": (
        "leduc_poker",
        {"num_player": 2},
        "unknown parameter of leduc_poker 'num_player'; did you mean 'num_players'?",
    ),
    "below": (
        "kuhn_poker",
        {"num_players": 1},
        "kuhn_poker: parameter 'num_players' must be an integer from 2 to 10, got 1",
    ),
    "above": ("kuhn_poker", {"num_players": 11}, "must be an integer from 2 to 10, got 11"),
    "float for int": ("kuhn_poker", {"num_players": 2.0}, "must be an integer from 2 to 10, got 2.0"),
    "bool for int": ("kuhn_poker", {"num_players": True}, "must be an integer from 2 to 10, got True"),
    "text for int": ("kuhn_poker", {"num_players": "2"}, "must be an integer from 2 to 10, got '2'"),
    "None": ("kuhn_poker", {"num_players": None}, "must be an integer from 2 to 10, got None"),
    "int for bool": (
        "leduc_poker",
        {"suit_isomorphism": 1},
        "parameter 'suit_isomorphism' must be true or false, got 1",
    ),
    "NaN": ("rock_paper_scissors", {"rock_win": float("nan")}, "parameter 'rock_win' must be a number from"),
    "infinite": ("rock_paper_scissors", {"rock_win": float("inf")}, "parameter 'rock_win' must be a number from"),
    "infinite without an upper bound": (
        "sheriff",
        {"item_penalty": float("inf")},
        "sheriff: parameter 'item_penalty' must be finite and a number of at least 0, got inf",
    ),
    "infinite loss": ("battleship", {"loss_multiplier": float("inf")}, "'loss_multiplier' must be finite and a number"),
    "integer too large": ("sheriff", {"item_value": 10**400}, "of at least 0, got an integer too large for a float"),
    "text for float": ("rock_paper_scissors", {"rock_win": "1"}, "parameter 'rock_win' must be a number from"),
    "too few cards": (
        "leduc_poker",
        {"num_players": 4, "num_ranks": 2, "num_suits": 2},
        "num_ranks * num_suits must be at least num_players + 1 = 5 cards, got 2 * 2",
    ),
}


@pytest.mark.parametrize(("game_id", "parameters", "message"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_calls_are_refused_in_one_line(game_id, parameters, message):
    with pytest.raises(eqenvs.InputError) as caught:
        eqenvs.make(game_id, **parameters)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_are_their_own_kind_of_value_error():
    with pytest.raises(UnknownNameError):
        eqenvs.make("no_such_game")
    assert issubclass(UnknownNameError, ValueError)


def test_a_game_without_parameters_says_so():
    game = eqenvs.repeated(eqenvs.make("rock_paper_scissors"), 2)
    with pytest.raises(UnknownNameError, match="it takes none"):
        game.spec.resolve({"rounds": 3})


PARSED = [
    (Parameter(name="n", default=1, description="", low=1, high=9), "7", 7),
    (Parameter(name="x", default=1.0, kind=float, description=""), "2.5", 2.5),
    (Parameter(name="x", default=1.0, kind=float, description=""), "2", 2.0),
    (Parameter(name="b", default=False, kind=bool, description=""), "True", True),
    (Parameter(name="b", default=True, kind=bool, description=""), " false ", False),
    (Parameter(name="s", default="a", kind=str, description="", choices=("a", "b")), "b", "b"),
    (Parameter(name="n", default=None, description=""), "none", None),
]


@pytest.mark.parametrize(("parameter", "text", "value"), PARSED)
def test_parameters_are_read_from_text(parameter, text, value):
    found = parameter.parse("game", text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1e999"])
def test_numbers_without_bounds_must_be_finite_all_the_same(text):
    with pytest.raises(eqenvs.InputError, match=r"^game: parameter 'x' must be finite and a number, got -?(inf|nan)$"):
        PARSED[1][0].parse("game", text)


@pytest.mark.parametrize("value", [np.float32(2.5), np.float64(2.5), 2.5])
def test_numbers_of_numpy_are_numbers(value):
    assert type(PARSED[1][0].check("game", value)) is float
    assert type(PARSED[1][0].check("game", np.int64(2))) is float
    assert type(PARSED[0][0].check("game", np.int64(2))) is int
    for number, parameter in ((np.True_, PARSED[1][0]), (np.True_, PARSED[0][0]), (value, PARSED[0][0])):
        with pytest.raises(eqenvs.InputError, match="must be a"):
            parameter.check("game", number)


@pytest.mark.parametrize(
    ("parameter", "text", "message"),
    [
        (PARSED[0][0], "ten", "must be an integer from 1 to 9, got 'ten'"),
        (PARSED[0][0], "10", "must be an integer from 1 to 9, got 10"),
        (PARSED[1][0], "much", "must be a number, got 'much'"),
        (PARSED[3][0], "yes", "must be true or false, got 'yes'"),
        (PARSED[5][0], "c", "must be one of a, b, got 'c'"),
    ],
)
def test_bad_texts_are_refused(parameter, text, message):
    with pytest.raises(eqenvs.InputError, match=message):
        parameter.parse("game", text)


DROPPED = '''
"""A game dropped into the package as one file."""
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Family, GameSpec, Parameter


def build(stake=1.0):
    return NormalFormModel([[[stake, 0, 2], [0, stake, 3]], [[1, 0, 0], [0, 1, 5]]])


SPEC = GameSpec(id="dropped", family=Family.NORMAL_FORM, title="dropped", build=build, constant_sum=False,
                source="this test", parameters=(Parameter(name="stake", default=1.0, kind=float, description="win"),))
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A games package with one family folder, and its name."""
    name = f"games_of_{tmp_path.name.replace('-', '_')}"
    folder = tmp_path / name / "normal_form"
    folder.mkdir(parents=True)
    for place in (folder.parent, folder):
        (place / "__init__.py").write_text('"""Empty."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return name, folder


def test_a_game_dropped_as_one_file_is_found_and_works(package, monkeypatch):
    name, folder = package
    (folder / "dropped.py").write_text(DROPPED)
    (folder / "_helper.py").write_text("raise RuntimeError('a helper is not a game')\n")
    (folder / "broken.py").write_text("raise RuntimeError('imported without being asked for')\n")
    monkeypatch.setattr(registry, "PACKAGE", name)
    assert eqenvs.game_ids() == ["broken", "dropped"]
    game = eqenvs.make("dropped", stake=4.0)
    assert game.spec.family is Family.NORMAL_FORM
    check_model(game)
    assert game.model().payoffs[0, 0].tolist() == [4, 0, 2]
    with pytest.raises(UnknownNameError, match="did you mean 'dropped'"):
        eqenvs.make("droped")


MISTAKES = {
    "no spec": ("BUILD = 1\n", r"game 'wrong': .*wrong\.py defines no SPEC"),
    "syntax": ("SPEC = (\n", r"game 'wrong': .*wrong\.py, line 1: '\(' was never closed"),
    "another id": (DROPPED, r"game 'wrong': its SPEC has the id 'dropped'; the file's name must be the same"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_file_that_does_not_define_its_game_is_one_line(package, monkeypatch, text, message):
    name, folder = package
    (folder / "wrong.py").write_text(text)
    monkeypatch.setattr(registry, "PACKAGE", name)
    with pytest.raises(GameDefinitionError, match=message):
        eqenvs.make("wrong")


def test_two_files_of_one_name_are_refused(package):
    name, folder = package
    (folder / "dropped.py").write_text(DROPPED)
    (folder.parent / "dropped.py").write_text(DROPPED)
    with pytest.raises(RuntimeError, match="share a name"):
        discovery.modules(name)


@pytest.mark.parametrize(
    ("game_id", "parameters"),
    [("kuhn_poker", {"num_players": 3}), ("leduc_poker", {"num_ranks": 4}), ("rock_paper_scissors", {"rock_win": 2.0})],
)
def test_a_game_travels_as_its_spec_and_parameters(game_id, parameters):
    game = eqenvs.make(game_id, **parameters)
    bare = len(pickle.dumps(game))
    game.model()
    text = pickle.dumps(game)
    assert len(text) == bare  # what has been computed stays at home
    back = pickle.loads(text)
    assert (repr(back), back.parameters) == (repr(game), game.parameters)
    assert back.model().sizes() == game.model().sizes()


def test_a_repeated_game_travels_too():
    game = eqenvs.repeated(eqenvs.make("rock_paper_scissors", paper_win=2.0), 2)
    back = pickle.loads(pickle.dumps(game))
    np.testing.assert_array_equal(back.model().payoffs, game.model().payoffs)


def test_a_default_left_to_the_game_is_told_as_what_it_became():
    assert eqenvs.make("leduc_poker", num_players=3).parameters["num_ranks"] == 4


def test_only_normal_form_games_can_be_repeated():
    with pytest.raises(eqenvs.UnsupportedGame, match="kuhn_poker is extensive_form"):
        eqenvs.repeated(eqenvs.make("kuhn_poker"), 2)


def test_the_exact_model_is_kept():
    game = eqenvs.make("kuhn_poker")
    assert game.model() is game.model()
