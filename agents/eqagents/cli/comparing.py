"""`eqenvs compare`: runs and policy files against each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group
from rich.table import Table

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import MixturePolicy, ProductPolicy
from eqsolvers.evaluation import (
    Allocation,
    EloRatings,
    Entrant,
    Evaluated,
    NashAverage,
    Tournament,
    Variant,
    cross_play,
    elo,
    least_regret,
    nash_average,
    regret,
    regret_curve,
    round_robin,
)
from eqsolvers.evaluation.empirical_regret import CONSTANT
from eqsolvers.evaluation.simulated import Z_95
from eqsolvers.highs import LinearProgramError
from eqsolvers.meta import MetaSolution, find_meta_solver
from eqsolvers.scoring import ScoreKind, score

if TYPE_CHECKING:
    from eqagents.cli.contestants import Contestant, Found

ROUNDING = 1e-12  # of payoffs of the order of 1
Busy = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class RunCurves:
    """The regrets of one run's populations in the combined game.

    Attributes:
        name: of the run.
        own: the run's last mixture.
        curve: by iteration, the evaluation solver's profile of the populations.
        least: by iteration, the minimum-regret constrained profile; None where it is not found.
        nash_conv: by iteration, of the evaluation solver's profile in the whole game; None where that is not exact.
    """

    name: str
    own: Evaluated
    curve: dict[int, Evaluated]
    least: dict[int, Evaluated] | None
    nash_conv: dict[int, float | None]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that is printed.

    Attributes:
        game: the game.
        contestants: what was compared.
        tournament: every two of them.
        ratings: None where the model does not say who wins.
        averages: Nash averaging of the margins, or why there is none.
        solver: the evaluation solver.
        combined: how many policies each player has in the combined game; None without populations.
        populations: the runs that keep populations.
        seed: of simulated cells.
    """

    game: Game
    contestants: Sequence[Contestant]
    tournament: Tournament
    ratings: EloRatings | None
    averages: NashAverage | str
    solver: str
    combined: tuple[int, ...] | None
    populations: Sequence[RunCurves]
    seed: int

    def to_json(self) -> dict[str, Any]:
        """What `eqenvs compare --json` prints."""
        met, averages = self.tournament, self.averages
        exact = met.play.kind is ScoreKind.EXACT
        return {
            "game": self.game.spec.id,
            "parameters": self.game.parameters,
            "kind": met.play.kind.value,
            "seed": None if exact else self.seed,
            "contestants": [contestant.to_json() for contestant in self.contestants],
            "cross_play": {
                "payoff": met.payoff.tolist(),
                "half_width": None if exact else (Z_95 * met.error).tolist(),
                "margin": met.margin.tolist(),
                "score": None if met.scores is None else met.scores.tolist(),
                "episodes": met.games.tolist(),
            },
            "elo": None if self.ratings is None else _elo_to_json(self.ratings),
            "nash_averaging": {"status": "failed", "message": averages}
            if isinstance(averages, str)
            else {
                "distribution": averages.distribution.tolist(),
                "skill": averages.skill.tolist(),
                "status": averages.status.value,
                "residual": averages.residual,
                "message": averages.message,
            },
            "regret": None
            if self.combined is None
            else {
                "solver": self.solver,
                "policies": list(self.combined),
                "runs": [_populations_to_json(each) for each in self.populations],
            },
        }


def compare(
    contestants: Sequence[Contestant],
    *,
    allocation: Allocation | None = None,
    seed: int = 0,
    solver: str = "nash",
    every: int = 1,
    regrets: bool = True,
    busy: Busy = lambda what: nullcontext(),
) -> Comparison:
    """Contestants of one game against each other.

    Args:
        contestants: two or more.
        allocation: how many episodes each cell gets; None: exact where the game can be enumerated.
        seed: of simulated cells, and of what is random in the evaluation solver.
        solver: id of the meta-solver that picks a profile from all populations alike.
        every: iterations between those whose populations are evaluated; the last one always is.
        regrets: whether to compare populations at all.
        busy: told what takes its time, while it does.

    Raises:
        InputError: for what cannot be compared, or a solver that does not solve an empirical game by itself.
    """
    chosen = find_meta_solver(solver)
    if chosen.needs_outside or chosen.learns:
        raise InputError(f"--solver {solver}: it does not solve a population's game by itself; use 'nash'")
    if every < 1:
        raise InputError(f"--every must be at least 1, got {every}")
    game = contestants[0].game
    with busy("playing"):
        met = round_robin(game, [each.entrant for each in contestants], allocation=allocation, seed=seed)
    ratings = None
    if met.scores is not None:
        counted = met.play.kind is not ScoreKind.EXACT
        ratings = elo(met.scores * met.games if counted else met.scores, counted=counted)
    try:
        averages: NashAverage | str = nash_average(met.margin, unit=ROUNDING * met.play.scale)
    except LinearProgramError as error:
        averages = str(error)
    combined, populations = None, []
    if regrets and any(each.found for each in contestants):
        with busy("playing all policies of all populations"):
            seats, variants = _combined(contestants)
            payoffs = cross_play(game, seats, allocation=allocation, seed=seed).payoffs
        combined = payoffs.shape[1:]
        for contestant, variant in zip(contestants, variants, strict=True):
            if contestant.found is not None:
                with busy(f"evaluating {variant.name}"):
                    populations.append(_evaluated(game, contestant.found, variant, payoffs, solver, every, seed))
    return Comparison(
        game=game,
        contestants=contestants,
        tournament=met,
        ratings=ratings,
        averages=averages,
        solver=solver,
        combined=combined,
        populations=populations,
        seed=seed,
    )


def _combined(contestants: Sequence[Contestant]) -> tuple[list[list[Entrant]], list[Variant]]:
    """Per player, all policies of all contestants, each once; and which of them are whose."""
    n = contestants[0].game.num_players
    seats: list[list[Entrant]] = [[] for _ in range(n)]
    places: list[dict[str, int]] = [{} for _ in range(n)]
    variants = []
    for contestant in contestants:
        found = contestant.found
        own = [[contestant.entrant]] * n if found is None else found.policies
        for player, policies in enumerate(own):
            for policy in policies:
                if policy.identity not in places[player]:
                    places[player][policy.identity] = len(seats[player])
                    seats[player].append(policy)
        indices = tuple([places[player][policy.identity] for policy in policies] for player, policies in enumerate(own))
        sizes = ((1,) * n,) if found is None else tuple(found.stages.values())
        solution = MetaSolution((np.ones(1),) * n) if found is None else found.solution
        variants.append(Variant(contestant.entrant.name, indices, sizes, solution))
    return seats, variants


def _evaluated(
    game: Game, found: Found, variant: Variant, payoffs: Float64Array, solver: str, every: int, seed: int
) -> RunCurves:
    steps = list(found.stages)
    steps = [step for step in steps if step % every == 0 or step == steps[-1]]
    chosen = replace(variant, sizes=tuple(found.stages[step] for step in steps))
    curve = dict(zip(steps, regret_curve(payoffs, chosen, solver=solver, seed=seed), strict=True))
    sums = payoffs.sum(axis=0)
    least = None
    if game.num_players == 2 and np.ptp(sums) <= CONSTANT * np.abs(payoffs).max():
        least = {
            step: least_regret(payoffs, [own[:k] for own, k in zip(variant.policies, sizes, strict=True)])
            for step, sizes in zip(steps, chosen.sizes, strict=True)
        }
    nash_conv = {step: _nash_conv(game, found, each) for step, each in curve.items()}
    own = Evaluated(found.stages[steps[-1]], regret(payoffs, variant.policies, found.solution), found.solution)
    return RunCurves(name=variant.name, own=own, curve=curve, least=least, nash_conv=nash_conv)


def _nash_conv(game: Game, found: Found, evaluated: Evaluated) -> float | None:
    """Of a profile in which the players mix independently, in the whole game, where that is exact."""
    if not game.exact or evaluated.solution is None or evaluated.solution.device is not None:
        return None
    mixtures = []
    for own, weights in zip(found.policies, evaluated.solution.strategies, strict=True):
        used = np.flatnonzero(weights > 0)
        mixtures.append(MixturePolicy([own[k].policy for k in used], weights[used]))
    scored = score(game, ProductPolicy(mixtures))
    return scored.nash_conv_or_none if scored.kind is ScoreKind.EXACT else None


def _numbers(values: Float64Array) -> list[float | None]:
    """JSON has no number that is not finite."""
    return [float(value) if math.isfinite(value) else None for value in values]


def _elo_to_json(ratings: EloRatings) -> dict[str, Any]:
    error = ratings.standard_error
    return {
        "ratings": _numbers(ratings.ratings),
        "standard_error": None if error is None else _numbers(error),
        "at_least": _numbers(ratings.at_least),
        "at_most": _numbers(ratings.at_most),
        "status": ratings.status.value,
        "residual": ratings.residual,
        "message": ratings.message,
    }


def _populations_to_json(each: RunCurves) -> dict[str, Any]:
    return {
        "name": each.name,
        "own": _evaluated_to_json(each.own),
        "iterations": [
            {
                "iteration": step,
                **_evaluated_to_json(evaluated),
                "least_regret": None if each.least is None else each.least[step].regret,
                "nash_conv": each.nash_conv[step],
            }
            for step, evaluated in each.curve.items()
        ],
    }


def _evaluated_to_json(evaluated: Evaluated) -> dict[str, Any]:
    return {
        "policies": list(evaluated.sizes),
        "regret": evaluated.regret if math.isfinite(evaluated.regret) else None,
        "gains": _numbers(evaluated.gains),
        "message": evaluated.message,
    }


def comparison_tables(comparison: Comparison) -> Group:
    """The same for people."""
    tables = [_cross_play_table(comparison), _rating_table(comparison)]
    if comparison.combined is not None:
        tables.append(_regret_table(comparison))
    return Group(*tables)


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> Table:
    """Names on the left, figures beside them, which are never cut: lines grow instead."""
    table = Table(title=title, title_justify="left", caption="\n".join(notes) or None, caption_justify="left")
    name, *figures = headings
    table.add_column(name, overflow="fold")
    for heading, texts in zip(figures, zip(*(row[1:] for row in rows), strict=True), strict=True):
        table.add_column(heading, justify="right", min_width=max(map(len, (*heading.split(), *texts))))
    for row in rows:
        table.add_row(*row)
    return table


def _cross_play_table(comparison: Comparison) -> Table:
    met = comparison.tournament
    rows = [
        [f"{row + 1}  {name}", *(_measured(*each) for each in zip(met.payoff[row], Z_95 * met.error[row], strict=True))]
        for row, name in enumerate(met.names)
    ]
    notes = []
    if met.play.kind is not ScoreKind.EXACT:
        notes.append(f"{int(met.play.episodes.sum()):,} episodes, 95 % intervals, seed {comparison.seed}")
    title = f"payoff of the row against the column, {met.play.kind.value}"
    return _table(title, [repr(comparison.game), *(str(k + 1) for k in range(len(rows)))], rows, notes)


def _rating_table(comparison: Comparison) -> Table:
    ratings, averages = comparison.ratings, comparison.averages
    rows, notes = [], []
    for place, name in enumerate(comparison.tournament.names):
        rating = "-" if ratings is None else _rating(ratings, place)
        average = ["-", "-"]
        if not isinstance(averages, str):
            average = [f"{averages.distribution[place]:.4f}", _figure(averages.skill[place])]
        rows.append([f"{place + 1}  {name}", rating, *average])
    if ratings is None:
        notes.append("no Elo: exact play of this game does not say who wins; use --episodes")
    elif ratings.message:
        notes.append(f"Elo: {ratings.message}")
    if isinstance(averages, str):
        notes.append(f"no Nash averaging: {averages}")
    elif averages.message:
        notes.append(f"Nash averaging: {averages.message}")
    return _table("ratings", ("", "Elo", "Nash averaging: probability", "skill"), rows, notes)


def _regret_table(comparison: Comparison) -> Table:
    assert comparison.combined is not None
    sizes = " x ".join(map(str, comparison.combined))
    rows, notes = [], []
    for each in comparison.populations:
        step, last = list(each.curve.items())[-1]
        nash_conv = each.nash_conv[step]
        if last.message:
            notes.append(f"{each.name}: {last.message}")
        rows.append(
            [
                each.name,
                str(step),
                ", ".join(map(str, last.sizes)),
                _figure(each.own.regret),
                _figure(last.regret) if math.isfinite(last.regret) else "-",
                "-" if each.least is None else _figure(each.least[step].regret),
                "-" if nash_conv is None else _figure(nash_conv),
            ]
        )
    return _table(
        f"regret in the combined game of {sizes} policies; profiles by {comparison.solver}",
        ("", "iteration", "policies", "own mixture", "profile", "least possible", "profile's NashConv"),
        rows,
        notes,
    )


def _figure(value: float) -> str:
    """A number of the order of 1; rounding is 0."""
    return f"{value if abs(value) > ROUNDING else 0.0:.4g}"


def _measured(mean: float, half_width: float) -> str:
    return _figure(mean) + (f" ± {half_width:.2g}" if half_width > ROUNDING else "")


def _rating(ratings: EloRatings, place: int) -> str:
    value, error = float(ratings.ratings[place]), ratings.standard_error
    if math.isfinite(value):
        return f"{value:.1f}" + ("" if error is None else f" ± {Z_95 * float(error[place]):.1f}")
    if math.isfinite(ratings.at_least[place]):
        return f"at least {ratings.at_least[place]:.1f}"
    if math.isfinite(ratings.at_most[place]):
        return f"at most {ratings.at_most[place]:.1f}"
    return "not finite"
