"""Cases for games that are given as files: Gambit's and tables of payoffs."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

import eqenvs
from eqagents.bench._fuzz_inputs import Case
from eqagents.bench._fuzz_mutations import spoiled_bytes
from eqenvs.interop import gambit
from eqenvs.models import NormalFormModel

GAMES = ("kuhn_poker", "signalling", "chicken", "majority_voting")
NUMBERS = ("0", "1", "2", "-1", "99999999999", "1e999", "nan", "1/0", "1/3")
WORDS = (*NUMBERS, "{", "}", "c", "p", "t", "x", '""', '"', "", "\n")
TABLE = "a,b,u,v\n0,0,1,2\n0,1,3,4.5\n1,0,-1,0\n1,1,1e3,7\n"


def spoiled_words(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three words are others, of the file or of none, are gone, or stand where another stood."""
    words = re.split(r"([\s,]+)", data.decode())
    for _ in range(int(rng.integers(1, 4))):
        at, other, kind = int(rng.integers(len(words))), int(rng.integers(len(words))), int(rng.integers(4))
        if kind == 0:
            words[at] = WORDS[int(rng.integers(len(WORDS)))]
        elif kind == 1:
            words[at] = words[other]
        elif kind == 2:
            words[at], words[other] = words[other], words[at]
        else:
            low, high = min(at, other), max(at, other)
            words[low:high] = words[low:high] * int(rng.integers(3)) if high - low < 200 else []
    return "".join(words).encode()


class GivenCases:
    """Files of games.

    Args:
        directory: for valid ones, which are read into memory.
    """

    def __init__(self, directory: Path) -> None:
        self._valid: list[tuple[str, bytes]] = []
        for name in GAMES:
            game = eqenvs.make(name)
            path = directory / f"{name}{'.nfg' if isinstance(game.model(), NormalFormModel) else '.efg'}"
            gambit.write(game, path)
            self._valid.append((path.suffix, path.read_bytes()))
        buffer = io.BytesIO()
        np.save(buffer, np.arange(12.0).reshape(2, 2, 3))
        self._tables = [(".csv", TABLE.encode()), (".npy", buffer.getvalue())]

    def gambit(self, directory: Path, rng: np.random.Generator) -> Case:
        """A spoiled .efg or .nfg file."""
        return self._case("gambit", self._valid, directory, rng)

    def table(self, directory: Path, rng: np.random.Generator) -> Case:
        """A spoiled .csv or .npy file."""
        return self._case("table", self._tables, directory, rng)

    def _case(self, scheme: str, valid: list[tuple[str, bytes]], directory: Path, rng: np.random.Generator) -> Case:
        suffix, data = valid[int(rng.integers(len(valid)))]
        by_words = suffix != ".npy" and rng.random() < 0.7
        spoiled = spoiled_words(data, rng) if by_words else spoiled_bytes(data, rng)
        path = directory / f"game{suffix}"
        path.write_bytes(spoiled)
        # What a file is told to be may still be no game: imperfect recall, say, which its model finds out.
        return Case(
            lambda: eqenvs.make(f"{scheme}:{path}").model(),
            (path.name, "tree:", "payoffs", "imperfect recall", "information set"),
            repr(spoiled[:300]),
        )
