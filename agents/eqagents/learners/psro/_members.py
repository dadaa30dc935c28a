"""Populations as tasks receive them: every policy is evaluated and published once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eqagents.distributed import Flow, Handle, Job, Task, Work
from eqagents.learners.psro._population import MAKE
from eqagents.learners.psro._responses import MEMBER_PHASE
from eqagents.oracles import Member
from eqagents.policies import PolicyRecord, to_table
from eqenvs.arrays import IntArray
from eqenvs.game import Game


class Made(NamedTuple):
    """A member, and where tasks find it."""

    member: Member
    handle: Handle


class Members:
    """The members of a run's populations; they follow from the records, so nothing here belongs to a state.

    Args:
        game: the game.
        handle: of the published game.
        flow: of the tasks that make members.
        tabulated: whether members have tables.
        shared: per player, the information set of player 0 that each of its own is, where all play by the policies of
            player 0; None where players have policies of their own.
    """

    def __init__(
        self,
        game: Game,
        handle: Handle,
        flow: Flow,
        *,
        tabulated: bool,
        shared: Sequence[IntArray] | None = None,
    ) -> None:
        self._game, self._handle, self._flow = game, handle, flow
        self._tabulated, self._shared = tabulated, shared
        # By player and identity of the record, which is kept so that no other object can have it.
        self._made: dict[tuple[int, int], tuple[PolicyRecord, Job[Made]]] = {}

    def handles(self, populations: Sequence[Sequence[PolicyRecord]], iteration: int) -> Work[list[list[Handle]]]:
        """A handle for every member of every population; new members are made and published first."""
        jobs = self._jobs(populations, iteration)
        waited = [job for own in jobs for job in own if not job.finished]
        if waited:
            yield waited
        return [[job.result().handle for job in own] for own in jobs]

    def members(self, populations: Sequence[Sequence[PolicyRecord]]) -> list[list[Member]]:
        """The members themselves."""
        return [[self._flow.finish(job).member for job in own] for own in self._jobs(populations, 0)]

    def forget(self, populations: Sequence[Sequence[PolicyRecord]]) -> None:
        """Nobody will ask for these again."""
        for player, own in enumerate(populations):
            for record in own:
                self._made.pop((player, id(record)), None)

    def _jobs(self, populations: Sequence[Sequence[PolicyRecord]], iteration: int) -> list[list[Job[Made]]]:
        return [
            [self._job(player, k, record, iteration) for k, record in enumerate(own)]
            for player, own in enumerate(populations)
        ]

    def _job(self, player: int, place: int, record: PolicyRecord, iteration: int) -> Job[Made]:
        """Of a member that is made, or is being made."""
        found = self._made.get((player, id(record)))
        if found is None:
            job = self._flow.start(self._make(player, place, record, iteration), iteration)
            found = self._made[player, id(record)] = record, job
        return found[1]

    def _make(self, player: int, place: int, record: PolicyRecord, iteration: int) -> Work[Made]:
        owner, rows = (player, None) if self._shared is None else (0, self._shared[player])
        table = to_table(record, self._game, owner) if self._tabulated else None
        if table is not None:  # it is one already: nothing to evaluate
            member = Member(record, table if rows is None else table[rows])
        else:
            arguments = {
                "game": self._handle,
                "record": record,
                "player": owner,
                "tabulated": self._tabulated,
                "rows": rows,
            }
            (member,) = yield [Task((iteration, MEMBER_PHASE, player, place), MAKE, arguments)]
        return Made(member, self._flow.executor.publish(member))
