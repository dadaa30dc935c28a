"""Trees of plain values and arrays as JSON and raw bytes, which read back to the bit. Nothing is ever pickled.

In JSON None, bool, int, str and finite floats stand for themselves (JSON keeps integers of any size, and Python writes
the shortest decimal that reads back to the same float); everything else is an object with one key: `dict`, `list` and
`tuple` hold their items, `float` the hexadecimal bits of a NaN or infinity, `array` and `scalar` the name of an array.
Arrays are raw bytes with dtype and shape beside them, which keeps every dtype, memory order aside; an array that is
read back is a fresh, writable, C-contiguous one.
"""

from __future__ import annotations

import io
import json
import math
import struct
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from eqenvs.npz import read_npz


def split(tree: Any) -> tuple[Any, bytes]:
    """The JSON form of a tree, and its arrays as an `.npz` file.

    Raises:
        TypeError: the tree holds something else than None, bool, int, float, str, lists, tuples, dicts with str keys,
            plain arrays and scalars of any dtype without Python objects; the message says where.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    structure = _encode(tree, "tree", arrays)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: _raw(array) for name, array in arrays.items()})
    return structure, buffer.getvalue()


def joined(structure: Any, arrays: bytes) -> Any:
    """The tree that `split` was given; it takes no more memory than a few times what it is made from.

    Raises:
        ValueError: these are none, or do not fit.
    """
    try:
        return _decode(structure, read_npz(io.BytesIO(arrays), len(arrays)))
    except (
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        SyntaxError,
        struct.error,
    ) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def packed(tree: Any) -> tuple[str, bytes]:
    """`split` with the JSON as text."""
    structure, arrays = split(tree)
    return json.dumps(structure, allow_nan=False), arrays


def unpacked(structure: str, arrays: bytes) -> Any:
    """The tree that `packed` was given.

    Raises:
        ValueError: these are none, or do not fit.
    """
    try:
        return joined(json.loads(structure), arrays)
    except (TypeError, RecursionError) as error:  # of another type, or nested too deeply
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _encode(value: Any, where: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """The JSON form of a subtree; its arrays are added to `arrays`."""
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.hasobject:
            raise TypeError(f"{where}: a checkpoint cannot hold arrays of Python objects")
        if type(value) is not np.ndarray and isinstance(value, np.ndarray):
            raise TypeError(f"{where}: a checkpoint cannot hold {type(value).__name__}; convert it to a plain array")
        name = f"a{len(arrays)}"
        arrays[name] = np.asarray(value)
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: [name, npy_format.dtype_to_descr(value.dtype), list(value.shape)]}
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": struct.pack(">d", value).hex()}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_encode(item, f"{where}[{i}]", arrays) for i, item in enumerate(value)]}
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                raise TypeError(f"{where}: keys must be str, got {key!r}")
        return {"dict": {key: _encode(item, f"{where}[{key!r}]", arrays) for key, item in value.items()}}
    raise TypeError(f"{where}: a checkpoint cannot hold {type(value).__name__}")


def _decode(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dict":
        return {key: _decode(item, arrays) for key, item in content.items()}
    if kind == "list":
        return [_decode(item, arrays) for item in content]
    if kind == "tuple":
        return tuple(_decode(item, arrays) for item in content)
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(content))[0]
    name, descriptor, shape = content
    # Each array is taken once: a structure that names one again and again would stand for more than there is.
    array = np.ndarray(tuple(shape), npy_format.descr_to_dtype(_tuples(descriptor)), buffer=arrays.pop(name).data)
    if kind == "array":
        return array
    if kind == "scalar":
        return array[()]
    raise ValueError(f"unknown kind {kind!r}")


def _raw(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(array.tobytes(), dtype=np.uint8)


def _tuples(descriptor: Any) -> Any:
    """A structured dtype's fields as the tuples that numpy asks for; JSON made lists of them."""
    if not isinstance(descriptor, list):
        return descriptor
    return [tuple(_field(part) for part in entry) for entry in descriptor]


def _field(part: Any) -> Any:
    if isinstance(part, list):
        return _tuples(part) if part and isinstance(part[0], list) else tuple(part)
    return part
