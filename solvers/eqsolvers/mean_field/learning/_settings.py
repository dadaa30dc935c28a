"""The parameters of `policy_mirror_ascent`: what is published, and the options beside it."""

from __future__ import annotations

from dataclasses import dataclass

from eqenvs.errors import InputError
from eqenvs.spec import Parameter
from eqsolvers.mean_field._mirror import mirror_parameters

METHOD = "policy-mirror-ascent"
ADOPT, TABLES, POLICIES = "adopt", "tables", "policies"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The parameters, as `PARAMETERS` describes them."""

    num_agents: int
    centralised: bool
    samples: int
    mixing: int
    excitation: float
    reward_bound: float
    pooled: bool
    trajectories: int
    visits: bool
    offset: float
    warm_start: bool
    replay: int
    traces: float
    communication_rounds: int
    radius: float
    exchange: str
    temperature: float
    trial: int

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            InputError: naming them.
        """
        if self.traces > 0 and self.mixing != 1:
            raise InputError(f"{METHOD}: traces need mixing=1, got {self.mixing}: they follow consecutive steps")
        if self.traces > 0 and self.replay > 0:
            raise InputError(f"{METHOD}: traces and replay exclude each other: shuffled steps leave no trace")
        if self.pooled and not self.centralised:
            raise InputError(f"{METHOD}: pooled needs centralised=true; independent agents learn from their own steps")
        if self.communication_rounds > 0 and self.centralised:
            raise InputError(f"{METHOD}: communication_rounds need centralised=false")


def _whole(name: str, default: int, low: int, high: int, description: str) -> Parameter:
    return Parameter(name=name, default=default, low=low, high=high, description=description)


def _flag(name: str, default: bool, description: str) -> Parameter:
    return Parameter(name=name, default=default, kind=bool, description=description)


PARAMETERS = (
    *mirror_parameters(),
    _whole("num_agents", 100, 1, 1_000_000, "agents on a trajectory, at least one for each population"),
    _flag("centralised", True, "whether one policy a population is learnt; else every agent learns its own"),
    _whole("samples", 1_000, 1, 100_000_000, "updates of a table before a policy step"),
    _whole("mixing", 10, 1, 1_000_000, "steps between two updates, for the population to mix"),
    Parameter.real(
        "excitation", 0.0, 0.0, 1.0, "k of the step sizes; 0: one over the number of states and legal actions"
    ),
    Parameter.real("reward_bound", 1.0, -1e9, 1e9, "the largest reward, for the tables' first values"),
    _flag("pooled", False, "learn from all agents' steps"),
    _whole("trajectories", 1, 1, 100_000, "copies of the population side by side"),
    _flag("visits", False, "step sizes by each state and action's own visits"),
    Parameter.real("offset", 0.0, 0.0, 1e18, "t_0 of the step sizes; 0: as published"),
    _flag("warm_start", False, "tables go on from those of the iteration before"),
    _whole("replay", 0, 0, 10_000, "times that an iteration's samples are learnt from, shuffled; 0: once, in order"),
    Parameter.real("traces", 0.0, 0.0, 1.0, "lambda of TD(lambda)"),
    _whole("communication_rounds", 0, 0, 10_000, "rounds of communication after an iteration's samples"),
    Parameter.real("radius", 1.0, 0.0, 1.0, "of communication, as a share of the largest distance of two states"),
    Parameter(
        name="exchange",
        default=ADOPT,
        kind=str,
        choices=(ADOPT, TABLES, POLICIES),
        description="adopt each other's policies by what they earn, or average tables or policies",
    ),
    Parameter.real("temperature", 1.0, 1e-9, 1e9, "of adoption, in units of payoff"),
    _whole("trial", 20, 0, 1_000_000, "steps by which adopted policies are judged; 0: adopted at random"),
)
