"""A picture of a game in play: an image where it has one, else the lines of text that a spectator sees."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from eqenvs.game import Game

MOST_STEPS = 200  # of the play that a picture is taken from
EARLY = 8  # steps played before the picture, at most half of the play


def image(game: Game) -> bytes | None:
    """A PNG of the middle of random play from seed 0; None where the game has no picture but text."""
    if game.rules.picture(game.rules.initial_state(1, np)) is None:
        return None
    shown = _middle(game, "rgb_array")
    stored = io.BytesIO()
    Image.fromarray(shown).save(stored, format="PNG", optimize=True)
    return stored.getvalue()


def text(game: Game) -> str:
    """The same play in text."""
    return str(_middle(game, "ansi"))


def _middle(game: Game, render_mode: str) -> object:
    steps = _play(game, None, MOST_STEPS)[0]
    return _play(game, render_mode, min(EARLY, steps // 2))[1]


def _play(game: Game, render_mode: str | None, most: int) -> tuple[int, object]:
    """Random legal play for `most` steps: how many there were, and what is seen then."""
    env = game.parallel_env(render_mode=render_mode)
    observations, _ = env.reset(seed=0)
    rng, steps = np.random.default_rng(0), 0
    while env.agents and steps < most:
        masks = {agent: observations[agent]["action_mask"] for agent in env.agents}
        chosen = {agent: int(rng.choice(np.flatnonzero(mask))) for agent, mask in masks.items()}
        observations, _, _, _, _ = env.step(chosen)
        steps += 1
    return steps, None if render_mode is None else env.render()
