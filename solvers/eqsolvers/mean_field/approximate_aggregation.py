"""Approximate aggregation: households who forecast mean capital from mean capital alone, and are nearly right.

Krusell and Smith (1998), "Income and wealth heterogeneity in the macroeconomy", Journal of Political Economy 106,
section II. An iteration solves the households' problem under a forecast of log K' that is linear in log K in each
aggregate state, simulates the population along one long draw of aggregate states, and fits the forecast to that path.
Households are solved by endogenous grid points and the population is a histogram (`eqsolvers.households`), so the draw
of aggregate states is the only randomness. Instead of damping, the fixed point is sought by Anderson mixing (Anderson,
1965, "Iterative procedures for nonlinear integral equations", Journal of the ACM 12) on the forecasts at two levels of
capital.

The residual is the largest difference between the forecast that households trust and the one fitted to what they do, in
log points of capital at 10 % above and below the steady state. It is no NashConv: that the moment forecast with is
enough shows in R^2, and in `forecast_error`, the largest error of mean capital forecast from the first period to the
last with the aggregate states alone (Den Haan, 2010, "Assessing the accuracy of the aggregate law of motion in models
with heterogeneous agents", Journal of Economic Dynamics and Control 34), a share.

The policy is of the quarters that the exact model has; its NashConv there judges the grid and the end besides, which
the economy does not have.

Cost: with 200 x 25 points, and 11,000 periods of 1,000 points, less than two seconds an iteration; some ten are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.games.mean_field.krusell_smith import MOVES, NEWS, KrusellSmithModel
from eqenvs.models.aggregate_economy import AggregateEconomy
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.households import (
    Forecast,
    Grids,
    bracket,
    grids_of,
    household_of,
    live,
    savings_of,
    solve_household,
)
from eqsolvers.iterative import iterative_solver, require_alike

SPREAD = 0.1  # log distance from the steady state at which forecasts are compared
MEMORY = 4  # of Anderson mixing


class Fit(NamedTuple):
    """A forecast fitted to a path of mean capital.

    Attributes:
        forecast: by least squares in each aggregate state.
        r_squared: [Z].
        mean: capital on average.
        error: the largest relative error of a forecast from the first period of the path on.
    """

    forecast: Forecast
    r_squared: Float64Array
    mean: float
    error: float


def aggregate_path(economy: AggregateEconomy, periods: int, rng: np.random.Generator) -> IntArray:
    """Aggregate states [T], from a boom on."""
    stay = np.diag(economy.aggregate_law)
    draw, path = rng.random(periods), np.zeros(periods, dtype=np.int64)
    for t in range(1, periods):
        path[t] = path[t - 1] if draw[t] < stay[path[t - 1]] else 1 - path[t - 1]
    return path


def fitted(path: Float64Array, aggregate: IntArray) -> Fit:
    """The forecast that fits mean capital [T] best."""
    now, later = np.log(path[:-1]), np.log(path[1:])
    found = np.empty((3, 2))
    for z in range(2):
        at = aggregate[:-1] == z
        x, y = now[at], later[at]
        slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
        rest = y - y.mean() - slope * (x - x.mean())
        found[:, z] = y.mean() - slope * x.mean(), slope, 1.0 - rest.var() / y.var()
    guess = np.empty_like(path)
    guess[0] = now[0]
    for t in range(1, len(path)):
        z = aggregate[t - 1]
        guess[t] = found[0, z] + found[1, z] * guess[t - 1]
    error = float(np.abs(np.exp(guess) / path - 1.0).max())
    return Fit(Forecast(found[0], found[1]), found[2], float(path.mean()), error)


def mixed(points: Float64Array, images: Float64Array) -> Float64Array:
    """The next point [D] of Anderson mixing after `points` [M, D], the last one newest, with their images."""
    rest = images - points
    if len(points) == 1:
        return np.asarray(points[-1] + 0.3 * rest[-1])
    steps, turns = np.diff(points, axis=0), np.diff(rest, axis=0)
    share = np.linalg.lstsq(turns.T, rest[-1], rcond=1e-10)[0]
    return np.asarray(points[-1] - share @ steps + 0.3 * (rest[-1] - share @ turns))


class ApproximateAggregation:
    """The process; `points` and `images` [MEMORY + 1, 4] are forecasts tried and fitted, newest last."""

    unit = "periods of the simulation"

    def __init__(self, model: MeanFieldModel, *, seed: int = 0, periods: int = 11_000, own: int = 200, mean: int = 25):
        """Begin with the forecast that capital stays as it is.

        Raises:
            UnsupportedGame: if the model is no aggregate economy.
        """
        if not isinstance(model, KrusellSmithModel):
            raise UnsupportedGame("approximate-aggregation: covers economies with an aggregate shock: krusell_smith")
        self.model, self.economy = model, model.economy
        self.iteration = 0
        self._grids: Grids = grids_of(self.economy, own=own, mean=mean, histogram=1_000)
        self._aggregate = aggregate_path(self.economy, periods, np.random.default_rng([seed, 1998]))
        self._dropped = periods // 11
        self._levels = np.log(self.economy.steady_capital) + SPREAD * np.array([-1.0, 1.0])
        wealth = household_of(self.economy, self._grids, Forecast(np.zeros(2), np.ones(2))).wealth
        self._consumption = np.maximum(wealth - 0.95 * self._grids.own, 0.05 * wealth)
        self._points = np.tile(np.tile(self._levels, 2), (MEMORY + 1, 1))
        self._images = np.full_like(self._points, np.nan)
        self._path = np.full(periods, np.nan)

    @property
    def touched(self) -> int:
        """Periods simulated."""
        return self.iteration * len(self._aggregate)

    def run(self, iterations: int) -> None:
        """Do that many more."""
        for _ in range(iterations):
            if self.iteration:
                first = max(0, MEMORY + 1 - self.iteration)
                trusted = mixed(self._points[first:], self._images[first:])
                self._points = np.concatenate([self._points[1:], trusted[None]])
            self._consumption, _, _ = solve_household(
                self.economy, self._grids, self._forecast(), self._consumption, tolerance=1e-12
            )
            self._path = self._simulated()
            fit = self.fit().forecast
            image = (fit.constant[:, None] + fit.slope[:, None] * self._levels).reshape(-1)
            self._images = np.concatenate([self._images[1:], image[None]])
            self.iteration += 1

    def _forecast(self) -> Forecast:
        """The forecast that households trust."""
        low, high = self._points[-1].reshape(2, 2).T
        slope = (high - low) / (2.0 * SPREAD)
        return Forecast(low - slope * self._levels[0], slope)

    def _simulated(self) -> Float64Array:
        """Mean capital [T]; at first everybody has the steady state's."""
        points = self._grids.histogram
        below, weight = bracket(points, np.array([self.economy.steady_capital]))
        idle = self.economy.unemployment[0]
        population = np.zeros((2, len(points)))
        population[:, below[0]] = np.array([idle, 1.0 - idle]) * (1.0 - weight[0])
        population[:, below[0] + 1] = np.array([idle, 1.0 - idle]) * weight[0]
        path = np.empty(len(self._aggregate))
        savings = savings_of(self.economy, self._grids, self._consumption)
        law = self.economy.employment_law
        live(points, self._grids.mean, savings, law, self._aggregate, population, path)
        return path

    def fit(self) -> Fit:
        """The forecast fitted to the last path, without its first eleventh."""
        return fitted(self._path[self._dropped :], self._aggregate[self._dropped :])

    def residual(self) -> float:
        """Log points between the forecast trusted and the one fitted; infinite before the first iteration."""
        return float(np.abs(self._images[-1] - self._points[-1]).max()) if self.iteration else np.inf

    def measures(self) -> dict[str, float]:
        """The fitted forecast and what it is worth."""
        if not self.iteration:
            return {}
        (constant, slope), r_squared, mean, error = self.fit()
        found = {"mean_capital": mean, "forecast_error": error}
        for z, name in enumerate(("boom", "slump")):
            found |= {f"constant_{name}": constant[z], f"slope_{name}": slope[z], f"r_squared_{name}": r_squared[z]}
        return {name: float(value) for name, value in found.items()}

    def policy(self) -> TabularPolicy:
        """What the savings do in the quarters of the exact model."""
        model = self.model
        policy = np.broadcast_to(model.legal / model.legal.sum(axis=1, keepdims=True), model.policy_shape).copy()
        flow, household = np.empty(model.policy_shape[:3]), self._consumption
        saved = np.maximum(
            household_of(self.economy, self._grids, Forecast(np.zeros(2), np.ones(2))).wealth - household, 0.0
        )
        for moment, (noise, parent) in enumerate(zip(model.moments.noise, model.moments.parent, strict=True)):
            flow[moment] = model.initial if parent < 0 else model.advance(flow[parent], policy, int(parent))
            if noise < NEWS:
                policy[moment, 0] = self._choices(saved[noise], flow[moment, 0])
        return TabularPolicy(model, model.as_tables(policy))

    def _choices(self, saved: Float64Array, mean_field: Float64Array) -> Float64Array:
        """Savings [J, E, G] as a lottery over the two nearest grid points that can be reached, [S, A]."""
        capital, legal = self.model.capital, self.model.legal
        place, employment = self.model.keys.T
        (j,), (up,) = bracket(self._grids.mean, np.array([mean_field @ capital[place]]))
        function = (1.0 - up) * saved[j] + up * saved[j + 1]
        kept = np.stack([np.interp(capital, self._grids.own, row) for row in function])[employment, place]
        most = np.where(legal[:, -1], MOVES[-1], 0)
        step = np.clip((kept - capital[place]) / (capital[1] - capital[0]), MOVES[0], most)
        step = np.clip(step, -place, len(capital) - 1 - place)  # beyond the ends moves are alike
        low = np.minimum(np.floor(step), most - 1).astype(np.int64)
        table, row = np.zeros(legal.shape), np.arange(len(place))
        table[row, low - MOVES[0]] = 1.0 - (step - low)
        table[row, low + 1 - MOVES[0]] = step - low
        return table

    def state(self) -> dict[str, Any]:
        """All that changes, as copies."""
        return {"iteration": self.iteration, **{name: value.copy() for name, value in self._changing().items()}}

    def _changing(self) -> dict[str, Float64Array]:
        return {
            "points": self._points, "images": self._images, "consumption": self._consumption, "path": self._path
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave.

        Raises:
            InputError: if it is of another economy or other settings.
        """
        require_alike(self.state(), state)
        self.iteration = int(state["iteration"])
        self._points, self._images = np.array(state["points"]), np.array(state["images"])
        self._consumption, self._path = np.array(state["consumption"]), np.array(state["path"])


def compile_for(model: MeanFieldModel) -> None:
    """Compile the kernels, or load them from the cache."""
    ApproximateAggregation(model, periods=110, own=10, mean=3).run(1)


def covers(game: Game) -> bool:
    """Whether a game is an economy with an aggregate shock."""
    return isinstance(game.model(), KrusellSmithModel)


SOLVER = iterative_solver(
    "approximate-aggregation",
    ApproximateAggregation,
    source="Krusell and Smith (1998), Journal of Political Economy 106",
    family=Family.MEAN_FIELD,
    compile=compile_for,
    covers=covers,
    random=True,
    check_every=1,
    default_iterations=60,
    preference=-10,
    residual_unit="log points of mean capital",
    parameters=(
        Parameter(name="periods", default=11_000, low=110, high=1_000_000, description="simulated, 1/11 are dropped"),
        Parameter(name="own", default=200, low=10, high=10_000, description="grid points of a household's capital"),
        Parameter(name="mean", default=25, low=3, high=1_000, description="grid points of mean capital"),
    ),
)
