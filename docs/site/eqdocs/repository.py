"""Links from pages to files of the repository outside the site: what they become there, and which files that takes.

Pages link to them by relative paths, which work where the repository is browsed. On the site a text file is a copy
under `files/`, a folder a page that shows what is in it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from eqdocs.markdown import code, page_text, section
from eqdocs.page import DOCS, ROOT

PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}  # pages of the site too
INSTEAD = {"README.md": "index.md", **PAGES}  # what a link to them leads to
EXCLUDED = ("docs/plugin_template", "docs/site", "docs/update_tables.py")  # under docs, and no part of the site
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
FENCE = re.compile(r"^\s*(`{3,})")
SHOWN = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".md": "markdown", ".sh": "sh", ".json": "json"}


def links(text: str, page: str) -> tuple[str, set[str]]:
    """A page's text with its links as the site has them, and the files and folders of the repository that they need.

    Args:
        text: Markdown; links are relative to where the text stands in the repository.
        page: the page's path below the site's root.
    """
    needed: set[str] = set()
    home = next((posixpath.dirname(name) for name, path in PAGES.items() if path == page), None)
    base = posixpath.join("docs", posixpath.dirname(page)) if home is None else home

    def replace(link: re.Match[str]) -> str:
        path, mark, anchor = link[2].partition("#")
        target = posixpath.normpath(posixpath.join(base, path))
        if not path or ":" in path or path.startswith("/") or not (ROOT / target).exists():
            return link[0]
        if target.startswith("docs/") and not target.startswith(EXCLUDED):
            found = target.removeprefix("docs/")
        else:
            needed.add(target)
            found = destination(target)
        return f"{link[1]}{posixpath.relpath(found, posixpath.dirname(page) or '.')}{mark}{anchor}{link[3]}"

    return _outside_code(text, lambda line: LINK.sub(replace, line)), needed


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text with every line changed that stands in no block of code."""
    fence, lines = "", []
    for line in text.split("\n"):
        found = FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and len(found[1]) >= len(fence):
            fence = ""
        elif not fence:
            line = change(line)
        lines.append(line)
    return "\n".join(lines)


def destination(target: str) -> str:
    """Where a file or folder of the repository is on the site; text ends in `.txt`, so that browsers show it."""
    if target in INSTEAD:
        return INSTEAD[target]
    path = ROOT / target
    if path.is_dir():
        return f"files/{target}/index.md"
    return f"files/{target}" if path.suffix in (".json", ".svg", ".png") else f"files/{target}.txt"


def folder_page(target: str) -> str:
    """What is in a folder of the repository, file by file."""
    folder = ROOT / target
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in SHOWN and "__pycache__" not in path.parts]
    parts = [
        section(f"`{path.relative_to(folder).as_posix()}`", code(SHOWN[path.suffix], path.read_text(encoding="utf-8")))
        for path in paths
    ]
    return page_text(f"`{target}`", "Files of the repository.", *parts)


def written_pages() -> list[str]:
    """The pages that files under docs hold, by path below the site's root."""
    paths = [path.relative_to(DOCS).as_posix() for path in sorted(DOCS.rglob("*.md"))]
    return [path for path in paths if not f"docs/{path}".startswith(EXCLUDED)]
