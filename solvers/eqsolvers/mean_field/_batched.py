"""Many policies of one mean-field game at once, on numpy or torch: for GPUs, and for gradients through the game.

The same passes as `_dynamics`, written against the array namespace and without writing into arrays, so that torch can
differentiate them. Games with a horizon only. Policies are [B, M, P, S, A]. A step costs O(B P S A K), and one call of
the game's operators.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eqenvs.arrays import Array, Backend, Constants, namespace, sum_by_index
from eqenvs.errors import UnsupportedGame
from eqenvs.models.mean_field import MeanFieldModel, Moment


class BatchedDynamics:
    """One model's passes for batches of policies.

    Attributes:
        model: the game.
    """

    def __init__(self, model: MeanFieldModel, backend: Backend) -> None:
        """Put the model where the backend is.

        Raises:
            UnsupportedGame: if the game has no horizon.
        """
        if model.horizon is None:
            raise UnsupportedGame("batches of policies are evaluated in mean-field games with a horizon only")
        self.model = model
        self._xp, self._device, _ = backend
        moments = model.moments
        weight = moments.reach * model.discount**moments.time
        self._constants = Constants(
            initial=model.initial, weight=weight, time=moments.time, noise=moments.noise, chance=moments.probability
        )
        self._like = self._xp.zeros((1,), dtype=self._xp.float64, device=self._device)
        self._index = self._xp.asarray(model.successors.reshape(-1).copy(), device=self._device)

    def _moment(self, which: int, batch: int) -> Moment:
        xp = self._xp
        parts = (self._constants.on(name, self._like)[which] for name in ("time", "noise"))
        return Moment(*(xp.broadcast_to(part, (batch,)) for part in parts))

    def flow(self, policy: Array) -> list[Array]:
        """The mean field at every moment, M arrays [B, P, S]."""
        xp, moments = self._xp, self.model.moments
        shape = (policy.shape[0], *self.model.initial.shape)
        start = xp.broadcast_to(self._constants.on("initial", self._like), shape)
        flow: list[Array] = []
        after: dict[int, Array] = {}  # of each moment that has children
        for parent in moments.parent.tolist():
            if parent >= 0 and parent not in after:
                after[parent] = self._pushed(flow[parent], policy[:, parent], parent)
            flow.append(start if parent < 0 else after[parent])
        return flow

    def _pushed(self, mean_field: Array, policy: Array, moment: int) -> Array:
        """A step later, [B, P, S]."""
        xp = self._xp
        probability = self.model.probabilities(mean_field, self._moment(moment, mean_field.shape[0]))
        moved = (mean_field[..., None] * policy)[..., None] * probability
        flat = xp.reshape(moved, (*mean_field.shape[:2], -1))
        return sum_by_index(flat, self._index, self.model.num_states)

    def rewards(self, flow: list[Array]) -> list[Array]:
        """At every moment, M arrays [B, P, S, A]."""
        return [self.model.rewards(at, self._moment(which, at.shape[0])) for which, at in enumerate(flow)]

    def quality(self, flow: list[Array], reward: list[Array], policy: Array | None) -> tuple[list[Array], Array]:
        """What actions are worth at every moment, M arrays [B, P, S, A], and states at the start, [B, P, S].

        Args:
            flow: the mean field.
            reward: at that mean field.
            policy: what is played from there on; None for the best actions.
        """
        xp, model = self._xp, self.model
        legal = model.constants("legal", self._like)
        future: list[Array | None] = [None] * (len(flow) + 1)
        found: list[Any] = [None] * len(flow)
        for moment in reversed(range(len(flow))):
            worth, later = reward[moment], future[moment]
            if later is not None:
                probability = model.probabilities(flow[moment], self._moment(moment, flow[moment].shape[0]))
                ahead = xp.reshape(later[..., self._index], (*later.shape[:2], *model.successors.shape))
                worth = worth + model.discount * xp.sum(probability * ahead, axis=-1)
            found[moment] = worth
            if policy is None:
                value = xp.max(worth if model.all_legal else xp.where(legal, worth, -np.inf), axis=-1)
            else:
                value = xp.sum(policy[:, moment] * worth, axis=-1)
            origin = int(model.moments.parent[moment])
            share = float(model.moments.probability[moment]) * value
            before = future[origin]
            future[origin] = share if before is None else before + share
        start = future[-1]
        assert start is not None
        return found, start

    def gains(self, policy: Array) -> Array:
        """What each population's representative gains by its best response, [B, P]."""
        flow = self.flow(policy)
        reward = self.rewards(flow)
        initial = self._constants.on("initial", self._like)
        starts = [self.quality(flow, reward, played)[1] for played in (None, policy)]
        xp = namespace(policy)
        return xp.sum(initial * (starts[0] - starts[1]), axis=-1)
