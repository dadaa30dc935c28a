"""Any Gymnasium environment against an adversary, as a PettingZoo Parallel environment; no model is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from eqenvs.arrays import BoolArray
from eqenvs.envs.episode import agent_names
from eqenvs.errors import IllegalActionError, InputError
from eqenvs.robust.perturbations import (
    ActionPerturbation,
    Choices,
    DynamicsPerturbation,
    ObservationPerturbation,
    Perturbation,
    adversary_choices,
)

MakeEnv: TypeAlias = Callable[[], gymnasium.Env[Any, Any]]
PROTAGONIST, ADVERSARY = agent_names(2)


class RobustParallelEnv(ParallelEnv):  # type: ignore[misc]  # pettingzoo is untyped for a strict checker
    """The protagonist `player_0` acts in the environment, the adversary `player_1` disturbs it.

    Actions and dynamics are disturbed while the protagonist acts: both agents move in every step. Observations are
    disturbed in turns: a step in which the adversary, who sees the truth, chooses what is shown (it pays nothing), then
    one in which the protagonist acts on that. `infos[agent]["acting"]` says who moves; of the other agent's action
    nothing is used, and it may be left out.

    Observation: the environment's; the adversary's is the true one, the protagonist's the disturbed one. After the end
    both see the true one, and while the first observation is still to be disturbed the protagonist sees zeros. An
    agent with a Discrete action space has it in a dict as `observation`, beside `action_mask`, int8 [A], which is also
    in `infos[agent]`: all actions of the protagonist (or the mask that the environment gives in its info, unless
    observations are disturbed), the adversary's legal ones. The adversary's dict also has, where they matter, its
    `last` choice and how much is `left` of its budget.
    Action: the protagonist's are the environment's. The adversary's, of a Box, are what is added, before the sum is
    clipped to the space; of a Discrete space, what replaces the value, or with a budget 0 to leave it alone and 1 +
    value; of dynamics, elements of the perturbation's space. What took effect is in
    `infos["player_1"]["perturbation"]`, None where nothing did.
    Reward: the environment's for the protagonist, the same with the other sign for the adversary.
    Termination and truncation: the environment's, for both agents; a time limit is a truncation.
    Pictures: the environment's, which is made with its `render_mode`.
    The environment's own info is passed on to both, or to the adversary only if observations are disturbed.

    Version History: v0, first version.
    """

    metadata: dict[str, Any] = {"name": "robust_v0", "render_modes": [], "render_fps": 1}  # noqa: RUF012 - PettingZoo's form

    def __init__(self, make_env: MakeEnv, perturbation: Perturbation) -> None:
        """Wrap one environment.

        Args:
            make_env: makes it; called once.
            perturbation: what the adversary may do.

        Raises:
            InputError: if `make_env` makes no environment, or the perturbation does not go with it.
        """
        env = make_env() if callable(make_env) else None
        if not isinstance(env, gymnasium.Env):
            raise InputError(f"make_env must be a function that makes a gymnasium.Env, got {make_env!r} -> {env!r}")
        known = ActionPerturbation | ObservationPerturbation | DynamicsPerturbation
        if not isinstance(perturbation, known):
            raise InputError(
                "perturbation must be an ActionPerturbation, ObservationPerturbation or DynamicsPerturbation, got "
                f"{perturbation!r}"
            )
        self.env, self.perturbation = env, perturbation
        self.metadata = {**type(self).metadata, **env.metadata, "name": type(self).metadata["name"]}
        self.render_mode = env.render_mode
        self.possible_agents = [PROTAGONIST, ADVERSARY]
        self.agents: list[str] = []
        self._adversary = adversary_choices(perturbation, env)
        self._shows = isinstance(perturbation, ObservationPerturbation)
        self.action_spaces = {PROTAGONIST: env.action_space, ADVERSARY: self._adversary.space}
        self.observation_spaces = {
            PROTAGONIST: self._observation_space(env.action_space, {}),
            ADVERSARY: self._observation_space(self._adversary.space, self._adversary.memory),
        }
        self._rng = np.random.default_rng()
        self._showing = False

    def _observation_space(self, actions: spaces.Space[Any], memory: dict[str, spaces.Space[Any]]) -> spaces.Space[Any]:
        parts = {"observation": self.env.observation_space, **memory}
        if isinstance(actions, spaces.Discrete):
            parts["action_mask"] = spaces.Box(0, 1, (int(actions.n),), np.int8)
        return spaces.Dict(parts) if len(parts) > 1 else self.env.observation_space

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The same object on every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The same object on every call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start a new episode; without a seed the randomness goes on where it was."""
        if seed is not None:
            # Not of the seed alone: the environment's own generator would draw the same numbers.
            self._rng = np.random.default_rng((seed, 1))
        self._true, self._info = self.env.reset(seed=seed, options=options)
        self._adversary.reset()
        self._effect: Any = None
        self._showing, self._seen = self._shows, self._blank() if self._shows else self._true
        self.agents = self.possible_agents[:]
        return self._look(over=False)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Make the moves of the agents that are to move.

        Raises:
            IllegalActionError: if an action is missing or illegal, the episode is over, or `reset` was not called.
        """
        if not self.agents:
            raise IllegalActionError("robust_v0: step() needs an episode in progress; call reset() first")
        for agent in actions:
            if agent not in self.agents:
                raise IllegalActionError(f"no live agent {agent!r}; live agents: {', '.join(self.agents)}")
        for agent in self._movers():
            if agent not in actions:
                raise IllegalActionError(f"{agent} is to move and was given no action")
        own = None if self._showing else self._checked(actions[PROTAGONIST])
        if ADVERSARY in self._movers():
            self._effect = self._adversary.take(actions[ADVERSARY], self._allowed())
        reward, terminated, truncated = 0.0, False, False
        if self._showing:
            self._seen, self._showing = self._shown(), False
        else:
            executed = self._before_step(own)
            self._true, paid, terminated, truncated, self._info = self.env.step(executed)
            reward, self._showing = float(paid), self._shows
            if not self._shows or terminated or truncated:
                self._seen = self._true
        over = bool(terminated or truncated)
        observations, infos = self._look(over)
        if over:
            self.agents = []
        rewards = {PROTAGONIST: reward, ADVERSARY: -reward}
        terminations = dict.fromkeys(self.possible_agents, bool(terminated))
        truncations = dict.fromkeys(self.possible_agents, bool(truncated))
        return observations, rewards, terminations, truncations, infos

    def _movers(self) -> list[str]:
        if self._shows:
            return [ADVERSARY] if self._showing else [PROTAGONIST]
        return self.possible_agents

    def _checked(self, action: Any) -> Any:
        space = self.env.action_space
        converted = np.asarray(action, dtype=space.dtype) if isinstance(space, spaces.Box) else action
        if not space.contains(converted):
            raise IllegalActionError(f"{PROTAGONIST}: action {action!r} is not in {space}")
        # Tables of environments are looked up by plain integers, not by arrays.
        return int(converted) if isinstance(space, spaces.Discrete) else converted

    def _allowed(self) -> BoolArray | None:
        """The choices that the perturbation leaves the adversary at present."""
        if isinstance(self.perturbation, ObservationPerturbation):
            allowed = self.perturbation.allowed
            return None if allowed is None else np.asarray(allowed)[int(self._true)]
        return self._given_mask() if isinstance(self.perturbation, ActionPerturbation) else None

    def _given_mask(self) -> BoolArray | None:
        """The mask over the protagonist's actions in the environment's info, if there is one."""
        mask, space = self._info.get("action_mask"), self.env.action_space
        if mask is None or not isinstance(space, spaces.Discrete) or np.shape(mask) != (int(space.n),):
            return None
        given = np.asarray(mask, dtype=bool)
        return given if given.any() else None

    def _before_step(self, action: Any) -> Any:
        """Disturb action or dynamics; the action to execute."""
        if isinstance(self.perturbation, DynamicsPerturbation):
            self.perturbation.apply(self.env, self._effect)
        if not isinstance(self.perturbation, ActionPerturbation):
            return action
        if isinstance(self._adversary, Choices):
            if self._effect is not None and self._rng.random() >= self.perturbation.alpha:
                self._effect = None
            return action if self._effect is None else self._effect
        return _added(self.env.action_space, action, self._effect)

    def _shown(self) -> Any:
        if isinstance(self._adversary, Choices):
            return self._true if self._effect is None else type(self._true)(self._effect)
        return _added(self.env.observation_space, self._true, self._effect)

    def _blank(self) -> Any:
        space = self.env.observation_space
        if isinstance(space, spaces.Box):
            return np.clip(np.zeros(space.shape, space.dtype), space.low, space.high)
        return np.int64(0)

    def _look(self, over: bool) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        movers = [] if over else self._movers()
        observations: dict[str, Any] = {}
        infos: dict[str, dict[str, Any]] = {}
        for agent, seen in ((PROTAGONIST, self._seen), (ADVERSARY, self._true)):
            mine = {} if agent == PROTAGONIST else self._adversary.told()
            infos[agent] = {} if self._shows and agent == PROTAGONIST else dict(self._info)
            infos[agent]["acting"] = agent in movers
            mask = self._mask(agent, agent in movers, over)
            if mask is not None:
                infos[agent]["action_mask"] = mask
                mine["action_mask"] = mask
            observations[agent] = {"observation": seen, **mine} if mine else seen
        infos[ADVERSARY]["perturbation"] = self._effect
        return observations, infos

    def _mask(self, agent: str, acting: bool, over: bool) -> NDArray[np.int8] | None:
        """The agent's legal actions; only action 0 where it is not to move, none after the end."""
        space = self.action_spaces[agent]
        if not isinstance(space, spaces.Discrete):
            return None
        mask = np.zeros(int(space.n), dtype=np.int8)
        if acting and agent == ADVERSARY:
            mask = np.asarray(self._adversary.mask(self._allowed()), dtype=np.int8)
        elif acting:
            given = None if self._shows else self._given_mask()
            mask = np.ones_like(mask) if given is None else given.astype(np.int8)
        else:
            mask[0] = not over
        if isinstance(self._adversary, Choices) and agent == ADVERSARY:
            self._adversary.space.legal = mask
        return mask

    def render(self) -> Any:
        """What the environment draws."""
        return self.env.render()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


def _added(space: spaces.Space[Any], value: Any, shift: Any) -> NDArray[Any]:
    assert isinstance(space, spaces.Box)
    disturbed: NDArray[Any] = np.clip(np.asarray(value) + shift, space.low, space.high).astype(space.dtype)
    return disturbed
