"""Graphs from edge lists, and the limits of large graphs that mean-field games are played on.

An edge list is a text file with one edge a line: the names of two vertices, apart by white space or a comma. What
follows a `#` or `%` is a comment; further columns (weights, times) are ignored. Edges have no direction: both
directions of one, or an edge listed twice, are one edge, and loops are left out; how many there were is kept.

A *step graphon* is what a dense graph looks like from afar: vertices in bins, and the density of edges between each two
bins (Borgs, Chayes, Lovasz, Sos and Vesztergombi, 2008, "Convergent sequences of dense graphs I", Advances in
Mathematics 219). A sparse graph with a heavy tail of degrees looks like a *graphex*, here the separable power law

    W(a, b) = (1 + a)^(-1/s) (1 + b)^(-1/s),   a, b >= 0,   0 < s < 1,

of Fabian, Cui and Koeppl (2024), "Learning mean field games on sparse graphs: a hybrid graphex approach", ICLR, whose
graphs of size nu have (nu^2 / 2) (s / (1 - s))^2 edges on average, and of whose vertices with edges the share
s Gamma(k - s) / (k! Gamma(1 - s)) has k, as nu grows (Caron and Fox, 2017, "Sparse graphs using exchangeable random
measures", Journal of the Royal Statistical Society B 79).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import lgamma, log
from pathlib import Path

import numpy as np

from eqenvs.arrays import Float64Array, IntArray, read_only
from eqenvs.errors import InputError, nearest
from eqenvs.given_files import read_text

COMMENTS = "#%"
NARROW = 1e-10  # width of the bracket at which the fit of s stops
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Graph:
    """A simple graph without directions.

    Attributes:
        names: of the vertices.
        edges: [E, 2] int64, each once, the smaller number first.
        repeated: lines that told an edge again.
        loops: lines that joined a vertex to itself.
    """

    names: tuple[str, ...]
    edges: IntArray
    repeated: int = 0
    loops: int = 0

    @property
    def num_vertices(self) -> int:
        """How many vertices, those without edges too."""
        return len(self.names)

    def degrees(self) -> IntArray:
        """Of each vertex, [V]."""
        return np.bincount(self.edges.reshape(-1), minlength=self.num_vertices)

    def degree_histogram(self) -> IntArray:
        """How many vertices have each degree from 0 to the largest."""
        return np.bincount(self.degrees(), minlength=1)


def read_vertices(path: str | Path) -> tuple[str, ...]:
    """The names of vertices in a file, one a line.

    Raises:
        InputError: if the file cannot be read, or names a vertex twice or none at all.
    """
    names: dict[str, int] = {}
    for number, line in _lines(path):
        if line in names:
            raise InputError(f"{path}, line {number}: vertex {line!r} is listed in line {names[line]} already")
        names[line] = number
    if not names:
        raise InputError(f"{path}: no vertices; one name a line is needed")
    return tuple(names)


def read_edges(path: str | Path, vertices: Iterable[str] | None = None) -> Graph:
    """The graph in an edge list.

    Args:
        path: of the file.
        vertices: all that there are, in order; by default those that the edges name, as they come.

    Raises:
        InputError: naming the line, if it has fewer than two names, or one that is not among `vertices`; if the file
            cannot be read, or has no edges.
    """
    number_of: dict[str, int] = {}
    if vertices is not None:
        number_of = {name: number for number, name in enumerate(vertices)}
    found: list[int] = []
    for number, line in _lines(path):
        ends = line.replace(",", " ").split()[:2]
        if len(ends) < 2:
            raise InputError(f"{path}, line {number}: an edge needs two vertices, got {line!r}")
        for name in ends:
            if name not in number_of:
                if vertices is not None:
                    raise InputError(f"{path}, line {number}: unknown vertex {name!r}; {_near(name, number_of)}")
                number_of[name] = len(number_of)
            found.append(number_of[name])
    pairs = np.sort(np.array(found, dtype=np.int64).reshape(-1, 2), axis=1)
    loop = pairs[:, 0] == pairs[:, 1]
    edges = np.unique(pairs[~loop], axis=0)
    if not len(edges):
        raise InputError(f"{path}: no edges; a line with two different vertices is needed")
    repeated = int((~loop).sum()) - len(edges)
    return Graph(tuple(number_of), read_only(edges), repeated=repeated, loops=int(loop.sum()))


def _near(name: str, known: dict[str, int]) -> str:
    """The nearest known vertex, or how many there are: a list of a million names is no help."""
    return nearest(name, known) if len(known) <= 1000 else f"{len(known):,} vertices are known"


def _lines(path: str | Path) -> list[tuple[int, str]]:
    """The lines that say something, with their numbers."""
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        for mark in COMMENTS:
            line = line.split(mark, 1)[0]
        if line.strip():
            found.append((number, line.strip()))
    return found


def step_graphon(graph: Graph, bins: int) -> tuple[Float64Array, Float64Array]:
    """The densities of edges between bins of vertices of falling degree.

    Args:
        graph: any.
        bins: P, whose sizes differ by one vertex at most.

    Returns:
        [P, P], in [0, 1]: edges between two bins over the pairs there are, 0 of one vertex with itself; and [P], the
        bins' shares of the vertices.

    Raises:
        InputError: if there are more bins than vertices.
    """
    if not 1 <= bins <= graph.num_vertices:
        raise InputError(f"bins must be from 1 to {graph.num_vertices}, the number of vertices, got {bins}")
    order = np.argsort(-graph.degrees(), kind="stable")
    own = np.empty(graph.num_vertices, dtype=np.int64)
    own[order] = np.arange(graph.num_vertices) * bins // graph.num_vertices
    size = np.bincount(own, minlength=bins)
    joined = np.zeros((bins, bins))
    np.add.at(joined, (own[graph.edges[:, 0]], own[graph.edges[:, 1]]), 1.0)
    joined = joined + joined.T  # between a bin and itself: each edge from both of its ends
    pairs = np.outer(size, size) - np.diag(size)
    density = np.divide(joined, pairs, out=np.zeros_like(joined), where=pairs > 0)
    return density, size / graph.num_vertices


def degree_share(sparsity: float, degree: int) -> float:
    """The share of vertices with `degree` edges among those with any, in large graphs of the power-law graphex.

    >>> round(sum(degree_share(0.5, k) for k in range(1, 100_000)), 2)
    1.0
    """
    logarithm = lgamma(degree - sparsity) - lgamma(degree + 1) - lgamma(1 - sparsity)
    return float(sparsity * np.exp(logarithm))


def fit_graphex(graph: Graph) -> tuple[float, float]:
    """The power-law graphex that a graph looks like.

    s is that of greatest likelihood of the degrees (concave in s, by golden section); nu is such that the graph has as
    many edges as expected.

    Returns:
        s and nu.
    """
    counts = graph.degree_histogram()
    degree = np.flatnonzero(counts)
    degree = degree[degree > 0]
    weight = counts[degree]

    def likelihood(s: float) -> float:
        each = [lgamma(k - s) - lgamma(1 - s) for k in degree.tolist()]
        return float(weight.sum() * log(s) + weight @ np.array(each))

    low, high = 1e-6, 1 - 1e-6
    while high - low > NARROW:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (left, high) if likelihood(left) < likelihood(right) else (low, right)
    s = 0.5 * (low + high)
    return s, float(np.sqrt(2 * len(graph.edges)) * (1 - s) / s)
