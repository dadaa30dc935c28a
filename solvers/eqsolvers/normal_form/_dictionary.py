"""Dictionaries of the polytope {v >= 0, M v <= 1}: pivots that cannot cycle, and a walk over all its vertices.

With M positive the polytope is bounded and v = 0 is a vertex. Slacks s = 1 - M v make its 'variables' 0..d-1 (v) and
d..d+k-1 (s). A dictionary is the condensed tableau [k + 1, d + 1]: row i says basic variable `basis[i]` equals
T[i, d] - sum_c T[i, c] * nonbasic variable `cobasis[c]`, the last row does so for a cost that is to be minimised.

Ties in the ratio test are broken as if the right-hand side were 1 + (e, e^2, ..., e^k) with e arbitrarily small
(Charnes 1952, Econometrica 20; von Stengel, "Equilibrium computation for two-player games", 2007, section 3.6): that
polytope is simple, whatever the game, so that no sequence of pivots cycles and every vertex of the true one is met.

The functions are compiled for float64. `interpreted` gives them as plain Python, to run as they are on arrays of
`fractions.Fraction`, which makes every comparison exact with a tolerance of 0; nothing below may therefore turn a
number into a float.

Avis and Fukuda (1992), "A pivoting algorithm for convex hulls and vertex enumeration of arrangements and polyhedra",
Discrete and Computational Geometry 8, for the walk; Avis (2000), "lrs: a revised implementation of the reverse search
vertex enumeration algorithm", for its lexicographic form.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import comb
from types import FunctionType
from typing import Any

import numpy as np

from eqsolvers.kernels import compiled

TIE = 1e-10  # in float64: how close two ratios, or a coordinate and 0, are taken to be equal; entries of M are about 1


@compiled
def pivot(source: Any, target: Any, row: int, column: int) -> None:
    """Write into `target`, another array, the dictionary with the variables of that row and column exchanged."""
    inverse = 1 / source[row, column]
    old, new = source[row], target[row]
    for j in range(len(old)):
        new[j] = old[j] * inverse
    new[column] = inverse
    for i in range(source.shape[0]):
        if i != row:
            # Rows as arrays of their own let the compiler see that they do not overlap.
            before, after = source[i], target[i]
            factor = before[column]
            for j in range(len(new)):
                after[j] = before[j] - factor * new[j]
            after[column] = -factor * inverse


@compiled
def pivot_in_place(tableau: Any, row: int, column: int) -> None:
    """`pivot` of a dictionary onto itself."""
    inverse = 1 / tableau[row, column]
    new = tableau[row]
    for j in range(len(new)):
        new[j] = new[j] * inverse
    new[column] = inverse
    for i in range(tableau.shape[0]):
        if i != row:
            current = tableau[i]
            factor = current[column]
            for j in range(len(new)):
                current[j] -= factor * new[j]
            current[column] = -factor * inverse


@compiled
def exchange(basis: Any, cobasis: Any, where: Any, row: int, column: int) -> None:
    """Note that two variables have changed places. `where[v]` is the row of v, or -1 - its column."""
    leaving, entering = basis[row], cobasis[column]
    basis[row], cobasis[column] = entering, leaving
    where[entering], where[leaving] = row, -1 - column


@compiled
def leaving_row(tableau: Any, where: Any, column: int, tie: Any) -> int:
    """The row of the variable that leaves where that of `column` enters, by the lexicographic rule; -1: unbounded."""
    k, d = tableau.shape[0] - 1, tableau.shape[1] - 1
    best = -1
    for i in range(k):
        if tableau[i, column] <= tie:
            continue
        if best < 0:
            best = i
            continue
        difference = tableau[i, d] / tableau[i, column] - tableau[best, d] / tableau[best, column]
        if difference < -tie or (difference <= tie and _lexicographically_less(tableau, where, column, i, best, tie)):
            best = i
    return best


@compiled
def _lexicographically_less(tableau: Any, where: Any, column: int, i: int, best: int, tie: Any) -> bool:
    """Whether row i leaves before row `best` where their ratios are equal: compare the rows of the basis' inverse."""
    k, d = tableau.shape[0] - 1, tableau.shape[1] - 1
    for slack in range(k):
        place = where[d + slack]
        if place < 0:  # a nonbasic slack's column is its column of the inverse
            other = -1 - place
            if other == column:
                continue  # the same for both rows: 1
            difference = tableau[i, other] / tableau[i, column] - tableau[best, other] / tableau[best, column]
            if difference < -tie:
                return True
            if difference > tie:
                return False
        elif place == i:  # a basic slack's is a unit vector: positive for its row, 0 for the others
            return False
        elif place == best:
            return True
    return False


@compiled
def write_labels(tableau: Any, basis: Any, cobasis: Any, labels: Any, tie: Any, mask: Any) -> None:
    """Set in `mask` [words] uint64 the label of every variable that is 0 here; `labels[v]` is that of v."""
    k, d = tableau.shape[0] - 1, tableau.shape[1] - 1
    for word in range(mask.shape[0]):
        mask[word] = 0
    for c in range(d):
        label = labels[cobasis[c]]
        mask[label >> 6] |= np.uint64(1) << np.uint64(label & 63)
    for i in range(k):
        if tableau[i, d] <= tie:
            label = labels[basis[i]]
            mask[label >> 6] |= np.uint64(1) << np.uint64(label & 63)


@compiled
def walk_vertices(
    stack: Any, bases: Any, cobases: Any, places: Any, steps: Any, labels: Any, tie: Any, masks: Any
) -> int:
    """Reverse search: the labels of every vertex, once for each of its lexicographically feasible bases.

    A tree leads to all bases: the parent of a basis is what one simplex step for the cost leads to (the variable of the
    largest reduced cost enters). It is walked from the root, the optimum v = 0, with no memory of where it has been.

    Args:
        stack: [D, k + 1, d + 1]; stack[0] is the dictionary of v = 0, with a cost of generic positive coefficients.
        bases: [D, k] int64, the first row filled in, as in the next two; see `exchange`.
        cobases: [D, d] int64.
        places: [D, d + k] int64.
        steps: [D] int64, scratch.
        labels: [d + k] int64.
        tie: see `TIE`; 0 for exact numbers.
        masks: [C, words] uint64, written.

    Returns:
        How many masks were written; -1 where there are more than C, -2 where D is too small.
    """
    d = stack.shape[2] - 1
    k = stack.shape[1] - 1
    count, level = 1, 0
    steps[0] = 0
    write_labels(stack[0], bases[0], cobases[0], labels, tie, masks[0])
    while level >= 0:
        tableau, where = stack[level], places[level]
        column = steps[level]
        found = -1
        while column < d and found < 0:
            if tableau[k, column] < 0:  # the cost rises that way
                row = leaving_row(tableau, where, column, tie)
                scale = tableau[k, column] / tableau[row, column]
                back = -scale  # the reduced cost, over there, of the variable that has just left
                found = row
                for j in range(d):
                    if j != column and tableau[k, j] - scale * tableau[row, j] >= back:
                        found = -1  # another variable enters first over there: not our child
                        break
            column += 1
        steps[level] = column
        if found < 0:
            level -= 1
            continue
        if level + 1 == stack.shape[0]:
            return -2
        if count == masks.shape[0]:
            return -1
        pivot(tableau, stack[level + 1], found, column - 1)
        level += 1
        bases[level] = bases[level - 1]
        cobases[level] = cobases[level - 1]
        places[level] = places[level - 1]
        exchange(bases[level], cobases[level], places[level], found, column - 1)
        write_labels(stack[level], bases[level], cobases[level], labels, tie, masks[count])
        count += 1
        steps[level] = 0
    return count


@compiled
def walk_from_origin(matrix: Any, cost: Any, labels: Any, tie: Any, depth: int, masks: Any) -> int:
    """`walk_vertices` of {v >= 0, M v <= 1} for M = `matrix` [k, d] from v = 0, in a stack of that depth."""
    k, d = matrix.shape
    stack = np.empty((depth, k + 1, d + 1), matrix.dtype)
    bases, cobases = np.empty((depth, k), np.int64), np.empty((depth, d), np.int64)
    places = np.empty((depth, k + d), np.int64)
    for i in range(k):
        for j in range(d):
            stack[0, i, j] = matrix[i, j]
        stack[0, i, d] = 1 + 0 * matrix[0, 0]
        bases[0, i], places[0, d + i] = d + i, i
    for j in range(d):
        stack[0, k, j] = -cost[j]
        cobases[0, j], places[0, j] = j, -1 - j
    stack[0, k, d] = 0 * matrix[0, 0]
    steps = np.zeros(depth, np.int64)
    return walk_vertices(stack, bases, cobases, places, steps, labels, tie, masks)


@cache
def interpreted(kernel: Any) -> Callable[..., Any]:
    """A compiled function as plain Python, with those that it calls."""
    function = kernel.py_func
    used = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    inner = {name: interpreted(value) for name, value in used.items() if hasattr(value, "py_func")}
    return FunctionType(function.__code__, {**function.__globals__, **inner}, function.__name__)


def most_vertices(facets: int, dimension: int) -> int:
    """The most vertices that a polytope can have (McMullen 1970, the upper bound theorem)."""
    lower, upper = dimension // 2, (dimension + 1) // 2
    return comb(facets - upper, lower) + (comb(facets - lower - 1, upper - 1) if upper else 0)


def root(matrix: Any, cost: Any) -> Any:
    """The dictionary [k + 1, d + 1] of v = 0 for M = `matrix` [k, d] and a cost [d], of the numbers' own type."""
    k, d = matrix.shape
    tableau = np.zeros((k + 1, d + 1), dtype=matrix.dtype)
    tableau[:k, :d] = matrix
    tableau[:k, d] = 1
    tableau[k, :d] = -cost
    return tableau
