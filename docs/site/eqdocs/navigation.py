"""The navigation of `mkdocs.yml`, with the pages that it does not name one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eqdocs.page import Page
from eqdocs.repository import written_pages

REST = "More"  # the section of pages that the navigation does not name


def expanded(nav: list[Any], pages: Mapping[str, Page]) -> list[Any]:
    """Generated pages after the `index.md` of their folder, and the rest of the pages under docs in a section apart."""
    named = set(paths(nav))
    rest = [path for path in written_pages() if path not in named]
    return _expanded(nav, pages) + ([{REST: rest}] if rest else [])


def _expanded(nav: list[Any], pages: Mapping[str, Page]) -> list[Any]:
    found: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            inner = {title: _expanded(e, pages) if isinstance(e, list) else e for title, e in entry.items()}
            found.append(inner)
        else:
            found.append(entry)
        if isinstance(entry, str) and entry in pages:
            found.extend(_below(entry, pages))
    return found


def _below(index: str, pages: Mapping[str, Page]) -> list[Any]:
    """The other pages of a folder, by their groups."""
    folder = index.removesuffix("index.md")
    inside = [page for path, page in pages.items() if path.startswith(folder) and path != index]
    groups: dict[str, list[Any]] = {}
    for page in inside:
        groups.setdefault(page.group, []).append({page.title: page.path})
    plain = groups.pop("", [])
    return [*plain, *({group: entries} for group, entries in groups.items())]


def paths(nav: list[Any]) -> Iterator[str]:
    """Every page that a navigation names."""
    for entry in nav:
        if isinstance(entry, dict):
            for value in entry.values():
                yield from paths(value if isinstance(value, list) else [value])
        else:
            yield entry
