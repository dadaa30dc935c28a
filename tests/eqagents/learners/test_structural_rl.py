"""Structural reinforcement learning: its parts against plain loops and other methods, and what it learns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.learners import _structural_economies as economies
from eqagents.learners import _structural_paths as simulation
from eqagents.learners.structural_rl import StructuralRL, StructuralRLConfig
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.policies import uniform
from eqsolvers import households
from eqsolvers.mean_field.approximate_aggregation import ApproximateAggregation
from eqsolvers.scoring import score

COARSE = {"own": 24, "points": 80, "periods": 40, "paths": 3, "held_out": (2, 300)}
COARSE |= {"learning_rate": 0.2, "cooling": 40, "stretch": 0.05}
USUAL = torch.tensor(39.5, dtype=torch.float64)  # mean capital
TINY = {"own": 7, "points": 11, "signals": 3, "periods": 6, "paths": 3, "held_out": (2, 20), "updates_per_step": 2}
GAMES = {"krusell_smith": {}, "huggett": {}, "bonds": {"zero_net_supply": True}}


def learner(name, **settings):
    game = eqenvs.make("krusell_smith" if name == "krusell_smith" else "huggett")
    return StructuralRL(game, StructuralRLConfig(**{**COARSE, **GAMES[name], **settings}))


def trained(agent, steps, entropy=0):
    state, rewards = agent.init(np.random.SeedSequence(entropy)), []
    for _ in range(steps):
        state, metrics = agent.step(state)
        rewards.append(metrics["structural/lifetime_reward"])
    return state, rewards


def small_problem(name, seed=0):
    """An economy, logits at random, aggregate states, a population, households and a tail."""
    agent, rng = learner(name, **TINY), np.random.default_rng(seed)
    economy = agent.economy
    state = agent.init(np.random.SeedSequence(seed))
    logits = torch.tensor(state.logits + rng.normal(0.0, 0.3, state.logits.shape))
    law = economy.aggregate_law
    path = simulation.aggregate_paths(law, rng.integers(len(law), size=3), 6, rng)
    shape = (3, 2, len(economy.points))
    masses = [torch.tensor(rng.dirichlet(np.ones(22), size=3).reshape(shape)) for _ in range(2)]
    return economy, logits, torch.tensor(path), *masses, torch.tensor(np.sort(rng.normal(size=state.tail.shape)))


def unrolled(economy, logits, aggregate, population, households, tail, *, given):
    """The lifetime reward by one household state after the other, on the tape; prices are given or not."""
    saved = economy.saved(torch.sigmoid(logits))
    total = torch.zeros(())
    for b in range(aggregate.shape[1]):
        g, d = population[b], households[b]
        for t in range(len(aggregate)):
            z = aggregate[t, b]
            signal = economy.clear(z[None], g[None], saved)[0]
            signal = signal.detach() if given else signal
            below, weight = economies.bracket(economy.signals, signal)
            if t == len(aggregate) - 1:
                worth = (1 - weight) * tail[z, below] + weight * tail[z, below + 1]
                total = total + economy.discount**t * (d * worth).sum()
                break
            kept = (1 - weight) * saved[z, below] + weight * saved[z, below + 1]
            spent = economy.wealth(z, signal, economy.points) - economy.cost(signal) * kept
            total = total + economy.discount**t * (d * economy.utility(spent)).sum()
            law = economy.employment_law[z, aggregate[t + 1, b]]
            moved = []
            for mass in (g, d):
                after = torch.zeros_like(mass)
                for e in range(2):
                    for i in range(mass.shape[1]):
                        k = int(torch.searchsorted(economy.points, kept[e, i].detach(), right=True)) - 1
                        k = min(max(k, 0), mass.shape[1] - 2)
                        up = (kept[e, i] - economy.points[k]) / (economy.points[k + 1] - economy.points[k])
                        place = torch.zeros(mass.shape[1], dtype=torch.float64)
                        place = place.index_put((torch.tensor([k, k + 1]),), torch.stack([1 - up, up]))
                        after = after + law[e][:, None] * mass[e, i] * place
                moved.append(after)
            g, d = moved
    return total / aggregate.shape[1]


@pytest.mark.parametrize("name", GAMES)
def test_the_gradient_is_that_through_the_unrolled_simulation_with_prices_given(name):
    economy, logits, aggregate, population, start, tail = small_problem(name)
    logits.requires_grad_()
    reward = unrolled(economy, logits, aggregate, population, start, tail, given=True)
    (expected,) = torch.autograd.grad(reward, logits)
    saved = economy.saved(torch.sigmoid(logits))
    paths = simulation.simulate(economy, saved.detach(), aggregate, population, start)
    worth, ahead = simulation.worths(economy, saved.detach(), paths, tail)
    (found,) = torch.autograd.grad(simulation.surrogate(economy, saved, paths, ahead), logits)
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * scale)
    assert float((start * worth[0]).sum((-1, -2)).mean()) == pytest.approx(float(reward.detach()), rel=1e-12)
    priced = unrolled(economy, logits, aggregate, population, start, tail, given=False)
    (moving,) = torch.autograd.grad(priced, logits)
    assert float((moving - expected).abs().max()) > 1e-5 * scale  # households do not know that they move prices


def test_the_population_moves_as_in_the_kernel_of_approximate_aggregation():
    economy, logits, aggregate, population, start, _ = small_problem("krusell_smith", seed=3)
    saved = economy.saved(torch.sigmoid(logits))
    paths = simulation.simulate(economy, saved, aggregate, population, start)
    law, means = economy.employment_law.numpy(), economy.signals.numpy()
    for b in range(3):
        last, capital = population[b].numpy().copy(), np.empty(len(aggregate))
        households.live(
            economy.points.numpy(), means, saved.numpy(), law, aggregate[:, b].numpy(), last, capital
        )  # fmt: skip
        np.testing.assert_allclose(paths.signal[:, b].numpy(), capital, rtol=1e-12)
        np.testing.assert_allclose(paths.population[-1, b].numpy(), last, atol=1e-13)


@pytest.mark.parametrize("name", ["huggett", "bonds"])
def test_the_price_of_bonds_clears_their_market(name):
    economy, _, _, population, _, _ = small_problem(name, seed=1)
    # Households at the end of the grid never demand less than nothing, so these are put near its middle.
    population = economies.shared_out(population, torch.full(population.shape, 4), torch.full(population.shape, 0.3))
    rows = torch.linspace(0.2, -0.2, len(economy.signals), dtype=torch.float64)[None, :, None, None]
    saved = (0.1 * economy.points + rows).expand(1, len(economy.signals), 2, -1)
    state = torch.zeros(3, dtype=torch.int64)
    price = economy.clear(state, population, saved)
    demand = (population * simulation.at_signal(economy, saved, state, price)).sum((-1, -2))
    supply = torch.zeros(3) if name == "bonds" else (price / 0.998).log() / 0.003
    inside = (price > economy.signals[0]) & (price < economy.signals[-1])
    assert bool(inside.all())
    np.testing.assert_allclose(demand, supply, atol=1e-12 if name == "bonds" else 0.02)  # log is not linear


def test_a_market_that_does_not_clear_is_left_at_the_end_of_the_prices():
    economy, _, _, population, _, _ = small_problem("bonds")
    state = torch.zeros(3, dtype=torch.int64)
    for demanded, end in ((5.0, -1), (-3.0, 0)):
        saved = torch.full((1, len(economy.signals), 2, len(economy.points)), demanded, dtype=torch.float64)
        assert economy.clear(state, population, saved).tolist() == [float(economy.signals[end])] * 3


def test_stretching_keeps_mass_and_stretches_the_mean():
    economy, _, _, population, _, _ = small_problem("huggett")
    factor = torch.tensor([0.9, 1.0, 0.5], dtype=torch.float64)
    found = simulation.rescaled(economy, population, factor)
    least = float(economy.points[0])
    mean = ((population * economy.points).sum((-1, -2)) - least) * factor + least
    np.testing.assert_allclose((found * economy.points).sum((-1, -2)), mean, atol=1e-12)
    np.testing.assert_allclose(found.sum(-1), population.sum(-1), atol=1e-12)


@pytest.fixture(scope="module")
def capital():
    agent = learner("krusell_smith")
    return agent, *trained(agent, 9)


@pytest.fixture(scope="module")
def aggregated():
    """Mean capital, and savings with their grids, by approximate aggregation."""
    model = eqenvs.make("krusell_smith").model()
    process = ApproximateAggregation(model, periods=1_100, own=100, mean=6)
    process.run(7)
    grids = households.grids_of(model.economy, own=100, mean=6, histogram=2)
    still = households.Forecast(np.zeros(2), np.ones(2))
    wealth = households.household_of(model.economy, grids, still).wealth
    return grids, np.maximum(wealth - process.state()["consumption"], 0.0)


@pytest.mark.slow
def test_the_lifetime_reward_rises(capital):
    agent, state, rewards = capital
    assert np.isfinite(rewards).all()
    before = agent.evaluation(agent.init(np.random.SeedSequence(0)))
    after = agent.evaluation(state)
    assert before.lifetime_reward < after.lifetime_reward - 10
    assert after.euler_error < 0.004 < 0.3 < before.euler_error


def test_consumption_and_savings_rise_in_assets(capital):
    agent, state, _ = capital
    economy = agent.economy
    visited = economy.points < 2.0 * economy.start
    saved = agent.saved(state)
    for z in range(2):
        kept, spent = simulation.consumed(economy, saved, torch.tensor(z), USUAL)
        assert bool((kept[:, visited].diff() >= -1e-9).all())
        assert bool((spent[:, visited].diff() > 0).all())
        assert bool((spent[1] > spent[0])[visited].all())  # the employed consume more


@pytest.mark.slow
def test_the_policy_is_near_that_of_approximate_aggregation(capital, aggregated):
    agent, state, _ = capital
    grids, kept = aggregated
    there = np.apply_along_axis(lambda row: np.interp(agent.economy.points.numpy(), grids.own, row), -1, kept)
    economy = dataclasses.replace(agent.economy, signals=torch.tensor(grids.mean))
    known = simulation.evaluate(economy, torch.tensor(there), agent.held_out())
    found = agent.evaluation(state)
    assert known.euler_error < 1e-3  # another method: so the measure measures what it says
    assert found.mean_signal == pytest.approx(known.mean_signal, rel=0.01)
    gap = (found.lifetime_reward - known.lifetime_reward) * (1.0 - economy.discount)
    assert abs(gap) < 0.0005  # as a share of consumption for ever, utility being its log
    near = (agent.economy.points > 10.0) & (agent.economy.points < 80.0)
    for z in range(2):
        where = torch.tensor(z), USUAL
        _, one = simulation.consumed(agent.economy, agent.saved(state), *where)
        _, other = simulation.consumed(economy, torch.tensor(there), *where)
        assert float((one / other - 1.0)[:, near].abs().max()) < 0.03


def test_the_quarters_of_the_game_are_nearly_in_equilibrium(capital):
    agent, state, _ = capital
    game = eqenvs.make("krusell_smith")
    begun = agent.init(np.random.SeedSequence(0))
    found, before, random = (
        score(game, policy).nash_conv
        for policy in (agent.average_policy(state), agent.average_policy(begun), uniform(game))
    )
    assert found < 0.02 < 0.5 < min(before, random)


@pytest.mark.parametrize(("limit", "price"), [(2.0, 1.01278), (4.0, 0.99800)])
@pytest.mark.slow
def test_bonds_in_zero_net_supply_find_the_price_of_the_literature(limit, price):
    game = eqenvs.make("huggett", limit=limit, price=price, points=101)
    settings = {**COARSE, "points": 120, "periods": 50, "paths": 2, "stretch": 0.15, "held_out": (1, 150)}
    agent = StructuralRL(game, StructuralRLConfig(zero_net_supply=True, **settings))
    state, _ = trained(agent, 4)
    found = agent.evaluation(state)
    assert abs(found.mean_assets) < 1e-9
    assert found.last_signal == pytest.approx(price, abs=5e-4)
    begun = agent.init(np.random.SeedSequence(0))
    before, after = (score(game, agent.average_policy(each)).nash_conv for each in (begun, state))
    assert after < 0.02 * before


@pytest.mark.parametrize("name", GAMES)
def test_a_run_from_a_checkpoint_goes_on_to_the_bit(name, tmp_path):
    agent = learner(name, **TINY)
    state, _ = trained(agent, 2)
    save_checkpoint(tmp_path, 2, agent.to_tree(state), keep=1)
    other = learner(name, **TINY)
    again = other.from_tree(load_checkpoint(tmp_path)[1])
    for whole, resumed in zip(agent.step(state)[:1], other.step(again)[:1], strict=True):
        for left, right in zip(agent.to_tree(whole).values(), other.to_tree(resumed).values(), strict=True):
            np.testing.assert_array_equal(left, right)
    different, _ = trained(learner(name, **TINY), 2, entropy=1)
    assert (different.population != state.population).any()


def test_a_step_leaves_the_state_that_it_was_given():
    agent = learner("krusell_smith", **TINY)
    state, _ = trained(agent, 1)
    copy = {name: np.copy(value) for name, value in agent.to_tree(state).items()}
    agent.step(state)
    for name, value in agent.to_tree(state).items():
        np.testing.assert_array_equal(value, copy[name])


def test_other_games_and_absent_devices_are_refused():
    with pytest.raises(UnsupportedGame, match="krusell_smith and huggett, not left_right"):
        StructuralRL(eqenvs.make("left_right"), StructuralRLConfig())
    with pytest.raises(InputError, match="device"):
        learner("huggett", device="cuda:99")
