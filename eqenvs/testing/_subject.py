"""An environment under test: how it is made, how much of it is played, and the episodes that all checks share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eqenvs.testing._faces import Acting, Episode, Face, Frame, record
from eqenvs.testing.findings import NotApplicable

MakeEnv = Callable[..., Any]

# Warnings of PettingZoo's tests about style, or about what the interface leaves free.
STYLE = (
    "Observation space for each agent probably should be gymnasium.spaces.box or gymnasium.spaces.discrete",
    "Action space for each agent probably should be gymnasium.spaces.box or gymnasium.spaces.discrete",
    "Observation is not a NumPy array",
    "Observation is a single number",
    "Observation has more than 3 dimensions",
    "Observations are different shapes",
    "Observations have different number of dimensions",
    "Observation numpy array is all zeros",
    "The observation contains negative numbers and is in the shape of a graphical observation",
    # An agent that is not to move, or is out of the game, has no legal action: that is what the mask is there to say.
    "Action mask numpy array is all zeros",
    "Action mask is a single number",
    "Agents are recommended to have numbered string names",
    "We recommend agents to be named in the format",
    "The class of observation spaces is different between two agents",
    "Agents have different observation space sizes",
    "Agent's minimum observation space value is -infinity",
    "Agent's maximum observation space value is infinity",
    "Agent's maximum and minimum observation space values are equal",
    "Environment has not defined a render",
)


@dataclass(frozen=True, kw_only=True)
class EnvSettings:
    """How an environment is checked.

    Attributes:
        seeds: episodes of legal random play, of seeds 0, 1, ...
        steps: how far an episode is followed; of an AEC environment, steps of single agents.
        cycles: steps of each of PettingZoo's tests.
        hash_seeds: values of PYTHONHASHSEED to play under; none to leave that check out.
        style: beginnings of warnings of PettingZoo's tests that are not defects.
        legal_samples: whether action spaces give legal actions without a mask, so that PettingZoo's tests that sample
            so can be run.
        acting: of a Parallel environment and its infos, the agents whose actions count in the next step; None for all,
            or what the infos say under "acting", or the selected one of an AEC environment that PettingZoo converted.
        windows: whether to render in the mode "human", and to run PettingZoo's render_test, which needs that mode.
        left_out: names of checks not to run, of both interfaces ("seeds") or of one ("aec.seeds").
    """

    seeds: int = 3
    steps: int = 60
    cycles: int = 100
    hash_seeds: tuple[int, ...] = (0, 1, 2)
    style: tuple[str, ...] = STYLE
    legal_samples: bool = False
    acting: Acting | None = None
    windows: bool = True
    left_out: tuple[str, ...] = ()


class Subject:
    """One interface of an environment under test.

    Args:
        face: how it is looked at.
        make_env: makes an environment; further ones are made with `max_cycles` or `render_mode` if it takes them.
        settings: see there.
        name: for messages; None for what the environment calls itself.
    """

    def __init__(self, face: type[Face], make_env: MakeEnv, settings: EnvSettings, name: str | None = None) -> None:
        self.face_type, self.make_env, self.settings = face, make_env, settings
        self._name = name
        self._played: list[Episode] | AssertionError | None = None
        self._player: Face | None = None

    @property
    def name(self) -> str:
        """Environment and interface."""
        if self._name is None:
            self._name = _called(self.make_env())
        return f"{self._name}, {self.face_type.kind}"

    def face(self) -> Face:
        """A new environment."""
        return self.face_type(self.make_env(), self.settings.acting)

    def variant(self, argument: str, value: Any) -> Face:
        """A new environment, made with an argument.

        Raises:
            NotApplicable: the constructor takes none of that name.
        """
        parameters = inspect.signature(self.make_env).parameters
        anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        if argument not in parameters and not anything:
            raise NotApplicable(f"the constructor takes no {argument}")
        try:
            return self.face_type(self.make_env(**{argument: value}), self.settings.acting)
        except TypeError as error:
            if argument in parameters:
                raise
            raise NotApplicable(f"the constructor takes no {argument}: {error}") from error

    def takes(self, argument: str, value: Any) -> bool:
        """Whether environments can be made with it."""
        try:
            self.variant(argument, value).env.close()
        except NotApplicable:
            return False
        return True

    def require(self, holds: Any, place: str, expected: Any, found: Any) -> None:
        """Raise AssertionError unless `holds`."""
        if not holds:
            raise AssertionError(f"{self.name}: {place}: expected {expected}, found {found}")

    def same(self, place: str, text: str) -> None:
        """Raise AssertionError for a text of `difference` that is not empty."""
        if text:
            raise AssertionError(f"{self.name}: {place}{text} (expected against found)")

    def play(self) -> list[Episode]:
        """The episodes of legal random play; recorded once.

        Raises:
            AssertionError: the environment raised an exception.
        """
        if self._played is None:
            try:
                # Each in a new object: what one episode leaves to the next is for `seeds_reused` to find.
                faces = [self.face() for _ in range(self.settings.seeds)]
                self._player = faces[0]
                self._played = [record(face, seed, self.settings.steps) for seed, face in enumerate(faces)]
            except AssertionError as error:
                self._played = AssertionError(f"{self.name}: {error}")
                self._played.__cause__ = error.__cause__
        if isinstance(self._played, AssertionError):
            raise self._played
        return self._played

    @property
    def episodes(self) -> list[Episode]:
        """The episodes of `play`, for checks that look at them.

        Raises:
            NotApplicable: there are none.
        """
        try:
            return self.play()
        except AssertionError as error:
            raise NotApplicable("legal random play fails") from error

    @property
    def env(self) -> Any:
        """The environment that `episodes` were played in."""
        _ = self.episodes
        assert self._player is not None
        return self._player.env

    def masked(self) -> bool:
        """Whether any agent ever had an action mask."""
        return any(True for _ in self.masks())

    def masks(self) -> Iterator[tuple[str, Any, Frame, list[Any]]]:
        """Every mask shown: the place, the agent, the moment, and the masks in observation and info."""
        for episode in self.episodes:
            for step, frame in enumerate(episode.frames):
                view = frame.view
                for agent, seen in view["observations"].items():
                    info = view["infos"].get(agent)
                    found = [
                        holder["action_mask"]
                        for holder in (seen, info)
                        if isinstance(holder, Mapping) and holder.get("action_mask") is not None
                    ]
                    if found:
                        yield f"seed {episode.seed}, step {step}, {agent}", agent, frame, found


def _called(env: Any) -> str:
    """What an environment calls itself."""
    metadata = getattr(env, "metadata", None)
    said = metadata.get("name") if isinstance(metadata, Mapping) else None
    return str(said or type(getattr(env, "unwrapped", env)).__name__)
