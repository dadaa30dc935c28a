import xml.etree.ElementTree as ET

import numpy as np
import pytest

from eqagents.leaderboard.diagram import critical_difference_diagram
from eqagents.leaderboard.plan import Place
from eqagents.leaderboard.rankings import ranked
from eqagents.leaderboard.results import Outcome, Result

UNIFORM = {"a": 2.0, "b": 1.0, "c": 4.0}
SVG = "{http://www.w3.org/2000/svg}"


def results_of(table, seeds=(0, 1), kind="exact"):
    """Results from {entry: {task: scores by seed}}."""
    return {
        Place(task, entry, seed): Result(Outcome.SCORED, nash_conv=scores[seed], kind=kind)
        for entry, row in table.items()
        for task, scores in row.items()
        for seed in seeds
    }


TABLE = {
    "good": {"a": (0.2, 0.2), "b": (0.1, 0.3), "c": (0.4, 0.4)},
    "bad": {"a": (2.0, 2.2), "b": (0.9, 0.7), "c": (4.0, 4.4)},
    "fair": {"a": (0.4, 0.4), "b": (0.5, 0.5), "c": (0.8, 0.4)},
}


def test_ranks_follow_the_means_over_seeds():
    found = ranked("all", list(TABLE), results_of(TABLE), UNIFORM)
    assert found.entries == ("good", "fair", "bad")
    assert found.average_ranks.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.normalised, [0.1, 0.275, 1.0])  # of the middle four of six runs
    assert found.wins.tolist() == [[0, 3, 3], [0, 0, 3], [0, 0, 0]]
    assert found.improvement[0, 1] == pytest.approx((1 + 1 + 3 / 4) / 3)  # on c two of four pairs of runs tie


def test_what_differs_by_rounding_ties():
    table = {"x": {"a": (1e-16, 2e-15)}, "y": {"a": (3e-12, 0.0)}, "z": {"a": (0.5, 0.5)}}
    found = ranked("all", list(table), results_of(table), {"a": 2.0})
    assert dict(zip(found.entries, found.average_ranks, strict=True)) == {"x": 1.5, "y": 1.5, "z": 3}
    assert found.friedman is None  # of a single task
    assert found.improvement[0, 1] == 0.5


def test_a_task_that_one_entry_lacks_is_left_out_for_all():
    results = results_of(TABLE)
    results[Place("b", "fair", 1)] = Result(Outcome.FAILED, reason="why")
    found = ranked("all", list(TABLE), results, UNIFORM)
    assert found.tasks == ("a", "c")
    assert found.left_out == {"b": "fair: failed"}
    assert found.normalised[0] == pytest.approx(0.1)


def test_bounds_are_not_ranked():
    results = {**results_of(TABLE), **results_of({"fair": {"a": (0.1, 0.1)}}, kind="lower_bound")}
    found = ranked("all", list(TABLE), results, UNIFORM)
    assert found.tasks == ("b", "c")
    assert found.left_out["a"].startswith("scores are not exact")


def test_an_entry_without_any_score_takes_no_task_from_the_others():
    results = results_of(TABLE)
    results |= {Place(task, "none", 0): Result(Outcome.UNSUPPORTED, reason="") for task in UNIFORM}
    assert ranked("all", [*TABLE, "none"], results, UNIFORM).entries == ("good", "fair", "bad")


def test_no_scores_no_ranks():
    found = ranked("all", ["x"], {Place("a", "x", 0): Result(Outcome.MISSING)}, {"a": 1.0})
    assert (found.entries, found.tasks, found.friedman, found.critical_difference) == ((), (), None, None)
    assert found.to_json()["average_ranks"] == []
    assert ET.fromstring(critical_difference_diagram(found)).tag == f"{SVG}svg"


def test_diagram_shows_every_entry_where_its_rank_is():
    found = ranked("all", list(TABLE), results_of(TABLE), UNIFORM)
    root = ET.fromstring(critical_difference_diagram(found))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    for name in found.entries:
        assert any(name in text for text in texts)
    bars = [line for line in root.iter(f"{SVG}line") if line.get("class") == "bar"]
    assert len(bars) == len(found.alike) == 2  # CD 1.91: neighbours are alike, first and last are not
    leads = [line for line in root.iter(f"{SVG}line") if line.get("class") == "lead"]
    at = sorted(float(line.get("x1")) for line in leads if line.get("x1") == line.get("x2"))
    assert at[1] - at[0] == pytest.approx(at[2] - at[1])  # ranks 1, 2, 3
    width, height = (float(root.get(name)) for name in ("width", "height"))
    for line in root.iter(f"{SVG}line"):
        assert all(0 <= float(line.get(name)) <= width for name in ("x1", "x2"))
        assert all(0 <= float(line.get(name)) <= height for name in ("y1", "y2"))


def test_scores_are_as_they_are_where_uniform_play_is_an_equilibrium():
    table = {"x": {"a": (0.25, 0.25)}, "y": {"a": (0.5, 0.5)}}
    assert ranked("all", ["x", "y"], results_of(table), {"a": 3e-17}).normalised.tolist() == [0.25, 0.5]
