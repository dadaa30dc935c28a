"""Memory, and how time and memory grow with the game."""

from __future__ import annotations

import gc
import tracemalloc
from functools import partial

import numpy as np

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._games import Instance, goofspiel, leduc, liars_dice
from eqagents.bench._measure import medians, paired, seconds_of
from eqsolvers.extensive_form._regret import RegretMinimiser
from eqsolvers.extensive_form.cfr_plus import schedule

SERIES = {
    "Leduc poker": tuple(map(leduc, (3, 6, 13))),
    "liar's dice": tuple(map(liars_dice, (4, 5, 6))),
    "goofspiel": tuple(map(goofspiel, (4, 5, 6))),
}
QUICK = {
    "Leduc poker": tuple(map(leduc, (2, 3))),
    "liar's dice": tuple(map(liars_dice, (2, 3))),
    "goofspiel": tuple(map(goofspiel, (2, 3))),
}


def section(settings: Settings) -> Section:
    """One row per game of each series, and the exponents of each series."""
    rows, exponents = [], []
    for name, games in (QUICK if settings.quick else SERIES).items():
        series = []
        for game in games:
            series.append(_row(game, settings))
            settings.say(brief(series[-1]))
        size = [row["size"] for row in series]
        time = exponent(size, [row["microseconds"] for row in series])
        kept = exponent(size, [row["solver_bytes"] for row in series])
        for row in series:
            row |= {"series": name, "time_exponent": time, "memory_exponent": kept}
        exponents.append(f"{name}: time ~ size^{time:.2f}, the solver's memory ~ size^{kept:.2f}.")
        rows += series
    return Section(
        id="scaling",
        title="CFR+ as the game grows: time of an iteration and memory",
        columns={
            "game": "game",
            "sequences": "sequences",
            "payoffs": "payoffs",
            "build_seconds": "build s",
            "setup_seconds": "setup s",
            "microseconds": "microseconds an iteration",
            "nanoseconds_per_size": "ns per sequence or payoff",
            "solver_bytes": "solver, bytes",
            "peak_bytes": "peak, bytes",
            "peak_per_infoset": "peak an infoset",
            "peak_per_sequence": "peak a sequence",
        },
        rows=rows,
        notes=(
            "Size: the model's sequences (both players') and deduplicated payoffs. Exponents are least squares on "
            "logarithms: " + " ".join(exponents) + " Below 1: a larger game has more symmetries, fuller vectors and "
            "more equal matrices.",
            "Memory by tracemalloc, what Python and numpy allocate: the peak over building the model and setting the "
            "solver up, and what the solver keeps beside the model.",
        ),
    )


def exponent(sizes: list[float], values: list[float]) -> float:
    """The slope of log(values) on log(sizes)."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def _row(game: Instance, settings: Settings) -> Row:
    build = seconds_of(game.model)
    model = game.model()
    setup = seconds_of(partial(RegretMinimiser, model, schedule()))
    seconds = medians(paired({"eqenvs": RegretMinimiser(model, schedule()).run}, settings))["eqenvs"]
    infosets = sum(treeplex.num_infosets for treeplex in model.treeplexes)
    sequences = sum(treeplex.num_sequences for treeplex in model.treeplexes)
    payoffs = len(model.payoff_sequences)
    del model
    kept, peak = memory(game)
    return {
        "game": game.name,
        "parameters": game.parameters,
        "infosets": infosets,
        "sequences": sequences,
        "payoffs": payoffs,
        "size": sequences + payoffs,
        "build_seconds": build,
        "setup_seconds": setup,
        "microseconds": 1e6 * seconds,
        "nanoseconds_per_size": 1e9 * seconds / (sequences + payoffs),
        "solver_bytes": kept,
        "peak_bytes": peak,
        "peak_per_infoset": peak / infosets,
        "peak_per_sequence": peak / sequences,
    }


def memory(game: Instance) -> tuple[int, int]:
    """Bytes that a solver keeps beside the model, and the peak of building the model and setting the solver up."""
    gc.collect()
    tracemalloc.start()
    try:
        model = game.model()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        process = RegretMinimiser(model, schedule())
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
        del process
    finally:
        tracemalloc.stop()
    return after - before, peak
