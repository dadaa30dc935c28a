"""Stable-Baselines3 plays against itself through SuperSuit, and its model is scored."""

from __future__ import annotations

import base64
import json
import pickle
import zipfile
from pathlib import Path

import pytest

import eqenvs

pytest.importorskip("stable_baselines3")
pytest.importorskip("supersuit")
from stable_baselines3.common.save_util import load_from_zip_file


def test_model_is_scored_by_the_command(example, recipe):
    nash_conv, found = recipe(example("sb3_supersuit"))
    assert found["nash_conv"] == pytest.approx(nash_conv, abs=1e-9)
    assert nash_conv < 8  # uniform play: 11.489


def test_copies_of_a_game_do_not_share_their_randomness(example):
    copies = example("sb3_supersuit").make_model(eqenvs.make("grid_soccer"), 0).get_env()
    first = copies.reset()[::2]  # the first player's view of each copy
    assert len({view.tobytes() for view in first}) > 1


class Intruder:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_reading_a_model_runs_nothing_that_is_in_it(example, tmp_path):
    module, game = example("sb3_supersuit"), eqenvs.make("common_pool")
    path, spoiled, mark = (tmp_path / name for name in ("model.zip", "spoiled.zip", "mark"))
    module.make_model(game, 0).save(path)
    payload = base64.b64encode(pickle.dumps(Intruder(mark))).decode()
    with zipfile.ZipFile(path) as theirs, zipfile.ZipFile(spoiled, "w") as ours:
        for name in theirs.namelist():
            data = theirs.read(name)
            if name == "data":
                entries = json.loads(data)
                entries["lr_schedule"][":serialized:"] = payload
                data = json.dumps(entries)
            ours.writestr(name, data)
    states = game.information_states[0]
    assert (module.load(game, spoiled)(0, states) == module.load(game, path)(0, states)).all()
    assert not mark.exists()
    load_from_zip_file(spoiled, device="cpu")  # what `PPO.load` begins with
    assert mark.exists()
