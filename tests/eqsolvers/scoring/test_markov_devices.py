"""Devices of Markov games at the limits: brackets, budgets and what is left out."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import joint_play
from eqenvs.errors import GameTooLargeError, PolicyError
from eqenvs.models import MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy, MixturePolicy, ProductPolicy, TabularPolicy
from eqenvs.testing.conformance import random_tables
from eqenvs.testing.markov import expected_returns
from eqsolvers.scoring import beliefs, best_response, markov, memoryless, score
from eqsolvers.scoring.chains import chains
from eqsolvers.scoring.markov import best_markov_response
from eqsolvers.scoring.memoryless import Mixture, best_markov_reply


def pure_tables(game, seed):
    tables = random_tables(game, seed).tables  # 0 where an action is illegal
    return TabularPolicy(game, [np.eye(own.shape[1])[own.argmax(axis=1)] for own in tables])


def mixture(game, count, make=random_tables):
    return MixturePolicy(
        [make(game, seed) for seed in range(count)], np.arange(1.0, count + 1) / np.arange(count + 1).sum()
    )


def limited(monkeypatch, nodes):
    monkeypatch.setattr(beliefs.best_reply_to_mixture, "__kwdefaults__", {"max_nodes": nodes})


class TestBrackets:
    def test_hold_the_exact_gaps_with_a_horizon(self, monkeypatch):
        """Three components in which player 0 plays two policies, so that being told does not settle it."""
        game = eqenvs.make("random_markov_game", action_counts="2x3", num_states=3, horizon=4, discount=0.9)
        a, b, c = (random_tables(game, seed) for seed in range(3))
        shared = TabularPolicy(game, [a.tables[0], b.tables[1]])
        device = MixturePolicy([a, shared, c], [0.3, 0.3, 0.4])
        exact = score(game, device)
        limited(monkeypatch, 20)
        found = score(game, device)
        for name in ("cce_gap", "ce_gap"):
            least, most = found.detail[f"{name}_bounds"]
            assert getattr(found, name) is None
            assert least - 1e-12 <= getattr(exact, name) <= most + 1e-12
            assert most - least < 0.5 * getattr(exact, name)
        assert (found.gains <= exact.gains + 1e-12).all()
        assert found.kind == "lower_bound"

    def test_shrink_with_the_limit_in_discounted_games(self, monkeypatch):
        game = eqenvs.make("random_markov_game", discount=0.9)
        device = mixture(game, 2)
        brackets = []
        for nodes in (100, 1000, 10_000):
            limited(monkeypatch, nodes)
            brackets.append(score(game, device).detail["cce_gap_bounds"])
        for (low, high), (lower, higher) in zip(brackets[1:], brackets, strict=False):
            assert lower - 1e-12 <= low <= high <= higher + 1e-12
        assert np.diff(brackets[2]) < 0.75 * np.diff(brackets[0])

    def test_discounted_gaps_are_those_of_a_long_horizon(self):
        """One state and play at random: beliefs go on changing for ever, but soon by too little to matter."""
        rng = np.random.default_rng(0)
        payoffs = rng.random((2, 1, 2, 2))
        kernel, discount, steps = np.ones((1, 2, 2, 1)), 0.8, 120  # what is left after is 0.8^120 / 0.2 = 1.2e-11
        endless = MarkovModel(kernel, payoffs, [1.0], discount=discount)
        long = MarkovModel(kernel, payoffs, [1.0], discount=discount, horizon=steps)
        rows = [[[0.7, 0.3], [0.6, 0.4]], [[0.2, 0.8], [0.35, 0.65]]]
        found, expected = (
            score(
                model,
                MixturePolicy(
                    [TabularPolicy(model, [np.tile(row, (n, 1)) for row in own]) for own in rows], [0.5, 0.5]
                ),
            )
            for model, n in ((endless, 1), (long, steps))
        )
        assert found.cce_gap == pytest.approx(expected.cce_gap, abs=1e-8)
        assert found.cce_gap > 0.01
        assert found.kind == expected.kind == "exact"

    def test_likelihoods_are_counted_before_they_are_made(self, monkeypatch):
        game = eqenvs.make("random_markov_game", horizon=3)
        exact = score(game, mixture(game, 3))
        monkeypatch.setattr(beliefs, "MAX_NUMBERS", 47)
        found = score(game, mixture(game, 3))  # 8 nodes, 3 components and 2 actions are 48
        least, most = found.detail["cce_gap_bounds"]
        assert "48 likelihoods" in found.detail["gaps"]
        assert least <= exact.cce_gap <= most

    def test_without_memory_for_a_bracket_the_markov_gaps_are_left(self, monkeypatch):
        game = eqenvs.make("random_markov_game", discount=0.9)
        monkeypatch.setattr(beliefs, "MAX_PROCESSES", 1)
        found = score(game, mixture(game, 2))
        assert found.cce_gap is None
        assert "cce_gap_bounds" not in found.detail
        assert found.markov_cce_gap > 0
        assert found.kind == "lower_bound"
        monkeypatch.setattr(markov, "MAX_NUMBERS", 1)
        nothing = score(game, mixture(game, 2))
        assert nothing.cce_gap is None
        assert "numbers over 2 draws" in nothing.detail["gaps"]
        # Not deviating is a lower bound of everything, and no finding: what was not computed is left out.
        assert np.isnan(nothing.gains).all()
        assert nothing.markov_cce_gap is None
        assert "numbers over 2 draws" in nothing.detail["markov_gaps"]
        assert nothing.detail["gains"].startswith("omitted: ")
        assert nothing.kind == "exact"  # of the values, which are all that there is


class TestMarginals:
    def test_many_components_are_scored(self):
        """101 of them: 10,201 joint policies of the marginals."""
        game = eqenvs.make("random_markov_game", num_states=2, horizon=2)
        device = mixture(game, 101)
        found = score(game, device)
        assert found.kind == "exact"
        own = [[table.tables[player] for table in device.components] for player in range(2)]
        model = game.model()
        form = chains(model)
        values = np.zeros(2)
        for (i, a), (j, b) in product(enumerate(own[0]), enumerate(own[1])):
            values += device.weights[i] * device.weights[j] * form.at_start(form.values(joint_play((a, b))))
        # Against the marginals player 1 can do what it can before the draw: its best replies are the same.
        assert found.gains.sum() + values.sum() == pytest.approx(found.cce_gap + found.values.sum(), abs=1e-10)

    def test_too_many_joint_policies_leave_the_gaps(self, monkeypatch):
        game = eqenvs.make("random_markov_game", num_players=3, num_states=2, horizon=2)
        exact = score(game, mixture(game, 3))
        monkeypatch.setattr(markov, "MAX_EFFORT", 1000)
        found = score(game, mixture(game, 3))
        assert (found.cce_gap, found.ce_gap) == (exact.cce_gap, exact.ce_gap)
        assert np.isnan(found.gains).all()
        assert (found.nash_conv_or_none, found.exploitability_or_none) == (None, None)
        data = found.to_dict()
        assert (data["gains"], data["nash_conv"], data["kind"]) == ([None] * 3, None, "exact")
        assert found.detail["gains"].startswith("omitted: the marginals' 3 x 3 x 3 policies are 27 joint policies")

    @pytest.mark.parametrize("parameters", [{"horizon": 3}, {"discount": 0.9}, {"num_states": 401, "discount": 0.5}])
    def test_values_of_several_tables_are_those_of_each(self, parameters):
        game = eqenvs.make("random_markov_game", num_players=3, **parameters)
        model, form = game.model(), chains(game.model())
        first, second = (random_tables(game, seed).tables for seed in range(2))
        others = joint_play((first[0], first[2])).reshape(form.points, -1)
        found = form.values_of_tables(1, others, np.stack([first[1], second[1]]))
        for own, values in zip((first[1], second[1]), found, strict=True):
            expected = score(model, TabularPolicy(model, [first[0], own, first[2]])).values
            np.testing.assert_allclose(values, expected, atol=1e-9)


def opponents_of(game, count, player=0):
    form = chains(game.model())
    play = [joint_play(random_tables(game, seed).tables[1:]).reshape(form.points, -1) for seed in range(count)]
    return form, np.stack(play), np.full(count, 1 / count)


class TestMarkovResponses:
    @pytest.mark.parametrize("parameters", [{"horizon": 3, "action_counts": "2x3"}, {"discount": 0.8}])
    def test_to_a_device_are_those_of_the_markov_gap_and_their_tables_earn_it(self, parameters):
        game = eqenvs.make("random_markov_game", num_states=2, **parameters)
        model, device = game.model(), mixture(game, 3)
        scored, total = score(game, device), 0.0
        for player in range(2):
            value, table, _ = best_markov_response(model, player, device)
            assert set(np.unique(table)) == {0.0, 1.0}
            changed = []
            for component in device.components:
                tables = list(component.tables)
                tables[player] = table
                changed.append(expected_returns(model, TabularPolicy(model, tables))[player])
            assert value == pytest.approx(device.weights @ changed, abs=1e-9)
            total += max(0.0, value - scored.values[player])
        assert total == pytest.approx(scored.markov_cce_gap, abs=1e-9)

    def test_to_private_mixtures_of_three_players(self):
        """Opponents draw independently: 2 x 2 joint policies; the player's own 50 do not count."""
        game = eqenvs.make("random_markov_game", num_players=3, num_states=2, horizon=2)
        model = game.model()
        a, b = (random_tables(game, seed) for seed in range(2))
        mixed = MixturePolicy([a, b], [0.3, 0.7])
        many = MixturePolicy([random_tables(game, seed) for seed in range(50)], np.full(50, 0.02))
        value, table, best = best_markov_response(model, 1, ProductPolicy([mixed, many, mixed]))
        assert best
        every = []
        for actions in product(range(2), repeat=len(table)):
            pure = np.eye(2)[list(actions)]
            every.append(
                sum(
                    u * v * expected_returns(model, TabularPolicy(model, [x.tables[0], pure, y.tables[2]]))[1]
                    for (x, u), (y, v) in product(((a, 0.3), (b, 0.7)), repeat=2)
                )
            )
        assert value == pytest.approx(max(every), abs=1e-12)
        assert (table == np.eye(2)[list(list(product(range(2), repeat=len(table)))[int(np.argmax(every))])]).all()

    def test_to_one_policy_and_to_a_device_drawn_anew_are_the_best(self):
        game = eqenvs.make("random_markov_game", action_counts="2x3", discount=0.8)
        model, policy = game.model(), random_tables(game, 0)
        joint = MarkovCorrelatedPolicy(game, joint_play(policy.tables))
        for against in (policy, joint):
            value, table, best = best_markov_response(model, 0, against)
            expected, pure = best_response(model, 0, against)
            assert best
            assert value == pytest.approx(expected, abs=1e-12)
            np.testing.assert_array_equal(table, pure)

    def test_to_mixtures_of_devices_drawn_anew_are_refused_as_their_scores_are(self):
        game = eqenvs.make("random_markov_game", horizon=2)
        device = MarkovCorrelatedPolicy(game, joint_play(random_tables(game, 0).tables))
        mixed = MixturePolicy([device, random_tables(game, 1)], [0.5, 0.5])
        for judge in (lambda: score(game, mixed), lambda: best_markov_response(game.model(), 0, mixed)):
            with pytest.raises(PolicyError, match="a mixture of policies that correlate at every state"):
                judge()

    def test_to_too_many_joint_policies_are_refused(self, monkeypatch):
        game = eqenvs.make("random_markov_game", horizon=2)
        monkeypatch.setattr(markov, "MAX_NUMBERS", 1)
        with pytest.raises(GameTooLargeError, match=r"best Markov response: the opponents' play has .* over 2 draws"):
            best_markov_response(game.model(), 0, mixture(game, 2))


class TestSweeps:
    @pytest.mark.parametrize("parameters", [{"horizon": 4}, {"discount": 0.9}, {"num_states": 410, "discount": 0.8}])
    def test_never_lower_the_value(self, parameters):
        game = eqenvs.make("random_markov_game", num_actions=3, **parameters)
        form, opponents, weights = opponents_of(game, 3)
        problem = Mixture(form, 0, opponents, weights)
        choice = np.random.default_rng(0).integers(3, size=form.points)
        first = value = problem.value(choice)
        for _ in range(4):
            choice, found = problem.swept(choice, value)
            assert found >= value
            assert found == pytest.approx(problem.value(choice), rel=1e-12)
            value = found
        assert value > first

    @pytest.mark.parametrize("horizon", [None, 3])
    def test_values_are_those_of_each_component(self, horizon):
        game = eqenvs.make("random_markov_game", num_players=3, num_states=3, horizon=horizon)
        model = game.model()
        form, opponents, weights = opponents_of(game, 2)
        choice = np.random.default_rng(1).integers(2, size=form.points)
        found = Mixture(form, 0, opponents, weights).values(choice)
        for seed, values in enumerate(found):
            tables = [np.eye(2)[choice], *random_tables(game, seed).tables[1:]]
            expected = expected_returns(model, TabularPolicy(model, tables))[0]
            assert form.at_start(values) == pytest.approx(expected, abs=1e-8)

    @pytest.mark.parametrize("seed", range(5))
    def test_come_near_the_best_of_all(self, seed, monkeypatch):
        """Local optima from K + 1 starts, beside the search through all 256 policies: no more, and not much less."""
        game = eqenvs.make("random_markov_game", num_states=2, horizon=4, seed=seed)
        form, opponents, weights = opponents_of(game, 3)
        exact = best_markov_reply(form, 0, opponents, weights)
        monkeypatch.setattr(memoryless, "MAX_SEARCHED", 0)
        swept = best_markov_reply(form, 0, opponents, weights)
        monkeypatch.setattr(memoryless, "MAX_NUMBERS", 0)
        started = best_markov_reply(form, 0, opponents, weights)
        assert (exact.best, swept.best, started.best) == (True, False, False)
        assert started.value <= swept.value + 1e-12
        assert swept.value <= exact.value + 1e-12
        assert swept.value == pytest.approx(exact.value, abs=0.02)

    def test_soccer_against_two_pure_policies(self):
        """760 states: a sweep, not a row, is what a linear system is solved for."""
        game = eqenvs.make("grid_soccer")
        found = score(game, mixture(game, 2, pure_tables))
        assert found.kind == "exact"
        assert 0 < found.markov_cce_gap <= found.cce_gap + 1e-9
