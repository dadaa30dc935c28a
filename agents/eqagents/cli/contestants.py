"""What `eqenvs compare` is given: run directories and policy files, loaded and checked to be of one game."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eqagents.learners.psro._growth import digest
from eqagents.learners.psro._meta import solution_from_tree
from eqagents.learners.psro._symmetry import shared_rows
from eqagents.policies.records import PolicyRecord, to_policy
from eqagents.training.checkpoint import load_checkpoint
from eqagents.training.run import Trained, load_trained
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import TabularPolicy, player_table
from eqenvs.policy_files import load_policy
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
    if path.is_file() or path.suffix == ".json":
        game, policy = load_policy(path)
        key = hashlib.sha256(path.read_bytes()).hexdigest()
        return Contestant(Entrant(name, policy, key), game, "policy")
    trained = load_trained(path)
    _, tree = load_checkpoint(trained.run.checkpoints, trained.step)
    # What was learned, not how long it took: a run that is repeated elsewhere is the same entrant.
    entrant = Entrant(name, trained.policy, digest(tree["state"]))
    return Contestant(entrant, trained.game, "run", trained.step, _populations(trained, tree["state"]))


def _populations(trained: Trained, state: Mapping[str, Any]) -> Found | None:
    restricted = state.get("restricted")
    if not isinstance(restricted, dict):
        return None
    kept = restricted.get("policies", restricted)  # a pipeline has more beside them
    if "populations" not in kept:
        return None
    game, n, stored = trained.game, trained.game.num_players, kept["populations"]
    if len(stored) == n:
        policies = [[_entrant(game, player, record) for record in own] for player, own in enumerate(stored)]
    else:
        rows = shared_rows(game)
        tables = [player_table(game.model(), 0, to_policy(record, game, 0)) for record in stored[0]]
        policies = [
            [
                _tabular(game, player, table[rows[player]], record)
                for record, table in zip(stored[0], tables, strict=True)
            ]
            for player in range(n)
        ]
    sizes = tuple(map(len, policies))
    solution = solution_from_tree(kept["meta"])
    return Found(tuple(map(tuple, policies)), solution, _stages(trained, sizes))


def _entrant(game: Game, player: int, record: PolicyRecord) -> Entrant:
    return Entrant(f"player {player}", to_policy(record, game, player), digest(record))


def _tabular(game: Game, player: int, table: Any, record: PolicyRecord) -> Entrant:
    tables = [states.uniform() for states in game.information_states]
    tables[player] = table
    # The record is of player 0; as another player's own it would be another policy.
    key = digest(record) if player == 0 else f"player 0's {digest(record)}"
    return Entrant(f"player {player}", TabularPolicy(game, tables), key)


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
