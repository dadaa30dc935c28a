"""A fixed dataset of play: collected by a behaviour policy, kept in one file, checked when it is read.

A file is NumPy's npz with the arrays below and `about`, the frame and the origin as JSON, with the SHA-256 of the
arrays; the same dataset gives the same checksum.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array, IntArray, joint_play, read_only, sample_categorical
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models.markov import MarkovModel
from eqenvs.models.markov_checks import checked_initial
from eqenvs.npz import read_npz
from eqenvs.policies import JointPolicy, MarkovCorrelatedPolicy, require_fits, tabulate
from eqsolvers.markov.learning._sampler import drawn_entries, table_of

FORMAT = 1
MAX_STEPS = 100_000_000  # in a dataset
ARRAYS = ("episode", "step", "state", "actions", "reward", "after")


@dataclass(frozen=True, eq=False)
class Frame:
    """What is known of a game before any data.

    Attributes:
        states: S.
        actions: each player's number of actions.
        horizon: steps, or None.
        discount: factor a step.
        lowest: each player's least reward a step, [N].
        highest: the most, [N].
        legal: per player the legal actions, [S, A_p] bool.
        ends: whether the game may be over before its horizon.
        initial: [S], the distribution of the first state; None: not known, but by the first states of the episodes.
    """

    states: int
    actions: tuple[int, ...]
    horizon: int | None
    discount: float
    lowest: Float64Array
    highest: Float64Array
    legal: tuple[BoolArray, ...]
    ends: bool
    initial: Float64Array | None = None

    def __post_init__(self) -> None:
        """Check `initial`.

        Raises:
            InputError: if it is no distribution over the states.
        """
        if self.initial is not None:
            object.__setattr__(self, "initial", read_only(checked_initial(self.initial, self.states)))

    @property
    def points(self) -> int:
        """I: states, times the horizon."""
        return self.states * (self.horizon or 1)

    @property
    def profiles(self) -> int:
        """Joint actions of a state, illegal ones counted."""
        return int(np.prod(self.actions))


@dataclass(frozen=True, eq=False)
class Dataset:
    """M steps of play.

    Attributes:
        frame: of the game.
        episode: [M] int64, not decreasing.
        step: [M] int64, from 0 in every episode.
        state: [M] int64.
        actions: [M, N] int64.
        reward: [M, N] float64.
        after: [M] int64, the next state; S where the rules ended the game. At the last step of a horizon it is the
            state that would have come.
        origin: where it is from, as JSON data: the game, the behaviour, episodes, seed.
    """

    frame: Frame
    episode: IntArray
    step: IntArray
    state: IntArray
    actions: IntArray
    reward: Float64Array
    after: IntArray
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the arrays.

        Raises:
            InputError: naming the first thing that is out of its range.
        """
        count, frame = len(self.episode), self.frame
        players = len(frame.actions)
        shapes = {name: (count, players) if name in ("actions", "reward") else (count,) for name in ARRAYS}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise InputError(f"dataset: {name!r} must have shape {shape}, got {array.shape}")
            object.__setattr__(self, name, read_only(array))
        if count == 0:
            raise InputError("dataset: there are no steps")
        for name in ARRAYS:
            if name != "reward" and getattr(self, name).dtype.kind not in "iu":
                raise InputError(f"dataset: {name!r} must be of integers, got {getattr(self, name).dtype}")
        steps = frame.horizon or int(np.iinfo(np.int64).max)
        ranges = {
            "step": (self.step, steps),
            "state": (self.state, frame.states),
            "after": (self.after, frame.states + frame.ends),
        }
        ranges |= {f"actions of player {p}": (self.actions[:, p], own) for p, own in enumerate(frame.actions)}
        for name, (array, end) in ranges.items():
            if array.min() < 0 or array.max() >= end:
                raise InputError(f"dataset: {name} must be from 0 to {end - 1}, got {array.min()} to {array.max()}")
        self._check_order()
        begun = self.state[self.step == 0]
        if frame.initial is not None and not (frame.initial[begun] > 0).all():
            wrong = begun[int(np.argmin(frame.initial[begun] > 0))]
            raise InputError(f"dataset: an episode begins in state {wrong}, which `initial` of the frame rules out")
        for player, mask in enumerate(frame.legal):
            bad = ~mask[self.state, self.actions[:, player]]
            if bad.any():
                where = int(np.argmax(bad))
                raise InputError(
                    f"dataset: step {where} has action {self.actions[where, player]} of player {player} in state "
                    f"{self.state[where]}, where it is illegal"
                )
        if not (self.reward >= frame.lowest - 1e-9).all() or not (self.reward <= frame.highest + 1e-9).all():
            raise InputError("dataset: a reward is outside the bounds of the frame")

    def _check_order(self) -> None:
        """Raise InputError unless episodes stand one after the other, each from its step 0 on without a gap."""
        begins = np.append(True, np.diff(self.episode) != 0)
        rule = "episodes must not decrease, and each must have the steps 0, 1, .. from state to state"
        follows = np.append(True, (np.diff(self.step) == 1) & (self.after[:-1] == self.state[1:]))
        good = np.where(begins, self.step == 0, follows) & np.append(True, np.diff(self.episode) >= 0)
        if not good.all():
            raise InputError(f"dataset: {rule}; entry {int(np.argmin(good))} breaks that")

    @property
    def checksum(self) -> str:
        """SHA-256 of the arrays and the frame."""
        digest = hashlib.sha256(json.dumps(_described(self.frame), sort_keys=True).encode())
        for name in ARRAYS:
            digest.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write the file."""
        about = {
            "format": FORMAT,
            "checksum": self.checksum,
            "frame": _described(self.frame),
            "origin": dict(self.origin),
        }
        text = np.frombuffer(json.dumps(about, sort_keys=True).encode(), dtype=np.uint8)
        with Path(path).open("wb") as file:
            np.savez_compressed(file, about=text, **{name: getattr(self, name) for name in ARRAYS})


def load(path: str | Path, *, max_bytes: int = 2**29) -> Dataset:
    """Read and check a file.

    Args:
        path: of the file.
        max_bytes: that it may take in memory; a small file may claim to hold much.

    Raises:
        InputError: if it is no dataset, not what was written, or larger.
    """
    try:
        with Path(path).open("rb") as file:
            stored = read_npz(file, max_bytes)
    except FileNotFoundError:
        raise InputError(f"dataset {path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"dataset {path}: it cannot be read as npz ({error})") from None
    missing = [name for name in ("about", *ARRAYS) if name not in stored]
    if missing:
        raise InputError(f"dataset {path}: array {missing[0]!r} is missing; was it written by Dataset.save?")
    try:
        about = json.loads(stored.pop("about").tobytes())
        if about["format"] != FORMAT:
            raise InputError(f"dataset {path}: its format is {about['format']}, this version reads {FORMAT}")
        frame = _frame(about["frame"])
        found = Dataset(frame, **{name: stored[name] for name in ARRAYS}, origin=about["origin"])
        written = about["checksum"]
    except InputError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"dataset {path}: its description is damaged ({error})") from None
    if found.checksum != written:
        raise InputError(
            f"dataset {path}: the checksum is {found.checksum[:12]}.., the file says {str(written)[:12]}.."
        )
    return found


def frame_of(model: MarkovModel) -> Frame:
    """What a model's rules say without its transitions."""
    rewards = model.reward[:, model.joint_legal]
    return Frame(
        states=model.num_states,
        actions=model.num_actions,
        horizon=model.horizon,
        discount=model.discount,
        lowest=rewards.min(axis=1),
        highest=rewards.max(axis=1),
        legal=model.legal,
        ends=model.may_end,
        initial=model.initial,
    )


def collect(
    model: MarkovModel,
    behaviour: JointPolicy,
    *,
    episodes: int,
    seed: int,
    length: int = 100,
    origin: Mapping[str, Any] | None = None,
) -> Dataset:
    """Play episodes.

    Args:
        model: the game.
        behaviour: independent policies, or a device that is drawn anew at every point.
        episodes: at least 1.
        seed: of everything that is drawn.
        length: steps after which an episode of a game without a horizon is cut off.
        origin: what else to say of where the data are from.

    Raises:
        InputError: if a number is out of its range.
        GameTooLargeError: if there could be more than 100 million steps.
    """
    length = model.horizon or length
    if episodes < 1 or length < 1:
        raise InputError(f"collect: episodes and length must be at least 1, got {episodes} and {length}")
    if episodes * length > MAX_STEPS:
        raise GameTooLargeError(f"collect: {episodes:,} episodes of {length:,} steps are more than {MAX_STEPS:,} steps")
    joint = joint_of(model, behaviour)
    joint = joint.reshape(len(joint), -1)
    table, states = table_of(model, length), model.num_states
    rng = np.random.default_rng(seed)
    number = np.arange(episodes)
    state = sample_categorical(np.broadcast_to(model.initial, (episodes, states)), rng.random(episodes))
    parts: dict[str, list[Any]] = {name: [] for name in ARRAYS}
    for step in range(length):
        point = state + (step * states if model.horizon else 0)
        profile = sample_categorical(joint[point], rng.random(len(point)))
        row = state * table.profiles + profile
        after = table.state[drawn_entries(table, row, rng.random(len(row)))]
        actions = np.stack(np.unravel_index(profile, model.num_actions), axis=1)
        found = (number, np.full(len(number), step), state, actions, table.reward[row], after)
        for name, array in zip(ARRAYS, found, strict=True):
            parts[name].append(array)
        going = after < states
        number, state = number[going], after[going]
        if not len(number):
            break
    whole = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    order = np.lexsort((whole["step"], whole["episode"]))
    about = {"episodes": episodes, "seed": seed, "length": length} | dict(origin or {})
    return Dataset(frame_of(model), **{name: array[order] for name, array in whole.items()}, origin=about)


def joint_of(model: MarkovModel, behaviour: JointPolicy) -> Float64Array:
    """Joint play at every point, [I, A_0, ..., A_{N-1}].

    Raises:
        PolicyError: if the policy is of another game, or draws one joint policy for all of it.
    """
    if isinstance(behaviour, MarkovCorrelatedPolicy):
        require_fits(model, behaviour.marginals())
        return behaviour.distributions
    return joint_play(tabulate(model, behaviour).tables)


def _described(frame: Frame) -> dict[str, Any]:
    described = {
        "states": frame.states,
        "actions": list(frame.actions),
        "horizon": frame.horizon,
        "discount": frame.discount,
        "lowest": frame.lowest.tolist(),
        "highest": frame.highest.tolist(),
        "legal": [mask.astype(int).tolist() for mask in frame.legal],
        "ends": frame.ends,
    }
    return described if frame.initial is None else described | {"initial": frame.initial.tolist()}


def _frame(described: Mapping[str, Any]) -> Frame:
    return Frame(
        states=int(described["states"]),
        actions=tuple(described["actions"]),
        horizon=described["horizon"],
        discount=float(described["discount"]),
        lowest=np.array(described["lowest"], dtype=np.float64),
        highest=np.array(described["highest"], dtype=np.float64),
        legal=tuple(np.array(mask, dtype=bool) for mask in described["legal"]),
        ends=bool(described["ends"]),
        initial=described.get("initial"),
    )
