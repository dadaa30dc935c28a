"""The actor-learner that learners from action values share: play, remember, some gradient steps on what is remembered.

An iteration: tasks play batches of games on with the present behaviour; every decision that is now linked to its
player's next one goes into the replay memory; then `updates` gradient steps are made, each on a batch drawn uniformly
from it. Games go on from iteration to iteration, and so do decisions that wait for what comes of them. Where others
than the executor's tasks play, against fixed opponents, what is learned is a best response to these.

With staleness 1 the next iteration's play is begun before the gradient steps, with the weights of one update before.

Cost of an iteration: tasks x num_envs x steps forward passes, and 3 to 5 passes over updates x batch decisions. Memory:
8 (D + 3) + 2 A bytes a decision remembered, for D numbers seen and A actions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, Self, TypeAlias, cast

import numpy as np
import torch
from pydantic import AfterValidator, Field, model_validator
from torch import Tensor

from eqagents.configuration import NamedSettings, Settings
from eqagents.distributed import Executor, one_torch_thread
from eqagents.learners.deep._actors import Actors, Played, Plays, stored
from eqagents.learners.deep._config import GradientConfig, PlayConfig
from eqagents.learners.deep._gradient import GradientSteps
from eqagents.learners.deep._replay import (
    Decisions,
    Experience,
    Memory,
    blank,
    memory,
    rows_of,
    with_latest,
    with_sample,
)
from eqagents.learners.deep._replay import from_tree as memory_from_tree
from eqagents.learners.deep._schedule import Schedule
from eqagents.policies import PolicyRecord, to_policy
from eqagents.rollout.behaviour import Behaviour
from eqagents.rollout.links import Transitions, Waiting, transitions
from eqagents.rollout.memory import memory_named
from eqagents.rollout.networks import NetworkConfig, QNetworks, Weights, arrays_of, tensors_of
from eqagents.rollout.task import MakesNetworks
from eqagents.rollout.trajectory import Rollout
from eqenvs.arrays import require_torch_device
from eqenvs.game import Game
from eqenvs.policies import JointPolicy, ProductPolicy

FALLING = Schedule(start=3e-3, end=1e-4, over=30, shape="inverse_sqrt")  # of Adam's step sizes


def _probability(schedule: Schedule) -> Schedule:
    if max(schedule.start, schedule.end) > 1:
        raise ValueError("a probability from 0 to 1")
    return schedule


Probability: TypeAlias = Annotated[Schedule, AfterValidator(_probability)]


class ReplayConfig(Settings):
    """What is remembered, and how much is learned from it in one iteration."""

    capacity: int = Field(default=20_000, ge=1, description="decisions remembered, the latest")
    warm_up: int = Field(default=1_000, ge=0, description="decisions remembered before the first gradient step")
    batch: int = Field(default=256, ge=1, description="decisions a gradient step")
    updates: int = Field(default=16, ge=1, description="gradient steps an iteration")
    target_every: int = Field(default=5, ge=1, description="iterations between two copies of the target network")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.capacity < max(self.batch, self.warm_up):
            raise ValueError(
                f"a capacity of {self.capacity} is less than the batch of {self.batch} or the warm_up of {self.warm_up}"
            )
        return self


class OffPolicyConfig(NamedSettings):
    """Settings of every learner from action values."""

    play: PlayConfig = PlayConfig(num_envs=128)
    network: NetworkConfig = NetworkConfig()
    fit: GradientConfig = GradientConfig(learning_rate=FALLING)
    replay: ReplayConfig = ReplayConfig()


@dataclass(frozen=True)
class Terms:
    """What a loss may need beside the batch.

    Attributes:
        iteration: iterations done.
        imitated: decisions drawn from the reservoir; None without one.
    """

    iteration: int
    imitated: Decisions | None


# From (the networks, frozen ones, the batch, further terms) to a loss for each part that it trains, `critic` or
# `actor`. The frozen networks' critic is the target network, their actor the policy before this iteration's steps.
Loss: TypeAlias = Callable[[QNetworks, QNetworks, Experience, Terms], dict[str, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Method:
    """What a learner adds.

    Attributes:
        make: gives its networks.
        behaviour: how they play, by iteration.
        loss: see `Loss`.
        rates: step sizes of the parts, by iteration.
        reservoir: decisions kept to be imitated; 0 for none.
        imitates: way of the behaviour whose decisions these are.
    """

    make: MakesNetworks
    behaviour: Callable[[int], Behaviour]
    loss: Loss
    rates: Callable[[int], dict[str, float]]
    reservoir: int = 0
    imitates: int = 0


class Pending(NamedTuple):
    """Decisions that wait for what comes of them, at most one a row and player.

    Attributes:
        decisions: [B * N] rows, by row and player.
        waiting: who waits.
    """

    decisions: Decisions
    waiting: Waiting


@dataclass(frozen=True)
class OffPolicyState:
    """Where a learner stands.

    Attributes:
        iteration: iterations done.
        stages: stages of games played.
        entropy: of the draws from memory.
        weights: of the networks.
        target: of the target network.
        optimiser: what Adam remembers, by parameter.
        replay: the replay memory.
        reservoir: decisions to be imitated; None for a learner that imitates none.
        pending: decisions that wait; None before the first iteration.
        behaviour: weights that the play already begun is played with; None where none is.
        snapshots: where each task's games stand.
    """

    iteration: int
    stages: int
    entropy: int
    weights: Weights
    target: Weights
    optimiser: dict[str, Weights]
    replay: Memory[Experience] = field(repr=False)
    reservoir: Memory[Decisions] | None = field(repr=False)
    pending: Pending | None = field(repr=False)
    behaviour: Weights | None
    snapshots: tuple[Any, ...] = field(repr=False)


class OffPolicyLearner:
    """See the module.

    Args:
        game: the game.
        config: the settings.
        executor: who plays.
        method: the learner.
        plays: who plays in place of the executor.
    """

    def __init__(
        self,
        game: Game,
        config: OffPolicyConfig,
        executor: Executor,
        method: Method,
        plays: Plays | None = None,
    ) -> None:
        device = require_torch_device(torch, config.fit.device)
        if executor.workers == 0:
            require_torch_device(torch, config.play.device)
        self._game, self._config, self._method, self._device = game, config, method, device
        self._networks, self._frozen = self._make().to(device), self._make().to(device)
        parts = {name: part for name in ("critic", "actor") if (part := getattr(self._networks, name)) is not None}
        if config.fit.compile:
            for part in parts.values():
                part.compile(dynamic=True)
        self._steps = GradientSteps(self._networks, parts, config.fit.gradient_clip)
        self._parts = tuple(parts)
        self._actors = plays or Actors(game, config.play, config.network, method.make, executor, device)
        self._present: OffPolicyState | None = None  # what the networks and the optimiser hold

    def init(self, seed: np.random.SeedSequence) -> OffPolicyState:
        """Action values near 0, policies nearly at random, and games not yet begun."""
        words = seed.generate_state(2, np.uint32)
        weights = self._make(int(words[0])).to(self._device).weights()
        return OffPolicyState(
            iteration=0,
            stages=0,
            entropy=int(words[1]),
            weights=weights,
            target=_critic_of(weights),
            optimiser={},
            replay=memory(self._blank(Experience, self._config.replay.capacity)),
            reservoir=memory(self._blank(Decisions, self._method.reservoir)) if self._method.reservoir else None,
            pending=None,
            behaviour=None,
            snapshots=(None,) * self._config.play.tasks,
        )

    def iteration(self, state: OffPolicyState) -> int:
        """Iterations done."""
        return state.iteration

    def step(self, state: OffPolicyState) -> tuple[OffPolicyState, dict[str, float]]:
        """Play, remember, and learn."""
        config, method, now = self._config, self._method, state.iteration
        started = time.perf_counter()
        with one_torch_thread("learning"):
            weights = state.weights if state.behaviour is None else state.behaviour
            played = self._actors.collect(now, weights, method.behaviour(now), state.snapshots)
            waited = time.perf_counter() - started
            ahead = config.play.staleness == 1
            if ahead:
                self._actors.begin(now + 1, state.weights, method.behaviour(now + 1), played.snapshots)
            draws = torch.Generator().manual_seed((state.entropy << 32) + now)
            replay, reservoir, pending, linked = self._remember(state, played, draws)
            self._load(state)
            metrics = self._learn(state, replay, reservoir, draws)
            weights = self._networks.weights()
        after = OffPolicyState(
            iteration=now + 1,
            stages=state.stages + played.rollout.over.numel(),
            entropy=state.entropy,
            weights=weights,
            target=_critic_of(weights) if (now + 1) % config.replay.target_every == 0 else state.target,
            optimiser=self._steps.state(),
            replay=replay,
            reservoir=reservoir,
            pending=pending,
            behaviour=state.weights if ahead else None,
            snapshots=played.snapshots,
        )
        self._present = after
        return after, {
            **metrics,
            "samples/stages": float(after.stages),
            "samples/decisions": float(linked),
            "samples/staleness": float(ahead and now > 0),
            "time/waited_s": waited,
            "time/played_s": played.seconds,
            "time/learned_s": time.perf_counter() - started - waited,
            "memory/rollout_bytes": float(played.rollout.nbytes()),
            "memory/replay_bytes": float(replay.nbytes() + (reservoir.nbytes() if reservoir is not None else 0)),
            "memory/update_bytes": float(self._steps.peak_bytes()),
        }

    def average_policy(self, state: OffPolicyState) -> JointPolicy:
        """The actor's, or greedy play."""
        return ProductPolicy([to_policy(record, self._game, role) for role, record in enumerate(self._records(state))])

    def record(self, state: OffPolicyState, role: int) -> PolicyRecord:
        """The policy of a role that learns."""
        return self._records(state)[role]

    def measures(self, state: OffPolicyState) -> dict[str, float]:
        """None: the score says what there is to say."""
        return {}

    def to_tree(self, state: OffPolicyState) -> dict[str, Any]:
        """See `Learner`; the memories are a part of it."""
        pending = state.pending
        return {
            "iteration": state.iteration,
            "stages": state.stages,
            "entropy": state.entropy,
            "weights": arrays_of(state.weights),
            "target": arrays_of(state.target),
            "optimiser": {name: arrays_of(parts) for name, parts in state.optimiser.items()},
            "replay": state.replay.to_tree(),
            "reservoir": None if state.reservoir is None else state.reservoir.to_tree(),
            "pending": None if pending is None else [arrays_of(part._asdict()) for part in pending],
            "behaviour": None if state.behaviour is None else arrays_of(state.behaviour),
            "snapshots": [stored(part) for part in state.snapshots],
        }

    def from_tree(self, tree: dict[str, Any]) -> OffPolicyState:
        """See `Learner`."""
        on, pending = self._device, None
        if tree["pending"] is not None:
            decisions, waiting = (tensors_of(part, on) for part in tree["pending"])
            pending = Pending(Decisions(**decisions), Waiting(**waiting))
        reservoir = None
        if tree["reservoir"] is not None:
            reservoir = memory_from_tree(self._blank(Decisions, self._method.reservoir), tree["reservoir"])
        return OffPolicyState(
            iteration=tree["iteration"],
            stages=tree["stages"],
            entropy=tree["entropy"],
            weights=tensors_of(tree["weights"], on),
            target=tensors_of(tree["target"], on),
            optimiser={name: tensors_of(parts, on) for name, parts in tree["optimiser"].items()},
            replay=memory_from_tree(self._blank(Experience, self._config.replay.capacity), tree["replay"]),
            reservoir=reservoir,
            pending=pending,
            behaviour=None if tree["behaviour"] is None else tensors_of(tree["behaviour"], on),
            snapshots=tuple(tree["snapshots"]),
        )

    def artefacts(self, state: OffPolicyState) -> dict[str, Any]:
        """See `Learner`; there are none."""
        return {}

    def _make(self, seed: int = 0) -> QNetworks:
        return cast(QNetworks, self._method.make(self._game, self._config.network, seed))

    def _records(self, state: OffPolicyState) -> list[PolicyRecord]:
        networks = self._make()
        networks.load_state_dict(state.weights)
        return networks.records()

    def _blank(self, kind: type[Any], count: int) -> Any:
        rules = self._game.rules
        with memory_named(self._out_of_memory):
            return blank(kind, count, rules.observation_size, max(rules.num_actions), self._device)

    def _remember(
        self, state: OffPolicyState, played: Played, draws: torch.Generator
    ) -> tuple[Memory[Experience], Memory[Decisions] | None, Pending, int]:
        """The memories after an iteration's play, who waits, and how many decisions were linked."""
        rollout, rules = played.rollout, self._game.rules
        roles = torch.tensor(rules.roles, device=self._device)
        decided = _decisions(rollout, roles)
        reservoir = state.reservoir
        if reservoir is not None:
            shown = rollout.learns & (rollout.ways == self._method.imitates)
            reservoir = with_sample(reservoir, rows_of(decided, torch.nonzero(shown.reshape(-1))[:, 0]), draws)
        waited = None
        if state.pending is not None:
            waited = state.pending.waiting
            decided = Decisions(*map(torch.cat, zip(decided, state.pending.decisions, strict=True)))
        told = transitions(rollout, rules.discount, waited)
        replay = with_latest(state.replay, _experience(decided, told))
        pending = Pending(rows_of(decided, told.waiting.place.clamp(min=0).reshape(-1)), told.waiting)
        return replay, reservoir, pending, len(told.decision)

    def _load(self, state: OffPolicyState) -> None:
        """Bring the networks and the optimiser to a state."""
        self._frozen.load_state_dict({**state.weights, **state.target})
        if state is self._present:
            return
        self._networks.load_state_dict(state.weights)
        self._steps.load(state.optimiser)

    def _learn(
        self,
        state: OffPolicyState,
        replay: Memory[Experience],
        reservoir: Memory[Decisions] | None,
        draws: torch.Generator,
    ) -> dict[str, float]:
        config, now = self._config, state.iteration
        if replay.size < max(1, config.replay.warm_up) or (reservoir is not None and reservoir.size == 0):
            return {}
        shape = config.replay.updates, config.replay.batch
        places = torch.randint(replay.size, shape, generator=draws).to(self._device)
        others = None if reservoir is None else torch.randint(reservoir.size, shape, generator=draws).to(self._device)
        rates = self._method.rates(now)
        self._steps.begin(rates)
        sums = torch.zeros((2, len(self._parts)), device=self._device)
        with memory_named(self._out_of_memory):
            for step in range(len(places)):
                batch = replay.sample(places[step])
                imitated = None if reservoir is None or others is None else reservoir.sample(others[step])
                low = config.fit.precision == "bfloat16"
                with torch.autocast(self._device.type, torch.bfloat16, enabled=low):
                    losses = self._method.loss(self._networks, self._frozen, batch, Terms(now, imitated))
                of_parts = torch.stack([losses[name].float() for name in self._parts])
                norms = self._steps.step(of_parts.sum())
                sums += torch.stack([of_parts.detach(), norms])
        (losses_, norms_) = (sums / len(places)).tolist()
        told = dict(zip(self._parts, zip(losses_, norms_, strict=True), strict=True))
        means = {f"the {name}'s {what}": pair[k] for name, pair in told.items() for k, what in enumerate(_MEANS)}
        self._steps.require_finite(now, batch._asdict(), means)
        metrics = {f"fit/{name}_loss": pair[0] for name, pair in told.items()}
        metrics |= {f"fit/{name}_gradient_norm": pair[1] for name, pair in told.items()}
        return metrics | {f"fit/{name}_learning_rate": rate for name, rate in rates.items()}

    def _out_of_memory(self) -> str:
        weights = sum(part.numel() for part in self._networks.parameters())
        replay, reservoir = self._config.replay, self._method.reservoir
        imitated, lower = (f" and {reservoir:,} to be imitated", ", reservoir") if reservoir else ("", "")
        return (
            f"out of memory on {self._device}: {replay.batch:,} decisions of {self._game.rules.observation_size:,} "
            f"numbers a gradient step, {replay.capacity:,} remembered{imitated}, and {weights:,} weights; lower "
            f"replay.batch, replay.capacity{lower} or network.hidden"
        )


_MEANS = ("loss", "gradient's norm")


def _critic_of(weights: Weights) -> Weights:
    return {name: part for name, part in weights.items() if name.startswith("critic.")}


def _decisions(rollout: Rollout, roles: Tensor) -> Decisions:
    """Everybody's at every stage, [T * B * M] rows."""
    observations, masks = rollout.observations.flatten(0, 2), rollout.masks.flatten(0, 2)
    return Decisions(observations, masks, roles[rollout.players.flatten()], rollout.actions.flatten())


def _experience(decided: Decisions, told: Transitions) -> Experience:
    return Experience(
        *rows_of(decided, told.decision),
        rewards=told.reward,
        discounts=told.discount,
        next_observations=decided.observations[told.following],
        next_masks=decided.masks[told.following],
    )
