"""Small runs of every family, trained once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from eqagents.training.config import parse_config
from eqagents.training.run import evaluate, train

if TYPE_CHECKING:
    from pathlib import Path

ROCK_PAPER_SCISSORS = {"id": "rock_paper_scissors", "parameters": {"rock_win": 3.0, "paper_win": 3.0}}
CONFIGS: dict[str, dict[str, Any]] = {
    "kuhn": {
        "game": {"id": "kuhn_poker"},
        "learner": {"id": "psro", "oracle": {"id": "exact"}, "payoffs": {"method": "exact"}},
        "iterations": 3,
    },
    "rps": {
        "game": ROCK_PAPER_SCISSORS,
        "learner": {"id": "tabular", "method": "rm", "iterations_per_step": 2},
        "iterations": 30,
    },
    "crowd": {
        "game": {"id": "crowd_1d"},
        "learner": {"id": "mean_field_psro", "oracle": {"id": "exact"}, "meta": {"concept": "nash", "rounds": 20}},
        "iterations": 2,
    },
    "grid": {
        "game": {"id": "crowd_2d"},
        "learner": {"id": "mean_field_psro", "oracle": {"id": "exact"}, "meta": {"concept": "nash", "rounds": 20}},
        "iterations": 1,
    },
    "markov": {
        "game": {"id": "random_markov_game", "parameters": {"num_players": 2, "num_states": 4, "num_actions": 3}},
        "learner": {"id": "tabular", "method": "nash-vi"},
        "iterations": 1,
    },
    "device": {
        "game": {"id": "chicken"},
        "learner": {"id": "tabular", "method": "rm", "concept": "cce", "iterations_per_step": 2},
        "iterations": 3,
    },
    **{
        f"seed_{seed}": {
            "game": {"id": "kuhn_poker"},
            "learner": {"id": "tabular", "method": "es-mccfr", "iterations_per_step": 20},
            "iterations": 4,
            "seed": seed,
        }
        for seed in range(3)
    },
    "cfr": {
        "game": {"id": "kuhn_poker"},
        "learner": {"id": "tabular", "method": "cfr", "iterations_per_step": 5},
        "iterations": 4,
    },
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The directories of runs, by name; all but `device` were evaluated."""
    home, found = tmp_path_factory.mktemp("runs"), {}
    for name, config in CONFIGS.items():
        found[name] = train(parse_config(config), home / name).path
        if name != "device":
            evaluate(found[name])
    return found
