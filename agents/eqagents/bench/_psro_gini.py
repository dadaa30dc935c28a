"""Maximum Gini (coarse) correlated equilibria of empirical games: cold, warm-started, beside other solvers.

The empirical games: random ones, and those of joint PSRO on three-player Kuhn poker with exact responses, in which
policies repeat and little is played. `warm` starts from the prices of the game that one policy of each player is
missing from, or of the iteration before. Clarabel's sparse interior-point method is what ours falls back on; OpenSpiel
hands a dense quadratic programme to CVXPY.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._nf_peers import Race, absent, module, timed
from eqagents.configuration import validate
from eqagents.distributed import InlineExecutor
from eqagents.learners.psro import psro
from eqenvs.arrays import Float64Array
from eqenvs.models import NormalFormModel
from eqsolvers.meta import find_meta_solver
from eqsolvers.normal_form import _conic
from eqsolvers.normal_form._epsilon import NONE, loosened

ASKED = 2.0  # seconds of one solve of 11 x 11 x 11
JPSRO = "open_spiel.python.algorithms.jpsro"
THEIRS = {"cce": "_mgcce", "ce": "_mgce"}


def joint_psro(concept: str, iterations: int) -> list[Float64Array]:
    """The empirical games after every iteration; with "cce" one policy more each, be it a repetition."""
    config = validate(
        psro.PSROConfig,
        {"oracle": {"id": "exact"}, "meta_solver": f"max_gini_{concept}", "keep_repeats": concept == "cce"},
    )
    learner = psro.LEARNER.build(eqenvs.make("kuhn_poker", num_players=3), config, InlineExecutor(0))
    state, found = learner.init(np.random.SeedSequence(0)), []
    for _ in range(iterations):
        state, _ = learner.step(state)
        found.append(np.asarray(learner.artefacts(state)["meta_game"]["payoffs"], dtype=np.float64))
    return found


def games(settings: Settings) -> list[tuple[str, str, Float64Array, Float64Array]]:
    """Name, concept, payoffs, and those of the game before."""
    size = 4 if settings.quick else 11
    random = np.random.default_rng(0).normal(size=(3, size, size, size))
    found = [("random", concept, random, random[:, :-1, :-1, :-1]) for concept in ("cce", "ce")]
    for concept, iterations in (("cce", size - 1), ("ce", 3 if settings.quick else 5)):
        *_, before, last = joint_psro(concept, iterations)
        found.append(("Kuhn poker, 3 players", concept, last, before))
    return found


def section(settings: Settings) -> Section:
    """A row per game and concept."""
    rows = []
    for name, concept, payoffs, before in games(settings):
        rows.append(_row(name, concept, payoffs, before, settings))
        settings.say(brief(rows[-1]))
    return Section(
        id="max_gini",
        title="Maximum Gini (coarse) correlated equilibria of 3-player empirical games: CPU seconds of a solve",
        columns={
            "game": "game",
            "concept": "concept",
            "profiles": "profiles",
            "cold": "eqenvs",
            "warm": "warm-started",
            "again": "the same game again",
            "clarabel": "Clarabel, sparse",
            "open_spiel": "OpenSpiel",
            "ratio": "times ours",
            "violation": "largest gain",
            "residual": "residual",
            "their_violation": "OpenSpiel's largest gain",
            "asked": "asked",
        },
        rows=rows,
        notes=(
            "The largest gain from a deviation is in payoff and weighted by the probability of the recommendation; the "
            "residual is the larger of its excess and the duality gap, in Gini impurity.",
            "Kuhn poker: joint PSRO with exact responses, 10 iterations for the CCE with repeated policies kept, 5 for "
            "the CE. Warm: from the prices of the iteration before; of a random game, from those without the last "
            "policy of each player.",
            "OpenSpiel: `jpsro._mgcce` and `_mgce`, one call where it takes seconds, by CVXPY with OSQP (CVXOPT is "
            "asked first where it is installed).",
            *absent({JPSRO: "OpenSpiel with CVXPY"}),
        ),
    )


def _row(name: str, concept: str, payoffs: Float64Array, before: Float64Array, settings: Settings) -> Row:
    model = NormalFormModel(payoffs)
    solve = find_meta_solver(f"max_gini_{concept}")
    programme = loosened(model, concept, NONE)
    memory = solve(before).memory
    found = solve(payoffs)
    contestants: dict[str, Callable[[], object] | None] = {
        "cold": partial(solve, payoffs),
        "warm": partial(solve, payoffs, memory=memory),
        "again": partial(solve, payoffs, memory=found.memory),
        "clarabel": partial(_conic.most_even, programme.matrix, 0.0, entropy=False),
    }
    row: Row = {
        "game": name,
        "concept": concept,
        "profiles": " x ".join(map(str, model.num_actions)),
        **Race(settings).seconds(contestants),
        "violation": _largest_gain(programme, found.device),
        "residual": found.residual,
        **({} if settings.quick else {"asked": ASKED}),
    }
    if module(JPSRO):
        seconds, device = timed(partial(_open_spiel, concept, payoffs))
        row |= {
            "open_spiel": seconds,
            "their_violation": _largest_gain(programme, device),
            "ratio": seconds / row["cold"],
        }
    return row


def _largest_gain(programme: Any, device: Float64Array | None) -> float:
    assert device is not None
    gains = (programme.matrix @ np.asarray(device).ravel()) * programme.units
    return max(0.0, float(gains.max(initial=0.0)))


def _open_spiel(concept: str, payoffs: Float64Array) -> Float64Array:
    repeats = [np.ones(size, dtype=np.int64) for size in payoffs.shape[1:]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, *_ = getattr(module(JPSRO), THEIRS[concept])(payoffs, repeats)
    device: Float64Array = np.asarray(found, dtype=np.float64)
    return device
