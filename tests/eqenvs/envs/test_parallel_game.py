"""Learners with networks on a PettingZoo Parallel environment that nobody has the rules of."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest

from eqagents.configuration import by_id
from eqagents.distributed import InlineExecutor
from eqagents.learners import find_learner
from eqenvs.envs.parallel_game import ParallelGame
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models.information_states import InformationStates
from eqenvs.robust import ActionPerturbation, RobustParallelEnv

LAKE = partial(gymnasium.make, "FrozenLake-v1", desc=["SF", "HG"], is_slippery=False)
MAKE = partial(RobustParallelEnv, LAKE, ActionPerturbation(alpha=0.2))


def trained(game: ParallelGame, steps: int) -> Any:
    settings = {
        "play": {"num_envs": 16, "steps": 16},
        "network": {"hidden": [16]},
        "pull": 0.02,
        "fit": {"learning_rate": 5e-3},
    }
    built = find_learner("pma").build(
        game, by_id({"id": "pma", **settings}, find_learner, "learner"), InlineExecutor(0)
    )
    state = built.init(np.random.SeedSequence(0))
    for _ in range(steps):
        state, _ = built.step(state)
    return built.average_policy(state)


def worth(game: ParallelGame, policy: Any) -> float:
    """The protagonist's mean return in 200 episodes against the trained adversary."""
    env = game.vector_env(100)
    rng, shown, returns, running = np.random.default_rng(1), env.reset(5), [], np.zeros(100)
    while len(returns) < 200:
        actions = np.zeros((100, 2), dtype=np.int64)
        for player in range(2):
            states = InformationStates(*(part[:, player] for part in (shown.keys, shown.observations, shown.masks)))
            width = game.rules.num_actions[player]
            states = states._replace(masks=states.masks[:, :width])
            chances = policy.players[player](player, states)
            actions[:, player] = [rng.choice(width, p=row) for row in chances]
        shown = env.step(actions)
        running += shown.rewards[:, 0]
        ended = shown.terminated | shown.truncated
        returns += running[ended].tolist()
        running[ended] = 0.0
    return float(np.mean(returns))


@pytest.mark.slow
def test_policy_mirror_ascent_learns_both_sides_of_a_robust_environment() -> None:
    game = ParallelGame(MAKE, discount=0.95)
    before, after = trained(game, 0), trained(game, 14)
    assert worth(game, before) < 0.35
    assert worth(game, after) > 0.5


def test_it_can_only_be_played() -> None:
    game = ParallelGame(MAKE, discount=0.9)
    assert not game.exact
    assert pickle.loads(pickle.dumps(game)).rules.observation_size == game.rules.observation_size
    with pytest.raises(UnsupportedGame, match="can only be played"):
        game.rules.turn(None)
    with pytest.raises(InputError, match="plays on the cpu"):
        game.vector_env(2, "cuda")
    with pytest.raises(InputError, match="discount must be a number from 0 to 1"):
        _ = ParallelGame(MAKE, discount=1.5)
