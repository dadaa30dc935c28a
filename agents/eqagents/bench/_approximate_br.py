"""How near learned best responses come to exact ones: NashConv both ways, by policy and by budget.

Timbers et al. (2022), "Approximate exploitability: learning a best response", IJCAI, section 5, makes the same check.
The found gain of a response is computed exactly from the game's model, so a row has no sampling error; what
`score_by_simulation` reports adds its interval to that.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.configuration import NamedSettings
from eqagents.distributed import InlineExecutor
from eqagents.learners.deep import pma
from eqagents.oracles import find_oracle
from eqagents.policies import to_policy
from eqagents.rollout import NetworkConfig
from eqagents.rollout.task import networks_of
from eqenvs.game import Game
from eqenvs.policies import JointPolicy, ProductPolicy, tabulate, uniform
from eqenvs.spec import Family
from eqsolvers.result import solvers
from eqsolvers.scoring import score
from eqsolvers.scoring.simulated import replace_player

GAMES: dict[str, dict[str, int]] = {"kuhn_poker": {}, "leduc_poker": {}, "liars_dice": {"num_dice": 1, "num_faces": 6}}
BUDGETS = (20, 80, 320)  # updates of 128 games x 32 stages
SEEDS = 2
ORACLES = ("policy_gradient", "ppo")
CFR_ITERATIONS = 10
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
            for budget in BUDGETS[:1] if settings.quick else BUDGETS:
                rows.append(
                    {"game": name, "policy": policy_name, "updates": budget, "exact": exact.nash_conv}
                    | _found(game, policy, budget, exact.values, settings.quick)
                )
                settings.say(brief(rows[-1]))
    return Section(
        id="approximate_best_response",
        title="NashConv by learned best responses, as a share of the exact one",
        columns={
            "game": "game",
            "policy": "policy",
            "updates": "updates a response",
            "exact": "exact NashConv",
            **{f"found_{oracle}": f"{oracle}, best of {SEEDS}" for oracle in ORACLES},
            "found": "best of all",
            "share": "share of the exact",
            "missing": "exact less found",
            "seconds": "CPU seconds",
        },
        rows=rows,
        notes=(
            "An update is 128 games x 32 stages, with 16 gradient steps for `ppo`, one for the other. Gains are "
            "exact, of the responses that were learned; the best of seeds and oracles is taken for each player.",
            f"Policies: uniform; the average of {CFR_ITERATIONS} iterations of CFR+; a network with random weights; "
            f"the last iterate of {PMA_ITERATIONS} iterations of `pma`.",
        ),
    )


def _found(game: Game, policy: JointPolicy, budget: int, values: np.ndarray, quick: bool) -> Row:
    """Gains of the best responses found by each oracle and by all."""
    started = time.process_time()
    seeds = 1 if quick else SEEDS
    shape = {"num_envs": 32, "steps": 8, "hidden": [16]} if quick else {"num_envs": 128, "steps": 32}
    gains = np.zeros((len(ORACLES), game.num_players))
    for place, name in enumerate(ORACLES):
        oracle = find_oracle(name)
        config: NamedSettings = oracle.config.model_validate(
            {"id": name, "updates": budget, "learning_rate": 5e-3, "value_episodes": 2, **shape}
        )
        for player in range(game.num_players):
            for seed in range(seeds):
                root = np.random.SeedSequence(seed, spawn_key=(place, player))
                found = oracle.respond(config, game, player, policy, root, None)
                response = replace_player(policy, player, to_policy(found.record, game, player), game.num_players)
                gains[place, player] = max(gains[place, player], score(game, response).values[player] - values[player])
    best = float(gains.max(axis=0).sum())
    exact = score(game, policy).nash_conv
    return {
        **{f"found_{name}": float(gains[place].sum()) for place, name in enumerate(ORACLES)},
        "found": best,
        "share": best / exact,
        "missing": exact - best,
        "seconds": time.process_time() - started,
    }


def _uniform(game: Game, quick: bool) -> JointPolicy:
    return uniform(game)


def _cfr_average(game: Game, quick: bool) -> JointPolicy:
    spec = solvers(Family.EXTENSIVE_FORM)["cfr+"]
    found = spec.solve(game.model(), iterations=CFR_ITERATIONS)
    policy: JointPolicy = found.policy
    return policy


def _random_network(game: Game, quick: bool) -> JointPolicy:
    networks = networks_of(game, NetworkConfig(hidden=(64, 64)), seed=0)
    records = networks.records()
    for record in records:
        *_, head, _ = record["weights"]
        record["weights"][head] = record["weights"][head] * 100  # its gain of 0.01 makes play nearly uniform
    return tabulate(game.model(), ProductPolicy([to_policy(record, game, p) for p, record in enumerate(records)]))


def _trained(game: Game, quick: bool) -> JointPolicy:
    config = pma.LEARNER.config(id="pma")
    learner = pma.LEARNER.build(game, config, InlineExecutor(0))
    state = learner.init(np.random.SeedSequence(0))
    for _ in range(2 if quick else PMA_ITERATIONS):
        state, _ = learner.step(state)
    return tabulate(game.model(), learner.average_policy(state))


POLICIES: dict[str, Callable[[Game, bool], JointPolicy]] = {
    "uniform": _uniform,
    f"CFR+, {CFR_ITERATIONS} iterations": _cfr_average,
    "random network": _random_network,
    "trained network": _trained,
}
