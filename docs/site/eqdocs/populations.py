"""Pages of what population methods are made of: meta-solvers, and best-response oracles."""

from __future__ import annotations

from types import ModuleType

from eqagents.oracles import OracleSpec
from eqdocs.markdown import code, escaped, first_sentence, module_prose, page_text, section, table
from eqdocs.page import Page, helpers, registered, source_file
from eqdocs.parameters import parameter_table, settings_table
from eqsolvers.meta import MetaSolverSpec


def meta_solver_pages() -> list[Page]:
    """A page for each meta-solver; the list is the first."""
    found = sorted(registered("eqsolvers.meta", "META_SOLVER"), key=lambda pair: pair[1].id)
    rows = [(f"[`{spec.id}`]({spec.id}.md)", first_sentence(module.__doc__)) for module, spec in found]
    said = (
        "A meta-solver mixes the populations of [`psro`](../learners/psro.md): from the payoffs of all policies "
        "against all others to a distribution for each player, or to one over joint policies. "
        "[In prose](../psro.md#meta-solvers)."
    )
    index = page_text("Meta-solvers", said, table(("id", "what"), rows))
    return [
        Page(path="meta_solvers/index.md", title="All meta-solvers", text=index),
        *(_meta_solver(module, spec) for module, spec in found),
    ]


def _meta_solver(module: ModuleType, spec: MetaSolverSpec) -> Page:
    needs = [
        "It remembers earlier solutions, so that no policy may be taken out of a population." if spec.learns else "",
        "It looks at best responses in the whole game, which must have an exact model." if spec.needs_outside else "",
    ]
    config = f"learner:\n  id: psro\n  oracle: {{id: exact}}\n  meta_solver: {{id: {spec.id}}}"
    text = page_text(
        spec.id,
        "Meta-solver",
        module_prose(module, helpers(module)),
        section(
            "Use", code("yaml", config), *([] if spec.needs_outside else [_call(spec)]), " ".join(filter(None, needs))
        ),
        section("Settings", parameter_table(spec.parameters) or "None."),
        _source(module, spec.source),
    )
    return Page(path=f"meta_solvers/{spec.id}.md", title=spec.id, text=text)


def _call(spec: MetaSolverSpec) -> str:
    lines = (
        "import numpy as np\n\nfrom eqsolvers.meta import find_meta_solver\n\n"
        "row = np.array([[0.0, -1.0], [1.0, 0.0], [0.0, 0.5]])  # three policies of player 0 against two of player 1\n"
        f'found = find_meta_solver("{spec.id}")(np.stack([row, -row]))\n'
        "print(found.strategies, found.device)"
    )
    return code("python", lines)


def oracle_pages() -> list[Page]:
    """A page for each oracle; the list is the first."""
    found = sorted(registered("eqagents.oracles", "ORACLE"), key=lambda pair: pair[1].id)
    rows = [(f"[`{spec.id}`]({spec.id}.md)", first_sentence(module.__doc__), _needs(spec)) for module, spec in found]
    said = (
        "An oracle responds to fixed opponents: within [`psro`](../learners/psro.md), [`xdo`](../learners/xdo.md) and "
        "mean-field learners, and in scores of games that are too large to enumerate, which are lower bounds. "
        "[In prose](../psro.md#oracles)."
    )
    index = page_text("Oracles", said, table(("id", "what", "needs"), rows))
    return [
        Page(path="oracles/index.md", title="All oracles", text=index),
        *(_oracle(module, spec) for module, spec in found),
    ]


def _needs(spec: OracleSpec) -> str:
    asked = ("the exact model", spec.needs_model), ("populations to join", spec.needs_populations)
    return ", ".join(what for what, needed in asked if needed)


def _oracle(module: ModuleType, spec: OracleSpec) -> Page:
    needs = f"It needs {_needs(spec)}." if _needs(spec) else "It needs no model."
    loses = "A response may earn less than the mixture that it answers." if spec.may_lose else ""
    text = page_text(
        spec.id,
        "Oracle",
        module_prose(module, helpers(module)),
        section("Use", f"`oracle: {{id: {spec.id}}}` among the settings of a learner. {needs} {loses}".strip()),
        section("Settings", settings_table(spec.config) or "None."),
        _source(module, None),
    )
    return Page(path=f"oracles/{spec.id}.md", title=spec.id, text=text)


def _source(module: ModuleType, source: str | None) -> str:
    file = source_file(module)
    return section("Source", escaped(f"{source}.") if source else "", f"Its file is [`{file}`](../../{file}).")
