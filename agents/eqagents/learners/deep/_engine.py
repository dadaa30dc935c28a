"""The actor-learner that all learners with networks share: play, advantages, some passes of gradient steps.

An iteration: tasks play batches of games on with the present policy, one step stream each (their games go on from
iteration to iteration); their decisions are fitted by the learner's loss. Weights are published once an iteration. With
staleness 1 the next iteration's play is begun before the fit, so workers play while the driver learns; its policy is
then exactly one update old, on any number of workers. Nothing else is ever in flight: that bounds both the staleness
and the memory.

Cost of an iteration: tasks x num_envs x steps forward passes, and `epochs` times as many forward and backward.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from eqagents.distributed import Executor, one_torch_thread
from eqagents.learners import LearnerSpec
from eqagents.learners.deep._actors import Actors, stored
from eqagents.learners.deep._batch import Batch, batch_of, divergence, entropy
from eqagents.learners.deep._config import ActorLearnerConfig
from eqagents.learners.deep._fit import Fitter
from eqagents.learners.deep._together import fit_together
from eqagents.policies import PolicyRecord, to_policy
from eqagents.rollout.behaviour import Softmax
from eqagents.rollout.games import uses_table
from eqagents.rollout.networks import ActorCritic, Weights, arrays_of, blended, tensors_of
from eqagents.rollout.task import networks_of
from eqagents.rollout.trajectory import Rollout
from eqenvs.arrays import require_torch_device
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import JointPolicy, ProductPolicy

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """What a loss may need beside the batch.

    Attributes:
        config: the learner's.
        iteration: iterations done.
        magnet: log-probabilities [n, A] of the magnet at the batch's decisions; None without one.
    """

    config: Any
    iteration: int
    magnet: Tensor | None


# From (log-probabilities [n, A] of the policy that is fitted, the batch, further terms) to its loss.
Loss: TypeAlias = Callable[[Tensor, Batch, Terms], Tensor]


@dataclass(frozen=True)
class _Pulled:
    """A learner's loss with its terms; plain data, so that it can be sent to who fits."""

    loss: Loss
    config: Any
    iteration: int

    def __call__(self, magnet: ActorCritic | None, log_policy: Tensor, part: Batch) -> Tensor:
        """The loss of log-probabilities [n, A]; `magnet` holds the magnet's weights."""
        pulled = None
        if magnet is not None:
            with torch.no_grad():
                pulled = magnet.log_policy(part.observations, part.roles, part.masks)
        return self.loss(log_policy, part, Terms(self.config, self.iteration, pulled))


@dataclass(frozen=True)
class ActorLearnerState:
    """Where an actor-learner stands.

    Attributes:
        iteration: iterations done.
        stages: stages of games played.
        entropy: of the order of the batches.
        weights: of policies and critics.
        optimiser: what Adam remembers, by parameter.
        magnet: weights of the magnet's policies; None without one.
        averaged: a running mean of the weights; None where the last iterate is the policy.
        slow: weights after the last step back; None without lookahead.
        behaviour: weights that the play already begun is played with; None where none is.
        snapshots: where each task's games stand.
    """

    iteration: int
    stages: int
    entropy: int
    weights: Weights
    optimiser: dict[str, Weights]
    magnet: Weights | None
    averaged: Weights | None
    slow: Weights | None
    behaviour: Weights | None
    snapshots: tuple[Any, ...]


class ActorLearner:
    """See the module.

    Attributes:
        networks: what was fitted last.

    Args:
        game: the game.
        config: the settings.
        executor: who plays.
        loss: of the policy.
        magnet: from (iteration, the magnet's weights, the policy's) to the magnet's next weights; None without one.
    """

    def __init__(
        self,
        game: Game,
        config: ActorLearnerConfig,
        executor: Executor,
        loss: Loss,
        magnet: Callable[[int, Weights, Weights], Weights] | None = None,
    ) -> None:
        self._alone = config.fit.processes == 1
        # Several processes have devices of their own, which this one may lack.
        self._device = require_torch_device(torch, config.fit.device if self._alone else "cpu")
        if executor.workers == 0:
            require_torch_device(torch, config.play.device)
        play = config.play
        tabular = not game.rules.simultaneous and uses_table(game, play.device, play.source)
        if config.network.centralised_critic and tabular:
            raise InputError("config: network.centralised_critic needs play.source 'rules': a table has no such view")
        self._game, self._config, self._loss, self._pull = game, config, loss, magnet
        self.networks = networks_of(game, config.network).to(self._device)
        self._fitter = Fitter(self.networks, config.fit)
        self._executor = executor
        self._published = None if self._alone else executor.publish(game)
        self._magnet: ActorCritic | None = None
        if magnet is not None:
            self._magnet = networks_of(game, config.network).to(self._device)
        self._actors = Actors(game, config.play, config.network, networks_of, executor, self._device)
        self._present: ActorLearnerState | None = None  # what the networks and the optimiser hold

    def init(self, seed: np.random.SeedSequence) -> ActorLearnerState:
        """Networks that play nearly at random, and games not yet begun."""
        if not self._alone and self._executor.workers == 0:
            processes = self._config.fit.processes
            raise InputError(f"config: fit.processes {processes} needs Ray: set executor.workers to 1 or more")
        words = seed.generate_state(2, np.uint32)
        weights = networks_of(self._game, self._config.network, int(words[0])).to(self._device).weights()
        return ActorLearnerState(
            iteration=0,
            stages=0,
            entropy=int(words[1]),
            weights=weights,
            optimiser={},
            magnet=weights if self._pull is not None else None,
            averaged=weights if self._config.average else None,
            slow=weights if self._config.lookahead.every else None,
            behaviour=None,
            snapshots=(None,) * self._config.play.tasks,
        )

    def iteration(self, state: ActorLearnerState) -> int:
        """Iterations done."""
        return state.iteration

    def step(self, state: ActorLearnerState) -> tuple[ActorLearnerState, dict[str, float]]:
        """Play, and fit."""
        config = self._config
        started = time.perf_counter()
        with one_torch_thread("learning"):
            behaviour = state.weights if state.behaviour is None else state.behaviour
            played = self._actors.collect(state.iteration, behaviour, Softmax(), state.snapshots)
            waited = time.perf_counter() - started
            rollout, snapshots = played.rollout, played.snapshots
            ahead = config.play.staleness == 1
            if ahead:
                self._actors.begin(state.iteration + 1, state.weights, Softmax(), snapshots)
            self._load(state)
            metrics = self._learn(state, rollout)
            fitted = self.networks.weights()
            slow, weights = config.lookahead.stepped_back(state.iteration + 1, state.slow, fitted)
            if weights is not fitted:
                self.networks.load_state_dict(weights)
            magnet = state.magnet
            if self._pull is not None and magnet is not None:
                magnet = self._pull(state.iteration + 1, magnet, weights)
        stages = state.stages + rollout.over.numel()
        after = ActorLearnerState(
            iteration=state.iteration + 1,
            stages=stages,
            entropy=state.entropy,
            weights=weights,
            optimiser=self._fitter.state(),
            magnet=magnet,
            averaged=self._mean(state, weights),
            slow=slow,
            behaviour=state.weights if ahead else None,
            snapshots=snapshots,
        )
        self._present = after
        return after, {
            **metrics,
            "samples/stages": float(stages),
            "samples/staleness": float(ahead and state.iteration > 0),
            "time/waited_s": waited,
            "time/played_s": played.seconds,
            "time/learned_s": time.perf_counter() - started - waited,
            "memory/rollout_bytes": float(rollout.nbytes()),
            "memory/update_bytes": float(self._fit_bytes),
        }

    def _mean(self, state: ActorLearnerState, weights: Weights) -> Weights | None:
        """The running mean's next value; an early one is a mean of few."""
        if state.averaged is None:
            return None
        kept = min(self._config.average, (state.iteration + 1) / (state.iteration + 10))
        return blended(state.averaged, weights, kept)

    def average_policy(self, state: ActorLearnerState) -> JointPolicy:
        """The last iterate, or the network of the weights' running mean."""
        return ProductPolicy([to_policy(record, self._game, role) for role, record in enumerate(self.records(state))])

    def records(self, state: ActorLearnerState) -> list[PolicyRecord]:
        """The policies that are scored, by role."""
        networks = networks_of(self._game, self._config.network)
        networks.load_state_dict(state.weights if state.averaged is None else state.averaged)
        return networks.records()

    def measures(self, state: ActorLearnerState) -> dict[str, float]:
        """None: the score says what there is to say."""
        return {}

    def to_tree(self, state: ActorLearnerState) -> dict[str, Any]:
        """See `Learner`."""
        return {
            "iteration": state.iteration,
            "stages": state.stages,
            "entropy": state.entropy,
            "weights": arrays_of(state.weights),
            "optimiser": {name: arrays_of(parts) for name, parts in state.optimiser.items()},
            **{
                name: None if part is None else arrays_of(part)
                for name, part in (
                    ("magnet", state.magnet),
                    ("averaged", state.averaged),
                    ("slow", state.slow),
                    ("behaviour", state.behaviour),
                )
            },
            "snapshots": [stored(part) for part in state.snapshots],
        }

    def from_tree(self, tree: dict[str, Any]) -> ActorLearnerState:
        """See `Learner`."""
        on = self._device
        return ActorLearnerState(
            iteration=tree["iteration"],
            stages=tree["stages"],
            entropy=tree["entropy"],
            weights=tensors_of(tree["weights"], on),
            optimiser={name: tensors_of(parts, on) for name, parts in tree["optimiser"].items()},
            **{
                name: None if tree[name] is None else tensors_of(tree[name], on)
                for name in ("magnet", "averaged", "slow", "behaviour")
            },
            snapshots=tuple(tree["snapshots"]),
        )

    def artefacts(self, state: ActorLearnerState) -> dict[str, Any]:
        """See `Learner`; there are none."""
        return {}

    def _load(self, state: ActorLearnerState) -> None:
        """Bring the networks and the optimiser to a state."""
        if self._magnet is not None and state.magnet is not None:
            self._magnet.load_state_dict(state.magnet)
        if state is self._present:
            return
        self.networks.load_state_dict(state.weights)
        self._fitter.load(state.optimiser)

    def _learn(self, state: ActorLearnerState, rollout: Rollout) -> dict[str, float]:
        config, rules = self._config, self._game.rules
        roles = torch.tensor(rules.roles, device=self._device)
        batch = batch_of(rollout, roles, rules.discount, config.trace, standardised=config.fit.standardised)
        if len(batch.actions) == 0:
            logger.warning(
                "iteration %d: no decision's consequences were seen within play.steps %d, nothing is learnt; raise it",
                state.iteration + 1,
                config.play.steps,
            )
        loss = _Pulled(self._loss, config, state.iteration)
        if self._alone:
            order = torch.Generator().manual_seed((state.entropy << 32) + state.iteration)
            metrics = self._fitter.fit(batch, partial(loss, self._magnet), state.iteration, order)
            self._fit_bytes = self._fitter.peak_bytes()
        else:
            found = fit_together(
                self._executor, self._published, config.network, config.fit, state.weights, state.optimiser,
                state.magnet, batch, loss, state.iteration,
            )  # fmt: skip
            metrics, self._fit_bytes = found["metrics"], found["bytes"]
            self.networks.load_state_dict(tensors_of(found["weights"], self._device))
            self._fitter.load({name: tensors_of(parts, "cpu") for name, parts in found["optimiser"].items()})
        return {**metrics, **self._moved(batch), "samples/decisions": float(len(batch.actions))}

    @torch.no_grad()
    def _moved(self, batch: Batch) -> dict[str, float]:
        """How the policy stands after the fit; by minibatches, so that no pass is larger than a gradient step's."""
        sums = torch.zeros(2, device=self._device)
        fields = (batch.observations, batch.roles, batch.masks, batch.log_policy)
        count = max(1, min(self._config.fit.minibatches, len(batch.actions)))
        for *seen, played in zip(*(part.tensor_split(count) for part in fields), strict=True):
            now = self.networks.log_policy(*seen)
            sums += torch.stack([entropy(now).sum(), divergence(played, now).sum()])
        means = (sums / len(batch.actions)).tolist()
        return {"policy/entropy": means[0], "policy/divergence": means[1]}


def actor_learner(name: str, config: type[ActorLearnerConfig], loss: Loss, *, source: str) -> LearnerSpec:
    """The spec of a learner that is a loss and nothing more."""

    def build(game: Game, settings: ActorLearnerConfig, executor: Executor) -> ActorLearner:
        return ActorLearner(game, settings, executor, loss)

    return LearnerSpec(id=name, config=config, build=build, source=source)
