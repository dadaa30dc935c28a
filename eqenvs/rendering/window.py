"""A window that shows images, by pygame; it has one display, so a process shows one window at a time."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from eqenvs.errors import InputError


def require_pygame() -> None:
    """Refuse to go on without pygame, which is not imported yet.

    Raises:
        InputError: saying how to install it.
    """
    if importlib.util.find_spec("pygame") is None:
        raise InputError("render_mode 'human' needs pygame: pip install \"eqenvs[render]\"; 'rgb_array' does not")


class Window:
    """Opened by the first image; once somebody has closed it, it stays closed."""

    _on_display: ClassVar[Window | None] = None  # whose image the process's display shows

    def __init__(self, title: str) -> None:
        require_pygame()
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it prints when it is imported
        self._pygame: Any = importlib.import_module("pygame")
        self._title, self._closed = title, False
        self._clock = self._pygame.time.Clock()

    def show(self, image: NDArray[np.uint8], fps: float) -> None:
        """Show an image [H, W, 3], at most `fps` a second.

        Raises:
            InputError: there is no display.
        """
        if self._closed:
            return
        pygame, size = self._pygame, (image.shape[1], image.shape[0])
        try:
            surface = self._surface(size)
        except pygame.error as error:
            raise InputError(f"render_mode 'human' needs a display ({error}); 'rgb_array' does not") from None
        surface.blit(pygame.image.frombuffer(image.tobytes(), size, "RGB"), (0, 0))
        pygame.display.flip()
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            self.close()
        else:
            self._clock.tick(fps)

    def _surface(self, size: tuple[int, int]) -> Any:
        """The display, in this window's size and with its title."""
        display = self._pygame.display
        if not display.get_init():
            display.init()
        surface = display.get_surface()
        if Window._on_display is not self or surface is None or surface.get_size() != size:
            surface = display.set_mode(size)
            display.set_caption(self._title)
            Window._on_display = self
        return surface

    def close(self) -> None:
        """Close the window, unless another one has taken its place; closing it again changes nothing."""
        if Window._on_display is self:
            self._pygame.display.quit()
            Window._on_display = None
        self._closed = True
