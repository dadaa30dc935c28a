"""The report: what it draws, where, and that no file of a run can break it or run a script through it."""

from __future__ import annotations

import html
import json
import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml

from eqagents.drawing.charts import Series, line_chart, stacked_bars
from eqagents.drawing.heat_maps import HeatMap
from eqagents.drawing.matrices import heat_map
from eqagents.drawing.meta_games import MetaGame, others_at_meta_strategy
from eqagents.drawing.scales import linear_ticks, log_ticks
from eqagents.report import load_report_data, render_report
from eqenvs.errors import InputError
from eqsolvers.scoring import GAPS

SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "br", "input"}
NASTY = "<script>alert('x')</script>&\"\x00"
SCORE = {
    "values": [-0.0856, 0.0856],
    "gains": [0.01, 0.03],
    "nash_conv": 0.04,
    "exploitability": 0.02,
    "ce_gap": None,
    "cce_gap": None,
    "welfare": 0.0,
    "kind": "exact",
    "detail": {},
    "evaluated_step": 3,
}
META_GAME = {
    "payoffs": [[[0.5, -1.0, None], [0.0, 0.25, 2.0]], [[-0.5, 1.0, None], [0.0, -0.25, -2.0]]],
    "meta_strategies": [[0.25, 0.75], [0.5, 0.5, 0.0]],
    "labels": [["uniform", "response 1"], ["uniform", "response 1", "response 2"]],
}


def record(step, **changes):
    entry = {
        "step": step,
        "time": 1_800_000_000.0 + 2 * step,
        "score/nash_conv": 2.0 / step,
        "score/exploitability": 1.0 / step,
        "time/oracle_s": 1.5,
        "time/payoffs_s": 0.5,
        "score/gain_0": 0.75 / step,
        "score/gain_1": 1.25 / step,
        "samples/episodes": 1000 * step,
    }
    return {k: v for k, v in (entry | changes).items() if v != "absent"}


@pytest.fixture
def make_run(tmp_path):
    def make(name="run", *, metrics=None, score=SCORE, meta_game=META_GAME, game="leduc_poker", environment=None):
        directory = tmp_path / name
        directory.mkdir()
        config = {"game": {"id": game, "parameters": {"num_players": 2}}, "learner": {"id": "psro"}, "seed": 7}
        (directory / "config.yaml").write_text(yaml.safe_dump(config))
        (directory / "environment.json").write_text(json.dumps(environment or {"python": "3.11", "cores": 2}))
        records = [record(step) for step in (1, 2, 3)] if metrics is None else metrics
        (directory / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
        if score is not None:
            (directory / "score.json").write_text(json.dumps(score))
        if meta_game is not None:
            (directory / "meta_game.json").write_text(json.dumps(meta_game))
        return directory

    return make


class Balanced(HTMLParser):
    """Fails on a tag that is closed out of order; collects tags, attributes and text."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check_page(page):
    """The page is well-formed, refers to nothing outside, and draws only finite numbers; returns its parts."""
    parsed = Balanced()
    parsed.feed(page)
    parsed.close()
    assert parsed.open == []
    assert parsed.tags.count("script") == 1
    assert not {"link", "img", "iframe", "object", "base", "form"} & set(parsed.tags)
    assert not {"src", "href", "xlink:href", "style"} & {name for name, _ in parsed.attributes}
    assert not re.search(r"https?://|//[a-z]|@import|url\(", page.replace('xmlns="http://www.w3.org/2000/svg"', ""))
    drawings = [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)]
    for drawing in drawings:
        check_numbers(drawing)
    return parsed, drawings


def check_numbers(drawing):
    for element in drawing.iter():
        for name in ("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "width", "height"):
            assert math.isfinite(float(element.get(name, "0")))
        assert float(element.get("width", "0")) >= 0
        assert "nan" not in element.get("d", "")


def render(*directories):
    return render_report([load_report_data(directory) for directory in directories])


def test_page_is_well_formed_and_stands_alone(make_run):
    parsed, drawings = check_page(render(make_run()))
    text = " ".join(parsed.text)
    assert len(drawings) == 11  # six charts and a map, four keys of their legends
    for expected in (
        "psro on leduc_poker(num_players=2)",
        "seed 7",
        "= exact",
        "0.04",
        "3,000 episodes",
        "2027-01-15 08:00:02 UTC",
        "game.parameters.num_players",
        "eqenvs train",
        "cores",
    ):
        assert expected in text


def test_curve_goes_through_the_right_pixels():
    # 560 x 300, margins 64, 16, 12, 44: x in 64..544, y from 256 (bottom) to 12.
    series = Series(label="a", x=[0, 5, 10], y=[0.01, 0.1, 1.0])
    drawing = ET.fromstring(line_chart([series], title="t", x_label="x", y_label="y", log_y=True))
    [path] = drawing.iter(f"{SVG}path")
    assert path.get("d") == "M64.0 256.0 L304.0 134.0 L544.0 12.0"
    assert [c.get("cx") for c in drawing.iter(f"{SVG}circle")] == ["544.0", "304.0", "64.0"]


def test_linear_axis_reaches_down_to_zero_and_below():
    series = Series(label="a", x=[0, 10], y=[-1.0, 4.0])
    drawing = ET.fromstring(line_chart([series], title="t", x_label="x", y_label="y"))
    [path] = drawing.iter(f"{SVG}path")
    assert path.get("d") == "M64.0 256.0 L544.0 12.0"


def test_zero_on_a_log_axis_is_drawn_below_the_break():
    series = Series(label="a", x=[0, 1, 2], y=[1.0, 0.0, 0.1])
    drawing = ET.fromstring(line_chart([series], title="t", x_label="x", y_label="y", log_y=True))
    [path] = drawing.iter(f"{SVG}path")
    assert path.get("d") == "M64.0 12.0 L304.0 256.0 L544.0 232.0"
    assert ("0", "260.0") in [(t.text, t.get("y")) for t in drawing.iter(f"{SVG}text")]


def test_missing_values_leave_a_gap():
    series = Series(label="a", x=[0, 1, 2, 3, 4], y=[1.0, 1.0, math.nan, math.inf, 1.0])
    drawing = ET.fromstring(line_chart([series], title="t", x_label="x", y_label="y", log_y=True))
    [path] = drawing.iter(f"{SVG}path")
    assert re.sub(r"[\d. ]", "", path.get("d")) == "MLM"
    assert len(list(drawing.iter(f"{SVG}circle"))) == 3


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.3), (1.0, 1.0), (5e-324, 1.0), (1e-17, 3.0), (0.2, 0.21), (99, 101)])
def test_log_ticks_cover_the_range(low, high):
    ticks = log_ticks(max(low, 1e-300), high)
    assert ticks[0] <= max(low, 1e-300) * 1.000001
    assert ticks[-1] >= high * 0.999999
    assert 2 <= len(ticks) <= 11
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 7.0), (0.0, 1e-12), (1e9, 3e9), (0.0, 12345.0)])
def test_linear_ticks_cover_the_range(low, high):
    ticks = linear_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 12


def test_stacked_bars_rest_on_each_other():
    parts = [("oracle", [3.0, math.nan]), ("payoffs", [1.0, 2.0])]
    drawing = ET.fromstring(stacked_bars(["1", "2"], parts, title="t", x_label="x", y_label="y"))
    bars = [(float(r.get("y")), float(r.get("height"))) for r in drawing.iter(f"{SVG}rect")]
    bottom, top, unit = 216.0, 12.0, 204.0 / 4  # 260 high: the axis ends at 4 seconds
    assert bars[0] == (pytest.approx(bottom - 3 * unit, abs=0.1), pytest.approx(3 * unit - 1.5, abs=0.1))
    assert bars[1][0] == pytest.approx(top, abs=0.1)
    assert bars[2] == (pytest.approx(bottom - 2 * unit, abs=0.1), pytest.approx(2 * unit - 1.5, abs=0.1))


def test_heat_map_puts_rows_down_and_columns_across_with_the_sign_as_colour():
    values = np.array([[0.0, -2.0, 1.0], [np.nan, 4.0, 0.5]])
    svg = heat_map(
        HeatMap(
            values=values,
            title="t",
            row_labels=["r0", "r1"],
            column_labels=["c0", "c1", "c2"],
            row_weights=[1.0, 0.0],
            column_weights=[0.0, 0.5, 0.5],
            row_title="row",
            column_title="col",
        )
    )
    cells = {r.get("data-tip"): r for r in ET.fromstring(svg).iter(f"{SVG}rect") if "against" in r.get("data-tip", "")}
    assert set(cells) == {
        "r0 against c0: 0",
        "r0 against c1: -2",
        "r0 against c2: 1",
        "r1 against c0: not known",
        "r1 against c1: 4",
        "r1 against c2: 0.5",
    }
    assert cells["r0 against c1: -2"].get("class") == "neg"
    assert cells["r0 against c1: -2"].get("fill-opacity") == "0.500"
    assert cells["r1 against c1: 4"].get("class") == "pos"
    assert cells["r1 against c1: 4"].get("x") == cells["r0 against c1: -2"].get("x")
    assert float(cells["r1 against c1: 4"].get("y")) > float(cells["r0 against c1: -2"].get("y"))


def test_other_players_are_averaged_at_their_meta_strategy():
    rng = np.random.default_rng(0)
    payoffs = rng.normal(size=(4, 2, 3, 2, 2))
    meta_strategies = ((0.5, 0.5), (0.2, 0.3, 0.5), (0.25, 0.75), (1.0, 0.0))
    expected = np.einsum("abcd,c,d->ab", payoffs[0], meta_strategies[2], meta_strategies[3])
    payoffs[:, :, :, :, 1] = np.nan  # never played, so it need not be known
    payoffs[:, 1, 2, 0, 0] = np.nan  # played
    expected[1, 2] = np.nan
    labels = tuple(tuple("abc"[: len(m)]) for m in meta_strategies)
    found = others_at_meta_strategy(MetaGame(payoffs=payoffs, meta_strategies=meta_strategies, labels=labels))
    np.testing.assert_allclose(found, expected)


def test_text_from_the_files_is_escaped_everywhere(make_run):
    meta_game = META_GAME | {"labels": [[NASTY, "b"], ["c", NASTY, "d"]]}
    score = SCORE | {"kind": "estimate", "detail": {NASTY: NASTY, "measures": {NASTY: 1.0}}}
    directory = make_run(
        NASTY.replace("/", "").replace("\x00", ""),
        game=NASTY.replace("\x00", ""),
        score=score,
        meta_game=meta_game,
        environment={NASTY: NASTY},
        metrics=[record(1, **{f"time/{NASTY}_s": 1.0, f"score/gain_{NASTY}": 1.0, f"measures/{NASTY}": 1.0})],
    )
    page = render(directory)
    check_page(page)
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;") > 10
    assert "\x00" not in page


DEGENERATE = {
    "one iteration": {"metrics": [record(1)]},
    "no score at all": {"metrics": [{"step": 1}, {"step": 2}], "score": None, "meta_game": None},
    "zero NashConv": {"metrics": [record(1, **{"score/exploitability": 0.0, "score/gain_0": 0.0})]},
    "zero at the end": {"metrics": [record(1), record(2, **{"score/exploitability": 0, "score/gain_0": 0})]},
    "rounding below zero": {"metrics": [record(1), record(2, **{"score/exploitability": -1e-17})]},
    "null and NaN": {
        "metrics": [
            record(1),
            record(2, **{"score/exploitability": None, "time": None}),
            record(3, **{"score/exploitability": math.nan, "score/gain_1": math.inf}),
        ]
    },
    "no time stamps": {"metrics": [record(s, time="absent") for s in (1, 2)]},
    "only null": {"metrics": [record(1, **{k: None for k in record(1) if k != "step"})]},
    "negative gains": {"metrics": [record(1), record(2, **{"score/gain_0": -0.5})]},
    "enormous values": {"metrics": [record(1, time=1e300), record(2, **{"score/exploitability": 1e300})]},
    "thousands of iterations": {"metrics": [record(s) for s in range(1, 3001)]},
    "1x1 meta-game": {
        "meta_game": {
            "payoffs": [[[0.0]], [[0.0]]],
            "meta_strategies": [[1.0], [1.0]],
            "labels": [["uniform"], ["uniform"]],
        }
    },
    "unknown meta-game": {
        "meta_game": {
            "payoffs": [[[None]], [[None]]],
            "meta_strategies": [[None], [1.0]],
            "labels": [["uniform"], ["uniform"]],
        }
    },
    "three players": {
        "metrics": [record(1, **{"score/exploitability": None, "score/gain_2": 0.1})],
        "score": SCORE | {"exploitability": None, "gains": [0.1] * 3, "values": [0.0] * 3},
        "meta_game": {
            "payoffs": [[[[1.0, None]], [[0.5, 2.0]]]] * 3,
            "meta_strategies": [[0.5, 0.5], [1.0], [0.0, 1.0]],
            "labels": [["a", "b"], ["a"], ["a", "b"]],
        },
    },
    "large meta-game": {
        "meta_game": {
            "payoffs": np.linspace(-1, 1, 2 * 70 * 65).reshape(2, 70, 65).tolist(),
            "meta_strategies": [[1 / 70] * 70, [1 / 65] * 65],
            "labels": [[f"response {k}" for k in range(n)] for n in (70, 65)],
        }
    },
    "nulls in the score": {"score": dict.fromkeys(SCORE) | {"kind": "lower_bound", "values": [None], "gains": []}},
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_runs_render(make_run, case):
    page = render(make_run(**DEGENERATE[case]))
    check_page(page)
    assert len(page) < 2_000_000


def test_nash_conv_is_drawn_where_a_run_has_no_exploitability(make_run):
    three = make_run("three", metrics=[record(1, **{"score/exploitability": None})])
    page = render(make_run("two"), three)
    assert "NashConv against iteration" in page
    assert "Exploitability against iteration" not in page


@pytest.mark.parametrize(
    ("counted", "unit"), [("histories", "Histories"), ("steps", "Steps"), ("stage_games", "Stage games")]
)
def test_seconds_of_learning_and_what_is_counted_are_drawn_where_they_are_recorded(make_run, counted, unit):
    key = f"samples/{counted}"
    timed = [record(step, **{"run/seconds": 0.5 * step, key: 10 * step}) for step in (0.5, 1, 2)]
    timed[0] |= {"step": 0, "run/seconds": 0.0, key: None}
    plain, told = make_run("plain"), make_run("told", metrics=timed)
    (told / "ended.json").write_text('{"stopped": "target"}')
    page = render(told)
    drawings = check_page(page)[1]
    assert "without compiling, scoring, storing and pauses" in page
    assert f"20 {unit.lower()}" in page
    assert "stopped at its target" in page
    paths = {
        d.get("aria-label").removeprefix("Exploitability against "): d.find(f"{SVG}path").get("d")
        for d in drawings
        if d.get("aria-label", "").startswith("Exploitability")
    }
    episodes = paths.pop("episodes")  # which may be played before the first iteration: nothing is said of that one
    assert episodes.count("L") == 1
    assert set(paths) == {"iteration", "seconds", unit.lower()}
    assert len(set(paths.values())) == 1  # all of them even here, from 0 on
    page = render(plain, told)
    check_page(page)  # one run has nothing to draw against it
    assert f"Exploitability against {unit.lower()}" in page
    assert "pauses included" in page  # the seconds of learning are not known of both


METRICS = {
    "tabular/iterations": 100.0,
    "replicas/residual_mean": 0.5,
    "oracle/value_0": -0.25,
    "meta/support_1": 3.0,
    "samples/steps": 7.0,
    "samples/episodes": 7.0,
    "score/welfare": 0.0,
    "score/value_1": 0.5,
    "measures/residual": 0.5,
    "time/other": 1.0,
    "run/iteration_s": 0.25,
    "run/seconds": 0.5,
    "new": 1.0,
}


def test_every_number_of_a_run_is_drawn(make_run):
    page = render(make_run(metrics=[record(step, **METRICS) for step in (1, 2)]))
    labels = [drawing.get("aria-label", "") for drawing in check_page(page)[1]]
    under_another_name = {
        "samples/steps": "Exploitability against steps",
        "measures/residual": "Residual against iteration",
        "run/seconds": "Exploitability against seconds",
    }
    for key in METRICS:
        assert labels.count(under_another_name.get(key, f"{key} against iteration")) == 1, key


def test_gaps_are_drawn_with_the_distance_where_they_differ_from_nash_conv(make_run):
    same = [record(step, **{"score/cce_gap": 2.0 / step}) for step in (1, 2)]
    apart = [record(step, **{"score/markov_cce_gap": 1.0 / step}) for step in (1, 2)]
    for metrics, title, section in (
        (same, "CCE gap against iteration", "Other metrics"),
        (apart, "Markov CCE gap against iteration", "Distance from equilibrium"),
    ):
        page = render(make_run(title, metrics=metrics))
        assert page.count(f'aria-label="{title}"') == 1
        assert f'aria-label="{title}"' in page.partition(f"<h2>{section}</h2>")[2].partition("<h2>")[0]


def test_measures_of_the_learner_have_a_column_and_a_curve_where_a_run_has_them(make_run):
    three = SCORE | {"exploitability": None, "detail": {"measures": {"play_cce_gap": 0.0125, "residual": None}}}
    metrics = [record(step, **{"measures/play_cce_gap": 0.1 / step}) for step in (1, 2, 3)]
    with_gap, without = make_run("three", score=three, metrics=metrics), make_run("two", score=None)
    text = " ".join(check_page(render(with_gap, without))[0].text)
    for shown in (
        "Play CCE gap",
        "Play CCE gap against iteration",
        "Play CCE gap: of the device",
        "0.0125",
        "Residual",
    ):
        assert shown in text
    assert "Play CCE gap" not in render(without)


def test_gaps_of_leaving_during_play_are_shown_where_a_run_has_them(make_run):
    staged = SCORE | {"ce_gap": 0.4, "efce_gap": 0.3125, "efcce_gap": 0.2125, "cce_gap": 0.1}
    with_gaps, without = make_run("staged", score=staged), make_run("plain")
    heads = re.findall(r"<th>([^<]*gap)</th>", render(with_gaps, without))
    assert heads == ["CE gap", "EFCE gap", "EFCCE gap", "CCE gap"]
    assert "<td class='num'>0.3125</td><td class='num'>0.2125</td>" in render(with_gaps)
    assert "EFC" not in render(without)


@pytest.mark.parametrize("name", list(GAPS))
def test_every_gap_has_a_column_and_a_note(make_run, name):
    page = render(make_run(score=SCORE | {name: 0.3125}))
    assert f"<th>{GAPS[name].title}</th>" in page
    assert "<td class='num'>0.3125</td>" in page
    assert f"{GAPS[name].title}: {GAPS[name].meaning}." in html.unescape(page)


@pytest.mark.parametrize("detail", ["none", {"measures": [1]}, {"measures": {"gap": "low"}}])
def test_bad_details_and_measures_are_named(make_run, detail):
    with pytest.raises(InputError, match=r"score\.json: '(measures|detail|gap)' must be a"):
        load_report_data(make_run(score=SCORE | {"detail": detail}))


def test_broken_end_of_a_run_is_named(make_run):
    directory = make_run()
    (directory / "ended.json").write_text("{")
    with pytest.raises(InputError, match=r"ended\.json: not valid JSON"):
        load_report_data(directory)


def test_runs_share_axes_and_are_told_apart(make_run):
    first, second = make_run("first"), make_run("second", score=None)
    parsed, drawings = check_page(render(first, second))
    text = " ".join(parsed.text)
    assert "not evaluated yet" in text
    curves = [p.get("class") for p in drawings[2].iter(f"{SVG}path")]  # after the legend's two
    assert curves == ["line s0", "line s1"]
    twin = make_run("nested")
    (twin / "first").mkdir()
    for file in first.iterdir():
        (twin / "first" / file.name).write_text(file.read_text())
    assert "nested/first" in render(first, twin / "first")


def test_score_says_whether_it_is_a_bound(make_run):
    bound = SCORE | {"kind": "lower_bound", "detail": {"responders": ["dqn"], "budgets": "10,000 steps", "seed": 4}}
    text = " ".join(check_page(render(make_run(score=bound)))[0].text)
    assert "≥ 0.04" in text
    assert "responders: ['dqn']; budgets: 10,000 steps; seed: 4" in text


def test_a_step_recorded_twice_counts_once_and_an_unfinished_line_not_at_all(make_run):
    directory = make_run(metrics=[record(1), record(2), record(2, **{"score/nash_conv": 9.0})])
    with (directory / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "time')
    data = load_report_data(directory)
    assert data.column("step") == [1, 2]
    assert data.column("score/nash_conv") == [2.0, 9.0]


MALFORMED = [
    ("config.yaml", None, "holds no run"),
    ("config.yaml", "game: [", "not valid YAML"),
    ("config.yaml", "- 1", "expected a mapping"),
    ("config.yaml", "game: leduc", "'game' is missing"),
    ("environment.json", None, "No such file"),
    ("environment.json", "{", "not valid JSON"),
    ("environment.json", "[" * 100_000, "not valid JSON"),
    ("metrics.jsonl", None, "no metrics recorded yet"),
    ("metrics.jsonl", "", "no metrics recorded yet"),
    ("metrics.jsonl", '{"step": 1}\n{"ste\n{"step": 2}\n', "line 2: not valid JSON"),
    ("metrics.jsonl", "[1]\n", "line 1: expected a JSON object"),
    ("metrics.jsonl", '{"time": 1}\n', "'step' must be an integer"),
    ("metrics.jsonl", '{"step": 1, "score/nash_conv": "low"}\n', "'score/nash_conv' must be a number"),
    ("metrics.jsonl", '{"step": 1, "time": 1' + "0" * 400 + "}\n", "too large"),
    ("score.json", '{"kind": "certain"}', "'kind' must be one of"),
    ("score.json", '{"kind": "exact", "detail": "by hand"}', "'detail' must be a mapping"),
    ("score.json", '{"kind": "exact", "gains": 3}', "'gains' must be a list"),
    ("score.json", '{"kind": "exact", "evaluated_step": "x"}', "'evaluated_step'"),
    ("meta_game.json", "{}", "'payoffs' is missing"),
    ("meta_game.json", json.dumps(META_GAME | {"payoffs": [[1, 2], [3]]}), "nested lists of equal lengths"),
    ("meta_game.json", json.dumps(META_GAME | {"payoffs": [[1.0]]}), "got shape (1, 1)"),
    ("meta_game.json", json.dumps(META_GAME | {"labels": [["a"], ["b"]]}), "'labels' must have one entry"),
]


@pytest.mark.parametrize(("file", "content", "message"), MALFORMED)
def test_bad_file_is_an_error_of_one_line_that_names_it(make_run, file, content, message):
    directory = make_run()
    (directory / file).unlink()
    if content is not None:
        (directory / file).write_text(content)
    with pytest.raises(InputError) as caught:
        load_report_data(directory)
    assert file in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_directory_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere holds no run: there is no such directory"):
        load_report_data(tmp_path / "nowhere")
