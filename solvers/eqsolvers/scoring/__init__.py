"""How far a joint policy is from equilibrium, and how sure that is."""

from eqsolvers.scoring.score import GAPS, Gap, Score, ScoreKind, best_response, score, warm_up
from eqsolvers.scoring.simulated import BestResponder, score_by_simulation
from eqsolvers.scoring.triggers import TriggerGains, trigger_gains

__all__ = [
    "GAPS",
    "BestResponder",
    "Gap",
    "Score",
    "ScoreKind",
    "TriggerGains",
    "best_response",
    "score",
    "score_by_simulation",
    "trigger_gains",
    "warm_up",
]
