r"""Gambit's files: .efg and .nfg in and out.

`eqenvs.make("gambit:poker.efg")` is the game of a file. Both formats are those of the Gambit manual ("Game
representation formats"); Savani and Turocy (2025), Gambit, https://www.gambit-project.org. Payoffs of outcomes that
stand at inner nodes are added to those of the ends below. Numbers are read as float64, fractions such as 1/3 too.
What is written has every float64 to its last bit; the chances of a move are written as fractions that sum to one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.given_files import read_text
from eqenvs.interop._given import MAX_PLAYERS, MAX_SIZE, given
from eqenvs.models import ExtensiveFormModel
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.models.numbers import MAX_NUMBERS
from eqenvs.rules import CHANCE, TERMINAL
from eqenvs.spec import GameSpec
from eqenvs.tree_rules import Tree, numbered, require_fits

TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([{}])|([^\s{}",]+)|(,))', re.DOTALL)
EXACT = 10**12  # largest denominator of a chance


def spec(reference: str) -> GameSpec:
    """The game of a file.

    Args:
        reference: the path of an .efg or .nfg file.

    Raises:
        InputError: it cannot be read, or is no such file; the message names the line.
    """
    path = Path(reference)
    source = "Gambit, https://www.gambit-project.org"
    return given(f"gambit:{reference}", f"{path.stem} (Gambit file)", read(path), source)


def read(path: Path) -> NormalFormModel | Tree:
    """The game of an .efg or .nfg file, which its first word tells apart.

    Raises:
        InputError: see `spec`.
    """
    words = _Words(str(path), read_text(path))
    kind = words.word()
    if kind == "NFG":
        return _nfg(words)
    if kind != "EFG":
        words.refuse(f"a file of Gambit begins with EFG or NFG, not {kind[:40]!r}")
    return _efg(words)


class _Words:
    """The words of a file, one after the other."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self._text, self._place = file, text, 0
        self._next: tuple[str, str] | None = None

    @property
    def left(self) -> int:
        """Characters that are left."""
        return len(self._text) - self._place

    def refuse(self, reason: str) -> NoReturn:
        """Raises InputError with the line."""
        line = self._text.count("\n", 0, self._place) + 1
        raise InputError(f"{self.file}, line {line}: {reason}")

    def peek(self) -> tuple[str, str]:
        """What comes: ("text" | "brace" | "word" | "end", it)."""
        while self._next is None:
            match = TOKEN.match(self._text, self._place)
            if match is None:
                if self._text[self._place :].strip():
                    self.refuse("a text has no closing quotation mark")
                self._place = len(self._text)
                return "end", ""
            self._place = match.end()
            quoted, brace, word, _ = match.groups()
            if quoted is not None:
                self._next = "text", re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL)
            elif brace is not None:
                self._next = "brace", brace
            elif word is not None:
                self._next = "word", word
        return self._next

    def take(self, kind: str, what: str) -> str:
        """The next, of some kind."""
        found, value = self.peek()
        if found != kind:
            self.refuse(f"expected {what}, found {value[:40]!r}" if value else f"expected {what}, found the end")
        self._next = None
        return value

    def word(self) -> str:
        """The next word."""
        return self.take("word", "a word")

    def text(self) -> str:
        """The next text in quotation marks."""
        return self.take("text", "a text in quotation marks")

    def follows(self, kind: str, value: str | None = None) -> bool:
        """Whether that comes next."""
        found, there = self.peek()
        return found == kind and (value is None or there == value)

    def brace(self, which: str) -> None:
        """A brace."""
        if not self.follows("brace", which):
            self.refuse(f"expected {which!r}, found {self.peek()[1][:40]!r}")
        self._next = None

    def whole(self) -> int:
        """A whole number."""
        word = self.word()
        if not re.fullmatch(r"[+-]?\d{1,18}", word):
            self.refuse(f"expected a whole number, found {word[:40]!r}")
        return int(word)

    def number(self) -> float:
        """A number: 3, -0.5, 1e-3 or 1/3."""
        word = self.word()
        upper, slash, lower = word.partition("/")
        try:
            value = float(upper) / float(lower) if slash else float(upper)
        except (ValueError, ZeroDivisionError):
            self.refuse(f"expected a number, found {word[:40]!r}")
        if not np.isfinite(value):
            self.refuse(f"{word[:40]} is no finite number")
        return value

    def listed(self) -> Iterator[None]:
        """Once for everything between two braces."""
        self.brace("{")
        while not self.follows("brace", "}"):
            if self.follows("end"):
                self.refuse("expected '}', found the end")
            yield
        self.brace("}")


def _head(words: _Words, known: str) -> list[str]:
    """The players' names; what is before them is read."""
    version, numbers = words.word(), words.word()
    if version != known or numbers not in ("R", "D"):
        words.refuse(f"this version is not known: {version[:10]} {numbers[:10]}; known: {known} R")
    words.text()
    players = [words.text() for _ in words.listed()]
    if not 0 < len(players) <= MAX_PLAYERS:
        words.refuse(f"there must be 1 to {MAX_PLAYERS} players, got {len(players)}")
    return players


# ------------------------------------------------------------------------------------------------------- normal form


def _nfg(words: _Words) -> NormalFormModel:
    players = _head(words, "1")
    counts: list[int] = []
    for _ in words.listed():
        if words.follows("brace", "{"):
            counts.append(len([words.text() for _ in words.listed()]))
        else:
            counts.append(words.whole())
    if len(counts) != len(players) or min(counts) < 1:
        words.refuse(f"{len(players)} players need as many positive numbers of strategies, got {counts}")
    profiles = 1
    for count in counts:
        profiles *= count
    if profiles * len(players) > MAX_NUMBERS:
        raise GameTooLargeError(f"{words.file}: more than {MAX_NUMBERS:,} payoffs")
    if words.follows("text"):
        words.text()  # a comment
    if words.follows("brace", "{"):
        outcomes = [_payoffs(words, len(players)) for _ in words.listed()]
        table = np.array([[0.0] * len(players), *outcomes])
        rows = [words.whole() for _ in range(profiles)]
        if min(rows) < 0 or max(rows) >= len(table):
            words.refuse(f"there are outcomes 1 to {len(table) - 1}, and 0 for none")
        flat = table[rows]
    else:
        flat = np.array([[words.number() for _ in players] for _ in range(profiles)])
    if not words.follows("end"):
        words.refuse(f"expected the end, found {words.peek()[1][:40]!r}")
    # The first player's strategy varies fastest.
    return NormalFormModel(np.stack([flat[:, p].reshape(counts, order="F") for p in range(len(players))]))


def _payoffs(words: _Words, count: int) -> list[float]:
    """An outcome in braces: its name, where it has one, and the payoffs."""
    found: list[float] = []
    for _ in words.listed():
        if not found and words.follows("text"):
            words.text()
        else:
            found.append(words.number())
    if len(found) != count:
        words.refuse(f"an outcome needs {count} payoffs, got {len(found)}")
    return found


# ----------------------------------------------------------------------------------------------------- extensive form


@dataclass
class _Moves:
    """An information set, or a move of chance, when it is met first."""

    number: int
    label: str
    actions: list[str]
    chances: list[float]


@dataclass
class _Reading:
    """What was read so far."""

    players: int
    moves: list[dict[int, _Moves]]  # by player and the file's number; the last is chance's
    outcomes: dict[int, list[float]] = field(default_factory=dict)


def _efg(words: _Words) -> Tree:
    players = _head(words, "2")
    if words.follows("text"):
        words.text()  # a comment
    reading = _Reading(len(players), [{} for _ in range(len(players) + 1)])
    player, infoset, first, count, chance = [0], [-1], [0], [0], [1.0]
    payoffs: list[list[float]] = [[0.0] * len(players)]
    todo = [0]
    while todo:
        node = todo.pop()
        kind = words.word()
        words.text()  # the node's name
        if kind == "t":
            player[node] = TERMINAL
            payoffs[node] = _outcome(words, reading, payoffs[node])
            continue
        if kind not in ("c", "p"):
            words.refuse(f"a node is c, p or t, not {kind[:40]!r}")
        mover = words.whole() - 1 if kind == "p" else len(players)
        if not 0 <= mover < len(players) + (kind == "c"):
            words.refuse(f"there are players 1 to {len(players)}, not {mover + 1}")
        moves = _moves(words, reading.moves[mover], chance=kind == "c")
        payoffs[node] = _outcome(words, reading, payoffs[node])
        player[node], infoset[node] = (mover, moves.number) if kind == "p" else (CHANCE, -1)
        first[node], count[node] = len(player), len(moves.actions)
        if len(player) + len(moves.actions) > MAX_SIZE or len(todo) > words.left:
            raise GameTooLargeError(f"{words.file}: has more than {MAX_SIZE:,} histories, or is cut short")
        todo.extend(range(len(player) + len(moves.actions) - 1, len(player) - 1, -1))
        for place in range(len(moves.actions)):
            for column, value in ((player, 0), (infoset, -1), (first, 0), (count, 0)):
                column.append(value)
            chance.append(moves.chances[place] if kind == "c" else 1.0)
            payoffs.append(payoffs[node])
    if not words.follows("end"):
        words.refuse(f"expected the end, found {words.peek()[1][:40]!r}")
    sets = [list(own.values()) for own in reading.moves[:-1]]
    widths = [max((len(each.actions) for each in own), default=1) for own in sets]
    require_fits(len(players), len(player), [(len(own), width) for own, width in zip(sets, widths, strict=True)])
    most = max(len(own) for own in sets)
    return Tree(
        player=np.array(player),
        infoset=np.array(infoset),
        first_child=np.array(first),
        num_children=np.array(count),
        chance=np.array(chance),
        payoffs=np.array(payoffs),
        masks=tuple(
            np.arange(width) < np.array([[len(each.actions)] for each in own], dtype=np.int64).reshape(-1, 1)
            for own, width in zip(sets, widths, strict=True)
        ),
        observations=tuple(numbered(len(own), most) for own in sets),
        infoset_labels=tuple(_unique([each.label for each in own]) for own in sets),
        action_labels=tuple(_common([each.actions for each in own], w) for own, w in zip(sets, widths, strict=True)),
    )


def _moves(words: _Words, known: dict[int, _Moves], *, chance: bool) -> _Moves:
    """The information set of a node, whose actions are told where it is met first, or again."""
    name = words.whole()
    label = words.text() if words.follows("text") else ""
    if not words.follows("brace", "{"):
        if name not in known:
            words.refuse(f"information set {name} is met here first, and has no actions")
        return known[name]
    actions, chances = [], []
    for _ in words.listed():
        actions.append(words.text())
        if chance:
            chances.append(words.number())
    if name in known:
        if len(known[name].actions) != len(actions) or known[name].chances != chances:
            words.refuse(f"information set {name} had other actions before")
        return known[name]
    if not actions:
        words.refuse(f"information set {name} has no actions")
    if chance and (min(chances) < 0 or abs(sum(chances) - 1) > 1e-9):
        words.refuse(f"chances must be a distribution, got {chances}")
    known[name] = _Moves(len(known), label, actions, chances)
    return known[name]


def _outcome(words: _Words, reading: _Reading, before: list[float]) -> list[float]:
    """The payoffs collected on the way to a node and at it."""
    name = words.whole()
    if words.follows("text"):
        words.text()
    if words.follows("brace", "{"):
        found = _payoffs(words, reading.players)
        if reading.outcomes.setdefault(name, found) != found:
            words.refuse(f"outcome {name} had other payoffs before")
    elif name and name not in reading.outcomes:
        words.refuse(f"outcome {name} is met here first, and has no payoffs")
    if not name:
        return before
    return [mine + more for mine, more in zip(before, reading.outcomes[name], strict=True)]


def _unique(labels: Sequence[str]) -> list[str]:
    """The labels, with the number behind those that are empty or taken."""
    taken: set[str] = set()
    found = []
    for number, label in enumerate(labels):
        name = label if label and label not in taken else f"{label or 'set'} #{number + 1}"
        taken.add(name)
        found.append(name)
    return found


def _common(actions: Sequence[Sequence[str]], width: int) -> list[str]:
    """A name for each action: what the information sets agree on, or its number."""
    names = [{own[place] for own in actions if place < len(own)} for place in range(width)]
    return [next(iter(each)) if len(each) == 1 else str(place) for place, each in enumerate(names)]


# ------------------------------------------------------------------------------------------------------------ writing


def write(game: Game, path: Path) -> None:
    """Write a game as an .nfg file if it is in normal form, else as an .efg file.

    Args:
        game: one that can be enumerated, in normal or extensive form.
        path: the new file; it must not exist, and ends as the form does.

    Raises:
        InputError: the file exists, or ends otherwise.
        UnsupportedGame: the game is of another family.
        GameTooLargeError: it cannot be enumerated.
    """
    model = game.model()
    if isinstance(model, NormalFormModel):
        ending, lines = ".nfg", _nfg_lines(game, model)
    elif isinstance(model, ExtensiveFormModel):
        ending, lines = ".efg", _efg_lines(game, model)
    else:
        raise UnsupportedGame(f"{game.spec.id} is {game.family}; Gambit's files are of normal and extensive form")
    if path.suffix != ending:
        raise InputError(f"{path}: the file of {game.spec.id}, in {game.family}, must end in {ending}")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except FileExistsError:
        raise InputError(f"{path} exists; choose another") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _quoted(text: str) -> str:
    plain = " ".join(text.split())
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _players(count: int) -> str:
    return "{ " + " ".join(_quoted(f"player_{player}") for player in range(count)) + " }"


def _numbers(values: Float64Array) -> str:
    return ", ".join(repr(float(value)) for value in values)


def _nfg_lines(game: Game, model: NormalFormModel) -> Iterator[str]:
    yield f"NFG 1 R {_quoted(game.spec.title)} {_players(model.num_players)}"
    yield "{ " + " ".join(map(str, model.num_actions)) + " }"
    yield ""
    flat = np.stack([payoffs.reshape(-1, order="F") for payoffs in model.payoffs], axis=1)
    for row in flat:
        yield " ".join(repr(float(value)) for value in row)


def _efg_lines(game: Game, model: ExtensiveFormModel) -> Iterator[str]:
    yield f"EFG 2 R {_quoted(game.spec.title)} {_players(model.num_players)}"
    yield '""'
    labels = [game.information_state_labels(player) for player in range(model.num_players)]
    actions = [game.action_labels(player) for player in range(model.num_players)]
    order = np.argsort(model.parent, kind="stable")
    starts = np.searchsorted(model.parent[order], np.arange(len(model.parent) + 1))
    ends = np.cumsum(model.player == TERMINAL)
    moves = 0
    stack = [0]
    while stack:
        node = stack.pop()
        mover = int(model.player[node])
        children = order[starts[node] : starts[node + 1]]
        if mover == TERMINAL:
            end = int(ends[node])
            yield f't "" {end} "" {{ {_numbers(model.payoffs[end - 1])} }}'
            continue
        stack.extend(reversed(children.tolist()))
        if mover == CHANCE:
            moves += 1
            named = " ".join(
                f'"{int(model.action[child])}" {chance}'
                for child, chance in zip(children, _fractions(model.chance[children]), strict=True)
            )
            yield f'c "" {moves} "" {{ {named} }} 0'
        else:
            infoset = int(model.infoset[node])
            named = " ".join(_quoted(actions[mover][int(model.action[child])]) for child in children)
            yield f'p "" {mover + 1} {infoset + 1} {_quoted(labels[mover][infoset])} {{ {named} }} 0'


def _fractions(chances: Float64Array) -> list[Fraction]:
    """Fractions within rounding of the chances, whose sum is one: Gambit asks for that to the letter."""
    found = [Fraction(float(chance)).limit_denominator(EXACT) for chance in chances]
    rest = 1 - sum(found)
    largest = max(range(len(found)), key=lambda place: found[place])
    found[largest] += rest
    return found
