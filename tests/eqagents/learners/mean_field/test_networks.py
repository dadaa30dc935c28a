"""Networks over decision points: fits with closed forms, and policies that see the distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.learners.mean_field._experience import Experience, SamplingConfig, rules_of
from eqagents.learners.mean_field._mirror import sample
from eqagents.learners.mean_field._networks import (
    NetworkAct,
    TrainingConfig,
    along_flow,
    fit_policy,
    fit_values,
    fresh,
    points_of,
    probabilities,
    restored,
    seen_at,
    sharpened,
    tabulated,
)
from eqagents.policies import to_policy
from eqenvs.errors import InputError
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field._dynamics import RESTS, Dynamics

SMALL = TrainingConfig(hidden=(16,), updates=400, batch=32, refresh=20, learning_rate=0.02)


def model_of(name: str, **parameters: object) -> MeanFieldModel:
    model = eqenvs.make(name, **parameters).model()
    assert isinstance(model, MeanFieldModel)
    return model


@pytest.mark.parametrize(("after", "value"), [(0, 2.0), (-1, 1.0)])
def test_what_ends_is_worth_its_reward_and_what_is_cut_off_goes_on(after: int, value: float) -> None:
    """One state that pays 1 and comes back: 1 / (1 - 1/2) if it goes on, 1 if it ends."""
    torch.manual_seed(0)
    model = model_of("left_right")
    network = restored(fresh(model, False, SMALL, 0))
    seen = torch.ones(1, 4)
    steps = Experience(np.zeros(8, np.int64), np.arange(8) % 2, np.ones(8), np.full(8, after))
    fit_values(
        network, seen, steps, torch.ones(8), lambda out: out.max(dim=1).values, 0.5, SMALL, np.random.default_rng(0), 0
    )
    assert network(seen).detach().numpy() == pytest.approx(np.full((1, 2), value), abs=0.02)


def test_a_fit_that_is_not_finite_stops_and_names_the_first_bad_tensor() -> None:
    network = restored(fresh(model_of("left_right"), False, SMALL, 0))
    steps = Experience(np.zeros(8, np.int64), np.arange(8) % 2, np.ones(8), np.full(8, -1))
    paid, rng = torch.full((8,), float("nan")), np.random.default_rng(0)
    once = SMALL.model_copy(update={"updates": 1})
    with pytest.raises(InputError, match=r"iteration 4: rewards is not finite"):
        fit_values(network, torch.ones(1, 4), steps, paid, lambda out: out[:, 0], 0.5, once, rng, 3)


def test_a_policy_is_fitted_to_frequencies() -> None:
    model = model_of("left_right")
    network = restored(fresh(model, False, SMALL, 0))
    states = model.information_states[0]
    point, action = np.repeat(np.arange(6), 100), np.tile(np.arange(100) < 25, 6).astype(np.int64)
    arrays = (states.observations, states.masks, point, action)
    fit_policy(network, *(torch.tensor(array) for array in arrays), SMALL, np.random.default_rng(0), 0)  # type: ignore[arg-type]
    assert probabilities(network, states.observations, states.masks)[:, 1] == pytest.approx(np.full(6, 0.25), abs=0.06)


def test_records_are_policies_of_the_game_and_sharpen_by_powers() -> None:
    game = eqenvs.make("crowd_1d", size=5, horizon=3)
    model = model_of("crowd_1d", size=5, horizon=3)
    record = fresh(model, False, TrainingConfig(hidden=(8, 4)), 3)
    network, states = restored(record), model.information_states[0]
    table = probabilities(network, states.observations, states.masks)
    np.testing.assert_allclose(to_policy(record, game, 0)(0, states), table, atol=1e-12)
    sharp = probabilities(restored(sharpened(network, 7.0)), states.observations, states.masks)
    expected = table**7 / (table**7).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(sharp, expected, atol=1e-5)


def test_networks_see_what_agents_see() -> None:
    game = eqenvs.make("predator_prey", horizon=3, num_agents=9, sees_distribution=True)
    rules = rules_of(game, "test")
    env = game.vector_env(4)
    step = env.reset(seed=0)
    mean_field = rules.mean_field(env._state)  # type: ignore[arg-type]
    seen = seen_at(rules.model, np.zeros(4, np.int64), mean_field).reshape(4, rules.model.num_states, -1)
    at = env._state.agents  # type: ignore[union-attr]
    np.testing.assert_array_equal(np.stack([seen[b, at[b]] for b in range(4)]), step.observations)


def test_points_of_a_play_hold_what_its_steps_saw() -> None:
    game = eqenvs.make("sis", horizon=3, num_agents=20, sees_distribution=True)
    rules = rules_of(game, "test")
    records = [fresh(rules.model, True, SMALL, 0)]
    play = sample(np.random.SeedSequence(0), game=game, records=records, sampling=SamplingConfig(), starts=None)
    observations, masks, steps = points_of(rules.model, True, play, 0)
    look = steps.point // 2
    np.testing.assert_allclose(observations[steps.point, 0], play.looks.moment[look] / 3, atol=1e-7)
    np.testing.assert_allclose(observations[steps.point, 3:], play.looks.mean_field[look, 0], atol=1e-7)
    assert masks.shape == (len(observations), 2)


def blind(model: MeanFieldModel, seed: int) -> tuple[object, object]:
    """A network, and one that sees the distribution too and takes no notice."""
    record = fresh(model, False, SMALL, seed)
    first = next(iter(record["weights"]))
    wide = {**record["weights"], first: np.pad(record["weights"][first], [(0, 0), (0, model.initial.size)])}
    return restored(record), restored({**record, "weights": wide})


@pytest.mark.parametrize("name", ["sis", "predator_prey"])
def test_along_the_flow_a_policy_that_ignores_it_is_its_own_table(name: str) -> None:
    model = model_of(name, horizon=4)
    pairs = [blind(model, seed) for seed in range(model.num_populations)]
    plain = tabulated(model, [pair[0] for pair in pairs], False)  # type: ignore[misc]
    np.testing.assert_allclose(along_flow(model, [pair[1] for pair in pairs]), plain, atol=1e-6)  # type: ignore[misc]


@pytest.mark.parametrize("name", ["sis", "contraction_game"])
def test_a_master_policy_is_tabulated_where_its_own_flow_leads(name: str) -> None:
    model = model_of(name, **({"horizon": 4} if name == "sis" else {}))
    networks = [restored(sharpened(restored(fresh(model, True, SMALL, 1)), 50.0))]
    policy = along_flow(model, networks)
    flow = Dynamics(model).flow(policy)
    np.testing.assert_allclose(NetworkAct(model, networks).at(np.arange(len(flow)), flow), policy, atol=1e-5)
    if model.horizon is None:
        moved = model.advance(flow[0], policy)
        assert np.abs(moved - flow[0]).sum() <= 100 * RESTS
    elsewhere = NetworkAct(model, networks).at(np.arange(len(flow)), flow[:, :, ::-1])
    assert np.abs(elsewhere - policy).max() > 1e-3  # it does look at the distribution
