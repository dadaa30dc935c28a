"""Markdown of docstrings and tables."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from types import ModuleType

SPECIAL = re.compile(r"([\\*_\[\]>{}])")
CODE = re.compile(r"(`+[^`]*`+)")
ITEM = re.compile(r"\s*(?:[-*]|\d+\.) ")
FIELD = re.compile(r"(?P<name>[A-Z][A-Za-z ]{2,20}): ")


def escaped(text: str) -> str:
    """Plain text, code between backticks apart, that Markdown shows as it is."""
    parts = CODE.split(text)
    shown = (part if place % 2 else SPECIAL.sub(r"\\\1", part).replace("<", "&lt;") for place, part in enumerate(parts))
    return "".join(shown)


def prose(docstring: str | None) -> str:
    r"""A docstring as Markdown: paragraphs, lists, formulas (indented by four) and examples stay what they are.

    >>> print(prose("The values v*[s]."))
    The values v\*\[s\].
    """
    lines: list[str] = []
    listed = False  # an indented line is then a list's, not a formula
    for line in inspect.cleandoc(docstring or "").splitlines():
        before = lines[-1] if lines else ""
        if ITEM.match(line):
            if before.strip() and not listed:
                lines.append("")
            listed = True
        elif line.strip() and not line.startswith(" ") and not before.strip():
            listed = False
        if line.startswith(("    ", ">>>")) and not listed:
            lines.append(line if line.startswith(" ") else f"    {line}")
        elif before.startswith("    >>>") and line.strip():
            lines.append(f"    {line}")
        else:
            marker = ITEM.match(line)
            start = marker.end() if marker else 0
            lines.append(line[:start] + escaped(line[start:]))
    return "\n".join(lines)


def fields(docstring: str | None) -> str:
    """A class's docstring without its first line; lines that begin with `Name: ` become a list."""
    _, _, rest = inspect.cleandoc(docstring or "").partition("\n")
    parts: list[str] = []
    for paragraph in prose(rest).strip().split("\n\n"):
        lines: list[str] = []
        for line in paragraph.splitlines():
            named = FIELD.match(line)
            if named:
                lines.append(f"- **{named['name']}**: {line[named.end() :]}")
            else:
                lines.append(f"  {line}" if lines and lines[0].startswith("- **") else line)
        listed = lines and lines[0].startswith("- **")
        if listed and parts and parts[-1].startswith("- **"):
            parts[-1] += "\n" + "\n".join(lines)
        else:
            parts.append("\n".join(lines))
    return "\n\n".join(part for part in parts if part)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of cells that are Markdown; empty if there are no rows."""
    found = [[str(cell).replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    if not found:
        return ""
    lines = [list(headings), ["---"] * len(headings), *found]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(language: str, text: str) -> str:
    """A block of code; the fence is longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def section(title: str, *parts: str) -> str:
    """A heading of the second level over what there is; nothing where there is nothing."""
    there = [part.strip("\n") for part in parts if part.strip()]
    return "\n\n".join([f"## {title}", *there]) if there else ""


def page_text(title: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([f"# {title}", *(part.strip("\n") for part in parts if part.strip())]) + "\n"


def number(value: float) -> str:
    """A figure as tables print it: six digits, with thousands set apart."""
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.6g}"


def figures(values: Iterable[float]) -> str:
    """Several of them."""
    return ", ".join(map(number, values))


def list_of(names: Iterable[str]) -> str:
    """Ids as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def first_sentence(docstring: str | None) -> str:
    """What a module says it is, on one line."""
    paragraph = inspect.cleandoc(docstring or "").split("\n\n")[0].replace("\n", " ")
    return escaped(paragraph.removesuffix("."))


def folded(title: str, text: str) -> str:
    """A note that is closed at first."""
    quoted, inside = title.replace('"', "'"), text.strip().replace("\n", "\n    ")
    return f'??? note "{quoted}"\n\n    {inside}'


def module_prose(module: ModuleType, beside: Iterable[ModuleType]) -> str:
    """A module's docstring, and folded away those of the helpers that it refers to."""
    names = {helper: helper.__name__.rpartition(".")[2] for helper in beside}
    notes = [
        folded(f"`{name}`: {first_sentence(helper.__doc__)}", prose(helper.__doc__)) for helper, name in names.items()
    ]
    return "\n\n".join([prose(module.__doc__), *notes])
