"""What a run shows in TensorBoard beside its scalars, and that showing it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from eqagents.training import run as loop
from eqagents.training.checkpoint import load_checkpoint
from eqagents.training.config import parse_config
from eqagents.training.metrics import read_metrics
from eqagents.training.run import resume, train

if TYPE_CHECKING:
    from pathlib import Path

LEARNED = {"id": "policy_gradient", "updates": 2, "num_envs": 16, "steps": 4, "hidden": [8]}
CONFIG: dict[str, Any] = {
    "game": {"id": "kuhn_poker"},
    "learner": {"id": "psro", "oracle": LEARNED},
    "iterations": 5,
    "seed": 3,
    "checkpoint": {"every": 1},
}
PSRO = {"population/meta_game", "strategy/player_0", "strategy/player_1"}


def shown(directory: Path) -> dict[str, list[int]]:
    """The steps of each picture."""
    events = EventAccumulator(str(directory / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    return {tag: [each.step for each in events.Images(tag)] for tag in events.Tags()["images"]}


def written(directory: Path) -> tuple[Any, list[dict[str, Any]]]:
    """The state and the metrics, clocks aside."""
    state = load_checkpoint(directory / "checkpoints")[1]["state"]
    clocks = ("time", "run/")
    return state, [{k: v for k, v in row.items() if not k.startswith(clocks)} for row in read_metrics(directory)]


def test_pictures_are_drawn_at_the_start_ever_more_rarely_and_at_the_end(tmp_path):
    train(parse_config(CONFIG), tmp_path / "run")
    assert shown(tmp_path / "run") == {name: [0, 1, 2, 4, 5] for name in PSRO}


def test_pictures_are_drawn_where_the_run_is_scored(tmp_path):
    train(parse_config(CONFIG, ["score.every=2", "iterations=9"]), tmp_path / "run")
    assert shown(tmp_path / "run") == {name: [0, 2, 4, 8, 9] for name in PSRO}


def test_run_that_was_resumed_shows_each_picture_once(tmp_path):
    seen = 0

    def third() -> bool:
        nonlocal seen
        seen += 1
        return seen == 3

    train(parse_config(CONFIG), tmp_path / "run", stop_asked=third)
    resume(tmp_path / "run", step=1)
    assert shown(tmp_path / "run") == {name: [0, 1, 2, 4, 5] for name in PSRO}


def test_drawing_changes_no_number(tmp_path, monkeypatch):
    train(parse_config(CONFIG), tmp_path / "drawn")
    monkeypatch.setattr(loop, "pictures", lambda *_: {})
    train(parse_config(CONFIG), tmp_path / "bare")
    assert shown(tmp_path / "bare") == {}
    np.testing.assert_equal(written(tmp_path / "drawn"), written(tmp_path / "bare"))


def test_hyper_parameters_are_what_the_result_depends_on(tmp_path):
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data

    train(parse_config(CONFIG, ["iterations=1"]), tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    info = parse_session_start_info_plugin_data(events.PluginTagToContent("hparams")[SESSION_START_INFO_TAG])
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in info.hparams.items()}
    expected = {"game": "kuhn_poker", "learner.id": "psro", "learner.oracle.updates": 2, "seed": 3}
    assert expected.items() <= values.items()
    assert values["parameters.num_players"] == 2
    assert not [name for name in values if name.startswith(("executor", "checkpoint", "iterations"))]


@pytest.mark.parametrize("scoring", ["simulated", "exact"])
def test_what_is_scored_by_simulation_shows_its_population_only(scoring, tmp_path):
    score = {"method": scoring, "episodes": 4, "oracles": [LEARNED]}
    train(parse_config({**CONFIG, "iterations": 1, "score": score}), tmp_path / "run")
    assert set(shown(tmp_path / "run")) == (PSRO if scoring == "exact" else {"population/meta_game"})
