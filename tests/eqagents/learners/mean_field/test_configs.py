"""The configurations that come with the project are ones that learners take."""

from __future__ import annotations

from pathlib import Path

import pytest

import eqenvs
from eqagents.distributed import InlineExecutor
from eqagents.learners import find_learner
from eqagents.training.config import load_config

FILES = sorted((Path(__file__).resolve().parents[4] / "configs").glob("mean_field_*.yaml"))


def test_there_are_some() -> None:
    assert len(FILES) >= 5


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_configuration_is_taken(file: Path) -> None:
    config = load_config(file)
    game = eqenvs.make(config.game.id, **config.game.parameters)
    find_learner(config.learner.id).build(game, config.learner, InlineExecutor(0))
