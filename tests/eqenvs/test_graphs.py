"""Edge lists, step graphons and the power-law graphex."""

from __future__ import annotations

from math import gamma

import numpy as np
import pytest

from eqenvs.errors import InputError
from eqenvs.graphs import (
    Graph,
    degree_share,
    fit_graphex,
    read_edges,
    read_vertices,
    step_graphon,
)


def written(tmp_path, text, name="graph.txt"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_an_edge_list_is_read_with_its_comments_repeats_and_loops(tmp_path):
    path = written(tmp_path, "% two columns\n# and more\n10 20\n20 10 # again\n\n20,30,0.5\n30\t30\n10 20\n40 10\n")
    graph = read_edges(path)
    assert graph.names == ("10", "20", "30", "40")
    assert graph.edges.tolist() == [[0, 1], [0, 3], [1, 2]]
    assert (graph.repeated, graph.loops) == (2, 1)
    assert graph.degrees().tolist() == [2, 2, 1, 1]
    assert graph.degree_histogram().tolist() == [0, 2, 2]
    assert not graph.edges.flags.writeable


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "marked.txt"
    path.write_text("a b\n", encoding="utf-8-sig")
    assert read_edges(path).names == read_edges(path, read_vertices(written(tmp_path, "a\nb\n"))).names == ("a", "b")


def test_listed_vertices_keep_their_order_and_may_be_alone(tmp_path):
    names = read_vertices(written(tmp_path, "c\nb # second\na\nd\n", "names.txt"))
    graph = read_edges(written(tmp_path, "a b\n"), names)
    assert graph.names == ("c", "b", "a", "d")
    assert graph.edges.tolist() == [[1, 2]]
    assert graph.degree_histogram().tolist() == [2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b\nb\n", "line 2: an edge needs two vertices, got 'b'"),
        ("a b\n\nb carol\n", "line 3: unknown vertex 'carol'; did you mean 'caro'?"),
        ("# nothing\n", "no edges; a line with two different vertices is needed"),
        ("a a\n", "no edges; a line with two different vertices is needed"),
    ],
)
def test_bad_lines_are_named(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_edges(path, ("a", "b", "caro"))
    assert str(error.value).startswith(str(path))
    assert str(error.value).endswith(message)


def test_bad_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt: cannot be read: No such file or directory"):
        read_edges(tmp_path / "absent.txt")
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\xff\xfe\x00 1")
    with pytest.raises(InputError, match=r"binary\.txt: cannot be read: it is no UTF-8 text"):
        read_edges(binary)
    with pytest.raises(InputError, match="line 3: vertex 'a' is listed in line 1 already"):
        read_vertices(written(tmp_path, "a\nb\na\n"))
    with pytest.raises(InputError, match="no vertices; one name a line is needed"):
        read_vertices(written(tmp_path, "\n"))


def test_step_graphons_count_each_pair_once(tmp_path):
    # A triangle with a tail: degrees 3 1 2 2.
    graph = read_edges(written(tmp_path, "a b\na c\na d\nc d\n"))
    density, share = step_graphon(graph, 2)
    # {a, c} and {d, b}: a-c within the first, nothing within the second, a-d, c-d and a-b between.
    np.testing.assert_allclose(density, [[1.0, 0.75], [0.75, 0.0]])
    np.testing.assert_allclose(share, [0.5, 0.5])
    density, share = step_graphon(graph, 3)
    np.testing.assert_allclose(share, [0.5, 0.25, 0.25])
    np.testing.assert_allclose(density, [[1.0, 1.0, 0.5], [1.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    assert step_graphon(graph, 1)[0][0, 0] == pytest.approx(4 / 6)
    with pytest.raises(InputError, match="bins must be from 1 to 4, the number of vertices, got 5"):
        step_graphon(graph, 5)


def drawn(weight, rng):
    """A graph whose pairs are edges with the probabilities [V, V]."""
    first, second = np.nonzero(np.triu(rng.random(weight.shape) < weight, 1))
    return Graph(tuple(map(str, range(len(weight)))), np.stack([first, second], axis=1))


def test_the_step_graphon_of_a_large_dense_graph_is_its_graphon():
    # Ranked attachment: degrees fall in x, so the bins are those of x.
    rng = np.random.default_rng(0)
    x = (np.arange(1500) + 0.5) / 1500
    density, _ = step_graphon(drawn(1 - np.outer(x, x), rng), 3)
    middle = np.array([1, 3, 5]) / 6
    # Deviations: of a mean of 125,000 pairs at least .002; vertices near the bins' ends are sorted by chance.
    np.testing.assert_allclose(density, 1 - np.outer(middle, middle), atol=0.01)


def graphex(sparsity, size, width, rng):
    """A graph of the power-law graphex with latent weights up to `width`."""
    latent = rng.uniform(0, width, size=rng.poisson(size * width))
    weight = (1 + latent) ** (-1 / sparsity)
    return drawn(np.outer(weight, weight), rng)


def expected_edges(sparsity: float, size: float) -> float:
    """Edges of a graph of size nu of the power-law graphex, on average."""
    return 0.5 * size**2 * (sparsity / (1 - sparsity)) ** 2


def test_graphs_of_the_graphex_have_the_expected_edges():
    # Up to a latent weight A a share 1 - (1 + A)^(1 - 1/s) of an edge's ends is there.
    rng = np.random.default_rng(1)
    sparsity, size, width = 0.5, 20.0, 60.0
    counts = [len(graphex(sparsity, size, width, rng).edges) for _ in range(40)]
    expected = expected_edges(sparsity, size) * (1 - (1 + width) ** (1 - 1 / sparsity)) ** 2
    assert expected_edges(0.5, 20.0) == 200.0
    assert abs(np.mean(counts) - expected) < 4 * np.std(counts, ddof=1) / np.sqrt(len(counts))


@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.8])
def test_shares_of_degrees_are_the_limits_of_the_graphexs_poisson_degrees(sparsity):
    # A vertex of latent weight a has Poisson(nu s / (1 - s) (1 + a)^(-1/s)) edges; with m for that mean, da is
    # proportional to m^(-1 - s) dm, and m goes up to nu s / (1 - s), which grows.
    from scipy.integrate import quad
    from scipy.stats import poisson

    highest = 1e5

    def integral(function):
        return sum(
            quad(lambda y: function(np.exp(y)) * np.exp(-sparsity * y), low, low + 5, limit=200)[0]
            for low in np.arange(-100, np.log(highest), 5)
        )

    with_edges = integral(lambda m: -np.expm1(-m))
    for degree in (1, 2, 5, 12):
        share = integral(lambda m, degree=degree: poisson.pmf(degree, m)) / with_edges
        assert degree_share(sparsity, degree) == pytest.approx(share, rel=2e-3 + 3 * highest**-sparsity)


def test_shares_of_degrees_are_the_published_formula_and_sum_to_one():
    for s, k in ((0.5, 1), (0.5, 4), (0.2, 3)):
        assert degree_share(s, k) == pytest.approx(s * gamma(k - s) / (gamma(k + 1) * gamma(1 - s)))
    assert degree_share(0.7, 1) == pytest.approx(0.7)
    assert sum(degree_share(0.9, k) for k in range(1, 20_000)) == pytest.approx(1.0, abs=1e-3)


def test_the_fit_finds_the_power_law_that_made_the_degrees():
    # As many vertices of each degree as the law says; of s = 0.9 the tail beyond 20,000 no longer counts.
    class Counted(Graph):
        def degree_histogram(self):
            return np.array([7, *(round(1e12 * degree_share(0.9, k)) for k in range(1, 20_000))])

    s, size = fit_graphex(Counted(("a",), np.zeros((450, 2), dtype=np.int64)))
    assert s == pytest.approx(0.9, abs=1e-3)
    assert expected_edges(s, size) == pytest.approx(450)


def test_the_fit_of_a_drawn_graph_is_near_its_graphex():
    graph = graphex(0.5, 60.0, 100.0, np.random.default_rng(3))
    s, size = fit_graphex(graph)
    assert s == pytest.approx(0.5, abs=0.1)  # nu = 60 is far from the limit
    assert expected_edges(s, size) == pytest.approx(len(graph.edges))
