"""Games of OpenSpiel as games here, and policies both ways.

Lanctot et al. (2019), "OpenSpiel: a framework for reinforcement learning in games", arXiv 1908.09453.

A game is walked through once and kept as its tree, so any that can be enumerated is a game here: sequential or
simultaneous (its players then move one after the other, unseen), with chance that says its outcomes, and information
states of perfect recall. Actions have OpenSpiel's numbers, information sets its strings as names, payoffs are its
returns. Games of perfect information need not have such strings; their histories serve, only `to_policy` then has no
form. Cost: about 10 microseconds a history to read; then as any tree, see `eqenvs.tree_rules`.

Needs the package `open_spiel`, to read a game and to turn policies into OpenSpiel's.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float32Array
from eqenvs.errors import GameTooLargeError, InputError, UnsupportedGame, unknown_name
from eqenvs.game import Game
from eqenvs.interop._given import MAX_SIZE, given
from eqenvs.policies import TabularPolicy
from eqenvs.rules import CHANCE, TERMINAL
from eqenvs.spec import GameSpec
from eqenvs.tree_rules import Tree, TreeRules, numbered, require_fits

MAX_BYTES = 1 << 30  # of the information sets' names and of what is seen there
SCHEME = "openspiel"


def pyspiel() -> Any:
    """OpenSpiel's module.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module("pyspiel")
    except ImportError as error:
        raise InputError(f"{SCHEME}: needs the package open_spiel, see `pip install 'eqenvs[interop]'`") from error


@lru_cache(maxsize=4)
def spec(reference: str) -> GameSpec:
    """The game that OpenSpiel calls so.

    Args:
        reference: such as "leduc_poker" or "goofspiel(num_cards=4,imp_info=true)".

    Raises:
        InputError: OpenSpiel is absent, or knows no such game or parameter.
        UnsupportedGame: it is a mean-field game, or one whose chance or information states are not told.
        GameTooLargeError: it has more than 5 million histories, or says more than a GiB of its information states.
    """
    game = _loaded(reference)
    source = "OpenSpiel, Lanctot et al. (2019), arXiv 1908.09453"
    title = f"{game.get_type().long_name} (OpenSpiel)"
    return given(f"{SCHEME}:{reference}", title, tree_of(game, f"{SCHEME}:{reference}"), source)


def _loaded(reference: str) -> Any:
    """OpenSpiel's game, whose players move one at a time."""
    library = pyspiel()
    name = reference.partition("(")[0]
    if name not in library.registered_names():
        raise unknown_name("OpenSpiel game", name, library.registered_names())
    try:
        game = library.load_game(reference)
    except (library.SpielError, IndexError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())  # of C++, or of a loader's map::at
        raise InputError(f"{SCHEME}: cannot load {reference!r}: {reason}") from error
    kind = game.get_type()
    where = f"{SCHEME}:{reference}"
    if kind.dynamics == kind.dynamics.MEAN_FIELD:
        raise UnsupportedGame(f"{where} is a mean-field game, whose tree is not a game's; see `eqenvs games`")
    if kind.chance_mode == kind.chance_mode.SAMPLED_STOCHASTIC:
        raise UnsupportedGame(f"{where} draws its chance moves without saying the outcomes, and cannot be enumerated")
    if not kind.provides_information_state_string and not _by_history(kind):
        raise UnsupportedGame(f"{where} does not say what its players' information states are")
    return library.convert_to_turn_based(game) if kind.dynamics == kind.dynamics.SIMULTANEOUS else game


def _by_history(kind: Any) -> bool:
    """Whether information states are told by nothing but the history, which everybody knows."""
    if kind.provides_information_state_string or kind.dynamics != kind.dynamics.SEQUENTIAL:
        return False
    return bool(kind.information == kind.information.PERFECT_INFORMATION)


class _Decision(NamedTuple):
    """An information set, when it is met first."""

    label: str
    actions: list[int]
    view: Float32Array


class _Infosets:
    """One player's information sets, in the order in which they are met."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.found: list[_Decision] = []
        self.bytes = 0

    def at(self, label: str, actions: list[int], view: Callable[[], list[float]], where: str) -> int:
        number = self.number.get(label)
        if number is None:
            number = self.number[label] = len(self.found)
            self.found.append(_Decision(label, actions, np.array(view(), dtype=np.float32)))
            self.bytes += len(label) + self.found[-1].view.nbytes
            if self.bytes > MAX_BYTES:
                raise GameTooLargeError(
                    f"{where}: {number + 1:,} information states of a player take more than {MAX_BYTES >> 20:,} MiB; "
                    "use smaller parameters"
                )
        elif self.found[number].actions != actions:
            raise UnsupportedGame(
                f"{where}: information state {label!r} has legal actions {self.found[number].actions} and {actions}"
            )
        return number


def tree_of(game: Any, where: str) -> Tree:
    """The tree of one of OpenSpiel's sequential games.

    Args:
        game: a `pyspiel.Game`, C++ or Python.
        where: what it is called in messages.

    Raises:
        GameTooLargeError: see `spec`.
        UnsupportedGame: an information state has different legal actions.
    """
    players, kind = game.num_players(), game.get_type()
    by_history = _by_history(kind)
    infosets = [_Infosets() for _ in range(players)]
    player, infoset, first, count, chance = [0], [-1], [0], [0], [1.0]
    ends: list[int] = []
    returns: list[list[float]] = []
    names: list[dict[int, str]] = [{} for _ in range(players)]
    stack = [(0, game.new_initial_state())]
    while stack:
        node, state = stack.pop()
        if state.is_terminal():
            player[node] = TERMINAL
            ends.append(node)
            returns.append(state.returns())
            continue
        if state.is_chance_node():
            player[node] = CHANCE
            outcomes = state.chance_outcomes()
        else:
            mover = state.current_player()
            actions = state.legal_actions()
            outcomes = [(action, 1.0) for action in actions]
            view = _view(kind, state, mover)
            player[node] = mover
            label = state.history_str() if by_history else state.information_state_string(mover)
            infoset[node] = infosets[mover].at(label, actions, view, where)
            for action in actions:
                if action not in names[mover]:
                    names[mover][action] = state.action_to_string(mover, action)
        first[node], count[node] = len(player), len(outcomes)
        if len(player) + len(outcomes) > MAX_SIZE:
            raise GameTooLargeError(f"{where}: has more than {MAX_SIZE:,} histories; use smaller parameters")
        for action, probability in outcomes:
            stack.append((len(player), state.child(action)))
            for column, value in ((player, 0), (infoset, -1), (first, 0), (count, 0)):
                column.append(value)
            chance.append(probability)
    width = game.num_distinct_actions()
    require_fits(players, len(player), [(len(own.found), width) for own in infosets])
    payoffs = np.zeros((len(player), players))
    payoffs[ends] = returns
    return Tree(
        player=np.array(player),
        infoset=np.array(infoset),
        first_child=np.array(first),
        num_children=np.array(count),
        chance=np.array(chance),
        payoffs=payoffs,
        masks=tuple(_masks(own.found, width) for own in infosets),
        observations=_views(infosets),
        infoset_labels=tuple([each.label for each in own.found] for own in infosets),
        action_labels=tuple([names[p].get(action, str(action)) for action in range(width)] for p in range(players)),
    )


def _view(kind: Any, state: Any, player: int) -> Callable[[], list[float]]:
    if kind.provides_information_state_tensor:
        return lambda: state.information_state_tensor(player)
    return list  # its number stands for it


def _masks(found: list[_Decision], width: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    mask = np.zeros((len(found), width), dtype=bool)
    for row, each in enumerate(found):
        mask[row, each.actions] = True
    return mask


def _views(infosets: list[_Infosets]) -> tuple[Float32Array, ...]:
    """What OpenSpiel says is seen, [I, D] by player; the information set's number where it says nothing."""
    most = max(len(own.found) for own in infosets)
    width = max((len(own.found[0].view) for own in infosets if own.found), default=0)
    if not width:
        return tuple(numbered(len(own.found), most) for own in infosets)
    return tuple(np.array([each.view for each in own.found], np.float32).reshape(-1, width) for own in infosets)


def to_game(game: Game, *, max_cycles: int | None = None) -> Any:
    """A game here as a Python game of OpenSpiel, for its algorithms; players move one at a time.

    Args:
        game: the game; one that was loaded from OpenSpiel too.
        max_cycles: decision stages after which a game is cut off; None: as the game's environments do.

    Returns:
        A `pyspiel.Game`, whose information state strings `label` of `to_policy` uses.

    Raises:
        InputError: OpenSpiel is absent.
        UnsupportedGame: chance's outcomes are not listed.
    """
    pyspiel()
    from eqenvs.interop._openspiel_game import ExportedGame

    return ExportedGame(game, max_cycles)


def _tree(game: Game) -> Tree:
    rules = game.rules
    if not isinstance(rules, TreeRules) or not game.spec.id.startswith(f"{SCHEME}:"):
        raise UnsupportedGame(f"{game.spec.id} is no game of OpenSpiel; see `eqenvs.interop.openspiel.to_game`")
    return rules.tree


def to_policy(game: Game, policy: TabularPolicy) -> Any:
    """A policy of an OpenSpiel game as a `pyspiel.TabularPolicy`, by OpenSpiel's information state strings.

    Args:
        game: made by "openspiel:...".
        policy: of it.

    Raises:
        UnsupportedGame: it is no game of OpenSpiel, or one without information state strings.
    """
    tree = _tree(game)
    reference = game.spec.id.removeprefix(f"{SCHEME}:")
    if _by_history(_loaded(reference).get_type()):
        raise UnsupportedGame(f"{game.spec.id} has no information state strings, which OpenSpiel's tables go by")
    rows: dict[str, list[tuple[int, float]]] = {}
    for player, states in enumerate(game.information_states):
        for key, chances, mask in zip(states.keys, policy.tables[player], states.masks, strict=True):
            label = tree.infoset_labels[player][int(key[0])]
            rows[label] = [(int(action), float(chances[action])) for action in np.flatnonzero(mask)]
    return pyspiel().TabularPolicy(rows)


def from_policy(game: Game, policy: Any) -> TabularPolicy:
    """A policy of OpenSpiel, in Python or C++, as a table here.

    Args:
        game: made by "openspiel:...".
        policy: an `open_spiel.python.policy.Policy` or a `pyspiel.Policy`, of the same game.

    Raises:
        PolicyError: it is no distribution over the legal actions of an information set.
    """
    tree = _tree(game)
    rows = [np.zeros(mask.shape) for mask in tree.masks]
    for player, row, state in _representatives(game.spec.id.removeprefix(f"{SCHEME}:"), tree):
        for action, chance in policy.action_probabilities(state).items():
            rows[player][row, action] = chance
    order = [states.keys[:, 0] for states in game.information_states]
    return TabularPolicy(game, [own[places] for own, places in zip(rows, order, strict=True)])


def _representatives(reference: str, tree: Tree) -> Iterator[tuple[int, int, Any]]:
    """Each player's information sets, with a state of each."""
    seen = [np.zeros(len(mask), dtype=bool) for mask in tree.masks]
    stack = [(0, _loaded(reference).new_initial_state())]
    while stack:
        node, state = stack.pop()
        mover, row = int(tree.player[node]), int(tree.infoset[node])
        if mover == TERMINAL:
            continue
        if mover >= 0 and not seen[mover][row]:
            seen[mover][row] = True
            yield mover, row, state
        moves = state.chance_outcomes() if mover == CHANCE else [(action, 1.0) for action in state.legal_actions()]
        for place, (action, _) in enumerate(moves):
            stack.append((int(tree.first_child[node]) + place, state.child(action)))
