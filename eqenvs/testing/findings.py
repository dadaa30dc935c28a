"""Checks by name, run either until the first fails or all of them, one finding each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Literal

Status = Literal["pass", "fail", "skipped"]
Demand = Literal["PettingZoo", "stricter", "eqenvs"]


class NotApplicable(Exception):  # noqa: N818 - not an error: the check has nothing to look at
    """Raised by a check that does not apply; the message says why."""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: its name.
        status: "pass", "fail" or "skipped".
        message: the defect, the reason for skipping, or a detail of what was looked at; one line.
        demand: who asks for it: PettingZoo's tests and written API, this suite beyond them, or eqenvs of its own games.
    """

    check: str
    status: Status
    message: str = ""
    demand: Demand = "stricter"

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Check:
    """A named check.

    Attributes:
        name: unique in its list.
        run: raises AssertionError at a defect and `NotApplicable` where there is nothing to check; it may return a
            detail of what was looked at.
        demand: see `Finding`.
    """

    name: str
    run: Callable[[], str | None]
    demand: Demand = "stricter"


def prefixed(prefix: str, checks: Iterable[Check]) -> list[Check]:
    """The checks as "prefix.name"."""
    return [replace(check, name=f"{prefix}.{check.name}") for check in checks]


def run_checks(checks: Iterable[Check]) -> list[Finding]:
    """Run every check; whatever one raises is its finding."""
    return [_found(check) for check in checks]


def raise_first(checks: Iterable[Check]) -> None:
    """Run the checks in order.

    Raises:
        AssertionError: at the first defect; what else a check raises comes through as it is.
    """
    for check in checks:
        try:
            check.run()
        except NotApplicable:
            continue


def _found(check: Check) -> Finding:
    status: Status
    try:
        status, message = "pass", check.run() or ""
    except NotApplicable as reason:
        status, message = "skipped", str(reason)
    except AssertionError as error:
        status, message = "fail", str(error)
    except Exception as error:
        status, message = "fail", f"{type(error).__name__}: {error}"
    return Finding(check.name, status, " ".join(message.split()), check.demand)
