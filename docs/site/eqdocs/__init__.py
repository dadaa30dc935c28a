"""The pages of the documentation that follow from the registries: games, solvers, learners, meta-solvers, oracles.

Pure functions from what is registered to Markdown; nothing here imports mkdocs, whose hook is `docs/site/hooks.py`.
"""

from eqdocs.catalogue import generated_pages
from eqdocs.page import Page

__all__ = ["Page", "generated_pages"]
