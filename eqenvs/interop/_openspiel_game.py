"""A game here as a Python game of OpenSpiel; imported where OpenSpiel is installed.

States step the game's rules, one game at a time, so any game can be exported, enumerable or not. Players who move at
once do so one after the other in the players' order, none seeing the others' choices. Cost: some 50 to 200 microseconds
a move.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, namespace
from eqenvs.errors import GameTooLargeError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models import ExtensiveFormModel
from eqenvs.rules import CHANCE, TERMINAL, Rules

try:
    import pyspiel
except ImportError:  # modules are looked at where it is not installed, too; `openspiel.to_game` says so
    pyspiel = SimpleNamespace(Game=object, State=object)

NUMPY = namespace(np.zeros(0))
UNKNOWN_LENGTH = 1_000_000  # moves, where a game has no end by itself and none is asked for


@dataclass(frozen=True, eq=False)
class Position:
    """Where a game stands; never changed, so copies are the same object.

    Attributes:
        rules: of the game.
        most: decision stages after which the game is cut off; None for no limit.
        state: of the rules, a batch of one.
        rewards: collected so far, discounted, [N].
        stages: decision stages so far.
        acting: who moves at this stage, in order; empty where chance moves or the game is over.
        chosen: what the first of them chose.
        over: whether it has ended or was cut off.
    """

    rules: Rules[Any]
    most: int | None
    state: Any
    rewards: Float64Array
    stages: int
    acting: tuple[int, ...]
    chosen: tuple[int, ...]
    over: bool

    def __deepcopy__(self, memo: object) -> Position:
        return self

    @classmethod
    def start(cls, rules: Rules[Any], most: int | None) -> Position:
        """The first."""
        state = rules.initial_state(1, NUMPY)
        return cls._of(rules, most, state, np.zeros(rules.num_players), 0)

    @classmethod
    def _of(cls, rules: Rules[Any], most: int | None, state: Any, rewards: Float64Array, stages: int) -> Position:
        turn = int(rules.turn(state)[0])
        cut = most is not None and stages >= most and turn != CHANCE
        acting = () if turn in (CHANCE, TERMINAL) or cut else tuple(np.flatnonzero(rules.acting(state)[0]).tolist())
        return cls(rules, most, state, rewards, stages, acting, (), turn == TERMINAL or cut)

    @property
    def mover(self) -> int:
        """A player, CHANCE or TERMINAL."""
        if self.over:
            return TERMINAL
        return self.acting[len(self.chosen)] if self.acting else CHANCE

    def legal(self, player: int) -> list[int]:
        """The player's legal actions."""
        mask = self.rules.legal_actions(self.state, np.array([player]))[0]
        found: list[int] = np.flatnonzero(mask).tolist()
        return found

    def outcomes(self) -> list[tuple[int, float]]:
        """Of a move of chance, those that can be."""
        chances = self.rules.chance_probabilities(self.state)[0]
        return [(int(outcome), float(chances[outcome])) for outcome in np.flatnonzero(chances > 0)]

    def moved(self, action: int) -> Position:
        """After the mover's action or chance's outcome."""
        rules = self.rules
        if self.acting and len(self.chosen) + 1 < len(self.acting):
            return replace(self, chosen=(*self.chosen, action))
        if rules.simultaneous:
            actions = np.zeros((1, rules.num_columns), dtype=np.int64)
            if self.acting:
                actions[0, list(self.acting)] = (*self.chosen, action)
            else:
                actions[0, rules.num_players :] = action
        else:
            actions = np.array([action])
        state, rewards = rules.apply(self.state, actions)
        total = self.rewards + rules.discount**self.stages * rewards[0]
        return self._of(rules, self.most, state, total, self.stages + bool(self.acting))

    def label(self, player: int) -> str:
        """What tells the player's information states apart, its own choice that is not carried out yet included."""
        key = self.rules.information_state(self.state, np.array([player]))[0]
        label = self.rules.describe_information_state(player, key)
        if player in self.acting[: len(self.chosen)]:
            label += f" > {self.chosen[self.acting.index(player)]}"
        return f"{player}: {label}"

    def view(self, player: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        """What the player sees, [D]."""
        seen: np.ndarray[Any, np.dtype[np.float32]] = self.rules.observation(self.state, np.array([player]))[0]
        return seen


class ExportedState(pyspiel.State):  # type: ignore[misc]
    """A state; see `pyspiel.State`."""

    def __init__(self, game: ExportedGame) -> None:
        super().__init__(game)
        self.position = game.first

    def current_player(self) -> int:
        """See `pyspiel.State`."""
        mover = self.position.mover
        if mover >= 0:
            return mover
        return int(pyspiel.PlayerId.TERMINAL if mover == TERMINAL else pyspiel.PlayerId.CHANCE)

    def _legal_actions(self, player: int) -> list[int]:
        return self.position.legal(player)

    def chance_outcomes(self) -> list[tuple[int, float]]:
        """See `pyspiel.State`."""
        return self.position.outcomes()

    def _apply_action(self, action: int) -> None:
        self.position = self.position.moved(int(action))

    def _action_to_string(self, player: int, action: int) -> str:
        return f"chance {action}" if player < 0 else self.position.rules.describe_action(player, action)

    def is_terminal(self) -> bool:
        """See `pyspiel.State`."""
        return self.position.over

    def returns(self) -> list[float]:
        """Of the whole game, at its end; 0 before."""
        found: list[float] = (self.position.rewards * self.position.over).tolist()
        return found

    def __str__(self) -> str:
        return " ".join(map(str, self.history()))


class Observer:
    """What a player sees; see `open_spiel.python.observation`."""

    def __init__(self, size: int) -> None:
        self.tensor = np.zeros(size, np.float32)
        self.dict = {"observation": self.tensor}

    def set_from(self, state: ExportedState, player: int) -> None:
        """See the module named above."""
        self.tensor[:] = state.position.view(player)

    def string_from(self, state: ExportedState, player: int) -> str:
        """The information state."""
        return state.position.label(player)


class ExportedGame(pyspiel.Game):  # type: ignore[misc]
    """A game; see the module.

    Args:
        game: the game.
        max_cycles: decision stages after which it is cut off; None: as the game's environments do.

    Raises:
        UnsupportedGame: chance's outcomes are not listed.
    """

    def __init__(self, game: Game, max_cycles: int | None = None) -> None:
        rules = game.rules
        if rules.chance_draws:
            raise UnsupportedGame(
                f"{game.spec.id}: draws chance moves from a continuum, which OpenSpiel has no form for"
            )
        self.first = Position.start(rules, rules.default_max_cycles if max_cycles is None else max_cycles)
        low, high, length = _bounds(game, self.first.most)
        kinds = pyspiel.GameType
        utility = kinds.Utility.GENERAL_SUM
        total = _sum_of_payoffs(self.first) if game.constant_sum else None
        if total is not None:
            utility = kinds.Utility.ZERO_SUM if total == 0 else kinds.Utility.CONSTANT_SUM
        chance = rules.num_chance_outcomes > 0
        kind = kinds(
            short_name=f"eqenvs_{game.spec.id}",
            long_name=game.spec.title,
            dynamics=kinds.Dynamics.SEQUENTIAL,
            chance_mode=kinds.ChanceMode.EXPLICIT_STOCHASTIC if chance else kinds.ChanceMode.DETERMINISTIC,
            information=kinds.Information.IMPERFECT_INFORMATION,
            utility=utility,
            reward_model=kinds.RewardModel.TERMINAL,
            max_num_players=rules.num_players,
            min_num_players=rules.num_players,
            provides_information_state_string=True,
            provides_information_state_tensor=False,  # observations may leave out what the player itself did
            provides_observation_string=True,
            provides_observation_tensor=True,
            provides_factored_observation_string=False,
        )
        info = pyspiel.GameInfo(
            num_distinct_actions=rules.max_actions,
            max_chance_outcomes=rules.num_chance_outcomes,
            num_players=rules.num_players,
            min_utility=low,
            max_utility=high,
            utility_sum=total,
            max_game_length=length,
        )
        super().__init__(kind, info, {})

    def new_initial_state(self) -> ExportedState:
        """See `pyspiel.Game`."""
        return ExportedState(self)

    def make_py_observer(self, iig_obs_type: Any = None, params: Any = None) -> Observer:
        """See `pyspiel.Game`; every observer says the information state."""
        return Observer(self.first.rules.observation_size)


def _bounds(game: Game, most: int | None) -> tuple[float, float, int]:
    """The least and the largest payoff, and the most moves of players; infinite where they are not known."""
    unknown = float("-inf"), float("inf"), UNKNOWN_LENGTH if most is None else most * game.rules.num_players
    if not game.exact:
        return unknown
    try:
        model = game.model()
    except GameTooLargeError:
        return unknown
    if not isinstance(model, ExtensiveFormModel):
        return unknown
    return float(model.payoffs.min()), float(model.payoffs.max()), len(model.level_start) - 1


def _sum_of_payoffs(position: Position) -> float:
    """Of a constant-sum game, from one game of first actions."""
    while not position.over:
        action = position.outcomes()[0][0] if position.mover == CHANCE else position.legal(position.mover)[0]
        position = position.moved(action)
    return float(position.rewards.sum())
