"""Pictures of games: what to draw (`picture`), as text, as an image, and in a window.

A game's `Rules.picture` says what there is to see, once; everything else follows from it. Pillow and pygame are
imported where something is drawn with them, never with this package.
"""

from eqenvs.rendering.picture import Board, Picture, player_colour, squares
from eqenvs.rendering.screen import RENDER_MODES, Screen
from eqenvs.rendering.text import as_text

__all__ = ["RENDER_MODES", "Board", "Picture", "Screen", "as_text", "player_colour", "squares"]
