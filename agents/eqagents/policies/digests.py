"""Which records of policies are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from eqagents.policies.records import PolicyRecord


def digest(record: PolicyRecord) -> str:
    """Equal for records that are equal to the bit."""
    found = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, Mapping):
            for key in part:
                found.update(f"{key}:".encode())
                add(part[key])
        elif isinstance(part, np.ndarray):
            found.update(f"{part.dtype.str}{part.shape}".encode())
            found.update(np.ascontiguousarray(part).tobytes())
        elif isinstance(part, list | tuple):
            found.update(f"[{len(part)}".encode())
            for each in part:
                add(each)
        else:
            found.update(repr(part).encode())

    add(record)
    return found.hexdigest()


class Marks:
    """The digests of records that are asked for again and again."""

    def __init__(self) -> None:
        # By identity of the record, which is kept so that no other object can have it.
        self._found: dict[int, tuple[PolicyRecord, str]] = {}

    def __call__(self, record: PolicyRecord) -> str:
        """See `digest`."""
        if id(record) not in self._found:
            self._found[id(record)] = record, digest(record)
        return self._found[id(record)][1]

    def keep(self, records: Iterable[PolicyRecord]) -> None:
        """Forget all others: nobody will ask for them again."""
        self._found = {id(each): self._found[id(each)] for each in records if id(each) in self._found}
