"""Values, best responses and exploitability of mean-field games against plain loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.models.mean_field import Affine, CommonNoise, MeanFieldModel
from eqenvs.policies import MixturePolicy, TabularPolicy, tabulate, uniform
from eqenvs.testing.mean_field import dense_kernel, random_policy
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.scoring import best_response, score


def random_game(seed=0, *, horizon=4, noise=None, populations=2, discount=0.9):
    """Affine, coupled, asymmetric, with rewards that depend on time, noise and the mean field, and illegal actions."""
    rng = np.random.default_rng(seed)
    states, actions, outcomes = 4, 3, 2
    base = rng.dirichlet(np.ones(outcomes), size=(populations, states, actions))
    other = rng.dirichlet(np.ones(outcomes), size=(1, populations, states, actions))
    table = rng.normal(size=(populations, states, actions))
    legal = np.ones((states, actions))
    legal[1, 0] = legal[2, 2] = 0

    def reward(mean_field, moment):
        of = (1 + moment.time + 3 * moment.noise)[..., None, None, None]
        return table * of - 2 * mean_field[..., None] - mean_field[..., ::-1, :][..., None]

    return MeanFieldModel(
        Affine(base=base, slope=other - base, weight=rng.random((1, states))),
        reward,
        rng.dirichlet(np.ones(states), size=populations),
        successors=rng.integers(states, size=(states, actions, outcomes)),
        horizon=horizon,
        discount=discount,
        legal=legal,
        coupling=rng.dirichlet(np.ones(populations), size=populations),
        noise=noise,
    )


NOISE = CommonNoise(initial=[0.25, 0.75], kernel=[[0.5, 0.5], [0.0, 1.0]])


def by_recursion(model, policy, best):
    """What each population's states are worth at the start, [P, S], by recursion over moments."""
    flow = model.flow(policy)
    reward = model.rewards(flow, model.at(slice(None)))

    def worth(moment):
        later = np.zeros(model.initial.shape)
        for child in np.flatnonzero(model.moments.parent == moment):
            later += model.moments.probability[child] * worth(child)
        kernel = dense_kernel(model, flow[moment], moment)
        quality = reward[moment] + model.discount * np.einsum("psat,pt->psa", kernel, later)
        if best:
            return np.where(model.legal, quality, -np.inf).max(axis=-1)
        return (policy[moment] * quality).sum(axis=-1)

    roots = np.flatnonzero(model.moments.parent < 0)
    return sum(model.moments.probability[root] * worth(root) for root in roots)


@pytest.mark.parametrize("noise", [None, NOISE], ids=["plain", "noise"])
@pytest.mark.parametrize("populations", [1, 3])
def test_values_and_best_responses_are_those_of_plain_recursion(noise, populations):
    model = random_game(noise=noise, populations=populations)
    policy = random_policy(model, np.random.default_rng(1))
    evaluation = Dynamics(model).evaluate(policy)
    for found, best in ((evaluation.values, False), (evaluation.best, True)):
        expected = (model.initial * by_recursion(model, policy, best)).sum(axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    own = Dynamics(model).own_quality(evaluation.flow, evaluation.reward, policy)
    at_start = (policy[model.moments.parent < 0] * own[model.moments.parent < 0]).sum(axis=-1)
    weights = model.moments.probability[model.moments.parent < 0]
    np.testing.assert_allclose(
        np.einsum("m,mps->ps", weights, at_start), by_recursion(model, policy, False), atol=1e-12
    )


def test_an_operator_is_evaluated_as_its_affine_form():
    model = random_game(noise=NOISE)
    called = MeanFieldModel(
        model.probabilities, model.reward, model.initial, successors=model.successors, horizon=4, discount=0.9,
        legal=model.legal, coupling=model.coupling, noise=NOISE,
    )  # fmt: skip
    policy = random_policy(model, np.random.default_rng(1))
    first, second = (Dynamics(each).evaluate(policy) for each in (model, called))
    np.testing.assert_allclose(first.gains, second.gains, atol=1e-12)
    np.testing.assert_allclose(first.quality, second.quality, atol=1e-12)


def test_the_best_response_is_the_best_of_all_pure_policies():
    """One population of two actions: all 2^6 policies of three states and two times, against the same mean field."""
    rng = np.random.default_rng(4)
    kernel = rng.dirichlet(np.ones(3), size=(3, 2))
    table = rng.normal(size=(3, 2))
    model = MeanFieldModel(kernel, lambda mu, m: table - mu[..., None], rng.dirichlet(np.ones(3)), horizon=2)
    policy = random_policy(model, rng)
    dynamics = Dynamics(model)
    flow = dynamics.flow(policy)
    reward = dynamics.rewards(flow)
    values = []
    for choice in np.ndindex(*(2,) * 6):
        pure = np.eye(2)[np.array(choice).reshape(2, 1, 3)]
        later = (pure[1, 0] * reward[1, 0]).sum(axis=1)
        values.append(model.initial[0] @ (pure[0, 0] * (reward[0, 0] + kernel @ later)).sum(axis=1))
    assert dynamics.evaluate(policy).best[0] == pytest.approx(max(values), abs=1e-13)


def stationary_game(seed=0, discount=0.8, coupled=0.3):
    return random_game(seed, horizon=None, discount=discount)


def test_a_stationary_game_is_judged_in_its_stable_distribution():
    """Against a power iteration, a dense solve and value iteration."""
    model = stationary_game()
    policy = random_policy(model, np.random.default_rng(1))
    evaluation = Dynamics(model).evaluate(policy)
    at = model.initial
    for _ in range(3000):
        at = np.einsum("ps,psa,psat->pt", at, policy[0], dense_kernel(model, at, 0))
    np.testing.assert_allclose(evaluation.flow[0], at, atol=1e-11)
    kernel = dense_kernel(model, at, 0)
    reward = model.rewards(at, model.at(0))
    for p in range(2):
        moves = np.einsum("sa,sat->st", policy[0, p], kernel[p])
        own = np.linalg.solve(np.eye(4) - 0.8 * moves, (policy[0, p] * reward[p]).sum(axis=1))
        best = np.zeros(4)
        for _ in range(300):
            best = np.where(model.legal, reward[p] + 0.8 * kernel[p] @ best, -np.inf).max(axis=1)
        assert evaluation.values[p] == pytest.approx(at[p] @ own, abs=1e-10)
        assert evaluation.best[p] == pytest.approx(at[p] @ best, abs=1e-10)
    assert evaluation.stability.residual <= 1e-13
    assert 0 < evaluation.stability.factor < 1


def test_a_population_that_goes_round_is_brought_to_rest():
    """Everybody moves on in a ring of three from one place: the flow has period 3, what is stable is uniform."""
    kernel = np.roll(np.eye(3), 1, axis=1)[:, None]
    model = MeanFieldModel(kernel, lambda mu, m: -mu[..., None], [1.0, 0, 0], discount=0.5)
    evaluation = Dynamics(model).evaluate(np.ones(model.policy_shape))
    np.testing.assert_allclose(evaluation.flow[0, 0], 1 / 3, atol=1e-12)
    assert evaluation.values[0] == pytest.approx(-2 / 3, abs=1e-11)


def test_a_chain_that_can_settle_in_several_ways_settles_by_where_it_began():
    """From the middle of five places to either end, which hold: the gambler's ruin from 1/4 of the way, and 1/2."""
    kernel = np.zeros((5, 1, 5))
    kernel[0, 0, 0] = kernel[4, 0, 4] = 1.0
    for place in (1, 2, 3):
        kernel[place, 0, [place - 1, place + 1]] = 0.5
    model = MeanFieldModel(kernel, lambda mu, m: -mu[..., None], [0, 0.5, 0.5, 0, 0], discount=0.5)
    flow = Dynamics(model).flow(np.ones(model.policy_shape))
    np.testing.assert_allclose(flow[0, 0], [0.625, 0, 0, 0, 0.375], atol=1e-11)


def test_a_population_that_leaves_for_good_rests_where_it_can():
    kernel = np.array([[[0.9, 0.1, 0.0]], [[0.0, 0.7, 0.3]], [[0.0, 0.6, 0.4]]])
    model = MeanFieldModel(kernel, lambda mu, m: -mu[..., None], [1.0, 0, 0], discount=0.5)
    evaluation = Dynamics(model).evaluate(np.ones(model.policy_shape))
    np.testing.assert_allclose(evaluation.flow[0, 0], [0, 2 / 3, 1 / 3], atol=1e-15)
    assert evaluation.stability.residual <= 1e-15


def test_a_population_that_rests_too_slowly_is_not_called_exact(caplog):
    """A share of 1e-7 (1 + mu) of each place moves to the other a step: next to nothing, and far from rest."""

    def slow(mean_field, moment):
        leaving = 1e-7 * (1 + mean_field)
        there = np.stack([1 - leaving, leaving], axis=-1)
        return np.stack([there[..., 0, :], there[..., 1, ::-1]], axis=-2)[..., None, :]

    both = np.broadcast_to(np.arange(2), (2, 1, 2)).copy()
    model = MeanFieldModel(slow, lambda mu, m: -mu[..., None], [0.9, 0.1], successors=both, discount=0.5)
    found = score(model, uniform(model))
    assert found.detail["stability_residual"] < 3e-7
    assert found.detail["distance_from_rest"] > 0.1
    assert found.kind == "estimate"
    assert "does not come to rest" in caplog.text


def test_a_population_that_never_rests_is_told_with_its_factor(caplog):
    """Everybody flees the fuller of two places, overshooting: no stable distribution is reached by any slowing here."""

    def flee(mean_field, moment):
        crowded = mean_field[..., :1] > 0.6
        there = np.where(crowded, 0.05, 0.95)
        row = np.concatenate([there, 1 - there], axis=-1)
        return np.broadcast_to(row[..., None, None, :], (*mean_field.shape, 1, 2))

    both = np.broadcast_to(np.arange(2), (2, 1, 2)).copy()
    model = MeanFieldModel(flee, lambda mu, m: -mu[..., None], [0.9, 0.1], successors=both, discount=0.5)
    found = score(model, uniform(model))
    assert found.detail["stability_residual"] > 0.01
    assert found.kind == "estimate"
    assert "does not come to rest" in caplog.text


# By hand: mu = (l, 1 - l) pays -l on the left and -2 (1 - l) on the right; the gain is the better one less the mean.
@pytest.mark.parametrize(("left", "gain"), [(0.5, 0.25), (1.0, 1.0), (0.0, 2.0), (2 / 3, 0.0)])
def test_left_right_is_scored_as_by_hand(left, gain):
    game = eqenvs.make("left_right")
    found = score(game, TabularPolicy(game, [np.tile([left, 1 - left], (6, 1))]))
    assert found.exploitability == pytest.approx(gain, abs=1e-15)
    assert found.nash_conv == pytest.approx(gain, abs=1e-15)
    assert found.values[0] == pytest.approx(-(left**2) - 2 * (1 - left) ** 2, abs=1e-15)


def test_two_populations_are_scored_by_their_mean_gain():
    model = random_game()
    found = score(model, uniform(model))
    assert found.nash_conv == pytest.approx(found.gains.sum())
    assert found.exploitability == pytest.approx(found.gains.mean())
    assert found.to_dict()["exploitability"] == pytest.approx(found.gains.mean())


def test_a_best_response_gains_what_the_score_says():
    """Played by a vanishing share of the population, its value against the same mean field is the best one."""
    game = eqenvs.make("crowd_1d")
    policy = uniform(game)
    value, table = best_response(game, 0, policy)
    model = game.model()
    dynamics = Dynamics(model)
    flow = dynamics.flow(model.as_array(policy.tables))
    reward, response = dynamics.rewards(flow), model.as_array([table])
    own = dynamics.own_quality(flow, reward, response)
    assert (model.initial * (response[0] * own[0]).sum(axis=-1)).sum() == pytest.approx(value, abs=1e-12)
    assert value - score(game, policy).values[0] == pytest.approx(2.7866824162983, abs=1e-10)


def test_a_mixture_is_scored_as_the_population_that_splits():
    """Two parts of one population that keep to a policy each, against one step of it done by hand."""
    game = eqenvs.make("sis", horizon=3)
    model = game.model()
    rng = np.random.default_rng(5)
    tables = [model.as_tables(random_policy(model, rng))[0] for _ in range(2)]
    weights = np.array([0.3, 0.7])
    mixed = MixturePolicy([TabularPolicy(game, [table]) for table in tables], weights)
    parts = np.stack([weight * model.initial[0] for weight in weights])
    flow = []
    for t in range(3):
        flow.append(parts.sum(axis=0))
        kernel = dense_kernel(model, flow[-1][None], t)[0]
        moves = [table.reshape(3, 2, 2)[t] for table in tables]
        parts = np.stack([np.einsum("s,sa,sat->t", *part, kernel) for part in zip(parts, moves, strict=True)])
    found = model.flow(model.as_array(tabulate(model, mixed).tables))[:, 0]
    np.testing.assert_allclose(found, flow, atol=1e-14)
