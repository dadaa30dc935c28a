"""Tables for people: what a score from learned best responses says of each response."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.cli.tables import score_table
from eqenvs.game import Game
from eqenvs.policies import BehaviourPolicy, JointPolicy, MixturePolicy, TabularPolicy, uniform
from eqsolvers.scoring import score, score_by_simulation
from eqsolvers.scoring.score import best_response


class Responder:
    """The exact best response, or uniform play."""

    def __init__(self, name: str, budget: Any) -> None:
        self.id, self.budget = name, budget

    def __call__(self, game: Game, player: int, policy: JointPolicy, seed: np.random.SeedSequence) -> BehaviourPolicy:
        if self.id == "nothing":
            return uniform(game)
        tables = [states.uniform() for states in game.information_states]
        tables[player] = best_response(game, player, policy)[1]
        return TabularPolicy(game, tables)


def rows_of(table: Any) -> list[tuple[str, str]]:
    return list(zip(*(list(column.cells) for column in table.columns), strict=True))


RESPONDERS = [Responder("nothing", {"id": "nothing", "updates": 3}), Responder("exactly", "one pass")]


def test_every_learned_response_has_a_row_of_its_own() -> None:
    game = eqenvs.make("kuhn_poker")
    found = score_by_simulation(game, uniform(game), RESPONDERS, episodes=2000, repeats=2, seed=7)
    rows = rows_of(score_table(found, "uniform"))
    names = [name for name, _ in rows]
    assert [text for name, text in rows if name.startswith("responder")] == ["nothing: updates=3", "exactly: one pass"]
    assert "responders" not in names
    assert "budgets" not in names
    assert "nash_conv_interval" in names
    told = [text for name, text in rows if name == "attempt"]
    for text, attempt in zip(told, found.detail["attempts"], strict=True):
        place = attempt["responder"]
        key = ".".join(map(str, attempt["spawn_key"]))
        start = f"player {attempt['player']}, responder {place} ({RESPONDERS[place].id}), seed 7/{key}: "
        assert text.startswith(f"{start}gain {attempt['selected_gain']:.6g} ± {attempt['selected_half_width']:.2g}")
        assert 0 < attempt["selected_half_width"] < 0.2
    kept = [text for text in told if text.endswith(", kept")]
    assert len(kept) == 2  # one a player
    assert all("(exactly)" in text for text in kept)


def test_responses_to_a_device_have_rows_too() -> None:
    game = eqenvs.make("rock_paper_scissors")
    device = MixturePolicy([TabularPolicy(game, [row, row]) for row in np.eye(3)], [1 / 3] * 3)
    rows = rows_of(score_table(score_by_simulation(game, device, RESPONDERS, episodes=500), "device"))
    names = [name for name, _ in rows]
    assert names.count("attempt") == names.count("cce_gap_attempt") == 4
    assert "cce_gap_attempts" not in names


@pytest.mark.parametrize("num_players", [2, 3])
def test_an_exact_score_has_no_such_rows(num_players: int) -> None:
    game = eqenvs.make("kuhn_poker", num_players=num_players)
    names = {name for name, _ in rows_of(score_table(score(game, uniform(game)), "uniform"))}
    assert "nash_conv" in names
    assert not {name for name in names if name.startswith(("attempt", "responder"))}
