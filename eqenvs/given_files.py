"""Files that a user names: read whole and within bounds, or refused in one line."""

from __future__ import annotations

from pathlib import Path

from eqenvs.errors import InputError

MAX_BYTES = 1 << 30


def read_bytes(path: str | Path) -> bytes:
    """What is in a file.

    Raises:
        InputError: it cannot be read, is no regular file, or has more than 1 GiB.
    """
    try:
        place = Path(path)
        if place.exists() and not place.is_file():  # a pipe would be waited for, a device may have no end
            raise InputError(f"{path}: cannot be read: it is not a regular file")
        if place.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: cannot be read: it has more than {MAX_BYTES >> 20} MiB")
        return place.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except InputError:
        raise
    except ValueError:  # null characters, lone surrogates
        raise InputError(f"{path!r}: cannot be read: no file can have this name") from None


def read_text(path: str | Path) -> str:
    """The text in a file, in UTF-8; a mark at its beginning, which some editors write, is left out.

    Raises:
        InputError: as `read_bytes`, or it is no such text.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: cannot be read: it is no UTF-8 text") from None
