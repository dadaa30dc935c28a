"""Variance-reduced Halpern iteration: its steps by plain formulas, its guarantee, what it looks at, invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eqenvs
from eqenvs.errors import UnsupportedGame
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form.learning import halpern, vr_halpern
from eqsolvers.normal_form.learning._adversaries import slope
from eqsolvers.result import find_solver
from eqsolvers.scoring import score

MATRIX = np.array([[3.0, -1, 4], [-2, 2, 5]])  # by hand: rows (1/2, 1/2), columns (3/8, 5/8, 0), value 1/2
MATRICES = {
    "2x3": MATRIX,
    "pennies": np.array([[2.0, -1], [-1, 1]]),
    "rps": np.array([[0.0, -3, 3], [3, 0, -1], [-3, 1, 0]]),
    "dominated": np.array([[1.0, 2], [0, 1], [3, 4]]),
    "nothing sampled": np.add.outer([0.0, 1, 3], [5.0, 4, 4, 6]),
    "one row": np.array([[4.0, 1, 2]]),
    "tied": np.kron(np.eye(3), np.ones((2, 3))),
    "6x9": np.random.default_rng(0).normal(size=(6, 9)),
    "rank 1": np.outer(np.arange(-3.0, 4), [2.0, -1, 0.5, -3]),
}


def game(matrix: np.ndarray) -> NormalFormModel:
    return NormalFormModel([matrix, -matrix])


def projected(point: np.ndarray) -> np.ndarray:
    """Onto the simplex, by sorting (Held, Wolfe and Crowder 1974)."""
    falling = np.sort(point)[::-1]
    levels = (falling.cumsum() - 1) / np.arange(1, len(point) + 1)
    return np.maximum(point - levels[np.count_nonzero(falling > levels) - 1], 0)


def plainly(matrix: np.ndarray, iterations: int, seed: int) -> tuple[list[np.ndarray], int]:
    """The last resolvent after so many steps, and the payoffs looked at: one player's strategy after the other's."""
    m, n = matrix.shape
    unit = (matrix - matrix.min()) / np.ptp(matrix)
    offsets = [unit.mean(axis=1), -unit.mean(axis=0)]
    centred = unit - unit.mean(axis=1, keepdims=True) - unit.mean(axis=0) + unit.mean()
    tables = [centred, -centred.T]  # of each player's own payoffs
    norm, p = np.sqrt((centred**2).sum()), (m + n) / (m * n)
    gamma, eta = min(np.sqrt(p), 0.5) / norm, 2 / (np.sqrt(p) * norm)
    shares = [(table**2).sum(axis=1) / norm**2 for table in tables]

    def full(point):
        return [table @ other + offset for table, offset, other in zip(tables, offsets, point[::-1], strict=True)]

    start = [np.full(m, 1 / m), np.full(n, 1 / n)]
    last, point, done, left, touched = start, start, 0, 0, m * n
    for t in range(iterations):
        if left == 0:
            anchor = [(first + done * own) / (done + 1) for first, own in zip(start, last, strict=True)]
            reference = before = point
            known, touched = full(point), touched + 2 * m * n
            left = int(np.ceil(eta / gamma * np.log(done + 2) / 2))
        numbers = np.random.default_rng((seed, t // 256)).random((256, 3))[t % 256]
        gradient = [own.copy() for own in known]
        for player in range(2):  # the row of one is a column of the other
            drawn = int(np.flatnonzero(np.cumsum(shares[player]) > numbers[player])[0])
            moved = point[player][drawn] - before[player][drawn]
            if moved != 0:
                gradient[1 - player] += tables[1 - player][:, drawn] * moved / shares[player][drawn]
                touched += len(point[1 - player])
        before = reference
        pulled = [
            (1 - p) * own + p * w + gamma * g + gamma / eta * a
            for own, w, g, a in zip(point, reference, gradient, anchor, strict=True)
        ]
        point = [projected(own / (1 + gamma / eta)) for own in pulled]
        if numbers[2] < p:
            reference, known, touched = point, full(point), touched + 2 * m * n
        left -= 1
        if left == 0:
            last, done = point, done + 1
    return last, touched


@pytest.mark.parametrize("shape", [(3, 4), (7, 5), (2, 9)])
def test_steps_are_the_plain_formulas(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(sum(shape)).normal(size=shape)
    process = vr_halpern.start(game(matrix), seed=5)
    for iterations in (1, 30, 300):
        process.run(iterations - process.iteration)
        expected, touched = plainly(matrix, iterations, seed=5)
        for mine, right in zip(process.policy().tables, expected, strict=True):
            np.testing.assert_allclose(np.asarray(mine).ravel(), right, atol=1e-10)
        assert process.touched == touched


@pytest.mark.parametrize("name", MATRICES)
def test_reaches_the_value_of_the_linear_programme(name: str) -> None:
    model = game(MATRICES[name])
    right = find_solver(eqenvs.Family.NORMAL_FORM, "nash", "lp").solve(model)
    found = vr_halpern.SOLVER.solve(model, tolerance=2e-3)
    assert found.residual <= 2e-3
    value, exact = (score(model, result.policy).values[0] for result in (found, right))
    assert value == pytest.approx(exact, abs=2e-3)


def test_last_iterate_is_within_the_guarantee() -> None:
    """gap <= |z_k - J(z_k)| / eta times the diameter 2, and |z_k - J(z_k)| <= 2 |z_0 - z*| / (k + 1) (Lieder 2021)."""
    rng = np.random.default_rng(1)
    for shape in ((4, 6), (3, 20), (15, 15)):
        for _ in range(5):
            matrix = rng.random(shape)
            model, (m, n) = game(matrix), shape
            exact = find_solver(eqenvs.Family.NORMAL_FORM, "nash", "lp").solve(model).policy
            distance = np.sqrt(sum(((np.asarray(own) - 1 / own.size) ** 2).sum() for own in exact.tables))
            centred = matrix - matrix.mean(axis=0) - matrix.mean(axis=1, keepdims=True) + matrix.mean()
            eta = 2 * np.sqrt(m * n / (m + n)) / np.linalg.norm(centred)  # of payoffs as they are
            process, looks = vr_halpern.start(model), 0
            while process.measures()["resolvents"] < 60:
                process.run(25)
                k = process.measures()["resolvents"]
                if k > 0:
                    looks += 1
                    assert process.residual() <= 4 * distance / (eta * k)
            assert looks > 10


@pytest.mark.slow
def test_gap_falls_as_the_number_of_resolvents() -> None:
    """The mean over 20 games of the last iterate's: 1 / k, once the first resolvents have found the supports."""
    looks, means = 2 ** np.arange(5, 11), np.zeros(6)
    for matrix in np.random.default_rng(4).random((20, 5, 8)):
        process = vr_halpern.start(game(matrix))
        for place, k in enumerate(looks):
            while process.measures()["resolvents"] < k:
                process.run(max(1, process.state()["left"]))
            means[place] += process.residual() / 20
    assert slope(looks, means) == pytest.approx(-1, abs=0.1)


def test_looks_at_a_tenth_of_what_halpern_iteration_looks_at() -> None:
    """To a gap of 1 % on a 200 x 300 game, each with its default step: measured 0.06."""
    model, touched = game(np.random.default_rng(0).random((200, 300))), []
    for spec, check in ((halpern.SOLVER, 50), (vr_halpern.SOLVER, 500)):
        process = spec.start(model)
        while process.iteration == 0 or process.residual() > 0.01:
            process.run(check)
        touched.append(process.touched)
    assert touched[1] < 0.1 * touched[0]


def test_looks_at_a_row_and_a_column_and_sometimes_at_everything() -> None:
    m, n, steps = 40, 60, 2000
    process = vr_halpern.start(game(np.random.default_rng(2).random((m, n))))
    process.run(steps)
    sampled = process.touched - m * n
    refreshed = 2 * (m + n) * steps  # with probability (m + n) / (m n) of 2 m n
    assert sampled <= (m + n) * steps + 1.3 * refreshed
    assert sampled >= 0.7 * refreshed


def test_draws_are_by_the_seed_and_the_step() -> None:
    model = game(np.random.default_rng(3).random((8, 9)))
    runs = [vr_halpern.start(model, seed=seed) for seed in (1, 1, 2)]
    for process, parts in zip(runs, ((700,), (1, 255, 300, 144), (700,)), strict=True):
        for more in parts:
            process.run(more)
    one, same, other = (process.state() for process in runs)
    for name, value in one.items():
        np.testing.assert_array_equal(value, same[name])
    assert not np.array_equal(one["strategy_0"], other["strategy_0"])


@given(seed=st.integers(0, 10_000), power=st.integers(-20, 20), shift=st.floats(-10, 10))
@settings(max_examples=20, deadline=None)
def test_unit_and_origin_of_payoffs_do_not_matter(seed: int, power: int, shift: float) -> None:
    """A power of 2 changes not a bit; a shift what it rounds."""
    matrix = np.random.default_rng(seed).random((4, 5))
    plain, scaled, moved = (vr_halpern.start(game(each)) for each in (matrix, matrix * 2.0**power, matrix + shift))
    for process in (plain, scaled, moved):
        process.run(60)
    for own, same, near in zip(*(process.policy().tables for process in (plain, scaled, moved)), strict=True):
        np.testing.assert_array_equal(own, same)
        np.testing.assert_allclose(near, own, atol=1e-9)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_players_may_change_places(seed: int) -> None:
    """The draws are then others, the value is not."""
    matrix = np.random.default_rng(seed).random((4, 7))
    one, other = game(matrix), NormalFormModel([-matrix.T, matrix.T])
    values = []
    for model, player in ((one, 0), (other, 1)):
        found = vr_halpern.SOLVER.solve(model, tolerance=1e-3)
        assert found.residual <= 1e-3
        values.append(score(model, found.policy).values[player])
    assert values[0] == pytest.approx(values[1], abs=2e-3)


def test_refuses_other_games() -> None:
    for payoffs in (np.ones((3, 2, 2, 2)), [[[1.0, 2], [3, 4]], [[1.0, 2], [3, 4]]]):
        with pytest.raises(UnsupportedGame, match="vr-halpern"):
            vr_halpern.start(NormalFormModel(payoffs))
