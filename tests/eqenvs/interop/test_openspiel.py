"""Games of OpenSpiel here, and games here in OpenSpiel: scored by both, the same."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame
from eqenvs.interop import openspiel
from eqenvs.policies import TabularPolicy, uniform
from eqenvs.testing.conformance import check_game, random_tables
from eqsolvers.scoring import score

pyspiel = pytest.importorskip("pyspiel")

NAMES = [
    "kuhn_poker",
    "kuhn_poker(players=3)",
    "leduc_poker",
    "liars_dice(numdice=1,dice_sides=3)",
    "goofspiel(num_cards=3,imp_info=true,points_order=descending)",  # simultaneous
    "matrix_pd",  # general-sum
    "tiny_hanabi",  # of common interest
    "first_sealed_auction(players=2,max_value=4)",
    "dark_hex(board_size=2,gameversion=adh)",
    "nim(pile_sizes=1;2)",
]


def nash_conv(game: Any, policy: Any) -> float:
    from open_spiel.python.algorithms import exploitability
    from open_spiel.python.policy import pyspiel_policy_to_python_policy

    return float(exploitability.nash_conv(game, pyspiel_policy_to_python_policy(game, policy), use_cpp_br=False))


@pytest.mark.parametrize("name", NAMES)
def test_policies_are_worth_the_same_here_and_there(name: str) -> None:
    game = eqenvs.make(f"openspiel:{name}")
    policy = random_tables(game, 5)
    theirs = pyspiel.load_game(name)
    if theirs.get_type().dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS:
        theirs = pyspiel.convert_to_turn_based(theirs)
    exported = openspiel.to_policy(game, policy)
    assert score(game, policy).nash_conv == pytest.approx(nash_conv(theirs, exported), abs=1e-12)
    back = openspiel.from_policy(game, exported)
    for one, other in zip(policy.tables, back.tables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_loaded_game_passes_every_check_of_a_game_and_travels() -> None:
    game = eqenvs.make("openspiel:kuhn_poker")
    check_game(game)
    assert game.constant_sum
    copy = pickle.loads(pickle.dumps(game))
    assert repr(copy) == repr(game)
    assert score(copy, uniform(copy)).nash_conv == pytest.approx(11 / 12, abs=1e-15)


def test_policies_of_openspiel_are_tables_here() -> None:
    from open_spiel.python import policy as theirs

    game = eqenvs.make("openspiel:leduc_poker")
    found = openspiel.from_policy(game, theirs.UniformRandomPolicy(pyspiel.load_game("leduc_poker")))
    assert score(game, found).nash_conv == pytest.approx(4.7472222222, abs=1e-9)


def test_a_solution_here_is_one_there() -> None:
    from eqsolvers.result import find_solver

    game = eqenvs.make("openspiel:leduc_poker")
    found = find_solver(game.family, "nash", "sequence-lp").solve(game.model(), tolerance=1e-9).policy
    assert isinstance(found, TabularPolicy)
    theirs = pyspiel.exploitability(pyspiel.load_game("leduc_poker"), openspiel.to_policy(game, found))
    assert theirs == pytest.approx(score(game, found).exploitability, abs=1e-12)
    assert theirs < 1e-9


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("kuhn_poker", {}),
        ("kuhn_poker", {"num_players": 3}),
        ("rock_paper_scissors", {}),  # in normal form
        ("goofspiel", {"num_cards": 3}),  # simultaneous
        ("trust_dilemma", {}),  # general-sum
        ("iterated_game", {"horizon": 2}),  # a Markov game
        ("liars_dice", {"num_faces": 3}),
    ],
)
def test_games_here_are_games_there(name: str, parameters: dict[str, Any]) -> None:
    from open_spiel.python.algorithms import exploitability
    from open_spiel.python.policy import UniformRandomPolicy

    game = eqenvs.make(name, **parameters)
    exported = openspiel.to_game(game)
    pyspiel.random_sim_test(exported, num_sims=3, serialize=False, verbose=False)
    theirs = exploitability.nash_conv(exported, UniformRandomPolicy(exported), use_cpp_br=False)
    assert score(game, uniform(game)).nash_conv == pytest.approx(theirs, abs=1e-12)
    state = exported.new_initial_state()
    while not state.is_terminal():
        actions = [a for a, _ in state.chance_outcomes()] if state.is_chance_node() else state.legal_actions()
        if not state.is_chance_node():
            assert len(state.observation_tensor()) == game.rules.observation_size
        state.apply_action(actions[-1])
    assert exported.utility_sum() is None or sum(state.returns()) == pytest.approx(exported.utility_sum())


def test_what_has_no_end_is_cut_off() -> None:
    exported = openspiel.to_game(eqenvs.make("grid_soccer"), max_cycles=4)
    state, moves = exported.new_initial_state(), 0
    while not state.is_terminal():
        chance = state.is_chance_node()
        moves += not chance
        state.apply_action(state.chance_outcomes()[0][0] if chance else state.legal_actions()[0])
    assert moves <= exported.max_game_length() == 8


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("kuhn_pokr", InputError, "unknown OpenSpiel game 'kuhn_pokr'; did you mean 'kuhn_poker'"),
        ("kuhn_poker(cards=3)", InputError, "cannot load 'kuhn_poker.cards=3.': Unknown parameter 'cards'"),
        ("kuhn_poker(players=3", InputError, "cannot load"),
        ("nfg_game", InputError, "cannot load 'nfg_game': map::at"),  # an exception of C++ that is no SpielError
        ("deep_sea", UnsupportedGame, "does not say what its players' information states are"),
        ("mfg_crowd_modelling", UnsupportedGame, "is a mean-field game"),
        ("", InputError, "unknown OpenSpiel game ''"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(name: str, error: type[InputError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        eqenvs.make(f"openspiel:{name}")
    assert "\n" not in str(caught.value)


def test_what_is_too_large_is_refused_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openspiel, "MAX_SIZE", 1000)
    with pytest.raises(GameTooLargeError, match=r"liars_dice: has more than 1,000 histories"):
        eqenvs.make("openspiel:liars_dice")


def test_information_states_that_take_too_much_are_refused_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openspiel, "MAX_BYTES", 1 << 20)
    with pytest.raises(GameTooLargeError, match=r"liars_dice\(numdice=1\): [\d,]+ information states of a player take"):
        eqenvs.make("openspiel:liars_dice(numdice=1)")


def test_a_player_without_decisions_sees_nothing() -> None:
    game = eqenvs.make("openspiel:start_at(history=0;1;1,game=kuhn_poker())")  # the second player folds or calls
    assert game.model().sizes()["infosets"] == [0, 1]
    check_game(game)
    even = uniform(game)
    theirs = pyspiel.load_game("start_at(history=0;1;1,game=kuhn_poker())")
    found = pyspiel.nash_conv(theirs, openspiel.to_policy(game, even))
    assert score(game, even).nash_conv == pytest.approx(found, abs=1e-12)


def test_histories_serve_as_information_states_where_all_is_seen_and_none_are_told() -> None:
    """Values by backward induction over OpenSpiel's own states."""
    from eqsolvers.result import find_solver

    for name in ("breakthrough(rows=4,columns=2)", "pig(players=2,winscore=3,diceoutcomes=2,horizon=6)"):
        game = eqenvs.make(f"openspiel:{name}")
        found = find_solver(game.family, "nash", "sequence-lp").solve(game.model(), tolerance=1e-9).policy
        assert score(game, found).values[0] == pytest.approx(worth(pyspiel.load_game(name).new_initial_state()))
        with pytest.raises(UnsupportedGame, match="has no information state strings"):
            openspiel.to_policy(game, uniform(game))


def worth(state: Any) -> float:
    """The first player's value."""
    if state.is_terminal():
        return float(state.returns()[0])
    if state.is_chance_node():
        return sum(chance * worth(state.child(outcome)) for outcome, chance in state.chance_outcomes())
    return [max, min][state.current_player()](worth(state.child(action)) for action in state.legal_actions())


def test_policies_of_other_games_are_refused() -> None:
    kuhn = eqenvs.make("kuhn_poker")
    with pytest.raises(UnsupportedGame, match="kuhn_poker is no game of OpenSpiel"):
        openspiel.to_policy(kuhn, uniform(kuhn))
