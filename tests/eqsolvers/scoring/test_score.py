"""Exact scores against published figures, hand-worked games and brute force over pure strategies."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import eqenvs
from eqenvs.errors import PolicyError, UnsupportedGame
from eqenvs.models import ExtensiveFormModel, NormalFormModel
from eqenvs.policies import (
    CorrelatedStrategy,
    FunctionPolicy,
    MixturePolicy,
    ProductPolicy,
    TabularPolicy,
    tabulate,
    uniform,
)
from eqsolvers.result import find_solver
from eqsolvers.scoring import ScoreKind, score
from eqsolvers.scoring.score import best_response

FACTS = [
    pytest.param(game_id, fact, id=f"{game_id}-{'-'.join(f'{k}={v}' for k, v in fact.parameters.items())}")
    for game_id in eqenvs.game_ids()
    for fact in eqenvs.spec(game_id).facts
]
# C is 0, D is 1; FACTS.md: max-welfare (C)CE has p(CC) = 1/2, p(CD) = p(DC) = 1/4 and total payoff 10.5.
LARGEST_LP = 5000  # sequences; larger programmes take minutes
CHICKEN = NormalFormModel([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
RPS = NormalFormModel([[[0, -1, 1], [1, 0, -1], [-1, 1, 0]], [[0, 1, -1], [-1, 0, 1], [1, -1, 0]]])


# --------------------------------------------------------------------------------- independent evaluation, in the open


def tree_values(model: ExtensiveFormModel, tables: list[Any]) -> np.ndarray:
    """Expected payoffs by walking the tree from the root: no sequence form."""
    reach = np.ones(len(model.parent))
    for h in range(1, len(model.parent)):
        above = model.parent[h]
        mover = model.player[above]
        edge = model.chance[h] if mover < 0 else tables[mover][model.infoset[above]][model.action[h]]
        reach[h] = reach[above] * edge
    return reach[model.terminals] @ model.payoffs


def pure_tables(model: ExtensiveFormModel, player: int) -> list[np.ndarray]:
    """Every pure policy of a player whose information sets all allow the same actions."""
    infosets, actions = model.information_states[player].masks.shape
    return [np.eye(actions)[list(choice)] for choice in itertools.product(range(actions), repeat=infosets)]


def pure_weights(pures: list[np.ndarray], table: np.ndarray) -> np.ndarray:
    """How probable each pure policy is when every information set is drawn independently from a behaviour table."""
    return np.array([np.prod(table[pure > 0]) for pure in pures])


@pytest.fixture(scope="module")
def kuhn() -> ExtensiveFormModel:
    model = eqenvs.make("kuhn_poker").model()
    assert isinstance(model, ExtensiveFormModel)
    return model


@pytest.fixture(scope="module")
def kuhn_matrix(kuhn: ExtensiveFormModel) -> tuple[list[Any], list[Any], np.ndarray]:
    """Kuhn poker as a 64x64 matrix game: the pure policies of both, and what player 0 wins."""
    first, second = pure_tables(kuhn, 0), pure_tables(kuhn, 1)
    return first, second, np.array([[tree_values(kuhn, [a, b])[0] for b in second] for a in first])


def random_tables(model: Any, rng: np.random.Generator) -> list[np.ndarray]:
    tables = []
    for states in model.information_states:
        weights = rng.random(states.masks.shape) * states.masks
        tables.append(weights / weights.sum(axis=1, keepdims=True))
    return tables


def joint_mixture(model: NormalFormModel, joint: np.ndarray) -> MixturePolicy:
    """The device that draws pure profiles from `joint`."""
    cells = [cell for cell in np.ndindex(*joint.shape) if joint[cell] > 0]
    profiles = [
        TabularPolicy(model, [np.eye(size)[a] for size, a in zip(joint.shape, cell, strict=True)]) for cell in cells
    ]
    return MixturePolicy(profiles, [joint[cell] for cell in cells])


def brute_gaps(model: NormalFormModel, joint: np.ndarray) -> tuple[float, float]:
    """The (ce_gap, cce_gap) of a joint distribution over pure profiles, by looping over all deviations."""
    ce = cce = 0.0
    for player in range(model.num_players):
        payoff = np.moveaxis(model.payoffs[player], player, 0)
        drawn = np.moveaxis(joint, player, 0)
        value = float((payoff * drawn).sum())
        actions = range(len(payoff))
        committed = max(float((payoff[b] * drawn.sum(axis=0)).sum()) for b in actions)
        cce += max(0.0, committed - value)  # a device can be better than anything fixed: then nobody leaves it
        for told in actions:
            obeyed = float((payoff[told] * drawn[told]).sum())
            ce += max(float((payoff[b] * drawn[told]).sum()) for b in actions) - obeyed
    return ce, cce


# ------------------------------------------------------------------------------------------------------------- figures

SCORED = (eqenvs.Family.EXTENSIVE_FORM, eqenvs.Family.NORMAL_FORM, eqenvs.Family.MEAN_FIELD)


@pytest.mark.parametrize(("game_id", "parameters", "nash_conv"), [
    ("kuhn_poker", {}, 11 / 12),
    ("leduc_poker", {}, 4.747222222222222),
    ("leduc_poker", {"suit_isomorphism": True}, 4.747222222222222),
])  # fmt: skip
def test_uniform_play_has_the_published_nash_conv(game_id: str, parameters: dict[str, Any], nash_conv: float) -> None:
    game = eqenvs.make(game_id, **parameters)
    scored = score(game, uniform(game))
    assert scored.nash_conv == pytest.approx(nash_conv, abs=1e-10)
    assert scored.exploitability == pytest.approx(nash_conv / 2, abs=1e-10)
    assert scored.kind is ScoreKind.EXACT


@pytest.mark.parametrize(("game_id", "fact"), FACTS)
def test_facts_of_the_registry_hold(game_id: str, fact: eqenvs.Fact) -> None:
    game = eqenvs.make(game_id, **fact.parameters)
    if fact.uniform_nash_conv is None and fact.values is None and fact.equilibrium is None:
        pytest.skip("sizes only, which the models' tests check")
    if game.spec.family not in SCORED or not game.exact:
        pytest.skip("no exact score for this family or size")
    if fact.uniform_nash_conv is not None:
        assert score(game, uniform(game)).nash_conv == pytest.approx(fact.uniform_nash_conv, abs=fact.tolerance)
    if fact.equilibrium is not None:
        scored = score(game, TabularPolicy(game, [np.array([strategy]) for strategy in fact.equilibrium]))
        assert scored.nash_conv == pytest.approx(0, abs=fact.tolerance)
        if fact.values is not None:
            np.testing.assert_allclose(scored.values, fact.values, atol=fact.tolerance)
    sequences = sum(game.model().sizes().get("sequences", [0]))
    if fact.values is not None and game.num_players == 2 and game.constant_sum and sequences <= LARGEST_LP:
        result = find_solver(game.spec.family, "nash", None).solve(game.model())
        scored = score(game, result.policy)
        assert scored.nash_conv == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(scored.values, fact.values, atol=max(fact.tolerance, 1e-9))
        assert scored.welfare == pytest.approx(sum(fact.values), abs=1e-9)


def test_exploitability_needs_two_players_and_a_constant_sum() -> None:
    three = eqenvs.make("kuhn_poker", num_players=3)
    scored = score(three, uniform(three))
    assert scored.nash_conv > 0
    assert scored.to_dict()["exploitability"] is None
    with pytest.raises(UnsupportedGame, match="nash_conv"):
        _ = scored.exploitability
    with pytest.raises(UnsupportedGame, match="nash_conv"):
        _ = score(CHICKEN, uniform(CHICKEN)).exploitability


# --------------------------------------------------------------------------------------------------------- brute force


@pytest.mark.parametrize("seed", range(3))
def test_kuhn_scores_agree_with_the_matrix_of_pure_policies(
    seed: int, kuhn: ExtensiveFormModel, kuhn_matrix: tuple[list[Any], list[Any], np.ndarray]
) -> None:
    first, second, matrix = kuhn_matrix
    tables = random_tables(kuhn, np.random.default_rng(seed))
    x, y = pure_weights(first, tables[0]), pure_weights(second, tables[1])
    value = x @ matrix @ y
    scored = score(kuhn, TabularPolicy(kuhn, tables))
    np.testing.assert_allclose(scored.values, [value, -value], atol=1e-12)
    np.testing.assert_allclose(scored.gains, [(matrix @ y).max() - value, value - (x @ matrix).min()], atol=1e-12)
    assert scored.ce_gap == scored.cce_gap == scored.nash_conv  # a product policy is its own device


@pytest.mark.parametrize("player", [0, 1])
def test_best_response_is_the_best_of_all_pure_policies(
    player: int, kuhn: ExtensiveFormModel, kuhn_matrix: tuple[list[Any], list[Any], np.ndarray]
) -> None:
    *pures, matrix = kuhn_matrix
    tables = random_tables(kuhn, np.random.default_rng(3))
    payoff = matrix @ pure_weights(pures[1], tables[1]) if player == 0 else -pure_weights(pures[0], tables[0]) @ matrix
    value, response = best_response(kuhn, player, TabularPolicy(kuhn, tables))
    assert value == pytest.approx(payoff.max(), abs=1e-12)
    assert set(np.unique(response)) == {0.0, 1.0}
    tables[player] = response
    assert tree_values(kuhn, tables)[player] == pytest.approx(value, abs=1e-12)


def test_best_response_in_three_player_kuhn_cannot_be_improved_at_any_information_set() -> None:
    game = eqenvs.make("kuhn_poker", num_players=3)
    model = game.model()
    assert isinstance(model, ExtensiveFormModel)
    tables = random_tables(model, np.random.default_rng(0))
    value, response = best_response(game, 1, TabularPolicy(game, tables))
    deviated = [tables[0], response, tables[2]]
    assert tree_values(model, deviated)[1] == pytest.approx(value, abs=1e-12)
    # One-deviation check: no change at a single information set improves on a best response.
    for row, action in itertools.product(range(len(response)), range(2)):
        changed = response.copy()
        changed[row] = np.eye(2)[action]
        assert tree_values(model, [tables[0], changed, tables[2]])[1] <= value + 1e-12


def test_private_mixture_is_scored_as_its_realisation_equivalent(kuhn: ExtensiveFormModel) -> None:
    """Kuhn's theorem: drawing a policy before play and playing the mixed table give everybody the same."""
    rng = np.random.default_rng(5)
    parts, fixed = [random_tables(kuhn, rng) for _ in range(3)], random_tables(kuhn, rng)
    weights = np.array([0.5, 0.2, 0.3])
    policies = [TabularPolicy(kuhn, tables) for tables in parts]
    mixed = score(kuhn, ProductPolicy([MixturePolicy(policies, weights), TabularPolicy(kuhn, fixed)]))
    expected = sum(w * tree_values(kuhn, [tables[0], fixed[1]]) for w, tables in zip(weights, parts, strict=True))
    np.testing.assert_allclose(mixed.values, expected, atol=1e-12)
    averaged = TabularPolicy(kuhn, [sum(w * t[0] for w, t in zip(weights, parts, strict=True)), fixed[1]])
    assert not np.allclose(score(kuhn, averaged).values, expected, atol=1e-6)  # averaging tables is not the same


def test_device_in_kuhn_agrees_with_brute_force(
    kuhn: ExtensiveFormModel, kuhn_matrix: tuple[list[Any], list[Any], np.ndarray]
) -> None:
    """Two of three components give player 0 the same policy, so it cannot tell them apart."""
    first, second, matrix = kuhn_matrix
    rng = np.random.default_rng(11)
    shared, other = random_tables(kuhn, rng)[0], random_tables(kuhn, rng)[0]
    rows, columns = [shared, shared, other], [random_tables(kuhn, rng)[1] for _ in range(3)]
    weights = np.array([0.25, 0.35, 0.4])
    device = MixturePolicy([TabularPolicy(kuhn, pair) for pair in zip(rows, columns, strict=True)], weights)
    x = [pure_weights(first, table) for table in rows]
    y = [pure_weights(second, table) for table in columns]

    value = sum(w * a @ matrix @ b for w, a, b in zip(weights, x, y, strict=True))
    row_marginal, column_marginal = weights @ np.array(x), weights @ np.array(y)
    cce = (matrix @ column_marginal).max() - value + value - (row_marginal @ matrix).min()
    told = [(0, 1), (2,)]  # what player 0 can tell apart; player 1 can tell all three apart
    ce = sum(
        (matrix @ sum(weights[k] * y[k] for k in group)).max() - sum(weights[k] * x[k] @ matrix @ y[k] for k in group)
        for group in told
    )
    ce += sum(weights[k] * (x[k] @ matrix @ y[k] - (x[k] @ matrix).min()) for k in range(3))
    independent = row_marginal @ matrix @ column_marginal

    scored = score(kuhn, device)
    np.testing.assert_allclose(scored.values, [value, -value], atol=1e-12)
    assert scored.cce_gap == pytest.approx(cce, abs=1e-12)
    assert scored.ce_gap == pytest.approx(ce, abs=1e-12)
    expected = [(matrix @ column_marginal).max() - independent, independent - (row_marginal @ matrix).min()]
    np.testing.assert_allclose(scored.gains, expected, atol=1e-12)


# -------------------------------------------------------------------------------------------------- correlation devices


def test_known_correlated_equilibrium_of_chicken_has_no_gap() -> None:
    joint = np.array([[0.5, 0.25], [0.25, 0.0]])
    scored = score(CHICKEN, joint_mixture(CHICKEN, joint))
    assert scored.ce_gap == pytest.approx(0, abs=1e-12)
    assert scored.cce_gap == pytest.approx(0, abs=1e-12)
    assert scored.welfare == pytest.approx(10.5)
    # Its marginals (3/4, 1/4) played independently: C pays 5, D 5.25, so each gains 5.25 - (5 * 3 + 5.25) / 4 = 0.1875.
    np.testing.assert_allclose(scored.gains, [0.1875, 0.1875], atol=1e-12)


def test_coarse_correlated_equilibrium_need_not_be_correlated() -> None:
    """Both play the same action of rock-paper-scissors: a fixed deviation earns 0, but who is told rock plays paper.

    In chicken there is no such device: with two actions the only swap away from an action is the fixed other one.
    """
    joint = np.eye(3) / 3
    assert brute_gaps(RPS, joint) == pytest.approx((2.0, 0.0), abs=1e-12)
    scored = score(RPS, joint_mixture(RPS, joint))
    assert scored.cce_gap == pytest.approx(0, abs=1e-12)
    assert scored.ce_gap == pytest.approx(2.0)  # each wins 1 instead of 0, whatever it is told
    assert scored.nash_conv == pytest.approx(0, abs=1e-12)


def test_nested_mixture_is_the_flat_one() -> None:
    joint = np.array([[0.1, 0.4], [0.3, 0.2]])
    flat = joint_mixture(CHICKEN, joint)
    head, tail = joint_mixture(CHICKEN, joint * [[1], [0]] / 0.5), joint_mixture(CHICKEN, joint * [[0], [1]] / 0.5)
    nested = score(CHICKEN, MixturePolicy([head, tail], [0.5, 0.5])).to_dict()
    for name, value in score(CHICKEN, flat).to_dict().items():
        if name not in ("kind", "detail"):
            assert nested[name] == (None if value is None else pytest.approx(value, abs=1e-12))


PAYOFF = st.integers(-20, 20).map(lambda n: n / 2)


def simplex(*shape: int) -> st.SearchStrategy[np.ndarray]:
    """Distributions with many zeros."""
    weights = hnp.arrays(np.float64, shape, elements=st.integers(0, 4).map(float)).filter(lambda a: a.sum() > 0)
    return weights.map(lambda a: a / a.sum())


@settings(max_examples=60, deadline=None)
@given(payoffs=hnp.arrays(np.float64, (2, 2, 3), elements=PAYOFF), joint=simplex(2, 3))
def test_gaps_of_any_device_agree_with_brute_force(payoffs: np.ndarray, joint: np.ndarray) -> None:
    model = NormalFormModel(payoffs)
    scored = score(model, joint_mixture(model, joint))
    assert (scored.ce_gap, scored.cce_gap) == pytest.approx(brute_gaps(model, joint), abs=1e-9)
    assert scored.ce_gap >= scored.cce_gap - 1e-9 >= -1e-9  # type: ignore[operator]


@settings(max_examples=25, deadline=None)
@given(payoffs=hnp.arrays(np.float64, (3, 2, 1, 3), elements=PAYOFF), joint=simplex(2, 1, 3))
def test_gaps_of_any_three_player_device_agree_with_brute_force(payoffs: np.ndarray, joint: np.ndarray) -> None:
    model = NormalFormModel(payoffs)
    scored = score(model, joint_mixture(model, joint))
    assert (scored.ce_gap, scored.cce_gap) == pytest.approx(brute_gaps(model, joint), abs=1e-9)


def test_best_response_to_a_device_knows_that_the_others_are_correlated() -> None:
    """Players 1 and 2 toss one coin; player 0's action 0 pays 1 where they agree, its action 1 pays 0.6 always."""
    payoffs = np.zeros((3, 2, 2, 2))
    payoffs[0, 0] = np.eye(2)
    payoffs[0, 1] = 0.6
    model = NormalFormModel(payoffs)
    device = MixturePolicy([TabularPolicy(model, [[1, 0], side, side]) for side in np.eye(2)], [0.5, 0.5])
    value, table = best_response(model, 0, device)
    assert (value, table.tolist()) == (1.0, [[1.0, 0.0]])


@pytest.mark.parametrize("count", [2, 4])
def test_best_response_to_a_wrong_number_of_players_is_an_error(count: int) -> None:
    game = eqenvs.make("kuhn_poker", num_players=3)
    with pytest.raises(PolicyError, match=f"each of the 3 players, got {count}"):
        best_response(game, 0, ProductPolicy([uniform(game)] * count))


# ----------------------------------------------------------------------------------------------------------- properties


@settings(max_examples=60, deadline=None)
@given(
    payoffs=hnp.arrays(np.float64, (2, 3, 2), elements=PAYOFF),
    x=simplex(3),
    y=simplex(2),
    shift=st.floats(-100, 100),
    scale=st.floats(0.01, 100),
)
def test_gains_are_right_and_follow_the_payoffs_unit(
    payoffs: np.ndarray, x: np.ndarray, y: np.ndarray, shift: float, scale: float
) -> None:
    model = NormalFormModel(payoffs)
    scored = score(model, TabularPolicy(model, [x, y]))
    assert (scored.gains >= 0).all()
    value = np.einsum("nab,a,b->n", payoffs, x, y)
    best = np.array([(payoffs[0] @ y).max(), (x @ payoffs[1]).max()])
    np.testing.assert_allclose(scored.values, value, atol=1e-12)
    np.testing.assert_allclose(scored.gains, best - value, atol=1e-12)

    moved = NormalFormModel(scale * payoffs + shift)
    again = score(moved, TabularPolicy(moved, [x, y]))
    np.testing.assert_allclose(again.gains, scale * scored.gains, atol=1e-10 * (1 + scale))
    np.testing.assert_allclose(again.values, scale * scored.values + shift, atol=1e-10 * (1 + scale))

    swapped = NormalFormModel(payoffs[::-1].transpose(0, 2, 1))
    turned = score(swapped, TabularPolicy(swapped, [y, x]))
    np.testing.assert_allclose(turned.gains, scored.gains[::-1], atol=1e-12)
    np.testing.assert_allclose(turned.values, scored.values[::-1], atol=1e-12)


def test_score_writes_to_nothing_it_was_given(kuhn: ExtensiveFormModel) -> None:
    tables = random_tables(kuhn, np.random.default_rng(1))
    before = [table.copy() for table in tables]
    score(kuhn, TabularPolicy(kuhn, tables))
    best_response(kuhn, 0, TabularPolicy(kuhn, tables))
    for table, copy in zip(tables, before, strict=True):
        np.testing.assert_array_equal(table, copy)


# --------------------------------------------------------------------------------------------------------------- errors


def test_missing_players_and_rows_are_errors(kuhn: ExtensiveFormModel) -> None:
    tables = random_tables(kuhn, np.random.default_rng(0))
    with pytest.raises(PolicyError, match="each of the 2 players, got 1"):
        TabularPolicy(kuhn, tables[:1])
    with pytest.raises(PolicyError, match="each of the 2 players, got 1"):
        score(kuhn, ProductPolicy([uniform(kuhn)]))
    with pytest.raises(PolicyError, match="player 1's table has 5 rows"):
        TabularPolicy(kuhn, [tables[0], tables[1][:5]])
    missing = FunctionPolicy(lambda player, observations, masks: masks[:-1] / 2)
    with pytest.raises(PolicyError, match="player 0's table has 5 rows"):
        score(kuhn, missing)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ([0.5, 0.4], "does not sum to 1"),
        ([0.0, 0.0], "does not sum to 1"),
        ([1.5, -0.5], "negative"),
        ([np.nan, 1.0], "not finite"),
    ],
)
def test_rows_that_are_no_distribution_are_errors(row: list[float], rule: str, kuhn: ExtensiveFormModel) -> None:
    def function(player: int, observations: np.ndarray, masks: np.ndarray) -> np.ndarray:
        return np.array([[1.0, 0.0]] * 3 + [row] + [[1.0, 0.0]] * 2)

    with pytest.raises(PolicyError, match=f"player 0's row 3.*{rule}"):
        score(kuhn, FunctionPolicy(function))
    with pytest.raises(PolicyError, match=f"row 3.*{rule}"):
        TabularPolicy(kuhn, [function(0, None, None)] * 2)  # type: ignore[arg-type]


def test_probability_of_an_illegal_action_is_an_error() -> None:
    game = eqenvs.make("leduc_poker", suit_isomorphism=True)
    with pytest.raises(PolicyError, match="illegal action"):
        score(game, FunctionPolicy(lambda player, observations, masks: np.ones(masks.shape) / 3))


def test_policy_of_another_game_is_an_error(kuhn: ExtensiveFormModel) -> None:
    leduc, three = eqenvs.make("leduc_poker", suit_isomorphism=True), eqenvs.make("kuhn_poker", num_players=3)
    for other in (uniform(leduc), uniform(three), ProductPolicy([uniform(kuhn), uniform(leduc)])):
        with pytest.raises(PolicyError, match="made for another"):
            score(kuhn, other)
    with pytest.raises(PolicyError, match="made for another"):
        score(three, uniform(kuhn))


class TestCorrelatedStrategies:
    """A distribution over joint actions is scored as the mixture of pure profiles that it is."""

    MODEL = NormalFormModel(np.random.default_rng(4).normal(size=(3, 2, 3, 4)))

    def test_all_figures_are_those_of_the_mixture(self):
        rng = np.random.default_rng(1)
        for _ in range(5):
            device = CorrelatedStrategy(self.MODEL, rng.dirichlet(np.full(24, 0.3)).reshape(2, 3, 4))
            found, expected = score(self.MODEL, device), score(self.MODEL, device.mixture())
            np.testing.assert_allclose(found.values, expected.values, atol=1e-12)
            np.testing.assert_allclose(found.gains, expected.gains, atol=1e-12)
            assert found.ce_gap == pytest.approx(expected.ce_gap, abs=1e-12)
            assert found.cce_gap == pytest.approx(expected.cce_gap, abs=1e-12)

    def test_chicken_has_its_correlated_equilibrium(self):
        """(C,C) half the time and (C,D), (D,C) a quarter each: welfare 10.5, nobody gains (derived)."""
        chicken = NormalFormModel([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
        found = score(chicken, CorrelatedStrategy(chicken, [[0.5, 0.25], [0.25, 0.0]]))
        assert found.welfare == pytest.approx(10.5)
        assert found.ce_gap == pytest.approx(0.0, abs=1e-12)

    def test_it_is_simulated_and_answered_as_its_mixture(self):
        device = CorrelatedStrategy(self.MODEL, np.full((2, 3, 4), 1 / 24))
        value, _ = best_response(self.MODEL, 1, device)
        assert value == pytest.approx(best_response(self.MODEL, 1, device.mixture())[0], abs=1e-12)

    @pytest.mark.parametrize(
        ("distribution", "message"),
        [
            (np.full((2, 3), 1 / 6), r"must have shape \(2, 3, 4\)"),
            (np.full((2, 3, 4), 1 / 12), "sum to 1, got the sum 2"),
            (np.eye(24)[0].reshape(2, 3, 4) * np.nan, "non-negative"),
        ],
    )
    def test_what_is_no_distribution_is_refused(self, distribution, message):
        with pytest.raises(PolicyError, match=message):
            CorrelatedStrategy(self.MODEL, distribution)

    def test_it_has_no_product(self):
        with pytest.raises(PolicyError, match="correlates the players"):
            tabulate(self.MODEL, CorrelatedStrategy(self.MODEL, np.full((2, 3, 4), 1 / 24)))
