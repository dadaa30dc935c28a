"""Structural reinforcement learning: households of a simulated economy climb their own lifetime reward.

Yang, Wang, Schaab and Moll (2025), "Structural reinforcement learning for heterogeneous agent macroeconomics", arXiv
2512.18892, section 3, Algorithm 1. A policy sees a household's own state, the aggregate state and prices, not the
distribution; it is a table that is interpolated. An update simulates paths of the economy under the policy, with the
distribution as Young's histogram and markets cleared in every period, and goes up the gradient of the lifetime reward
of households who start uniformly on the grid. The gradient is exact through their own budget and transition; prices
are taken as given. Nobody forecasts prices by a stated law, as they do in `approximate-aggregation`.

In the Krusell-Smith economy interest and wage are functions of mean capital and the aggregate state, so these stand for
both prices. In Huggett's economy the price of bonds clears their market in each period by the demand that the policy
states at all prices; bonds are supplied as the game says, or not at all.

Differences from the paper: the table holds the share consumed of what can be consumed, through a logistic function;
lifetimes go on after the last period at a worth fitted to earlier paths (`tail`), where the paper cuts them off
after as many periods as discounting needs, so `periods` can be few; populations are stretched by up to `stretch` at
first, so that there is something to learn from beside the cycle; Adam's steps shrink like 1 / (1 + n / `cooling`), and
the policy scored is an average of the iterates that gives the n-th the weight n^2.

The score is that of the exact model, which for the Krusell-Smith economy is a few quarters on a coarse grid; `measures`
are of the economy itself, along held-out paths: lifetime reward, mean assets, Euler errors.

Cost of an update: O(`periods` `paths` E `points`) in some thirty tensor operations a period. On a GPU sums are in no
fixed order, so runs repeat to rounding only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor, one_torch_thread
from eqagents.learners import Learner, LearnerSpec
from eqagents.learners._structural_economies import Economy, economy_of
from eqagents.learners._structural_paths import (
    Evaluation,
    aggregate_paths,
    at_signal,
    evaluate,
    rescaled,
    simulate,
    surrogate,
    tail_after,
    worths,
)
from eqenvs.arrays import Float64Array, IntArray, require_torch_device
from eqenvs.game import Game
from eqenvs.games.mean_field.huggett import grid_of
from eqenvs.games.mean_field.krusell_smith import KrusellSmithModel
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import JointPolicy, TabularPolicy
from eqsolvers.households import Forecast, grids_of, household_of
from eqsolvers.mean_field.approximate_aggregation import ApproximateAggregation

KEPT = 0.95  # share of assets that are held on to at first
BETAS, EPSILON = (0.9, 0.99), 1e-14  # of Adam; gradients are as small as the mass of a point
HELD_OUT = 1998  # stream of the paths that are never learnt from


class StructuralRLConfig(NamedSettings):
    """Settings of the learner `structural_rl`."""

    id: Literal["structural_rl"] = "structural_rl"
    updates_per_step: int = Field(default=20, ge=1, description="gradient steps in one iteration of the learner")
    paths: int = Field(default=8, ge=1, description="simulated in an update")
    periods: int = Field(default=80, ge=2, description="of a path; what comes after is worth what it was on average")
    own: int = Field(default=60, ge=5, description="grid points of a household's assets where the policy is known")
    points: int = Field(default=200, ge=5, description="of the histogram of the population")
    signals: int = Field(default=5, ge=2, description="grid points of mean capital, or of the price of bonds")
    stretch: float = Field(default=0.1, ge=0, lt=1, description="most by which assets are stretched at a path's start")
    learning_rate: float = Field(default=0.1, gt=0, description="of Adam, in log odds of the share consumed")
    cooling: float = Field(default=100.0, gt=0, description="updates after which the learning rate is half")
    zero_net_supply: bool = Field(default=False, description="huggett: no bonds are supplied at any price")
    held_out: tuple[int, int] = Field(default=(4, 600), description="paths and periods that policies are judged on")
    device: str = Field(default="cpu", description="torch device of the economy")


@dataclass(frozen=True)
class StructuralState:
    """Where learning stands.

    Attributes:
        iteration: steps done.
        updates: gradient steps done.
        entropy: of all random streams.
        logits: [Z, J, E, G], log odds of the share consumed.
        average: [Z, J, E, G], of the logits.
        first: [Z, J, E, G], Adam's mean gradient.
        second: [Z, J, E, G], Adam's mean squared gradient.
        tail: [Z, J, E, H], worth of a state at the end of a path.
        population: [B, E, H], where the last paths ended.
        aggregate: [B], the same.
    """

    iteration: int
    updates: int
    entropy: int
    logits: Float64Array
    average: Float64Array
    first: Float64Array
    second: Float64Array
    tail: Float64Array
    population: Float64Array
    aggregate: IntArray


class StructuralRL(Learner[StructuralState]):
    """See the module."""

    def __init__(self, game: Game, config: StructuralRLConfig) -> None:
        self._game, self._config = game, config
        self._device = require_torch_device(torch, config.device)
        self.economy: Economy = economy_of(
            game,
            own=config.own,
            points=config.points,
            signals=config.signals,
            zero_net_supply=config.zero_net_supply,
            device=self._device,
        )
        self._evaluated: tuple[StructuralState, Evaluation] | None = None

    def init(self, seed: np.random.SeedSequence) -> StructuralState:
        """Households who keep most of what they have; the same for every seed but for the paths to come."""
        economy, paths = self.economy, self._config.paths
        most = economy.most()
        keeps = economy.cost(economy.signals)[:, None, None] * KEPT * (economy.own - economy.own[0])
        middle = len(economy.signals) // 2  # a share that is the same at all prices makes demand fall in them
        share = (1.0 - keeps / most.clamp(min=1e-9))[:, middle : middle + 1].clamp(0.02, 0.98).expand_as(most)
        logits = (share / (1.0 - share)).log().cpu().numpy().copy()
        aggregate = np.arange(paths) % len(economy.aggregate_law)
        return StructuralState(
            iteration=0,
            updates=0,
            entropy=int(seed.generate_state(1, np.uint32)[0]),
            logits=logits,
            average=logits,
            first=np.zeros_like(logits),
            second=np.zeros_like(logits),
            tail=self._annuity().cpu().numpy(),
            population=economy.first(self._there(aggregate)).cpu().numpy(),
            aggregate=aggregate,
        )

    def step(self, state: StructuralState) -> tuple[StructuralState, dict[str, float]]:
        """Some gradient steps."""
        started, rewards, means = time.perf_counter(), [], []
        with one_torch_thread("structural_rl"):
            for _ in range(self._config.updates_per_step):
                state, reward, signal = self._update(state)
                rewards.append(reward)
                means.append(signal)
        config = self._config
        after = StructuralState(**{**_values(state), "iteration": state.iteration + 1})
        return after, {
            "structural/lifetime_reward": float(np.mean(rewards)),
            "structural/mean_signal": float(np.mean(means)),
            "structural/updates": float(after.updates),
            "samples/periods": float(after.updates * config.paths * config.periods),
            "time/updates_s": time.perf_counter() - started,
        }

    def average_policy(self, state: StructuralState) -> JointPolicy:
        """The averaged policy, in the exact model of the game."""
        if self._game.spec.id == "krusell_smith":
            return self._quarters(state)
        return self._bonds(state)

    def measures(self, state: StructuralState) -> dict[str, float]:
        """The averaged policy in the economy, along held-out paths; see `Evaluation`."""
        found = self.evaluation(state)
        names = ("lifetime_reward", "mean_signal", "mean_assets", "euler_error", "euler_error_99")
        return {name: float(getattr(found, name)) for name in names}

    def saved(self, state: StructuralState) -> Tensor:
        """Assets next [Z, J, E, H] by the averaged policy."""
        return self.economy.saved(torch.sigmoid(self._there(state.average)))

    def held_out(self) -> Tensor:
        """Aggregate states [T + 1, B] that are never learnt from, the same for every seed."""
        (paths, periods), law = self._config.held_out, self.economy.aggregate_law
        first = np.arange(paths) % len(law)
        return self._there(aggregate_paths(law, first, periods, np.random.default_rng(HELD_OUT)))

    def evaluation(self, state: StructuralState) -> Evaluation:
        """The averaged policy on the held-out paths."""
        if self._evaluated is None or self._evaluated[0] is not state:
            with one_torch_thread("structural_rl"):
                self._evaluated = (state, evaluate(self.economy, self.saved(state), self.held_out()))
        return self._evaluated[1]

    def to_tree(self, state: StructuralState) -> dict[str, Any]:
        """See `Learner`."""
        return _values(state)

    def from_tree(self, tree: dict[str, Any]) -> StructuralState:
        """See `Learner`."""
        return StructuralState(**tree)

    def _there(self, array: Any) -> Tensor:
        return torch.tensor(array, device=self._device)

    def _annuity(self) -> Tensor:
        """Worth [Z, J, E, H] of consuming for ever the interest on assets and the mean income of the steady state."""
        economy = self.economy
        middle = economy.signals[len(economy.signals) // 2].expand(len(economy.aggregate_law))
        states = torch.arange(len(middle), device=self._device)
        income = (economy.wealth(states, middle, economy.points[:1])[..., 0] * economy.idle).sum(-1).mean()
        # Of the least assets what they are worth now is taken off again.
        income = income - economy.gross(states, middle).mean() * economy.points[0]
        for_ever = (1.0 / economy.discount - 1.0) * economy.points + income
        worth = economy.utility(for_ever) / (1.0 - economy.discount)
        shape = (len(economy.aggregate_law), len(economy.signals), economy.idle.shape[1], len(economy.points))
        return worth.expand(shape)

    def _update(self, state: StructuralState) -> tuple[StructuralState, float, float]:
        """One gradient step; also the households' lifetime reward and the mean signal."""
        economy, config = self.economy, self._config
        rng = np.random.default_rng([state.entropy, state.updates])
        aggregate = self._there(aggregate_paths(economy.aggregate_law, state.aggregate, config.periods, rng))
        factor = self._there(rng.uniform(1.0 - config.stretch, 1.0 + config.stretch, config.paths))
        population = rescaled(economy, self._there(state.population), factor)
        spread = torch.full_like(population, 1.0 / len(economy.points)) * economy.idle[aggregate[0]][..., None]
        logits, tail = self._there(state.logits).requires_grad_(), self._there(state.tail)
        saved = economy.saved(torch.sigmoid(logits))
        fixed = saved.detach()
        paths = simulate(economy, fixed, aggregate, population, spread)
        worth, ahead = worths(economy, fixed, paths, tail)
        (gradient,) = torch.autograd.grad(surrogate(economy, saved, paths, ahead), logits)
        count = state.updates + 1
        first = BETAS[0] * state.first + (1.0 - BETAS[0]) * (slope := gradient.cpu().numpy())
        second = BETAS[1] * state.second + (1.0 - BETAS[1]) * slope**2
        scale = np.sqrt(second / (1.0 - BETAS[1] ** count)) + EPSILON
        rate = config.learning_rate / (1.0 + state.updates / config.cooling)
        changed = np.clip(state.logits + rate * first / (1.0 - BETAS[0] ** count) / scale, -12.0, 12.0)
        average = state.average + 3.0 / (count + 2.0) * (changed - state.average)
        after = StructuralState(
            iteration=state.iteration,
            updates=count,
            entropy=state.entropy,
            logits=changed,
            average=average,
            first=first,
            second=second,
            tail=tail_after(economy, paths, worth, tail).cpu().numpy(),
            population=paths.population[-1].cpu().numpy(),
            aggregate=aggregate[-1].cpu().numpy(),
        )
        reward = float((spread * worth[0]).sum((-1, -2)).mean())
        return after, reward, float(paths.signal.mean())

    def _quarters(self, state: StructuralState) -> TabularPolicy:
        """In the quarters of the Krusell-Smith game, tabulated as the savings of approximate aggregation are."""
        model, economy, saved = self._game.model(), self.economy, self.saved(state)
        assert isinstance(model, KrusellSmithModel)  # by `economy_of`
        process = ApproximateAggregation(model, periods=110)
        begun = process.state()
        zs, js, _, size = begun["consumption"].shape
        grids = grids_of(model.economy, own=size, mean=js, histogram=2)
        wealth = household_of(model.economy, grids, Forecast(np.zeros(2), np.ones(2))).wealth
        states = torch.arange(zs, device=self._device)[:, None].expand(zs, js)
        there = at_signal(economy, saved, states, self._there(grids.mean).expand(zs, js)).cpu().numpy()
        points = economy.points.cpu().numpy()
        kept = np.apply_along_axis(lambda row: np.interp(grids.own, points, row), -1, there)
        process.restore({**begun, "consumption": wealth - kept})
        return process.policy()

    def _bonds(self, state: StructuralState) -> TabularPolicy:
        """In Huggett's game, at the price that the held-out paths end with; between two grid points by lot."""
        model, economy = self._game.model(), self.economy
        assert isinstance(model, MeanFieldModel)  # by `economy_of`
        price = self._there(self.evaluation(state).last_signal.mean())
        still = torch.zeros((), dtype=torch.int64, device=self._device)
        rows = at_signal(economy, self.saved(state), still, price).cpu().numpy()
        chosen: dict[str, Any] = dict(self._game.parameters)
        bonds = grid_of(chosen["limit"], chosen["top"], chosen["points"])
        place, endowment = model.keys.T
        points = economy.points.cpu().numpy()
        kept = np.stack([np.interp(bonds, points, row) for row in rows])[endowment, place]
        most = model.legal.sum(axis=1) - 1  # legal are the first so many
        step = np.clip((kept - bonds[0]) / (bonds[1] - bonds[0]), 0, most)
        low = np.minimum(np.floor(step), np.maximum(most - 1, 0)).astype(np.int64)
        table, row = np.zeros(model.legal.shape), np.arange(len(place))
        table[row, np.minimum(low + 1, most)] = step - low
        table[row, low] += 1.0 - (step - low)
        return TabularPolicy(model, model.as_tables(table[None, None]))


def _values(state: StructuralState) -> dict[str, Any]:
    return {each.name: getattr(state, each.name) for each in fields(state)}


def build(game: Game, config: StructuralRLConfig, executor: Executor) -> StructuralRL:
    """The learner of a run; an update is one batch, so the executor has nothing to do."""
    del executor
    return StructuralRL(game, config)


LEARNER = LearnerSpec(
    id="structural_rl",
    config=StructuralRLConfig,
    build=build,
    source="Yang, Wang, Schaab and Moll (2025), arXiv 2512.18892, Algorithm 1",
)
