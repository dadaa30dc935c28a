"""Environments of MFGLib as mean-field games here, and policies both ways.

Guo, Hu, Santamaria, Tajrobehkar and Zhang (2023), "MFGLib: a library for mean-field games", arXiv 2304.08630.

`eqenvs.make("mfglib:rock_paper_scissors(T=3)")`: what stands after the colon is a constructor of
`mfglib.env.Environment`, with parameters as Python writes them. `from_environment` takes any environment. Its times 0
to T are T + 1 decisions, undiscounted; states and actions of several dimensions are numbered in row-major order, a
state's key being its coordinates. MFGLib's exploitability is the NashConv of the one representative player, and has the
same sign and scale as here. See `eqenvs.interop._mfglib_model` for the model and what it costs.

Constructors are called in double precision, but what a seed draws is what MFGLib, in single precision, makes of it.
torch's random state is kept.

Needs the package `mfglib`, where the game is made, on workers too: a game travels as its name, or as the environment
object, which must then be picklable.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from eqenvs.errors import InputError, PolicyError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.interop._mfglib_model import Functions, model_of, torch, trials
from eqenvs.interop._mfglib_named import SCHEME, environment, holders, known, library, parsed, version
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import TabularPolicy
from eqenvs.population_rules import MeanFieldGame, mean_field_spec
from eqenvs.spec import GameSpec

SOURCE = "MFGLib, Guo et al. (2023), arXiv 2304.08630"


@lru_cache(maxsize=4)
def spec(reference: str) -> GameSpec:
    """The environment of one of MFGLib's constructors.

    Args:
        reference: such as "left_right" or "beach_bar(n=10,T=20,bar_loc=5)". A `mu0` is written as nested tuples.

    Raises:
        InputError: MFGLib is absent, or knows no such constructor or parameter, or cannot make it.
        GameTooLargeError: the environment has too many states.
    """
    name, given = parsed(reference)
    found = hashlib.sha256(f"{version()} {name} {sorted(given.items())}".encode())
    if "seed" in given:  # what is drawn may depend on torch's version too
        for tensor in _tensors(environment(reference)):
            found.update(np.asarray(tensor).tobytes())
    build = _Named(reference, found.hexdigest())
    title = f"{name.replace('_', ' ').capitalize()} (MFGLib)"
    return _spec_of(f"{SCHEME}:{reference}", title, build, SOURCE, found.hexdigest())


def from_environment(
    env: Any, name: str = "environment", *, states_only: bool = False, fixed_moves: bool = False
) -> Game:
    """Any environment of MFGLib as a game, computed in the precision of its `mu0`.

    It is not to be changed afterwards. The game can be pickled where the environment can: not if one of its functions
    is a lambda.

    Args:
        env: an `mfglib.env.Environment`.
        name: of the game, in messages and tables.
        states_only: say so if neither rewards nor moves depend on what others do, but only on where they are: the model
            is then smaller and agents need no half steps. Said wrongly, it is refused where trials show it.
        fixed_moves: say so if moves depend neither on the others nor on the time: they are then sparse and compiled.
            Likewise.

    Raises:
        GameTooLargeError: there are too many states and actions.
        InputError: it is no such environment, one of its functions fails or gives no rewards or probabilities, or what
            is said of it is refuted.
    """
    if not isinstance(env, library().Environment):
        raise InputError(f"{name}: must be an mfglib.env.Environment, got {type(env).__name__}")
    build = _Given(env, name, states_only, fixed_moves)
    return Game(_spec_of(name, f"{name} (MFGLib)", build, "an environment of MFGLib", _digest(build)))


def to_policy(game: Game, policy: TabularPolicy) -> Any:
    """A policy of an environment of MFGLib as its tensor [T + 1, *S, *A], of torch's default kind.

    Args:
        game: made by "mfglib:..." or `from_environment`.
        policy: of it.

    Raises:
        UnsupportedGame: it is no environment of MFGLib.
    """
    env, model = _origin(game)
    states = math.prod(env.S)
    rows = model.as_array(policy.tables)[_decisions(env, model), 0, :states]
    table = torch().tensor(np.ascontiguousarray(rows), dtype=torch().get_default_dtype())
    return table.reshape(len(rows), *env.S, *env.A)


def from_policy(game: Game, policy: Any) -> TabularPolicy:
    """A policy of MFGLib, a tensor [T + 1, *S, *A], as a table here.

    Args:
        game: made by "mfglib:..." or `from_environment`.
        policy: of the same environment, a tensor or an array.

    Raises:
        PolicyError: it has another shape, or a row is no distribution.
        UnsupportedGame: the game is no environment of MFGLib.
    """
    env, model = _origin(game)
    rows = np.asarray(policy.detach().cpu() if hasattr(policy, "detach") else policy, dtype=np.float64)
    shape = (env.T + 1, *env.S, *env.A)
    if rows.shape != shape:
        raise PolicyError(f"{game.spec.id}: a policy of MFGLib must have shape {list(shape)}, got {list(rows.shape)}")
    states = math.prod(env.S)
    full = np.broadcast_to(model.legal / model.legal.sum(axis=1, keepdims=True), model.policy_shape).copy()
    full[_decisions(env, model), 0, :states] = rows.reshape(env.T + 1, states, -1)
    return TabularPolicy(model, model.as_tables(full))


def _decisions(env: Any, model: MeanFieldModel) -> slice:
    """The moments at which something is chosen."""
    return slice(None, None, 1 if model.horizon == env.T + 1 else 2)


class _Build:
    """A picklable `build`."""

    def environment(self) -> Any:
        """MFGLib's."""
        raise NotImplementedError

    def model(self) -> MeanFieldModel:
        """Made once."""
        raise NotImplementedError

    def __call__(self, *, num_agents: int, sees_distribution: bool) -> MeanFieldGame:
        return MeanFieldGame(self.model(), num_agents, sees_distribution)


class _Named(_Build):
    """Of a constructor, which is called again where it arrives."""

    def __init__(self, reference: str, digest: str) -> None:
        self.reference, self.digest = reference, digest

    def environment(self) -> Any:
        if spec(self.reference).digest != self.digest:
            raise InputError(f"{SCHEME}:{self.reference} is another game here: mfglib or torch has another version")
        return environment(self.reference)

    def model(self) -> MeanFieldModel:
        self.environment()
        return _model(self.reference)


class _Given(_Build):
    """Of an environment, which travels itself."""

    def __init__(self, env: Any, name: str, states_only: bool, fixed_moves: bool) -> None:
        self.env, self.name, self.states_only, self.fixed_moves = env, name, states_only, fixed_moves
        self._model: MeanFieldModel | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_model": None}

    def environment(self) -> Any:
        return self.env

    def model(self) -> MeanFieldModel:
        if self._model is None:
            said = {"states_only": self.states_only, "fixed_moves": self.fixed_moves}
            self._model = model_of(self.env, self.name, **said)
        return self._model


def _spec_of(game_id: str, title: str, build: _Build, source: str, digest: str) -> GameSpec:
    # The parameters of the environments; the function that `mean_field_spec` would make of `build` cannot be pickled.
    general = mean_field_spec(id=game_id, title=title, build=build.model, source=source)
    return replace(general, build=build, digest=digest)


def _origin(game: Game) -> tuple[Any, MeanFieldModel]:
    if not isinstance(game.spec.build, _Build):
        raise UnsupportedGame(f"{game.spec.id} is no environment of MFGLib")
    model = game.model()
    assert isinstance(model, MeanFieldModel)
    return game.spec.build.environment(), model


def _digest(build: _Given) -> str:
    """Of the environment's figures at a few mean fields; its functions cannot be compared."""
    functions = Functions.of(build.env, build.name)
    said = (functions.end, build.env.S, build.env.A, build.states_only, build.fixed_moves)
    found = hashlib.sha256(repr(said).encode())
    found.update(functions.initial.tobytes())
    for joint in (joint for same in trials(functions) for joint in same):
        for time in sorted({0, functions.end // 2, functions.end}):
            found.update(functions.rewards(joint, time).tobytes())
            if time < functions.end:
                found.update(functions.moves(joint, time).tobytes())
    return found.hexdigest()


@lru_cache(maxsize=4)
def _model(reference: str) -> MeanFieldModel:
    said = known(parsed(reference)[0])
    where = f"{SCHEME}:{reference}"
    return model_of(environment(reference), where, states_only=said.states_only, fixed_moves=said.fixed_moves)


def _tensors(env: Any) -> Iterator[Any]:
    """What an environment and its functions hold, in the order of names."""
    for holder in holders(env):
        for _, value in sorted(vars(holder).items()):
            yield from (each for each in (value if isinstance(value, list) else [value]) if hasattr(each, "detach"))
