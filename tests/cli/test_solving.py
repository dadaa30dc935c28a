"""What the command's parts do on their own: solving, and how results are put."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqagents.cli.solving import solve_game, strategy_to_json
from eqagents.cli.tables import game_line, game_table
from eqenvs.errors import InputError
from eqenvs.policies import CorrelatedStrategy, MixturePolicy, TabularPolicy, uniform
from eqenvs.policy_files import policy_from_json
from eqenvs.spec import Family
from eqsolvers.scoring import score

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_solving_says_what_takes_its_time_and_times_the_solver_alone() -> None:
    told = []

    @contextmanager
    def busy(what: str) -> Iterator[None]:
        told.append(what)
        yield

    solved = solve_game(eqenvs.make("kuhn_poker"), method="cfr+", iterations=20, settings={"gamma": "1"}, busy=busy)
    assert told == ["building the exact model", "compiling", "solving by cfr+"]
    assert (solved.concept, solved.result.iterations, solved.found) == ("nash", 20, True)
    assert min(solved.seconds, solved.build_seconds, solved.compile_seconds) > 0
    assert solved.to_json()["gaps"] == solved.scored.gaps
    game, policy = policy_from_json(solved.policy_to_json(), "solved")
    assert game.spec.id == "kuhn_poker"
    assert isinstance(policy, TabularPolicy)
    for stored, table in zip(policy.tables, solved.result.policy.tables, strict=True):  # type: ignore[union-attr]
        np.testing.assert_allclose(stored, table, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 0.0}, "--target must be a positive number, got 0.0"),
        ({"target": float("nan")}, "--target must be a positive number"),
        ({"seed": 1}, "takes no --seed"),
        ({"iterations": 5}, "takes no --iterations"),
        ({"best": True}, "--best: method 'sequence-lp' keeps no iterate but the last"),
    ],
)
def test_what_a_method_does_not_take_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        solve_game(eqenvs.make("kuhn_poker"), method="sequence-lp", **options)


def test_strategies_are_lists_up_to_a_limit_and_mixtures_none() -> None:
    game = eqenvs.make("random_normal_form", num_actions=3)
    product, device = uniform(game), CorrelatedStrategy(game, np.full((3, 3), 1 / 9))
    assert strategy_to_json(product, limit=6) == [table[0].tolist() for table in product.tables]
    assert strategy_to_json(device, limit=9) == device.distribution.tolist()
    assert strategy_to_json(product, limit=5) is None
    assert strategy_to_json(device, limit=8) is None
    assert strategy_to_json(MixturePolicy([product], [1.0])) is None


def test_a_mean_field_game_has_representative_players_and_no_sum() -> None:
    spec = SimpleNamespace(id="beach", title="Beach", family=Family.MEAN_FIELD, source="s", parameters=())
    game: Any = SimpleNamespace(spec=spec, family=Family.MEAN_FIELD, num_players=1, exact=True, constant_sum=False)
    assert game_line(game) == "beach: Beach; mean_field, 1 representative player, exact model"
    table = game_table(game, {"sizes": {"states": 3}, "value": 0.5}, None)
    assert list(table.columns[0].cells) == ["source", "states", "value to representative player 0"]
    kuhn = eqenvs.make("kuhn_poker")
    assert game_line(kuhn).endswith("extensive_form, 2 players, constant-sum, exact model")
    assert "value to player 0" in list(game_table(kuhn, {"sizes": None, "value": None}, None).columns[0].cells)


def test_the_best_iterate_is_given_scored_and_written_where_it_is_asked_for() -> None:
    """Mirror descent's NashConv in `sis` rises again."""
    game = eqenvs.make("sis")
    last, best = (solve_game(game, method="omd", iterations=300, best=flag) for flag in (False, True))
    assert (last.to_json()["iterate"], best.to_json()["iterate"]) == ("last", "best")
    assert last.scored.nash_conv == last.result.residual == best.result.residual
    assert best.scored.nash_conv == last.to_json()["best_nash_conv"] < last.scored.nash_conv
    _, written = policy_from_json(best.policy_to_json(), "solved")
    assert score(game, written).nash_conv == pytest.approx(best.scored.nash_conv, abs=1e-9)
