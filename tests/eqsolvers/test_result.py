"""Finding solvers by name, and what is said when there is none."""

from __future__ import annotations

import pytest

import eqenvs
from eqenvs.errors import InputError, UnknownNameError
from eqenvs.spec import Family
from eqsolvers.result import find_solver, solvers


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
