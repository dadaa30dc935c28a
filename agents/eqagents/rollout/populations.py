"""Agents of a mean-field game, and representatives beside them, as a batch of games: see `accompanied`.

What is shown of a decision is the number of its point, int64 and one wide: what networks see there follows from the
model, so policies are evaluated once for all who share a point, and a rollout stays small however wide an observation
is. On the CPU the agents are stepped by the compiled `PopulationEnv`; on torch, and from distributions that are not the
game's own, everybody is by the rules.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eqagents.rollout.accompanied import AccompaniedRules, drawn
from eqagents.rollout.games import Games, Shown, Source
from eqenvs.arrays import Float64Array, IntArray, make_backend
from eqenvs.envs.population import PopulationEnv, PopulationStep
from eqenvs.envs.vector import VectorStep
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.population_rules import PopulationRules
from eqenvs.rules import SIMULTANEOUS
from eqenvs.spec import Family, GameSpec

NEVER = 2**62  # stages after which games are truncated


class PopulationGames(Games):
    """B populations side by side, all who play told the numbers of their points in place of observations.

    Args:
        game: a mean-field game.
        num_envs: B.
        representatives: R, in each.
        device: cpu, or a torch device.
        source: auto; rules, or torch for these on torch wherever they run.

    Attributes:
        rules: the agents' and the representatives'.

    Raises:
        UnsupportedGame: of other games.
        InputError: if there are fewer representatives than populations, and not none.
    """

    def __init__(
        self, game: Game, num_envs: int, *, representatives: int = 0, device: str = "cpu", source: Source = "auto"
    ) -> None:
        agents = game.rules
        if not isinstance(agents, PopulationRules):
            raise UnsupportedGame(f"{game.spec.id}: populations are of mean-field games, this is {game.family.value}")
        self.rules = AccompaniedRules(agents, representatives)
        super().__init__(_game(self.rules), num_envs, device, source)
        self._by_rules, self._compiled = self._env, None
        if source == "auto" and device == "cpu":
            self._compiled = _Compiled(game.population_env(num_envs, max_cycles=NEVER), self.rules)
        model = self.rules.model
        role = torch.tensor(agents.roles, device=self.device)
        self._cells, self._sizes = role * model.num_states, torch.bincount(role, minlength=model.num_populations)

    def begin(self, seed: int) -> Shown:
        """Start all games."""
        self._env = self._compiled or self._by_rules
        return super().begin(seed)

    def begin_at(self, first: Float64Array, seed: int) -> Shown:
        """Start all games with everybody drawn from distributions [B, P, S]."""
        self._env = self._by_rules
        self._env.reset(seed)
        snapshot, backend = self._env.snapshot(), make_backend(str(self.device), "torch" if self._torch else "numpy")
        xp, shape = backend.xp, (self.num_envs, len(self.roles))
        population = xp.asarray(np.array(self.rules.roles) % first.shape[1], device=backend.device)
        rows = xp.asarray(np.ascontiguousarray(first), device=backend.device)[:, population]
        states = drawn(rows, xp.reshape(backend.stream(seed + 1).uniform(shape[0] * shape[1]), shape))
        agents = self.rules.agents.num_players
        state = snapshot.state._replace(agents=states[:, :agents], beside=states[:, agents:])
        return self._shown(self._env.restore(snapshot._replace(state=state)))

    def mean_field(self, points: Tensor) -> Tensor:
        """The agents' empirical distributions [..., P, S] float64 where everybody stands at points [..., N + R]."""
        states, populations = self.rules.model.num_states, len(self._sizes)
        cell = points[..., : len(self._cells)] % states + self._cells
        flat = cell.reshape(-1, cell.shape[-1])
        first = torch.arange(len(flat), device=flat.device)[:, None] * (populations * states)
        counts = torch.bincount((first + flat).reshape(-1), minlength=len(flat) * populations * states)
        return counts.view(*cell.shape[:-1], populations, states).double() / self._sizes[:, None]

    def _shown(self, step: VectorStep) -> Shown:
        shown = super()._shown(step)
        return shown._replace(observations=shown.keys)


class _Compiled:
    """The same players by the compiled environment, with as much of the interface of `VectorEnv` as play needs."""

    def __init__(self, env: PopulationEnv, rules: AccompaniedRules) -> None:
        self._env, self._rules, self._model = env, rules, rules.model

    def reset(self, seed: int) -> VectorStep:
        """Start all games."""
        self._stream = make_backend().stream(seed + 1)  # the representatives'
        step = self._env.reset(seed)
        self._beside = self._rules.walk.begun(self._uniform())
        return self._seen(step, np.zeros(self._beside.shape))

    def step(self, actions: IntArray) -> VectorStep:
        """Move in every game by actions [B, N + R]."""
        before, agents = self._last, self._env.num_agents
        after = self._env.step(actions[:, :agents])
        if self._rules.representatives == 0:
            return self._seen(after, np.zeros(self._beside.shape))
        walk, beside, chosen = self._rules.walk, self._beside, actions[:, agents:]
        moment = self._model.at(before.moments)
        received = walk.received(before.mean_field, moment, beside, chosen)
        if after.terminated:
            self._beside = walk.begun(self._uniform())
        else:
            self._beside = walk.moved(before.mean_field, moment, beside, chosen, self._uniform())
        return self._seen(after, received)

    def _uniform(self) -> Float64Array:
        shape = (self._env.num_envs, self._rules.representatives)
        found: Float64Array = self._stream.uniform(shape[0] * shape[1]).reshape(shape)
        return found

    def _seen(self, step: PopulationStep, received: Float64Array) -> VectorStep:
        self._last, count = step, len(step.states)
        states = np.concatenate([step.states, self._beside], axis=1)
        points = (step.moments[:, None] * self._model.num_states + states)[..., None]
        return VectorStep(
            players=np.full(count, SIMULTANEOUS),
            observations=points,
            masks=self._model.legal[states],
            keys=points,
            rewards=np.concatenate([step.rewards, received], axis=1),
            terminated=np.full(count, step.terminated),
            truncated=np.zeros(count, dtype=np.bool_),
        )


def _game(rules: AccompaniedRules) -> Game:
    return Game(
        GameSpec(
            id="accompanied_population",
            family=Family.MEAN_FIELD,
            title="Agents of a mean-field game and representatives",
            build=lambda: rules,
            constant_sum=False,
            source="",
        )
    )
