"""Gambit's files: what is written is read back as the same game, and what is wrong with a file is one line."""

from __future__ import annotations

import pickle
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.interop import gambit
from eqenvs.policies import TabularPolicy, uniform
from eqenvs.testing.conformance import random_tables
from eqsolvers.scoring import score

if TYPE_CHECKING:
    from pathlib import Path

GAMES: list[tuple[str, dict[str, Any]]] = [
    ("kuhn_poker", {}),
    ("kuhn_poker", {"num_players": 3}),
    ("leduc_poker", {}),
    ("goofspiel", {"num_cards": 3}),  # simultaneous
    ("signalling", {}),  # not constant-sum
    ("random_tree", {"depth": 5, "zero_sum": False}),
    ("chicken", {}),
    ("shapley", {}),
    ("majority_voting", {}),  # more than two players
]


def file_of(game: eqenvs.Game, directory: Path) -> Path:
    file = directory / ("game.nfg" if game.family == "normal_form" else "game.efg")
    gambit.write(game, file)
    return file


def by_labels(policy: TabularPolicy, one: eqenvs.Game, other: eqenvs.Game) -> TabularPolicy:
    """The same policy of the game as it was read, whose sets have another order, and whose legal actions go 0, 1...

    Raises:
        KeyError: an information set has another name.
    """
    tables = []
    for player, table in enumerate(policy.tables):
        place = {label: row for row, label in enumerate(one.information_state_labels(player))}
        masks = one.information_states[player].masks
        found = np.zeros(other.information_states[player].masks.shape)
        for row, label in enumerate(other.information_state_labels(player)):
            chances = table[place[label]][masks[place[label]]]
            found[row, : len(chances)] = chances
        tables.append(found)
    return TabularPolicy(other, tables)


@pytest.mark.parametrize(("name", "parameters"), GAMES, ids=range(len(GAMES)))
def test_what_is_written_is_read_as_the_same_game(name: str, parameters: dict[str, Any], tmp_path: Path) -> None:
    game = eqenvs.make(name, **parameters)
    read = eqenvs.make(f"gambit:{file_of(game, tmp_path)}")
    assert read.family == game.family
    assert read.constant_sum == game.constant_sum
    assert read.model().sizes() == game.model().sizes()
    policy = random_tables(game, 3)
    same = policy if game.family == "normal_form" else by_labels(policy, game, read)
    mine, theirs = score(game, policy), score(read, TabularPolicy(read, list(same.tables)))
    np.testing.assert_allclose(theirs.values, mine.values, atol=1e-13)
    np.testing.assert_allclose(theirs.gains, mine.gains, atol=1e-13)
    copy = pickle.loads(pickle.dumps(read))
    assert score(copy, uniform(copy)).nash_conv == score(read, uniform(read)).nash_conv


def test_chances_sum_to_one_to_the_letter(tmp_path: Path) -> None:
    lines = file_of(eqenvs.make("leduc_poker"), tmp_path).read_text().splitlines()
    moves = [line.split("{")[1].split("}")[0].split() for line in lines if line.startswith("c ")]
    assert len(moves) > 10
    for move in moves:
        assert sum(map(Fraction, move[1::2])) == 1


SMALL = r"""
EFG 2 R "A \"small\" game" { "Ann" "Bob" } "a comment"
c "" 1 "deal" { "l" 1/3 "r" 2/3 } 7 "entry" { -1, -1 }
p "" 1 5 "Ann's" { "up" "down" } 0
t "" 1 "won" { 4 -4 }
p "" 2 1 "" { "stay" "go" } 0
t "" 1
t "" 2 { 0.5, 1e0 }
p "" 1 5 0
t "" 2
t "" 1
"""


def test_files_by_hand_are_read_by_hand(tmp_path: Path) -> None:
    """Outcomes at inner nodes are collected; what was told of a set or an outcome is not told again."""
    (tmp_path / "small.efg").write_text(SMALL)
    game = eqenvs.make(f"gambit:{tmp_path}/small.efg")
    assert game.model().sizes()["infosets"] == [1, 1]
    assert game.information_state_labels(0) == ["Ann's"]
    assert game.action_labels(0) == ["up", "down"]
    assert game.action_labels(1) == ["stay", "go"]
    up = TabularPolicy(game, [np.array([[1.0, 0]]), np.array([[0.5, 0.5]])])
    assert score(game, up).values == pytest.approx([-1 + 4 / 3 + 0.5 * 2 / 3, -1 - 4 / 3 + 2 / 3])
    down = TabularPolicy(game, [np.array([[0.0, 1]]), np.array([[0.5, 0.5]])])
    assert score(game, down).values == pytest.approx([-1 + 2.25 / 3 + 8 / 3, -1 - 1.5 / 3 - 8 / 3])
    (tmp_path / "one.nfg").write_text('NFG 1 R "x" { "A" "B" } { 3 2 } "note" 1 10 2 20 3 30 4 40 5 50 6 60')
    payoffs = eqenvs.make(f"gambit:{tmp_path}/one.nfg").model().payoffs
    assert payoffs[0].tolist() == [[1, 4], [2, 5], [3, 6]]  # the first player's strategy varies fastest
    outcomes = 'NFG 1 R "x" { "A" "B" } { { "u" "d" } { "l" "r" } } "" { { "a" 1, 2 } { "b" 3, 4 } } 1 2 0 1'
    (tmp_path / "two.nfg").write_text(outcomes)
    payoffs = eqenvs.make(f"gambit:{tmp_path}/two.nfg").model().payoffs
    assert payoffs[0].tolist() == [[1, 0], [3, 1]]
    assert payoffs[1].tolist() == [[2, 0], [4, 2]]


HEAD = 'EFG 2 R "" { "A" "B" }\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: expected a word, found the end"),
        ("GIF89a", r"line 1: a file of Gambit begins with EFG or NFG, not 'GIF89a'"),
        ('EFG 3 R "" { "A" }', r"line 1: this version is not known: 3 R; known: 2 R"),
        ('NFG 2 R "" { "A" }', r"line 1: this version is not known: 2 R; known: 1 R"),
        ('EFG 2 R "" { }', r"there must be 1 to 60 players, got 0"),
        ('NFG 1 R "" {' + ' "A"' * 70 + " }", r"there must be 1 to 60 players, got 70"),
        (HEAD + 'p "" 1 1 "" {' + ' "a"' * 4000 + " } 0" + '\np "" 1 1 0' * 2000, r"more than 5,000,000 histories"),
        (HEAD + 'p "" 1 1 "" {' + ' "a"' * 900 + " } 0" + '\np "" 1 1 0' * 3, r"or is cut short"),
        (HEAD, r"line 2: expected a word, found the end"),
        (HEAD + 'x ""', r"line 2: a node is c, p or t, not 'x'"),
        (HEAD + 'p "" 3 1 { "a" } 0', r"there are players 1 to 2, not 3"),
        (HEAD + 'p "" 1 1 0', r"information set 1 is met here first, and has no actions"),
        (HEAD + 'p "" 1 1 "" { } 0', r"information set 1 has no actions"),
        (HEAD + 'p "" 1 1 "" { "a" "b" } 0\nt "" 0', r"line 3: expected a word, found the end"),
        (HEAD + 'p "" 1 1 "" { "a" } 0\np "" 1 1 "" { "a" "b" } 0', r"line 3: information set 1 had other actions"),
        (HEAD + 't "" 4', r"outcome 4 is met here first, and has no payoffs"),
        (HEAD + 't "" 4 { 1 }', r"an outcome needs 2 payoffs, got 1"),
        (HEAD + 't "" 4 { 1 x }', r"line 2: expected a number, found 'x'"),
        (HEAD + 't "" 4 { 1 1/0 }', r"expected a number, found '1/0'"),
        (HEAD + 't "" 4 { 1 1e999 }', r"1e999 is no finite number"),
        (HEAD + 't "" 4 { 1 2 } t', r"expected the end, found 't'"),
        (HEAD + 'c "" 1 "" { "a" 0.5 "b" 0.6 } 0', r"chances must be a distribution, got \[0\.5, 0\.6\]"),
        (HEAD + 't "unclosed 0', r"line 2: a text has no closing quotation mark"),
        ('NFG 1 R "" { "A" "B" } { 2 } 1 2', r"2 players need as many positive numbers of strategies, got \[2\]"),
        ('NFG 1 R "" { "A" "B" } { 2 1 } 1 2 3', r"expected a word, found the end"),
        ('NFG 1 R "" { "A" "B" } { 99999 99999 } 1 2 3', r"more than [\d,]+ payoffs"),
        ('NFG 1 R "" { "A" "B" } { 1 1 } { { 1 2 } } 2', r"there are outcomes 1 to 1, and 0 for none"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.efg"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        eqenvs.make(f"gambit:{file}")
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    kuhn, file = eqenvs.make("kuhn_poker"), tmp_path / "kuhn.efg"
    gambit.write(kuhn, file)
    before = file.read_text()
    with pytest.raises(InputError, match=r"kuhn\.efg exists"):
        gambit.write(kuhn, file)
    assert file.read_text() == before
    with pytest.raises(InputError, match=r"must end in \.efg"):
        gambit.write(kuhn, tmp_path / "kuhn.nfg")
    with pytest.raises(UnsupportedGame, match="markov"):
        gambit.write(eqenvs.make("grid_soccer"), tmp_path / "soccer.efg")
    with pytest.raises(InputError, match="No such file"):
        eqenvs.make(f"gambit:{tmp_path}/none.efg")
    with pytest.raises(InputError, match=r"no such scheme|unknown scheme 'gambitt'"):
        eqenvs.make("gambitt:x.efg")


def test_gambit_reads_what_is_written_and_agrees(tmp_path: Path) -> None:
    pygambit = pytest.importorskip("pygambit")
    for name, parameters in GAMES:
        game = eqenvs.make(name, **parameters)
        file = tmp_path / f"{name}{len(parameters)}"
        file.mkdir()
        path = file_of(game, file)
        if path.suffix == ".efg":
            found = pygambit.read_efg(str(path))
            profile = found.mixed_behavior_profile()
        else:
            found = pygambit.read_nfg(str(path))
            profile = found.mixed_strategy_profile()
        values = [float(profile.payoff(player)) for player in found.players]
        np.testing.assert_allclose(values, score(game, uniform(game)).values, atol=1e-12)
