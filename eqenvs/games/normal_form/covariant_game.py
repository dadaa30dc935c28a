"""Random games whose players' payoffs are correlated, from opposed to common interests.

Rinott and Scarsini (2000), "On the number of pure strategy Nash equilibria in random games", Games and Economic
Behavior 33; CovariantGame of GAMUT (Nudelman et al. 2004). The payoffs of a profile are jointly normal with mean 0,
variance 1 and correlation r between any two players, independent between profiles. r must be in [-1 / (N - 1), 1]: at
the lower end the payoffs add up to 0, at 1 they are the same for everybody. They are made from N independent standard
normals z with mean m as sqrt(1 + (N - 1) r) m + sqrt(1 - r) (z_i - m): m has variance 1 / N, and the deviations have
covariance -1 / N with one another and 0 with m, which gives (1 + (N - 1) r) / N - (1 - r) / N = r.
"""

from __future__ import annotations

from math import sqrt

from eqenvs.errors import InputError
from eqenvs.games.normal_form import _tensors
from eqenvs.games.normal_form._random import Draws
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec

ROUNDING = 1e-9  # of the lower end of the range, which may be no decimal fraction


def build(
    num_players: int = 2,
    num_actions: int = 3,
    correlation: float = 0.5,
    seed: int = 0,
    action_counts: str | None = None,
) -> NormalFormModel:
    """The payoff tensor.

    Raises:
        InputError: if the correlation is below -1 / (N - 1), or `action_counts` does not fit the number of players.
        GameTooLargeError: if it is too large.
    """
    least = -1 / (num_players - 1)
    if correlation < least - ROUNDING:
        raise InputError(
            f"covariant_game: parameter 'correlation' must be from -1/(num_players - 1) = {least:.6g} to 1, "
            f"got {correlation}"
        )
    counts = _tensors.action_counts("covariant_game", num_players, num_actions, action_counts)
    _tensors.require_fits("covariant_game", counts)
    drawn = Draws(seed).normal(num_players, *counts)
    mean = drawn.sum(axis=0) / num_players
    together = 0.0 if _constant_sum(num_players, correlation) else sqrt(1 + (num_players - 1) * correlation)
    return NormalFormModel(together * mean + sqrt(1 - correlation) * (drawn - mean))


def _constant_sum(num_players: int, correlation: float, **_: object) -> bool:
    return correlation <= ROUNDING - 1 / (num_players - 1)


SPEC = GameSpec(
    id="covariant_game",
    family=Family.NORMAL_FORM,
    title="Random game with correlated payoffs",
    build=build,
    constant_sum=_constant_sum,
    source="Rinott and Scarsini (2000), On the number of pure strategy Nash equilibria in random games",
    parameters=(
        _tensors.players(),
        _tensors.actions(3),
        _tensors.number(
            "correlation", 0.5, "of any two players' payoffs, at least -1/(num_players - 1)", low=-1, high=1
        ),
        _tensors.SEED,
        _tensors.ACTION_COUNTS,
    ),
    facts=(
        Fact(source="parameters", sizes={"actions": [3, 3], "profiles": 9}),
        Fact(
            source="parameters",
            parameters={"num_players": 3, "action_counts": "2x3x4", "correlation": -0.5},
            sizes={"actions": [2, 3, 4], "profiles": 24},
        ),
    ),
)
