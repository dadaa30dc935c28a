"""Policy mirror ascent from experience: play and learning against plain loops, seeds, options, and what is learnt."""

from __future__ import annotations

import re

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame
from eqenvs.models.mean_field import Affine, MeanFieldModel
from eqenvs.population_rules import PopulationRules
from eqenvs.spec import Family
from eqsolvers.kernels import random_stream, uniform
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field._mirror import Mirror
from eqsolvers.mean_field.learning import _agents
from eqsolvers.mean_field.learning._communication import adopted, averaged, near
from eqsolvers.mean_field.learning._population import played_together
from eqsolvers.mean_field.learning._simulator import Looks, Simulator
from eqsolvers.mean_field.learning._td import learn, schedule_of, shuffle
from eqsolvers.mean_field.pma import regularised_quality
from eqsolvers.result import solvers
from eqsolvers.scoring import score

METHODS = solvers(Family.MEAN_FIELD)
LEARNER, OPERATOR = METHODS["policy-mirror-ascent"], METHODS["pma"]
SMALL = {"num_agents": 7, "samples": 40, "mixing": 2}
INDEPENDENT = {"centralised": False, "communication_rounds": 2, "radius": 0.5, "trial": 3}
OPTIONS = {
    "published": {},
    "all options": {"pooled": True, "trajectories": 2, "visits": True, "warm_start": True, "replay": 2},
    "traces": {"mixing": 1, "traces": 0.7, "offset": 50.0},
    "independent": {"centralised": False},
    "adopting": INDEPENDENT,
    "averaging tables": {**INDEPENDENT, "exchange": "tables"},
    "averaging policies": {**INDEPENDENT, "exchange": "policies"},
}


def coupled(seed=0, discount=0.8, operator=False):
    """Two populations, asymmetric in everything; probabilities depend on what each meets, one action is illegal."""
    rng = np.random.default_rng(seed)
    successors = rng.integers(4, size=(4, 3, 2))
    successors[:, 0, 0] = [1, 2, 3, 0]  # every state is reached from every other
    base = rng.dirichlet(np.ones(2), size=(2, 4, 3))
    slope = rng.dirichlet(np.ones(2), size=(2, 2, 4, 3)) - base
    weight = rng.random((2, 4)) / 4
    coupling = np.array([[0.3, 0.7], [0.6, 0.4]])
    legal = np.ones((4, 3))
    legal[2, 1] = 0
    pay = rng.random((2, 4, 3)) / 2

    def reward(mean_field, moment):
        return pay - 0.5 * (mean_field**2)[..., None]

    initial = rng.dirichlet(np.ones(4), size=2)
    transition = Affine(base=base, slope=slope, weight=weight)
    parts = {"successors": successors, "discount": discount, "legal": legal, "coupling": coupling}
    model = MeanFieldModel(transition, reward, initial, **parts)
    return MeanFieldModel(model.probabilities, reward, initial, **parts) if operator else model


def ring(size=5, discount=0.8, crowd=1.0):
    """Left, stay, right on a ring whose states pay differently, less where there are many."""
    successors, kernel = np.zeros((size, 3, 3), dtype=int), np.full((size, 3, 3), 0.1)
    for state in range(size):
        for action in range(3):
            successors[state, action] = [(state - 1) % size, state, (state + 1) % size]
            kernel[state, action, action] += 0.7
    place = np.linspace(1, 0, size)

    def reward(mean_field, moment):
        return 0.5 * (place - crowd * mean_field)[..., None] + np.array([0.0, 0.02, 0.0])

    return MeanFieldModel(kernel, reward, np.full(size, 1 / size), successors=successors, discount=discount)


COUPLED = coupled()


def started(seed=0, model=COUPLED, **settings):
    return LEARNER.start(model, seed=seed, settings={**SMALL, **settings})


def bits(state):
    return {name: array.tobytes() for name, array in state["tables"].items()} | {"iteration": state["iteration"]}


@pytest.mark.parametrize("name", OPTIONS)
def test_runs_are_the_same_to_the_bit_however_they_are_cut(name):
    whole, cut = started(**OPTIONS[name]), started(**OPTIONS[name])
    whole.run(5)
    cut.run(2)
    other = started(seed=8, **OPTIONS[name])
    other.restore(cut.state())
    other.residual(), other.measures(), other.policy()  # looking changes nothing
    for _ in range(3):
        other.run(1)
    assert bits(other.state()) == bits(whole.state())
    assert other.touched == whole.touched > 0


@pytest.mark.parametrize("name", OPTIONS)
def test_seeds_side_by_side_are_the_runs_one_by_one(name):
    together = started(seed=(3, 1), **OPTIONS[name])
    together.run(3)
    alone = [started(seed=seed, **OPTIONS[name]) for seed in (3, 1)]
    for process in alone:
        process.run(3)
    assert together.residuals().tolist() == [process.residual() for process in alone]
    assert alone[0].residual() != alone[1].residual()
    assert together.touched == sum(process.touched for process in alone)


def test_trajectories_are_different_plays_of_the_same_policy():
    process = started(trajectories=3, num_agents=60)
    process.run(2)
    tables = process.state()["tables"]
    state, counts = tables["state"][0], tables["counts"][0]
    assert len({own.tobytes() for own in state}) == len({own.tobytes() for own in tables["stream"][0]}) == 3
    role = np.arange(60) * 2 // 60
    for own, counted in zip(state, counts, strict=True):
        for population in range(2):
            np.testing.assert_array_equal(np.bincount(own[role == population], minlength=4), counted[population])
    assert process.touched == 2 * 3 * 60 * 40 * 2


@pytest.mark.parametrize("name", OPTIONS)
def test_policies_are_legal_distributions_and_judged_exactly(name):
    process = started(**OPTIONS[name])
    process.run(3)
    policy = process.played_by(0)
    np.testing.assert_allclose(policy.sum(axis=-1), 1.0, atol=1e-12)
    assert (policy >= 0).all()
    assert not policy[..., ~COUPLED.legal].any()
    assert process.residual() == score(COUPLED, process.policy()).nash_conv


def by_loops(model, policy, table, seed, looks, mixing, agents):
    """Play of N agents with dense kernels and no bookkeeping: state, action and reward of everybody at every look."""
    rules, stream = PopulationRules(model, agents), random_stream(seed)
    role = np.array(rules.roles)

    def pick(row):
        draw = uniform(stream)
        for index in np.flatnonzero(row > 0):
            if draw < row[index]:
                return index
            draw -= row[index]
        return np.flatnonzero(row > 0)[-1]

    def shares(state):
        return np.stack([np.bincount(state[role == p], minlength=4) / (role == p).sum() for p in range(2)])

    state = np.array([pick(model.initial[p]) for p in role])
    chosen = np.array([pick(policy[g, s]) for g, s in zip(table, state, strict=True)])
    steps, rewards = [], []
    for step in range(looks * mixing):
        mean_field = shares(state)
        kernel = np.asarray(model.probabilities(mean_field, model.at(0)))
        paid = model.rewards(mean_field, model.at(0))[role, state, chosen]
        before = np.stack([state, chosen], axis=1)
        state = np.array(
            [
                model.successors[s, a, pick(kernel[p, s, a])]
                for p, s, a in zip(role, state, chosen, strict=True)
            ]
        )  # fmt: skip
        chosen = np.array([pick(policy[g, s]) for g, s in zip(table, state, strict=True)])
        if step % mixing == mixing - 1:
            steps.append(np.concatenate([before, np.stack([state, chosen], axis=1)], axis=1))
            rewards.append(paid)
    return np.array(steps), np.array(rewards), state, shares(state)


@pytest.mark.parametrize("operator", [False, True])
@pytest.mark.parametrize("mixing", [1, 3])
@pytest.mark.parametrize("own", [False, True])
def test_play_is_that_of_plain_loops(operator, mixing, own):
    model, agents = coupled(operator=operator), 9
    role = np.arange(agents) * 2 // agents
    table = np.arange(agents) if own else role
    rng = np.random.default_rng(2)
    weight = rng.random((agents if own else 2, 4, 3)) * model.legal
    policy = weight / weight.sum(axis=-1, keepdims=True)
    simulator, stream = Simulator(model, agents, table), random_stream(4)
    state, counts = simulator.begin(stream)
    watched = np.array([0, 3, 8])
    chosen = simulator.choices(policy, state, stream)
    parts = [simulator.watch(policy, watched, n, mixing, state, chosen, counts, stream) for n in (7, 13)]
    looks = Looks(*(np.concatenate(part) for part in zip(*parts, strict=True)))  # in two pieces, as if in one
    steps, rewards, last, shares = by_loops(model, policy, table, 4, 20, mixing, agents)
    np.testing.assert_array_equal(looks.steps, steps[:, watched])
    np.testing.assert_allclose(looks.reward, rewards[:, watched], atol=1e-14)
    np.testing.assert_array_equal(state, last)
    np.testing.assert_allclose(counts / simulator.size[:, None], shares, atol=1e-15)


def test_many_agents_move_as_the_mean_field():
    model, agents = COUPLED, 200_000
    policy = Dynamics(model).uniform()
    role = np.arange(agents) * 2 // agents
    simulator, stream = Simulator(model, agents, role), random_stream(0)
    state, counts = simulator.begin(stream)
    mean_field = model.initial
    for _ in range(6):
        chosen = simulator.choices(policy[0], state, stream)
        simulator.watch(policy[0], role[:1], 1, 1, state, chosen, counts, stream)
        mean_field = model.advance(mean_field, policy)
        np.testing.assert_allclose(counts / simulator.size[:, None], mean_field, atol=0.01)


def learnt(visits, decay, order, steps, reward, owner, bonus, tables, discount, schedule):
    """Algorithm 1 and its options with plain loops."""
    quality = np.full((tables, 4, 3), 2.0)
    count, trace = np.zeros(quality.shape), {}
    share = np.bincount(owner, minlength=tables) * len(steps)
    for m, look in enumerate(order, start=1):
        common = min(1.0, schedule.scale / (schedule.offset + m - 1))
        change = np.zeros(quality.shape)
        pairs = [(run, k) for run in range(len(steps)) for k in range(len(owner))]
        errors = {}
        for run, k in pairs:
            g, (s, a, s_t, a_t) = owner[k], steps[run, look, k]
            error = reward[run, look, k] + bonus[g, s] + discount * quality[g, s_t, a_t] - quality[g, s, a]
            count[g, s, a] += 1
            rate = (schedule.horizon + 1) / (schedule.horizon + count)
            if not decay and visits:
                quality[g, s, a] += rate[g, s, a] * error
            errors[run, k] = error
            trace[run, k] = decay * trace.get((run, k), np.zeros((4, 3)))
            trace[run, k][s, a] += 1
        for run, k in pairs:
            g = owner[k]
            if decay:
                size = (schedule.horizon + 1) / (schedule.horizon + count[g]) if visits else common
                change[g] += size * errors[run, k] * trace[run, k] / share[g]
            elif not visits:
                s, a = steps[run, look, k, :2]
                change[g, s, a] += common * errors[run, k] / share[g]
        quality += change
    return quality


@pytest.mark.parametrize("visits", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_tables_learn_as_in_plain_loops(visits, decay):
    rng = np.random.default_rng(9)
    runs, looks, owner = 2, 30, np.array([0, 0, 1])
    steps = np.stack([rng.integers(n, size=(runs, looks, 3)) for n in (4, 3, 4, 3)], axis=-1)
    reward, bonus = rng.random((runs, looks, 3)), rng.random((2, 4))
    schedule = schedule_of(0.8, 0.5, 40.0, visits)
    order = rng.permutation(looks)
    quality = np.full((2, 4, 3), 2.0)
    share = 1 / (runs * np.bincount(owner))
    scratch = np.zeros((2, 4, 3), dtype=np.int64), np.zeros((runs, 3, 4, 3))
    learn(schedule, 0.8, decay, bonus, owner, share, order[:10], steps, reward, quality, *scratch, 0)
    learn(schedule, 0.8, decay, bonus, owner, share, order[10:], steps, reward, quality, *scratch, 10)
    expected = learnt(visits, decay, order, steps, reward, owner, bonus, 2, 0.8, schedule)
    np.testing.assert_allclose(quality, expected, atol=1e-12)


def test_published_step_sizes():
    """mu = (1 - gamma) k = .05, L = 1.8: t_0 = 16 L^2 / mu^2, b_m = 2 / (mu (t_0 + m - 1))."""
    schedule = schedule_of(0.8, 0.25, 0.0, False)
    assert schedule.offset == pytest.approx(16 * 1.8**2 / 0.05**2)
    assert schedule.scale == pytest.approx(2 / 0.05)
    assert schedule.scale / schedule.offset < 1


def test_shuffles_are_permutations_and_all_alike():
    stream, order = random_stream(0), np.arange(3)
    seen: dict[tuple[int, ...], int] = {}
    for _ in range(6_000):
        shuffle(order, stream)
        seen[tuple(order.tolist())] = seen.get(tuple(order.tolist()), 0) + 1
    assert sorted(seen) == sorted({(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)})
    assert max(abs(count - 1_000) for count in seen.values()) < 6 * np.sqrt(1_000 * 5 / 6)


@pytest.mark.parametrize(
    "options",
    [
        {"visits": True},
        {"visits": True, "replay": 2},
        {"offset": 2_000.0, "replay": 3, "samples": 20_000},
        {"offset": 2_000.0, "mixing": 1, "traces": 0.5},
    ],
)
def test_tables_tend_to_the_exact_values_of_the_policy(options):
    """Of the uniform policy, in a game where many agents and few see the same: rewards without the mean field."""
    model = ring(crowd=0.0)
    settings = {"num_agents": 20, "samples": 60_000, "mixing": 3, "pooled": True, "tau": 0.3, **options}
    process = LEARNER.start(model, seed=1, settings=settings)
    process.run(1)
    dynamics, mirror = Dynamics(model), Mirror("entropy", 0.3, "euclidean", 1.0, 0.0)
    policy = dynamics.uniform()
    exact = regularised_quality(dynamics, mirror, policy) + mirror.bonus(policy)[..., None]
    np.testing.assert_allclose(process.state()["tables"]["quality"][0], exact[0], atol=0.03)


def operator_fixed_point(model, tau=0.2):
    process = OPERATOR.start(model, settings={"tau": tau, "eta": 1.0})
    process.run(200)
    assert process.measures()["policy_change"] < 1e-10
    return process.current()


PRACTICAL = {"num_agents": 50, "samples": 2_000, "mixing": 5, "tau": 0.2, "visits": True}


@pytest.mark.parametrize(
    ("options", "reached"),
    [({"pooled": True}, 0.01), ({"warm_start": True}, 0.05), ({"centralised": False}, 0.05)],
)
def test_learns_the_fixed_point_of_the_operator(options, reached):
    model = ring()
    process = LEARNER.start(model, seed=0, settings={**PRACTICAL, **options})
    fixed = operator_fixed_point(model)
    before = np.abs(process.played_by(0) - fixed).sum(axis=-1).max()
    process.run(15)
    after = np.abs(process.played_by(0) - fixed).sum(axis=-1).max()
    assert before > 0.3
    assert after < reached
    assert process.measures()["policy_change"] < reached


def test_published_schedule_learns_given_its_many_samples():
    """Two states, two actions, a low discount factor: t_0 is 6,400."""
    kernel = np.array([[[0.8, 0.2], [0.2, 0.8]], [[0.7, 0.3], [0.1, 0.9]]])
    pay = np.array([[0.2, 0.4], [1.0, 0.5]])
    model = MeanFieldModel(kernel, lambda m, moment: pay - 0.3 * m[..., None], [0.5, 0.5], discount=0.5)
    fixed = operator_fixed_point(model)
    settings = {"num_agents": 4, "tau": 0.2, "mixing": 2, "excitation": 0.15, "samples": 150_000}
    process = LEARNER.start(model, seed=0, settings=settings)
    process.run(6)
    assert np.abs(process.played_by(0) - fixed).sum(axis=-1).max() < 0.05


@pytest.mark.slow
def test_more_agents_are_nearer_where_the_payoff_has_a_kink():
    """A state pays less above its capacity, which it just fills in equilibrium: the bias is of order 1 / sqrt N."""
    plain = ring(size=3, crowd=0.0)
    fixed = operator_fixed_point(plain)
    capacity = Dynamics(plain).flow(fixed)[0, 0, 0]
    pay = np.asarray(plain.rewards(plain.initial, plain.at(0)))

    def reward(mean_field, moment):
        over = np.maximum(mean_field - capacity, 0.0) * np.array([1.0, 0.0, 0.0])
        return pay - over[..., None]

    kernel = plain.kernel.base[0]
    model = MeanFieldModel(kernel, reward, plain.initial, successors=plain.successors, discount=0.8)
    np.testing.assert_allclose(operator_fixed_point(model), fixed, atol=1e-8)
    off = []
    for agents in (10, 160):
        settings = {**PRACTICAL, "num_agents": agents, "samples": 300_000 // agents, "pooled": True, "eta": 4.0}
        process = LEARNER.start(model, seed=0, settings=settings)
        process.run(7)  # a step of the operator shrinks the distance by a factor of 3
        off.append(np.abs(process.played_by(0) - fixed).sum(axis=-1).max())
    assert 3 < off[0] / off[1] < 5.5  # 4 by the square root; 16 by 1 / N


def test_distances_are_shares_of_the_longest_way():
    reach = near(ring(size=6), 0.4)  # at most 3 moves apart; .4 of that is one move
    expected = np.array([[min((i - j) % 6, (j - i) % 6) <= 1 for j in range(6)] for i in range(6)])
    np.testing.assert_array_equal(reach, expected)
    np.testing.assert_array_equal(near(ring(size=6), 0.0), np.eye(6, dtype=bool))
    assert near(ring(size=6), 1.0).all()


def test_averages_are_of_those_within_reach_of_ones_own_population():
    rng = np.random.default_rng(0)
    tables, role, state = rng.random((8, 2, 3)), np.array([0, 0, 0, 0, 0, 1, 1, 1]), np.array([0, 1, 3, 3, 4, 0, 1, 5])
    reach = near(ring(size=6), 0.4)
    found = averaged(tables, reach, role, state)
    for agent in range(8):
        heard = [k for k in range(8) if role[k] == role[agent] and reach[state[agent], state[k]]]
        np.testing.assert_allclose(found[agent], tables[heard].mean(axis=0), atol=1e-14)


def test_policies_are_adopted_in_proportion_to_exp_of_what_they_earn():
    worth, temperature = np.array([0.0, 1.0, 3.0, 1.0, 100.0, 0.0]), 2.0
    role, state = np.array([0, 0, 0, 0, 0, 1]), np.array([0, 0, 1, 2, 3, 0])
    reach = near(ring(size=6), 0.4)
    rng, counts = np.random.default_rng(1), np.zeros((6, 6))
    for _ in range(6_000):
        counts[np.arange(6), adopted(worth, temperature, reach, role, state, rng.random(6))] += 1
    for agent in range(6):
        heard = (role == role[agent]) & reach[state[agent], state]
        weight = heard * np.exp((worth - worth[heard].max()) / temperature)
        np.testing.assert_allclose(counts[agent] / 6_000, weight / weight.sum(), atol=6 * 0.5 / np.sqrt(6_000))


def test_averaging_within_everybodys_reach_makes_all_agents_alike():
    for exchange in ("tables", "policies"):
        process = started(centralised=False, communication_rounds=1, exchange=exchange, visits=True)
        process.run(3)
        assert process.measures()["disagreement"] < 1e-12
    alone = started(centralised=False, visits=True)
    alone.run(3)
    assert alone.measures()["disagreement"] > 0.01


def test_tables_shared_by_visits_learn_from_fewer_steps_than_ones_own():
    """Sixty steps a table are too few to have done everything, and what was never done stays at the first guess."""
    model, own = ring(), {}
    fixed = operator_fixed_point(model)
    for rounds in (0, 1):
        settings = {**PRACTICAL, "samples": 60, "centralised": False, "communication_rounds": rounds}
        process = LEARNER.start(model, seed=0, settings={**settings, "exchange": "tables"})
        process.run(15)
        own[rounds] = np.abs(process.state()["tables"]["policy"][0] - fixed[0]).sum(axis=-1).max(axis=-1).mean()
    assert own[1] < 0.5 * own[0]


def test_the_best_policy_is_adopted_by_all_at_a_low_temperature():
    process = started(centralised=False, communication_rounds=1, temperature=1e-9, trial=3, visits=True)
    process.run(1)
    policy = process.state()["tables"]["policy"][0]
    role = np.arange(7) * 2 // 7
    for population in range(2):
        assert np.ptp(policy[role == population], axis=0).max() == 0


REFUSED = [
    ({"traces": 0.5}, "policy-mirror-ascent: traces need mixing=1, got 2"),
    ({"traces": 0.5, "mixing": 1, "replay": 1}, "policy-mirror-ascent: traces and replay exclude each other"),
    ({"pooled": True, "centralised": False}, "policy-mirror-ascent: pooled needs centralised=true"),
    ({"communication_rounds": 1}, "policy-mirror-ascent: communication_rounds need centralised=false"),
    ({"num_agents": 1}, "policy-mirror-ascent: num_agents must be at least 2, one for each population, got 1"),
    ({"exchange": "gossip"}, "policy-mirror-ascent: parameter 'exchange' must be one of adopt, tables, policies"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(InputError, match="^" + re.escape(message)):
        started(**settings)


def test_games_with_a_horizon_and_tables_beyond_memory_are_refused():
    with pytest.raises(UnsupportedGame, match=r"^policy-mirror-ascent: needs a game without a horizon"):
        started(model=MeanFieldModel([[[1.0]]], lambda m, moment: m[..., None], [1.0], horizon=2))
    with pytest.raises(GameTooLargeError, match=r"^policy-mirror-ascent: tables of 1 x 1,000,000 x 25 x 9 numbers"):
        LEARNER.start(wide(), settings={"num_agents": 1_000_000, "centralised": False})
    with pytest.raises(GameTooLargeError, match=r"^policy-mirror-ascent: kept looks of 1 x 50,000,000 x 1 x 5 numbers"):
        LEARNER.start(wide(), settings={"replay": 1, "samples": 50_000_000})


def wide():
    kernel = np.full((25, 9, 25), 1 / 25)
    return MeanFieldModel(kernel, lambda m, moment: m[..., None], np.full(25, 1 / 25), discount=0.5)


def test_state_of_another_game_is_refused():
    other = LEARNER.start(ring(), settings=SMALL)
    with pytest.raises(InputError, match=r"^restore: the state is of another game"):
        started().restore(other.state())


def test_solver_finds_it_and_says_how_far():
    result = LEARNER.solve(ring(), iterations=4, seed=3, settings=PRACTICAL, tolerance=0.0)
    assert result.iterations == 4
    assert result.residual == score(ring(), result.policy).nash_conv
    assert set(result.measures) == {"best_nash_conv", "best_iteration", "policy_change", "largest_reward"}
    seen = {check.iteration: check.residual for check in result.trace}
    best = int(result.measures["best_iteration"])
    assert result.measures["best_nash_conv"] == seen[best] == min(seen.values())


def test_the_best_policy_looked_at_is_kept_in_checkpoints_too():
    process = started(visits=True, eta=50.0, seed=4)
    seen = []
    for _ in range(6):
        process.run(1)
        seen.append(process.residual())
    best = int(np.argmin(seen))
    assert best < 5  # the last is not the best
    other = started(visits=True, eta=50.0)
    other.restore(process.state())
    for kept in (process, other):
        measures = kept.measures()
        assert (measures["best_nash_conv"], measures["best_iteration"]) == (seen[best], best + 1)
        assert score(COUPLED, kept.best_policy()).nash_conv == seen[best]


@pytest.mark.parametrize("name", ["published", "all options", "traces", "independent", "adopting"])
def test_how_many_looks_are_held_at_a_time_does_not_matter(name, monkeypatch):
    whole, pieces = started(**OPTIONS[name]), started(**OPTIONS[name])
    whole.run(3)
    monkeypatch.setattr(_agents, "CHUNK", 300)
    pieces.run(3)
    assert bits(pieces.state()) == bits(whole.state())


def test_rewards_above_their_bound_are_told_once(caplog):
    model = MeanFieldModel([[[1.0]]], lambda m, moment: 3.0 * m[..., None], [1.0], discount=0.5)
    process = started(model=model, reward_bound=2.0)
    assert "largest_reward" not in process.measures()
    process.run(1)
    process.run(1)
    assert process.measures()["largest_reward"] == 3.0
    (told,) = caplog.messages
    assert told.startswith("policy-mirror-ascent: a reward of 3 was met, above reward_bound=2")
    caplog.clear()
    started(model=model, reward_bound=3.0).run(1)
    assert not caplog.messages


@pytest.mark.parametrize("operator", [False, True])
def test_independent_agents_are_judged_by_what_is_played_where_they_are(operator):
    """Of one population by `MeanFieldModel.mix`; of several, by many agents who play the same policies."""
    rng = np.random.default_rng(5)
    alone = ring()
    policies = rng.dirichlet(np.full(3, 0.3), size=(4, 5))
    expected = alone.mix(0, policies, np.full(4, 0.25))
    found = played_together(alone, policies, np.zeros(4, dtype=np.int64))
    np.testing.assert_allclose(found[0], expected, atol=1e-9)
    assert np.abs(found[0] - policies.mean(axis=0)).max() > 0.05
    model, role = coupled(operator=operator), np.array([0, 0, 1, 1, 1])
    weight = rng.dirichlet(np.full(3, 0.5), size=(5, 4)) * model.legal + 1e-3 * model.legal
    own = weight / weight.sum(axis=-1, keepdims=True)
    played = played_together(model, own, role)
    copies = 12_000
    table = np.repeat(np.arange(5), [3 * copies // 2] * 2 + [copies] * 3)
    simulator = Simulator(model, 6 * copies, table)
    stream = random_stream(7)
    state, counts = simulator.begin(stream)
    chosen = simulator.choices(own, state, stream)
    simulator.watch(own, np.arange(1), 40, 1, state, chosen, counts, stream)
    total, done = np.zeros((2, 4)), np.zeros((2, 4, 3))
    for _ in range(20):
        seen = simulator.watch(own, np.arange(6 * copies), 1, 5, state, chosen, counts, stream).steps[0]
        np.add.at(total, (simulator.role, seen[:, 0]), 1.0)
        np.add.at(done, (simulator.role, seen[:, 0], seen[:, 1]), 1.0)
    np.testing.assert_allclose(done / total[..., None], played, atol=0.01)


def test_the_settings_that_the_page_names_learn_what_the_operator_finds_and_the_defaults_do_not():
    model = eqenvs.make("contraction_game").model()
    named = {"pooled": True, "visits": True, "floor": 0.1, "eta": 0.1, "samples": 2_000, "mixing": 1, "num_agents": 50}
    exact = OPERATOR.start(model, settings={"floor": 0.1, "eta": 0.1})
    exact.run(100)
    learner = LEARNER.start(model, seed=1, settings=named)
    learner.run(40)
    assert learner.residual() == pytest.approx(exact.residual(), abs=0.01)
    plain = LEARNER.start(model, seed=1)
    plain.run(10)
    assert plain.residual() > 5 * learner.residual()
