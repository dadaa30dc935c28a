"""The AEC environment against the Parallel environment of the same thing: the same under the same actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eqenvs.testing._differences import difference
from eqenvs.testing._faces import Actions, Episode, Face, Frame, guarded, record
from eqenvs.testing._repeat_checks import clocks
from eqenvs.testing._subject import Subject

TOLERANCE = 1e-9  # of rewards summed over the agents' turns, per unit of the largest


def check_agreement(parallel: Subject, aec: Subject) -> str:
    """Make each Parallel episode's moves in the AEC environment, agent by agent; under clocks, too, if both take one.

    Agents are asked in any order, once a step each if their actions count; whoever is asked sees what the Parallel
    environment showed before the step, and after it all see, receive and end the same.
    """
    clocked = all(subject.takes("max_cycles", 1) for subject in (parallel, aec))
    for episode in parallel.episodes:
        _follow(parallel, aec, episode, aec.face(), f"seed {episode.seed}")
        for cycles in clocks(episode) if clocked else ():
            face = parallel.variant("max_cycles", cycles)
            cut = record(face, episode.seed, len(episode.script), episode.script)
            place = f"seed {episode.seed}, max_cycles={cycles}"
            _follow(parallel, aec, cut, aec.variant("max_cycles", cycles), place)
    return f"{len(parallel.episodes)} episodes{', free and under max_cycles' if clocked else ''}"


def _follow(parallel: Subject, aec: Subject, episode: Episode, face: Face, place: str) -> None:
    guarded(lambda: face.reset(episode.seed), f"{aec.name}: {place}, reset")
    for step, (before, after) in enumerate(zip(episode.frames, episode.frames[1:], strict=False), start=1):
        at = f"{place}, step {step}"
        received = _turns(aec, face, at, before, after.actions)
        scale = 1.0 + max(map(abs, received.values()), default=0.0)
        for agent in before.view["agents"]:
            expected, found = after.view["rewards"][agent], received.get(agent, 0.0)
            right = abs(float(expected) - found) <= TOLERANCE * scale
            aec.require(right, f"{at}, {agent}'s reward", f"{expected} as in the Parallel environment", found)
        view = face.view()
        for part in ("terminations", "truncations"):
            ends = {agent: bool(after.view[part][agent]) for agent in before.view["agents"]}
            shown = {agent: bool(view[part].get(agent)) for agent in before.view["agents"]}
            aec.same(f"{at}, {part}", difference(ends, shown))
        for agent in before.view["agents"]:
            seen, now = after.view["observations"][agent], view["observations"].get(agent)
            aec.same(f"{at}, {agent}'s observation", difference(_unmasked(seen), _unmasked(now)))
        _last_steps(aec, face, at)
        left = {str(agent) for agent in face.agents} ^ {str(agent) for agent in after.view["agents"]}
        aec.require(not left, f"{at}, agents", after.view["agents"], face.agents)


def _turns(aec: Subject, face: Face, at: str, before: Frame, actions: Actions) -> dict[Any, float]:
    """One turn of each agent that is to move; returns what all received in them."""
    received: dict[Any, float] = {}
    waiting = list(before.movers)
    while waiting:
        agent = face.asked()[0] if face.agents else None
        aec.require(agent in waiting, f"{at}, agent_selection", f"one of {waiting}", agent)
        aec.require(not face.ended(agent), f"{at}, {agent}", "alive", "ended")
        seen = difference(before.view["observations"][agent], face.env.observe(agent))
        aec.same(f"{at}, {agent}'s observation in its turn", seen)
        guarded(lambda: face.step({agent: actions[agent]}), f"{aec.name}: {at}, {agent} plays {actions[agent]}")  # noqa: B023 - called at once
        for name, reward in face.view()["rewards"].items():
            received[name] = received.get(name, 0.0) + float(reward)
        waiting.remove(agent)
    return received


def _unmasked(seen: Any) -> Any:
    """An observation without its mask, which an AEC environment shows to the selected agent alone."""
    if isinstance(seen, Mapping) and "action_mask" in seen:
        return {key: part for key, part in seen.items() if key != "action_mask"}
    return seen


def _last_steps(aec: Subject, face: Face, at: str) -> None:
    """The last steps of agents that have ended."""
    for _ in range(len(face.agents)):
        if not face.agents or not face.ended(face.asked()[0]):
            return
        agent = face.asked()[0]
        guarded(lambda: face.step({agent: None}), f"{aec.name}: {at}, {agent}'s last step")  # noqa: B023 - called at once
