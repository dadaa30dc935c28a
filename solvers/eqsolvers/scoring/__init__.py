"""How far a joint policy is from equilibrium, and how sure that is."""

from eqsolvers.scoring.score import Score, ScoreKind, score
from eqsolvers.scoring.simulated import BestResponder, score_by_simulation

__all__ = ["BestResponder", "Score", "ScoreKind", "score", "score_by_simulation"]
