"""Agent quantal response equilibria: the logit equations checked through the scorer, a published vector, the limits."""

import dataclasses

import numpy as np
import pytest

import eqenvs
from eqenvs.models import ExtensiveFormModel, InformationStates, Treeplex
from eqenvs.policies import TabularPolicy, uniform
from eqenvs.rules import TERMINAL
from eqsolvers import Status, score
from eqsolvers.extensive_form.aqre import LogitDescent
from eqsolvers.result import find_solver

KUHN, KUHN3 = eqenvs.make("kuhn_poker"), eqenvs.make("kuhn_poker", num_players=3)
LEDUC = eqenvs.make("leduc_poker")
HANABI, SHERIFF = eqenvs.make("tiny_hanabi"), eqenvs.make("sheriff")
SOLVER = find_solver(eqenvs.Family.EXTENSIVE_FORM, "qre", None)


def test_it_is_what_the_concept_means_here():
    assert SOLVER.id == "aqre"


@pytest.mark.parametrize(("game", "temperature"), [(KUHN, 0.1), (KUHN, 1.0), (KUHN3, 0.5), (HANABI, 1.0)], ids=repr)
def test_fixed_point_satisfies_the_logit_equations(game, temperature):
    """log pi(a) - log pi(b) = (q(a) - q(b)) / temperature at every information set, the values by the scorer.

    Playing a for certain at I instead of b changes the payoff by (q(I, a) - q(I, b)) times the probability of I.
    """
    model = game.model()
    result = SOLVER.solve(model, tolerance=1e-12, settings={"temperature": temperature})
    assert result.status is Status.CONVERGED
    tables = result.policy.tables
    for p, states in enumerate(model.information_states):
        reach = reach_probabilities(model, tables, p)
        for i, mask in enumerate(states.masks):
            legal = np.flatnonzero(mask)
            values = []
            for action in legal:
                changed = [table.copy() for table in tables]
                changed[p][i] = np.eye(len(mask))[action]
                values.append(score(model, TabularPolicy(model, changed)).values[p])
            quotients = np.array(values) / (reach[i] * temperature)
            logits = np.log(tables[p][i, legal])
            np.testing.assert_allclose(logits - logits[0], quotients - quotients[0], atol=1e-8)


def reach_probabilities(model, tables, player):
    """The probability of each of the player's information sets under the whole profile, [I]."""
    reach = np.ones(len(model.parent))
    for h in range(1, len(reach)):
        above = model.parent[h]
        mover = model.player[above]
        edge = model.chance[h] if mover < 0 else tables[mover][model.infoset[above], model.action[h]]
        reach[h] = reach[above] * edge
    mine = model.player == player
    return np.bincount(model.infoset[mine], weights=reach[mine], minlength=len(tables[player]))


def one_shot(payoffs):
    """A matrix game [A, B] with payoffs to player 0, played in sequence with player 1 blind."""
    rows, columns = payoffs.shape
    ends = np.arange(1 + rows, 1 + rows + rows * columns)
    first, second = np.repeat(np.arange(rows), columns), np.tile(np.arange(columns), rows)
    sequences = np.stack([1 + first, 1 + second], axis=1)
    both = np.stack([payoffs.ravel(), -payoffs.ravel()], axis=1)

    def treeplex(actions):
        states = InformationStates(
            np.zeros((1, 1), dtype=np.int64), np.zeros((1, 1), dtype=np.float32), np.ones((1, actions), dtype=bool)
        )
        return Treeplex(states, np.zeros(1, np.int64), np.ones(1, np.int64), np.array([actions]), np.array([0, 1]))

    return ExtensiveFormModel(
        parent=np.concatenate([[-1], np.zeros(rows, np.int64), 1 + first]),
        action=np.concatenate([[-1], np.arange(rows), second]),
        player=np.concatenate([[0], np.ones(rows, np.int64), np.full(len(ends), TERMINAL)]),
        chance=np.ones(1 + rows + len(ends)),
        infoset=np.concatenate([np.zeros(1 + rows, np.int64), np.full(len(ends), -1)]),
        level_start=np.array([0, 1, 1 + rows, 1 + rows + len(ends)]),
        terminals=ends,
        payoffs=both,
        chance_reach=np.ones(len(ends)),
        terminal_sequences=sequences,
        treeplexes=(treeplex(rows), treeplex(columns)),
        payoff_sequences=sequences,
        payoff_values=both,
    )


def test_perturbed_rock_paper_scissors_has_the_published_equilibrium():
    """Temperature .1 on payoffs scaled to [0, 1]: the vector that OpenSpiel's solver gives."""
    payoffs = np.array([[0, -3, 3], [3, 0, -1], [-3, 1, 0]])
    descent = LogitDescent(one_shot((payoffs + 3) / 6), temperature=0.1)
    descent.run(3000)
    for table in descent.policy().tables:
        np.testing.assert_allclose(table[0], [0.17347803, 0.48630324, 0.34021873], atol=1e-8)


def test_a_matrix_game_that_is_not_square_is_solved_per_player():
    payoffs = np.array([[2.0, -1.0, 0.5], [-1.0, 3.0, 0.0]])
    descent = LogitDescent(one_shot(payoffs), temperature=0.4)
    descent.run(2000)
    x, y = (table[0] for table in descent.policy().tables)
    np.testing.assert_allclose(x, softmax(payoffs @ y / 0.4), atol=1e-12)
    np.testing.assert_allclose(y, softmax(-x @ payoffs / 0.4), atol=1e-12)


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def test_residual_is_the_error_of_the_equations_and_falls_geometrically():
    """The theorem for normal forms bounds a divergence by 1 / (1 + eta temperature) an iteration, so probabilities by
    the root of it; the fitted factor on Kuhn is no worse.
    """
    descent = LogitDescent(KUHN.model(), temperature=0.3)
    factor = (1 + (0.3 / 2) ** 2) ** -0.5  # payoffs are -2 .. 2
    residuals = []
    for _ in range(8):
        descent.run(50)
        residuals.append(descent.residual())
    assert np.exp(np.polyfit(50 * np.arange(8), np.log(residuals), 1)[0]) < factor
    descent.run(2000)
    assert descent.residual() < 1e-14
    assert 0 <= descent.measures()["agents_gain"] < 1e-14


def test_uniform_play_has_the_residual_that_is_worked_out_by_hand():
    """A matrix game of one row: player 1 collects 1 or 0, and at temperature 1 its response is 1 / (1 + e)."""
    descent = LogitDescent(one_shot(np.array([[0.0, -1.0]])), temperature=1.0)
    assert descent.residual() == pytest.approx(1 / (1 + np.exp(-1)) - 0.5, abs=1e-15)
    gain = np.log(1 + np.e) - (0.5 + np.log(2))  # logsumexp of the payoffs less payoff and entropy of uniform play
    assert descent.measures()["agents_gain"] == pytest.approx(gain, abs=1e-15)


def test_errors_on_the_quotient_are_those_of_the_whole_game():
    """The agents of a class all gain: 144 information sets of Leduc by rank stand for 468."""
    reduced, whole = (LogitDescent(LEDUC.model(), temperature=0.5, reduce=reduce) for reduce in (True, False))
    for descent in (reduced, whole):
        descent.run(30)
    assert reduced.residual() == pytest.approx(whole.residual(), abs=1e-12)
    assert reduced.measures()["agents_gain"] == pytest.approx(whole.measures()["agents_gain"], rel=1e-12)


def test_vanishing_probabilities_stay_finite():
    """At temperatures where others' plans underflow the policy is still one, and the residual a number."""
    descent = LogitDescent(KUHN.model(), temperature=1e-4, eta=1e3)
    for _ in range(30):
        descent.run(20)
        assert 0 <= descent.residual() <= 1
        assert np.isfinite(score(KUHN, descent.policy()).nash_conv)


def test_default_step_is_blind_to_what_a_player_is_paid_in_any_case():
    """A constant added to one player's payoffs changes no response, and must not widen the range that sets the step."""
    payoffs = np.array([[2.0, -1.0, 0.5], [-1.0, 3.0, 0.0]])
    plain = one_shot(payoffs)
    raised = plain.payoffs + np.array([0.0, 1000.0])
    paid = dataclasses.replace(plain, payoffs=raised, payoff_values=raised)
    descents = [LogitDescent(model, temperature=0.4) for model in (plain, paid)]
    for descent in descents:
        descent.run(1000)
        assert descent.residual() < 1e-12
    for mine, theirs in zip(*(descent.policy().tables for descent in descents), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)


def test_hot_play_is_uniform():
    result = SOLVER.solve(KUHN.model(), tolerance=1e-12, settings={"temperature": 1e6})
    for mine, theirs in zip(result.policy.tables, uniform(KUHN).tables, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_cold_play_is_near_nash():
    """No agent loses more than temperature ln 2 where it is reached; each player moves at most twice."""
    found = []
    for temperature in (0.4, 0.2, 0.1, 0.05):
        result = SOLVER.solve(KUHN.model(), tolerance=1e-10, settings={"temperature": temperature})
        assert result.status is Status.CONVERGED
        found.append(score(KUHN, result.policy).nash_conv)
        assert found[-1] < 4 * temperature * np.log(2)
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.02


def test_general_payoffs_and_more_players_are_taken():
    for game, temperature in ((KUHN3, 0.3), (SHERIFF, 2.0)):
        result = SOLVER.solve(game.model(), tolerance=1e-9, settings={"temperature": temperature}, iterations=50_000)
        assert result.status is Status.CONVERGED
