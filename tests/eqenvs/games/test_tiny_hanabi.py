"""Tiny Hanabi: the best joint policy of every game of the suite."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import eqenvs
from eqenvs.policies import TabularPolicy
from eqenvs.testing import check_game, expected_payoffs

# Sokota et al. (2021), table of optimal values.
OPTIMA = {"A": 9 / 4, "B": 1.0, "C": 5 / 2, "D": 5 / 2, "E": 10.0, "F": 7 / 3}


@pytest.mark.parametrize("variant", OPTIMA)
def test_the_best_joint_policy_has_the_published_value(variant):
    game = eqenvs.make("tiny_hanabi", variant=variant)
    model = game.model()
    first, second = model.treeplexes
    best = -np.inf
    for choice in itertools.product(range(game.rules.actions_each), repeat=first.num_infosets):
        plan = first.realisation_plan(np.eye(game.rules.actions_each)[list(choice)])
        gradient = model.gradient(1, [plan, np.zeros(second.num_sequences)])
        best = max(best, second.best_response(gradient)[0])
    assert best == pytest.approx(OPTIMA[variant], abs=1e-12)


def test_both_are_paid_the_same():
    game = eqenvs.make("tiny_hanabi", variant="F")
    tables = [states.masks / states.masks.sum(axis=1, keepdims=True) for states in game.information_states]
    values = expected_payoffs(game, TabularPolicy(game, tables))
    assert values[0] == values[1] == pytest.approx(game.rules.payoffs.mean())
    assert not game.model().constant_sum()


@pytest.mark.parametrize("variant", ["A", "F"])
def test_other_shapes_keep_every_contract(variant):
    check_game(eqenvs.make("tiny_hanabi", variant=variant), exact=True, episodes=1000)
