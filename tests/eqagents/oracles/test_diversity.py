"""Oracles that make their population diverse: the measures by hand, the search by enumeration, what it comes to."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

import eqenvs
from eqagents.configuration import validate
from eqagents.distributed import InlineExecutor
from eqagents.learners.psro.psro import PSROConfig, build
from eqagents.oracles import OracleResult, Populations, Situation, find_oracle
from eqagents.oracles import expected_cardinality as ec
from eqagents.oracles import unified_diversity as ud
from eqagents.oracles._diverse import of_plans
from eqagents.oracles._plans import Faced, faced
from eqagents.oracles._weighted import _Aim
from eqagents.policies import tabular_record, to_policy
from eqagents.training.config import ScoreConfig
from eqagents.training.scoring import require_oracles
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import MixturePolicy, ProductPolicy, TabularPolicy, player_table, uniform
from eqenvs.spec import Family, GameSpec
from eqenvs.testing.conformance import random_tables
from eqsolvers.meta import MetaSolution
from eqsolvers.scoring import score

NAMES = ("expected_cardinality", "unified_diversity")


@dataclass(frozen=True)
class Member:
    record: dict[str, Any]
    table: Float64Array | None


def situation(
    game: eqenvs.Game, player: int, sizes: tuple[int, ...], seed: int = 0, *, device: bool = False
) -> Situation:
    """Populations of random tables, mixed at random; the first member of each is not tabulated."""
    rng = np.random.default_rng(seed)
    tables = [[random_tables(game, 10 * seed + k).tables[p] for k in range(size)] for p, size in enumerate(sizes)]
    members = [[Member(tabular_record(t), t if k else None) for k, t in enumerate(own)] for own in tables]

    def policy(p: int, k: int) -> TabularPolicy:
        return TabularPolicy(game, [tables[q][k] if q == p else each for q, each in enumerate(uniform(game).tables)])

    if device:
        weights = rng.dirichlet(np.ones(int(np.prod(sizes)))).reshape(sizes)
        strategies = tuple(weights.sum(axis=tuple(q for q in range(len(sizes)) if q != p)) for p in range(len(sizes)))
        cells = list(itertools.product(*map(range, sizes)))
        opponents: Any = MixturePolicy(
            [ProductPolicy([policy(p, k) for p, k in enumerate(cell)]) for cell in cells], [weights[c] for c in cells]
        )
        meta = MetaSolution(strategies, weights)
    else:
        strategies = tuple(rng.dirichlet(np.ones(size)) for size in sizes)
        meta = MetaSolution(strategies)
        opponents = ProductPolicy(
            [MixturePolicy([policy(p, k) for k in range(size)], strategies[p]) for p, size in enumerate(sizes)]
        )
    return Situation(game, player, opponents, np.random.SeedSequence(seed), None, Populations(members, meta))


def respond(name: str, asked: Situation, **settings: Any) -> OracleResult:
    oracle = find_oracle(name)
    return oracle.respond(oracle.config.model_validate({"id": name, **settings}), asked)


@pytest.mark.parametrize(
    ("payoffs", "expected"),
    [
        ([[0.0, 1.0], [-1.0, 0.0]], 1.0),  # L is the identity: two independent coins of chance 1/2
        ([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], 1 / 2 + 4 / 5),
        ([[1.0, 1.0], [1.0, 1.0]], 4 / 5),  # L has the eigenvalues 4 and 0
        ([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]], 2 * 3 / 4),  # rock-paper-scissors: 3, 3 and 0
    ],
)
def test_expected_cardinality_by_hand(payoffs: list[list[float]], expected: float) -> None:
    assert ec.expected_cardinality(np.array(payoffs)) == pytest.approx(expected, abs=1e-12)


def test_expected_cardinality_is_the_formula_of_the_paper_and_what_a_row_adds_follows() -> None:
    rng = np.random.default_rng(0)
    for members, others in ((2, 3), (4, 2), (3, 3)):
        payoffs, row = rng.normal(size=(members, others)), rng.normal(size=others)

        def formula(m: Float64Array) -> float:
            kernel = m @ m.T
            return float(np.trace(np.eye(len(m)) - np.linalg.inv(kernel + np.eye(len(m)))))

        assert ec.expected_cardinality(payoffs) == pytest.approx(formula(payoffs), abs=1e-12)
        inverse, squared = ec.added(payoffs)
        more = row @ squared @ row / (1 + row @ inverse @ row)
        assert formula(np.vstack([payoffs, row])) - formula(payoffs) == pytest.approx(more, abs=1e-12)


def test_the_nearest_mixture_is_that_of_a_quadratic_programme() -> None:
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    for target, nearest in (([2.0, 2.0], [0.5, 0.5]), ([0.2, 0.3], [0.2, 0.3]), ([-1.0, -2.0], [0.0, 0.0])):
        np.testing.assert_allclose(ud.nearest_mixture(corner, np.array(target)), nearest, atol=1e-12)
    rng = np.random.default_rng(1)
    for members, others, size in ((4, 3, 1.0), (2, 5, 100.0), (7, 2, 1e-3), (1, 3, 1.0)):
        points, target = size * rng.normal(size=(members, others)), size * rng.normal(size=others)
        found = ud.nearest_mixture(points, target)
        # The projection on a convex set is the only point of it that no other one is on the target's side of.
        assert ((points - found) @ (target - found)).max() <= 1e-9 * size**2
        reference = minimize(
            lambda w, p=points, t=target, s=size: np.square((w @ p - t) / s).sum(),
            np.full(members, 1 / members),
            bounds=[(0, 1)] * members,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert np.square((found - target) / size).sum() == pytest.approx(reference.fun, abs=1e-6)
    same = np.ones((2, 3))
    np.testing.assert_array_equal(ud.nearest_mixture(same, np.ones(3)), np.ones(3))


def test_jensen_shannon_by_hand() -> None:
    one, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert ud.jensen_shannon(one, other) == pytest.approx(np.log(2))
    assert ud.jensen_shannon(one, one) == 0
    half = np.array([0.5, 0.5])  # H(3/4, 1/4) less the mean of 0 and log 2
    expected = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) - np.log(2) / 2
    assert ud.jensen_shannon(one, half) == pytest.approx(expected)


@pytest.mark.parametrize("game_id", ["random_normal_form", "kuhn_poker"])
def test_slopes_are_those_of_the_measures(game_id: str) -> None:
    game = eqenvs.make(game_id, **({"action_counts": "4x3"} if game_id == "random_normal_form" else {}))
    asked = situation(game, 0, (2, 3))
    found = faced(asked, "test")
    used = found.form.spread(found.form.met(asked.opponents))
    inside = found.form.plan(random_tables(game, 77).tables[0])
    for measure in (
        of_plans(ec.measure(found.payoffs / 2, 0.7), found.gradients / 2),
        ud.measure(found, used, (0.3, 0.2), 2.0),
    ):
        _, slope = measure(inside)
        for way in np.eye(len(inside)):
            ahead, behind = (measure(inside + sign * 1e-6 * way)[0] for sign in (1, -1))
            assert slope @ way == pytest.approx((ahead - behind) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("player", range(2))
def test_in_a_normal_form_the_response_is_the_best_of_all_actions(player: int) -> None:
    game = eqenvs.make("random_normal_form", action_counts="9x12", seed=3)
    asked = situation(game, player, (3, 4), seed=2)
    matrix = np.moveaxis(game.model().payoffs[player], player, 0)
    populations = asked.populations
    assert populations is not None
    own, others = (np.stack([m.record["table"][0] for m in populations.members[p]]) for p in (player, 1 - player))
    mine, theirs = populations.meta.strategies[player], populations.meta.strategies[1 - player]
    rows = matrix @ others.T  # of every action against every member
    before = own @ rows
    diversity = {
        "expected_cardinality": [ec.expected_cardinality(np.vstack([before, row])) for row in rows],
        "unified_diversity": [
            0.4 * ud.jensen_shannon(pure, mine @ own) + 0.3 * np.square(row - ud.nearest_mixture(before, row)).sum()
            for pure, row in zip(np.eye(len(rows)), rows, strict=True)
        ],
    }
    settings = {"expected_cardinality": {"weight": 1.0}, "unified_diversity": {"behaviour": 0.4, "response": 0.3}}
    for name in NAMES:
        found = respond(name, asked, **settings[name])
        best = int(np.argmax(rows @ theirs + diversity[name]))
        assert found.record["table"][0].argmax() == best
        assert found.metrics["value"] == pytest.approx(float(rows[best] @ theirs), abs=1e-12)
        assert found.metrics["given_up"] == pytest.approx(float((rows @ theirs).max() - rows[best] @ theirs), abs=1e-12)


@pytest.mark.parametrize("player", range(2))
@pytest.mark.parametrize("seed", range(3))
def test_in_kuhn_poker_the_search_finds_the_best_of_all_pure_policies(player: int, seed: int) -> None:
    game = eqenvs.make("kuhn_poker")
    asked = situation(game, player, (3, 2), seed)
    found = faced(asked, "test")
    used = found.form.spread(found.form.met(asked.opponents))
    payoff = found.weights @ found.gradients
    masks = game.information_states[player].masks
    plans = [
        found.form.plan(np.eye(masks.shape[1])[list(choice)])
        for choice in itertools.product(*(np.flatnonzero(row) for row in masks))
    ]
    for name, measure in (
        ("expected_cardinality", of_plans(ec.measure(found.payoffs / 2, 0.8), found.gradients / 2)),
        ("unified_diversity", ud.measure(found, used, (0.5, 0.05), 2.0)),
    ):
        best = max(payoff @ plan / 2 + measure(plan)[0] for plan in plans)
        weights = {"weight": 0.8} if name == "expected_cardinality" else {"behaviour": 0.5, "response": 0.05}
        result = respond(name, asked, **weights, scale=2.0)
        reached = result.metrics["value"] / 2 + result.metrics["diversity"]
        assert best - (0.02 if name == "unified_diversity" else 1e-9) <= reached <= best + 1e-9


@pytest.mark.parametrize("device", [False, True])
def test_what_is_faced_is_the_exact_empirical_game(device: bool) -> None:
    """Three players: a column for each profile of the two others, weighed as they are mixed."""
    game = eqenvs.make("kuhn_poker", num_players=3)
    sizes, player = (2, 3, 2), 1
    asked = situation(game, player, sizes, device=device)
    found = faced(asked, "test")
    populations = asked.populations
    assert populations is not None
    for k, (first, third) in itertools.product(range(sizes[1]), itertools.product(range(2), range(2))):
        tables = [populations.members[p][m].record["table"] for p, m in enumerate((first, k, third))]
        value = score(game, TabularPolicy(game, tables)).values[player]
        assert found.payoffs[k, 2 * first + third] == pytest.approx(value, abs=1e-12)
    mixed = asked.opponents
    drawn = mixed.components if isinstance(mixed, MixturePolicy) else [mixed]
    chances = mixed.weights if isinstance(mixed, MixturePolicy) else [1.0]
    response = random_tables(game, 5)
    played = [ProductPolicy([each.players[0], response, each.players[2]]) for each in drawn]
    exact = sum(w * score(game, each).values[player] for w, each in zip(chances, played, strict=True))
    assert found.weights @ found.gradients @ found.form.plan(response.tables[player]) == pytest.approx(exact, abs=1e-12)
    assert found.weights.sum() == pytest.approx(1)


def test_occupancies_count_the_decisions() -> None:
    """Their sum is how often the player decides: by a plain walk down the tree."""
    game = eqenvs.make("kuhn_poker")
    model, asked = game.model(), situation(game, 0, (2, 3))
    form, own = faced(asked, "test").form, random_tables(game, 9).tables[0]
    tables = [own, player_table(model, 1, asked.opponents.players[1])]
    reach = np.ones(len(model.parent))
    for h in range(1, len(model.parent)):
        at = model.parent[h]
        who = model.player[at]
        reach[h] = reach[at] * (model.chance[h] if who < 0 else tables[who][model.infoset[at], model.action[h]])
    decisions = float(form.spread(form.met(asked.opponents)) @ form.plan(own))
    assert decisions == pytest.approx(float(reach[model.player == 0].sum()), abs=1e-12)
    assert decisions > 1


def _population_exploitability(payoffs: Float64Array, rows: Float64Array, columns: Float64Array) -> float:
    """How much the least exploitable mixtures of both populations can be exploited for, in all."""

    def least(matrix: Float64Array) -> float:  # what its best mixture of rows is sure of
        n, m = matrix.shape
        found = linprog(
            np.append(np.zeros(n), -1.0),
            A_ub=np.hstack([-matrix.T, np.ones((m, 1))]),
            b_ub=np.zeros(m),
            A_eq=np.append(np.ones(n), 0.0)[None],
            b_eq=[1.0],
            bounds=[(0, None)] * n + [(None, None)],
        )
        return float(-found.fun)

    return -least(-(payoffs @ columns.T).T) - least(rows @ payoffs)


def test_populations_grow_more_diverse_and_less_exploitable_than_with_plain_best_responses() -> None:
    """Random zero-sum games after 8 iterations: means over seeds of the expected cardinality and exploitability."""
    found: dict[str, list[tuple[float, float]]] = {}
    for seed, name in itertools.product(range(6), ("exact", *NAMES)):
        game = eqenvs.make("random_normal_form", num_actions=50, zero_sum=True, seed=seed)
        settings = {"id": "psro", "oracle": {"id": name}, "least_gain": None}
        learner = build(game, PSROConfig.model_validate(settings), InlineExecutor(0))
        state = learner.init(np.random.SeedSequence(0))
        for _ in range(8):
            state, _ = learner.step(state)
        rows, columns = (
            np.stack([to_policy(r, game, p)(p, game.information_states[p])[0] for r in own])
            for p, own in enumerate(state.restricted.populations)
        )
        payoffs = game.model().payoffs[0]
        diversity = ec.expected_cardinality(rows @ payoffs @ columns.T)
        found.setdefault(name, []).append((diversity, _population_exploitability(payoffs, rows, columns)))
    means = {name: np.mean(each, axis=0) for name, each in found.items()}
    for name in NAMES:
        assert means[name][0] > means["exact"][0] + 0.1
    assert means["unified_diversity"][1] < means["exact"][1]


def test_a_response_that_is_there_already_gives_way_to_the_best_response() -> None:
    game = eqenvs.make("rock_paper_scissors")
    rows = [row[None] for row in np.eye(3)]
    members = [[Member(tabular_record(row), row) for row in rows[:2]] for _ in range(2)]
    meta = MetaSolution((np.array([0.5, 0.5]), np.array([1.0, 0.0])))  # the other one plays rock
    opponents = TabularPolicy(game, [rows[0], rows[0]])
    asked = Situation(game, 0, opponents, np.random.SeedSequence(0), None, Populations(members, meta))
    for name in NAMES:
        zero = {"weight": 0.0} if name == "expected_cardinality" else {"behaviour": 0.0, "response": 0.0}
        found = respond(name, asked, **zero)
        assert found.record["table"].tolist() == [[0, 1, 0]]
        assert found.metrics["repeated"] == 1
    # Scissors lose to rock, but they are what the population lacks.
    found = respond("unified_diversity", asked, behaviour=10.0, response=0.0)
    assert found.record["table"].tolist() == [[0, 0, 1]]
    assert found.metrics["given_up"] == pytest.approx(2.0)


@pytest.mark.parametrize("name", NAMES)
def test_where_it_cannot_be_is_said_on_one_line(name: str) -> None:
    oracle = find_oracle(name)
    assert oracle.needs_populations
    game = eqenvs.make("kuhn_poker")
    alone = Situation(game, 0, uniform(game), np.random.SeedSequence(0))
    markov = eqenvs.make("random_markov_game", num_states=2, horizon=2)
    for asked, error, message in (
        (alone, InputError, "responds as a member of populations"),
        (situation(markov, 0, (1, 1)), UnsupportedGame, "not linear in a plan"),
    ):
        with pytest.raises(error, match=message) as caught:
            respond(name, asked)
        assert "\n" not in str(caught.value)
    scoring = ScoreConfig.model_validate({"method": "simulated", "oracles": [{"id": name}]})
    with pytest.raises(InputError, match=r"score\.oracles\.0: oracle '.*' responds as a member of populations"):
        require_oracles(scoring, game, InlineExecutor(0))


def test_faced_is_for_one_player() -> None:
    game = eqenvs.make("random_normal_form", action_counts="2x3")
    found = faced(situation(game, 1, (2, 4)), "test")
    assert isinstance(found, Faced)
    assert found.gradients.shape == (2, 3)
    assert found.own.shape == (4, 3)
    assert found.payoffs.shape == (4, 2)


LEARNER = {"updates": 45, "num_envs": 96, "steps": 4, "hidden": [16], "learning_rate": 2e-2, "value_episodes": 2}


def with_payoffs(asked: Situation) -> Situation:
    populations, found = asked.populations, faced(asked, "test")
    assert populations is not None
    payoffs = np.zeros((2, *(len(own) for own in populations.members)))
    payoffs[asked.player] = found.payoffs if asked.player == 0 else found.payoffs.T
    return replace(asked, populations=Populations(populations.members, populations.meta, payoffs))


@pytest.mark.parametrize(
    ("name", "settings"),
    [("expected_cardinality", {"weight": 1.0}), ("unified_diversity", {"behaviour": 0.0, "response": 0.5})],
)
@pytest.mark.slow
def test_learned_responses_maximise_the_same(name: str, settings: dict[str, Any]) -> None:
    """The first action earns 1 against the one opponent in use and is there; the second .8, and fares unlike it."""
    first = np.array([[1.0, 0.0], [0.8, 1.0], [0.9, 0.0]])
    build_ = partial(NormalFormModel, np.stack([first, -first]))
    game = Game(GameSpec(id="two", family=Family.NORMAL_FORM, title="two", build=build_, constant_sum=True, source="-"))
    mine = [Member(tabular_record(np.eye(3)[:1]), np.eye(3)[:1])]
    theirs = [Member(tabular_record(row[None]), row[None]) for row in np.eye(2)]
    meta = MetaSolution((np.ones(1), np.array([1.0, 0.0])))
    opponents = TabularPolicy(game, [np.eye(3)[:1], np.eye(2)[:1]])
    populations = Populations((mine, theirs), meta, np.stack([first[:1], -first[:1]]))
    asked = Situation(game, 0, opponents, np.random.SeedSequence(0), None, populations)
    exact, learned = respond(name, asked, **settings), respond(name, asked, **settings, learner=LEARNER)
    assert exact.record["table"].tolist() == [[0, 1, 0]]
    assert exact.metrics["given_up"] == pytest.approx(0.2)
    table = to_policy(learned.record, game, 0)(0, game.information_states[0])
    assert table[0, 1] > 0.95
    assert learned.metrics["diversity"] == pytest.approx(exact.metrics["diversity"], rel=0.15)
    plain = respond(name, asked, **dict.fromkeys(settings, 0.0), learner=LEARNER)
    assert to_policy(plain.record, game, 0)(0, game.information_states[0])[0, 0] > 0.9


def test_payoffs_of_a_learned_response_are_those_of_its_games() -> None:
    """A policy that hardly moves: what its payoffs against each member are taken for, through their diversity."""
    game = eqenvs.make("kuhn_poker")
    asked = with_payoffs(situation(game, 1, (3, 2)))
    still = {**LEARNER, "learning_rate": 1e-9, "num_envs": 1000, "steps": 6, "updates": 20}
    found = respond("expected_cardinality", asked, weight=1.0, scale=2.0, learner=still)
    facing = faced(asked, "test")
    row = facing.gradients @ facing.form.plan(player_table(game.model(), 1, to_policy(found.record, game, 1)))
    assert found.metrics["diversity"] == pytest.approx(ec.measure(facing.payoffs / 2, 1.0)(row / 2)[0], abs=0.005)


def test_games_count_for_what_they_were_drawn_with() -> None:
    """Chances times factors are the weights: the mixture's plus the slope, whatever their signs."""
    payoffs = np.array([[1.0, -1.0, 0.5], [0.2, 0.4, -2.0]])
    mixture, measure = np.array([0.5, 0.5, 0.0]), ec.measure(payoffs, 3.0)
    aim = _Aim(measure, mixture, payoffs.mean(axis=0))
    aim.follow(np.array([2.0, -3.0, 0.0]), np.array([4.0, 3.0, 0.0]))
    np.testing.assert_allclose(aim.mean, [0.5, -1.0, -0.75])
    chances, factor = aim.chances()
    np.testing.assert_allclose(chances * factor, mixture + measure(aim.mean)[1], atol=1e-12)
    assert chances.sum() == pytest.approx(1)
    assert chances.min() >= 0.2 / 3
    assert (factor < 0).any()


def test_learned_responses_need_payoffs_and_no_behaviour() -> None:
    asked = situation(eqenvs.make("kuhn_poker"), 0, (1, 1))
    with pytest.raises(InputError, match="needs the payoffs of the empirical game"):
        respond("expected_cardinality", asked, learner=LEARNER)
    with pytest.raises(InputError, match="set behaviour: 0"):
        validate(find_oracle("unified_diversity").config, {"id": "unified_diversity", "learner": LEARNER})
