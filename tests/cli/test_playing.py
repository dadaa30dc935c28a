"""`eqenvs play`: what the person is shown, what the others do, and how it ends."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

import eqenvs
from eqagents.cli.playing import Leaves, play_game
from eqenvs.errors import InputError
from eqenvs.policies import MixturePolicy, ProductPolicy, TabularPolicy, uniform
from eqenvs.testing import expected_payoffs
from eqenvs.testing.conformance import random_tables


def first_legal(prompt):
    return prompt.partition("(")[2].split()[0].rstrip(",):")


def always_first(game):
    """The policy of `first_legal`, for every player."""
    return [np.eye(states.masks.shape[1])[states.masks.argmax(axis=1)] for states in game.information_states]


@pytest.mark.parametrize("player", [0, 1])
@pytest.mark.parametrize("mixed", [False, True])
def test_others_play_the_policy(player, mixed):
    game = eqenvs.make("kuhn_poker")
    policies = [random_tables(game, seed) for seed in range(2)]
    policy = MixturePolicy(policies, [0.3, 0.7]) if mixed else policies[0]
    found = np.array(
        [
            play_game(game, policy, player=player, seed=seed, ask=first_legal, tell=lambda text: None)
            for seed in range(1500)
        ]
    )
    mine = TabularPolicy(game, always_first(game))
    against = [
        expected_payoffs(game, ProductPolicy([mine if who == player else each for who in range(2)]))
        for each in policies
    ]
    expected = 0.3 * against[0] + 0.7 * against[1] if mixed else against[0]
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - expected) <= 5 * error).all()


def test_the_person_sees_its_own_card_and_at_the_end_everything():
    game = eqenvs.make("kuhn_poker")
    for seed in range(30):
        told, asked_after = [], []

        def ask(prompt, told=told, asked_after=asked_after):
            asked_after.append(len(told))
            return first_legal(prompt)

        play_game(game, uniform(game), player=1, seed=seed, ask=ask, tell=told.append)
        before = [line for line in told[: asked_after[-1]] if line.startswith("you know")]
        after = next(text for text in told if "player_0: " in text)
        own = after.splitlines()[1].removeprefix("player_1: ")
        assert before
        assert all(line.removeprefix("you know: ")[0] == own[0] for line in before)
        assert not any("player_0" in line for line in told[: asked_after[-1]])
    assert told[-1].startswith("player 0: ")


def test_boards_are_shown_where_nothing_is_hidden():
    told = []
    game = eqenvs.make("tic_tac_toe")
    play_game(game, uniform(game), player=0, seed=0, ask=first_legal, tell=told.append)
    boards = [text for text in told if "a b c" in text]
    assert "X" not in boards[0]
    assert "X" in boards[1]
    assert "O" in boards[1]


def test_answers_are_names_or_numbers_and_a_question_mark_asks_the_policy():
    game = eqenvs.make("kuhn_poker")
    policy, told = random_tables(game, 3), []
    answers = iter(["fold", "2", "?", "bet", "pass"])
    play_game(game, policy, player=0, seed=0, ask=lambda prompt: next(answers), tell=told.append)
    assert "'fold' is none of them" in told
    assert "'2' is none of them" in told
    assert "mixture" not in told[0]
    key = next(line for line in told if line.startswith("you know: ")).removeprefix("you know: ")
    row = policy.tables[0][game.information_state_labels(0).index(key)]
    assert f"0: pass with probability {row[0]:.3f}, 1: bet with probability {row[1]:.3f}" in told


def test_a_name_that_is_another_actions_number_is_no_answer():
    game, told = eqenvs.make("goofspiel", num_cards=4), []
    prompts, answers = [], iter(["2", "3"])

    def ask(prompt):
        prompts.append(prompt)
        return next(answers, prompt.partition("(")[2].split()[0].rstrip(",):"))

    play_game(game, uniform(game), player=0, seed=0, ask=ask, tell=told.append)
    assert prompts[0] == "your move (0: 1, 1: 2, 2: 3, 3: 4): "
    assert next(text for text in told if text.startswith("moves: ")).startswith("moves: player 0 3, player 1 ")


def test_what_players_chose_at_once_is_told_at_the_end():
    game, told = eqenvs.make("rock_paper_scissors"), []
    paid = play_game(game, uniform(game), player=1, seed=0, ask=lambda prompt: "1", tell=told.append)
    [moves] = [text for text in told if text.startswith("moves: ")]
    other = moves.removeprefix("moves: player 0 ").removesuffix(", player 1 1")
    assert paid[1] == {"0": 1, "1": 0, "2": -1}[other]  # rock, paper, scissors


def test_there_must_be_such_a_player_and_one_may_leave():
    game = eqenvs.make("kuhn_poker")
    with pytest.raises(InputError, match="--player must be from 0 to 1, got 2"):
        play_game(game, uniform(game), player=2, seed=0, ask=first_legal, tell=print)
    with pytest.raises(Leaves):
        play_game(game, uniform(game), player=0, seed=0, ask=lambda prompt: "q", tell=lambda text: None)


def test_the_command_plays_games_runs_and_files(call, tmp_path, monkeypatch):
    file = tmp_path / "equilibrium.json"
    assert call("solve", "kuhn_poker", "--out", file)[0] == 0
    for what in ("kuhn_poker", file):
        monkeypatch.setattr("sys.stdin", io.StringIO("0\n0\n"))
        status, said, _ = call("play", what, "--seed", "1")
        assert status == 0
        assert "you know: " in said
        assert said.splitlines()[-1].startswith("player 0: ")
    monkeypatch.setattr("sys.stdin", io.StringIO("0\n0\n"))
    status, said, error = call("play", file, "--seed", "1", "--json")
    assert status == 0
    found = json.loads(said)
    assert found["game"] == "kuhn_poker"
    assert sum(found["payoffs"]) == 0
    assert "you know: " in error
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    status, _, error = call("play", "kuhn_poker", "--seed", "1")
    assert status == 0
    assert error.endswith("left\n")
    status, said, _ = call("play", "kuhn_poker", "--seed", "1", "--json")
    assert status == 0
    assert json.loads(said) == {"game": "kuhn_poker", "player": 0, "payoffs": None}
    assert call("play", file, "-p", "num_players=3")[0] == 2
    assert call("play", "kuhn_poker", "--step", "3")[2].startswith("error: --step chooses a run's checkpoint")
    assert call("play", "runs/kuhn")[2] == "error: there is no run or policy file 'runs/kuhn'\n"
    assert call("play", "kuhn")[0] == 2


def test_show_has_the_first_position_of_games_with_a_picture(call):
    _, said, _ = call("show", "grid_soccer")
    assert "* has the ball" in said
    _, said, _ = call("show", "kuhn_poker")
    assert "After `reset" not in said
