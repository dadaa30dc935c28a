"""The scorer of a model, found by the model's family.

The scorer of a family is `SCORER` in the module of this package that is named like it: a class, or another callable,
from a model to a `Scorer`. Where a game cannot be enumerated but `Rules.scorer` names a module, its `SCORER` takes the
game instead. A module is imported when a model of its family is first scored, because numba and SciPy
take longer to import than a small game to score.

Scorers are cheap to make, and made for every score: one that was kept for a model would keep the model. What takes time
to lay out is kept by `kept_with_model` instead.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.models import Model
from eqenvs.policies import JointPolicy

if TYPE_CHECKING:
    from eqsolvers.scoring.score import Score

ModelT = TypeVar("ModelT")
MadeT = TypeVar("MadeT")


class Scorer(Protocol):
    """Judges joint policies of one model, exactly."""

    def score(self, policy: JointPolicy) -> Score:
        """See `eqsolvers.scoring.score.score`."""

    def best_response(self, player: int, policy: JointPolicy) -> tuple[float, Float64Array]:
        """See `eqsolvers.scoring.score.best_response`."""

    def values(self, tables: Sequence[Float64Array]) -> Float64Array:
        """The players' expected payoffs, [N], under a behaviour table [I, A] for each player, taken as it is."""

    def warm_up(self) -> None:
        """See `eqsolvers.scoring.score.warm_up`."""


def scorer(game: Game | Model) -> Scorer:
    """The scorer of a game or a model.

    Raises:
        GameTooLargeError: if the game cannot be enumerated, and its rules name no scorer that need not.
        UnsupportedGame: if the model's family has no exact scoring.
    """
    if not isinstance(game, Game):
        return _of_family(game.family.value)(game)
    if game.exact or not game.scored_exactly:
        return scorer(game.model())
    return _of_family(str(game.rules.scorer))(game)


@functools.cache
def _of_family(module_name: str) -> Callable[[Any], Scorer]:
    name = f"{__package__}.{module_name}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UnsupportedGame(f"no exact scoring for {module_name} games yet") from None
    found: Callable[[Any], Scorer] = module.SCORER
    return found


def kept_with_model(make: Callable[[ModelT], MadeT]) -> Callable[[ModelT], MadeT]:
    """`make`, called once for a model: what it makes is kept for as long as the model, which it must not hold."""
    made: WeakKeyDictionary[ModelT, MadeT] = WeakKeyDictionary()

    @functools.wraps(make)
    def find(model: ModelT) -> MadeT:
        found = made.get(model)
        if found is None:
            found = made[model] = make(model)
        return found

    return find
