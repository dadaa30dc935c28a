"""The way of a run's strategies through its iterations, in games that are small enough to see it.

Checkpoints are few, so a short run is made again in this process, which gives the same numbers; whether it did is
looked at, at its end. Where it takes too long or comes out elsewhere, the checkpoints that are there are the path.

Cost: the run's own seconds of learning, `MAX_SECONDS` at the most, or a checkpoint's reading for each that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from eqagents.distributed import InlineExecutor, TaskError
from eqagents.learners import Learner, find_learner
from eqagents.learners.tabular import TabularConfig
from eqagents.training.checkpoint import list_checkpoints, load_checkpoint
from eqagents.training.run import Trained
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.policies import JointPolicy

MAX_SECONDS = 2.0  # of learning that is done again
MAX_POINTS = 240  # of a path: half of them spread evenly, half by powers
SAME = 1e-9  # in probability: rounding of other processors
AGAIN, KEPT = "its iterations, run again", "the checkpoints that were kept"
LAST = "policy"  # the setting by which a method gives its last iterate in place of its average

Tables = tuple[Float64Array, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Path:
    """Strategies in the order of iterations.

    Attributes:
        steps: [K], increasing.
        main: of each, the players' tables of the policy that the run is scored by.
        last: the same of the last iterates, where the method has them beside its average; else empty.
        source: where it comes from, in words.
    """

    steps: tuple[int, ...]
    main: tuple[Tables, ...]
    last: tuple[Tables, ...]
    source: str


def path_of(
    trained: Trained, tables: Tables, tabulated: Callable[[JointPolicy], Tables], seconds: float | None
) -> Path:
    """The path of a run up to its last checkpoint.

    Args:
        trained: the run.
        tables: of its policy.
        tabulated: a joint policy as tables.
        seconds: that its learning took; None where nobody knows.
    """
    if seconds is not None and seconds <= MAX_SECONDS:
        try:
            path = _path(trained, _again(trained), tabulated, AGAIN)
        except (InputError, TaskError):
            path = None  # it cannot be run here, as where a file of its is gone
        if path is not None and all(
            np.allclose(now, then, rtol=0.0, atol=SAME) for now, then in zip(path.main[-1], tables, strict=True)
        ):
            return path
    return _path(trained, _kept(trained), tabulated, KEPT)


def steps_shown(last: int) -> set[int]:
    """The iterations from 0 to `last` that are points of a path: the first ones are closest together."""
    even = np.linspace(0, last, MAX_POINTS // 2)
    powers = np.geomspace(1, max(1, last), MAX_POINTS // 2)
    return {0, last, *(step for step in np.concatenate([even, powers]).round().astype(int).tolist() if step <= last)}


def _again(trained: Trained) -> Iterator[tuple[Learner[Any], int, Any]]:
    """The learner, the iteration and the state, of those that are shown."""
    config = trained.config
    with InlineExecutor(config.seed) as executor:
        learner = find_learner(config.learner.id).build(trained.game, config.learner, executor)
        state = learner.init(np.random.SeedSequence(config.seed))
        shown = sorted(steps_shown(trained.step))
        yield learner, 0, state
        for before, step in pairwise(shown):
            for _ in range(step - before):
                state, _ = learner.step(state)
            yield learner, step, state


def _kept(trained: Trained) -> Iterator[tuple[Learner[Any], int, Any]]:
    learner = trained.learner
    for step in list_checkpoints(trained.run.checkpoints):
        if step >= trained.step:
            break
        try:
            state = learner.from_tree(load_checkpoint(trained.run.checkpoints, step)[1]["state"])
        except InputError:
            continue  # damaged
        yield learner, step, state
    yield learner, trained.step, trained.state


def _path(
    trained: Trained,
    states: Iterator[tuple[Learner[Any], int, Any]],
    tabulated: Callable[[JointPolicy], Tables],
    source: str,
) -> Path:
    steps, main, last = [], [], []
    other = _of_last_iterates(trained)
    for learner, step, state in states:
        steps.append(step)
        main.append(tabulated(learner.average_policy(state)))
        if other is not None:
            last.append(tabulated(other.average_policy(other.from_tree(learner.to_tree(state)))))
    if all(np.array_equal(*own) for pair in zip(main, last, strict=False) for own in zip(*pair, strict=True)):
        last = []  # as of fictitious play, whose average is what is responded to
    return Path(steps=tuple(steps), main=tuple(main), last=tuple(last), source=source)


def _of_last_iterates(trained: Trained) -> Learner[Any] | None:
    """The learner that gives the last iterate of the same states; None where the method has no average beside it."""
    config = trained.config.learner
    if not isinstance(config, TabularConfig):
        return None
    spec = config.spec_for(trained.game)
    known = {parameter.name: parameter for parameter in spec.parameters}
    if LAST not in known or "last" not in known[LAST].choices or spec.resolve(config.settings)[LAST] == "last":
        return None
    if (config.concept or spec.concepts[0]) != "nash":
        return None  # the policy is a device, of all that was played
    learner = config.model_copy(update={"settings": {**config.settings, LAST: "last"}})
    with InlineExecutor(trained.config.seed) as executor:
        return find_learner(learner.id).build(trained.game, learner, executor)
