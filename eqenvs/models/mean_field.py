"""Mean-field games: representative players against the distribution of all others over their states.

Lasry and Lions (2007), "Mean field games", Japanese Journal of Mathematics 2; in discrete time and space Lauriere et
al. (2022), "Learning in mean field games: a survey", arXiv 2205.12944. Several populations, each with a mean field of
its own; common noise by conditioning on its history (Perrin et al., 2020, "Fictitious play for mean field games:
continuous time analysis and applications", NeurIPS, section 4).

Axis letters beside those of `eqenvs.models`: P populations, M moments, K successors of a state and an action.

A *moment* is a time with a history of the common noise: without noise there is one for each of the T steps. Of a game
without a horizon there is a single one: policies are stationary, and the mean field is the population's stable
distribution. What happens between moments is *local*: from a state and an action one of K listed successors, with
probabilities that may depend on the mean field. A list of all S states is allowed, and dense.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from eqenvs.arrays import (
    Array,
    BoolArray,
    Constants,
    Float32Array,
    Float64Array,
    IntArray,
    device_of,
    namespace,
    read_only,
)
from eqenvs.errors import InputError
from eqenvs.models import markov_checks
from eqenvs.models import mean_field_checks as checks
from eqenvs.models.information_states import InformationStates
from eqenvs.spec import Family

if TYPE_CHECKING:
    from eqenvs.models.mean_field_kernels import Kernel
    from eqenvs.models.mean_field_rows import Rows


class Moment(NamedTuple):
    """When a mean field is looked at; both [...] int64, the leading axes of the mean field.

    Attributes:
        time: from 0; always 0 in a game without a horizon.
        noise: the state of the common noise; 0 without noise.
    """

    time: Array
    noise: Array


Operator: TypeAlias = Callable[[Array, Moment], Array]  # from mean fields [..., P, S]; see `MeanFieldModel`


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine:
    """Probabilities of successors that are affine in the mean field: compiled, where an `Operator` is called.

    They are base + sum_j feature[p, j] slope[j], with feature[p, j] = sum_s weight[j, s] met[p, s] and `met` the mean
    field as population p meets it (`MeanFieldModel.coupling`).

    Attributes:
        base: [S, A, K] or [P, S, A, K] float64.
        slope: [J, S, A, K] or [J, P, S, A, K] float64; default none.
        weight: [J, S] float64; default none.
    """

    base: ArrayLike
    slope: ArrayLike | None = None
    weight: ArrayLike | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class CommonNoise:
    """A Markov chain that everybody sees before acting.

    Attributes:
        initial: [Z] float64, its distribution at time 0.
        kernel: [Z, Z] float64, or [T - 1, Z, Z] with one for each step. Every history of positive probability is a
            moment of its own, so a kernel that branches everywhere makes Z^T of them.
    """

    initial: ArrayLike
    kernel: ArrayLike


class Moments(NamedTuple):
    """The moments at which players act, parents first, those of one parent together.

    Attributes:
        time: [M] int64.
        noise: [M] int64.
        parent: [M] int64, the moment before; -1 at time 0. In a game without a horizon the only moment is its own.
        probability: [M] float64, given the parent.
        reach: [M] float64, from the start.
        history: [M, W] int64, what the common noise has been, -1 where it is still to come; W = 0 without noise.
    """

    time: IntArray
    noise: IntArray
    parent: IntArray
    probability: Float64Array
    reach: Float64Array
    history: IntArray


@dataclass(frozen=True, eq=False)
class MeanFieldModel:
    """A finite mean-field game.

    Attributes:
        successors: [S, A, K] int64, the states that can follow; entries may repeat, unused ones have probability 0.
        transition: `Affine`, or an `Operator` to [..., P, S, A, K] (P may be 1), rows on the simplex.
        reward: an `Operator` to [..., P, S, A] or to what broadcasts to that; undiscounted, of the representative
            player of each population.
        initial: [P, S] float64, the populations at time 0.
        horizon: T, the number of decisions (rewards are collected at times 0 .. T - 1), or None: the game is played in
            the population's stable distribution, for ever.
        discount: factor in [0, 1) a step, up to 1 with a horizon.
        legal: [S, A] bool.
        keys: [S, W] int64, the states' names, unique.
        views: [S, D] float32, what the representative player sees of its state.
        coupling: [P, P] float64, how much of each population's mean field each of them meets; None for its own.
        noise: the common noise, or None.
    """

    family: ClassVar[Family] = Family.MEAN_FIELD
    successors: IntArray
    transition: Affine | Operator = field(repr=False)
    reward: Operator = field(repr=False)
    initial: Float64Array
    horizon: int | None
    discount: float
    legal: BoolArray
    keys: IntArray
    views: Float32Array
    coupling: Float64Array | None
    noise: CommonNoise | None

    def __init__(
        self,
        transition: ArrayLike | Affine | Operator,
        reward: Operator,
        initial: ArrayLike,
        *,
        successors: ArrayLike | None = None,
        horizon: int | None = None,
        discount: float = 1.0,
        legal: ArrayLike | None = None,
        keys: ArrayLike | None = None,
        views: ArrayLike | None = None,
        coupling: ArrayLike | None = None,
        noise: CommonNoise | None = None,
    ) -> None:
        """Check and copy the parts.

        Args:
            transition: see the class; an array [S, A, S] (or [S, A, K] with `successors`) does not depend on the mean
                field.
            reward: see the class.
            initial: [S] for one population, or [P, S].
            successors: default all states, K = S; of an array those of positive probability.
            horizon: see the class.
            discount: see the class.
            legal: default all actions.
            keys: default the numbers of the states, [S, 1].
            views: default indicators of the state; of more than 1024 states the binary digits of its number.
            coupling: see the class.
            noise: see the class.

        Raises:
            GameTooLargeError: if a policy has more than 250 million numbers, or the noise more than a million
                histories.
            InputError: if shapes disagree, a distribution is off the simplex by more than 1e-9, a successor is no
                state, a state has no legal action, the game is neither discounted nor of finite horizon, affine
                probabilities are none at some mean field, or an operator fails where it is tried out: at the initial
                mean field, with all mass in one state, and at two mean fields at once.
        """
        factor, steps = markov_checks.checked_time(discount, horizon)
        if not callable(reward):
            raise InputError(
                f"reward must be a function of (mean field [..., P, S], moment), got {type(reward).__name__}"
            )
        start = checks.checked_initial(initial)
        parts = checks.checked_transition(transition, successors, start, coupling)
        states, actions, _ = parts.successors.shape
        mask: ArrayLike = np.ones((states, actions)) if legal is None else legal
        fields: dict[str, Any] = {
            "successors": read_only(parts.successors),
            "transition": parts.transition,
            "reward": reward,
            "initial": read_only(start),
            "horizon": steps,
            "discount": factor,
            "legal": read_only(markov_checks.checked_legal([mask], states, (actions,))[0]),
            "keys": read_only(markov_checks.checked_keys(keys, states)),
            "views": markov_checks.checked_views(None if views is None else [views], states, 1)[0],
            "coupling": parts.coupling,
            "noise": checks.checked_noise(noise, steps),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        checks.check_size((steps or 1, len(start), states, actions))
        checks.check_size(self.policy_shape)  # with the histories of the noise
        checks.probe(self)

    @property
    def num_populations(self) -> int:
        """P."""
        return len(self.initial)

    @property
    def num_players(self) -> int:
        """One representative player of each population."""
        return self.num_populations

    @property
    def num_states(self) -> int:
        """S."""
        return len(self.successors)

    @property
    def num_actions(self) -> int:
        """A, of every player."""
        return int(self.successors.shape[1])

    @cached_property
    def moments(self) -> Moments:
        """When players act.

        Raises:
            GameTooLargeError: if the common noise has more than a million histories.
        """
        return checks.moments_of(self.horizon, self.noise)

    @property
    def policy_shape(self) -> tuple[int, int, int, int]:
        """(M, P, S, A): of a joint policy as one array."""
        return (len(self.moments.time), self.num_populations, self.num_states, self.num_actions)

    @cached_property
    def information_states(self) -> tuple[InformationStates, ...]:
        """The decision points of each population's representative player, moment by moment.

        Keys are [time, noise history, state], observations [share of the horizon gone, indicator of the noise's present
        state, view of the state]; without a horizon or noise their parts are left out.
        """
        time, noise, *_, history = self.moments
        count, states = len(time), self.num_states
        named, seen = [np.tile(self.keys, (count, 1))], [np.tile(self.views, (count, 1))]
        if self.noise is not None:
            indicator = np.eye(len(np.asarray(self.noise.initial)), dtype=np.float32)[noise]
            named, seen = [np.repeat(history, states, axis=0), *named], [np.repeat(indicator, states, axis=0), *seen]
        if self.horizon is not None:
            named = [np.repeat(time, states)[:, None], *named]
            seen = [np.repeat((time / self.horizon).astype(np.float32), states)[:, None], *seen]
        points = InformationStates(
            keys=read_only(np.concatenate(named, axis=1).astype(np.int64)),
            observations=read_only(np.concatenate(seen, axis=1)),
            masks=read_only(np.tile(self.legal, (count, 1))),
        )
        return (points,) * self.num_populations

    def as_array(self, tables: Sequence[Float64Array]) -> Float64Array:
        """A table [M * S, A] for each population as one array [M, P, S, A]."""
        moments, _, states, actions = self.policy_shape
        return np.stack([np.asarray(table).reshape(moments, states, actions) for table in tables], axis=1)

    def as_tables(self, policy: Float64Array) -> list[Float64Array]:
        """The reverse of `as_array`."""
        return [policy[:, population].reshape(-1, self.num_actions) for population in range(self.num_populations)]

    def met(self, mean_field: Array) -> Array:
        """The mean field as each population meets it, [..., P, S]."""
        if self.coupling is None:
            return mean_field
        return self._constants.on("coupling", mean_field) @ mean_field

    def probabilities(self, mean_field: Array, moment: Moment) -> Array:
        """Of each successor, [..., P, S, A, K] for mean fields [..., P, S]; P may be 1 where populations are alike."""
        if not isinstance(self.transition, Affine):
            return self.transition(mean_field, moment)
        base = self._constants.on("base", mean_field)
        if not len(self.transition.slope):  # type: ignore[arg-type]
            return base
        xp = namespace(mean_field)
        feature = xp.matmul(self.met(mean_field), self._constants.on("weight", mean_field).T)  # [..., P, J]
        slope = self._constants.on("slope", mean_field)  # [J, P or 1, S, A, K]
        parts = [feature[..., j][..., None, None, None] * slope[j] for j in range(slope.shape[0])]
        return sum(parts, start=base)

    def agent_probabilities(
        self, mean_field: Array, moment: Moment, population: Array, state: Array, action: Array
    ) -> Array:
        """Of each agent's successors, [B, N, K].

        Args:
            mean_field: [B, P, S].
            moment: [B].
            population: [N] int64, of each agent.
            state: [B, N] int64.
            action: [B, N] int64.
        """
        xp = namespace(mean_field)
        if not isinstance(self.transition, Affine):
            listed = self.transition(mean_field, moment)
            row = xp.arange(state.shape[0], dtype=xp.int64, device=device_of(state))[:, None]
            return listed[row, population if listed.shape[1] > 1 else 0 * population, state, action]
        base = self._constants.on("base", mean_field)
        which = population if base.shape[0] > 1 else 0 * population
        probability = base[which, state, action]
        if len(self.transition.slope):  # type: ignore[arg-type]
            feature = xp.matmul(self.met(mean_field), self._constants.on("weight", mean_field).T)[:, population]
            slope = self._constants.on("slope", mean_field)
            for j in range(slope.shape[0]):
                probability = probability + feature[..., j][..., None] * slope[j][which, state, action]
        return probability

    def rewards(self, mean_field: Array, moment: Moment) -> Array:
        """Of each state and action, [..., P, S, A] for mean fields [..., P, S]; 0 at illegal actions.

        Raises:
            InputError: if one is not finite, naming the first.
        """
        xp = namespace(mean_field)
        reward = xp.broadcast_to(self.given_rewards(mean_field, moment), (*mean_field.shape, self.num_actions))
        return reward if self.all_legal else xp.where(self._constants.on("legal", mean_field), reward, 0.0)

    def given_rewards(self, mean_field: Array, moment: Moment) -> Array:
        """As `rewards`, but as the operator gives them: short axes where they do not matter, any at illegal actions.

        Raises:
            InputError: see `rewards`.
        """
        xp = namespace(mean_field)
        reward = self.reward(mean_field, moment)
        if not bool(xp.all(xp.isfinite(reward))):
            full = xp.broadcast_to(reward, (*mean_field.shape, self.num_actions))
            checks.refuse_rewards(self, full, mean_field, moment)
        return reward

    @cached_property
    def all_legal(self) -> bool:
        """Whether every action is legal everywhere."""
        return bool(self.legal.all())

    @cached_property
    def kernel(self) -> Kernel | None:
        """An affine transition as compiled loops take it; None for an `Operator`."""
        from eqenvs.models.mean_field_kernels import kernel_of

        return kernel_of(self)

    @cached_property
    def rows(self) -> Rows | None:
        """The different rows of an affine transition; None for an `Operator`."""
        from eqenvs.models.mean_field_rows import rows_of

        return None if self.kernel is None else rows_of(self.kernel)

    @cached_property
    def _constants(self) -> Constants:
        affine = {}
        if isinstance(self.transition, Affine):
            affine = {name: getattr(self.transition, name) for name in ("base", "slope", "weight")}
        coupling = np.eye(self.num_populations) if self.coupling is None else self.coupling
        return Constants(legal=self.legal, coupling=coupling, successors=self.successors, **affine)

    def constants(self, name: str, like: Array) -> Array:
        """`legal`, `coupling`, `successors` or a part of `Affine`, where `like` lives."""
        return self._constants.on(name, like)

    def flow(self, policy: Float64Array) -> Float64Array:
        """The mean field at every moment when everybody plays `policy`.

        Args:
            policy: [M, P, S, A] float64, rows on the simplex. Of a game without a horizon, M = 1.

        Returns:
            [M, P, S] float64, rows sum to 1. Without a horizon it is one step on from `initial`, which `advance`
            repeats.

        Raises:
            InputError: if mass is lost or gained, or negative, by more than 1e-9: the kernel is not stochastic.
        """
        if self.horizon is None:
            return self.advance(self.initial, policy)[None]
        from eqenvs.models.mean_field_kernels import forward  # numba takes longer to import than a game to make

        return forward(self, policy)

    def advance(self, mean_field: Float64Array, policy: Float64Array, moment: int = 0) -> Float64Array:
        """The mean field [P, S] a step after `mean_field`, under a policy [M, P, S, A] at one of the moments."""
        from eqenvs.models.mean_field_kernels import step

        return step(self, mean_field, policy, moment)

    def mix(self, player: int, tables: Float64Array, weights: Float64Array) -> Float64Array:
        """The table [M * S, A] of a population whose parts keep to policies of their own, in the same mean field.

        Args:
            player: the population.
            tables: [components, M * S, A].
            weights: [components], the parts' shares.

        Raises:
            PolicyError: if the population moves with others, whose policies would be needed.
        """
        from eqenvs.models.mean_field_mixtures import mixed_table

        return mixed_table(self, player, tables, weights)

    def at(self, moments: slice | int | IntArray) -> Moment:
        """Some of the moments as operators take them."""
        return Moment(self.moments.time[moments], self.moments.noise[moments])

    def sizes(self) -> dict[str, Any]:
        """Populations, states, actions, successors, moments."""
        return {
            "populations": self.num_populations,
            "states": self.num_states,
            "actions": self.num_actions,
            "successors": self.successors.shape[2],
            "moments": len(self.moments.time),
        }
