"""The trust dilemma: its ends, which equilibrium is risk-dominant, and what the sign says."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqsolvers.scoring import score


def tables(first: list[float], second: list[list[float]]) -> list[np.ndarray]:
    return [np.array([first]), np.array(second)]


STAG, HARE = [1.0, 0.0], [0.0, 1.0]


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
@pytest.mark.parametrize(
    ("first", "second", "values"),
    [
        (STAG, [STAG, STAG], (4.0, 4.0)),
        (HARE, [HARE, HARE], (3.0, 3.0)),
        (STAG, [HARE, HARE], (0.0, 3.0)),
        (HARE, [STAG, STAG], (3.0, 0.0)),
    ],
)
def test_payoffs_are_those_of_the_stag_hunt(
    noise: float, first: list[float], second: list[list[float]], values: tuple[float, float]
) -> None:
    game = eqenvs.make("trust_dilemma", noise=noise)
    found = score(game, eqenvs.policies.TabularPolicy(game, tables(first, second)))
    assert found.values == pytest.approx(values)


def test_following_the_sign_is_wrong_as_often_as_the_sign() -> None:
    game = eqenvs.make("trust_dilemma", reward=5, temptation=3, punishment=2, sucker=-1, noise=0.25)
    follow = tables(STAG, [STAG, HARE])
    found = score(game, eqenvs.policies.TabularPolicy(game, follow))
    assert found.values == pytest.approx([0.75 * 5 + 0.25 * -1, 0.75 * 5 + 0.25 * 3])


def test_hare_is_risk_dominant_and_stag_pays_more() -> None:
    """Harsanyi and Selten (1988): the larger product of what deviating alone from the equilibrium loses."""
    game = eqenvs.make("trust_dilemma")
    model = game.model()

    def losses(equilibrium: list[np.ndarray], other: list[np.ndarray]) -> float:
        product = 1.0
        stay = score(model, eqenvs.policies.TabularPolicy(model, equilibrium)).values
        for player in range(2):
            deviation = [other[p] if p == player else equilibrium[p] for p in range(2)]
            moved = score(model, eqenvs.policies.TabularPolicy(model, deviation)).values
            product *= stay[player] - moved[player]
        return product

    stag, hare = tables(STAG, [STAG, STAG]), tables(HARE, [HARE, HARE])
    assert losses(hare, stag) == pytest.approx(9)
    assert losses(stag, hare) == pytest.approx(1)


def test_payoffs_that_are_no_stag_hunt_are_refused() -> None:
    with pytest.raises(InputError, match="reward > temptation >= punishment > sucker"):
        eqenvs.make("trust_dilemma", reward=2.0)


def test_names() -> None:
    game = eqenvs.make("trust_dilemma")
    second = game.model().information_states[1]
    names = [game.rules.describe_information_state(1, key) for key in second.keys]
    assert names == ["sign of stag", "sign of hare"]
