"""What mkdocs calls: generated pages join the site, and links to files of the repository become links to copies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

sys.path.insert(0, str(Path(__file__).parent))  # mkdocs takes it away again once this file is loaded

from doctests import Doctests
from eqdocs import generated_pages, navigation, repository


def on_config(config: Any) -> Any:
    """Every generated page, and every page under docs that nobody named, gets its place in the navigation."""
    config.nav = navigation.expanded(config.nav, generated_pages())
    config.markdown_extensions.append(Doctests())
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages, what they show, and the files of the repository that pages link to."""
    texts = {}
    for path, page in generated_pages().items():
        texts[path] = page.text
        for name, content in page.files.items():
            files.append(File.generated(config, name, content=content))
    for name, path in repository.PAGES.items():
        texts[path] = (repository.ROOT / name).read_text(encoding="utf-8")
    written = [file for file in files.documentation_pages() if not file.generated_by]
    links = [repository.links(file.content_string, file.src_uri)[1] for file in written]
    links += [repository.links(text, path)[1] for path, text in texts.items()]
    for target in sorted(set().union(*links) - set(repository.INSTEAD)):
        path = repository.destination(target)
        if path.endswith(".md"):
            texts[path] = repository.folder_page(target)
        else:
            files.append(File.generated(config, path, abs_src_path=str(repository.ROOT / target)))
    for path, text in texts.items():
        shown = InclusionLevel.NOT_IN_NAV if path.startswith("files/") else InclusionLevel.INCLUDED
        files.append(File.generated(config, path, content=text, inclusion=shown))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links as the site has them."""
    return repository.links(markdown, page.file.src_uri)[0]
