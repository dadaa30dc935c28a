"""Sink equilibria and the limits of games: hand-worked graphs, simulated walks and properties."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from eqenvs.errors import InputError
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form import _markov
from eqsolvers.normal_form._markov import absorbed, sinks_of, stationary_of_sparse
from eqsolvers.normal_form._response_graph import moves
from eqsolvers.normal_form.sink_equilibria import limit_of, mixed_prior, response_walk, solve
from eqsolvers.result import Status

PENNIES = NormalFormModel([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
DILEMMA = NormalFormModel([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
COORDINATION = NormalFormModel([[[2, 0], [0, 1]], [[2, 0], [0, 1]]])
# The row player's third action and the column player's third are dominated; inside, matching pennies.
TRAP = NormalFormModel(
    [[[1, -1, 0], [-1, 1, 0], [-2, -2, -1]], [[-1, 1, -2], [1, -1, -2], [0, 0, -1]]],
)


def sinks(model: NormalFormModel, **chosen: object) -> list[tuple[list[list[int]], float]]:
    result = solve(model, settings=chosen)
    assert result.status is Status.CONVERGED
    return [(sorted(sink["profiles"]), sink["probability"]) for sink in result.detail["sinks"]]


@pytest.mark.parametrize("graph", ["better", "best"])
def test_hand_worked_sinks(graph: str) -> None:
    assert sinks(PENNIES, graph=graph) == [([[0, 0], [0, 1], [1, 0], [1, 1]], 1.0)]
    assert sinks(DILEMMA, graph=graph) == [([[1, 1]], 1.0)]
    assert sinks(TRAP, graph=graph) == [([[0, 0], [0, 1], [1, 0], [1, 1]], 1.0)]
    np.testing.assert_allclose(solve(PENNIES).policy.distribution, np.full((2, 2), 1 / 4), atol=1e-12)


def test_walk_by_gains_and_uniform_walk_split_as_by_hand() -> None:
    # From (0, 1) and (1, 0) one move gains 2 and leads to (0, 0), the other gains 1 and leads to (1, 1).
    assert [p for _, p in sinks(COORDINATION)] == pytest.approx([7 / 12, 5 / 12], abs=1e-12)
    assert [p for _, p in sinks(COORDINATION, walk="uniform")] == pytest.approx([1 / 2, 1 / 2], abs=1e-12)


def test_best_replies_leave_fewer_arcs() -> None:
    # One player with payoffs 0, 1, 2: from 0 the better graph has two arcs, the best-reply graph one.
    model = NormalFormModel([[0.0, 1, 2]])
    assert response_walk(model, walk="uniform").toarray().tolist() == [[0, 0.5, 0.5], [0, 0, 1], [0, 0, 1]]
    assert response_walk(model, walk="gain").toarray()[0].tolist() == pytest.approx([0, 1 / 3, 2 / 3])
    assert response_walk(model, graph="best").toarray().tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 1]]


def test_ties_join_equilibria_into_one_sink() -> None:
    flat = NormalFormModel([[[1, 1, 0]], [[1, 1, 0]]])
    assert [profiles for profiles, _ in sinks(flat)] == [[[0, 0]], [[0, 1]]]
    assert sinks(flat, ties=True, walk="uniform") == [([[0, 0], [0, 1]], 1.0)]
    assert len(sinks(NormalFormModel(np.zeros((2, 2, 3))))) == 6
    assert len(sinks(NormalFormModel(np.zeros((2, 2, 3))), ties=True, walk="uniform")) == 1
    with pytest.raises(InputError, match="ties have no gain to walk by"):
        solve(flat, settings={"ties": True})


def test_rounding_noise_is_a_tie() -> None:
    model = NormalFormModel([[[0.1 + 0.2, 0.3, 1.0]], [[0.1 + 0.2, 0.3, 1.0]]])
    assert (moves(model).gain == 0).sum() == 2


def two_coordinations() -> NormalFormModel:
    """Three players with several sinks, and transient profiles on cycles."""
    return NormalFormModel(np.random.default_rng(11).normal(size=(3, 2, 3, 2)))


@pytest.mark.parametrize("walk", ["gain", "uniform"])
def test_probabilities_are_those_of_simulated_walks(walk: str) -> None:
    found = next(
        model
        for model in (NormalFormModel(np.random.default_rng(seed).normal(size=(3, 2, 3, 2))) for seed in range(100))
        if len(sinks(model)) > 1
    )
    chain = response_walk(found, walk=walk).toarray()
    result = limit_of(found, sparse.csr_array(chain), np.full(found.num_actions, 1 / 12))
    rng, walks = np.random.default_rng(0), 20_000
    at = rng.integers(12, size=walks)
    cumulative = chain.cumsum(axis=1)
    for _ in range(200):
        at = np.minimum((rng.random(walks)[:, None] > cumulative[at]).sum(axis=1), 11)
    visits = np.bincount(at, minlength=12) / walks
    for sink in result:
        nodes = np.ravel_multi_index(tuple(sink.profiles.T), found.num_actions)
        assert visits[nodes].sum() == pytest.approx(sink.probability, abs=4 * 0.5 / np.sqrt(walks))


@settings(max_examples=40, deadline=None)
@given(
    payoffs=st.sampled_from([(2, 2, 3), (3, 2, 2, 2), (2, 3, 3)]).flatmap(
        lambda shape: hnp.arrays(np.float64, shape, elements=st.integers(-2, 2).map(float))
    ),
    graph=st.sampled_from(["better", "best"]),
)
def test_sinks_are_closed_and_every_pure_equilibrium_is_one(payoffs: np.ndarray, graph: str) -> None:
    model = NormalFormModel(payoffs)
    result = solve(model, settings={"graph": graph})
    assert result.status is Status.CONVERGED
    listed = [tuple(map(tuple, sink["profiles"])) for sink in result.detail["sinks"]]
    assert sum(sink["probability"] for sink in result.detail["sinks"]) == pytest.approx(1, abs=1e-9)
    members = {profile for sink in listed for profile in sink}
    assert {tuple(profile) for profile in np.argwhere(result.policy.distribution > 0)} <= members
    for profile in product(*map(range, model.num_actions)):
        gains = [
            model.payoffs[(p, *profile[:p], b, *profile[p + 1 :])] - model.payoffs[(p, *profile)]
            for p in range(model.num_players)
            for b in range(model.num_actions[p])
        ]
        assert ((profile,) in listed) == (max(gains) <= 0)


def test_graph_helpers_on_a_chain_worked_by_hand() -> None:
    # 0 -> 1 (1/3), 2 (2/3); 1 <-> 2 keep 1/2 and go on to the sinks 3 and {4, 5} respectively.
    chain = sparse.csr_array(
        np.array(
            [
                [0, 1 / 3, 2 / 3, 0, 0, 0],
                [0, 0, 1 / 2, 1 / 2, 0, 0],
                [0, 1 / 2, 0, 0, 1 / 2, 0],
                [0, 0, 0, 1, 0, 0],
                [0, 0, 0, 0, 0, 1],
                [0, 0, 0, 0, 1 / 2, 1 / 2],
            ]
        )
    )
    found = sinks_of(chain)
    assert [nodes.tolist() for nodes in found] == [[3], [4, 5]]
    # From 1 the walk ends in 3 with probability 2/3, from 2 with 1/3.
    assert absorbed(chain, found, np.eye(6)[0]).tolist() == pytest.approx([4 / 9, 5 / 9])
    assert absorbed(chain, found, np.eye(6)[4]).tolist() == [0.0, 1.0]
    np.testing.assert_allclose(stationary_of_sparse(chain[[4, 5]][:, [4, 5]]), [1 / 3, 2 / 3])


def test_slow_walks_are_solved_and_end_as_quick_ones() -> None:
    # A gambler who wins 1 with probability 1/2 from a capital of 0.3 top: ruin before the top has probability 7/10.
    # From 500 states on a Krylov method is tried first, which 2,000 states in a row defeat.
    for top in (10, 2000):
        steps = np.full(top + 1, 0.5)
        steps[[0, top]] = 0
        still = np.zeros(top + 1)
        still[[0, top]] = 1
        chain = sparse.csr_array(sparse.diags_array([steps[1:], still, steps[:-1]], offsets=[-1, 0, 1]))
        start = np.zeros(top + 1)
        start[3 * top // 10] = 1
        assert absorbed(chain, sinks_of(chain), start).tolist() == pytest.approx([0.7, 0.3], abs=1e-9)


def test_large_sinks_are_solved_as_by_factorisation(monkeypatch: pytest.MonkeyPatch) -> None:
    model = NormalFormModel(np.random.default_rng(1).uniform(size=(3, 10, 10, 10)))
    by_krylov = solve(model)
    monkeypatch.setattr(_markov, "DIRECT", 10**9)
    np.testing.assert_allclose(by_krylov.policy.distribution, solve(model).policy.distribution, atol=1e-12)
    assert by_krylov.residual <= 1e-12
    assert max(sink["size"] for sink in by_krylov.detail["sinks"]) > 500


@pytest.mark.slow
def test_mixed_prior_follows_the_dynamics_and_its_seed() -> None:
    # Symmetric under swapping both players' actions: either equilibrium of pure coordination half of the time.
    pure = NormalFormModel([np.eye(2), np.eye(2)])
    chosen = {"prior": "mixed", "samples": 2000, "time": 10.0}
    first, again = (solve(pure, seed=3, settings=chosen) for _ in range(2))
    np.testing.assert_array_equal(first.policy.distribution, again.policy.distribution)
    assert [sink["probability"] for sink in first.detail["sinks"]] == pytest.approx([0.5, 0.5], abs=0.05)
    # Without noise every start but a null set ends in a pure equilibrium, and most in the one that pays twice: the
    # basins meet in an orbit through the mixed equilibrium (1/3, 1/3).
    prior = mixed_prior(COORDINATION, samples=4000, time=40.0, noise=0.0, rng=np.random.default_rng(0))
    assert prior[0, 1] + prior[1, 0] < 0.01
    assert prior[0, 0] > 0.7


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_payoff_unit_and_offset_do_not_change_the_limit(scale: float) -> None:
    model = two_coordinations()
    expected = solve(model).policy.distribution
    changed = solve(NormalFormModel(scale * model.payoffs + 10 * scale)).policy.distribution
    np.testing.assert_allclose(changed, expected, atol=1e-8)
