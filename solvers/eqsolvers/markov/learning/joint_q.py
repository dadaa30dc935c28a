"""Joint Q-learning: every player learns values of joint actions and trusts the others to do what is best for itself.

This is Friend-Q: Littman (2001), "Friend-or-foe Q-learning in general-sum games", ICML. V_p(s) is the most that p's
values of the joint actions at s allow, and p plays its own part of the first joint action that allows it. Where all
rewards are common, that is Q-learning of the whole team as one player, and converges to the best joint policy. In other
games it converges too, to values that nobody may ever be paid: a baseline. See `_stage_q` for the update. Any number of
players.
"""

from __future__ import annotations

from collections.abc import Sequence

from eqenvs.models.markov import MarkovModel
from eqenvs.spec import Family
from eqsolvers.iterative import iterative_solver
from eqsolvers.markov.learning._online import OnlineMethod, Told
from eqsolvers.markov.learning._process import EPISODE_LENGTH, EXPLORATION, compiling, rate_parameter
from eqsolvers.markov.learning._stage import FRIEND, UTILITARIAN
from eqsolvers.markov.learning._stage_q import OnlineStageQ, StageQ

METHOD = "joint-q"


def start(
    model: MarkovModel, *, seed: int | Sequence[int], episode_length: int, exploration: float, rate: float
) -> StageQ:
    """The process."""
    return StageQ(
        model,
        seed,
        method=METHOD,
        kind=FRIEND,
        concept="nash",
        episode_length=episode_length,
        exploration=exploration,
        rate=rate,
    )


def start_online(told: Told, *, exploration: float, rate: float) -> OnlineStageQ:
    """The learner in an environment."""
    return OnlineStageQ(
        told, method=METHOD, kind=FRIEND, objective=UTILITARIAN, correlated=False, exploration=exploration, rate=rate
    )


RATE = rate_parameter("rate", 0.8, "step sizes")
ONLINE = OnlineMethod(id=METHOD, start=start_online, parameters=(EXPLORATION, RATE))
SOLVER = compiling(
    iterative_solver(
        METHOD,
        start,
        source="Littman (2001), ICML",
        parameters=(EPISODE_LENGTH, EXPLORATION, RATE),
        random=True,
        family=Family.MARKOV,
        check_every=100,
        default_iterations=20_000,
    )
)
