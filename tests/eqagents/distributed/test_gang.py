"""Gangs of processes without Ray: what is tried again."""

from __future__ import annotations

import pytest

from eqagents.distributed import gang
from eqenvs.errors import InputError


class Meets:
    """In place of a gang: its members do not meet until a number of attempts."""

    attempts = 0
    needed = 2
    size = 2

    def __init__(self, size: int, actor: object) -> None:
        del actor
        assert size == self.size
        Meets.attempts += 1
        if Meets.attempts < self.needed:
            raise gang.NotJoinedError("address already in use")

    def run(self, tasks: list[str], seed: int, objects: list[dict[str, object]]) -> list[str]:
        return tasks


def test_members_that_do_not_meet_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gang, "Gang", Meets)
    monkeypatch.setattr(Meets, "attempts", 0)
    gangs = gang.Gangs(None, retries=1)
    assert gangs.run(["a", "b"], 0, [{}, {}]) == ["a", "b"]  # type: ignore[list-item]
    assert Meets.attempts == 2


def test_members_that_never_meet_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gang, "Gang", Meets)
    monkeypatch.setattr(Meets, "attempts", -10)
    with pytest.raises(InputError, match="the 2 processes were lost 2 times"):
        gang.Gangs(None, retries=1).run(["a", "b"], 0, [{}, {}])  # type: ignore[list-item]
