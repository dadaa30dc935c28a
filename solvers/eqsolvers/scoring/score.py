"""The score of a joint policy: values, gains from deviating, and how sure they are.

Definitions, in payoff units; everywhere larger is further from equilibrium and 0 is equilibrium:

- gain of a player: its best response's payoff minus its own, against the others as they are; never negative.
- `nash_conv`: the sum of the gains. For a correlation device, of the product of the players' marginals.
- `exploitability`: `nash_conv / N` of two-player constant-sum games, and of mean-field games per population; no other.
- `cce_gap`: the sum over players of the gain from committing to one policy before the device draws.
- `ce_gap`: the sum over players of the gain from deviating after hearing which of its own policies was drawn: the
  deviations of the normal-form correlated equilibrium, over the device's components.
- `efce_gap`, `efcce_gap`: the sums over players of the gain from leaving the device during play, on hearing an action
  recommended or before hearing it; who has left hears nothing more. A player may leave wherever it pays, going on in
  its own way from each of these places: that is the best response in the game with the device. The literature's
  epsilon is the best single place (`eqsolvers.scoring.triggers` gives both). Of extensive-form games only: in a normal
  form the device has nothing to hold back, and the deviations are those of `ce_gap` (over pure policies) and `cce_gap`.

`ce_gap >= efce_gap >= efcce_gap >= cce_gap >= 0` (proved in `eqsolvers.scoring.triggers`). A product policy is its own
device, so there all of them equal `nash_conv`.

Lanctot et al. (2017), "A unified game-theoretic approach to multiagent reinforcement learning", NeurIPS, for NashConv;
Marris et al. (2021), "Multi-agent training beyond zero-sum with correlated equilibrium meta-solvers", ICML, for
the gaps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.models import Model
from eqenvs.policies import JointPolicy
from eqsolvers.scoring.scorers import scorer


class ScoreKind(StrEnum):
    """What a score guarantees."""

    EXACT = "exact"  # up to float64 rounding
    LOWER_BOUND = "lower_bound"  # true gains are at least these, up to the stated sampling error
    ESTIMATE = "estimate"  # unbiased up to the stated confidence interval


class Gap(NamedTuple):
    """How a gap is shown."""

    title: str
    meaning: str  # one line


GAPS: Mapping[str, Gap] = {
    "ce_gap": Gap("CE gap", "gained, in all, by deviating after hearing which of one's own policies was drawn"),
    "efce_gap": Gap("EFCE gap", "gained, in all, by leaving the device on hearing an action recommended"),
    "efcce_gap": Gap("EFCCE gap", "gained, in all, by leaving the device on arrival, before the recommendation"),
    "cce_gap": Gap("CCE gap", "gained, in all, by committing to one policy before the draw"),
    "markov_ce_gap": Gap("Markov CE gap", "the CE gap with deviations that forget the past"),
    "markov_cce_gap": Gap("Markov CCE gap", "the CCE gap with deviations that forget the past"),
}  # every gap that a `Score` can have, in the order in which they are shown


@dataclass(frozen=True, kw_only=True)
class Score:
    """How far a joint policy is from equilibrium.

    Attributes:
        values: [N] float64, each player's expected payoff under the joint policy.
        gains: [N] float64, each player's gain from deviating. For a device they belong to the product of its marginals,
            where the players' payoffs may differ from `values`. NaN, and null in JSON, where nothing could be computed:
            `detail` says why.
        ce_gap: the players' gains, in all, from deviating after hearing which of their own policies was drawn; None
            where it was not computed, as with all gaps.
        cce_gap: the same, from committing to one policy before the draw.
        efce_gap: the same, from ceasing to follow the device on hearing an action recommended, at whichever information
            sets and actions that pays: the best set of these places, where the literature's epsilon is the best single
            one. None in normal-form games too.
        efcce_gap: the same, from ceasing on arrival at an information set, before the recommendation there.
        markov_ce_gap: of Markov games, `ce_gap` with deviations that forget the past; see `eqsolvers.scoring.markov`.
        markov_cce_gap: the same of `cce_gap`.
        kind: exact, lower bound or estimate.
        normaliser: what `nash_conv` is divided by to give `exploitability`: 2 in two-player constant-sum games, the
            number of populations in mean-field games; None where exploitability is undefined.
        detail: what the kind rests on: best-response learner, budget, seeds, half-width of the 95 % interval; of a
            run's score also `measures`, the learner's own figures.
    """

    values: Float64Array
    gains: Float64Array
    kind: ScoreKind
    normaliser: int | None
    ce_gap: float | None = None
    cce_gap: float | None = None
    efce_gap: float | None = None
    efcce_gap: float | None = None
    markov_ce_gap: float | None = None
    markov_cce_gap: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def nash_conv(self) -> float:
        """The sum of the players' gains; NaN where one of them is."""
        return float(sum(self.gains.tolist()))  # a few numbers: numpy's own sum takes ten times as long

    @property
    def nash_conv_or_none(self) -> float | None:
        """The same, None where it is NaN."""
        return _or_none(self.nash_conv)

    @property
    def welfare(self) -> float:
        """The sum of the players' values."""
        return float(self.values.sum())

    @property
    def exploitability(self) -> float:
        """`nash_conv / normaliser`.

        Raises:
            UnsupportedGame: unless the game is two-player constant-sum or a mean-field game.
        """
        if self.normaliser is None:
            raise UnsupportedGame(
                "exploitability is defined for two-player constant-sum games and for mean-field games; use nash_conv"
            )
        return self.nash_conv / self.normaliser

    @property
    def exploitability_or_none(self) -> float | None:
        """The same, None where it is undefined or NaN."""
        return None if self.normaliser is None else _or_none(self.exploitability)

    @property
    def gaps(self) -> dict[str, float]:
        """Those of `GAPS` that were computed, by name and in its order."""
        found = {name: getattr(self, name) for name in GAPS}
        return {name: gap for name, gap in found.items() if gap is not None}

    def to_dict(self) -> dict[str, Any]:
        """The score as JSON data; exploitability is null where it is undefined."""
        return {
            "values": [float(v) for v in self.values],
            "gains": [_or_none(gain) for gain in self.gains.tolist()],
            "nash_conv": self.nash_conv_or_none,
            "exploitability": self.exploitability_or_none,
            **{name: getattr(self, name) for name in GAPS},
            "welfare": self.welfare,
            "kind": self.kind.value,
            "detail": dict(self.detail),
        }


def score(game: Game | Model, policy: JointPolicy) -> Score:
    """The exact score of a joint policy.

    Args:
        game: a game with `scored_exactly`, or an exact model.
        policy: any joint policy; it is evaluated at every information state, once.

    Raises:
        GameTooLargeError: if the game has no exact scores; `score_by_simulation` gives a lower bound then.
        PolicyError: if the policy misses an information state or gives something that is no distribution.
        UnsupportedGame: if the model's family has no exact evaluation.

    >>> import eqenvs
    >>> from eqenvs.policies import uniform
    >>> kuhn = eqenvs.make("kuhn_poker")
    >>> round(score(kuhn, uniform(kuhn)).nash_conv, 6)
    0.916667
    """
    return scorer(game).score(policy)


def best_response(game: Game | Model, player: int, policy: JointPolicy) -> tuple[float, Float64Array]:
    """The exact best response of one player to the others' policies.

    Args:
        game: a game that can be enumerated, or its exact model.
        player: who responds.
        policy: the joint policy; the responder's own entries do not matter. To a correlation device the player
            commits before the draw. In Markov games the device must be drawn anew at every state; to one that is drawn
            for the whole game the best response has a memory, which no table holds.

    Returns:
        Its payoff, and a pure table [I, A].

    Raises:
        PolicyError: if a player's policy is missing.
        UnsupportedGame: if the model's family has no exact evaluation, or the best response has a memory.
    """
    return scorer(game).best_response(player, policy)


def warm_up(game: Game | Model) -> None:
    """Lay out a model for scoring, and compile what that takes or load it from the cache: for timings without these."""
    scorer(game).warm_up()


def _or_none(figure: float) -> float | None:
    return None if math.isnan(figure) else figure
