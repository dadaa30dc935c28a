"""Runs of a few seconds for the fault campaign: at least one of every learner, told by the registry, not by a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eqenvs import discovery
from eqenvs.errors import InputError


@dataclass(frozen=True)
class Case:
    """A run.

    Attributes:
        name: the learner's id, and what is particular.
        config: as in a file.
        workers: whether its work is tasks, so that workers have some.
        inline: whether it can run without workers.
    """

    name: str
    config: dict[str, Any]
    workers: bool = False
    inline: bool = True

    @property
    def learner(self) -> str:
        """The learner's id."""
        return str(self.config["learner"]["id"])

    @property
    def family(self) -> str:
        """The learner's folder, or its id where it stands alone."""
        package = discovery.modules("eqagents.learners")[self.learner].split(".")[2:]
        return package[0]


KUHN = {"id": "kuhn_poker"}
SIS = {"id": "sis", "parameters": {"horizon": 4, "num_agents": 20}}
PLAY: dict[str, Any] = {"play": {"num_envs": 32, "steps": 8, "tasks": 2}, "network": {"hidden": [16]}}
FIT = {"epochs": 2, "minibatches": 2}
REPLAY = {"replay": {"capacity": 2000, "batch": 32, "updates": 4, "warm_up": 50, "target_every": 2}}
SAMPLING = {"tasks": 2, "episodes": 2}
TRAINING = {"hidden": [16], "updates": 20, "batch": 32, "refresh": 5}
FITTED = {"sampling": SAMPLING, "training": TRAINING}
LEARNED = {
    "id": "policy_gradient",
    "updates": 2,
    "num_envs": 16,
    "steps": 8,
    "hidden": [8],
    "value_episodes": 16,
    "warm_start": True,
}
RESPONSES = {"id": "mean_field_q", "rounds": 3, "sampling": {"episodes": 1}, "training": TRAINING}


def _case(
    name: str,
    learner: dict[str, Any],
    iterations: int,
    *,
    game: dict[str, Any] | None = None,
    every: int = 1,
    workers: bool = False,
    inline: bool = True,
    **fields: Any,
) -> Case:
    config = {
        "game": game or KUHN,
        "learner": learner,
        "iterations": iterations,
        "seed": 5,
        "checkpoint": {"every": every},
        **fields,
    }
    return Case(name, config, workers, inline)


def _deep(name: str, iterations: int, **settings: Any) -> Case:
    return _case(name, {"id": name, **PLAY, **settings}, iterations, every=3, workers=True, score={"every": 4})


CASES: tuple[Case, ...] = (
    _case("tabular", {"id": "tabular", "method": "cfr+", "iterations_per_step": 40}, 60),
    _case("tabular, sampled", {"id": "tabular", "method": "es-mccfr", "iterations_per_step": 200}, 60, every=3),
    _case(
        "tabular_experience",
        {"id": "tabular_experience", "method": "nash-q", "iterations_per_step": 40, "num_envs": 2},
        40,
        game={"id": "random_markov_game", "parameters": {"num_states": 3, "horizon": 3, "discount": 1.0}},
    ),
    _case("psro, exact", {"id": "psro", "oracle": {"id": "exact"}}, 14, game={"id": "leduc_poker"}, every=2),
    _case(
        "psro, simulated cells",
        {"id": "psro", "oracle": {"id": "exact"}, "payoffs": {"method": "simulated", "episodes": 256}},
        9,
        every=3,
        workers=True,
    ),
    _case("psro, learned oracle", {"id": "psro", "oracle": LEARNED}, 12, every=3, workers=True),
    _case(
        "psro, pipeline",
        {"id": "psro", "oracle": LEARNED, "pipeline": {"levels": 3, "most_rounds": 2}},
        9,
        every=3,
        workers=True,
    ),
    _case("psro, joint", {"id": "psro", "oracle": {"id": "exact"}, "meta_solver": {"id": "max_gini_cce"}}, 14),
    _case("xdo", {"id": "xdo", "oracle": {"id": "exact"}, "method": "cfr+", "until": {"rule": "threshold"}}, 14),
    _deep("ppo", 30, fit=FIT),
    Case(
        "ppo, two processes",
        {
            "game": KUHN,
            "learner": {"id": "ppo", **PLAY, "fit": {**FIT, "processes": 2}},
            "iterations": 10,
            "seed": 5,
            "score": {"every": 4},
            "checkpoint": {"every": 3},
        },
        workers=True,
        inline=False,
    ),
    _deep("a2c", 40),
    _deep("reinforce", 40),
    _deep("mdpo", 30),
    _deep("pma", 30, play={**PLAY["play"], "staleness": 1}),
    _deep("quantal_curriculum", 30),
    _deep("dqn", 40, **REPLAY),
    _deep("nfsp", 30, reservoir=2000, **REPLAY),
    _deep("mdpo_off_policy", 30, **REPLAY),
    _case("deep_omd", {"id": "deep_omd", **FITTED, "replay": 2}, 20, game=SIS, every=2, workers=True),
    _case(
        "master_omd",
        {"id": "master_omd", **FITTED, "held_out": 2},
        14,
        game={"id": "sis", "parameters": {**SIS["parameters"], "sees_distribution": True}},  # type: ignore[dict-item]
        workers=True,
    ),
    _case(
        "deep_fictitious_play",
        {"id": "deep_fictitious_play", **FITTED, "reservoir": 200, "oracle": RESPONSES},
        8,
        game=SIS,
        workers=True,
    ),
    _case("mean_field_psro", {"id": "mean_field_psro", "oracle": RESPONSES}, 8, game=SIS, every=2, workers=True),
    _case(
        "mean_field_psro, cce",
        {"id": "mean_field_psro", "meta": {"concept": "cce", "rounds": 20}},
        14,
        game={"id": "crowd_1d", "parameters": {"size": 8, "horizon": 4}},
    ),
    _case("mean_field_q_learning", {"id": "mean_field_q_learning", "sampling": SAMPLING}, 50, game=SIS, workers=True),
    _case("mean_field_actor_critic", {"id": "mean_field_actor_critic", "sampling": SAMPLING}, 50, game=SIS),
    _case(
        "side_by_side",
        {
            "id": "side_by_side",
            "learner": {"id": "mean_field_actor_critic", "sampling": {"episodes": 1}},
            "seeds": 2,
            "vary": "num_agents",
            "values": [5, 20],
            "iterations_per_step": 2,
        },
        25,
        game=SIS,
        every=2,
        workers=True,
    ),
    _case(
        "replicas",
        {"id": "replicas", "method": "es-mccfr", "count": 3, "iterations_per_step": 100},
        40,
        every=2,
        workers=True,
    ),
    _case(
        "structural_rl",
        {
            "id": "structural_rl",
            "own": 7,
            "points": 11,
            "signals": 3,
            "periods": 6,
            "paths": 3,
            "held_out": [2, 20],
            "updates_per_step": 2,
        },
        30,
        game={"id": "krusell_smith", "parameters": {"quarters": 2, "points": 13}},
        score={"every": 10},
    ),
)


def cases(names: list[str] | None = None) -> list[Case]:
    """The cases, all or those whose name, learner or family is among some.

    Raises:
        InputError: a learner of the registry has no case, or a name is nobody's.
    """
    missing = discovery.modules("eqagents.learners").keys() - {case.learner for case in CASES}
    if missing:
        raise InputError(f"no case for learner {min(missing)!r}: add one to eqagents.bench._faults_cases.CASES")
    if not names:
        return list(CASES)
    known = {word for case in CASES for word in (case.name, case.learner, case.family)}
    if unknown := set(names) - known:
        raise InputError(f"--family {min(unknown)!r}: there are {', '.join(sorted(known))}")
    return [case for case in CASES if {case.name, case.learner, case.family} & set(names)]
