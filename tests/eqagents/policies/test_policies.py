"""Networks as policies, and the records in which policies travel."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.policies import (
    MaskedMLP,
    RecordKind,
    TorchPolicy,
    kinds,
    network_sizes,
    tabular_record,
    to_network,
    to_policy,
    uniform_record,
)
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqenvs import discovery
from eqenvs.errors import CheckpointError, InputError, PolicyError
from eqenvs.models import InformationStates
from eqenvs.policies import ProductPolicy, uniform
from eqenvs.spec import Family
from eqsolvers.scoring import score
from eqsolvers.scoring.score import best_response

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def leduc() -> eqenvs.Game:
    return eqenvs.make("leduc_poker", suit_isomorphism=True)  # has illegal actions


def network(game: eqenvs.Game, seed: int, hidden: tuple[int, ...] = (7, 5)) -> MaskedMLP:
    generator = torch.Generator().manual_seed(seed)
    return MaskedMLP(game.rules.observation_size, hidden, game.rules.num_actions[0], generator)


def test_probabilities_sum_to_one_and_are_zero_where_illegal(leduc: eqenvs.Game) -> None:
    net = network(leduc, 0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(100.0)  # far from uniform
    for player, states in enumerate(leduc.information_states):
        probabilities = TorchPolicy(net)(player, states)
        assert probabilities.dtype == np.float64
        assert probabilities.shape == states.masks.shape
        assert not states.masks.all()
        assert (probabilities[~states.masks] == 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
        assert np.ptp(probabilities[states.masks]) > 0.5
        # The plain-numpy twin of the forward pass.
        hidden = states.observations.astype(np.float64)
        for layer in net.layers:
            if isinstance(layer, torch.nn.Linear):
                hidden = hidden @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
            else:
                hidden = np.tanh(hidden)
        odds = np.where(states.masks, np.exp(hidden - hidden.max(axis=1, keepdims=True)), 0.0)
        np.testing.assert_allclose(probabilities, odds / odds.sum(axis=1, keepdims=True), atol=1e-4)


def test_new_network_is_nearly_uniform_over_legal_actions(leduc: eqenvs.Game) -> None:
    states = leduc.information_states[0]
    np.testing.assert_allclose(TorchPolicy(network(leduc, 0))(0, states), states.uniform(), atol=0.02)


def test_same_seed_gives_the_same_weights(leduc: eqenvs.Game) -> None:
    first, second, other = (network(leduc, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_records_come_back_from_a_checkpoint_to_the_bit(leduc: eqenvs.Game, tmp_path: Path) -> None:
    table = best_response(leduc, 1, uniform(leduc))[1]
    records = [uniform_record(), tabular_record(table), network(leduc, 1).record()]
    save_checkpoint(tmp_path, 1, records)
    _, loaded = load_checkpoint(tmp_path)
    states = leduc.information_states[1]
    for before, after in zip(records, loaded, strict=True):
        assert before.keys() == after.keys()
        expected = to_policy(before, leduc, 1)(1, states)
        assert to_policy(after, leduc, 1)(1, states).tobytes() == expected.tobytes()
    np.testing.assert_array_equal(to_policy(loaded[0], leduc, 1)(1, states), states.uniform())
    np.testing.assert_array_equal(to_policy(loaded[1], leduc, 1)(1, states), table)


def test_record_is_a_copy_of_the_network(leduc: eqenvs.Game) -> None:
    net = network(leduc, 1)
    record = net.record()
    before = {name: array.copy() for name, array in record["weights"].items()}
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
    for name, array in before.items():
        np.testing.assert_array_equal(record["weights"][name], array)


def test_policies_of_records_can_be_scored(leduc: eqenvs.Game) -> None:
    value, table = best_response(leduc, 0, uniform(leduc))
    policy = ProductPolicy([to_policy(tabular_record(table), leduc, 0), uniform(leduc)])
    assert score(leduc, policy).values[0] == pytest.approx(value, abs=1e-12)


def test_record_that_does_not_fit_is_an_error_of_one_line(leduc: eqenvs.Game) -> None:
    record = network(leduc, 0).record()
    kuhn = eqenvs.make("kuhn_poker")
    with pytest.raises(CheckpointError, match="does not fit kuhn_poker") as caught:
        to_policy(record, kuhn, 0)
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="does not fit"):
        to_policy({**record, "hidden": [7, 6]}, leduc, 0)
    with pytest.raises(CheckpointError, match="does not fit"):
        to_policy({**record, "weights": {}}, leduc, 0)
    with pytest.raises(InputError, match="player 0's table"):
        to_policy({"kind": "tabular", "table": np.ones((5, 3)) / 3}, leduc, 0)
    with pytest.raises(CheckpointError, match="unknown kind of policy 'transformer'; known: conditioned, keyed, mlp, "):
        to_policy({"kind": "transformer"}, leduc, 0)


@pytest.mark.parametrize(
    "record", [{"kind": "tabular", "table": np.ones((5, 3)) / 3}, {"kind": "tabular"}, {"kind": "mlp"}]
)
def test_any_malformed_record_is_a_checkpoint_error(record: dict, leduc: eqenvs.Game) -> None:
    with pytest.raises(CheckpointError):
        to_policy(record, leduc, 0)


def test_records_without_a_version_are_those_of_the_first_format(leduc: eqenvs.Game) -> None:
    """What earlier releases stored: no version, and a network's activation is tanh."""
    states, record = leduc.information_states[1], network(leduc, 1).record()
    old = {"kind": "mlp", "hidden": [7, 5], "weights": record["weights"]}
    assert to_policy(old, leduc, 1)(1, states).tobytes() == to_policy(record, leduc, 1)(1, states).tobytes()
    table = best_response(leduc, 1, uniform(leduc))[1]
    np.testing.assert_array_equal(to_policy({"kind": "tabular", "table": table}, leduc, 1)(1, states), table)
    np.testing.assert_array_equal(to_policy({"kind": "uniform"}, leduc, 1)(1, states), states.uniform())


@pytest.mark.parametrize("kind", sorted(kinds()))
@pytest.mark.parametrize("version", [0, "new", None])
def test_records_of_another_version_are_refused_in_one_line(kind: str, version: object, leduc: eqenvs.Game) -> None:
    version = kinds()[kind].version + 1 if version == "new" else version
    with pytest.raises(
        CheckpointError, match=f"kind '{kind}' has version {version}; this release reads 1 to "
    ) as caught:
        to_policy({"kind": kind, "version": version}, leduc, 0)
    assert "\n" not in str(caught.value)


def test_activation_is_a_part_of_a_networks_record(leduc: eqenvs.Game) -> None:
    states = leduc.information_states[0]
    generator = torch.Generator().manual_seed(0)
    net = MaskedMLP(*_sizes_in_order(leduc), generator, activation="relu")
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(10.0)
    record = net.record()
    played = to_policy(record, leduc, 0)(0, states)
    assert played.tobytes() == TorchPolicy(net)(0, states).tobytes()
    assert np.abs(played - to_policy({**record, "activation": "tanh"}, leduc, 0)(0, states)).max() > 0.1
    again = to_network(record, leduc, 0)
    assert again is not None
    assert again.record().keys() == record.keys()
    with pytest.raises(CheckpointError, match="the activation 'rely'; did you mean 'relu'"):
        to_policy({**record, "activation": "rely"}, leduc, 0)


def _sizes_in_order(game: eqenvs.Game) -> tuple[int, tuple[int, ...], int]:
    width, actions = network_sizes(game, 0)
    return width, (7, 5), actions


def test_kinds_are_the_files_that_define_one(leduc: eqenvs.Game, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new architecture is one more module with a `RECORD`; nothing else knows of it."""
    known = {name: kind.id for name, kind in kinds().items()}
    assert known == {name: name for name in ("conditioned", "keyed", "mlp", "q_mixing", "tabular", "uniform")}
    module = SimpleNamespace(RECORD=RecordKind(id="first", to_policy=lambda record, game, player: first))

    def first(player: int, states: InformationStates) -> np.ndarray:
        return np.eye(states.masks.shape[1])[states.masks.argmax(axis=1)]

    kinds.cache_clear()
    monkeypatch.setitem(sys.modules, "eqagents.policies.first", module)
    known = discovery._found("eqagents.policies") | {"first": (discovery.Module("eqagents.policies.first"),)}
    monkeypatch.setattr(discovery, "_found", lambda package: known)
    try:
        record = module.RECORD.record({})
        policy = to_policy(record, leduc, 0)
        assert to_network(record, leduc, 0) is None
        np.testing.assert_array_equal(policy(0, leduc.information_states[0]).sum(axis=1), 1)
    finally:
        kinds.cache_clear()


def test_sizes_of_a_network_are_those_of_the_information_states() -> None:
    for name in ("leduc_poker", "random_markov_game", "rock_paper_scissors"):
        game = eqenvs.make(name)
        for player, states in enumerate(game.information_states):
            assert network_sizes(game, player) == (states.observations.shape[1], states.masks.shape[1])


def test_sizes_of_a_network_do_not_ask_the_many_agents_of_a_mean_field_game() -> None:
    states = InformationStates(np.zeros((6, 2), np.int64), np.zeros((6, 4), np.float32), np.ones((6, 3), bool))
    game = SimpleNamespace(family=Family.MEAN_FIELD, information_states=(states,))  # with no rules to look at
    assert network_sizes(game, 0) == (4, 3)  # type: ignore[arg-type]


def test_network_of_another_games_observations_is_refused_with_both_widths() -> None:
    kuhn = eqenvs.make("kuhn_poker")
    network = MaskedMLP(30, (8,), 2, torch.Generator().manual_seed(0))
    with pytest.raises(
        PolicyError, match=r"player 0: the network takes 30 numbers, an observation of this game has \d+"
    ):
        score(kuhn, ProductPolicy([TorchPolicy(network), uniform(kuhn)]))
