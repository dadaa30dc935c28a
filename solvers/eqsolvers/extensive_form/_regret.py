"""Regret minimisation at every information set: the state of the CFR family, its schedules, and its run loop.

Zinkevich, Johanson, Bowling and Piccione (2007), "Regret minimization in games with incomplete information", NeurIPS.
The members of the family, one file each beside this one, differ in a `Schedule`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from eqenvs.arrays import Array, Float64Array, IntArray, device_of, make_backend, namespace
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.extensive_form import _kernel, _lane_kernel
from eqsolvers.extensive_form._array_loops import ArrayLoops
from eqsolvers.extensive_form._kernel import ScalarLoops, normalised
from eqsolvers.extensive_form._lane_kernel import LaneLoops
from eqsolvers.extensive_form._symmetry import quotient
from eqsolvers.iterative import iterative_solver
from eqsolvers.result import SolverSpec

ALTERNATING = Parameter(
    name="alternating",
    default=True,
    kind=bool,
    description="each player answers the newest plans of the others; false: all update at once",
)
DEVICE = Parameter(
    name="device",
    default="cpu",
    kind=str,
    description='"cpu" for compiled loops; "torch", or a torch device such as "cuda:0", for array programs there',
)


def exponent(name: str, default: float, description: str, *, low: float = 0.0) -> Parameter:
    """A parameter of a schedule."""
    return Parameter(name=name, default=default, kind=float, low=low, high=100.0, description=description)


@dataclass(frozen=True)
class Schedule:
    """What a member of the family does at iteration t (from 1); every function is elementwise over an array of t.

    With r the instantaneous counterfactual regret and x the present plan:
    regret R <- max(R * (positive(t) if R > 0 else negative(t)) + r, floor),
    next strategy proportional to max(R * following(t) + prediction * r, 0),
    average A <- decay(t) * A + weight(t) * x.

    Attributes:
        positive: multiplies positive regrets.
        negative: multiplies negative regrets.
        floor: 0 for the plus variants, -inf otherwise.
        following: multiplies the new regret where it predicts the next strategy.
        prediction: 1 to add the last instantaneous regret as the prediction of the next one, else 0.
        decay: multiplies the average.
        weight: of the present plan in the average.
    """

    positive: Callable[[Float64Array], Float64Array] = field(default=np.ones_like)
    negative: Callable[[Float64Array], Float64Array] = field(default=np.ones_like)
    floor: float = -np.inf
    following: Callable[[Float64Array], Float64Array] = field(default=np.ones_like)
    prediction: float = 0.0
    decay: Callable[[Float64Array], Float64Array] = field(default=np.ones_like)
    weight: Callable[[Float64Array], Float64Array] = field(default=np.ones_like)

    def rows(self, start: int, stop: int) -> Float64Array:
        """The schedule of iterations start .. stop - 1, [iterations, 7] in the kernel's order."""
        t = np.arange(start, stop, dtype=np.float64)
        constant = np.ones_like(t)
        columns = [
            self.positive(t),
            self.negative(t),
            self.floor * constant,
            self.following(t),
            self.prediction * constant,
            self.decay(t),
            self.weight(t),
        ]
        return np.stack(columns, axis=1)


def discount(t: Float64Array, exponent: float) -> Float64Array:
    """d_{t-1}(exponent) = (t-1)^e / ((t-1)^e + 1), what discounted CFR multiplies regrets by at iteration t."""
    with np.errstate(divide="ignore"):
        power = (t - 1.0) ** exponent if exponent >= 0 else np.where(t > 1, np.maximum(t - 1.0, 1.0) ** exponent, 0.0)
    return power / (power + 1.0)


class _Loops(Protocol):
    """One way to compute iterations: where each sequence stands in its tables, and what they hold."""

    @property
    def positions(self) -> tuple[IntArray, ...]:
        """[Q] per player, the position of each quotient sequence."""

    @property
    def tables(self) -> Sequence[Mapping[str, Array]]:
        """Per player "regret", "strategy", "plan", "average" and what else changes; written in place."""

    @property
    def play(self) -> Sequence[Array]:
        """Per player what the play-average collects, where it is kept."""

    def iterate(self, rows: Float64Array, alternating: bool) -> None:
        """One iteration per row of a schedule."""

    def nash_conv(self) -> float:
        """Of the average policies."""

    def play_gap(self) -> float | None:
        """The CCE gap of the play-average, where it is kept."""


class RegretMinimiser:
    """Self-play of regret matchers at every information set of a game: a `Process`.

    Args:
        model: any number of players, perfect recall.
        schedule: the algorithm.
        alternating: whether each player answers the newest plans of the others.
        reduce: whether to work on the exact quotient of the game; the iterates are the same.
        device: "cpu" for compiled loops; "torch", or a torch device such as "cuda:0", for array programs there.

    Raises:
        InputError: if there is no such device.
    """

    unit = "histories"  # of `touched`

    def __init__(
        self,
        model: ExtensiveFormModel,
        schedule: Schedule,
        *,
        alternating: bool = True,
        reduce: bool = True,
        device: str = "cpu",
    ) -> None:
        self.model = model
        self.schedule = schedule
        self.alternating = alternating
        self.iteration = 0
        self.quotient = quotient(model, reduce=reduce, forced_moves=not reduce)
        in_lanes = _in_lanes(model)
        self._loops: _Loops
        if device != "cpu":
            backend = make_backend("cpu" if device == "torch" else device, "torch")
            self._loops = ArrayLoops(self.quotient, backend, track_play=not in_lanes)
        else:
            self._loops = LaneLoops(model, self.quotient) if in_lanes else ScalarLoops(self.quotient)

    @property
    def touched(self) -> int:
        """A traversal of the tree per player and iteration, or one for all if they update at once."""
        traversals = self.model.num_players if self.alternating else 1
        return self.iteration * traversals * len(self.model.parent)

    def run(self, iterations: int) -> None:
        """Run some more iterations."""
        rows = self.schedule.rows(self.iteration + 1, self.iteration + 1 + iterations)
        self._loops.iterate(rows, self.alternating)
        self.iteration += iterations

    def residual(self) -> float:
        """The exact NashConv of the average policy (of the product of the averages, for any number of players)."""
        return max(0.0, self._loops.nash_conv())

    def measures(self) -> dict[str, float]:
        """Outside two-player constant-sum games, the CCE gap of the play-average: iteration t's profile, t's weight.

        The product of the averages need not be near an equilibrium there; the play-average is what no regret bounds.
        """
        gap = self._loops.play_gap()
        return {} if gap is None else {"play_cce_gap": gap}

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        tables = [{name: _copied(array) for name, array in tables.items()} for tables in self._loops.tables]
        return {"iteration": self.iteration, "tables": tables, "play": [_copied(play) for play in self._loops.play]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`."""
        self.iteration = int(state["iteration"])
        for tables, stored in zip(self._loops.tables, state["tables"], strict=True):
            for name, array in tables.items():
                array[:] = namespace(array).asarray(stored[name], device=device_of(array))
        for play, stored in zip(self._loops.play, state["play"], strict=True):
            play[:] = namespace(play).asarray(stored, device=device_of(play))

    def policy(self) -> TabularPolicy:
        """The average policy, on the model's own information sets."""
        return self._policy([normalised(tables["average"], tables["plan"]) for tables in self._loops.tables])

    def current_policy(self) -> TabularPolicy:
        """The policy that is played next."""
        return self._policy([tables["plan"] for tables in self._loops.tables])

    def _policy(self, plans: list[Array]) -> TabularPolicy:
        tables = []
        for player, treeplex in enumerate(self.model.treeplexes):
            here = self._loops.positions[player][self.quotient[player].sequence_class]
            tables.append(treeplex.behaviour(_copied(plans[player])[here]))
        return TabularPolicy(self.model, tables)


def _copied(array: Array) -> Float64Array:
    """A numpy copy, from whatever device."""
    return np.array(array if isinstance(array, np.ndarray) else array.cpu().numpy())


def _in_lanes(model: ExtensiveFormModel) -> bool:
    return model.num_players == 2 and model.constant_sum()


def _compile(model: ExtensiveFormModel) -> None:
    if _in_lanes(model):
        _lane_kernel.warm_up()
    else:
        _kernel.warm_up(model.num_players)


def regret_solver(
    method: str,
    schedule: Callable[..., Schedule],
    source: str,
    parameters: tuple[Parameter, ...] = (),
    *,
    preference: int = 0,
) -> SolverSpec:
    """The registered solver of one member of the family; `schedule` takes the parameters as keywords."""

    def start(
        model: ExtensiveFormModel, *, seed: int, alternating: bool, device: str, **exponents: float
    ) -> RegretMinimiser:
        del seed  # nothing is random
        return RegretMinimiser(model, schedule(**exponents), alternating=alternating, device=device)

    return iterative_solver(
        method,
        start,
        source=source,
        family=Family.EXTENSIVE_FORM,
        parameters=(*parameters, ALTERNATING, DEVICE),
        compile=_compile,
        preference=preference,
    )
