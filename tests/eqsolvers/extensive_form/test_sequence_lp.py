"""The sequence-form linear programme against published values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import UnsupportedGame
from eqsolvers.extensive_form.sequence_lp import constraint_matrix, solve
from eqsolvers.normal_form.lp import solve_matrix
from eqsolvers.result import Status
from eqsolvers.scoring import score

# Kuhn (1950); Leduc: Lanctot et al. (2019) give -0.0856, the digits are FACTS.md's run of OpenSpiel 2.0.2.
VALUES = [
    ("kuhn_poker", {}, -1 / 18, 1e-12),
    ("leduc_poker", {}, -0.085606424078, 1e-10),
    ("leduc_poker", {"suit_isomorphism": True}, -0.085606424078, 1e-10),
]


@pytest.mark.parametrize(("game_id", "parameters", "value", "tolerance"), VALUES)
def test_values_are_the_published_ones(
    game_id: str, parameters: dict[str, Any], value: float, tolerance: float
) -> None:
    game = eqenvs.make(game_id, **parameters)
    result = solve(game.model())  # type: ignore[arg-type]
    scored = score(game, result.policy)
    assert result.status is Status.CONVERGED
    assert scored.nash_conv <= 1e-9
    assert result.residual == scored.nash_conv
    np.testing.assert_allclose(scored.values, [value, -value], atol=tolerance)


def test_kuhn_equilibrium_is_of_the_known_family() -> None:
    """Kuhn (1950): player 0 bets a jack with alpha in [0, 1/3] and a king with 3 alpha; player 1 is determined."""
    game = eqenvs.make("kuhn_poker")
    policy = solve(game.model()).policy  # type: ignore[arg-type]
    first, second = (dict(zip(game.information_state_labels(p), policy.tables[p][:, 1], strict=True)) for p in range(2))
    alpha = first["J:"]
    assert -1e-9 <= alpha <= 1 / 3 + 1e-9
    assert first["K:"] == pytest.approx(3 * alpha, abs=1e-9)
    assert first["Q:"] == pytest.approx(0, abs=1e-9)
    assert first["Q:pb"] == pytest.approx(alpha + 1 / 3, abs=1e-9)
    expected = {"J:p": 1 / 3, "J:b": 0, "Q:p": 0, "Q:b": 1 / 3, "K:p": 1, "K:b": 1}
    assert second == pytest.approx(expected, abs=1e-9)


def test_repeated_biased_game_is_worth_two_rounds_of_it() -> None:
    """An asymmetric stage game with simultaneous moves in the tree: two rounds are worth twice one."""
    stage = eqenvs.make("rock_paper_scissors", rock_win=3.0, paper_win=2.0)
    twice = eqenvs.repeated(stage, 2)
    value = solve_matrix(np.array(stage.model().payoffs[0]))[2]  # type: ignore[union-attr]
    result = solve(twice.model())  # type: ignore[arg-type]
    assert result.status is Status.CONVERGED
    assert score(twice, result.policy).values[0] == pytest.approx(2 * value, abs=1e-9)


def test_constraints_hold_for_every_realisation_plan() -> None:
    model = eqenvs.make("leduc_poker", suit_isomorphism=True).model()
    for treeplex in model.treeplexes:  # type: ignore[union-attr]
        constraints = constraint_matrix(treeplex)
        plan = treeplex.realisation_plan(treeplex.states.uniform())
        expected = np.eye(1, 1 + treeplex.num_infosets)[0]
        np.testing.assert_allclose(constraints @ plan, expected, atol=1e-12)


def test_three_players_are_refused() -> None:
    with pytest.raises(UnsupportedGame, match="two-player constant-sum"):
        solve(eqenvs.make("kuhn_poker", num_players=3).model())  # type: ignore[arg-type]
