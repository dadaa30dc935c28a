"""What holds of every iterative mean-field method of this family, on every kind of game."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError
from eqenvs.models.mean_field import Affine, CommonNoise, MeanFieldModel
from eqsolvers.mean_field import (
    anderson,
    boltzmann_iteration,
    damped_fixed_point,
    fictitious_play,
    fixed_point,
    munchausen_omd,
    newton_krylov,
    omd,
    prior_descent,
    softmax_iteration,
)
from eqsolvers.scoring import score

METHODS = [
    anderson, boltzmann_iteration, damped_fixed_point, fictitious_play, fixed_point, munchausen_omd, newton_krylov, omd,
    prior_descent, softmax_iteration,
]  # fmt: skip
CASES = [(module.SOLVER, concept) for module in METHODS for concept in module.SOLVER.concepts]


def general(horizon, noise, called=False):
    """Two coupled populations whose moves and rewards depend on the mean field, and an illegal action."""
    rng = np.random.default_rng(0)
    base, other = rng.dirichlet(np.ones(2), size=(2, 2, 3, 2))
    successors, table = rng.integers(3, size=(3, 2, 2)), rng.normal(size=(2, 3, 2))

    def reward(mean_field, moment):
        return table * (1 + moment.noise)[..., None, None, None] - mean_field[..., ::-1, :][..., None]

    def build(transition):
        return MeanFieldModel(
            transition, reward, [[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]], successors=successors, horizon=horizon,
            discount=0.8, legal=[[1, 1], [1, 0], [1, 1]], coupling=[[0.9, 0.1], [0.4, 0.6]], noise=noise,
        )  # fmt: skip

    model = build(Affine(base=base, slope=[other - base], weight=[[0.5, 0.0, 1.0]]))
    return build(model.probabilities) if called else model


NOISE = CommonNoise(initial=[0.5, 0.5], kernel=[[0.9, 0.1], [0.2, 0.8]])
GAMES = {
    "horizon": lambda: general(3, None),
    "noise": lambda: general(3, NOISE),
    "stationary": lambda: general(None, None),
    "operator": lambda: general(3, NOISE, called=True),
    "stationary operator": lambda: general(None, None, called=True),
}


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize(("solver", "concept"), CASES, ids=[f"{solver.id}-{concept}" for solver, concept in CASES])
def test_it_gives_policies_scores_them_and_goes_on_from_its_state(solver, concept, game):
    model = GAMES[game]()
    process = solver.start(model, concept=concept)
    process.run(4)
    policy = process.current()
    np.testing.assert_allclose(policy.sum(axis=-1), 1.0, atol=1e-12)
    assert (policy[..., ~model.legal] == 0.0).all()
    assert (policy >= 0.0).all()
    scored = score(model, process.policy())
    measures = process.measures()
    nash_conv = process.residual() if concept == "nash" else measures["nash_conv"]
    assert nash_conv == pytest.approx(scored.nash_conv, abs=1e-12)
    assert score(model, process.best_policy()).nash_conv == pytest.approx(
        process.measures()["best_nash_conv"], abs=1e-12
    )
    state = process.state()
    process.run(3)
    again = solver.start(model, concept=concept)
    again.restore(state)
    again.run(3)
    np.testing.assert_array_equal(again.current(), process.current())
    assert again.measures() == process.measures()
    assert again.touched == process.touched > 0


@pytest.mark.parametrize("module", METHODS)
def test_a_state_of_another_game_is_refused(module):
    state = module.SOLVER.start(general(3, None)).state()
    with pytest.raises(InputError, match="another game"):
        module.SOLVER.start(general(4, None)).restore(state)


@pytest.mark.parametrize("module", METHODS)
def test_a_game_of_one_state_and_one_action_is_in_equilibrium(module):
    model = MeanFieldModel(np.ones((1, 1, 1)), lambda mu, m: -mu[..., None], [1.0], horizon=2)
    found = module.SOLVER.solve(model, iterations=2, tolerance=0.0)
    assert found.residual == 0.0


@pytest.mark.parametrize("module", METHODS)
def test_it_is_found_by_its_id(module):
    spec = module.SOLVER
    assert module.__name__.rsplit(".", 1)[1] == spec.id.replace("-", "_")
    model = eqenvs.make("left_right").model()
    assert spec.solve(model, iterations=3).method == spec.id
