"""Games of OpenSpiel and of Gambit's catalogue: quick runs, and what must be so on any clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import eqenvs
from eqagents.bench import Settings, _interop_gambit, _interop_openspiel
from eqenvs.interop import gambit
from eqenvs.testing.conformance import random_tables
from eqsolvers.scoring import score

if TYPE_CHECKING:
    from pathlib import Path


def test_games_are_listed_once() -> None:
    names = [name for kind in _interop_openspiel.GAMES.values() for name in kind]
    assert len(set(names)) == len(names) >= 30
    assert set(_interop_openspiel.QUICK) <= set(names)


def test_openspiel_says_the_same_of_what_is_solved_here() -> None:
    pytest.importorskip("pyspiel")
    section = _interop_openspiel.games(Settings(quick=True))
    assert [row["game"] for row in section.rows] == list(_interop_openspiel.QUICK)
    assert set(section.columns) <= set(section.rows[0])
    for row in section.rows:
        assert max(row["nash_conv"], row["theirs"], row["theirs_python"]) <= _interop_openspiel.TARGET
        assert row["difference"] <= 1e-12
        assert row["uniform"] == pytest.approx(row["uniform_theirs"], abs=1e-12)
    assert section.rows[0]["uniform"] > 1  # uniform play of three-player Kuhn poker is far from an equilibrium


def test_every_registered_game_is_in_one_group() -> None:
    pyspiel = pytest.importorskip("pyspiel")
    rows = _interop_openspiel.coverage(Settings(quick=True)).rows
    names = [name for row in rows for name in row["names"].split(", ")]
    assert sorted(names) == sorted(pyspiel.registered_names())
    assert sum(row["count"] for row in rows) == len(names)


def test_gambit_says_the_same_of_what_is_solved_here() -> None:
    pytest.importorskip("pygambit")
    rows = _interop_gambit.section(Settings(quick=True)).rows
    assert len(rows) == 3
    for row in rows:
        assert row["same_players"]
        assert max(row["payoffs"], row["difference"]) <= 1e-12
        assert max(row["nash_conv"], row["theirs"]) <= _interop_gambit.TOLERANCE


def test_a_game_of_imperfect_recall_is_a_row_too() -> None:
    pytest.importorskip("pygambit")
    files = dict(_interop_gambit.catalogue())
    name = "journals/geb/wichardt2008.efg"
    row = _interop_gambit.measure(name, files[name])
    assert row["refused"] == "player 0 has imperfect recall"
    assert not row["perfect_recall"]


@pytest.mark.parametrize(("name", "file"), [("leduc_poker", "game.efg"), ("shapley", "game.nfg")])
def test_profiles_are_carried_over_to_gambit(name: str, file: str, tmp_path: Path) -> None:
    pytest.importorskip("pygambit")
    gambit.write(eqenvs.make(name), tmp_path / file)
    game, theirs = eqenvs.make(f"gambit:{tmp_path / file}"), _interop_gambit.their_game(tmp_path / file)
    policy = random_tables(game, 4)
    profile = _interop_gambit.their_profile(game, theirs, policy)
    payoffs = [profile.payoff(player) for player in theirs.players]
    np.testing.assert_allclose(payoffs, score(game, policy).values, atol=1e-12)


def test_another_tree_is_noticed(tmp_path: Path) -> None:
    pytest.importorskip("pygambit")
    for name in ("kuhn_poker", "leduc_poker"):
        gambit.write(eqenvs.make(name), tmp_path / f"{name}.efg")
    game = eqenvs.make(f"gambit:{tmp_path}/kuhn_poker.efg")
    other = _interop_gambit.their_game(tmp_path / "leduc_poker.efg")
    with pytest.raises(AssertionError, match="has other children there"):
        _interop_gambit.their_profile(game, other, random_tables(game, 0))


def test_what_gambit_writes_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pygambit")
    recalled = 0
    for _, path in _interop_gambit.catalogue():
        theirs = _interop_gambit.their_game(path)
        if path.suffix == ".efg" and theirs.is_perfect_recall:
            recalled += 1
            (tmp_path / "game.efg").write_text(theirs.to_efg(), encoding="utf-8")
            (tmp_path / "game.nfg").write_text(theirs.to_nfg(), encoding="utf-8")
            tree, matrix = (eqenvs.make(f"gambit:{tmp_path}/game.{ending}") for ending in ("efg", "nfg"))
            assert _interop_gambit.largest_difference(tree, theirs) <= 1e-12
            again = _interop_gambit.their_game(tmp_path / "game.nfg")
            assert _interop_gambit.largest_difference(matrix, again) <= 1e-12
    assert recalled > 20
