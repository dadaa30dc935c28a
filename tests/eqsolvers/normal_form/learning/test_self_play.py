"""Self-play: oracles and tallies against plain sums, feedback, concepts, convergence, guards, checkpoints."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from eqenvs.arrays import joint_play
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models import NormalFormModel
from eqenvs.policies import CorrelatedStrategy, TabularPolicy
from eqsolvers.normal_form.learning import _play, _simplex, exp3, ftrl, hedge, ogda, play, together, tsallis_inf
from eqsolvers.normal_form.learning._oracles import Tensors
from eqsolvers.normal_form.learning._play import SelfPlay
from eqsolvers.normal_form.learning._self_play import SelfPlayProcess
from eqsolvers.scoring import score

MATRIX = np.array([[3.0, -1, 4], [-2, 2, 5]])  # by hand: rows (1/2, 1/2), columns (3/8, 5/8, 0), value 1/2
ZERO_SUM = NormalFormModel([MATRIX, -MATRIX])
PENNIES = NormalFormModel([[[2, -1], [-1, 1]], [[-2, 1], [1, -1]]])  # uneven: by hand, 2/5 on the first for both
THREE = NormalFormModel(np.random.default_rng(11).normal(size=(3, 2, 3, 4)))


def strategies(batch: int, num_actions: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.ones(actions), size=batch) for actions in num_actions]


@pytest.mark.parametrize("shape", [(2, 3), (3, 1), (2, 3, 4), (2, 2, 3, 2), (5,)])
def test_gradients_are_the_models_on_payoffs_scaled_to_one(shape: tuple[int, ...]) -> None:
    payoffs = np.random.default_rng(0).normal(size=(3, len(shape), *shape)) * 10
    games, own = Tensors(payoffs), strategies(3, shape)
    actions = [np.random.default_rng(1).integers(size, size=3) for size in shape]
    for b, p in itertools.product(range(3), range(len(shape))):
        low, high = payoffs[b, p].min(), payoffs[b, p].max()
        assert games.span[b, p] == high - low
        found = games.gradient(p, own)[b]
        expected = NormalFormModel(payoffs[b]).gradient(p, [table[b] for table in own])
        np.testing.assert_allclose(low + (high - low) * found, expected, atol=1e-12)
        drawn = payoffs[(b, p, *(action[b] for action in actions))]
        assert low + (high - low) * games.collected(actions)[p][b] == pytest.approx(drawn, abs=1e-12)


def test_player_without_a_stake_has_payoff_zero() -> None:
    games = Tensors(np.stack([np.full((2, 3), 7.0), np.arange(6.0).reshape(2, 3)])[None])
    assert games.gradient(0, strategies(1, (2, 3))).tolist() == [[0.0, 0.0]]
    assert games.span.tolist() == [[1.0, 5.0]]


def test_tallies_are_plain_sums_over_the_rounds() -> None:
    payoffs = np.random.default_rng(3).random((1, 3, 2, 3, 4))
    dynamics = together([hedge.learner(), ftrl.learner(regulariser="euclidean"), ogda.learner(eta=0.3)])
    game = SelfPlay(payoffs, dynamics, gamma=2.0)
    seen = []
    for _ in range(30):
        seen.append([own[0] for own in game.last()])
        game.run(1)
    product = np.mean([np.einsum("a,b,c->abc", *own) for own in seen], axis=0)
    np.testing.assert_allclose(game.play()[0], product, atol=1e-13)
    scaled = Tensors(payoffs)
    for p in range(3):
        weights = np.arange(1.0, 31) ** 2
        np.testing.assert_allclose(
            game.average()[p][0], np.average([own[p] for own in seen], axis=0, weights=weights), atol=1e-13
        )
        collected = np.array([scaled.gradient(p, [x[None] for x in own])[0] for own in seen])
        played = np.array([own[p] for own in seen])
        regret = (collected.sum(axis=0) - (played * collected).sum()).max() / 30
        assert game.regret()[0, p] == pytest.approx(regret, abs=1e-13)
        swaps = itertools.product(range(played.shape[1]), repeat=played.shape[1])
        swap = max(sum(played[:, a] @ (collected[:, b] - collected[:, a]) for a, b in enumerate(to)) for to in swaps)
        assert game.swap_regret()[0, p] == pytest.approx(swap / 30, abs=1e-13)


@pytest.mark.parametrize("feedback", ["full", "semi-bandit", "bandit"])
def test_regrets_are_the_gaps_of_the_play_average(feedback: str) -> None:
    dynamics = together([hedge.learner()] * 3, feedback=feedback)
    for concept in ("ce", "cce"):
        process = SelfPlayProcess(THREE, dynamics, seed=4, concept=concept)
        process.run(50)
        policy, measures = process.policy(), process.measures()
        assert isinstance(policy, CorrelatedStrategy)
        found = score(THREE, policy)
        assert measures["cce_gap"] == pytest.approx(found.cce_gap, abs=1e-12)
        assert measures["ce_gap"] == pytest.approx(found.ce_gap, abs=1e-12)
        assert process.residual() == {"ce": found.ce_gap, "cce": found.cce_gap}[concept]


def test_games_of_a_batch_do_not_touch_each_other() -> None:
    payoffs = np.random.default_rng(5).random((3, 3, 2, 3, 4))
    for feedback in ("full", "semi-bandit", "bandit"):
        whole = play(payoffs, hedge.learner(), 300, feedback=feedback, seeds=20, keep_play=True)
        for b in range(3):
            alone = play(payoffs[b : b + 1], hedge.learner(), 300, feedback=feedback, seeds=[20 + b], keep_play=True)
            np.testing.assert_allclose(whole.play()[b], alone.play()[0], atol=1e-12)
            np.testing.assert_allclose(whole.regret()[b], alone.regret()[0], atol=1e-12)


def test_a_thousand_games_advance_in_one_call() -> None:
    """Sums of two players' average regrets bound the NashConv of the averages, in every game."""
    matrices = np.random.default_rng(6).random((1000, 3, 5))
    games = np.stack([matrices, 1 - matrices], axis=1)
    found = play(games, hedge.learner(horizon=200), 200)
    span = found.span
    rows, columns = found.average()
    gap = (matrices @ columns[:, :, None]).max(axis=(1, 2)) - (rows[:, None, :] @ matrices).min(axis=(1, 2))
    np.testing.assert_allclose(gap, (found.regret() * span).sum(axis=1), atol=1e-12)
    bounds = np.array([hedge.learner(horizon=200).bound(200, actions) for actions in (3, 5)])
    assert (found.regret() <= bounds).all()


@pytest.mark.parametrize("model", [PENNIES, ZERO_SUM], ids=["pennies", "2x3"])
@pytest.mark.parametrize(
    ("dynamics", "last", "iterations", "tolerance"),
    [
        # Tolerances: the sum of the two players' bounds, in payoffs that range over 7; linear convergence for the last.
        (together([hedge.learner(horizon=2000)] * 2), False, 2000, 7 * 2 * 0.0166),
        (together([hedge.learner(eta=0.5, optimistic=True)] * 2), False, 2000, 7 * 4 * 1.1 / 2000),
        (together([ftrl.learner(regulariser="euclidean")] * 2, alternating=True), False, 2000, 7 * 2 * 0.025),
        (together([ogda.learner(eta=0.25)] * 2), True, 3000, 1e-9),
    ],
    ids=["hedge", "optimistic", "alternating", "ogda"],
)
def test_self_play_solves_zero_sum_games(model, dynamics, last, iterations, tolerance) -> None:
    process = SelfPlayProcess(model, dynamics, last=last)
    process.run(iterations)
    assert process.residual() <= tolerance
    policy = process.policy()
    assert isinstance(policy, TabularPolicy)
    if last:
        expected = ([[2 / 5, 3 / 5]],) * 2 if model is PENNIES else ([[0.5, 0.5]], [[3 / 8, 5 / 8, 0]])
        for mine, right in zip(policy.tables, expected, strict=True):
            np.testing.assert_allclose(mine, right, atol=1e-8)


@pytest.mark.parametrize("feedback", ["full", "semi-bandit", "bandit"])
def test_play_of_three_players_nears_coarse_correlated_equilibrium(feedback: str) -> None:
    """On average over 16 seeds; with full information within the sum of the bounds."""
    learner = tsallis_inf.learner() if feedback == "bandit" else hedge.learner()
    game = play([THREE.payoffs] * 16, learner, 100, feedback=feedback, keep_play=True)
    gaps = []
    for _ in range(2):
        gaps.append(np.mean([score(THREE, CorrelatedStrategy(THREE, average)).cce_gap for average in game.play()]))
        game.run(3900)
    assert gaps[1] <= 0.5 * gaps[0]
    if feedback == "full":
        assert gaps[1] <= game.span[0] @ [learner.bound(4000, actions) for actions in THREE.num_actions]


def test_sum_of_optimistic_regrets_stays_below_a_constant() -> None:
    """N ln(A) / eta for eta = 1 / (2 (N - 1)): Syrgkanis et al. (2015); plain Hedge with the same rate passes it."""
    games = np.random.default_rng(8).random((20, 3, 3, 3, 3))
    bound = 3 * np.log(3) / 0.25
    game = play(games, hedge.learner(eta=0.25, optimistic=True), 200)
    for _ in range(4):
        assert (game.regret().sum(axis=1) * game.rounds).max() <= bound
        game.run(400)


def test_empirical_play_counts_the_actions_drawn() -> None:
    dynamics = together([exp3.learner()] * 2, feedback="bandit")
    game = SelfPlay(ZERO_SUM.payoffs[None], dynamics, seeds=(3,), empirical=True)
    game.run(64)
    counts = game.play()[0] * 64
    np.testing.assert_allclose(counts, counts.round(), atol=1e-12)
    assert counts.sum() == pytest.approx(64)
    with pytest.raises(InputError, match="needs feedback"):
        SelfPlay(ZERO_SUM.payoffs[None], together([hedge.learner()] * 2), empirical=True)


def test_seeds_decide_what_is_drawn() -> None:
    a, b, c = (
        play(ZERO_SUM.payoffs[None], exp3.learner(), 100, feedback="bandit", seeds=seed).average() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(a[0], b[0])
    assert (a[0] != c[0]).any()


def test_players_in_turn_face_the_newest_strategies() -> None:
    """By hand on pennies, Hedge eta 1 from a start made uneven: the second sees the first's update at once."""
    dynamics = together([hedge.learner(eta=1.0)] * 2, alternating=True)
    state = dynamics.init(1, (2, 2))
    uneven = tuple(own._replace(total=np.array([[0.0, gap]])) for own, gap in zip(state, (-1.0, -2.0), strict=True))
    games = Tensors([[[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]]])
    after = dynamics.step(uneven, games, None)
    assert (after.played[0] != hedge.learner(eta=1.0).strategy(after.state[0])).all()
    x = hedge.learner(eta=1.0).strategy(after.state[0])
    np.testing.assert_allclose(after.gradients[1], [[x[0, 1], x[0, 0]]], atol=1e-15)


def test_joint_is_the_outer_product() -> None:
    own = strategies(2, (2, 3, 4))
    np.testing.assert_allclose(joint_play(own), np.einsum("na,nb,nc->nabc", *own), atol=1e-16)


def test_state_goes_round_and_is_a_copy() -> None:
    dynamics = together([hedge.learner()] * 3, feedback="semi-bandit")
    whole, part, other = (SelfPlay(THREE.payoffs[None], dynamics, seeds=(seed,)) for seed in (7, 7, 8))
    whole.run(600)
    part.run(250)
    stored = part.state()
    part.run(20)
    other.restore(stored)
    other.run(350)
    np.testing.assert_array_equal(other.play(), whole.play())
    for mine, theirs in zip(other.average(), whole.average(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("hedge on pennies", r"state\['learners'\]\[1\]\['total'\] is an array of shape \(1, 2\), not .* \(1, 3\)"),
        ("ogda on 2x3", r"\['learners'\]\[0\] is a mapping of centre, last, not a mapping of last, t, total"),
        ("cce on 2x3", r"\['play'\] is an array of shape \(1, 2, 3\), not nothing"),
        ("hedge of three", r"\['learners'\] is 3 parts, not 2 parts"),
    ],
)
def test_states_of_other_games_and_settings_are_refused_in_one_line(other: str, message: str) -> None:
    two = together([hedge.learner()] * 2)
    stored = {
        "hedge on pennies": lambda: SelfPlayProcess(PENNIES, two),
        "ogda on 2x3": lambda: SelfPlayProcess(ZERO_SUM, together([ogda.learner()] * 2)),
        "cce on 2x3": lambda: SelfPlayProcess(ZERO_SUM, two, concept="cce"),
        "hedge of three": lambda: SelfPlayProcess(THREE, together([hedge.learner()] * 3)),
    }[other]()
    process = SelfPlayProcess(ZERO_SUM, two)
    process.run(3)
    before = process.policy()
    with pytest.raises(InputError, match=message) as refused:
        process.restore(stored.state())
    assert "\n" not in str(refused.value)
    assert process.iteration == 3
    for mine, theirs in zip(process.policy().tables, before.tables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_looking_at_the_sums_changes_no_bit_of_what_follows() -> None:
    games = (SelfPlay(THREE.payoffs[None], together([hedge.learner()] * 3), gamma=1.0) for _ in range(2))
    looked, left = games
    for _ in range(20):
        looked.run(7)
        looked.regret(), looked.average(), looked.play()
    left.run(140)
    np.testing.assert_array_equal(looked.play(), left.play())
    np.testing.assert_array_equal(looked.swap_regret(), left.swap_regret())
    for mine, theirs in zip(looked.average(), left.average(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("method", [hedge.SOLVER, exp3.SOLVER, ogda.SOLVER], ids=lambda spec: spec.id)
def test_solvers_compile_before_their_clock_starts(method) -> None:
    """After `compile` a run makes no new machine code."""
    method.compile(ZERO_SUM)
    compiled = [each for each in vars(_simplex).values() if hasattr(each, "signatures")]
    before = [list(each.signatures) for each in compiled]
    assert any(before)
    method.solve(ZERO_SUM, iterations=20)
    assert [list(each.signatures) for each in compiled] == before


def test_what_cannot_be_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [
        (lambda: together([hedge.learner()], feedback="some"), "feedback must be full, semi-bandit or bandit"),
        (lambda: together([hedge.learner()], feedback="bandit", alternating=True), "alternating updates need"),
        (lambda: together([exp3.learner()]), "a bandit algorithm has no use for feedback 'full'"),
        (lambda: play(np.zeros((2, 2, 2)), hedge.learner(), 1), "payoffs must have shape"),
        (lambda: play(np.full((1, 2, 2, 2), np.nan), hedge.learner(), 1), "payoffs must be finite"),
        (lambda: play(np.zeros((2, 2, 2, 2)), hedge.learner(), 1, seeds=[1]), "as many seeds"),
        (lambda: play(np.zeros((1, 2, 2, 2)), [hedge.learner()] * 3, 1), "as many learners, got 3"),
        (lambda: play(np.zeros((1, 2, 2, 2)), hedge.learner(), 1).play(), "was not kept"),
        (lambda: process(simultaneous=False), "in turn there is no joint play"),
    ]

    def process(**settings: bool) -> SelfPlayProcess:
        return SelfPlayProcess(PENNIES, together([hedge.learner()] * 2), concept="cce", **settings)

    for make, message in cases:
        with pytest.raises(InputError, match=message):
            make()
    monkeypatch.setattr(_play, "MAX_NUMBERS", 23)
    with pytest.raises(GameTooLargeError, match=r"24 profiles .* limit is 23; concept 'nash' needs none"):
        SelfPlayProcess(THREE, together([hedge.learner()] * 3), concept="cce")
    SelfPlayProcess(THREE, together([hedge.learner()] * 3)).run(1)
