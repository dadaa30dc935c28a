"""Advantages and transitions against a plain loop over each game's decisions, written from the definitions."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from eqagents.rollout import Cast, Games, NetworkConfig, Rollout, advantages, rollout, transitions
from eqagents.rollout import play as play_module
from eqagents.rollout.games import Source
from eqagents.rollout.task import networks_of, play
from eqagents.rollout.trajectory import advantages_by_arrays, joined, of_players
from eqenvs import make


def played(game_id: str, steps: int = 9, envs: int = 6, **parameters: object) -> tuple[Rollout, Games]:
    game = make(game_id, **parameters)
    games = Games(game, envs, source="rules")
    networks = networks_of(game, NetworkConfig(hidden=(8,)), seed=3)
    cast = Cast(game, networks, {}, envs, torch.Generator().manual_seed(1))
    found, _ = rollout(games, cast, games.begin(5), steps)
    return found, games


def own_decisions(found: Rollout, b: int, player: int) -> list[tuple[int, int]]:
    steps, _, movers = found.learns.shape
    return [
        (t, m)
        for t in range(steps)
        for m in range(movers)
        if found.learns[t, b, m] and found.players[t, b, m] == player
    ]


def resolved_at(found: Rollout, b: int, player: int, t: int) -> int | None:
    """The stage at which the consequences of a decision at `t` are seen: its next one, or the one after the end."""
    steps = len(found.learns)
    for stage in range(t, steps):
        if stage > t and any(other == stage for other, _ in own_decisions(found, b, player)):
            return stage
        if found.over[stage, b] or found.cut[stage, b]:
            return stage + 1
    return steps if found.next_known[b, player] else None


def by_definition(found: Rollout, discount: float, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """Each row and player on its own, forwards: the decisions of one game after the other."""
    steps, batch, movers = found.learns.shape
    estimates, known = np.zeros((steps, batch, movers)), np.zeros((steps, batch, movers), dtype=bool)
    seats = [(b, player) for b in range(batch) for player in range(found.rewards.shape[2])]
    ends = {(b, p, t): resolved_at(found, b, p, t) for b, p in seats for t, _ in own_decisions(found, b, p)}
    late = {
        player: steps - max(steps - t + 1 if end is None else end - t for (_, p, t), end in ends.items() if p == player)
        for player in {p for _, p, _ in ends}
    }

    def delta(b: int, player: int, t: int, m: int) -> tuple[float, float, bool]:
        """Paid until the consequences are seen plus what follows, less the value; the discount; whether it goes on."""
        end = ends[b, player, t]
        assert end is not None
        total = -float(found.values[t, b, m])
        factor = 1.0
        for stage in range(t, end):
            total += factor * float(found.rewards[stage, b, player])
            factor *= discount
        if found.over[end - 1, b]:
            return total, factor, False
        if found.cut[end - 1, b]:
            return total + factor * float(found.cut_values[end - 1, b, player]), factor, False
        if end == steps:
            return total + factor * float(found.next_values[b, player]), factor, False
        (following,) = [k for stage, k in own_decisions(found, b, player) if stage == end]
        return total + factor * float(found.values[end, b, following]), factor, True

    for b, player in seats:
        own = own_decisions(found, b, player)
        for index, (t, m) in enumerate(own):
            if t > late[player] or ends[b, player, t] is None:
                continue
            known[t, b, m] = True
            total, weight = 0.0, 1.0
            for at, k in own[index:]:
                if at > late[player] or ends[b, player, at] is None:
                    break
                step, factor, on = delta(b, player, at, k)
                total += weight * step
                weight *= decay * factor
                if not on:
                    break
            estimates[t, b, m] = total
    return estimates, known


@pytest.mark.parametrize(
    ("game_id", "parameters"),
    [
        ("kuhn_poker", {"num_players": 3}),
        ("leduc_poker", {}),
        ("grid_soccer", {}),
        ("random_markov_game", {"num_players": 2, "num_states": 3, "num_actions": 2, "discount": 0.5, "seed": 1}),
    ],
)
@pytest.mark.slow
def test_advantages_are_those_of_the_definition(game_id: str, parameters: dict[str, object]) -> None:
    found, _ = played(game_id, steps=14, **parameters)
    for discount, decay in ((1.0, 0.9), (0.8, 0.5), (0.9, 1.0), (1.0, 0.0)):
        ours = advantages(found, discount, decay)
        expected, known = by_definition(found, discount, decay)
        np.testing.assert_array_equal(ours.known.numpy(), known)
        np.testing.assert_allclose(ours.advantages.numpy()[known], expected[known], atol=2e-5)
        np.testing.assert_allclose(ours.returns.numpy()[known], (expected + found.values.numpy())[known], atol=2e-5)


@pytest.mark.parametrize("game_id", ["leduc_poker", "grid_soccer"])
def test_the_compiled_estimates_are_those_by_arrays_to_the_bit(game_id: str) -> None:
    found, _ = played(game_id, steps=40)
    several = [found]
    if game_id == "grid_soccer":
        noise = torch.rand(found.cut.shape, generator=torch.Generator().manual_seed(2))
        values = torch.rand(found.cut_values.shape, generator=torch.Generator().manual_seed(3))
        cut = (noise < 0.1) & ~found.over
        several.append(found._replace(cut=cut, cut_values=values * cut[:, :, None]))
        several.append(of_players(found, torch.tensor([1])))  # its arrays are not contiguous
        missing = torch.rand(found.learns.shape, generator=torch.Generator().manual_seed(4)) < 0.3
        several.append(found._replace(learns=found.learns & ~missing))
    for each in several:
        for discount, decay in ((1.0, 0.95), (0.9, 0.3)):
            ours, arrays = advantages(each, discount, decay), advantages_by_arrays(each, discount, decay)
            assert all(map(torch.equal, ours, arrays))
            assert 0 < int(ours.known.sum()) < ours.known.numel() or game_id == "grid_soccer"


@pytest.mark.parametrize(
    ("game_id", "central"), [("leduc_poker", False), ("leduc_poker", True), ("grid_soccer", False)]
)
def test_values_are_the_critics_of_every_stage_however_many_a_pass(
    game_id: str, central: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make(game_id)
    networks = networks_of(game, NetworkConfig(hidden=(8,), centralised_critic=central), seed=3)
    for rows in (1, 25, 10**6):
        monkeypatch.setattr(play_module, "PASS_ROWS", rows)
        games = Games(game, 6, source="rules")
        cast = Cast(game, networks, {}, 6, torch.Generator().manual_seed(1))
        found, _ = play_module.rollout(games, cast, games.begin(5), 9, central=central)
        for t in range(9):
            roles = games.roles[found.players[t]].reshape(-1)
            with torch.no_grad():
                expected = networks.values(found.states[t].flatten(0, 1), roles).view(found.values[t].shape)
            torch.testing.assert_close(found.values[t], expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("source", ["rules", "table", "torch"])
def test_who_does_not_move_where_a_game_is_cut_is_bootstrapped_from_its_last_decision(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alternating offers: one player moves at a time, and critics are fitted to the moves."""
    game = make("sequential_bargaining", num_units=3, discount=0.3)
    games = Games(game, 8, source=source)
    networks = networks_of(game, NetworkConfig(hidden=(8,)), seed=3)
    with torch.no_grad():
        for part in networks.critic.parameters():  # values that are told apart
            part.add_(torch.rand(part.shape, generator=torch.Generator().manual_seed(7)))
    critics: list[list[torch.Tensor]] = [[], []]
    asked = games.final_observations

    def overheard(player: int) -> torch.Tensor:
        observations = asked(player)
        critics[player].append(networks.values(observations, torch.full((8,), player)))
        return observations

    monkeypatch.setattr(games, "final_observations", overheard)
    cast = Cast(game, networks, {}, 8, torch.Generator().manual_seed(1))
    found, _ = rollout(games, cast, games.begin(5), 60)
    stages = found.cut.any(dim=1).nonzero()[:, 0].tolist()
    cuts = found.cut.nonzero().tolist()
    assert len(cuts) > 5
    for t, b in cuts:
        before = [stage for stage in range(t) if found.over[stage, b] or found.cut[stage, b]]
        mover = int(found.learns[t, b].nonzero())
        last = [stage for stage in range(max(before, default=-1) + 1, t + 1) if found.learns[stage, b, mover]]
        assert found.cut_values[t, b, mover] == found.values[last[-1], b, mover]
        next_mover = critics[1 - mover][stages.index(t)][b]
        torch.testing.assert_close(found.cut_values[t, b, 1 - mover], next_mover, atol=1e-6, rtol=1e-6)
    assert bool((found.cut_values[~found.cut] == 0).all())


def test_whole_returns_less_the_baseline_at_decay_one() -> None:
    """Kuhn poker, whose payoffs come at the end: every decision of a finished game is credited with that payoff."""
    found, _ = played("kuhn_poker", steps=12, envs=4)
    ours = advantages(found, 1.0, 1.0)
    for b in range(4):
        payoff = None
        for t in reversed(range(12)):
            if found.over[t, b]:
                payoff = found.rewards[t, b]
            if payoff is not None and ours.known[t, b, 0]:
                player = found.players[t, b, 0]
                assert ours.returns[t, b, 0] == pytest.approx(float(payoff[player]), abs=1e-5)


def test_what_is_left_out_goes_by_the_stage_alone() -> None:
    """Whether a decision is learnt from does not depend on what came of it."""
    for game_id in ("kuhn_poker", "leduc_poker"):
        found, _ = played(game_id, steps=12, envs=200)
        ours = advantages(found, 1.0, 0.9)
        for player in (0, 1):
            own = found.learns & (found.players == player)
            kept = [bool(ours.known[t][own[t]].all()) for t in range(12)]
            none = [not bool(ours.known[t][own[t]].any()) for t in range(12)]
            late = kept.index(False)
            assert all(kept[:late])
            assert all(none[late:])
            assert 12 - late <= 3


def test_decisions_are_not_kept_because_they_ended_the_game() -> None:
    """Two stages of Kuhn poker: of player 1's decisions all but a bet after a pass end the game, which is not seen."""
    found, _ = played("kuhn_poker", steps=2, envs=200)
    known = advantages(found, 1.0, 0.9).known
    assert bool(found.over[1].any())
    assert not bool(found.over[1].all())
    assert bool(known[0].all())
    assert not bool(known[1].any())


@pytest.mark.parametrize(("game_id", "discount"), [("leduc_poker", 1.0), ("grid_soccer", 0.9)])
def test_transitions_lead_to_the_players_own_next_decision(game_id: str, discount: float) -> None:
    found, _ = played(game_id, steps=14)
    _, batch, movers = found.learns.shape
    told = transitions(found, discount)
    seen = {int(place): index for index, place in enumerate(told.decision)}
    for place, index in seen.items():
        t, b, m = place // (batch * movers), place // movers % batch, place % movers
        player = int(found.players[t, b, m])
        reward, factor, stage = 0.0, 1.0, t
        while True:
            reward += factor * float(found.rewards[stage, b, player])
            factor *= discount
            if found.over[stage, b]:
                factor, following = 0.0, place
                break
            stage += 1
            own = [k for k in range(movers) if found.learns[stage, b, k] and found.players[stage, b, k] == player]
            if own:
                following = (stage * batch + b) * movers + own[0]
                break
        assert told.reward[index] == pytest.approx(reward, abs=1e-5)
        assert told.discount[index] == pytest.approx(factor, abs=1e-6)
        assert told.following[index] == following
    assert bool(found.over.any()) == (game_id == "leduc_poker")
    assert len(seen) > batch


def test_what_the_critic_sees_is_held_once_where_it_sees_no_more() -> None:
    found, _ = played("kuhn_poker")
    assert found.states is found.observations
    meta = joined([found, found]).to(torch.device("meta"))
    assert meta.states is meta.observations
    assert meta.observations.shape[1] == 2 * found.observations.shape[1]
    wider = found._replace(states=torch.cat([found.observations] * 2, dim=-1))
    both = joined([wider, wider])
    assert both.states.shape[-1] == 2 * both.observations.shape[-1]


def test_a_worker_sends_what_the_critic_sees_once() -> None:
    game = make("kuhn_poker")
    config = NetworkConfig(hidden=(4,))
    weights = networks_of(game, config).weights()
    told = play(
        np.random.SeedSequence(0), game=game, network=config, weights=weights, snapshot=None, num_envs=3, steps=4,
        source="rules", device="cpu", arrays=True,
    )  # fmt: skip
    sent = Rollout(*pickle.loads(pickle.dumps(told["rollout"], protocol=5)))
    assert sent.states is sent.observations
    first = told["rollout"]
    torch.testing.assert_close(torch.tensor(first[0]), torch.tensor(sent.observations))
