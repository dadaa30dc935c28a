"""One-shot crowd games, contraction, Garnets and investment: closed forms and plain recomputation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError
from eqenvs.games.mean_field import biased_indirect_rps, mean_field_rps, random_mean_field_game
from eqenvs.models.mean_field import Moment
from eqenvs.policies import TabularPolicy, uniform
from eqenvs.testing import check_backends_agree, check_model, check_population_matches_model
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field.fictitious_play import FictitiousPlay
from eqsolvers.scoring import score

NOW = Moment(np.array(0), np.array(0))


def one_choice(game, strategy):
    """The policy that plays `strategy` everywhere."""
    return TabularPolicy(game, [np.tile(strategy, (len(game.information_states[0].keys), 1))])


def rewards(model, mean_field):
    mean_field = np.asarray(mean_field)
    return np.broadcast_to(model.rewards(mean_field, NOW), (*mean_field.shape, model.num_actions))


@pytest.mark.parametrize(
    ("game_id", "given", "crowd", "value"),
    [
        ("mean_field_rps", {}, (26, 20, 31), Fraction(6, 11)),
        ("mean_field_rps", {"matrix": "standard"}, (1, 1, 1), Fraction(0)),
        ("biased_indirect_rps", {}, (15, 21, 35), Fraction(0)),
    ],
)
def test_the_stated_crowd_is_an_equilibrium_of_the_stated_value(game_id, given, crowd, value):
    for horizon in (2, 5):
        game = eqenvs.make(game_id, horizon=horizon, **given)
        found = score(game, one_choice(game, np.array(crowd) / sum(crowd)))
        assert found.nash_conv < 1e-12
        assert found.values[0] == pytest.approx((horizon - 1) * float(value), abs=1e-12)


def test_payoffs_are_the_published_ones():
    # Cui and Koeppl's, with shares of the crowd that tell all entries apart.
    skewed = rewards(eqenvs.make("mean_field_rps").model(), [[0.0, 0.5, 0.3, 0.2]])[0]
    expected = [0, 2 * 0.2 - 0.3, 4 * 0.5 - 2 * 0.2, 6 * 0.3 - 3 * 0.5]
    np.testing.assert_allclose(skewed, np.tile(np.array(expected)[:, None], 3), atol=1e-15)
    # OpenSpiel's biased_indirect_rps: nu = (.7 R, .5 P, .3 S).
    biased = rewards(eqenvs.make("biased_indirect_rps").model(), [[0.0, 0.5, 0.3, 0.2]])[0]
    expected = [0, 0.15 - 0.06, 0.06 - 0.35, 0.35 - 0.15]
    np.testing.assert_allclose(biased, np.tile(np.array(expected)[:, None], 3), atol=1e-15)


def test_the_equilibria_are_alone():
    # Of a matrix with a cycle of strict best replies all three actions are played, and the equations have one solution.
    for payoffs in (*mean_field_rps.PAYOFFS.values(), biased_indirect_rps.PAYOFFS):
        reply = payoffs.argmax(axis=0)
        assert sorted(reply) == [0, 1, 2]
        assert (reply != np.arange(3)).all()
        system = np.block([[payoffs, -np.ones((3, 1))], [np.ones((1, 3)), np.zeros((1, 1))]])
        assert np.linalg.matrix_rank(system) == 4


def test_without_a_horizon_a_crowd_in_equilibrium_gets_its_value_for_ever():
    game = eqenvs.make("mean_field_rps", horizon=None, discount=0.8)
    found = score(game, one_choice(game, np.array([26, 20, 31]) / 77))
    assert found.nash_conv < 1e-10
    assert found.values[0] == pytest.approx(6 / 11 / (1 - 0.8), abs=1e-10)


# Contraction game


def contraction(**given):
    return eqenvs.make("contraction_game", **given)


def law_of_one_who_stays(model, crowd):
    """Where a player who stays ends up in a crowd that does not change, from linear equations."""
    kernel = np.zeros((2, 2))
    probability = np.asarray(model.probabilities(crowd[None], NOW))[0, :, 0]
    for state in range(2):
        np.add.at(kernel[state], model.successors[state, 0], probability[state])
    system = np.vstack([(kernel - np.eye(2)).T, np.ones((1, 2))])
    return np.linalg.lstsq(system, np.array([0.0, 0.0, 1.0]), rcond=None)[0]


@pytest.mark.parametrize("modulus", [0.0, 0.3, 0.9, 0.999])
def test_the_fixed_point_map_contracts_by_the_modulus_exactly(modulus):
    model = contraction(modulus=modulus, own=0.25, rest=0.6).model()
    crowds = [np.array([x, 1 - x]) for x in (0.0, 0.1, 0.7, 1.0)]
    images = [law_of_one_who_stays(model, crowd) for crowd in crowds]
    for first in range(4):
        np.testing.assert_allclose(images[first], modulus * crowds[first] + (1 - modulus) * np.array([0.6, 0.4]))
        for second in range(first):
            distance = np.abs(images[first] - images[second]).sum()
            assert distance == pytest.approx(modulus * np.abs(crowds[first] - crowds[second]).sum(), abs=1e-12)


@pytest.mark.parametrize("modulus", [0.2, 0.8])
def test_with_a_horizon_flows_contract_by_less_than_the_modulus(modulus):
    rng = np.random.default_rng(1)
    own = 0.5
    model = contraction(modulus=modulus, own=own, horizon=12, discount=1.0, switching_cost=50.0).model()

    def answer(flow):
        """The law over time of a player who stays, in a given flow."""
        law = [model.initial[0]]
        for t in range(11):
            probability = np.asarray(model.probabilities(flow[t][None], NOW))[0, :, 0]
            after = np.zeros(2)
            for state in range(2):
                np.add.at(after, model.successors[state, 0], law[-1][state] * probability[state])
            law.append(after)
        return np.array(law)

    first, second = (rng.dirichlet(np.ones(2), size=12) for _ in range(2))
    constant = np.tile([1.0, 0.0], (12, 1)), np.tile([0.0, 1.0], (12, 1))
    for one, two in ((first, second), constant):
        apart = np.abs(one - two).sum(axis=1).max()
        found = np.abs(answer(one) - answer(two)).sum(axis=1)
        assert (found <= modulus * (1 - own ** np.arange(12)) * apart + 1e-12).all()
    # The bound is met by flows that differ by as much all the time.
    np.testing.assert_allclose(found, 2 * modulus * (1 - own ** np.arange(12)), atol=1e-12)


def test_one_step_of_a_crowd_that_stays_contracts_as_stated():
    model = contraction(modulus=0.5, own=0.4).model()
    stays = np.zeros(model.policy_shape)
    stays[..., 0] = 1.0
    flow = Dynamics(model).flow(stays)
    np.testing.assert_allclose(flow[0, 0], [0.75, 0.25], atol=1e-12)
    one, two = (model.advance(np.array([[x, 1 - x]]), stays)[0] for x in (0.1, 0.8))
    assert np.abs(one - two).sum() == pytest.approx((0.4 + 0.5 * 0.6) * 1.4, abs=1e-12)


def test_staying_dominates_above_the_stated_cost_and_not_below():
    bound = 0.9 * 0.4 * 1.0 / (1 - 0.9 * 0.4)  # discount, own, congestion
    # The worst a flow can do is to be all at one place for ever.
    everybody = np.array([[[1.0, 0.0]]])
    for cost, switches in ((bound + 1e-6, False), (bound - 1e-6, True)):
        dynamics = Dynamics(contraction(modulus=1.0, switching_cost=cost).model())
        # With modulus 1 the crowd would stay there by itself, as the derivation of the bound takes it to.
        quality, _ = dynamics.best_quality(everybody, dynamics.rewards(everybody))
        assert (quality[0, 0, 0, 1] > quality[0, 0, 0, 0]) == switches
        assert quality[0, 0, 1, 0] > quality[0, 0, 1, 1]


def test_contraction_equilibrium_is_rest_whatever_the_start():
    for first in (0.0, 0.5, 1.0):
        game = contraction(first=first)
        stays = TabularPolicy(game, [np.tile([1.0, 0.0], (2, 1))])
        found = score(game, stays)
        assert found.nash_conv < 1e-12
        assert found.values[0] == pytest.approx(-6.25, abs=1e-10)


def test_contraction_uniform_policy_against_dense_linear_algebra():
    game = contraction()
    own, crowd, back, discount = 0.4, 0.3, 0.3, 0.9
    # Uniform: the move chosen leads to either place alike; m = own / 2 + crowd m + back nu.
    mean_field = (own * 0.5 + back * np.array([0.75, 0.25])) / (1 - crowd)
    kernel = [
        own * move + np.tile(crowd * mean_field + back * np.array([0.75, 0.25]), (2, 1))
        for move in (np.eye(2), np.eye(2)[::-1])
    ]
    paid = [-mean_field, -mean_field - 1.0]
    value = np.linalg.solve(np.eye(2) - discount * sum(kernel) / 2, sum(paid) / 2)
    best = max(
        mean_field
        @ np.linalg.solve(
            np.eye(2) - discount * np.stack([kernel[a][0], kernel[b][1]]), np.array([paid[a][0], paid[b][1]])
        )
        for a in range(2)
        for b in range(2)
    )
    found = score(game, uniform(game))
    assert found.nash_conv == pytest.approx(best - mean_field @ value, abs=1e-10)
    assert found.nash_conv == pytest.approx(game.spec.facts[0].uniform_nash_conv, abs=1e-8)


# Garnets


def garnet(**given):
    return eqenvs.make("random_mean_field_game", **given)


@pytest.mark.parametrize("populations", [1, 3])
def test_monotone_rewards_are_monotone(populations):
    rng = np.random.default_rng(0)
    model = garnet(monotone=True, num_populations=populations, strength=2.0).model()
    for _ in range(20):
        one, two = (rng.dirichlet(np.ones(10) / 5, size=populations) for _ in range(2))
        change = (rewards(model, one) - rewards(model, two))[..., 0]
        assert (change * (one - two)).sum() < 0


def test_rewards_without_that_are_not():
    rng = np.random.default_rng(0)
    model = garnet(monotone=False).model()
    signs = set()
    for _ in range(50):
        one, two = (rng.dirichlet(np.ones(10), size=1) for _ in range(2))
        signs.add(float(np.sign(((rewards(model, one) - rewards(model, two))[..., 0] * (one - two)).sum())))
    assert signs == {-1.0, 1.0}


@pytest.mark.parametrize("populations", [1, 2])
def test_fictitious_play_converges_in_monotone_garnets_as_it_should(populations):
    model = garnet(monotone=True, mixing=0.0, num_populations=populations, strength=3.0, seed=5).model()
    process = FictitiousPlay(model)
    gains = []
    for iterations in (20, 80, 320):
        process.run(iterations - process.iteration)
        gains.append(process.residual())
    assert gains[0] > gains[1] > gains[2]
    assert gains[2] < 4 * gains[0] * 20 / 320  # of the order of 1 / t, with room for a constant of 4


def test_garnets_have_the_stated_sparsity_and_seeds():
    model = garnet(num_states=7, num_actions=2, branching=3, num_features=4, num_populations=2, mixing=0.4).model()
    assert model.successors.shape == (7, 2, 3)
    assert all(len(set(row)) == 3 for row in model.successors.reshape(-1, 3).tolist())
    mean_field = np.random.default_rng(0).dirichlet(np.ones(7), size=2)
    probability = model.probabilities(mean_field, NOW)
    assert probability.shape == (2, 7, 2, 3)
    np.testing.assert_allclose(probability.sum(axis=-1), 1.0)
    other = model.probabilities(mean_field[::-1].copy(), NOW)
    np.testing.assert_allclose(probability, other)  # features are those of the populations' mean
    again = garnet(num_states=7, num_actions=2, branching=3, num_features=4, num_populations=2, mixing=0.4).model()
    np.testing.assert_array_equal(probability, again.probabilities(mean_field, NOW))
    differs = garnet(
        num_states=7, num_actions=2, branching=3, num_features=4, num_populations=2, mixing=0.4, seed=1
    ).model()
    assert not np.array_equal(model.successors, differs.successors)


@pytest.mark.parametrize("given", [{"num_populations": 2, "horizon": 4}, {"horizon": None, "num_states": 5}])
def test_garnets_conform(given):
    game = garnet(num_agents=5, **given)
    for check in (check_model, check_backends_agree, check_population_matches_model):
        check(game)


def test_garnet_uniform_policy_against_plain_arithmetic(plain_gains):
    game = garnet(num_populations=2, num_states=4, horizon=3)
    model = game.model()
    affine, successors = model.transition, model.successors

    def move(p, s, a, now):
        met = np.mean(now, axis=0)
        chance = affine.base[p, s, a].copy()
        for j in range(2):
            chance += float(affine.weight[j] @ met) * affine.slope[j, p, s, a]
        return list(zip(successors[s, a].tolist(), chance.tolist(), strict=True))

    values, best = plain_gains(
        model.initial, [[0, 1, 2]] * 4, move, lambda p, s, a, now: rewards(model, now)[p, s, a], 3
    )
    found = score(game, uniform(game))
    np.testing.assert_allclose(found.values, values, atol=1e-12)
    np.testing.assert_allclose(found.gains, best - values, atol=1e-12)


def test_a_garnet_too_large_is_refused_before_it_is_drawn():
    # 3 tables of 1.5 million probabilities, as many successors, half a million rewards and 10^8 interactions.
    with pytest.raises(GameTooLargeError, match="random_mean_field_game: 106,500,000 successors, probabilities"):
        garnet(num_states=10_000, num_actions=50, branching=3).model()


def test_successors_of_many_states_are_drawn_without_a_table_of_all(monkeypatch):
    monkeypatch.setattr(random_mean_field_game, "MAX_NUMBERS", 1_900)
    model = garnet(num_states=30, num_actions=3, branching=2, mixing=0.0).model()  # a table of 2,700; 1,350 are kept
    assert model.successors.shape == (30, 3, 2)
    assert (model.successors[..., 0] != model.successors[..., 1]).all()
    assert set(model.successors.reshape(-1).tolist()) == set(range(30))


# Investment


@pytest.mark.parametrize(("qualities", "depreciation"), [(10, 0.0), (4, 0.3)])
def test_investment_against_plain_arithmetic(qualities, depreciation, plain_gains):
    game = eqenvs.make("investment", num_qualities=qualities, depreciation=depreciation)
    model = game.model()

    def move(p, s, a, now):
        rise = a * (qualities - 1 - s) / qualities
        fall = (1 - rise) * depreciation
        return [(min(s + 1, qualities - 1), rise), (max(s - 1, 0), fall), (s, 1 - rise - fall)]

    def reward(p, s, a, now):
        return 0.3 * s / (1 + sum(x * mass for x, mass in enumerate(now[0]))) - 2.0 * a

    values, best = plain_gains(model.initial, [[0, 1]] * qualities, move, reward, 50)
    found = score(game, uniform(game))
    np.testing.assert_allclose(found.values, values, rtol=1e-10)
    np.testing.assert_allclose(found.gains, best - values, rtol=1e-10)
    if (qualities, depreciation) == (10, 0.0):
        assert found.nash_conv == pytest.approx(game.spec.facts[0].uniform_nash_conv, abs=1e-8)


def test_nobody_invests_near_the_end_or_at_the_best_quality():
    model = eqenvs.make("investment").model()
    dynamics = Dynamics(model)
    quality = dynamics.evaluate(dynamics.uniform()).quality[:, 0]
    assert (quality[-1, :, 0] > quality[-1, :, 1]).all()
    np.testing.assert_allclose(quality[:, 9, 0] - quality[:, 9, 1], 2.0)
    assert quality[0, 0, 1] > quality[0, 0, 0]
