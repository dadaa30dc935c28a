"""Arrays in an `.npz` file that nobody vouches for: nothing is unpickled, and what is allocated is bounded.

A file may declare arrays that are far larger than itself, by compression or by their headers alone; both are looked at
before anything is allocated. Cost: the file is read once.
"""

from __future__ import annotations

import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

_FAULTS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, struct.error, LookupError,
    RuntimeError,  # members that are encrypted, and methods of compression that are not known
    tokenize.TokenError, SyntaxError, TypeError, OverflowError, MemoryError,  # headers that are no Python literals
)  # fmt: skip
_HEADERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


def read_npz(file: IO[bytes], max_bytes: int) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays, writable, by name.

    Args:
        file: open, and can be searched.
        max_bytes: that all members may have together when unpacked, headers included.

    Raises:
        ValueError: the file is none, is damaged, or holds too much or Python objects.

    >>> buffer = io.BytesIO()
    >>> np.savez(buffer, one=np.arange(3))
    >>> read_npz(buffer, 1000)
    {'one': array([0, 1, 2])}
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > max_bytes:
                raise ValueError(f"its arrays take {total:,} bytes, at most {max_bytes:,} are expected")
            return {
                member.filename.removesuffix(".npy"): _array(archive.read(member), repr(member.filename))
                for member in members
            }
    except _FAULTS as error:
        raise ValueError(f"it is no npz file ({error})") from error


def read_array(data: bytes) -> np.ndarray[Any, Any]:
    """The array, writable, of an `.npy` file's bytes.

    Raises:
        ValueError: they are none, are damaged, or hold Python objects.
    """
    try:
        return _array(data, "it")
    except _FAULTS as error:
        raise ValueError(f"it is no npy file ({error})") from error


def _array(data: bytes, name: str) -> np.ndarray[Any, Any]:
    stream = io.BytesIO(data)
    reader = _HEADERS.get(npy_format.read_magic(stream))
    if reader is None:
        raise ValueError(f"{name} has an unknown version")
    shape, fortran, dtype = reader(stream)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects")
    there = len(data) - stream.tell()
    if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize != there:
        raise ValueError(f"{name} declares {dtype} {shape}, which are not its {there} bytes")
    return np.ndarray(shape, dtype, buffer=bytearray(data[stream.tell() :]), order="F" if fortran else "C")
