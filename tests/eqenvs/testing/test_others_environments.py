"""The suite for anybody's environments: well-behaved ones pass it, and every check finds the defect that it is for."""

from __future__ import annotations

import functools
import inspect
import itertools
import re

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec_wrapper, turn_based_aec_to_parallel_wrapper

from eqenvs.testing import EnvSettings, check_aec_env, check_parallel_env, env_findings
from eqenvs.testing.findings import Check, Finding, NotApplicable, raise_first, run_checks
from eqenvs.testing.pettingzoo_envs import env_checks

QUICK = EnvSettings(seeds=4, steps=40, cycles=20, hash_seeds=())


class Tokens(AECEnv):
    """Players take one to three tokens in turn; who takes three is out at once, who takes the last wins.

    The first endings come one by one, and under `max_cycles` turns the last players are truncated together.
    """

    metadata = {"name": "tokens_v0", "render_modes": ["ansi", "rgb_array"], "is_parallelizable": False}  # noqa: RUF012

    def __init__(self, max_cycles=None, render_mode=None):
        self.max_cycles, self.render_mode = max_cycles, render_mode
        self.possible_agents = [f"player_{i}" for i in range(3)]
        box = spaces.Dict(
            {"observation": spaces.Box(0, 30, (2,), np.float32), "action_mask": spaces.Box(0, 1, (3,), np.int8)}
        )
        self.observation_spaces = dict.fromkeys(self.possible_agents, box)
        self.action_spaces = {agent: spaces.Discrete(3) for agent in self.possible_agents}
        self.rng = np.random.default_rng()

    def observation_space(self, agent):
        return self.observation_spaces[agent]

    def action_space(self, agent):
        return self.action_spaces[agent]

    def reset(self, seed=None, options=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.agents = self.possible_agents[:]
        self.left, self.turns = int(self.rng.integers(12, 30)), 0
        self.rewards = dict.fromkeys(self.agents, 0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._skip_agent_selection = None
        self.agent_selection = self.agents[0]
        self.look()

    def mask(self, agent):
        dead = self.terminations[agent] or self.truncations[agent]
        return np.array([not dead and take <= self.left for take in (1, 2, 3)], dtype=np.int8)

    def look(self):
        self.infos = {agent: {"action_mask": self.mask(agent)} for agent in self.agents}

    def observe(self, agent):
        return {"observation": np.array([self.left, self.turns], np.float32), "action_mask": self.mask(agent)}

    def step(self, action):
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        order = [a for a in self.agents if not self.terminations[a]]
        self._cumulative_rewards[agent] = 0
        self._clear_rewards()
        self.left -= int(action) + 1
        self.turns += 1
        self.agent_selection = order[(order.index(agent) + 1) % len(order)]
        if self.left <= 0 or len(order) == 1:
            self.rewards[agent] = 2.5
            self.terminations = dict.fromkeys(self.agents, True)
        elif action == 2:
            self.rewards[agent] = -1
            self.terminations[agent] = True
        if self.max_cycles is not None and self.turns >= self.max_cycles:
            self.truncations = {a: not self.terminations[a] for a in self.agents}
        self._accumulate_rewards()
        self._deads_step_first()
        self.look()

    def render(self):
        return f"{self.left} left" if self.render_mode == "ansi" else np.zeros((4, 5, 3), np.uint8)

    def close(self):
        """Nothing to release."""


class Walkers(ParallelEnv):
    """Three walk on a line of seven with a trap that ends them; the others are truncated after `max_cycles` steps."""

    metadata = {"name": "walkers_v0", "render_modes": []}  # noqa: RUF012
    masked = True

    def __init__(self, max_cycles=12):
        self.max_cycles, self.render_mode = max_cycles, None
        self.possible_agents = [f"walker_{i}" for i in range(3)]
        box = spaces.Box(-4, 12, (3,), np.float32)
        if self.masked:
            box = spaces.Dict({"observation": box, "action_mask": spaces.Box(0, 1, (3,), np.int8)})
        self.observation_spaces = dict.fromkeys(self.possible_agents, box)
        self.action_spaces = {agent: spaces.Discrete(3, start=-1) for agent in self.possible_agents}
        self.rng = np.random.default_rng()

    def observation_space(self, agent):
        return self.observation_spaces[agent]

    def action_space(self, agent):
        return self.action_spaces[agent]

    def reset(self, seed=None, options=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.agents = self.possible_agents[:]
        self.at = dict.fromkeys(self.agents, 0)
        self.trap, self.time = int(self.rng.choice([-2, 2])), 0
        return self.look(self.agents), self.tell(self.agents)

    def mask(self, agent):
        return np.array([self.at[agent] + move in range(-3, 4) for move in (-1, 0, 1)], dtype=np.int8)

    def look(self, agents):
        seen = {agent: np.array([self.at[agent], self.time, len(self.agents)], np.float32) for agent in agents}
        if not self.masked:
            return seen
        return {agent: {"observation": seen[agent], "action_mask": self.mask(agent)} for agent in agents}

    def tell(self, agents):
        return {agent: {"action_mask": self.mask(agent)} if self.masked else {} for agent in agents}

    def step(self, actions):
        live = self.agents
        self.time += 1
        for agent in live:
            self.at[agent] = int(np.clip(self.at[agent] + actions[agent], -3, 3))
        terminations = {agent: self.at[agent] == self.trap for agent in live}
        truncations = {agent: self.time >= self.max_cycles and not terminations[agent] for agent in live}
        rewards = {agent: -1.0 if terminations[agent] else 0.1 * abs(self.at[agent]) for agent in live}
        self.agents = [agent for agent in live if not terminations[agent] and not truncations[agent]]
        return self.look(live), rewards, terminations, truncations, self.tell(live)

    def close(self):
        """Nothing to release."""


def aec_walkers(max_cycles=12):
    return parallel_to_aec_wrapper(Walkers(max_cycles))


class Pair(Tokens):
    """Tokens for two, of whom neither ends before the other, so that PettingZoo can convert it."""

    def __init__(self, max_cycles=None):
        super().__init__(max_cycles)
        del self.possible_agents[2]

    def mask(self, agent):
        return super().mask(agent) * np.array([1, 1, 0], np.int8) * np.int8(agent == self.agent_selection)


def parallel_pair():
    return turn_based_aec_to_parallel_wrapper(Pair())


def failures(findings):
    return [(finding.check, finding.message) for finding in findings if finding.status == "fail"]


WELL_BEHAVED = {
    "turns, deaths": {"make_aec": Tokens},
    "simultaneous, deaths": {"make_parallel": Walkers},
    "both, by PettingZoo's conversion": {"make_parallel": Walkers, "make_aec": aec_walkers},
    "both, turn by turn": {"make_parallel": parallel_pair, "make_aec": Pair},
}


@pytest.mark.parametrize("makers", WELL_BEHAVED.values(), ids=WELL_BEHAVED)
def test_well_behaved_environments_pass(makers):
    findings = env_findings(**makers, settings=QUICK)
    assert failures(findings) == []
    raise_first(env_checks(**makers, settings=QUICK))


def message(makers, check, settings=QUICK):
    """The message of one check's finding, and its status."""
    (chosen,) = [each for each in env_checks(**makers, settings=settings) if each.name == check]
    (finding,) = run_checks([chosen])
    return finding


def test_endings_of_two_kinds_are_met():
    for makers, check in (({"make_parallel": Walkers}, "parallel.ends"), ({"make_aec": aec_walkers}, "aec.ends")):
        found = message(makers, check)
        assert found.status == "pass"
        assert re.search(r"4 of 4 episodes ended, [1-4] with terminations and truncations", found.message)


# AEC environments, each with one defect.


class Crashes(Tokens):
    def step(self, action):
        if self.turns == 2:
            raise IndexError("list index out of range")
        super().step(action)


class WideObservation(Tokens):
    def observe(self, agent):
        seen = super().observe(agent)
        return {**seen, "observation": seen["observation"].astype(np.float64)}


class HighObservation(Tokens):
    def observe(self, agent):
        seen = super().observe(agent)
        return {**seen, "observation": seen["observation"] + 10}


class LongMask(Tokens):
    def mask(self, agent):
        return np.append(super().mask(agent), np.int8(0))


class MaskOfIntegers(Tokens):
    def mask(self, agent):
        return super().mask(agent).astype(np.int64)


class EmptyMask(Tokens):
    def mask(self, agent):
        return super().mask(agent) * np.int8(self.turns < 3)


class OtherMaskInInfo(Tokens):
    def look(self):
        super().look()
        for info in self.infos.values():
            info["action_mask"][:] = 1


class LosesInfos(Tokens):
    def look(self):
        self.infos = {self.agent_selection: {"action_mask": self.mask(self.agent_selection)}}


class KeepsInfos(Tokens):
    def look(self):
        super().look()
        self.infos = {agent: {} for agent in self.possible_agents} | self.infos


class DropsTheDead(Tokens):
    """Who is out is gone without a last step, and never hears its reward."""

    def look(self):
        for agent in [a for a in self.agents if self.terminations[a] and not all(self.terminations.values())]:
            self.agents.remove(agent)
            for part in (self.rewards, self._cumulative_rewards, self.terminations, self.truncations):
                del part[agent]
            self.agent_selection = self.agents[0]
        super().look()


class Revives(Tokens):
    def step(self, action):
        if self.terminations[self.agent_selection] and self.left > 0:
            self.terminations[self.agent_selection] = False
            self.look()
            return
        super().step(action)


class NeverLeaves(Tokens):
    """One is terminated, others are truncated, and nobody goes."""

    def _was_dead_step(self, action):
        self.agent_selection = next(a for a in self.agents if self.terminations[a] or self.truncations[a])


class PaysNoNumber(Tokens):
    def look(self):
        super().look()
        if self.turns == 2:
            self.rewards = dict.fromkeys(self.rewards, float("nan"))


class NeverClears(Tokens):
    """Cumulative rewards go on from the agent's last turn."""

    def step(self, action):
        kept = self._cumulative_rewards.get(self.agent_selection, 0)
        dead = self.terminations[self.agent_selection] or self.truncations[self.agent_selection]
        agent = self.agent_selection
        super().step(action)
        if not dead:
            self._cumulative_rewards[agent] += kept + 0.5


class IgnoresTheSeed(Tokens):
    resets = itertools.count()

    def reset(self, seed=None, options=None):
        super().reset(next(self.resets), options)
        self.left = 12 + next(self.resets) % 7


class LeaksIntoTheNext(Tokens):
    """The first episode is as it should be, the next starts with what an unfinished one left."""

    agents = ()

    def reset(self, seed=None, options=None):
        unfinished = len(self.agents) > 0
        super().reset(seed, options)
        self.left += unfinished


class FreshSpaces:
    def action_space(self, agent):
        return spaces.Discrete(3, start=super().action_space(agent).start)


class SpacesOfAnEpisode(Tokens):
    def reset(self, seed=None, options=None):
        super().reset(seed, options)
        self.action_spaces = {agent: spaces.Discrete(3) for agent in self.possible_agents}


class OneBuffer(Tokens):
    buffer = None

    def observe(self, agent):
        if self.buffer is None:
            self.buffer = super().observe(agent)
        for key, part in super().observe(agent).items():
            self.buffer[key][:] = part
        return self.buffer


class CopiesShare:
    def __deepcopy__(self, memo):
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin


class HoldsAFunction:
    def __init__(self):
        super().__init__()
        self.score = lambda left: -left


def flawed(defect, env):
    """An environment with one of the defects that are the same for both interfaces."""
    return type(f"{defect.__name__}{env.__name__}", (defect, env), {})


class LateClock(Tokens):
    def __init__(self, max_cycles=None):
        super().__init__(None if max_cycles is None else 3 * max_cycles + 4)


class ClockTerminates(Tokens):
    def look(self):
        if any(self.truncations.values()):
            self.terminations = dict.fromkeys(self.agents, True)
            self.truncations = dict.fromkeys(self.agents, False)
        super().look()


class DeadPlayOn(Tokens):
    def _was_dead_step(self, action):
        super()._was_dead_step(None)


class NoOptions(Tokens):
    def reset(self, seed=None):
        super().reset(seed)


class GreyPicture(Tokens):
    def render(self):
        return super().render()[:, :, 0] if self.render_mode == "rgb_array" else super().render()


class RenderingPlays(Tokens):
    def render(self):
        self.rng.random()
        self.left -= self.render_mode == "ansi"
        return super().render()


AEC = {
    "raises": (Crashes, "plays", r"tokens_v0, AEC: seed 0, step 3, .*: expected no exception, found IndexError"),
    "dtype": (WideObservation, "observations", r"step 0, player_0's observation: .*float32 \(2,\), found float64"),
    "bounds": (HighObservation, "observations", r"\['observation'\]\[0\] in \[0.0, 30.0\], found 3\d"),
    "mask's width": (LongMask, "masks", r"player_0's mask, shape: expected \(.*3.*\), found \(4,\)"),
    "mask's dtype": (MaskOfIntegers, "masks", r"mask, dtype: expected int8, found int64"),
    "empty mask": (EmptyMask, "masks", r"step \d+, player_\d's mask: expected a legal action"),
    "two masks": (OtherMaskInInfo, "masks", r"masks in observation and info: expected the same"),
    "lost infos": (LosesInfos, "keys", r"step 0, infos: expected an entry for \['player_1'\]"),
    "infos of the dead": (KeepsInfos, "keys", r"infos: expected entries for .* found one for \['player_\d'\]"),
    "no last step": (DropsTheDead, "ends", r"agents: expected nobody gone without a last step, found .* gone"),
    "revived": (Revives, "ends", r"agents after player_\d's last step: expected all but"),
    "stays": (functools.partial(NeverLeaves, max_cycles=3), "ends", r"agents after player_\d's last step"),
    "NaN": (PaysNoNumber, "rewards", r"step 2, player_\d's reward: expected a finite number, found nan"),
    "sums": (NeverClears, "cumulative_rewards", r"cumulative reward: expected -?\d.*, the sum of its rewards"),
    "unseeded": (IgnoresTheSeed, "seeds", r"seed 0, step \d+, in a new object"),
    "leak": (LeaksIntoTheNext, "seeds_reused", r"seed \d, step 0, after an unfinished episode"),
    "new spaces": (
        flawed(FreshSpaces, Tokens),
        "spaces",
        r"action_space\('player_0'\): .* the same object twice",
    ),
    "spaces of an episode": (SpacesOfAnEpisode, "spaces_kept", r"seed 1, step 0, .*expected the same object as before"),
    "one buffer": (OneBuffer, "aliasing", r"step 1, what was returned at step 0 has changed"),
    "shared copies": (flawed(CopiesShare, Tokens), "deepcopy", r"copied at step 0"),
    "unpicklable": (flawed(HoldsAFunction, Tokens), "pickle", r"copied at step 0: expected no exception"),
    "late clock": (LateClock, "max_cycles", r"max_cycles=1: expected an end within 1 turns each"),
    "clock terminates": (ClockTerminates, "max_cycles", r"step 1, ends: expected those that the clock brings"),
    "dead play": (DeadPlayOn, "dead_steps", r"player_\d has ended and plays \d: expected an exception"),
    "no options": (NoOptions, "pettingzoo_api_test", r"PettingZoo's api_test: TypeError: .*options"),
    "unseeded, PettingZoo's": (IgnoresTheSeed, "pettingzoo_seed_test", r"PettingZoo's seed_test: AssertionError"),
    "grey": (
        GreyPicture,
        "render",
        r"render_mode='rgb_array': expected uint8 \[height, width, 3\], found uint8 \(4, 5\)",
    ),
    "rendering plays": (RenderingPlays, "render_changes_nothing", r"rendered as 'ansi', "),
}


@pytest.mark.parametrize(("make_env", "check", "expected"), AEC.values(), ids=AEC)
def test_a_defect_of_an_aec_environment_is_named(make_env, check, expected):
    found = message({"make_aec": make_env}, f"aec.{check}")
    assert found.status == "fail", found
    assert re.search(expected, found.message), found.message
    with pytest.raises((AssertionError, AttributeError)):
        check_aec_env(make_env, QUICK)


# Parallel environments, each with one defect.


class UnseededTraps(Walkers):
    resets = itertools.count()

    def reset(self, seed=None, options=None):
        found = super().reset(seed, options)
        self.trap = -2 if next(self.resets) % 3 else 2
        return found


class CrashesTogether(Walkers):
    def step(self, actions):
        if self.time == 2:
            raise ZeroDivisionError("division by zero")
        return super().step(actions)


class WideWalkers(Walkers):
    def look(self, agents):
        seen = super().look(agents)
        return {
            agent: {**seen[agent], "observation": seen[agent]["observation"].astype(np.float64)} for agent in agents
        }


class StuckWalkers(Walkers):
    def mask(self, agent):
        return super().mask(agent) * np.int8(self.time < 3)


class DriftingWalkers(Walkers):
    """The trap moves from episode to episode, whatever the seed."""

    played = 0

    def reset(self, seed=None, options=None):
        self.played += 1
        found = super().reset(seed, options)
        self.trap *= -1 if self.played % 2 else 1
        return found


class StaysInTheTrap(Walkers):
    """Who is terminated is among the agents until the others are truncated."""

    def step(self, actions):
        before = self.agents
        found = super().step({agent: actions.get(agent, 0) for agent in before})
        if self.agents:
            self.agents = before
        return found


class LeavesWithoutAnEnd(Walkers):
    def step(self, actions):
        found = super().step(actions)
        if self.time == 2:
            self.agents = self.agents[:-1]
        return found


class ComesBack(Walkers):
    def step(self, actions):
        found = super().step(actions)
        if self.time == 6:
            self.agents = self.possible_agents[:]
        return found


class ForgetsTheDead(Walkers):
    """Who ends is told nothing: neither its last reward nor that it has ended."""

    def step(self, actions):
        parts = super().step(actions)
        return tuple({agent: part[agent] for agent in self.agents or part} for part in parts)


class TellsTheDead(Walkers):
    def step(self, actions):
        seen, rewards, *ends, infos = super().step(actions)
        return seen, dict.fromkeys(self.possible_agents, 0.0) | rewards, *ends, infos


class PaysInfinity(Walkers):
    def step(self, actions):
        seen, rewards, *rest = super().step(actions)
        return seen, rewards if self.time < 3 else dict.fromkeys(rewards, float("inf")), *rest


class WritesToRewards(Walkers):
    given: dict = {}  # noqa: RUF012 - the defect

    def step(self, actions):
        seen, rewards, *rest = super().step(actions)
        self.given.clear()
        self.given.update(rewards)
        return seen, self.given, *rest


class LateParallelClock(Walkers):
    def __init__(self, max_cycles=12):
        super().__init__(max_cycles + 1)


class UnmaskedWalkers(Walkers):
    masked = False

    def step(self, actions):
        self.trap = 9
        return super().step(actions)


class UnseededWalkers(UnmaskedWalkers):
    looks = itertools.count()

    def look(self, agents):
        noise = np.float32(0.001 * next(self.looks))
        return {agent: seen + noise for agent, seen in super().look(agents).items()}


PARALLEL = {
    "raises": (CrashesTogether, "plays", r"seed 0, step 3, .*: expected no exception, found ZeroDivisionError"),
    "dtype": (WideWalkers, "observations", r"walker_0's observation: .*float32 \(3,\), found float64"),
    "empty mask": (StuckWalkers, "masks", r"step 3, walker_\d's mask: expected a legal action"),
    "unseeded": (UnseededTraps, "seeds", r"seed \d, step \d+, in a new object"),
    "drift": (DriftingWalkers, "seeds_reused", r"seed \d, step \d+, "),
    "new spaces": (flawed(FreshSpaces, Walkers), "spaces", r"action_space\('walker_0'\): expected the same object"),
    "shared copies": (flawed(CopiesShare, Walkers), "deepcopy", r"copied at step 0"),
    "unpicklable": (flawed(HoldsAFunction, Walkers), "pickle", r"copied at step 0: expected no exception"),
    "dead stay": (StaysInTheTrap, "ends", r"agents: expected those who ended to have left, found \['walker_\d'\]"),
    "left": (LeavesWithoutAnEnd, "ends", r"seed \d, step 2, agents: expected nobody gone without an end"),
    "back": (
        ComesBack,
        "ends",
        r"seed \d, step 6, agents: expected nobody who had left, found \['walker_\d'.*\] again",
    ),
    "told nothing": (ForgetsTheDead, "keys", r"observations: expected an entry for \['walker_\d'\]"),
    "told too much": (TellsTheDead, "keys", r"rewards: expected entries for .* alone, found one for"),
    "infinite": (PaysInfinity, "rewards", r"step 3, walker_0's reward: expected a finite number, found inf"),
    "rewards change": (WritesToRewards, "aliasing", r"what was returned at step \d+ has changed: \['rewards'\]"),
    "late clock": (LateParallelClock, "max_cycles", r"seed 0, max_cycles=1, .*expected"),
    "unseeded, PettingZoo's": (UnseededWalkers, "pettingzoo_parallel_seed_test", r"parallel_seed_test: AssertionError"),
    "PettingZoo's": (StaysInTheTrap, "pettingzoo_parallel_api_test", r"parallel_api_test: AssertionError"),
}


@pytest.mark.parametrize(("make_env", "check", "expected"), PARALLEL.values(), ids=PARALLEL)
def test_a_defect_of_a_parallel_environment_is_named(make_env, check, expected):
    found = message({"make_parallel": make_env}, f"parallel.{check}")
    assert found.status == "fail", found
    assert re.search(expected, found.message), found.message
    with pytest.raises(AssertionError, match="walkers_v0, Parallel"):
        check_parallel_env(make_env, QUICK)


def pays_more(max_cycles=12):
    class Generous(Walkers):
        def step(self, actions):
            seen, rewards, *rest = super().step(actions)
            return seen, {agent: reward + (self.time == 3) for agent, reward in rewards.items()}, *rest

    return parallel_to_aec_wrapper(Generous(max_cycles))


def ends_later(max_cycles=12):
    return aec_walkers(max_cycles + 1)


@pytest.mark.parametrize(
    ("make_aec", "expected"),
    [
        (pays_more, r"step 3, walker_\d's reward: expected .* as in the Parallel environment"),
        (ends_later, r"seed \d, step 12, truncations"),
        (functools.partial(aec_walkers, 12), r"^$"),
    ],
)
def test_an_aec_environment_that_is_another_game_than_the_parallel_one_is_named(make_aec, expected):
    found = message({"make_parallel": Walkers, "make_aec": make_aec}, "aec_equals_parallel")
    assert found.status == ("pass" if expected == "^$" else "fail")
    assert found.status == "pass" or re.search(expected, found.message), found.message


def test_pettingzoos_max_cycles_test_is_run_where_it_can_be():
    makers = {
        "make_parallel": UnmaskedWalkers,
        "make_aec": lambda max_cycles=12: parallel_to_aec_wrapper(UnmaskedWalkers(max_cycles)),
    }
    check = "pettingzoo_max_cycles_test"
    assert message(makers, check).status == "pass"
    late = {**makers, "make_parallel": lambda max_cycles=12: UnmaskedWalkers(max_cycles + 1)}
    assert "PettingZoo's max_cycles_test" in message(late, check).message
    assert message({"make_parallel": Walkers, "make_aec": aec_walkers}, check).status == "skipped"


MODULE = """
from pettingzoo.utils.conversions import parallel_to_aec_wrapper
from walkers_of_mine import Walkers

class Hashed(Walkers):
    def tell(self, agents):
        return {agent: info for agent, info in sorted(super().tell(agents).items(), key=lambda item: hash(item[0]))}

def make():
    return Walkers()

def make_hashed():
    return Hashed()
"""


def test_an_order_that_hangs_on_the_hash_seed_is_named(tmp_path, monkeypatch):
    source = inspect.getsource
    head = "import numpy as np\nfrom gymnasium import spaces\nfrom pettingzoo import ParallelEnv\n"
    (tmp_path / "walkers_of_mine.py").write_text(head + source(Walkers))
    (tmp_path / "hashed_walkers.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import hashed_walkers

    settings = EnvSettings(seeds=1, steps=5)
    good = message({"make_parallel": hashed_walkers.make}, "parallel.hash_seeds", settings)
    assert (good.status, good.message) == ("pass", "PYTHONHASHSEED 0, 1, 2")
    found = message({"make_parallel": hashed_walkers.make_hashed}, "parallel.hash_seeds", settings)
    assert found.status == "fail"
    assert re.search(r"seed 0, step 0, infos: expected the same under PYTHONHASHSEED=0 and \d", found.message)


def test_a_constructor_that_no_other_process_has_is_not_tried_under_other_hash_seeds():
    found = message({"make_parallel": lambda: Walkers()}, "parallel.hash_seeds", EnvSettings(seeds=1, steps=3))
    assert found.status == "skipped"
    assert "another process cannot make the environment" in found.message


def test_what_is_refused_is_told_and_no_defect():
    found = message({"make_aec": Tokens}, "aec.refusals")
    assert found.status == "pass"
    assert "step before reset: refuses (AttributeError)" in found.message
    assert "masked action: " not in found.message  # at the first move nothing is masked
    found = message({"make_parallel": Walkers}, "parallel.refusals")
    assert "action outside the space: tolerates" in found.message


def test_checks_can_be_left_out():
    settings = EnvSettings(seeds=1, steps=5, cycles=5, hash_seeds=(), left_out=("aec.pickle", "seeds"))
    found = {f.check: f for f in env_findings(make_aec=flawed(HoldsAFunction, Tokens), settings=settings)}
    assert (found["aec.pickle"].status, found["aec.pickle"].message) == ("skipped", "left out")
    assert found["aec.seeds"].status == "skipped"
    assert failures(found.values()) == []


def test_findings_tell_every_outcome():
    def wrong():
        raise AssertionError("two\nlines")

    def beside():
        raise NotApplicable("no masks")

    checks = [Check("right", lambda: "3 episodes"), Check("wrong", wrong, "PettingZoo"), Check("beside", beside)]
    assert run_checks(checks) == [
        Finding("right", "pass", "3 episodes"),
        Finding("wrong", "fail", "two lines", "PettingZoo"),
        Finding("beside", "skipped", "no masks"),
    ]
    assert run_checks([Check("raises", lambda: str(1 // 0))])[0].message.startswith("ZeroDivisionError: ")
    raise_first([checks[0], checks[2]])
    with pytest.raises(AssertionError, match="two"):
        raise_first(checks)
