"""Playing batches of whole games from their rules, on any backend.

`play` runs a fixed set of episodes to their ends, so its averages are unbiased however different the lengths are;
the automatically resetting `VectorEnv` is the reinforcement-learning view of the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import (
    Array,
    Backend,
    Float64Array,
    IntArray,
    RandomStream,
    StateT,
    device_of,
    everywhere,
    make_backend,
    namespace,
    put_rows,
    sample_categorical,
    scatter,
    take_rows,
)
from eqenvs.errors import InputError, PolicyError
from eqenvs.models.information_states import InformationStates, KeyIndex
from eqenvs.policies import (
    FLOAT32_TOLERANCE,
    BehaviourPolicy,
    JointPolicy,
    MarkovCorrelatedPolicy,
    components,
    player_entries,
    private_mixture,
    require_behaviour,
)
from eqenvs.rules import CHANCE, CHANCE_BITS, TERMINAL, Rules

VALUE_CUT = 1e-9  # weight of a decision stage at which a discounted game is cut off


class Decisions(NamedTuple):
    """The decision points of one player in the rows of a running batch.

    Attributes:
        player: who decides.
        episodes: [M] int64, which episodes the rows belong to.
        states: their information states; arrays of the backend in use.
    """

    player: int
    episodes: Array
    states: InformationStates


def decision_points(rules: Rules[Any], state: Any, player: int) -> InformationStates:
    """What `player` knows in every row of a batch; masks have the player's own width."""
    who = everywhere(state[0], player)
    return InformationStates(
        rules.information_state(state, who),
        rules.observation(state, who),
        rules.legal_actions(state, who)[:, : rules.num_actions[player]],
    )


def chance_actions(rules: Rules[Any], state: Any, stream: RandomStream) -> Array:
    """A sampled outcome for each row, in the form that `rules.apply` takes; every row must be a CHANCE row."""
    xp, batch = namespace(state[0]), state[0].shape[0]
    if rules.chance_draws:
        bits = stream.uniform(batch * rules.chance_draws) * 2.0**CHANCE_BITS
        outcome = xp.reshape(xp.astype(bits, xp.int64), (batch, rules.chance_draws))
    else:
        drawn = sample_categorical(rules.chance_probabilities(state), stream.uniform(batch))
        if not rules.simultaneous:
            return drawn
        outcome = drawn[:, None]
    nothing = xp.zeros((batch, rules.num_players), dtype=xp.int64, device=device_of(outcome))
    return xp.concat([nothing, outcome], axis=1)


def resolve_chance(rules: Rules[Any], state: StateT, stream: RandomStream) -> tuple[StateT, Array, Array | None]:
    """Sample chance until no row waits for it.

    Returns:
        The states, whose turn it is there [B] int64, and the rewards received meanwhile, [B, N] float64 (None if no
        row waited).
    """
    turn = rules.turn(state)
    rewards = None
    if rules.num_chance_outcomes == 0 and rules.chance_draws == 0:
        return state, turn, rewards
    xp = namespace(turn)
    while True:
        rows = xp.nonzero(turn == CHANCE)[0]
        if rows.shape[0] == 0:
            return state, turn, rewards
        if rewards is None:
            rewards = xp.zeros((turn.shape[0], rules.num_players), dtype=xp.float64, device=device_of(turn))
        if rows.shape[0] == turn.shape[0]:
            state, received = rules.apply(state, chance_actions(rules, state, stream))
            rewards, turn = rewards + received, rules.turn(state)
        else:
            part = take_rows(state, rows)
            part, received = rules.apply(part, chance_actions(rules, part, stream))
            state = put_rows(state, rows, part)
            rewards = scatter(rewards, rows, rewards[rows] + received)
            turn = scatter(turn, rows, rules.turn(part))


def advance(rules: Rules[Any], state: StateT, actions: Array, stream: RandomStream) -> tuple[StateT, Array, Array]:
    """Apply the players' actions, then chance's moves until players are to move again.

    Returns:
        The states, whose turn it is [B] int64, and the rewards of all these moves, [B, N] float64.
    """
    state, rewards = rules.apply(state, actions)
    state, turn, by_chance = resolve_chance(rules, state, stream)
    return state, turn, rewards if by_chance is None else rewards + by_chance


def start(rules: Rules[Any], batch: int, backend: Backend, stream: RandomStream) -> tuple[Any, Array, Array]:
    """New games with the opening chance moves made; returns as `advance` does."""
    state = rules.initial_state(batch, backend.xp, backend.device)
    state, turn, rewards = resolve_chance(rules, state, stream)
    if rewards is None:
        rewards = backend.xp.zeros((batch, rules.num_players), dtype=backend.xp.float64, device=backend.device)
    return state, turn, rewards


def play(
    rules: Rules[Any],
    decide: Callable[[Decisions], Array],
    episodes: int,
    stream: RandomStream,
    backend: Backend | None = None,
) -> Array:
    """Play `episodes` games to their ends.

    Args:
        rules: the game.
        decide: from decision points to actions, [M] int64. Called once per player and stage with at least one row.
        episodes: number of games, all played in one batch.
        stream: randomness of the chance moves; `decide` brings its own.
        backend: where to run; default numpy.

    Returns:
        Each player's total payoff in each episode, discounted by the rules' factor, [episodes, N] float64. A
        discounted game is cut off where a stage weighs less than 1e-9.
    """
    backend = backend or make_backend()
    xp = backend.xp
    state, turn, totals = start(rules, episodes, backend, stream)
    live = xp.arange(episodes, device=backend.device)
    weight = 1.0
    while True:
        going = xp.nonzero(turn != TERMINAL)[0]
        if going.shape[0] == 0 or weight < VALUE_CUT:
            return totals
        if going.shape[0] < turn.shape[0]:
            state, live, turn = take_rows(state, going), live[going], turn[going]
        state, turn, received = advance(rules, state, _actions(rules, decide, state, turn, live), stream)
        totals = scatter(totals, live, totals[live] + weight * received)
        weight *= rules.discount


def _actions(rules: Rules[Any], decide: Callable[[Decisions], Array], state: Any, turn: Array, live: Array) -> Array:
    xp = namespace(turn)
    n = rules.num_players
    acting = rules.acting(state) if rules.simultaneous else None
    shape = (turn.shape[0], rules.num_columns)
    joint = xp.zeros(shape, dtype=xp.int64, device=device_of(turn)) if rules.simultaneous else None
    single = xp.zeros_like(turn) if joint is None else None
    for player in range(n):
        rows = xp.nonzero(turn == player if acting is None else acting[:, player])[0]
        if rows.shape[0] == 0:
            continue
        chosen = decide(Decisions(player, live[rows], decision_points(rules, take_rows(state, rows), player)))
        if joint is None:
            single[rows] = chosen  # type: ignore[index]
        else:
            joint[rows, player] = chosen
    return single if joint is None else joint


class PolicyPlayer:
    """Decides as a joint policy does: the `decide` of `play` for one batch of episodes, on numpy.

    A mixture draws its component once per episode and player (once per episode for a correlation device). A
    `MarkovCorrelatedPolicy` draws a joint action at every stage of an episode; players must be asked in their order, as
    `play` does.
    """

    def __init__(
        self,
        policy: JointPolicy,
        num_players: int,
        episodes: int,
        rng: np.random.Generator,
        *,
        roles: Sequence[int] | None = None,
    ) -> None:
        """Draw the components.

        Args:
            policy: the joint policy.
            num_players: who decides.
            episodes: played at once.
            rng: of all draws.
            roles: whose policy each player follows; default its own.
        """
        self._rng = rng
        self._roles = tuple(range(num_players)) if roles is None else tuple(roles)
        owners = max(self._roles) + 1
        profiles, self._weights = components(policy, owners)
        told = {
            index: _StageDevice(profile, num_players, episodes, rng)
            for index, profile in enumerate(profiles)
            if isinstance(profile, MarkovCorrelatedPolicy)
        }
        entries = [
            (told[index],) * owners if index in told else player_entries(profile, owners)
            for index, profile in enumerate(profiles)
        ]
        self._members: list[list[BehaviourPolicy | _StageDevice]] = [[] for _ in range(num_players)]
        # Of each player and profile, where its members begin, and their weights.
        self._mixtures: list[list[tuple[int, Float64Array]]] = [[] for _ in range(num_players)]
        for player, members in enumerate(self._members):
            role = self._roles[player]
            for entry in entries:
                own, own_weights = private_mixture(entry[role], role)
                for member in own:
                    if not isinstance(member, _StageDevice):
                        require_behaviour(member)
                self._mixtures[player].append((len(members), own_weights))
                members += own
        self._drawn = np.zeros((num_players, episodes), dtype=np.int64)
        self.redraw(np.arange(episodes))

    def redraw(self, episodes: IntArray) -> None:
        """Draw the components of some episodes [M], which begin anew."""
        drawn = _draw(self._weights, len(episodes), self._rng)
        for chosen, mixtures in zip(self._drawn, self._mixtures, strict=True):
            for index, (first, weights) in enumerate(mixtures):
                rows = np.flatnonzero(drawn == index)
                chosen[episodes[rows]] = first + _draw(weights, len(rows), self._rng)

    def __call__(self, decisions: Decisions) -> IntArray:
        """Sampled actions for the rows, [M] int64."""
        player, episodes, states = decisions
        probabilities = self.probabilities(player, episodes, states)
        actions: IntArray = sample_categorical(probabilities, self._rng.random(len(episodes)))
        return actions

    def probabilities(self, player: int, episodes: IntArray, states: InformationStates) -> Float64Array:
        """The distributions that the episodes' own components give, [M, A] float64; certain where players are told.

        Raises:
            PolicyError: if a component gives no distribution over the legal actions.
        """
        members, which = self._members[player], self._drawn[player, episodes]
        result = np.zeros(states.masks.shape)
        for index in np.unique(which):
            rows = np.flatnonzero(which == index)
            component, asked = members[index], states.rows(rows)
            if isinstance(component, _StageDevice):
                result[rows] = component.told(player, episodes[rows], asked)
            else:
                result[rows] = component(self._roles[player], asked)
        illegal = np.where(states.masks, 0.0, result).sum(axis=1) > FLOAT32_TOLERANCE
        wrong = illegal | ~(np.abs(result.sum(axis=1) - 1) <= FLOAT32_TOLERANCE) | (result < 0).any(axis=1)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise PolicyError(
                f"player {player}'s policy gives {result[row].tolist()} at information state "
                f"{states.keys[row].tolist()}, which is no distribution over its legal actions"
            )
        return np.where(states.masks, result, 0.0)


class _StageDevice:
    """Joint actions drawn from a `MarkovCorrelatedPolicy`, one at each stage of each episode, told part by part."""

    def __init__(
        self, policy: MarkovCorrelatedPolicy, num_players: int, episodes: int, rng: np.random.Generator
    ) -> None:
        shape = policy.distributions.shape
        if len(shape) != 1 + num_players:
            raise PolicyError(f"the policy was made for {len(shape) - 1} players, the game has {num_players}")
        self._distributions, self._shape = policy.distributions.reshape(shape[0], -1), shape[1:]
        self._index, self._rng = KeyIndex(policy.information_states[0].keys), rng
        self._point = np.full(episodes, -1)  # where the last draw was made
        self._joint = np.zeros(episodes, dtype=np.int64)
        self._last = np.zeros(episodes, dtype=np.int64)  # who was told its part last

    def told(self, player: int, episodes: IntArray, states: InformationStates) -> Float64Array:
        """The player's parts of the episodes' draws as indicators, [M, A]."""
        point = self._index.rows(np.asarray(states.keys))
        # The same players act whenever a state is met, in the same order: a stage is over once the state is another
        # one, or a player who was told its part is asked again.
        fresh = (point != self._point[episodes]) | (player <= self._last[episodes])
        new = episodes[fresh]
        uniform = self._rng.random(len(new))
        self._joint[new] = sample_categorical(self._distributions[point[fresh]], uniform)
        self._point[episodes], self._last[episodes] = point, player
        part = np.unravel_index(self._joint[episodes], self._shape)[player]
        certain: Float64Array = np.eye(self._shape[player])[part]
        return certain


def _draw(weights: Float64Array, size: int, rng: np.random.Generator) -> IntArray:
    if len(weights) == 1:
        return np.zeros(size, dtype=np.int64)
    return rng.choice(len(weights), size=size, p=weights / weights.sum())


def simulate(
    rules: Rules[Any], policy: JointPolicy, episodes: int, seed: int | np.random.SeedSequence, *, batch: int = 4096
) -> Float64Array:
    """Payoffs of independently played episodes, [episodes, N] float64; the same for the same seed and batch.

    Args:
        rules: the game.
        policy: the joint policy.
        episodes: number of episodes.
        seed: of all randomness.
        batch: how many are played at once; memory grows with it.

    Raises:
        InputError: if `episodes` or `batch` is less than 1.
    """
    if episodes < 1 or batch < 1:
        raise InputError(f"simulate: episodes and batch must be at least 1, got {episodes} and {batch}")
    rng = np.random.default_rng(seed)
    backend = make_backend()
    parts = []
    for start in range(0, episodes, batch):
        size = min(batch, episodes - start)
        stream = backend.stream(int(rng.integers(2**63)))
        decide = PolicyPlayer(policy, rules.num_players, size, rng, roles=rules.roles)
        parts.append(play(rules, decide, size, stream, backend))
    return np.concatenate(parts)
