"""Markov games: the exact model's structure, and the simulator against it, transition by transition and on average."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, IntArray, make_backend, put_rows
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.markov_rules import MarkovRules
from eqenvs.models import MarkovModel
from eqenvs.models.information_states import KeyIndex, masks_where_acting
from eqenvs.policies import TabularPolicy
from eqenvs.rules import TERMINAL
from eqenvs.simulation import advance, decision_points, simulate, start
from eqenvs.testing._common import random_actions, require, require_equal

STANDARD_ERRORS = 5.0
TOLERANCE = 1e-9  # probability, or payoff per unit of the largest


def check_markov_model(game: Game, model: MarkovModel) -> None:
    """Check shapes, dtypes, distributions and what the model says of its sums.

    Raises:
        AssertionError: naming the place where an invariant fails.
    """
    states, rows = model.num_states, model.num_rows
    for name, array in (("reward", model.reward), ("initial", model.initial)):
        require(array.dtype == np.float64, game, f"model.{name}, dtype", "float64", array.dtype)
        require(not array.flags.writeable, game, f"model.{name}", "a read-only array", "one that can be written to")
        require(np.isfinite(array).all(), game, f"model.{name}", "finite numbers", "NaN or infinity")
    start, after, probability = model.successors
    require((start[0], start[-1], len(start)) == (0, len(after), rows + 1), game, "successors.start", "one per row", "")
    require((probability > 0).all(), game, "successors.probability", "positive numbers", probability.min(initial=1.0))
    require(((after >= 0) & (after <= states)).all(), game, "successors.state", f"0 to {states}", after.max(initial=0))
    sums = np.zeros(rows)
    np.add.at(sums, np.repeat(np.arange(rows), np.diff(start)), probability)
    legal = np.ones((states, 1), dtype=bool)
    for mask in model.legal:
        legal = (legal[:, :, None] & mask[:, None, :]).reshape(states, -1)
    require_equal(game, "successors, sum of each row", legal.reshape(-1).astype(float), sums, TOLERANCE)
    off = float(np.abs(model.initial.sum() - 1))
    require(off <= TOLERANCE and model.initial.min() >= 0, game, "model.initial", "a distribution", f"off by {off:.3g}")
    totals = model.reward.sum(axis=0).reshape(-1)[legal.reshape(-1)]
    level = np.ptp(totals) <= TOLERANCE * np.abs(model.reward).max()
    nothing = np.abs(totals).max() <= TOLERANCE * np.abs(model.reward).max()
    constant = bool(level and (nothing or not (after == states).any()))
    require(model.constant_sum() == constant, game, "model.constant_sum()", constant, model.constant_sum())
    decided = game.constant_sum or not game.spec.parameters
    require(
        not decided or constant == game.constant_sum, game, "constant sum", f"{game.constant_sum} in SPEC", constant
    )


def check_states_match_env(game: Game, *, batch: int = 256, steps: int = 40, seed: int = 0) -> None:
    """Random play through the rules against the model.

    Every state met is a state of the model, with its legal actions and views; every transition is one that the model
    has; rewards and successors have the model's expectations, within 5 standard errors over all steps (rewards of a
    game without chance exactly).

    Raises:
        AssertionError: naming the state and what differs.
        UnsupportedGame: if the game is not a Markov game.
    """
    rules, model = game.rules, game.model()
    if not isinstance(model, MarkovModel) or not isinstance(rules, MarkovRules):
        raise UnsupportedGame(f"{game.spec.id}: not a Markov game")
    backend, rng = make_backend(), np.random.default_rng(seed)
    stream = backend.stream(seed)
    index = KeyIndex(model.keys)
    state, turn, _ = start(rules, batch, backend, stream)
    test = rng.normal(size=model.num_states + 1)
    errors: list[Float64Array] = []
    widest = 1e-9 * (1 + float(np.abs(model.reward).max()))
    for step in range(steps):
        number = index.rows(rules.state_key(state))
        _check_seen(game, model, rules, state, number)
        joint = random_actions(rules, state, rng)
        row = np.ravel_multi_index((number, *joint[:, : rules.num_players].T), model.reward.shape[1:])
        state, turn, rewards = advance(rules, state, joint, stream)
        over = rules.ended(state)
        late = np.zeros(batch, dtype=bool) if model.horizon is None else state.step >= model.horizon
        require(((turn == TERMINAL) == (over | late)).all(), game, f"step {step}, over", over | late, turn == TERMINAL)
        successor = np.full(batch, model.num_states)
        if not over.all():
            successor[~over] = index.rows(rules.state_key(state)[~over])
        error = _against(game, model, row, successor, test)
        off = rewards - model.reward.reshape(model.num_players, -1)[:, row].T
        if rules.num_chance_outcomes == 0:
            worst = np.abs(off).max()
            require(worst <= widest, game, f"step {step}, rewards", "the model's", f"others, by {worst:.3g}")
        errors.append(np.concatenate([off, error[:, None]], axis=1))
        again = np.flatnonzero(over | late)
        if again.size:
            state = put_rows(state, again, start(rules, again.size, backend, stream)[0])
    found = np.concatenate(errors)
    bound = STANDARD_ERRORS * found.std(axis=0) / np.sqrt(len(found)) + widest
    mean = np.abs(found.mean(axis=0))
    require((mean <= bound).all(), game, "mean error of rewards and of a test function of successors", bound, mean)


def _check_seen(game: Game, model: MarkovModel, rules: MarkovRules[Any], state: Any, number: IntArray) -> None:
    acting = rules.acting(state)
    for player in range(rules.num_players):
        points = decision_points(rules, state, player)
        masks = masks_where_acting(points.masks, acting[:, player])
        require_equal(game, f"player {player}'s legal actions", model.legal[player][number], masks)
        view = points.observations[:, rules.horizon is not None :]
        require_equal(game, f"player {player}'s view", model.views[player][number], view)


def _against(game: Game, model: MarkovModel, row: IntArray, successor: IntArray, test: Float64Array) -> Float64Array:
    """How far a test function is, at the successor of each row, from its expectation."""
    expected = np.empty(len(row))
    for i, (r, s) in enumerate(zip(row, successor, strict=True)):
        part = slice(model.successors.start[r], model.successors.start[r + 1])
        after = model.successors.state[part]
        require(s in after, game, f"row {r}", f"a successor among {after.tolist()}", int(s))
        expected[i] = model.successors.probability[part] @ test[after]
    error: Float64Array = test[successor] - expected
    return error


def expected_returns(model: MarkovModel, policy: TabularPolicy) -> Float64Array:
    """Each player's exact discounted return from the first state, [N], by plain sums over the rows.

    Of a discounted game the sums go on until what is left weighs less than 1e-12.
    """
    states, profiles = model.num_states, int(np.prod(model.num_actions))
    occupancy, total, weight, step = model.initial.copy(), np.zeros(model.num_players), 1.0, 0
    row_of = np.repeat(np.arange(model.num_rows), np.diff(model.successors.start))
    while weight > 1e-12 and (model.horizon is None or step < model.horizon):
        at = slice(None) if model.horizon is None else slice(step * states, (step + 1) * states)
        joint = np.ones((states, 1))
        for table in policy.tables:
            joint = (joint[:, :, None] * table[at][:, None, :]).reshape(states, -1)
        mass = (occupancy[:, None] * joint).reshape(states * profiles)
        total += weight * (model.reward.reshape(model.num_players, -1) @ mass)
        flow = mass[row_of] * model.successors.probability
        occupancy = np.zeros(states + 1)
        np.add.at(occupancy, model.successors.state, flow)
        occupancy = occupancy[:states]
        weight, step = weight * model.discount, step + 1
    return total


def check_returns_match_env(game: Game, policy: TabularPolicy, *, episodes: int = 1000, seed: int = 0) -> None:
    """Simulated discounted returns are the exact ones, within 5 standard errors.

    Raises:
        AssertionError: naming the player whose mean return is off.
    """
    model = game.model()
    assert isinstance(model, MarkovModel)
    expected = expected_returns(model, policy)
    returns = simulate(game.rules, policy, episodes, seed)
    bound = STANDARD_ERRORS * returns.std(axis=0) / np.sqrt(episodes) + 1e-6 * (1 + np.abs(expected))
    for player, (want, got, width) in enumerate(zip(expected, returns.mean(axis=0), bound, strict=True)):
        place = f"simulate, player {player}'s mean return"
        require(abs(want - got) <= width, game, place, f"{want:.6g} +- {width:.2g}", f"{got:.6g}")
