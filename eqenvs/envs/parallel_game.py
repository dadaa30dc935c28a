"""A PettingZoo Parallel environment as a game that learners with networks can train on.

All that it offers is play: what its rules are is the environment's own affair, so nothing can be enumerated, and scores
come from elsewhere (the return of the policy in the environment, or a response trained against it).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from eqenvs.arrays import Array
from eqenvs.envs.batched_parallel import BatchedParallelEnv, MakeParallelEnv
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.rules import Rules
from eqenvs.spec import Family, GameSpec


class EnvironmentRules(Rules[Any]):
    """What an environment says of itself; it cannot be asked about a state that it is not in.

    Args:
        env: one batch of it, of any size.
        discount: a step.
    """

    simultaneous = True

    def __init__(self, env: BatchedParallelEnv, discount: float) -> None:
        if not 0 <= discount <= 1:
            raise InputError(f"discount must be a number from 0 to 1, got {discount!r}")
        self.num_players, self.num_actions = env.num_players, env.num_actions
        self.observation_size, self.discount = env.observation_size, discount
        self.num_chance_outcomes = 0

    def _no(self) -> NoReturn:
        raise UnsupportedGame("a Parallel environment has no rules to ask: it can only be played")

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> Any:
        """See `Rules`; refused."""
        self._no()

    def turn(self, state: Any) -> Array:
        """See `Rules`; refused."""
        self._no()

    def legal_actions(self, state: Any, player: Array) -> Array:
        """See `Rules`; refused."""
        self._no()

    def apply(self, state: Any, actions: Array) -> tuple[Any, Array]:
        """See `Rules`; refused."""
        self._no()

    def observation(self, state: Any, player: Array) -> Array:
        """See `Rules`; refused."""
        self._no()

    def information_state(self, state: Any, player: Array) -> Array:
        """See `Rules`; refused."""
        self._no()


class _Builder:
    """A picklable `build`."""

    def __init__(self, make_env: MakeParallelEnv, discount: float, horizon: int | None) -> None:
        self.told = make_env, discount, horizon

    def __call__(self) -> EnvironmentRules:
        make_env, discount, horizon = self.told
        return EnvironmentRules(BatchedParallelEnv(make_env, 1, horizon=horizon), discount)


class ParallelGame(Game):
    """A Parallel environment, to train on.

    Args:
        make_env: makes one environment; a function of a module, to be sent to workers.
        discount: what a step later counts.
        horizon: see `BatchedParallelEnv`.

    Raises:
        InputError: if `make_env` makes no Parallel environment, or a number is out of range.
        UnsupportedGame: if an action space is not Discrete.
    """

    def __init__(self, make_env: MakeParallelEnv, *, discount: float = 1.0, horizon: int | None = None) -> None:
        self._told = make_env, discount, horizon
        super().__init__(
            GameSpec(
                id="parallel_environment",
                family=Family.MARKOV,
                title="A PettingZoo Parallel environment",
                build=_Builder(make_env, discount, horizon),
                constant_sum=False,
                exact=False,
                source="its own",
            )
        )

    def __reduce__(self) -> tuple[Callable[..., Game], tuple[Any, ...]]:
        return _remake, self._told

    def vector_env(  # type: ignore[override]  # a batch of environments that keeps the same contract
        self, num_envs: int, device: str = "cpu", *, library: str | None = None, max_cycles: int | None = None
    ) -> BatchedParallelEnv:
        """A batch of environments, on the CPU.

        Raises:
            InputError: if another device is asked for, or `max_cycles`: environments truncate themselves.
        """
        if device != "cpu" or library not in (None, "numpy") or max_cycles is not None:
            raise InputError("a Parallel environment plays on the cpu, with numpy, and truncates itself")
        make_env, _, horizon = self._told
        return BatchedParallelEnv(make_env, num_envs, horizon=horizon)


def _remake(make_env: MakeParallelEnv, discount: float, horizon: int | None) -> ParallelGame:
    return ParallelGame(make_env, discount=discount, horizon=horizon)
