"""Structured normal forms are scored without a tensor, and as their tensors are."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.models import CongestionModel, NormalFormModel, PolymatrixModel
from eqenvs.policies import MixturePolicy, TabularPolicy, uniform
from eqsolvers.scoring import score

GAMES = {
    "symmetric": ("beauty_contest", {"num_players": 4, "num_guesses": 4}),
    "polymatrix": ("public_goods_game", {"num_players": 3, "endowment": 3}),
    "congestion": ("braess_routing", {"num_players": 5}),
}


def random_policy(model: NormalFormModel, seed: int) -> TabularPolicy:
    rng = np.random.default_rng(seed)
    return TabularPolicy(model, [rng.dirichlet(np.ones(count), size=1) for count in model.num_actions])


@pytest.mark.parametrize(("game_id", "parameters"), GAMES.values(), ids=GAMES)
def test_scores_are_those_of_the_tensor(game_id: str, parameters: dict[str, int]) -> None:
    model = eqenvs.make(game_id, **parameters).model()
    assert isinstance(model, NormalFormModel)
    tensor = NormalFormModel(model.payoffs)
    policies = [random_policy(model, seed) for seed in range(3)]
    for policy in (*policies, MixturePolicy(policies, [0.2, 0.3, 0.5])):
        found, expected = score(model, policy), score(tensor, policy)
        np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.gains, expected.gains, rtol=0, atol=1e-12)
        assert (found.ce_gap, found.cce_gap) == pytest.approx((expected.ce_gap, expected.cce_gap), abs=1e-12)
        assert found.normaliser == expected.normaliser


def test_braess_drivers_are_scored_by_the_hundred() -> None:
    game = eqenvs.make("braess_routing", num_players=200)
    bridge = 198 / (2 * 199)
    mixed = [np.array([[(1 - bridge) / 2, (1 - bridge) / 2, bridge]])] * 200
    found = score(game, TabularPolicy(game, mixed))
    np.testing.assert_allclose(found.values, -3.75, rtol=0, atol=1e-12)
    assert found.nash_conv == pytest.approx(0, abs=1e-10)


def test_exploitability_of_two_player_structured_games_is_defined_where_sums_are_constant() -> None:
    pair = PolymatrixModel((2, 3), {(0, 1): [[3, -1, 2], [0, 4, -2]], (1, 0): [[-3, 0], [1, -4], [-2, 2]]})
    assert score(pair, uniform(pair)).exploitability == pytest.approx(score(pair, uniform(pair)).nash_conv / 2)
    links = CongestionModel([np.eye(2)] * 2, [[1.0, 2.0]] * 2)
    with pytest.raises(eqenvs.UnsupportedGame):
        _ = score(links, uniform(links)).exploitability
