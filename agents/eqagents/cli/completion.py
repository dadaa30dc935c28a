"""What the shell completes: names of games, methods, concepts and benchmarks, and a game's parameters.

Nothing but the registry is read; a game's file is imported only to complete its parameters.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import typer

from eqenvs import discovery, registry
from eqenvs.errors import InputError


def games(incomplete: str) -> Iterator[str]:
    """Ids of games, and schemes such as openspiel:."""
    yield from _starting(incomplete, registry.game_ids())
    yield from _starting(incomplete, (f"{scheme}:" for scheme in discovery.modules(registry.INTEROP)))


def parameters(context: typer.Context, incomplete: str) -> Iterator[str]:
    """The names of the game's parameters, each with its equals sign."""
    if (spec := _spec(context)) is not None:
        yield from _starting(incomplete, (f"{each.name}=" for each in spec.parameters))


def methods(context: typer.Context, incomplete: str) -> Iterator[str]:
    """Solvers for the game's family."""
    from eqsolvers.result import solvers

    if (spec := _spec(context)) is not None:
        yield from _starting(incomplete, solvers(spec.family))


def concepts(context: typer.Context, incomplete: str) -> Iterator[str]:
    """What some solver of the game's family computes."""
    from eqsolvers.result import solvers

    if (spec := _spec(context)) is not None:
        yield from _starting(
            incomplete, sorted({each for one in solvers(spec.family).values() for each in one.concepts})
        )


def benchmarks(incomplete: str) -> Iterator[str]:
    """Names for `eqenvs bench`."""
    yield from _starting(incomplete, discovery.modules("eqagents.bench"))


def _starting(incomplete: str, names: Any) -> Iterator[str]:
    return (name for name in names if name.startswith(incomplete))


def _spec(context: typer.Context) -> Any:
    """Of the game on the line; None where there is none yet, or it is unknown."""
    # An option that still lacks its value ends the parser's work: what came before is in `args` then.
    for word in (context.params.get("game_id"), *context.args):
        with contextlib.suppress(InputError):
            return registry.spec(word or "")
    return None
