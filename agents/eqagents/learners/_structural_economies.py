"""Economies of households who save, for `structural_rl`: budgets and the clearing of markets, batched over paths.

A household sees its own assets and employment, the aggregate state and one number that all prices follow from, the
signal: mean capital in the Krusell-Smith economy, as interest and wage are functions of it and of the aggregate state,
and the price of a bond in Huggett's. Nothing here is differentiated but budgets and utility.

Axis letters: Z aggregate states, J signals, E employment states, G points of a household's assets where its policy is
known, H points where the population is counted, B paths.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.games.mean_field import huggett
from eqenvs.games.mean_field.krusell_smith import KrusellSmithModel
from eqenvs.models.aggregate_economy import AggregateEconomy

SPREAD = 0.1  # of the grid of mean capital around the steady state, each way
MARGIN = 0.005  # log, of the grid of bond prices beyond those that the supply can bring about


def bracket(points: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The point below each value, and the weight of the one above; values outside count as the end of the range."""
    inside = values.clamp(points[0], points[-1])
    below = (torch.searchsorted(points, inside.contiguous(), right=True) - 1).clamp(0, len(points) - 2)
    return below, (inside - points[below]) / (points[below + 1] - points[below])


def between(table: Tensor, below: Tensor, weight: Tensor) -> Tensor:
    """A table [..., H] between its points, at [..., n]."""
    low = table.gather(-1, below)
    return low + weight * (table.gather(-1, below + 1) - low)


def shared_out(mass: Tensor, below: Tensor, weight: Tensor) -> Tensor:
    """Masses [..., H] that move to places between points, shared so that their means are kept (Young, 2010)."""
    found = torch.zeros_like(mass).scatter_add_(-1, below, mass * (1.0 - weight))
    return found.scatter_add_(-1, below + 1, mass * weight)


@dataclass(frozen=True, eq=False, kw_only=True)
class Economy(ABC):
    """What households know, and how prices are made; tensors are float64 on one device.

    Attributes:
        discount: of utility.
        risk_aversion: 1 is log utility.
        floor: consumption below which utility goes on linearly.
        aggregate_law: [Z, Z].
        employment_law: [Z, Z', E, E'].
        own: [G], from the least that can be held.
        points: [H], from the least that can be held.
        signals: [J].
        start: assets of everybody at first.
        idle: [Z, E], shares of the employment states.
    """

    discount: float
    risk_aversion: float
    floor: float
    aggregate_law: Float64Array = field(repr=False)
    employment_law: Tensor = field(repr=False)
    own: Tensor = field(repr=False)
    points: Tensor = field(repr=False)
    signals: Tensor = field(repr=False)
    start: float
    idle: Tensor = field(repr=False)

    @abstractmethod
    def wealth(self, aggregate: Tensor, signal: Tensor, assets: Tensor) -> Tensor:
        """What can be spent [..., E, n], in aggregate states [...] at signals [...], of assets [n]."""

    @abstractmethod
    def gross(self, aggregate: Tensor, signal: Tensor) -> Tensor:
        """What a unit held is worth a period later [...], where these are that period's state and signal."""

    @abstractmethod
    def cost(self, signal: Tensor) -> Tensor:
        """Of a unit to hold next [...]."""

    @abstractmethod
    def clear(self, aggregate: Tensor, population: Tensor, saved: Tensor) -> Tensor:
        """The signal [B] that a population [B, E, H] brings about in states [B] where it saves by `saved`."""

    def utility(self, consumption: Tensor) -> Tensor:
        """Of consumption, by the tangent below the floor."""
        safe, power = consumption.clamp(min=self.floor), self.risk_aversion
        worth = safe.log() if power == 1.0 else safe ** (1.0 - power) / (1.0 - power)
        found: Tensor = worth + self.floor**-power * (consumption - safe)
        return found

    def most(self) -> Tensor:
        """What can be consumed at most, [Z, J, E, G]."""
        signal = self.signals.expand(len(self.aggregate_law), -1)
        states = torch.arange(len(signal), device=signal.device)[:, None].expand_as(signal)
        least = self.cost(signal)[..., None, None] * self.own[0]
        return (self.wealth(states, signal, self.own) - least).clamp(min=0.0)

    def on_points(self, table: Tensor) -> Tensor:
        """A function [..., G] of own assets at the points of the population, [..., H]."""
        below, weight = bracket(self.own, self.points)
        low = table[..., below]
        return low + weight * (table[..., below + 1] - low)

    def saved(self, share: Tensor) -> Tensor:
        """Assets next at the points [Z, J, E, H], where shares [Z, J, E, G] of the most are consumed."""
        kept = self.own[0] + (1.0 - share) * self.most() / self.cost(self.signals)[:, None, None]
        return self.on_points(kept.clamp(max=float(self.points[-1])))

    def first(self, aggregate: Tensor) -> Tensor:
        """The population [B, E, H] where everybody has the assets `start`, in states [B]."""
        below, weight = bracket(self.points, torch.tensor([self.start], dtype=torch.float64, device=self.own.device))
        place = torch.zeros_like(self.points)
        place[below], place[below + 1] = 1.0 - weight, weight
        return self.idle[aggregate][..., None] * place


@dataclass(frozen=True, eq=False, kw_only=True)
class CapitalEconomy(Economy):
    """Krusell-Smith: what is held is capital, which firms rent in competition."""

    economy: AggregateEconomy

    def _law(self, aggregate: Tensor) -> tuple[Tensor, Tensor]:
        labour = torch.tensor(self.economy.labour, device=aggregate.device)
        return labour[aggregate], torch.tensor(self.economy.productivity, device=aggregate.device).double()[aggregate]

    def wealth(self, aggregate: Tensor, signal: Tensor, assets: Tensor) -> Tensor:
        """See `Economy`."""
        wage = self.economy.wage(signal, *self._law(aggregate))[..., None]
        income = wage * torch.tensor(self.economy.labour_income, device=signal.device)[aggregate]
        found: Tensor = self.gross(aggregate, signal)[..., None, None] * assets + income[..., None]
        return found

    def gross(self, aggregate: Tensor, signal: Tensor) -> Tensor:
        """See `Economy`."""
        found: Tensor = self.economy.gross_return(signal, *self._law(aggregate))
        return found

    def cost(self, signal: Tensor) -> Tensor:
        """See `Economy`."""
        return torch.ones_like(signal)

    def clear(self, aggregate: Tensor, population: Tensor, saved: Tensor) -> Tensor:
        """Mean capital: all of it is rented out, whatever is saved next."""
        del aggregate, saved
        return (population * self.points).sum((-1, -2))


@dataclass(frozen=True, eq=False, kw_only=True)
class BondEconomy(Economy):
    """Huggett: what is held are bonds, whose price clears their market within the period.

    Their supply is slope^-1 log(signal / price), as the game's price is price exp(slope mean bonds): where the
    population rests both are the same. Without a slope there is any amount at `price`; with an infinite one, none.

    Attributes:
        endowment: [E].
        price: where the supply is zero.
        slope: of the log price in the supply; inf: zero net supply.
    """

    endowment: Tensor = field(repr=False)
    price: float
    slope: float

    def wealth(self, aggregate: Tensor, signal: Tensor, assets: Tensor) -> Tensor:
        """See `Economy`."""
        found = assets + self.endowment[:, None]
        return found.expand(*signal.shape, *found.shape)

    def gross(self, aggregate: Tensor, signal: Tensor) -> Tensor:
        """See `Economy`."""
        return torch.ones_like(signal)

    def cost(self, signal: Tensor) -> Tensor:
        """See `Economy`."""
        return signal

    def clear(self, aggregate: Tensor, population: Tensor, saved: Tensor) -> Tensor:
        """The price at which demand, linear between signals, is supply, linear too; an end where there is none.

        Policies are functions of the price, so what the population demands at all prices of the grid says where.
        """
        demand = torch.einsum("beh,bjeh->bj", population, saved[aggregate])
        excess = demand if np.isinf(self.slope) else self.slope * demand - (self.signals / self.price).log()
        below = ((excess[:, :-1] > 0) & (excess[:, 1:] <= 0)).double()
        crossing = torch.where(below.sum(1) > 0, below.argmax(1), torch.where(excess[:, 0] > 0, len(below[0]) - 1, 0))
        low, high = (excess.gather(1, (crossing + i)[:, None])[:, 0] for i in range(2))
        fall = low - high
        weight = torch.where(fall > 0, low / fall.clamp(min=1e-300), (low > 0).double()).clamp(0.0, 1.0)
        return self.signals[crossing] + weight * (self.signals[crossing + 1] - self.signals[crossing])


def economy_of(
    game: Game, *, own: int, points: int, signals: int, zero_net_supply: bool, device: torch.device
) -> Economy:
    """The economy that a game is an exact model of.

    Raises:
        UnsupportedGame: if it is none.
    """

    def dense(low: float, high: float, count: int, power: float) -> Tensor:
        return torch.tensor(low + (high - low) * np.linspace(0.0, 1.0, count) ** power, device=device)

    def tensor(array: Any) -> Tensor:
        return torch.tensor(np.asarray(array, dtype=np.float64), device=device)

    if game.spec.id == "krusell_smith":
        model = game.model()
        assert isinstance(model, KrusellSmithModel)  # by its builder
        economy, steady = model.economy, model.economy.steady_capital
        idle = np.array(economy.unemployment)
        return CapitalEconomy(
            economy=economy,
            discount=economy.discount,
            risk_aversion=economy.risk_aversion,
            floor=1e-3,
            aggregate_law=economy.aggregate_law,
            employment_law=tensor(economy.employment_law),
            own=dense(0.0, 4.0 * steady, own, 2.0),
            points=dense(0.0, 4.0 * steady, points, 2.0),
            signals=tensor(np.linspace(1.0 - SPREAD, 1.0 + SPREAD, signals) * steady),
            start=steady,
            idle=tensor(np.stack([idle, 1.0 - idle], axis=1)),
        )
    if game.spec.id == "huggett":
        chosen: dict[str, Any] = dict(game.parameters)
        limit, top, price, slope = (float(chosen[name]) for name in ("limit", "top", "price", "slope"))
        ends = (np.log(huggett.DISCOUNT), 0.04) if zero_net_supply else np.log(price) + slope * np.array([-limit, top])
        law = huggett.LAW
        share = np.array([[law[1, 0], law[0, 1]]]) / (law[1, 0] + law[0, 1])
        return BondEconomy(
            endowment=tensor(huggett.ENDOWMENT),
            price=price,
            slope=np.inf if zero_net_supply else slope,
            discount=huggett.DISCOUNT,
            risk_aversion=float(chosen["risk_aversion"]),
            floor=huggett.FLOOR,
            aggregate_law=np.ones((1, 1)),
            employment_law=tensor(law[None, None]),
            own=dense(-limit, top, own, 1.5),
            points=dense(-limit, top, points, 1.2),
            signals=tensor(np.exp(np.linspace(ends[0] - MARGIN, ends[1] + MARGIN, signals))),
            start=0.0,
            idle=tensor(share),
        )
    raise UnsupportedGame(f"structural_rl: covers krusell_smith and huggett, not {game.spec.id}")
