"""Environments by tables: the same games as the rules play, faster."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import sample_categorical
from eqenvs.errors import IllegalActionError, InputError, PolicyError
from eqenvs.models import MarkovModel
from eqenvs.policies import FunctionPolicy, MixturePolicy, TabularPolicy, uniform
from eqenvs.rules import SIMULTANEOUS
from eqenvs.testing import expected_payoffs
from eqenvs.testing.conformance import random_tables
from eqenvs.testing.markov import expected_returns

# Nothing is left to chance in these, so that both environments must show the same at every step.
CERTAIN = {
    "turns": ("dark_hex", {"board_size": 2, "abrupt": True}),
    "discounted": ("random_markov_game", {"branching": 1, "action_counts": "2x3"}),
    "horizon": ("random_markov_game", {"branching": 1, "horizon": 3, "num_players": 3, "discount": 1.0}),
}


def random_actions(masks, rng):
    flat = masks.reshape(-1, masks.shape[-1]).astype(float)
    return sample_categorical(flat, rng.random(len(flat))).reshape(masks.shape[:-1])


@pytest.mark.parametrize(("game_id", "parameters"), CERTAIN.values(), ids=CERTAIN)
def test_without_chance_every_step_is_that_of_the_rules(game_id, parameters):
    game = eqenvs.make(game_id, **parameters)
    slow, fast = game.vector_env(5), game.table_env(5)
    rng = np.random.default_rng(0)
    mine, theirs = fast.reset(seed=0), slow.reset(seed=0)
    totals = np.zeros((5, game.num_players))
    for _ in range(80):
        ended = theirs.terminated | theirs.truncated
        for field in ("players", "observations", "masks", "keys", "terminated", "truncated"):
            np.testing.assert_array_equal(getattr(mine, field), getattr(theirs, field), err_msg=field)
            assert getattr(mine, field).dtype == getattr(theirs, field).dtype
        totals += theirs.rewards - mine.rewards
        np.testing.assert_allclose(totals[ended], 0, atol=1e-12)  # of a tree, all of it comes at the end
        actions = random_actions(mine.masks, rng)
        mine, theirs = fast.step(actions), slow.step(actions)
        if isinstance(game.model(), MarkovModel):
            gone = theirs.terminated
            for player in range(game.num_players):
                seen = fast.final_observations(player)
                np.testing.assert_array_equal(seen[~gone], slow.final_observations(player)[~gone])
                assert not seen[gone].any()


@pytest.mark.parametrize(
    ("game_id", "parameters"),
    [
        ("kuhn_poker", {"num_players": 3}),
        ("leduc_poker", {}),
        ("random_markov_game", {"horizon": 4, "discount": 1.0}),
        ("random_markov_game", {"discount": 0.5, "num_players": 3}),
    ],
)
def test_uniform_play_pays_what_the_model_says(game_id, parameters):
    game = eqenvs.make(game_id, **parameters)
    model, count, rng = game.model(), 4000, np.random.default_rng(1)
    env = game.table_env(count, max_cycles=40)
    step = env.reset(seed=3)
    totals, going, weight = step.rewards.copy(), np.ones(count, dtype=bool), 1.0
    while going.any():
        step = env.step(random_actions(step.masks, rng))
        totals[going] += weight * step.rewards[going]
        going &= ~(step.terminated | step.truncated)
        weight *= game.rules.discount
    markov = isinstance(model, MarkovModel)
    expected = expected_returns(model, uniform(model)) if markov else expected_payoffs(game, uniform(game))
    error = 5 * totals.std(axis=0) / np.sqrt(count) + 1e-9
    assert (np.abs(totals.mean(axis=0) - expected) <= error).all()


def test_first_deals_and_chance_in_play_have_their_probabilities():
    game = eqenvs.make("leduc_poker")
    env = game.table_env(20_000)
    step = env.reset(seed=5)
    _, counts = np.unique(step.keys, axis=0, return_counts=True)  # player 0 sees one of six cards
    assert len(counts) == 6
    assert np.abs(counts / 20_000 - 1 / 6).max() < 5 * np.sqrt(5 / 36 / 20_000)


def test_the_same_seed_gives_the_same_games_and_another_does_not():
    def play(seed):
        env, rng = eqenvs.make("leduc_poker").table_env(16), np.random.default_rng(0)
        step, seen = env.reset(seed=seed), []
        for _ in range(30):
            step = env.step(random_actions(step.masks, rng))
            seen.append(step.rewards)
        return np.stack(seen)

    np.testing.assert_array_equal(play(1), play(1))
    assert (play(1) != play(2)).any()


def test_an_illegal_action_is_named_and_changes_nothing():
    env = eqenvs.make("leduc_poker").table_env(3)
    with pytest.raises(eqenvs.InputError, match="call reset"):
        env.step(np.zeros(3, dtype=int))
    step = env.reset(seed=0)
    with pytest.raises(eqenvs.InputError, match=r"game 1: action 0 is illegal here; legal actions: \[1, 2\]"):
        env.step(np.array([1, 0, 1]))
    with pytest.raises(eqenvs.InputError, match="must be integers"):
        env.step(np.ones(3))
    with pytest.raises(eqenvs.InputError, match=r"must have shape \(3,\)"):
        env.step(np.ones(4, dtype=int))
    step.masks[:] = True  # what a caller does to its arrays is its own business
    with pytest.raises(eqenvs.InputError, match="illegal"):
        env.step(np.array([0, 0, 0]))
    assert not env.step(np.array([1, 1, 1])).terminated.any()


def test_a_markov_game_names_the_player_of_an_illegal_action():
    model = MarkovModel(np.ones((1, 2, 2, 1)), np.zeros((2, 1, 2, 2)), [1.0], discount=0.9, legal=[[[1, 1]], [[1, 0]]])
    spec = eqenvs.GameSpec(
        id="toy", family=eqenvs.Family.MARKOV, title="toy", build=lambda: model, constant_sum=False, source="this test"
    )
    env = eqenvs.Game(spec).table_env(2)
    assert env.reset(seed=0).players.tolist() == [SIMULTANEOUS] * 2
    with pytest.raises(eqenvs.InputError, match=r"game 1: action 1 is illegal here; legal actions: \[0\]"):
        env.step(np.array([[1, 0], [0, 1]]))


@pytest.mark.parametrize("parameters", [{"discount": 0.9}, {"discount": 0.0}])
def test_a_game_without_end_is_truncated_by_default(parameters):
    game = eqenvs.make("random_markov_game", **parameters)
    slow, fast = game.vector_env(1), game.table_env(1)
    assert fast.max_cycles == slow.max_cycles == (66 if parameters["discount"] else 1)


def test_games_that_tables_cannot_hold_are_refused():
    with pytest.raises(eqenvs.UnsupportedGame, match="turn-based"):
        eqenvs.make("goofspiel").table_env(1)
    with pytest.raises(eqenvs.InputError, match="num_envs must be"):
        eqenvs.make("kuhn_poker").table_env(0)
    env = eqenvs.make("kuhn_poker").table_env(1)
    env.reset(seed=0)
    with pytest.raises(eqenvs.UnsupportedGame, match="vector_env"):
        env.final_observations(0)


def test_a_refused_step_uses_no_randomness():
    game = eqenvs.make("random_markov_game")
    one, two = game.table_env(3), game.table_env(3)
    one.reset(seed=0)
    two.reset(seed=0)
    with pytest.raises(eqenvs.InputError, match="illegal"):
        one.step(np.array([[0, 0], [0, 5], [0, 0]]))
    for _ in range(5):
        mine, theirs = (env.step(np.zeros((3, 2), dtype=int)) for env in (one, two))
        np.testing.assert_array_equal(mine.keys, theirs.keys)


@pytest.mark.parametrize("kind", ["vector_env", "table_env"])
def test_numbers_and_players_of_environments_are_checked(kind):
    game = eqenvs.make("random_markov_game")
    make = getattr(game, kind)
    env = make(np.int64(4), max_cycles=np.int64(3))
    assert (env.num_envs, env.max_cycles) == (4, 3)
    for name, wrong in (("num_envs", True), ("num_envs", 2.0), ("max_cycles", 0), ("max_cycles", True)):
        with pytest.raises(eqenvs.InputError, match=f"{name} must be an integer of at least 1, got {wrong!r}"):
            make(**{"num_envs": 1} | {name: wrong})
    with pytest.raises(eqenvs.InputError, match=r"final_observations\(\) needs games in progress; call reset"):
        env.final_observations(0)
    env.reset(seed=0)
    assert env.final_observations(1).shape == (4, 5)
    for wrong in (2, -1, True, "a"):
        with pytest.raises(eqenvs.InputError, match="player must be an integer from 0 to 1"):
            env.final_observations(wrong)


ROLLED = {
    "turns": ("leduc_poker", {}, None),
    "cut": ("leduc_poker", {}, 3),
    "joint": ("random_markov_game", {"discount": 0.5, "action_counts": "2x3"}, None),
    "horizon": ("random_markov_game", {"horizon": 4, "discount": 1.0, "num_players": 3}, None),
}


@pytest.mark.parametrize(("game_id", "parameters", "max_cycles"), ROLLED.values(), ids=ROLLED)
def test_a_rollout_is_the_steps_with_its_actions(game_id, parameters, max_cycles):
    game = eqenvs.make(game_id, **parameters)
    together, plain = (game.table_env(6, max_cycles=max_cycles) for _ in range(2))
    together.reset(seed=3)
    step = plain.reset(seed=3)
    for length in (25, 1, 14):  # one goes on where the last ended
        found = together.rollout(length, random_tables(game, 1), observations=True)
        states = game.information_states
        for t in range(length):
            np.testing.assert_array_equal(found.players[t], step.players)
            np.testing.assert_array_equal(found.observations[t], step.observations)
            for b, (player, row) in enumerate(zip(found.players[t], found.information_states[t], strict=True)):
                if player == SIMULTANEOUS:
                    expected = np.stack([own.keys[row] for own in states])
                else:
                    expected = states[player].keys[row]
                np.testing.assert_array_equal(step.keys[b], expected)
            step = plain.step(found.actions[t])
            np.testing.assert_array_equal(found.rewards[t], step.rewards)
            np.testing.assert_array_equal(found.terminated[t], step.terminated)
            np.testing.assert_array_equal(found.truncated[t], step.truncated)
        now = together.look()
        for field in ("players", "observations", "masks", "keys"):
            np.testing.assert_array_equal(getattr(now, field), getattr(step, field), err_msg=field)
    assert found.observations.dtype == np.float32
    assert found.truncated.any() or max_cycles is None


@pytest.mark.parametrize(("game_id", "parameters", "max_cycles"), ROLLED.values(), ids=ROLLED)
def test_a_rollouts_actions_are_drawn_from_the_policy(game_id, parameters, max_cycles):
    game = eqenvs.make(game_id, **parameters)
    policy = random_tables(game, 2)
    sharp = [np.where(table > 0.3, table, 0.0) for table in policy.tables]
    sharp = [np.where(t.sum(axis=1, keepdims=True) > 0, t, p) for t, p in zip(sharp, policy.tables, strict=True)]
    policy = TabularPolicy(game, [t / t.sum(axis=1, keepdims=True) for t in sharp])  # some actions are never played
    env = game.table_env(400, max_cycles=max_cycles)
    env.reset(seed=0)
    found = env.rollout(200, policy)
    for player, table in enumerate(policy.tables):
        mine = (found.players == player) | (found.players == SIMULTANEOUS)
        actions = found.actions[mine] if found.actions.ndim == 2 else found.actions[mine][:, player]
        counts = np.zeros(table.shape)
        np.add.at(counts, (found.information_states[mine], actions), 1)
        visits = counts.sum(axis=1, keepdims=True)
        assert visits.sum() > 10_000
        assert not counts[table == 0].any()
        assert (np.abs(counts - visits * table) <= 5 * np.sqrt(visits * table * (1 - table)) + 1e-9 * visits).all()


def test_rolled_out_payoffs_are_the_exact_ones():
    game = eqenvs.make("kuhn_poker", num_players=3)
    policy = random_tables(game, 4)
    env = game.table_env(20_000)
    env.reset(seed=0)
    found = env.rollout(12, policy)
    assert found.terminated.any(axis=0).all()
    paid = found.rewards[found.terminated.argmax(axis=0), np.arange(20_000)]  # of every first game
    error = paid.std(axis=0) / np.sqrt(len(paid))
    assert (np.abs(paid.mean(axis=0) - expected_payoffs(game, policy)) <= 5 * error).all()


def test_rollouts_begin_anew_with_a_seed_and_refuse_what_they_cannot_play():
    game = eqenvs.make("leduc_poker")
    env = game.table_env(8)
    with pytest.raises(IllegalActionError, match="call reset"):
        env.rollout(3)
    with pytest.raises(InputError, match="call reset"):
        env.look()
    env.reset(seed=1)
    first, after = env.rollout(30), env.rollout(30)
    env.reset(seed=1)
    again = env.rollout(30)
    assert first.observations is None
    assert all((a == b).all() for a, b in zip(first[:6], again[:6], strict=True))
    assert (first.actions != after.actions).any()
    with pytest.raises(InputError, match="steps"):
        env.rollout(0)
    with pytest.raises(PolicyError):
        env.rollout(3, uniform(eqenvs.make("kuhn_poker")))
    with pytest.raises(PolicyError, match="correlates the players"):
        env.rollout(3, MixturePolicy([uniform(game), uniform(game)], [0.5, 0.5]))


def test_a_policy_that_has_changed_is_played_as_it_is_now():
    game, played = eqenvs.make("kuhn_poker"), [0]
    policy = FunctionPolicy(lambda player, observations, masks: np.eye(2)[np.full(len(masks), played[0])])
    env = game.table_env(20)
    env.reset(seed=0)
    assert (env.rollout(5, policy).actions == 0).all()
    played[0] = 1
    assert (env.rollout(5, policy).actions == 1).all()
