"""Mean-field models against a plain recomputation, and the game of many agents against its limit."""

from __future__ import annotations

import importlib.util

import numpy as np

from eqenvs.arrays import Float64Array, make_backend
from eqenvs.game import Game
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import PopulationRules
from eqenvs.rules import SIMULTANEOUS, TERMINAL
from eqenvs.simulation import advance, decision_points, start
from eqenvs.testing._common import require, require_equal

TOLERANCE = 1e-9  # probability, or payoff per unit of the largest payoff
CONFIDENCE = 6.0  # standard deviations
STEPS = 12  # moments to look at


def check_mean_field_model(game: Game, model: MeanFieldModel, seed: int = 0) -> None:
    """Kernels are stochastic, rewards finite, the flow and both libraries' operators agree with dense arithmetic.

    Raises:
        AssertionError: naming the place.
    """
    rng = np.random.default_rng(seed)
    policy = random_policy(model, rng)
    moments, populations, states, actions = model.policy_shape
    for table, points in zip(model.as_tables(policy), model.information_states, strict=True):
        require(points.keys.shape[0] == moments * states, game, "information states", moments * states, points.keys)
        distinct = len(np.unique(points.keys, axis=0))
        require(distinct == len(points.keys), game, "keys, distinct", len(points.keys), distinct)
        require(not table[~points.masks].any(), game, "masks", "as_tables in the order of information_states", table)
    flow = model.flow(policy)
    require(flow.shape == (moments, populations, states), game, "model.flow", "[M, P, S]", flow.shape)
    require_equal(game, "model.flow, mass", np.ones((moments, populations)), flow.sum(axis=-1), TOLERANCE)
    for moment in range(moments if model.horizon is not None and moments <= STEPS else 1):
        kernel = dense_kernel(model, flow[moment], moment)
        require((kernel >= -TOLERANCE).all(), game, f"kernel at moment {moment}", "no negative entry", kernel.min())
        mass = np.ones((populations, states, actions))
        require_equal(game, f"kernel at moment {moment}, mass", mass, kernel.sum(axis=-1), TOLERANCE)
        after = np.einsum("ps,psa,psat->pt", flow[moment], policy[moment], kernel)
        for child in np.flatnonzero(model.moments.parent == moment):
            if child != moment:
                require_equal(game, f"model.flow at moment {child}", after, flow[child], TOLERANCE)
        require_equal(game, "model.advance", after, model.advance(flow[moment], policy, moment), TOLERANCE)
    if importlib.util.find_spec("torch") is not None:
        _check_torch(game, model, flow)


def _check_torch(game: Game, model: MeanFieldModel, flow: Float64Array) -> None:
    """The operators give the same on torch."""
    xp, device, _ = make_backend("cpu", "torch")
    every = model.at(slice(None))
    time, noise = (xp.asarray(part.copy(), device=device) for part in every)
    mean_field = xp.asarray(flow, device=device)
    moment = type(every)(time, noise)
    reward = np.asarray(model.rewards(mean_field, moment))
    require_equal(game, "rewards on torch", model.rewards(flow, every), reward, TOLERANCE)
    shape = (*flow.shape[:1], *model.successors.shape)
    probability = model.probabilities(flow, every)
    on_torch = np.asarray(model.probabilities(mean_field, moment))
    require_equal(game, "probabilities on torch", probability, on_torch, TOLERANCE)
    require(probability.shape[-3:] == shape[1:], game, "probabilities", shape, probability.shape)


def dense_kernel(model: MeanFieldModel, mean_field: Float64Array, moment: int) -> Float64Array:
    """Where everybody goes, [P, S, A, S], one successor after the other."""
    populations, states, actions = (*mean_field.shape, model.num_actions)
    probability = np.asarray(model.probabilities(mean_field, model.at(moment)))
    probability = np.broadcast_to(probability, (populations, *model.successors.shape))
    kernel = np.zeros((populations, states, actions, states))
    for population in range(populations):
        for state in range(states):
            for action in range(actions):
                np.add.at(
                    kernel[population, state, action],
                    model.successors[state, action],
                    probability[population, state, action],
                )
    return kernel


def random_policy(model: MeanFieldModel, rng: np.random.Generator) -> Float64Array:
    """A joint policy of full support on the legal actions, [M, P, S, A]."""
    weight = rng.exponential(size=model.policy_shape) * model.legal
    policy: Float64Array = weight / weight.sum(axis=-1, keepdims=True)
    return policy


def check_population_matches_model(game: Game, *, agents: int = 20_000, seed: int = 0) -> None:
    """Many agents who follow a policy are distributed as the mean field says, and receive what it pays.

    The empirical distribution is followed for some steps. Each step's is compared with the mean field a step after the
    last empirical one, so that errors do not pile up: entries are off by at most 6 standard deviations of a multinomial
    draw.

    Raises:
        AssertionError: naming the step.
    """
    model = game.model()
    assert isinstance(model, MeanFieldModel)
    agents = max(agents, model.num_populations)
    rules = PopulationRules(model, agents)
    rng, backend = np.random.default_rng([seed, 3]), make_backend()
    policy = random_policy(model, rng)
    state, turn, _ = start(rules, 1, backend, backend.stream(seed))
    role = np.array(rules.roles)
    size = np.bincount(role)[:, None]
    expected = model.initial
    points = decision_points(rules, state, 0)
    require(points.keys.dtype == np.int64, game, "keys", "int64", points.keys.dtype)
    known = {tuple(key): row for row, key in enumerate(model.information_states[0].keys.tolist())}
    for step in range(min(STEPS, model.horizon or STEPS)):
        found = rules.mean_field(state)[0]
        spread = CONFIDENCE * np.sqrt(np.maximum(expected * (1 - expected), 0) / size) + 5 * CONFIDENCE / size
        off = np.abs(found - expected) > spread + TOLERANCE
        require(not off.any(), game, f"empirical distribution at step {step}", expected[off], found[off])
        require(int(turn[0]) == SIMULTANEOUS, game, f"turn at step {step}", SIMULTANEOUS, int(turn[0]))
        seen = rules.seen_by_all(state)
        row = known[tuple(seen.keys[0, 0].tolist())]
        require_equal(
            game,
            f"observation at step {step}",
            model.information_states[0].observations[row],
            seen.observations[0, 0],
            1e-6,
        )
        moment = row // model.num_states
        rows = policy[moment, role, state.agents[0]]
        chosen = (rows.cumsum(axis=1) < rng.random((agents, 1))).sum(axis=1).clip(max=model.num_actions - 1)
        chosen = np.where(seen.masks[0, np.arange(agents), chosen], chosen, seen.masks[0].argmax(axis=1))
        played = np.zeros(model.policy_shape[1:])
        np.add.at(played, (role, state.agents[0], chosen), 1.0)
        mass = played.sum(axis=-1, keepdims=True)
        empirical = np.broadcast_to(np.divide(played, mass, where=mass > 0, out=np.zeros_like(played)), policy.shape)
        reward = model.rewards(found, model.at(moment))[role, state.agents[0], chosen]
        actions = np.concatenate([chosen, np.zeros(rules.chance_draws, dtype=np.int64)])[None]
        expected = model.advance(found, empirical, moment)
        state, turn, received = advance(rules, state, actions, backend.stream(seed + 1 + step))
        require_equal(game, f"rewards at step {step}", reward, received[0], TOLERANCE * max(1.0, np.abs(reward).max()))
    if model.horizon is not None and model.horizon <= STEPS:
        require(int(turn[0]) == TERMINAL, game, "turn at the horizon", TERMINAL, int(turn[0]))
