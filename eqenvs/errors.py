"""Errors that a user can cause, each with a message of one line: what, where, the rule, the nearest valid choice.

Everything here is a `ValueError`; the command line turns an `InputError` into that line and exit status 2, and lets
any other exception through with its traceback, because it is a defect of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_MESSAGE = 4000  # characters; listings of everything known fit


class InputError(ValueError):
    r"""Bad input: the message alone tells the user what to change.

    Messages quote file names, keys and values that may come from anywhere. So a message is one line whatever they hold:
    line breaks and other characters that do not print, such as a terminal's control codes, are written as escapes, and
    what is too long is cut.

    >>> print(InputError(f"no file a{chr(10)}b"))
    no file a\nb
    """

    def __str__(self) -> str:
        text = super().__str__()
        if len(text) > MAX_MESSAGE:
            text = f"{text[:MAX_MESSAGE]}.. ({len(text):,} characters)"
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


class UnknownNameError(InputError):
    """A name (game, parameter, learner, method, config key) that is not registered."""


class UnsupportedGame(InputError):  # noqa: N818 - a statement about the game, named in the contract
    """A method or a score was asked of a game class that it does not cover."""


class GameTooLargeError(InputError):
    """Exact enumeration would pass the stated limit."""


class GameDefinitionError(InputError):
    """Rules or a model break their contract (imperfect recall, probabilities off the simplex, merged masks)."""


class PolicyError(InputError):
    """A policy misses an information set, or gives probabilities that are not a distribution over legal actions."""


class IllegalActionError(InputError):
    """An action that the mask forbids, or an action after the end."""


class CheckpointError(InputError):
    """A checkpoint or run directory that is missing, corrupt, or belongs to something else."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint naming the known name closest to `name`, or all of them when nothing is close.

    >>> nearest("leduc", ["kuhn_poker", "leduc_poker"])
    "did you mean 'leduc_poker'?"
    >>> nearest("zzz", ["b", "a"])
    'known: a, b'
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if not close:
        close = [candidate for candidate in names if name and (name in candidate or candidate in name)][:1]
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a `kind` of thing called `name` that does not exist."""
    return UnknownNameError(f"unknown {kind} {name!r}; {nearest(name, known)}")
