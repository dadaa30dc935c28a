"""What one case may do: end in time and memory, with a result or one line of an error; run nothing, write nowhere else.

Time is of the processor, so that a busy machine makes no case slow; memory is address space on top of what there is,
which a reader that believes a declared size asks for at once. Linux.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eqenvs.errors import InputError

CPU_SECONDS = 5.0
WALL_SECONDS = 20.0
MEMORY = 2**30  # bytes
LONGEST = 5000  # characters of a message
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "socket.connect")
_CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.link", "os.truncate", "shutil.rmtree")
_UNPICKLED = ("os.system", "posix.system", "builtins.exec", "builtins.eval")
_CACHES = (".pyc", ".nbi", ".nbc", ".lock")


class _TooSlow(BaseException):
    """The case took too long."""


class _Audit:
    """What the interpreter says that a case does; a hook cannot be taken out again, so there is one for all."""

    def __init__(self) -> None:
        self.allowed: Path | None = None
        self.seen: list[str] = []
        self._hooked = False

    def begin(self, allowed: Path) -> None:
        """From now on; files may be made in a directory."""
        if not self._hooked:
            sys.addaudithook(self._hear)
            self._hooked = True
        self.seen.clear()
        self.allowed = allowed.resolve()

    def end(self) -> None:
        """Till now."""
        self.allowed = None

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.allowed is None:
            return
        if event in _RUNS or (event == "pickle.find_class" and ".".join(arguments) in _UNPICKLED):
            self.seen.append(f"{event} {arguments[:2]!r}"[:200])
        elif event == "open":
            path, mode, flags = arguments
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if mode is None else set(mode) & set("wax+")
            if writes:
                self._written(event, path)
        elif event in _CHANGES:
            self._written(event, arguments[0])

    def _written(self, event: str, path: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        file = os.fsdecode(path)
        inside = os.path.realpath(file).startswith(str(self.allowed)) or file == os.devnull
        if not inside and "__pycache__" not in file and not file.endswith(_CACHES):
            self.seen.append(f"{event} {file}"[:200])


_AUDIT = _Audit()


def fault_of(case: Callable[[], Any], names: Sequence[str], directory: Path) -> tuple[str, str | None]:
    """What a case came to, and what is wrong with it.

    Args:
        case: it.
        names: of which an error's message must have one: files, keys.
        directory: where it may write.

    Returns:
        "valid", "refused" or "fault"; of a fault, what and where.
    """
    outcome, fault = "valid", None
    _AUDIT.begin(directory)
    try:
        with _limits():
            case()
    except InputError as error:
        outcome, message = "refused", str(error)
        if not message.strip() or len(message.splitlines()) != 1:
            fault = f"message of {len(message.splitlines())} lines: {message!r}"
        elif len(message) > LONGEST:
            fault = f"message of {len(message):,} characters: {message[:80]!r}"
        elif not any(name in message for name in names):
            fault = f"message names neither file nor key: {message[:200]!r}"
        if fault is not None:
            fault += f" {_place(error)}"
    except (_TooSlow, MemoryError) as error:
        what = f"over {CPU_SECONDS:g} s" if isinstance(error, _TooSlow) else f"over {MEMORY >> 20} MiB"
        fault = f"{what} {_place(error)}"
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        fault = f"{type(error).__name__}: {str(error)[:150]!r} {_place(error)}"
    finally:
        _AUDIT.end()
    if _AUDIT.seen:
        fault = f"ran or wrote: {_AUDIT.seen[0]}"
    return ("fault" if fault is not None else outcome), fault


def _place(error: BaseException) -> str:
    """The last frames, of files below the packages."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/eqagents/" in f.filename or "/eqenvs/" in f.filename or "/eqsolvers/" in f.filename]
    ours = [f for f in ours if "_fuzz_" not in f.filename]
    at = [f"{'/'.join(Path(f.filename).parts[-3:])}:{f.lineno}" for f in ours[-2:]]
    return f"at {' > '.join(at) or '(outside)'}"


@contextmanager
def _limits() -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise _TooSlow

    signals = (signal.SIGPROF, signal.SIGALRM)
    before = [signal.signal(each, stop) for each in signals]
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)
