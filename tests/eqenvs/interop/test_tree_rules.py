"""Games that are given as trees: one like any other here, whose environments, simulator and model agree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameDefinitionError, GameTooLargeError
from eqenvs.interop import gambit
from eqenvs.testing.conformance import check_game
from eqenvs.tree_rules import Tree, TreeRules, numbered

if TYPE_CHECKING:
    from pathlib import Path


def tree_of(name: str, directory: Path) -> Tree:
    gambit.write(eqenvs.make(name), directory / "game.efg")
    found = gambit.read(directory / "game.efg")
    assert isinstance(found, Tree)
    return found


@pytest.mark.parametrize("name", ["kuhn_poker", "signalling", "random_tree"])
def test_trees_pass_every_check_of_a_game(name: str, tmp_path: Path) -> None:
    gambit.write(eqenvs.make(name), tmp_path / "game.efg")
    check_game(eqenvs.make(f"gambit:{tmp_path}/game.efg"))


def test_histories_may_stand_in_any_order(tmp_path: Path) -> None:
    """A tree that is written depth first, and the same one level by level."""
    tree = tree_of("kuhn_poker", tmp_path)
    levels = tree.levels()
    order = np.concatenate([level for level, _ in levels])
    place = np.argsort(order)
    by_level = replace(
        tree,
        **{name: getattr(tree, name)[order] for name in ("player", "infoset", "num_children", "chance", "payoffs")},
        first_child=np.where(tree.num_children[order] > 0, place[tree.first_child[order]], 0),
    )
    assert [len(level) for level, _ in by_level.levels()] == [len(level) for level, _ in levels]
    first, second = (TreeRules(each).as_model("kuhn", 1000)[0] for each in (tree, by_level))
    np.testing.assert_array_equal(first.parent, second.parent)
    np.testing.assert_array_equal(first.payoffs, second.payoffs)


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    tree = tree_of("kuhn_poker", tmp_path)
    ends = np.flatnonzero(tree.num_children == 0)
    lost = tree.num_children.copy()
    lost[ends[0]] = 1
    decision = int(np.flatnonzero(tree.player == 0)[0])
    fewer = tree.num_children.copy()
    fewer[decision] = 1
    inner = np.flatnonzero(tree.num_children == 2)
    before_ends = [int(node) for node in inner if (tree.num_children[tree.first_child[node] :][:2] == 0).all()]
    shared = tree.first_child.copy()
    shared[before_ends[0]] = shared[before_ends[1]]
    nobody = tree.player.copy()
    nobody[ends[0]] = 0
    for changed, message in (
        (replace(tree, num_children=fewer), "58 histories must follow from the first once, "),
        (replace(tree, first_child=np.zeros_like(tree.first_child)), "58 histories must follow from the first once, "),
        (replace(tree, first_child=tree.first_child + 58), "children must be among the 58 histories"),
        (replace(tree, first_child=shared), "a history follows from two others"),
        (replace(tree, infoset=tree.infoset + 9), "player 0's information sets must be among its 6"),
        (replace(tree, infoset=np.where(tree.player == 0, -1, tree.infoset)), "player 0's information sets must be"),
        (replace(tree, player=np.where(tree.player == 1, 7, tree.player)), "movers must be players below 2"),
        (replace(tree, player=nobody), "must be ends"),
        (replace(tree, masks=(np.ones((6, 3), dtype=bool), tree.masks[1])), "player 0's histories have other numbers"),
    ):
        with pytest.raises(GameDefinitionError, match=message):
            TreeRules(changed)


def test_what_would_not_fit_into_memory_is_refused_first(tmp_path: Path) -> None:
    tree = tree_of("kuhn_poker", tmp_path)
    wide = np.lib.stride_tricks.as_strided(np.ones(1, dtype=bool), (2**20, 2**20), (0, 0))
    with pytest.raises(GameTooLargeError, match=r"1048576 actions need .* entries, the limit is"):
        TreeRules(replace(tree, masks=(wide, tree.masks[1])))


@pytest.mark.parametrize(("count", "most", "width"), [(3, 3, 3), (1, 1, 1), (0, 5, 5), (256, 256, 256), (300, 300, 9)])
def test_numbers_are_told_apart(count: int, most: int, width: int) -> None:
    shown = numbered(count, most)
    assert shown.shape == (count, width)
    assert len(np.unique(shown, axis=0)) == count
