"""Behaviour tables as JSON files: readable, and loaded without running anything.

`{"game": id, "parameters": {...}, "players": [{information state: {action: probability}}, ...]}`; actions that are
absent have probability 0, information states may not be absent. A correlation device of a normal-form game has, instead
of the players, `"joint": [{"actions": [one per player], "probability": p}, ...]`; one of a Markov game that is drawn
anew at every state has `"state": information state` in each of these, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from eqenvs.errors import InputError, PolicyError
from eqenvs.game import Game
from eqenvs.given_files import read_text
from eqenvs.policies import CorrelatedStrategy, MarkovCorrelatedPolicy, TabularPolicy, from_mapping
from eqenvs.registry import make
from eqenvs.spec import Family

Stored: TypeAlias = TabularPolicy | CorrelatedStrategy | MarkovCorrelatedPolicy


def policy_to_json(game: Game, policy: Stored) -> dict[str, Any]:
    """The policy as JSON data."""
    if not isinstance(policy, TabularPolicy):
        labels = [game.action_labels(player) for player in range(game.num_players)]
        if isinstance(policy, MarkovCorrelatedPolicy):
            distributions, states = policy.distributions, game.information_state_labels(0)
        else:
            distributions, states = policy.distribution[None], []
        joint = [
            {
                **({"state": states[state]} if states else {}),
                "actions": [labels[p][a] for p, a in enumerate(actions)],
                "probability": float(distributions[state, *actions]),
            }
            for state, *actions in np.argwhere(distributions > 0)
        ]
        return {"game": game.spec.id, "parameters": game.parameters, "joint": joint}
    players = []
    for player, table in enumerate(policy.tables):
        actions = game.action_labels(player)
        players.append(
            {
                label: {action: float(p) for action, p, legal in zip(actions, row, mask, strict=True) if legal}
                for label, row, mask in zip(
                    game.information_state_labels(player), table, policy.information_states[player].masks, strict=True
                )
            }
        )
    return {"game": game.spec.id, "parameters": game.parameters, "players": players}


def policy_from_json(data: Any, where: str) -> tuple[Game, Stored]:
    """The game and the policy that JSON data stands for.

    Args:
        data: what `policy_to_json` gives.
        where: what to call it in messages.

    Raises:
        PolicyError: if a key is missing or the table is wrong, naming the place.
        UnknownNameError: if there is no such game.
    """
    _require(isinstance(data, dict), where, "a policy file must hold a mapping")
    _require(
        "game" in data and ("players" in data) != ("joint" in data),
        where,
        "a policy file needs the keys 'game', 'parameters' and 'players' (or 'joint')",
    )
    parameters, players = data.get("parameters", {}), data.get("players", [])
    _require(isinstance(data["game"], str), where, "'game' must be the id of a game")
    _require(isinstance(parameters, dict), where, "'parameters' must be a mapping")
    if "joint" in data:
        game = make(data["game"], **parameters)
        return game, _joint_from_json(game, data["joint"], where)
    _require(isinstance(players, list), where, "'players' must be a list with one table per player")
    for player, rows in enumerate(players):
        _require(isinstance(rows, dict), where, f"player {player}'s table must be a mapping")
        for label, row in rows.items():
            place = f"player {player}, information state {label!r}"
            _require(isinstance(row, dict), where, f"{place}: must be a mapping of actions to probabilities")
            for action, value in row.items():
                number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53
                _require(number, where, f"{place}: the probability of {action!r} must be a number from 0 to 1")
    game = make(data["game"], **parameters)
    labels = [game.information_state_labels(player) for player in range(game.num_players)]
    actions = [game.action_labels(player) for player in range(game.num_players)]
    try:
        return game, from_mapping(game, labels, actions, players)
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}") from None


def _joint_from_json(game: Game, joint: Any, where: str) -> CorrelatedStrategy | MarkovCorrelatedPolicy:
    labels = [game.action_labels(player) for player in range(game.num_players)]
    anew = game.family is Family.MARKOV
    rows = {state: row for row, state in enumerate(game.information_state_labels(0))} if anew else {}
    distributions = np.zeros([max(1, len(rows)), *(len(actions) for actions in labels)])
    _require(isinstance(joint, list), where, "'joint' must be a list of actions with their probability")
    for index, entry in enumerate(joint):
        actions = entry.get("actions") if isinstance(entry, dict) else None
        fits = isinstance(actions, list) and len(actions) == len(labels)
        _require(fits, where, f"entry {index} of 'joint' must have 'actions', one per player")
        for player, action in enumerate(actions or []):
            _require(action in labels[player], where, f"entry {index}: player {player} has no action {action!r}")
        probability = entry.get("probability")
        number = isinstance(probability, int | float) and not isinstance(probability, bool)
        _require(number, where, f"entry {index}: 'probability' must be a number")
        state = entry.get("state")
        _require(
            not anew or state in rows, where, f"entry {index}: 'state' must be an information state, got {state!r}"
        )
        chosen = (labels[p].index(a) for p, a in enumerate(actions or []))
        distributions[rows.get(state, 0), *chosen] += probability
    try:
        return MarkovCorrelatedPolicy(game, distributions) if anew else CorrelatedStrategy(game, distributions[0])
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}") from None


def _require(holds: bool, where: str, rule: str) -> None:
    if not holds:
        raise PolicyError(f"{where}: {rule}")


def load_policy(path: Path) -> tuple[Game, Stored]:
    """Read a policy file.

    Raises:
        PolicyError: if it cannot be read, is no JSON, or holds no valid policy.
    """
    try:
        data = json.loads(read_text(path))
    except InputError as error:
        raise PolicyError(f"policy file {error}") from None
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"policy file {path} is no JSON: {error}") from None
    return policy_from_json(data, str(path))
