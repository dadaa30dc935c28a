"""`eqenvs bench environments`: a quick run, and what its contestants play."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqagents.bench import Settings, _env_batched, _env_peers, find_benchmark
from eqagents.bench._env_clocks import timed


@pytest.fixture(scope="module")
def sections():
    return {section.id: section for section in find_benchmark("environments").run(Settings(quick=True))}


def test_every_section_has_rows_under_its_columns(sections):
    assert list(sections) == ["single", "batched"]
    for section in sections.values():
        assert section.rows
        assert all(set(row) <= set(section.columns) | {"open_spiel_wall"} for row in section.rows)
    assert {(row["game"], row["games"]) for row in sections["batched"].rows} == {
        (game, batch) for game in ("kuhn_poker", "connect_four") for batch in (1, 64)
    }


def test_figures_are_positive_and_absent_peers_are_named(sections):
    for section in sections.values():
        for row in section.rows:
            assert all(value > 0 for key, value in row.items() if key != "game")
        notes = " ".join(section.notes)
        for name in ("pgx", "open_spiel"):
            there = any(name in row for row in section.rows)
            assert there == (_env_peers._module(name) is not None)
            assert there or f"{name}" in notes.partition("Not installed")[2]


def test_without_any_peer_there_are_only_ours(monkeypatch):
    monkeypatch.setattr(_env_peers, "_module", lambda name: None)
    monkeypatch.setattr(_env_batched, "BATCHES", (2,))
    for row in _env_batched.section(Settings(quick=True)).rows:
        own = ("tables", "rules", "rollout")
        assert set(row) <= {"game", "games", *own, *(f"{name}_wall" for name in own)}


def test_actions_are_drawn_equally_often_and_only_legal_ones():
    masks = np.tile([[True, False, True, True], [False, True, False, False]], (3000, 1))
    actions = np.full(6000, -1)
    _env_batched.draw(masks, np.random.default_rng(0).random(6000), actions)
    counts = np.bincount(actions[::2], minlength=4)
    assert counts[1] == 0
    assert np.abs(counts[[0, 2, 3]] - 1000).max() < 5 * np.sqrt(3000 * 2 / 9)
    assert (actions[1::2] == 1).all()


def test_play_takes_as_many_steps_as_asked_for_and_starts_ended_games_again():
    class Counted:
        """A game whose steps are counted."""

        def __init__(self):
            self.env, self.steps, self.resets = eqenvs.make("kuhn_poker").aec_env(), 0, 0

        def __getattr__(self, name):
            return getattr(self.env, name)

        def step(self, action):
            self.steps += 1
            self.env.step(action)

        def reset(self, seed=None):
            self.resets += 1
            self.env.reset(seed=seed)

    env = Counted()
    _env_peers.played(env)(100)
    assert env.steps == 100
    assert 100 / 3 <= env.resets <= 51  # of two or three moves


def test_slices_are_multiples_and_both_clocks_run():
    seen = []

    def busy(iterations):
        seen.append(iterations)
        sum(range(1000 * iterations))

    found = timed({"mine": busy, "absent": None}, Settings(quick=True), multiple=16)
    assert list(found) == ["mine"]
    assert len(found["mine"].cpu) == len(found["mine"].wall) == Settings(quick=True).rounds
    assert {iterations % 16 for iterations in seen} == {0}
    assert min(found["mine"].wall) > 0
