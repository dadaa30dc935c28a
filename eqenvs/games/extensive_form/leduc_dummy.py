"""Leduc poker in which every action comes in copies that do the same: "Leduc dummy", or m-clone Leduc.

McAleer, Lanier, Wang, Baldi and Fox (2021), "XDO: a double oracle algorithm for extensive-form games", NeurIPS: a game
with many actions of which few are needed, on which methods that restrict the actions are compared with those that do
not; Tang, Dinh, McAleer and Yang (2023), "Regret-minimizing double oracle for extensive-form games", ICML, use it too.
The rules are those of the second paper's program (github.com/xiaohangt/open_spiel, leduc_poker_dummy.cc, with two
copies): a player remembers which copies it took and does not see which ones the other took, so that recall is perfect
and the information sets multiply. In the first paper's program (an earlier state of that file) nobody remembers
copies: the information sets are those of Leduc poker, and recall is not perfect.

Values, and the equilibria up to which copies are taken, are those of Leduc poker.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, device_of, namespace
from eqenvs.games.extensive_form.leduc_poker import LeducPoker, LeducState
from eqenvs.games.extensive_form.leduc_poker import num_histories as leduc_histories
from eqenvs.spec import Fact, Family, GameSpec, Parameter

MOVES = 3  # fold, call, raise


class LeducDummy(LeducPoker):
    """Two-player Leduc poker with copies of the actions.

    Action numbers are copy * 3 + move; the state's history holds action numbers.

    Observation: float32 [38] or, under `suit_isomorphism`, [32], that of Leduc poker: moves without their copies.
    Actions: 0 fold, 1 call or check, 2 raise, 3 fold, 4 call or check, ...
    Reward: chips won at the end; zero-sum.

    Version history: 0, first version.
    """

    def __init__(self, action_copies: int = 2, suit_isomorphism: bool = False) -> None:
        super().__init__(suit_isomorphism=suit_isomorphism)
        self.action_copies = action_copies
        self.num_actions = (MOVES * action_copies,) * 2

    def legal_actions(self, state: LeducState, player: Array) -> Array:
        mask = super().legal_actions(state, player)
        return namespace(mask).concat([mask] * self.action_copies, axis=1)

    def apply(self, state: LeducState, actions: Array) -> tuple[LeducState, Array]:
        xp = namespace(actions)
        after, payoffs = super().apply(state, xp.where(self._chance(state), actions, actions % MOVES))
        new = (after.history >= 0) & (state.history < 0)
        return after._replace(history=xp.where(new, actions[:, None], after.history)), payoffs

    def _moves(self, state: LeducState) -> Array:
        """The history without copies."""
        return namespace(state.history).where(state.history < 0, state.history, state.history % MOVES)

    def observation(self, state: LeducState, player: Array) -> Array:
        return super().observation(state._replace(history=self._moves(state)), player)

    def information_state(self, state: LeducState, player: Array) -> Array:
        xp = namespace(player)
        slots = xp.arange(2 * self.slots, device=device_of(player))
        own = ((slots % self.slots) % 2)[None, :] == player[:, None]  # player 0 opens both rounds
        known = xp.where(own, state.history, self._moves(state))
        return super().information_state(state._replace(history=known), player)

    def public_observation(self, state: LeducState) -> Array:
        return super().public_observation(state._replace(history=self._moves(state)))

    def describe_information_state(self, player: int, key: Array) -> str:
        moves = np.asarray(key).copy()
        history = moves[2:]
        copies = [int(action) // MOVES for action in history if action >= 0]
        history[history >= 0] %= MOVES
        text = super().describe_information_state(player, moves)
        return f"{text} ({''.join(str(copy) for copy in copies)})" if any(copies) else text

    def describe_action(self, player: int, action: int) -> str:
        copy, move = divmod(action, MOVES)
        return super().describe_action(player, move) + (f" {copy}" if copy else "")


def num_histories(action_copies: int, suit_isomorphism: bool) -> int:
    """Histories: those of Leduc poker, as many of each as there are ways to choose the copies."""
    return leduc_histories(2, 3, 2, suit_isomorphism, action_copies)


def _fact(
    action_copies: int, suit_isomorphism: bool, terminals: int, infosets: list[int], sequences: list[int], solved: bool
) -> Fact:
    return Fact(
        source="value and play at random are those of Leduc poker; with m copies an information set after k own moves "
        "becomes m^k, and a history of k moves likewise",
        parameters={"action_copies": action_copies, "suit_isomorphism": suit_isomorphism},
        sizes={"terminals": terminals, "infosets": infosets, "sequences": sequences},
        values=(-0.085606424078, 0.085606424078) if solved else None,
        uniform_nash_conv=4.747222222222,
        tolerance=1e-10,
    )


SPEC = GameSpec(
    id="leduc_dummy",
    family=Family.EXTENSIVE_FORM,
    title="Leduc poker with copies of its actions",
    build=LeducDummy,
    constant_sum=True,
    size=num_histories,
    source="McAleer, Lanier, Wang, Baldi and Fox (2021), XDO, NeurIPS; Tang, Dinh, McAleer and Yang (2023), "
    "Regret-minimizing double oracle for extensive-form games, ICML",
    parameters=(
        Parameter(name="action_copies", default=2, low=1, high=100, description="copies of every action"),
        Parameter(
            name="suit_isomorphism",
            default=False,
            kind=bool,
            description="deal ranks instead of cards: same values, fewer information sets",
        ),
    ),
    facts=(
        _fact(1, False, 5520, [468, 468], [1093, 1093], solved=True),
        _fact(2, True, 73284, [735, 444], [3529, 1999], solved=True),
        _fact(2, False, 365880, [2430, 1464], [11665, 6589], solved=False),
    ),
)
