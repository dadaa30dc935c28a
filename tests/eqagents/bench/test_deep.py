"""`eqenvs bench deep`: what must be so of learned best responses whatever the budget."""

from __future__ import annotations

import pytest

from eqagents.bench import Section, Settings, _approximate_br


@pytest.fixture(scope="module")
def section() -> Section:
    return _approximate_br.section(Settings(quick=True))


def test_no_learned_response_gains_more_than_the_exact_one(section: Section) -> None:
    assert {row["policy"] for row in section.rows} == set(_approximate_br.POLICIES)
    for row in section.rows:
        assert 0 <= row["found"] <= row["exact"] + 1e-9
        assert row["found"] >= max(row["found_ppo"], row["found_policy_gradient"]) - 1e-12
        assert row["missing"] == pytest.approx(row["exact"] - row["found"])


def test_what_is_easily_exploited_is_found_with_little(section: Section) -> None:
    (uniform,) = (row for row in section.rows if row["policy"] == "uniform")
    assert uniform["exact"] == pytest.approx(11 / 12)
    assert uniform["share"] > 0.7
