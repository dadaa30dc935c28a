"""Policy files: exact round trips, and errors that name the file and the place."""

from __future__ import annotations

import json

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import PolicyError, UnknownNameError
from eqenvs.policies import CorrelatedStrategy, MarkovCorrelatedPolicy, uniform
from eqenvs.policy_files import load_policy, policy_from_json, policy_to_json
from eqenvs.testing.conformance import random_tables

GAMES = {
    "kuhn": ("kuhn_poker", {}),
    "kuhn 3p": ("kuhn_poker", {"num_players": 3}),
    "leduc": ("leduc_poker", {"suit_isomorphism": True}),
    "leduc four ranks": ("leduc_poker", {"num_ranks": 4, "num_suits": 1}),
    "rps biased": ("rock_paper_scissors", {"rock_win": 0.1}),
}


@pytest.mark.parametrize(("game_id", "parameters"), GAMES.values(), ids=GAMES)
def test_a_policy_survives_its_file_to_the_bit(tmp_path, game_id, parameters):
    game = eqenvs.make(game_id, **parameters)
    policy = random_tables(game, 0)
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy_to_json(game, policy)), encoding="utf-8")
    other, back = load_policy(path)
    assert repr(other) == repr(game)
    for a, b in zip(policy.tables, back.tables, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("game_id", eqenvs.game_ids())
def test_labels_of_information_states_and_actions_are_unique(game_id):
    game = eqenvs.make(game_id)
    if not game.exact:
        pytest.skip("cannot be enumerated")
    try:
        rules, model = game.rules, game.model(max_size=400_000)
    except eqenvs.InputError as error:
        pytest.skip(str(error))
    for player, states in enumerate(model.information_states):
        labels = game.information_state_labels(player)
        assert len(set(labels)) == len(labels) == len(states.keys)
        assert len(set(game.action_labels(player))) == rules.num_actions[player]


def test_a_file_holds_legal_actions_only():
    game = eqenvs.make("leduc_poker")
    first = policy_to_json(game, uniform(game))["players"][0]
    assert {tuple(row) for row in first.values()} >= {("call", "raise"), ("fold", "call")}


def kuhn_file():
    game = eqenvs.make("kuhn_poker")
    return policy_to_json(game, uniform(game))


def without(data, key):
    return {name: value for name, value in data.items() if name != key}


BAD = {
    "not a dict": (lambda d: [1], PolicyError, "here: a policy file must hold a mapping"),
    "no game": (lambda d: without(d, "game"), PolicyError, "here: a policy file needs the keys"),
    "no players": (lambda d: without(d, "players"), PolicyError, "here: a policy file needs the keys"),
    "unknown game": (lambda d: d | {"game": "kuhn_pokre"}, UnknownNameError, "did you mean 'kuhn_poker'"),
    "unknown parameter": (lambda d: d | {"parameters": {"players": 2}}, UnknownNameError, "parameter of kuhn_poker"),
    "parameter range": (lambda d: d | {"parameters": {"num_players": 1}}, eqenvs.InputError, "from 2 to 10, got 1"),
    "other parameters": (lambda d: d | {"parameters": {"num_players": 3}}, PolicyError, "here: a policy needs a table"),
    "missing row": (
        lambda d: d | {"players": [without(d["players"][0], "K:"), d["players"][1]]},
        PolicyError,
        "here: player 0's table has no row for information state 'K:'",
    ),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD.values(), ids=BAD)
def test_bad_files_are_refused_with_the_place(change, error, message):
    with pytest.raises(error, match=message):
        policy_from_json(change(kuhn_file()), "here")


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(PolicyError, match=r"absent\.json: cannot be read"):
        load_policy(tmp_path / "absent.json")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"broken\.json is no JSON"):
        load_policy(tmp_path / "broken.json")


MALFORMED = {
    "parameters null": lambda d: d | {"parameters": None},
    "players a number": lambda d: d | {"players": 5},
    "players lists": lambda d: d | {"players": [[1], [2]]},
    "rows lists": lambda d: d | {"players": [{key: [0.5, 0.5] for key in p} for p in d["players"]]},
    "text for a probability": lambda d: d | {"players": [{key: {"pass": "x"} for key in p} for p in d["players"]]},
    "game a number": lambda d: d | {"game": 3},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_files_of_the_wrong_types_are_input_errors(change):
    with pytest.raises(eqenvs.InputError):
        policy_from_json(change(kuhn_file()), "here")


def test_a_correlation_device_survives_its_file(tmp_path):
    game = eqenvs.make("rock_paper_scissors")
    device = CorrelatedStrategy(game, np.array([[0.5, 0, 0.25], [0, 0, 0], [0, 0.25, 0]]))
    file = tmp_path / "device.json"
    file.write_text(json.dumps(policy_to_json(game, device)))
    _, loaded = load_policy(file)
    np.testing.assert_array_equal(loaded.distribution, device.distribution)


@pytest.mark.parametrize(
    ("joint", "message"),
    [
        ({}, "must be a list"),
        ([{"actions": ["0"], "probability": 1.0}], "entry 0 of 'joint' must have 'actions', one per player"),
        ([{"actions": ["0", "9"], "probability": 1.0}], "entry 0: player 1 has no action '9'"),
        ([{"actions": ["0", "0"], "probability": "1"}], "'probability' must be a number"),
        ([{"actions": ["0", "0"], "probability": 0.5}], "sum to 1"),
    ],
)
def test_a_wrong_device_is_refused(joint, message):
    with pytest.raises(PolicyError, match=message):
        policy_from_json({"game": "rock_paper_scissors", "joint": joint}, "file")


@pytest.mark.parametrize("horizon", [None, 2])
def test_a_device_of_every_state_goes_round(horizon):
    game = eqenvs.make("random_markov_game", num_states=3, action_counts="2x3", horizon=horizon)
    points = 3 * (horizon or 1)
    drawn = np.random.default_rng(0).dirichlet(np.full(6, 0.3), size=points).reshape(points, 2, 3)
    data = policy_to_json(game, MarkovCorrelatedPolicy(game, drawn))
    again, policy = policy_from_json(json.loads(json.dumps(data)), "file")
    assert again.parameters == game.parameters
    np.testing.assert_allclose(policy.distributions, drawn, atol=1e-15)
    data["joint"][0]["state"] = "nowhere"
    with pytest.raises(PolicyError, match=r"^file: entry 0: .state. must be an information state, got .nowhere.$"):
        policy_from_json(data, "file")
