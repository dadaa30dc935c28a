"""The normal form of a small extensive-form game, and the way back.

A strategy is a *reduced* pure policy: an action at every information set that the player's own earlier actions do not
exclude. Policies that differ only at excluded ones pay everybody the same against anything, and are one strategy (Kuhn
1953, "Extensive games and the problem of information"; von Stengel 1996, Games and Economic Behavior 14, section 2, for
the reduced form). A player has the product over its first information sets of the sum over their actions of the same
below, exponentially many in general: Kuhn poker 27 and 64, Leduc poker some 10^45 each.

Assumes perfect recall; any number of players. Payoffs come from the sequence form, exactly up to rounding. Cost: the
payoff tensor and the plans; while it is made, also the tensor with the first players' sequences for their strategies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from eqenvs.arrays import Float64Array, IntArray, read_only
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models.extensive_form import ExtensiveFormModel, Treeplex
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.models.numbers import MAX_NUMBERS, written

DEFAULT_MAX_STRATEGIES = 10_000  # of a player


class NormalFormView(NormalFormModel):
    """The reduced normal form of an extensive-form game: a normal-form model that knows where it comes from.

    Attributes:
        source: the extensive-form game.
        plans: per player [S, Q] float64 of zeros and ones, read-only: the realisation plan of each strategy.
    """

    source: ExtensiveFormModel
    plans: tuple[Float64Array, ...]

    def __init__(self, payoffs: ArrayLike, source: ExtensiveFormModel, plans: tuple[Float64Array, ...]) -> None:
        super().__init__(payoffs)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "plans", tuple(read_only(plan) for plan in plans))

    def behaviour(self, player: int, strategy: ArrayLike) -> Float64Array:
        """The behaviour table [I, A] on `source` that is realisation-equivalent to a mixed strategy [S].

        Uniform where the strategy never arrives, which it does not matter for.

        Raises:
            InputError: if the strategy has another length.
        """
        weights = np.asarray(strategy, dtype=np.float64).reshape(-1)
        if len(weights) != len(self.plans[player]):
            raise InputError(
                f"player {player} has {len(self.plans[player])} strategies, got a mixture over {len(weights)}"
            )
        return self.source.treeplexes[player].behaviour(weights @ self.plans[player])

    def strategy(self, player: int, table: Float64Array) -> Float64Array:
        """The mixed strategy [S] of drawing an action at every information set from a behaviour table [I, A]."""
        behaviour = table[self.source.information_states[player].masks]  # [Q - 1]
        mixed: Float64Array = np.where(self.plans[player][:, 1:] > 0, behaviour, 1.0).prod(axis=1)
        return mixed


def count_strategies(treeplex: Treeplex) -> float:
    """How many reduced pure policies a player has; exact below 2^53, and inf beyond the range of a float."""
    return float(_counts(treeplex)[0])


def normal_form_view(
    model: ExtensiveFormModel,
    *,
    max_strategies: int = DEFAULT_MAX_STRATEGIES,
    max_numbers: int = MAX_NUMBERS,
) -> NormalFormView:
    """The reduced normal form.

    Args:
        model: any number of players.
        max_strategies: the most that any player may have.
        max_numbers: the most that the payoff tensor and the plans may have together, of eight bytes each.

    Raises:
        GameTooLargeError: if there are more; they are counted before anything is made.

    >>> import eqenvs
    >>> view = normal_form_view(eqenvs.make("kuhn_poker").model())
    >>> view.num_actions
    (27, 64)
    """
    counts = [count_strategies(treeplex) for treeplex in model.treeplexes]
    for player, count in enumerate(counts):
        if count > max_strategies:
            raise GameTooLargeError(
                f"normal_form_view: player {player} has {written(count)} reduced strategies, the limit is "
                f"max_strategies={max_strategies:,}"
            )
    plan_sizes = [count * treeplex.num_sequences for count, treeplex in zip(counts, model.treeplexes, strict=True)]
    total = len(counts) * float(np.prod(counts)) + sum(plan_sizes)
    if total > max_numbers:
        raise GameTooLargeError(
            f"normal_form_view: payoff tensor and plans have {written(total)} numbers, the limit is "
            f"max_numbers={max_numbers:,}"
        )
    plans = tuple(_reduced_plans(treeplex) for treeplex in model.treeplexes)
    return NormalFormView(_payoffs(model, plans), model, plans)


def _counts(treeplex: Treeplex) -> Float64Array:
    """How many ways there are to go on after each sequence, [Q]."""
    counts = np.ones(treeplex.num_sequences)
    with np.errstate(over="ignore"):
        for infoset in reversed(range(treeplex.num_infosets)):
            start = treeplex.first_sequence[infoset]
            stop = start + treeplex.num_actions[infoset]
            counts[treeplex.parent_sequence[infoset]] *= counts[start:stop].sum()
    return counts


def _reduced_plans(treeplex: Treeplex) -> Float64Array:
    """Every reduced pure policy as a realisation plan, [S, Q], the first information set's action varying slowest.

    A strategy's number is written in a mixed radix: at each sequence it says which way to go on, one digit for each of
    the information sets that follow, and at each of these which action, and which way to go on after that.
    """
    counts = _counts(treeplex).astype(np.int64)
    number = int(counts[0])
    plans = np.zeros((number, treeplex.num_sequences))
    plans[:, 0] = 1.0
    ways: dict[int, IntArray] = {0: np.arange(number)}  # by sequence, of the strategies that use it
    users: dict[int, IntArray] = {0: np.arange(number)}
    # Children take their digits from the last to the first, so that the first one's varies slowest.
    children: dict[int, list[int]] = {}
    for infoset, sequence in enumerate(treeplex.parent_sequence.tolist()):
        children.setdefault(sequence, []).append(infoset)
    for sequence in range(treeplex.num_sequences):  # parents before children
        way, user = ways.pop(sequence), users.pop(sequence)
        for infoset in reversed(children.get(sequence, [])):
            start = int(treeplex.first_sequence[infoset])
            ends = np.cumsum(counts[start : start + treeplex.num_actions[infoset]])
            way, digit = np.divmod(way, ends[-1])
            action = np.searchsorted(ends, digit, side="right")
            for k, end in enumerate(ends):
                chosen = action == k
                plans[user[chosen], start + k] = 1.0
                ways[start + k] = digit[chosen] - (end - counts[start + k])
                users[start + k] = user[chosen]
    return plans


def _payoffs(model: ExtensiveFormModel, plans: tuple[Float64Array, ...]) -> Float64Array:
    """[N, S_0, ..., S_{N-1}], from the last player's sequences to the first's."""
    sequences, values = model.payoff_sequences, np.asarray(model.payoff_values)
    for player in reversed(range(model.num_players)):
        # Rows that agree in the sequences of the players before this one become one row.
        order = np.lexsort(sequences[:, :player].T) if player else np.arange(len(sequences))
        sequences, values = sequences[order], values[order]
        before = sequences[:, :player]
        starts = np.flatnonzero(np.append(True, (before[1:] != before[:-1]).any(axis=1)))
        contracted = np.empty((len(starts), len(plans[player]), *values.shape[1:]))
        for row, (start, stop) in enumerate(zip(starts, np.append(starts[1:], len(values)), strict=True)):
            used = plans[player][:, sequences[start:stop, player]]
            contracted[row] = np.tensordot(used, values[start:stop], axes=1)
        sequences, values = before[starts], contracted
    return np.moveaxis(values[0], -1, 0)
