"""Bandit-feedback learners: against a full-width twin, exact expectations, the identities of the weights, and rates."""

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.rules import CHANCE, TERMINAL
from eqsolvers import Status, score
from eqsolvers.extensive_form import _bandit, adaptive_ftrl, balanced_ftrl, balanced_omd, ixomd
from eqsolvers.kernels import random_stream, uniform

KUHN, LEDUC = eqenvs.make("kuhn_poker"), eqenvs.make("leduc_poker")
GOOFSPIEL = eqenvs.make("goofspiel", num_cards=3)
METHODS = {module.SOLVER.id: module for module in (ixomd, balanced_omd, balanced_ftrl, adaptive_ftrl)}
STARK = {"horizon": 300, "eta_scale": 2.0, "gamma_scale": 0.5}  # policies far from uniform after 300 episodes
GAMES = pytest.mark.parametrize("game", [KUHN, LEDUC, GOOFSPIEL], ids=lambda game: game.spec.id)
EVERY = pytest.mark.parametrize("method", METHODS)


class Twin:
    """The long way: after every episode the exact leader on the whole treeplex, and the plain sum of all plans."""

    def __init__(self, model, regularisers, adaptive, seed):
        self.model, self.adaptive, self.stream = model, adaptive, random_stream(seed)
        self.regularisers = regularisers
        self.losses = (model.payoffs.max(axis=0) - model.payoffs) / np.ptp(model.payoffs, axis=0)
        self.weight = [r.weight.copy() for r in regularisers]
        self.action_weight = [r.action_weight.copy() for r in regularisers]
        self.estimates = [np.zeros(t.num_sequences) for t in model.treeplexes]
        self.policy = [np.concatenate([[1.0], r.start]) for r in regularisers]
        self.summed = [np.zeros(t.num_sequences) for t in model.treeplexes]

    def plan(self, player):
        treeplex, plan = self.model.treeplexes[player], np.ones(self.model.treeplexes[player].num_sequences)
        for q in range(1, len(plan)):
            plan[q] = plan[treeplex.parent_sequence[treeplex.sequence_infoset[q]]] * self.policy[player][q]
        return plan

    def draw(self, probabilities):
        left = uniform(self.stream)
        for k, probability in enumerate(probabilities[:-1]):
            if left < probability:
                return k
            left -= probability
        return len(probabilities) - 1

    def episode(self):
        model, history, taken = self.model, 0, ([], [])
        while (player := model.player[history]) != TERMINAL:
            children = np.flatnonzero(model.parent == history)
            if player == CHANCE:
                history = children[self.draw(model.chance[children])]
            else:
                infoset = model.infoset[history]
                first, count = (
                    a[infoset] for a in (model.treeplexes[player].first_sequence, model.treeplexes[player].num_actions)
                )
                k = self.draw(self.policy[player][first : first + count])
                taken[player].append(first + k)
                history = children[k]
        terminal = np.searchsorted(model.terminals, history)
        for p in range(2):
            plan = self.plan(p)
            self.summed[p] += plan
            self.learn(p, taken[p], plan, self.losses[terminal, p])

    def learn(self, p, taken, plan, loss):
        treeplex, gamma = self.model.treeplexes[p], self.regularisers[p].gamma
        for q in taken:
            inverse = 1 / (plan[q] + gamma / self.action_weight[p][q - 1])
            if q == taken[-1]:
                self.estimates[p][q] += loss * inverse
            if self.adaptive:
                infoset = treeplex.sequence_infoset[q]
                self.action_weight[p][q - 1] += inverse
                self.weight[p][infoset] += inverse / treeplex.num_actions[infoset]
        value = self.estimates[p].copy()  # of following the leader from each sequence on
        for infoset in range(treeplex.num_infosets - 1, -1, -1):
            at = slice(
                treeplex.first_sequence[infoset], treeplex.first_sequence[infoset] + treeplex.num_actions[infoset]
            )
            rate = self.regularisers[p].eta / self.weight[p][infoset]
            row = self.regularisers[p].start[at.start - 1 : at.stop - 1] * np.exp(-rate * value[at])
            self.policy[p][at] = row / row.sum()
            value[treeplex.parent_sequence[infoset]] -= np.log(row.sum()) / rate


def start(method, game, seed=0, **settings):
    return METHODS[method].SOLVER.start(game.model(), seed=seed, settings=settings)


def twin_of(method, game, seed, horizon, eta_scale, gamma_scale):
    made = [METHODS[method].regulariser(treeplex, horizon) for treeplex in game.model().treeplexes]
    scaled = [r._replace(eta=r.eta * eta_scale, gamma=r.gamma * gamma_scale) for r in made]
    return Twin(game.model(), scaled, method == "adaptive-ftrl", seed)


@EVERY
@pytest.mark.parametrize(
    ("game", "episodes"), [(KUHN, 300), (GOOFSPIEL, 100), (LEDUC, 20)], ids=["kuhn", "goofspiel", "leduc"]
)
def test_updates_along_the_path_give_the_leader_of_the_whole_treeplex_and_the_plain_average(method, game, episodes):
    learner, twin = start(method, game, seed=5, **STARK), twin_of(method, game, 5, **STARK)
    for _ in range(episodes):
        twin.episode()
    learner.run(episodes)
    np.testing.assert_array_equal(learner._stream, twin.stream)
    furthest = 0.0
    for player, plan in enumerate(learner.plans()):
        at = learner._sequences[player]
        np.testing.assert_allclose(learner._tables.policy[at], twin.policy[player][1:], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(plan, twin.summed[player] / episodes, rtol=1e-9, atol=1e-12)
        furthest = max(furthest, np.abs(twin.policy[player][1:] - twin.regularisers[player].start).max())
    assert furthest > 0.05  # the comparison was not between two uniform policies


@EVERY
def test_looking_at_the_average_leaves_no_trace(method):
    looked, blind = start(method, LEDUC, seed=1, **STARK), start(method, LEDUC, seed=1, **STARK)
    for _ in range(20):
        looked.run(50)
        looked.residual()
        looked.policy()
    blind.run(1000)
    for mine, theirs in zip(looked._tables, blind._tables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert (looked.residual(), looked.touched) == (blind.residual(), blind.touched)


@EVERY
def test_expected_estimate_is_the_loss_shrunk_by_implicit_exploration(method):
    """Exactly, over all plays of Kuhn: mu / (mu + gamma / w) times what the others and chance make the loss of (x, a).

    The kernel's estimate is read from what it does to the log-odds of the last decision of each play.
    """
    model, learner = KUHN.model(), start(method, KUHN, seed=2, **STARK)
    learner.run(200)
    layout, tables, offsets = learner._layout, learner._tables, [at.start - 1 for at in learner._sequences]
    kept = learner.state()
    log_policy, policy, weight, action_weight = (
        kept["tables"][name] for name in ("log_policy", "policy", "weight", "action_weight")
    )
    behaviour = [np.concatenate([[1.0], policy[at]]) for at in learner._sequences]
    plans = []
    for treeplex, row in zip(model.treeplexes, behaviour, strict=True):
        table = np.zeros(treeplex.states.masks.shape)
        table[treeplex.states.masks] = row[1:]
        plans.append(treeplex.realisation_plan(table))
    losses = _bandit.losses(model.payoffs)
    for player, treeplex in enumerate(model.treeplexes):
        found, expected = np.zeros(treeplex.num_sequences), np.zeros(treeplex.num_sequences)
        for z, sequences in enumerate(model.terminal_sequences):
            path, chain = _bandit.empty_path(2), [sequences[player]]
            while (above := treeplex.parent_sequence[treeplex.sequence_infoset[chain[0]]]) > 0:
                chain.insert(0, above)
            path.length[player] = len(chain)
            for step, q in enumerate(chain):
                path.infoset[player, step] = learner._infosets[player].start + treeplex.sequence_infoset[q]
                path.sequence[player, step] = q + offsets[player]
                path.plan[player, step] = plans[player][q]
            learner.restore(kept)
            _bandit.learn(layout, tables, path, player, losses[z, player], False)
            last = chain[-1]
            infoset = treeplex.sequence_infoset[last]
            other = 2 * treeplex.first_sequence[infoset] + 1 - last  # Kuhn has two actions everywhere
            mine, theirs = last + offsets[player], other + offsets[player]
            change = (tables.log_policy[mine] - tables.log_policy[theirs]) - (log_policy[mine] - log_policy[theirs])
            rate = layout.eta[player] / weight[learner._infosets[player].start + infoset]
            arrives = model.chance_reach[z] * plans[1 - player][sequences[1 - player]]
            found[last] += arrives * plans[player][last] * -change / rate
            gamma = layout.gamma[player] / action_weight[mine]
            expected[last] += arrives * losses[z, player] * plans[player][last] / (plans[player][last] + gamma)
        assert expected.max() > 0.05
        np.testing.assert_allclose(found, expected, atol=1e-12)


def random_plan(treeplex, rng, onward=None):
    """A random realisation plan; with `onward` [Q] bool, on those actions only wherever there are such."""
    table = rng.dirichlet(np.ones(treeplex.states.masks.shape[1]), treeplex.num_infosets) * treeplex.states.masks
    if onward is not None:
        allowed = np.zeros_like(table)
        allowed[treeplex.states.masks] = onward[1:]
        table = np.where(allowed.any(axis=1, keepdims=True), table * allowed, table)
    return treeplex.realisation_plan(table / table.sum(axis=1, keepdims=True))


@GAMES
def test_balanced_plans_spread_over_every_depth(game):
    """Bai et al. (2022): sum over depth h of mu / mu* is the number of information sets there (times their actions)."""
    rng = np.random.default_rng(0)
    for treeplex in game.model().treeplexes:
        balanced = balanced_omd.balanced_plan(treeplex)
        assert ((balanced > 0) & (balanced <= 1)).all()
        own_depth = np.zeros(treeplex.num_infosets, dtype=int)
        for infoset, parent in enumerate(treeplex.parent_sequence):
            own_depth[infoset] = own_depth[treeplex.sequence_infoset[parent]] + 1 if parent else 0
        ratio = 1 / (balanced * treeplex.num_actions)[treeplex.sequence_infoset[1:]]
        for depth in range(own_depth.max() + 1):
            here, number = own_depth[treeplex.sequence_infoset[1:]] == depth, int((own_depth == depth).sum())
            onward = np.zeros(treeplex.num_sequences, dtype=bool)  # leads to this depth
            for infoset in np.flatnonzero(own_depth == depth):
                q = treeplex.parent_sequence[infoset]
                while q:
                    onward[q] = True
                    q = treeplex.parent_sequence[treeplex.sequence_infoset[q]]
            for _ in range(3):
                assert random_plan(treeplex, rng)[1:][here] @ ratio[here] <= number + 1e-9
                plan = random_plan(treeplex, rng, onward)
                assert plan[1:][here] @ ratio[here] == pytest.approx(number, abs=1e-9)


@GAMES
def test_balanced_transitions_weigh_every_transition_alike(game):
    """Fiegel et al. (2023): sum of A(x) p(x) / p*(x) is at most the number of actions, whatever the others do."""
    rng, model = np.random.default_rng(1), game.model()
    for player, treeplex in enumerate(model.treeplexes):
        balanced = balanced_ftrl.balanced_transitions(treeplex)
        children = np.bincount(treeplex.parent_sequence, minlength=treeplex.num_sequences)
        arrives = np.concatenate([[1.0], balanced[treeplex.sequence_infoset[1:]]])
        onward = np.bincount(treeplex.parent_sequence, weights=balanced, minlength=treeplex.num_sequences)
        np.testing.assert_allclose(onward[children > 0], arrives[children > 0], rtol=1e-12)  # they are transitions
        # Transitions that never end the play before they must: any at all reach the bound.
        draws = rng.exponential(size=treeplex.num_infosets)
        draws /= np.bincount(treeplex.parent_sequence, weights=draws, minlength=treeplex.num_sequences)[
            treeplex.parent_sequence
        ]
        reach = np.zeros(treeplex.num_infosets)
        for infoset, parent in enumerate(treeplex.parent_sequence):
            above = reach[treeplex.sequence_infoset[parent]] if parent else 1.0
            reach[infoset] = above * draws[infoset]
        assert (treeplex.num_actions * reach / balanced).sum() == pytest.approx(treeplex.num_sequences - 1, rel=1e-12)
        # Those that chance and an opponent make: per information set, the sum over its histories.
        plan = random_plan(model.treeplexes[1 - player], rng)
        real = others_reach(model, player, plan)
        assert (treeplex.num_actions * real / balanced).sum() <= treeplex.num_sequences - 1 + 1e-9


def others_reach(model, player, plan):
    """The probability that chance and the other player let `player` through to each of its information sets."""
    other, sequences = 1 - player, model.treeplexes[1 - player].first_sequence
    reach, found = np.ones(len(model.parent)), np.zeros(model.treeplexes[player].num_infosets)
    last = np.zeros(len(model.parent), dtype=int)  # the other's sequence
    first_child = {}
    for history in range(1, len(model.parent)):
        above = model.parent[history]
        first_child.setdefault(above, history)
        last[history] = last[above]
        reach[history] = reach[above] * model.chance[history]
        if model.player[above] == other:
            last[history] = sequences[model.infoset[above]] + history - first_child[above]
    for history in np.flatnonzero(model.player == player):
        found[model.infoset[history]] += reach[history] * plan[last[history]]
    return found


@EVERY
def test_exploitability_falls_with_the_horizon(method):
    """The bounds are C sqrt(log T / T); the fitted slope over 1e4 .. 1e6 was -.45 to -.48 (mean of ten seeds)."""
    horizons, gaps = [10_000, 100_000, 1_000_000], []
    for horizon in horizons:
        found = []
        for seed in range(3):
            learner = start(method, KUHN, seed=seed, horizon=horizon)
            learner.run(horizon)
            found.append(learner.residual() / 2)
        gaps.append(np.mean(found))
    assert np.polyfit(np.log(horizons), np.log(gaps), 1)[0] < -0.35
    assert gaps[-1] < 0.015


@EVERY
def test_registered_solver_finds_the_value_of_the_game(method):
    """At the defaults, to what sampled play can reach in a second: NashConv 2e-3 would take some 5e7 episodes."""
    result = METHODS[method].SOLVER.solve(KUHN.model(), tolerance=0.02, seed=0)
    assert result.status is Status.CONVERGED
    assert result.iterations <= 2_000_000
    found = score(KUHN, result.policy)
    assert found.nash_conv == pytest.approx(result.residual, abs=1e-12)
    np.testing.assert_allclose(found.values, [-1 / 18, 1 / 18], atol=0.02)  # the value lies within the sum of the gains


@EVERY
def test_same_seed_same_bits_however_the_episodes_are_cut(method):
    whole, pieces, other = (start(method, LEDUC, seed=seed, **STARK) for seed in (4, 4, 5))
    whole.run(300)
    other.run(300)
    for more in (1, 99, 200):
        pieces.run(more)
    for mine, theirs in zip(whole._tables, pieces._tables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert (whole.residual(), whole.touched) == (pieces.residual(), pieces.touched)
    assert whole.residual() != other.residual()


def test_touched_counts_the_histories_of_every_play():
    learner = start("ixomd", KUHN, seed=0)
    learner.run(1000)
    assert 1000 * 5 <= learner.touched <= 1000 * 6  # two cards, then two or three moves, the root counted


def test_losses_lie_between_each_player_s_best_and_worst_payoff():
    payoffs = np.array([[3.0, 0.0], [-1.0, 4.0], [1.0, 2.0]])
    np.testing.assert_allclose(_bandit.losses(payoffs), [[0, 1], [1, 0], [0.5, 0.5]])
    np.testing.assert_array_equal(_bandit.losses(np.ones((2, 2))), np.zeros((2, 2)))


@EVERY
def test_other_games_and_settings_are_refused(method):
    with pytest.raises(UnsupportedGame, match=method):
        start(method, eqenvs.make("kuhn_poker", num_players=3))
    with pytest.raises(InputError, match="horizon"):
        start(method, KUHN, horizon=0)
    with pytest.raises(InputError, match="gamma_scale"):
        start(method, KUHN, gamma_scale=-1.0)
