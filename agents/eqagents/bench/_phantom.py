"""How long the exact NashConv of phantom games takes, whose 2e10 histories nobody enumerates here."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
from numpy.typing import NDArray

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqenvs.arrays import Float64Array
from eqenvs.game import Game
from eqenvs.games.extensive_form import dark_hex, phantom_tic_tac_toe
from eqenvs.models import InformationStates
from eqsolvers.scoring.phantom import PhantomScorer

Games = tuple[tuple[str, Game, int], ...]


class Linear:
    """A softmax of a random linear function of the observation, which keeps the time that it takes.

    Attributes:
        seconds: CPU seconds so far.
        states: information states that it was asked about.
    """

    def __init__(self, game: Game, scale: float) -> None:
        rules = game.rules
        shape = (2, rules.observation_size, rules.max_actions)
        self._weights: NDArray[np.float32] = scale * np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        self.seconds, self.states = 0.0, 0

    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `eqenvs.policies.BehaviourPolicy`."""
        started = time.process_time()
        scores = np.where(states.masks, states.observations @ self._weights[player], -np.inf)
        table: Float64Array = np.exp((scores - scores.max(axis=1, keepdims=True)).astype(np.float64))
        table /= table.sum(axis=1, keepdims=True)
        self.seconds += time.process_time() - started
        self.states += len(table)
        return table


def section(settings: Settings) -> Section:
    """One row per game and policy."""
    rows = []
    for name, game, histories in _games(settings.quick):
        scorer = PhantomScorer(game)
        scorer.warm_up()
        for policy, scale in (("uniform", 0.0), ("random", 1.0), ("near-deterministic", 100.0)):
            rows.append(_row(name, scorer, Linear(game, scale), histories) | {"policy": policy})
            settings.say(brief(rows[-1]))
    return Section(
        id="phantom",
        title="CPU seconds of an exact NashConv where histories cannot be enumerated",
        columns={
            "game": "game",
            "policy": "policy",
            "histories": "histories",
            "states": "information states asked about",
            "nash_conv": "NashConv",
            "seconds": "seconds, the policy's own left out",
            "policy_seconds": "the policy's own",
            "histories_per_second": "histories a second",
        },
        rows=rows,
        notes=(
            "Both players' best responses and the value, observations and masks of all information states included, in "
            "one thread, once. The policies are softmaxes of a random linear function of the observation.",
        ),
    )


def _games(quick: bool) -> Games:
    if quick:
        small = eqenvs.make("dark_hex", num_cols=3, abrupt=True)
        return (("abrupt dark hex 2x3", small, int(small.size or 0)),)
    rules = (("classic", False), ("abrupt", True))
    unlimited = float("inf")
    count = partial(dark_hex.num_histories, 3, 3)
    return tuple(
        row
        for name, abrupt in rules
        for row in (
            (
                f"{name} phantom tic-tac-toe",
                eqenvs.make("phantom_tic_tac_toe", abrupt=abrupt),
                phantom_tic_tac_toe.num_histories(abrupt, unlimited),
            ),
            (f"{name} dark hex 3x3", eqenvs.make("dark_hex", board_size=3, abrupt=abrupt), count(abrupt, unlimited)),
        )
    )


def _row(name: str, scorer: PhantomScorer, policy: Linear, histories: int) -> Row:
    started = time.process_time()
    scored = scorer.score(policy)
    seconds = time.process_time() - started - policy.seconds
    return {
        "game": name,
        "histories": histories,
        "states": policy.states,
        "nash_conv": scored.nash_conv,
        "seconds": seconds,
        "policy_seconds": policy.seconds,
        "histories_per_second": histories / seconds,
    }
