"""Equilibrium of a two-player zero-sum Markov game by value iteration.

Shapley (1953), "Stochastic games", PNAS 39. In a discounted game the values of iteration k are within discount^k of the
first error of the game's value, in every state; the iteration stops where the contraction shows that NashConv is within
the tolerance (`_value_iteration`). With a horizon it is backward induction, and exact after as many iterations.

Cost of an iteration: O(E) for E transitions, and the matrix games of all states, most of which are solved by checking
that the last basis is still optimal (`_matrix_games`).
"""

from __future__ import annotations

from typing import Any

from eqenvs.models.markov import MarkovModel
from eqsolvers.iterative import require_two_player_zero_sum
from eqsolvers.markov._bounded import bounded_solver
from eqsolvers.markov._matrix_games import compile_kernels
from eqsolvers.markov._value_iteration import ValueIteration, nash_residual, uniform_tables
from eqsolvers.markov._zero_sum import MatrixStages, product
from eqsolvers.result import two_players_constant_sum


def start(model: MarkovModel, *, seed: int = 0) -> ValueIteration:
    """The process.

    Args:
        model: the game.
        seed: of no use; nothing is drawn.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum.

    >>> import eqenvs
    >>> process = start(eqenvs.make("random_markov_game", zero_sum=True, seed=1).model())
    >>> process.run(200)
    >>> process.bound() < 1e-7
    True
    """
    require_two_player_zero_sum(model, "shapley-iteration", hint="nash-vi takes any")
    return ValueIteration(
        model,
        MatrixStages(model),
        plays=uniform_tables(model),
        policy=product,
        residual=nash_residual,
        players=1,
    )


def compile_for(model: Any) -> None:
    """Compile the kernels, or load them from the cache."""
    compile_kernels()


SOLVER = bounded_solver(
    "shapley-iteration",
    start,
    preference=10,
    covers=two_players_constant_sum,
    compile=compile_for,
    source="Shapley (1953)",
)
