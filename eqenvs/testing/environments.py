"""The PettingZoo environments of a game: all that is asked of anybody's, and what eqenvs promises beyond it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from eqenvs.errors import IllegalActionError
from eqenvs.game import Game
from eqenvs.testing._common import require, require_same
from eqenvs.testing._faces import AECFace, Frame
from eqenvs.testing._subject import EnvSettings, Subject
from eqenvs.testing.findings import Check, prefixed, raise_first
from eqenvs.testing.pettingzoo_envs import checks_of, subjects

# PettingZoo's warnings that are not defects here, with the reason; every other warning of its tests is an error.
HARMLESS = (
    # A dict of observation and action mask is PettingZoo's own convention; the test knows only of boxes.
    "Observation space for each agent probably should be gymnasium.spaces.box or gymnasium.spaces.discrete",
    "Observation is not a NumPy array",  # likewise
    # An agent that is not to move, or is out of the game, has no legal action: that is what the mask is there to say.
    "Action mask numpy array is all zeros",
    # Players with different numbers of actions have masks of different widths.
    "Agents have different observation space sizes",
    # A player may have a single action.
    "Action mask is a single number",
)
MAX_STAGES = 60  # longer games are followed this far


def check_environments(game: Game, *, cycles: int = 100, seeds: int = 3) -> None:
    """PettingZoo's tests, the stricter ones of `eqenvs.testing.pettingzoo_envs`, and what eqenvs adds to these.

    Added: masks are in observation and info, and leave every agent of a Parallel environment an action; all agents end
    together, by termination or truncation, not both; illegal actions, steps before `reset` and after the end are
    refused with `IllegalActionError` and change nothing.

    Args:
        game: a game with rules.
        cycles: steps of each of PettingZoo's tests.
        seeds: number of episodes in the stricter tests.

    Raises:
        AssertionError: naming the environment, the seed and the step.
    """
    raise_first(environment_checks(game, cycles=cycles, seeds=seeds))


def environment_checks(
    game: Game, *, cycles: int = 100, seeds: int = 3, hash_seeds: tuple[int, ...] = (), windows: bool = False
) -> list[Check]:
    """The checks of `check_environments`.

    Args:
        game: a game with rules.
        cycles: steps of each of PettingZoo's tests.
        seeds: number of episodes in the stricter tests.
        hash_seeds: see `EnvSettings`; three processes cost some seconds.
        windows: see `EnvSettings`; a window shows every picture for its time.
    """
    settings = EnvSettings(
        seeds=seeds,
        steps=MAX_STAGES,
        cycles=cycles,
        hash_seeds=hash_seeds,
        style=HARMLESS,
        legal_samples=True,
        windows=windows,
    )
    given = subjects(game.aec_env, game.parallel_env, settings, repr(game))
    own = [
        Check("views", lambda: _check_views(game, given["parallel"]), "eqenvs"),
        Check("masks_of_others", lambda: _check_masks_of_others(game, given["aec"]), "eqenvs"),
        Check("refusals", lambda: _check_refusals(game, given["parallel"]), "eqenvs"),
    ]
    return [*checks_of(given, settings), *prefixed("eqenvs", own)]


def _check_views(game: Game, parallel: Subject) -> None:
    for episode in parallel.episodes:
        for step, frame in enumerate(episode.frames):
            place, view = f"seed {episode.seed}, step {step}, parallel environment", frame.view
            agents = parallel.env.possible_agents
            found = sorted({bool(t or u) for t, u in _ends(view)})
            require(len(found) < 2, game, f"{place}, ends", "all agents together", (view["terminations"], found))
            require((True, True) not in _ends(view), game, f"{place}, ends", "one kind", "both")
            over = found == [True]
            require(view["agents"] == ([] if over else agents), game, f"{place}, agents", agents, view["agents"])
            require(over or frame.movers, game, f"{place}, acting", "somebody to move", "nobody")
            for agent in agents:
                mask = _check_masks(game, f"{place}, {agent}", frame, agent)
                require(mask.any() == (not over), game, f"{place}, {agent}'s mask", "a legal action", "none")


def _ends(view: dict[str, Any]) -> list[tuple[bool, bool]]:
    return [(view["terminations"][agent], view["truncations"][agent]) for agent in view["terminations"]]


def _check_masks(game: Game, place: str, frame: Frame, agent: str) -> Any:
    """An agent's mask: int8, in observation and info alike."""
    seen, told = frame.view["observations"][agent]["action_mask"], frame.view["infos"][agent]["action_mask"]
    for where, mask in (("observation", seen), ("info", told)):
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask)
        require(kind == np.int8, game, f"{place}'s mask in {where}, dtype", "an int8 array", kind)
    require_same(game, f"{place}'s masks", seen, told)
    return seen


def _check_masks_of_others(game: Game, aec: Subject) -> None:
    for episode in aec.episodes:
        for step, frame in enumerate(episode.frames):
            for agent in frame.view["agents"]:
                place = f"seed {episode.seed}, step {step}, AEC environment, {agent}"
                mask = _check_masks(game, place, frame, agent)
                moves = agent in frame.movers
                require(mask.any() == moves, game, f"{place}'s mask", "empty unless it is to move", mask.tolist())


def _refused(game: Game, place: str, act: Callable[[], Any]) -> None:
    try:
        act()
    except IllegalActionError:
        return
    except Exception as error:
        raise AssertionError(f"{game!r}: {place}: expected IllegalActionError, found {error!r}") from error
    raise AssertionError(f"{game!r}: {place}: expected IllegalActionError, found that it was accepted")


def _check_refusals(game: Game, played: Subject) -> None:
    aec, parallel = game.aec_env(), game.parallel_env()
    agent = aec.possible_agents[0]
    _refused(game, "AEC environment, step before reset", lambda: aec.step(0))
    _refused(game, "parallel environment, step before reset", lambda: parallel.step({agent: 0}))
    for make in (game.aec_env, game.parallel_env):
        try:
            make(max_cycles=0)
        except ValueError:
            continue
        raise AssertionError(f"{game!r}: {make.__name__}(max_cycles=0): expected a ValueError, found none")
    face, episode = AECFace(aec), played.episodes[0]
    aec.reset(seed=episode.seed)
    parallel.reset(seed=episode.seed)
    for step, (frame, after) in enumerate(zip(episode.frames, episode.frames[1:], strict=False)):
        agent, actions = frame.movers[0], after.actions
        mask = frame.view["observations"][agent]["action_mask"]
        before = copy.deepcopy(face.view())
        illegal: list[Any] = [-1, len(mask), 0.5, "0", None, *np.flatnonzero(mask == 0).tolist()]
        for action in illegal:
            place = f"step {step}, {agent} plays {action!r}"
            _refused(game, f"AEC environment, {place}", partial(aec.step, action))
            _refused(game, f"parallel environment, {place}", partial(parallel.step, {**actions, agent: action}))
        require_same(game, f"step {step}, AEC environment after refusals", before, face.view())
        lacking = {name: action for name, action in actions.items() if name != agent}
        _refused(game, f"step {step}, parallel environment, {agent} gives nothing", partial(parallel.step, lacking))
        unknown = {**actions, "nobody_9": 0}
        _refused(game, f"step {step}, parallel environment, an unknown agent", partial(parallel.step, unknown))
        expected = [after.view[part] for part in ("observations", "rewards", "terminations", "truncations", "infos")]
        require_same(game, f"step {step}, parallel environment", expected, list(parallel.step(actions)))
        for name in frame.movers:
            aec.step(actions[name])
    if parallel.agents:
        return
    _refused(game, "parallel environment, step after the end", lambda: parallel.step({agent: 0}))
    _refused(game, "AEC environment, an action after the end", lambda: aec.step(0))
    for _ in range(len(aec.agents)):
        aec.step(None)
    _refused(game, "AEC environment, a step without agents", lambda: aec.step(0))
