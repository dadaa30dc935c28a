"""Agents and representatives as one batch of games: the same by compiled environment and by rules, begun anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.rollout import Cast, Games, NetworkConfig, PopulationGames, rollout
from eqagents.rollout.games import Source
from eqagents.rollout.task import networks_of
from eqagents.rollout.trajectory import of_players
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models.mean_field import MeanFieldModel

SOURCES: tuple[Source, ...] = ("auto", "rules", "torch")


def model_of(game: eqenvs.Game) -> MeanFieldModel:
    model = game.model()
    assert isinstance(model, MeanFieldModel)
    return model


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("game_id", ["predator_prey", "rumour"])
def test_representatives_meet_the_agents_and_weigh_nothing(game_id: str, source: Source) -> None:
    """Rewards and successors are the model's in the agents' mean field; everybody begins anew at the horizon."""
    game = eqenvs.make(game_id, horizon=3, num_agents=9)
    model, games = model_of(game), PopulationGames(game, 2, representatives=7, source=source)
    populations, states = model.num_populations, model.num_states
    assert games.roles.tolist() == [
        *(np.arange(9) * populations // 9),
        *(populations + np.arange(7) * populations // 7),
    ]
    shown, rng = games.begin(3), np.random.default_rng(0)
    for time in range(4):
        points = shown.observations[..., 0]
        moment, state = np.divmod(points.numpy(), states)
        assert (moment == time % 3).all()
        assert shown.masks.equal(torch.tensor(model.legal)[state])
        mean_field = games.mean_field(points).numpy()
        counts = np.zeros_like(mean_field)
        for agent in range(9):
            np.add.at(counts, (np.arange(2), int(games.roles[agent]), state[:, agent]), 1)
        np.testing.assert_allclose(mean_field, counts / counts.sum(axis=2, keepdims=True))
        chosen = (rng.random((2, 16, model.num_actions)) * model.legal[state]).argmax(axis=2)
        stage = games.step(torch.tensor(chosen))
        paid = model.rewards(mean_field, model.at(moment[:, 0]))  # type: ignore[arg-type]
        role = games.roles.numpy() % populations
        np.testing.assert_allclose(stage.rewards, paid[np.arange(2)[:, None], role, state, chosen], rtol=2.0**-24)
        assert stage.over.tolist() == [time == 2] * 2
        assert not stage.cut.any()
        shown = stage.shown
        if time != 2:
            after = shown.observations[..., 0].numpy() % states
            assert (model.successors[state, chosen] == after[..., None]).any(axis=2).all()


@pytest.mark.parametrize("source", SOURCES)
def test_play_begins_where_it_is_told_to(source: Source) -> None:
    game = eqenvs.make("predator_prey", horizon=3, num_agents=9)
    games = PopulationGames(game, 2, representatives=3, source=source)
    first = np.zeros((2, *model_of(game).initial.shape))
    first[0, :, 4] = first[1, :, 7] = 1.0
    assert games.begin_at(first, 0).observations[..., 0].tolist() == [[4] * 12, [7] * 12]
    assert games.begin(0).observations[0, 0, 0] != games.begin(0).observations[0, 8, 0]  # and the next as the game does


def test_agents_alone_are_those_of_the_compiled_environment() -> None:
    game = eqenvs.make("sis", horizon=4, num_agents=20)
    games, env = PopulationGames(game, 3), game.population_env(3)
    shown, step = games.begin(5), env.reset(5)
    for _ in range(6):
        assert (shown.observations[..., 0].numpy() == step.moments[:, None] * 2 + step.states).all()
        actions = np.ones((3, 20), dtype=np.int64)
        stage, step = games.step(torch.tensor(actions)), env.step(actions)
        np.testing.assert_allclose(stage.rewards, step.rewards, rtol=2.0**-24)
        shown = stage.shown


def test_the_part_of_some_players_is_theirs() -> None:
    game = eqenvs.make("predator_prey", horizon=3, num_agents=6)
    networks = networks_of(game, NetworkConfig(hidden=(8,)), seed=0)
    games = Games(game, 4)
    cast = Cast(game, networks, {}, 4, torch.Generator().manual_seed(0))
    found, _ = rollout(games, cast, games.begin(0), 5)
    which = torch.tensor([4, 1])
    part = of_players(found, which)
    assert part.states is part.observations
    assert part.players.tolist() == [[[0, 1]] * 4] * 5
    for name in ("observations", "actions", "values", "log_policy", "rewards", "cut_values"):
        assert getattr(part, name).equal(getattr(found, name)[:, :, which])
    assert part.next_values.equal(found.next_values[:, which])
    assert part.over.equal(found.over)


def test_what_cannot_be_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"representatives must be 0 or at least 3"):
        PopulationGames(eqenvs.make("predator_prey"), 1, representatives=2)
    with pytest.raises(UnsupportedGame, match=r"kuhn_poker: populations are of mean-field games"):
        PopulationGames(eqenvs.make("kuhn_poker"), 1)
