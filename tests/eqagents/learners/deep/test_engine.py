"""The actor-learner: what it learns, that its bits do not depend on who plays, and how it stops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.configuration import by_id
from eqagents.distributed import Executor, InlineExecutor
from eqagents.learners import find_learner
from eqagents.learners.deep import ppo
from eqagents.learners.deep._batch import Batch
from eqagents.learners.deep._config import FitConfig
from eqagents.learners.deep._engine import ActorLearner, ActorLearnerState, _Pulled
from eqagents.learners.deep._together import fit_together
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqenvs.errors import InputError
from eqsolvers.scoring import score

SMALL: dict[str, Any] = {"play": {"num_envs": 32, "steps": 8, "tasks": 2}, "network": {"hidden": [16]}}
CENTRAL = {"hidden": [16], "centralised_critic": True}
LEARNERS = ("ppo", "a2c", "reinforce", "mdpo", "pma", "quantal_curriculum")


def make(
    name: str = "pma", game: str = "kuhn_poker", executor: Executor | None = None, **settings: Any
) -> ActorLearner:
    config = by_id({"id": name, **SMALL, **settings}, find_learner, "learner")
    built = find_learner(name).build(eqenvs.make(game), config, executor or InlineExecutor(3))
    assert isinstance(built, ActorLearner)
    return built


def after(learner: ActorLearner, steps: int, state: ActorLearnerState | None = None) -> ActorLearnerState:
    state = state or learner.init(np.random.SeedSequence(7))
    for _ in range(steps):
        state, _ = learner.step(state)
    return state


def alike(left: ActorLearnerState, right: ActorLearnerState) -> bool:
    return all(torch.equal(left.weights[name], right.weights[name]) for name in left.weights)


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_comes_nearer_to_equilibrium_in_kuhn_poker(name: str) -> None:
    settings: dict[str, Any] = {"play": {"num_envs": 256, "steps": 16}, "network": {"hidden": [32]}}
    settings["fit"] = {"learning_rate": 3e-3, "standardised": name in {"ppo", "a2c", "reinforce"}}
    learner = make(name, **settings)
    first = learner.init(np.random.SeedSequence(1))
    game = eqenvs.make("kuhn_poker")
    before = score(game, learner.average_policy(first)).nash_conv
    half = after(learner, 15)
    best = min(score(game, learner.average_policy(state)).nash_conv for state in (half, after(learner, 10, half)))
    assert best < 0.75 * before


@pytest.mark.parametrize("staleness", [0, 1])
@pytest.mark.parametrize("magnet", ["uniform", "ema"])
def test_a_run_that_was_stored_goes_on_to_the_same_bits(staleness: int, magnet: str, tmp_path: Any) -> None:
    settings: dict[str, Any] = {"play": {**SMALL["play"], "staleness": staleness}, "magnet": {"kind": magnet}}
    settings["average"] = 0.5 * staleness
    settings["lookahead"] = {"every": 3 * staleness, "start": 1}  # stored in the middle of a way
    whole = after(make(**settings), 5)
    first = make(**settings)
    save_checkpoint(tmp_path, 2, first.to_tree(after(first, 2)))
    _, tree = load_checkpoint(tmp_path, 2)
    second = make(**settings)
    resumed = after(second, 3, second.from_tree(tree))
    assert alike(whole, resumed)
    assert whole.stages == resumed.stages
    assert first.records(whole)[0]["weights"].keys() == second.records(resumed)[0]["weights"].keys()
    for name, part in first.records(whole)[0]["weights"].items():
        np.testing.assert_array_equal(part, second.records(resumed)[0]["weights"][name])
    # Two states in turns: the networks are brought back to each.
    third = make(**settings)
    early = after(third, 2)
    after(third, 1, early)
    assert alike(whole, after(third, 3, early))


def test_play_on_torch_is_stored_and_taken_up_again() -> None:
    """The path of a GPU, on the CPU."""
    play = {**SMALL["play"], "source": "torch"}
    whole = after(make(game="leduc_poker", play=play), 3)
    first, second = (make(game="leduc_poker", play=play) for _ in range(2))
    assert alike(whole, after(second, 1, second.from_tree(first.to_tree(after(first, 2)))))


def test_the_running_mean_of_the_weights_is_scored_where_asked_for() -> None:
    plain, mean = make(), make(average=0.9)
    states = [after(mean, steps) for steps in (0, 1, 2)]
    assert alike(states[2], after(plain, 2))
    expected = states[0].weights
    for number, kept in ((1, 1 / 10), (2, 2 / 11)):
        expected = {name: kept * old + (1 - kept) * states[number].weights[name] for name, old in expected.items()}
    assert states[2].averaged is not None
    for name, part in expected.items():
        torch.testing.assert_close(states[2].averaged[name], part)
    scored, last = (found[0]["weights"] for found in (mean.records(states[2]), plain.records(after(plain, 2))))
    assert scored.keys() == last.keys()
    assert not any(np.array_equal(scored[name], last[name]) for name in scored)


def test_weights_step_back_a_part_of_their_way_and_training_goes_on_from_there() -> None:
    """Lookahead's update, by hand: two iterations of the plain learner, a step back, and the same again from there."""
    plain, ahead = make(), make(lookahead={"every": 2, "share": 0.3})
    state = expected = after(plain, 0)
    for _ in range(2):
        start = expected.weights
        expected = after(plain, 1, expected)
        assert alike(after(ahead, expected.iteration), expected)
        expected = after(plain, 1, expected)
        back = {name: start[name] + 0.3 * (part - start[name]) for name, part in expected.weights.items()}
        expected = ActorLearnerState(**{**vars(expected), "weights": back})
        state = after(ahead, expected.iteration)
        assert not alike(state, after(plain, expected.iteration))
        for name, part in back.items():
            torch.testing.assert_close(state.weights[name], part, atol=1e-5, rtol=1e-4)
            assert state.slow is not None
            assert torch.equal(state.slow[name], state.weights[name])
        # What is fitted next is these weights and no others that are left over; Adam goes on as it was.
        expected = ActorLearnerState(**{**vars(expected), "weights": state.weights})  # the same up to rounding
        for name, parts in expected.optimiser.items():
            for key, part in parts.items():
                assert torch.equal(state.optimiser[name][key], part)
    assert ahead.records(state)[0]["weights"].keys() == plain.records(expected)[0]["weights"].keys()
    for name, part in plain.records(expected)[0]["weights"].items():
        np.testing.assert_array_equal(ahead.records(state)[0]["weights"][name], part)


def test_the_running_mean_and_a_moving_magnet_are_of_the_weights_that_stepped_back() -> None:
    learner = make(lookahead={"every": 1, "share": 0.5}, average=0.9, magnet={"kind": "ema", "decay": 0.7})
    states = [after(learner, steps) for steps in (0, 1)]
    assert states[1].averaged is not None
    assert states[1].magnet is not None
    for name, part in states[1].weights.items():
        first = states[0].weights[name]
        torch.testing.assert_close(states[1].averaged[name], 0.1 * first + 0.9 * part)
        torch.testing.assert_close(states[1].magnet[name], 0.7 * first + 0.3 * part)


def test_staleness_is_one_update_and_changes_what_is_learnt() -> None:
    fresh, stale = make(), make(play={**SMALL["play"], "staleness": 1})
    assert alike(after(fresh, 1), after(stale, 1))
    assert not alike(after(fresh, 2), after(stale, 2))
    state = after(stale, 2)
    assert state.behaviour is not None
    assert all(torch.equal(state.behaviour[name], part) for name, part in after(stale, 1).weights.items())
    _, metrics = stale.step(state)
    assert metrics["samples/staleness"] == 1.0


@pytest.mark.ray
@pytest.mark.parametrize("staleness", [0, 1])
def test_workers_change_no_bit(staleness: int, here_and_spread: tuple[Executor, Executor]) -> None:
    settings: dict[str, Any] = {"play": {**SMALL["play"], "staleness": staleness}, "lookahead": {"every": 2}}
    inline = after(make(**settings), 3)
    executor = here_and_spread[1]
    assert alike(inline, after(make(executor=executor, **settings), 3))


@pytest.mark.parametrize(
    ("game", "settings"),
    [
        ("goofspiel", {"network": CENTRAL}),
        (
            "leduc_poker",
            {"network": {"hidden": [16], "centralised_critic": True}, "play": {**SMALL["play"], "source": "rules"}},
        ),
        ("grid_soccer", {"network": {"hidden": [16], "shared": False}}),
        ("sheriff", {"network": {"hidden": [16], "shared": False}}),
        ("left_right", {}),
        ("rock_paper_scissors", {}),
        ("leduc_poker", {"play": {**SMALL["play"], "source": "torch"}}),
        ("goofspiel", {"play": {**SMALL["play"], "source": "torch"}}),
        ("left_right", {"play": {**SMALL["play"], "source": "torch"}}),
    ],
)
def test_every_family_of_games_is_played(game: str, settings: dict[str, Any]) -> None:
    """Simultaneous moves, different numbers of actions, agents who are alike; the policy is a policy of the game."""
    learner = make("pma", game, **settings)
    state = after(learner, 2)
    found = score(eqenvs.make(game), learner.average_policy(state))
    assert np.isfinite(found.nash_conv)
    assert state.stages == 2 * 2 * 32 * 8


def test_compiled_and_half_precision_fits_stay_close_to_the_plain_one() -> None:
    plain = after(make(), 2)
    half = after(make(fit={"precision": "bfloat16", "standardised": False}), 2)
    for name, part in plain.weights.items():
        assert not torch.equal(part, half.weights[name]) or part.numel() < 40
        torch.testing.assert_close(part, half.weights[name], atol=0.02, rtol=0.1)


def test_a_number_that_is_not_finite_is_named() -> None:
    learner = make()
    state = after(learner, 1)
    name = next(iter(state.weights))
    broken = {**state.weights, name: torch.full_like(state.weights[name], float("nan"))}
    spoilt = ActorLearnerState(**{**vars(state), "weights": broken})
    with pytest.raises(InputError, match=r"^iteration 2: .* is not finite; the last checkpoint is kept"):
        learner.step(spoilt)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fit": {"device": "cuda:7"}}, r"device 'cuda:7' is absent; present: cpu"),
        ({"play": {"device": "tpu"}}, "present: cpu"),
        ({"play": {"steps": 0}}, "learner.play.steps"),
        ({"lookahead": {"every": 2, "share": 0}}, "learner.lookahead.share"),
        ({"network": {"activation": "rleu"}}, "did you mean 'relu'"),
        ({"pull": {"start": 1.0, "shape": "exponential"}}, "start and an end above 0"),
        ({"play": {"stepps": 3}}, "did you mean 'steps'"),
        ({"pull": "high"}, "learner.pull: .*a number, or a group of start, end, over and shape; got 'high'"),
        ({"network": CENTRAL, "play": {"source": "auto"}}, "needs play.source 'rules': a table has no such view"),
    ],
)
def test_bad_settings_are_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make(**settings)
    assert "\n" not in str(caught.value)


def test_memory_that_play_has_not_is_one_line() -> None:
    learner = make(play={"num_envs": 10**13, "source": "rules"})
    told = r"^out of memory on cpu while playing: 10,000,000,000,000 games of .* lower play\.num_envs"
    with pytest.raises(InputError, match=told) as caught:
        after(learner, 1)
    assert "\n" not in str(caught.value)


def test_the_entropy_that_is_told_is_that_of_the_policy_after_the_fit() -> None:
    """Nothing is learnt at a step size of 0, so the entropy is that of the first policy, in however many pieces."""
    found = []
    for minibatches in (1, 7, 10**6):
        learner = make(fit={"learning_rate": 0.0, "minibatches": minibatches, "epochs": 1})
        _, metrics = learner.step(learner.init(np.random.SeedSequence(7)))
        found.append(metrics["policy/entropy"])
        assert metrics["policy/divergence"] == pytest.approx(0, abs=1e-6)
    assert found == pytest.approx([found[0]] * 3, rel=1e-5)
    assert found[0] == pytest.approx(np.log(2), abs=1e-3)  # a head of weights near 0 plays two actions nearly alike


def test_an_adversary_must_be_one_of_several_roles() -> None:
    for adversaries in ([0, 1], [2]):
        with pytest.raises(InputError, match="not all"):
            make("quantal_curriculum", adversaries=adversaries)


@pytest.mark.ray
@pytest.mark.slow
def test_several_processes_fit_as_one_would(here_and_spread: tuple[Executor, Executor]) -> None:
    """One minibatch and one pass: two halves averaged are the whole, up to rounding and Adam's epsilon."""
    fit = {"epochs": 1, "minibatches": 1, "standardised": False}
    alone = after(make(magnet={"kind": "ema"}, fit=fit), 2)
    executor = here_and_spread[1]
    together, again = (
        after(make(executor=executor, magnet={"kind": "ema"}, fit={**fit, "processes": 2}), 2) for _ in range(2)
    )
    assert alike(together, again)
    for name, part in alone.weights.items():
        torch.testing.assert_close(together.weights[name], part, atol=1e-4, rtol=1e-3)
    with pytest.raises(InputError, match=r"fit\.processes 2 needs Ray: set executor\.workers to 1 or more"):
        make(fit={"processes": 2}).init(
            np.random.SeedSequence(7)
        )  # what was learned elsewhere can be looked at without


class Refuses(InlineExecutor):
    """Has no processes to work at the same time."""

    def together(self, tasks: Any) -> Any:
        raise InputError(f"the {len(tasks)} processes were lost 3 times")


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        (Refuses(3), r"^config: fit\.processes: the 1 processes were lost 3 times$"),
        (InlineExecutor(3), r"^device 'cuda:99' is absent"),  # not about the processes
    ],
)
def test_an_error_of_processes_names_their_setting(executor: Executor, message: str) -> None:
    learner = make("ppo")
    state = learner.init(np.random.SeedSequence(7))
    game, network = eqenvs.make("kuhn_poker"), learner._config.network
    batch = Batch(
        observations=torch.zeros(4, game.rules.observation_size),
        states=torch.zeros(4, game.rules.observation_size),
        masks=torch.ones(4, 2, dtype=torch.bool),
        roles=torch.zeros(4, dtype=torch.int64),
        actions=torch.zeros(4, dtype=torch.int64),
        log_policy=torch.full((4, 2), 0.5).log(),
        advantages=torch.zeros(4),
        returns=torch.zeros(4),
    )
    config = FitConfig(minibatches=1, device="cuda:99")
    with pytest.raises(InputError, match=message):
        fit_together(
            executor, game, network, config, state.weights, {}, None, batch, _Pulled(ppo.loss, learner._config, 0), 0
        )
