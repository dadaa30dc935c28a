"""The policy-gradient oracle: its loss by hand and by finite differences, and what it reaches on Kuhn poker."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.oracles import OracleResult
from eqagents.oracles.policy_gradient import PolicyGradientConfig, loss, respond
from eqagents.policies import to_policy
from eqenvs.policies import MixturePolicy, ProductPolicy, TabularPolicy, uniform
from eqsolvers.scoring import score

SMALL = PolicyGradientConfig(updates=6, episodes=48, hidden=(8,))


def run(config: PolicyGradientConfig, seed: int, *, player: int = 0, warm_start: dict | None = None) -> OracleResult:
    game = eqenvs.make("kuhn_poker")
    return respond(config, game, player, uniform(game), np.random.SeedSequence(seed), warm_start)


def same_bits(a: OracleResult, b: OracleResult) -> bool:
    first, second = a.record["weights"], b.record["weights"]
    return first.keys() == second.keys() and all(first[n].tobytes() == second[n].tobytes() for n in first)


def test_loss_of_two_decisions_worked_by_hand() -> None:
    """Two decisions, the second with an illegal third action.

    Advantages: returns (3, 0) minus values (1, 1) = (2, -1); deviation 3/2; standardised (4/3, -2/3), not centred.
    Log-probabilities of what was done: log 1/4 and log 2/3.
    Entropies: -(1/2 log 1/4 + 1/2 log 1/2) = 3/2 log 2, and -(1/3 log 1/3 + 2/3 log 2/3) = log 3 - 2/3 log 2.
    """
    log_probabilities = torch.log(torch.tensor([[0.25, 0.5, 0.25], [1 / 3, 2 / 3, 0.0]], dtype=torch.float64))
    values = torch.tensor([1.0, 1.0], dtype=torch.float64)
    returns = torch.tensor([3.0, 0.0], dtype=torch.float64)
    actor, critic = loss(log_probabilities, values, torch.tensor([0, 1]), returns, entropy_weight=0.1)
    surrogate = -(math.log(1 / 4) * 4 / 3 + math.log(2 / 3) * -2 / 3) / 2
    entropy = (1.5 * math.log(2) + math.log(3) - 2 / 3 * math.log(2)) / 2
    assert actor.item() == pytest.approx(surrogate - 0.1 * entropy, abs=1e-7)  # 1e-8 is added to the deviation
    assert critic.item() == pytest.approx((2**2 + 1**2) / 2)


def test_gradient_of_the_loss_agrees_with_finite_differences() -> None:
    rng = np.random.default_rng(0)
    masks = torch.tensor([[True, True, True], [True, True, False], [False, True, True], [True, False, False]])
    actions = torch.tensor([2, 0, 1, 0])
    returns = torch.tensor(rng.normal(size=4))

    def losses(logits: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        log_probabilities = torch.log_softmax(logits.masked_fill(~masks, float("-inf")), dim=-1)
        return loss(log_probabilities, values, actions, returns, entropy_weight=0.3)

    logits = torch.tensor(rng.normal(size=(4, 3)), requires_grad=True)
    values = torch.tensor(rng.normal(size=4), requires_grad=True)
    actor, critic = losses(logits, values)
    assert torch.autograd.grad(actor, values, retain_graph=True, allow_unused=True)[0] is None  # no gradient to critic
    actor_gradient = torch.autograd.grad(actor, logits, retain_graph=True)[0]
    critic_gradient = torch.autograd.grad(critic, values)[0]
    step = 1e-6
    with torch.no_grad():
        for at in np.ndindex(4, 3):
            shift = torch.zeros(4, 3, dtype=torch.float64)
            shift[at] = step
            slope = (losses(logits + shift, values)[0] - losses(logits - shift, values)[0]) / (2 * step)
            assert actor_gradient[at].item() == pytest.approx(slope.item(), abs=1e-7)
        for at in range(4):
            shift = torch.zeros(4, dtype=torch.float64)
            shift[at] = step
            slope = (losses(logits, values + shift)[1] - losses(logits, values - shift)[1]) / (2 * step)
            assert critic_gradient[at].item() == pytest.approx(slope.item(), abs=1e-7)
    assert (actor_gradient[~masks] == 0).all()
    assert torch.isfinite(actor_gradient).all()


# Against uniform play the exact best responses earn 1/2 and 5/12 (11/12 in all, FACTS.md; uniform is worth +-1/8).
@pytest.mark.parametrize(("player", "best", "at_least"), [(0, 1 / 2, 0.49), (1, 5 / 12, 0.405)])
def test_response_to_uniform_kuhn_is_nearly_the_best(player: int, best: float, at_least: float) -> None:
    game = eqenvs.make("kuhn_poker")
    config = PolicyGradientConfig(updates=150, episodes=512, hidden=(32,), learning_rate=1e-2)
    found = run(config, 0, player=player)
    entries = [uniform(game), uniform(game)]
    entries[player] = to_policy(found.record, game, player)
    value = score(game, ProductPolicy(entries)).values[player]
    assert at_least <= value <= best + 1e-6
    assert found.episodes == 150 * 512
    assert found.metrics["value"] == pytest.approx(value, abs=6 * found.metrics["value_stderr"])


def test_same_seed_gives_the_same_record_to_the_bit() -> None:
    before = torch.get_rng_state()
    np.random.seed(1)  # noqa: NPY002 - global seeds must not matter
    torch.manual_seed(1)
    first = run(SMALL, 5)
    np.random.seed(2)  # noqa: NPY002
    torch.manual_seed(2)
    assert same_bits(first, run(SMALL, 5))
    assert not same_bits(first, run(SMALL, 6))
    torch.set_rng_state(before)


def test_warm_start_is_used_where_asked_and_not_written_to() -> None:
    start = run(SMALL, 1).record
    copy = {name: array.copy() for name, array in start["weights"].items()}
    asked, not_asked = (SMALL.model_copy(update={"warm_start": choice}) for choice in (True, False))
    cold = run(asked, 5)
    assert not same_bits(cold, run(asked, 5, warm_start=start))
    assert same_bits(cold, run(not_asked, 5, warm_start=start))
    assert same_bits(cold, run(asked, 5, warm_start={"kind": "uniform"}))
    for name, array in copy.items():
        np.testing.assert_array_equal(start["weights"][name], array)


def test_response_is_to_the_whole_mixture() -> None:
    """To rock or paper with equal chance the best reply is paper, worth 1/2; to paper alone it is scissors."""
    game = eqenvs.make("rock_paper_scissors")
    pure = [TabularPolicy(game, [row, row]) for row in np.eye(3)]
    opponents = ProductPolicy([uniform(game), MixturePolicy(pure[:2], [0.5, 0.5])])
    config = PolicyGradientConfig(updates=60, episodes=256, hidden=(8,), learning_rate=2e-2)
    found = respond(config, game, 0, opponents, np.random.SeedSequence(0), None)
    table = to_policy(found.record, game, 0)(0, game.information_states[0])
    assert table[0, 1] > 0.95
