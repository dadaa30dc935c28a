"""`eqenvs check`: a game, somebody's environments, every game; tables, JSON, files, and what is refused."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from eqagents.cli import checking
from eqenvs.testing import Finding

MODULE = '''
from pettingzoo import ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec_wrapper
from gymnasium import spaces
import numpy as np


class Coins(ParallelEnv):
    """Two guess a coin of the seed; who is wrong is out, the other is truncated after `rounds`."""

    metadata = {"name": "coins_v0", "render_modes": []}

    def __init__(self, rounds=3, lost_seed=False):
        self.rounds, self.lost_seed = rounds, lost_seed
        self.possible_agents = ["player_0", "player_1"]
        self.spaces = {name: (spaces.Box(0, 9, (2,), np.float32), spaces.Discrete(2)) for name in self.possible_agents}
        self.rng = np.random.default_rng()
        self.render_mode = None

    def observation_space(self, agent):
        return self.spaces[agent][0]

    def action_space(self, agent):
        return self.spaces[agent][1]

    def reset(self, seed=None, options=None):
        if seed is not None:
            self.rng = np.random.default_rng(None if self.lost_seed else seed)
        self.agents, self.time = self.possible_agents[:], 0
        self.coins = self.rng.integers(2, size=64)
        return self.look(), {agent: {} for agent in self.agents}

    def look(self):
        return {agent: np.array([self.time, self.coins[self.time - 1]], np.float32) for agent in self.agents}

    def step(self, actions):
        live, coin = self.agents, self.coins[self.time]
        self.time += 1
        seen = self.look()
        wrong = {agent: bool(actions[agent] != coin) for agent in live}
        late = {agent: self.time >= self.rounds and not wrong[agent] for agent in live}
        self.agents = [agent for agent in live if not wrong[agent] and not late[agent]]
        return seen, {agent: 1.0 - 2 * wrong[agent] for agent in live}, wrong, late, {agent: {} for agent in live}

    def close(self):
        pass


def turns(rounds=3):
    return parallel_to_aec_wrapper(Coins(rounds))


def wrapped(make):
    """As PettingZoo's classic environments are made: a function within a function cannot be pickled."""

    def made(**arguments):
        return make(**arguments)

    return made


wrapped_coins = wrapped(Coins)
NOTHING = None


def number():
    return 3
'''


@pytest.fixture
def coins(tmp_path, monkeypatch):
    """A folder with somebody's module, which the command is called in."""
    (tmp_path / "coins_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_game_passes_every_check(call, tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "game_findings", quick_findings)
    status, out, err = call("check", "kuhn_poker", "-p", "num_players=3", "--json", "--out", tmp_path / "found.json")
    assert status == 0, err
    data = json.loads(out)
    assert (data["name"], data["family"]) == ("kuhn_poker(num_players=3)", "extensive_form")
    outcomes = {finding["check"]: finding["status"] for finding in data["findings"]}
    assert {"rules.pure", "parallel.seeds", "aec.cumulative_rewards", "aec_equals_parallel", "vector"} <= set(outcomes)
    assert outcomes["model.env_pays_it"] == "pass"
    assert json.loads((tmp_path / "found.json").read_text()) == data
    assert re.search(r"\d\d checks passed, 0 failed, \d+ do not apply", err)


def quick_findings(game, *, max_size=None):
    """Without the processes and windows that take seconds."""
    from eqenvs.testing.conformance import game_checks
    from eqenvs.testing.findings import run_checks

    return run_checks(game_checks(game, max_size=max_size, episodes=200))


def test_somebodys_environments_are_checked_and_compared(call, coins):
    status, out, err = call("check", "coins_of_mine:wrapped_coins", "coins_of_mine:turns", "-p", "rounds=5", "--json")
    assert status == 0, out + err
    found = {finding["check"]: finding for finding in json.loads(out)["findings"]}
    assert found["aec_equals_parallel"]["status"] == "pass"
    assert found["parallel.hash_seeds"]["message"] == "PYTHONHASHSEED 0, 1, 2"
    assert found["parallel.masks"]["status"] == "skipped"


def test_a_defect_is_exit_status_1_and_a_row_of_the_table(call, coins, monkeypatch):
    settings = checking.env_findings.__globals__["EnvSettings"](seeds=2, hash_seeds=())
    plain = checking.env_findings
    monkeypatch.setattr(checking, "env_findings", lambda **makers: plain(**makers, settings=settings))
    status, out, err = call("check", "coins_of_mine:Coins", "-p", "lost_seed=True")
    assert status == 1
    assert re.search(r"parallel\.seeds +│ PettingZoo +│ fail", out)
    assert re.search(r"[1-9] failed", err)


REFUSED = {
    "nothing": ((), "check needs a GAME, one or two MODULE:FUNCTION, or --all"),
    "a game and all": (("kuhn_poker", "--all"), "or --all"),
    "a parameter of all": (("--all", "-p", "num_players=2"), "-p sets a parameter of one game"),
    "two games": (("kuhn_poker", "leduc_poker"), "check takes one game"),
    "unknown game": (("kuhn_pokr",), "kuhn_poker"),
    "unknown module": (("no_such_module:env",), "importing no_such_module failed"),
    "unknown function": (("coins_of_mine:Coin",), "coins_of_mine has no 'Coin'"),
    "no function": (("coins_of_mine:NOTHING",), "cannot be called"),
    "no environment": (("coins_of_mine:number",), "makes a int, no pettingzoo AECEnv or ParallelEnv"),
    "wrong argument": (("coins_of_mine:Coins", "-p", "sides=2"), "making an environment failed: TypeError"),
    "two of a kind": (("coins_of_mine:Coins", "coins_of_mine:Coins"), "one of an AECEnv and one of a ParallelEnv"),
    "no folder": (("kuhn_poker", "--out", "missing/found.json"), "there is no directory"),
    "another's file": (("kuhn_poker", "--out", "coins_of_mine.py"), "is no document of this command"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_line_and_exit_status_2(call, coins, arguments, message):
    status, out, err = call("check", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_game_of_another_program_is_a_game():
    assert not checking.is_constructor("openspiel:kuhn_poker(players=3)")
    assert not checking.is_constructor("kuhn_poker")
    assert checking.is_constructor("package.module:make")


def test_all_games_are_counted_by_family_and_check():
    def checked(name, family, *statuses):
        return checking.Checked(name, family, 1.5, [Finding(f"check {i}", s, "why") for i, s in enumerate(statuses)])

    found = [checked("a", "markov", "pass", "skipped"), checked("b", "markov", "pass", "fail")]
    data = checking.document([*found, checked("c", "mean_field", "pass", "pass")], 4.0, 2)
    families = {row["family"]: row for row in data["sections"]["families"]["rows"]}
    assert [families["markov"][key] for key in ("games", "checks", "pass", "skipped", "fail")] == [2, 4, 2, 1, 1]
    assert [families["all"][key] for key in ("games", "checks", "fail", "seconds")] == [3, 6, 1, 4]
    assert data["sections"]["failures"]["rows"] == [{"game": "b", "check": "check 1", "message": "why"}]
    by_check = {row["check"]: row for row in data["sections"]["checks"]["rows"]}
    assert [by_check["check 1"][key] for key in ("pass", "skipped", "fail")] == [1, 1, 1]
    (partly,) = data["sections"]["not_everywhere"]["rows"]
    assert (partly["check"], partly["reason"]) == ("check 1", "why")


def test_all_is_every_game_in_order_and_one_that_cannot_be_made_is_a_failure(call, monkeypatch, tmp_path):
    # Threads: what is patched here would not be patched in other processes.
    monkeypatch.setattr(checking, "ProcessPoolExecutor", lambda jobs, mp_context: ThreadPoolExecutor(jobs))
    monkeypatch.setattr(checking, "game_findings", quick_findings)
    monkeypatch.setattr("eqenvs.game_ids", lambda: ["left_right", "matching_pennies", "no_such_game"])
    status, out, err = call("check", "--all", "--jobs", 1, "--json", "--out", tmp_path / "all.json")
    assert status == 1
    sections = json.loads(out)["sections"]
    monkeypatch.setattr("eqenvs.game_ids", lambda: ["matching_pennies"])
    status, out, _ = call("check", "--all", "--jobs", 1)
    assert status == 0
    assert re.search(r"normal_form +│ +1 │", out)
    assert "Failures" not in out
    assert [row["game"].partition("(")[0] for row in sections["games"]["rows"]] == [
        "left_right",
        "matching_pennies",
        "no_such_game",
    ]
    assert [row["fail"] for row in sections["games"]["rows"]] == [0, 0, 1]
    assert "no_such_game: made: UnknownNameError" in err
    assert json.loads((tmp_path / "all.json").read_text())["sections"] == sections
