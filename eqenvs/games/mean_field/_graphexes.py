"""Populations on a graphex: a dense core, and a periphery by degree.

Fabian, Cui and Koeppl (2024), "Learning mean field games on sparse graphs: a hybrid graphex approach", ICLR, for the
separable power law of `eqenvs.graphs`. Vertices have latent weights a >= 0, drawn with intensity nu da; that of a has
nu (s / (1 - s)) (1 + a)^(-1/s) edges on average. Those with a <= `core_width` are the core, in `core_bins` bins of
equal width; all others have few edges and are told apart by how many: `max_degree` populations of 1, 2, ... edges.

The other end of an edge has the density proportional to (1 + b)^(-1/s), whoever is at this end, since W is separable;
all populations meet the core in these proportions, its bins' integrals. The periphery meets nobody of the periphery,
and matters to nobody: that is where a graph of growing size ends up, and what splits the problem into a game of the
core and one decision problem for each degree. What is cut off of an edge's other end is (1 + core_width)^(1 - 1/s).

With `contact` = "share" only the neighbours' distribution counts, as in games on graphons. Of a separable graphex it is
the same for all, and where moves are linear in it all populations then face the same problem. So the default is "edge":
each neighbour is met apart, and what spreads does so the better the more edges one has, their number in the periphery,
the average in a bin of the core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.games.mean_field import _contagion
from eqenvs.games.mean_field._graphons import VERTICES, load, require_defaults
from eqenvs.graphs import fit_graphex
from eqenvs.spec import GameSpec, Parameter


class Network(NamedTuple):
    """Who meets whom, as the games' parameters say; see `PARAMETERS`."""

    sparsity: float
    size: float
    core_width: float
    core_bins: int
    max_degree: int
    contact: str
    edges: str | None
    vertices: str | None


def structure_of(game_id: str, network: Network) -> tuple[Float64Array, Float64Array | None]:
    """The coupling [P, P] and, of separate contacts, their numbers [P]; the core's bins first.

    Raises:
        InputError: if the graph cannot be read, or a sparsity or size is given besides.
    """
    sparsity, size = network.sparsity, network.size
    graph = load(game_id, network.edges, network.vertices)
    if graph is not None:
        require_defaults(game_id, {"sparsity": sparsity, "size": size}, PARAMETERS)
        sparsity, size = fit_graphex(graph)
    weight, degrees = core(sparsity, size, network.core_width, network.core_bins)
    populations = network.core_bins + network.max_degree
    coupling = np.zeros((populations, populations))
    coupling[:, : network.core_bins] = weight
    if network.contact == "share":
        return coupling, None
    return coupling, np.concatenate([degrees, np.arange(1.0, network.max_degree + 1)])


def core(sparsity: float, size: float, width: float, bins: int) -> tuple[Float64Array, Float64Array]:
    """Of each bin of the core: the share of edges that lead there, of those that lead to the core; average degree."""
    edge = width * np.arange(bins + 1) / bins
    # The integral of (1 + a)^(-1/s) from 0 to x is s / (1 - s) (1 - (1 + x)^(1 - 1/s)).
    total = sparsity / (1 - sparsity)
    integral = -np.diff(total * (1 + edge) ** (1 - 1 / sparsity))
    return integral / integral.sum(), size * total * integral / np.diff(edge)


PARAMETERS = (
    Parameter(
        name="sparsity",
        default=0.5,
        kind=float,
        low=0.01,
        high=0.99,
        description="s: the share of vertices with k edges falls like k^(-1 - s)",
    ),
    Parameter(
        name="size",
        default=100.0,
        kind=float,
        low=1e-3,
        high=1e9,
        description="nu: a graph has (nu^2 / 2) (s / (1 - s))^2 edges",
    ),
    Parameter(
        name="core_width",
        default=4.0,
        kind=float,
        low=1e-3,
        high=1e6,
        description="latent weight where the core ends",
    ),
    Parameter(name="core_bins", default=10, low=1, high=1_000, description="populations of the core"),
    Parameter(name="max_degree", default=10, low=0, high=1_000, description="populations of the periphery"),
    Parameter(
        name="contact",
        default="edge",
        kind=str,
        choices=("edge", "share"),
        description="what counts: each neighbour apart, or their distribution",
    ),
    Parameter(
        name="edges",
        default=None,
        kind=str,
        description="file with the edges of a graph, to which sparsity and size are fitted",
    ),
    VERTICES,
)


def graphex_spec(
    *,
    id: str,
    title: str,
    source: str,
    process: Callable[..., _contagion.Contagion],
    parameters: tuple[Parameter, ...],
    uniform_nash_conv: float,
) -> GameSpec:
    """The spec of a game on a graphex; see `_contagion.networked_spec`."""

    def structure(game_id: str, given: Mapping[str, Any]) -> tuple[Float64Array, Float64Array | None]:
        return structure_of(game_id, Network(**given))

    return _contagion.networked_spec(
        id=id,
        title=title,
        source=source,
        process=process,
        parameters=parameters,
        network=PARAMETERS,
        structure=structure,
        uniform_nash_conv=uniform_nash_conv,
        num_agents=20,
    )
