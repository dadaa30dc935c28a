"""Charts, small maps and triangles: every mark is where its number says."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from eqagents.drawing.charts import Series, line_chart
from eqagents.drawing.matrices import LEVELS, SmallMap, small_maps
from eqagents.drawing.meta_games import meta_game_of
from eqagents.drawing.triangles import HEIGHT, LEFT, SIDE, TOP, Trail, places, triangle

SVG = "{http://www.w3.org/2000/svg}"


def chart(*series, **settings):
    return ET.fromstring(line_chart(series, title="t", x_label="x", y_label="y", **settings))


def points(path):
    return [tuple(map(float, place.split())) for place in re.split("[ML]", path.removesuffix("Z")) if place]


def by_class(drawing, css):
    return [element for element in drawing.iter() if css in (element.get("class") or "").split()]


def test_band_is_the_interval_and_leaves_gaps_where_it_is_not_known():
    # 560 x 300, margins 64, 16, 12, 44: x in 64..544, y from 256 (0) to 12 (10).
    series = Series(
        label="a", x=[0, 1, 2, 4], y=[4, 5, 5, 5], low=[2, 2.5, math.nan, 0], high=[10, 7.5, math.nan, 5], note="95 %"
    )
    drawing = chart(series)
    band, bar = by_class(drawing, "band"), by_class(drawing, "bar")
    assert points(band[0].get("d")) == [(64, 12), (184, 73), (184, 195), (64, 207.2)]
    assert [bar[0].get(name) for name in ("x1", "y1", "y2")] == ["544.0", "134.0", "256.0"]
    # XML reads the line breaks of attributes as spaces, HTML does not.
    tips = [dot.get("data-tip") for dot in by_class(drawing, "dot")]
    assert "a x 1: 5 95 %: 2.5 to 7.5" in tips
    assert "a x 2: 5" in tips


def test_on_a_logarithmic_axis_an_interval_below_zero_ends_at_the_axis_and_does_not_stretch_it():
    lower = [1e-9, -1.0]
    drawing = chart(Series(label="a", x=[0, 1], y=[0.1, 0.1], low=lower, high=[1.0, 1.0]), log_y=True)
    assert points(by_class(drawing, "band")[0].get("d")) == [(64, 12), (544, 12), (544, 256), (64, 256)]
    assert points(by_class(drawing, "line")[0].get("d")) == [(64, 256), (544, 256)]


def test_what_is_rounding_beside_the_highest_is_drawn_as_zero():
    drawing = chart(Series(label="a", x=[0, 1, 2], y=[1.0, 0.1, 3e-17]), log_y=True)
    assert points(by_class(drawing, "line")[0].get("d")) == [(64, 12), (304, 232), (544, 256)]
    assert any(dot.get("data-tip") == "a x 2: 3e-17" for dot in by_class(drawing, "dot"))


def test_members_are_thin_lines_as_far_as_what_sums_them_up():
    whole = Series(label="mean", x=[1, 2], y=[1.0, 1.0])
    member = Series(label="run", x=[0, 1, 2, 30], y=[2.0, 2.0, 2.0, 2.0], member=True)
    drawing = chart(whole, member)
    thin, thick = by_class(drawing, "line")
    assert "member" in thin.get("class")
    assert "member" not in thick.get("class")
    assert [x for x, _ in points(thin.get("d"))] == [64, 544]
    assert len(by_class(drawing, "dot")) == 2


def test_long_curve_keeps_every_extreme_and_its_ends():
    rng = np.random.default_rng(0)
    x, y = np.arange(20_000.0), rng.random(20_000)
    y[[777, 12_345]] = 50.0, -50.0
    drawn = points(by_class(chart(Series(label="a", x=x, y=y)), "line")[0].get("d"))
    assert len(drawn) < 4 * 482
    heights = [height for _, height in drawn]
    scale = (256 - 12) / 120  # from -60 to 60
    assert min(heights) == pytest.approx(134 - 50 * scale, abs=0.1)
    assert max(heights) == pytest.approx(134 + 50 * scale, abs=0.1)
    assert heights[0] == pytest.approx(134 - scale * y[0], abs=0.1)
    assert heights[-1] == pytest.approx(134 - scale * y[-1], abs=0.1)
    # By columns of ten, as the places on the page are rounded, and not all pixels' borders are where they were.
    wide, found = ((64 + x / 19_999 * 480) // 10).astype(int), np.array(drawn)
    inner = range(7, 54)
    lowest = [134 - scale * y[wide == c].min() for c in inner]
    shown = [found[(found[:, 0] // 10).astype(int) == c, 1].max() for c in inner]
    np.testing.assert_allclose(shown, lowest, atol=0.06)


def test_corners_and_middle_of_the_triangle():
    np.testing.assert_allclose(places(np.eye(3)), [(LEFT, TOP + HEIGHT), (LEFT + SIDE, TOP + HEIGHT), (230, TOP)])
    np.testing.assert_allclose(places(np.full(3, 1 / 3)), (230, TOP + HEIGHT * 2 / 3))
    away = places(np.array([0.2, 0.3, 0.5]))  # half the height from the base
    assert away[1] == pytest.approx(TOP + HEIGHT / 2)


def test_trail_begins_with_a_ring_ends_with_a_dot_and_marks_are_crosses():
    path = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    trail = Trail(points=path, tips=["start", "middle", "<end>"], index=1)
    drawing = ET.fromstring(
        triangle([trail], title="t", corners=["a", "b", "c"], marks=[("equilibrium", [0.5, 0.5, 0])])
    )
    ring, end, cross = (by_class(drawing, css)[0] for css in ("ring", "dot", "target"))
    assert (ring.get("cx"), ring.get("data-tip")) == ("60.0", "start")
    solid = [dot for dot in by_class(drawing, "dot") if "faint" not in dot.get("class")]
    assert [(dot.get("cx"), dot.get("data-tip")) for dot in solid] == [("230.0", "<end>")]
    assert end.get("class") == "dot faint f1"
    assert (cross.get("cx"), cross.get("data-tip")) == ("230.0", "equilibrium")
    assert [text.text for text in drawing.iter(f"{SVG}text")] == ["a", "b", "c"]


def area(path):
    return sum(
        abs(float(width) * float(height)) for width, height in re.findall(r"h([\d.]+)v([\d.]+)h-", path.get("d"))
    )


def test_small_maps_fill_cells_by_value_and_leave_out_what_is_no_place():
    values = np.array([[0.0, 0.5, 0.5], [1.0, np.nan, 0.0]])  # non-square, so that swapped axes show
    drawing = ET.fromstring(small_maps([SmallMap("m", values)], title="t", limit=1.0, across=1, square=True, width=312))
    cells = {path.get("class"): area(path) for path in by_class(drawing, "block") if path.get("fill-opacity") is None}
    one = cells["block nowhere"]
    assert cells["block zero"] == pytest.approx(2 * one, rel=1e-2)
    half, full = by_class(drawing, "pos")[:2]
    assert half.get("fill-opacity") == f"{round(LEVELS / 2) / LEVELS:.3f}"
    assert area(half) == pytest.approx(2 * one, rel=1e-2)
    assert half.get("d").count("M") == 1  # neighbours in a row are one rectangle
    assert float(re.match(r"M([\d.]+)", half.get("d"))[1]) > float(re.match(r"M([\d.]+)", full.get("d"))[1])


@pytest.mark.parametrize(
    ("widths", "expected"), [([[0.0, None]], 0.0), ([[0.25, 0.5]], 0.5), ([[None]], math.nan), ([], math.nan)]
)
def test_meta_game_knows_how_sure_its_payoffs_are(widths, expected):
    entry = {
        "payoffs": [[[1.0, 0.0]], [[0.0, 1.0]]],
        "meta_strategies": [[1.0], [0.5, 0.5]],
        "labels": [["a"], ["b", "c"]],
        "half_widths": widths,
    }
    np.testing.assert_equal(meta_game_of(entry, "here").half_width, expected)
