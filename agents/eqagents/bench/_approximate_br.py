"""How near learned best responses come to exact ones: NashConv both ways, by policy and by budget.

Timbers et al. (2022), "Approximate exploitability: learning a best response", IJCAI, section 5, makes the same check.
The bound and its interval are what `score_by_simulation` reports, as for a game without an exact model. What the kept
responses really gain is computed from the model beside it, so that a share of the exact NashConv has no sampling error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.distributed import InlineExecutor
from eqagents.learners.deep import pma
from eqagents.oracles import find_oracle
from eqagents.training.scoring import OracleResponder
from eqenvs.arrays import Float64Array
from eqenvs.game import Game
from eqenvs.policies import BehaviourPolicy, JointPolicy, tabulate, uniform
from eqenvs.spec import Family
from eqsolvers.result import solvers
from eqsolvers.scoring import Score, score, score_by_simulation
from eqsolvers.scoring.simulated import Attempt, one_by_one, replace_player

GAMES: dict[str, dict[str, int]] = {"kuhn_poker": {}, "leduc_poker": {}, "liars_dice": {"num_dice": 1, "num_faces": 6}}
BUDGETS = {"kuhn_poker": (5, 20), "leduc_poker": (10, 30, 100), "liars_dice": (10, 30, 100)}  # updates
SEEDS = 2
EPISODES = 50_000
ORACLES = ("policy_gradient", "ppo", "dqn")
CFR_ITERATIONS = 30
PMA_ITERATIONS = 60


def section(settings: Settings) -> Section:
    """A row per game, policy and budget."""
    rows: list[Row] = []
    games = {"kuhn_poker": GAMES["kuhn_poker"]} if settings.quick else GAMES
    for name, parameters in games.items():
        game = eqenvs.make(name, **parameters)
        for policy_name, make in POLICIES.items():
            policy = make(game, settings.quick)
            exact = score(game, policy)
            for budget in (10,) if settings.quick else BUDGETS[name]:
                found = _found(game, policy, budget, exact, settings.quick)
                rows.append({"game": name, "policy": policy_name, "updates": budget, "exact": exact.nash_conv} | found)
                settings.say(brief(rows[-1]))
    return Section(
        id="approximate_best_response",
        title="NashConv by learned best responses, as a share of the exact one",
        columns={
            "game": "game",
            "policy": "policy",
            "updates": "updates a response",
            "exact": "exact NashConv",
            "bound": "lower bound",
            "half_width": "±",
            **{f"kept_{oracle}": oracle for oracle in ORACLES},
            "kept": "kept of all",
            "share": "share of the exact",
            "seconds": "CPU seconds",
        },
        rows=rows,
        notes=(
            f"The lower bound and the half-width of its 95 % interval are those of `score_by_simulation` with all "
            f"{len(ORACLES)} learners, {SEEDS} seeds of each and {EPISODES:,} episodes. The columns after them have no "
            "sampling error: exact gains of the response that each learner's selected gains, or those of all, point "
            "to, summed over players; one that loses counts 0. CPU seconds are for all responses and all play.",
            "An update is 256 games x 32 stages, with 16 gradient steps for `ppo` and `dqn`, one for "
            "`policy_gradient`; everything else is as the learners have it.",
            f"Policies: uniform; the last iterate of {PMA_ITERATIONS} iterations of `pma`; the average of "
            f"{CFR_ITERATIONS} iterations of CFR+.",
        ),
    )


def _found(game: Game, policy: JointPolicy, budget: int, exact: Score, quick: bool) -> Row:
    """The bound with all oracles, and what the responses really gain."""
    learned: list[BehaviourPolicy] = []

    def respond(game: Game, attempts: Sequence[Attempt]) -> list[BehaviourPolicy]:
        learned.extend(one_by_one(game, attempts))
        return learned

    shape = {"num_envs": 64, "steps": 16, "hidden": [32], "learning_rate": 1e-2} if quick else {}
    settings = {"updates": budget, "value_episodes": 2, **shape}
    responders = [
        OracleResponder(find_oracle(name).config.model_validate({"id": name, **settings})) for name in ORACLES
    ]
    started = time.process_time()
    bound = score_by_simulation(
        game, policy, responders, episodes=EPISODES, repeats=1 if quick else SEEDS, seed=budget, respond=respond
    )
    seconds = time.process_time() - started
    attempts = bound.detail["attempts"]
    seemed = np.array([attempt["selected_gain"] for attempt in attempts])
    gains = np.array(
        [
            score(game, replace_player(policy, attempt["player"], response, game.num_players)).values[attempt["player"]]
            - exact.values[attempt["player"]]
            for attempt, response in zip(attempts, learned, strict=True)
        ]
    )
    seemed, gains = (part.reshape(game.num_players, len(ORACLES), -1) for part in (seemed, gains))
    kept = _kept(seemed, gains)
    return {
        "bound": bound.nash_conv,
        "half_width": bound.detail["nash_conv_half_width"],
        **{f"kept_{name}": _kept(seemed[:, [place]], gains[:, [place]]) for place, name in enumerate(ORACLES)},
        "kept": kept,
        "share": kept / exact.nash_conv,
        "seconds": seconds,
    }


def _kept(seemed: Float64Array, gains: Float64Array) -> float:
    """The sum over players of the gains of the tries that seemed best; not deviating is always one of them.

    Args:
        seemed: [N, learners, seeds], by which a try is chosen.
        gains: [N, learners, seeds], exact.
    """
    total = 0.0
    for own_seemed, own_gains in zip(seemed, gains, strict=True):
        best = int(own_seemed.argmax())
        if own_seemed.flat[best] > 0:
            total += max(0.0, float(own_gains.flat[best]))
    return total


def _uniform(game: Game, quick: bool) -> JointPolicy:
    return uniform(game)


def _cfr_average(game: Game, quick: bool) -> JointPolicy:
    spec = solvers(Family.EXTENSIVE_FORM)["cfr+"]
    found = spec.solve(game.model(), iterations=CFR_ITERATIONS)
    policy: JointPolicy = found.policy
    return policy


def _trained(game: Game, quick: bool) -> JointPolicy:
    config = pma.LEARNER.config(id="pma")
    learner = pma.LEARNER.build(game, config, InlineExecutor(0))
    state = learner.init(np.random.SeedSequence(0))
    for _ in range(2 if quick else PMA_ITERATIONS):
        state, _ = learner.step(state)
    return tabulate(game.model(), learner.average_policy(state))


POLICIES: dict[str, Callable[[Game, bool], JointPolicy]] = {
    "uniform": _uniform,
    "trained network": _trained,
    f"CFR+, {CFR_ITERATIONS} iterations": _cfr_average,
}
