"""Magnetic mirror descent at every information set: the reach that normalises values, the kernel, and the process.

With q(I, a) the expected payoff of action a given that information set I is reached (chance and the others play; the
player's own reach cancels), pi the present policy and rho the magnet, all information sets at once become

    pi'(a) ~ [pi(a) rho(a)^(eta alpha) exp(eta q(I, a))]^(1 / (1 + eta alpha)),

the maximiser of <p, q> - alpha KL(p, rho) - KL(p, pi) / eta. Sokota, D'Orazio, Kolter, Loizou, Lanctot, Mitliagkas,
Brown and Kroer (2023), "A unified approach to reinforcement learning, quantal response equilibria, and two-player
zero-sum games", ICLR; behavioural form.

Worked out on the exact quotient of the game where that keeps q exact: members of a class collect the same payoffs by
construction, and they are checked to be reached alike too. Policies are kept as logarithms, so that none vanishes.
Cost of an iteration: O(P + R) for P payoff entries and R reach entries, and an exponential per sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.models.information_states import unique_rows
from eqenvs.policies import TabularPolicy
from eqsolvers.extensive_form import _kernel
from eqsolvers.extensive_form._process import (
    TreeplexProcess,
    empty_side,
    realisation,
    sequence_classes,
    uniform_strategy,
)
from eqsolvers.extensive_form._symmetry import QuotientPlayer, quotient
from eqsolvers.kernels import compiled

REACH_DIGITS = 1e-12  # reach probabilities that differ by less are the same

# Columns of a schedule.
STEP, TEMPERATURE, MAGNET = range(3)

Schedule = Callable[[Float64Array], Float64Array]  # iterations t from 1 [T] -> [T, 3] in the order of the columns


class Reach(NamedTuple):
    """How each information set of a player is reached, laid out as the payoffs of a `_kernel.Side`."""

    row_start: NDArray[np.uint32]  # [I + 1]
    others: NDArray[np.uint32]  # [R, N - 1], the other players' sequences
    values: NDArray[np.float64]  # [R], chance


class MirrorState(NamedTuple):
    """One player's numbers, written in place."""

    log_policy: NDArray[np.float64]  # [Q]
    log_magnet: NDArray[np.float64]  # [Q], up to a constant per information set
    strategy: NDArray[np.float64]  # [Q]
    plan: NDArray[np.float64]  # [Q]
    gradient: NDArray[np.float64]  # [Q]
    reach: NDArray[np.float64]  # [I], of chance and the others


@compiled
def evaluate(sides: Any, reaches: Any, tables: Any, plans: Any) -> None:
    """What every sequence collects and how likely every information set is, against the others' plans."""
    for player in range(len(sides)):
        _kernel.collect(sides[player], player, plans, tables[player].gradient)
        _kernel.collect(reaches[player], player, plans, tables[player].reach)


@compiled
def step(side: Any, tables: Any, eta: float, alpha: float, magnet: float) -> None:
    """One player's update at all its information sets; consumes the gradient.

    Bottom-up, because an action is worth what the player's present policy makes of it further down.
    """
    first, parent, multiplicity = side.first, side.parent, side.multiplicity
    log_policy, log_magnet, strategy, plan = tables.log_policy, tables.log_magnet, tables.strategy, tables.plan
    gradient, reach = tables.gradient, tables.reach
    pull = eta * alpha
    for infoset in range(len(parent) - 1, -1, -1):
        start, stop = first[infoset], first[infoset + 1]
        value = 0.0
        for q in range(start, stop):
            value += strategy[q] * gradient[q]
        gradient[parent[infoset]] += multiplicity[infoset] * value
        # No policy is zero, so only an underflow leaves an information set unreached; no value is defined there and
        # the magnet alone acts.
        share = reach[infoset] if reach[infoset] > 0.0 else np.inf
        highest = -np.inf
        for q in range(start, stop):
            log_policy[q] = (log_policy[q] + pull * log_magnet[q] + eta * (gradient[q] / share)) / (1.0 + pull)
            highest = max(highest, log_policy[q])
        total = 0.0
        for q in range(start, stop):
            strategy[q] = np.exp(log_policy[q] - highest)
            total += strategy[q]
        shift = highest + np.log(total)
        for q in range(start, stop):
            strategy[q] /= total
            log_policy[q] -= shift
            log_magnet[q] = (1.0 - magnet) * log_magnet[q] + magnet * log_policy[q]
    for infoset in range(len(parent)):
        own = plan[parent[infoset]]
        for q in range(first[infoset], first[infoset + 1]):
            plan[q] = own * strategy[q]


@compiled
def iterate(sides: Any, reaches: Any, tables: Any, plans: Any, schedule: Any) -> None:
    """Run one iteration per row of `schedule` [iterations, 3]; `plans[p]` is the same memory as `tables[p].plan`."""
    for t in range(len(schedule)):
        evaluate(sides, reaches, tables, plans)
        for player in range(len(sides)):
            step(sides[player], tables[player], schedule[t, STEP], schedule[t, TEMPERATURE], schedule[t, MAGNET])


@compiled
def logit_error(side: Any, sizes: Any, tables: Any, temperature: float) -> tuple[float, float]:
    """How far a player is from its logit response, from what `evaluate` left; consumes the gradient.

    `sizes` [Q] says how many of the model's sequences, and so of its information sets, each one stands for.

    Returns:
        The largest |pi(a) - softmax(q / temperature)(a)|, and the sum over information sets of what an agent there
        could gain in its expected payoff plus temperature times its entropy, which is temperature times the divergence
        KL(pi, softmax(q / temperature)).
    """
    furthest, gain = 0.0, 0.0
    strategy, log_policy, gradient = tables.strategy, tables.log_policy, tables.gradient
    for infoset in range(len(side.parent) - 1, -1, -1):
        start, stop = side.first[infoset], side.first[infoset + 1]
        value = 0.0
        for q in range(start, stop):
            value += strategy[q] * gradient[q]
        gradient[side.parent[infoset]] += side.multiplicity[infoset] * value
        reach = tables.reach[infoset]
        share = reach if reach > 0.0 else np.inf
        highest = -np.inf
        for q in range(start, stop):
            gradient[q] = gradient[q] / share / temperature
            highest = max(highest, gradient[q])
        total = 0.0
        for q in range(start, stop):
            total += np.exp(gradient[q] - highest)
        divergence = highest + np.log(total)
        for q in range(start, stop):
            furthest = max(furthest, abs(strategy[q] - np.exp(gradient[q] - highest) / total))
            divergence += strategy[q] * (log_policy[q] - gradient[q])
        gain += sizes[start] * temperature * max(0.0, divergence)
    return furthest, gain


class MagneticMirrorDescent(TreeplexProcess):
    """Self-play of magnetic mirror descent from the uniform policy; judged by the NashConv of the last iterate.

    Args:
        model: any number of players.
        schedule: step sizes eta, temperatures alpha and the magnet's rates.
        reduce: whether to work on the exact quotient of the game; the iterates are the same.
    """

    def __init__(self, model: ExtensiveFormModel, schedule: Schedule, *, reduce: bool = True) -> None:
        players, self._reaches = reached_alike(model, reduce=reduce)
        super().__init__(model, players, [_tables(player) for player in players], traversals=1)
        self._schedule = schedule
        self._plans = tuple(table.plan for table in self._tables)

    def run(self, iterations: int) -> None:
        """See `Process`."""
        rows = self._schedule(np.arange(self.iteration + 1, self.iteration + 1 + iterations, dtype=np.float64))
        iterate(self._sides, self._reaches, self._tables, self._plans, rows)
        self.iteration += iterations

    def policy(self) -> TabularPolicy:
        """The last iterate."""
        return self._policy_of_strategies([table.strategy for table in self._tables])

    def residual(self) -> float:
        """Its exact NashConv."""
        return self._nash_conv(self._plans)


def _tables(player: QuotientPlayer) -> MirrorState:
    strategy = uniform_strategy(player)
    logarithm = np.log(strategy)
    size = len(strategy)
    plan = realisation(player, strategy)
    return MirrorState(logarithm, logarithm.copy(), strategy, plan, np.zeros(size), np.zeros(len(player.parent)))


def reached_alike(
    model: ExtensiveFormModel, *, reduce: bool = True
) -> tuple[tuple[QuotientPlayer, ...], tuple[Reach, ...]]:
    """A reduction of the game that keeps reach-normalised values exact, and the reach of its information sets.

    The colour refinement looks at payoffs only. Where it joins information sets that are reached differently and
    collect anything, the game is left whole.
    """
    sequences, chance = history_reach(model)
    players = quotient(model, reduce=reduce)
    found = [_reach(model, players, p, sequences, chance) for p in range(model.num_players)]
    if not all(alike for _, alike in found):
        players = quotient(model, reduce=False)
        found = [_reach(model, players, p, sequences, chance) for p in range(model.num_players)]
    return players, tuple(reach for reach, _ in found)


def history_reach(model: ExtensiveFormModel) -> tuple[IntArray, Float64Array]:
    """Each player's sequence at each history, [H, N], and the product of the chance probabilities on the way, [H]."""
    sequences = np.zeros((len(model.parent), model.num_players), dtype=np.int64)
    chance = model.chance.copy()
    numbers = []
    for treeplex in model.treeplexes:
        number = np.zeros(treeplex.states.masks.shape, dtype=np.int64)
        number[treeplex.states.masks] = np.arange(1, treeplex.num_sequences)
        numbers.append(number)
    for start, stop in zip(model.level_start[1:-1], model.level_start[2:], strict=True):
        above = model.parent[start:stop]
        sequences[start:stop] = sequences[above]
        chance[start:stop] *= chance[above]
        for player, number in enumerate(numbers):
            moved = np.flatnonzero(model.player[above] == player)
            sequences[start + moved, player] = number[model.infoset[above[moved]], model.action[start + moved]]
    return sequences, chance


def _reach(
    model: ExtensiveFormModel,
    players: tuple[QuotientPlayer, ...],
    p: int,
    sequences: IntArray,
    chance: Float64Array,
) -> tuple[Reach, bool]:
    """The reach of one player's quotient information sets, and whether all members of each share it."""
    histories = np.flatnonzero(model.player == p)
    columns = [model.infoset[histories]]
    for other, treeplex in enumerate(model.treeplexes):
        if other != p:
            columns.append(sequence_classes(players[other], treeplex)[sequences[histories, other]])
    first, group = unique_rows(np.stack(columns, axis=1))
    weight = np.bincount(group, weights=chance[histories], minlength=len(first))
    entries = np.stack(columns, axis=1)[first]
    infoset_class = players[p].infoset_class
    entries[:, 0] = infoset_class[entries[:, 0]]
    shared, member = unique_rows(entries)
    count = np.bincount(member, minlength=len(shared))
    total = np.bincount(member, weights=weight, minlength=len(shared))
    classes = entries[shared, 0]
    members = np.bincount(infoset_class, minlength=len(players[p].parent))[classes]
    # The same mean and the same entry for everybody; what never collects anything has values 0 however it is reached.
    apart = (count != members) | (np.bincount(member, np.abs(weight - (total / members)[member])) > REACH_DIGITS)
    alike = not (apart & _collects(players[p])[classes]).any()
    order = np.lexsort(entries[shared].T[::-1])
    reach = Reach(
        row_start=np.searchsorted(classes[order], np.arange(len(players[p].parent) + 1)).astype(np.uint32),
        others=np.ascontiguousarray(entries[shared][order, 1:].astype(np.uint32)),
        values=(total / members)[order],
    )
    return reach, alike


def _collects(player: QuotientPlayer) -> NDArray[np.bool_]:
    """Whether any payoff is collected at or below each information set, [I]."""
    sequence = np.diff(player.row_start) > 0
    collects = np.zeros(len(player.parent), dtype=bool)
    for infoset in range(len(player.parent) - 1, -1, -1):
        collects[infoset] = sequence[player.first[infoset] : player.first[infoset + 1]].any()
        sequence[player.parent[infoset]] |= collects[infoset]
    return collects


def warm_up(num_players: int) -> None:
    """Compile the loops for a number of players, or load them from the cache, without running a game."""
    _kernel.warm_up(num_players)
    side = empty_side(num_players)
    reach = Reach(side.row_start, side.others, side.values)
    tables = tuple(MirrorState(*(np.ones(2) for _ in MirrorState._fields)) for _ in range(num_players))
    plans = tuple(table.plan for table in tables)
    iterate((side,) * num_players, (reach,) * num_players, tables, plans, np.zeros((0, 3)))
    evaluate((side,) * num_players, (reach,) * num_players, tables, plans)
    logit_error(side, np.ones(2), tables[0], 1.0)
