"""The exact oracle, and finding oracles."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqagents.oracles import Situation, find_oracle
from eqagents.policies import to_policy
from eqenvs.errors import UnknownNameError
from eqenvs.policies import MixturePolicy, ProductPolicy, TabularPolicy, uniform
from eqsolvers.scoring import score


@pytest.mark.parametrize(("player", "value"), [(0, 1 / 2), (1, 5 / 12)])
def test_exact_response_to_uniform_kuhn(player: int, value: float) -> None:
    game, oracle = eqenvs.make("kuhn_poker"), find_oracle("exact")
    found = oracle.respond(oracle.config(id="exact"), Situation(game, player, uniform(game), np.random.SeedSequence(0)))
    assert found.metrics["value"] == pytest.approx(value, abs=1e-12)
    assert found.episodes == 0
    entries = [uniform(game), uniform(game)]
    entries[player] = to_policy(found.record, game, player)
    scored = score(game, ProductPolicy(entries))
    assert scored.values[player] == pytest.approx(value, abs=1e-12)
    assert scored.gains[player] == pytest.approx(0, abs=1e-12)


def test_exact_response_to_a_private_mixture() -> None:
    game, oracle = eqenvs.make("rock_paper_scissors"), find_oracle("exact")
    pure = [TabularPolicy(game, [row, row]) for row in np.eye(3)]
    opponents = ProductPolicy([uniform(game), MixturePolicy(pure[:2], [0.5, 0.5])])
    found = oracle.respond(oracle.config(id="exact"), Situation(game, 0, opponents, np.random.SeedSequence(0)))
    assert found.record["table"].tolist() == [[0, 1, 0]]  # paper: beats rock, draws with paper
    assert found.metrics["value"] == pytest.approx(0.5)


def test_oracles_are_found_by_name() -> None:
    assert find_oracle("exact").needs_model
    assert not find_oracle("policy_gradient").needs_model
    with pytest.raises(UnknownNameError, match="unknown oracle 'policy_gradiant'; did you mean 'policy_gradient'"):
        find_oracle("policy_gradiant")
