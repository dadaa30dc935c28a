"""The loop that runs a method: its budgets, its looks, and what it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eqenvs.errors import InputError
from eqsolvers import Status, iterative
from eqsolvers.iterative import run_process


class Clocked:
    """A process whose residual is 1 / iteration, on a clock that only its iterations move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds_each: float) -> None:
        self.iteration = self.touched = 0
        self._each, self._now = seconds_each, 0.0
        monkeypatch.setattr(iterative, "time", SimpleNamespace(perf_counter=lambda: self._now))

    def run(self, iterations: int) -> None:
        self.iteration += iterations
        self._now += iterations * self._each

    def residual(self) -> float:
        return 1.0 / self.iteration

    def policy(self) -> Any:
        return None

    def measures(self) -> dict[str, float]:
        return {}

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Any) -> None: ...


BUDGETS = [  # seconds an iteration takes, seconds to spend, iterations done, looks
    (0.5, 0.0, 1, 1),  # one iteration is always done
    (7.0, 5.0, 1, 1),
    (0.5, 20.25, 41, 5),  # it ends within an iteration of its seconds, not with the ten up to the next look
    (0.5, np.inf, 60, 6),
]


@pytest.mark.parametrize(("each", "seconds", "done", "looks"), BUDGETS)
def test_run_ends_within_an_iteration_of_its_seconds(
    each: float, seconds: float, done: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Clocked(monkeypatch, each)
    result = run_process(process, "counting", tolerance=0.0, iterations=60, seconds=seconds, check_every=10)
    assert (result.iterations, len(result.trace)) == (done, looks)
    assert result.status is (Status.TIME_LIMIT if done < 60 else Status.ITERATION_LIMIT)
    assert result.residual == 1.0 / done


def test_looks_come_where_they_do_without_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    for seconds in (100.0, np.inf):
        process = Clocked(monkeypatch, 0.01)
        result = run_process(process, "counting", tolerance=1e-3, iterations=10_000, seconds=seconds, check_every=7)
        assert result.status is Status.CONVERGED
        looked.append([check.iteration for check in result.trace])
    assert looked[0] == looked[1]
    assert looked[0][:2] == [7, 14]
    assert looked[0][-1] == looked[0][-2] + looked[0][-2] // 50  # 2 % of the iterations done


def test_process_goes_on_from_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Clocked(monkeypatch, 0.1)
    process.run(30)
    result = run_process(process, "counting", tolerance=0.0, iterations=50, seconds=9.0, check_every=10)
    assert [check.iteration for check in result.trace] == [40, 50]
    nothing = run_process(process, "counting", tolerance=0.0, iterations=50)
    assert (nothing.iterations, nothing.trace, nothing.residual) == (50, (), 1 / 50)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"seconds": -1.0}, r"^counting: seconds must be at least 0, got -1\.0$"),
    ({"seconds": np.nan}, r"^counting: seconds must be at least 0, got nan$"),
    ({"tolerance": -1e-3}, r"^counting: tolerance must be at least 0, got -0\.001$"),
    ({"check_every": 0}, r"^counting: check_every must be at least 1, got 0$"),
]


@pytest.mark.parametrize(("changed", "message"), BAD)
def test_bad_budget_is_named_before_anything_runs(
    changed: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Clocked(monkeypatch, 1.0)
    with pytest.raises(InputError, match=message):
        run_process(process, "counting", **{"tolerance": 0.0, "iterations": 5, **changed})
    assert process.iteration == 0
