"""Populations as tasks receive them: every policy is evaluated and published once."""

from __future__ import annotations

from collections.abc import Sequence

from eqagents.distributed import Executor, Handle, Task, run_ordered
from eqagents.learners.psro._population import Member
from eqagents.policies import PolicyRecord, to_table
from eqenvs.arrays import IntArray
from eqenvs.game import Game

MAKE = "eqagents.learners.psro._population:make_member"


class Members:
    """The members of a run's populations; they follow from the records, so nothing here belongs to a state.

    Args:
        game: the game.
        handle: of the published game.
        executor: of the tasks that make members.
        tabulated: whether members have tables.
        phase: of those tasks, in their keys.
        shared: per player, the information set of player 0 that each of its own is, where all play by the policies of
            player 0; None where players have policies of their own.
    """

    def __init__(
        self,
        game: Game,
        handle: Handle,
        executor: Executor,
        *,
        tabulated: bool,
        phase: int,
        shared: Sequence[IntArray] | None = None,
    ) -> None:
        self._shared = shared
        self._game, self._handle, self._executor = game, handle, executor
        self._tabulated, self._phase = tabulated, phase
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
        tasks = []
        for p, k in new:
            record, owner = populations[p][k], p if self._shared is None else 0
            rows = None if self._shared is None else self._shared[p]
            table = to_table(record, self._game, owner) if self._tabulated else None
            if table is not None:  # it is one already: nothing to evaluate
                self._keep(p, record, Member(record, table if rows is None else table[rows]))
                continue
            arguments = {
                "game": self._handle,
                "record": record,
                "player": owner,
                "tabulated": self._tabulated,
                "rows": rows,
            }
            tasks.append(Task((iteration, self._phase, p, k), MAKE, arguments))
        for task, member in zip(tasks, run_ordered(self._executor, tasks), strict=True):
            _, _, p, k = task.key
            self._keep(p, populations[p][k], member)
        return [[self._made[p, id(record)] for record in own] for p, own in enumerate(populations)]

    def _keep(self, player: int, record: PolicyRecord, member: Member) -> None:
        self._made[player, id(record)] = record, member, self._executor.publish(member)
