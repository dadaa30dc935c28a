"""Mean-field contestants: ours, OpenSpiel's and MFGLib's algorithms; neither of the peers need be installed.

OpenSpiel's algorithms are Python over its games, of which the crowds are C++; MFGLib's are torch, in single precision
as it comes. An iteration is that of each program's own class, started from the uniform policy.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import eqenvs
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.spec import Family
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.result import solvers

ETA = 0.1  # step of mirror descent, in all programs
METHODS = ("fictitious-play", "omd")
INSTALL = {"OpenSpiel": "pip install open_spiel", "MFGLib": "pip install mfglib"}


class Run(Protocol):
    """An algorithm under way."""

    def run(self, iterations: int) -> None:
        """Do that many more."""

    def nash_conv(self) -> float:
        """Of its policy, by the program's own evaluator."""


class Program(Protocol):
    """One program with one game."""

    def uniform(self) -> float:
        """NashConv of the uniform policy, computed anew."""

    def start(self, method: str) -> Run:
        """One of `METHODS`, at the uniform policy."""


@dataclass(frozen=True)
class Instance:
    """A game with what other programs call it.

    Attributes:
        name: in tables.
        id: ours.
        parameters: ours.
        open_spiel: name and setting in its factory; None where it has no such game.
        mfglib: constructor and arguments of its environment; None likewise.
        same: whether the peers' figures are of the same game.
    """

    name: str
    id: str
    parameters: dict[str, Any] = field(default_factory=dict)
    open_spiel: tuple[str, str] | None = None
    mfglib: tuple[str, dict[str, Any]] | None = None
    same: bool = True

    def model(self) -> MeanFieldModel:
        """Built anew."""
        return model_of(self.id, **self.parameters)

    def programs(self) -> dict[str, Program]:
        """Ours first, and the peers that are installed and have the game."""
        found: dict[str, Program] = {"eqenvs": Ours(self.model())}
        if self.open_spiel is not None and open_spiel():
            found["open_spiel"] = OpenSpiel(*self.open_spiel)
        if self.mfglib is not None and mfglib():
            found["mfglib"] = MFGLib(*self.mfglib)
        return found


def model_of(game: str, **parameters: Any) -> MeanFieldModel:
    """The mean-field game of that id."""
    model = eqenvs.make(game, **parameters).model()
    assert isinstance(model, MeanFieldModel)
    return model


# MFGLib's default has three fractions of a cell that it rounds; these have none, and its mean reversion is whole.
WALLED = {"horizon": 5, "moves": 2, "volatility": 0.0, "cross_cost": 0.3, "terminal_cost": 2.0, "ring": False}
SIS = Instance("SIS", "sis", mfglib=("susceptible_infected", {"T": 50}))
CROWD = Instance("2-D crowd", "crowd_2d", open_spiel=("mfg_crowd_modelling_2d", "crowd_modelling_2d_10x10"), same=False)
INSTANCES = (
    Instance("four rooms", "four_rooms", open_spiel=("mfg_crowd_modelling_2d", "crowd_modelling_2d_four_rooms")),
    CROWD,
    SIS,
    Instance(
        "linear-quadratic", "linear_quadratic", open_spiel=("mean_field_lin_quad", "linear_quadratic"), same=False
    ),
    Instance(
        "linear-quadratic, walls",
        "linear_quadratic",
        {"size": 9, "mean_reversion": 1.0, **WALLED},
        mfglib=(
            "linear_quadratic",
            {"T": 5, "el": 4, "m": 2, "sigma": 0.0, "delta": 1.0, "k": 1.0, "q": 0.3, "c_term": 2.0},
        ),
    ),
    Instance(
        "beach bar, 20 places",
        "beach_bar",
        {"size": 20, "horizon": 20, "ends": True},
        mfglib=("beach_bar", {"n": 20, "T": 19, "bar_loc": 10}),
    ),
    Instance("predator-prey", "predator_prey", open_spiel=("python_mfg_predator_prey", "predator_prey_5x5x3")),
    Instance(
        "periodic aversion",
        "periodic_aversion",
        open_spiel=("python_mfg_periodic_aversion", "periodic_aversion"),
        same=False,
    ),
)


class Ours:
    """This project's passes."""

    def __init__(self, model: MeanFieldModel) -> None:
        self._model = model
        self._dynamics = Dynamics(model)
        self._policy = self._dynamics.uniform()

    def uniform(self) -> float:
        """See `Program`."""
        return float(self._dynamics.evaluate(self._policy).gains.sum())

    def start(self, method: str) -> Run:
        """See `Program`."""
        spec = solvers(Family.MEAN_FIELD)[method]
        assert spec.start is not None
        return _OurRun(spec.start(self._model, settings={"eta": ETA} if method == "omd" else {}))


class _OurRun:
    def __init__(self, process: Any) -> None:
        self.run, self.nash_conv = process.run, process.residual


class OpenSpiel:
    """OpenSpiel's mean-field algorithms on one of its games."""

    def __init__(self, name: str, setting: str) -> None:
        self._algorithms = open_spiel()
        self._game = importlib.import_module("open_spiel.python.mfg.games.factory").create_game_with_setting(
            name, setting
        )

    def uniform(self) -> float:
        """See `Program`."""
        policy = importlib.import_module("open_spiel.python.policy")
        return self._nash_conv(policy.UniformRandomPolicy(self._game))

    def start(self, method: str) -> Run:
        """See `Program`."""
        if method == "omd":
            solver = self._algorithms["mirror_descent"].MirrorDescent(self._game, lr=ETA)
        else:
            solver = self._algorithms["fictitious_play"].FictitiousPlay(self._game)
        return _OpenSpielRun(self, solver)

    def _nash_conv(self, policy: Any) -> float:
        return float(self._algorithms["nash_conv"].NashConv(self._game, policy).nash_conv())


class _OpenSpielRun:
    def __init__(self, program: OpenSpiel, solver: Any) -> None:
        self._program, self._solver = program, solver

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self._solver.iteration()

    def nash_conv(self) -> float:
        return self._program._nash_conv(self._solver.get_policy())


class MFGLib:
    """MFGLib's algorithms on one of its environments."""

    def __init__(self, name: str, arguments: dict[str, Any]) -> None:
        self._torch = importlib.import_module("torch")
        self._library = mfglib()
        self._env = getattr(self._library["env"].Environment, name)(**arguments)
        shape = (self._env.T + 1, *self._env.S, *self._env.A)
        self._uniform = self._torch.full(shape, 1 / self._env.n_actions)

    def uniform(self) -> float:
        """See `Program`."""
        return self._nash_conv(self._uniform)

    def start(self, method: str) -> Run:
        """See `Program`."""
        algorithms = self._library["alg"]
        chosen = algorithms.OnlineMirrorDescent(alpha=ETA) if method == "omd" else algorithms.FictitiousPlay()
        return _MFGLibRun(self, chosen, chosen.init_state(self._env, self._uniform))

    def _nash_conv(self, policy: Any) -> float:
        return float(self._library["scoring"].exploitability_score(self._env, policy))


class _MFGLibRun:
    def __init__(self, program: MFGLib, algorithm: Any, state: Any) -> None:
        self._program, self._algorithm, self._state = program, algorithm, state

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self._state = self._algorithm.step_next_state(self._state, None, None)

    def nash_conv(self) -> float:
        return self._program._nash_conv(self._state.pi)


@cache
def open_spiel() -> dict[str, Any]:
    """OpenSpiel's algorithms by the names of their modules; none where it is not installed."""
    with contextlib.suppress(ImportError):
        importlib.import_module("open_spiel.python.mfg.games.factory")
        package = "open_spiel.python.mfg.algorithms"
        return {
            name: importlib.import_module(f"{package}.{name}")
            for name in ("nash_conv", "fictitious_play", "mirror_descent")
        }
    return {}


@cache
def mfglib() -> dict[str, Any]:
    """MFGLib's modules by name; none where it is not installed."""
    with contextlib.suppress(ImportError):
        return {name: importlib.import_module(f"mfglib.{name}") for name in ("env", "alg", "scoring")}
    return {}


def absent() -> tuple[str, ...]:
    """A note for each peer that is not installed."""
    peers = {"OpenSpiel": open_spiel(), "MFGLib": mfglib()}
    return tuple(
        f"{name} is not installed, and its cells are empty; {INSTALL[name]}."
        for name, module in peers.items()
        if not module
    )


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch in one thread, where it is installed."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
