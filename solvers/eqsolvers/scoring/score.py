"""The score of a joint policy: values, gains from deviating, and how sure they are.

Definitions, in payoff units; everywhere larger is further from equilibrium and 0 is equilibrium:

- gain of a player: its best response's payoff minus its own, against the others as they are; never negative.
- `nash_conv`: the sum of the gains. For a correlation device, of the product of the players' marginals.
- `exploitability`: `nash_conv / N`, for two-player constant-sum games only.
- `cce_gap`: the sum over players of the gain from committing to one policy before the device draws.
- `ce_gap`: the sum over players of the gain from deviating after hearing which of its own policies was drawn: the
  deviations of the normal-form correlated equilibrium, over the device's components.

A product policy is its own device, so there `ce_gap` and `cce_gap` equal `nash_conv`.

Lanctot et al. (2017), "A unified game-theoretic approach to multiagent reinforcement learning", NeurIPS, for NashConv;
Marris et al. (2021), "Multi-agent training beyond zero-sum with correlated equilibrium meta-solvers", ICML, for
the gaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game, Model
from eqenvs.models import ExtensiveFormModel, NormalFormModel
from eqenvs.policies import (
    JointPolicy,
    MixturePolicy,
    TabularPolicy,
    flatten,
    player_entries,
    player_table,
    tabulate,
)
from eqsolvers.scoring.deviations import deviation


class ScoreKind(StrEnum):
    """What a score guarantees."""

    EXACT = "exact"  # up to float64 rounding
    LOWER_BOUND = "lower_bound"  # true gains are at least these, up to the stated sampling error
    ESTIMATE = "estimate"  # unbiased up to the stated confidence interval


@dataclass(frozen=True, kw_only=True)
class Score:
    """How far a joint policy is from equilibrium.

    Attributes:
        values: [N] float64, each player's expected payoff under the joint policy.
        gains: [N] float64, each player's gain from deviating. For a device they belong to the product of its marginals,
            where the players' payoffs may differ from `values`.
        ce_gap: see the module; None where it was not computed.
        cce_gap: see the module; None where it was not computed.
        kind: exact, lower bound or estimate.
        constant_sum: whether the game is two-player constant-sum, so that `exploitability` is defined.
        detail: what the kind rests on: best-response learner, budget, seeds, half-width of the 95 % interval.
    """

    values: Float64Array
    gains: Float64Array
    ce_gap: float | None
    cce_gap: float | None
    kind: ScoreKind
    constant_sum: bool
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def nash_conv(self) -> float:
        """The sum of the players' gains."""
        return float(self.gains.sum())

    @property
    def welfare(self) -> float:
        """The sum of the players' values."""
        return float(self.values.sum())

    @property
    def exploitability(self) -> float:
        """`nash_conv / num_players`.

        Raises:
            UnsupportedGame: unless the game is two-player constant-sum.
        """
        if not self.constant_sum:
            raise UnsupportedGame("exploitability is defined for two-player constant-sum games; use nash_conv")
        return self.nash_conv / len(self.values)

    def to_dict(self) -> dict[str, Any]:
        """The score as JSON data; exploitability is null where it is undefined."""
        return {
            "values": [float(v) for v in self.values],
            "gains": [float(g) for g in self.gains],
            "nash_conv": self.nash_conv,
            "exploitability": self.exploitability if self.constant_sum else None,
            "ce_gap": self.ce_gap,
            "cce_gap": self.cce_gap,
            "welfare": self.welfare,
            "kind": self.kind.value,
            "detail": dict(self.detail),
        }


def score(game: Game | Model, policy: JointPolicy) -> Score:
    """The exact score of a joint policy.

    Args:
        game: a game that can be enumerated, or its exact model.
        policy: any joint policy; it is evaluated at every information state, once.

    Raises:
        GameTooLargeError: if the game cannot be enumerated; `score_by_simulation` gives a lower bound then.
        PolicyError: if the policy misses an information state or gives something that is no distribution.
        UnsupportedGame: if the model's family has no exact evaluation.

    >>> import eqenvs
    >>> from eqenvs.policies import uniform
    >>> kuhn = eqenvs.make("kuhn_poker")
    >>> round(score(kuhn, uniform(kuhn)).nash_conv, 6)
    0.916667
    """
    model = game.model() if isinstance(game, Game) else game
    if not isinstance(model, ExtensiveFormModel | NormalFormModel):
        raise UnsupportedGame(f"no exact scoring for {type(model).__name__} yet")
    n = model.num_players
    constant_sum = n == 2 and model.constant_sum()
    if not (isinstance(policy, MixturePolicy) and n > 1):
        product = tabulate(model, policy)
        found = [deviation(model, player, [product.tables], [1.0]) for player in range(n)]
        gains = _gains([(d.best_value, d.value) for d in found])
        total = float(gains.sum())
        values = np.array([d.value for d in found])
        return Score(
            values=values, gains=gains, ce_gap=total, cce_gap=total, kind=ScoreKind.EXACT, constant_sum=constant_sum
        )
    components, weights = flatten(policy)
    tables = [tabulate(model, component).tables for component in components]
    committed = [deviation(model, player, tables, list(weights)) for player in range(n)]
    marginals = TabularPolicy(model, [model.mix(p, np.stack([t[p] for t in tables]), weights) for p in range(n)])
    independent = [deviation(model, player, [marginals.tables], [1.0]) for player in range(n)]
    return Score(
        values=np.array([d.value for d in committed]),
        gains=_gains([(d.best_value, d.value) for d in independent]),
        ce_gap=float(sum(_recommended_gain(model, player, tables, weights) for player in range(n))),
        cce_gap=float(_gains([(d.best_value, d.value) for d in committed]).sum()),
        kind=ScoreKind.EXACT,
        constant_sum=constant_sum,
    )


def _gains(pairs: list[tuple[float, float]]) -> Float64Array:
    """Best value minus value; rounding can leave a negative of a few ulps, which is no gain."""
    return np.array([max(0.0, best - value) for best, value in pairs])


def _recommended_gain(
    model: ExtensiveFormModel | NormalFormModel,
    player: int,
    tables: list[tuple[Float64Array, ...]],
    weights: Float64Array,
) -> float:
    """The player's gain when it hears which of its own policies was drawn and may replace it."""
    groups: dict[bytes, list[int]] = {}
    for index, profile in enumerate(tables):
        groups.setdefault(profile[player].tobytes(), []).append(index)
    gain = 0.0
    for members in groups.values():
        at = deviation(model, player, [tables[i] for i in members], [float(weights[i]) for i in members])
        gain += max(0.0, at.best_value - at.value)
    return gain


def best_response(game: Game | Model, player: int, policy: JointPolicy) -> tuple[float, Float64Array]:
    """The exact best response of one player to the others' policies.

    Args:
        game: a game that can be enumerated, or its exact model.
        player: who responds.
        policy: the joint policy; the responder's own entries do not matter. To a correlation device the player
            commits before the draw.

    Returns:
        Its payoff, and a pure table [I, A].

    Raises:
        PolicyError: if a player's policy is missing.
    """
    model = game.model() if isinstance(game, Game) else game
    if not isinstance(model, ExtensiveFormModel | NormalFormModel):
        raise UnsupportedGame(f"no exact best response for {type(model).__name__} yet")
    n = model.num_players
    device = isinstance(policy, MixturePolicy) and n > 1
    components, weights = flatten(policy) if device else ([policy], np.ones(1))  # type: ignore[arg-type]
    profiles = []
    for component in components:
        entries = player_entries(component, n)
        profiles.append(
            [
                model.information_states[p].uniform() if p == player else player_table(model, p, entries[p])
                for p in range(n)
            ]
        )
    found = deviation(model, player, profiles, [float(weight) for weight in weights])
    return found.best_value, found.best_policy
