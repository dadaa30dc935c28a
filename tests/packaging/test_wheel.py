"""The wheel holds the three packages and nothing else; built in process, with no network and no isolation."""

from __future__ import annotations

import configparser
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"eqenvs", "eqagents", "eqsolvers"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    [path] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("dist")))
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_top_level_names_are_the_three_packages_and_the_metadata(wheel):
    top_level = {name.split("/")[0] for name in wheel.namelist()}
    [dist_info] = [name for name in top_level if name.endswith(".dist-info")]
    assert dist_info.startswith("eqenvs-")
    assert top_level == PACKAGES | {dist_info}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_each_package_is_marked_as_typed(wheel, package):
    assert f"{package}/py.typed" in wheel.namelist()
    assert f"{package}/__init__.py" in wheel.namelist()


def test_tests_configs_and_caches_stay_out(wheel):
    parts = {part for name in wheel.namelist() for part in name.split("/")}
    assert not parts & {"tests", "configs", "benchmarks", "docs", "__pycache__", ".venv", "runs"}


def test_command_line_entry_point_is_declared(wheel):
    [path] = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    entry_points = configparser.ConfigParser()
    entry_points.read_string(wheel.read(path).decode())
    assert entry_points["console_scripts"]["eqenvs"] == "eqagents.cli.main:main"


def test_licence_text_travels_with_the_wheel(wheel):
    [path] = [name for name in wheel.namelist() if name.endswith("LICENSE")]
    assert "MIT License" in wheel.read(path).decode()
