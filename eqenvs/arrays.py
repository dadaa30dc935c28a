"""Array helpers for rules that run unchanged on numpy and on torch (CPU or GPU).

Rules are written against the namespace of their inputs (`xp = namespace(x)`, the Python array API standard), so nothing
here or in a game's file imports torch. A *state* is a `NamedTuple` of arrays that share the leading batch axis.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import array_api_compat
import numpy as np
from numpy.typing import NDArray

from eqenvs.errors import InputError

Array: TypeAlias = Any  # an array of either library; shapes are given in comments and docstrings
StateT = TypeVar("StateT", bound=tuple[Any, ...])

Float64Array: TypeAlias = NDArray[np.float64]
Float32Array: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]


_NUMPY = array_api_compat.array_namespace(np.zeros(0))


def namespace(array: Array) -> Any:
    """The array-API namespace that the array belongs to."""
    # The general look-up costs as much as a small array's arithmetic, and most batches of one are numpy.
    return _NUMPY if type(array) is np.ndarray else array_api_compat.array_namespace(array)


def device_of(array: Array) -> Any:
    """The device an array lives on, to be passed as `device=`."""
    return None if type(array) is np.ndarray else array_api_compat.device(array)


def everywhere(like: Array, value: int) -> Array:
    """[B] int64, `value` in every row of the batch that `like` [B, ...] belongs to."""
    xp = namespace(like)
    return xp.full((like.shape[0],), value, dtype=xp.int64, device=device_of(like))


def one_hot(index: Array, size: int) -> Array:
    """Boolean one-hot of `index` ([...] int) over `size` classes; all False where the index is outside [0, size)."""
    xp = namespace(index)
    return index[..., None] == xp.arange(size, device=device_of(index))


def take_along(values: Array, index: Array) -> Array:
    """`values[b, index[b]]` for values [B, M] and index [B] int in [-M, M); negative ones count from the end."""
    xp = namespace(values)
    return values[xp.arange(values.shape[0], device=device_of(values)), index]


def put_along(values: Array, index: Array, new: Array, where: Array) -> Array:
    """A copy of `values` [B, M] with `values[b, index[b]] = new[b]` in the rows where `where` [B] holds."""
    xp = namespace(values)
    return xp.where(one_hot(index, values.shape[1]) & where[:, None], new[:, None], values)


def map_state(function: Callable[[Array], Array], state: StateT) -> StateT:
    """Apply `function` to every array of a state."""
    return type(state)(*(function(field) for field in state))


def take_rows(state: StateT, rows: Array) -> StateT:
    """The sub-batch of `rows`: new arrays for indices [M] int, views for a slice."""
    return map_state(lambda field: field[rows], state)


def joined_rows(states: Sequence[StateT]) -> StateT:
    """The rows of one or more batches, one batch after the other."""
    return type(states[0])(*(namespace(fields[0]).concat(fields) for fields in zip(*states, strict=True)))


def scatter(values: Array, rows: Array, new: Array) -> Array:
    """A copy of `values` [B, ...] whose `rows` ([M] int) are `new` [M, ...]."""
    copy = values.copy() if type(values) is np.ndarray else namespace(values).asarray(values, copy=True)
    copy[rows] = new
    return copy


def put_rows(state: StateT, rows: Array, new: StateT) -> StateT:
    """A copy of `state` whose `rows` ([M] int) are replaced by the batch `new`."""
    return type(state)(*(scatter(field, rows, values) for field, values in zip(state, new, strict=True)))


class Constants:
    """Constant arrays that rules and models look things up in, copied to each library and device once.

    Whole numbers become int64, others float64 or bool.
    """

    def __init__(self, **arrays: Any) -> None:
        found = {name: np.asarray(array) for name, array in arrays.items()}
        kinds = {"i": np.int64, "u": np.int64, "f": np.float64, "b": np.bool_}
        self._arrays: dict[str, Array] = {name: array.astype(kinds[array.dtype.kind]) for name, array in found.items()}
        self._copies: dict[tuple[str, str, str], Array] = {}

    def on(self, name: str, like: Array) -> Array:
        """The array called `name`, where `like` lives."""
        if type(like) is np.ndarray:
            return self._arrays[name]
        xp, device = namespace(like), device_of(like)
        where = (name, xp.__name__, str(device))
        if where not in self._copies:
            self._copies[where] = xp.asarray(self._arrays[name], device=device)
        return self._copies[where]


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same memory as a view that refuses writes."""
    view = array.view()
    view.flags.writeable = False
    return view


class RandomStream(Protocol):
    """The one source of randomness of a batch of games."""

    def uniform(self, size: int) -> Array:
        """`size` independent numbers in [0, 1), float64, on the stream's device."""


class Backend(NamedTuple):
    """Where a batch of games lives: an array namespace, a device and a maker of random streams."""

    xp: Any
    device: Any
    stream: Callable[[int | None], RandomStream]


def _checked_seed(seed: int | None) -> int | None:
    if seed is not None and (not isinstance(seed, int | np.integer) or seed < 0):
        raise InputError(f"a seed must be a non-negative integer or None, got {seed!r}")
    return seed


class _NumpyStream:
    def __init__(self, seed: int | None) -> None:
        self._generator = np.random.default_rng(_checked_seed(seed))

    def uniform(self, size: int) -> Array:
        return self._generator.random(size)


class _TorchStream:
    def __init__(self, torch: Any, device: Any, seed: int | None) -> None:
        self._torch, self._device = torch, device
        self._generator = torch.Generator(device=device)
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(_checked_seed(seed))

    def uniform(self, size: int) -> Array:
        return self._torch.rand(size, dtype=self._torch.float64, device=self._device, generator=self._generator)


def make_backend(device: str = "cpu", library: str | None = None) -> Backend:
    """The backend for a device name.

    Args:
        device: "cpu", or a torch device such as "cuda" or "cuda:1".
        library: "numpy" or "torch"; default numpy on "cpu" and torch elsewhere.

    Raises:
        InputError: if the library is unknown, numpy is asked for a device other than "cpu", or the device is absent.
    """
    chosen = library or ("numpy" if device == "cpu" else "torch")
    if chosen == "numpy":
        if device != "cpu":
            raise InputError(f"backend 'numpy' runs on device 'cpu' only, not {device!r}; use library='torch'")
        return Backend(_NUMPY, None, _NumpyStream)
    if chosen != "torch":
        raise InputError(f"unknown array library {chosen!r}; known: numpy, torch")
    torch = importlib.import_module("torch")
    place = require_torch_device(torch, device)
    return Backend(namespace(torch.zeros(0)), place, lambda seed: _TorchStream(torch, place, seed))


def require_torch_device(torch: Any, device: str) -> Any:
    """The torch device called `device`, or an InputError naming the devices that this machine has."""
    present = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        present.append("mps")
    try:
        place = torch.device(device)
    except RuntimeError:
        raise InputError(f"unknown device {device!r}; present: {', '.join(present)}") from None
    if place.type != "cpu" and place.type not in {name.split(":")[0] for name in present}:
        raise InputError(f"device {device!r} is absent; present: {', '.join(present)}")
    if place.index is not None and place.type == "cuda" and place.index >= torch.cuda.device_count():
        raise InputError(f"device {device!r} is absent; present: {', '.join(present)}")
    return place


def sample_categorical(probabilities: Array, uniform: Array) -> Array:
    """One draw per row by inversion.

    Args:
        probabilities: [B, M] float64, rows non-negative with a positive sum (they need not be normalised).
        uniform: [B] float64 in [0, 1).

    Returns:
        [B] int64; never an index of zero probability.
    """
    xp = namespace(probabilities)
    cumulative = xp.cumulative_sum(probabilities, axis=1)
    threshold = uniform[:, None] * cumulative[:, -1:]
    draw = xp.sum(xp.astype(cumulative <= threshold, xp.int64), axis=1)
    # u * total can round up to total itself: then the draw is the last outcome with positive probability.
    last = probabilities.shape[1] - 1 - xp.argmax(xp.astype(xp.flip(probabilities, axis=1) > 0, xp.int64), axis=1)
    return xp.minimum(draw, last)


def sum_by_index(values: Array, index: Array, size: int) -> Array:
    """Sums over the last axis by where its entries belong, [..., size], from [..., E] and [E] int64 in [0, size).

    On a GPU the order of summation, and so the last bit, is not fixed.
    """
    xp = namespace(values)
    if xp is not _NUMPY:
        flat = xp.reshape(values, (-1, values.shape[-1]))
        none = xp.zeros((flat.shape[0], size), dtype=values.dtype, device=device_of(values))
        return xp.reshape(none.index_add(1, index, flat), (*values.shape[:-1], size))
    order = np.argsort(index, kind="stable")
    there, first = np.unique(index[order], return_index=True)
    sums = np.zeros((*values.shape[:-1], size), dtype=values.dtype)
    sums[..., there] = np.add.reduceat(values[..., order], first, axis=-1)
    return sums


def cumulative_by_row(start: IntArray, probability: Float64Array) -> Float64Array:
    """Probabilities [E] summed up within each row, read-only; row r has the entries start[r] to start[r + 1]."""
    before = np.concatenate([[0.0], np.cumsum(probability)])
    within: Float64Array = before[1:] - np.repeat(before[start[:-1]], np.diff(start))
    within[start[1:][np.diff(start) > 0] - 1] = 1.0  # rounding must leave no gap at the end
    return read_only(within)


def joint_play(strategies: Sequence[Float64Array]) -> Float64Array:
    """Independent play as distributions over joint actions: rows [B, A_p] of each player, [B, A_0, ..., A_{N-1}]."""
    joint = strategies[0]
    for own in strategies[1:]:
        joint = joint[..., None] * own.reshape(len(own), *(1,) * (joint.ndim - 1), -1)
    return joint
