"""Structural invariants of exact models, each recomputed here in another way than the models' builders use."""

from __future__ import annotations

from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.models import ExtensiveFormModel, InformationStates, MarkovModel, MeanFieldModel, NormalFormModel, Treeplex
from eqenvs.rules import CHANCE, TERMINAL
from eqenvs.testing._common import require, require_equal
from eqenvs.testing.markov import check_markov_model
from eqenvs.testing.mean_field import check_mean_field_model

TOLERANCE = 1e-9  # probability, or payoff per unit of the largest payoff


def check_model(game: Game) -> None:
    """Check the exact model's structure.

    Args:
        game: a game whose model can be built.

    Raises:
        AssertionError: naming the place where an invariant fails.
        UnsupportedGame: for a class of model that there are no checks for.
    """
    model = game.model()
    require(model.num_players == game.num_players, game, "model.num_players", game.num_players, model.num_players)
    if isinstance(model, ExtensiveFormModel):
        _check_tree(game, model)
        for player, treeplex in enumerate(model.treeplexes):
            _check_states(game, player, treeplex.states)
            _check_treeplex(game, player, treeplex)
        _check_sequence_form(game, model)
        _check_constant_sum(game, model.payoffs.T, model.constant_sum())
    elif isinstance(model, NormalFormModel):
        _check_normal_form(game, model)
        _check_constant_sum(game, model.payoffs, model.constant_sum())
    elif isinstance(model, MarkovModel):
        for player, states in enumerate(model.information_states):
            _check_states(game, player, states)
        check_markov_model(game, model)
    elif isinstance(model, MeanFieldModel):
        check_mean_field_model(game, model)
    else:
        raise UnsupportedGame(f"check_model: no checks for models of class {type(model).__name__}")


def _check_array(game: Game, place: str, array: Any, dtype: str, shape: tuple[int, ...]) -> None:
    require(isinstance(array, np.ndarray), game, place, "a numpy array", type(array).__name__)
    require(array.dtype == np.dtype(dtype), game, f"{place}, dtype", dtype, array.dtype)
    require(array.shape == shape, game, f"{place}, shape", shape, array.shape)
    require(not array.flags.writeable, game, place, "a read-only array", "one that can be written to")


def _check_constant_sum(game: Game, payoffs: Float64Array, said: bool) -> None:
    """The model's word and SPEC's against the payoffs, [N, ...]."""
    totals = payoffs.sum(axis=0)
    constant = bool(totals.max() - totals.min() <= TOLERANCE * np.abs(payoffs).max())
    require(said == constant, game, "model.constant_sum()", constant, said)
    declared = game.constant_sum
    # Without parameters, this instance decides what holds "for all parameters".
    decided = declared or not game.spec.parameters
    require(not decided or constant == declared, game, "constant sum", f"{declared} as in SPEC", constant)


def _check_states(game: Game, player: int, states: InformationStates) -> None:
    place = f"player {player}'s information states"
    count = len(states.keys)
    require(
        states.keys.ndim == 2 and states.keys.dtype == np.int64, game, f"{place}, keys", "[I, W] int64", states.keys
    )
    rules = game.rules
    _check_array(game, f"{place}, keys", states.keys, "int64", (count, states.keys.shape[1]))
    _check_array(game, f"{place}, observations", states.observations, "float32", (count, rules.observation_size))
    _check_array(game, f"{place}, masks", states.masks, "bool", (count, rules.num_actions[player]))
    distinct = len(np.unique(states.keys, axis=0)) if count else 0
    require(distinct == count, game, f"{place}, keys", f"{count} different ones", distinct)
    empty = np.flatnonzero(~states.masks.any(axis=1))
    require(not empty.size, game, f"{place}, masks", "a legal action everywhere", f"none at {empty[:1].tolist()}")
    low, high = rules.observation_bounds
    outside = ~((states.observations >= low) & (states.observations <= high)).all(axis=1)
    row = int(np.argmax(outside)) if count else 0
    require(
        not outside.any(),
        game,
        f"{place}, observation {row}",
        f"entries in [{low}, {high}]",
        states.observations[row].tolist() if count else [],
    )


def _check_tree(game: Game, model: ExtensiveFormModel) -> None:
    """Parents, levels, movers, chance probabilities and the children of every history."""
    size, ends, n = len(model.parent), len(model.terminals), model.num_players
    for name in ("parent", "action", "player", "infoset"):
        _check_array(game, f"model.{name}", getattr(model, name), "int64", (size,))
    _check_array(game, "model.chance", model.chance, "float64", (size,))
    _check_array(game, "model.level_start", model.level_start, "int64", (len(model.level_start),))
    _check_array(game, "model.terminals", model.terminals, "int64", (ends,))
    _check_array(game, "model.payoffs", model.payoffs, "float64", (ends, n))
    require(np.isfinite(model.payoffs).all(), game, "model.payoffs", "finite numbers", "NaN or infinity")

    require((model.parent[0], model.action[0]) == (-1, -1), game, "root", "parent and action -1", "another")
    order = np.flatnonzero(model.parent >= np.arange(size))
    require(not order.size, game, "model.parent", "parents before children", f"history {order[:1].tolist()} is not")
    bounds = model.level_start
    require(
        bounds[0] == 0 and bounds[-1] == size and (np.diff(bounds) > 0).all(),
        game,
        "model.level_start",
        f"increasing bounds from 0 to {size}",
        bounds.tolist(),
    )
    level = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    wrong = 1 + np.flatnonzero(level[1:] != level[model.parent[1:]] + 1)
    require(not wrong.size, game, "model.level_start", "children one level below", f"history {wrong[:1].tolist()}")
    keys = model.parent[1:] * (1 + int(model.action.max())) + model.action[1:]
    require((np.diff(keys) > 0).all(), game, "model.parent", "siblings together, in the order of actions", "another")

    known = ((model.player >= 0) & (model.player < n)) | np.isin(model.player, (CHANCE, TERMINAL))
    require(known.all(), game, "model.player", "players, CHANCE or TERMINAL", np.unique(model.player).tolist())
    children = np.bincount(model.parent[1:], minlength=size)
    require_equal(game, "terminal histories, those without children", children == 0, model.player == TERMINAL)
    require_equal(game, "model.terminals", np.flatnonzero(children == 0), model.terminals)

    above = model.parent[1:]
    by_chance = model.player[above] == CHANCE
    require((model.chance[1:][by_chance] > 0).all(), game, "model.chance", "positive chance edges", "one that is not")
    require((model.chance[1:][~by_chance] == 1).all(), game, "model.chance", "1 on players' edges", "another")
    sums = np.bincount(above[by_chance], weights=model.chance[1:][by_chance], minlength=size)
    off = np.flatnonzero((model.player == CHANCE) & (np.abs(sums - 1) > TOLERANCE))
    require(not off.size, game, f"chance history {off[:1].tolist()}", "probabilities summing to 1", sums[off[:1]])

    require((model.infoset[model.player < 0] == -1).all(), game, "model.infoset", "-1 off decisions", "another")
    for player, treeplex in enumerate(model.treeplexes):
        members = np.flatnonzero(model.player == player)
        met = np.unique(model.infoset[members])
        require_equal(game, f"player {player}'s information sets with members", np.arange(treeplex.num_infosets), met)
        # Every member's children are the legal actions of its information set, in order: no more, no fewer.
        row, legal = np.nonzero(treeplex.states.masks[model.infoset[members]])
        edges = 1 + np.flatnonzero(model.player[above] == player)
        require_equal(game, f"player {player}'s edges, histories moved at", members[row], model.parent[edges])
        require_equal(game, f"player {player}'s edges, legal actions", legal, model.action[edges])


def _check_treeplex(game: Game, player: int, treeplex: Treeplex) -> None:
    """Sequence numbers, topological order and depths."""
    place = f"player {player}'s treeplex"
    count = treeplex.num_infosets
    for name in ("parent_sequence", "first_sequence", "num_actions"):
        _check_array(game, f"{place}, {name}", getattr(treeplex, name), "int64", (count,))
    _check_array(game, f"{place}, depth_start", treeplex.depth_start, "int64", (len(treeplex.depth_start),))
    infoset_of, action_of = [-1], [-1]
    first = []
    for infoset, mask in enumerate(treeplex.states.masks):
        first.append(len(infoset_of))
        for action in np.flatnonzero(mask):
            infoset_of.append(infoset)
            action_of.append(int(action))
    require(treeplex.num_sequences == len(infoset_of), game, f"{place}, Q", len(infoset_of), treeplex.num_sequences)
    require_equal(game, f"{place}, num_actions", treeplex.states.masks.sum(axis=1), treeplex.num_actions)
    require_equal(game, f"{place}, first_sequence", np.array(first, dtype=np.int64), treeplex.first_sequence)
    require_equal(game, f"{place}, sequence_infoset", infoset_of, treeplex.sequence_infoset)
    require_equal(game, f"{place}, sequence_action", action_of, treeplex.sequence_action)
    depth: list[int] = []
    for infoset, parent in enumerate(treeplex.parent_sequence.tolist()):
        above = infoset_of[parent]
        require(above < infoset, game, f"{place}, information set {infoset}", "its parent before it", f"parent {above}")
        depth.append(0 if above < 0 else depth[above] + 1)
    require(depth == sorted(depth), game, f"{place}, order", "information sets sorted by depth", depth)
    bounds = np.searchsorted(depth, np.arange(max(depth, default=-1) + 2))
    require_equal(game, f"{place}, depth_start", bounds, treeplex.depth_start)


def _walk(model: ExtensiveFormModel) -> tuple[IntArray, Float64Array]:
    """Each player's sequence [H, N] and chance's part of the reach [H] at every history, walking the tree."""
    sequences = np.zeros((len(model.parent), model.num_players), dtype=np.int64)
    reach = np.ones(len(model.parent))
    # Sequence of each legal action, counted from 1 in the order of information sets and actions.
    numbers = [np.cumsum(t.states.masks.reshape(-1)).reshape(t.states.masks.shape) for t in model.treeplexes]
    for start, stop in zip(model.level_start[1:-1], model.level_start[2:], strict=True):
        here = np.arange(start, stop)
        above = model.parent[here]
        sequences[here] = sequences[above]
        reach[here] = reach[above] * model.chance[here]
        for player, number in enumerate(numbers):
            moved = here[model.player[above] == player]
            sequences[moved, player] = number[model.infoset[model.parent[moved]], model.action[moved]]
    return sequences, reach


def _check_sequence_form(game: Game, model: ExtensiveFormModel) -> None:
    """Perfect recall, the terminals' sequences, and payoffs per profile of sequences."""
    n, ends = model.num_players, len(model.terminals)
    _check_array(game, "model.chance_reach", model.chance_reach, "float64", (ends,))
    _check_array(game, "model.terminal_sequences", model.terminal_sequences, "int64", (ends, n))
    profiles = len(model.payoff_sequences)
    _check_array(game, "model.payoff_sequences", model.payoff_sequences, "int64", (profiles, n))
    _check_array(game, "model.payoff_values", model.payoff_values, "float64", (profiles, n))
    sequences, reach = _walk(model)
    for player, treeplex in enumerate(model.treeplexes):
        members = np.flatnonzero(model.player == player)
        require_equal(
            game,
            f"player {player}'s own sequence at its decisions (perfect recall)",
            treeplex.parent_sequence[model.infoset[members]],
            sequences[members, player],
        )
    require_equal(game, "model.terminal_sequences", sequences[model.terminals], model.terminal_sequences)
    require_equal(game, "model.chance_reach", reach[model.terminals], model.chance_reach, 1e-12)

    distinct, group = np.unique(model.terminal_sequences, axis=0, return_inverse=True)
    summed = np.zeros((len(distinct), n))
    np.add.at(summed, group.reshape(-1), model.payoffs * reach[model.terminals, None])
    order = np.lexsort(model.payoff_sequences.T[::-1])
    require_equal(game, "model.payoff_sequences, sorted", distinct, model.payoff_sequences[order])
    scale = 1e-12 * max(1.0, float(np.abs(model.payoffs).max(initial=0.0)))
    require_equal(game, "model.payoff_values, sorted", summed, model.payoff_values[order], scale)
    sizes = {
        "histories": len(model.parent),
        "terminals": ends,
        "infosets": [len(states.keys) for states in model.information_states],
        "sequences": [1 + int(states.masks.sum()) for states in model.information_states],
        "payoff_entries": len(distinct),
    }
    require(model.sizes() == sizes, game, "model.sizes()", sizes, model.sizes())


def _check_normal_form(game: Game, model: NormalFormModel) -> None:
    n, actions = model.num_players, model.num_actions
    _check_array(game, "model.payoffs", model.payoffs, "float64", (n, *actions))
    require(np.isfinite(model.payoffs).all(), game, "model.payoffs", "finite numbers", "NaN or infinity")
    sizes = {"actions": list(actions), "profiles": int(np.prod(actions))}
    require(model.sizes() == sizes, game, "model.sizes()", sizes, model.sizes())
    rng = np.random.default_rng(0)
    strategies = [rng.dirichlet(np.ones(a)) for a in actions]
    scale = TOLERANCE * max(1.0, float(np.abs(model.payoffs).max()))
    for player, states in enumerate(model.information_states):
        place = f"player {player}'s information states"
        require(states.masks.shape == (1, actions[player]), game, place, (1, actions[player]), states.masks.shape)
        require(states.masks.all(), game, place, "every action legal", states.masks.tolist())
        weight = np.ones(actions)
        for other, strategy in enumerate(strategies):
            if other != player:
                weight = weight * strategy.reshape([-1 if axis == other else 1 for axis in range(n)])
        others = tuple(axis for axis in range(n) if axis != player)
        by_hand = (model.payoffs[player] * weight).sum(axis=others)
        require_equal(game, f"model.gradient({player})", by_hand, model.gradient(player, strategies), scale)
