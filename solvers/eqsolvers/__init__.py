"""Equilibrium solvers and scoring over the exact models of `eqenvs`."""

from eqsolvers.result import SolverResult, Status
from eqsolvers.scoring import Score, score

__all__ = ["Score", "SolverResult", "Status", "score"]
