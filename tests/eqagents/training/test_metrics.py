from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from eqagents.drawing.heat_maps import HeatMap, png
from eqagents.training.metrics import MetricsWriter, read_metrics
from eqenvs.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path


def scalars(directory: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows."""
    found = events(directory)
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def events(directory: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(directory / "tensorboard"))
    found.Reload()
    return found


def picture(value: float) -> HeatMap:
    labels = {"row_labels": ["r"], "column_labels": ["c", "d"], "row_title": "row", "column_title": "column"}
    return HeatMap(title="t", values=np.array([[value, 1.0]]), **labels)


def steps(directory: Path) -> list[int]:
    return [record["step"] for record in read_metrics(directory)]


def test_lines_are_readable_while_the_writer_is_open(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path / "run") as writer:
        writer.write(0, {"nash_conv": 0.1, "seconds": np.float32(2.5)})
        (record,) = read_metrics(tmp_path / "run")
        assert record.pop("time") > 1.6e9
        assert record == {"step": 0, "nash_conv": 0.1, "seconds": 2.5}


def test_nan_and_infinity_are_null_in_valid_json(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path) as writer:
        writer.write(1, {"a": float("nan"), "b": float("inf"), "c": np.float64("-inf"), "d": 1})

    def refuse(name: str) -> None:
        raise AssertionError(name)

    record = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert [record[name] for name in "abcd"] == [None, None, None, 1.0]


def test_tensorboard_shows_the_same_scalars(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path) as writer:
        for step in range(3):
            writer.write(step, {"x": step / 4, "y": -step})
    assert scalars(tmp_path) == {"x": [(0, 0.0), (1, 0.25), (2, 0.5)], "y": [(0, 0.0), (1, -1.0), (2, -2.0)]}


def test_resumed_run_has_each_step_once(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path) as writer:
        for step in range(5):
            writer.write(step, {"x": step})
    with MetricsWriter(tmp_path) as writer:
        writer.truncate(2)
        assert steps(tmp_path) == [0, 1, 2]
        for step in (3, 4):
            writer.write(step, {"x": 10 * step})
    assert [record["x"] for record in read_metrics(tmp_path)] == [0, 1, 2, 30, 40]


def test_event_files_are_read_in_the_order_in_which_they_were_begun(tmp_path: Path) -> None:
    """Two in one second would be told apart by counts in their names, and 10 sorts before 9."""
    with MetricsWriter(tmp_path) as writer:
        writer.write(0, {"x": 0})
        writer.truncate(-1)
        writer.write(0, {"x": 1})
    seconds = [file.name.split(".")[3] for file in sorted((tmp_path / "tensorboard").iterdir())]
    assert len(set(seconds)) == len(seconds) == 2


def test_tensorboard_hides_the_steps_that_a_resumed_run_writes_again(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path) as writer:
        for step in range(5):
            writer.write(step, {"x": step})
        writer.truncate(2)
        writer.write(3, {"x": 30})
    assert scalars(tmp_path)["x"] == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 30.0)]


def test_partial_last_line_is_passed_over_and_then_dropped(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path) as writer:
        writer.write(0, {"x": 0.5})
    file = tmp_path / "metrics.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"step": 1, "x": 0.')
    assert steps(tmp_path) == [0]
    with MetricsWriter(tmp_path) as writer:
        writer.truncate(9)
        assert file.read_bytes() == whole
        writer.write(1, {"x": 0.75})
    assert steps(tmp_path) == [0, 1]


def test_truncating_nothing_makes_nothing(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path / "run") as writer:
        writer.truncate(3)
    assert not (tmp_path / "run").exists()
    assert read_metrics(tmp_path / "run") == []


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"x": 1}'])
def test_bad_line_in_the_middle_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(f'{{"step": 0}}\n{line}\n{{"step": 2}}\n')
    with pytest.raises(CheckpointError, match="line 2"):
        read_metrics(tmp_path)


def test_taken_name_is_a_value_error(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path) as writer, pytest.raises(ValueError, match="'time'"):
        writer.write(0, {"time": 1.0})


def test_import_loads_neither_tensorboard_nor_torch() -> None:
    code = (
        "import sys, eqagents.training.checkpoint, eqagents.training.metrics, eqagents.training.run_directory;"
        "print([m for m in ('ray', 'tensorboard', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_full_disk_is_told_once_and_closes_the_files(tmp_path):
    with pytest.raises(ValueError, match="what the run made of it"), MetricsWriter(tmp_path) as writer:  # noqa: PT012
        writer.write(0, {"a": 1})
        whole, events = writer._lines, writer._events
        writer._lines = open("/dev/full", "a")  # noqa: SIM115 - the writer closes it
        try:
            writer.write(1, {"a": 2})
        except OSError as error:
            raise ValueError("what the run made of it") from error
    assert events._file.closed
    whole.close()
    assert [row["step"] for row in read_metrics(tmp_path)] == [0]


def test_events_that_cannot_be_written_are_an_error_of_the_write(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    writer = MetricsWriter(tmp_path)
    writer.write(0, {"a": 1})
    writer._events._file.close()
    writer._events._file = writer._events._records._writer = open("/dev/full", "ab")  # noqa: SIM115
    with pytest.raises(OSError, match="No space left"):
        writer.write(1, {"a": 2})
    with pytest.raises(OSError, match="No space left"):
        writer.close()
    assert capfd.readouterr().err == ""


def test_tensorboard_shows_pictures_as_they_were_drawn(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path) as writer:
        for step in (0, 2):
            writer.show(step, {"a/b": picture(step)})
        writer.show(3, {})
    shown = events(tmp_path).Images("a/b")
    assert [each.step for each in shown] == [0, 2]
    for each, value in zip(shown, (0, 2), strict=True):
        assert (each.encoded_image_string, each.width, each.height) == png(picture(value))
    assert read_metrics(tmp_path) == []


def test_tensorboard_hides_the_pictures_of_steps_that_are_written_again(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path) as writer:
        for step in (1, 2, 4):
            writer.write(step, {"x": step})
            writer.show(step, {"a": picture(step)})
        writer.truncate(2)
        writer.show(3, {"a": picture(30)})
    shown = events(tmp_path).Images("a")
    assert [each.step for each in shown] == [1, 2, 3]
    assert shown[-1].encoded_image_string == png(picture(30)).data


SETTINGS = {
    "game": "g",
    "learner": {"id": "l", "rate": 0.5, "steps": 3, "fast": True, "none": None, "empty": {}, "list": [1, "two"]},
}


def rows(logdir: Path) -> dict[str, tuple[dict[str, Any], dict[str, float]]]:
    """The rows of TensorBoard's HPARAMS tab: settings and last metrics by directory."""
    from tensorboard import context
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(logdir))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(logdir))
    tensorboard = base_plugin.TBContext(multiplexer=multiplexer, logdir=str(logdir), data_provider=provider)
    every = [api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_RUNNING]
    request = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=100, allowed_statuses=every)
    backend = backend_context.Context(tensorboard)
    answer = list_session_groups.Handler(context.RequestContext(), backend, "", request).run()
    return {
        group.name: (
            {name: getattr(value, value.WhichOneof("kind")) for name, value in group.hparams.items()},
            {value.name.tag: value.value for value in group.metric_values},
        )
        for group in answer.session_groups
    }


def test_hyper_parameters_are_a_row_with_the_last_metrics_however_often_the_run_is_resumed(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path / "run") as writer:
        writer.describe(SETTINGS)
        for step in range(4):
            writer.write(step, {"x": step})
            writer.show(step, {"a": picture(step)})
        writer.truncate(2)
        writer.write(3, {"x": 30})
    with MetricsWriter(tmp_path / "run") as writer:  # killed before its first checkpoint: it starts again
        writer.truncate(-1)
        writer.describe(SETTINGS)
        writer.write(0, {"x": 0.5})
    settings = {"game": "g", "learner.id": "l", "learner.rate": 0.5, "learner.steps": 3, "learner.fast": True}
    assert rows(tmp_path) == {"run/tensorboard": (settings | {"learner.list": '[1, "two"]'}, {"x": 0.5})}


def test_runs_of_different_settings_are_rows_of_one_table(tmp_path: Path) -> None:
    for name, settings in (
        ("a", {"learner": {"id": "one", "rate": 1.0}}),
        ("b", {"learner": {"id": "two", "beta": 2}}),
    ):
        with MetricsWriter(tmp_path / name) as writer:
            writer.describe(settings)
            writer.write(0, {"x": 1.0})
    assert {name: row[0]["learner.id"] for name, row in rows(tmp_path).items()} == {
        "a/tensorboard": "one",
        "b/tensorboard": "two",
    }
