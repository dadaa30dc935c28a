"""Memories of fixed size: the latest rows (a ring), or a uniform sample of all that were ever shown (a reservoir).

A memory is a value: adding rows gives a new one and leaves the old one as it was. Nothing is copied for that: the
newest holds the tensors, and an older one holds what the next overwrote, so that it can be had back (Baker 1978,
"Shallow binding in Lisp 1.5", CACM 21). Adding n rows costs O(n), and so does going back over them; an older memory
that nobody keeps costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor


class Decisions(NamedTuple):
    """n decisions.

    Attributes:
        observations: [n, D] float32.
        masks: [n, A] bool.
        roles: [n] int64, whose policy decided.
        actions: [n] int64.
    """

    observations: Tensor
    masks: Tensor
    roles: Tensor
    actions: Tensor


class Experience(NamedTuple):
    """n decisions and what came of them, up to the same player's next one.

    Attributes:
        observations: [n, D] float32.
        masks: [n, A] bool.
        roles: [n] int64, whose policy decided.
        actions: [n] int64.
        rewards: [n] float32, discounted by the stage.
        discounts: [n] float32, of the next decision's value; 0 where the game ended.
        next_observations: [n, D] float32; means nothing where the game ended.
        next_masks: [n, A] bool.
    """

    observations: Tensor
    masks: Tensor
    roles: Tensor
    actions: Tensor
    rewards: Tensor
    discounts: Tensor
    next_observations: Tensor
    next_masks: Tensor


RowsT = TypeVar("RowsT", Decisions, Experience)


def blank(kind: type[RowsT], count: int, width: int, actions: int, device: torch.device) -> RowsT:
    """Rows of zeros: D is `width`, A is `actions`."""
    sizes = {"observations": width, "next_observations": width, "masks": actions, "next_masks": actions}
    types = {"masks": torch.bool, "next_masks": torch.bool, "roles": torch.int64, "actions": torch.int64}
    return kind(
        *(
            torch.zeros(
                (count, sizes[name]) if name in sizes else (count,), dtype=types.get(name, torch.float32), device=device
            )
            for name in kind._fields
        )
    )


def rows_of(rows: RowsT, index: Tensor) -> RowsT:
    """Some of the rows."""
    return type(rows)(*(part[index] for part in rows))


class _Store(Generic[RowsT]):
    """One version of the rows: it holds them, or how they differ from a newer version."""

    def __init__(self, rows: RowsT) -> None:
        self._rows: RowsT | None = rows
        self._change: tuple[_Store[RowsT], Tensor, RowsT] | None = None

    def read(self) -> RowsT:
        """The rows, brought back to this version; not to be written to, and gone once another version is read."""
        chain, at = [], self
        while at._rows is None:
            assert at._change is not None
            chain.append(at)
            at = at._change[0]
        for older in reversed(chain):
            assert older._change is not None
            newer, index, before = older._change
            older._rows, newer._rows = newer._rows, None
            assert older._rows is not None
            newer._change = (older, index, rows_of(older._rows, index))
            older._change = None
            _write(older._rows, index, before)
        assert self._rows is not None
        return self._rows

    def written(self, index: Tensor, rows: RowsT) -> _Store[RowsT]:
        """With some rows replaced; `index` [n] has none twice."""
        held = self.read()
        self._change, self._rows = None, None
        newer = _Store(held)
        self._change = (newer, index, rows_of(held, index))
        _write(held, index, rows)
        return newer


def _write(held: RowsT, index: Tensor, rows: RowsT) -> None:
    for part, new in zip(held, rows, strict=True):
        part.index_copy_(0, index, new)


@dataclass(frozen=True)
class Memory(Generic[RowsT]):
    """What both kinds have in common.

    Attributes:
        store: of the rows.
        capacity: most rows.
        count: rows that were ever shown to it.
    """

    store: _Store[RowsT]
    capacity: int
    count: int

    @property
    def size(self) -> int:
        """Rows that it holds; they are the first ones."""
        return min(self.count, self.capacity)

    def sample(self, index: Tensor) -> RowsT:
        """Rows at places [n], from 0 to size - 1."""
        return rows_of(self.store.read(), index)

    def nbytes(self) -> int:
        """Memory held."""
        return sum(part.nbytes for part in self.store.read())

    def to_tree(self) -> dict[str, Any]:
        """As arrays, for a checkpoint."""
        held = self.store.read()
        rows = {name: part[: self.size].cpu().numpy().copy() for name, part in held._asdict().items()}
        return {"count": self.count, "rows": rows}


def memory(rows: RowsT) -> Memory[RowsT]:
    """One that holds nothing yet, of the capacity of blank rows; the rows are the memory's from now on."""
    return Memory(_Store(rows), len(rows[0]), 0)


def from_tree(rows: RowsT, tree: Mapping[str, Any]) -> Memory[RowsT]:
    """What `to_tree` gave, in blank rows of the same capacity."""
    for name, part in rows._asdict().items():
        kept = torch.from_numpy(np.array(tree["rows"][name]))
        part[: len(kept)] = kept.to(part.device)
    return Memory(_Store(rows), len(rows[0]), tree["count"])


def with_latest(held: Memory[RowsT], rows: RowsT) -> Memory[RowsT]:
    """A ring after more rows: they replace the oldest."""
    shown = len(rows[0])
    kept = min(shown, held.capacity)
    device = rows[0].device
    place = (held.count + shown - kept + torch.arange(kept, device=device)) % held.capacity
    latest = rows_of(rows, torch.arange(shown - kept, shown, device=device))
    return Memory(held.store.written(place, latest), held.capacity, held.count + shown)


def with_sample(held: Memory[RowsT], rows: RowsT, draws: torch.Generator) -> Memory[RowsT]:
    """A reservoir after more rows: each of all rows ever shown is in it with the same chance.

    Vitter (1985), "Random sampling with a reservoir", ACM Transactions on Mathematical Software 11, algorithm R.
    """
    shown = len(rows[0])
    number = held.count + 1 + torch.arange(shown)  # the row's, from 1
    drawn = (torch.rand(shown, dtype=torch.float64, generator=draws) * number).long()
    place = torch.where(number <= held.capacity, number - 1, drawn)
    accepted = torch.nonzero(place < held.capacity)[:, 0]
    # Of several rows for one place the last one stays, as if they had come one by one.
    ordered = accepted[torch.argsort(place[accepted], stable=True)]
    last = torch.ones_like(ordered, dtype=torch.bool)
    last[:-1] = place[ordered][1:] != place[ordered][:-1]
    chosen = ordered[last]
    device = rows[0].device
    store = held.store.written(place[chosen].to(device), rows_of(rows, chosen.to(device)))
    return Memory(store, held.capacity, held.count + shown)
