"""A bandit with competitors: every player pulls one of K arms, and an arm's reward is split among those who pull it.

One round, rewards known, of the bandit whose arms are shared: Liu and Zhao (2010), "Distributed learning in multi-armed
bandit with multiple players", IEEE Transactions on Signal Processing 58; as a game, a congestion game of Rosenthal
(1973) whose costs are -r / k for k users: also the market-sharing game of Goemans et al. (2006), "Market sharing games
applied to content distribution in ad hoc networks", IEEE Journal on Selected Areas in Communications 24.

An arm that pays more when all share it than any other pays alone is strictly dominant. In a symmetric mixed equilibrium
r (1 - (1 - p)^n) / (n p) is the same for all arms that are pulled (derived: a player who pulls an arm gets r / (1 + K)
with K binomial (n - 1, p), whose mean that is).
"""

from __future__ import annotations

import numpy as np

from eqenvs.errors import InputError
from eqenvs.games.normal_form._lists import read_numbers
from eqenvs.models.congestion import CongestionModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def _rewards(text: str) -> list[float]:
    rewards = read_numbers("arms_bandit", "rewards", text)
    if min(rewards) <= 0:
        raise InputError(f"arms_bandit: parameter 'rewards' must be positive numbers, got {text!r}")
    return rewards


def build(num_players: int = 3, rewards: str = "4,3,2") -> CongestionModel:
    """The game by arms, in the order of `rewards`.

    Raises:
        InputError: if there is an arm without a positive reward.
    """
    paid = np.array(_rewards(rewards))
    arms = np.eye(len(paid), dtype=bool)
    return CongestionModel([arms] * num_players, -paid[:, None] / np.arange(1, num_players + 1))


def _fact(rewards: str, values: tuple[float, ...], uniform_nash_conv: float) -> Fact:
    n = len(values)
    return Fact(
        source="the first arm pays more to all than the second to one; against uniform play an arm pays "
        "r (2 - 2^(1 - n)) / n",
        parameters={"num_players": n, "rewards": rewards},
        sizes={"actions": [2] * n, "profiles": 2**n},
        values=values,
        equilibrium=((1.0, 0.0),) * n,
        uniform_nash_conv=uniform_nash_conv,
    )


SPEC = GameSpec(
    id="arms_bandit",
    family=Family.NORMAL_FORM,
    title="Bandit with competitors",
    build=build,
    # The payoffs add up to the rewards of the arms that are pulled.
    constant_sum=lambda rewards, **_: len(_rewards(rewards)) == 1,
    source="Liu and Zhao (2010), Distributed learning in multi-armed bandit with multiple players, IEEE TSP 58",
    parameters=(
        Parameter(name="num_players", default=3, low=2, high=100, description="number of players"),
        Parameter(
            name="rewards",
            default="4,3,2",
            kind=str,
            description="what each arm pays in all, positive, separated by commas",
        ),
    ),
    facts=(_fact("3,1", (1.5, 1.5), 1.5), _fact("5,1", (5 / 3,) * 3, 3.5)),
)
