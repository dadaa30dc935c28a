"""Games as PettingZoo modules."""

from __future__ import annotations

import importlib
import pickle

import pytest
from pettingzoo.test import api_test, parallel_api_test

import eqenvs
from eqenvs import zoo


def test_every_game_is_a_module() -> None:
    assert len(zoo.names()) == len(eqenvs.game_ids())
    assert dir(zoo) == sorted(zoo.names())
    for name in zoo.names():
        module = importlib.import_module(f"eqenvs.zoo.{name}")
        assert module.__all__ == ["env", "parallel_env", "raw_env"]
        assert module.__doc__
        assert getattr(zoo, name) is module


def test_a_module_is_like_those_of_pettingzoo() -> None:
    from eqenvs.zoo import leduc_poker_v0

    env = leduc_poker_v0.env(num_players=3, max_cycles=5)
    api_test(env, num_cycles=30)
    parallel_api_test(leduc_poker_v0.parallel_env(), num_cycles=30)
    raw = leduc_poker_v0.raw_env()
    raw.reset(seed=0)
    assert env.unwrapped.possible_agents == ["player_0", "player_1", "player_2"]
    copy = pickle.loads(pickle.dumps(raw))
    assert copy.agent_selection == raw.agent_selection
    env.reset(seed=0)
    with pytest.raises(AssertionError):  # PettingZoo's wrapper
        env.step(99)


def test_what_is_no_game_is_named() -> None:
    with pytest.raises(ImportError, match="ledcu_poker_v0"):
        from eqenvs.zoo import ledcu_poker_v0  # noqa: F401
    with pytest.raises(AttributeError, match=r"no game 'ledcu_poker_v0'; did you mean 'leduc_poker_v0'"):
        zoo.ledcu_poker_v0  # noqa: B018
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("eqenvs.zoo.leduc_poker_v9")
