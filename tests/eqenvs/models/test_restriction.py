"""Restricted extensive-form games: the same numbers as the whole game under policies that use only what is allowed."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import BoolArray, Float64Array
from eqenvs.errors import InputError
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.models.restriction import restrict
from eqenvs.policies import TabularPolicy
from eqsolvers.extensive_form import sequence_lp
from eqsolvers.scoring.scorers import scorer

GAMES = [
    ("kuhn_poker", {}),
    ("kuhn_poker", {"num_players": 3}),
    ("leduc_poker", {"suit_isomorphism": True}),
    ("liars_dice", {"num_faces": 3}),
    ("random_tree", {"seed": 3}),
]


def model_of(game: str, parameters: dict[str, object]) -> ExtensiveFormModel:
    model = eqenvs.make(game, **parameters).model()
    assert isinstance(model, ExtensiveFormModel)
    return model


def some_actions(model: ExtensiveFormModel, rng: np.random.Generator) -> list[BoolArray]:
    """About half of the legal actions of every information set, at least one."""
    allowed = []
    for treeplex in model.treeplexes:
        masks = treeplex.states.masks
        draw = np.where(masks, rng.random(masks.shape), -1.0)
        allowed.append((draw > 0.5) | (draw == draw.max(axis=1, keepdims=True)))
    return allowed


def random_tables(masks: list[BoolArray], rng: np.random.Generator) -> list[Float64Array]:
    tables = [np.where(mask, rng.random(mask.shape) + 0.01, 0.0) for mask in masks]
    return [table / table.sum(axis=1, keepdims=True) for table in tables]


@pytest.mark.parametrize(("game", "parameters"), GAMES)
def test_restriction_to_all_legal_actions_is_the_game(game: str, parameters: dict[str, object]) -> None:
    model = model_of(game, parameters)
    same = restrict(model, [treeplex.states.masks for treeplex in model.treeplexes]).model
    for field in fields(ExtensiveFormModel):
        if field.name != "treeplexes":
            np.testing.assert_array_equal(getattr(same, field.name), getattr(model, field.name), err_msg=field.name)
    for ours, theirs in zip(same.treeplexes, model.treeplexes, strict=True):
        for name in ("parent_sequence", "first_sequence", "num_actions", "depth_start"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
        for part, whole in zip(ours.states, theirs.states, strict=True):
            np.testing.assert_array_equal(part, whole)


@pytest.mark.parametrize(("game", "parameters"), GAMES)
def test_values_are_those_of_the_whole_game(game: str, parameters: dict[str, object]) -> None:
    model, rng = model_of(game, parameters), np.random.default_rng(5)
    for _ in range(5):
        restriction = restrict(model, some_actions(model, rng))
        small = restriction.model
        assert len(small.parent) < len(model.parent)
        tables = random_tables([treeplex.states.masks for treeplex in small.treeplexes], rng)
        whole = restriction.extended(tables, random_tables([t.states.masks for t in model.treeplexes], rng))
        np.testing.assert_allclose(scorer(small).values(tables), scorer(model).values(whole), atol=1e-12)
        for treeplex, at, own in zip(small.treeplexes, restriction.infosets, model.treeplexes, strict=True):
            np.testing.assert_array_equal(treeplex.states.keys, own.states.keys[at])


def value_of(model: ExtensiveFormModel) -> float:
    policy = sequence_lp.SOLVER.solve(model).policy
    assert isinstance(policy, TabularPolicy)
    return float(scorer(model).values(policy.tables)[0])


def test_who_may_do_less_is_worth_less() -> None:
    model, rng = model_of("leduc_poker", {"suit_isomorphism": True}), np.random.default_rng(2)
    value = value_of(model)
    for _ in range(4):
        allowed = some_actions(model, rng)
        every = [treeplex.states.masks for treeplex in model.treeplexes]
        low = value_of(restrict(model, [allowed[0], every[1]]).model)
        high = value_of(restrict(model, [every[0], allowed[1]]).model)
        assert low < value - 1e-6 < value + 1e-6 < high


def test_an_information_set_without_actions_is_refused() -> None:
    model = model_of("kuhn_poker", {})
    allowed = [treeplex.states.masks.copy() for treeplex in model.treeplexes]
    allowed[1][2] = False
    with pytest.raises(InputError, match="player 1 has no action left at information set 2"):
        restrict(model, allowed)
    with pytest.raises(InputError, match="shape"):
        restrict(model, [allowed[0][:2], allowed[1]])
