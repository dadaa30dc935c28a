"""Lower bounds from play against the exact score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import make_backend, sample_categorical
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.models import ExtensiveFormModel
from eqenvs.policies import (
    BehaviourPolicy,
    JointPolicy,
    MarkovCorrelatedPolicy,
    MixturePolicy,
    TabularPolicy,
    uniform,
)
from eqenvs.simulation import Decisions, PolicyPlayer, play
from eqenvs.testing.conformance import random_tables
from eqsolvers.extensive_form.sequence_lp import solve
from eqsolvers.scoring import ScoreKind, score, score_by_simulation
from eqsolvers.scoring.score import best_response
from eqsolvers.scoring.simulated import replace_player

EPISODES = 4000


class ExactResponder:
    """The exact best response as a table: the most that any learner could find."""

    id = "exact_table"
    budget = "one backward pass"

    def __call__(self, game: Game, player: int, policy: JointPolicy, seed: np.random.SeedSequence) -> BehaviourPolicy:
        tables = [states.uniform() for states in game.information_states]
        tables[player] = best_response(game, player, policy)[1]
        return TabularPolicy(game, tables)


class UniformResponder:
    """A bad response."""

    id = "uniform"
    budget = None

    def __call__(self, game: Game, player: int, policy: JointPolicy, seed: np.random.SeedSequence) -> BehaviourPolicy:
        return uniform(game)


@pytest.mark.parametrize("seed", range(3))
def test_exact_responder_finds_nash_conv_within_the_interval(seed: int) -> None:
    game = eqenvs.make("kuhn_poker")
    exact = score(game, uniform(game))
    found = score_by_simulation(game, uniform(game), [ExactResponder()], episodes=EPISODES, seed=seed)
    width = found.detail["nash_conv_half_width"]
    assert found.kind is ScoreKind.LOWER_BOUND
    assert 0 < width < 0.2
    assert abs(found.nash_conv - exact.nash_conv) <= width  # at 95 %: the seeds are fixed
    assert found.detail["chosen"] == ["exact_table"] * 2
    assert (np.abs(found.values - exact.values) <= 2 * np.array(found.detail["values_half_width"])).all()
    assert found.exploitability == pytest.approx(found.nash_conv / 2)


@pytest.mark.parametrize("seed", range(4))
def test_equilibrium_has_no_gain_beyond_the_noise(seed: int) -> None:
    game = eqenvs.make("kuhn_poker")
    model = game.model()
    assert isinstance(model, ExtensiveFormModel)
    found = score_by_simulation(game, solve(model).policy, [ExactResponder()], episodes=EPISODES, seed=seed)
    assert 0 <= found.nash_conv <= found.detail["nash_conv_half_width"] + 1e-12


def test_bound_is_the_best_responder_and_never_negative() -> None:
    game = eqenvs.make("kuhn_poker")
    policy = TabularPolicy(game, solve(game.model()).policy.tables)  # type: ignore[arg-type]
    alone = score_by_simulation(game, policy, [UniformResponder()], episodes=EPISODES, seed=1)
    assert alone.nash_conv == 0  # uniform play loses against an equilibrium
    assert alone.detail["chosen"] == ["none", "none"]
    against = uniform(game)
    both = score_by_simulation(game, against, [UniformResponder(), ExactResponder()], episodes=EPISODES, seed=1)
    assert both.detail["chosen"] == ["exact_table"] * 2
    assert both.detail["responders"] == ["uniform", "exact_table"]


def test_same_seed_gives_the_same_score_and_detail_says_how_it_was_made() -> None:
    game = eqenvs.make("kuhn_poker", num_players=3)
    first, second, other = (
        score_by_simulation(game, uniform(game), [ExactResponder()], episodes=500, seed=seed).to_dict()
        for seed in (3, 3, 4)
    )
    assert first == second
    assert first["values"] != other["values"]
    assert first["exploitability"] is None
    assert first["kind"] == "lower_bound"
    detail = first["detail"]
    assert (detail["seed"], detail["episodes"], detail["budgets"]) == (3, 500, ["one backward pass"])


def test_device_is_scored_by_committing_beforehand() -> None:
    """Rock, paper, scissors drawn for both: no fixed action earns anything."""
    game = eqenvs.make("rock_paper_scissors")
    device = MixturePolicy([TabularPolicy(game, [row, row]) for row in np.eye(3)], [1 / 3] * 3)
    found = score_by_simulation(game, device, [ExactResponder()], episodes=EPISODES, seed=0)
    assert found.values == pytest.approx(0)  # equal actions draw, always
    assert found.nash_conv <= found.detail["nash_conv_half_width"] + 1e-12
    assert found.cce_gap <= found.detail["cce_gap_half_width"] + 1e-12  # type: ignore[operator]
    assert found.ce_gap is None


def test_a_responder_is_needed() -> None:
    game = eqenvs.make("kuhn_poker")
    with pytest.raises(InputError, match="at least one best responder"):
        score_by_simulation(game, uniform(game), [], episodes=10)


def drawn_anew(game: Game, seed: int) -> MarkovCorrelatedPolicy:
    """A random device of correlated joint actions at every decision point."""
    shape = tuple(states.masks.shape[1] for states in game.information_states)
    points = len(game.information_states[0].keys)
    rows = np.random.default_rng(seed).dirichlet(np.full(int(np.prod(shape)), 0.3), size=points)
    return MarkovCorrelatedPolicy(game, rows.reshape(points, *shape))


@pytest.mark.parametrize(
    "parameters", [{"action_counts": "2x3", "horizon": 3}, {"num_players": 3, "horizon": 2}, {"discount": 0.6}], ids=str
)
def test_device_drawn_at_every_state_is_scored_by_leaving_it_beforehand(parameters: dict[str, Any]) -> None:
    game = eqenvs.make("random_markov_game", **parameters)
    device = drawn_anew(game, 0)
    exact = score(game, device)
    found = score_by_simulation(game, device, [ExactResponder()], episodes=EPISODES, seed=0)
    assert found.kind is ScoreKind.LOWER_BOUND
    assert (np.abs(found.values - exact.values) <= 2 * np.array(found.detail["values_half_width"])).all()
    assert abs(found.nash_conv - exact.nash_conv) <= 2 * found.detail["nash_conv_half_width"]
    assert abs(found.cce_gap - exact.cce_gap) <= 2 * found.detail["cce_gap_half_width"]  # type: ignore[operator]


@pytest.mark.parametrize("player", range(3))
def test_who_leaves_a_device_plays_alone_and_the_others_are_told_as_before(player: int) -> None:
    """Three players with 2, 3 and 2 actions: the joint distribution by its definition, entry by entry."""
    game = eqenvs.make("random_markov_game", num_players=3, action_counts="2x3x2", num_states=2)
    device, response = drawn_anew(game, 1), random_tables(game, 2)
    found = replace_player(device, player, response, 3)
    assert isinstance(found, MarkovCorrelatedPolicy)
    for point, *joint in np.ndindex(*device.distributions.shape):
        others = sum(
            device.distributions[(point, *joint[:player], own, *joint[player + 1 :])]
            for own in range(device.distributions.shape[1 + player])
        )
        expected = others * response.tables[player][point, joint[player]]
        assert found.distributions[(point, *joint)] == pytest.approx(expected, abs=1e-15)


def test_mixture_of_devices_drawn_at_every_state_is_played_by_its_parts() -> None:
    """Its marginals are the players' private mixtures of each device's own."""
    game = eqenvs.make("random_markov_game", horizon=2)
    parts = [drawn_anew(game, seed) for seed in (3, 4)]
    found = score_by_simulation(game, MixturePolicy(parts, [0.3, 0.7]), [UniformResponder()], episodes=EPISODES, seed=0)
    expected = 0.3 * score(game, parts[0]).values + 0.7 * score(game, parts[1]).values
    assert (np.abs(found.values - expected) <= 2 * np.array(found.detail["values_half_width"])).all()
    assert found.cce_gap is not None


@pytest.mark.parametrize("player", range(3))
def test_responder_who_trains_beside_a_device_meets_what_it_is_judged_against(player: int) -> None:
    """The device is asked for the others' parts only, stage by stage: payoffs as the exact score has them."""
    game = eqenvs.make("random_markov_game", num_players=3, num_states=2, horizon=3)
    device, response = drawn_anew(game, 5), random_tables(game, 6)
    rng, backend = np.random.default_rng(0), make_backend()
    others = PolicyPlayer(device, 3, EPISODES, rng)

    def decide(decisions: Decisions) -> Any:
        if decisions.player != player:
            return others(decisions)
        rows = response(player, decisions.states)
        return sample_categorical(rows, rng.random(len(rows)))

    payoffs = play(game.rules, decide, EPISODES, backend.stream(1), backend)
    expected = score(game, replace_player(device, player, response, 3)).values
    assert (np.abs(payoffs.mean(axis=0) - expected) <= 4 * payoffs.std(axis=0) / np.sqrt(EPISODES)).all()
