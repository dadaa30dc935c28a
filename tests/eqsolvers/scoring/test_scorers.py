"""What a score says of itself, and the scorer that each family of models has."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import UnsupportedGame
from eqenvs.policies import uniform
from eqenvs.simulation import simulate
from eqenvs.testing.conformance import random_tables
from eqsolvers import scoring
from eqsolvers.scoring import GAPS, Score, ScoreKind, best_response, score, scorers, warm_up
from eqsolvers.scoring.scorers import scorer


def test_every_gap_of_a_score_is_in_the_table_and_those_computed_are_listed_in_its_order() -> None:
    assert {field.name for field in fields(Score) if field.name.endswith("_gap")} == GAPS.keys()
    kuhn, chicken, stage = map(eqenvs.make, ("kuhn_poker", "chicken", "random_markov_game"))
    of_tree, of_matrix, of_states = (score(game, uniform(game)) for game in (kuhn, chicken, stage))
    assert list(of_tree.gaps) == ["ce_gap", "efce_gap", "efcce_gap", "cce_gap"]
    assert list(of_matrix.gaps) == ["ce_gap", "cce_gap"]
    assert list(of_states.gaps) == ["ce_gap", "cce_gap", "markov_ce_gap", "markov_cce_gap"]
    assert all(of_tree.to_dict()[name] == gap for name, gap in of_tree.gaps.items())
    assert of_matrix.to_dict()["efce_gap"] is None


@pytest.mark.parametrize("normaliser", [1, 2, 3])
def test_exploitability_is_nash_conv_over_the_normaliser(normaliser: int) -> None:
    """Mean-field games have one gain per population, and any number of them."""
    gains = np.arange(1.0, 1 + normaliser)
    scored = Score(values=-gains, gains=gains, kind=ScoreKind.EXACT, normaliser=normaliser)
    assert scored.exploitability == scored.exploitability_or_none == pytest.approx(gains.mean())
    undefined = replace(scored, normaliser=None)
    assert undefined.exploitability_or_none is None
    with pytest.raises(UnsupportedGame, match="two-player constant-sum games and for mean-field games; use nash_conv"):
        _ = undefined.exploitability


GAMES = {
    "tensor": ("chicken", {}),
    "structured payoffs": ("braess_routing", {"num_players": 5}),
    "tree": ("kuhn_poker", {"num_players": 3}),
    "states": ("random_markov_game", {"action_counts": "2x3", "discount": 0.8}),
    "states and steps": ("random_markov_game", {"action_counts": "2x3", "horizon": 3}),
}


@pytest.mark.parametrize(("game_id", "parameters"), GAMES.values(), ids=GAMES)
def test_every_family_has_a_scorer_whose_values_are_those_of_play(game_id: str, parameters: dict[str, Any]) -> None:
    game = eqenvs.make(game_id, **parameters)
    policy = random_tables(game, 0)
    judge = scorer(game.model())
    values = judge.values(policy.tables)
    np.testing.assert_allclose(values, judge.score(policy).values, rtol=0, atol=1e-12)
    played = simulate(game.rules, policy, 4000, 1)
    assert (np.abs(played.mean(axis=0) - values) <= 4 * played.std(axis=0) / np.sqrt(len(played)) + 1e-6).all()
    value, table = judge.best_response(1, policy)
    tables = list(policy.tables)
    tables[1] = table
    assert judge.values(tables)[1] == pytest.approx(value, abs=1e-10)
    assert value - values[1] == pytest.approx(judge.score(policy).gains[1], abs=1e-10)


@pytest.mark.parametrize(("game_id", "parameters"), GAMES.values(), ids=GAMES)
def test_scores_do_not_keep_a_model_alive(game_id: str, parameters: dict[str, Any]) -> None:
    model = eqenvs.make(game_id, **parameters).model()
    score(model, uniform(model))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


class Strange(StrEnum):
    """Families that are not there."""

    UNHEARD_OF = "unheard_of"
    BROKEN = "broken"


def stranger(family: Strange) -> Any:
    return SimpleNamespace(family=family)


def test_a_family_without_a_scorer_is_refused_by_name() -> None:
    model = stranger(Strange.UNHEARD_OF)
    for judge in (lambda: score(model, uniform), lambda: best_response(model, 0, uniform), lambda: warm_up(model)):
        with pytest.raises(UnsupportedGame, match="no exact scoring for unheard_of games yet"):
            judge()


def test_a_family_gains_a_scorer_by_one_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("eqsolvers.scoring.unheard_of")
    expected = Score(values=np.zeros(1), gains=np.ones(1), kind=ScoreKind.EXACT, normaliser=1)
    module.SCORER = lambda model: SimpleNamespace(score=lambda policy: expected)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(scorers, "_of_family", scorers._of_family.__wrapped__)  # which would remember it
    model = stranger(Strange.UNHEARD_OF)
    assert score(model, uniform) is expected


def test_a_scorer_that_cannot_be_imported_says_what_it_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text("import no_such_library\n")
    monkeypatch.setattr(scoring, "__path__", [*scoring.__path__, str(tmp_path)])
    model = stranger(Strange.BROKEN)
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        score(model, uniform)


def test_scoring_a_matrix_loads_neither_numba_nor_scipy() -> None:
    code = (
        "import sys, eqenvs; from eqenvs.policies import uniform; before = set(sys.modules);"
        "from eqsolvers.scoring import score;"
        "game = eqenvs.make('rock_paper_scissors'); score(game, uniform(game));"
        "print([name for name in ('numba', 'scipy') if name in {*sys.modules} - before])"
    )
    finished = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"
