"""The exact score of a joint policy of a phantom game on a small board, without enumerating its histories.

A history of these games is a pair of information states, one of each player, so that a best response needs only the
realisation weights of the opponent's information states that are consistent with each of the responder's. The passes,
and what makes them short, are in `_phantom_classic` and `_phantom_abrupt`.

A policy is asked once about each information state at which something is decided, a block at a time: what is left out
has one legal action, or in the classic game one empty cell, which whoever moves takes in the end.

Cost, of a NashConv in one core: classic phantom tic-tac-toe or 3x3 dark hex 2 to 3 s and 0.2 GB, abrupt 28 s and
1.4 GB, less if the policy is near-deterministic; and the policy's own time for 2.6 or 14.6 million information states.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import eqenvs
from eqenvs.arrays import BoolArray, Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.games.extensive_form._phantom_board import PhantomBoard
from eqenvs.games.extensive_form._phantom_states import Nodes, Sequences, enumerate_nodes, enumerate_sequences
from eqenvs.policies import JointPolicy, components, player_entries, private_mixture
from eqsolvers.scoring import _phantom_abrupt, _phantom_classic
from eqsolvers.scoring._phantom_plans import plan_of
from eqsolvers.scoring.score import Score, ScoreKind

FEWEST_CELLS = 4


class PhantomScorer:
    """Judges joint policies of one game, exactly; a `Scorer` but for tables, of which there would be gigabytes.

    Attributes:
        threads: 2 to work out both players' best responses at once.
    """

    def __init__(self, game: Game, *, threads: int = 1) -> None:
        rules = game.rules
        if not isinstance(rules, PhantomBoard) or rules.scorer is None or rules.num_cells < FEWEST_CELLS:
            raise UnsupportedGame(f"{game!r} is no phantom game on a board of {FEWEST_CELLS} to 9 cells")
        self.threads = threads
        self._num_cells, self._abrupt = rules.num_cells, rules.abrupt
        self._wins: BoolArray = rules.winning_sets()

    def score(self, policy: JointPolicy) -> Score:
        """The exact score; of the gaps of a correlation device the CCE gap only."""
        drawn, weights = components(policy, 2)
        players = [self._enumerated(player) for player in range(2)]
        entries = [player_entries(component, 2) for component in drawn]
        plans = [
            self._plan(player, players[player], [entry[player] for entry in entries], weights) for player in range(2)
        ]
        (best_0, own_0), (best_1, own_1) = self._respond(players, plans)
        best = np.array([best_0, best_1])
        apart = _zero_sum((own_0 - own_1) / 2)  # equal up to rounding
        gains = np.maximum(0.0, best - apart)
        total = float(gains.sum())
        if len(drawn) == 1:
            return Score(
                values=apart,
                gains=gains,
                ce_gap=total,
                efce_gap=total,
                efcce_gap=total,
                cce_gap=total,
                kind=ScoreKind.EXACT,
                normaliser=2,
            )
        values = _zero_sum(sum(w * self._value(players, entry) for w, entry in zip(weights, entries, strict=True)))
        return Score(
            values=values,
            gains=gains,
            cce_gap=float(np.maximum(0.0, best - values).sum()),
            kind=ScoreKind.EXACT,
            normaliser=2,
        )

    def best_response_value(self, player: int, policy: JointPolicy) -> float:
        """The most that a player can get against the other's policy; its own entries do not matter."""
        drawn, weights = components(policy, 2)
        players = [self._enumerated(p) for p in range(2)]
        entries = [player_entries(component, 2)[1 - player] for component in drawn]
        plan = self._plan(1 - player, players[1 - player], entries, weights)
        plans = [plan, plan]
        plans[player] = np.zeros(len(players[player][0].success))
        return self._best(player, players, plans)[0]

    def best_response(self, player: int, policy: JointPolicy) -> tuple[float, Float64Array]:
        """Not offered; `best_response_value` is."""
        raise UnsupportedGame("the best response of a phantom game of this size is not kept as a table, only its value")

    def values(self, tables: Sequence[Float64Array]) -> Float64Array:
        """Not offered, because the order of the information states is not public; `score` takes any policy."""
        raise UnsupportedGame("a phantom game of this size takes no tables: give `score` a function policy")

    def warm_up(self) -> None:
        """Compile the passes, or load them, on a small board."""
        small = eqenvs.make("dark_hex", board_size=2, abrupt=self._abrupt)
        PhantomScorer(small).score(lambda _, states: states.uniform())

    def _enumerated(self, player: int) -> tuple[Nodes, Sequences]:
        nodes = enumerate_nodes(player, self._wins, self._abrupt, deciding=True)
        return nodes, enumerate_sequences(nodes)

    def _plan(
        self, player: int, states: tuple[Nodes, Sequences], entries: Sequence[Any], weights: Float64Array
    ) -> Float64Array:
        """The plan of one player's private mixture of what it plays in each component."""
        policies: list[Any] = []
        shares: list[float] = []
        for entry, weight in zip(entries, weights, strict=True):
            members, within = private_mixture(entry, player)
            policies += members
            shares += (weight * within).tolist()
        return plan_of(player, *states, self._num_cells, policies, shares)

    def _value(self, players: Sequence[tuple[Nodes, Sequences]], entries: Sequence[Any]) -> float:
        """Player 0's payoff under one component."""
        one = np.ones(1)
        return self._best(0, players, [self._plan(p, players[p], [entries[p]], one) for p in range(2)])[1]

    def _respond(
        self, players: Sequence[tuple[Nodes, Sequences]], plans: Sequence[Float64Array]
    ) -> list[tuple[float, float]]:
        if self.threads == 1:
            return [self._best(player, players, plans) for player in range(2)]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(lambda player: self._best(player, players, plans), range(2)))

    def _best(
        self, player: int, players: Sequence[tuple[Nodes, Sequences]], plans: Sequence[Float64Array]
    ) -> tuple[float, float]:
        """A player's best payoff, and its payoff as it plays."""
        respond = _phantom_abrupt.respond if self._abrupt else _phantom_classic.respond
        own, other = players[player][0], players[1 - player][0]
        best, played = respond(player, own, plans[player], other, plans[1 - player], self._wins, self._num_cells)
        return float(best), float(played)


def _zero_sum(value: float) -> Float64Array:
    return np.array([value, -value])


SCORER = PhantomScorer
