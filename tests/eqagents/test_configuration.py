"""Configuration: what is wrong is named with its path, and an unknown key with the nearest known one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import eqenvs
from eqagents.configuration import with_overrides
from eqagents.learners.psro.psro import PSROConfig
from eqagents.oracles.exact import ExactConfig
from eqagents.oracles.policy_gradient import PolicyGradientConfig
from eqagents.training.config import RunConfig, load_config, parse_config
from eqagents.yaml_text import parse_yaml
from eqenvs.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, Any] = {
    "game": {"id": "kuhn_poker", "parameters": {"num_players": 2}},
    "learner": {"id": "psro", "oracle": {"id": "exact"}, "payoffs": {"chunk": 8}},
    "iterations": 3,
    "score": {"method": "simulated", "oracles": [{"id": "policy_gradient", "updates": 5}]},
}

BAD = [
    # at each level an unknown key, with the nearest
    ("iteration=3", "unknown key 'iteration'; did you mean 'iterations'"),
    ("game.idd=x", "unknown key 'game.idd'; did you mean 'id'"),
    ("learner.meta_solve=nash", "unknown key 'learner.meta_solve'; did you mean 'meta_solver'"),
    ("learner.payoffs.chunks=8", "unknown key 'learner.payoffs.chunks'; did you mean 'chunk'"),
    ("executor.worker=1", "unknown key 'executor.worker'; did you mean 'workers'"),
    ("checkpoint.kep=1", "unknown key 'checkpoint.kep'; did you mean 'keep'"),
    ("score.evry=1", "unknown key 'score.evry'; did you mean 'every'"),
    (
        "score.oracles=[{id: ppo}, {id: policy_gradient, update: 1}]",
        "unknown key 'score.oracles.1.update'",
    ),
    ("learner.oracle.updates=1", "unknown key 'learner.oracle.updates'"),  # the exact oracle has none
    # types and ranges
    ("iterations=0", "iterations: .*greater than or equal to 1.*got 0"),
    ("iterations=many", "iterations: .*integer.*got 'many'"),
    ("seed=-1", "seed: .*greater than or equal to 0"),
    ("executor.workers=-1", "executor.workers: .*got -1"),
    ("executor.address=auto", "address: needs workers >= 1"),
    ("score.method=guess", "score.method: .*'exact' or 'simulated'.*got 'guess'"),
    ("learner.payoffs.episodes=1", "learner.payoffs.episodes: .*greater than or equal to 2"),
    ("score.oracles=[{id: ppo, learning_rate: 0}]", "score.oracles.0.learning_rate: .*greater than 0"),
    ("score.repeats=0", "score.repeats: .*greater than or equal to 1"),
    ("score.oracles=[{id: ppo, activation: tahn}]", "unknown activation 'tahn'; did you mean 'tanh'"),
    ("learner.tabulate=perhaps", "learner.tabulate: .*got 'perhaps'"),
    ("game=kuhn_poker", "game: .*got 'kuhn_poker'"),
    # things that do not exist
    ("learner.id=psr", "unknown learner 'psr'; did you mean 'psro'"),
    ("learner.oracle.id=exactly", "unknown oracle 'exactly'; did you mean 'exact'"),
    ("learner.meta_solver=nahs", "unknown meta-solver 'nahs'; did you mean 'nash'"),
    ("learner=psro", "learner must be a mapping with an 'id', got 'psro'"),
    ("score.oracle={id: ppo}", "unknown key 'score.oracle'; did you mean 'oracles'"),
    ("score.oracles=[]", r"score.oracles must be a list of mappings with an 'id', got \[\]"),
    ("score.oracles={id: ppo}", "score.oracles must be a list of mappings"),
    ("score.oracles=[{id: pp}]", "unknown oracle 'pp'; did you mean 'ppo'"),
    ("learner.oracle=exact", "learner.oracle must be a mapping with an 'id', got 'exact'"),
]


def test_configuration_is_typed_all_the_way_down() -> None:
    config = parse_config(GOOD)
    assert isinstance(config.learner, PSROConfig)
    assert isinstance(config.learner.oracle, ExactConfig)
    assert config.learner.payoffs.chunk == 8
    assert config.score.oracles[0].updates == 5  # type: ignore[attr-defined]
    assert config.executor.workers == 0
    assert parse_config(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(("override", "message"), BAD, ids=[override for override, _ in BAD])
def test_what_is_wrong_is_named_on_one_line(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_config(GOOD, [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["game", "learner", "iterations"])
def test_missing_key_is_named(key: str) -> None:
    with pytest.raises(InputError, match=f"key '{key}' is required"):
        parse_config({name: value for name, value in GOOD.items() if name != key})


def test_missing_id_of_a_game_is_named() -> None:
    with pytest.raises(InputError, match=r"key 'game\.id' is required"):
        parse_config({**GOOD, "game": {}})


def test_unknown_game_and_parameter_are_named() -> None:
    config = parse_config(GOOD, ["game.id=kuhn_pokr"])
    with pytest.raises(InputError, match="unknown game 'kuhn_pokr'; did you mean 'kuhn_poker'"):
        eqenvs.make(config.game.id)
    with pytest.raises(InputError, match="unknown parameter of kuhn_poker 'players'; did you mean 'num_players'"):
        eqenvs.make("kuhn_poker", players=2)


def test_every_field_is_described() -> None:
    def fields(model: Any) -> Any:
        for name, field in model.model_fields.items():
            nested = field.annotation if isinstance(field.annotation, type) else None
            if nested is not None and hasattr(nested, "model_fields"):
                yield from fields(nested)
            elif name != "id":
                yield f"{model.__name__}.{name}", field.description

    found = dict([*fields(RunConfig), *fields(PSROConfig), *fields(PolicyGradientConfig)])
    assert {"RunConfig.seed", "ExecutorConfig.workers", "PayoffConfig.chunk"} <= found.keys()
    assert [name for name, text in found.items() if not text] == []


def test_overrides_are_yaml_and_leave_the_original_alone() -> None:
    data = {"a": {"b": 1}, "keep": [1, 2]}
    changed = with_overrides(
        data, ["a.b=2.5", "a.c=[8, 9]", "new.deep.key=null", "flag=true", "text=x=y", "a.d={e: 1}"]
    )
    assert changed == {
        "a": {"b": 2.5, "c": [8, 9], "d": {"e": 1}},
        "keep": [1, 2],
        "new": {"deep": {"key": None}},
        "flag": True,
        "text": "x=y",
    }
    assert data == {"a": {"b": 1}, "keep": [1, 2]}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("iterations", "--set needs key=value, got 'iterations'"),
        ("=3", "--set needs key=value"),
        ("iterations.x=3", "'iterations' is a value, not a group of keys"),
        ("iterations=[1", r"'\[1' is no YAML value"),
    ],
)
def test_bad_override_is_named(assignment: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_overrides(GOOD, [assignment])


def test_files_that_hold_no_configuration_are_named(tmp_path: Path) -> None:
    (tmp_path / "kuhn.yaml").write_text("- 1\n")
    with pytest.raises(InputError, match=r"kuhn\.yaml must hold a mapping"):
        load_config(tmp_path / "kuhn.yaml")
    with pytest.raises(InputError, match=r"khn\.yaml cannot be read .*there are: .*kuhn\.yaml"):
        load_config(tmp_path / "khn.yaml")
    (tmp_path / "broken.yaml").write_text("game: [\nlearner: }")
    with pytest.raises(InputError, match=r"broken\.yaml is no YAML") as caught:
        load_config(tmp_path / "broken.yaml")
    assert "\n" not in str(caught.value)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bytes\.yaml is no YAML"):
        load_config(tmp_path / "bytes.yaml")


def test_a_key_that_comes_twice_is_named_with_its_line():
    with pytest.raises(InputError, match=r"^key 'steps' comes twice \(line 3\)$"):
        parse_yaml("learner:\n  play: {steps: 32,\n    steps: 64}\n")
    assert parse_yaml("a: &x {b: 1}\nc: *x\nd: [*x, {b: 2}]") == {
        "a": {"b": 1},
        "c": {"b": 1},
        "d": [{"b": 1}, {"b": 2}],
    }
    assert parse_yaml("1: a\n'1': b") == {1: "a", "1": "b"}
