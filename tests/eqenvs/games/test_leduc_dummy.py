"""Leduc poker with copies of its actions: what the copies change, counted from Leduc poker's own tree, and what not."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.games.extensive_form.leduc_dummy import num_histories
from eqenvs.testing import check_game
from eqsolvers.result import find_solver


def expected_sizes(copies: int, suit_isomorphism: bool) -> dict[str, object]:
    """From the tree of Leduc poker: whatever follows k moves (of its player) comes in copies^k kinds."""
    leduc = eqenvs.make("leduc_poker", suit_isomorphism=suit_isomorphism).model()
    moves = np.zeros(len(leduc.parent), dtype=np.int64)  # of both players before each history
    own = np.zeros((2, len(leduc.parent)), dtype=np.int64)
    for h in range(1, len(leduc.parent)):
        above = leduc.parent[h]
        mover = leduc.player[above]
        moves[h] = moves[above] + (mover >= 0)
        own[:, h] = own[:, above] + (np.arange(2) == mover)
    infosets, sequences = [], []
    for player in range(2):
        mine = np.flatnonzero(leduc.player == player)
        sets, first = np.unique(leduc.infoset[mine], return_index=True)
        kinds = copies ** own[player, mine[first]]
        actions = leduc.information_states[player].masks[sets].sum(axis=1)
        infosets.append(int(kinds.sum()))
        sequences.append(1 + int((kinds * actions * copies).sum()))
    terminals = int((copies ** moves[leduc.terminals]).sum())
    return {"terminals": terminals, "infosets": infosets, "sequences": sequences}


@pytest.mark.parametrize("suit_isomorphism", [False, True])
@pytest.mark.parametrize("copies", [1, 2, 3])
@pytest.mark.slow
def test_sizes_are_those_of_leduc_poker_times_the_copies(copies: int, suit_isomorphism: bool) -> None:
    expected = expected_sizes(copies, suit_isomorphism)
    if copies == 3 and not suit_isomorphism:
        assert num_histories(copies, suit_isomorphism) > expected["terminals"]  # 6 million: not enumerated here
        return
    model = eqenvs.make("leduc_dummy", action_copies=copies, suit_isomorphism=suit_isomorphism).model()
    assert {key: model.sizes()[key] for key in expected} == expected
    assert len(model.parent) == num_histories(copies, suit_isomorphism)


def test_the_instance_that_can_be_enumerated_quickly_passes_all_checks() -> None:
    check_game(eqenvs.make("leduc_dummy", suit_isomorphism=True))


def test_the_value_is_that_of_leduc_poker() -> None:
    game = eqenvs.make("leduc_dummy", suit_isomorphism=True)
    solver = find_solver(eqenvs.Family.EXTENSIVE_FORM, "nash", "cfr+")
    result = solver.solve(game.model(), iterations=2000)
    assert result.residual < 2e-3
    # In a constant-sum game the value is within the sum of the players' gains.
    plans = [t.realisation_plan(p) for t, p in zip(game.model().treeplexes, result.policy.tables, strict=True)]
    value = float(game.model().gradient(0, plans) @ plans[0])
    assert value == pytest.approx(-0.085606424078, abs=2e-3)


def test_a_player_remembers_its_own_copies_and_does_not_see_the_others() -> None:
    rules = eqenvs.make("leduc_dummy", action_copies=3).rules
    keys = {}
    for first, second in ((1, 5), (4, 5), (1, 8)):  # call, call's copy 1; raise's copies 1 and 2
        state = rules.initial_state(1, np)
        for action in (0, 2, first, second):  # cards, then moves
            state, _ = rules.apply(state, np.array([action]))
        keys[first, second] = [
            (
                rules.information_state(state, np.array([p]))[0].tolist(),
                rules.observation(state, np.array([p])).tolist(),
            )
            for p in (0, 1)
        ]
    plain, own_copy, others_copy = keys[1, 5], keys[4, 5], keys[1, 8]
    assert plain[0][0] != own_copy[0][0]
    assert plain[1][0] == own_copy[1][0]
    assert plain[0][0] == others_copy[0][0]
    assert plain[1][0] != others_copy[1][0]
    assert all(seen == plain[p][1] for key in keys.values() for p, (_, seen) in enumerate(key))


def test_copies_do_what_the_first_one_does() -> None:
    leduc, dummy = (eqenvs.make(name).rules for name in ("leduc_poker", "leduc_dummy"))
    rng = np.random.default_rng(0)
    for _ in range(50):
        plain, copied = leduc.initial_state(1, np), dummy.initial_state(1, np)
        total, other = np.zeros(2), np.zeros(2)
        while leduc.turn(plain)[0] != -2:
            mover = leduc.turn(plain)
            assert dummy.turn(copied) == mover
            if mover[0] < 0:
                action = twin = int(rng.choice(6, p=leduc.chance_probabilities(plain)[0]))
            else:
                mask = dummy.legal_actions(copied, mover)[0]
                assert mask.tolist() == leduc.legal_actions(plain, mover)[0].tolist() * 2
                twin = int(rng.choice(np.flatnonzero(mask)))
                action = twin % 3
            plain, paid = leduc.apply(plain, np.array([action]))
            copied, paid_too = dummy.apply(copied, np.array([twin]))
            total, other = total + paid[0], other + paid_too[0]
        assert dummy.turn(copied)[0] == -2
        assert total.tolist() == other.tolist()


def test_copies_are_named() -> None:
    game = eqenvs.make("leduc_dummy", suit_isomorphism=True)
    assert [game.rules.describe_action(0, action) for action in range(6)] == [
        "fold", "call", "raise", "fold 1", "call 1", "raise 1",
    ]  # fmt: skip
    model = game.model()
    for player in range(2):
        keys = model.information_states[player].keys
        names = {game.rules.describe_information_state(player, key) for key in keys}
        assert len(names) == len(keys)
