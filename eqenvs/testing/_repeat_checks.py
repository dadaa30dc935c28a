"""Checks that play again: the same seeds, copies, what was returned before, clocks, and steps that should not be."""

from __future__ import annotations

import copy
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
from gymnasium import spaces

from eqenvs.testing._differences import difference
from eqenvs.testing._faces import Actions, Episode, Face, View, guarded, record, walk
from eqenvs.testing._subject import Subject
from eqenvs.testing.findings import Check, NotApplicable

REMEMBERED = 8  # steps for which what was returned is kept and compared
LARGE_SEED = 2**31 - 1


def repeat_checks(subject: Subject) -> list[Check]:
    """The checks of one interface that play further episodes."""
    checks = [
        Check("seeds", lambda: _seeds(subject), "PettingZoo"),
        Check("seeds_reused", lambda: _seeds_reused(subject)),
        Check("spaces", lambda: _spaces(subject, kept=False), "PettingZoo"),
        Check("spaces_kept", lambda: _spaces(subject, kept=True)),
        Check("aliasing", lambda: _aliasing(subject)),
        Check("deepcopy", lambda: _copies(subject, copy.deepcopy)),
        Check("pickle", lambda: _copies(subject, lambda face: pickle.loads(pickle.dumps(face)))),
        Check("max_cycles", lambda: _max_cycles(subject)),
        Check("refusals", lambda: _refusals(subject)),
    ]
    if subject.face_type.kind == "AEC":
        checks.append(Check("dead_steps", lambda: _dead_steps(subject), "PettingZoo"))
    return checks


def compare(subject: Subject, place: str, expected: Episode, found: Episode, parts: tuple[str, ...] = ()) -> None:
    """Raise AssertionError at the first moment in which two episodes differ, in all parts or in those named."""
    for step, (before, now) in enumerate(zip_longest(expected.frames, found.frames)):
        at = f"seed {expected.seed}, step {step}, {place}"
        subject.require(before is not None and now is not None, f"{at}, steps", len(expected.script), len(found.script))
        subject.same(f"{at}, actions", difference(before.actions, now.actions))
        for part in parts or before.view:
            subject.same(f"{at}, {part}", difference(before.view[part], now.view[part]))


def _seeds(subject: Subject) -> str:
    """The same seed gives the same in a new object."""
    for episode in subject.episodes:
        again = record(subject.face(), episode.seed, subject.settings.steps)
        compare(subject, "in a new object", episode, again)
    return f"seeds {', '.join(str(episode.seed) for episode in subject.episodes)}"


def _seeds_reused(subject: Subject) -> None:
    """The same seed gives the same in an object that has played other seeds; after an unfinished episode, too."""
    steps, used = subject.settings.steps, subject.face()
    record(used, LARGE_SEED, steps)
    for episode in subject.episodes:
        compare(subject, "in an object that has played", episode, record(used, episode.seed, steps))
        record(used, episode.seed + 1, max(1, len(episode.script) // 2))
        compare(subject, "after an unfinished episode", episode, record(used, episode.seed, steps))


def _spaces(subject: Subject, *, kept: bool) -> None:
    """Every call gives the same space object: at one moment, as PettingZoo asks, or `kept` in all episodes."""
    face = subject.face()
    known: dict[tuple[str, Any], Any] = {}
    for episode in subject.episodes:
        for step, _ in walk(face, episode.seed, subject.settings.steps, episode.script):
            for kind in ("observation_space", "action_space"):
                for agent in face.agents:
                    space = getattr(face.env, kind)(agent)
                    place = f"seed {episode.seed}, step {step}, {kind}({agent!r})"
                    subject.require(isinstance(space, spaces.Space), place, "a space", type(space).__name__)
                    first = known.setdefault((kind, agent), space) if kept else getattr(face.env, kind)(agent)
                    text = "the same object as before" if kept else "the same object twice"
                    subject.require(space is first, place, text, "another")


def _returned(face: Face) -> View:
    """What belongs to the caller: of an AEC environment observations alone, the rest being its attributes."""
    view = face.view()
    return {"observations": view["observations"]} if face.kind == "AEC" else view


def _aliasing(subject: Subject) -> None:
    """What was returned does not change when the environment goes on."""
    for episode in subject.episodes:
        face = subject.face()
        kept: deque[tuple[int, View, View]] = deque(maxlen=REMEMBERED)
        for step, _ in walk(face, episode.seed, subject.settings.steps, episode.script):
            shown = _returned(face)
            for before, handed_out, then in kept:
                text = difference(then, handed_out)
                place = f"seed {episode.seed}, step {step}, what was returned at step {before} has changed: "
                subject.same(place, text)
            kept.append((step, shown, copy.deepcopy(shown)))


def _copies(subject: Subject, copier: Callable[[Face], Face]) -> str:
    """A copy made in the middle goes on as the original does, and apart from it."""
    for episode in subject.episodes:
        made: list[tuple[int, Face, list[Any]]] = []
        face, cuts = subject.face(), {0, len(episode.script) // 2, max(0, len(episode.script) - 1)}
        for step, _ in walk(face, episode.seed, subject.settings.steps, episode.script):
            if step not in cuts:
                continue
            for agent in face.agents:
                face.env.action_space(agent).seed(episode.seed)
            place = f"seed {episode.seed}, copied at step {step}"
            other = guarded(lambda: copier(face), f"{subject.name}: {place}")  # noqa: B023 - called at once
            shown = guarded(other.view, f"{subject.name}: {place}, what the copy shows")
            subject.same(f"{place}, ", difference(episode.frames[step].view, shown))
            # At once, as what is sampled may depend on the moment.
            pairs = [tuple(f.env.action_space(agent).sample() for f in (face, other)) for agent in face.agents]
            made.append((step, other, pairs))
        # The copies go on after the original is done, so that anything shared between them shows.
        end = copy.deepcopy(face.view())
        for cut, other, pairs in made:
            at = f"seed {episode.seed}, copied at step {cut}"
            for step, actions in enumerate(episode.script[cut:], start=cut + 1):
                guarded(lambda: other.step(actions), f"{subject.name}: {at}, step {step}, {actions}")  # noqa: B023 - called at once
                subject.same(f"{at}, step {step}, ", difference(episode.frames[step].view, other.view()))
            for drawn, again in pairs:
                subject.same(f"{at}, sampling actions: ", difference(drawn, again))
            subject.same(f"{at}, the original after the copy played: ", difference(end, face.view()))
    return f"{len(subject.episodes)} episodes, each copied at its start, middle and end"


def clocks(episode: Episode) -> list[int]:
    """Values of `max_cycles` that cut an episode short or are met at its end; it may have a clock of its own."""
    count = len(episode.script)
    known = {1, 2, count - 1, count} if episode.over else {1, 2}
    return sorted(known & set(range(1, count + 1)))


def _max_cycles(subject: Subject) -> str:
    """The same play until the clock runs out, then truncation of whoever had not ended."""
    parallel, tried = subject.face_type.kind == "Parallel", set()
    cut = _clock_parallel if parallel else _clock_aec
    for episode in subject.episodes:
        for cycles in clocks(episode) if parallel else (1, 2):
            face = subject.variant("max_cycles", cycles)
            cut(subject, episode, cycles, face)
            tried.add(cycles)
    return f"max_cycles {', '.join(map(str, sorted(tried)))}"


def _clock_parallel(subject: Subject, free: Episode, cycles: int, face: Face) -> None:
    place = f"seed {free.seed}, max_cycles={cycles}"
    clocked = record(face, free.seed, len(free.script), free.script)
    count = min(cycles, len(free.script))
    subject.require(clocked.over == (free.over or cycles <= count), f"{place}, episode", "over", "not over")
    subject.require(len(clocked.script) == count, f"{place}, steps", count, len(clocked.script))
    for step in range(1, count + 1):
        before, now = free.frames[step].view, clocked.frames[step].view
        at = f"{place}, step {step}, "
        subject.same(f"{at}rewards", difference(before["rewards"], now["rewards"]))
        subject.same(f"{at}terminations", difference(before["terminations"], now["terminations"]))
        for agent in clocked.frames[step - 1].view["agents"]:
            terminated = bool(before["terminations"].get(agent))
            due = bool(before["truncations"].get(agent)) or (step == cycles and not terminated)
            found = bool(now["truncations"].get(agent))
            subject.require(found == due or (found and terminated), f"{at}{agent} truncated", due, found)


def _clock_aec(subject: Subject, free: Episode, cycles: int, face: Face) -> None:
    """A cycle is a turn of every agent, or of one: between these bounds the episode has to end."""
    place = f"seed {free.seed}, max_cycles={cycles}"
    guarded(lambda: face.reset(free.seed), f"{subject.name}: {place}, reset")
    people = len(free.frames[0].view["agents"])
    for step, frame in enumerate(free.frames):
        if step:
            guarded(lambda: face.step(frame.actions), f"{subject.name}: {place}, step {step}")  # noqa: B023 - called at once
        at, view = f"{place}, step {step}", face.view()
        if any(flag and not view["truncations"].get(a) for a, flag in frame.view["truncations"].items()):
            return  # the environment's own clock is shorter, and the play longer now
        subject.same(f"{at}, rewards", difference(frame.view["rewards"], view["rewards"]))
        cut = [agent for agent in view["agents"] if face.ended(agent) and not _flagged(frame.view, agent)]
        wrong = [agent for agent in cut if not view["truncations"][agent]]
        subject.require(not wrong, f"{at}, ends", "those that the clock brings to be truncations", f"{wrong[:1]} not")
        if cut:
            for _ in range(people):
                if face.movers() or not face.agents:
                    break
                face.step(dict.fromkeys(face.asked()))
            return
        late = step > (cycles + 1) * people
        subject.require(not late, place, f"an end within {cycles} turns each", f"none in {step} steps")


def _flagged(view: View, agent: Any) -> bool:
    return bool(view["terminations"].get(agent) or view["truncations"].get(agent))


def replayed(subject: Subject, episode: Episode, steps: int) -> Face:
    """A new environment, so many steps into an episode."""
    face = subject.face()
    for _ in walk(face, episode.seed, steps, episode.script):
        pass
    return face


def _answer(face: Face, actions: Actions) -> str:
    """What an environment does about a step that should not be made."""
    try:
        # Not through the face, which asks who is selected.
        face.env.step(next(iter(actions.values())) if face.kind == "AEC" else actions)
    except Exception as error:
        return f"refuses ({type(error).__name__})"
    if face.kind == "AEC" and any(map(face.ended, face.agents)):
        return "ends the game"
    return "tolerates"


def _refusals(subject: Subject) -> str:
    """How steps are met that should not be made; PettingZoo leaves it open."""
    episode = subject.episodes[0]
    if not episode.script:
        raise NotApplicable("an episode without steps")
    said = {"step before reset": _answer(subject.face(), episode.script[0])}
    for what, agent, action in _illegal(subject, episode):
        face = subject.face()
        face.reset(episode.seed)
        said[what] = _answer(face, {**episode.script[0], agent: action})
    if episode.over:
        said["step after the end"] = _answer(replayed(subject, episode, len(episode.script)), episode.script[0])
    return "; ".join(f"{what}: {answer}" for what, answer in said.items())


def _illegal(subject: Subject, episode: Episode) -> Iterator[tuple[str, Any, Any]]:
    view = episode.frames[0].view
    for agent in episode.frames[0].movers[:1]:
        space = subject.env.action_space(agent)
        if not isinstance(space, spaces.Discrete):
            return
        yield "action outside the space", agent, space.start + space.n
        for holder in (view["observations"].get(agent), view["infos"].get(agent)):
            mask = holder.get("action_mask") if isinstance(holder, Mapping) else None
            if mask is not None and not np.all(mask):
                yield "masked action", agent, space.start + np.flatnonzero(np.asarray(mask) == 0)[0]
                return


def _dead_steps(subject: Subject) -> str:
    """An agent that has ended takes None and nothing else."""
    count = 0
    for episode in subject.episodes:
        for step, frame in enumerate(episode.frames):
            agent = frame.view["agent_selection"]
            if agent is None or frame.movers:
                continue
            face, count = replayed(subject, episode, step), count + 1
            action = face.env.action_space(agent).sample()
            try:
                face.step({agent: action})
            except Exception:
                break
            place = f"seed {episode.seed}, step {step + 1}, {agent} has ended and plays {action}"
            subject.require(False, place, "an exception, only None being valid", "that it was accepted")
    if not count:
        raise NotApplicable(f"nobody ended within {subject.settings.steps} steps")
    return f"{count} episodes"
