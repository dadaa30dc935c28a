"""An economy of households that save in capital, with unemployment of their own and booms and slumps in common.

Krusell and Smith (1998), "Income and wealth heterogeneity in the macroeconomy", Journal of Political Economy 106.
Production is z K^alpha L^(1 - alpha); capital and labour are paid their marginal products. The aggregate state z is a
Markov chain of two states; unemployment in each is what it always is, and a household's employment follows from its
own and both aggregate states, such that spells of unemployment have the stated mean durations and the share of the
unemployed is right after every change. Who has no job when a boom ends has none again with 1.25 times the probability
of within a slump, and when a slump ends with 0.75 times that of within a boom, as in their calibration.

Axis letters: Z aggregate states (0 the boom, 1 the slump), E = 2 employment states (0 unemployed, 1 employed).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, read_only
from eqenvs.errors import InputError

BOOM, SLUMP = range(2)
UNEMPLOYED, EMPLOYED = range(2)


@dataclass(frozen=True, kw_only=True)
class AggregateEconomy:
    """The parameters; a period is a quarter.

    Attributes:
        discount: of utility, in (0, 1).
        risk_aversion: relative, > 0; 1 is log utility.
        capital_share: alpha, in (0, 1).
        depreciation: share of capital a period, in (0, 1].
        productivity: of boom and slump.
        unemployment: share of households, of boom and slump.
        duration: mean periods of boom and slump.
        spell: mean periods without a job, in boom and slump.
        hours: that the employed work; 1 / 0.9 makes labour 1 in the slump.
        benefit: of the unemployed as a share of the wage, paid by the employed.
    """

    discount: float = 0.99
    risk_aversion: float = 1.0
    capital_share: float = 0.36
    depreciation: float = 0.025
    productivity: tuple[float, float] = (1.01, 0.99)
    unemployment: tuple[float, float] = (0.04, 0.10)
    duration: tuple[float, float] = (8.0, 8.0)
    spell: tuple[float, float] = (1.5, 2.5)
    hours: float = 1 / 0.9
    benefit: float = 0.0

    def __post_init__(self) -> None:
        for name in ("discount", "capital_share", "depreciation"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} must be in (0, 1), got {getattr(self, name)}")
        for name in ("risk_aversion", "hours"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be positive, got {getattr(self, name)}")
        if min(self.duration) < 1 or min(self.spell) < 1:
            raise InputError(f"duration and spell must be at least 1, got {self.duration} and {self.spell}")
        if not ((self.joint_law >= 0).all() and np.isfinite(self.joint_law).all()):
            raise InputError(
                f"unemployment: no transitions have the shares {self.unemployment} and the mean spells {self.spell}"
            )

    @cached_property
    def aggregate_law(self) -> Float64Array:
        """[Z, Z] of boom and slump."""
        stay = 1.0 - 1.0 / np.array(self.duration)
        return read_only(np.array([[stay[0], 1 - stay[0]], [1 - stay[1], stay[1]]]))

    @cached_property
    def employment_law(self) -> Float64Array:
        """[Z, Z', E, E'] of a household's employment, given both aggregate states."""
        last = 1.0 - 1.0 / np.array(self.spell)
        jobless = np.array([[last[0], 1.25 * last[1]], [0.75 * last[0], last[1]]])
        law = np.empty((2, 2, 2, 2))
        for z in range(2):
            for after in range(2):
                share, later = self.unemployment[z], self.unemployment[after]
                lost = (later - share * jobless[z, after]) / (1.0 - share)
                law[z, after] = [[jobless[z, after], 1 - jobless[z, after]], [lost, 1 - lost]]
        return read_only(law)

    @cached_property
    def joint_law(self) -> Float64Array:
        """[Z, E, Z', E'], of the aggregate state and a household's employment together."""
        return read_only(np.einsum("zy,zyef->zeyf", self.aggregate_law, self.employment_law))

    @cached_property
    def labour(self) -> Float64Array:
        """[Z], hours worked in all."""
        return read_only(self.hours * (1.0 - np.array(self.unemployment)))

    def gross_return(self, capital: Any, labour: Any, productivity: Any) -> Any:
        """What a unit of capital becomes: 1 + its marginal product - depreciation."""
        ratio = capital / labour
        return 1.0 - self.depreciation + productivity * self.capital_share * ratio ** (self.capital_share - 1.0)

    def wage(self, capital: Any, labour: Any, productivity: Any) -> Any:
        """Of an hour."""
        return productivity * (1.0 - self.capital_share) * (capital / labour) ** self.capital_share

    @cached_property
    def labour_income(self) -> Float64Array:
        """[Z, E], per unit of the wage, after the tax that pays the benefit."""
        idle = np.array(self.unemployment)
        income = np.stack([np.full(2, self.benefit), self.hours - self.benefit * idle / (1.0 - idle)], axis=1)
        return read_only(income)

    @cached_property
    def steady_capital(self) -> float:
        """Capital of the economy without any risk, where the return is 1 / discount."""
        product = 1.0 / self.discount - 1.0 + self.depreciation
        ratio = (self.capital_share / product) ** (1.0 / (1.0 - self.capital_share))
        return float(ratio * self.labour.mean())
