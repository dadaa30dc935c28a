"""Steps of agents a second in the games of N agents: the compiled loop, and the batched rules on numpy and torch.

A step of an agent is one action of one agent, drawn from the uniform policy within the time. The rules give every agent
its observation besides; the compiled loop gives the number of its decision point.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._measure import Step, medians, paired
from eqagents.bench._mf_peers import model_of, one_thread
from eqenvs.game import Game
from eqsolvers.mean_field._dynamics import Dynamics

SEED = 1  # of the actions: the environments have 0, and one stream for both would tie actions to moves
SIZES = (1_000, 10_000, 100_000)
GAMES = ("sis", "crowd_1d", "four_rooms")


def section(settings: Settings) -> Section:
    """Games by numbers of agents."""
    rows: list[Row] = []
    with one_thread():
        for name in GAMES[:2] if settings.quick else GAMES:
            for agents in SIZES[:1] if settings.quick else SIZES:
                game = eqenvs.make(name, num_agents=agents)
                seconds = medians(
                    paired(
                        {
                            "population": _compiled(game, name),
                            "numpy": _batched(game, name, "numpy"),
                            "torch": _batched(game, name, "torch"),
                        },
                        settings,
                    )
                )
                row: Row = {"game": name, "agents": agents}
                row |= {f"{key}_per_second": agents / found for key, found in seconds.items()}
                row |= {f"ratio_{key}": seconds[key] / seconds["population"] for key in ("numpy", "torch")}
                rows.append(row)
                settings.say(brief(row))
    return Section(
        id="agents",
        title="Steps of agents a CPU second, one game of N agents",
        columns={
            "game": "game",
            "agents": "N",
            "population_per_second": "`population_env`",
            "numpy_per_second": "`vector_env`, numpy",
            "torch_per_second": "`vector_env`, torch on the CPU",
            "ratio_numpy": "population / numpy",
            "ratio_torch": "population / torch",
        },
        rows=rows,
        notes=(
            "Drawing the actions from the uniform policy is in the time of all three. `vector_env` makes every agent's "
            "observation, mask and key in every step, `population_env` does not.",
        ),
    )


def _compiled(game: Game, name: str) -> Step:
    env = game.population_env(1)
    env.reset(seed=0)
    policy = Dynamics(model_of(name)).uniform()

    def run(iterations: int) -> None:
        for _ in range(iterations):
            env.step(env.sample(policy))

    run(2)  # compiled off the clock
    return run


def _batched(game: Game, name: str, library: str) -> Step:
    env = game.vector_env(1, library=library)
    step = env.reset(seed=0)
    draw = _numpy_draw(name) if library == "numpy" else _torch_draw(name)

    def run(iterations: int) -> None:
        nonlocal step
        for _ in range(iterations):
            step = env.step(draw(step))

    return run


def _thresholds(name: str) -> Any:
    """The uniform policy, summed up over actions, by the agent's state, [S, A]."""
    return np.cumsum(Dynamics(model_of(name)).uniform()[0, 0], axis=-1)


def _numpy_draw(name: str) -> Any:
    rng, summed = np.random.default_rng(SEED), _thresholds(name)
    keys = model_of(name).keys
    number = _numbers(keys)

    def draw(step: Any) -> Any:
        state = number[tuple(np.moveaxis(step.keys[..., -keys.shape[1] :], -1, 0))]
        return (rng.random(state.shape)[..., None] >= summed[state][..., :-1]).sum(axis=-1)

    return draw


def _torch_draw(name: str) -> Any:
    torch = importlib.import_module("torch")
    stream = torch.Generator().manual_seed(SEED)
    summed, keys = torch.tensor(_thresholds(name)), model_of(name).keys
    number = torch.tensor(_numbers(keys))

    def draw(step: Any) -> Any:
        state = number[tuple(step.keys[..., -keys.shape[1] :].movedim(-1, 0))]
        drawn = torch.rand(state.shape, generator=stream, dtype=torch.float64)
        return (drawn[..., None] >= summed[state][..., :-1]).sum(dim=-1)

    return draw


def _numbers(keys: Any) -> Any:
    """The number of the state with each key."""
    number = np.zeros(keys.max(axis=0) + 1, dtype=np.int64)
    number[tuple(keys.T)] = np.arange(len(keys))
    return number
