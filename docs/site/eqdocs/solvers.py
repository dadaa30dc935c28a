"""One page for each solver, by the family of games that it takes, and the page that lists them."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import eqenvs
from eqdocs import results
from eqdocs.markdown import code, escaped, first_sentence, list_of, module_prose, page_text, section, table
from eqdocs.page import Page, file_stem, helpers, registered, source_file
from eqdocs.parameters import parameter_table
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.spec import Family
from eqsolvers.result import SolverSpec, find_solver, two_players, two_players_constant_sum, with_horizon

GUIDES = {
    Family.NORMAL_FORM: ("normal_form.md",),
    Family.EXTENSIVE_FORM: ("extensive_form.md",),
    Family.MARKOV: ("markov.md", "markov_learning.md", "markov_policy_gradient.md", "robust.md"),
    Family.MEAN_FIELD: ("mean_field.md", "mean_field_pma.md", "mean_field_benchmarks.md", "mean_field_bridge.md"),
}
STORED = {
    Family.NORMAL_FORM: ("normal_form", "regret_rates", "variance_reduction"),
    Family.EXTENSIVE_FORM: ("extensive", "convergence"),
    Family.MARKOV: ("markov",),
    Family.MEAN_FIELD: ("mean_field",),
}
CLASSES = {
    two_players: "games of two players",
    two_players_constant_sum: "constant-sum games of two players",
    with_horizon: "games whose rules have a horizon",
}
HORIZON = {"zero_sum": True, "num_states": 3, "horizon": 4, "discount": 1.0}
TRIED: dict[Family, tuple[tuple[str, dict[str, Any]], ...]] = {  # small games: the first that suits is the example
    Family.NORMAL_FORM: (("bimatrix_3x2", {}), ("rock_paper_scissors", {}), ("prisoners_dilemma", {})),
    Family.EXTENSIVE_FORM: (("kuhn_poker", {}),),
    Family.MARKOV: (("iterated_game", {}), ("robust_gym", {}), ("random_markov_game", HORIZON)),
    Family.MEAN_FIELD: (("left_right", {}), ("kinetic_congestion", {}), ("krusell_smith", {})),
}


def family_title(family: Family) -> str:
    """As in headings."""
    return family.value.replace("_", " ").capitalize() if family is not Family.MEAN_FIELD else "Mean field"


@cache
def _registered(family: Family) -> tuple[tuple[ModuleType, SolverSpec], ...]:
    found = registered(f"eqsolvers.{family.value}", "SOLVER")
    return tuple(sorted(found, key=lambda pair: pair[1].id))


def solver_path(family: Family, module: ModuleType) -> str:
    """Of a solver's page, below that of all solvers."""
    return f"{family.value}/{file_stem(module)}.md"


def covering(game: Game) -> dict[str, list[tuple[str, str]]]:
    """By concept, the id and page of every method whose spec says that it takes the game, the preferred one first."""
    found: dict[str, list[tuple[str, str]]] = {}
    for module, spec in _registered(game.family):
        if spec.covers(game):
            for concept in spec.concepts:
                found.setdefault(concept, []).append((spec.id, solver_path(game.family, module)))
    for concept, methods in found.items():
        preferred = find_solver(game.family, concept, None, game).id
        methods.sort(key=lambda method: method[0] != preferred)
    return found


def solver_pages() -> list[Page]:
    """A page for each solver; the list is the first."""
    parts, pages = [], []
    for family in Family:
        rows = []
        for module, spec in _registered(family):
            pages.append(_page(family, module, spec))
            concepts = ", ".join(f"`{concept}`" for concept in spec.concepts)
            rows.append((f"[`{spec.id}`]({solver_path(family, module)})", concepts, first_sentence(module.__doc__)))
        guides = ", ".join(f"[{guide}](../{guide})" for guide in GUIDES[family])
        parts.append(section(family_title(family), f"In prose: {guides}.", table(("id", "computes", "what"), rows)))
    said = (
        "Methods work on exact models and say how far what they found is from the concept that was asked for. "
        "`eqenvs solve GAME --method ID`, or `find_solver` in Python, runs one; every iterative one is a `method` of "
        "the learner [`tabular`](../learners/tabular.md) too, with checkpoints. [How to choose](../choosing.md)."
    )
    return [Page(path="solvers/index.md", title="All solvers", text=page_text("Solvers", said, *parts)), *pages]


def _page(family: Family, module: ModuleType, spec: SolverSpec) -> Page:
    guides = ", ".join(f"[{guide}](../../{guide})" for guide in GUIDES[family])
    text = page_text(
        spec.id,
        f"Solver · {family_title(family)} · computes {list_of(spec.concepts)}",
        module_prose(module, helpers(module)),
        section("Use", *_use(family, spec)),
        section("What it takes", _games(family, spec)),
        section("Parameters", parameter_table(spec.parameters) or "None."),
        section("Measured", *results.tables({spec.id}, STORED[family])),
        section(
            "Source",
            escaped(f"{spec.source}."),
            f"The method's file is [`{source_file(module)}`](../../../{source_file(module)}). More of the family in "
            f"{guides}.",
        ),
    )
    path = f"solvers/{solver_path(family, module)}"
    return Page(path=path, title=spec.id, group=family_title(family), text=text)


def _use(family: Family, spec: SolverSpec) -> list[str]:
    judged = ", ".join(f"`{concept}` in units of {spec.unit_of(concept)}" for concept in spec.concepts)
    parts = [*_example(family, spec), f"The residual, and so the tolerance, is judged by concept: {judged}."]
    if spec.start is not None:
        seeded = "It draws at random: the `seed` matters." if spec.random else "It is deterministic."
        said = f"It is iterative, and a learner of runs as well: `learner: {{id: tabular, method: {spec.id}}}`."
        parts.append(f"{said} {seeded}")
    return parts


def _example(family: Family, spec: SolverSpec) -> list[str]:
    """The method on a small game, if one suits."""
    for game_id, given in TRIED[family]:
        if _takes(spec, eqenvs.make(game_id, **given)):
            break
    else:
        return []
    arguments = "".join(f", {name}={value!r}" for name, value in given.items())
    budget = ", iterations=20" if spec.start is not None else ""
    lines = [
        "import eqenvs",
        "from eqsolvers.result import find_solver",
        "",
        f'game = eqenvs.make("{game_id}"{arguments})',
        f'method = find_solver(game.family, "{spec.concepts[0]}", "{spec.id}")',
        f"found = method.solve(game.model(){budget})",
        "print(found.status, found.residual)",
    ]
    options = "".join(f" -p {name}={str(value).lower()}" for name, value in given.items())
    return [
        code("python", "\n".join(lines)),
        code("sh", f"eqenvs solve {game_id}{options} --method {spec.id}"),
    ]


def _takes(spec: SolverSpec, game: Game) -> bool:
    """Whether the method begins on a small game: what it covers may be less than its spec says."""
    if not spec.covers(game):
        return False
    try:
        (spec.start or spec.solve)(game.model())
    except UnsupportedGame:
        return False
    return True


@cache
def _instances(family: Family) -> tuple[Game, ...]:
    known = sorted(spec.id for _, spec in registered("eqenvs.games", "SPEC") if spec.family is family)
    return tuple(game for game in map(eqenvs.make, known) if game.exact)


def _games(family: Family, spec: SolverSpec) -> str:
    instances = _instances(family)
    taken = [game.spec.id for game in instances if spec.covers(game)]
    if len(taken) == len(instances):
        return (
            f"Its spec names no narrower class than {family_title(family).lower()} games with an exact model, which "
            f"{len(taken)} [games](../../games/index.md) have with default parameters. What else it assumes is said "
            "above; a game that it cannot take is refused by name."
        )
    what = CLASSES.get(spec.covers, "some games of the family")
    links = ", ".join(f"[`{name}`](../../games/{name}.md)" for name in taken)
    return f"By its spec {what}. With default parameters these of {len(instances)} games: {links or 'none'}."
