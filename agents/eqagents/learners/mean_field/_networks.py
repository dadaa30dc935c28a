"""Networks over the decision points of a mean-field game: what they see, what they play, and how they are fitted.

A network's input is the game's observation; in a game whose agents see the distribution, that distribution as well, so
the policy is a function of it (a master policy). Such a policy has no table before a flow is given: `along_flow`
tabulates it along the one that it generates itself.

Gradient steps are those of all learners with networks. What they are made on is not: points are few and steps of play
are many, so a target network is evaluated at all points at once whenever it is refreshed, where learners of other games
evaluate it for every batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from eqagents.configuration import Settings
from eqagents.learners.deep._gradient import GradientSteps
from eqagents.learners.mean_field._experience import Experience, Play, by_moment
from eqagents.policies import MaskedMLP, PolicyRecord
from eqagents.policies.mlp import Activation
from eqagents.rollout.memory import memory_named
from eqenvs.arrays import BoolArray, Float32Array, Float64Array, IntArray, require_torch_device
from eqenvs.models.mean_field import MeanFieldModel

RESTS, MAX_STEPS = 1e-9, 5_000  # total variation a step of a population at rest under a master policy, and steps


class TrainingConfig(Settings):
    """Networks, and how they are fitted in one iteration."""

    hidden: tuple[PositiveInt, ...] = Field(default=(64, 64), description="widths of the hidden layers")
    activation: Activation = "relu"
    updates: int = Field(default=300, ge=1, description="gradient steps")
    batch: int = Field(default=256, ge=1, description="steps of play in a gradient step")
    refresh: int = Field(default=50, ge=1, description="gradient steps between two copies to the target network")
    learning_rate: float = Field(default=2e-3, gt=0, description="Adam's step size, annealed linearly to a tenth")
    gradient_clip: float = Field(default=10.0, gt=0, description="largest norm of a gradient")
    device: str = Field(default="cpu", description="torch device of the networks")


def width_of(model: MeanFieldModel, sees: bool) -> int:
    """D, of what a network sees."""
    return int(model.information_states[0].observations.shape[1]) + (model.initial.size if sees else 0)


def fresh(model: MeanFieldModel, sees: bool, training: TrainingConfig, seed: int) -> PolicyRecord:
    """A new network's record; it plays nearly at random."""
    generator = torch.Generator().manual_seed(seed)
    width = width_of(model, sees)
    return MaskedMLP(width, training.hidden, model.num_actions, generator, activation=training.activation).record()


def restored(record: PolicyRecord, device: str = "cpu") -> MaskedMLP:
    """The network of a record, whatever it sees."""
    weights = {name: torch.tensor(np.asarray(array)) for name, array in record["weights"].items()}
    layers = list(weights.values())
    network = MaskedMLP(layers[0].shape[1], record["hidden"], len(layers[-1]), activation=record["activation"])
    network.load_state_dict(weights)
    return network.to(require_torch_device(torch, device))


def sharpened(network: MaskedMLP, factor: float) -> PolicyRecord:
    """The record of the network with its outputs multiplied."""
    record = network.record()
    head = list(record["weights"])[-2:]
    return {**record, "weights": {k: w * np.float32(factor) if k in head else w for k, w in record["weights"].items()}}


def seen_at(model: MeanFieldModel, moment: IntArray, mean_field: Float64Array | None) -> Float32Array:
    """Observations [L * S, D] in all states at some moments [L], with mean fields [L, P, S] where these are seen."""
    states = model.num_states
    plain = model.information_states[0].observations
    own = plain.reshape(-1, states, plain.shape[1])[moment]
    if mean_field is None:
        return np.ascontiguousarray(own.reshape(-1, plain.shape[1]))
    flat = np.asarray(mean_field, dtype=np.float32).reshape(len(own), 1, -1)
    wide = np.broadcast_to(flat, (len(own), states, flat.shape[2]))
    return np.concatenate([own, wide], axis=2).reshape(len(own) * states, -1)


def points_of(
    model: MeanFieldModel, sees: bool, play: Play, population: int
) -> tuple[Float32Array, BoolArray, Experience]:
    """What is seen [I, D] and legal [I, A] at all points of a play, and the steps between them."""
    if not sees:
        states = model.information_states[population]
        return states.observations, states.masks, by_moment(play, population)
    moment, mean_field = play.looks
    return seen_at(model, moment, mean_field), np.tile(model.legal, (len(moment), 1)), play.experience[population]


@torch.no_grad()
def probabilities(network: MaskedMLP, observations: Float32Array, masks: BoolArray) -> Float64Array:
    """[I, A], rows normalised in float64."""
    device = next(network.parameters()).device
    logs = network(torch.tensor(observations, device=device), torch.tensor(masks, device=device))
    found: Float64Array = logs.exp().double().cpu().numpy()
    found /= found.sum(axis=1, keepdims=True)
    return found


class NetworkAct:
    """Networks that see the distribution, one a population, as the agents' behaviour."""

    def __init__(self, model: MeanFieldModel, networks: Sequence[MaskedMLP]) -> None:
        self._model, self._networks = model, networks

    def __call__(self, moment: Tensor, mean_field: Callable[[], Tensor]) -> Tensor:
        """See `_experience.Act`."""
        return torch.from_numpy(self.at(moment.cpu().numpy(), mean_field().cpu().numpy())).to(moment.device)

    def at(self, moment: IntArray, mean_field: Float64Array) -> Float64Array:
        """The same on numpy."""
        model, count = self._model, len(moment)
        seen, masks = seen_at(model, moment, mean_field), np.tile(model.legal, (count, 1))
        shape = (count, model.num_states, model.num_actions)
        return np.stack([probabilities(net, seen, masks).reshape(shape) for net in self._networks], axis=1)


def tabulated(model: MeanFieldModel, networks: Sequence[MaskedMLP], sees: bool) -> Float64Array:
    """The joint policy [M, P, S, A]; of networks that see the distribution, along the flow that they generate."""
    if sees:
        return along_flow(model, networks)
    states = model.information_states[0]
    return model.as_array([probabilities(network, states.observations, states.masks) for network in networks])


def along_flow(model: MeanFieldModel, networks: Sequence[MaskedMLP]) -> Float64Array:
    """A master policy's table [M, P, S, A] along its own flow from the game's initial distributions.

    Without a horizon the table is the one at the distribution where the population comes to rest; half of it moves at a
    time, which ends cycles. One that does not come to rest is tabulated where it is left.
    """
    act, policy = NetworkAct(model, networks), np.zeros(model.policy_shape)
    if model.horizon is None:
        at, none = model.initial, np.zeros(1, dtype=np.int64)
        for _ in range(MAX_STEPS):
            policy = act.at(none, at[None])
            after = 0.5 * (at + model.advance(at, policy))
            if 0.5 * np.abs(after - at).sum(axis=1).max() <= RESTS:
                break
            at = after / after.sum(axis=1, keepdims=True)
        return policy
    flow = np.empty(model.policy_shape[:3])
    for moment, parent in enumerate(model.moments.parent):
        flow[moment] = model.initial if parent < 0 else model.advance(flow[parent], policy, int(parent))
        policy[moment] = act.at(np.array([moment]), flow[moment][None])[0]
    return policy


def fit_values(
    network: MaskedMLP,
    observations: Tensor,
    experience: Experience,
    bonus: Tensor,
    worth: Callable[[Tensor], Tensor],
    discount: float,
    training: TrainingConfig,
    rng: np.random.Generator,
    iteration: int,
) -> float:
    """Fit a network's outputs to bonus + discount * worth(outputs of its target network a step later).

    Args:
        network: changed.
        observations: [I, D] of all points.
        experience: the steps between them.
        bonus: [n] float32, what a step pays, in the units of the outputs.
        worth: from outputs at all points [I, A] to what the points are worth [I].
        discount: a step.
        training: how.
        rng: of the batches.
        iteration: iterations done, for messages.

    Returns:
        The mean squared error over the last tenth of the gradient steps.

    Raises:
        InputError: if a number is not finite, or memory does not suffice.
    """
    device = observations.device
    point, action, after = (
        torch.tensor(a, device=device) for a in (experience.point, experience.action, experience.after)
    )
    ahead, going = after.clamp(min=0), (after >= 0).float()
    target = bonus

    def errors(index: Tensor) -> Tensor:
        chosen = network(observations[point[index]]).gather(1, action[index][:, None])[:, 0]
        error: Tensor = (chosen - target[index]).square().mean()
        return error

    def refresh() -> None:
        nonlocal target
        with torch.no_grad():
            target = bonus + discount * going * worth(network(observations))[ahead]

    inputs = {"observations": observations, "rewards": bonus}
    return _descend(network, errors, inputs, len(experience.point), training, rng, refresh, iteration)


def fit_policy(
    network: MaskedMLP,
    observations: Tensor,
    masks: Tensor,
    point: Tensor,
    action: Tensor,
    training: TrainingConfig,
    rng: np.random.Generator,
    iteration: int,
) -> float:
    """Fit a policy to actions [n] seen at points [n] by cross-entropy; returns that of the last tenth of the steps."""

    def errors(index: Tensor) -> Tensor:
        here = point[index]
        chosen: Tensor = -network(observations[here], masks[here]).gather(1, action[index][:, None])
        return chosen.mean()

    return _descend(network, errors, {"observations": observations}, len(point), training, rng, lambda: None, iteration)


def _descend(
    network: MaskedMLP,
    errors: Callable[[Tensor], Tensor],
    inputs: Mapping[str, Tensor],
    count: int,
    training: TrainingConfig,
    rng: np.random.Generator,
    refresh: Callable[[], None],
    iteration: int,
) -> float:
    """Gradient steps on the mean error of batches out of `count` rows; `inputs` and `iteration` are for messages."""
    steps, device = GradientSteps(network, {"all": network}, training.gradient_clip), next(network.parameters()).device
    tail = []
    with memory_named(lambda: _out_of_memory(device, inputs, count, training)):
        for update in range(training.updates):
            if update % training.refresh == 0:
                refresh()
            steps.begin({"all": training.learning_rate * (1.0 - 0.9 * update / training.updates)})
            error = errors(torch.tensor(rng.integers(count, size=training.batch), device=device))
            steps.step(error)
            if update >= training.updates - max(1, training.updates // 10):
                tail.append(float(error.detach()))
    mean = float(np.mean(tail))
    steps.require_finite(iteration, inputs, {"the error": mean})
    return mean


def _out_of_memory(device: torch.device, inputs: Mapping[str, Tensor], count: int, training: TrainingConfig) -> str:
    points, width = inputs["observations"].shape
    return (
        f"out of memory on {device}: {count:,} steps of play at {points:,} points of {width:,} numbers, "
        f"{training.batch:,} a gradient step; lower sampling.episodes, training.batch or training.hidden"
    )
