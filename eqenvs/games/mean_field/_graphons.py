"""Populations on a graphon: P bins of the unit interval, whose members meet each other as densely as it says.

A graphon W on [0, 1]^2 is the limit of dense graphs; Caines and Huang (2019), "Graphon mean field games and the GMFG
equations", CDC. As in Cui and Koeppl (2022), "Learning graphon mean field games and approximate Nash equilibria", ICLR,
a member of bin p meets (1/P) sum_q W(x_p, x_q) mu_q, with x the bins' middles. That has mass W averaged over q, not 1;
with `normalised` it is divided by that mass, so that what matters is who one's neighbours are and not how many.

A graph from a file stands in for the graphon as its step graphon (`eqenvs.graphs`), bins by falling degree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.games.mean_field import _contagion
from eqenvs.graphs import Graph, read_edges, read_vertices, step_graphon
from eqenvs.spec import GameSpec, Parameter

GRAPHONS = ("uniform_attachment", "ranked_attachment", "erdos_renyi", "power_law")


class Network(NamedTuple):
    """Who meets whom, as the games' parameters say; see `PARAMETERS`."""

    graphon: str
    bins: int
    density: float
    exponent: float
    normalised: bool
    edges: str | None
    vertices: str | None


def graphon(name: str, x: Float64Array, y: Float64Array, density: float, exponent: float) -> Float64Array:
    """W(x, y), of arrays that broadcast."""
    if name == "uniform_attachment":
        return 1 - np.maximum(x, y)
    if name == "ranked_attachment":
        return 1 - x * y
    if name == "power_law":
        return np.asarray((1 - exponent) ** 2 * (x * y) ** -exponent)
    return np.full(np.broadcast_shapes(x.shape, y.shape), density)


def load(game_id: str, edges: str | None, vertices: str | None) -> Graph | None:
    """The graph of the parameters `edges` and `vertices`, if there is one.

    Raises:
        InputError: naming the game, the file and the line.
    """
    if edges is None:
        if vertices is not None:
            raise InputError(f"{game_id}: parameter 'vertices' needs 'edges', the file with the edges between them")
        return None
    try:
        return read_edges(edges, None if vertices is None else read_vertices(vertices))
    except InputError as error:
        raise InputError(f"{game_id}: {error}") from None


def require_defaults(game_id: str, given: Mapping[str, object], parameters: tuple[Parameter, ...]) -> None:
    """Refuse parameters that a graph from a file would replace without a word.

    Raises:
        InputError: naming the first that is not at its default.
    """
    for parameter in parameters:
        if parameter.name in given and given[parameter.name] != parameter.default:
            raise InputError(
                f"{game_id}: parameter {parameter.name!r} has no effect with 'edges', whose graph takes its place; got "
                f"{given[parameter.name]!r}: leave it out, or leave out 'edges'"
            )


def coupling_of(game_id: str, network: Network) -> Float64Array:
    """[P, P], how much of each bin's mean field each bin meets.

    Raises:
        InputError: if the graph cannot be read, has fewer vertices than bins, a bin without neighbours is to be
            normalised, or a graphon is given besides.
    """
    count = network.bins
    graph = load(game_id, network.edges, network.vertices)
    if graph is None:
        middle = (np.arange(count) + 0.5) / count
        weight = graphon(network.graphon, middle[:, None], middle, network.density, network.exponent)
        coupling = weight / count
    else:
        own = {"graphon": network.graphon, "density": network.density, "exponent": network.exponent}
        require_defaults(game_id, own, PARAMETERS)
        if count > graph.num_vertices:
            raise InputError(
                f"{game_id}: parameter 'bins' must be at most {graph.num_vertices}, the number of vertices of "
                f"{network.edges}, got {count}"
            )
        weight, share = step_graphon(graph, count)
        coupling = weight * share
    if not network.normalised:
        return coupling
    mass = coupling.sum(axis=1, keepdims=True)
    if not (mass > 0).all():
        lone = int(np.argmin(mass))
        raise InputError(
            f"{game_id}: parameter 'normalised': bin {lone} has no neighbours; use fewer than {count} bins"
        )
    shares: Float64Array = coupling / mass
    return shares


VERTICES = Parameter(
    name="vertices",
    default=None,
    kind=str,
    description="file with the graph's vertices, one a line; default those that have edges",
)
PARAMETERS = (
    Parameter(name="graphon", default=GRAPHONS[0], kind=str, choices=GRAPHONS, description="who meets whom"),
    Parameter(name="bins", default=50, low=1, high=2_000, description="populations: bins of the unit interval"),
    Parameter(
        name="density", default=0.5, kind=float, low=0.0, high=1.0, description="of edges, of the graphon erdos_renyi"
    ),
    Parameter(
        name="exponent",
        default=0.5,
        kind=float,
        low=0.0,
        high=0.999,
        description="a of the graphon power_law, (1 - a)^2 (x y)^-a",
    ),
    Parameter(
        name="normalised",
        default=False,
        kind=bool,
        description="whether the neighbourhoods' masses are made 1, as a sparse graph from a file needs",
    ),
    Parameter(
        name="edges",
        default=None,
        kind=str,
        description="file with the edges of a graph, whose step graphon is used instead",
    ),
    VERTICES,
)


def graphon_spec(
    *,
    id: str,
    title: str,
    source: str,
    process: Callable[..., _contagion.Contagion],
    parameters: tuple[Parameter, ...],
    uniform_nash_conv: float,
) -> GameSpec:
    """The spec of a game on a graphon; see `_contagion.networked_spec`."""

    def structure(game_id: str, given: Mapping[str, Any]) -> tuple[Float64Array, Float64Array | None]:
        return coupling_of(game_id, Network(**given)), None

    return _contagion.networked_spec(
        id=id,
        title=title,
        source=source,
        process=process,
        parameters=parameters,
        network=PARAMETERS,
        structure=structure,
        uniform_nash_conv=uniform_nash_conv,
        num_agents=50,
    )
