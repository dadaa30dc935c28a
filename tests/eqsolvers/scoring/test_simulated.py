"""Lower bounds from play against the exact score."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.models import ExtensiveFormModel
from eqenvs.policies import BehaviourPolicy, JointPolicy, MixturePolicy, TabularPolicy, uniform
from eqsolvers.extensive_form.sequence_lp import solve
from eqsolvers.scoring import ScoreKind, score, score_by_simulation
from eqsolvers.scoring.score import best_response

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
    assert found.cce_gap == pytest.approx(found.nash_conv)
    assert found.cce_gap <= found.detail["nash_conv_half_width"] + 1e-12  # type: ignore[operator]
    assert found.ce_gap is None


def test_a_responder_is_needed() -> None:
    game = eqenvs.make("kuhn_poker")
    with pytest.raises(InputError, match="at least one best responder"):
        score_by_simulation(game, uniform(game), [], episodes=10)
