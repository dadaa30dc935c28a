"""Learners from action values: losses beside numbers worked out by hand, what is learnt, and that runs resume."""

from __future__ import annotations

from math import log
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

import eqenvs
from eqagents.configuration import by_id
from eqagents.distributed import Executor, InlineExecutor
from eqagents.learners import find_learner
from eqagents.learners.deep import dqn, mdpo_off_policy, nfsp
from eqagents.learners.deep._off_policy import OffPolicyLearner, OffPolicyState
from eqagents.learners.deep._replay import Decisions, Experience
from eqagents.policies import to_policy
from eqagents.rollout import Anticipatory, Cast, EpsilonGreedy, Games, NetworkConfig, QNetworks, rollout
from eqagents.rollout.behaviour import epsilon_greedy
from eqagents.rollout.task import critics_and_actors_of, critics_of
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqenvs.errors import InputError
from eqsolvers.scoring import score

SMALL: dict[str, Any] = {
    "play": {"num_envs": 16, "steps": 5, "tasks": 2},
    "network": {"hidden": [8]},
    "replay": {"capacity": 200, "batch": 16, "updates": 2, "warm_up": 50, "target_every": 2},
}
LEARNERS = ("dqn", "nfsp", "mdpo_off_policy")


class Tables:
    """Networks of two states, told apart by a one-hot observation, whose outputs are given; a third action is illegal
    in the second state.
    """

    def __init__(self, values: list[list[float]], policy: list[list[float]]) -> None:
        self.table, self.policy = torch.tensor(values), torch.tensor(policy)
        self.table.requires_grad_()

    def action_values(self, observations: Tensor, roles: Tensor) -> Tensor:
        return observations @ self.table

    def log_policy(self, observations: Tensor, roles: Tensor, masks: Tensor) -> Tensor:
        return (observations @ self.policy).log()


# In the first state action 1 pays 2 and leads to the second; in the second action 0 pays -1 and ends the game.
BATCH = Experience(
    observations=torch.eye(2),
    masks=torch.tensor([[True, True, True], [True, True, False]]),
    roles=torch.tensor([0, 1]),
    actions=torch.tensor([1, 0]),
    rewards=torch.tensor([2.0, -1.0]),
    discounts=torch.tensor([0.5, 0.0]),
    next_observations=torch.tensor([[0.0, 1.0], [0.0, 1.0]]),
    next_masks=torch.tensor([[True, True, False], [True, True, False]]),
)
NETWORKS = Tables([[0.0, 1.0, 3.0], [4.0, 2.0, 9.0]], [[0.5, 0.25, 0.25], [0.8, 0.2, 0.0]])
FROZEN = Tables([[1.0, 1.0, 1.0], [3.0, 7.0, 9.0]], [[0.25, 0.5, 0.25], [0.5, 0.5, 0.0]])
PAIR = cast(QNetworks, NETWORKS), cast(QNetworks, FROZEN)


@pytest.mark.parametrize(
    ("double", "ahead"), [(True, 3.0), (False, 7.0)]
)  # the legal maximum by the network is action 0, by its target action 1; 9 is illegal
def test_the_loss_of_dqn(double: bool, ahead: float) -> None:
    found = dqn.loss(*PAIR, BATCH, double=double)
    errors = 1.0 - (2.0 + 0.5 * ahead), 4.0 - (-1.0)
    assert found.item() == pytest.approx((errors[0] ** 2 + errors[1] ** 2) / 2)
    (gradient,) = torch.autograd.grad(found, NETWORKS.table)
    expected = torch.zeros(2, 3)  # of the two values taken, and no other: not through the target
    expected[0, 1], expected[1, 0] = errors[0], errors[1]
    torch.testing.assert_close(gradient, expected)


def test_the_loss_of_nfsps_average() -> None:
    """Log-likelihoods of action 1 in the first state and action 0 in the second."""
    found = nfsp.loss(PAIR[0], Decisions(*BATCH[:4]))
    assert found.item() == pytest.approx(-(log(0.25) + log(0.8)) / 2)


@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_the_losses_of_off_policy_mdpo(temperature: float) -> None:
    found = mdpo_off_policy.loss(*PAIR, BATCH, step=0.1, temperature=temperature)
    entropy = 0.5 * log(2) + 2 * 0.25 * log(4), -0.8 * log(0.8) - 0.2 * log(0.2)
    ahead = 0.8 * 3.0 + 0.2 * 7.0 + temperature * entropy[1]
    errors = 1.0 - (2.0 + 0.5 * ahead), 4.0 - (-1.0)
    assert found["critic"].item() == pytest.approx((errors[0] ** 2 + errors[1] ** 2) / 2)
    divergence = 0.5 * log(2) + 0.25 * log(0.5), 0.8 * log(1.6) + 0.2 * log(0.4)
    value = 0.25 * 1.0 + 0.25 * 3.0, 0.8 * 4.0 + 0.2 * 2.0
    terms = [divergence[s] - 0.1 * (value[s] + temperature * entropy[s]) for s in (0, 1)]
    assert found["actor"].item() == pytest.approx(sum(terms) / 2, abs=1e-6)


def test_the_minimiser_of_off_policy_mdpo_is_the_magnetic_mirror_step() -> None:
    """argmin sum p (log p - log p_old - step (q - t log p)): p ~ (p_old exp(step q))^(1 / (1 + step t))."""
    step, temperature, q = 0.7, 0.4, torch.tensor([[1.0, -2.0, 0.5]])
    old = torch.tensor([[0.2, 0.5, 0.3]])
    logits = torch.zeros(1, 3, requires_grad=True)

    class Fitted(Tables):
        def log_policy(self, observations: Tensor, roles: Tensor, masks: Tensor) -> Tensor:
            return torch.log_softmax(logits, dim=1)

    networks = cast(QNetworks, Fitted(q.tolist(), old.tolist()))
    one = Experience(*(part[:1] for part in BATCH))
    one = one._replace(observations=torch.ones(1, 1), next_observations=torch.ones(1, 1))
    optimiser = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        frozen = cast(QNetworks, Tables(q.tolist(), old.tolist()))
        found = mdpo_off_policy.loss(networks, frozen, one, step=step, temperature=temperature)["actor"]
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    expected = torch.softmax((old.log() + step * q) / (1 + step * temperature), dim=1)
    torch.testing.assert_close(torch.softmax(logits, dim=1).detach(), expected, atol=1e-3, rtol=0)


def test_epsilon_greedy_is_over_legal_actions() -> None:
    values = torch.tensor([[1.0, 5.0, 9.0], [2.0, 2.0, 2.0]])
    masks = torch.tensor([[True, True, False], [False, True, True]])
    found = epsilon_greedy(values, masks, 0.3)
    torch.testing.assert_close(found, torch.tensor([[0.15, 0.85, 0.0], [0.0, 0.85, 0.15]]))


def make(name: str, game: str = "kuhn_poker", executor: Executor | None = None, **settings: Any) -> OffPolicyLearner:
    config = by_id({"id": name, **SMALL, **settings}, find_learner, "learner")
    built = find_learner(name).build(eqenvs.make(game), config, executor or InlineExecutor(3))
    assert isinstance(built, OffPolicyLearner)
    return built


def after(learner: OffPolicyLearner, steps: int, state: OffPolicyState | None = None) -> OffPolicyState:
    state = state or learner.init(np.random.SeedSequence(7))
    for _ in range(steps):
        state, _ = learner.step(state)
    return state


def alike(left: OffPolicyState, right: OffPolicyState) -> bool:
    memories = [(left.replay.to_tree(), right.replay.to_tree())]
    if left.reservoir is not None and right.reservoir is not None:
        memories.append((left.reservoir.to_tree(), right.reservoir.to_tree()))
    return all(torch.equal(left.weights[name], right.weights[name]) for name in left.weights) and all(
        one["count"] == two["count"] and all(np.array_equal(one["rows"][k], two["rows"][k]) for k in one["rows"])
        for one, two in memories
    )


def test_the_policy_that_is_kept_is_the_one_that_played() -> None:
    """Each player follows one way a game, with the chances stated, and moves as that way says."""
    game, batch, steps = eqenvs.make("kuhn_poker"), 2000, 6
    networks = critics_and_actors_of(game, NetworkConfig(hidden=(8,)), seed=1)
    for part in (networks.actor, networks.critic):
        assert part is not None
        torch.nn.init.normal_(part.network.weights[-1], generator=torch.Generator().manual_seed(2))
    behaviour = Anticipatory(epsilon=0.2, share=0.3)
    games = Games(game, batch, source="rules")
    cast_ = Cast(game, networks, {}, batch, torch.Generator().manual_seed(0), behaviour)
    with torch.no_grad():
        found, _ = rollout(games, cast_, games.begin(3), steps)
        seen, roles = found.observations.flatten(0, 2), games.roles[found.players.flatten()]
        masks, ways = found.masks.flatten(0, 2), found.ways.flatten()
        average = networks.log_policy(seen, roles, masks).exp()
        response = EpsilonGreedy(0.2).log_policy(networks, seen, roles, masks, ways).exp()
    played = found.log_policy.flatten(0, 2).exp()
    torch.testing.assert_close(played, torch.where((ways == 0)[:, None], response, average))
    assert float((found.ways[0] == 0).float().mean()) == pytest.approx(0.3, abs=0.05)
    frequency = torch.nn.functional.one_hot(found.actions.flatten(), 2).float()
    for way in (0, 1):
        torch.testing.assert_close(
            frequency[ways == way].mean(dim=0), played[ways == way].mean(dim=0), atol=0.03, rtol=0
        )
    same = found.players[2:] == found.players[:-2]
    within = same & ~(found.over | found.cut)[:-2, :, None] & ~(found.over | found.cut)[1:-1, :, None]
    assert bool((found.ways[2:] == found.ways[:-2])[within].all())
    assert bool(within.any())


def test_every_decision_is_linked_once_over_iterations() -> None:
    """Whole games in pieces of one stage: no decision is lost where a piece ends, and payoffs are whole games'."""
    learner = make("dqn", play={"num_envs": 32, "steps": 1}, replay={**SMALL["replay"], "capacity": 5000})
    state = after(learner, 40)
    replay = state.replay.sample(torch.arange(state.replay.size))
    assert state.pending is not None
    waiting = int((state.pending.waiting.place >= 0).sum())
    assert state.replay.count + waiting == 40 * 32  # every stage of Kuhn poker is somebody's decision
    assert set(replay.rewards[replay.discounts == 0].abs().tolist()) <= {1.0, 2.0}
    assert set(replay.rewards[replay.discounts > 0].tolist()) <= {0.0}


@pytest.mark.parametrize(
    ("name", "settings", "iterations"),
    [
        ("nfsp", {"play": {"num_envs": 128, "steps": 8}, "replay": {"updates": 8}}, 60),
        (
            "mdpo_off_policy",
            {"play": {"num_envs": 256, "steps": 8}, "replay": {"capacity": 4096, "target_every": 1}},
            40,
        ),
    ],
)
def test_kuhn_poker_is_learnt(name: str, settings: dict[str, Any], iterations: int) -> None:
    """Uniform play has a NashConv of 11/12."""
    learner = make(name, **settings, network={"hidden": [32]})
    found = score(eqenvs.make("kuhn_poker"), learner.average_policy(after(learner, iterations)))
    assert found.nash_conv < 0.5


@pytest.mark.parametrize("staleness", [0, 1])
@pytest.mark.parametrize("name", LEARNERS)
def test_a_run_that_was_stored_goes_on_to_the_same_bits(name: str, staleness: int, tmp_path: Any) -> None:
    settings: dict[str, Any] = {"play": {**SMALL["play"], "staleness": staleness}}
    if name == "nfsp":
        settings["reservoir"] = 30
    whole = after(make(name, **settings), 6)
    first = make(name, **settings)
    save_checkpoint(tmp_path, 3, first.to_tree(after(first, 3)))
    _, tree = load_checkpoint(tmp_path, 3)
    second = make(name, **settings)
    assert alike(whole, after(second, 3, second.from_tree(tree)))
    # Two states in turns: networks and memories are brought back to each.
    third = make(name, **settings)
    early = after(third, 3)
    after(third, 2, early)
    assert alike(whole, after(third, 3, early))


@pytest.mark.ray
@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.slow
def test_workers_change_no_bit(name: str, here_and_spread: tuple[Executor, Executor]) -> None:
    settings: dict[str, Any] = {"play": {**SMALL["play"], "staleness": 1}}
    executor = here_and_spread[1]
    assert alike(after(make(name, **settings), 3), after(make(name, executor=executor, **settings), 3))


@pytest.mark.parametrize(
    ("game", "name"),
    [("goofspiel", "dqn"), ("sheriff", "nfsp"), ("left_right", "mdpo_off_policy"), ("grid_soccer", "nfsp")],
)
def test_every_family_of_games_is_played(game: str, name: str) -> None:
    learner = make(name, game, network={"hidden": [8], "shared": False})
    state = after(learner, 2)
    assert np.isfinite(score(eqenvs.make(game), learner.average_policy(state)).nash_conv)
    assert state.stages == 2 * 2 * 16 * 5


def test_a_greedy_policys_record_is_greedy() -> None:
    game = eqenvs.make("kuhn_poker")
    networks = critics_of(game, NetworkConfig(hidden=(8,)), seed=3)
    torch.nn.init.normal_(networks.critic.network.weights[-1], generator=torch.Generator().manual_seed(0))
    for role, record in enumerate(networks.records()):
        states = game.information_states[role]
        observations = torch.tensor(states.observations)
        values = networks.action_values(observations, torch.full((len(observations),), role))
        expected = epsilon_greedy(values, torch.tensor(states.masks), 0.0).detach().numpy()
        np.testing.assert_allclose(to_policy(record, game, role)(role, states), expected, atol=1e-6)


def test_a_number_that_is_not_finite_is_named() -> None:
    learner = make("nfsp")
    state = after(learner, 2)
    name = next(iter(state.weights))
    broken = {**state.weights, name: torch.full_like(state.weights[name], float("nan"))}
    with pytest.raises(InputError, match=r"^iteration 3: .* is not finite; the last checkpoint is kept"):
        learner.step(OffPolicyState(**{**vars(state), "weights": broken}))


def test_a_group_given_in_part_keeps_the_learners_own_defaults() -> None:
    own = mdpo_off_policy.MDPOOffPolicyConfig()
    given = by_id({"id": "mdpo_off_policy", "replay": {"batch": 64}}, find_learner, "learner")
    assert given == own.model_copy(update={"replay": own.replay.model_copy(update={"batch": 64})})


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("dqn", {"epsilon": 1.5}, r"learner.epsilon: a probability from 0 to 1"),
        ("nfsp", {"epsilon": {"start": 0.1, "end": 2.0}}, r"learner.epsilon: a probability from 0 to 1"),
        ("nfsp", {"share": 0.0}, r"learner.share: .* greater than 0"),
        ("dqn", {"replay": {"capacity": 10, "batch": 16}}, r"capacity of 10 is less than the batch of 16"),
        ("dqn", {"replay": {"capcity": 10}}, "did you mean 'capacity'"),
        ("nfsp", {"network": {"hidden": [8], "centralised_critic": True}}, "action values see less"),
        ("dqn", {"fit": {"device": "cuda:7"}}, r"device 'cuda:7' is absent; present: cpu"),
    ],
)
def test_bad_settings_are_one_line(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make(name, **settings)
    assert "\n" not in str(caught.value)


def test_a_device_of_play_is_asked_for_where_play_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers may have a device that the driver lacks."""
    executor = InlineExecutor(3)
    monkeypatch.setattr(InlineExecutor, "workers", 2)
    config = by_id({"id": "dqn", **SMALL, "play": {**SMALL["play"], "device": "cuda:7"}}, find_learner, "learner")
    find_learner("dqn").build(eqenvs.make("kuhn_poker"), config, executor)


def test_a_memory_that_does_not_fit_is_one_line() -> None:
    learner = make("dqn", replay={**SMALL["replay"], "capacity": 10**13})
    with pytest.raises(InputError, match=r"^out of memory on cpu: .* 10,000,000,000,000 remembered") as caught:
        learner.init(np.random.SeedSequence(0))
    assert "\n" not in str(caught.value)
    learner = make("nfsp", reservoir=10**13)
    with pytest.raises(InputError, match=r" 10,000,000,000,000 to be imitated, .* replay\.capacity, reservoir or"):
        learner.init(np.random.SeedSequence(0))
