"""Each learner's loss on two decisions with two actions, beside numbers worked out by hand, and its minimiser."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch

from eqagents.configuration import validate
from eqagents.learners import find_learner
from eqagents.learners.deep import a2c, mdpo, pma, ppo, quantal_curriculum, reinforce
from eqagents.learners.deep._batch import Batch, divergence, entropy, uniform_log
from eqagents.learners.deep._engine import Terms
from eqagents.learners.deep._schedule import Schedule
from eqenvs import make
from eqsolvers.extensive_form._mirror import MagneticMirrorDescent

POLICY = torch.tensor([[0.5, 0.5], [0.8, 0.2]])
OLD = torch.tensor([[0.4, 0.6], [0.5, 0.5]])
BATCH = Batch(
    observations=torch.eye(2),
    states=torch.eye(2),
    masks=torch.ones(2, 2, dtype=torch.bool),
    roles=torch.tensor([0, 1]),
    actions=torch.tensor([0, 1]),
    log_policy=OLD.log(),
    advantages=torch.tensor([1.0, -2.0]),
    returns=torch.zeros(2),
)
# Ratios are 0.5 / 0.4 = 1.25 and 0.2 / 0.5 = 0.4.
ENTROPY = (log(2) + (-0.8 * log(0.8) - 0.2 * log(0.2))) / 2
LINEAR = (1.25 * 1.0 + 0.4 * -2.0) / 2
FROM_OLD = (0.5 * log(0.5 / 0.4) + 0.5 * log(0.5 / 0.6) + 0.8 * log(0.8 / 0.5) + 0.2 * log(0.2 / 0.5)) / 2
FROM_UNIFORM = (0.0, 0.8 * log(1.6) + 0.2 * log(0.4))
LOG_LIKELIHOOD = (log(0.5) * 1.0 + log(0.2) * -2.0) / 2


def terms(name: str, **settings: object) -> Terms:
    return Terms(validate(find_learner(name).config, {"id": name, **settings}), 0, None)


def test_ppo() -> None:
    """min(1.25, 1.2) * 1 and min(0.4 * -2, 0.8 * -2): both are clipped."""
    found = ppo.loss(POLICY.log(), BATCH, terms("ppo", clip=0.2, entropy=0.1))
    assert float(found) == pytest.approx(-(1.2 - 1.6) / 2 - 0.1 * ENTROPY, abs=1e-6)


@pytest.mark.parametrize(("module", "name"), [(a2c, "a2c"), (reinforce, "reinforce")])
def test_actor_critic_and_reinforce(module: object, name: str) -> None:
    found = module.loss(POLICY.log(), BATCH, terms(name, entropy=0.1))  # type: ignore[attr-defined]
    assert float(found) == pytest.approx(-LOG_LIKELIHOOD - 0.1 * ENTROPY, abs=1e-6)


def test_mdpo() -> None:
    found = mdpo.loss(POLICY.log(), BATCH, terms("mdpo", step=0.5))
    assert float(found) == pytest.approx(-LINEAR + FROM_OLD / 0.5, abs=1e-6)


def test_pma_with_the_uniform_magnet_and_with_another() -> None:
    told = terms("pma", pull=0.1, step=0.5)
    found = pma.loss(POLICY.log(), BATCH, told)
    assert float(found) == pytest.approx(-LINEAR + 0.1 * sum(FROM_UNIFORM) / 2 + FROM_OLD / 0.5, abs=1e-6)
    pulled = pma.loss(POLICY.log(), BATCH, Terms(told.config, 0, OLD.log()))
    assert float(pulled) == pytest.approx(-LINEAR + 0.1 * FROM_OLD + FROM_OLD / 0.5, abs=1e-6)


def test_quantal_curriculum_has_a_temperature_for_each_role() -> None:
    told = terms("quantal_curriculum", adversary_temperature=0.3, temperature=0.1, step=0.5)
    found = quantal_curriculum.loss(POLICY.log(), BATCH, told)
    pulls = (0.1 * FROM_UNIFORM[0] + 0.3 * FROM_UNIFORM[1]) / 2
    assert float(found) == pytest.approx(-LINEAR + pulls + FROM_OLD / 0.5, abs=1e-6)


def test_a_log_probability_that_is_not_a_number_is_not_hidden() -> None:
    policy = torch.tensor([[float("nan"), -1.0]])
    assert bool(entropy(policy).isnan().all())
    assert bool(divergence(policy, policy).isnan().all())


def test_terms_leave_illegal_actions_out_and_have_finite_gradients() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.0]], requires_grad=True)
    masks = torch.tensor([[True, True, False]])
    policy = torch.log_softmax(logits.masked_fill(~masks, float("-inf")), dim=1)
    old = torch.tensor([[0.25, 0.75, 0.0]]).log()
    share = 1 / (1 + np.e)
    assert float(entropy(policy).detach()) == pytest.approx(
        -share * log(share) - (1 - share) * log(1 - share), abs=1e-6
    )
    expected = share * log(share / 0.25) + (1 - share) * log((1 - share) / 0.75)
    assert float(divergence(policy, old).detach()) == pytest.approx(expected, abs=1e-6)
    assert uniform_log(masks).exp().tolist() == [[0.5, 0.5, 0.0]]
    (entropy(policy) + divergence(policy, old)).sum().backward()
    assert bool(torch.isfinite(logits.grad).all())  # type: ignore[arg-type]


def minimiser(batch: Batch, index: torch.Tensor, told: Terms) -> np.ndarray:
    """The table [I, A] of least loss where row i of the batch is at point index[i]."""
    shape = int(index.max()) + 1, batch.masks.shape[1]
    logits = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([logits], lr=1, max_iter=200, tolerance_grad=1e-13, tolerance_change=1e-16)

    def closure() -> torch.Tensor:
        solver.zero_grad()
        found = pma.loss(torch.log_softmax(logits, dim=1)[index], batch, told)
        found.backward()  # type: ignore[no-untyped-call]
        return found

    solver.step(closure)  # type: ignore[no-untyped-call]
    table: np.ndarray = torch.softmax(logits, dim=1).detach().numpy()
    return table


def test_pma_in_the_tabular_limit_is_tabular_magnetic_mirror_descent() -> None:
    """With exact action values and a table for a network, the loss is least at the closed-form step of `mmd`."""
    model = make("kuhn_poker").model()
    eta, alpha, before = 0.5, 0.3, 4

    def after(last: tuple[float, float, float] | None) -> list[np.ndarray]:
        """The policy after some steps, and one more with other settings."""
        rows = [(eta, alpha, 0.0)] * before + ([] if last is None else [last])

        def schedule(t: np.ndarray) -> np.ndarray:
            return np.array(rows)[t.astype(int) - 1]

        process = MagneticMirrorDescent(model, schedule, reduce=False)  # type: ignore[arg-type]
        process.run(len(rows))
        return [np.asarray(table) for table in process.policy().tables]

    old, plain, target = after(None), after((1.0, 0.0, 0.0)), after((eta, alpha, 0.0))
    for player in range(2):
        policy, actions = torch.tensor(old[player]), old[player].shape[1]
        points = len(policy)
        values = np.log(plain[player]) - np.log(old[player])  # q up to a constant, from a step of 1 without a magnet
        index = torch.arange(points).repeat_interleave(actions)
        action = torch.arange(actions).repeat(points)
        # Every action of every point once: weighted by its probability it stands for its share of the play.
        weighted = torch.tensor(values)[index, action] * policy[index, action] * actions
        batch = Batch(
            observations=torch.zeros(len(index), 1),
            states=torch.zeros(len(index), 1),
            masks=torch.ones(len(index), actions, dtype=torch.bool),
            roles=torch.zeros(len(index), dtype=torch.int64),
            actions=action,
            log_policy=policy.log()[index],
            advantages=weighted,
            returns=weighted,
        )
        found = minimiser(batch, index, terms("pma", pull=alpha, step=eta))
        np.testing.assert_allclose(found, target[player], atol=1e-6)
        assert np.abs(found - old[player]).max() > 1e-3


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (0.3, [0.3, 0.3, 0.3]),
        ("1e-3", [1e-3, 1e-3, 1e-3]),  # what YAML makes of 1e-3
        ({"start": 1.0, "end": 0.5, "over": 10}, [1.0, 0.75, 0.5]),
        ({"start": 1.0, "end": 0.25, "over": 10, "shape": "exponential"}, [1.0, 0.5, 0.25]),
        ({"start": 1.0, "over": 5, "shape": "inverse"}, [1.0, 0.5, 1 / 5]),
        ({"start": 1.0, "end": 0.4, "over": 5, "shape": "inverse_sqrt"}, [1.0, 0.5**0.5, 0.2**0.5]),
    ],
)
def test_schedules(settings: object, expected: list[float]) -> None:
    schedule = Schedule.model_validate(settings)
    assert [schedule.at(k) for k in (0, 5, 20)] == pytest.approx(expected)


@pytest.mark.parametrize("bad", ["fast", True, [1.0], None])
def test_what_is_no_schedule_is_told_what_one_is(bad: object) -> None:
    with pytest.raises(ValueError, match="a number, or a group of start, end, over and shape; got"):
        Schedule.model_validate(bad)
