"""Exact models of the four game families: frozen, float64, read-only.

Axis letters, the same everywhere: N players, A actions, I information sets, Q sequences, H histories, Z terminal
histories, S states, T horizon, K population size, B batch, D observation size. Payoffs are
`payoffs[player, a_0, ..., a_{N-1}]`.
"""

from typing import TypeAlias

from eqenvs.models.congestion import CongestionModel
from eqenvs.models.extensive_form import ExtensiveFormModel, Treeplex
from eqenvs.models.information_states import InformationStates
from eqenvs.models.markov import FirstStates, MarkovModel, Successors
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.models.polymatrix import PolymatrixModel
from eqenvs.models.structured import StructuredModel
from eqenvs.models.symmetric import SymmetricModel

Model: TypeAlias = ExtensiveFormModel | NormalFormModel | MarkovModel | MeanFieldModel

__all__ = [
    "CongestionModel",
    "ExtensiveFormModel",
    "FirstStates",
    "InformationStates",
    "MarkovModel",
    "MeanFieldModel",
    "Model",
    "NormalFormModel",
    "PolymatrixModel",
    "StructuredModel",
    "Successors",
    "SymmetricModel",
    "Treeplex",
]
