"""Cases for what a user writes: configurations, overrides, policies, graphs, game parameters, data sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import eqenvs
from eqagents.bench._fuzz_mutations import YAML_TEXTS, hostile, laughs, merges, spoiled_bytes, spoiled_tree
from eqagents.distributed import InlineExecutor
from eqagents.learners import find_learner
from eqagents.training.config import RunConfig, load_config, parse_config
from eqenvs import graphs
from eqenvs.models import MarkovModel
from eqenvs.policies import uniform
from eqenvs.policy_files import load_policy, policy_to_json
from eqsolvers.markov.offline import _dataset

CONFIGS: tuple[dict[str, Any], ...] = (
    {"game": {"id": "kuhn_poker"}, "learner": {"id": "tabular", "method": "cfr+"}, "iterations": 3},
    {
        "game": {"id": "kuhn_poker", "parameters": {"num_players": 3}},
        "learner": {"id": "psro", "meta_solver": {"id": "max_gini_cce"}},
        "iterations": 2,
    },
    {
        "game": {"id": "kuhn_poker"},
        "learner": {"id": "psro", "oracle": {"id": "ppo", "hidden": [8]}},
        "iterations": 2,
        "seed": 1,
    },
    {"game": {"id": "kuhn_poker"}, "learner": {"id": "nfsp"}, "iterations": 2, "stop": {"seconds": 3.0}},
    {"game": {"id": "rock_paper_scissors"}, "learner": {"id": "psro"}, "iterations": 2, "stop": {"nash_conv": 0.1}},
    {"game": {"id": "crowd_1d"}, "learner": {"id": "mean_field_psro"}, "iterations": 2, "checkpoint": {"keep": 1}},
)
GAMES = ("kuhn_poker", "rock_paper_scissors", "crowd_1d")
EDGES = "# friends\na b\nb,c 0.5\nc a 1 2\nd\ta\na a\n% end\n"


@dataclass(frozen=True)
class Case:
    """An input that was spoiled.

    Attributes:
        run: reads it.
        names: of which an error must have one.
        about: what was read, for a report: short.
    """

    run: Callable[[], Any]
    names: tuple[str, ...]
    about: str


def _write(directory: Path, name: str, data: bytes | str) -> Path:
    path = directory / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return path


_KEYS = ("config", "--set", "parameter", "unknown ", "key")


def build(config: RunConfig) -> None:
    """The game of a valid configuration; where that is one of `CONFIGS`, the learner too."""
    game = eqenvs.make(config.game.id, **config.game.parameters)
    if any(each["game"] == config.game.model_dump(exclude_defaults=True) for each in CONFIGS):
        with ExitStack() as stack:
            executor = stack.enter_context(InlineExecutor(config.seed))
            find_learner(config.learner.id).build(game, config.learner, executor)


def _full(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = parse_config(data).model_dump(mode="json")
    return found


class ConfigCases:
    """Run configurations: as values, as text, and overrides of them."""

    def __init__(self) -> None:
        self._valid = [*CONFIGS, *(_full(each) for each in CONFIGS)]
        self._texts = [yaml.safe_dump(each, sort_keys=False) for each in self._valid]
        for each in CONFIGS:  # what is imported and compiled for these is not of a case
            build(parse_config(each))

    def values(self, directory: Path, rng: np.random.Generator) -> Case:
        """A spoiled mapping."""
        data = spoiled_tree(self._valid[int(rng.integers(len(self._valid)))], rng)
        if not isinstance(data, dict):
            data = {"game": data}
        return Case(lambda: build(parse_config(data)), (*_KEYS, str(_id_of(data))), repr(data)[:300])

    def text(self, directory: Path, rng: np.random.Generator) -> Case:
        """A spoiled file."""
        base = self._texts[int(rng.integers(len(self._texts)))]
        kind = int(rng.integers(4))
        if kind == 0:
            hostiles = (*YAML_TEXTS, laughs(), merges())
            chosen = hostiles[int(rng.integers(len(hostiles)))]
            where = int(rng.integers(4))
            text = [
                chosen,
                f"{base}x: {chosen}\n",
                f"{chosen}\n{base}",
                base.replace("iterations: ", f"iterations: {chosen} #"),
            ]
            data = text[where].encode("utf-8", "surrogatepass")
        elif kind == 1:
            tree = spoiled_tree(yaml.safe_load(base), rng)
            data = yaml.safe_dump(tree, allow_unicode=bool(rng.integers(2))).encode("utf-8", "surrogatepass")
        else:
            data = spoiled_bytes(base.encode(), rng)
        path = _write(directory, "config.yaml", data)
        return Case(lambda: build(load_config(path)), (*_KEYS, "config.yaml", *GAMES), repr(data[:300]))

    def overrides(self, directory: Path, rng: np.random.Generator) -> Case:
        """`--set` assignments."""
        base = CONFIGS[int(rng.integers(len(CONFIGS)))]
        paths = ("seed", "learner.id", "game.id", "game.parameters.num_players", "executor.workers", "a..b", "", ".",
                 "stop", "seed.x", "learner.oracle.id", "checkpoint.keep", "..", "game\n.id", "\x00",
                 "learner.__class__",                  "score.oracles", "game.parameters.\ud800",
                 ".".join("a" * 2000))  # fmt: skip
        value = hostile(rng)
        texts = (*YAML_TEXTS, laughs(6), str(value)[:2000] if not isinstance(value, int) else hex(value), "1", "")
        path, text = paths[int(rng.integers(len(paths)))], texts[int(rng.integers(len(texts)))]
        told = (
            f"{path}={text}"
            if rng.random() < 0.9
            else spoiled_bytes(path.encode("utf-8", "ignore"), rng).decode("latin-1")
        )
        return Case(lambda: build(parse_config(base, [told])), (*_KEYS, *GAMES), repr(told)[:300])


def _id_of(data: dict[str, Any]) -> Any:
    game = data.get("game")
    return game.get("id") if isinstance(game, dict) else "config"


class PolicyCases:
    """Policy files."""

    def __init__(self) -> None:
        self._valid = []
        for name in ("kuhn_poker", "rock_paper_scissors"):
            game = eqenvs.make(name)
            self._valid.append(policy_to_json(game, uniform(game.model())))
        joint = {"actions": ["rock", "rock"], "probability": 1.0}
        self._valid.append({"game": "rock_paper_scissors", "parameters": {}, "joint": [joint]})
        self._texts = [json.dumps(each).encode() for each in self._valid]

    def case(self, directory: Path, rng: np.random.Generator) -> Case:
        """A spoiled file."""
        at = int(rng.integers(len(self._valid)))
        if rng.random() < 0.6:
            data = json.dumps(spoiled_tree(self._valid[at], rng)).encode()
        else:
            data = spoiled_bytes(self._texts[at], rng)
        if rng.random() < 0.05:
            data = b'{"game": "kuhn_poker", "players": ' + b"[" * 100_000
        path = _write(directory, "policy.json", data)
        return Case(lambda: load_policy(path), ("policy.json", *_KEYS, *GAMES), repr(data[:300]))


class GraphCases:
    """Edge lists and lists of vertices, and games that are given one."""

    def case(self, directory: Path, rng: np.random.Generator) -> Case:
        """A spoiled file."""
        data = spoiled_bytes(EDGES.encode(), rng)
        path, names = (
            _write(directory, "graph.txt", data),
            _write(directory, "names.txt", spoiled_bytes(b"a\nb\nc\nd\n", rng)),
        )
        kind = int(rng.integers(4))

        def read() -> None:
            if kind == 0:
                graphs.read_vertices(names)
            elif kind == 1:
                graphs.read_edges(path, graphs.read_vertices(names))
            elif kind == 2:
                graph = graphs.read_edges(path)
                graphs.step_graphon(graph, min(2, graph.num_vertices))
                graphs.fit_graphex(graph)
            else:
                eqenvs.make("sis_graphon", edges=str(path), bins=2).model()

        return Case(read, ("graph.txt", "names.txt", "parameter"), f"{kind} {data[:200]!r}")

    def path(self, directory: Path, rng: np.random.Generator) -> Case:
        """A game's parameter that names a file which is none."""
        paths = ("../../nothing", "/etc/shadow-", "a\nb", "\x00", "a\x00b", "", ".", "/", str(directory), "x" * 5000,
                 "\ud800", "/dev/zero", "/dev/null", "/proc/self/mem", "loop", "pipe", "~",
                 "file:///etc/passwd")  # fmt: skip
        chosen = paths[int(rng.integers(len(paths)))]
        if chosen in ("loop", "pipe"):
            chosen = str(directory / chosen)
        (directory / "loop").symlink_to(directory / "loop")
        import os

        os.mkfifo(directory / "pipe")
        key = ("edges", "vertices")[int(rng.integers(2))]
        given = {"edges": str(_write(directory, "graph.txt", EDGES)), key: chosen}
        return Case(lambda: eqenvs.make("sis_graphon", **given).model(), ("sis_graphon",), f"{key}={chosen[:80]!r}")


class ParameterCases:
    """Game parameters as they are written on a command line."""

    def __init__(self) -> None:
        self._specs = [eqenvs.spec(each) for each in eqenvs.game_ids()]

    def case(self, directory: Path, rng: np.random.Generator) -> Case:
        """One or two parameters of a game, spoiled; where the parser takes them, the game is made."""
        spec = self._specs[int(rng.integers(len(self._specs)))]
        texts = {}
        for _ in range(int(rng.integers(1, 3))):
            if not spec.parameters:
                break
            parameter = spec.parameters[int(rng.integers(len(spec.parameters)))]
            value = hostile(rng)
            text = hex(value) if isinstance(value, int) and abs(value) > 10**4000 else str(value)
            if rng.random() < 0.5:
                text = spoiled_bytes(str(parameter.default).encode(), rng).decode("latin-1")
            texts[parameter.name if rng.random() < 0.95 else text[:50]] = text
        if not texts:
            texts = {"nothing": "1"}
        return Case(
            lambda: eqenvs.make(spec.id, **spec.parse(texts)), (spec.id, "unknown "), f"{spec.id} {texts!r}"[:300]
        )


class DatasetCases:
    """Data sets of transitions."""

    def __init__(self, directory: Path) -> None:
        game = eqenvs.make("random_markov_game")
        model = game.model()
        assert isinstance(model, MarkovModel)
        found = _dataset.collect(model, uniform(game.model()), episodes=2, seed=0)
        found.save(directory / "valid.npz")
        self._valid = (directory / "valid.npz").read_bytes()

    def case(self, directory: Path, rng: np.random.Generator) -> Case:
        """A spoiled file."""
        from eqagents.bench._fuzz_runs import spoiled_npz

        data = spoiled_bytes(self._valid, rng) if rng.random() < 0.5 else spoiled_npz(self._valid, rng)
        path = _write(directory, "data.npz", data)
        return Case(lambda: _dataset.load(path), ("data.npz", "dataset"), f"{len(data)} bytes")
