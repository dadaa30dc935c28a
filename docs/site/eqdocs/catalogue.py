"""All generated pages."""

from __future__ import annotations

from functools import cache

from eqdocs.games import game_pages
from eqdocs.learners import learner_pages
from eqdocs.page import Page
from eqdocs.populations import meta_solver_pages, oracle_pages
from eqdocs.solvers import solver_pages


@cache
def generated_pages() -> dict[str, Page]:
    """By path; a folder's `index.md` lists the pages in it."""
    pages = [*game_pages(), *solver_pages(), *learner_pages(), *meta_solver_pages(), *oracle_pages()]
    return {page.path: page for page in pages}
