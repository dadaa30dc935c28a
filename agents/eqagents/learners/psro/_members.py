"""Populations as tasks receive them: every policy is evaluated and published once."""

from __future__ import annotations

from collections.abc import Sequence

from eqagents.distributed import Executor, Handle, Task, run_ordered
from eqagents.learners.psro._population import Member
from eqagents.policies import PolicyRecord
from eqenvs.arrays import IntArray

MAKE = "eqagents.learners.psro._population:make_member"


class Members:
    """The members of a run's populations; they follow from the records, so nothing here belongs to a state.

    Args:
        game: the published game.
        executor: of the tasks that make members.
        tabulated: whether members have tables.
        phase: of those tasks, in their keys.
        shared: per player, the information set of player 0 that each of its own is, where all play by the policies of
            player 0; None where players have policies of their own.
    """

    def __init__(
        self,
        game: Handle,
        executor: Executor,
        *,
        tabulated: bool,
        phase: int,
        shared: Sequence[IntArray] | None = None,
    ) -> None:
        self._shared = shared
        self._game, self._executor, self._tabulated, self._phase = game, executor, tabulated, phase
        # By player and identity of the record, which is kept so that no other object can have it.
        self._made: dict[tuple[int, int], tuple[PolicyRecord, Member, Handle]] = {}

    def handles(self, populations: Sequence[Sequence[PolicyRecord]], iteration: int) -> list[list[Handle]]:
        """A handle for every member of every population; new members are made and published first."""
        return [[made[2] for made in own] for own in self._entries(populations, iteration)]

    def members(self, populations: Sequence[Sequence[PolicyRecord]], iteration: int) -> list[list[Member]]:
        """The members themselves."""
        return [[made[1] for made in own] for own in self._entries(populations, iteration)]

    def _entries(
        self, populations: Sequence[Sequence[PolicyRecord]], iteration: int
    ) -> list[list[tuple[PolicyRecord, Member, Handle]]]:
        new = [
            (p, k)
            for p, population in enumerate(populations)
            for k, record in enumerate(population)
            if (p, id(record)) not in self._made
        ]
        tasks = [
            Task(
                (iteration, self._phase, p, k),
                MAKE,
                {
                    "game": self._game,
                    "record": populations[p][k],
                    "player": p if self._shared is None else 0,
                    "tabulated": self._tabulated,
                    "rows": None if self._shared is None else self._shared[p],
                },
            )
            for p, k in new
        ]
        for (p, k), member in zip(new, run_ordered(self._executor, tasks), strict=True):
            record = populations[p][k]
            self._made[p, id(record)] = record, member, self._executor.publish(member)
        return [[self._made[p, id(record)] for record in own] for p, own in enumerate(populations)]
