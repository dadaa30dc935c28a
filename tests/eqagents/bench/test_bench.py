"""`eqenvs bench`: what it measures, prints, writes and refuses. Nothing here asserts on a clock."""

from __future__ import annotations

import json
import math
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eqagents.bench import (
    Settings,
    _games,
    _limit,
    _measure,
    _peers,
    _scaling,
    _target,
    cell,
    find_benchmark,
    is_document,
)
from eqenvs import discovery
from eqsolvers.extensive_form._lane_kernel import LaneLoops
from eqsolvers.extensive_form._lanes import LaneSide
from eqsolvers.extensive_form._regret import RegretMinimiser
from eqsolvers.extensive_form.cfr_plus import schedule

COMMAND = Path(sys.executable).with_name("eqenvs")
SECTIONS = {
    "compile", "iterations", "target", "nash_conv", "mccfr", "mccfr_reached", "building", "limit", "scaling", "phantom",
}  # fmt: skip


class Quick:
    """One quick run by the installed command."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "extensive.json"
        arguments = ("bench", "extensive", "--quick", "--json", "--out", str(self.file))
        self.done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=120)
        assert self.done.returncode == 0, self.done.stderr
        self.document: dict[str, Any] = json.loads(self.done.stdout)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Quick:
    return Quick(tmp_path_factory.mktemp("bench"))


def rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for section in document["sections"].values() for row in section["rows"]]


@pytest.mark.slow
def test_the_document_has_every_section_with_rows_under_its_columns(quick):
    document = quick.document
    assert document["benchmark"] == "extensive"
    assert document["quick"] is True
    assert set(document["sections"]) == SECTIONS
    for name, section in document["sections"].items():
        assert section["title"], name
        assert section["rows"], name
        assert set(section["columns"]) & set(section["rows"][0]), name
        assert {key for row in section["rows"] for key in row} >= {next(iter(section["columns"]))}, name


def test_every_figure_is_positive_and_finite(quick):
    figures = {key: value for row in rows(quick.document) for key, value in row.items() if isinstance(value, float)}
    assert {key for key in figures if key.endswith("_per_second")} >= {"eqenvs_per_second"}
    for row in rows(quick.document):
        for key, value in row.items():
            if key.startswith(("ratio", "share")) or key.endswith(("_per_second", "seconds", "_bytes")):
                assert value > 0, (key, row)
                assert math.isfinite(value), (key, row)


def test_ours_comes_down_to_every_target_by_some_method(quick):
    for name in {row["game"] for row in quick.document["sections"]["target"]["rows"]}:
        found = [row for row in quick.document["sections"]["target"]["rows"] if row["game"] == name]
        mine = [row for row in found if row["program"] == "eqenvs" and row["reached"]]
        assert mine
        assert all(row["exploitability"] <= row["target"] for row in mine)
        assert min(row["ratio"] for row in mine) == 1.0


def test_a_peer_that_is_not_installed_is_left_out_and_named(quick):
    versions = quick.document["environment"]["versions"]
    notes = " ".join(quick.document["sections"]["compile"]["notes"])
    for name, distribution, key in (("OpenSpiel", "open_spiel", "open_spiel"), ("LiteEFG", "LiteEFG", "lite_efg")):
        there = any(f"ratio_{key}" in row for row in rows(quick.document))
        assert there == (versions[distribution] is not None)
        assert (f"{name} is not installed" in notes) == (not there)


def test_the_file_is_what_is_printed_and_every_row_is_a_line_of_progress(quick):
    assert json.loads(quick.file.read_text()) == quick.document
    assert len(quick.done.stderr.splitlines()) >= len(rows(quick.document))


def test_the_environment_says_what_was_used_and_not_where(quick):
    found = quick.document["environment"]
    assert found["threads"] == 1
    assert found["versions"]["numba"]
    assert found["processor"]
    assert platform.node() not in quick.done.stdout


def test_a_file_of_something_else_is_never_replaced(call, tmp_path):
    for text in ("notes", "[]", '{"benchmark": "bandit"}'):
        (tmp_path / "mine.json").write_text(text)
        status, _, message = call("bench", "extensive", "--quick", "--out", tmp_path / "mine.json")
        assert status == 2
        assert (tmp_path / "mine.json").read_text() == text
        assert message.count("\n") == 1
        assert "mine.json" in message


def test_a_document_of_the_same_benchmark_may_be_replaced(quick):
    assert is_document(quick.file, find_benchmark("extensive"))


def test_a_missing_directory_and_an_unknown_name_are_one_line(call, tmp_path):
    status, _, message = call("bench", "extensive", "--quick", "--out", tmp_path / "none" / "x.json")
    assert status == 2
    assert "there is no directory" in message
    status, _, message = call("bench", "extensiv")
    assert status == 2
    assert message == "error: unknown benchmark 'extensiv'; did you mean 'extensive'?\n"


def test_every_benchmark_is_named_as_its_file():
    for name in discovery.modules("eqagents.bench"):
        assert find_benchmark(name).id == name


def test_tables_are_printed_in_full_with_the_environment(monkeypatch, call, quick):
    monkeypatch.setattr("eqagents.bench.document", lambda benchmark, settings: quick.document)
    status, printed, _ = call("bench", "extensive", "--quick")
    assert status == 0
    assert "…" not in printed
    for section in quick.document["sections"].values():
        assert section["title"] in printed
        for row in section["rows"]:
            assert all(cell(row.get(key)) in printed for key in section["columns"])


def work(times: int) -> None:
    for _ in range(times):
        sum(range(100))


def test_paired_slices_give_every_contestant_every_round_and_skip_the_absent():
    settings = Settings(quick=True)
    measured = _measure.paired({"eqenvs": work, "peer": work, "absent": None}, settings)
    assert {name: len(values) for name, values in measured.items()} == {
        "eqenvs": settings.rounds,
        "peer": settings.rounds,
    }
    assert all(value > 0 for values in measured.values() for value in values)


def test_ratios_are_medians_of_the_ratios_within_a_round():
    measured = {"eqenvs": [1.0, 2.0, 4.0], "peer": [10.0, 10.0, 80.0]}
    assert _measure.ratios(measured) == {"ratio_peer": 10.0}
    assert _measure.medians(measured) == {"eqenvs": 2.0, "peer": 10.0}


class Halving:
    """A peer whose exploitability is 1 / iterations."""

    def __init__(self) -> None:
        self.iterations = 0

    def run(self, iterations: int) -> None:
        self.iterations += iterations

    def exploitability(self) -> float:
        return 1 / self.iterations


def test_a_peer_is_stopped_at_the_target_to_two_per_cent_of_its_iterations():
    found = _target._theirs(Halving(), 1e-3, first=400, limit=math.inf)
    assert found["reached"]
    assert 1000 <= found["iterations"] <= 1020
    assert found["exploitability"] == 1 / found["iterations"]


def test_a_peer_that_is_far_behind_is_given_up():
    found = _target._theirs(Halving(), 1e-9, first=10, limit=0.0)
    assert not found["reached"]
    assert found["iterations"] == 10


def test_the_exponent_of_a_power_law_is_its_power():
    sizes = [10.0, 100.0, 700.0]
    assert _scaling.exponent(sizes, [3 * size**1.7 for size in sizes]) == pytest.approx(1.7)


def test_the_triad_is_the_sum_it_says():
    rng = np.random.default_rng(0)
    sums, left, right = rng.random((3, 37))
    _limit.triad(sums, left, right, 0.5, 1)
    assert np.array_equal(sums, left + 0.5 * right)


class Traffic:
    """Reads and writes of a pass, each byte once."""

    def __init__(self) -> None:
        self.reads: dict[str, set[int]] = {}
        self.writes: dict[str, set[int]] = {}
        self.sizes: dict[str, int] = {}

    def read(self, name: str, *at: int, size: int = 8) -> None:
        self.sizes[name] = size
        self.reads.setdefault(name, set()).update(map(int, at))

    def write(self, name: str, *at: int) -> None:
        self.sizes[name] = 8
        self.writes.setdefault(name, set()).update(map(int, at))

    def bytes(self) -> int:
        return sum(self.sizes[name] * len(at) for found in (self.reads, self.writes) for name, at in found.items())


def traffic_of(side: LaneSide, width: int) -> int:
    """A walk through `_lane_kernel.learn` that notes every access; the plain twin of the formula."""
    up, down = Traffic(), Traffic()

    def index(memory: Traffic, unit: int) -> tuple[bool, range]:
        memory.read("wide", unit, size=1)
        for name in ("first", "actions", "parent"):
            memory.read(name, unit, size=4)
        wide = bool(side.wide[unit])
        first, number = int(side.first[unit]), int(side.actions[unit])
        return wide, range(first, first + number * (width if wide else 1))

    def single(at: range) -> None:
        for q in at:
            up.read("entry_start", q, q + 1, size=4)
            entries = range(side.entry_start[q], side.entry_start[q + 1])
            up.read("entry_value", *entries)
            up.read("entry_other", *entries, size=4)
            up.read("other", *side.entry_other[entries])

    for unit in range(len(side.first)):
        wide, at = index(up, unit)
        above = range(int(side.parent[unit]), int(side.parent[unit]) + (width if wide else 1))
        if wide:
            up.read("entry_start", at.start, at.stop, size=4)
            if side.entry_start[at.start] != side.entry_start[at.stop]:
                single(at)
            up.read("block_row", unit, size=4)
            for row in range(side.block_row[unit], side.block_row[unit] + side.actions[unit]):
                up.read("block_start", row, row + 1, size=4)
                for k in range(side.block_start[row], side.block_start[row + 1]):
                    up.read("block_other", k, size=4)
                    up.read("block_pattern", k, size=4)
                    start = int(side.block_pattern[k])
                    up.read("patterns", *range(start, start + side.columns * width))
                    up.read("other", *range(side.block_other[k], int(side.block_other[k]) + side.columns))
        else:
            single(at)
        for name in ("regret", "strategy", "gradient"):
            up.read(name, *at)
            up.write(name, *at)
        up.read("gradient", *above)
        up.write("gradient", *above)
        index(down, unit)
        down.read("strategy", *at)
        for name in ("average", "plan"):
            down.read(name, *at)
            down.write(name, *at)
        down.read("plan", *above)
    up.write("gradient", *range(width))
    down.read("average", *range(width))
    down.write("average", *range(width))
    return up.bytes() + down.bytes()


@pytest.mark.parametrize(
    "game",
    [_games.KUHN, _games.LEDUC, _games.liars_dice(3), _games.goofspiel(3), _games.BATTLESHIP],
    ids=lambda game: game.name,
)
def test_the_bytes_of_an_iteration_are_those_that_a_walk_through_the_kernel_touches(game):
    loops = RegretMinimiser(game.model(), schedule())._loops
    assert isinstance(loops, LaneLoops)
    layout = loops.layout
    assert _limit.bytes_per_iteration(layout) == sum(traffic_of(side, layout.width) for side in layout.sides)


def test_battleship_is_the_instance_that_openspiel_has():
    sizes = _games.BATTLESHIP.model().sizes()
    assert sizes["terminals"] == 9216
    assert sizes["infosets"] == [397, 1189]
    assert sizes["sequences"] == [1 + 1196, 1 + 3596]


@pytest.mark.skipif(_peers.lite_efg() is None, reason="OpenSpiel and LiteEFG are not installed")
def test_the_peers_do_the_iterations_that_we_do():
    process = RegretMinimiser(_games.LEDUC.model(), schedule())
    process.run(100)
    open_spiel, lite_efg = _peers.OpenSpielSolver("leduc_poker"), _peers.LiteEFGSolver("leduc_poker", "cfr+")
    for peer in (open_spiel, lite_efg):
        peer.run(100)
        assert peer.exploitability() == pytest.approx(process.residual() / 2, rel=0.2)
