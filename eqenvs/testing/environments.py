"""The PettingZoo environments of a game: the community's own tests, and what those leave open."""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import pickle
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from eqenvs.envs import GameAECEnv, GameParallelEnv
from eqenvs.errors import IllegalActionError
from eqenvs.game import Game
from eqenvs.testing._common import require, require_same

# PettingZoo's warnings that are not defects here, with the reason; every other warning is an error.
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


class _Stage(NamedTuple):
    """One step of the parallel environment, the reference that the AEC environment is compared with."""

    acting: list[int]
    actions: dict[str, int]
    before: dict[str, Any]  # observations that the actions answered
    result: tuple[Any, ...]  # observations, rewards, terminations, truncations, infos


def check_environments(game: Game, *, cycles: int = 100, seeds: int = 3) -> None:
    """PettingZoo's tests with warnings as errors, and stricter ones.

    Stricter: masks are int8 in observation and info, and agree; the same seed gives the same trajectory, in both
    environments alike; a pickle or deep copy made mid-episode continues identically; `max_cycles` truncates all agents
    at its stage and never a game that has ended; illegal actions, steps before `reset` and after the end are refused
    and change nothing.

    Args:
        game: a game with rules.
        cycles: steps of each of PettingZoo's tests.
        seeds: number of episodes in the stricter tests.

    Raises:
        AssertionError: naming the environment, the seed and the stage.
    """
    _check_pettingzoo(game, cycles)
    _check_refusals(game)
    for seed in range(seeds):
        stages = _play_parallel(game, game.parallel_env(), seed, f"seed {seed}")
        again = _play_parallel(game, game.parallel_env(), seed, f"seed {seed}")
        require_same(game, f"parallel environment, seed {seed}, second run, stage", stages, again)
        _replay_aec(game, stages, seed, None)
        for max_cycles in sorted({1, 2, max(1, len(stages) - 1), len(stages)}):
            _check_max_cycles(game, stages, seed, max_cycles)
        _check_copies(game, stages, seed, sorted({0, len(stages) // 2, len(stages) - 1}))


def _check_pettingzoo(game: Game, cycles: int) -> None:
    api = importlib.import_module("pettingzoo.test.api_test").api_test
    parallel_api = importlib.import_module("pettingzoo.test.parallel_test").parallel_api_test
    seeding = importlib.import_module("pettingzoo.test.seed_test")
    tests: tuple[tuple[str, Callable[[], None]], ...] = (
        ("api_test", lambda: api(game.aec_env(), num_cycles=cycles)),
        ("parallel_api_test", lambda: parallel_api(game.parallel_env(), num_cycles=cycles)),
        ("seed_test", lambda: seeding.seed_test(game.aec_env, num_cycles=cycles)),
        ("parallel_seed_test", lambda: seeding.parallel_seed_test(game.parallel_env, num_cycles=cycles)),
    )
    for name, run in tests:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("error")
            for message in HARMLESS:
                warnings.filterwarnings("ignore", message=message)
            try:
                run()
            except (AssertionError, Warning) as error:
                raise AssertionError(f"{game!r}: PettingZoo's {name}: {type(error).__name__}: {error}") from error


def _pick(rng: np.random.Generator, mask: Any) -> int:
    return int(rng.choice(np.flatnonzero(mask)))


def _check_view(game: Game, env: GameAECEnv | GameParallelEnv, place: str, agent: str, seen: Any, info: Any) -> None:
    """One agent's observation and info: in the space, masks int8, in both, the same."""
    space = env.observation_space(agent)
    require(space.contains(seen), game, f"{place}, {agent}'s observation", space, seen)
    for where, mask in (("observation", seen["action_mask"]), ("info", info["action_mask"])):
        text = f"{place}, {agent}'s mask in {where}"
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask)
        require(kind == np.int8, game, f"{text}, dtype", "an int8 array", kind)
    require_same(game, f"{place}, {agent}'s masks", seen["action_mask"], info["action_mask"])


def _play_parallel(
    game: Game, env: GameParallelEnv, seed: int, place: str, actions: list[_Stage] | None = None
) -> list[_Stage]:
    """Play an episode, checking every view; moves are random, or those of `actions`."""
    rng = np.random.default_rng(seed)
    observations, infos = env.reset(seed=seed)
    require(env.agents == env.possible_agents, game, f"{place}, agents after reset", env.possible_agents, env.agents)
    stages: list[_Stage] = []
    while env.agents and len(stages) < (MAX_STAGES if actions is None else len(actions)):
        at = f"{place}, stage {len(stages)}, parallel environment"
        for agent in env.agents:
            _check_view(game, env, at, agent, observations[agent], infos[agent])
            require(observations[agent]["action_mask"].any(), game, f"{at}, {agent}'s mask", "a legal action", "none")
        acting = [p for p, agent in enumerate(env.possible_agents) if infos[agent]["acting"]]
        require(acting, game, f"{at}, acting", "somebody to move", "nobody")
        moves = {agent: _pick(rng, observations[agent]["action_mask"]) for agent in env.agents}
        if actions is not None:
            moves = actions[len(stages)].actions
        before = copy.deepcopy(observations)
        result = env.step(moves)
        observations, _, terminations, truncations, infos = result
        ended = {agent: terminations[agent] or truncations[agent] for agent in terminations}
        require(len(set(ended.values())) == 1, game, f"{at}, ends", "all agents together", (terminations, truncations))
        require(bool(env.agents) != any(ended.values()), game, f"{at}, agents after the end", [], env.agents)
        stages.append(_Stage(acting, moves, before, copy.deepcopy(result)))
    return stages


def _replay_aec(game: Game, stages: list[_Stage], seed: int, max_cycles: int | None) -> None:
    """Make a parallel episode's moves in the AEC environment: it must show and pay the same."""
    env = game.aec_env(max_cycles=max_cycles)
    env.reset(seed=seed)
    for number, stage in enumerate(stages):
        place = f"seed {seed}, max_cycles={max_cycles}, stage {number}, AEC environment"
        for player in stage.acting:
            agent = env.possible_agents[player]
            require(env.agent_selection == agent, game, f"{place}, agent_selection", agent, env.agent_selection)
            seen, _, terminated, truncated, info = env.last()
            _check_view(game, env, place, agent, seen, info)
            require_same(game, f"{place}, {agent}'s observation", stage.before[agent], seen)
            require(not terminated and not truncated, game, f"{place}, {agent}", "alive", (terminated, truncated))
            env.step(stage.actions[agent])
        observations, rewards, terminations, truncations, _ = stage.result
        require_same(game, f"{place}, rewards", rewards, env.rewards)
        require_same(game, f"{place}, terminations", terminations, env.terminations)
        require_same(game, f"{place}, truncations", truncations, env.truncations)
        for agent in env.agents:
            now = env.observe(agent)["observation"]
            require_same(game, f"{place}, {agent}'s view afterwards", observations[agent]["observation"], now)
    if stages and not any(env.terminations.values()) and not any(env.truncations.values()):
        return
    place = f"seed {seed}, max_cycles={max_cycles}, AEC environment after the end"
    for left in range(len(env.agents), 0, -1):
        require(len(env.agents) == left, game, f"{place}, agents", left, env.agents)
        require(not env.observe(env.agent_selection)["action_mask"].any(), game, place, "an empty mask", "another")
        env.step(None)
    require(not env.agents, game, f"{place}, agents after everybody's last step", [], env.agents)
    _refused(game, f"{place}, a step without agents", lambda: env.step(0))


def _check_max_cycles(game: Game, stages: list[_Stage], seed: int, max_cycles: int) -> None:
    """The same moves under a clock: the same play until it runs out, then truncation of all, unless the game ended."""
    place = f"seed {seed}, max_cycles={max_cycles}"
    clocked = _play_parallel(game, game.parallel_env(max_cycles=max_cycles), seed, place, stages)
    require(len(clocked) == min(max_cycles, len(stages)), game, f"{place}, stages", max_cycles, len(clocked))
    over = any(stages[len(clocked) - 1].result[2].values())
    for number, (stage, free) in enumerate(zip(clocked, stages, strict=False)):
        last = number == len(clocked) - 1
        cut = last and not over and len(clocked) == max_cycles
        agents = list(free.result[2])
        require_same(game, f"{place}, stage {number}, rewards", free.result[1], stage.result[1])
        require_same(game, f"{place}, stage {number}, terminations", free.result[2], stage.result[2])
        require_same(game, f"{place}, stage {number}, truncations", dict.fromkeys(agents, cut), stage.result[3])
    _replay_aec(game, clocked, seed, max_cycles)


def _aec_view(env: GameAECEnv) -> dict[str, Any]:
    return copy.deepcopy(
        {
            "agents": env.agents,
            "agent_selection": env.agent_selection,
            "rewards": env.rewards,
            "cumulative": env._cumulative_rewards,
            "terminations": env.terminations,
            "truncations": env.truncations,
            "infos": env.infos,
            "observations": {agent: env.observe(agent) for agent in env.possible_agents},
            "state": env.state(),
        }
    )


def _check_copies(game: Game, stages: list[_Stage], seed: int, cuts: list[int]) -> None:
    """Pickles and deep copies made at stages `cuts` go on as the original does, chance included, and apart from it."""
    copiers: tuple[tuple[str, Callable[[Any], Any]], ...] = (
        ("pickle", lambda env: pickle.loads(pickle.dumps(env))),
        ("deepcopy", copy.deepcopy),
    )
    parallel, aec = game.parallel_env(), game.aec_env()
    parallel.reset(seed=seed)
    aec.reset(seed=seed)
    made: list[tuple[str, int, GameParallelEnv, GameAECEnv]] = []
    for number, stage in enumerate(stages):
        if number in cuts:
            spaces = [env.action_space(agent) for env in (aec, parallel) for agent in aec.possible_agents]
            for space in spaces:
                space.seed(seed)
            copies = [(f"seed {seed}, {name} at stage {number}", c(parallel), c(aec)) for name, c in copiers]
            draws = [int(space.sample()) for space in spaces]
            for place, other_parallel, other_aec in copies:
                others = [
                    env.action_space(agent) for env in (other_aec, other_parallel) for agent in aec.possible_agents
                ]
                found = [int(space.sample()) for space in others]
                require(found == draws, game, f"{place}, sampling actions", draws, found)
                made.append((place, number, other_parallel, other_aec))
        parallel.step(stage.actions)
        _step_aec(aec, stage)
    # The copies are stepped after the originals are done: sharing any state would show.
    end = _aec_view(aec)
    for place, cut, other_parallel, other_aec in made:
        for number, stage in enumerate(stages[cut:], start=cut):
            at = f"{place}, stage {number}"
            require_same(game, f"{at}, parallel environment", stage.result, other_parallel.step(stage.actions))
            _step_aec(other_aec, stage)
            require_same(game, f"{at}, AEC environment, rewards", stage.result[1], other_aec.rewards)
        require_same(game, f"{place}, AEC environment at the end", end, _aec_view(other_aec))


def _step_aec(env: GameAECEnv, stage: _Stage) -> None:
    for player in stage.acting:
        env.step(stage.actions[env.possible_agents[player]])


def _refused(game: Game, place: str, act: Callable[[], Any]) -> None:
    try:
        act()
    except IllegalActionError:
        return
    except Exception as error:
        raise AssertionError(f"{game!r}: {place}: expected IllegalActionError, found {error!r}") from error
    raise AssertionError(f"{game!r}: {place}: expected IllegalActionError, found that it was accepted")


def _check_refusals(game: Game) -> None:
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
    for number, stage in enumerate(_play_parallel(game, game.parallel_env(), 0, "refusals")):
        if number == 0:
            aec.reset(seed=0)
            parallel.reset(seed=0)
        agent = aec.possible_agents[stage.acting[0]]
        mask = stage.before[agent]["action_mask"]
        before = _aec_view(aec)
        illegal: list[Any] = [-1, len(mask), 0.5, "0", None, *np.flatnonzero(mask == 0).tolist()]
        for action in illegal:
            place = f"stage {number}, {agent} plays {action!r}"
            _refused(game, f"AEC environment, {place}", partial(aec.step, action))
            moves = {**stage.actions, agent: action}
            _refused(game, f"parallel environment, {place}", partial(parallel.step, moves))
        require_same(game, f"stage {number}, AEC environment after refusals", before, _aec_view(aec))
        lacking = {name: action for name, action in stage.actions.items() if name != agent}
        _refused(game, f"stage {number}, parallel environment, {agent} gives nothing", partial(parallel.step, lacking))
        unknown = {**stage.actions, "nobody_9": 0}
        _refused(game, f"stage {number}, parallel environment, an unknown agent", partial(parallel.step, unknown))
        require_same(game, f"stage {number}, parallel environment", stage.result, parallel.step(stage.actions))
        for player in stage.acting:
            aec.step(stage.actions[aec.possible_agents[player]])
    if parallel.agents:
        return
    _refused(game, "parallel environment, step after the end", lambda: parallel.step({agent: 0}))
    _refused(game, "AEC environment, an action after the end", lambda: aec.step(0))
