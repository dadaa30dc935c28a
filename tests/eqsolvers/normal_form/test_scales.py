"""Players' units are their own: a game with one player's payoffs in another unit has the same equilibria."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form import _conic, _even_dual, _incentives, _response_graph
from eqsolvers.normal_form._epsilon import Epsilon
from eqsolvers.normal_form._incentives import incentives, scaled_incentives
from eqsolvers.normal_form._response_graph import moves
from eqsolvers.normal_form._scales import largest_range, payoff_ranges
from eqsolvers.normal_form.constrained_phi import safe_gain
from eqsolvers.normal_form.correlated_lp import optimal_device
from eqsolvers.normal_form.max_gini import max_gini_device
from eqsolvers.result import Status, find_solver
from eqsolvers.scoring.efficiency import efficiency

CHICKEN = np.array([[[6.0, 2], [7, 0]], [[6, 7], [2, 0]]])
LOPSIDED = np.array([[[6.0, 2, 1], [7, 0, 3]], [[6, 7, 3], [2, 0, 1]]])
RANDOM = np.random.default_rng(0).normal(size=(3, 2, 3, 2))
SCALES = [1e9, 1e-9]


def scaled(payoffs: np.ndarray, scale: float) -> NormalFormModel:
    units = np.ones(len(payoffs))
    units[1] = scale
    return NormalFormModel(payoffs * units.reshape(-1, *[1] * (payoffs.ndim - 1)))


def test_ranges_and_units_of_zero_ranges() -> None:
    model = NormalFormModel([[[2.0, 2.0]], [[1.0, 1.0 + 1e-3]]])
    assert payoff_ranges(model) == pytest.approx([1.0, 1e-3])
    # A player whose payoffs are all the same has no say in the unit of all.
    assert largest_range(model) == pytest.approx(1e-3)
    assert largest_range(NormalFormModel(np.zeros((2, 2, 2)))) == 1.0


@pytest.mark.parametrize("concept", ["ce", "cce"])
def test_rows_are_in_the_units_of_their_players(concept: str) -> None:
    model = scaled(LOPSIDED, 1e9)
    matrix, units, deviations = scaled_incentives(model, concept)
    np.testing.assert_allclose(matrix.toarray() * units[:, None], incentives(model, concept).toarray())
    assert set(units) == {7.0, 7e9}
    # Player 0's second action instead of its first, told or not, where player 1 plays its second: 0 instead of 2.
    row = deviations.tolist().index([0, 1, 0] if concept == "ce" else [0, 1])
    assert matrix[[row]].toarray()[0, 1] * units[row] == pytest.approx(-2)


@pytest.mark.parametrize("payoffs", [CHICKEN, LOPSIDED], ids=["chicken", "2x3"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    ("method", "concept", "settings"),
    [
        ("correlated-lp", "ce", {"objective": "player"}),
        ("correlated-lp", "cce", {"objective": "player"}),
        ("max-gini", "ce", {}),
        ("max-gini", "cce", {}),
        ("max-entropy", "ce", None),
        ("max-entropy", "cce", None),
    ],
)
def test_one_players_unit_does_not_change_the_device(
    payoffs: np.ndarray, scale: float, method: str, concept: str, settings: dict[str, object] | None
) -> None:
    solver = find_solver(eqenvs.Family.NORMAL_FORM, concept, method)
    more = {} if settings is None else {"settings": settings}
    plain = solver.solve(NormalFormModel(payoffs), concept=concept, **more)
    result = solver.solve(scaled(payoffs, scale), concept=concept, tolerance=1e-9 * max(1.0, scale), **more)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.policy.distribution, plain.policy.distribution, atol=1e-6)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("concept", ["constrained-ce", "constrained-cce"])
def test_one_players_unit_does_not_make_constrained_equilibria_of_others(scale: float, concept: str) -> None:
    solver = find_solver(eqenvs.Family.NORMAL_FORM, concept, "constrained-phi")
    settings = {"action": 0, "limit": 0.4}
    tolerance = 1e-9 * max(1.0, scale)
    result = solver.solve(scaled(RANDOM, scale), concept=concept, tolerance=tolerance, settings=settings)
    assert result.status is Status.CONVERGED
    # It is an equilibrium of the game in common units too.
    game, device, kind = NormalFormModel(RANDOM), result.policy.distribution, concept.removeprefix("constrained-")
    gain = [
        safe_gain(game, device, player, np.eye(actions)[:1], np.array([0.4]), kind)
        for player, actions in enumerate(game.num_actions)
    ]
    assert max(gain) <= 1e-8


@pytest.mark.parametrize("limit", [1.0, 0.4])
@pytest.mark.parametrize("concept", ["constrained-ce", "constrained-cce"])
def test_an_offset_of_payoffs_is_nothing_to_constrained_equilibria(concept: str, limit: float) -> None:
    solver = find_solver(eqenvs.Family.NORMAL_FORM, concept, "constrained-phi")
    settings = {"action": 0, "limit": limit}
    plain = solver.solve(NormalFormModel(RANDOM), concept=concept, settings=settings)
    shifted = solver.solve(NormalFormModel(RANDOM + 1e9), concept=concept, settings=settings)
    assert shifted.status is plain.status is Status.CONVERGED
    np.testing.assert_allclose(shifted.policy.distribution, plain.policy.distribution, atol=1e-6)


@pytest.mark.parametrize("concept", ["ce", "cce"])
def test_efficiency_counts_the_conditions_of_players_with_small_payoffs(concept: str) -> None:
    # Welfare is then player 0's payoff, whose extremes in equilibrium are those of the game in common units.
    model = NormalFormModel(LOPSIDED)
    own = [
        float((optimal_device(model, concept, sign * model.payoffs[0])[0] * model.payoffs[0]).sum()) for sign in (-1, 1)
    ]
    found = efficiency(scaled(LOPSIDED, 1e-9), concept)
    assert (found.worst, found.best) == pytest.approx(own, abs=1e-7)


@pytest.mark.parametrize("scale", SCALES)
def test_epsilon_is_in_payoff_for_every_player(scale: float) -> None:
    model = scaled(RANDOM, scale)
    epsilon = 0.1 * scale
    found = max_gini_device(model, "ce", Epsilon(epsilon=epsilon))
    assert found.epsilon == pytest.approx(epsilon, rel=1e-12)
    gains = incentives(model, "ce") @ found.device.ravel()
    assert (gains <= epsilon * (1 + 1e-6)).all()


def test_gains_are_no_ties_because_of_another_players_unit() -> None:
    found = moves(scaled(CHICKEN, 1e-13))
    np.testing.assert_array_equal(np.sign(found.gain), np.sign(moves(NormalFormModel(CHICKEN)).gain))


def test_programmes_and_graphs_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    model = NormalFormModel(CHICKEN)
    for module in (_incentives, _response_graph):
        monkeypatch.setattr(module, "MAX_NUMBERS", 7)
    for method, concept in (("correlated-lp", "ce"), ("max-entropy", "ce"), ("constrained-phi", "constrained-ce")):
        solver = find_solver(eqenvs.Family.NORMAL_FORM, concept, method)
        with pytest.raises(GameTooLargeError, match="define a CE have 8 entries, the limit is 7"):
            solver.solve(model, concept=concept)
    with pytest.raises(GameTooLargeError, match="2 players has 8 moves, the limit is 7"):
        moves(model)
    # More profiles than int64 counts.
    many = eqenvs.make("arms_bandit", num_players=100, rewards="4,3").model()
    for method in ("alpha-rank", "sink-equilibria"):
        with pytest.raises(GameTooLargeError, match="100 players"):
            find_solver(eqenvs.Family.NORMAL_FORM, None, method).solve(many)


def test_a_dense_factor_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_conic, "MOST_FILL", 9)
    monkeypatch.setattr(_even_dual, "MOST_NUMBERS", 0)  # Newton's method would not need the factor
    with pytest.raises(GameTooLargeError, match="dense factor of 10 numbers, the limit is 9"):
        max_gini_device(NormalFormModel(CHICKEN), "ce")
    # 200 x 200: 79,600 gains over 40,000 profiles took more than 8 GB.
    assert 40_000 * 40_001 // 2 > 50_000_000
