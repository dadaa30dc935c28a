"""What commands are given to read, a run's directory or a policy file, and the files that they may write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqenvs.policy_files import load_policy

if TYPE_CHECKING:
    from eqagents.training.run import Trained


class Loaded(NamedTuple):
    """A joint policy and its game; of a run, the run."""

    game: Game
    policy: JointPolicy
    trained: Trained | None = None


def is_policy_file(path: Path, step: int | None = None) -> bool:
    """Whether a path names a policy file, and no run.

    Raises:
        InputError: it does, and a checkpoint's iteration is asked for.
    """
    found = path.is_file() or path.suffix == ".json"
    if found and step is not None:
        raise InputError(f"--step chooses a run's checkpoint; {path} is a file")
    return found


def loaded(path: Path, step: int | None = None) -> Loaded:
    """What a policy file holds, or a run's checkpoint, by default the last.

    Raises:
        InputError: it cannot be read.
    """
    if is_policy_file(path, step):
        return Loaded(*load_policy(path))
    from eqagents.training.run import load_trained

    trained = load_trained(path, step=step)
    return Loaded(trained.game, trained.policy, trained)


def require_parent(file: Path, argument: str = "--out") -> None:
    """Check that a file can be made; `argument` is what named it.

    Raises:
        InputError: its directory is missing.
    """
    if not file.parent.is_dir():
        raise InputError(f"{argument} {file}: there is no directory {file.parent}")


def require_new(file: Path | None, argument: str = "--out") -> None:
    """Check that a file, where one is asked for, can be made and replaces none; `argument` is what named it.

    Raises:
        InputError: there is one, or its directory is missing.
    """
    if file is None:
        return
    if file.exists():
        raise InputError(f"{file} exists; choose another {argument}")
    require_parent(file, argument)
