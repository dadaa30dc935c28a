"""V-learning: its bandits, its certified policy by the definition, the rate of its gap."""

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import joint_play
from eqenvs.errors import GameTooLargeError, UnsupportedGame
from eqenvs.models import MarkovModel
from eqsolvers import score
from eqsolvers.markov.learning import v_learning
from eqsolvers.normal_form.learning._stationary import stationary
from eqsolvers.normal_form.lp import solve as solve_lp

SOLVER = v_learning.SOLVER
GENERAL = eqenvs.make("random_markov_game", num_states=3, num_actions=2, horizon=4, discount=1.0, seed=1).model()
ZERO_SUM = eqenvs.make(
    "random_markov_game", num_states=3, num_actions=3, horizon=3, discount=0.9, zero_sum=True, seed=2
).model()
THREE = eqenvs.make(
    "random_markov_game", num_players=3, num_states=2, num_actions=2, horizon=2, discount=1.0, seed=3
).model()


def ending(seed: int = 0, horizon: int = 3) -> MarkovModel:
    """Two states of 2x3 actions, some illegal; the game may end; two states to begin in."""
    rng = np.random.default_rng(seed)
    transition = rng.dirichlet(np.ones(3), size=(2, 2, 3))
    legal = (np.array([[1, 1], [1, 0]], bool), np.array([[1, 0, 1], [1, 1, 1]], bool))
    reward = rng.normal(size=(2, 2, 2, 3))
    return MarkovModel(transition, reward, [0.3, 0.7], discount=0.8, horizon=horizon, legal=legal)


MODELS = {"general": GENERAL, "zero-sum": ZERO_SUM, "three": THREE, "ending": ending()}


class History:
    """A run with what was played at every visit, for the certified policy by its definition."""

    def __init__(self, model, concept, episodes, seed=0):
        self.model, self.horizon, self.states = model, model.horizon, model.num_states
        self.process = SOLVER.start(model, seed=seed, concept=concept)
        self.counts = []  # [episodes][I], visits before the episode
        self.of_visit = [[] for _ in range(self.horizon * self.states)]  # episode of each
        self.play = []  # [episodes], joint play at the points visited
        for episode in range(episodes):
            before = self.process.state()["tables"]
            self.process.run(1)
            after = self.process.state()["tables"]
            self.counts.append(before["visits"][0])
            self.play.append(before["strategy"][0])
            for point in np.flatnonzero(after["visits"][0] > before["visits"][0]):
                self.of_visit[point].append(episode)
        self.known = {}

    def mixture(self, episode, point):
        """The probability of each earlier episode, None standing for uniform play to the end."""
        n = 0 if episode is None else int(self.counts[episode][point])
        if n == 0:
            return [(None, 1.0)]
        rates = [(self.horizon + 1) / (self.horizon + i) for i in range(1, n + 1)]
        weights = [rate * np.prod([1 - later for later in rates[i + 1 :]]) for i, rate in enumerate(rates)]
        return list(zip(self.of_visit[point][:n], weights, strict=True))

    def strategies(self, episode, point):
        masks = [states.masks for states in self.model.information_states]
        if episode is None:
            return [mask[point] / mask[point].sum() for mask in masks]
        return [self.play[episode][p, point, : mask.shape[1]] for p, mask in enumerate(masks)]

    def joint(self, episode, point):
        made = np.ones(())
        for own in self.strategies(episode, point):
            made = np.multiply.outer(made, own)
        return made

    def after(self, step, state, joint):
        """Successor points and their discounted probabilities."""
        model = self.model
        row = int(np.ravel_multi_index((state, *joint), model.reward.shape[1:]))
        begin, end = model.successors.start[row : row + 2]
        found = []
        for target, chance in zip(
            model.successors.state[begin:end], model.successors.probability[begin:end], strict=True
        ):
            if step + 1 < self.horizon and target < self.states:
                found.append((int(target), float(chance) * model.discount))
        return found

    def value(self, kind, player, episode, step, state):
        """W (own), or the best deviation's worth (committed, told), by the definition."""
        key = kind, player, episode, step, state
        if key not in self.known:
            self.known[key] = self._value(*key)
        return self.known[key]

    def table(self, kind, player, episode, step, state):
        """[heard, played] what own actions collect, over the visit drawn; `heard` summed over unless told."""
        point, own = step * self.states + state, self.model.num_actions[player]
        worth = np.zeros((own, own))
        for number, weight in self.mixture(episode, point):
            play = self.joint(number, point)
            for joint in np.argwhere(self.model.joint_legal[state]):
                collected = self.model.reward[(player, state, *joint)] + sum(
                    chance * self.value(kind, player, number, step + 1, target)
                    for target, chance in self.after(step, state, joint)
                )
                for heard in range(own):
                    drawn = joint.copy()
                    drawn[player] = heard
                    worth[heard, joint[player]] += weight * play[tuple(drawn)] * collected
        return worth

    def _value(self, kind, player, episode, step, state):
        worth = self.table(kind, player, episode, step, state)
        return self.best(kind, player, state, worth)

    def best(self, kind, player, state, worth):
        legal = self.model.legal[player][state]
        if kind == "own":
            return float(np.trace(worth))
        if kind == "committed":
            return float(np.where(legal, worth.sum(axis=0), -np.inf).max())
        return float(np.where(legal, worth, -np.inf).max(axis=1)[legal].sum())

    def gap(self, kind):
        total, values = 0.0, []
        for player in range(self.model.num_players):
            sides = {}
            for each in ("own", kind):
                sides[each] = 0.0
                for state in np.flatnonzero(self.model.initial):
                    tables = [self.table(each, player, k, 0, state) for k in range(len(self.counts))]
                    sides[each] += self.model.initial[state] * self.best(each, player, state, np.mean(tables, axis=0))
            values.append(sides["own"])
            total += max(0.0, sides[kind] - sides["own"])
        return total, values


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_certified_policy_is_that_of_the_definition(name, concept):
    history = History(MODELS[name], concept, 25)
    found = history.process.certified()
    gap, values = history.gap("committed")
    assert found["certified_cce_gap"] == pytest.approx(gap, abs=1e-10)
    assert [found[f"certified_value_{p}"] for p in range(len(values))] == pytest.approx(values, abs=1e-10)
    if concept == "ce":
        told, _ = history.gap("told")
        assert found["certified_ce_gap"] == pytest.approx(told, abs=1e-10)
        assert told >= gap - 1e-12


@pytest.mark.parametrize("name", MODELS)
def test_policy_is_the_mixture_of_what_was_played(name):
    history = History(MODELS[name], "cce", 12)
    history.counts.append(history.process.state()["tables"]["visits"][0])
    played = history.process.policy().distributions
    for point in range(len(played)):
        expected = sum(weight * history.joint(k, point) for k, weight in history.mixture(12, point))
        np.testing.assert_allclose(played[point], expected, atol=1e-12)


def test_certified_gap_is_no_less_than_that_of_deviations_with_memory():
    """Two steps: a deviator that has seen states and all actions, and has to infer the numbers drawn."""
    for seed in range(4):
        model = ending(seed, horizon=2)
        history = History(model, "cce", 15, seed)
        truth = 0.0
        for player in range(2):
            value = history.gap("committed")[1][player]
            best = sum(model.initial[s] * best_with_memory(history, player, s) for s in range(2))
            assert best >= value - 1e-12
            truth += max(0.0, best - value)
        assert history.process.certified()["certified_cce_gap"] >= truth - 1e-12
        assert truth > 0.0


def best_with_memory(history, player, state):
    model, episodes = history.model, len(history.counts)
    drawn = {}
    for k in range(episodes):
        for number, weight in history.mixture(k, state):
            drawn[number] = drawn.get(number, 0.0) + weight / episodes
    best = -np.inf
    for own in np.flatnonzero(model.legal[player][state]):
        total = 0.0
        for other in np.flatnonzero(model.legal[1 - player][state]):
            joint = (own, other) if player == 0 else (other, own)
            evidence = {k: w * history.strategies(k, state)[1 - player][other] for k, w in drawn.items()}
            total += sum(evidence.values()) * model.reward[(player, state, *joint)]
            for target, chance in history.after(0, state, joint):
                worth = sum(w * history.table("own", player, k, 1, target).sum(axis=0) for k, w in evidence.items())
                total += chance * np.where(model.legal[player][target], worth, -np.inf).max()
        best = max(best, total)
    return best


def weights(horizon, n):
    """w_i of the weighted regret, up to a factor: a_n^i."""
    rates = [(horizon + 1) / (horizon + i) for i in range(1, n + 1)]
    return np.array([rate * np.prod([1 - later for later in rates[i + 1 :]]) for i, rate in enumerate(rates)])


@pytest.mark.parametrize("swap", [False, True])
def test_bandit_follows_the_weighted_leader(swap):
    rng, horizon, actions, rounds = np.random.default_rng(0), 5, 3, 40
    rule = v_learning.Rule(0.7, 0.5, np.ones(1), np.ones((1, 5)), np.ones((1, 5)), swap, False, False)
    loss = np.zeros((actions if swap else 1, actions))
    played = np.full(actions, 1 / actions)
    estimates = []
    for n in range(1, rounds + 1):
        taken, cost = int(rng.integers(actions)), float(rng.random())
        rate = np.sqrt(horizon * np.log(actions) / (n if swap else actions * n))
        share = played if swap else np.ones(1)
        estimates.append(share[:, None] * np.eye(actions)[taken] * cost / (played[taken] + 0.5 * rate))
        v_learning.learn(rule, loss, played, played, np.arange(actions), actions, horizon, n, taken, cost)
        weighed = weights(horizon, n)
        summed = np.einsum("i,iba->ba", weighed / weighed[-1], np.array(estimates))
        leader = np.exp(-0.7 * rate * (summed - summed.min(axis=1, keepdims=True)))
        leader /= leader.sum(axis=1, keepdims=True)
        expected = stationary(leader[None])[0] if swap else leader[0]
        np.testing.assert_allclose(played, expected, atol=1e-10)
        if swap:
            np.testing.assert_allclose(played @ leader, played, atol=1e-10)


def test_weighted_regret_of_the_bandit_vanishes_against_an_adversary():
    """A fixed sequence with a best action that changes half way; the weights favour what is recent."""
    rng, horizon, rounds = np.random.default_rng(1), 4, 20_000
    for swap in (False, True):
        rule = v_learning.Rule(1.0, 0.1, np.ones(1), np.ones((1, 4)), np.ones((1, 4)), swap, False, False)
        loss, played = np.zeros((2 if swap else 1, 2)), np.full(2, 0.5)
        regret = np.zeros((2, 2))  # weighed: what each action would have saved where another was played
        for n in range(1, rounds + 1):
            costs = np.array([0.3, 0.6]) if n < rounds // 2 else np.array([0.8, 0.4])
            rate = (horizon + 1) / (horizon + n)
            regret = (1 - rate) * regret + rate * played[:, None] * (costs[:, None] - costs[None])
            taken = int(rng.random() < played[1])
            v_learning.learn(rule, loss, played, played, np.arange(2), 2, horizon, n, taken, float(costs[taken]))
        found = regret.max(axis=1).sum() if swap else regret.sum(axis=0).max()
        assert found < 6 * np.sqrt(horizon * 2 / rounds)


@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_certified_gap_falls_as_one_over_the_root_of_the_episodes(concept):
    process = SOLVER.start(GENERAL, seed=(0, 1), concept=concept)
    gaps, episodes = [], [2_000, 6_000, 20_000, 60_000, 120_000]
    for count in episodes:
        process.run(count - process.iteration)
        gaps.append(np.mean([process.certified(run)[f"certified_{concept}_gap"] for run in range(2)]))
    slope = np.polyfit(np.log(episodes), np.log(gaps), 1)[0]
    assert slope < -0.45
    assert process.residuals().max() < 0.06


def backward_induction(model):
    later = np.zeros(model.num_states)
    for _ in range(model.horizon):
        stage = model.reward[0] + model.discount * model.transition @ later
        later = np.array([score_of(payoff) for payoff in stage])
    return float(model.initial @ later)


def score_of(payoff):
    from eqenvs.models import NormalFormModel

    model = NormalFormModel([payoff, -payoff])
    return score(model, solve_lp(model).policy).values[0]


def test_zero_sum_value_is_within_the_certified_gap():
    value = backward_induction(ZERO_SUM)
    process = SOLVER.start(ZERO_SUM, seed=5)
    for episodes in (100, 2_000, 100_000):
        process.run(episodes - process.iteration)
        found = process.certified()
        assert abs(found["certified_value_0"] - value) <= found["certified_cce_gap"] + 1e-9
    assert abs(found["certified_value_0"] - value) < 0.05
    assert score(ZERO_SUM, process.policy().marginals()).nash_conv < 0.1


@pytest.mark.parametrize("monotone", [False, True])
def test_values_stay_within_what_can_be_had(monotone):
    model = ending()
    process = SOLVER.start(model, seed=1, settings={"monotone": monotone, "bonus_scale": 1.0})
    highest, least = v_learning.bounds(model)
    before = process.state()["tables"]["value"]
    for _ in range(30):
        process.run(3)
        value = process.state()["tables"]["value"]
        assert (value[0] <= np.repeat(highest, 2, axis=1) + 1e-12).all()
        assert (value[0] >= np.repeat(least, 2, axis=1) - 1e-12).all()
        grown = (value > before + 1e-12).any()
        assert not (monotone and grown)
        before = value


def test_certifying_changes_nothing_but_itself():
    plain = SOLVER.start(GENERAL, seed=4, settings={"certify": False}, concept="ce")
    full = SOLVER.start(GENERAL, seed=4, concept="ce")
    plain.run(500)
    full.run(500)
    np.testing.assert_array_equal(plain.policy().distributions, full.policy().distributions)
    assert "certified_ce_gap" in full.measures()
    assert set(plain.measures()) == {"nash_conv_of_marginals"}


def test_games_without_a_horizon_are_refused():
    with pytest.raises(UnsupportedGame, match=r"^v-learning: needs a game with a horizon"):
        SOLVER.start(eqenvs.make("random_markov_game").model())


def one_shot(players, actions):
    shape = (actions,) * players
    payoffs = np.random.default_rng(0).random((players, 1, *shape))
    return MarkovModel(np.ones((1, *shape, 1)), payoffs, [1.0], horizon=1)


@pytest.mark.parametrize(
    ("players", "actions", "certify", "message"),
    [
        (
            8,
            3,
            True,
            r"6,561 joint actions .* 5,000 with certify=true .*; certify=false takes up to 200,000",
        ),
        (18, 2, True, "262,144 joint actions at a state, .*; use fewer players or actions"),
        (18, 2, False, "262,144 joint actions at a state, .* and 200,000 without; use fewer players or actions"),
    ],
)
def test_games_of_too_many_joint_actions_are_refused_at_once(players, actions, certify, message):
    with pytest.raises(GameTooLargeError, match=message) as caught:
        SOLVER.start(one_shot(players, actions), settings={"certify": certify})
    assert "\n" not in str(caught.value)


def test_without_the_certificate_many_players_learn_and_policy_is_what_they_played():
    model = one_shot(8, 3)
    process = SOLVER.start(model, seed=0, settings={"certify": False})
    played = []
    for _ in range(3):
        played.append(process.state()["tables"]["strategy"][0, :, 0])
        process.run(1)
    # With one step the weights of visits 1, 2, 3 are 1/6, 1/3, 1/2.
    expected = sum(
        weight * joint_play([own[None] for own in strategies])
        for weight, strategies in zip((1 / 6, 1 / 3, 1 / 2), played, strict=True)
    )
    np.testing.assert_allclose(process.policy().distributions, expected, rtol=0, atol=1e-15)
