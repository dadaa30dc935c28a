"""Heat maps as pixels: every cell is where its row and column say, in the colour of its value."""

import io
import re

import numpy as np
import pytest

from eqagents.drawing import heat_maps
from eqagents.drawing.heat_maps import NEGATIVE, PALETTE, POSITIVE, UNKNOWN, ZERO, HeatMap, pixels, png
from eqagents.report.style import CSS


def of(values, **changes):
    values = np.asarray(values, dtype=float)
    rows, columns = values.shape
    settings = {
        "title": "t",
        "row_labels": [f"r{r}" for r in range(rows)],
        "column_labels": [f"c{c}" for c in range(columns)],
        "row_title": "row",
        "column_title": "column",
    }
    return HeatMap(values=values, **(settings | changes))


def places(picture, colour):
    """Row and column of every pixel of a colour."""
    return np.argwhere((PALETTE[picture] == np.array(colour)).all(axis=2))


def test_rows_go_down_and_columns_across():
    picture = pixels(of([[0.0, 0.0, 5.0], [-5.0, np.nan, 0.0]]))
    middles = {
        name: places(picture, colour).mean(axis=0)
        for name, colour in {"positive": POSITIVE, "negative": NEGATIVE, "unknown": UNKNOWN}.items()
    }
    assert middles["negative"][0] == middles["unknown"][0] > middles["positive"][0]
    assert middles["negative"][1] < middles["unknown"][1] < middles["positive"][1]
    sizes = [len(places(picture, colour)) for colour in (POSITIVE, NEGATIVE, UNKNOWN)]
    assert sizes[0] == sizes[1] == sizes[2] > 100
    assert len(places(picture, ZERO)) == 3 * sizes[0]


def test_full_colour_is_the_largest_value_or_the_limit():
    assert len(places(pixels(of([[0.5]])), POSITIVE)) > 0
    assert len(places(pixels(of([[0.5]], limit=1.0)), POSITIVE)) == 0
    assert len(places(pixels(of([[0.0, np.nan]])), ZERO)) == len(places(pixels(of([[0.0, np.nan]])), UNKNOWN)) > 0


def test_weights_are_bars_of_lengths_in_proportion():
    weights = {"row_weights": [0.25, 0.75], "column_weights": [0.5, float("nan"), 0.5]}
    picture = pixels(of(np.ones((2, 3)), **weights))
    bars = places(picture, heat_maps.WEIGHT)
    left = bars[bars[:, 0] >= places(picture, POSITIVE)[:, 0].min()]
    lengths = np.unique(left[:, 0], return_counts=True)[1]
    assert set(lengths) == {12, 36}
    assert set(np.unique(bars[bars[:, 0] < left[:, 0].min()][:, 1], return_counts=True)[1]) == {24}


@pytest.mark.parametrize("shape", [(1, 1), (64, 3), (2, 1024), (512, 1)])
def test_pictures_have_room_for_every_cell_and_stay_small(shape):
    picture = pixels(of(np.ones(shape)))
    shown = places(picture, POSITIVE)
    assert len(np.unique(shown[:, 0])) >= shape[0]
    assert len(np.unique(shown[:, 1])) >= shape[1]
    assert max(picture.shape) < 1200


def test_file_holds_the_same_pixels():
    from PIL import Image

    shown = of([[1.0, -2.0]], row_labels=["→ \U0001f0a1 é" + "x" * 100], column_labels=["", "\n"])
    data, width, height = png(shown)
    image = Image.open(io.BytesIO(data))
    assert image.size == (width, height)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), PALETTE[pixels(shown)])
    assert png(shown).data == data


def test_colours_are_those_of_the_page():
    light = CSS[: CSS.index("@media")]
    for name, colour in (("pos", POSITIVE), ("neg", NEGATIVE), ("zero", ZERO), ("surface", heat_maps.SURFACE)):
        assert re.search(rf"--{name}: #{bytes(colour).hex()};", light)
