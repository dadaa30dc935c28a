"""Examples in docstrings (`>>>`) as blocks of code: Markdown alone takes them for quotations."""

from __future__ import annotations

import re

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

EXAMPLE = re.compile(r"( *)>>> ")


class _Fences(Preprocessor):
    """Puts a fence round every example, up to the next empty line."""

    def run(self, lines: list[str]) -> list[str]:
        found: list[str] = []
        indent: str | None = None
        for line in lines:
            start = EXAMPLE.match(line)
            if indent is None and start:
                indent = start[1]
                found += ["", f"{indent}```pycon"]
            elif indent is not None and not line.strip():
                found.append(f"{indent}```")
                indent = None
            found.append(line)
        return found if indent is None else [*found, f"{indent}```"]


class Doctests(Extension):
    """The extension, to be handed to Markdown as it is."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's name
        """Before the fences that are read."""
        md.preprocessors.register(_Fences(md), "doctests", 29)
