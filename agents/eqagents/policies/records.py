"""Policies as plain data: what a population holds, a checkpoint stores and a task receives.

A record is a dict with a `kind`: `uniform`; `tabular` with `table` [I, A]; `mlp` with `hidden` and `weights`.
Nothing in it is code, so loading one runs none.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch

from eqagents.policies.mlp import MaskedMLP, TorchPolicy
from eqenvs.arrays import Float64Array
from eqenvs.errors import CheckpointError, PolicyError
from eqenvs.game import Game
from eqenvs.models.information_states import InformationStates
from eqenvs.policies import BehaviourPolicy, TabularPolicy

PolicyRecord: TypeAlias = dict[str, Any]


class UniformPolicy:
    """Every legal action with the same probability, in any game."""

    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `eqenvs.policies.BehaviourPolicy`."""
        return states.uniform()


def mlp_record(network: MaskedMLP, hidden: tuple[int, ...]) -> PolicyRecord:
    """The record of a network; its weights are copied to the CPU."""
    weights = {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}
    return {"kind": "mlp", "hidden": list(hidden), "weights": weights}


def to_network(record: PolicyRecord, game: Game, player: int) -> MaskedMLP:
    """The network of an `mlp` record.

    Raises:
        CheckpointError: if its layers do not fit the game's observations or actions.
    """
    rules = game.rules
    network = MaskedMLP(rules.observation_size, record["hidden"], rules.num_actions[player])
    weights = {name: torch.tensor(np.asarray(array)) for name, array in record["weights"].items()}
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != found:
        raise CheckpointError(
            f"the network does not fit {game!r}: layers {found} where observation size {rules.observation_size} and "
            f"{rules.num_actions[player]} actions ask for {expected}"
        )
    network.load_state_dict(weights)
    return network


def to_policy(record: PolicyRecord, game: Game, player: int) -> BehaviourPolicy:
    """The policy that a record stands for, to be asked about `player`.

    Raises:
        CheckpointError: if the record is of an unknown kind or does not fit the game.
    """
    kind = record.get("kind")
    try:
        if kind == "uniform":
            return UniformPolicy()
        if kind == "tabular":
            tables = [states.uniform() for states in game.information_states]
            tables[player] = record["table"]
            return TabularPolicy(game, tables)
        if kind == "mlp":
            return TorchPolicy(to_network(record, game, player))
    except KeyError as error:
        raise CheckpointError(f"a policy record of kind {kind!r} lacks {error}") from None
    except PolicyError as error:
        raise CheckpointError(f"the policy record does not fit {game!r}: {error}") from None
    raise CheckpointError(f"unknown kind of policy {kind!r}; known: mlp, tabular, uniform")
