"""The model of an environment of MFGLib, whose functions see the joint distribution of states and actions.

The operators of `MeanFieldModel` see the distribution of states. So a decision is made in two half steps: from a state
one goes, by one's action, to the pair of both, and from the pair, in which there is nothing to choose, one gets the
reward and moves on. At the second half the distribution of states is the joint distribution, and nothing is lost: there
are S + S A states, and 2 (T + 1) moments for the times 0 to T. Policies, flows and values are the same; the pairs'
rows hold their only legal action.

Where all depends on where the others are and not on what they do (`states_only`), the model is the plain one of S
states and T + 1 moments. No finite number of trials can prove that, so it has to be said; trials refute it.

Everything is computed in the precision of the environment's `mu0`, and on the way torch's default is set to that,
because MFGLib's functions make tensors of the default kind: no other thread should make tensors meanwhile. Rows of
probabilities are normalised in double precision. Cost of an evaluation: a call of the environment's function for each
mean field; moves take S S' A numbers with S' states, unless they are fixed (`fixed_moves`), which makes them sparse and
compiled.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np

from eqenvs.arrays import Array, BoolArray, Constants, Float64Array, IntArray, namespace
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models.mean_field import MeanFieldModel, Moment

MAX_NUMBERS = 50_000_000  # in a list of successors
MAX_KEPT = 20_000_000  # of probabilities that are remembered
MAX_TIME = 10_000
SUMS = 1e-5  # how far probabilities, often made in single precision, may be from summing to 1
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}  # of what should be equal, relative, by precision
TRIALS = 2  # distributions of states at which the environment is tried out


@cache
def torch() -> Any:
    """The library that MFGLib is written with."""
    return importlib.import_module("torch")


@contextmanager
def default_precision(kind: Any) -> Iterator[None]:
    """Within, torch makes tensors of that kind."""
    library = torch()
    before = library.get_default_dtype()
    if kind == before:  # the usual case, and a setting of all threads
        yield
        return
    library.set_default_dtype(kind)
    try:
        yield
    finally:
        library.set_default_dtype(before)


@dataclass(frozen=True, eq=False)
class Functions:
    """What an environment's functions give, checked, with states and actions in row-major order.

    Attributes:
        env: the environment.
        name: in messages.
        states: S.
        actions: A.
        end: T, the time of the last decision.
    """

    env: Any
    name: str
    states: int
    actions: int
    end: int

    @classmethod
    def of(cls, env: Any, name: str) -> Functions:
        """Of an environment.

        Raises:
            InputError: its sizes or `mu0` are none.
        """
        shapes = {"S": env.S, "A": env.A}
        for key, shape in shapes.items():
            if not (isinstance(shape, tuple) and shape and all(isinstance(n, int) and n > 0 for n in shape)):
                raise InputError(f"{name}: {key} must be a tuple of positive integers, got {shape!r}")
        if not isinstance(env.T, int) or not 0 <= env.T <= MAX_TIME:
            raise InputError(f"{name}: T must be an integer from 0 to {MAX_TIME:,}, got {env.T!r}")
        kind = str(getattr(env.mu0, "dtype", None)).removeprefix("torch.")
        if kind not in TOLERANCE or tuple(env.mu0.shape) != env.S:
            got = f"{kind} {list(getattr(env.mu0, 'shape', []))}"
            raise InputError(f"{name}: mu0 must be a tensor {list(env.S)} of float32 or float64, got {got}")
        return cls(env, name, prod(env.S), prod(env.A), env.T)

    @cached_property
    def tolerance(self) -> float:
        """For what the environment computes."""
        return TOLERANCE[str(self.env.mu0.dtype).removeprefix("torch.")]

    @cached_property
    def initial(self) -> Float64Array:
        """`mu0`, [S], normalised.

        Raises:
            InputError: it is no distribution.
        """
        start = np.asarray(self.env.mu0.detach().cpu(), dtype=np.float64).reshape(-1)
        if not ((start >= 0).all() and abs(start.sum() - 1) <= SUMS):  # False for NaN too
            raise InputError(
                f"{self.name}: mu0 must be non-negative and sum to 1, got the sum {start.sum():.9g} and the least "
                f"{start.min():.6g}"
            )
        return np.asarray(start / start.sum())

    def rewards(self, joint: Array, time: int) -> Array:
        """[S, A], of the library of the joint distribution [S, A] of states and actions."""
        found = self._called("reward", self.env.reward, joint, time)
        shape = (*self.env.S, *self.env.A)
        try:
            full = _like(joint, found.broadcast_to(shape).reshape(self.states, self.actions))
        except RuntimeError:
            raise InputError(
                f"{self.name}: rewards at time {time} must be [*S, *A] = {list(shape)}, got {list(found.shape)}"
            ) from None
        finite = namespace(full).isfinite(full)
        if not bool(finite.all()):
            state, action = (int(i) for i in np.argwhere(~np.asarray(finite))[0])
            raise InputError(
                f"{self.name}: rewards at time {time} must be finite, got {float(full[state, action])} of state "
                f"{state}, action {action}, where the mass is {float(joint[state].sum()):g}"
            )
        return full

    def moves(self, joint: Array, time: int) -> Array:
        """The probabilities of the next states, [S, A, S], rows on the simplex; likewise."""
        found = self._called("transition", self.env.prob, joint, time)
        shape = (*self.env.S, *self.env.S, *self.env.A)
        if tuple(found.shape) != shape:
            raise InputError(
                f"{self.name}: probabilities at time {time} must be [*S, *S, *A] = {list(shape)}, the next state "
                f"first, got {list(found.shape)}"
            )
        rows = _like(joint, found.reshape(self.states, self.states, self.actions).permute(1, 2, 0))
        xp = namespace(rows)
        total, least = xp.sum(rows, axis=-1), xp.min(rows, axis=-1)
        good = (least >= -SUMS) & (xp.abs(total - 1) <= SUMS)  # False for NaN too
        if not bool(good.all()):
            state, action = (int(i) for i in np.argwhere(~np.asarray(good))[0])
            raise InputError(
                f"{self.name}: probabilities at time {time} must be non-negative and sum to 1 over the next states; of "
                f"state {state}, action {action} the sum is {float(total[state, action]):.9g}, the least "
                f"{float(least[state, action]):.6g}"
            )
        if bool((least < 0).any()):
            rows = xp.clip(rows, 0.0, None)
            total = xp.sum(rows, axis=-1)
        return rows / total[..., None]

    def _called(self, what: str, function: Callable[[int, Any], Any], joint: Array, time: int) -> Any:
        field = torch().from_numpy(joint) if isinstance(joint, np.ndarray) else joint
        with default_precision(self.env.mu0.dtype):
            try:
                found = function(time, field.to(self.env.mu0).reshape(*self.env.S, *self.env.A))
            except Exception as error:  # whatever somebody's function may raise
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                raise InputError(f"{self.name}: the {what} function fails at time {time} ({reason})") from error
        if not isinstance(found, torch().Tensor):
            raise InputError(f"{self.name}: the {what} function must give a tensor, got {type(found).__name__}")
        return found


def _like(array: Array, tensor: Any) -> Array:
    """A tensor as an array of the same library, place and kind."""
    if isinstance(array, np.ndarray):
        return np.asarray(tensor.detach().cpu(), dtype=np.float64)
    return tensor.to(array)


class Operators:
    """The operators of a `MeanFieldModel` with S states, or with S + S A of them.

    They take arrays of NumPy, or of torch, through which they can be differentiated as far as the environment can.

    Args:
        functions: the environment's.
        halves: whether a decision takes two half steps.
    """

    def __init__(self, functions: Functions, *, halves: bool) -> None:
        self.functions, self.halves = functions, halves
        states, actions = functions.states, functions.actions
        certain = np.zeros((states * (1 + actions) if halves else states, actions, states))
        certain[..., 0] = 1.0  # to the first of the successors, where one has to go or nobody needs to
        self._constants = Constants(
            even=np.full((states, actions), 1 / actions), certain=certain, nothing=np.zeros(certain.shape[0])
        )
        # A solver pushes the mass and pulls the values in the same mean fields.
        self._kept = lru_cache(maxsize=min(4 * (functions.end + 1), MAX_KEPT // certain.size))(self._moved)

    def successors(self) -> IntArray:
        """[S', A, S], all of them."""
        states, actions = self.functions.states, self.functions.actions
        everywhere = np.broadcast_to(np.arange(states), (states, actions, states))
        if not self.halves:
            return everywhere.copy()
        pairs = np.broadcast_to(self.pairs[..., None], everywhere.shape)
        return np.concatenate([pairs, np.repeat(everywhere, actions, axis=0)])

    @property
    def pairs(self) -> IntArray:
        """The number of the state that a state and an action lead to at the first half, [S, A]."""
        states, actions = self.functions.states, self.functions.actions
        return states + np.arange(states * actions).reshape(states, actions)

    def reward(self, mean_field: Array, moment: Moment) -> Array:
        """[..., 1, S', A], or of a game in halves [..., 1, S', 1]."""
        return self._each(mean_field, moment, self._reward)

    def transition(self, mean_field: Array, moment: Moment) -> Array:
        """[..., 1, S', A, S]."""
        if isinstance(mean_field, np.ndarray):
            return self._each(mean_field, moment, lambda field, time: self._kept(field.tobytes(), time))
        return self._each(mean_field, moment, self._transition)

    def _moved(self, field: bytes, time: int) -> Float64Array:
        return np.asarray(self._transition(np.frombuffer(field), time))

    def _each(self, mean_field: Array, moment: Moment, one: Callable[[Array, int], Array]) -> Array:
        lead = tuple(mean_field.shape[:-2])
        if not lead:
            return one(mean_field[0], int(moment.time))[None]
        xp = namespace(mean_field)
        fields = xp.reshape(mean_field, (-1, mean_field.shape[-1]))
        times = xp.reshape(xp.broadcast_to(moment.time, lead), (-1,)).tolist()
        found = xp.stack([one(field, int(time)) for field, time in zip(fields, times, strict=True)])
        return xp.reshape(found, (*lead, 1, *found.shape[1:]))

    def _joint(self, field: Array) -> Array:
        """The joint distribution [S, A]; who has not chosen yet, or of whom it does not matter, chooses uniformly."""
        states = self.functions.states
        spread = field[:states, None] * self._constants.on("even", field)
        return spread + namespace(field).reshape(field[states:], spread.shape) if self.halves else spread

    def _decides(self, time: int) -> bool:
        """Whether the first half of a decision is made, in which nothing happens yet."""
        return self.halves and time % 2 == 0

    def _reward(self, field: Array, time: int) -> Array:
        if not self.halves:
            return self.functions.rewards(self._joint(field), time)
        nothing = self._constants.on("nothing", field)
        if self._decides(time):
            return nothing[:, None]
        xp = namespace(field)
        paid = self.functions.rewards(self._joint(field), time // 2)
        return xp.concat([nothing[: self.functions.states], xp.reshape(paid, (-1,))])[:, None]

    def _transition(self, field: Array, time: int) -> Array:
        at = time // 2 if self.halves else time
        certain = self._constants.on("certain", field)
        if self._decides(time) or at >= self.functions.end:  # nobody moves after the last decision
            return certain
        moves = self.functions.moves(self._joint(field), at)
        if not self.halves:
            return moves
        xp, states, actions = namespace(field), self.functions.states, self.functions.actions
        after = xp.broadcast_to(xp.reshape(moves, (-1, 1, states)), (states * actions, actions, states))
        return xp.concat([certain[:states], after])


def model_of(env: Any, name: str, *, states_only: bool, fixed_moves: bool) -> MeanFieldModel:
    """The model.

    Args:
        env: of MFGLib.
        name: in messages.
        states_only: whether neither rewards nor moves depend on what others do, but on where they are.
        fixed_moves: whether moves depend neither on the others nor on the time.

    Raises:
        GameTooLargeError: there are too many states and actions.
        InputError: it is no environment, one of its functions fails or gives no rewards or probabilities, or what is
            said of it is refuted.
    """
    functions = Functions.of(env, name)
    states, actions = functions.states, functions.actions
    numbers = states * states * actions * (1 if states_only or fixed_moves else 1 + actions)
    if numbers > MAX_NUMBERS:
        raise GameTooLargeError(
            f"{name}: {states:,} states and {actions:,} actions make {numbers:,} possible moves, the limit is "
            f"{MAX_NUMBERS:,}"
        )
    _refute(functions, states_only=states_only, fixed_moves=fixed_moves)
    operators = Operators(functions, halves=not states_only)
    coordinates = np.indices(env.S).reshape(len(env.S), -1).T
    initial, keys = functions.initial, coordinates
    legal: BoolArray = np.ones((states, actions), dtype=bool)
    if not states_only:
        initial = np.concatenate([initial, np.zeros(states * actions)])
        chosen = np.tile(np.arange(1, actions + 1), states)[:, None]  # 0: nothing yet
        keys = np.concatenate([np.pad(keys, ((0, 0), (0, 1))), np.hstack([np.repeat(keys, actions, axis=0), chosen])])
        only = np.zeros((states * actions, actions), dtype=bool)
        only[:, 0] = True
        legal = np.concatenate([legal, only])
    transition: Any = operators.transition
    if fixed_moves and functions.end:
        successors, transition = _sparse(operators)
    else:
        successors = operators.successors()
    return MeanFieldModel(
        transition,
        operators.reward,
        initial,
        successors=successors,
        horizon=functions.end + 1 if states_only else 2 * (functions.end + 1),
        legal=legal,
        keys=keys,
    )


def _sparse(operators: Operators) -> tuple[IntArray, Float64Array]:
    """Fixed moves as successors and probabilities, [S', A, K]."""
    functions = operators.functions
    kernel = functions.moves(trials(functions)[0][0], 0)
    wide = max(1, int((kernel > 0).sum(axis=-1).max()))
    listed = np.argsort(kernel <= 0, axis=-1, kind="stable")[..., :wide]
    chance = np.take_along_axis(kernel, listed, axis=-1)
    if not operators.halves:
        return listed, chance
    first = np.zeros((functions.states, functions.actions, wide))
    first[..., 0] = 1.0

    def with_pairs(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        pair = after.reshape(-1, 1, wide)
        return np.concatenate([before, np.broadcast_to(pair, (len(pair), functions.actions, wide))])

    return with_pairs(np.broadcast_to(operators.pairs[..., None], listed.shape), listed), with_pairs(first, chance)


def trials(functions: Functions) -> list[list[Float64Array]]:
    """Lists of joint distributions [S, A] with the same distribution of states, the first uniform in actions."""
    rng = np.random.default_rng(0)
    states, actions = functions.states, functions.actions
    found = []
    for marginal in (functions.initial, *rng.dirichlet(np.ones(states), size=TRIALS - 1)):
        policies = [np.full((states, actions), 1 / actions), np.tile(np.eye(actions)[0], (states, 1))]
        policies.append(rng.dirichlet(np.ones(actions), size=states))
        found.append([marginal[:, None] * policy for policy in policies])
    return found


def _refute(functions: Functions, *, states_only: bool, fixed_moves: bool) -> None:
    """Try the functions out, and refuse what they contradict."""
    end, fields = functions.end, trials(functions)
    times = sorted({0, end - 1}) if end else []  # of moves
    for even, *others in fields:
        for what, function, when in (
            ("rewards", functions.rewards, sorted({*times, end})),
            ("moves", functions.moves, [] if fixed_moves else times),
        ):
            for time in when:
                found = function(even, time)
                if states_only and any(_differ(found, function(joint, time), functions.tolerance) for joint in others):
                    raise InputError(
                        f"{functions.name}: states_only does not hold, {what} at time {time} depend on what others do"
                    )
    if fixed_moves and end:
        first = functions.moves(fields[0][0], 0)
        for *_, joint in fields:
            for time in times:
                if _differ(first, functions.moves(joint, time), functions.tolerance):
                    raise InputError(
                        f"{functions.name}: fixed_moves does not hold, moves at time {time} are not those at time 0 "
                        "and mu0"
                    )


def _differ(one: Float64Array, other: Float64Array, tolerance: float) -> bool:
    return bool((np.abs(one - other) > tolerance * max(1.0, float(np.abs(one).max()))).any())
