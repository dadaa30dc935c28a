"""What SPECs say of sizes and sums without building a model is what the models say."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from itertools import pairwise
from math import inf
from typing import Any

import pytest

import eqenvs
from eqenvs import game as game_module
from eqenvs.errors import GameTooLargeError
from eqenvs.models import enumeration
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE, enumerate_rules


def module_of(game_id: str):
    return importlib.import_module(f"eqenvs.games.extensive_form.{game_id}")


def stated(game_id: str, parameters: Mapping[str, Any], **more: Any) -> int:
    """The number of histories that the game's file says an instance has."""
    count = module_of(game_id).num_histories
    resolved = eqenvs.make(game_id, **parameters).parameters
    return count(**{name: resolved[name] for name in inspect.signature(count).parameters if name in resolved}, **more)


CLOSED: dict[str, list[dict[str, Any]]] = {
    "robust_observation_gym": [
        {},
        {"horizon": 1},
        {"radius": 0, "horizon": 4},
        {"env_parameters": "desc=SFF/FHF/FFG", "radius": 2, "coupling": 1},
    ],
    "kuhn_poker": [{"num_players": n} for n in (2, 3, 4)],
    "leduc_poker": [
        {},
        {"suit_isomorphism": True},
        {"num_ranks": 2, "num_suits": 3, "suit_isomorphism": True},
        {"num_ranks": 4, "num_suits": 1},
        {"num_players": 3, "num_ranks": 2, "suit_isomorphism": True},
        {"num_players": 4, "num_ranks": 1, "num_suits": 5, "suit_isomorphism": True},
    ],
    "leduc_dummy": [
        {"suit_isomorphism": True},
        {"action_copies": 1},
        {"action_copies": 1, "suit_isomorphism": True},
        {"action_copies": 3, "suit_isomorphism": True},
    ],
    "trust_dilemma": [{}, {"noise": 0.0}, {"noise": 0.5}],
    "liars_dice": [
        {"num_faces": 2},
        {"num_faces": 4},
        {"num_players": 3, "num_faces": 2},
        {"num_dice": 2, "num_faces": 2},
        {"num_players": 3, "num_faces": 3},
    ],
    "goofspiel": [
        *({"num_cards": cards, "points_order": order} for cards in (2, 3, 4) for order in ("ascending", "random")),
        {"num_players": 3, "num_cards": 3},
        {"num_players": 3, "num_cards": 3, "points_order": "random", "returns_type": "point_difference"},
        {"num_cards": 3, "imperfect_information": False, "returns_type": "total_points"},
        {"num_players": 3, "num_cards": 2, "returns_type": "total_points"},
        {"num_players": 4, "num_cards": 2, "returns_type": "total_points"},
    ],
    "oshi_zumo": [
        {},
        {"coins": 3, "size": 2, "horizon": 3},
        {"coins": 4, "size": 0},
        {"coins": 1, "size": 5, "horizon": 9},
        {"coins": 5, "size": 2, "min_bid": 2},
        {"coins": 3, "horizon": 4, "alesia": True},
        {"coins": 3, "min_bid": 3},
    ],
    "public_goods": [{}, {"factor": 1.0}, {"num_players": 2, "endowment": 6}, {"num_players": 5, "endowment": 1}],
    "random_tree": [
        {"num_chance_outcomes": 0, "depth": 5},
        {"num_chance_outcomes": 0, "depth": 4, "branching": 2, "num_players": 3, "zero_sum": False},
        {"branching": 2, "depth": 5, "correlation": 0.5},
        {"chance_frequency": 1.0, "num_chance_outcomes": 4, "branching": 2},
        {"chance_frequency": 1.0, "num_players": 3, "correlation": -1.0},
        {"chance_frequency": 0.0, "correlation": 1.0},
        {"branching": 1, "num_chance_outcomes": 1, "zero_sum": False},
        {"branching": 1, "num_chance_outcomes": 0, "num_players": 4, "correlation": 0.0},
    ],
    "sequential_blotto": [
        {"num_fields": fields, "num_troops": 3, "allocation": allocation, "payoff": payoff}
        for fields in (1, 2, 3)
        for allocation, payoff in (("distinct", "difference"), ("budget", "fields"))
    ],
    "sheriff": [
        {"num_rounds": 1},
        {"max_bribe": 2, "max_items": 4, "num_rounds": 2},
        {"max_bribe": 0, "max_items": 1, "num_rounds": 3},
        {"num_rounds": 2, "item_value": 0.0},
        {"num_rounds": 2, "item_value": 0.0, "item_penalty": 0.0, "sheriff_penalty": 0.0},
    ],
    "signalling": [
        {},
        {"num_types": 4, "num_messages": 1, "num_actions": 2},
        {"bias": 0.0},
        *(
            {"num_types": types, "num_actions": actions, "bias": bias}
            for types in (1, 2)
            for actions in (1, 2)
            for bias in (-1.0, 0.0, 1.0)
        ),
    ],
    "trade_comm": [{"num_items": items} for items in (1, 2, 3)],
    "first_price_auction": [{}, {"num_values": 1, "num_bids": 2, "reserve": 1.0}, {"num_players": 3, "num_values": 2}],
    "second_price_auction": [{}, {"num_values": 1, "num_bids": 2, "reserve": 0.5}, {"num_players": 3, "num_bids": 2}],
    "all_pay_auction": [{}, {"num_values": 1, "num_bids": 3}, {"num_players": 3, "num_values": 2, "num_bids": 4}],
    "repeated_game": [
        {},
        {"num_rounds": 1, "continuation": 0.5},
        {"num_rounds": 4, "continuation": 0.5},
        {"num_rounds": 4, "continuation": 0.0},
        {"stage": "rock_paper_scissors", "num_rounds": 2, "discount": 0.0},
        {"stage": "rock_paper_scissors", "num_rounds": 2, "continuation": 0.5},
        # A prize of 1 for three players: the more rounds, the more there is in all.
        *(
            {"stage": "beauty_contest", "stage_parameters": "num_guesses=2", "num_rounds": 2, **more}
            for more in ({}, {"continuation": 0.5}, {"continuation": 0.5, "discount": 0.0}, {"continuation": 0.0})
        ),
    ],
    "connect_four": [
        {"num_rows": rows, "num_cols": cols, "line_length": length}
        for rows, cols, length in ((3, 3, 3), (4, 3, 3), (4, 2, 2), (2, 4, 4), (1, 6, 3))
    ],
    "tic_tac_toe": [
        {"num_rows": rows, "num_cols": cols, "line_length": length}
        for rows, cols, length in ((2, 3, 3), (3, 2, 2), (2, 4, 3), (1, 7, 4))
    ],
    "dark_hex": [
        {"num_rows": rows, "num_cols": cols, "abrupt": abrupt}
        for rows, cols in ((2, 2), (2, 3), (3, 2))
        for abrupt in (False, True)
    ],
    "battleship": [
        {},
        {"loss_multiplier": 1.0},
        {"loss_multiplier": 1.0, "ship_values": "1,2", "num_shots": 3},
        {"allow_repeated_shots": True, "ship_values": "1,2"},
        {"ship_values": "0,0"},
        {"height": 1, "width": 4, "ship_sizes": "1,3"},
        {"height": 1, "width": 3, "ship_sizes": "1,1", "num_shots": 3},
        # No ship can be sunk, or none that is worth anything.
        {"ship_sizes": "2", "num_shots": 1},
        {"ship_sizes": "2", "num_shots": 2},
        {"width": 3, "ship_sizes": "3,2", "ship_values": "4,0"},
        # As many shots as cells: whoever first has found the only ship has won; not so if shots are wasted.
        {"ship_sizes": "2", "num_shots": 4},
        {"ship_sizes": "2", "num_shots": 3},
        {"ship_sizes": "1", "num_shots": 4, "allow_repeated_shots": True},
        # Boards full of ships: every shot hits.
        {"height": 1, "width": 1, "ship_sizes": "1", "num_shots": 1},
        {"height": 1, "width": 1, "ship_sizes": "1", "num_shots": 3, "allow_repeated_shots": True},
        {"height": 1, "ship_sizes": "1,1", "num_shots": 1},
        {"height": 1, "ship_sizes": "1,1", "num_shots": 1, "ship_values": "1,2"},
        {"height": 1, "ship_sizes": "1,1", "num_shots": 2},
        {"height": 1, "ship_sizes": "1,1", "num_shots": 2, "ship_values": "1,2"},
        {"height": 1, "ship_sizes": "1,1", "num_shots": 2, "allow_repeated_shots": True},
        *({"ship_sizes": "2,2", "num_shots": shots} for shots in (1, 2, 3, 4)),
        {"ship_sizes": "2,2", "num_shots": 3, "ship_values": "1,2"},
    ],
}

# Where the seed decides when chance moves, the lower levels of large trees are bounded. Small ones are counted exactly
# and stand for large ones where the walk is cut short.
SEEDED = [
    *(
        {"depth": depth, "branching": branching, "num_chance_outcomes": outcomes, "num_players": players, "seed": seed}
        for depth, branching, outcomes, players in ((6, 3, 2, 2), (7, 2, 3, 3), (5, 2, 4, 2), (4, 4, 1, 4))
        for seed in range(3)
    ),
    {"depth": 7, "chance_frequency": 0.05, "zero_sum": False},
    {"depth": 7, "chance_frequency": 0.6, "zero_sum": False},
    {"branching": 1, "zero_sum": False, "seed": 1},
    {"depth": 3, "branching": 1, "zero_sum": False, "seed": 0},
    {"depth": 3, "branching": 1, "zero_sum": False, "seed": 2},
]
CLOSED["random_tree"] += SEEDED
FACTOR = {1: 6.0, 10: 3.0, 50: 2.0}  # the most that a bound is above the truth here, by the length of the walk

INSTANCES = [
    pytest.param(game_id, parameters, id=f"{game_id}-{number}")
    for game_id, rows in CLOSED.items()
    for number, parameters in enumerate(rows)
]

# A parameter's values, with the limit between the last two.
ACROSS_THE_LIMIT: dict[str, tuple[str, dict[str, Any], str, list[Any]]] = {
    "kuhn": ("kuhn_poker", {}, "num_players", [4, 5, 6, 7]),
    "leduc": ("leduc_poker", {"num_ranks": 26}, "num_suits", [1, 2, 3]),
    "leduc 3p": ("leduc_poker", {"num_players": 3}, "num_ranks", [4, 5, 6, 7]),
    "leduc 4p by rank": ("leduc_poker", {"num_players": 4, "suit_isomorphism": True}, "num_ranks", [3, 4, 5]),
    "liar's dice": ("liars_dice", {}, "num_faces", [6, 7, 8, 9]),
    "liar's dice 3p": ("liars_dice", {"num_players": 3}, "num_faces", [4, 5, 6]),
    "goofspiel": ("goofspiel", {}, "num_cards", [5, 6, 7]),
    "goofspiel, random": ("goofspiel", {"points_order": "random"}, "num_cards", [4, 5, 6]),
    "oshi-zumo": ("oshi_zumo", {}, "horizon", [12, 13, 14, 15, 16]),
    "oshi-zumo, coins": ("oshi_zumo", {"horizon": 3}, "coins", [10, 20, 28, 30]),
    "public goods": ("public_goods", {"num_players": 10}, "endowment", [3, 4, 5]),
    "random tree": ("random_tree", {}, "depth", [13, 14, 15, 16]),
    "blotto": ("sequential_blotto", {}, "num_troops", [64, 65, 66, 67]),
    "blotto, budget": ("sequential_blotto", {"allocation": "budget", "num_fields": 3}, "num_troops", [26, 27, 28]),
    "sheriff": ("sheriff", {}, "num_rounds", [5, 6, 7, 8]),
    "signalling": ("signalling", {"num_types": 200, "num_messages": 200}, "num_actions", [497, 498, 499]),
    "trade comm": ("trade_comm", {}, "num_items", [6, 7, 8, 9]),
    "auction": ("first_price_auction", {"num_values": 50}, "num_bids", [60, 87, 88, 89]),
    "repeated game": ("repeated_game", {}, "num_rounds", [10, 11, 12]),
    "repeated game, stopped at random": ("repeated_game", {"continuation": 0.9}, "num_rounds", [10, 11, 12]),
    "connect four": ("connect_four", {"num_cols": 3, "line_length": 3}, "num_rows", [3, 4, 5, 6, 7, 8]),
    "tic-tac-toe": ("tic_tac_toe", {"num_cols": 2, "line_length": 2}, "num_rows", [2, 3, 4, 5, 6, 7, 8]),
    "dark hex": ("dark_hex", {}, "num_cols", [2, 3, 4]),
    "dark hex, square": ("dark_hex", {}, "board_size", [2, 3]),
    "dark hex, abrupt": ("dark_hex", {"abrupt": True}, "num_rows", [2, 3, 4]),
    "battleship": ("battleship", {"width": 3}, "num_shots", [1, 2, 3, 4]),
    "battleship, board": ("battleship", {"width": 3, "ship_sizes": "2"}, "height", [2, 3, 4, 5]),
}

# Instances too large to enumerate, and what is published of them (Rudolph et al. 2025, arXiv 2502.08938).
PUBLISHED = {
    "phantom tic-tac-toe": ("phantom_tic_tac_toe", {}, 19.93e9),
    "dark hex 3x3": ("dark_hex", {"board_size": 3}, 19.12e9),
}


@pytest.mark.parametrize("variant", "ABCDEF")
def test_tiny_hanabi_is_exact_and_of_common_payoff(variant):
    game = eqenvs.make("tiny_hanabi", variant=variant)
    assert game.exact
    assert game.constant_sum == game.model().constant_sum()


@pytest.mark.parametrize(("game_id", "parameters"), INSTANCES)
@pytest.mark.slow
def test_histories_and_constancy_of_the_sum_are_the_models_and_exact_is_what_fits_the_limit(
    monkeypatch, game_id, parameters
):
    game = eqenvs.make(game_id, **parameters)
    size = stated(game_id, parameters)
    for limit in (size, size - 1):
        for module in (module_of(game_id), game_module):
            monkeypatch.setattr(module, "DEFAULT_MAX_SIZE", limit, raising=False)
        if game.exact:
            model = enumerate_rules(game.rules, name=game_id, max_size=limit)
            assert size == model.sizes()["histories"]
            assert game.constant_sum == model.constant_sum()
        else:
            with pytest.raises(GameTooLargeError):
                enumerate_rules(game.rules, name=game_id, max_size=limit)


def test_a_game_too_large_is_refused_before_it_is_enumerated(monkeypatch):
    monkeypatch.setattr(enumeration, "enumerate_rules", None)
    with pytest.raises(GameTooLargeError, match=r"879,609,302,220,421 histories or more, .* max_size=20,000,000"):
        eqenvs.make("liars_dice", num_faces=20).model()


@pytest.mark.parametrize("walked", FACTOR)
@pytest.mark.parametrize("parameters", CLOSED["random_tree"])
def test_bounds_are_not_below_the_truth_and_not_far_above(monkeypatch, parameters, walked):
    true = stated("random_tree", parameters)
    monkeypatch.setattr(module_of("random_tree"), "WALKED", walked)
    assert true <= stated("random_tree", parameters) <= FACTOR[walked] * true


@pytest.mark.parametrize(("game_id", "others", "name", "values"), ACROSS_THE_LIMIT.values(), ids=ACROSS_THE_LIMIT)
def test_histories_grow_with_a_parameter_until_they_are_too_many_for_exact(game_id, others, name, values):
    games = [eqenvs.make(game_id, **others, **{name: value}) for value in values]
    numbers = [stated(game_id, game.parameters) for game in games]
    assert all(fewer < more for fewer, more in pairwise(numbers))
    assert numbers[-2] <= DEFAULT_MAX_SIZE < numbers[-1]
    assert [game.exact for game in games] == [True] * (len(games) - 1) + [False]


@pytest.mark.parametrize(("game_id", "parameters", "published"), PUBLISHED.values(), ids=PUBLISHED)
def test_games_too_large_to_enumerate_have_the_published_number_of_histories(game_id, parameters, published):
    assert not eqenvs.make(game_id, **parameters).exact
    assert stated(game_id, parameters, limit=inf) == pytest.approx(published, rel=5e-4)


def test_every_game_with_parameters_is_here():
    here = {*CLOSED, *(game_id for game_id, _, _ in PUBLISHED.values()), "tiny_hanabi"}
    extensive = {i for i in eqenvs.game_ids() if eqenvs.spec(i).family is eqenvs.Family.EXTENSIVE_FORM}
    assert here == extensive
