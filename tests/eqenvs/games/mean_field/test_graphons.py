"""Games on graphons, graphexes and graphs from files."""

from __future__ import annotations

import re

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqenvs.games.mean_field import _graphexes, _graphons
from eqenvs.models.mean_field import Affine, Moment
from eqenvs.policies import uniform
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.scoring import score

NOW = Moment(np.array(0), np.array(0))
GRAPHONS = {
    "uniform_attachment": lambda x, y: 1 - max(x, y),
    "ranked_attachment": lambda x, y: 1 - x * y,
    "erdos_renyi": lambda x, y: 0.5,
    "power_law": lambda x, y: 0.25 / (x * y) ** 0.5,
}


def neighbours(name, bins):
    """Weights of the bins as each bin meets them, one after the other."""
    middle = [(k + 0.5) / bins for k in range(bins)]
    return [[GRAPHONS[name](x, y) / bins for y in middle] for x in middle]


def check(game, actions, move, reward, plain_gains):
    """The uniform policy's values and gains are those of plain arithmetic; their NashConv."""
    model = game.model()
    values, best = plain_gains(model.initial.tolist(), actions, move, reward, model.horizon)
    found = score(game, uniform(game))
    np.testing.assert_allclose(found.values, values, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.gains, best - values, rtol=1e-9, atol=1e-9)
    return float((best - values).sum())


def epidemic(caught, immune):
    """Moves and costs of SIS or SIR, with the probability of infection given."""

    def move(p, s, a, now):
        if s == 0:
            chance = caught(p, now) if a == 0 else 0.0
            return [(0, 1 - chance), (1, chance)]
        if s == 1:
            return [(1, 0.8), (2 if immune else 0, 0.2)]
        return [(2, 1.0)]

    return move, lambda p, s, a, now: -2.0 * (s == 1) - 0.5 * a


def tale(caught, weight):
    """Moves and rewards of the rumour."""

    def move(p, s, a, now):
        if s == 0:
            return [(0, 1 - caught(p, now)), (1, caught(p, now))]
        return [(1 + a, 1.0)]

    def reward(p, s, a, now):
        if s != 2:
            return 0.0
        return sum(w * (0.5 * row[0] - 0.8 * (row[1] + row[2])) for w, row in zip(weight[p], now, strict=True))

    return move, reward


def meets(weight, state):
    return lambda p, now: sum(w * row[state] for w, row in zip(weight[p], now, strict=True))


@pytest.mark.parametrize("name", GRAPHONS)
def test_sis_on_each_graphon_against_plain_arithmetic(name, plain_gains):
    bins = 7
    game = eqenvs.make("sis_graphon", graphon=name, bins=bins, num_agents=bins, horizon=12)
    infected = meets(neighbours(name, bins), 1)
    check(game, [[0, 1]] * 2, *epidemic(lambda p, now: min(1.0, 0.8 * infected(p, now)), False), plain_gains)
    # Where a bin may meet more than 1 / .8 of infected, the probability is cut and no longer affine.
    assert isinstance(game.model().transition, Affine) == (name != "power_law")


def test_sis_graphon_fact_is_that_of_plain_arithmetic(plain_gains):
    game = eqenvs.make("sis_graphon")
    infected = meets(neighbours("uniform_attachment", 50), 1)
    found = check(game, [[0, 1]] * 2, *epidemic(lambda p, now: 0.8 * infected(p, now), False), plain_gains)
    assert found == pytest.approx(game.spec.facts[0].uniform_nash_conv, abs=1e-7)


def test_sir_graphon_fact_is_that_of_plain_arithmetic(plain_gains):
    game = eqenvs.make("sir_graphon")
    infected = meets(neighbours("uniform_attachment", 50), 1)
    found = check(game, [[0, 1]] * 3, *epidemic(lambda p, now: 0.8 * infected(p, now), True), plain_gains)
    assert found == pytest.approx(game.spec.facts[0].uniform_nash_conv, abs=1e-7)


def test_rumour_graphon_fact_is_that_of_plain_arithmetic(plain_gains):
    game = eqenvs.make("rumour_graphon")
    weight = neighbours("uniform_attachment", 50)
    spreading = meets(weight, 2)
    rules = tale(lambda p, now: 0.3 * spreading(p, now), weight)
    found = check(game, [[0], [0, 1], [0, 1]], *rules, plain_gains)
    assert found == pytest.approx(game.spec.facts[0].uniform_nash_conv, abs=1e-7)


def test_a_constant_graphon_of_one_is_a_game_of_one_population():
    graphon = eqenvs.make("sir_graphon", graphon="erdos_renyi", density=1.0, bins=3, num_agents=3)
    alone = eqenvs.make("sir")
    many, one = score(graphon, uniform(graphon)), score(alone, uniform(alone))
    np.testing.assert_allclose(many.values, np.repeat(one.values, 3), rtol=1e-12)
    np.testing.assert_allclose(many.gains, np.repeat(one.gains, 3), rtol=1e-12)
    model = eqenvs.make("rumour_graphon", graphon="erdos_renyi", density=1.0, bins=3, num_agents=3).model()
    mean_field = np.tile([0.5, 0.3, 0.2], (3, 1))
    np.testing.assert_allclose(
        model.rewards(mean_field, NOW)[0], eqenvs.make("rumour").model().rewards(mean_field[:1], NOW)[0]
    )


def test_couplings_approach_the_graphons_integrals():
    network = _graphons.Network("uniform_attachment", 400, 0.5, 0.5, False, None, None)
    middle = (np.arange(400) + 0.5) / 400
    mass = _graphons.coupling_of("sis_graphon", network).sum(axis=1)
    np.testing.assert_allclose(mass, (1 - middle**2) / 2, atol=1 / 400**2)
    mass = _graphons.coupling_of("sis_graphon", network._replace(graphon="ranked_attachment")).sum(axis=1)
    np.testing.assert_allclose(mass, 1 - middle / 2, atol=1e-12)
    power = _graphons.coupling_of("sis_graphon", network._replace(graphon="power_law", exponent=0.3)).sum()
    assert power / 400 == pytest.approx(1.0, abs=0.02)  # the singularity at 0 costs the middles about bins^-0.7
    normal = _graphons.coupling_of("sis_graphon", network._replace(normalised=True))
    np.testing.assert_allclose(normal.sum(axis=1), 1.0)


def test_whoever_meets_more_infected_is_worse_off():
    # 1 - max(x, y) falls in x.
    game = eqenvs.make("sis_graphon", bins=6, num_agents=6)
    values = score(game, uniform(game)).values
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("game_id", ["sis_graphon", "sir_graphon", "rumour_graphon"])
def test_graphon_games_rest_without_a_horizon(game_id):
    extra = {"forgetting": 0.1} if game_id == "rumour_graphon" else {"waning": 0.1} if game_id == "sir_graphon" else {}
    name = "ranked_attachment"
    model = eqenvs.make(game_id, bins=3, graphon=name, horizon=None, discount=0.9, num_agents=3, **extra).model()
    dynamics = Dynamics(model)
    flow, stability = dynamics.rest(dynamics.uniform())
    assert stability.residual < 1e-12
    np.testing.assert_allclose(model.advance(flow[0], dynamics.uniform()), flow[0], atol=1e-12)


# Graphexes


def power_law(sparsity, width, bins):
    """Of bins of the core: share of the edges' ends, and average of (1 + a)^(-1/s), by a fine sum over middles."""
    fine = 20_000
    a = (np.arange(bins * fine) + 0.5) * width / (bins * fine)
    each = ((1 + a) ** (-1 / sparsity)).reshape(bins, fine).mean(axis=1)
    return each / each.sum(), each


@pytest.mark.parametrize(("sparsity", "width", "bins"), [(0.5, 4.0, 10), (0.7, 2.5, 3), (0.25, 1.0, 1)])
def test_the_core_is_weighed_by_the_graphexs_integrals(sparsity, width, bins):
    share, mean = power_law(sparsity, width, bins)
    weight, degrees = _graphexes.core(sparsity, 30.0, width, bins)
    np.testing.assert_allclose(weight, share, rtol=1e-7)
    np.testing.assert_allclose(degrees, 30.0 * sparsity / (1 - sparsity) * mean, rtol=1e-7)


def graphex_rates(rate, state, contact="edge", core_bins=10, max_degree=10):
    share, mean = power_law(0.5, 4.0, core_bins)
    degree = [*(100.0 * mean), *range(1, max_degree + 1)]

    def caught(p, now):
        met = sum(w * now[q][state] for q, w in enumerate(share))
        return 1 - (1 - rate * met) ** degree[p] if contact == "edge" else rate * met

    return caught, share


def test_sis_and_sir_graphex_facts_are_those_of_plain_arithmetic(plain_gains):
    for game_id, states, immune in (("sis_graphex", 2, False), ("sir_graphex", 3, True)):
        game = eqenvs.make(game_id)
        caught, _ = graphex_rates(0.1, 1)
        # The reference's integrals are good to 1e-8.
        found = check_loosely(game, [[0, 1]] * states, *epidemic(caught, immune), plain_gains)
        assert found == pytest.approx(game.spec.facts[0].uniform_nash_conv, rel=1e-7)


def test_rumour_graphex_fact_is_that_of_plain_arithmetic(plain_gains):
    game = eqenvs.make("rumour_graphex")
    caught, share = graphex_rates(0.05, 2)
    weight = np.zeros((20, 20))
    weight[:, :10] = share
    found = check_loosely(game, [[0], [0, 1], [0, 1]], *tale(caught, weight), plain_gains)
    assert found == pytest.approx(game.spec.facts[0].uniform_nash_conv, rel=1e-7)


def check_loosely(game, actions, move, reward, plain_gains):
    model = game.model()
    values, best = plain_gains(model.initial.tolist(), actions, move, reward, model.horizon)
    found = score(game, uniform(game))
    np.testing.assert_allclose(found.values, values, rtol=1e-6)
    np.testing.assert_allclose(found.gains, best - values, rtol=1e-6)
    return float((best - values).sum())


def test_the_periphery_does_not_matter_to_the_core_and_its_degrees_do_to_it():
    few = eqenvs.make("sis_graphex", max_degree=2, num_agents=12)
    many = eqenvs.make("sis_graphex", max_degree=7, num_agents=17)
    first, second = (score(game, uniform(game)) for game in (few, many))
    np.testing.assert_allclose(first.values, second.values[:12], rtol=1e-12)
    assert (np.diff(second.values[10:]) < 0).all()  # more neighbours, more infections


def test_of_a_separable_graphex_shares_alone_are_the_same_for_all():
    game = eqenvs.make("sis_graphex", contact="share", infection=0.8)
    found = score(game, uniform(game))
    np.testing.assert_allclose(found.values, found.values[0], rtol=1e-12)
    # The game of one population that meets itself.
    alone = eqenvs.make("sis_graphon", graphon="erdos_renyi", density=1.0, bins=1, num_agents=2)
    np.testing.assert_allclose(found.values[0], score(alone, uniform(alone)).values[0], rtol=1e-12)


# Graphs from files


@pytest.fixture
def edge_list(tmp_path):
    """A wheel: a hub with five vertices around it, of which four are a path; a, ..., f and a lonely g."""
    path = tmp_path / "wheel.txt"
    path.write_text("# hub first\na b\na c\na,d\na e 3.5\na f\nb c\nc d\nd e\n")
    return path


def test_a_game_on_a_graph_from_a_file_has_its_step_graphon(edge_list):
    game = eqenvs.make("sis_graphon", edges=str(edge_list), bins=2, num_agents=2)
    # By degree: a 5, c 3, d 3 | b 2, e 2, f 1. Within the first three, all three pairs of which are edges: 1.
    # Within the last three: no edge. Between: a-b, a-e, a-f, c-b, d-e of 9.
    np.testing.assert_allclose(game.model().coupling, [[0.5, 5 / 18], [5 / 18, 0.0]])
    normal = eqenvs.make("sis_graphon", edges=str(edge_list), bins=2, num_agents=2, normalised=True)
    np.testing.assert_allclose(normal.model().coupling, [[9 / 14, 5 / 14], [1.0, 0.0]])


def test_a_graphex_game_on_a_graph_is_that_of_the_fitted_power_law(edge_list):
    fitted = eqenvs.graphs.fit_graphex(eqenvs.graphs.read_edges(edge_list))
    game = eqenvs.make("sis_graphex", edges=str(edge_list))
    same = eqenvs.make("sis_graphex", sparsity=fitted[0], size=fitted[1])
    np.testing.assert_allclose(game.model().coupling, same.model().coupling)
    assert score(game, uniform(game)).nash_conv == pytest.approx(score(same, uniform(same)).nash_conv)


@pytest.mark.parametrize("game_id", ["sis_graphon", "sir_graphex", "rumour_graphon"])
def test_bad_graphs_are_refused_in_one_line(game_id, tmp_path, edge_list):
    names = tmp_path / "names.txt"
    names.write_text("a\nb\nc\nd\ne\n")

    def refused(**given):
        with pytest.raises(InputError) as error:
            eqenvs.make(game_id, **given).model()
        assert "\n" not in str(error.value)
        return str(error.value)

    assert re.search(
        rf"^{game_id}: .*wheel.txt, line 6: unknown vertex 'f'; ", refused(edges=str(edge_list), vertices=str(names))
    )
    assert refused(edges=str(tmp_path / "none.txt")).endswith("none.txt: cannot be read: No such file or directory")


def test_more_bins_than_vertices_or_a_bin_alone_are_refused(edge_list, tmp_path):
    with pytest.raises(InputError, match=r"sis_graphon: parameter 'bins' must be at most 6, .* got 50"):
        eqenvs.make("sis_graphon", edges=str(edge_list)).model()
    names = tmp_path / "names.txt"
    names.write_text("a\nb\nc\nd\ne\nf\ng\n")
    with pytest.raises(InputError, match="sis_graphon: parameter 'normalised': bin 6 has no neighbours"):
        eqenvs.make("sis_graphon", edges=str(edge_list), vertices=str(names), bins=7, normalised=True).model()


@pytest.mark.parametrize("game_id", ["sir_graphon", "sis_graphex"])
def test_vertices_without_edges_are_refused(game_id, edge_list):
    with pytest.raises(InputError, match=f"{game_id}: parameter 'vertices' needs 'edges'"):
        eqenvs.make(game_id, vertices=str(edge_list)).model()


@pytest.mark.parametrize(
    ("game_id", "given"),
    [
        ("sis_graphon", {"graphon": "power_law"}),
        ("sir_graphon", {"density": 0.25}),
        ("rumour_graphon", {"exponent": 0.25}),
        ("sis_graphex", {"sparsity": 0.25}),
        ("rumour_graphex", {"size": 10.0}),
    ],
)
def test_a_graph_and_what_it_would_replace_are_refused_together(game_id, given, edge_list):
    (name,) = given
    with pytest.raises(InputError, match=f"^{game_id}: parameter '{name}' has no effect with 'edges'"):
        eqenvs.make(game_id, edges=str(edge_list), **given).model()
