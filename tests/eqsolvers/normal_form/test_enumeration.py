"""All extreme equilibria: against hand-worked games, brute force and each other, degenerate games included."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form import pure, support_enumeration, vertex_enumeration
from eqsolvers.normal_form._bimatrix import bimatrix
from eqsolvers.normal_form._dictionary import (
    TIE,
    interpreted,
    most_vertices,
    pivot,
    pivot_in_place,
    walk_vertices,
)
from eqsolvers.normal_form._labels import add_label, has_label, keep_distinct, place_of, size, words_for
from eqsolvers.normal_form.vertex_enumeration import extreme_equilibria
from eqsolvers.result import SolverResult, Status
from eqsolvers.scoring import score

METHODS = {"vertex-enumeration": vertex_enumeration.solve, "support-enumeration": support_enumeration.solve}

# Row player's payoffs, column player's, extreme equilibria. Worked by hand from the best-response conditions; the first
# is the running example of von Stengel (2007), the second its degenerate variant, where column 2 is as good against
# row 1: every y with at least 2/3 on the first column keeps row 1 a best response.
KNOWN: list[Any] = [
    pytest.param(
        [[3, 3], [2, 5], [0, 6]],
        [[3, 2], [2, 6], [3, 1]],
        [([1, 0, 0], [1, 0]), ([4 / 5, 1 / 5, 0], [2 / 3, 1 / 3]), ([0, 1 / 3, 2 / 3], [1 / 3, 2 / 3])],
        id="von-stengel-3x2",
    ),
    pytest.param(
        [[3, 3], [2, 5], [0, 6]],
        [[3, 3], [2, 6], [3, 1]],
        [([1, 0, 0], [1, 0]), ([1, 0, 0], [2 / 3, 1 / 3]), ([0, 1 / 3, 2 / 3], [1 / 3, 2 / 3])],
        id="degenerate-3x2",
    ),
    pytest.param(np.zeros((2, 3)), np.zeros((2, 3)), list(product(np.eye(2), np.eye(3))), id="everything-2x3"),
    pytest.param([[1, -1], [-1, 1]], [[-1, 1], [1, -1]], [([0.5, 0.5], [0.5, 0.5])], id="matching-pennies"),
    pytest.param([[2]], [[-1]], [([1], [1])], id="1x1"),
    # A weakly dominated equilibrium: row 2 and column 2 are best responses to each other only as ties.
    pytest.param([[1, 0], [0, 0]], [[1, 0], [0, 0]], [([1, 0], [1, 0]), ([0, 1], [0, 1])], id="weakly-dominated"),
    pytest.param([[1, 1, 1]], [[2, 2, 0]], [([1], [1, 0, 0]), ([1], [0, 1, 0])], id="one-row"),
]

shapes = st.sampled_from([(2, 3), (3, 2), (3, 3), (1, 3), (2, 2), (4, 2)])
small_games = shapes.flatmap(lambda shape: hnp.arrays(np.float64, (2, *shape), elements=st.integers(-2, 2).map(float)))


def found(result: SolverResult) -> set[tuple[float, ...]]:
    """The equilibria as rounded tuples, -0 made 0; a list with an equilibrium twice fails."""
    tables = [tuple((np.concatenate([t[0] for t in e.tables]).round(7) + 0.0).tolist()) for e in result.equilibria]  # type: ignore[union-attr]
    assert len(set(tables)) == len(tables)
    return set(tables)


def brute_force(first: np.ndarray, second: np.ndarray) -> set[tuple[float, ...]]:
    """Vertices as feasible solutions of any d tight constraints, and all pairs with every label: nothing is shared."""
    m, n = first.shape

    def vertices(matrix: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        k, d = matrix.shape
        lhs, rhs = np.vstack([-np.eye(d), matrix]), np.append(np.zeros(d), np.ones(k))
        out: dict[tuple[float, ...], tuple[np.ndarray, np.ndarray]] = {}
        for tight in map(list, combinations(range(d + k), d)):
            if abs(np.linalg.det(lhs[tight])) < 1e-9:
                continue
            point = np.linalg.solve(lhs[tight], rhs[tight])
            if (lhs @ point <= rhs + 1e-9).all() and point.sum() > 1e-9:
                out[tuple(point.round(8))] = (point / point.sum(), lhs @ point >= rhs - 1e-9)
        return list(out.values())

    xs, ys = vertices(second.T - second.min() + 1), vertices(first - first.min() + 1)
    return {
        tuple((np.append(x, y).round(7) + 0.0).tolist())
        for (x, own), (y, other) in product(xs, ys)
        if (own[:m] | other[n:]).all() and (own[m:] | other[:n]).all()
    }


@pytest.mark.parametrize("arithmetic", ["float", "exact"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("first", "second", "expected"), KNOWN)
def test_known_games_have_their_extreme_equilibria(
    first: Any, second: Any, expected: Any, method: str, arithmetic: str
) -> None:
    result = METHODS[method](NormalFormModel([first, second]), settings={"arithmetic": arithmetic})
    assert result.status is Status.CONVERGED
    assert result.method == method
    assert found(result) == {tuple((np.append(x, y).round(7) + 0.0).tolist()) for x, y in expected}


@settings(max_examples=60, deadline=None)
@given(payoffs=small_games)
def test_both_methods_agree_with_brute_force_on_degenerate_games(payoffs: np.ndarray) -> None:
    model = NormalFormModel(payoffs)
    expected = brute_force(*payoffs)
    for solve in METHODS.values():
        result = solve(model)
        assert not result.message
        assert found(result) == expected
        for equilibrium in result.equilibria:
            assert score(model, equilibrium).nash_conv <= 1e-12


@settings(max_examples=25, deadline=None)
@given(payoffs=small_games)
def test_rational_arithmetic_finds_the_same(payoffs: np.ndarray) -> None:
    model = NormalFormModel(payoffs)
    exact = [solve(model, settings={"arithmetic": "exact"}) for solve in METHODS.values()]
    first, second = (sorted(result.detail["strategies"]) for result in exact)  # those of like supports in any order
    assert first == second
    assert found(exact[0]) == found(vertex_enumeration.solve(model))


@settings(max_examples=40, deadline=None)
@given(
    payoffs=small_games,
    scale=st.tuples(*[st.sampled_from([1e-3, 0.5, 1.0, 3.0, 1e4])] * 2),
    shift=st.tuples(*[st.integers(-50, 50)] * 2),
)
def test_positive_affine_transformations_and_swapped_players_change_no_equilibrium(
    payoffs: np.ndarray, scale: tuple[float, float], shift: tuple[int, int]
) -> None:
    m = payoffs.shape[1]
    plain = found(vertex_enumeration.solve(NormalFormModel(payoffs)))
    factors, offsets = (np.array(values, dtype=np.float64)[:, None, None] for values in (scale, shift))
    for solve in METHODS.values():
        assert found(solve(NormalFormModel(payoffs * factors + offsets), tolerance=1e-6)) == plain
        swapped = found(solve(NormalFormModel([payoffs[1].T, payoffs[0].T])))
        assert {e[len(e) - m :] + e[: len(e) - m] for e in swapped} == plain


@settings(max_examples=30, deadline=None)
@given(payoffs=small_games)
def test_extreme_equilibria_on_single_actions_are_the_pure_ones(payoffs: np.ndarray) -> None:
    model = NormalFormModel(payoffs)
    profiles = pure.pure_equilibria(model).tolist()
    single = [e for e in vertex_enumeration.solve(model).equilibria if all((t == 1).any() for t in e.tables)]  # type: ignore[union-attr]
    assert sorted([int(t.argmax()) for t in e.tables] for e in single) == profiles  # type: ignore[union-attr]


@pytest.mark.parametrize(("shape", "seed"), [((5, 5), 0), ((6, 4), 1), ((3, 7), 2), ((7, 7), 3), ((8, 8), 4)])
def test_random_games_have_an_odd_number_of_equilibria_and_both_methods_find_them(
    shape: tuple[int, int], seed: int
) -> None:
    model = NormalFormModel(np.random.default_rng(seed).standard_normal((2, *shape)))
    by_vertex, by_support = (solve(model) for solve in METHODS.values())
    assert by_vertex.detail["degenerate"] is False
    assert len(by_vertex.equilibria) % 2 == 1  # Lemke and Howson (1964)
    assert found(by_vertex) == found(by_support)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
def test_coordination_games_have_an_equilibrium_on_every_set_of_actions(n: int, method: str) -> None:
    result = METHODS[method](NormalFormModel(np.stack([np.eye(n)] * 2)))
    assert len(result.equilibria) == 2**n - 1


def test_more_than_64_labels_are_no_limit() -> None:
    rng = np.random.default_rng(5)
    model = NormalFormModel(rng.integers(0, 6, (2, 3, 70)).astype(float))
    assert found(vertex_enumeration.solve(model)) == found(support_enumeration.solve(model))


def test_bare_arrays_are_the_solvers_equilibria() -> None:
    payoffs = np.random.default_rng(0).uniform(size=(2, 4, 3))
    rows, columns = extreme_equilibria(*payoffs)
    tables = [
        np.concatenate([t[0] for t in e.tables]) for e in vertex_enumeration.solve(NormalFormModel(payoffs)).equilibria
    ]  # type: ignore[union-attr]
    np.testing.assert_allclose(np.hstack([rows, columns]), tables, atol=1e-15)


def test_giving_up_is_a_status() -> None:
    model = NormalFormModel(np.random.default_rng(0).uniform(size=(2, 5, 5)))
    result = vertex_enumeration.solve(model, settings={"max_vertices": 3})
    assert result.status is Status.FAILED
    assert "max_vertices = 3" in result.message


@pytest.mark.parametrize("method", METHODS)
def test_three_players_and_unknown_settings_are_refused(method: str) -> None:
    with pytest.raises(UnsupportedGame, match="two-player"):
        METHODS[method](NormalFormModel(np.zeros((3, 2, 2, 2))))
    with pytest.raises(InputError, match="arithmetic"):
        METHODS[method](NormalFormModel(np.zeros((2, 2, 2))), settings={"arithmetic": "octal"})


def test_the_callers_payoffs_are_left_alone() -> None:
    payoffs = np.random.default_rng(1).uniform(size=(2, 3, 2))
    before = payoffs.copy()
    model = NormalFormModel(payoffs)
    for solve in METHODS.values():
        solve(model)
    np.testing.assert_array_equal(model.payoffs, before)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 1), (1, 2)])
def test_pivot_is_the_textbooks(row: int, column: int) -> None:
    table = np.random.default_rng(0).uniform(1, 2, (4, 5))
    p = table[row, column]
    expected = table - np.outer(table[:, column], table[row]) / p
    expected[row], expected[:, column] = table[row] / p, -table[:, column] / p
    expected[row, column] = 1 / p
    made = np.empty_like(table)
    pivot(table, made, row, column)
    np.testing.assert_allclose(made, expected, rtol=1e-13)
    pivot_in_place(table, row, column, np.empty(5))
    np.testing.assert_array_equal(made, table)


def test_vertices_walked_are_those_by_supports_and_within_the_upper_bound() -> None:
    model = NormalFormModel(np.random.default_rng(3).uniform(size=(2, 6, 4)))
    game = bimatrix(model, "test")
    result = vertex_enumeration.solve(model)
    for side in (0, 1):
        by_support, _, _ = support_enumeration.vertices(game, side)
        assert result.detail["vertices"][side] == len(by_support)
    assert result.iterations <= most_vertices(10, 6) + most_vertices(10, 4)


@pytest.mark.parametrize(("facets", "dimension", "vertices"), [(4, 2, 4), (6, 3, 8), (8, 4, 20), (4, 3, 4), (2, 1, 2)])
def test_upper_bound_is_that_of_cyclic_polytopes(facets: int, dimension: int, vertices: int) -> None:
    assert most_vertices(facets, dimension) == vertices


def test_compiled_and_interpreted_walks_are_the_same_function() -> None:
    matrix, cost = np.random.default_rng(0).uniform(1, 2, (3, 4)), np.array([1.0, 1.3, 1.7, 1.1])
    runs = []
    for function in (walk_vertices, interpreted(walk_vertices)):
        masks = np.empty((100, 1), np.uint64)
        count = function(matrix, cost, np.arange(7), TIE, 60, masks)
        runs.append(masks[:count].tolist())
    assert runs[0] == runs[1]


def _duplicated(payoffs: np.ndarray, rows: list[int], columns: list[int]) -> np.ndarray:
    return np.ascontiguousarray(payoffs[:, rows][:, :, columns])


BASE = np.array([[[3, 3, 0], [2, 5, 1], [0, 6, 4]], [[3, 2, 1], [2, 6, 0], [3, 1, 5]]], dtype=np.float64)
# Up to 4 x 5, with many degenerate vertices.
DEGENERATE: list[Any] = [
    pytest.param(_duplicated(BASE, [0, 1, 1, 2], [0, 1, 2]), id="row-twice"),
    pytest.param(_duplicated(BASE, [0, 0, 1], [2, 1, 2, 0, 0]), id="rows-and-columns-twice"),
    pytest.param(np.zeros((2, 4, 3)), id="all-zero"),
    pytest.param(np.stack([np.ones((3, 4)), np.random.default_rng(0).integers(0, 3, (3, 4))]), id="one-indifferent"),
    pytest.param(np.stack([np.eye(4), np.eye(4)[::-1]]), id="permutation"),
    *[
        pytest.param(np.random.default_rng(seed).integers(0, top, (2, 4, 5)).astype(float), id=f"integers-{top}-{seed}")
        for seed, top in ((0, 2), (1, 2), (2, 3), (3, 3), (4, 4))
    ],
]


@pytest.mark.parametrize("payoffs", DEGENERATE)
def test_degenerate_games_have_every_extreme_equilibrium_once_in_floats_and_in_fractions(payoffs: np.ndarray) -> None:
    model = NormalFormModel(payoffs)
    expected = brute_force(*model.payoffs)
    assert expected
    for solve in METHODS.values():
        floats, exact = (solve(model, settings={"arithmetic": arithmetic}) for arithmetic in ("float", "exact"))
        assert found(floats) == found(exact) == expected
        for row, column in exact.detail["strategies"]:
            assert is_exact_equilibrium(model, [Fraction(p) for p in row], [Fraction(p) for p in column])


def is_exact_equilibrium(model: NormalFormModel, row: list[Fraction], column: list[Fraction]) -> bool:
    """Whether every action played pays the most, in rational arithmetic."""
    first, second = ([[Fraction(value) for value in line] for line in table] for table in model.payoffs)
    own = [sum(p * value for p, value in zip(column, line, strict=True)) for line in first]
    other = [sum(p * value for p, value in zip(row, line, strict=True)) for line in zip(*second, strict=True)]
    played = all(value == max(own) for p, value in zip(row, own, strict=True) if p)
    played_too = all(value == max(other) for p, value in zip(column, other, strict=True) if p)
    return played and played_too and sum(row) == sum(column) == 1 and min(row + column) >= 0


def test_bare_arrays_of_degenerate_games_are_the_solvers_too() -> None:
    for case in DEGENERATE:
        (payoffs,) = case.values
        rows, columns = extreme_equilibria(*payoffs)
        bare = {tuple((np.append(x, y).round(7) + 0.0).tolist()) for x, y in zip(rows, columns, strict=True)}
        assert len(bare) == len(rows)
        assert bare == found(vertex_enumeration.solve(NormalFormModel(payoffs)))


@pytest.mark.parametrize(
    ("first", "second"),
    [(np.zeros((2, 2)), np.zeros((2, 3))), (np.array([[np.nan]]), np.zeros((1, 1))), (np.zeros((0, 2)),) * 2],
)
def test_bare_arrays_that_are_no_game_are_refused(first: np.ndarray, second: np.ndarray) -> None:
    with pytest.raises(InputError, match="payoffs"):
        extreme_equilibria(first, second)


@settings(max_examples=30, deadline=None)
@given(sets=st.lists(st.sets(st.integers(0, 99)), min_size=1, max_size=30))
def test_label_sets_are_kept_once_found_again_and_counted(sets: list[set[int]]) -> None:
    masks = np.zeros((len(sets), words_for(100)), np.uint64)
    for mask, members in zip(masks, sets, strict=True):
        for label in members:
            add_label(mask, label)
        assert size(mask) == len(members)
        assert {label for label in range(100) if has_label(mask, label)} == members
    wanted = masks.copy()
    count, table = keep_distinct(masks, len(sets))
    assert count == len({frozenset(members) for members in sets})
    for mask, members in zip(wanted, sets, strict=True):
        place = table[place_of(masks, mask, table)]
        assert 0 <= place < count
        assert {label for label in range(100) if has_label(masks[place], label)} == members
