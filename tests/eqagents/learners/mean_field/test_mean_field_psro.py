"""Mean-field PSRO: the restricted game against the exact scorer, its equilibria, and convergence with exact oracles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import validate
from eqagents.distributed import InlineExecutor
from eqagents.learners import find_learner
from eqagents.learners.mean_field._restricted import (
    Device,
    MixtureGame,
    against,
    coarse_correlated,
    gap,
    nash,
)
from eqagents.learners.mean_field.mean_field_psro import MeanFieldPSRO
from eqagents.learners.psro._loop import DoubleOracle
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import MixturePolicy, ProductPolicy, TabularPolicy, uniform
from eqsolvers.scoring import score


def restricted(game: eqenvs.Game, sizes: tuple[int, ...], seed: int = 0) -> MixtureGame:
    rng, tables = np.random.default_rng(seed), []
    for states, size in zip(game.information_states, sizes, strict=True):
        weight = rng.random((size, *states.masks.shape)) ** 4 * states.masks
        tables.append(weight / weight.sum(axis=-1, keepdims=True))
    model = game.model()
    assert isinstance(model, MeanFieldModel)
    return MixtureGame(model, tables)


@pytest.mark.parametrize(
    ("game_id", "parameters", "sizes"),
    [
        ("sis", {"horizon": 4}, (3,)),
        ("crowd_1d", {"size": 5, "horizon": 3}, (2,)),
        ("predator_prey", {"horizon": 3}, (2, 3, 1)),
    ],
)
def test_the_mixtures_mean_payoff_is_the_value_of_the_mixture_by_the_exact_scorer(
    game_id: str, parameters: dict[str, Any], sizes: tuple[int, ...]
) -> None:
    game = eqenvs.make(game_id, **parameters)
    found, rng = restricted(game, sizes), np.random.default_rng(1)
    shares = tuple(rng.dirichlet(np.ones(size)) for size in sizes)
    payoffs = found.payoffs(shares)
    entries = []
    for p, own in enumerate(shares):
        tables = [[states.uniform() for states in game.information_states] for _ in own]
        for k, table in enumerate(tables):
            table[p] = found._tables[p][k]
        entries.append(MixturePolicy([TabularPolicy(game, table) for table in tables], own))
    scored = score(game, ProductPolicy(entries))
    means = [float(own @ worth) for own, worth in zip(shares, payoffs, strict=True)]
    np.testing.assert_allclose(means, scored.values, atol=1e-9)
    assert gap(payoffs, shares) <= scored.nash_conv + 1e-9


def test_nash_of_two_pure_choices_is_two_thirds() -> None:
    game = eqenvs.make("left_right")
    model = game.model()
    assert isinstance(model, MeanFieldModel)
    found = MixtureGame(model, [np.stack([np.tile(row, (6, 1)) for row in np.eye(2)])])
    mixture, left = nash(found.payoffs, (np.array([0.0, 1.0]),), 200, 1e-12)
    assert mixture[0] == pytest.approx([2 / 3, 1 / 3], abs=1e-9)
    assert left == pytest.approx(0, abs=1e-9)


def test_a_restricted_gap_that_cannot_close_is_told() -> None:
    mixture, left = nash(lambda x: (np.array([0.0, 1.0]),), (np.array([1.0, 0.0]),), 0, 0.0)
    assert left == 1.0
    assert mixture[0].tolist() == [1.0, 0.0]


def test_the_gap_of_a_device_with_one_mixture_is_its_nash_conv() -> None:
    game = eqenvs.make("crowd_1d", size=5, horizon=3)
    found = restricted(game, (3,))
    shares = np.array([0.2, 0.5, 0.3])
    _, left = against(found, Device(np.ones(1), (shares[None],)))
    mixed = found.model.mix(0, found._tables[0], shares)
    assert left == pytest.approx(score(game, TabularPolicy(game, [mixed])).nash_conv, abs=1e-9)


def test_gaps_of_devices_fall_within_the_restricted_game() -> None:
    found = restricted(eqenvs.make("crowd_1d", size=5, horizon=3), (4,))
    gains = []
    for rounds in (5, 50, 500):
        device = coarse_correlated(found.payoffs, found.sizes, rounds)
        assert device.weights.sum() == pytest.approx(1)
        payoffs = [(weight, found.payoffs(mixture)[0], mixture[0]) for weight, mixture in device.mixtures()]
        own = sum(weight * worth @ shares for weight, worth, shares in payoffs)
        gains.append(sum(weight * worth for weight, worth, _ in payoffs).max() - own)  # type: ignore[union-attr]
    assert gains[2] < gains[1] < gains[0]
    assert gains[2] < 0.01


def run(game: eqenvs.Game, steps: int, **settings: Any) -> tuple[MeanFieldPSRO, Any, dict[str, float]]:
    spec = find_learner("mean_field_psro")
    learner = spec.build(game, validate(spec.config, {"id": spec.id, **settings}), InlineExecutor(0))
    state, metrics = learner.init(np.random.SeedSequence(0)), {}
    for _ in range(steps):
        state, metrics = learner.step(state)
    assert isinstance(learner, DoubleOracle)
    return learner, state, metrics


@pytest.mark.parametrize(
    ("game_id", "parameters", "steps", "left"),
    [
        ("left_right", {}, 2, 1e-9),
        ("mean_field_rps", {}, 4, 1e-6),
        ("crowd_1d", {"size": 5, "horizon": 4}, 10, 1e-6),
        ("sis", {"horizon": 7}, 10, 0.01),
        ("predator_prey", {"horizon": 2}, 6, 1e-6),
        ("contraction_game", {}, 3, 0.02),
    ],
)
def test_exact_oracles_lead_to_equilibrium(game_id: str, parameters: dict[str, Any], steps: int, left: float) -> None:
    game = eqenvs.make(game_id, **parameters)
    learner, state, metrics = run(game, steps)
    scored = score(game, learner.average_policy(state)).nash_conv
    assert scored <= left
    assert scored < 0.15 * score(game, uniform(game)).nash_conv
    assert [len(population) for population in state.restricted.populations] == [steps + 1] * game.num_players
    assert metrics["samples/episodes"] == 0


def test_coarse_correlated_equilibria_hold_against_every_policy() -> None:
    game = eqenvs.make("crowd_1d", size=5, horizon=4)
    learner, state, _ = run(game, 8, meta={"concept": "cce", "rounds": 100})
    _, early, _ = run(game, 1, meta={"concept": "cce", "rounds": 100})
    assert 0 <= learner.measures(state)["cce_gap"] < 0.1 * early.restricted.gap
    assert state.restricted.device.plays[0].shape == (100, 9)


def test_what_cannot_be_mixed_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"mixes policies of mean-field games, kuhn_poker is extensive_form"):
        run(eqenvs.make("kuhn_poker"), 0)
    with pytest.raises(UnsupportedGame, match=r"whose moves do not depend on the mean field, sis is none"):
        run(eqenvs.make("sis"), 0, meta={"concept": "cce"})
    with pytest.raises(InputError, match=r"a CCE needs oracle 'exact', got 'mean_field_q'"):
        run(eqenvs.make("left_right"), 0, meta={"concept": "cce"}, oracle={"id": "mean_field_q"})
    with pytest.raises(InputError, match=r"'policy_gradient' responds to players, not to a mean field; use 'mean"):
        run(eqenvs.make("left_right"), 0, oracle={"id": "policy_gradient"})
    with pytest.raises(InputError, match=r"mean_field_z"):
        run(eqenvs.make("left_right"), 0, oracle={"id": "mean_field_z"})
