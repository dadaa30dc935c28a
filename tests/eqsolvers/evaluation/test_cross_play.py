"""Cross-play: exact cells against the scorers and by hand, simulated ones against exact ones."""

import itertools

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame
from eqenvs.policies import (
    CorrelatedStrategy,
    FunctionPolicy,
    MixturePolicy,
    ProductPolicy,
    TabularPolicy,
    uniform,
    uniform_play,
)
from eqsolvers.evaluation import Allocation, Entrant, cross_play
from eqsolvers.scoring import ScoreKind
from eqsolvers.scoring.scorers import scorer

GAMES = [
    ("kuhn_poker", {}),
    ("kuhn_poker", {"num_players": 3}),
    ("bimatrix_3x2", {}),
    ("random_normal_form", {"num_players": 3, "num_actions": 2, "seed": 1}),
    ("random_markov_game", {"num_players": 2, "num_states": 3, "num_actions": 2, "seed": 1}),
]


def random_policy(game, rng):
    masks = [states.masks for states in game.information_states]
    tables = [np.where(mask, rng.random(mask.shape) + 0.01, 0.0) for mask in masks]
    return TabularPolicy(game, [table / table.sum(axis=1, keepdims=True) for table in tables])


def entrants_of(game, counts, seed=0):
    rng = np.random.default_rng(seed)
    return [[Entrant(f"{p}-{k}", random_policy(game, rng)) for k in range(n)] for p, n in enumerate(counts)]


@pytest.mark.parametrize(("game_id", "parameters"), GAMES)
def test_exact_cells_are_the_values_of_the_scorer(game_id, parameters):
    game = eqenvs.make(game_id, **parameters)
    seats = entrants_of(game, (2, 3, 2)[: game.num_players])
    found = cross_play(game, seats)
    judge = scorer(game.model())
    assert found.kind is ScoreKind.EXACT
    assert found.payoffs.shape == (game.num_players, *map(len, seats))
    for cell in itertools.product(*(range(len(own)) for own in seats)):
        tables = [seats[p][k].policy.tables[p] for p, k in enumerate(cell)]
        assert found.payoffs[(slice(None), *cell)] == pytest.approx(judge.values(tables), abs=1e-12)
    assert not found.error.any()
    assert not found.episodes.any()


@pytest.mark.parametrize(("game_id", "parameters"), [*GAMES, ("trade_comm", {"num_items": 2})])
def test_simulated_cells_agree_with_exact_ones(game_id, parameters):
    game = eqenvs.make(game_id, **parameters)
    seats = entrants_of(game, (2, 1, 1)[: game.num_players])
    exact, played = cross_play(game, seats), cross_play(game, seats, allocation=Allocation(episodes=5_000), seed=3)
    assert played.kind is ScoreKind.ESTIMATE
    assert (played.episodes == 5_000).all()
    # Five standard errors; where a payoff does not vary the error is rounding.
    assert (np.abs(played.mean - exact.mean) <= 5 * played.error + 1e-9).all()
    if exact.ahead is not None:
        assert np.abs(played.ahead - exact.ahead).max() < 5 * 0.5 / np.sqrt(5_000)


def test_who_is_ahead_counts_ties_half():
    game = eqenvs.make("rock_paper_scissors")
    rock, mixed = (TabularPolicy(game, [[row], [row]]) for row in ([1.0, 0.0, 0.0], [0.5, 0.25, 0.25]))
    found = cross_play(game, [[Entrant("rock", rock)], [Entrant("mixed", mixed)]])
    assert found.ahead[0].tolist() == [[0.5, 0.5], [0.5, 0.5]]  # half of the games are ties, each wins a quarter
    other = cross_play(game, [[Entrant("rock", rock)], [Entrant("paper", TabularPolicy(game, [[[0, 1, 0]]] * 2))]])
    assert other.ahead[0, 0, 1] == 0.0
    assert other.ahead[0, 1, 0] == 1.0


def test_who_is_ahead_in_kuhn_poker_by_counting():
    # Both always pass: the higher card wins 1 from the other, and both are higher equally often.
    game = eqenvs.make("kuhn_poker")
    passes = FunctionPolicy(lambda player, observations, masks: np.tile([1.0, 0.0], (len(masks), 1)))
    bets = FunctionPolicy(lambda player, observations, masks: np.tile([0.0, 1.0], (len(masks), 1)))
    found = cross_play(game, [[Entrant("pass", passes), Entrant("bet", bets)]] * 2)
    ahead = {tuple(cell): each[0, 1] for cell, each in zip(found.cells.tolist(), found.ahead, strict=True)}
    assert ahead[0, 0] == pytest.approx(0.5)
    assert ahead[1, 0] == pytest.approx(1.0)  # a bet that is always folded to
    assert ahead[0, 1] == pytest.approx(0.0)


def test_private_mixtures_devices_and_functions_play_their_part():
    game = eqenvs.make("kuhn_poker")
    rng = np.random.default_rng(5)
    a, b, other = (random_policy(game, rng) for _ in range(3))
    weights = np.array([0.3, 0.7])
    opponents = [Entrant("other", other), Entrant("uniform", uniform_play)]
    parts = cross_play(game, [[Entrant("a", a), Entrant("b", b)], opponents]).payoffs
    for policy in (
        MixturePolicy([a, b], weights),  # a device: its marginal
        ProductPolicy([MixturePolicy([a, b], weights), other]),  # a private mixture
        ProductPolicy([MixturePolicy([ProductPolicy([a, b]), ProductPolicy([b, a])], weights), other]),
    ):
        mixed = cross_play(game, [[Entrant("mixed", policy)], opponents]).payoffs
        assert mixed[:, 0] == pytest.approx(np.tensordot(parts, weights, axes=(1, 0)), abs=1e-12)


def test_a_distribution_over_joint_actions_plays_its_marginal():
    game = eqenvs.make("chicken")
    device = CorrelatedStrategy(game, [[0.0, 0.4], [0.4, 0.2]])
    pure = [Entrant(str(k), TabularPolicy(game, [[np.eye(2)[k]]] * 2)) for k in range(2)]
    found = cross_play(game, [[Entrant("device", device)], pure]).payoffs
    assert found[:, 0] == pytest.approx(np.tensordot(game.model().payoffs, [0.4, 0.6], axes=(1, 0)))


def test_mixtures_in_markov_games_are_valued_profile_by_profile():
    game = eqenvs.make("random_markov_game", num_players=2, num_states=3, num_actions=2, seed=1)
    rng = np.random.default_rng(5)
    a, b, other = (random_policy(game, rng) for _ in range(3))
    opponent = [Entrant("other", other)]
    parts = cross_play(game, [[Entrant("a", a), Entrant("b", b)], opponent]).payoffs
    mixed = cross_play(game, [[Entrant("m", MixturePolicy([a, b], [0.25, 0.75]))], opponent])
    assert mixed.payoffs[:, 0] == pytest.approx(np.tensordot(parts, [0.25, 0.75], axes=(1, 0)))
    assert mixed.ahead is None
    many = Entrant("many", MixturePolicy([a] * 101, np.full(101, 1 / 101)))
    with pytest.raises(GameTooLargeError, match="10,201 profiles"):
        cross_play(game, [[many], [many]])


def test_a_cells_stream_follows_from_who_plays_what():
    game = eqenvs.make("kuhn_poker")
    (a, b, c), (d, e) = entrants_of(game, (3, 2))
    few = cross_play(game, [[b], [d]], allocation=Allocation(episodes=64), seed=1)
    many = cross_play(game, [[a, b, c], [e, d]], allocation=Allocation(episodes=64), seed=1)
    assert many.payoffs[:, 1, 1].tolist() == few.payoffs[:, 0, 0].tolist()
    assert many.payoffs[:, 0, 1].tolist() != few.payoffs[:, 0, 0].tolist()
    renamed = Entrant("another name", b.policy, key=b.name)
    named = cross_play(game, [[renamed], [d]], allocation=Allocation(episodes=64), seed=1)
    assert named.mean.tolist() == few.mean.tolist()
    assert cross_play(game, [[b], [d]], allocation=Allocation(episodes=64), seed=2).mean.tolist() != few.mean.tolist()


def test_copies_by_key_are_played_once():
    game = eqenvs.make("kuhn_poker")
    ((a,), (d,)) = entrants_of(game, (1, 1))
    copy = Entrant("copy", a.policy, key=a.name)
    found = cross_play(game, [[a, copy], [d]], allocation=Allocation(episodes=64, budget=64))
    assert found.payoffs[:, 0].tolist() == found.payoffs[:, 1].tolist()


def test_further_episodes_go_to_the_widest_intervals():
    game = eqenvs.make("random_normal_form", num_players=2, num_actions=3, zero_sum=True, seed=0)
    pure = [Entrant(f"pure {k}", TabularPolicy(game, [[np.eye(3)[k]]] * 2)) for k in range(2)]
    mixed = Entrant("mixed", uniform(game))
    target = 0.02
    found = cross_play(game, [[*pure, mixed]] * 2, allocation=Allocation(episodes=100, half_width=target))
    certain = (found.cells < 2).all(axis=1)
    assert (found.episodes[certain] == 100).all()  # they do not vary
    assert (found.episodes[~certain] > 100).all()
    assert (1.96 * found.error <= target * 1.0001).all()
    # The block before the last was needed: with a hundred episodes fewer the interval was too wide, by about as much.
    played, error = found.episodes[~certain], found.error[~certain].max(axis=1)
    assert (1.96 * error * np.sqrt(played / (played - 100)) > target * 0.95).all()
    budget = cross_play(game, [[*pure, mixed]] * 2, allocation=Allocation(episodes=100, budget=5_050))
    assert budget.episodes.sum() == 5_000
    widths = budget.error[~certain].max(axis=1)
    assert widths.max() / widths.min() < 1.5


def test_adaptive_estimates_of_mean_and_covariance_are_those_of_all_episodes():
    from eqenvs.simulation import simulate
    from eqsolvers.evaluation.entrants import stream_key

    game = eqenvs.make("kuhn_poker", num_players=3)
    seats = entrants_of(game, (1, 1, 1))
    found = cross_play(game, seats, allocation=Allocation(episodes=50, budget=150), seed=4)
    key = stream_key([own[0] for own in seats])
    policy = ProductPolicy([own[0].policy for own in seats])
    blocks = [
        simulate(game.rules, policy, 50, np.random.SeedSequence(4, spawn_key=(*key, block))) for block in range(3)
    ]
    payoffs = np.concatenate(blocks)
    assert found.mean[0] == pytest.approx(payoffs.mean(axis=0))
    assert found.covariance[0] == pytest.approx(np.cov(payoffs.T) / 150)


def test_some_cells_alone_leave_the_others_unknown():
    game = eqenvs.make("kuhn_poker")
    seats = entrants_of(game, (2, 2))
    found = cross_play(game, seats, cells=[(0, 1), (1, 1)])
    assert np.isnan(found.payoffs[:, :, 0]).all()
    assert found.payoffs[:, :, 1] == pytest.approx(cross_play(game, seats).payoffs[:, :, 1])


def test_bad_input_is_named():
    game = eqenvs.make("kuhn_poker")
    one = [Entrant("uniform", uniform(game))]
    with pytest.raises(InputError, match="each of 2 players, got 1"):
        cross_play(game, [one])
    with pytest.raises(InputError, match="player 1, got none"):
        cross_play(game, [one, []])
    with pytest.raises(InputError, match="cells must give"):
        cross_play(game, [one, one], cells=[(0, 1)])
    with pytest.raises(InputError, match="episodes must be at least 2"):
        Allocation(episodes=1)
    with pytest.raises(InputError, match="half_width must be positive"):
        Allocation(half_width=0.0)
    with pytest.raises(InputError, match="budget of 10 episodes"):
        cross_play(game, [one, one], allocation=Allocation(budget=10))
    with pytest.raises(InputError, match="another game"):
        cross_play(game, [one, [Entrant("other", uniform(eqenvs.make("kuhn_poker", num_players=3)))]])
    with pytest.raises(UnsupportedGame, match="mean-field"):
        cross_play(eqenvs.make("left_right"), [one])
