"""`eqenvs bench convergence`: its figures are facts, so a quick run is held against them."""

import pytest

from eqagents.bench import Settings, find_benchmark


@pytest.fixture(scope="module")
def sections():
    return {section.id: section for section in find_benchmark("convergence").run(Settings(quick=True))}


def test_values_are_the_known_ones(sections):
    found = {row["game"]: row for row in sections["values"].rows}
    assert found["Kuhn poker"]["value"] == pytest.approx(-1 / 18, abs=1e-9)
    assert found["Leduc poker"]["value"] == pytest.approx(-0.085606424078, abs=1e-9)
    assert found["liar's dice, 3 faces"]["value"] == pytest.approx(1 / 9, abs=1e-9)
    for row in found.values():
        assert row["nash_conv"] <= 1e-9
        assert abs(row["pcfr"] - row["value"]) <= row["pcfr_nash_conv"] + 1e-9


def test_exploitability_after_1000_iterations_is_the_published_one(sections):
    found = {row["method"]: row for row in sections["after_1000"].rows}
    assert found["cfr"]["Kuhn poker"] == pytest.approx(9.4e-4, rel=0.05)
    assert found["cfr"]["Leduc poker"] == pytest.approx(1.18e-2, rel=0.05)


def test_every_row_has_its_columns(sections):
    assert set(sections) == {"values", "after_1000", "rates", "sampled_play"}
    for section in sections.values():
        assert section.rows
        assert all(set(row) & set(section.columns) for row in section.rows)
    for row in sections["sampled_play"].rows:
        assert row["10000"] < row["1000"]
