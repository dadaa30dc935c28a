"""`eqenvs doctor`: what is there is found, and what is wrong is told with a remedy."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from eqagents.cli import doctor
from eqagents.cli.doctor import Finding, Status, examine
from eqenvs import discovery


@pytest.fixture
def found():
    """The findings by what they are about."""
    return lambda: {each.what: each for each in examine(with_ray=False)}


def test_this_environment_is_found_as_it_is(call, found):
    findings = found()
    assert all(each.status is not Status.BAD for each in findings.values())
    for name in ("numpy", "torch", "ray", "pettingzoo"):
        assert findings[name].found == metadata.version(name)
    assert "work" in findings["compiled kernels"].found
    status, said, _ = call("doctor", "--json")
    assert status == 0
    assert {each["what"] for each in json.loads(said)} == findings.keys()
    status, said, _ = call("doctor")
    assert status == 0
    assert "compiled kernels" in said


def test_packages_that_are_missing_or_too_old_are_bad(monkeypatch, call):
    real = metadata.version

    def version(name):
        if name == "clarabel":
            raise metadata.PackageNotFoundError(name)
        return "1.26.0" if name == "numpy" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    status, said, _ = call("doctor", "--json")
    assert status == 1
    bad = {each["what"]: each for each in json.loads(said) if each["status"] == "bad"}
    assert bad.keys() == {"clarabel", "numpy"}
    assert bad["clarabel"]["found"] == "not installed"
    assert bad["clarabel"]["remedy"].startswith("pip install 'clarabel>=")
    assert bad["numpy"]["found"] == "1.26.0, not >=2.0"


def test_extras_say_what_they_lack(monkeypatch, found):
    real = metadata.version

    def version(name):
        if name in ("pyarrow", "open-spiel", "pygambit"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    findings = found()
    assert findings["extra cloud"].found == "without pyarrow"
    assert findings["extra cloud"].remedy == "pip install 'eqenvs[cloud]', for what it brings"
    assert "open-spiel, pygambit" in findings["extra interop"].found
    assert "extra dev" not in findings


def test_a_plugin_that_cannot_be_loaded_is_bad(monkeypatch, found):
    there = dict(discovery._found("eqenvs.games"))
    there["broken"] = (discovery.Module("a_module_that_is_not_there", "others 1.5"),)
    real = discovery._found
    monkeypatch.setattr(discovery, "_found", lambda package: there if package == "eqenvs.games" else real(package))
    finding = found()["game broken"]
    assert finding.status is Status.BAD
    assert finding.remedy == "mend or uninstall others 1.5"
    assert "cannot be imported (ModuleNotFoundError" in finding.found


def test_little_room_is_a_note(monkeypatch, found):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    monkeypatch.setattr(doctor, "_bytes_of_memory", lambda: (2**34, 2**29))
    findings = found()
    for what in ("memory", "shared memory", "disk here"):
        assert findings[what].status is Status.NOTE
        assert findings[what].remedy
    assert findings["memory"].found == "0.5 GiB free of 16.0"


def test_gpus_are_named_or_it_is_said_why_there_are_none(monkeypatch):
    import torch

    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert doctor._gpu() == Finding("GPU", "none is used: torch is built for the processor alone")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert doctor._gpu().status is Status.NOTE
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    device = SimpleNamespace(name="A GPU", total_memory=80 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: device)
    assert doctor._gpu().found == "A GPU, 80 GiB, A GPU, 80 GiB (CUDA 13.0)"


def test_a_kernel_that_does_not_compile_is_bad(monkeypatch):
    monkeypatch.setitem(sys.modules, "eqenvs.kernels", None)
    finding = doctor._kernels()
    assert finding.status is Status.BAD
    assert "ImportError" in finding.found or "ModuleNotFoundError" in finding.found


@pytest.mark.ray
def test_ray_answers(ray_cluster):
    finding = doctor._ray()
    assert finding.status is Status.OK
    assert "answered after" in finding.found
