"""A game instance: one definition with three faces (environments, batched simulator, exact model)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from eqenvs.arrays import make_backend
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame
from eqenvs.models import InformationStates, Model, NormalFormModel
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.normal_form_rules import NormalFormRules, constant_sum, num_histories
from eqenvs.rules import Rules
from eqenvs.spec import Fact, Family, GameSpec

if TYPE_CHECKING:
    from eqenvs.envs.aec import GameAECEnv
    from eqenvs.envs.parallel import GameParallelEnv
    from eqenvs.envs.population import PopulationEnv
    from eqenvs.envs.tables import TableEnv
    from eqenvs.envs.vector import VectorEnv


class Definition(Protocol):
    """What a game's file builds: rules, or a model that has generic rules."""

    @property
    def num_players(self) -> int:
        """N, as policies count players: of a mean-field game one for each population."""

    def as_rules(self) -> Rules[Any]:
        """The batched rules that environments and simulators run."""

    def as_model(self, name: str, max_size: int) -> tuple[Model, int]:
        """The exact model, and how many `Rules.size_unit` were enumerated for it."""


class Game:
    """A game with its parameters bound; made by `eqenvs.make`.

    Pickles as its id (its spec, where it is not registered) and parameters, so it travels to workers cheaply whatever
    has been computed from it.

    Attributes:
        spec: what the game's file says about it.
        parameters: all parameters, defaults included.
    """

    def __init__(self, spec: GameSpec, parameters: Mapping[str, Any] | None = None) -> None:
        self.spec = spec
        resolved = spec.resolve(parameters or {})
        try:
            self._definition: Definition = spec.build(**resolved)
        except InputError as error:
            if spec.id in str(error):
                raise
            raise type(error)(f"{spec.id}: {error}") from error  # what its file builds on does not know for whom
        # A parameter that was left to the game (None) is told as what the game made of it.
        self.parameters = {
            name: getattr(self._definition, name, None) if value is None else value for name, value in resolved.items()
        }
        self._enumerated: tuple[Model, int] | None = None

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.parameters.items())
        return f"{self.spec.id}({given})" if given else self.spec.id

    def __reduce__(self) -> tuple[Callable[..., Game], tuple[str | GameSpec, dict[str, Any]]]:
        from eqenvs import registry

        # A registered game travels by its id, so its spec may hold functions that cannot be pickled.
        registered = self.spec.id in registry.game_ids() and registry.spec(self.spec.id) is self.spec
        return (_remake, (self.spec.id, self.parameters)) if registered else (Game, (self.spec, self.parameters))

    @property
    def num_players(self) -> int:
        """N, as policies count players: of a mean-field game one for each population."""
        return self._definition.num_players

    @property
    def family(self) -> Family:
        """The model class."""
        return self.spec.family

    @property
    def constant_sum(self) -> bool:
        """Whether the players' payoffs add up to the same number at every end, as the spec declares."""
        return self._declared(self.spec.constant_sum)

    @property
    def exact(self) -> bool:
        """Whether the game can be enumerated within the default limit, as the spec declares."""
        count = self.size
        return self._declared(self.spec.exact) and (count is None or count <= DEFAULT_MAX_SIZE)

    @property
    def scored_exactly(self) -> bool:
        """Whether policies get exact scores: the game can be enumerated, or its rules name a scorer that need not."""
        return self.exact or (self._declared(self.spec.exact) and self.rules.scorer is not None)

    @cached_property
    def size(self) -> int | None:
        """How many histories or pairs of a state and a joint action the exact model has; see `GameSpec.size`."""
        return None if self.spec.size is None else self.spec.size(**self.parameters)

    def _declared(self, value: bool | Callable[..., bool]) -> bool:
        return value if isinstance(value, bool) else value(**self.parameters)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What is known of the game with these parameters."""
        return tuple(f for f in self.spec.facts if Game(self.spec, f.parameters).parameters == self.parameters)

    @cached_property
    def rules(self) -> Rules[Any]:
        """The batched rules; made from the model where the game is given as data.

        Raises:
            UnsupportedGame: if the model's family has no generic rules.
        """
        return self._definition.as_rules()

    def model(self, *, max_size: int = DEFAULT_MAX_SIZE) -> Model:
        """The exact model, built on first use and kept.

        Args:
            max_size: for games defined by rules, the most histories to enumerate; of a Markov game the most pairs of a
                state and a joint action.

        Raises:
            GameTooLargeError: if the game has more.
        """
        if self._enumerated is None or self._enumerated[1] > max_size:
            if self.size is not None and self.size > max_size:
                raise GameTooLargeError(
                    f"{self!r}: exact enumeration needs {self.size:,} {self.rules.size_unit} or more, the limit is "
                    f"max_size={max_size:,}; use smaller parameters, or score by simulation"
                )
            self._enumerated = self._definition.as_model(repr(self), max_size)
        return self._enumerated[0]

    @property
    def information_states(self) -> tuple[InformationStates, ...]:
        """The decision points of each player, from the exact model."""
        return self.model().information_states

    def information_state_labels(self, player: int) -> list[str]:
        """A readable name for each of a player's information states, in the model's order."""
        keys = self.information_states[player].keys
        return [self.rules.describe_information_state(player, key) for key in keys]

    def action_labels(self, player: int) -> list[str]:
        """A readable name for each of a player's actions."""
        return [self.rules.describe_action(player, action) for action in range(self.rules.num_actions[player])]

    def aec_env(self, *, max_cycles: int | None = None, render_mode: str | None = None) -> GameAECEnv:
        """A PettingZoo AEC environment.

        Args:
            max_cycles: decision stages at most, then truncation. A discounted Markov game that is left to itself is
                truncated where less than 1/1000 of the weight is left.
            render_mode: "ansi", "rgb_array" or "human", the view of a spectator; None: nothing is drawn.
        """
        from eqenvs.envs.aec import GameAECEnv

        return GameAECEnv(self, max_cycles=max_cycles, render_mode=render_mode)

    def parallel_env(self, *, max_cycles: int | None = None, render_mode: str | None = None) -> GameParallelEnv:
        """A PettingZoo Parallel environment; `max_cycles` steps at most, then truncation; see `aec_env`."""
        from eqenvs.envs.parallel import GameParallelEnv

        return GameParallelEnv(self, max_cycles=max_cycles, render_mode=render_mode)

    def vector_env(
        self, num_envs: int, device: str = "cpu", *, library: str | None = None, max_cycles: int | None = None
    ) -> VectorEnv:
        """`num_envs` games stepped together, with automatic reset.

        Args:
            num_envs: B, at least 1.
            device: "cpu" or a torch device.
            library: "numpy" or "torch"; default numpy on "cpu", torch elsewhere.
            max_cycles: decision stages after which a game is truncated; None as in `aec_env`.
        """
        from eqenvs.envs.vector import VectorEnv

        return VectorEnv(self.rules, num_envs, make_backend(device, library), max_cycles=max_cycles)

    def table_env(self, num_envs: int, *, max_cycles: int | None = None) -> TableEnv:
        """`num_envs` games stepped together through tables of the exact model: faster than `vector_env`, on the CPU.

        For Markov games and turn-based extensive-form games; `eqenvs.envs.tables` says in what the two differ.

        Args:
            num_envs: B, at least 1.
            max_cycles: see `vector_env`.

        Raises:
            GameTooLargeError: if the game cannot be enumerated.
            UnsupportedGame: for other games.
        """
        from eqenvs.envs.tables import TableEnv

        return TableEnv(self, num_envs, max_cycles=max_cycles)

    def population_env(self, num_envs: int = 1, *, max_cycles: int | None = None) -> PopulationEnv:
        """`num_envs` populations of a mean-field game stepped together on the CPU, agents by their states alone.

        Args:
            num_envs: B, at least 1.
            max_cycles: see `vector_env`.

        Raises:
            UnsupportedGame: for other games.
        """
        from eqenvs.envs.population import PopulationEnv

        return PopulationEnv(self, num_envs, max_cycles=max_cycles)


def _remake(game_id: str, parameters: Mapping[str, Any]) -> Game:
    from eqenvs import registry

    return registry.make(game_id, **parameters)


def repeated(game: Game, num_rounds: int, *, memory: int = 1, discount: float = 1.0, continuation: float = 1.0) -> Game:
    """The game in which a normal-form game is played up to `num_rounds` times and the payoffs add up.

    Joint actions are seen after every round: information states hold all of them, observations the last `memory`.

    Args:
        game: the stage game.
        num_rounds: the most rounds, at least 1.
        memory: joint actions in an observation, at least 0.
        discount: what a round later multiplies payoffs by, in [0, 1].
        continuation: the probability of another round after each but the last, in [0, 1].

    Raises:
        InputError: if a number is out of range.
        UnsupportedGame: if `game` is not in normal form.
    """
    stage = game.model()
    if not isinstance(stage, NormalFormModel):
        raise UnsupportedGame(f"repeated: {game.spec.id} is {game.spec.family}, only normal-form games can be repeated")
    build = _RepeatedBuilder(stage, num_rounds, memory, discount, continuation)
    spec = GameSpec(
        id=f"repeated_{game.spec.id}",
        family=Family.EXTENSIVE_FORM,
        title=f"{game.spec.title}, {num_rounds} rounds",
        build=build,
        constant_sum=game.constant_sum and constant_sum(stage, num_rounds, discount, continuation),
        size=build.histories,
        source=game.spec.source,
    )
    return Game(spec)


class _RepeatedBuilder:
    """A picklable `build` for a repeated game."""

    def __init__(
        self, stage: NormalFormModel, num_rounds: int, memory: int, discount: float, continuation: float
    ) -> None:
        self.stage, self.num_rounds, self.memory = stage, num_rounds, memory
        self.discount, self.continuation = discount, continuation

    def __call__(self) -> NormalFormRules:
        return NormalFormRules(self.stage, self.num_rounds, self.memory, self.discount, self.continuation)

    def histories(self) -> int:
        """How many histories the game has."""
        return num_histories(self.stage.num_actions, self.num_rounds, self.continuation)
