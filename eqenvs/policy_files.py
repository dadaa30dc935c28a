"""Behaviour tables as JSON files: readable, and loaded without running anything.

`{"game": id, "parameters": {...}, "players": [{information state: {action: probability}}, ...]}`; actions that are
absent have probability 0, information states may not be absent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eqenvs.errors import PolicyError
from eqenvs.game import Game
from eqenvs.policies import TabularPolicy, from_mapping
from eqenvs.registry import make


def policy_to_json(game: Game, policy: TabularPolicy) -> dict[str, Any]:
    """The policy as JSON data."""
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


def policy_from_json(data: Any, where: str) -> tuple[Game, TabularPolicy]:
    """The game and the policy that JSON data stands for.

    Args:
        data: what `policy_to_json` gives.
        where: what to call it in messages.

    Raises:
        PolicyError: if a key is missing or the table is wrong, naming the place.
        UnknownNameError: if there is no such game.
    """
    if not isinstance(data, dict) or not {"game", "players"} <= data.keys():
        raise PolicyError(f"{where}: a policy file needs the keys 'game', 'parameters' and 'players'")
    game = make(data["game"], **data.get("parameters", {}))
    labels = [game.information_state_labels(player) for player in range(game.num_players)]
    actions = [game.action_labels(player) for player in range(game.num_players)]
    try:
        return game, from_mapping(game, labels, actions, data["players"])
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}") from None


def load_policy(path: Path) -> tuple[Game, TabularPolicy]:
    """Read a policy file.

    Raises:
        PolicyError: if it cannot be read, is no JSON, or holds no valid policy.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"policy file {path} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise PolicyError(f"policy file {path} is no JSON: {error}") from None
    return policy_from_json(data, str(path))
