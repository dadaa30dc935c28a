"""A trust dilemma: a stag hunt in which the second hunter sees a sign of what the first one set out for.

The first player goes for the stag or for the hare. The second sees which, wrongly with probability `noise`, and goes
for one of them as well; payoffs are those of the stag hunt (`stag_hunt`). A sign that is always right makes it the
stag hunt in turns, where trust is safe, and one that is wrong half of the time the stag hunt itself. In between it is a
leader's noisily observed move (Bagwell 1995, "Commitment and observability in games", Games and Economic Behavior 8)
in the dilemma after Rousseau (1755), "Discourse on Inequality"; Skyrms (2004), "The Stag Hunt and the Evolution of
Social Structure".

With any noise both hunting stag and both hunting hare, whatever the sign, are equilibria: the first is better for both,
the second has the lesser risk. By default it is the risk-dominant one (Harsanyi and Selten 1988): who hunts stag alone
loses 3, who hunts hare beside a stag hunter loses 1. Against play at random, however, it is best for the second to
follow the sign, and then best for the first to go for the stag: best responses alone do not settle which of the two is
found.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, device_of, namespace, one_hot
from eqenvs.errors import InputError
from eqenvs.rules import CHANCE, TERMINAL, Rules
from eqenvs.spec import Fact, Family, GameSpec, Parameter

STAG, HARE = 0, 1


class TrustState(NamedTuple):
    """A batch of games; -1 stands for what has not happened yet."""

    stage: Array  # [B] int64, moves made: player 0, chance, player 1
    first: Array  # [B] int64, player 0's choice
    sign: Array  # [B] int64, what player 1 sees of it
    second: Array  # [B] int64, player 1's choice


class TrustDilemma(Rules[TrustState]):
    """The trust dilemma.

    Observation: float32 [6], one-hot player, the own choice once it is made, and the sign (player 1 only), one-hot.
    Actions: 0 stag, 1 hare.
    Reward, at the end: `reward` R to both where both hunted stag, `punishment` P where both hunted hare; otherwise
    `temptation` T for the hare and `sucker` S for the stag; R > T >= P > S.

    Version history: 0, first version.
    """

    def __init__(
        self,
        reward: float = 4.0,
        temptation: float = 3.0,
        punishment: float = 3.0,
        sucker: float = 0.0,
        noise: float = 0.1,
    ) -> None:
        if not reward > temptation >= punishment > sucker:
            raise InputError(
                "trust_dilemma: parameters must satisfy reward > temptation >= punishment > sucker, "
                f"got {reward}, {temptation}, {punishment}, {sucker}"
            )
        self.payoffs = np.array([[reward, sucker], [temptation, punishment]])  # [own choice, the other's]
        self.noise = noise
        self.num_players = 2
        self.num_actions = (2, 2)
        self.num_chance_outcomes = 2
        self.observation_size = 6

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> TrustState:
        unknown = xp.full((batch,), -1, dtype=xp.int64, device=device)
        return TrustState(xp.zeros((batch,), dtype=xp.int64, device=device), unknown, unknown, unknown)

    def turn(self, state: TrustState) -> Array:
        xp = namespace(state.stage)
        mover = xp.where(state.stage == 0, 0, xp.where(state.stage == 1, CHANCE, 1))
        return xp.where(state.stage < 3, mover, TERMINAL)

    def legal_actions(self, state: TrustState, player: Array) -> Array:
        xp = namespace(player)
        return xp.ones((player.shape[0], 2), dtype=xp.bool, device=device_of(player))

    def chance_probabilities(self, state: TrustState) -> Array:
        xp = namespace(state.first)
        right = xp.astype(one_hot(state.first, 2), xp.float64)
        return right * (1.0 - self.noise) + (1.0 - right) * self.noise

    def apply(self, state: TrustState, actions: Array) -> tuple[TrustState, Array]:
        xp = namespace(actions)
        after = TrustState(
            stage=state.stage + 1,
            first=xp.where(state.stage == 0, actions, state.first),
            sign=xp.where(state.stage == 1, actions, state.sign),
            second=xp.where(state.stage == 2, actions, state.second),
        )
        table = xp.asarray(self.payoffs, device=device_of(actions))
        last = state.stage == 2
        first, second = xp.where(last, after.first, 0), xp.where(last, after.second, 0)
        payoffs = xp.stack([table[first, second], table[second, first]], axis=1)
        return after, xp.where(last[:, None], payoffs, 0.0)

    def _own(self, state: TrustState, player: Array) -> tuple[Array, Array]:
        """The own choice, and the sign as the player knows it."""
        xp = namespace(player)
        return xp.where(player == 0, state.first, state.second), xp.where(player == 1, state.sign, -1)

    def observation(self, state: TrustState, player: Array) -> Array:
        xp = namespace(player)
        own, sign = self._own(state, player)
        return xp.astype(xp.concat([one_hot(player, 2), one_hot(own, 2), one_hot(sign, 2)], axis=1), xp.float32)

    def information_state(self, state: TrustState, player: Array) -> Array:
        xp = namespace(player)
        return xp.stack(self._own(state, player), axis=1)

    def describe_information_state(self, player: int, key: Array) -> str:
        own, sign = (int(entry) for entry in np.asarray(key))
        seen = "start" if sign < 0 else f"sign of {self.describe_action(0, sign)}"
        return seen if own < 0 else f"{seen}, {self.describe_action(player, own)}"

    def describe_action(self, player: int, action: int) -> str:
        return ("stag", "hare")[action]


def num_histories(noise: float) -> int:
    """Histories: a choice, a sign (one where it is always right), a choice."""
    signs = 1 if noise == 0 else 2
    return 1 + 2 * (1 + signs * (1 + 2))


def _payoff(name: str, default: float, description: str) -> Parameter:
    return Parameter(name=name, default=default, kind=float, low=-1e9, high=1e9, description=description)


_STAG, _HARE = (1.0, 0.0), (0.0, 1.0)
SPEC = GameSpec(
    id="trust_dilemma",
    family=Family.EXTENSIVE_FORM,
    title="Trust dilemma (stag hunt with a sign of the first choice)",
    build=TrustDilemma,
    constant_sum=False,
    size=lambda noise, **_: num_histories(noise),
    source="Skyrms (2004), The Stag Hunt and the Evolution of Social Structure; Bagwell (1995), Commitment and "
    "observability in games, Games and Economic Behavior 8",
    parameters=(
        _payoff("reward", 4.0, "R, of the stag to each of two, payoff units; R > T >= P > S"),
        _payoff("temptation", 3.0, "T, of the hare while the other waits for the stag"),
        _payoff("punishment", 3.0, "P, of the hare while the other hunts hare as well"),
        _payoff("sucker", 0.0, "S, of waiting for the stag alone"),
        Parameter(
            name="noise",
            default=0.1,
            kind=float,
            low=0.0,
            high=0.5,
            description="the probability that the second player sees what the first did not choose",
        ),
    ),
    facts=(
        Fact(
            source="both equilibria by hand; against uniform play player 0 gains 1/2 by hare, player 1 4/5 by the sign",
            sizes={"terminals": 8, "infosets": [1, 2], "sequences": [3, 5]},
            uniform_nash_conv=1.3,
            equilibria=(((_STAG,), (_STAG, _STAG)), ((_HARE,), (_HARE, _HARE))),
        ),
        Fact(
            source="in turns: trusting and following is an equilibrium, and so is hare whatever is seen",
            parameters={"noise": 0.0},
            sizes={"terminals": 4, "infosets": [1, 2], "sequences": [3, 5]},
            uniform_nash_conv=1.5,
            equilibria=(((_STAG,), (_STAG, _HARE)), ((_HARE,), (_HARE, _HARE))),
        ),
        Fact(
            source="a sign that tells nothing: the stag hunt, where against uniform play each gains 1/2 by hare",
            parameters={"noise": 0.5},
            sizes={"terminals": 8, "infosets": [1, 2], "sequences": [3, 5]},
            uniform_nash_conv=1.0,
            equilibria=(((_STAG,), (_STAG, _STAG)), ((_HARE,), (_HARE, _HARE))),
        ),
    ),
)
