"""Policies of any origin held against each other: cross-play, ratings, and the regret of populations."""

from eqsolvers.evaluation.cross_play import CrossPlay, cross_play
from eqsolvers.evaluation.elo import EloRatings, elo
from eqsolvers.evaluation.empirical_regret import Evaluated, Variant, evaluate, least_regret, regret, regret_curve
from eqsolvers.evaluation.entrants import Entrant
from eqsolvers.evaluation.max_entropy_nash import MaxEntropyNash, max_entropy_nash
from eqsolvers.evaluation.multidimensional_elo import MultidimensionalElo, decompose, multidimensional_elo
from eqsolvers.evaluation.nash_averaging import NashAverage, TaskAverage, nash_average, nash_average_on_tasks
from eqsolvers.evaluation.simulated import Allocation
from eqsolvers.evaluation.tournament import Tournament, round_robin

__all__ = [
    "Allocation",
    "CrossPlay",
    "EloRatings",
    "Entrant",
    "Evaluated",
    "MaxEntropyNash",
    "MultidimensionalElo",
    "NashAverage",
    "TaskAverage",
    "Tournament",
    "Variant",
    "cross_play",
    "decompose",
    "elo",
    "evaluate",
    "least_regret",
    "max_entropy_nash",
    "multidimensional_elo",
    "nash_average",
    "nash_average_on_tasks",
    "regret",
    "regret_curve",
    "round_robin",
]
