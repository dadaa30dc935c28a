"""PettingZoo's two interfaces looked at in one way, so that a check that is about neither is written once.

A face asks for the actions of some agents at a time (AEC: of one, Parallel: of all), takes them, and shows everything
that the environment says afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from gymnasium import spaces

Actions = dict[Any, Any]  # by agent
View = dict[str, Any]
Acting = Callable[[Any, Mapping[Any, Any]], list[Any]]  # of an environment and its infos, whose actions count next


class Face(Protocol):
    """An environment through one of the interfaces."""

    kind: ClassVar[str]
    base: ClassVar[str]  # PettingZoo's class
    env: Any

    def __init__(self, env: Any, acting: Acting | None = None) -> None: ...

    def reset(self, seed: int | None) -> None:
        """Start an episode."""

    @property
    def agents(self) -> list[Any]:
        """Who is in the episode."""

    def asked(self) -> list[Any]:
        """Whose actions the next step takes."""

    def movers(self) -> list[Any]:
        """Those of them whose actions count."""

    def ended(self, agent: Any) -> bool:
        """Whether the agent is in the episode only to take its last step, which is None."""

    def mask(self, agent: Any) -> Any:
        """Its legal actions, or None."""

    def step(self, actions: Actions) -> None:
        """Give the actions of those who were asked."""

    def view(self) -> View:
        """Everything that the environment shows now; its own objects, not copies."""


class AECFace:
    """An AEC environment."""

    kind: ClassVar[str] = "AEC"
    base: ClassVar[str] = "AECEnv"

    def __init__(self, env: Any, acting: Acting | None = None) -> None:
        self.env = env

    def reset(self, seed: int | None) -> None:
        """See `Face`."""
        self.env.reset(seed=seed)

    @property
    def agents(self) -> list[Any]:
        """See `Face`."""
        return list(self.env.agents)

    def asked(self) -> list[Any]:
        """The selected agent."""
        return [self.env.agent_selection] if self.env.agents else []

    def movers(self) -> list[Any]:
        """The selected agent, unless it has ended."""
        return [agent for agent in self.asked() if not self.ended(agent)]

    def ended(self, agent: Any) -> bool:
        """See `Face`."""
        return bool(self.env.terminations[agent] or self.env.truncations[agent])

    def mask(self, agent: Any) -> Any:
        """See `Face`."""
        return mask_of(self.env.observe(agent), self.env.infos.get(agent))

    def step(self, actions: Actions) -> None:
        """See `Face`."""
        self.env.step(actions[self.env.agent_selection])

    def view(self) -> View:
        """See `Face`; the cumulative rewards are those that `last` gives."""
        env = self.env
        return {
            "agents": list(env.agents),
            "agent_selection": env.agent_selection if env.agents else None,
            "observations": {agent: env.observe(agent) for agent in env.agents},
            "rewards": env.rewards,
            "cumulative_rewards": env._cumulative_rewards,
            "terminations": env.terminations,
            "truncations": env.truncations,
            "infos": env.infos,
            **_state(env),
        }


class ParallelFace:
    """A Parallel environment, with what its last call returned."""

    kind: ClassVar[str] = "Parallel"
    base: ClassVar[str] = "ParallelEnv"
    PARTS = ("observations", "rewards", "terminations", "truncations", "infos")

    def __init__(self, env: Any, acting: Acting | None = None) -> None:
        self.env, self._acting = env, acting
        self._shown: View = {}

    def reset(self, seed: int | None) -> None:
        """See `Face`."""
        observations, infos = self.env.reset(seed=seed)
        self._shown = dict(zip(self.PARTS, (observations, {}, {}, {}, infos), strict=True))

    @property
    def agents(self) -> list[Any]:
        """See `Face`."""
        return list(self.env.agents)

    def asked(self) -> list[Any]:
        """All agents."""
        return self.agents

    def movers(self) -> list[Any]:
        """By default all agents, unless the infos say otherwise under "acting", or PettingZoo made it of turns."""
        infos, agents = self._shown["infos"], self.agents
        if self._acting is not None:
            return self._acting(self.env, infos)
        if agents and all(isinstance(infos.get(agent), Mapping) and "acting" in infos[agent] for agent in agents):
            return [agent for agent in agents if infos[agent]["acting"]]
        if agents and type(self.env).__name__ == "turn_based_aec_to_parallel_wrapper":
            return [self.env.aec_env.agent_selection]
        return agents

    def ended(self, agent: Any) -> bool:
        """Never: those who ended are not among the agents."""
        return False

    def mask(self, agent: Any) -> Any:
        """See `Face`."""
        return mask_of(self._shown["observations"].get(agent), self._shown["infos"].get(agent))

    def step(self, actions: Actions) -> None:
        """See `Face`."""
        self._shown = dict(zip(self.PARTS, self.env.step(actions), strict=True))

    def view(self) -> View:
        """See `Face`."""
        return {"agents": list(self.env.agents), **self._shown, **_state(self.env)}


def _state(env: Any) -> View:
    """The state, where the environment says that it has one, while somebody is there."""
    return {"state": env.state()} if env.agents and getattr(env, "state_space", None) is not None else {}


def mask_of(observation: Any, info: Any) -> Any:
    """The action mask in an observation, otherwise in an info, otherwise None."""
    for holder in (observation, info):
        if isinstance(holder, Mapping) and holder.get("action_mask") is not None:
            return holder["action_mask"]
    return None


class _Sampler:
    """Legal random actions that depend on a seed and on nothing else that draws from the environment's spaces."""

    def __init__(self, env: Any, seed: int) -> None:
        self._env, self._seed = env, seed
        self._known: dict[Any, tuple[spaces.Space[Any], np.random.Generator]] = {}

    def __call__(self, agent: Any, mask: Any) -> Any:
        if agent not in self._known:
            rng = np.random.default_rng([self._seed, len(self._known)])
            space = copy.deepcopy(self._env.action_space(agent))
            space.seed(int(rng.integers(2**31)))
            self._known[agent] = space, rng
        space, rng = self._known[agent]
        if isinstance(space, spaces.Discrete):
            legal = np.arange(space.n) if mask is None else np.flatnonzero(np.asarray(mask).reshape(-1)[: space.n])
            # Whoever has no legal action plays the first one: PettingZoo's masked sampling does so, too.
            return space.start + (rng.choice(legal) if legal.size else np.int64(0))
        return space.sample(mask=mask if isinstance(mask, tuple) else None)


@dataclass(frozen=True)
class Frame:
    """A moment of an episode.

    Attributes:
        actions: those that led there; none at the start.
        view: a copy of what is shown.
        movers: who is to act.
    """

    actions: Actions
    view: View
    movers: list[Any]


@dataclass(frozen=True)
class Episode:
    """An episode of legal random play.

    Attributes:
        seed: of the environment and of the play.
        frames: the start and every step.
        over: whether it was played until nobody was left.
    """

    seed: int
    frames: tuple[Frame, ...]
    over: bool

    @property
    def script(self) -> list[Actions]:
        """The actions, step by step."""
        return [frame.actions for frame in self.frames[1:]]


def walk(face: Face, seed: int, steps: int, script: Sequence[Actions] | None = None) -> Iterator[tuple[int, Actions]]:
    """Play an episode of at most `steps` steps, legal at random or by a script; stops at the start and after each step.

    Yields:
        The number of steps made, and the actions of the last.

    Raises:
        AssertionError: where the environment raises, naming the step and the actions.
    """
    guarded(lambda: face.reset(seed), f"reset(seed={seed})")
    yield 0, {}
    sampler = _Sampler(face.env, seed)
    for step in range(steps if script is None else min(steps, len(script))):
        if not face.agents:
            return
        if script is None:
            place = f"seed {seed}, step {step + 1}, choosing actions"
            actions = guarded(lambda: _chosen(face, sampler), place)
        else:
            actions = script[step]
        guarded(lambda: face.step(actions), f"seed {seed}, step {step + 1}, {actions}")  # noqa: B023 - called at once
        yield step + 1, actions


def _chosen(face: Face, sampler: _Sampler) -> Actions:
    return {agent: None if face.ended(agent) else sampler(agent, face.mask(agent)) for agent in face.asked()}


def guarded(act: Callable[[], Any], place: str) -> Any:
    """What `act` returns; AssertionError with the place where it raises."""
    try:
        return act()
    except Exception as error:
        raise AssertionError(f"{place}: expected no exception, found {type(error).__name__}: {error}") from error


def record(face: Face, seed: int, steps: int, script: Sequence[Actions] | None = None) -> Episode:
    """An episode as `walk` plays it."""
    moments = walk(face, seed, steps, script)
    frames = [Frame(dict(actions), copy.deepcopy(face.view()), face.movers()) for _, actions in moments]
    return Episode(seed, tuple(frames), not face.agents)
