"""docs/interop.md: what needs OpenSpiel runs where it is there, and the tables say what the page says of them."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "interop.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def stored(name):
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))["sections"]


@pytest.mark.parametrize("code", blocks("py"), ids=range(len(blocks("py"))))
def test_blocks_that_need_openspiel_run(code):
    pytest.importorskip("pyspiel")
    exec(compile(code, "interop.md", "exec"), {})


def test_every_scheme_has_a_block_that_runs():
    """Those without OpenSpiel are run by the test of all pages."""
    assert 'make("openspiel:' in "".join(blocks("py"))
    for scheme in ("gambit", "table"):
        assert f'make(f"{scheme}:' in "".join(blocks("python"))


def test_at_least_25_games_of_openspiel_are_solved_and_the_scores_agree():
    rows = stored("open_spiel")["games"]["rows"]
    assert len({row["game"] for row in rows}) == len(rows)
    assert sum(max(row["nash_conv"], row["theirs"]) <= 1e-3 for row in rows) >= 25
    assert [row["game"] for row in rows if max(row["nash_conv"], row["theirs"]) > 1e-3] == []
    assert [row["game"] for row in rows if not row["difference"] <= 1e-9] == []


def test_gambit_agrees_on_every_file_of_its_catalogue():
    rows = stored("gambit")["catalogue"]["rows"]
    solved = [row for row in rows if "refused" not in row]
    assert len(rows) >= 38
    assert [row["file"] for row in rows if "refused" in row] == [r["file"] for r in rows if not r["perfect_recall"]]
    assert all(row["same_players"] for row in rows)
    assert max(max(row["payoffs"], row["difference"]) for row in solved) <= 1e-9
    assert max(max(row["nash_conv"], row["theirs"]) for row in solved) <= 1e-6


def test_commands_run(run_lines):
    [lines] = blocks("sh")
    run_lines(lines.splitlines())
