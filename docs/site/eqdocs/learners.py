"""One page for each learner, and the page that lists them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType

import yaml

from eqagents.learners import LearnerSpec
from eqagents.learners.tabular import iterative_methods
from eqdocs import results
from eqdocs.markdown import code, escaped, first_sentence, list_of, module_prose, page_text, section, table
from eqdocs.page import ROOT, Page, helpers, registered, source_file
from eqdocs.parameters import settings_table

GROUPS = {"deep": "With networks", "psro": "Populations", "mean_field": "Mean field", "learners": "Tabular and other"}
GUIDES = {"deep": "deep.md", "psro": "psro.md", "mean_field": "mean_field.md"}
SMALL = {"mean_field": "left_right"}  # the game of an example that no stored configuration has, by folder
DOCUMENTS = ("deep", "psro", "same_numbers", "faults")
# What benchmarks call the methods that are settings of a learner.
NAMES = {"psro": ("psro", "odo"), "xdo": ("xdo", "xodo", "pdo", "adado")}


def learner_pages() -> list[Page]:
    """A page for each learner; the list is the first."""
    found = registered("eqagents.learners", "LEARNER")
    order = list(GROUPS)
    found.sort(key=lambda pair: (order.index(_folder(pair[0])), pair[1].id))
    parts = []
    for folder, title in GROUPS.items():
        rows = [
            (f"[`{spec.id}`]({spec.id}.md)", first_sentence(module.__doc__), escaped(spec.source))
            for module, spec in found
            if _folder(module) == folder
        ]
        parts.append(section(title, table(("id", "what", "source"), rows)))
    said = (
        "A learner is what a run's configuration names: it goes step by step over a state that is checkpointed, and "
        "its policy is scored by `eqsolvers.scoring`, never by its own play. `eqenvs train CONFIG --out DIR` runs one "
        "([runs](../running.md)). [How to choose](../choosing.md)."
    )
    index = Page(path="learners/index.md", title="All learners", text=page_text("Learners", said, *parts))
    return [index, *(_page(module, spec) for module, spec in found)]


def _folder(module: ModuleType) -> str:
    return module.__name__.split(".")[-2]


def _page(module: ModuleType, spec: LearnerSpec) -> Page:
    folder = _folder(module)
    guide = f" More in [{GUIDES[folder]}](../{GUIDES[folder]})." if folder in GUIDES else ""
    text = page_text(
        spec.id,
        f"Learner · {GROUPS[folder]}",
        module_prose(module, helpers(module)),
        section("Run it", *_examples(spec, folder)),
        section("Settings", "Keys of `learner` in a configuration.", settings_table(spec.config), _methods(spec)),
        section("Results", *results.tables(NAMES.get(spec.id, (spec.id,)), DOCUMENTS)),
        section(
            "Source",
            escaped(f"{spec.source}."),
            f"The learner's file is [`{source_file(module)}`](../../{source_file(module)}).{guide}",
        ),
    )
    return Page(path=f"learners/{spec.id}.md", title=spec.id, group=GROUPS[folder], text=text)


@cache
def _stored() -> tuple[tuple[Path, str], ...]:
    """The configurations of the repository that name a learner, with that."""
    read = {
        path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "configs").glob("*.yaml"))
    }
    return tuple((path, data["learner"]["id"]) for path, data in read.items() if "learner" in data)


def _examples(spec: LearnerSpec, folder: str) -> list[str]:
    configs = [path for path, learner in _stored() if learner == spec.id]
    if not configs:
        game = SMALL.get(folder, "kuhn_poker")
        text = f"game: {{id: {game}}}\nlearner: {{id: {spec.id}}}\niterations: 20\nscore: {{every: 5}}\nseed: 0"
        name = f"{spec.id}.yaml"
        command = code("sh", f"eqenvs train {name} --out runs/{spec.id}")
        return [f"With default settings, as `{name}`:", code("yaml", text), command]
    first, *others = configs
    parts = [
        f"[`configs/{first.name}`](../../configs/{first.name}):",
        code("yaml", first.read_text(encoding="utf-8")),
        code("sh", f"eqenvs train configs/{first.name} --out runs/{first.stem}"),
    ]
    if others:
        links = ", ".join(f"[`{path.name}`](../../configs/{path.name})" for path in others)
        parts.append(f"Others that are stored: {links}.")
    return parts


def _methods(spec: LearnerSpec) -> str:
    if spec.id != "tabular":
        return ""
    return f"Methods: {list_of(sorted(iterative_methods()))}; see [solvers](../solvers/index.md)."
