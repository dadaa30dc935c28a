"""What an environment's `render_mode` does with a picture: text, pixels or a window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from eqenvs.errors import unknown_name
from eqenvs.rendering.picture import Picture
from eqenvs.rendering.text import as_text
from eqenvs.rendering.window import Window, require_pygame
from eqenvs.rules import Rules

RENDER_MODES: Final = ("ansi", "rgb_array", "human")
RENDER_FPS: Final = 4  # of a window, and of films
MOST_NAMED = 6  # players in a line

Frame = str | NDArray[np.uint8] | None


class Screen:
    """Where an environment draws; a window is not copied or pickled with it.

    Args:
        mode: the environment's `render_mode`.
        title: of a window, and in warnings.
        metadata: the environment's, whose `render_fps` a window keeps to.

    Raises:
        InputError: there is no such mode, or "human" is asked for without pygame.
    """

    def __init__(self, mode: str | None, title: str, metadata: Mapping[str, Any]) -> None:
        if mode is not None and mode not in RENDER_MODES:
            raise unknown_name("render_mode", mode, RENDER_MODES)
        if mode == "human":
            require_pygame()
        self.mode, self._title, self._metadata = mode, title, metadata
        self._window: Window | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_window": None}

    def draw(self, picture: Picture, header: Sequence[str]) -> Frame:
        """Text, pixels [H, W, 3] uint8, or None where a window shows them."""
        if self.mode == "ansi":
            return as_text(picture, header)
        # Pillow is not imported before something is drawn.
        from eqenvs.rendering.image import as_image

        image = as_image(picture, header)
        if self.mode != "human":
            return image
        if self._window is None:
            self._window = Window(self._title)
        self._window.show(image, self._metadata["render_fps"])
        return None

    def no_mode(self) -> None:
        """Warn that nothing can be drawn, as PettingZoo's environments do."""
        gymnasium.logger.warn(
            f"{self._title}: render() was called and no render_mode was given; use one of {', '.join(RENDER_MODES)}"
        )

    def close(self) -> None:
        """Close the window, if there is one; the next picture opens another."""
        if self._window is not None:
            self._window.close()
        self._window = None


def picture_of(rules: Rules[Any], state: Any) -> Picture:
    """What a spectator sees of a batch of one; the text of games that have no picture."""
    picture = rules.picture(state)
    return Picture(lines=tuple(rules.describe_state(state).splitlines())) if picture is None else picture


def waiting(rules: Rules[Any], movers: Sequence[int]) -> str:
    """Who is to move, in a line."""
    if len(movers) > MOST_NAMED:
        return f"{len(movers):,} of {rules.num_players:,} players to move"
    return ", ".join(f"player_{player}" for player in movers) + " to move"


def moves(rules: Rules[Any], actions: Mapping[int, int]) -> str:
    """What players did, in a line: by player, or of many how many did what."""
    told = {player: rules.describe_action(player, action) for player, action in actions.items()}
    if len(told) <= MOST_NAMED:
        return ", ".join(f"player_{player} {action}" for player, action in told.items())
    counts = Counter(told.values()).most_common()
    shown = ", ".join(f"{count} x {action}" for action, count in counts[:MOST_NAMED])
    return shown if len(counts) <= MOST_NAMED else f"{shown}, ..."


def payments(rewards: Sequence[float]) -> str:
    """What players were paid, in a line; nothing where nobody was."""
    if not any(rewards):
        return ""
    if len(rewards) > MOST_NAMED:
        return f"; paid: from {min(rewards):g} to {max(rewards):g}"
    return "; paid: " + ", ".join(f"player_{player} {reward:g}" for player, reward in enumerate(rewards) if reward)
