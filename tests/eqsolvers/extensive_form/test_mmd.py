"""Magnetic mirror descent: figures of an independent program, a twin on the game tree, and what the quotient keeps."""

import dataclasses

import numpy as np
import pytest

import eqenvs
from eqsolvers import score
from eqsolvers.extensive_form._mirror import MagneticMirrorDescent, reached_alike
from eqsolvers.extensive_form.aqre import LogitDescent
from eqsolvers.extensive_form.mmd import schedule
from eqsolvers.result import find_solver

KUHN, LEDUC = eqenvs.make("kuhn_poker"), eqenvs.make("leduc_poker")
KUHN3 = eqenvs.make("kuhn_poker", num_players=3)
HANABI = eqenvs.make("tiny_hanabi")

# Exploitability of the last iterate after 100, 1000 and 10000 iterations; three digits, by an independent program with
# the schedules of Sokota et al. (2023): eta = 1 / sqrt(t), alpha = 1 / sqrt(t) for Kuhn and 5 / sqrt(t) for Leduc.
INDEPENDENT = [(KUHN, 1.0, (0.0291, 0.00506, 0.00122)), (LEDUC, 5.0, (0.235, 0.0669, 0.0171))]


@pytest.mark.parametrize(("game", "alpha", "figures"), INDEPENDENT, ids=["kuhn", "leduc"])
def test_annealed_exploitability_is_that_of_an_independent_program(game, alpha, figures):
    descent = MagneticMirrorDescent(game.model(), schedule(alpha=alpha))
    for iterations, figure in zip((100, 1000, 10_000), figures, strict=True):
        descent.run(iterations - descent.iteration)
        assert float(f"{descent.residual() / 2:.3g}") == figure


def test_moving_magnet_solves_kuhn_to_rounding():
    """3e-15 after 10000 iterations in an independent program."""
    descent = MagneticMirrorDescent(KUHN.model(), schedule("moving"))
    descent.run(10_000)
    assert descent.residual() / 2 < 1e-14


def test_fixed_temperature_tends_to_the_quantal_response_equilibrium():
    fixed = find_solver(eqenvs.Family.EXTENSIVE_FORM, "nash", "mmd").start(
        KUHN.model(), settings={"variant": "fixed", "eta": 0.5, "alpha": 0.2}
    )
    logit = LogitDescent(KUHN.model(), temperature=0.2)
    for process in (fixed, logit):
        process.run(5000)
    for mine, theirs in zip(fixed.policy().tables, logit.policy().tables, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
    assert fixed.residual() > 0.05


@pytest.mark.parametrize("variant", ["annealed", "fixed", "moving"])
@pytest.mark.parametrize("game", [KUHN, KUHN3, HANABI], ids=repr)
def test_kernel_agrees_with_its_numpy_twin(game, variant):
    descent = MagneticMirrorDescent(game.model(), schedule(variant))
    descent.run(6)
    for mine, theirs in zip(descent.policy().tables, twin(game.model(), schedule(variant), 6), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


def test_twin_agrees_on_leduc():
    descent = MagneticMirrorDescent(LEDUC.model(), schedule("moving"))
    descent.run(3)
    for mine, theirs in zip(descent.policy().tables, twin(LEDUC.model(), schedule("moving"), 3), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


def twin(model, rows, iterations):
    """The update with probabilities instead of logarithms, on the unreduced tree, history by history."""
    masks = [states.masks for states in model.information_states]
    policy = [states.uniform() for states in model.information_states]
    magnet = [table.copy() for table in policy]
    for t in range(1, iterations + 1):
        eta, alpha, rate = rows(np.array([float(t)]))[0]
        for p, q in enumerate(action_values(model, policy)):
            with np.errstate(divide="ignore"):
                power = policy[p] * magnet[p] ** (eta * alpha) * np.exp(eta * q)
            new = np.where(masks[p], power ** (1 / (1 + eta * alpha)), 0.0)
            policy[p] = new / new.sum(axis=1, keepdims=True)
            magnet[p] = np.where(masks[p], magnet[p] ** (1 - rate) * policy[p] ** rate, 0.0)
            magnet[p] /= magnet[p].sum(axis=1, keepdims=True)
    return policy


def action_values(model, policy):
    """q(I, a): what action a is worth where information set I is reached; per player [I, A]."""
    size, n = len(model.parent), model.num_players
    edge = model.chance.copy()
    for h in range(1, size):
        above = model.parent[h]
        if model.player[above] >= 0:
            edge[h] = policy[model.player[above]][model.infoset[above], model.action[h]]
    value = np.zeros((size, n))
    value[model.terminals] = model.payoffs
    for h in range(size - 1, 0, -1):
        value[model.parent[h]] += edge[h] * value[h]
    found = []
    for p in range(n):
        reach = np.ones(size)  # of chance and the others
        for h in range(1, size):
            above = model.parent[h]
            reach[h] = reach[above] * (1.0 if model.player[above] == p else edge[h])
        total = np.zeros(policy[p].shape)
        mass = np.zeros(len(total))
        np.add.at(mass, model.infoset[model.player == p], reach[model.player == p])
        below = np.flatnonzero(model.player[model.parent] == p)
        below = below[below > 0]
        above = model.parent[below]
        np.add.at(total, (model.infoset[above], model.action[below]), reach[above] * value[below, p])
        found.append(total / mass[:, None])
    return found


@pytest.mark.parametrize("game", [LEDUC, KUHN3], ids=repr)
def test_iterates_on_the_quotient_are_those_of_the_whole_game(game):
    reduced, whole = (
        MagneticMirrorDescent(game.model(), schedule("moving"), reduce=reduce) for reduce in (True, False)
    )
    for descent in (reduced, whole):
        descent.run(50)
    for mine, theirs in zip(reduced.policy().tables, whole.policy().tables, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)


def test_a_game_is_left_whole_where_equal_payoffs_hide_unequal_reach():
    """Leduc with player 0's suits dealt 3 to 1 and payoffs scaled back: the sequence form sees no difference."""
    model = LEDUC.model()
    likely = np.ones(len(model.parent))
    first = np.flatnonzero(model.parent == 0)
    likely[first] = np.where(model.action[first] % 2 == 0, 1.5, 0.5)
    for h in range(1 + len(first), len(likely)):
        likely[h] = likely[model.parent[h]]
    chance = model.chance.copy()
    chance[first] *= likely[first]
    ends = likely[model.terminals]
    skewed = dataclasses.replace(
        model, chance=chance, payoffs=model.payoffs / ends[:, None], chance_reach=model.chance_reach * ends
    )
    assert [len(p.parent) for p in reached_alike(model)[0]] == [144, 144]
    assert [len(p.parent) for p in reached_alike(skewed)[0]] == [468, 468]
    descent = MagneticMirrorDescent(skewed, schedule("moving"))
    descent.run(3)
    for mine, theirs in zip(descent.policy().tables, twin(skewed, schedule("moving"), 3), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("variant", ["annealed", "fixed", "moving"])
@pytest.mark.parametrize("game", [LEDUC, KUHN3, HANABI], ids=repr)
def test_own_nash_conv_is_the_independent_score(game, variant):
    descent = MagneticMirrorDescent(game.model(), schedule(variant))
    for _ in range(2):
        assert descent.residual() == pytest.approx(score(game, descent.policy()).nash_conv, abs=1e-12)
        descent.run(20)


def test_defaults_are_those_of_the_variant():
    t = np.array([1.0, 4.0])
    assert schedule("annealed", alpha=5.0)(t).tolist() == [[1.0, 5.0, 0.0], [0.5, 2.5, 0.0]]
    assert schedule("moving", magnet=0.2)(t).tolist() == [[0.1, 1.0, 0.2]] * 2
