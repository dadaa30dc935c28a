"""The flow over different rows against one moment at a time, and what counts as the same row."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqenvs.models.mean_field import Affine, CommonNoise, MeanFieldModel
from eqenvs.models.mean_field_rows import is_conserved, rows_of
from eqenvs.testing.mean_field import random_policy

NOISE = CommonNoise(initial=[0.25, 0.75], kernel=[[0.5, 0.5], [0.0, 1.0]])


def affine(populations=2, *, alike=False, noise=None):
    """Two features, coupled populations, an illegal action, rows that differ by their slopes alone."""
    rng = np.random.default_rng(0)
    shape = (1 if alike else populations, 3, 4, 2)
    base = np.full(shape, 0.5)
    slope = 0.2 * rng.choice([-1.0, 0.0, 1.0], size=(2, *shape[:-1], 1)) * np.array([1.0, -1.0])
    legal = np.ones((3, 4))
    legal[1, 0] = 0
    return MeanFieldModel(
        Affine(base=base, slope=slope, weight=rng.random((2, 3))),
        lambda mean_field, moment: mean_field[..., None],
        rng.dirichlet(np.ones(3), size=populations),
        successors=rng.integers(3, size=(3, 4, 2)),
        horizon=4,
        legal=legal,
        coupling=[[0.7, 0.3], [0.4, 0.6]],
        noise=noise,
    )


GAMES = {
    "affine": affine,
    "alike": lambda: affine(alike=True),
    "noisy": lambda: affine(noise=NOISE),
    "rooms": lambda: eqenvs.make("four_rooms", horizon=5).model(),
}


@pytest.mark.parametrize("make", GAMES.values(), ids=GAMES)
def test_the_flow_is_that_of_one_moment_at_a_time(make):
    model = make()
    policy = random_policy(model, np.random.default_rng(1))
    flow, parent = model.flow(policy), model.moments.parent
    for moment, origin in enumerate(parent):
        expected = model.initial if origin < 0 else model.advance(flow[origin], policy, int(origin))
        np.testing.assert_allclose(flow[moment], expected, atol=1e-15)


@pytest.mark.parametrize("make", GAMES.values(), ids=GAMES)
def test_every_row_is_that_of_its_states_and_actions_and_none_is_there_twice(make):
    kernel = make().kernel
    rows = rows_of(kernel)
    for at in np.ndindex(kernel.base.shape[:3]):
        number = rows.number[at]
        assert (rows.successors[number] == kernel.successors[at[1:]]).all()
        assert (rows.base[number] == kernel.base[at]).all()
        assert (rows.slope[:, number] == kernel.slope[(slice(None), *at)]).all()
    whole = [(*rows.successors[r], *rows.base[r], *rows.slope[:, r].ravel()) for r in range(len(rows.base))]
    assert len(set(whole)) == len(whole)


def test_a_crowd_on_a_grid_has_a_row_for_each_place():
    model = eqenvs.make("crowd_2d").model()
    assert len(model.rows.base) == model.num_states == 100
    assert eqenvs.make("four_rooms").model().rows.base.shape == (104, 5)


def test_two_rows_with_one_key_stay_apart(monkeypatch):
    kernel = affine().kernel
    real = np.unique
    monkeypatch.setattr(np, "unique", lambda key, **how: real(np.zeros_like(key), **how))
    rows = rows_of(kernel)
    assert rows.number.reshape(-1).tolist() == list(range(kernel.base[..., 0].size))


@pytest.mark.parametrize(
    ("change", "kept"), [(0.0, True), (1e-10, True), (1e-6, False), (-1e-6, False), (np.nan, False)]
)
def test_mass_is_kept_to_rounding(change, kept):
    flow = np.full((2, 2, 4), 0.25)
    flow[1, 1, 2] += change
    assert is_conserved(flow, 1e-9) == kept


def test_mass_below_zero_is_refused():
    flow = np.full((1, 1, 3), 0.5)
    flow[0, 0, 2] = -0.0
    assert is_conserved(flow, 1e-9)
    flow[0, 0] = [0.75, 0.5, -0.25]
    assert not is_conserved(flow, 1e-9)


def test_a_policy_off_the_simplex_is_named():
    model = affine()
    policy = random_policy(model, np.random.default_rng(0))
    with pytest.raises(InputError, match="population 0 has mass"):
        model.flow(policy * 1.01)
