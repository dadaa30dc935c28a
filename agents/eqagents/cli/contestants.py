"""What `eqenvs compare` is given: run directories and policy files, loaded and checked to be of one game."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eqagents.cli.inputs import loaded
from eqagents.learners.psro._loop import DoubleOracle
from eqagents.oracles import Member, policy_of
from eqagents.policies.digests import digest
from eqagents.training.run import Trained
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqsolvers.evaluation import Entrant
from eqsolvers.meta import MetaSolution


@dataclass(frozen=True, eq=False)
class Found:
    """The populations of a run.

    Attributes:
        policies: per player, its policies in the order in which they were found, to be asked about that player.
        solution: how the run mixes them.
        stages: per iteration for which it is known, how many policies each player had then: the first ones.
    """

    policies: tuple[tuple[Entrant, ...], ...]
    solution: MetaSolution
    stages: dict[int, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Contestant:
    """A run or a policy file.

    Attributes:
        entrant: its joint policy under the path's name.
        game: the game.
        kind: run or policy.
        step: of a run, the checkpoint's iteration.
        found: of a run that keeps populations of policies, these.
    """

    entrant: Entrant
    game: Game
    kind: str
    step: int | None = None
    found: Found | None = None

    def to_json(self) -> dict[str, Any]:
        """What it is."""
        return {"name": self.entrant.name, "kind": self.kind, "step": self.step}


def load_contestants(paths: Sequence[Path]) -> list[Contestant]:
    """The contestants at some paths.

    Raises:
        InputError: for fewer than two, one that cannot be read, or two of different games.
    """
    if len(paths) < 2:
        raise InputError(f"compare needs two runs or policy files at least, got {len(paths)}")
    found: list[Contestant] = []
    names: list[str] = []
    for path in paths:
        times = names.count(str(path))
        names.append(str(path))
        contestant = _load(path, f"{path} ({times + 1})" if times else str(path))
        if found and repr(contestant.game) != repr(found[0].game):
            raise InputError(
                f"{path} is of {contestant.game!r}, {paths[0]} of {found[0].game!r}; compare policies of one game"
            )
        found.append(contestant)
    return found


def _load(path: Path, name: str) -> Contestant:
    game, policy, trained = loaded(path)
    if trained is None:
        key = hashlib.sha256(path.read_bytes()).hexdigest()
        return Contestant(Entrant(name, policy, key), game, "policy")
    # What was learned, not how long it took: a run that is repeated elsewhere is the same entrant.
    entrant = Entrant(name, policy, digest(trained.learner.to_tree(trained.state)))
    return Contestant(entrant, game, "run", trained.step, _populations(trained))


def _populations(trained: Trained) -> Found | None:
    if not isinstance(trained.learner, DoubleOracle):
        return None
    kept = trained.learner.populations(trained.state)
    if kept is None:
        return None
    game = trained.game
    policies = [[_entrant(game, player, member) for member in own] for player, own in enumerate(kept.members)]
    return Found(tuple(map(tuple, policies)), kept.meta, _stages(trained, tuple(map(len, policies))))


def _entrant(game: Game, player: int, member: Member) -> Entrant:
    name, key = f"player {player}", digest(member.record)
    # Of a shared population the same record may be another policy for another player: its table says which.
    shared = player == 0 or member.table is None
    return Entrant(name, policy_of(game, player, member), key if shared else f"{name}'s {key}")


def _stages(trained: Trained, sizes: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    """How many policies there were after each iteration, where no policy was taken out; else at the end alone."""
    stages = {0: (1,) * len(sizes)}
    for line in trained.run.metrics():
        if not 0 < line["step"] <= trained.step:
            continue
        # In a symmetric game player 0's population is everybody's.
        players = [p if f"population/size_{p}" in line else 0 for p in range(len(sizes))]
        now = [(line.get(f"population/size_{p}"), line.get(f"population/pruned_{p}")) for p in players]
        if any(size is None or pruned != 0 for size, pruned in now):
            return {trained.step: sizes}
        stages[line["step"]] = tuple(int(size) for size, _ in now if size is not None)
    return stages if stages.get(trained.step) == sizes else {trained.step: sizes}
