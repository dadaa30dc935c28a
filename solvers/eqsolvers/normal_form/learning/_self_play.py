"""Self-play as registered solvers: `online_solver` makes one of a learner, `joint_solver` one of a dynamics.

Every player of a game uses the same learner, or all take part in the dynamics. Games of any number of players, unless
the method says otherwise; those of structured models that are too large for a tensor where no play-average is asked
for. Cost of an iteration: see `_play`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from eqenvs.errors import InputError
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import CorrelatedStrategy, TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver, require_two_player_zero_sum
from eqsolvers.normal_form.learning._dynamics import Dynamics, together
from eqsolvers.normal_form.learning._online import Build
from eqsolvers.normal_form.learning._oracles import games_of
from eqsolvers.normal_form.learning._parameters import policy_parameter, weighting_parameter
from eqsolvers.normal_form.learning._play import SelfPlay
from eqsolvers.result import SolverSpec, error_of, two_players_constant_sum
from eqsolvers.scoring.score import score

PENNIES = NormalFormModel([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])  # any method covers it


class SelfPlayProcess:
    """Self-play on one game as a `Process`.

    Args:
        model: the game.
        dynamics: of its players.
        seed: of the random numbers.
        concept: "nash": `policy` is the product of the averages, or the last iterate. "ce" or "cce": the play-average.
        last: judge the last iterate, under concept "nash".
        gamma: see `SelfPlay`.
        empirical: see `SelfPlay`.
        simultaneous: whether regrets are against what the others played in the same round, so that they are the gaps
            of the play-average.

    Raises:
        InputError: if a play-average is asked for where the players move in turn.
    """

    unit = "payoffs"  # of `touched`

    def __init__(
        self,
        model: NormalFormModel,
        dynamics: Dynamics[Any],
        *,
        seed: int = 0,
        concept: str = "nash",
        last: bool = False,
        gamma: float = 0.0,
        empirical: bool = False,
        simultaneous: bool = True,
    ) -> None:
        if concept != "nash" and not simultaneous:
            raise InputError(f"concept {concept!r} needs simultaneous play: in turn there is no joint play to average")
        self.model = model
        self._concept, self._last, self._simultaneous = concept, last, simultaneous
        self._games = games_of(model, tensor=concept != "nash")
        self._play = SelfPlay(
            self._games,
            dynamics,
            seeds=(seed,),
            gamma=gamma,
            keep_play=concept != "nash",
            empirical=empirical and concept != "nash",
        )

    @property
    def iteration(self) -> int:
        """See `Process`."""
        return self._play.rounds

    @property
    def touched(self) -> int:
        """Payoffs looked at for gradients: one for each profile and player's gradient, those for the measures too.

        Of a structured model that has no tensor: all numbers that it looks payoffs up in.
        """
        return self._play.calls * self._games.numbers

    def run(self, iterations: int) -> None:
        """See `Process`."""
        self._play.run(iterations)

    def policy(self) -> TabularPolicy | CorrelatedStrategy:
        """See the class."""
        if self._concept != "nash":
            return CorrelatedStrategy(self.model, self._play.play()[0])
        strategies = self._play.last() if self._last else self._play.average()
        return TabularPolicy(self.model, [own[0] for own in strategies])

    def residual(self) -> float:
        """The exact error of `policy()`: NashConv, CE or CCE gap."""
        return error_of(score(self.model, self.policy()), self._concept)

    def measures(self) -> dict[str, float]:
        """Each player's average regrets in its units of payoff, and the gaps of the play-average where it is one."""
        external = (self._play.regret() * self._play.span)[0]
        swap = (self._play.swap_regret() * self._play.span)[0]
        found = {f"external_regret_{player}": float(regret) for player, regret in enumerate(external)}
        found |= {f"swap_regret_{player}": float(regret) for player, regret in enumerate(swap)}
        if self._simultaneous and self.iteration:
            found |= {"cce_gap": float(np.maximum(external, 0.0).sum()), "ce_gap": float(swap.sum())}
        return found

    def state(self) -> dict[str, Any]:
        """See `Process`."""
        return self._play.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Process`."""
        self._play.restore(state)


def _compiling(spec: SolverSpec) -> SolverSpec:
    """The solver, which has its loops compiled by two rounds of a small game."""

    def compile(model: object) -> None:
        del model
        assert spec.start is not None  # of every iterative solver
        process = spec.start(PENNIES)
        process.run(2)
        process.measures()

    return replace(spec, compile=compile)


def online_solver(
    method: str,
    learner: Build,
    *,
    source: str,
    parameters: tuple[Parameter, ...] = (),
    concepts: tuple[str, ...] = ("nash", "cce"),
    bandit: bool = False,
    last: bool = False,
    gamma: float = 0.0,
    alternating: bool = False,
    default_iterations: int = 20_000,
) -> SolverSpec:
    """The registered solver of a learner: all players use it against each other.

    Args:
        method: id.
        learner: from the parameters to the learner.
        source: authors, year, venue.
        parameters: the learner's own.
        concepts: ("nash", "cce"), or ("nash", "ce", "cce") of a learner without swap regret.
        bandit: whether it is a bandit algorithm, which has no feedback to choose.
        last: whether the last iterate counts where nothing else is asked for.
        gamma: the averaging exponent where none is asked for.
        alternating: whether the players move in turn where nothing else is asked for.
        default_iterations: see `iterative_solver`.
    """
    shared = (
        policy_parameter(last=last),
        weighting_parameter(gamma),
        Parameter(
            name="empirical",
            default=False,
            kind=bool,
            description="whether a play-average is of the actions drawn; false: of the strategies",
        ),
    )
    informed = (
        Parameter(
            name="feedback",
            default="full",
            kind=str,
            choices=("full", "semi-bandit", "bandit"),
            description="what a player learns: all its payoffs, those against the actions drawn, or only what it got",
        ),
        Parameter(
            name="exploration",
            default=0.05,
            kind=float,
            low=1e-6,
            high=1.0,
            description="probability of a uniform action under feedback bandit",
        ),
        Parameter(
            name="alternating",
            default=alternating,
            kind=bool,
            description="players update in turn, against the newest strategies; false: all at once",
        ),
    )

    def start(
        model: NormalFormModel,
        *,
        seed: int,
        policy: str,
        gamma: float,
        empirical: bool,
        feedback: str = "bandit",
        exploration: float = 0.05,
        alternating: bool = False,
        concept: str = "nash",
        **own: Any,
    ) -> SelfPlayProcess:
        rule = learner(**own)
        return SelfPlayProcess(
            model,
            together([rule] * model.num_players, feedback=feedback, alternating=alternating, exploration=exploration),
            seed=seed,
            concept=concept,
            last=policy == "last",
            gamma=gamma,
            empirical=empirical,
            simultaneous=not alternating,
        )

    return _compiling(
        iterative_solver(
            method,
            start,
            source=source,
            parameters=(*parameters, *(() if bandit else informed), *shared),
            random=True,
            concepts=concepts,
            family=Family.NORMAL_FORM,
            default_iterations=default_iterations,
        )
    )


def joint_solver(
    method: str,
    dynamics: Callable[..., Dynamics[Any]],
    *,
    source: str,
    parameters: tuple[Parameter, ...] = (),
    concepts: tuple[str, ...] = ("nash",),
    last: bool = False,
    gamma: float = 0.0,
    zero_sum: bool = False,
    simultaneous: bool = True,
    random: bool = False,
    default_iterations: int = 20_000,
) -> SolverSpec:
    """The registered solver of a dynamics of all players together.

    Args:
        method: id.
        dynamics: from the parameters to the dynamics.
        source: authors, year, venue.
        parameters: the dynamics' own.
        concepts: what it computes.
        last: whether the last iterate counts where nothing else is asked for.
        gamma: the averaging exponent where none is asked for.
        zero_sum: whether it covers two-player constant-sum games only.
        simultaneous: whether each round's play is joint play; see `SelfPlayProcess`.
        random: whether the seed matters.
        default_iterations: see `iterative_solver`.
    """

    def start(
        model: NormalFormModel, *, seed: int, policy: str, gamma: float, concept: str = "nash", **own: Any
    ) -> SelfPlayProcess:
        if zero_sum:
            require_two_player_zero_sum(model, method)
        return SelfPlayProcess(
            model,
            dynamics(**own),
            seed=seed,
            concept=concept,
            last=policy == "last",
            gamma=gamma,
            simultaneous=simultaneous,
        )

    return _compiling(
        iterative_solver(
            method,
            start,
            source=source,
            parameters=(*parameters, policy_parameter(last=last), weighting_parameter(gamma)),
            random=random,
            concepts=concepts,
            family=Family.NORMAL_FORM,
            covers=two_players_constant_sum if zero_sum else lambda game: True,
            default_iterations=default_iterations,
        )
    )
