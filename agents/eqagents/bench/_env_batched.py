"""Steps a second of many games at once: tables, rules, OpenSpiel's vector environment and Pgx."""

from __future__ import annotations

from typing import Any

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, _env_peers, brief
from eqagents.bench._env_clocks import timed
from eqagents.bench._measure import Step
from eqenvs.arrays import BoolArray, Float64Array, IntArray
from eqenvs.kernels import compiled

GAMES = {"kuhn_poker": True, "leduc_poker": True, "connect_four": False, "tic_tac_toe": True}  # whether tables hold it
BATCHES = (1, 64, 1024, 4096, 65536)
MOST_OPEN_SPIEL = 1024  # its loop over games is no faster with more of them


@compiled
def draw(masks: BoolArray, uniform: Float64Array, actions: IntArray) -> None:
    """A legal action of each row, all equally likely; without branches, which no processor could foresee."""
    for game in range(len(masks)):
        count = 0
        for action in range(masks.shape[1]):
            count += masks[game, action]
        rank = int(uniform[game] * count)
        seen, chosen = 0, 0
        for action in range(masks.shape[1]):
            seen += masks[game, action]
            chosen += seen <= rank
        actions[game] = chosen


def ours(env: Any) -> Step:
    """Random legal play in `vector_env` or `table_env`."""
    step, rng = env.reset(seed=0), np.random.default_rng(0)
    actions = np.zeros(env.num_envs, dtype=np.int64)

    def run(iterations: int) -> None:
        nonlocal step
        for _ in range(iterations):
            draw(step.masks, rng.random(env.num_envs), actions)
            step = env.step(actions)

    run(2)  # compiles
    return run


def rolled_out(env: Any) -> Step:
    """Random legal play in `table_env`, so many steps a call as Pgx makes; everything that was seen is kept."""
    env.reset(seed=0)

    def run(iterations: int) -> None:
        for _ in range(iterations // _env_peers.SCANNED):
            env.rollout(_env_peers.SCANNED, observations=True)

    run(_env_peers.SCANNED)  # compiles
    return run


def _row(game_id: str, batch: int, settings: Settings) -> Row:
    game = eqenvs.make(game_id)
    found = timed(
        {
            "tables": ours(game.table_env(batch)) if GAMES[game_id] else None,
            "rules": ours(game.vector_env(batch)),
            "open_spiel": _env_peers.open_spiel(game_id, batch) if batch <= MOST_OPEN_SPIEL else None,
            "pgx": _env_peers.pgx(game_id, batch, scanned=False),
        },
        settings,
    )
    loops = {
        "rollout": rolled_out(game.table_env(batch)) if GAMES[game_id] else None,
        "pgx_scan": _env_peers.pgx(game_id, batch, scanned=True),
    }
    found |= timed(loops, settings, multiple=_env_peers.SCANNED)
    speeds = {name: [batch / seconds for seconds in times.medians()] for name, times in found.items()}
    row: Row = {"game": game_id, "games": batch}
    row |= {name: cpu for name, (cpu, _) in speeds.items()}
    row |= {f"{name}_wall": wall for name, (_, wall) in speeds.items()}
    if "pgx" in speeds:
        for clock, suffix in enumerate(("", "_wall")):
            called = max(speeds[name][clock] for name in ("tables", "rules") if name in speeds)
            looped = max(speeds[name][clock] for name in ("tables", "rules", "rollout") if name in speeds)
            row[f"ratio_call{suffix}"] = called / speeds["pgx"][clock]
            row[f"ratio_pgx{suffix}"] = looped / max(speeds[name][clock] for name in ("pgx", "pgx_scan"))
    return row


def section(settings: Settings) -> Section:
    """Random legal play at several batch sizes."""
    rows: list[Row] = []
    for game_id in ("kuhn_poker", "connect_four") if settings.quick else GAMES:
        for batch in BATCHES[:2] if settings.quick else BATCHES:
            rows.append(_row(game_id, batch, settings))
            settings.say(brief(rows[-1]))
    return Section(
        id="batched",
        title="Steps of many games at once: per CPU second of all threads, and per second on the wall",
        columns={
            "game": "game",
            "games": "games at once",
            "tables": "`table_env`",
            "rules": "`vector_env`",
            "rollout": "`rollout`",
            "open_spiel": "OpenSpiel",
            "pgx": "Pgx",
            "pgx_scan": "Pgx, scanned",
            "ratio_call": "eqenvs / Pgx, a call a step",
            "ratio_pgx": "eqenvs / Pgx, the fastest",
            "tables_wall": "`table_env`, wall",
            "rules_wall": "`vector_env`, wall",
            "rollout_wall": "`rollout`, wall",
            "pgx_wall": "Pgx, wall",
            "pgx_scan_wall": "Pgx, scanned, wall",
            "ratio_call_wall": "eqenvs / Pgx, a call a step, wall",
            "ratio_pgx_wall": "eqenvs / Pgx, the fastest, wall",
        },
        rows=rows,
        notes=(
            "A step is a move in one game: a random legal action drawn in compiled code, the move, what is seen then, "
            "and the reset of games that end. Ours runs on one thread, Pgx (XLA, CPU) on as many as it takes.",
            "Pgx with its `auto_reset`, one compiled call a step (what a learner with a network of another library "
            f"does) or one for {_env_peers.SCANNED} steps, as `rollout` of ours, which keeps everything that was seen. "
            "The last ratio is of the fastest of ours to the fastest of theirs.",
            "Our observations are float32 and every step gives the information-state key too; Pgx's are bool.",
            *_env_peers.versions(),
        ),
    )
