"""Nash-Q: Q-learning over joint actions with a Nash equilibrium of the one-shot game as the next state's value.

In two-player zero-sum games that is minimax-Q, whose values and policies converge to Shapley's: Littman (1994), "Markov
games as a framework for multi-agent reinforcement learning", ICML; Szepesvari and Littman (1999), "A unified analysis
of value-function-based reinforcement-learning algorithms", Neural Computation 11. In general-sum games Hu and Wellman
(2003), "Nash Q-learning for general-sum stochastic games", JMLR 4, prove it where every stage game met has a global
optimum or a saddle point and these are what is selected; elsewhere values may go round for ever (Zinkevich, Greenwald
and Littman 2006, "Cyclic equilibria in Markov games", NeurIPS), and `residual` tells. The equilibrium is that at the
end of the Lemke-Howson path that drops the first label, or of the highest sum of payoffs at the end of any. See
`_stage_q` for the update. Two players.
"""

from __future__ import annotations

from collections.abc import Sequence

from eqenvs.errors import UnsupportedGame
from eqenvs.models.markov import MarkovModel
from eqenvs.spec import Family, Parameter
from eqsolvers.iterative import iterative_solver
from eqsolvers.markov.learning._online import OnlineMethod, Told
from eqsolvers.markov.learning._process import EPISODE_LENGTH, EXPLORATION, compiling, rate_parameter
from eqsolvers.markov.learning._stage import NASH, NASH_WELFARE, UTILITARIAN, ZERO_SUM
from eqsolvers.markov.learning._stage_q import OnlineStageQ, StageQ
from eqsolvers.result import two_players

METHOD = "nash-q"
KINDS = {"first": NASH, "welfare": NASH_WELFARE}


def start(
    model: MarkovModel,
    *,
    seed: int | Sequence[int],
    selection: str,
    episode_length: int,
    exploration: float,
    rate: float,
) -> StageQ:
    """The process.

    Raises:
        UnsupportedGame: if there are not two players.
    """
    if model.num_players != 2:
        raise UnsupportedGame(f"{METHOD}: covers two-player games only; ce-q covers any number of players")
    return StageQ(
        model,
        seed,
        method=METHOD,
        kind=ZERO_SUM if model.constant_sum() else KINDS[selection],
        concept="nash",
        episode_length=episode_length,
        exploration=exploration,
        rate=rate,
    )


def start_online(told: Told, *, selection: str, exploration: float, rate: float) -> OnlineStageQ:
    """The learner in an environment.

    Raises:
        UnsupportedGame: if there are not two players.
    """
    if told.num_players != 2:
        raise UnsupportedGame(f"{METHOD}: covers two-player games only; ce-q covers any number of players")
    return OnlineStageQ(
        told,
        method=METHOD,
        kind=ZERO_SUM if told.constant_sum else KINDS[selection],
        objective=UTILITARIAN,
        correlated=False,
        exploration=exploration,
        rate=rate,
    )


SELECTION = Parameter(
    name="selection",
    default="first",
    kind=str,
    choices=tuple(KINDS),
    description="which equilibrium of a general-sum stage game: see the method's page",
)
RATE = rate_parameter("rate", 0.8, "step sizes")
ONLINE = OnlineMethod(id=METHOD, start=start_online, parameters=(SELECTION, EXPLORATION, RATE))
SOLVER = compiling(
    iterative_solver(
        METHOD,
        start,
        source="Hu, Wellman (2003), JMLR 4; Littman (1994), ICML",
        parameters=(
            SELECTION,
            EPISODE_LENGTH,
            EXPLORATION,
            RATE,
        ),
        random=True,
        family=Family.MARKOV,
        covers=two_players,
        check_every=100,
        default_iterations=20_000,
    )
)
