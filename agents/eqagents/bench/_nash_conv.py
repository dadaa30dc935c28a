"""How long the exact NashConv of a tabular policy takes, beside OpenSpiel and LiteEFG."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._games import KUHN, LEDUC, LIARS_DICE, Instance
from eqagents.bench._measure import Step, medians, paired, ratios, seconds_of
from eqagents.bench._peers import LiteEFGSolver, lite_efg, open_spiel
from eqenvs.arrays import Float64Array
from eqenvs.models import ExtensiveFormModel
from eqenvs.policies import TabularPolicy
from eqsolvers.scoring import score

AGREEMENT = 1e-9  # payoff units
Call = Callable[[], float]  # NashConv


def section(settings: Settings) -> Section:
    """One row per game and policy."""
    rows = []
    for game in (KUHN,) if settings.quick else (KUHN, LEDUC, LIARS_DICE):
        model = game.model()
        # Laid out, and for the first game compiled or loaded.
        first = seconds_of(_ours(model, None))
        for policy, seed in (("uniform", None), ("random", 0)):
            rng = None if seed is None else np.random.default_rng(seed)
            rows.append(_row(game, model, policy, rng, settings) | {"first_seconds": first})
            settings.say(brief(rows[-1]))
    return Section(
        id="nash_conv",
        title="CPU microseconds of the exact NashConv of a tabular policy",
        columns={
            "game": "game",
            "policy": "policy",
            "nash_conv": "NashConv",
            "eqenvs_microseconds": "eqenvs",
            "open_spiel_microseconds": "OpenSpiel",
            "ratio_open_spiel": "times faster",
            "lite_efg_microseconds": "LiteEFG",
            "ratio_lite_efg": "times faster",
            "first_seconds": "first call, s",
        },
        rows=rows,
        notes=(
            "Everybody has built its game, and holds the policy in its own form, before the clock starts; ours is "
            "`eqsolvers.scoring.score`, checks of the policy and the players' gains included. First call: with what is "
            "kept for the later ones.",
            "The peers judge one random policy, ours another of the same distribution, because information sets are "
            f"numbered differently; on uniform play all agree to {AGREEMENT}, or the benchmark fails.",
        ),
    )


def _row(
    game: Instance, model: ExtensiveFormModel, policy: str, rng: np.random.Generator | None, settings: Settings
) -> Row:
    calls = {"eqenvs": _ours(model, rng), **_peers(game.peer, rng)}
    values = {who: call() for who, call in calls.items()}
    compared = [value for who, value in values.items() if policy == "uniform" or who != "eqenvs"]
    if compared and max(compared) - min(compared) > AGREEMENT:
        raise AssertionError(f"{game.name}, {policy}: NashConv differs: {values}")
    measured = paired({who: _repeated(call) for who, call in calls.items()}, settings)
    row: Row = {"game": game.name, "parameters": game.parameters, "policy": policy, "nash_conv": values["eqenvs"]}
    row |= {f"{who}_microseconds": 1e6 * seconds for who, seconds in medians(measured).items()}
    return row | ratios(measured)


def _repeated(call: Call) -> Step:
    def step(times: int) -> None:
        for _ in range(times):
            call()

    return step


def _random_rows(masks: NDArray[np.bool_], rng: np.random.Generator | None) -> Float64Array:
    """A distribution over the legal actions in every row: uniform, or uniformly drawn weights."""
    weights = masks * (1.0 if rng is None else rng.random(masks.shape))
    rows: Float64Array = weights / weights.sum(axis=1, keepdims=True)
    return rows


def _ours(model: ExtensiveFormModel, rng: np.random.Generator | None) -> Call:
    policy = TabularPolicy(model, [_random_rows(states.masks, rng) for states in model.information_states])
    return lambda: score(model, policy).nash_conv


def _peers(name: str, rng: np.random.Generator | None) -> dict[str, Call]:
    """LiteEFG and OpenSpiel on one policy; empty where they are not both installed."""
    if not lite_efg():
        return {}
    solver = LiteEFGSolver(name, "cfr+")
    environment, node = solver.environment, solver.graph.current_strategy()
    for player in (1, 2) if rng is not None else ():
        counts = [len(row) for _, row in environment.get_value(player, node)]
        drawn = [_random_rows(np.ones((1, count), dtype=np.bool_), rng)[0].tolist() for count in counts]
        environment.set_value(player, node, drawn)
    table, _ = environment.get_strategy(node)
    rows = {
        key: [(a, float(table.action_probability_array[i, a])) for a in np.flatnonzero(table.legal_actions_mask[i])]
        for key, i in table.state_lookup.items()
    }
    policy = open_spiel().TabularPolicy(rows)
    game = open_spiel().load_game(name)

    def theirs() -> float:
        # The solver is named here so that its environment lives as long as the call.
        return float(sum(solver.environment.exploitability(node)))

    return {"open_spiel": lambda: float(open_spiel().nash_conv(game, policy)), "lite_efg": theirs}
