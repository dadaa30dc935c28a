"""Payoffs from NumPy and CSV files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.interop import table

if TYPE_CHECKING:
    from pathlib import Path


def test_arrays_are_payoffs(tmp_path: Path) -> None:
    payoffs = np.random.default_rng(0).normal(size=(3, 2, 3, 4))
    np.save(tmp_path / "three.npy", payoffs)
    game = eqenvs.make(f"table:{tmp_path}/three.npy")
    np.testing.assert_array_equal(game.model().payoffs, payoffs)
    assert not game.constant_sum
    matrix = np.array([[0, 1, -1], [-1, 0, 2]])
    np.save(tmp_path / "matrix.npy", matrix)
    game = eqenvs.make(f"table:{tmp_path}/matrix.npy")
    np.testing.assert_array_equal(game.model().payoffs, np.stack([matrix, -matrix]))
    assert game.constant_sum


def test_lines_are_joint_actions_in_any_order(tmp_path: Path) -> None:
    lines = ["ann,bob,u_ann,u_bob", "1,0,3,-3.5", "0,1,2,0", "", "0,0,1,1e1", " 1,1 ,4,7"]
    (tmp_path / "game.csv").write_text("\r\n".join(lines))
    payoffs = eqenvs.make(f"table:{tmp_path}/game.csv").model().payoffs
    np.testing.assert_array_equal(payoffs, [[[1, 2], [3, 4]], [[10, 0], [-3.5, 7]]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: needs a column of actions and one of payoffs"),
        ("a,b,c\n0,0,1", "line 1: needs a column of actions and one of payoffs"),
        ("a,b,u,v\n", "has no joint actions"),
        ("a,b,u,v\n0,0,1", "line 2: has 3 columns, the heading 4"),
        ("a,b,u,v\n0,x,1,1", "line 2: actions are numbered from 0, got 'x'"),
        ("a,b,u,v\n0,-1,1,1", "line 2: actions are numbered from 0, got '-1'"),
        ("a,b,u,v\n0,99999999999,1,1", "line 2: actions are numbered from 0"),
        ("a,b,u,v\n0," + "9" * 5000 + ",1,1", "line 2: actions are numbered from 0"),
        (",".join("a" * 140), "line 1: at most 60 players, 140 columns are there"),
        ("a,b,u,v\n0,0,1,one", "line 2: could not convert string to float"),
        ("a,b,u,v\n0,0,1,1\n0,0,1,1", r"line 3: joint action \(0, 0\) came before"),
        ("a,b,u,v\n0,0,1,1\n1,1,1,1", "2 x 2 actions make 4 joint actions, 2 are there"),
        ("a,b,u,v\n0,0,1,nan", "finite"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        eqenvs.make(f"table:{file}")
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_arrays_that_are_none_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.npy"
    with pytest.raises(InputError, match="cannot be read: No such file"):
        eqenvs.make(f"table:{file}")
    for content in (b"", b"PK", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}"):
        file.write_bytes(content)
        with pytest.raises(InputError, match="is no array of NumPy"):
            eqenvs.make(f"table:{file}")
    np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="is no array of NumPy"):
        eqenvs.make(f"table:{file}")
    np.save(file, np.array(["a"]))
    with pytest.raises(InputError, match="must be an array of numbers"):
        eqenvs.make(f"table:{file}")
    np.save(file, np.zeros((2, 3, 4, 5)))
    with pytest.raises(InputError, match="one axis per player"):
        eqenvs.make(f"table:{file}")
    with pytest.raises(InputError, match=r"must be a \.npy or \.csv file"):
        eqenvs.make("table:game.txt")


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_a_game_that_is_written_is_read_to_the_bit(suffix: str, tmp_path: Path) -> None:
    game = eqenvs.make("random_normal_form", num_players=3, action_counts="2x3x4", seed=5)
    table.write(game, tmp_path / f"game{suffix}")
    back = eqenvs.make(f"table:{tmp_path}/game{suffix}")
    np.testing.assert_array_equal(back.model().payoffs, game.model().payoffs)
    with pytest.raises(InputError, match="exists; choose another"):
        table.write(game, tmp_path / f"game{suffix}")


def test_what_is_no_table_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedGame, match="kuhn_poker is extensive_form; a table holds a game in normal form"):
        table.write(eqenvs.make("kuhn_poker"), tmp_path / "kuhn.csv")
    with pytest.raises(InputError, match=r"must be a \.npy or \.csv file"):
        table.write(eqenvs.make("stag_hunt"), tmp_path / "stag.txt")
    assert list(tmp_path.iterdir()) == []
