"""The games that are measured, and what OpenSpiel calls them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import eqenvs
from eqenvs.models import ExtensiveFormModel


@dataclass(frozen=True)
class Instance:
    """A game with its parameters.

    Attributes:
        name: in tables.
        id: ours.
        parameters: ours.
        peer: OpenSpiel's string for the same game.
    """

    name: str
    id: str
    parameters: dict[str, Any] = field(default_factory=dict)
    peer: str = ""

    def model(self) -> ExtensiveFormModel:
        """The exact model, built anew."""
        model = eqenvs.make(self.id, **self.parameters).model()
        assert isinstance(model, ExtensiveFormModel)
        return model


def leduc(ranks: int) -> Instance:
    """Leduc poker with two suits."""
    return Instance(f"Leduc poker, {ranks} ranks", "leduc_poker", {"num_ranks": ranks})


def liars_dice(faces: int) -> Instance:
    """Liar's dice with one die each."""
    name = f"liar's dice, {faces} faces"
    return Instance(name, "liars_dice", {"num_faces": faces}, f"liars_dice(dice_sides={faces})")


def goofspiel(cards: int) -> Instance:
    """Goofspiel with hidden bids and point cards in descending order."""
    rules = {"num_cards": cards, "points_order": "descending", "imperfect_information": True}
    theirs = f"goofspiel(imp_info=True,num_cards={cards},points_order=descending,players=2)"
    return Instance(f"goofspiel, {cards} cards", "goofspiel", rules, f"turn_based_simultaneous_game(game={theirs})")


KUHN = Instance("Kuhn poker", "kuhn_poker", {}, "kuhn_poker")
LEDUC = Instance("Leduc poker", "leduc_poker", {}, "leduc_poker")
# The zero-sum instance. In both programs: 9,216 ends, 397 and 1,189 information sets, 1,196 and 3,596 actions.
BATTLESHIP = Instance(
    "battleship",
    "battleship",
    {"height": 2, "width": 2, "ship_sizes": "1,2", "num_shots": 2, "loss_multiplier": 1.0},
    "battleship(board_width=2,board_height=2,ship_sizes=[1;2],ship_values=[1;1],num_shots=2,"
    "allow_repeated_shots=False,loss_multiplier=1.0)",
)
LIARS_DICE = liars_dice(6)
ALL = (KUHN, LEDUC, LIARS_DICE, goofspiel(5), BATTLESHIP)
