"""docs/cluster.md: its settings are settings, its errors are the errors, its sweep runs."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import yaml

from eqagents.configuration import validate
from eqagents.distributed import ExecutorConfig
from eqenvs.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, flags=re.M | re.S)


def test_settings_are_settings():
    (text,) = [text for language, text in BLOCKS if language == "yaml"]
    config = validate(ExecutorConfig, yaml.safe_load(text)["executor"])
    assert config.resources_per_worker == {"play": 1}


def test_errors_are_the_errors(monkeypatch):
    from eqagents.distributed import cluster

    nodes = [{"CPU": 4.0, "node:a": 1.0}, {"CPU": 2.0, "play": 4.0, "memory": 1e9}]
    monkeypatch.setattr(cluster.ray, "nodes", lambda: [{"Alive": True, "Resources": each} for each in nodes])
    said = []
    for count, each in ((3, {"CPU": 1, "GPU": 0, "play": 1}), (1, {"CPU": 1, "pley": 1})):
        with pytest.raises(InputError) as caught:
            cluster.require_room(count, each, f"workers={count}")
        said.append(f"error: {caught.value}")
    cluster.require_room(2, {"CPU": 1, "play": 2.0}, "workers=2")
    assert "\n".join(said) in PAGE


def test_files_are_there():
    linked = re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE)
    assert len(linked) >= 3
    assert [name for name in linked if not (ROOT / "docs" / name).exists()] == []


@pytest.mark.ray
@pytest.mark.slow
def test_sweep_runs(ray_cluster, tmp_path, monkeypatch, capsys):
    if None in map(importlib.util.find_spec, ("pandas", "pyarrow", "tensorboardX")):
        pytest.skip("Ray Tune needs ray[tune]")
    (text,) = [text for language, text in BLOCKS if language == "sh"]
    (line,) = text.splitlines()
    python, script, config, *arguments = shlex.split(line)
    assert python == "python"
    spec = importlib.util.spec_from_file_location("tune_sweep", ROOT / script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    module.main([str(ROOT / config), *arguments])
    assert len(list(tmp_path.glob("sweeps/sweep/*/run/ended.json"))) == 3
    assert len([said for said in capsys.readouterr().out.splitlines() if "after 4 iterations" in said]) == 3
