"""What `MeanFieldModel` takes from outside, checked and copied."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eqenvs.arrays import Array, Float64Array, IntArray, read_only
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models.markov_checks import TOLERANCE, integer_array
from eqenvs.models.numbers import finite_array, real_array

if TYPE_CHECKING:
    from eqenvs.models.mean_field import Affine, CommonNoise, MeanFieldModel, Moment, Moments, Operator

MAX_MOMENTS = 1_000_000
MAX_PROBED = 2_000_000  # of an operator's probabilities to look at before a game is accepted
MAX_BOUNDED = 500_000_000  # of an affine transition's
MAX_POLICY = 250_000_000  # numbers in a joint policy, 2 GB


class Parts(NamedTuple):
    """What follows a state and an action, checked."""

    successors: IntArray
    transition: Affine | Operator
    coupling: Float64Array | None


def checked_initial(initial: ArrayLike) -> Float64Array:
    """The populations at time 0, [P, S]."""
    start = real_array("initial", initial)
    if start.ndim == 1:
        start = start[None]
    if start.ndim != 2 or start.size == 0:
        raise InputError(f"initial must have shape [S], or [P, S] for P populations, got {start.shape}")
    good = (start >= 0).all(axis=1) & (np.abs(start.sum(axis=1) - 1) <= TOLERANCE)  # False for NaN too
    if not good.all():
        which = int(np.argmin(good))
        raise InputError(
            f"initial of population {which} must be non-negative and sum to 1, got the sum {start[which].sum():.9g} "
            f"and the least entry {start[which].min():.6g}"
        )
    return start


def checked_transition(
    transition: Any, successors: ArrayLike | None, initial: Float64Array, coupling: ArrayLike | None
) -> Parts:
    """The successors, the probabilities and the coupling."""
    from eqenvs.models.mean_field import Affine

    populations, states = initial.shape
    met = None
    if coupling is not None:
        met = finite_array("coupling", coupling)
        if met.shape != (populations, populations):
            raise InputError(f"coupling must have shape {(populations, populations)}, got {met.shape}")
        met = read_only(met)
    if callable(transition):
        if successors is None:
            raise InputError("successors are needed where transition is a function: [S, A, K], the states that follow")
        return Parts(_checked_successors(successors, states), transition, met)
    affine = transition if isinstance(transition, Affine) else Affine(base=transition)
    base = finite_array("transition", affine.base)
    if base.ndim not in (3, 4):
        raise InputError(f"transition must have shape [S, A, K] or [P, S, A, K], got {base.shape}")
    if successors is None:
        if affine.slope is None and base.ndim == 3 and base.shape[::2] == (states, states):
            check_rows(base[None], "transition")
            listed, base = _sparse(base)
        else:
            listed = np.broadcast_to(np.arange(states), (states, base.shape[-2], states)).copy()
    else:
        listed = _checked_successors(successors, states)
    base = base[None] if base.ndim == 3 else base
    shape = listed.shape
    if base.shape[1:] != shape or base.shape[0] not in (1, populations):
        raise InputError(
            f"transition must have shape {shape} as its successors have, or {(populations, *shape)}, got {base.shape}"
        )
    if (affine.slope is None) != (affine.weight is None):
        raise InputError("transition: slope and weight must be given together")
    slope, weight = np.zeros((0, 1, *shape)), np.zeros((0, states))
    if affine.slope is not None:
        slope, weight = finite_array("slope", affine.slope), finite_array("weight", affine.weight)
        slope = slope[:, None] if slope.ndim == 4 else slope
        if weight.ndim != 2 or weight.shape[1] != states:
            raise InputError(f"weight must have shape [J, {states}], got {weight.shape}")
        fits = slope.ndim == 5 and slope.shape[2:] == shape and len(slope) == len(weight)
        if not fits or slope.shape[1] not in (1, populations):
            raise InputError(
                f"slope must have shape {(len(weight), *shape)} or {(len(weight), populations, *shape)}, got "
                f"{np.shape(affine.slope)}"
            )
        alike = max(base.shape[0], slope.shape[1])
        base = np.broadcast_to(base, (alike, *shape)).copy()
        slope = np.broadcast_to(slope, (len(slope), alike, *shape)).copy()
    return Parts(listed, Affine(base=read_only(base), slope=read_only(slope), weight=read_only(weight)), met)


def _checked_successors(successors: ArrayLike, states: int) -> IntArray:
    listed = integer_array("successors", successors)
    if listed.ndim != 3 or listed.shape[0] != states or 0 in listed.shape:
        raise InputError(f"successors must have shape [{states}, A, K], got {listed.shape}")
    stray = (listed < 0) | (listed >= states)
    if stray.any():
        state, action, _ = (int(i) for i in np.argwhere(stray)[0])
        raise InputError(
            f"successors: state {state}, action {action} leads to state {int(listed[stray][0])}; there are {states}"
        )
    return listed


def _sparse(kernel: Float64Array) -> tuple[IntArray, Float64Array]:
    """The positive entries of [S, A, S] as successors and probabilities, [S, A, K] each."""
    wide = max(1, int((kernel > 0).sum(axis=-1).max()))
    listed = np.argsort(kernel <= 0, axis=-1, kind="stable")[..., :wide]
    return listed.astype(np.int64), np.take_along_axis(kernel, listed, axis=-1)


def check_rows(rows: Array, name: str, where: str = "") -> None:
    """Refuse probabilities [..., S, A, K] that are no distributions over their last axis."""
    array = np.asarray(rows)
    sums = array.sum(axis=-1)
    good = (array >= -TOLERANCE).all(axis=-1) & (np.abs(sums - 1) <= TOLERANCE)  # False for NaN too
    if not good.all():
        place = np.argwhere(~good)[0]
        raise InputError(
            f"{name} must be non-negative and sum to 1 over the successors; of state {int(place[-2])}, action "
            f"{int(place[-1])}{where} the sum is {float(sums[tuple(place)]):.9g}, the least "
            f"{float(array[tuple(place)].min()):.6g}"
        )


def checked_noise(noise: CommonNoise | None, horizon: int | None) -> CommonNoise | None:
    """The common noise, with the kernel as [T - 1, Z, Z]."""
    if noise is None:
        return None
    from eqenvs.models.mean_field import CommonNoise

    if not isinstance(noise, CommonNoise):
        raise InputError(f"noise must be CommonNoise(initial=..., kernel=...) or None, got {type(noise).__name__}")
    if horizon is None:
        raise InputError("noise: common noise needs a game with a horizon")
    initial, kernel = real_array("noise.initial", noise.initial), real_array("noise.kernel", noise.kernel)
    size = len(initial) if initial.ndim == 1 else 0
    if kernel.ndim == 2:
        kernel = np.broadcast_to(kernel, (max(horizon - 1, 0), *kernel.shape))  # a view: T may be large
    if size == 0 or kernel.shape != (horizon - 1, size, size):
        raise InputError(
            f"noise must have initial [Z] and kernel [Z, Z] or [{horizon - 1}, Z, Z], got {initial.shape} and "
            f"{kernel.shape}"
        )
    for name, rows in (("initial", initial), ("kernel", kernel[:1] if kernel.strides[0] == 0 else kernel)):
        if not ((rows >= 0).all() and (np.abs(rows.sum(axis=-1) - 1) <= TOLERANCE).all()):
            raise InputError(f"noise.{name} must be non-negative and sum to 1 over its last axis")
    return type(noise)(initial=read_only(initial), kernel=read_only(kernel))


def moments_of(horizon: int | None, noise: CommonNoise | None) -> Moments:
    """Every time with every history of the noise, level by level."""
    from eqenvs.models.mean_field import Moments

    if horizon is None:
        none = np.zeros(1, dtype=np.int64)
        return Moments(*map(read_only, (none, none, none, np.ones(1), np.ones(1), np.zeros((1, 0), dtype=np.int64))))
    if noise is None:
        time, one = np.arange(horizon), np.ones(horizon)
        parts = (time, np.zeros_like(time), time - 1, one, one, np.zeros((horizon, 0), dtype=np.int64))
        return Moments(*map(read_only, parts))
    initial, kernel = np.asarray(noise.initial), np.asarray(noise.kernel)
    _refuse_many_histories(initial, kernel, horizon)
    state = np.flatnonzero(initial)
    past = np.full((len(state), horizon), -1)
    past[:, 0] = state
    levels = [(np.zeros_like(state), state, np.full(len(state), -1), initial[state], initial[state], past)]
    before = 0
    for t in range(1, horizon):
        _, last, _, _, reach, history = levels[-1]
        origin, state = np.nonzero(kernel[t - 1][last])
        probability = kernel[t - 1][last[origin], state]
        before += len(last)
        past = history[origin].copy()
        past[:, t] = state
        step = (np.full(len(state), t), state, before - len(last) + origin)
        levels.append((*step, probability, reach[origin] * probability, past))
    return Moments(*(read_only(np.concatenate(part)) for part in zip(*levels, strict=True)))


def _refuse_many_histories(initial: Float64Array, kernel: Float64Array, horizon: int) -> None:
    """Count the noise's histories, and the numbers that write them down, before any is laid out."""
    ways = (initial > 0).astype(np.float64)  # of being in each state
    total = ways.sum()
    for t in range(horizon):
        if t > 0:
            ways = ways @ (kernel[t - 1] > 0)
            total += ways.sum()
        if total > MAX_MOMENTS or total * horizon > MAX_POLICY:
            raise GameTooLargeError(
                f"noise: more than {min(MAX_MOMENTS, MAX_POLICY // horizon):,} histories by time {t} of {horizon}; use "
                "a shorter horizon, or a kernel [T - 1, Z, Z] that branches at few times"
            )


def check_size(shape: tuple[int, ...]) -> None:
    """Refuse a policy [M, P, S, A] of more than 250 million numbers, before anything of that size is made."""
    if prod(shape) > MAX_POLICY:
        moments, populations, states, actions = shape
        raise GameTooLargeError(
            f"{moments:,} moments, {populations:,} populations, {states:,} states and {actions:,} actions make a "
            f"policy of {prod(shape):,} numbers, the limit is {MAX_POLICY:,}; use a shorter horizon or fewer states"
        )


def probe(model: MeanFieldModel) -> None:
    """Evaluate the operators where that shows most of what can be wrong.

    Affine transitions are bounded over all mean fields. Others, and rewards, are evaluated at the initial mean field,
    with all mass in one state for as many as is affordable, and at two mean fields at once.
    """
    from eqenvs.models.mean_field import Affine

    affine = isinstance(model.transition, Affine)
    if affine:
        _check_affine(model)
    shape = model.initial.shape
    afford = MAX_PROBED // max(1, shape[0] * model.successors.size)
    corners = [np.broadcast_to(np.eye(1, shape[1], state), shape) for state in range(min(shape[1], afford))]
    first = model.at(0)
    for mean_field in (model.initial, *corners):
        if not affine:
            _probe_kernel(model, mean_field, first)
        reward = np.asarray(model.reward(mean_field, first))
        try:
            np.broadcast_to(reward, (*shape, model.num_actions))
        except ValueError:
            raise InputError(
                f"reward must give arrays that broadcast to {(*shape, model.num_actions)}, got {reward.shape}"
            ) from None
        model.rewards(mean_field, first)
    _probe_batches(model, operators=("reward",) if affine else ("reward", "transition"))


def _check_affine(model: MeanFieldModel) -> None:
    """Refuse probabilities that are none at some mean field.

    With g(s) = sum_j weight[j, s] slope_j they are base + sum_q coupling[p, q] mu_q . g, whose extremes put each
    population's mass into one state.
    """
    base, slope, weight = (np.asarray(getattr(model.transition, name)) for name in ("base", "slope", "weight"))
    check_rows(base, "transition") if not len(slope) else None
    columns = np.unique(weight, axis=1).T if len(slope) else np.zeros((0, 0))
    if not len(columns) or len(columns) * base.size > MAX_BOUNDED:
        return
    least, most = np.full(base.shape, np.inf), np.full(base.shape, -np.inf)
    least_sum, most_sum = np.full(base.shape[:-1], np.inf), np.full(base.shape[:-1], -np.inf)
    for column in columns:
        there = np.tensordot(column, slope, axes=1)
        total = there.sum(axis=-1)
        least, most = np.minimum(least, there), np.maximum(most, there)
        least_sum, most_sum = np.minimum(least_sum, total), np.maximum(most_sum, total)
    coupling = np.ones((1, 1)) if model.coupling is None else model.coupling
    for population, row in enumerate(coupling):
        own = population if len(base) > 1 and len(coupling) > 1 else slice(None)
        for_, against = float(row[row > 0].sum()), float(-row[row < 0].sum())
        low = base[own] + for_ * least[own] - against * most[own]
        sums = base[own].sum(axis=-1)
        off = np.maximum(
            np.abs(sums + for_ * least_sum[own] - against * most_sum[own] - 1),
            np.abs(sums + for_ * most_sum[own] - against * least_sum[own] - 1),
        )
        if (low >= -TOLERANCE).all() and (off <= TOLERANCE).all():
            continue
        state, action = (int(i) for i in np.argwhere((low < -TOLERANCE).any(axis=-1) | (off > TOLERANCE))[0][-2:])
        raise InputError(
            f"transition must be non-negative and sum to 1 at every mean field; of state {state}, action {action} in "
            f"population {population} the least probability is {low[..., state, action, :].min():.6g}, and sums are "
            f"off by {off[..., state, action].max():.6g}"
        )


def _probe_batches(model: MeanFieldModel, operators: tuple[str, ...]) -> None:
    """Refuse operators that do not treat leading axes apart: two mean fields at once, at the first and last moment."""
    fields = np.stack([model.initial, np.roll(model.initial, 1, axis=-1)])
    which = np.array([0, len(model.moments.time) - 1])
    for name in operators:
        operator = getattr(model, name)
        single = [np.asarray(operator(field, model.at(int(k)))) for field, k in zip(fields, which, strict=True)]
        tail = (model.num_actions,) if name == "reward" else model.successors.shape[1:]
        shape = (*model.initial.shape, *tail)
        try:
            together = np.broadcast_to(np.asarray(operator(fields, model.at(which))), (2, *shape))
            good = np.allclose(np.stack([np.broadcast_to(one, shape) for one in single]), together)
        except (ValueError, IndexError, TypeError):
            good = False
        if not good:
            raise InputError(
                f"{name} must take mean fields with leading axes, [..., P, S], and moments [...]; two at once give "
                "other numbers than one after the other"
            )


def _probe_kernel(model: MeanFieldModel, mean_field: Float64Array, moment: Moment) -> None:
    kernel = np.asarray(model.probabilities(mean_field, moment))
    shape = model.successors.shape
    if kernel.shape not in ((1, *shape), (model.num_populations, *shape)):
        raise InputError(f"transition must give [P, S, A, K] arrays, here {(1, *shape)}, got {kernel.shape}")
    check_rows(kernel, "transition", f" at the mean field {_written(mean_field)}")


def _written(mean_field: Array) -> str:
    rows = np.asarray(mean_field)
    text = np.array2string(rows, precision=4, threshold=8, edgeitems=3, separator=", ")
    return " ".join(text.split())


def refuse_rewards(model: MeanFieldModel, reward: Array, mean_field: Array, moment: Moment) -> None:
    """Raise an InputError that names the first reward that is not finite."""
    values, field = np.asarray(reward), np.asarray(mean_field)
    *lead, population, state, action = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
    at = float(field[(*lead, population, state)])
    time = np.broadcast_to(np.asarray(moment.time), tuple(field.shape[:-2]))[tuple(lead)]
    rule = "; a reward must have a limit where nobody is: define it" if at == 0 else ""
    raise InputError(
        f"reward must be finite, got {values[(*lead, population, state, action)]} of population {population}, state "
        f"{state}, action {action} at time {int(time)}, where the mean field is {at:g}{rule}"
    )


def check_mass(model: MeanFieldModel, flow: Float64Array) -> None:
    """Refuse mean fields [M, P, S] that lost or gained mass.

    Raises:
        InputError: naming the first moment where that shows.
    """
    found = np.asarray(flow)
    total, least = found.sum(axis=-1), found.min(axis=-1)
    good = (np.abs(total - 1) <= TOLERANCE) & (least >= -TOLERANCE)  # False for NaN too
    if good.all():
        return
    moment, population = (int(i) for i in np.argwhere(~good)[0])
    raise InputError(
        f"population {population} has mass {total[moment, population]:.12g} at time {int(model.moments.time[moment])}, "
        f"the least {least[moment, population]:.6g}: the probabilities of successors must be non-negative and sum to 1 "
        "at every mean field, and the policy's rows too"
    )
