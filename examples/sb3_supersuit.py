"""PPO of Stable-Baselines3 against itself through SuperSuit: all players share one policy.

    pip install "eqenvs[frameworks]"
    python examples/sb3_supersuit.py --game common_pool --out sb3_run --quick
    eqenvs evaluate sb3_run/policy.json

For games in which all players move at once and every action is always legal. SuperSuit passes no masks on, and does
not tell the learner which ends are truncations. The model is saved as a zip file with pickles in it; here only its
tensors are read again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import eqenvs
from eqagents.interop.exported import export_policy
from eqagents.interop.sb3 import SB3Policy, shared_env
from eqenvs.game import Game
from eqsolvers.scoring import score

COPIES = 8  # games played at once


def make_model(game: Game, seed: int) -> Any:
    """The learner and its vector environment: every player of every copy is one entry."""
    import supersuit
    from stable_baselines3 import PPO

    copies = supersuit.concat_vec_envs_v1(
        supersuit.pettingzoo_env_to_vec_env_v1(shared_env(game)), COPIES, base_class="stable_baselines3"
    )
    copies.venv.reset(seed=seed)  # copies start with the same random stream, and SB3's own seeds do not reach them
    return PPO(
        "MlpPolicy",
        copies,
        n_steps=128,
        batch_size=256,
        n_epochs=4,
        learning_rate=1e-3,
        gamma=game.rules.discount,
        ent_coef=0.02,
        seed=None,
        device="cpu",
    )


def train(game: Game, steps: int, path: Path, *, seed: int = 0) -> None:
    """Train, and save the model."""
    from stable_baselines3.common.utils import set_random_seed

    set_random_seed(seed)
    make_model(game, seed).learn(steps).save(path)


def load(game: Game, path: Path) -> SB3Policy:
    """The saved model's policy."""
    model = make_model(game, 0)
    model.set_parameters(path, device="cpu")
    return SB3Policy(model)


def main(arguments: Sequence[str] | None = None) -> float:
    """The command; returns the NashConv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--game", default="common_pool", help="the id of a game that can be enumerated")
    parser.add_argument("--parameters", type=json.loads, default={}, metavar="JSON", help="of the game")
    parser.add_argument("--out", type=Path, default=Path("sb3_run"), help="where to put model.zip and policy.json")
    parser.add_argument("--steps", type=int, default=200_000, help="of all players together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="20,000 steps")
    options = parser.parse_args(arguments)
    game = eqenvs.make(options.game, **options.parameters)
    options.out.mkdir(parents=True, exist_ok=True)
    steps = 20_000 if options.quick else options.steps
    train(game, steps, options.out / "model.zip", seed=options.seed)
    table = export_policy(game, load(game, options.out / "model.zip"), options.out / "policy.json")
    nash_conv = score(game, table).nash_conv
    print(f"{options.game}: NashConv {nash_conv:.4f} after {steps} steps, {options.out}/policy.json")  # noqa: T201
    return nash_conv


if __name__ == "__main__":
    main()
