"""PettingZoo's own tests, with those of its warnings as errors that are no matter of style."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pettingzoo

from eqenvs.testing._differences import difference
from eqenvs.testing._faces import Face, guarded, walk
from eqenvs.testing._subject import Subject
from eqenvs.testing.findings import Check, NotApplicable

PETTINGZOO = Path(pettingzoo.__file__).parent
HEADLESS = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"}  # pygame's windows, where there is no screen
RENDERED = 5  # steps
LONGEST = 4  # steps that PettingZoo's max_cycles_test plays


def official_checks(subject: Subject) -> list[Check]:
    """PettingZoo's tests of one interface."""
    aec = subject.face_type.kind == "AEC"
    names = ("api_test", "seed_test") if aec else ("parallel_api_test", "parallel_seed_test")
    return [
        Check(f"pettingzoo_{names[0]}", lambda: _api_test(subject, names[0]), "PettingZoo"),
        Check(f"pettingzoo_{names[1]}", lambda: _seed_test(subject, names[1]), "PettingZoo"),
        Check("render", lambda: _render(subject), "PettingZoo"),
        Check("render_changes_nothing", lambda: _render_changes_nothing(subject)),
    ]


def _test(module: str, name: str) -> Callable[..., None]:
    found: Callable[..., None] = getattr(importlib.import_module(f"pettingzoo.test.{module}"), name)
    return found


def _told(subject: Subject, name: str, run: Callable[[], None]) -> str:
    """Run one of PettingZoo's tests; returns how many warnings of style it gave."""
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        try:
            run()
        except Exception as error:
            text = f"{subject.name}: PettingZoo's {name}: {type(error).__name__}: {error}"
            raise AssertionError(text) from error
    # Others' warnings, such as a library's about itself, say nothing about the environment.
    ours = [w for w in caught if issubclass(w.category, RuntimeWarning) or _from_pettingzoo(w.filename)]
    texts = list(dict.fromkeys(str(w.message) for w in ours if not issubclass(w.category, DeprecationWarning)))
    serious = [text for text in texts if not text.startswith(subject.settings.style)]
    subject.require(not serious, f"PettingZoo's {name}", "no warning", serious[:1])
    return f"warnings of style: {'; '.join(texts)}" if texts else ""


def _from_pettingzoo(file: str) -> bool:
    path = Path(file)
    return path.is_relative_to(PETTINGZOO / "test") or path.is_relative_to(PETTINGZOO / "utils")


def _api_test(subject: Subject, name: str) -> str:
    test = _test("api_test" if name == "api_test" else "parallel_test", name)
    return _told(subject, name, lambda: test(subject.make_env(), num_cycles=subject.settings.cycles))


def _seed_test(subject: Subject, name: str) -> str:
    if name == "parallel_seed_test" and not subject.settings.legal_samples and subject.masked():
        raise NotApplicable("PettingZoo's parallel_seed_test samples without masks; see the check seeds")
    test = _test("seed_test", name)
    return _told(subject, name, lambda: test(subject.make_env, num_cycles=subject.settings.cycles))


def max_cycles_test(parallel: Subject, aec: Subject) -> str:
    """PettingZoo's max_cycles_test, which needs games that go on for some steps whatever is played."""
    for subject in (parallel, aec):
        if not subject.takes("max_cycles", LONGEST):
            raise NotApplicable(f"the {subject.face_type.kind} constructor takes no max_cycles")
    if parallel.masked() and not parallel.settings.legal_samples:
        raise NotApplicable("PettingZoo's max_cycles_test samples without masks; see the check max_cycles")
    if any(set(frame.movers) != set(frame.view["agents"]) for e in parallel.episodes for frame in e.frames):
        raise NotApplicable("agents take turns, and PettingZoo's max_cycles_test counts those of each; see max_cycles")
    # It plays games of its own, unseeded: of those that may end by themselves some end before it expects.
    if any(any(frame.view["terminations"].values()) for e in parallel.episodes for frame in e.frames):
        raise NotApplicable("games end by themselves before PettingZoo's max_cycles_test expects; see max_cycles")
    module = SimpleNamespace(parallel_env=parallel.make_env, env=aec.make_env)
    return _told(parallel, "max_cycles_test", lambda: _test("max_cycles_test", "max_cycles_test")(module))


@contextlib.contextmanager
def _headless() -> Iterator[None]:
    added = [name for name in HEADLESS if name not in os.environ]
    os.environ.update({name: HEADLESS[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _modes(subject: Subject) -> list[str]:
    modes = list((getattr(subject.face().env, "metadata", None) or {}).get("render_modes") or ())
    if not subject.settings.windows:
        modes = [mode for mode in modes if mode != "human"]
    if not modes:
        raise NotApplicable("metadata names no render_modes to try")
    return modes


def _drawn(subject: Subject, mode: str) -> tuple[Face, list[Any]]:
    """The first steps of an episode, rendered at each."""
    episode = subject.episodes[0]
    face = subject.variant("render_mode", mode)
    place = f"{subject.name}: render_mode={mode!r}, render()"
    return face, [guarded(face.env.render, place) for _ in walk(face, episode.seed, RENDERED, episode.script)]


def _render(subject: Subject) -> str:
    """Every mode gives what PettingZoo's render_test asks of it; that test is run where it can be."""
    modes = _modes(subject)
    with _headless():
        for mode in modes:
            face, pictures = _drawn(subject, mode)
            face.env.close()
            for step, picture in enumerate(pictures):
                place = f"seed {subject.episodes[0].seed}, step {step}, render_mode={mode!r}"
                subject.require(*_picture(place, mode, picture))
        if subject.face_type.kind != "AEC" or "human" not in modes:
            return f"modes {', '.join(modes)}"
        return _told(subject, "render_test", lambda: _test("render_test", "render_test")(subject.make_env))


def _render_changes_nothing(subject: Subject) -> str:
    """An episode is the same whether it is drawn or not; windows, which take their time, are not opened for it."""
    modes, episode = [mode for mode in _modes(subject) if mode != "human"], subject.episodes[0]
    if not modes:
        raise NotApplicable("there are windows alone")
    with _headless():
        for mode in modes:
            face, pictures = _drawn(subject, mode)
            plain = episode.frames[len(pictures) - 1].view
            place = f"seed {episode.seed}, step {len(pictures) - 1}, rendered as {mode!r}, "
            subject.same(place, difference(plain, face.view()))
            face.env.close()
    return f"modes {', '.join(modes)}"


def _picture(place: str, mode: str, found: Any) -> tuple[bool, str, str, Any]:
    """Whether a mode gave what PettingZoo's render_test wants of it."""
    shown = f"{type(found).__name__}"
    if mode == "rgb_array":
        right = isinstance(found, np.ndarray) and found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3
        if isinstance(found, np.ndarray):
            shown = f"{found.dtype} {found.shape}"
        return right, place, "uint8 [height, width, 3]", shown
    if mode == "ansi":
        return isinstance(found, str), place, "str", shown
    if mode == "human":
        return found is None, place, "None", shown
    return True, place, "", ""
