"""One page for each registered game, and the page that lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

import eqenvs
from eqdocs import pictures
from eqdocs.markdown import (
    code,
    escaped,
    fields,
    figures,
    first_sentence,
    module_prose,
    number,
    page_text,
    section,
    table,
)
from eqdocs.page import Page, helpers, registered, source_file
from eqdocs.parameters import parameter_table
from eqdocs.solvers import covering, family_title
from eqenvs.game import Game
from eqenvs.models import NormalFormModel
from eqenvs.policies import uniform_play
from eqenvs.spec import Fact, Family, GameSpec
from eqsolvers.scoring import score

LARGEST = 100_000  # histories, or pairs of a state and a joint action, of models that are built for a page
WIDEST = 6  # actions of the payoff matrices that are shown
MOST_LABELS = 24


def game_pages() -> list[Page]:
    """A page for each game; the list is the first."""
    found = sorted(registered("eqenvs.games", "SPEC"), key=lambda pair: pair[1].id)
    pages = [_page(module, spec) for module, spec in found]
    return [_list(found), *sorted(pages, key=lambda page: (list(Family).index(_family(page)), page.title))]


def _family(page: Page) -> Family:
    return next(family for family in Family if family_title(family) == page.group)


def _list(found: list[tuple[ModuleType, GameSpec]]) -> Page:
    parts = []
    for family in Family:
        rows = []
        for module, spec in found:
            if spec.family is family:
                game = eqenvs.make(spec.id)
                about = first_sentence(module.__doc__)
                rows.append((f"[`{spec.id}`]({spec.id}.md)", about, _players(game), _kind(game)))
        parts.append(section(family_title(family), table(("id", "what", "players", "payoffs and scores"), rows)))
    said = (
        "Every game that is registered, with its default parameters. Each is a PettingZoo environment, a batched "
        "simulator and, where it can be enumerated, an exact model. `eqenvs games` lists them in a terminal, and "
        "`eqenvs show GAME` says what is on a page here for any parameters. Games of OpenSpiel, Gambit and tables of "
        "payoffs are [loaded by a scheme](../interop.md)."
    )
    return Page(path="games/index.md", title="All games", text=page_text("Games", said, *parts))


def _page(module: ModuleType, spec: GameSpec) -> Page:
    game = eqenvs.make(spec.id)
    files = _pictures(game)
    text = page_text(
        escaped(spec.title[:1].upper() + spec.title[1:]),
        f"`{spec.id}` · {family_title(spec.family)} · {_players(game)} · {_kind(game)}",
        module_prose(module, helpers(module)),
        *(f"![{escaped(spec.title)} in random play]({path.rpartition('/')[2]})" for path in files),
        _make(spec),
        section("Parameters", parameter_table(spec.parameters) or "None."),
        section("Play", _play(game), fields(_rules_docstring(game)), _text_picture(game, files)),
        section("Exact model", _model(game)),
        section("Known facts", *map(_fact, spec.facts)),
        section("Solvers that take it", _solvers(game)),
        section(
            "Source",
            escaped(f"{spec.source}."),
            f"The game's file is [`{source_file(module)}`](../../{source_file(module)}).",
        ),
    )
    return Page(path=f"games/{spec.id}.md", title=spec.id, group=family_title(spec.family), text=text, files=files)


def _players(game: Game) -> str:
    if game.family is Family.MEAN_FIELD:
        populations = "1 population" if game.num_players == 1 else f"{game.num_players} populations"
        return f"{populations}, {game.rules.num_players} agents"
    return f"{game.num_players} players"


def _kind(game: Game) -> str:
    payoffs = "constant-sum" if game.constant_sum else "general-sum"
    if game.family is Family.MEAN_FIELD:
        payoffs = "mean-field"
    scores = "exact scores" if game.scored_exactly else "scored by lower bounds"
    return f"{payoffs}, {scores}"


def _make(spec: GameSpec) -> str:
    name = f"{spec.id}_v{spec.version}"
    mine = (
        f'import eqenvs\n\ngame = eqenvs.make("{spec.id}")\n'
        "env = game.aec_env()  # PettingZoo; game.parallel_env()\nenv.reset(seed=0)\n"
        "batch = game.vector_env(64)\nbatch.reset(seed=0)"
    )
    others = (
        "import gymnasium\nimport pettingzoo\n\nimport eqenvs\n"
        f"from eqenvs.zoo import {name}\n\n"
        f"env = {name}.env()\nenv.reset(seed=0)\n\n"
        "eqenvs.register_pettingzoo()\n"
        f'env = pettingzoo.make("aec", "eqenvs/{spec.id}-v{spec.version}")\n\n'
        "# One player in Gymnasium; the others play uniformly at random.\n"
        f'single = gymnasium.make("eqenvs:Exploit-v0", game="{spec.id}")\n'
    )
    return section(
        "Make it",
        code("python", mine),
        "By the names of other libraries ([more](../environments.md#in-other-code)):",
        code("python", others),
        code("sh", f"eqenvs show {spec.id}"),
    )


def _play(game: Game) -> str:
    rows = [(players, str(count), labels) for players, count, labels in _actions(game)]
    low, high = game.rules.observation_bounds
    seen = (
        f"Observations are {game.rules.observation_size:,} numbers (float32) from {number(low)} to {number(high)}"
        if np.isfinite([low, high]).all()
        else f"Observations are {game.rules.observation_size:,} numbers (float32)"
    )
    moves = "Players move at once." if game.rules.simultaneous else ""
    if game.family is Family.NORMAL_FORM:
        moves = "One move each, at once."
    drawn = table(("player", "actions", "labels"), rows)
    return "\n\n".join(part for part in (drawn, f"{seen}, beside the mask of legal actions. {moves}".strip()) if part)


def _actions(game: Game) -> Iterator[tuple[str, int, str]]:
    """Players with the same actions in one row."""
    rows: dict[tuple[int, str], list[int]] = {}
    for player in range(game.rules.num_players):
        labels = game.action_labels(player)
        shown = ", ".join(f"`{label}`" for label in labels[:MOST_LABELS])
        more = f" and {len(labels) - MOST_LABELS} more" if len(labels) > MOST_LABELS else ""
        rows.setdefault((len(labels), shown + more), []).append(player)
    for (count, labels), players in rows.items():
        span = f"{players[0]} to {players[-1]}" if len(players) > 1 else str(players[0])
        yield span if len(players) <= players[-1] - players[0] + 1 else figures(players), count, labels


def _rules_docstring(game: Game) -> str | None:
    """Of the rules that the game's own file, or one beside it, defines."""
    rules = type(game.rules)
    return rules.__doc__ if rules.__module__.startswith("eqenvs.games.") else None


@cache
def _image(game_id: str) -> bytes | None:
    game = eqenvs.make(game_id)
    return None if game.family is Family.NORMAL_FORM else pictures.image(game)


def _pictures(game: Game) -> dict[str, bytes]:
    image = _image(game.spec.id)
    return {} if image is None else {f"games/{game.spec.id}.png": image}


def _text_picture(game: Game, files: Mapping[str, bytes]) -> str:
    if files or game.family is Family.NORMAL_FORM:
        return ""
    return 'What a spectator sees in random play (`render_mode="ansi"`):\n\n' + code("text", pictures.text(game))


def _model(game: Game) -> str:
    if not game.exact:
        size = "" if game.size is None else f" ({game.size:,} {game.rules.size_unit} or more)"
        scored = " Scores are exact nevertheless." if game.scored_exactly else ""
        return f"The default instance is too large to enumerate{size}.{scored}"
    if game.size is not None and game.size > LARGEST:
        return f"The default instance has {game.size:,} {game.rules.size_unit}; it can be enumerated, and was not here."
    model = game.model()
    sizes = table(("size", "of the default instance"), [(_words(k), _size(v)) for k, v in model.sizes().items()])
    scored = score(game, uniform_play)
    what = "Uniformly random play has" if game.family is not Family.MEAN_FIELD else "The uniform policy has"
    values = f" and is worth {figures(scored.values.tolist())} to the players" if game.num_players <= 6 else ""
    uniform = f"{what} NashConv {number(scored.nash_conv)} (exact){values}."
    return "\n\n".join(part for part in (sizes, uniform, _matrix(model)) if part)


def _words(key: str) -> str:
    return {"infosets": "information sets by player", "sequences": "sequences by player"}.get(
        key, key.replace("_", " ")
    )


def _size(value: Any) -> str:
    return figures(value) if isinstance(value, list | tuple) else number(value)


def _matrix(model: Any) -> str:
    """The payoffs of small games of two players."""
    if not isinstance(model, NormalFormModel) or model.num_players != 2 or max(model.num_actions) > WIDEST:
        return ""
    payoffs = model.payoffs
    rows = [
        (f"**{row}**", *(figures(payoffs[:, row, column].tolist()) for column in range(model.num_actions[1])))
        for row in range(model.num_actions[0])
    ]
    return "Payoffs to the two players:\n\n" + table(("", *map(str, range(model.num_actions[1]))), rows)


def _fact(fact: Fact) -> str:
    given = ", ".join(f"{name}={value}" for name, value in fact.parameters.items())
    lines = [f"- {f'`{given}`' if given else 'Default parameters'}: {escaped(fact.source)}."]
    sizes = "; ".join(f"{_words(key)} {_size(value)}" for key, value in fact.sizes.items())
    equilibria = f"{len(fact.equilibria)} stored" + (f", of NashConv at most {fact.epsilon:g}" if fact.epsilon else "")
    for name, shown in (
        ("values in equilibrium", "" if fact.values is None else figures(fact.values)),
        ("equilibrium", "" if fact.equilibrium is None else "; ".join(f"({figures(s)})" for s in fact.equilibrium)),
        ("NashConv of uniform play", "" if fact.uniform_nash_conv is None else number(fact.uniform_nash_conv)),
        ("equilibria", equilibria if fact.equilibria else ""),
        ("sizes", sizes),
    ):
        if shown:
            lines.append(f"    - {name}: {shown}")
    return "\n".join(lines)


def _solvers(game: Game) -> str:
    if not game.exact:
        return (
            "None: solvers work on the exact model. With smaller parameters it may have one; "
            "[how to choose](../choosing.md) says what learns from play."
        )
    rows = [
        (f"`{concept}`", ", ".join(f"[`{name}`](../solvers/{path})" for name, path in methods))
        for concept, methods in covering(game).items()
    ]
    said = (
        "By what their specs say; the first of a concept is used where none is named. One that is named refuses a game "
        "that it cannot take after all."
    )
    return f"{said}\n\n{table(('concept', 'methods'), rows)}"
