"""No-regret learners over batches of simplices, one file each, and their self-play as solvers."""

from eqsolvers.normal_form.learning._online import OnlineLearner, importance_weighted
from eqsolvers.normal_form.learning._self_play import Dynamics, SelfPlay, play, together

__all__ = ["Dynamics", "OnlineLearner", "SelfPlay", "importance_weighted", "play", "together"]
