"""All equilibria of random bimatrix games, and one by Lemke and Howson's algorithm."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from eqagents.bench import Section, Settings, brief
from eqagents.bench._nf_peers import Race, absent, module, over_games, quantecon_game
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form import lemke_howson, support_enumeration, vertex_enumeration

SIZES = (5, 6, 8, 10, 12, 14)
QUICK_SIZES = (3, 4)
PATHS = (10, 50, 100, 200)
QUICK_PATHS = (5, 8)
GAMES = 3  # of each size
NASHPY_LIMIT, GAMBIT_LIMIT, SUPPORT_LIMIT = 7, 10, 12  # the largest games they are given

PEERS = {"quantecon": "QuantEcon", "nashpy": "nashpy", "pygambit": "Gambit"}


def payoffs(n: int, seed: int) -> np.ndarray:
    """A random game, [2, n, n], uniform on [0, 1]."""
    return np.random.default_rng([n, seed]).uniform(size=(2, n, n))


def _all_by_nashpy(game: Any) -> list[Any]:
    return list(game.vertex_enumeration())


def equilibria(settings: Settings) -> Section:
    """One row per size."""
    race, rows = Race(settings), []
    for n in QUICK_SIZES if settings.quick else SIZES:
        found, counts = [], []
        for seed in range(GAMES):
            tables = payoffs(n, seed)
            model = NormalFormModel(tables)
            vertex = vertex_enumeration.solve(model)
            assert n > SUPPORT_LIMIT or len(support_enumeration.solve(model).equilibria) == len(vertex.equilibria)
            counts.append(len(vertex.equilibria))
            quantecon, nashpy, gambit = module("quantecon"), module("nashpy"), module("pygambit")
            game = quantecon and quantecon_game(tables)
            other = nashpy and n <= NASHPY_LIMIT and nashpy.Game(*tables)
            third = gambit and n <= GAMBIT_LIMIT and gambit.Game.from_arrays(*tables)
            found.append(
                race.seconds(
                    {
                        "eqenvs": partial(vertex_enumeration.extreme_equilibria, *tables),
                        "scored": partial(vertex_enumeration.solve, model),
                        "supports": partial(support_enumeration.solve, model) if n <= SUPPORT_LIMIT else None,
                        "quantecon": partial(module("quantecon.game_theory").vertex_enumeration, game)
                        if game
                        else None,
                        "nashpy": partial(_all_by_nashpy, other) if other else None,
                        "gambit": partial(gambit.nash.enummixed_solve, third, rational=False) if third else None,
                    }
                )
            )
        times = over_games(found)
        row = {"actions": n, "equilibria": counts, **{name: 1e3 * value for name, value in times.items()}}
        for peer in ("quantecon", "nashpy", "gambit"):
            row[f"ratio_{peer}"] = times[peer] / times["eqenvs"] if peer in times else None
        settings.say(brief(row))
        rows.append(row)
    return Section(
        id="equilibria",
        title="milliseconds for all equilibria of a random bimatrix game",
        columns={
            "actions": "actions",
            "eqenvs": "eqenvs",
            "scored": "eqenvs, scored result",
            "supports": "eqenvs, supports, scored",
            "quantecon": "QuantEcon",
            "nashpy": "nashpy",
            "gambit": "Gambit",
            "ratio_quantecon": "QuantEcon / eqenvs",
            "ratio_nashpy": "nashpy / eqenvs",
            "ratio_gambit": "Gambit / eqenvs",
        },
        rows=rows,
        notes=(
            f"Medians over {GAMES} games, uniform on [0, 1]. eqenvs: vertex-enumeration to arrays, as the peers give; "
            "scored: the solver's result, with a policy per equilibrium and an exact score. QuantEcon and nashpy: "
            "their vertex enumerations; Gambit: enummixed in floating point.",
            *absent(PEERS),
        ),
    )


def paths(settings: Settings) -> Section:
    """One row per size: the path of the first label."""
    race, rows = Race(settings), []
    for n in QUICK_PATHS if settings.quick else PATHS:
        found = []
        for seed in range(GAMES):
            tables = payoffs(n, seed)
            model = NormalFormModel(tables)
            game = module("quantecon") and quantecon_game(tables)
            found.append(
                race.seconds(
                    {
                        "eqenvs": partial(lemke_howson.solve, model, settings={"initial": 0}),
                        "quantecon": partial(module("quantecon.game_theory").lemke_howson, game) if game else None,
                    }
                )
            )
        times = over_games(found)
        ratio = times["quantecon"] / times["eqenvs"] if "quantecon" in times else None
        rows.append({"actions": n, **{name: 1e3 * value for name, value in times.items()}, "ratio_quantecon": ratio})
        settings.say(brief(rows[-1]))
    return Section(
        id="lemke_howson",
        title="milliseconds for the first label's path of Lemke and Howson's algorithm",
        columns={
            "actions": "actions",
            "eqenvs": "eqenvs, scored result",
            "quantecon": "QuantEcon",
            "ratio_quantecon": "QuantEcon / eqenvs",
        },
        rows=rows,
        notes=(f"Medians over {GAMES} games, uniform on [0, 1]. Ours ends with an exact score.",),
    )
