"""Policies that learners make, and the plain records in which they travel and are stored; a kind of record a file."""

from eqagents.policies.mlp import MaskedMLP
from eqagents.policies.network import PolicyNetwork, TorchPolicy
from eqagents.policies.records import (
    PolicyRecord,
    RecordKind,
    kinds,
    network_sizes,
    to_network,
    to_policy,
    to_table,
)
from eqagents.policies.tabular import tabular_record
from eqagents.policies.uniform import uniform_record

__all__ = [
    "MaskedMLP",
    "PolicyNetwork",
    "PolicyRecord",
    "RecordKind",
    "TorchPolicy",
    "kinds",
    "network_sizes",
    "tabular_record",
    "to_network",
    "to_policy",
    "to_table",
    "uniform_record",
]
