"""Reports in a real browser: no console errors, everything is there after scripts ran, and tables can be searched."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from eqagents.report import load_report_data, render_report

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser on PATH: looked for {', '.join(NAMES)}")
VOID = {"meta", "br", "input"}


@dataclass
class Row:
    """A row of a table of strategies as the browser has it."""

    hidden: bool
    cells: list[str]


class Reader(HTMLParser):
    """What the page has after its scripts ran."""

    def __init__(self) -> None:
        super().__init__()
        self.path: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[Row] = []
        self.said: list[str] = []
        self.headings: list[str] = []
        self.sorted: dict[str, str] = {}
        self.controls: list[bool] = []
        self.fields: list[str] = []
        self.drawings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        css = (given.get("class") or "").split()
        if tag not in VOID:
            self.path.append((tag, given))
        self.drawings += tag == "svg" and given.get("role") == "img"
        if "controls" in css:
            self.controls.append("hidden" not in given)
        if tag == "th" and "aria-sort" in given:
            self.sorted[str(given["data-sort"])] = str(given["aria-sort"])
        if tag == "tr" and self._within("tbody") and self._within("table", "states"):
            self.rows.append(Row("hidden" in given, []))
        elif tag in ("td", "th") and self._within("tbody") and self._within("table", "states"):
            self.rows[-1].cells.append("")
        elif tag in ("h2", "output"):
            (self.headings if tag == "h2" else self.said).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.path.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self._within("tbody") and self._within("table", "states") and self.rows and self.rows[-1].cells:
            self.rows[-1].cells[-1] += data
        for tag, found in (("h2", self.headings), ("output", self.said)):
            if self._within(tag):
                found[-1] += data

    def _within(self, tag: str, css: str = "") -> bool:
        return any(name == tag and css in (given.get("class") or "") for name, given in self.path)

    @property
    def shown(self) -> list[list[str]]:
        return [row.cells for row in self.rows if not row.hidden]


def opened(file: Path, fragment: str = "") -> tuple[Reader, list[str]]:
    """The page after its scripts ran, and what the console says."""
    assert BROWSER is not None
    profile = file.parent / "profile"
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}"),
            *("--virtual-time-budget=1000", "--enable-logging=stderr", "--v=0", "--dump-dom"),
            f"{file.as_uri()}{fragment}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    reader = Reader()
    reader.feed(done.stdout)
    return reader, re.findall(r".*CONSOLE.*", done.stderr)


def written(tmp_path: Path, *directories: Path) -> Path:
    file = tmp_path / "report.html"
    file.write_text(render_report([load_report_data(directory) for directory in directories]), encoding="utf-8")
    return file


def test_console_errors_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "bad.html"
    file.write_text("<!DOCTYPE html><html><body><script>nothing.of.the.kind</script></body></html>")
    assert any("nothing is not defined" in line for line in opened(file)[1])


def test_strategies_are_filtered_by_words_player_and_probability(trained: dict[str, Path], tmp_path: Path) -> None:
    file = written(tmp_path, trained["kuhn"])
    page, console = opened(file, "#filter=reach%3E0.1%20pass%3E0.5&player=1&sort=gain&order=up")
    assert console == []
    assert page.controls == [True]
    assert {"Strategies", "Meta-game", "Distance from equilibrium", "Run it again"} <= set(page.headings)
    assert page.drawings > 8
    assert len(page.rows) == 12
    expected = [
        cells
        for cells in (row.cells for row in page.rows)
        if cells[0] == "1" and float(cells[3]) > 0.1 and float(re.findall(r"pass: <?([\d.]+)", cells[2])[0]) > 0.5
    ]
    assert 0 < len(expected) < 6
    assert page.shown == expected
    assert page.said == [f"{len(expected)} of 12 rows"]
    assert page.sorted == {"gain": "ascending"}
    gains = [float(row.cells[4]) for row in page.rows]
    assert gains == sorted(gains)


def test_whole_table_is_there_without_a_fragment(trained: dict[str, Path], tmp_path: Path) -> None:
    page, console = opened(written(tmp_path, trained["rps"]))
    assert console == []
    assert "Strategies on the simplex" in page.headings
    assert len(page.shown) == len(page.rows) == 2
    assert page.said == ["2 of 2 rows"]
    assert page.sorted == {}


def test_mean_field_run_has_its_populations(trained: dict[str, Path], tmp_path: Path) -> None:
    page, console = opened(written(tmp_path, trained["crowd"]), "#sort=state&filter=3-")
    assert console == []
    assert "Populations" in page.headings
    assert len(page.rows) == 100
    labels = [cells[1] for cells in page.shown]
    assert labels == sorted(labels, reverse=True)
    assert set(labels) == {row.cells[1] for row in page.rows if "3-" in row.cells[1]}


def test_runs_of_several_seeds_are_compared(trained: dict[str, Path], tmp_path: Path) -> None:
    file = written(tmp_path, *(trained[f"seed_{seed}"] for seed in range(3)), trained["cfr"])
    page, console = opened(file, "#sort=reach-2&filter=K:")
    assert console == []
    assert page.sorted == {"reach-2": "descending"}
    assert len(page.shown) == sum("K:" in row.cells[1] for row in page.rows) == 4
    reach = [float(cells[6]) for cells in page.shown]
    assert reach == sorted(reach, reverse=True)
    assert page.drawings > 8
