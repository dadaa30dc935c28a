"""Policies that learners make, and the plain records in which they travel and are stored."""

from eqagents.policies.mlp import MaskedMLP, TorchPolicy
from eqagents.policies.records import PolicyRecord, mlp_record, to_policy

__all__ = ["MaskedMLP", "PolicyRecord", "TorchPolicy", "mlp_record", "to_policy"]
