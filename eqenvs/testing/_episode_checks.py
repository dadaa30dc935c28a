"""What every moment of an episode must keep: spaces, masks, keys, rewards, and how agents end."""

from __future__ import annotations

import copy
import math
import numbers
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from eqenvs.testing._faces import Episode, View
from eqenvs.testing._subject import Subject
from eqenvs.testing.findings import Check, NotApplicable

AEC_PARTS = ("rewards", "cumulative_rewards", "terminations", "truncations", "infos")
PARALLEL_PARTS = ("observations", "rewards", "terminations", "truncations", "infos")
TOLERANCE = 1e-9  # of sums of rewards, per unit of the largest


def episode_checks(subject: Subject) -> list[Check]:
    """The checks that look at recorded episodes."""
    aec = subject.face_type.kind == "AEC"
    checks = [
        Check("plays", lambda: _plays(subject), "PettingZoo"),
        Check("observations", lambda: _observations(subject), "PettingZoo"),
        Check("masks", lambda: _masks(subject)),
        Check("keys", lambda: (_aec_keys if aec else _parallel_keys)(subject), "PettingZoo"),
        Check("ends", lambda: (_aec_ends if aec else _parallel_ends)(subject), "PettingZoo"),
        Check("rewards", lambda: _rewards(subject)),
    ]
    if aec:
        checks.append(Check("cumulative_rewards", lambda: _cumulative(subject), "PettingZoo"))
    return checks


def _plays(subject: Subject) -> str:
    """Legal random play raises nothing."""
    episodes = subject.play()
    base = subject.face_type.base
    kinds = [parent.__name__ for parent in type(subject.env).__mro__]
    subject.require(base in kinds, "class", f"a pettingzoo.{base}", kinds[0])
    over = sum(episode.over for episode in episodes)
    return f"{len(episodes)} episodes, {over} to their end, {sum(len(e.script) for e in episodes)} steps"


def _moments(subject: Subject) -> Iterator[tuple[str, View]]:
    for episode in subject.episodes:
        for step, frame in enumerate(episode.frames):
            yield f"seed {episode.seed}, step {step}", frame.view


def _observations(subject: Subject) -> None:
    """In their spaces, with the very dtypes and shapes."""
    for place, view in _moments(subject):
        for agent, seen in view["observations"].items():
            if seen is None and agent not in view["agents"]:
                continue
            text = _outside(subject.env.observation_space(agent), seen)
            if text and not _gone(subject, view, agent, seen):
                expected, found = text.split("|", 1)
                subject.require(False, f"{place}, {agent}'s observation", expected, found)
        if "state" in view:
            expected, _, found = _outside(subject.env.state_space, view["state"]).partition("|")
            subject.require(not expected, f"{place}, state()", expected, found)


def _gone(subject: Subject, view: View, agent: Any, seen: Any) -> bool:
    """Whether an AEC environment shows nothing to an agent that has only its last step to take."""
    aec = subject.face_type.kind == "AEC"
    return aec and seen is None and bool(view["terminations"].get(agent) or view["truncations"].get(agent))


def _outside(space: spaces.Space[Any], seen: Any, path: str = "") -> str:
    """What was expected and what was found, with "|" between, where something is not in its space; otherwise ""."""
    if isinstance(space, spaces.Dict):
        if not isinstance(seen, Mapping) or set(seen) != set(space.spaces):
            keys = sorted(map(str, space.spaces))
            return f"{path or 'a dict'} with {keys}|{sorted(map(str, seen)) if isinstance(seen, Mapping) else seen!r}"
        parts = (_outside(space.spaces[key], seen[key], f"{path}[{key!r}]") for key in space.spaces)
        return next(filter(None, parts), "")
    if isinstance(space, spaces.Tuple):
        if not isinstance(seen, tuple) or len(seen) != len(space.spaces):
            return f"{path or 'a tuple'} of {len(space.spaces)}|{seen!r}"
        parts = (_outside(s, x, f"{path}[{i}]") for i, (s, x) in enumerate(zip(space.spaces, seen, strict=True)))
        return next(filter(None, parts), "")
    if not isinstance(space, spaces.Box):
        return "" if space.contains(seen) else f"{path} in {space}|{seen!r}"
    if not isinstance(seen, np.ndarray):
        return f"{path} a numpy array|{type(seen).__name__}"
    if seen.dtype != space.dtype or seen.shape != space.shape:
        return f"{path} {space.dtype} {space.shape}|{seen.dtype} {seen.shape}"
    inside = (seen >= space.low) & (seen <= space.high)
    if not inside.all():
        where = tuple(int(i) for i in np.argwhere(~inside)[0])
        low, high = space.low[where], space.high[where]
        return f"{path}{list(where)} in [{low}, {high}]|{seen[where]}"
    return ""


def _masks(subject: Subject) -> str:
    """Of the action space's width, int8 as its `sample` wants, in observation and info alike, for movers not empty."""
    count = 0
    samplers: dict[Any, spaces.Discrete] = {}
    for place, agent, frame, found in subject.masks():
        count += 1
        space = subject.env.action_space(agent)
        if not isinstance(space, spaces.Discrete):
            continue
        for mask in found:
            subject.require(isinstance(mask, np.ndarray), f"{place}'s mask", "a numpy array", type(mask).__name__)
            subject.require(mask.shape == (space.n,), f"{place}'s mask, shape", (space.n,), mask.shape)
            subject.require(mask.dtype == np.int8, f"{place}'s mask, dtype", "int8", mask.dtype)
            subject.require(np.isin(mask, (0, 1)).all(), f"{place}'s mask", "zeros and ones", mask.tolist())
        same = all(np.array_equal(found[0], mask) for mask in found)
        subject.require(same, f"{place}'s masks in observation and info", "the same", [m.tolist() for m in found])
        if agent not in frame.movers:
            continue
        subject.require(found[0].any(), f"{place}'s mask", "a legal action for an agent that is to act", "none")
        sampler = samplers.setdefault(agent, copy.deepcopy(space))
        action = sampler.sample(mask=found[0])
        right = bool(found[0][int(action) - int(space.start)])
        subject.require(right, f"{place}, sampling with the mask", "a legal action", action)
    if not count:
        raise NotApplicable("no action masks")
    return f"{count} masks"


def _start(subject: Subject, episode: Episode) -> None:
    agents = episode.frames[0].view["agents"]
    place = f"seed {episode.seed}, agents after reset"
    subject.require(agents, place, "somebody", "nobody")
    possible = subject.env.possible_agents if hasattr(subject.env, "possible_agents") else agents
    subject.require(set(agents) <= set(possible), place, f"some of possible_agents {possible}", agents)


def _distinct(subject: Subject, place: str, agents: list[Any]) -> None:
    subject.require(len(set(agents)) == len(agents), f"{place}, agents", "each once", agents)


def _aec_keys(subject: Subject) -> None:
    """Rewards, ends and infos of the live agents, no more and no fewer; the selected agent is one of them."""
    for episode in subject.episodes:
        _start(subject, episode)
        for step, frame in enumerate(episode.frames):
            place, view = f"seed {episode.seed}, step {step}", frame.view
            agents = view["agents"]
            _distinct(subject, place, agents)
            for part in AEC_PARTS:
                _keyed(subject, f"{place}, {part}", view[part], agents, agents)
            selected = view["agent_selection"]
            subject.require(not agents or selected in agents, f"{place}, agent_selection", f"one of {agents}", selected)


def _parallel_keys(subject: Subject) -> None:
    """Entries for the agents that were live before the step or came in it; beside them only words such as "common"."""
    for episode in subject.episodes:
        _start(subject, episode)
        before: list[Any] = []
        for step, frame in enumerate(episode.frames):
            place, view = f"seed {episode.seed}, step {step}", frame.view
            _distinct(subject, place, view["agents"])
            possible = set(getattr(subject.env, "possible_agents", ()))
            for part in PARALLEL_PARTS if step else ("observations", "infos"):
                shared = part in ("observations", "infos")
                keys = [key for key in view[part] if not shared or not possible or key in possible]
                needed = before if step else view["agents"]
                _keyed(subject, f"{place}, {part}", dict.fromkeys(keys), needed, [*before, *view["agents"]])
            before = view["agents"]


def _keyed(subject: Subject, place: str, part: Any, needed: list[Any], allowed: list[Any]) -> None:
    subject.require(isinstance(part, Mapping), place, "a dict", type(part).__name__)
    lacking = [agent for agent in needed if agent not in part]
    subject.require(not lacking, place, f"an entry for {lacking[:1]}", f"entries for {list(part)}")
    surplus = [agent for agent in part if agent not in allowed]
    subject.require(not surplus, place, f"entries for {allowed} alone", f"one for {surplus[:1]}")


def _flags(subject: Subject, place: str, view: View) -> set[Any]:
    """Who is terminated or truncated."""
    for part in ("terminations", "truncations"):
        for agent, flag in view[part].items():
            right = isinstance(flag, bool | np.bool_)
            subject.require(right, f"{place}, {part}, {agent}", "True or False", repr(flag))
    return {a for part in ("terminations", "truncations") for a, flag in view[part].items() if flag}


def _mixed(episode: Episode) -> bool:
    """Whether some agents were terminated and others truncated."""
    kinds = {
        (bool(frame.view["terminations"].get(agent)), bool(flag))
        for frame in episode.frames
        for agent, flag in frame.view["truncations"].items()
        if flag or frame.view["terminations"].get(agent)
    }
    return len(kinds) > 1


def _summary(subject: Subject) -> str:
    episodes = subject.episodes
    over, mixed = sum(episode.over for episode in episodes), sum(map(_mixed, episodes))
    return f"{over} of {len(episodes)} episodes ended, {mixed} with terminations and truncations of different agents"


def _aec_ends(subject: Subject) -> str:
    """Whoever ends stays ended, takes one last step and is gone for good; nobody goes in another way."""
    for episode in subject.episodes:
        left: set[Any] = set()
        for step, (frame, after) in enumerate(zip(episode.frames, episode.frames[1:], strict=False)):
            place, view = f"seed {episode.seed}, step {step + 1}", after.view
            ended = _flags(subject, f"seed {episode.seed}, step {step}", frame.view) & set(frame.view["agents"])
            subject.require(step or not ended, f"seed {episode.seed}, step 0", "nobody ended", ended)
            mover = frame.view["agent_selection"]
            gone = set(frame.view["agents"]) - set(view["agents"])
            left |= gone
            back = left & set(view["agents"])
            subject.require(not back, f"{place}, agents", "nobody who had left", f"{sorted(map(str, back))} again")
            if mover in ended:
                text = f"{place}, agents after {mover}'s last step"
                subject.require(gone == {mover}, text, f"all but {mover}", view["agents"])
            else:
                lost = sorted(map(str, gone))
                subject.require(not gone, f"{place}, agents", "nobody gone without a last step", f"{lost} gone")
            revived = (ended - gone) - _flags(subject, place, view)
            alive = sorted(map(str, revived))
            subject.require(not revived, f"{place}, ends", "those who ended to stay so", f"{alive} alive again")
    return _summary(subject)


def _parallel_ends(subject: Subject) -> str:
    """Whoever ends leaves `agents` at once and for good; nobody leaves without an end."""
    for episode in subject.episodes:
        left: set[Any] = set()
        for step, (frame, after) in enumerate(zip(episode.frames, episode.frames[1:], strict=False)):
            place = f"seed {episode.seed}, step {step + 1}"
            before, now = set(frame.view["agents"]), set(after.view["agents"])
            ended = _flags(subject, place, after.view) & before
            stay, lost = sorted(map(str, ended & now)), sorted(map(str, before - ended - now))
            subject.require(not stay, f"{place}, agents", "those who ended to have left", f"{stay} still there")
            subject.require(not lost, f"{place}, agents", "nobody gone without an end", f"{lost} gone")
            back = sorted(map(str, left & now))
            subject.require(not back, f"{place}, agents", "nobody who had left", f"{back} again")
            left |= ended
    return _summary(subject)


def _number(subject: Subject, place: str, reward: Any) -> float:
    scalar = reward.item() if isinstance(reward, np.ndarray | np.generic) and np.size(reward) == 1 else reward
    real = isinstance(scalar, numbers.Real) and not isinstance(scalar, bool)
    subject.require(real and math.isfinite(scalar), place, "a finite number", repr(reward))
    return float(scalar)


def _rewards(subject: Subject) -> None:
    """Finite numbers."""
    for place, view in _moments(subject):
        for agent, reward in view["rewards"].items():
            _number(subject, f"{place}, {agent}'s reward", reward)


def _cumulative(subject: Subject) -> None:
    """What `last` gives the selected agent is the sum of its rewards since it acted last."""
    for episode in subject.episodes:
        sums: dict[Any, float] = {}
        scale = 1.0
        for step, frame in enumerate(episode.frames):
            place, view = f"seed {episode.seed}, step {step}", frame.view
            if step:
                before = episode.frames[step - 1].view
                mover = before["agent_selection"]
                if not (before["terminations"].get(mover) or before["truncations"].get(mover)):
                    sums[mover] = 0.0
                    for agent, reward in view["rewards"].items():
                        value = _number(subject, f"{place}, {agent}'s reward", reward)
                        sums[agent] = sums.get(agent, 0.0) + value
                        scale = max(scale, abs(sums[agent]))
            selected = view["agent_selection"]
            if selected is None or selected not in view["cumulative_rewards"]:
                continue
            text = f"{place}, {selected}'s cumulative reward"
            found = _number(subject, text, view["cumulative_rewards"][selected])
            expected = sums.get(selected, 0.0)
            right = abs(found - expected) <= TOLERANCE * scale
            subject.require(right, text, f"{expected:.9g}, the sum of its rewards since it acted", f"{found:.9g}")
