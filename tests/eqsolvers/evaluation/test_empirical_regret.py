"""Regret of populations in the combined game: by hand, against NashConv, and what minimum regret implies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqenvs.errors import InputError, UnknownNameError
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import CorrelatedStrategy, TabularPolicy
from eqsolvers.evaluation import Variant, evaluate, least_regret, regret, regret_curve
from eqsolvers.meta import MetaSolution, find_meta_solver
from eqsolvers.scoring import score


def zero_sum(rows, columns, seed):
    payoffs = np.random.default_rng(seed).normal(size=(rows, columns))
    return np.stack([payoffs, -payoffs])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([(2, 3), (4, 2), (2, 3, 2)]))
def test_regret_in_the_whole_game_is_nash_conv(seed, shape):
    rng = np.random.default_rng(seed)
    payoffs = rng.normal(size=(len(shape), *shape))
    strategies = [rng.dirichlet(np.ones(k)) for k in shape]
    found = regret(payoffs, [range(k) for k in shape], MetaSolution(tuple(strategies)))
    model = NormalFormModel(payoffs)
    assert found == pytest.approx(score(model, TabularPolicy(model, strategies)).gains)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([(2, 3), (4, 2), (2, 3, 2)]))
def test_regret_of_a_device_is_its_cce_gap(seed, shape):
    rng = np.random.default_rng(seed)
    payoffs = rng.normal(size=(len(shape), *shape))
    device = rng.dirichlet(np.ones(int(np.prod(shape)))).reshape(shape)
    found = regret(payoffs, [range(k) for k in shape], MetaSolution((), device))
    model = NormalFormModel(payoffs)
    assert found.sum() == pytest.approx(score(model, CorrelatedStrategy(model, device)).cce_gap)


def test_a_profile_of_some_policies_is_the_profile_that_gives_the_others_nothing():
    payoffs = np.random.default_rng(1).normal(size=(3, 4, 3, 2))
    policies = ([2, 0], [1], [0, 1])
    solution = MetaSolution((np.array([0.3, 0.7]), np.ones(1), np.array([0.6, 0.4])))
    whole = MetaSolution((np.array([0.7, 0, 0.3, 0]), np.array([0, 1.0, 0]), np.array([0.6, 0.4])))
    assert regret(payoffs, policies, solution) == pytest.approx(regret(payoffs, [range(4), range(3), range(2)], whole))
    device = np.array([[[0.1, 0.2]], [[0.3, 0.4]]])
    spread = np.zeros((4, 3, 2))
    spread[np.ix_(*policies)] = device
    assert regret(payoffs, policies, MetaSolution((), device)) == pytest.approx(
        regret(payoffs, [range(4), range(3), range(2)], MetaSolution((), spread))
    )


def test_copies_of_policies_change_no_regret():
    payoffs = zero_sum(3, 4, 7)
    rows, columns = [0, 1, 2, 1], [3, 0, 1, 2, 3]
    copied = payoffs[:, rows][:, :, columns]
    alone = evaluate(payoffs, [[0, 1], [0, 3]])
    among = evaluate(copied, [[0, 3], [1, 4]])
    assert among.regret == pytest.approx(alone.regret)


def test_a_curve_of_rock_paper_scissors_by_hand():
    rock_paper_scissors = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    payoffs = np.stack([rock_paper_scissors, -rock_paper_scissors])
    variant = Variant("grows", ([0, 1, 2], [0, 1, 2]), ((1, 1), (2, 2), (2, 2), (3, 3)))
    curve = regret_curve(payoffs, variant)
    # Rock loses 1 to paper, of either player; of rock and paper paper is played, and loses 1 to scissors.
    assert [each.regret for each in curve] == pytest.approx([2, 2, 2, 0], abs=1e-12)
    assert curve[1] is curve[2]
    least = [least_regret(payoffs, [range(k), range(k)]).regret for k in (1, 2, 3)]
    assert least == pytest.approx([2, 2 / 3, 0], abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6), st.integers(2, 6))
def test_least_regret_is_least_and_never_rises(seed, rows, columns):
    payoffs = zero_sum(rows, columns, seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(rows), rng.permutation(columns)
    last = np.inf
    for size in range(1, max(rows, columns) + 1):
        policies = [own[:size] for own in order]
        least = least_regret(payoffs, policies).regret
        assert least <= last + 1e-9
        assert least <= evaluate(payoffs, policies).regret + 1e-9
        random = MetaSolution(tuple(rng.dirichlet(np.ones(len(own))) for own in policies))
        assert least <= regret(payoffs, policies, random).sum() + 1e-9
        last = least
    assert last == pytest.approx(0, abs=1e-9)


def test_one_solver_judges_all_alike_whatever_they_used():
    # The same populations in another order of discovery, grown by another solver, have the same regret.
    payoffs = zero_sum(4, 4, 3)
    uniform = MetaSolution((np.full(3, 1 / 3),) * 2)
    nash = find_meta_solver("nash")(payoffs[:, :3, :3])
    a = Variant("a", ([0, 1, 2], [0, 1, 2]), ((3, 3),), uniform)
    b = Variant("b", ([2, 0, 1], [1, 2, 0]), ((3, 3),), nash)
    assert regret_curve(payoffs, a)[0].regret == pytest.approx(regret_curve(payoffs, b)[0].regret)
    assert regret(payoffs, a.policies, uniform).sum() > regret_curve(payoffs, a)[0].regret


@pytest.mark.parametrize("solver", ["uniform", "prd", "max_gini_cce", "logit"])
def test_any_meta_solver_can_judge(solver):
    payoffs = np.random.default_rng(0).normal(size=(3, 3, 2, 3))
    found = evaluate(payoffs, [[0, 2], [1], [0, 1, 2]], solver=solver)
    expected = regret(payoffs, [[0, 2], [1], [0, 1, 2]], find_meta_solver(solver)(payoffs[:, [0, 2]][:, :, [1]]))
    assert found.gains == pytest.approx(expected)
    assert found.sizes == (2, 1, 3)


def test_bad_input_is_named():
    payoffs = zero_sum(2, 3, 0)
    with pytest.raises(InputError, match="needed for 2 players, got 1"):
        regret_curve(payoffs, Variant("one", ([0],), ((1,),)))
    with pytest.raises(InputError, match="player 0 has 2 policies"):
        regret_curve(payoffs, Variant("far", ([2], [0]), ((1, 1),)))
    with pytest.raises(InputError, match="from 1 to 1 of its policies"):
        regret_curve(payoffs, Variant("more", ([0], [0]), ((2, 1),)))
    with pytest.raises(UnknownNameError, match="nash"):
        evaluate(payoffs, [[0], [0]], solver="nsh")
    with pytest.raises(InputError, match="two players of constant sum"):
        least_regret(np.random.default_rng(0).normal(size=(2, 2, 2)), [[0], [0]])
