"""`eqenvs bench deep`: what must be so of learned best responses whatever the budget."""

from __future__ import annotations

import pytest

from eqagents.bench import Section, Settings, _approximate_br


@pytest.fixture(scope="module")
def section() -> Section:
    return _approximate_br.section(Settings(quick=True))


@pytest.mark.slow
def test_no_learned_response_gains_more_than_the_exact_one(section: Section) -> None:
    assert {row["policy"] for row in section.rows} == set(_approximate_br.POLICIES)
    for row in section.rows:
        for name in ("kept", *(f"kept_{oracle}" for oracle in _approximate_br.ORACLES)):
            assert 0 <= row[name] <= row["exact"] + 1e-9
        assert row["share"] == pytest.approx(row["kept"] / row["exact"])


def test_the_bound_is_what_the_kept_responses_gain_up_to_its_interval(section: Section) -> None:
    for row in section.rows:
        assert 0 < row["half_width"] < 0.05
        assert abs(row["bound"] - row["kept"]) <= 2 * row["half_width"]


def test_what_is_easily_exploited_is_found_with_little(section: Section) -> None:
    (uniform,) = (row for row in section.rows if row["policy"] == "uniform")
    assert uniform["exact"] == pytest.approx(11 / 12)
    assert uniform["share"] > 0.9
