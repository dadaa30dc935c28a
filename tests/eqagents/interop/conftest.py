"""What tests of the policy adapters share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from eqenvs.game import Game
from eqenvs.policies import JointPolicy, tabulate

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def distinct() -> Callable[[nn.Module], None]:
    """Gives a module weights so large that its distributions are far from alike."""

    def fill(module: nn.Module) -> None:
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.5)

    return fill


class LogProbabilities:
    """An adapter's, by what a player observes."""

    def __init__(self, game: Game, policy: JointPolicy) -> None:
        self.tables = tabulate(game.model(), policy).tables
        self._rows = [
            {observation.tobytes(): row for row, observation in enumerate(states.observations)}
            for states in game.information_states
        ]
        for table, states in zip(self.tables, game.information_states, strict=True):
            assert np.ptp(table[states.masks]) > 0.5  # far from uniform

    def __call__(self, player: int, observation: Any, action: int) -> float:
        row = self._rows[player][np.ascontiguousarray(observation, dtype=np.float32).tobytes()]
        return float(np.log(self.tables[player][row, action]))


@pytest.fixture
def log_probabilities() -> type[LogProbabilities]:
    return LogProbabilities
