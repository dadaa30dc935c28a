"""Steps that a learner is told of: what N agents, or representatives who follow them unseen, did in a shared rollout.

The play is `eqagents.rollout.rollout` of `PopulationGames`; what is particular here is who plays and what is kept of
it. Policies are evaluated once a stage for all states, as agents are many and states are few: that is a table, or
networks that see the agents' empirical distribution. Steps are kept as numbers of *points*, a look (one population at
one decision) times a state; what is seen at a point follows from the model, so that a step takes four numbers however
wide an observation is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from eqagents.configuration import Settings
from eqagents.rollout.cast import Cast
from eqagents.rollout.play import rollout
from eqagents.rollout.populations import PopulationGames
from eqagents.rollout.trajectory import Rollout
from eqenvs.arrays import Float64Array, IntArray, make_backend
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import PopulationRules

STEPS, SETTLE = 50, 100  # of games without a horizon, where nothing else is asked for

# To lay them out costs more than a stage of play; what is kept refers to the game's rules and not to the game.
_KEPT: WeakKeyDictionary[Game, dict[tuple[Any, ...], PopulationGames]] = WeakKeyDictionary()

# From the moments [B] and what counts the empirical distributions [B, P, S] to everybody's action probabilities in all
# states, [B, P, S, A] float64.
Act: TypeAlias = Callable[[Tensor, Callable[[], Tensor]], Tensor]


class SamplingConfig(Settings):
    """Play to learn from in one iteration."""

    tasks: int = Field(default=1, ge=1, description="simulations that are shared out to workers")
    episodes: int = Field(default=4, ge=1, description="populations side by side in each of them")
    steps: int | None = Field(
        default=None, ge=1, description="decisions of an episode to learn from; default the horizon, 50 without one"
    )
    settle: int | None = Field(
        default=None, ge=0, description="decisions before those, without a horizon, for the population to rest; 100"
    )
    representatives: int = Field(
        default=0, ge=0, description="players of no weight who explore and are learnt from; 0: learn from the agents"
    )
    exploration: float = Field(
        default=0.2, ge=0, le=1, description="probability of a random action of a representative"
    )
    device: str = Field(default="cpu", description="where the agents play: cpu, or a torch device")
    library: str | None = Field(default=None, description="numpy or torch; default numpy on the cpu")


class Experience(NamedTuple):
    """Steps of the players of one population.

    Attributes:
        point: [n] int64, look * S + state.
        action: [n] int64.
        reward: [n] float64.
        after: [n] int64, the point a step later; -1 where the game was over. A truncated game is not over.
    """

    point: IntArray
    action: IntArray
    reward: Float64Array
    after: IntArray


class Looks(NamedTuple):
    """Populations at their decisions.

    Attributes:
        moment: [L] int64, in the model's order.
        mean_field: [L, P, S] float64, empirical.
    """

    moment: IntArray
    mean_field: Float64Array


class Play(NamedTuple):
    """What was seen, by population.

    Attributes:
        looks: what points refer to.
        experience: [P], one batch of steps each.
    """

    looks: Looks
    experience: tuple[Experience, ...]


def rules_of(game: Game, where: str) -> PopulationRules:
    """The rules of N agents.

    Raises:
        InputError: if the game is no mean-field game.
    """
    if not isinstance(game.rules, PopulationRules):
        raise InputError(f"{where}: learns mean-field games from N agents, {game.spec.id} is {game.family.value}")
    return game.rules


def merged(plays: Sequence[Play]) -> Play:
    """Several plays as one."""
    states = plays[0].looks.mean_field.shape[2]
    first = np.cumsum([0, *(len(play.looks.moment) * states for play in plays)])
    experience = []
    for parts in zip(*(play.experience for play in plays), strict=True):
        moved = [
            part._replace(point=part.point + shift, after=np.where(part.after < 0, -1, part.after + shift))
            for part, shift in zip(parts, first[:-1], strict=True)
        ]
        experience.append(Experience(*(np.concatenate(column) for column in zip(*moved, strict=True))))
    looks = Looks(*(np.concatenate(column) for column in zip(*(play.looks for play in plays), strict=True)))
    return Play(looks, tuple(experience))


def by_moment(play: Play, population: int) -> Experience:
    """A population's steps with points numbered moment * S + state, as the model's information states are."""
    states, found = play.looks.mean_field.shape[2], play.experience[population]

    def renumbered(point: IntArray) -> IntArray:
        numbered: IntArray = play.looks.moment[point // states] * states + point % states
        return numbered

    after = np.where(found.after < 0, -1, renumbered(np.maximum(found.after, 0)))
    return found._replace(point=renumbered(found.point), after=after)


def play_of(
    game: Game,
    sampling: SamplingConfig,
    rng: np.random.Generator,
    act: Act,
    *,
    explore: Act | None = None,
    first: Float64Array | None = None,
) -> Play:
    """Let N agents play, some populations of them side by side.

    Args:
        game: whose agents play.
        sampling: how many populations, for how long, with how many representatives.
        rng: of all randomness.
        act: the agents' policy.
        explore: the representatives', before `exploration`; default the agents' own.
        first: [B, P, S], where the agents of each population begin; default the game's initial distributions.
    """
    sampler = Sampler(game, sampling, rng)
    return _recorded(sampler.games, *sampler.rollout(act, explore=explore, first=first))


class Sampler:
    """Populations that play again and again, from the beginning.

    Args:
        game: whose agents play.
        sampling: how many populations, for how long, with how many representatives.
        rng: of all randomness.

    Attributes:
        games: the populations.
    """

    def __init__(self, game: Game, sampling: SamplingConfig, rng: np.random.Generator) -> None:
        self._settle, self._steps = span(rules_of(game, "sampling").model, sampling)
        self._exploration, self._rng = sampling.exploration, rng
        self.games = _games_of(game, sampling)

    def rollout(
        self, act: Act, *, explore: Act | None = None, worth: Tensor | None = None, first: Float64Array | None = None
    ) -> tuple[Rollout, Tensor]:
        """What is played, and the points that it leads to [B, N + R]; see `play_of` and `Players`."""
        games, (chance, moves) = self.games, (int(word) for word in self._rng.integers(2**62, size=2))
        players = Players(games, act, explore, self._exploration, worth)
        cast = Cast(games.game, players, {}, games.num_envs, torch.Generator(games.device).manual_seed(moves))
        shown = games.begin(chance) if first is None else games.begin_at(first, chance)
        for _ in range(self._settle):
            _, shown = rollout(games, cast, shown, 1)
        found, shown = rollout(games, cast, shown, self._steps)
        return found, shown.observations[..., 0]


def _games_of(game: Game, sampling: SamplingConfig) -> PopulationGames:
    """Populations of this process, made once; whoever asks starts them anew."""
    make_backend(sampling.device, sampling.library)  # raises where the two do not fit
    kept = _KEPT.setdefault(game, {})
    key = (sampling.episodes, sampling.representatives, sampling.device, sampling.library)
    if key not in kept:
        kept[key] = PopulationGames(
            game,
            sampling.episodes,
            representatives=sampling.representatives,
            device=sampling.device,
            source="torch" if sampling.library == "torch" else "auto",
        )
    return kept[key]


class Players:
    """Everybody's policies, in place of the networks of a `Cast` without seats.

    Args:
        games: whose points are shown.
        act: the agents' policy.
        explore: the representatives'; default the agents' own.
        exploration: probability of a random action of a representative.
        worth: [I], values of the points, which a rollout stores; default 0.
    """

    def __init__(
        self,
        games: PopulationGames,
        act: Act,
        explore: Act | None = None,
        exploration: float = 0.0,
        worth: Tensor | None = None,
    ) -> None:
        model = games.rules.model
        self.num_actions = (model.num_actions,) * (max(games.rules.roles) + 1)
        self._games, self._act, self._explore = games, act, explore
        self._worth = None if worth is None else worth.to(games.device)
        self._exploration, self._states = exploration, model.num_states
        legal = torch.tensor(model.legal, dtype=torch.float64, device=games.device)
        self._random = legal / legal.sum(dim=1, keepdim=True)
        self._game = torch.arange(games.num_envs, device=games.device).repeat_interleave(len(games.roles))

    def log_policy(self, observations: Tensor, roles: Tensor, masks: Tensor) -> Tensor:
        """Log-probabilities [B * (N + R), A] of everybody in all games, in order, at points [B * (N + R), 1]."""
        games = self._games
        points = observations.view(games.num_envs, -1)
        moment = points[:, 0] // self._states

        def mean_field() -> Tensor:
            return games.mean_field(points)

        told = self._act(moment, mean_field)
        if games.rules.representatives:
            own = told if self._explore is None else self._explore(moment, mean_field)
            told = torch.cat([told, (1 - self._exploration) * own + self._exploration * self._random], dim=1)
        return told.float().log()[self._game, roles, observations[:, 0] % self._states]

    def values(self, states: Tensor, roles: Tensor) -> Tensor:
        """Values [n] of points [n, 1]."""
        if self._worth is None:
            return torch.zeros(len(states), device=states.device)
        return self._worth[states[:, 0]]


def _recorded(games: PopulationGames, found: Rollout, left: Tensor) -> Play:
    """What a rollout shows, and the points that it leads to [B, N + R]."""
    model = games.rules.model
    points = torch.cat([found.observations[..., 0], left[None]])
    state, look = points % model.num_states, torch.arange(len(points) * games.num_envs, device=points.device)
    numbered = look.view(-1, games.num_envs, 1) * model.num_states + state
    columns = (
        numbered[:-1],
        found.actions,
        found.rewards.double(),
        torch.where(found.over[..., None], -1, numbered[1:]),
    )
    ends = [0, *torch.bincount(games.roles).cumsum(0).tolist()]  # of the roles, which come in their order
    first = model.num_populations if games.rules.representatives else 0
    experience = tuple(
        Experience(*(column[..., ends[role] : ends[role + 1]].reshape(-1).cpu().numpy() for column in columns))
        for role in range(first, first + model.num_populations)
    )
    # Where all games are over nothing leads to the last look, which is of new ones.
    seen = points[:-1] if bool(found.over[-1].all()) else points
    moment = (seen[..., 0] // model.num_states).reshape(-1)
    mean_field = games.mean_field(seen).flatten(0, 1)
    return Play(Looks(moment.cpu().numpy(), mean_field.cpu().numpy()), experience)


def span(model: MeanFieldModel, sampling: SamplingConfig) -> tuple[int, int]:
    """Decisions before those that are learnt from, and how many these are.

    Raises:
        InputError: if a game with a horizon is asked to settle.
    """
    if model.horizon is not None:
        if sampling.settle:
            raise InputError(f"sampling.settle: the game ends after {model.horizon} decisions; use 0")
        return 0, model.horizon if sampling.steps is None else min(sampling.steps, model.horizon)
    return SETTLE if sampling.settle is None else sampling.settle, sampling.steps or STEPS


class TableAct:
    """A joint policy [M, P, S, A] as the agents' behaviour."""

    def __init__(self, policy: Float64Array) -> None:
        self._policy = torch.tensor(policy)

    def __call__(self, moment: Tensor, mean_field: Callable[[], Tensor]) -> Tensor:
        """See `Act`."""
        self._policy = self._policy.to(moment.device)
        return self._policy[moment]
