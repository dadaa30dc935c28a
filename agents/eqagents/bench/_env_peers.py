"""PettingZoo's classic games, OpenSpiel's Python environments and Pgx as contestants; none need be installed.

Each contestant plays random legal moves and starts finished games again. In Pgx that is compiled with the step.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import random
from functools import cache
from typing import Any

from eqagents.bench._measure import Step

PETTINGZOO = {
    "leduc_poker": "leduc_holdem_v4",
    "connect_four": "connect_four_v3",
    "tic_tac_toe": "tictactoe_v3",
}
PGX = {
    "kuhn_poker": "kuhn_poker",
    "leduc_poker": "leduc_holdem",
    "connect_four": "connect_four",
    "tic_tac_toe": "tic_tac_toe",
}
INSTALL = "pip install 'pettingzoo[classic]' pgx open_spiel"
SCANNED = 16  # steps of Pgx in one compiled call, where it makes several


@cache
def _module(name: str) -> Any:
    with contextlib.suppress(ImportError):
        return importlib.import_module(name)
    return None


def versions() -> tuple[str, ...]:
    """A note with the peers' versions, or without those that are not installed."""
    found, absent = [], []
    for name in ("pettingzoo", "open_spiel", "pgx", "jax"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
    missing = f"Not installed, and empty: {', '.join(absent)}; {INSTALL} brings all." if absent else ""
    return tuple(filter(None, ("Versions: " + ", ".join(found) + "." if found else "", missing)))


def played(env: Any) -> Step:
    """Steps of a PettingZoo AEC environment as an agent makes them: look, draw a legal action, move."""
    rng = random.Random(0)
    env.reset(seed=0)

    def run(iterations: int) -> None:
        for _ in range(iterations):
            seen, _, terminated, truncated, _ = env.last()
            if terminated or truncated:
                env.reset()
                seen = env.observe(env.agent_selection)
            legal = seen["action_mask"].nonzero()[0]
            env.step(int(legal[int(rng.random() * len(legal))]))

    return run


def pettingzoo(game_id: str) -> Step | None:
    """PettingZoo's own environment of the game, if it has one."""
    name = PETTINGZOO.get(game_id)
    module = _module(f"pettingzoo.classic.{name}") if name else None
    return None if module is None else played(module.env())


def open_spiel(game_id: str, batch: int) -> Step | None:
    """OpenSpiel's synchronous vector environment."""
    environments, vector = _module("open_spiel.python.rl_environment"), _module("open_spiel.python.vector_env")
    if environments is None or vector is None:
        return None
    rng = random.Random(0)
    agent = _module("open_spiel.python.rl_agent")
    envs = vector.SyncVectorEnv([environments.Environment(game_id) for _ in range(batch)])
    steps = envs.reset()

    def run(iterations: int) -> None:
        nonlocal steps
        for _ in range(iterations):
            outputs = []
            for step in steps:
                seen = step.observations
                legal = seen["legal_actions"][seen["current_player"]]
                outputs.append(agent.StepOutput(legal[int(rng.random() * len(legal))], None))
            steps, _, _, _ = envs.step(outputs, reset_if_done=True)

    return run


def pgx(game_id: str, batch: int, *, scanned: bool) -> Step | None:
    """Pgx's environment with its wrapper for automatic resets: a compiled call a step, or one for `SCANNED` steps."""
    module, resets = _module("pgx"), _module("pgx.experimental")
    if module is None or resets is None or game_id not in PGX:
        return None
    jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
    env = module.make(PGX[game_id])
    stepped = jax.vmap(resets.auto_reset(env.step, env.init))

    def one(state: Any, key: Any) -> Any:
        ours, theirs = jax.random.split(key)
        mask = state.legal_action_mask
        rank = jnp.floor(jax.random.uniform(ours, (batch,)) * mask.sum(axis=1)).astype(jnp.int32)
        actions = jnp.argmax(jnp.cumsum(mask, axis=1) > rank[:, None], axis=1)
        return stepped(state, actions, jax.random.split(theirs, batch))

    def many(state: Any, key: Any) -> Any:
        return jax.lax.scan(lambda at, own: (one(at, own), None), state, jax.random.split(key, SCANNED))[0]

    call, per_call = (jax.jit(many), SCANNED) if scanned else (jax.jit(one), 1)
    keys = list(jax.random.split(jax.random.PRNGKey(1), 64))
    state = jax.jit(jax.vmap(env.init))(jax.random.split(jax.random.PRNGKey(0), batch))

    def run(iterations: int) -> None:
        nonlocal state
        for i in range(-(-iterations // per_call)):
            state = call(state, keys[i % len(keys)])
        jax.block_until_ready(state)

    run(per_call)  # compiles

    def whole(iterations: int) -> None:
        if iterations % per_call:
            raise ValueError(f"{iterations} is no multiple of {per_call} steps")
        run(iterations)

    return run if per_call == 1 else whole
