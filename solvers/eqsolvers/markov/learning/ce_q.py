"""CE-Q: Q-learning over joint actions with a correlated equilibrium of the one-shot game as the next state's value.

Greenwald and Hall (2003), "Correlated Q-learning", ICML. Which equilibrium is taken makes the method: that of the
highest sum of payoffs (utilitarian), of the highest least payoff (egalitarian), or of the highest payoff that any
player can have (republican). Their libertarian rule, under which every player follows an equilibrium of its own, plays
no correlated equilibrium and is left out. Nothing is proved about convergence in general (values may go round for ever:
Zinkevich, Greenwald and Littman 2006, NeurIPS); `residual` tells. See `_stage_q` for the update and `_stage` for the
linear programme of a stage. Any number of players.
"""

from __future__ import annotations

from collections.abc import Sequence

from eqenvs.models.markov import MarkovModel
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.markov.learning._online import OnlineMethod, Told
from eqsolvers.markov.learning._process import EPISODE_LENGTH, EXPLORATION, compiling, rate_parameter
from eqsolvers.markov.learning._stage import CE, EGALITARIAN, REPUBLICAN, UTILITARIAN
from eqsolvers.markov.learning._stage_q import OnlineStageQ, StageQ

METHOD = "ce-q"
OBJECTIVES = {"utilitarian": UTILITARIAN, "egalitarian": EGALITARIAN, "republican": REPUBLICAN}


def start(
    model: MarkovModel,
    *,
    seed: int | Sequence[int],
    objective: str,
    episode_length: int,
    exploration: float,
    rate: float,
) -> StageQ:
    """The process."""
    return StageQ(
        model,
        seed,
        method=METHOD,
        kind=CE,
        objective=OBJECTIVES[objective],
        concept="ce",
        episode_length=episode_length,
        exploration=exploration,
        rate=rate,
    )


def start_online(told: Told, *, objective: str, exploration: float, rate: float) -> OnlineStageQ:
    """The learner in an environment."""
    return OnlineStageQ(
        told,
        method=METHOD,
        kind=CE,
        objective=OBJECTIVES[objective],
        correlated=True,
        exploration=exploration,
        rate=rate,
    )


OBJECTIVE = Parameter(
    name="objective",
    default="utilitarian",
    kind=str,
    choices=tuple(OBJECTIVES),
    description="which correlated equilibrium of a stage game: see the method's page",
)
RATE = rate_parameter("rate", 0.8, "step sizes")
ONLINE = OnlineMethod(id=METHOD, start=start_online, parameters=(OBJECTIVE, EXPLORATION, RATE), concepts=("ce",))
SOLVER = compiling(
    iterative_solver(
        METHOD,
        start,
        source="Greenwald, Hall (2003), ICML",
        parameters=(
            OBJECTIVE,
            EPISODE_LENGTH,
            EXPLORATION,
            RATE,
        ),
        random=True,
        concepts=("ce",),
        family=Family.MARKOV,
        check_every=100,
        default_iterations=20_000,
    )
)
