"""A joint policy from anywhere as a policy file."""

from __future__ import annotations

import json
from pathlib import Path

from eqenvs.game import Game
from eqenvs.policies import JointPolicy, TabularPolicy, tabulate
from eqenvs.policy_files import policy_to_json


def export_policy(game: Game, policy: JointPolicy, path: Path) -> TabularPolicy:
    """Ask the policy once at every information state, and write what it says for `eqenvs evaluate`.

    Args:
        game: one that can be enumerated.
        policy: any joint policy that is no correlation device over several players.
        path: of the file, to be replaced if it is there.

    Returns:
        The table that was written.

    Raises:
        GameTooLargeError: the game cannot be enumerated.
        PolicyError: the policy is no distribution somewhere, or correlates the players.
    """
    table = tabulate(game.model(), policy)
    path.write_text(json.dumps(policy_to_json(game, table), indent=1), encoding="utf-8")
    return table
