"""Independent natural policy gradient with softmax policies: multiplicative weights on averaged action values.

Kakade (2001), NeurIPS, for one player. Every player at once, state by state, Q its action values averaged over the
others' play (`_evaluation`):

    pi(a)  <-  pi(a) exp(eta Q(a)) / sum over b of the same.

Cen, Chen and Chi (2022), "Independent natural policy gradient methods for potential games: finite-time global
convergence with entropy regularization", CDC; Zhang, Mei, Dai, Schuurmans and Li (2022), "On the global convergence
rates of decentralized softmax gradient play in Markov potential games", NeurIPS; Sun et al. (2023), "Provably fast
convergence of independent natural policy gradient for Markov potential games", NeurIPS, whose eta is the present one
times 1 - gamma. NashConv tends to 0 in Markov potential games, on average over the iterates like 1 / T for eta small.

Default eta = 1 / (n R H), R the size of the rewards (half their range) and H = 1 / (1 - gamma) or the horizon: then a
common value never falls. For, with d_i the change of player i's play at a state: the players' own terms gain <d_i, Q_i>
>= |d_i|^2 / eta, in the 1-norm, and moving together costs at most the sum over pairs of |d_i| |d_j| R H, which is no
more than (n - 1) / 2 times R H times the sum of |d_i|^2; the performance difference lemma adds this up over states.

`temperature` tau adds tau times the entropy of a player's play to its reward: pi ~ pi^(1 - eta tau) exp(eta Q_tau),
whose fixed points are logit (quantal response) equilibria pi ~ exp(Q_tau / tau), not Nash; measure `logit_error`.
`barrier` lambda adds lambda times the sum over points and actions of log pi: eta Q(a) + eta lambda / (visits pi(a)) in
the exponent, where there are visits, which keeps play off the edges, where the gradient without it vanishes.

With l = lambda / visits, the barrier's part l / pi of the exponent changes with the logits by -l diag(1 / pi^2)
(diag(pi) - pi pi'), which is similar to -l (diag(1 / pi) - 1 1'), of eigenvalues from -l max 1 / pi to 0: its
smoothness there, without a bound towards the edges. The default step of a player at a point is therefore 1 / (1 / eta +
l / min pi), eta as above, from the present play. The barrier then adds 1 to an exponent at most, and the least
probability grows by about a factor of e where it is too small. At a stationary point l / pi(a) is at most A l plus the
range of Q, which keeps the step away from 0. A given `eta` is taken as it is, and play that leaves the inside, where
the barrier is finite, is refused.

Any number of players, exact from the model. Cost of an iteration: see `_evaluation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.kernels import compiled
from eqsolvers.markov.learning._evaluation import (
    Evaluated,
    effective_horizon,
    evaluate,
    policy_of_strategies,
    reward_scales,
    starting_strategies,
)
from eqsolvers.markov.learning._online import ModelOnly
from eqsolvers.markov.learning._process import SampledProcess, compiling, refuse_large, seeds_of
from eqsolvers.markov.learning.independent_policy_gradient import ETA, START

METHOD = "natural-policy-gradient"
SMALL = 1e-140  # least visits and probability that a lowered step is worked out for


class NaturalGradientState(NamedTuple):
    """All that changes."""

    logit: Float64Array  # [B, N, I, A], log-probabilities; 0 at actions that are none


@compiled
def play_of(table: Any, logit: Any, strategy: Any) -> None:
    """Write softmax over the legal actions, and shift the logits [N, I, A] to log-probabilities."""
    for player in range(logit.shape[0]):
        for point in range(logit.shape[1]):
            state = point % table.states
            count, actions = table.counts[player, state], table.actions[player, state]
            largest, total = -np.inf, 0.0
            for k in range(count):
                largest = max(largest, logit[player, point, actions[k]])
            for k in range(count):
                total += np.exp(logit[player, point, actions[k]] - largest)
            shift = largest + np.log(total)
            for k in range(count):
                logit[player, point, actions[k]] -= shift
                strategy[player, point, actions[k]] = np.exp(logit[player, point, actions[k]])


@compiled
def climb(
    table: Any,
    eta: float,
    temperature: float,
    barrier: float,
    cautious: bool,
    averaged: Any,
    visits: Any,
    strategy: Any,
    logit: Any,
) -> bool:
    """Move the logits [N, I, A]; whether play was inside and stays finite.

    Args:
        table: the game.
        eta: step.
        temperature: of the entropy.
        barrier: lambda.
        cautious: whether the step is lowered by the barrier's smoothness; see the module.
        averaged: [N, I, A].
        visits: [I].
        strategy: [N, I, A], of the logits.
        logit: written.
    """
    good = True
    for player in range(logit.shape[0]):
        for point in range(logit.shape[1]):
            state = point % table.states
            step, pushed = eta, barrier > 0.0 and visits[point] > 0.0
            if pushed and cautious:
                least = 1.0
                for k in range(table.counts[player, state]):
                    least = min(least, strategy[player, point, table.actions[player, state, k]])
                step = 1.0 / (1.0 / eta + barrier / max(visits[point], SMALL) / max(least, SMALL))
            for k in range(table.counts[player, state]):
                action = table.actions[player, state, k]
                move = averaged[player, point, action] - temperature * logit[player, point, action]
                if pushed:
                    good &= strategy[player, point, action] > 0.0
                    seen = max(visits[point], SMALL) if cautious else visits[point]
                    move += barrier / (seen * max(strategy[player, point, action], SMALL if cautious else 1e-300))
                logit[player, point, action] += step * move
                good &= np.isfinite(logit[player, point, action])
    return good


class NaturalPolicyGradient(SampledProcess):
    """See the module.

    Args:
        model: the game.
        seed: of random first strategies; several run side by side.
        eta: step size, per unit of payoff; None: the default of the module, lowered where there is a barrier.
        temperature: weight of the entropy, in units of payoff.
        barrier: weight of the log-barrier, in units of payoff.
        start: "uniform" or "random" first strategies.
    """

    def __init__(
        self,
        model: MarkovModel,
        seed: int | Sequence[int],
        *,
        eta: float | None,
        temperature: float,
        barrier: float,
        start: str,
    ) -> None:
        seeds = seeds_of(seed)
        refuse_large(METHOD, len(seeds), model.num_players, model.num_points, max(model.num_actions))
        played = starting_strategies(model, seeds, start == "random")
        logit = np.log(played, out=np.zeros_like(played), where=played > 0)
        super().__init__(model, seed, NaturalGradientState(logit), concept="nash")
        self._eta = default_step(model, temperature) if eta is None else eta
        self._cautious = eta is None
        self._temperature, self._barrier = temperature, barrier

    def _play(self, episodes: int) -> None:
        for run, logit in enumerate(self._tables.logit):
            for _ in range(episodes):
                strategy, found = self._evaluated(logit)
                good = climb(
                    self.table,
                    self._eta,
                    self._temperature,
                    self._barrier,
                    self._cautious,
                    found.averaged,
                    found.visits,
                    strategy,
                    logit,
                )
                if not good:
                    raise InputError(
                        f"{METHOD}: play has left the inside or is not finite: eta={self._eta:g} is too large with "
                        f"barrier={self._barrier:g}; lower eta, or leave it out for a step that suits the barrier"
                    )
                self._steps[run] += self.model.num_points * self.table.profiles

    def _evaluated(self, logit: Float64Array) -> tuple[Float64Array, Evaluated]:
        """The strategies of logits, which are shifted, and their values with the entropies to come."""
        strategy = np.zeros_like(logit)
        play_of(self.table, logit, strategy)
        if not self._temperature > 0:
            return strategy, evaluate(self.model, self.table, strategy)
        entropy = -self._temperature * (strategy * logit).sum(axis=2)
        return strategy, evaluate(self.model, self.table, strategy, entropy)

    def policy_of(self, run: int) -> TabularPolicy:
        """The last strategies of the seed in that place."""
        strategy = np.zeros(self._tables.logit.shape[1:])
        play_of(self.table, self._tables.logit[run].copy(), strategy)
        return policy_of_strategies(self.model, strategy)

    def measures(self) -> dict[str, float]:
        """How far play is from the logit equilibrium of the temperature, the largest difference of a probability."""
        if not self._temperature > 0:
            return {}
        strategy, found = self._evaluated(self._tables.logit[0].copy())
        answer = np.zeros_like(strategy)
        play_of(self.table, found.averaged / self._temperature, answer)
        return {"logit_error": float(np.abs(answer - strategy).max())}


def default_step(model: MarkovModel, temperature: float = 0.0) -> float:
    """1 / (n R H); see the module. A temperature adds its largest entropy to R, and no step passes its target."""
    largest = reward_scales(model).max() + temperature * np.log(max(model.num_actions))
    step = 1 / (model.num_players * largest * effective_horizon(model))
    return float(min(step, 1 / temperature) if temperature > 0 else step)


ONLINE = ModelOnly(id=METHOD, why="its action values are exact averages over the others' play, from the model")
SOLVER = compiling(
    iterative_solver(
        METHOD,
        NaturalPolicyGradient,
        source="Cen, Chen, Chi (2022), CDC; Zhang et al. (2022), NeurIPS; Sun et al. (2023), NeurIPS",
        parameters=(
            ETA,
            Parameter(
                name="temperature",
                default=0.0,
                kind=float,
                low=0.0,
                high=1e9,
                description="weight of each player's entropy, in units of payoff",
            ),
            Parameter(
                name="barrier",
                default=0.0,
                kind=float,
                low=0.0,
                high=1e9,
                description="weight of the log-barrier, in units of payoff",
            ),
            START,
        ),
        random=True,
        family=Family.MARKOV,
        check_every=100,
        default_iterations=10_000,
    )
)
