"""Policies: what every score, learner and environment loop accepts.

A *behaviour policy* maps a player's information states to distributions over actions; one object may serve several
players. A *joint policy* is one of

- a behaviour policy used by every player (`TabularPolicy`, `FunctionPolicy`, a torch policy, any such callable),
- a `ProductPolicy`: one policy per player, who randomise independently,
- a `MixturePolicy` of joint policies: a correlation device that draws one for everybody,
- a `CorrelatedStrategy`: a distribution over the joint actions of a normal-form game, the same as an array,
- a `MarkovCorrelatedPolicy`: one of them at every state of a Markov game.

As one entry of a `ProductPolicy`, a `MixturePolicy` is that player's own private mixture, and becomes the
realisation-equivalent behaviour policy exactly (Kuhn 1953, "Extensive games and the problem of information").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eqenvs.arrays import Float64Array, read_only
from eqenvs.errors import InputError, PolicyError, nearest
from eqenvs.models.information_states import InformationStates, KeyIndex
from eqenvs.models.markov import joint_legal
from eqenvs.models.numbers import real_array

TOLERANCE = 1e-6  # how far a row may be from summing to one, in probability
FLOAT32_TOLERANCE = 1e-4  # the same for what a network computes in float32
CERTAIN = read_only(np.ones(1))  # the weights of a single component


@runtime_checkable
class BehaviourPolicy(Protocol):
    """Action probabilities at a batch of one player's information states."""

    def __call__(self, player: int, states: InformationStates) -> NDArray[np.floating[Any]]:
        """The distributions, [B, A]; rows sum to 1 and illegal actions have probability 0."""


JointPolicy: TypeAlias = "BehaviourPolicy | ProductPolicy | MixturePolicy | CorrelatedStrategy | MarkovCorrelatedPolicy"


class DecisionPoints(Protocol):
    """A game or a model: anything with the decision points of each player."""

    @property
    def information_states(self) -> tuple[InformationStates, ...]:
        """One batch per player."""


@runtime_checkable
class MixableModel(DecisionPoints, Protocol):
    """A model in which a mixture of one player's policies has a realisation-equivalent behaviour policy."""

    def mix(self, player: int, tables: Float64Array, weights: Float64Array) -> Float64Array:
        """The table [I, A] equivalent to drawing one of `tables` [K, I, A] by `weights` [K]."""


def mixable(model: DecisionPoints) -> TypeGuard[MixableModel]:
    """Whether mixtures of one player's policies have tables; of the protocol's parts only `mix` can be missing."""
    return hasattr(model, "mix")


@dataclass(frozen=True, eq=False)
class TabularPolicy:
    """A table of action probabilities for every information state of every player.

    Attributes:
        information_states: the decision points that the rows stand for, one batch per player.
        tables: one [I, A] float64 array per player, read-only, rows exactly normalised.
    """

    information_states: tuple[InformationStates, ...] = field(repr=False)
    tables: tuple[Float64Array, ...]

    def __init__(self, points: DecisionPoints, tables: Sequence[ArrayLike], *, tolerance: float = TOLERANCE) -> None:
        """Check and copy the tables.

        Args:
            points: the game or model that the policy is for.
            tables: one per player, [I, A] (or [A] where I is 1), in the order of `points.information_states`.
            tolerance: how far a row's sum may be from 1, in probability; rows are then normalised.

        Raises:
            PolicyError: if a player or row is missing, or a row is no distribution over the legal actions.
        """
        states = points.information_states
        if len(tables) != len(states):
            raise PolicyError(f"a policy needs a table for each of the {len(states)} players, got {len(tables)}")
        checked = tuple(check_table(p, s, t, tolerance) for p, (s, t) in enumerate(zip(states, tables, strict=True)))
        object.__setattr__(self, "information_states", states)
        object.__setattr__(self, "tables", checked)

    @classmethod
    def of_checked(cls, points: DecisionPoints, tables: Sequence[Float64Array]) -> TabularPolicy:
        """The policy of tables that need no check: each was a policy's before, is uniform, or mixes such by a model."""
        policy = cls.__new__(cls)
        object.__setattr__(policy, "information_states", points.information_states)
        object.__setattr__(policy, "tables", tuple(map(read_only, tables)))
        return policy

    @cached_property
    def _indices(self) -> tuple[KeyIndex, ...]:
        return tuple(KeyIndex(states.keys) for states in self.information_states)

    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `BehaviourPolicy`; raises PolicyError for an information state the table does not have."""
        if states is self.information_states[player]:
            return self.tables[player]
        return self.tables[player][self._indices[player].rows(np.asarray(states.keys))]


@dataclass(frozen=True, eq=False)
class FunctionPolicy:
    """A policy written as a function of (player, observations [B, D] float32, masks [B, A] bool)."""

    function: Callable[[int, NDArray[np.float32], NDArray[np.bool_]], ArrayLike]

    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `BehaviourPolicy`."""
        return np.asarray(self.function(player, states.observations, states.masks), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class ProductPolicy:
    """One policy per player, independently randomised; entry p is only asked about player p.

    Attributes:
        players: behaviour policies, or `MixturePolicy`s of behaviour policies as private mixtures.
    """

    players: tuple[BehaviourPolicy | MixturePolicy, ...]

    def __init__(self, players: Sequence[BehaviourPolicy | MixturePolicy]) -> None:
        object.__setattr__(self, "players", tuple(players))


@dataclass(frozen=True, eq=False)
class MixturePolicy:
    """Draws one component before play; everybody then follows it.

    Attributes:
        components: joint policies, or one player's behaviour policies inside a `ProductPolicy`.
        weights: [K] float64, read-only, on the simplex.
    """

    components: tuple[Any, ...]
    weights: Float64Array

    def __init__(self, components: Sequence[Any], weights: ArrayLike) -> None:
        """Check the weights.

        Raises:
            PolicyError: if there is no component, or the weights are not a distribution over the components.
        """
        array = _numbers("mixture weights", weights)
        if not components or array.shape != (len(components),):
            raise PolicyError(
                f"a mixture needs one weight per component, got {len(components)} and shape {array.shape}"
            )
        if not (array >= 0).all() or not abs(array.sum() - 1) <= TOLERANCE:  # nor infinite
            raise PolicyError(f"mixture weights must be non-negative and sum to 1, got {array.tolist()}")
        object.__setattr__(self, "components", tuple(components))
        object.__setattr__(self, "weights", read_only(array / array.sum()))


@dataclass(frozen=True, eq=False)
class CorrelatedStrategy:
    """A correlation device of a normal-form game: a joint action is drawn, each player is told its own part.

    Attributes:
        information_states: the one decision point of each player.
        distribution: [A_0, ..., A_{N-1}] float64, read-only, on the simplex.
    """

    information_states: tuple[InformationStates, ...] = field(repr=False)
    distribution: Float64Array

    def __init__(self, points: DecisionPoints, distribution: ArrayLike, *, tolerance: float = TOLERANCE) -> None:
        """Check and copy the distribution.

        Args:
            points: the game or model.
            distribution: [A_0, ..., A_{N-1}].
            tolerance: how far its sum may be from 1, in probability; it is then normalised.

        Raises:
            PolicyError: if the shape is not the game's, or it is no distribution.
        """
        states = points.information_states
        if any(len(player.keys) != 1 for player in states):
            raise PolicyError("a distribution over joint actions needs a game of one decision per player")
        array = _numbers("a distribution over joint actions", distribution)
        shape = tuple(player.masks.shape[1] for player in states)
        if array.shape != shape:
            raise PolicyError(f"a distribution over joint actions must have shape {shape}, got {array.shape}")
        if not np.isfinite(array).all() or (array < -tolerance).any() or abs(array.sum() - 1) > tolerance:
            raise PolicyError(
                f"a distribution over joint actions must be non-negative and sum to 1, got the sum "
                f"{array.sum():.6g} and the least probability {array.min():.6g}"
            )
        array = np.maximum(array, 0.0)
        object.__setattr__(self, "information_states", states)
        object.__setattr__(self, "distribution", read_only(array / array.sum()))

    def marginals(self) -> TabularPolicy:
        """Each player's own part, drawn independently."""
        n = self.distribution.ndim
        own = [self.distribution.sum(axis=tuple(q for q in range(n) if q != p)) for p in range(n)]
        return TabularPolicy(self, own)

    def mixture(self) -> MixturePolicy:
        """The same device as a mixture of pure policies, one per joint action that it ever draws."""
        drawn = np.argwhere(self.distribution > 0)
        shape = self.distribution.shape
        profiles = [TabularPolicy(self, [np.eye(k)[a] for k, a in zip(shape, joint, strict=True)]) for joint in drawn]
        return MixturePolicy(profiles, self.distribution[tuple(drawn.T)])


@dataclass(frozen=True, eq=False)
class MarkovCorrelatedPolicy:
    """A correlation device of a Markov game that is drawn anew at every decision point, independently of the past.

    At each state (and step, given a horizon) a joint action is drawn, and each player is told its own part.

    Attributes:
        information_states: the decision points, the same for all players.
        distributions: [I, A_0, ..., A_{N-1}] float64, read-only, each on the simplex.
    """

    information_states: tuple[InformationStates, ...] = field(repr=False)
    distributions: Float64Array

    def __init__(self, points: DecisionPoints, distributions: ArrayLike, *, tolerance: float = TOLERANCE) -> None:
        """Check and copy the distributions.

        Args:
            points: the game or model.
            distributions: [I, A_0, ..., A_{N-1}].
            tolerance: how far a sum may be from 1, in probability; they are then normalised.

        Raises:
            PolicyError: if the players decide at different points, the shape is not the game's, or one is no
                distribution over the legal joint actions.
        """
        states = points.information_states
        if any(not np.array_equal(player.keys, states[0].keys) for player in states):
            raise PolicyError("a policy that correlates actions at every state needs a Markov game")
        array = _numbers("distributions over joint actions", distributions)
        shape = (len(states[0].keys), *(player.masks.shape[1] for player in states))
        if array.shape != shape:
            raise PolicyError(f"distributions over joint actions must have shape {shape}, got {array.shape}")
        flat = array.reshape(shape[0], -1)
        legal = joint_legal([player.masks for player in states]).reshape(flat.shape)
        good = np.abs(flat.sum(axis=1) - 1) <= tolerance  # False for NaN too
        good &= (flat >= -tolerance).all(axis=1) & ~(np.where(legal, 0.0, flat) > tolerance).any(axis=1)
        if not good.all():
            row = int(np.argmin(good))
            raise PolicyError(
                f"the distribution at decision point {states[0].keys[row].tolist()} must be non-negative, sum to 1 and "
                f"be over legal joint actions, got the sum {flat[row].sum():.6g} and the least {flat[row].min():.6g}"
            )
        flat = np.where(legal, np.maximum(flat, 0.0), 0.0)
        object.__setattr__(self, "information_states", states)
        object.__setattr__(self, "distributions", read_only((flat / flat.sum(axis=1, keepdims=True)).reshape(shape)))

    def marginals(self) -> TabularPolicy:
        """Each player's own part, drawn independently."""
        n = self.distributions.ndim - 1
        own = [self.distributions.sum(axis=tuple(1 + q for q in range(n) if q != p)) for p in range(n)]
        return TabularPolicy(self, own)


def _numbers(name: str, values: ArrayLike) -> Float64Array:
    try:
        return real_array(name, values)
    except InputError as error:
        raise PolicyError(str(error)) from None


def check_table(player: int, states: InformationStates, table: ArrayLike, tolerance: float) -> Float64Array:
    """One player's table as a read-only, normalised float64 array.

    Raises:
        PolicyError: naming the player, the row and the rule that it breaks.
    """
    try:
        array = np.array(table, dtype=np.float64)
    except (TypeError, ValueError):
        raise PolicyError(f"player {player}'s table must be an array of numbers") from None
    if array.ndim == 1 and len(states.keys) == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[1] != states.masks.shape[1]:
        raise PolicyError(f"player {player}'s table must have shape {states.masks.shape}, got {array.shape}")
    if array.shape[0] != states.masks.shape[0]:
        raise PolicyError(
            f"player {player}'s table has {array.shape[0]} rows but the player has {states.masks.shape[0]} information "
            "states; none may be missing"
        )
    illegal = np.where(states.masks, 0.0, array)
    total = array.sum(axis=1)
    off = np.abs(total - 1)
    # Nearly always a table is good: three reductions say so, and only then is it asked where it is not.
    if not (
        off.max(initial=0.0) <= tolerance
        and array.min(initial=0.0) >= -tolerance
        and illegal.max(initial=0.0) <= tolerance
    ):
        _refuse(player, states, array, illegal, tolerance)
    if off.max(initial=0.0) <= 1e-15 and array.min(initial=0.0) >= 0.0 and not illegal.any():
        return read_only(array)  # kept to the bit, so that a table survives being read back and checked again
    array = np.where(states.masks, np.maximum(array, 0.0), 0.0)
    total = array.sum(axis=1, keepdims=True)
    return read_only(np.where(np.abs(total - 1) <= 1e-15, array, array / np.where(total > 0, total, 1.0)))


def _refuse(
    player: int, states: InformationStates, array: Float64Array, illegal: Float64Array, tolerance: float
) -> None:
    """Raise PolicyError at the first rule that a row breaks."""
    problems = (
        (~np.isfinite(array).all(axis=1), "is not finite"),
        ((array < -tolerance).any(axis=1), "has a negative probability"),
        ((illegal > tolerance).any(axis=1), "gives probability to an illegal action"),
        (np.abs(array.sum(axis=1) - 1) > tolerance, "does not sum to 1"),
    )
    for bad, rule in problems:
        if bad.any():
            row = int(np.argmax(bad))
            raise PolicyError(
                f"player {player}'s row {row} (information state {states.keys[row].tolist()}) {rule}: "
                f"{array[row].tolist()}"
            )


def uniform(points: DecisionPoints) -> TabularPolicy:
    """Every player picks uniformly among its legal actions.

    >>> import eqenvs
    >>> uniform(eqenvs.make("rock_paper_scissors")).tables[0].round(3).tolist()
    [[0.333, 0.333, 0.333]]
    """
    return TabularPolicy(points, [states.uniform() for states in points.information_states])


def for_player(points: DecisionPoints, player: int, table: Float64Array) -> TabularPolicy:
    """A table [I, A] as the policy of one player, to be asked about that player only.

    It needs no check, see `TabularPolicy.of_checked`.
    """
    tables = [states.uniform() for states in points.information_states]
    tables[player] = table
    return TabularPolicy.of_checked(points, tables)


def uniform_play(player: int, states: InformationStates) -> Float64Array:
    """The same as a behaviour policy, of any game: nothing is enumerated."""
    return states.uniform()


def tabulate(model: DecisionPoints, policy: JointPolicy) -> TabularPolicy:
    """The joint policy as behaviour tables, each policy evaluated once over all information states.

    Raises:
        PolicyError: if `policy` is a correlation device over several players (it has no equivalent product), mixes
            policies of a model where mixtures have no table, gives no distribution, or leaves a player out.
    """
    if isinstance(policy, TabularPolicy):
        require_fits(model, policy)
        return policy
    states = model.information_states
    if isinstance(policy, MixturePolicy | CorrelatedStrategy | MarkovCorrelatedPolicy):
        if len(states) > 1:
            raise PolicyError("a mixture of joint policies correlates the players: no product of behaviour policies")
        policy = ProductPolicy([policy]) if isinstance(policy, MixturePolicy) else policy.marginals()
    entries = player_entries(policy, len(states))
    return TabularPolicy(model, [player_table(model, player, entry) for player, entry in enumerate(entries)])


def player_entries(policy: Any, num_players: int) -> tuple[Any, ...]:
    """What each player plays by: a product's own entries, or one policy for all.

    Raises:
        PolicyError: if a product has entries for another number of players.
    """
    if not isinstance(policy, ProductPolicy):
        return (policy,) * num_players
    if len(policy.players) != num_players:
        raise PolicyError(f"a policy is needed for each of the {num_players} players, got {len(policy.players)}")
    return policy.players


def components(policy: JointPolicy, num_players: int) -> tuple[list[Any], Float64Array]:
    """What a correlation device draws for everybody before play, devices within it multiplied out, and the weights.

    Any other policy, and with one player its private mixture, is the only component of itself.
    """
    if isinstance(policy, CorrelatedStrategy):
        policy = policy.mixture()
    if not isinstance(policy, MixturePolicy) or num_players == 1:
        return [policy], CERTAIN
    parts = [components(component, num_players) for component in policy.components]
    weights = np.concatenate([w * inner for w, (_, inner) in zip(policy.weights, parts, strict=True)])
    return [component for found, _ in parts for component in found], weights


def private_mixture(policy: Any, player: int) -> tuple[list[BehaviourPolicy], Float64Array]:
    """One player's entry of a product, however nested, as behaviour policies and the weights it draws them with."""
    if isinstance(policy, ProductPolicy):
        return private_mixture(policy.players[player], player)
    if not isinstance(policy, MixturePolicy):
        return [policy], np.ones(1)
    parts = [private_mixture(component, player) for component in policy.components]
    weights = np.concatenate([w * inner for w, (_, inner) in zip(policy.weights, parts, strict=True)])
    return [member for members, _ in parts for member in members], weights


def marginals(device: JointPolicy, num_players: int) -> ProductPolicy:
    """The product of the players' private mixtures that a correlation device induces."""
    drawn, weights = components(device, num_players)
    alone = [each.marginals() if isinstance(each, MarkovCorrelatedPolicy) else each for each in drawn]
    entries = [player_entries(each, num_players) for each in alone]
    return ProductPolicy([MixturePolicy([entry[p] for entry in entries], weights) for p in range(num_players)])


def player_table(model: DecisionPoints, player: int, policy: BehaviourPolicy | MixturePolicy) -> Float64Array:
    """One player's policy, or private mixture of policies, as a table [I, A]."""
    states = model.information_states[player]
    if isinstance(policy, MixturePolicy):
        if not mixable(model):
            raise PolicyError(f"a mixture of policies has no equivalent table in a {type(model).__name__}")
        tables = np.stack([player_table(model, player, component) for component in policy.components])
        return model.mix(player, tables, policy.weights)
    if isinstance(policy, ProductPolicy):
        return player_table(model, player, policy.players[player])
    if isinstance(policy, TabularPolicy):
        require_fits(model, policy)
        return policy.tables[player]  # which was checked when it was made
    require_behaviour(policy)
    return check_table(player, states, policy(player, states), FLOAT32_TOLERANCE)


def require_behaviour(policy: Any) -> None:
    """Raise PolicyError unless it can be asked for the distributions of one player."""
    if not callable(policy):
        raise PolicyError(
            "a joint policy is a TabularPolicy(model, tables), a ProductPolicy, a MixturePolicy, a CorrelatedStrategy, "
            "a MarkovCorrelatedPolicy or a function of (player, information states); of one player alone, a table or a "
            f"function; got {type(policy).__name__}"
        )


def require_fits(points: DecisionPoints, policy: TabularPolicy) -> None:
    """Raise PolicyError unless the table was made for the same information states."""
    if points.information_states is policy.information_states:
        return
    for player, (mine, theirs) in enumerate(zip(points.information_states, policy.information_states, strict=False)):
        if mine is not theirs and not (
            np.array_equal(mine.keys, theirs.keys) and np.array_equal(mine.masks, theirs.masks)
        ):
            raise PolicyError(f"the table of player {player} was made for another game or other parameters")
    if len(points.information_states) != len(policy.information_states):
        raise PolicyError("the policy was made for another number of players")


def from_mapping(
    points: DecisionPoints,
    labels: Sequence[Sequence[str]],
    actions: Sequence[Sequence[str]],
    players: Sequence[Mapping[str, Mapping[str, float]]],
) -> TabularPolicy:
    """A table written with names: per player {information state: {action: probability}}; absent actions have 0.

    Args:
        points: the game or model.
        labels: per player, the name of each information state.
        actions: per player, the name of each action.
        players: the table.

    Raises:
        PolicyError: for a player, information state or action that is missing or unknown, or a bad distribution.
    """
    if len(players) != len(labels):
        raise PolicyError(f"a policy needs a table for each of the {len(labels)} players, got {len(players)}")
    tables = []
    for player, rows in enumerate(players):
        known, names = {label: i for i, label in enumerate(labels[player])}, list(actions[player])
        for label in rows:
            if label not in known:
                raise PolicyError(f"player {player} has no information state {label!r}; {nearest(label, known)}")
        table = np.zeros((len(known), len(names)))
        for label, row in known.items():
            if label not in rows:
                raise PolicyError(
                    f"player {player}'s table has no row for information state {label!r} "
                    f"({len(known) - len(rows)} of {len(known)} are missing)"
                )
            for action, probability in rows[label].items():
                if action not in names:
                    raise PolicyError(
                        f"player {player}, information state {label!r}: no action {action!r}; {nearest(action, names)}"
                    )
                table[row, names.index(action)] = probability
            if abs(table[row].sum() - 1) > TOLERANCE:
                raise PolicyError(
                    f"player {player}, information state {label!r}: probabilities sum to {table[row].sum():.6g}, not 1"
                )
        tables.append(table)
    return TabularPolicy(points, tables)
