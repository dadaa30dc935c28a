"""The same episodes in processes with other PYTHONHASHSEEDs, which order sets and hashed dicts differently."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from typing import Any

from eqenvs.testing._differences import digest
from eqenvs.testing._faces import record
from eqenvs.testing._subject import Subject
from eqenvs.testing.findings import NotApplicable

LONGEST = 600  # seconds that a process may take

# "digests" by seed and step, of each part of what is shown; or why there are none, "unknown" or "failed".
Answer = dict[str, Any]


class HashSeeds:
    """Processes that play several subjects, started when first asked for."""

    def __init__(self) -> None:
        self._subjects: list[Subject] = []
        self._answers: dict[int, list[Answer]] | None = None

    def add(self, subject: Subject) -> None:
        """Play this one, too."""
        self._subjects.append(subject)

    def check(self, subject: Subject) -> str:
        """The same trajectory, the order of dicts and agents included, whatever PYTHONHASHSEED is."""
        if not subject.settings.hash_seeds:
            raise NotApplicable("no hash seeds are given")
        _ = subject.episodes
        tasks = {each: task for each in self._subjects if isinstance(task := _task(each), bytes)}
        if subject not in tasks:
            raise NotApplicable(f"another process cannot make the environment: {_task(subject)!r}")
        if self._answers is None:
            self._answers = _run(list(tasks.values()), subject.settings.hash_seeds)
        index = list(tasks).index(subject)
        found = {hash_seed: answers[index] for hash_seed, answers in self._answers.items()}
        for hash_seed, answer in found.items():
            if "unknown" in answer:
                raise NotApplicable(f"another process cannot make the environment: {answer['unknown']}")
            text = f"play under PYTHONHASHSEED={hash_seed}"
            subject.require("failed" not in answer, text, "no exception", answer.get("failed"))
        first, *others = found
        for other in others:
            _compare(subject, first, found[first]["digests"], other, found[other]["digests"])
        return f"PYTHONHASHSEED {', '.join(map(str, found))}"


def _task(subject: Subject) -> bytes | Exception:
    """A pickle by which another process plays the subject's episodes, or why there is none."""
    settings = subject.settings
    try:
        return pickle.dumps((subject.face_type, subject.make_env, settings.acting, settings.seeds, settings.steps))
    except Exception as error:
        return error


def _run(tasks: list[bytes], hash_seeds: tuple[int, ...]) -> dict[int, list[Answer]]:
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    runs = {
        hash_seed: subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": path},
        )
        for hash_seed in hash_seeds
    }
    try:
        # Each is told before any is waited for, so that they run side by side.
        for run in runs.values():
            assert run.stdin is not None
            run.stdin.write(pickle.dumps(tasks))
            run.stdin.close()
            run.stdin = None
        return {hash_seed: _heard(run, len(tasks)) for hash_seed, run in runs.items()}
    finally:
        for run in runs.values():
            run.kill()
            run.wait()


def _heard(run: subprocess.Popen[bytes], count: int) -> list[Answer]:
    out, err = run.communicate(timeout=LONGEST)
    if run.returncode == 0:
        answers: list[Answer] = json.loads(out.splitlines()[-1])
        return answers
    last = (err.decode(errors="replace").strip().splitlines() or ["nothing said"])[-1]
    return [{"failed": f"exit status {run.returncode}: {last}"}] * count


def _compare(subject: Subject, first: int, expected: Any, other: int, found: Any) -> None:
    for seed, (left, right) in enumerate(zip(expected, found, strict=True)):
        for step, (here, there) in enumerate(zip(left, right, strict=False)):
            differ = [part for part in here if here[part] != there[part]]
            place = f"seed {seed}, step {step}, {', '.join(differ)}"
            text = f"the same under PYTHONHASHSEED={first} and {other}"
            subject.require(not differ, place, text, "others, or in another order")
        subject.require(len(left) == len(right), f"seed {seed}, steps", len(left), len(right))


def _answer(task: bytes) -> Answer:
    try:
        face, make_env, acting, seeds, steps = pickle.loads(task)
    except Exception as error:
        return {"unknown": f"{type(error).__name__}: {error}"}
    try:
        episodes = [record(face(make_env(), acting), seed, steps) for seed in range(seeds)]
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}
    return {
        "digests": [
            [
                {"actions": digest(frame.actions), **{part: digest(shown) for part, shown in frame.view.items()}}
                for frame in episode.frames
            ]
            for episode in episodes
        ]
    }


def _main() -> None:
    out, sys.stdout = sys.stdout, sys.stderr  # what environments print is no answer
    print(json.dumps([_answer(task) for task in pickle.load(sys.stdin.buffer)]), file=out)


if __name__ == "__main__":
    _main()
