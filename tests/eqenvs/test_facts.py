"""Every figure that a game's SPEC states of its model is what the model says."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.models import ExtensiveFormModel, NormalFormModel
from eqenvs.policies import uniform

FACTS = [
    pytest.param((game_id, fact), id=f"{game_id}-{number}")
    for game_id in eqenvs.game_ids()
    for number, fact in enumerate(eqenvs.spec(game_id).facts)
]

# Sizes from enumeration with OpenSpiel 2.0.2 (infosets and sequences per player).
SIZES = {
    "kuhn": ("kuhn_poker", {}, 30, [6, 6], [13, 13]),
    "kuhn 3p": ("kuhn_poker", {"num_players": 3}, 312, [16] * 3, [33] * 3),
    "kuhn 4p": ("kuhn_poker", {"num_players": 4}, 3960, [40] * 4, [81] * 4),
    "leduc": ("leduc_poker", {}, 5520, [468] * 2, [1093] * 2),
    "leduc by rank": ("leduc_poker", {"suit_isomorphism": True}, 1116, [144] * 2, [337] * 2),
}


@pytest.fixture(scope="module", params=FACTS)
def stated(request):
    """A fact and the instance that it is about; a module's fixture, so that its tests share one enumeration."""
    game_id, fact = request.param
    return fact, eqenvs.make(game_id, **fact.parameters)


def require_enumerable(game):
    if not game.exact:
        pytest.skip("too many histories to enumerate; tests/eqenvs/games counts what is stated without a tree")


@pytest.mark.slow
def test_stated_sizes_are_those_of_the_model(stated):
    fact, game = stated
    if not fact.sizes:
        pytest.skip("states no sizes")
    require_enumerable(game)
    assert {key: value for key, value in game.model().sizes().items() if key in fact.sizes} == dict(fact.sizes)


@pytest.mark.parametrize(("game_id", "parameters", "terminals", "infosets", "sequences"), SIZES.values(), ids=SIZES)
def test_sizes_are_the_published_ones(game_id, parameters, terminals, infosets, sequences):
    sizes = eqenvs.make(game_id, **parameters).model().sizes()
    assert (sizes["terminals"], sizes["infosets"], sizes["sequences"]) == (terminals, infosets, sequences)


def nash_conv(model, tables):
    """The sum of the gains from deviating, from the model's own gradients."""
    if isinstance(model, NormalFormModel):
        strategies = [table[0] for table in tables]
        gradients = [model.gradient(p, strategies) for p in range(model.num_players)]
        return sum(float(g.max() - g @ s) for g, s in zip(gradients, strategies, strict=True))
    plans = [treeplex.realisation_plan(table) for treeplex, table in zip(model.treeplexes, tables, strict=True)]
    total = 0.0
    for player, treeplex in enumerate(model.treeplexes):
        gradient = model.gradient(player, plans)
        total += treeplex.best_response(gradient)[0] - float(gradient @ plans[player])
    return total


def test_stated_nash_conv_of_the_uniform_policy_holds(stated):
    fact, game = stated
    if fact.uniform_nash_conv is None:
        pytest.skip("states none")
    require_enumerable(game)
    if not isinstance(game.model(), ExtensiveFormModel | NormalFormModel):
        pytest.skip("of a family scored elsewhere")
    assert nash_conv(game.model(), uniform(game).tables) == pytest.approx(
        fact.uniform_nash_conv, abs=max(fact.tolerance, 1e-9)
    )


def test_stated_equilibria_of_normal_forms_have_the_stated_values_and_no_deviation(stated):
    fact, game = stated
    if fact.equilibrium is None:
        pytest.skip("states none")
    model, tables = game.model(), [np.array([row]) for row in fact.equilibrium]
    assert nash_conv(model, tables) == pytest.approx(0, abs=1e-9)
    if fact.values is not None:
        values = [float(model.gradient(p, [t[0] for t in tables]) @ tables[p][0]) for p in range(model.num_players)]
        assert values == pytest.approx(list(fact.values), abs=fact.tolerance)


@pytest.mark.parametrize("stated", [case for case in FACTS if case.values[0][1].equilibria], indirect=True)
def test_stated_equilibria_among_others_are_so_up_to_their_epsilon(stated):
    fact, game = stated
    model = game.model()
    for equilibrium in fact.equilibria:
        tables = [np.array(table) for table in equilibrium]
        assert nash_conv(model, tables) <= fact.epsilon + fact.tolerance
    # An equilibrium up to epsilon says something only where uniform play is none.
    assert nash_conv(model, uniform(model).tables) > fact.epsilon + 1e-6


CLOSED_FORMS = {
    "cournot_oligopoly": {(2, 0, 0): (4, 4), (3, 4, 0): (2, 2, 2), (2, 0, 3): (5, 2)},  # (n, c, d): q = (a - ..) / ..
    "bertrand_oligopoly": {(2, 2.0): (2, 2), (3, 2.5): (3, 3, 3)},  # (n, c): p
    "tullock_contest": {(2, 21, 1.0): (5, 5), (3, 10, 1.0): (2, 2, 2), (2, 9, 0.5): (1, 1)},  # 1/4, 2/9, 1/8
}


@pytest.mark.parametrize("game_id", CLOSED_FORMS)
def test_closed_forms_are_reached_through_an_instances_facts(game_id):
    stated = {}
    for fact in eqenvs.spec(game_id).facts:
        if fact.equilibria:
            assert fact in eqenvs.make(game_id, **fact.parameters).facts
            first = fact.equilibria[0]
            stated[tuple(fact.parameters.values())] = tuple(int(np.argmax(table[0])) for table in first)
    assert stated == CLOSED_FORMS[game_id]


@pytest.mark.parametrize(
    ("game_id", "bids"),
    [
        ("first_price_auction", [k // 2 for k in range(21)]),
        ("all_pay_auction", [k * k // 40 for k in range(21)]),
        ("second_price_auction", list(range(5))),
    ],
)
def test_closed_forms_of_auctions_are_on_their_grids(game_id, bids):
    (fact,) = [f for f in eqenvs.spec(game_id).facts if f.equilibria and f.parameters["num_values"] == len(bids)]
    assert [int(np.argmax(row)) for row in fact.equilibria[0][0]] == bids


@pytest.mark.parametrize("game_id", eqenvs.game_ids())
def test_an_instance_knows_its_own_facts(game_id):
    for fact in eqenvs.spec(game_id).facts:
        assert fact in eqenvs.make(game_id, **fact.parameters).facts
