"""Hand-made games small enough to write down, for what no registered game does (breaking the contract above all)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from eqenvs.arrays import Array, device_of, namespace
from eqenvs.game import Game
from eqenvs.rules import CHANCE, TERMINAL, Rules
from eqenvs.spec import Family, GameSpec


class Node(NamedTuple):
    """A history of a hand-made game."""

    turn: int
    children: tuple[int, ...] = ()  # by action or outcome; -1 where illegal
    chance: tuple[float, ...] = ()
    key: int = 0  # the mover's information state
    seen: float = 0.0  # its observation
    pays: tuple[float, ...] = (0.0, 0.0)  # on arriving


class TreeState(NamedTuple):
    node: Array  # [B] int64


class TreeRules(Rules[TreeState]):
    """A game written as a list of nodes, node 0 the root."""

    def __init__(self, nodes: list[Node], num_actions: tuple[int, ...] = (2, 2)) -> None:
        self.nodes = nodes
        self.num_players = len(num_actions)
        self.num_actions = num_actions
        self.num_chance_outcomes = max(len(node.chance) for node in nodes)
        self.observation_size = 2  # PettingZoo warns of a single number
        width = max(*num_actions, self.num_chance_outcomes)
        self._children = np.array([[*node.children, *[-1] * (width - len(node.children))] for node in nodes])
        empty = [0.0] * self.num_chance_outcomes
        self._chance = np.array([node.chance or empty for node in nodes], dtype=np.float64)
        self._pays = np.array([node.pays for node in nodes], dtype=np.float64)

    def _read(self, table: list[Any] | np.ndarray, node: Array) -> Array:
        return namespace(node).asarray(np.asarray(table), device=device_of(node))[node]

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> TreeState:
        return TreeState(xp.zeros((batch,), dtype=xp.int64, device=device))

    def turn(self, state: TreeState) -> Array:
        return self._read([node.turn for node in self.nodes], state.node)

    def legal_actions(self, state: TreeState, player: Array) -> Array:
        return self._read(self._children[:, : self.max_actions] >= 0, state.node)

    def chance_probabilities(self, state: TreeState) -> Array:
        return self._read(self._chance, state.node)

    def apply(self, state: TreeState, actions: Array) -> tuple[TreeState, Array]:
        xp = namespace(actions)
        rows = self._read(self._children, state.node)
        node = xp.maximum(xp.take_along_axis(rows, actions[:, None], axis=1)[:, 0], 0 * actions)
        return TreeState(node), self._read(self._pays, node)

    def observation(self, state: TreeState, player: Array) -> Array:
        return self._read(np.array([[node.seen, 1.0] for node in self.nodes], dtype=np.float32), state.node)

    def information_state(self, state: TreeState, player: Array) -> Array:
        return self._read([[node.key] for node in self.nodes], state.node)

    def describe_information_state(self, player: int, key: Array) -> str:
        return f"key{int(key[0])}"


class Builder:
    """A picklable `build` without parameters."""

    def __init__(self, rules: Any) -> None:
        self.rules = rules

    def __call__(self) -> Any:
        return self.rules


class HandMade:
    """What the tests of this folder make games with."""

    Node, Rules, CHANCE, TERMINAL = Node, TreeRules, CHANCE, TERMINAL

    @staticmethod
    def game(definition: Any, *, constant_sum: bool = True, family: Family = Family.EXTENSIVE_FORM) -> Game:
        """A game from rules or a model."""
        return Game(
            GameSpec(
                id="hand_made",
                family=family,
                title="hand-made",
                build=Builder(definition),
                constant_sum=constant_sum,
                source="this test",
            )
        )

    @classmethod
    def guess(cls) -> list[Node]:
        """Chance shows a coin (1/4 heads) to player 0, who bets or not; player 1 guesses it, blind to the coin.

        Both see nothing of each other; the payoffs are no symmetric ones. 7 terminals with 3 of player 1's sequences.
        """
        end = cls.TERMINAL
        return [
            Node(cls.CHANCE, (1, 2), (0.25, 0.75)),
            Node(0, (3, 4), key=0, seen=0.0),
            Node(0, (5, 6), key=1, seen=1.0),
            Node(1, (7, 8), key=0, seen=0.5),
            Node(end, pays=(1.0, -1.0)),
            Node(1, (9, 10), key=0, seen=0.5),
            Node(end, pays=(-2.0, 2.0)),
            Node(end, pays=(3.0, -3.0)),
            Node(end, pays=(-1.0, 1.0)),
            Node(end, pays=(-4.0, 4.0)),
            Node(end, pays=(5.0, -5.0)),
        ]


@pytest.fixture(scope="session")
def hand_made() -> type[HandMade]:
    """Nodes, rules and games written by hand."""
    return HandMade
