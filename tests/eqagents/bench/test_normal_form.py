"""`eqenvs bench normal_form`: a quick run, held against what must be so whatever the clock says."""

import pytest

from eqagents.bench import Settings, find_benchmark


@pytest.fixture(scope="module")
def sections():
    return {section.id: section for section in find_benchmark("normal_form").run(Settings(quick=True))}


@pytest.mark.slow
def test_every_section_has_rows_under_its_columns(sections):
    for section in sections.values():
        assert section.rows
        assert all(set(row) & set(section.columns) for row in section.rows)


def test_gaps_are_within_what_the_titles_say(sections):
    gaps = [row["gap"] for section in sections.values() for row in section.rows if row.get("gap") is not None]
    assert len(gaps) >= 3
    assert max(gaps) <= 1e-4
    assert min(gaps) <= 1e-9
