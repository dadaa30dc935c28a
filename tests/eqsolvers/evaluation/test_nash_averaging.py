"""Nash averaging: the paper's examples, and its invariance to copies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqenvs.errors import InputError
from eqsolvers.evaluation import max_entropy_nash, nash_average, nash_average_on_tasks
from eqsolvers.result import Status

ROCK_PAPER_SCISSORS = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
# Agent 3 beats 1 and loses to 2, who are even: all p with p1 <= p2, p3 = 0 are equilibria.
DEGENERATE = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0], [1.0, -1.0, 0.0]])

margins = st.integers(2, 6).flatmap(
    lambda k: st.lists(st.integers(-2, 2), min_size=k * (k - 1) // 2, max_size=k * (k - 1) // 2).map(
        lambda values: antisymmetric(k, values)
    )
)


def antisymmetric(count, values):
    matrix = np.zeros((count, count))
    matrix[np.triu_indices(count, 1)] = values
    return matrix - matrix.T


def test_rock_paper_scissors_is_uniform():
    found = nash_average(ROCK_PAPER_SCISSORS)
    assert found.status is Status.CONVERGED
    assert found.distribution == pytest.approx(np.full(3, 1 / 3), abs=1e-12)
    assert found.skill == pytest.approx(np.zeros(3), abs=1e-12)


def test_copies_of_scissors_share_its_probability():
    # Balduzzi et al. (2018): three agents in a circle, the last of them twice, give (1/3, 1/3, 1/6, 1/6).
    twice = [0, 1, 2, 2]
    found = nash_average(ROCK_PAPER_SCISSORS[np.ix_(twice, twice)])
    assert found.distribution == pytest.approx([1 / 3, 1 / 3, 1 / 6, 1 / 6], abs=1e-12)


def test_a_transitive_game_is_won_by_the_best():
    strength = np.array([1.0, 3.0, 2.0])
    found = nash_average(strength[:, None] - strength[None, :])
    assert found.distribution == pytest.approx([0, 1, 0])
    assert found.skill == pytest.approx([-2, 0, -1])


def test_a_purely_circular_game_is_uniform():
    # No agent has an advantage on average, and A u = 0 then says that u is an equilibrium.
    circle = np.array([[np.sin(2 * np.pi * (i - j) / 5) for j in range(5)] for i in range(5)])
    assert nash_average(circle).distribution == pytest.approx(np.full(5, 0.2), abs=1e-9)


def test_greatest_entropy_alone_is_not_invariant_to_copies():
    twice = [0, 1, 1, 2]
    copied = DEGENERATE[np.ix_(twice, twice)]
    assert max_entropy_nash(copied).row == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0], abs=1e-12)
    assert (copied @ max_entropy_nash(copied).row)[3] == pytest.approx(-1 / 3)
    assert nash_average(DEGENERATE).skill[2] == pytest.approx(0, abs=1e-12)
    assert nash_average(copied).skill[3] == pytest.approx(0, abs=1e-12)
    assert nash_average(copied).distribution == pytest.approx([1 / 2, 1 / 4, 1 / 4, 0], abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(margins, st.lists(st.integers(0, 5), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_copies_change_nobodys_skill(matrix, extra, random):
    which = [*range(len(matrix)), *(k % len(matrix) for k in extra)]
    random.shuffle(which)
    alone, among = nash_average(matrix), nash_average(matrix[np.ix_(which, which)])
    assert among.status is Status.CONVERGED
    assert among.skill == pytest.approx(alone.skill[which], abs=1e-8)
    mass = np.bincount(which, weights=among.distribution, minlength=len(matrix))
    # Agents that were copies of each other before share alike.
    kinds = np.unique(matrix, axis=0, return_inverse=True)[1].ravel()
    assert np.bincount(kinds, weights=mass) == pytest.approx(np.bincount(kinds, weights=alone.distribution), abs=1e-8)


@settings(max_examples=80, deadline=None)
@given(margins)
def test_no_skill_is_above_zero_and_that_of_the_equilibrium_is_zero(matrix):
    found = nash_average(matrix)
    assert found.distribution.sum() == pytest.approx(1)
    assert (found.distribution >= 0).all()
    assert found.skill.max() <= 1e-9
    assert found.skill @ found.distribution == pytest.approx(0, abs=1e-9)
    assert found.residual == pytest.approx(max(0.0, found.skill.max()))


@settings(max_examples=50, deadline=None)
@given(margins)
def test_against_tasks_that_are_the_agents_it_is_the_same(matrix):
    agents, tasks = nash_average(matrix), nash_average_on_tasks(matrix, normalise=False)
    assert tasks.agents == pytest.approx(agents.distribution, abs=1e-8)
    assert tasks.tasks == pytest.approx(agents.distribution, abs=1e-8)
    assert tasks.value == pytest.approx(0, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(st.integers(2, 5), st.integers(2, 5)).flatmap(
        lambda s: st.lists(st.lists(st.integers(0, 3), min_size=s[1], max_size=s[1]), min_size=s[0], max_size=s[0])
    ),
    st.integers(0, 4),
    st.integers(0, 4),
    st.floats(0.5, 100),
)
def test_copies_of_agents_or_tasks_and_their_units_change_nothing(scores, agent, task, unit):
    scores = np.array(scores, dtype=np.float64)
    rows, columns = [*range(len(scores)), agent % len(scores)], [*range(scores.shape[1]), task % scores.shape[1]]
    alone = nash_average_on_tasks(scores)
    scales = np.where(np.arange(scores.shape[1]) == 0, unit, 1.0)
    among = nash_average_on_tasks((scores * scales)[np.ix_(rows, columns)])
    assert among.skill == pytest.approx(alone.skill[rows], abs=1e-7)
    assert among.difficulty == pytest.approx(alone.difficulty[columns], abs=1e-7)
    assert among.value == pytest.approx(alone.value, abs=1e-8)


def test_agents_against_tasks_by_hand():
    # Normalised: agent 0 is better at task 0, agent 1 at task 1, agent 2 is half as good at both.
    scores = np.array([[10.0, 0.0], [0.0, 4.0], [5.0, 2.0]])
    found = nash_average_on_tasks(scores)
    assert found.tasks == pytest.approx([0.5, 0.5])
    assert found.skill == pytest.approx([0.5, 0.5, 0.5])
    assert found.difficulty == pytest.approx([-0.5, -0.5])
    # (1 - 2t, 1 - 2t, 4t - 1 ...): all p with equal weight on 0 and 1; the most even is uniform.
    assert found.agents == pytest.approx([1 / 3, 1 / 3, 1 / 3], abs=1e-12)


def test_margins_within_a_unit_are_ties():
    noisy = np.array([[0.0, 1e-17], [-1e-17, 0.0]])
    assert nash_average(noisy).distribution == pytest.approx([1, 0])
    assert nash_average(noisy, unit=1e-12).distribution == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(
    ("matrix", "said"), [([[0.0, 1.0], [1.0, 0.0]], "antisymmetric"), ([[0.0, 1.0, -1.0]], "square")]
)
def test_bad_input_is_named(matrix, said):
    with pytest.raises(InputError, match=said):
        nash_average(np.array(matrix))
