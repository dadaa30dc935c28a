"""Mixed values: exact where nothing is learned from play, never better than a best response, and every answer once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import validate
from eqagents.distributed import InlineExecutor
from eqagents.learners.psro.psro import PSROConfig, build
from eqagents.oracles import Member, OracleResult, Populations, Situation, find_oracle
from eqagents.policies import tabular_record, to_policy
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqenvs.errors import CheckpointError, InputError, UnsupportedGame
from eqenvs.policies import MixturePolicy, ProductPolicy, TabularPolicy, uniform, uniform_play
from eqenvs.simulation import simulate
from eqenvs.testing.conformance import random_tables
from eqsolvers.meta import MetaSolution
from eqsolvers.scoring import score
from eqsolvers.scoring.score import best_response

if TYPE_CHECKING:
    from pathlib import Path

DQN = {"id": "dqn", "updates": 20, "num_envs": 32, "steps": 16, "hidden": [32], "learning_rate": 2e-2}


def situation(
    game: eqenvs.Game,
    player: int,
    weights: list[float],
    own: tuple[dict[str, Any], ...] = (),
    *,
    tabulated: bool = True,
    pure: bool = False,
) -> Situation:
    """Against random tables, mixed by weights; `own` are the player's records so far."""
    tables = [random_tables(game, seed) for seed in range(len(weights))]
    if pure:
        tables = [TabularPolicy(game, [np.eye(t.shape[1])[t.argmax(axis=1)] for t in each.tables]) for each in tables]
    theirs = [Member(tabular_record(t.tables[1 - player]), t.tables[1 - player] if tabulated else None) for t in tables]
    mine = [Member({"kind": "uniform"}, None), *(Member(record, None) for record in own)]
    mixture = MixturePolicy(tables, weights)
    strategies = [np.array(weights), np.eye(len(mine))[0]]
    members = (mine, theirs) if player == 0 else (theirs, mine)
    meta = MetaSolution(tuple(strategies[::-1] if player == 0 else strategies))
    opponents = ProductPolicy([mixture, mixture])
    return Situation(game, player, opponents, np.random.SeedSequence(3), None, Populations(members, meta))


def respond(asked: Situation, **settings: Any) -> OracleResult:
    oracle = find_oracle("q_mixing")
    config = oracle.config.model_validate({"id": "q_mixing", "value_episodes": 2, **settings})
    oracle.check(config)
    return oracle.respond(config, asked)


def earned(asked: Situation, found: OracleResult) -> float:
    game, player = asked.game, asked.player
    entries = list(asked.opponents.players)
    entries[player] = to_policy(found.record, game, player)
    return float(score(game, ProductPolicy(entries)).values[player])


def best(asked: Situation) -> float:
    return best_response(asked.game, asked.player, asked.opponents)[0]


@pytest.mark.parametrize("belief", ["prior", "posterior"])
@pytest.mark.parametrize("player", range(2))
def test_in_normal_forms_and_against_one_opponent_it_is_the_best_response(player: int, belief: str) -> None:
    matrix = eqenvs.make("random_normal_form", action_counts="4x3", seed=1)
    for asked in (
        situation(matrix, player, [0.2, 0.5, 0.3]),
        situation(eqenvs.make("leduc_poker"), player, [1.0]),
        situation(eqenvs.make("kuhn_poker"), player, [0.0, 1.0, 0.0], tabulated=False),
    ):
        found = respond(asked, belief=belief)
        assert earned(asked, found) == pytest.approx(best(asked), abs=1e-12)


def test_where_the_player_decides_once_the_right_belief_gives_the_best_response() -> None:
    """Kuhn poker's second player: what was seen before its decision tells opponents apart, nothing comes after it."""
    game = eqenvs.make("kuhn_poker")
    prior_gaps = []
    for weights in ([0.5, 0.5], [0.2, 0.3, 0.5], [0.1, 0.2, 0.3, 0.4], [0.7, 0.3], [0.05, 0.05, 0.9]):
        asked = situation(game, 1, weights, pure=True)
        assert earned(asked, respond(asked)) == pytest.approx(best(asked), abs=1e-12)
        prior_gaps.append(best(asked) - earned(asked, respond(asked, belief="prior")))
    assert max(prior_gaps) > 0.001
    assert min(prior_gaps) >= -1e-12


@pytest.mark.parametrize("responder", ["exact", "tabular_q"])
def test_elsewhere_it_is_nearly_as_good_and_never_better(responder: str) -> None:
    game = eqenvs.make("leduc_poker")
    settings = {"id": "exact"} if responder == "exact" else {"id": "tabular_q", "episodes": 500_000}
    for player in range(2):
        asked = situation(game, player, [0.5, 0.3, 0.2])
        value, most = earned(asked, respond(asked, responder=settings)), best(asked)
        before = float(score(game, asked.opponents).values[player])
        assert before + 0.9 * (most - before) < value <= most + 1e-9


def test_an_answer_is_learned_once() -> None:
    game = eqenvs.make("kuhn_poker")
    responder = {"id": "tabular_q", "episodes": 3_000}
    first = respond(situation(game, 0, [1.0]), responder=responder)
    assert first.metrics["trained"] == 1
    assert first.episodes == 3_002
    again = respond(situation(game, 0, [1.0], (first.record,)), responder=responder)
    assert again.metrics["trained"] == 0
    assert again.record["answers"] == []
    np.testing.assert_array_equal(again.record["table"], first.record["table"])
    more = respond(situation(game, 0, [0.4, 0.0, 0.6], (first.record, again.record)), responder=responder)
    assert (more.metrics["trained"], more.metrics["reused"]) == (1, 1)  # one without weight is not met
    assert len(more.record["answers"]) == 1
    assert more.record["answers"][0]["opponent"] != first.record["answers"][0]["opponent"]


def test_networks_answer_too() -> None:
    game = eqenvs.make("kuhn_poker")
    asked = situation(game, 1, [0.5, 0.5])
    found = respond(asked, responder=DQN)
    value, most = earned(asked, found), best(asked)
    assert most - 0.05 < value <= most + 1e-9
    assert found.record["answers"][0]["values"].shape == game.information_states[1].masks.shape


def test_games_without_a_model_mix_networks() -> None:
    """Of phantom tic-tac-toe; the mixture of one network is its greedy policy, and is reused."""
    game = eqenvs.make("phantom_tic_tac_toe")
    members = ([Member({"kind": "uniform"}, None)],) * 2
    meta = MetaSolution((np.ones(1), np.ones(1)))
    play = ProductPolicy([uniform_play, uniform_play])
    asked = Situation(game, 0, play, np.random.SeedSequence(0), None, Populations(members, meta))
    responder = {**DQN, "updates": 6, "steps": 8}
    found = respond(asked, responder=responder)
    assert found.record["table"] is None
    assert found.record["weights"] == [1.0]
    policy = to_policy(found.record, game, 0)
    joint = [ProductPolicy([each, uniform_play]) for each in (policy, uniform_play)]
    value, before = (simulate(game.rules, each, 1_000, 5)[:, 0].mean() for each in joint)
    assert value > before + 0.05
    mine = (members[0][0], Member(found.record, None))
    again = Situation(
        game, 0, play, np.random.SeedSequence(1), None,
        Populations((mine, members[1]), MetaSolution((np.array([1.0, 0.0]), np.ones(1)))),
    )  # fmt: skip
    reused = respond(again, responder=responder)
    assert (reused.metrics["trained"], reused.metrics["reused"]) == (0, 1)
    assert reused.episodes == 2
    bad = {**found.record, "weights": []}
    with pytest.raises(CheckpointError, match="a weight for each answer"):
        to_policy(bad, game, 0)


def test_a_run_trains_once_an_opponent_and_survives_a_checkpoint(tmp_path: Path) -> None:
    game = eqenvs.make("kuhn_poker")
    settings = {"id": "q_mixing", "value_episodes": 2}
    learner = build(game, PSROConfig.model_validate({"id": "psro", "oracle": settings}), InlineExecutor(0))
    state = learner.init(np.random.SeedSequence(0))
    trained = 0.0
    for _ in range(8):
        state, metrics = learner.step(state)
        trained += metrics["oracle/trained_0"]
    assert trained <= 8
    assert score(game, learner.average_policy(state)).nash_conv < 1e-9
    save_checkpoint(tmp_path, 8, learner.to_tree(state))
    _, tree = load_checkpoint(tmp_path)
    again = learner.from_tree(tree)
    one, other = (learner.step(each)[0] for each in (state, again))
    assert np.array_equal(one.restricted.payoffs.mean, other.restricted.payoffs.mean)


def test_what_cannot_be_answered_is_said_on_one_line() -> None:
    three = eqenvs.make("kuhn_poker", num_players=3)
    phantom = eqenvs.make("phantom_tic_tac_toe")
    members = ([Member({"kind": "uniform"}, None)],) * 2
    two = Populations(members, MetaSolution((np.ones(1), np.ones(1))))
    seed = np.random.SeedSequence(0)
    for asked, error, message in (
        (Situation(three, 0, uniform(three), seed, None, two), UnsupportedGame, "has 3 players"),
        (Situation(phantom, 0, uniform_play, seed, None, two), UnsupportedGame, "use responder 'dqn'"),
        (Situation(phantom, 0, uniform_play, seed), InputError, "as a member of populations"),
    ):
        with pytest.raises(error, match=message) as caught:
            respond(asked)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="responder: 'ppo' has no action values; use exact, tabular_q, dqn"):
        validate(find_oracle("q_mixing").config, {"id": "q_mixing", "responder": {"id": "ppo"}})
