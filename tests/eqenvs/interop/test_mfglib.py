"""Environments of MFGLib as games here: scored by both, the same.

Games made by name are in double precision, in which MFGLib agrees to 1e-9; its own environments come in single
precision, in which both agree to 1e-5, relative to the largest payoff.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError, InputError, PolicyError, UnsupportedGame
from eqenvs.interop import _mfglib_named as named
from eqenvs.interop import mfglib
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import TabularPolicy, uniform
from eqenvs.testing.conformance import check_game, random_tables
from eqsolvers.result import find_solver
from eqsolvers.scoring import score

PAGE = Path(__file__).resolve().parents[3] / "docs" / "interop.md"
needs_mfglib = pytest.mark.skipif(importlib.util.find_spec("mfglib") is None, reason="needs mfglib")

if importlib.util.find_spec("mfglib") is not None:
    importlib.import_module("mfglib.alg")  # mfglib.scoring cannot be imported first
    import torch
    from mfglib.env import Environment
    from mfglib.scoring import exploitability_score
    from mfglib.utils import mean_field_from_policy

NAMES = [
    "beach_bar",
    "building_evacuation(n_floor=3,floor_l=4,floor_w=3,T=6,eta=0.5)",
    "conservative_treasure_hunting",
    "crowd_motion(torus_l=4,torus_w=6,T=7,p_still=0.3,seed=3)",
    "equilibrium_price",
    "left_right",
    "linear_quadratic(T=2,el=3,m=1)",
    "random_linear(seed=4)",
    "rock_paper_scissors(T=3)",
    "susceptible_infected(T=20)",
]


@pytest.fixture
def double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def model_of(game: Any) -> MeanFieldModel:
    model = game.model()
    assert isinstance(model, MeanFieldModel)
    return model


def environment(reference: str) -> Any:
    """As MFGLib makes it, in torch's default precision; of what a seed draws, the single precision's, doubled."""
    name, _, rest = reference.partition("(")
    given = eval(f"dict({rest}") if rest else {}
    if name != "random_linear":
        return getattr(Environment, name)(**given)
    kind = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    env = Environment.random_linear(**given)
    torch.set_default_dtype(kind)
    env.mu0 = torch.ones(env.S) / env.n_states
    for holder in (env.reward_fn, env.transition_fn):
        for key in vars(holder):
            setattr(holder, key, vars(holder)[key].to(kind))
    return env


def solved(game: Any, iterations: int = 30) -> TabularPolicy:
    policy = find_solver(game.family, "nash", "fictitious-play").solve(game.model(), iterations=iterations).policy
    assert isinstance(policy, TabularPolicy)
    return policy


def joint_flow(game: Any, policy: TabularPolicy) -> Any:
    """[T + 1, S, A]: who is where and does what; of a game in halves the second half's states say both."""
    model = model_of(game)
    table = model.as_array(policy.tables)
    flow = model.flow(table)
    if model.all_legal:
        return (flow[..., None] * table)[:, 0]
    states = model.num_states // (model.num_actions + 1)
    return flow[1::2, 0, states:].reshape(-1, states, model.num_actions)


@needs_mfglib
def test_every_constructor_is_covered() -> None:
    assert {name.partition("(")[0] for name in NAMES} == set(named.constructors()) == set(named.KNOWN)


@needs_mfglib
@pytest.mark.parametrize("name", NAMES)
def test_policies_are_worth_the_same_here_and_there(name: str, double: None) -> None:
    game, env = eqenvs.make(f"mfglib:{name}"), environment(name)
    found = solved(game, 5 if name.startswith("linear") else 30)
    scores = []
    for policy in (uniform(game), random_tables(game, 5), found):
        table = mfglib.to_policy(game, policy)
        ours = score(game, policy)
        assert ours.kind == "exact"
        scores.append(ours.exploitability)
        assert ours.nash_conv == ours.exploitability
        assert ours.nash_conv == pytest.approx(exploitability_score(env, table), rel=1e-9, abs=1e-9)
        theirs = mean_field_from_policy(table, env=env).reshape(env.T + 1, env.n_states, env.n_actions)
        np.testing.assert_allclose(joint_flow(game, policy), theirs, rtol=0, atol=1e-12)
    assert scores[2] < scores[0] or scores[0] < 1e-12


@needs_mfglib
@pytest.mark.parametrize("name", NAMES)
def test_in_single_precision_too(name: str) -> None:
    env = environment(name)
    game = eqenvs.make(f"mfglib:{name}")
    kept = mfglib.from_environment(env)
    for policy in (uniform(game), random_tables(game, 5)):
        table = mfglib.to_policy(game, policy)
        assert table.dtype == torch.float32
        theirs = exploitability_score(env, table)
        assert score(game, policy).nash_conv == pytest.approx(theirs, rel=1e-5, abs=1e-5)
        back = score(kept, mfglib.from_policy(kept, table))
        assert back.nash_conv == pytest.approx(theirs, rel=1e-5, abs=1e-5)


@needs_mfglib
@pytest.mark.parametrize("name", ["crowd_motion(torus_l=3,torus_w=4)", "equilibrium_price"])
def test_policies_go_both_ways(name: str, double: None) -> None:
    game = eqenvs.make(f"mfglib:{name}")
    policy = random_tables(game, 5)
    table = mfglib.to_policy(game, policy)
    env = environment(name)
    assert tuple(table.shape) == (env.T + 1, *env.S, *env.A)
    back = mfglib.from_policy(game, table)
    np.testing.assert_array_equal(mfglib.to_policy(game, back), table)
    assert score(game, back).nash_conv == pytest.approx(score(game, policy).nash_conv, rel=1e-12)
    with pytest.raises(PolicyError, match=re.escape(f"must have shape {list(table.shape)}")):
        mfglib.from_policy(game, table[1:])
    with pytest.raises(PolicyError, match="sum"):
        mfglib.from_policy(game, 2 * table)


@needs_mfglib
def test_the_same_games_written_here_have_the_same_scores() -> None:
    walled = {"size": 7, "horizon": 7, "bar": 1, "still": 0.3, "ends": True}
    for theirs, ours, parameters in (
        ("beach_bar(n=7,T=6,bar_loc=1,p_still=0.3)", "beach_bar", walled),
        ("left_right", "left_right", {}),
        ("crowd_motion", "crowd_motion", {}),
    ):
        mine, loaded = eqenvs.make(ours, **parameters), eqenvs.make(f"mfglib:{theirs}")
        expected = score(mine, uniform(mine)).nash_conv
        assert score(loaded, uniform(loaded)).nash_conv == pytest.approx(expected, abs=1e-7)  # of log(mu + 1e-10)


@needs_mfglib
@pytest.mark.parametrize("name", ["susceptible_infected(T=4)", "equilibrium_price(T=1,Q=1,H=1)", "random_linear(n=2)"])
def test_a_loaded_game_passes_every_check_of_a_game(name: str) -> None:
    check_game(eqenvs.make(f"mfglib:{name}", num_agents=5), episodes=200)


@needs_mfglib
def test_agents_of_a_game_in_halves_have_one_legal_action_in_every_second_step() -> None:
    env = eqenvs.make("mfglib:equilibrium_price(T=1)", num_agents=3).parallel_env()
    _, infos = env.reset(seed=1)
    legal, paid = [], []
    while env.agents:
        legal.append({int(infos[agent]["action_mask"].sum()) for agent in env.agents})
        actions = {agent: int(infos[agent]["action_mask"].argmax()) for agent in env.agents}
        _, rewards, *_, infos = env.step(actions)
        paid.append(any(rewards.values()))
    assert legal == [{9}, {1}, {9}, {1}]
    assert paid[0::2] == [False, False]
    assert all(paid[1::2])


class Rates:
    """A picklable environment of two kinds of actions whose moves depend on time and on what is done where."""

    def __call__(self, env: Any, t: int, L_t: Any) -> Any:
        x, y = env.S
        towards = torch.arange(1, x * y + 1, dtype=L_t.dtype).reshape(x, y)
        taken = L_t.sum(dim=(0, 1)) + 0.1 * (t + 1)  # [*A]
        weight = towards[:, :, None, None, None, None] ** taken
        weight = weight.expand(x, y, x, y, *env.A) + L_t.sum(dim=(2, 3))[:, :, None, None, None, None]
        return weight / weight.sum(dim=(0, 1), keepdim=True)


class Prices:
    def __call__(self, env: Any, t: int, L_t: Any) -> Any:
        return torch.sin(3 * L_t + torch.arange(L_t.numel(), dtype=L_t.dtype).reshape(L_t.shape) + t)


def own(*, T: int = 3, reward: Any = None, transition: Any = None, mu0: Any = None) -> Any:
    start = torch.tensor([[0.5, 0.1, 0.0], [0.2, 0.0, 0.2]]) if mu0 is None else mu0
    return Environment(
        T=T,
        S=(2, 3),
        A=(3, 2),
        mu0=start,
        r_max=1.0,
        reward_fn=Prices() if reward is None else reward,
        transition_fn=Rates() if transition is None else transition,
    )


@needs_mfglib
@pytest.mark.parametrize("end", [0, 1, 3])
def test_environments_of_ones_own_with_several_dimensions(end: int, double: None) -> None:
    env = own(T=end)
    game = mfglib.from_environment(env, "own")
    assert repr(game).startswith("own(")
    for policy in (uniform(game), random_tables(game, 1), solved(game)):
        table = mfglib.to_policy(game, policy)
        assert score(game, policy).nash_conv == pytest.approx(exploitability_score(env, table), rel=1e-12, abs=1e-13)
    copy = pickle.loads(pickle.dumps(game))
    assert copy.spec.digest == game.spec.digest != mfglib.from_environment(own(T=end + 1), "own").spec.digest
    assert score(copy, uniform(copy)).nash_conv == score(game, uniform(game)).nash_conv
    key = model_of(game).keys
    assert key[:3].tolist() == [[0, 0, 0], [0, 1, 0], [0, 2, 0]]
    assert key[6:9].tolist() == [[0, 0, 1], [0, 0, 2], [0, 0, 3]]


@needs_mfglib
@pytest.mark.parametrize("name", ["crowd_motion(torus_l=3,torus_w=4,p_still=0.2)", "beach_bar(T=4)"])
def test_halves_and_what_is_said_of_an_environment_change_no_score(name: str) -> None:
    named = eqenvs.make(f"mfglib:{name}")
    env = named.spec.build.environment()
    table = mfglib.to_policy(named, random_tables(named, 2))
    for states_only in (False, True):
        for fixed_moves in (False, True):
            game = mfglib.from_environment(env, states_only=states_only, fixed_moves=fixed_moves)
            model = model_of(game)
            assert model.num_states == named.model().num_states * (1 if states_only else 1 + model.num_actions)
            assert (model.kernel is not None) == fixed_moves
            found = score(game, mfglib.from_policy(game, table)).nash_conv
            assert found == pytest.approx(score(named, mfglib.from_policy(named, table)).nash_conv, rel=1e-12)


@needs_mfglib
def test_what_is_said_wrongly_is_refused() -> None:
    with pytest.raises(InputError, match="own: states_only does not hold, rewards at time 0 depend on what others"):
        mfglib.from_environment(own(), "own", states_only=True)
    with pytest.raises(InputError, match="own: fixed_moves does not hold, moves at time 0"):
        mfglib.from_environment(own(), "own", fixed_moves=True)


@needs_mfglib
def test_gradients_go_through_the_environment() -> None:
    game = eqenvs.make("mfglib:random_linear(n=3,m=1.0)")
    found = find_solver(game.family, "nash", "mf-omo").solve(game.model(), iterations=300)
    assert found.residual < 0.05 * score(game, uniform(game)).nash_conv


@needs_mfglib
def test_games_travel_by_name_and_are_made_again_where_they_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    game = eqenvs.make("mfglib:random_linear(seed=2)", num_agents=7)
    sent, expected = pickle.dumps(game), score(game, uniform(game)).nash_conv
    assert len(sent) < 4000
    for cache in (mfglib.spec, mfglib._model, named.environment, named.parsed):
        cache.cache_clear()
    copy = pickle.loads(sent)
    assert (repr(copy), copy.spec.digest) == (repr(game), game.spec.digest)
    assert score(copy, uniform(copy)).nash_conv == expected
    others = {eqenvs.make(f"mfglib:{name}").spec.digest for name in ("random_linear(seed=3)", "left_right")}
    assert len({*others, game.spec.digest}) == 3
    mfglib.spec.cache_clear()
    monkeypatch.setattr(sys.modules["mfglib"], "__version__", "0.4.0")
    with pytest.raises(InputError, match="is another game here: mfglib or torch has another version"):
        pickle.loads(sent)
    mfglib.spec.cache_clear()


@needs_mfglib
def test_torch_is_left_as_it_was() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    named.environment.cache_clear()
    game = eqenvs.make("mfglib:random_linear(seed=11)")
    score(game, uniform(game))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_default_dtype() == torch.float32


@needs_mfglib
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("beach_ba", "unknown environment of MFGLib 'beach_ba'; did you mean 'beach_bar'?"),
        ("beach_bar(t=3)", "unknown parameter of mfglib:beach_bar 't'; "),
        ("beach_bar(bar_lok=3)", "did you mean 'bar_loc'?"),
        ("beach_bar(T=3", "parameters must stand in brackets, as in beach_bar(T=2)"),
        ("beach_bar(3)", "parameters must be NAME=VALUE,..., as in beach_bar(T=2)"),
        ("beach_bar(T=)", "parameters must be NAME=VALUE,..."),
        ("beach_bar(T=1)(n=2)", "parameters must be NAME=VALUE,..."),
        ("beach_bar(T=1,T=2)", "parameter 'T' is given twice"),
        ("beach_bar(**x)", "unknown parameter of mfglib:beach_bar '**'"),
        ("beach_bar(T=-1)", "'T' must be an integer from 0 to 1,000,000, got -1"),
        ("beach_bar(T=20000)", "'T' must be from 0 to 10,000, got 20000"),
        ("beach_bar(T=2.0)", "'T' must be an integer from 0 to 1,000,000, got 2.0"),
        ("beach_bar(T=True)", "'T' must be an integer from 0"),
        ("beach_bar(T=exit())", "'T' must be an integer from 0 to 1,000,000, got exit()"),
        ("beach_bar(p_still=nan)", "'p_still' must be a finite number, got nan"),
        ("beach_bar(p_still=2)", "MFGLib cannot make it (ValueError: p_still must be a valid probability)"),
        ("beach_bar(mu0=3)", "'mu0' must be uniform or nested tuples of probabilities"),
        ("beach_bar(mu0=(0.5,0.1,0.1,0.1))", "MFGLib cannot make it (ValueError: invalid distribution"),
        ("beach_bar(mu0=(0.5,0.5))", "mu0 must be a tensor [4] of float32 or float64, got float64 [2]"),
        ("beach_bar(mu0=((1,),0))", "MFGLib cannot make it"),
        ("left_right(mu0=(1,0))", "mu0 must be a tensor [3]"),
        ("left_right(mu0=1)", "'mu0' must be a tuple of numbers, such as (1.0, 0.0, 0.0)"),
        ("conservative_treasure_hunting(T=2)", "MFGLib cannot make it (ValueError: T must equal len(C))"),
        ("beach_bar(log_eps=0)", "rewards at time 0 must be finite, got inf of state 1, action 0, where the mass is 0"),
        ("equilibrium_price(e0=0.0)", "MFGLib cannot make it (ZeroDivisionError"),
    ],
)
def test_what_cannot_be_loaded_says_why(reference: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as told:
        eqenvs.make(f"mfglib:{reference}")
    assert "\n" not in str(told.value)


@needs_mfglib
def test_what_is_too_large_is_refused_before_it_is_made() -> None:
    for name in ("random_linear(n=1000)", "crowd_motion(torus_l=5000,torus_w=5000)", "beach_bar(n=900000)"):
        with pytest.raises(GameTooLargeError, match="the limit is"):
            eqenvs.make(f"mfglib:{name}")


@needs_mfglib
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reward": lambda env, t, L: L[:, :2]}, "rewards at time 0 must be [*S, *A] = [2, 3, 3, 2], got [2, 2, 3, 2]"),
        ({"reward": lambda env, t, L: 3.0}, "the reward function must give a tensor, got float"),
        ({"reward": lambda env, t, L: 1 / 0}, "the reward function fails at time 0 (ZeroDivisionError"),
        ({"reward": lambda env, t, L: L.log().where(L > 1, float("nan"))}, "rewards at time 0 must be finite, got nan"),
        ({"transition": lambda env, t, L: L}, "probabilities at time 0 must be [*S, *S, *A]"),
        ({"transition": lambda env, t, L: 2 * Rates()(env, t, L)}, "of state 0, action 0 the sum is 2"),
    ],
)
def test_environments_that_are_none_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        mfglib.from_environment(own(**given), "own")


@needs_mfglib
def test_other_things_are_refused() -> None:
    with pytest.raises(InputError, match=r"own: must be an mfglib\.env\.Environment, got int"):
        mfglib.from_environment(3, "own")
    game = eqenvs.make("left_right")
    with pytest.raises(UnsupportedGame, match="left_right is no environment of MFGLib"):
        mfglib.to_policy(game, uniform(game))


def test_without_mfglib_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mfglib.env", None)
    named.parsed.cache_clear()
    mfglib.spec.cache_clear()
    with pytest.raises(InputError, match=re.escape("mfglib: needs the package mfglib, see `pip install")):
        eqenvs.make("mfglib:left_right")


def test_every_stored_environment_is_scored_the_same_and_solved() -> None:
    stored = json.loads((PAGE.parents[1] / "benchmarks/results/mfglib_environments.json").read_text(encoding="utf-8"))
    rows = stored["sections"]["environments"]["rows"]
    assert {row["game"] for row in rows} == {name.partition("(")[0] for name in NAMES}
    assert [row["game"] for row in rows if not row["difference"] <= 1e-9 * max(1.0, row["uniform"])] == []
    assert [row["game"] for row in rows if not row["exploitability"] < 0.1 * row["uniform"]] == []


@needs_mfglib
def test_an_old_mfglib_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["mfglib"], "__version__", "0.1.1")
    named.parsed.cache_clear()
    mfglib.spec.cache_clear()
    with pytest.raises(InputError, match=r"mfglib: needs mfglib 0\.3 or later, 0\.1\.1 is installed; "):
        eqenvs.make("mfglib:left_right")


@needs_mfglib
@pytest.mark.parametrize("code", re.findall(r"^```py3\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL))
def test_the_page_runs(code: str) -> None:
    exec(compile(code, "interop.md", "exec"), {"__name__": "interop"})
