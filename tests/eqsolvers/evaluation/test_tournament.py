"""Round robins: averages over all ways to share the places."""

import itertools

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqenvs.policies import TabularPolicy, uniform
from eqsolvers.evaluation import Allocation, Entrant, round_robin
from eqsolvers.scoring.scorers import scorer


def entrants_of(game, count, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        masks = [states.masks for states in game.information_states]
        tables = [np.where(mask, rng.random(mask.shape) + 0.01, 0.0) for mask in masks]
        policy = TabularPolicy(game, [table / table.sum(axis=1, keepdims=True) for table in tables])
        found.append(Entrant(f"entrant {k}", policy))
    return found


@pytest.mark.parametrize("num_players", [2, 3])
def test_meetings_are_averages_over_all_shares_of_the_places(num_players):
    game = eqenvs.make("kuhn_poker", num_players=num_players)
    entrants = entrants_of(game, 3)
    found, judge = round_robin(game, entrants), scorer(game.model())
    for i, j in itertools.permutations(range(3), 2):
        payoffs, margins = [], []
        for who in itertools.product((i, j), repeat=num_players):
            if len(set(who)) == 1:
                continue
            values = judge.values([entrants[k].policy.tables[p] for p, k in enumerate(who)])
            mine = [value for value, k in zip(values, who, strict=True) if k == i]
            theirs = [value for value, k in zip(values, who, strict=True) if k == j]
            payoffs.append(np.mean(mine))
            margins.append((np.mean(mine) - np.mean(theirs)) / 2)
        assert found.payoff[i, j] == pytest.approx(np.mean(payoffs), abs=1e-12)
        assert found.margin[i, j] == pytest.approx(np.mean(margins), abs=1e-12)
    assert np.diag(found.payoff) == pytest.approx(np.zeros(3), abs=1e-12)  # zero-sum
    assert found.margin == pytest.approx(-found.margin.T)
    assert found.scores + found.scores.T == pytest.approx(np.ones((3, 3)))


def test_in_a_two_player_zero_sum_game_margins_are_payoffs():
    game = eqenvs.make("kuhn_poker")
    found = round_robin(game, entrants_of(game, 3))
    assert found.margin == pytest.approx(found.payoff, abs=1e-12)


def test_payoffs_of_a_game_that_is_not_symmetric_are_averaged_over_the_seats():
    # Kuhn poker is worth -1/18 to the first player; between copies of an equilibrium both orders cancel.
    game = eqenvs.make("random_normal_form", num_players=2, num_actions=2, zero_sum=False, seed=3)
    a, b = (TabularPolicy(game, [[np.eye(2)[k]]] * 2) for k in range(2))
    payoffs = game.model().payoffs
    found = round_robin(game, [Entrant("a", a), Entrant("b", b)])
    assert found.payoff[0, 1] == pytest.approx((payoffs[0, 0, 1] + payoffs[1, 1, 0]) / 2)
    assert found.payoff[1, 0] == pytest.approx((payoffs[1, 0, 1] + payoffs[0, 1, 0]) / 2)
    assert found.payoff[1, 1] == pytest.approx(payoffs[:, 1, 1].mean())
    lead = [payoffs[0, 0, 1] > payoffs[1, 0, 1], payoffs[1, 1, 0] > payoffs[0, 1, 0]]
    assert found.scores[0, 1] == pytest.approx(np.mean(lead))


@pytest.mark.slow
def test_standard_errors_are_those_of_repeated_tournaments():
    game = eqenvs.make("kuhn_poker", num_players=3)
    entrants = entrants_of(game, 2)
    runs = [round_robin(game, entrants, allocation=Allocation(episodes=50), seed=seed) for seed in range(150)]
    for name, of in (("payoff", "error"), ("margin", "margin_error")):
        spread = np.std([getattr(run, name)[0, 1] for run in runs], ddof=1)
        stated = np.sqrt(np.mean([getattr(run, of)[0, 1] ** 2 for run in runs]))
        # The spread of 150 draws is known to a standard error of 1 / sqrt(300), 6 %.
        assert spread == pytest.approx(stated, rel=0.25)
    assert runs[0].error[0, 0] == 0.0  # among copies of itself a zero-sum payoff is 0
    assert runs[0].games[0, 1] == 6 * 50


def test_bad_input_is_named():
    game = eqenvs.make("kuhn_poker")
    one = Entrant("uniform", uniform(game))
    with pytest.raises(InputError, match="two entrants or more, got 1"):
        round_robin(game, [one])
    with pytest.raises(InputError, match="'uniform' twice"):
        round_robin(game, [one, one])
