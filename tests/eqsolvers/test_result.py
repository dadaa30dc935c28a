"""Finding solvers by name, and what is said when there is none."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError, UnknownNameError, UnsupportedGame
from eqenvs.spec import Family
from eqsolvers.result import failed, find_solver, none_exists, solvers, with_horizon


@pytest.mark.parametrize(("family", "method"), [(Family.NORMAL_FORM, "lp"), (Family.EXTENSIVE_FORM, "sequence-lp")])
def test_methods_are_found_by_id_and_by_concept(family: Family, method: str) -> None:
    assert find_solver(family, "nash", method).id == method
    assert "nash" in find_solver(family, "nash", None).concepts
    for solver_id, spec in solvers(family).items():
        assert spec.id == solver_id
        assert spec.family is family
        assert spec.source


def test_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown method.*'sequencelp'; did you mean 'sequence-lp'"):
        find_solver(Family.EXTENSIVE_FORM, "nash", "sequencelp")


def test_concept_without_a_method_names_those_there_are() -> None:
    with pytest.raises(InputError, match=r"no method computes 'nonsense'.*concepts: .*nash"):
        find_solver(Family.NORMAL_FORM, "nonsense", None)
    with pytest.raises(InputError, match="method 'lp' computes 'nash', not 'ce'"):
        find_solver(Family.NORMAL_FORM, "ce", "lp")


@pytest.mark.parametrize(
    ("game_id", "parameters", "method"),
    [
        ("rock_paper_scissors", {}, "lp"),
        ("chicken", {}, "lemke-howson"),
        ("covariant_game", {"num_players": 3}, "logit"),
        ("kuhn_poker", {}, "sequence-lp"),
        ("kuhn_poker", {"num_players": 3}, "dcfr"),
        ("sheriff", {}, "dcfr"),
    ],
)
def test_a_method_that_covers_the_game_is_chosen(game_id, parameters, method):
    game = eqenvs.make(game_id, **parameters)
    assert find_solver(game.family, None, None, game).id == method


BAD_CALLS = {
    "a tolerance that is no number": ("lp", {"tolerance": float("nan")}, "lp: tolerance must be at least 0, got nan"),
    "a tolerance below 0": ("correlated-lp", {"tolerance": -1.0}, "tolerance must be at least 0, got -1.0"),
    "a concept of other games": ("correlated-lp", {"concept": "efce"}, "computes 'ce' or 'cce', not 'efce'"),
    "of an iterative method": ("hedge", {"concept": "efce", "iterations": 1}, "hedge: computes 'nash' or 'cce'"),
    "a concept of one that has one": ("lp", {"concept": "ce"}, "lp: computes 'nash', not 'ce'"),
    "settings of one that has none": ("lp", {"settings": {"action": 1}}, "unknown parameter of lp 'action'"),
    "an unknown setting": ("logit", {"settings": {"precison": 1.0}}, "did you mean 'precision'"),
    "an unknown keyword": ("pure", {"tolerence": 1e-9}, "unknown keyword of method 'pure' 'tolerence'; did you mean"),
}


@pytest.mark.parametrize(("method", "given", "message"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_what_a_method_is_called_with_is_checked_before_any_work(method, given, message) -> None:
    # Nothing of the model is looked at.
    with pytest.raises(InputError, match=message):
        find_solver(Family.NORMAL_FORM, None, method).solve(None, **given)


def test_what_is_implied_may_be_said() -> None:
    model = eqenvs.make("rock_paper_scissors").model()
    solver = find_solver(Family.NORMAL_FORM, None, "lp")
    assert solver.solve(model, concept="nash", settings={}).residual == solver.solve(model).residual


def test_the_unit_of_the_residual_is_that_of_the_concept() -> None:
    units = {
        (name, concept): spec.unit_of(concept)
        for name, spec in solvers(Family.NORMAL_FORM).items()
        for concept in spec.concepts
    }
    probability = {("logit", "qre"), ("alpha-rank", "alpha-rank"), ("sink-equilibria", "sink")}
    assert {key for key, unit in units.items() if unit == "probability"} == probability


def test_what_found_nothing_has_no_residual() -> None:
    pennies = eqenvs.make("matching_pennies").model()
    for result in (failed(pennies, "lp", "gave up"), none_exists(pennies, "pure", "there is none")):
        assert result.residual == np.inf  # uniform play happens to be the equilibrium


class WithoutRules:
    """A game given as data for which there are no rules."""

    family = Family.MEAN_FIELD

    @property
    def rules(self):
        raise UnsupportedGame("no rules")


def test_horizons_are_asked_of_markov_games_only():
    assert with_horizon(eqenvs.make("random_markov_game", horizon=3))
    assert not with_horizon(eqenvs.make("random_markov_game"))
    assert not with_horizon(eqenvs.make("kuhn_poker"))
    assert not with_horizon(WithoutRules())


SMALL = {
    Family.NORMAL_FORM: [
        ("rock_paper_scissors", {}),
        ("chicken", {}),
        ("bimatrix_3x2", {}),
        ("random_normal_form", {"num_players": 3, "num_actions": 2}),
    ],
    Family.EXTENSIVE_FORM: [("kuhn_poker", {}), ("tiny_hanabi", {}), ("kuhn_poker", {"num_players": 3})],
    Family.MARKOV: [
        ("random_markov_game", {"num_states": 2, "num_actions": 2, "zero_sum": zero_sum, **horizon})
        for zero_sum in (True, False)
        for horizon in ({}, {"horizon": 2, "discount": 1.0})
    ],
    Family.MEAN_FIELD: [("left_right", {}), ("contraction_game", {}), ("sis", {"horizon": 3}), ("mean_field_rps", {})],
}


@pytest.mark.parametrize(
    ("family", "method"),
    [(family, method) for family in Family for method, spec in solvers(family).items() if spec.start is not None],
)
def test_an_iterative_method_starts_on_what_it_says_that_it_covers(family: Family, method: str) -> None:
    spec = solvers(family)[method]
    assert spec.start is not None
    for game_id, parameters in SMALL[family]:
        game = eqenvs.make(game_id, **parameters)
        if spec.covers(game):
            started = []
            for concept in spec.concepts:  # some are computed for some games alone
                chosen = {"concept": concept} if len(spec.concepts) > 1 else {}
                with contextlib.suppress(UnsupportedGame):
                    started.append(spec.start(game.model(), seed=0, settings=spec.resolve({}), **chosen))
            assert started, game
