"""A debate about a bit string before a judge who sees only what the debaters reveal.

After Irving, Christiano and Amodei (2018), "AI safety via debate", arXiv 1805.00899, section 3, where two debaters who
see an image reveal pixels in turns to a judge, a classifier trained on images with few pixels. One of them is held to
the true label and the other to a wrong one. Here the image is a string of uniformly random bits, its label whether the
weights of the ones are more than half of all, and the judge is exact: it picks the label that is likelier if every
bit not revealed is a fair coin. It does not ask why just these bits were revealed, and can be misled by the choice.

With equal weights and 2 m reveals, both debaters show bits of their own side while they have any, and the honest one
wins exactly if the other side has fewer than m bits; otherwise the judge is left undecided.
"""

from __future__ import annotations

from math import comb
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, Constants, IntArray, device_of, namespace, one_hot, take_along
from eqenvs.errors import InputError
from eqenvs.games.normal_form._lists import read_numbers
from eqenvs.markov_rules import MarkovRules
from eqenvs.spec import Fact, Family, GameSpec, Parameter

HONEST, LIAR = 0, 1
MAX_BITS = 12


class DebateState(NamedTuple):
    """A batch of debates about strings of n bits."""

    bits: Array  # [B, n] int64, 0 or 1; -1 before chance has drawn them
    shown: Array  # [B, n] bool, which the judge sees
    step: Array  # [B] int64


class DebateGame(MarkovRules[DebateState]):
    """The debate; player 0 is the honest debater, player 1 the liar.

    Observation: float32 [2 + 2 n], one-hot player, the bits, and which of them are revealed; before them the share of
    the debate that is over.
    Actions: the bit to reveal, not revealed before; debaters take turns, the other has only action 0 and does not act.
    Reward: after the last reveal 1 to the debater whose label the judge picks and -1 to the other, 0 if it is
    undecided. Zero-sum.
    Chance: draws the string, all equally likely.
    End: after `num_reveals` reveals.

    Version history: 0, first version.
    """

    num_players = 2
    discount = 1.0

    def __init__(self, weights: str = "1,1,1,1,1", num_reveals: int = 3, first: str = "honest") -> None:
        self.weights = read_numbers("debate_game", "weights", weights)
        count = len(self.weights)
        if count > MAX_BITS:
            raise InputError(f"debate_game: weights must be at most {MAX_BITS} numbers, got {count}")
        if num_reveals > count:
            raise InputError(f"debate_game: num_reveals must be at most the number of bits, {count}, got {num_reveals}")
        self.num_reveals = self.horizon = num_reveals
        self.first = HONEST if first == "honest" else LIAR
        self.num_actions = (count, count)
        self.num_chance_outcomes = 2**count
        self.view_size = 2 + 2 * count
        verdict = _verdicts(self.weights)
        self._tables = Constants(verdict=verdict.reshape(-1), place=3 ** np.arange(count)[::-1])

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> DebateState:
        bits = xp.full((batch, len(self.weights)), -1, dtype=xp.int64, device=device)
        return DebateState(bits, bits >= 0, xp.zeros((batch,), dtype=xp.int64, device=device))

    def _revealed(self, state: DebateState) -> Array:
        xp = namespace(state.bits)
        return xp.sum(xp.astype(state.shown, xp.int64), axis=1)

    def _mover(self, state: DebateState) -> Array:
        return (self._revealed(state) + self.first) % 2

    def ended(self, state: DebateState) -> Array:
        return self._revealed(state) >= self.num_reveals

    def undecided(self, state: DebateState) -> Array:
        return state.bits[:, 0] < 0

    def acting(self, state: DebateState) -> Array:
        return super().acting(state) & one_hot(self._mover(state), 2)

    def legal_actions(self, state: DebateState, player: Array) -> Array:
        xp = namespace(player)
        moving = (player == self._mover(state))[:, None]
        nothing = one_hot(xp.zeros_like(player), len(self.weights))
        return xp.where(moving, ~state.shown, nothing)

    def chance_probabilities(self, state: DebateState) -> Array:
        xp = namespace(state.bits)
        shape = (state.bits.shape[0], self.num_chance_outcomes)
        return xp.full(shape, 1 / self.num_chance_outcomes, dtype=xp.float64, device=device_of(state.bits))

    def apply(self, state: DebateState, actions: Array) -> tuple[DebateState, Array]:
        xp = namespace(actions)
        drawing = self.undecided(state)
        count = len(self.weights)
        place = xp.arange(count - 1, -1, -1, dtype=xp.int64, device=device_of(actions))
        drawn = (xp.where(drawing, actions[:, 2], 0)[:, None] // 2 ** place[None, :]) % 2
        bits = xp.where(drawing[:, None], drawn, state.bits)
        reveal = one_hot(take_along(actions[:, :2], self._mover(state)), count) & ~drawing[:, None]
        after = DebateState(bits, state.shown | reveal, state.step + xp.astype(~drawing, xp.int64))
        last = ~drawing & self.ended(after) & ~self.ended(state)
        seen = self._verdict(xp.where(after.shown, bits, 2))
        truth = self._verdict(xp.where(drawing[:, None], 0, bits))
        won = xp.astype(xp.where(last, seen * truth, 0), xp.float64)
        return after, xp.stack([won, 0.0 - won], axis=1)

    def _verdict(self, pattern: Array) -> Array:
        """What the judge says, [B] int64: 1 or -1, 0 if both labels are as likely; 2 stands for a hidden bit."""
        number = namespace(pattern).sum(pattern * self._tables.on("place", pattern)[None, :], axis=1)
        return self._tables.on("verdict", pattern)[number]

    def state_key(self, state: DebateState) -> Array:
        xp = namespace(state.bits)
        return xp.concat([state.bits, xp.astype(state.shown, xp.int64)], axis=1)

    def view(self, state: DebateState, player: Array) -> Array:
        xp = namespace(player)
        parts = [one_hot(player, 2), state.bits > 0, state.shown]
        return xp.astype(xp.concat(parts, axis=1), xp.float32)


def _verdicts(weights: list[float]) -> IntArray:
    """The likelier label of each pattern, [3, ..., 3] int64: 1, -1, or 0 for a tie; index 2 of an axis: not known.

    Raises:
        InputError: if a weight is not positive, or a string has no label.
    """
    total = np.zeros(())
    for weight in weights:
        total = total[..., None] + np.array([-weight, weight])
    if min(weights) <= 0 or (np.abs(total) <= 1e-9 * sum(weights)).any():
        raise InputError(
            "debate_game: weights must be positive, and no part of them half of their sum, got "
            + ",".join(f"{weight:g}" for weight in weights)
        )
    surplus = np.sign(total).astype(np.int64)  # completions with label 1 less those with label 0
    for axis in range(surplus.ndim):
        surplus = np.concatenate([surplus, surplus.sum(axis=axis, keepdims=True)], axis=axis)
    verdicts: IntArray = np.sign(surplus)
    return verdicts


def num_rows(num_bits: int, num_reveals: int) -> int:
    """Pairs of a state and a joint action: every string with every set of fewer than `num_reveals` bits revealed."""
    strings: int = 2**num_bits
    return strings * sum(comb(num_bits, shown) for shown in range(num_reveals)) * num_bits**2


def _fact(num_bits: int, half: int) -> Fact:
    decided = 2 * sum(comb(num_bits, count) for count in range(half))
    return Fact(
        source="both show bits of their own side while they have any: the share of strings with fewer than m = "
        "num_reveals / 2 bits on a side",
        parameters={"weights": ",".join("1" * num_bits), "num_reveals": 2 * half},
        values=(decided / 2**num_bits, -decided / 2**num_bits),
    )


SPEC = GameSpec(
    id="debate_game",
    family=Family.MARKOV,
    title="Debate before a judge who sees what is revealed",
    build=DebateGame,
    constant_sum=True,
    size=lambda weights, num_reveals, **_: num_rows(weights.count(",") + 1, num_reveals),
    source="Irving, Christiano and Amodei (2018), AI safety via debate, arXiv 1805.00899",
    parameters=(
        Parameter(
            name="weights",
            default="1,1,1,1,1",
            kind=str,
            description="of the bits, positive; the true label is whether ones have more than half of the weight",
        ),
        Parameter(name="num_reveals", default=3, low=1, high=MAX_BITS, description="reveals of both debaters in all"),
        Parameter(
            name="first", default="honest", kind=str, choices=("honest", "liar"), description="who reveals first"
        ),
    ),
    facts=(
        Fact(
            source="32 strings with 1 + 5 + 10 sets of revealed bits; 5, 4 or 3 to choose from; each has one successor",
            sizes={"states": 512, "actions": [5, 5], "joint_actions": 32 * (5 + 5 * 4 + 10 * 3), "transitions": 1760},
        ),
        _fact(5, 1),
        _fact(5, 2),
        _fact(3, 1),
    ),
)
