"""What a game's file states and does not hold is a finding of `eqenvs check`."""

from __future__ import annotations

from dataclasses import replace

import pytest

import eqenvs
from eqagents.cli.facts import fact_findings
from eqenvs.game import Game
from eqenvs.spec import Fact

WRONG = {
    "value": (
        Fact(source="a book", values=(-0.3, 0.3)),
        "values expected (-0.3, 0.3), found (-0.055555556, 0.055555556)",
    ),
    "size": (Fact(source="a book", sizes={"infosets": [2, 2]}), "infosets expected [2, 2], found [6, 6]"),
    "uniform": (Fact(source="a book", uniform_nash_conv=1.0), "uniform_nash_conv expected 1, found 0.916667"),
    "parameter": (Fact(source="a book", parameters={"players": 2}), "unknown parameter of kuhn_poker 'players'"),
}


@pytest.mark.parametrize(("fact", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_fact_is_told_with_what_was_found(fact, message):
    spec = replace(eqenvs.spec("kuhn_poker"), facts=(*eqenvs.spec("kuhn_poker").facts, fact))
    *right, last = fact_findings(Game(spec), 10_000)
    assert right
    assert {finding.status for finding in right} <= {"pass", "skipped"}
    assert any(finding.status == "pass" for finding in right)
    assert last.status == "fail"
    assert last.message.startswith(f"fact 'a book': {message}")


@pytest.mark.parametrize("game_id", ["rock_paper_scissors", "stag_hunt", "leduc_poker", "grid_soccer", "left_right"])
def test_the_facts_of_games_here_hold(game_id):
    findings = fact_findings(eqenvs.make(game_id), 10_000)
    assert findings
    assert [finding for finding in findings if finding.status == "fail"] == []
