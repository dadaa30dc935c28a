"""The vector environment against games played one at a time."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from eqenvs.arrays import Array, make_backend, namespace
from eqenvs.envs import VectorEnv, VectorStep
from eqenvs.errors import IllegalActionError
from eqenvs.game import Game
from eqenvs.models.information_states import masks_where_acting
from eqenvs.rules import CHANCE, CHANCE_BITS, TERMINAL, Rules
from eqenvs.testing._common import RulesProxy, moving, require, require_equal


class _SettledChance(RulesProxy):
    """Rules whose chance moves are a function of the state, so that two simulators must agree on them."""

    def chance_probabilities(self, state: Any) -> Array:
        """All the mass on one of the possible outcomes, picked by a checksum of the state."""
        possible = self._rules.chance_probabilities(state) > 0
        xp, total = namespace(possible), _checksum(state)
        count = xp.sum(xp.astype(possible, xp.int64), axis=1)
        rank = xp.cumulative_sum(xp.astype(possible, xp.int64), axis=1) - 1
        chosen = possible & (rank == (total % count)[:, None])
        return xp.astype(chosen, xp.float64)

    def apply(self, state: Any, actions: Array) -> tuple[Any, Array]:
        """Draws that are not listed are bits of the checksum, whatever was drawn."""
        rules = self._rules
        if rules.chance_draws:
            xp = namespace(actions)
            draw = 1 + xp.arange(rules.chance_draws)[None, :]
            bits = (_checksum(state)[:, None] * 2654435761 * draw + 40503 * draw) % 2**31 * 2 ** (CHANCE_BITS - 31)
            actions = xp.concat([actions[:, : rules.num_players], bits], axis=1)
        return rules.apply(state, actions)


def _checksum(state: Any) -> Array:
    """[B] int64, of every field."""
    xp = namespace(state[0])
    total = xp.zeros(state[0].shape[0], dtype=xp.int64)
    for number, field in enumerate(state):
        flat = xp.astype(xp.reshape(field, (field.shape[0], -1)), xp.int64)
        total = total + xp.sum(flat * (7 * xp.arange(flat.shape[1])[None, :] + 3 * number + 1), axis=1)
    return total


class _Single:
    """One game played alone, by the rules, with the vector environment's conventions."""

    def __init__(self, rules: Rules[Any], max_cycles: int | None) -> None:
        self.rules, self.max_cycles = rules, rules.default_max_cycles if max_cycles is None else max_cycles
        self.start()

    def start(self) -> None:
        """A new game, up to its first decision."""
        self.cycles = 0
        self.state = self.rules.initial_state(1, make_backend().xp)
        self._settle()

    def _settle(self) -> Any:
        paid = np.zeros(self.rules.num_players)
        while self.rules.turn(self.state)[0] == CHANCE:
            move = self._chance_move()
            self.state, rewards = self.rules.apply(self.state, move)
            paid = paid + rewards[0]
        return paid

    def _chance_move(self) -> Any:
        if self.rules.chance_draws:
            return np.zeros((1, self.rules.num_columns), dtype=np.int64)
        outcome = int(np.argmax(self.rules.chance_probabilities(self.state)[0]))
        return np.array([[0] * self.rules.num_players + [outcome]] if self.rules.simultaneous else [outcome])

    def step(self, action: Any) -> tuple[Any, bool, bool, list[Any]]:
        """Make a move; returns rewards, terminated, truncated and each player's observation before any reset."""
        by_chance = [0] * (self.rules.num_columns - self.rules.num_players)
        move = np.array([[*action, *by_chance]]) if self.rules.simultaneous else np.array([action])
        self.state, rewards = self.rules.apply(self.state, move)
        paid = rewards[0] + self._settle()
        self.cycles += 1
        terminated = bool(self.rules.turn(self.state)[0] == TERMINAL)
        truncated = self.max_cycles is not None and self.cycles >= self.max_cycles and not terminated
        final = [self.rules.observation(self.state, np.array([p]))[0] for p in range(self.rules.num_players)]
        if terminated or truncated:
            self.start()
        return paid, terminated, truncated, final

    def look(self) -> tuple[int, Any, Any, Any]:
        """Who is to move, observation, mask and key, as a row of `VectorStep`."""
        rules = self.rules
        turn = int(rules.turn(self.state)[0])
        players = list(range(rules.num_players)) if rules.simultaneous else [turn]
        acting = moving(rules, self.state)[0]
        views = []
        for player in players:
            who = np.array([player])
            mask = masks_where_acting(rules.legal_actions(self.state, who)[0], acting[player])
            views.append((rules.observation(self.state, who)[0], mask, rules.information_state(self.state, who)[0]))
        seen, masks, keys = (np.stack(part) for part in zip(*views, strict=True))
        return (turn, seen, masks, keys) if rules.simultaneous else (turn, seen[0], masks[0], keys[0])


def check_vector_env(game: Game, num_envs: int = 8, steps: int = 40, seed: int = 0) -> None:
    """The vector environment plays `num_envs` games as they would be played one at a time.

    Chance is settled by a function of the state, so that every number can be compared: who moves, observations, masks,
    keys, rewards received before the reset, ends, final observations, the automatic reset, and truncation for several
    `max_cycles`. Then, with real chance: the same seed gives the same, another seed is accepted, and an illegal action
    is refused with the game's index and changes nothing.

    Args:
        game: a game with rules.
        num_envs: games at once.
        steps: steps made.
        seed: of all randomness.

    Raises:
        AssertionError: naming the step and the game's index.
    """
    settled = cast("Rules[Any]", _SettledChance(game.rules))
    for max_cycles in (None, 1, 3):
        env = VectorEnv(settled, num_envs, make_backend(), max_cycles=max_cycles)
        # Under a clock everything comes back after max_cycles steps: four rounds of it.
        count = steps if max_cycles is None else min(steps, 4 * max_cycles)
        _compare(game, env, [_Single(settled, max_cycles) for _ in range(num_envs)], count, seed, max_cycles)
    _check_seeding(game, num_envs, steps, seed)
    _check_refusals(game, num_envs, seed)


def _legal(step: VectorStep, rng: np.random.Generator) -> Any:
    """A random legal action wherever the masks ask for one."""
    return np.argmax(np.where(step.masks, rng.random(step.masks.shape), -1.0), axis=-1)


def _compare(game: Game, env: VectorEnv, singles: list[_Single], steps: int, seed: int, max_cycles: int | None) -> None:
    rng = np.random.default_rng(seed)
    step = env.reset(seed=seed)
    require(not step.terminated.any() and not step.truncated.any(), game, "reset", "no ends", "an end")
    for number in range(steps):
        place = f"vector environment, max_cycles={max_cycles}, step {number}"
        rows = [single.look() for single in singles]
        for index, name in enumerate(("players", "observations", "masks", "keys")):
            require_equal(game, f"{place}, {name}", np.stack([row[index] for row in rows]), getattr(step, name))
        dtypes = [str(getattr(step, name).dtype) for name in ("observations", "masks", "keys", "rewards")]
        expected = ["float32", "bool", "int64", "float64"]
        require(dtypes == expected, game, f"{place}, dtypes of observations, masks, keys, rewards", expected, dtypes)
        require(step.masks.any(axis=-1).all(), game, f"{place}, masks", "a legal action everywhere", "none somewhere")
        actions = _legal(step, rng)
        step = env.step(actions)
        results = [single.step(action) for single, action in zip(singles, actions, strict=True)]
        require_equal(game, f"{place}, rewards", np.stack([r[0] for r in results]), step.rewards, 1e-12)
        require_equal(game, f"{place}, terminated", [r[1] for r in results], step.terminated)
        require_equal(game, f"{place}, truncated", [r[2] for r in results], step.truncated)
        for player in range(game.num_players):
            finals = np.stack([r[3][player] for r in results])
            require_equal(game, f"{place}, final_observations({player})", finals, env.final_observations(player))


def _check_seeding(game: Game, num_envs: int, steps: int, seed: int) -> None:
    runs = []
    for _ in range(2):
        env, rng = game.vector_env(num_envs), np.random.default_rng(seed)
        run = [env.reset(seed=seed)]
        for _ in range(min(steps, 15)):
            run.append(env.step(_legal(run[-1], rng)))
        runs.append(run)
    for number, (first, second) in enumerate(zip(*runs, strict=True)):
        for name, expected, found in zip(VectorStep._fields, first, second, strict=True):
            require_equal(game, f"vector environment, seed {seed} twice, step {number}, {name}", expected, found)


def _refusal(game: Game, place: str, env: VectorEnv, actions: Any) -> str:
    try:
        env.step(actions)
    except IllegalActionError as error:
        return str(error)
    except Exception as error:
        raise AssertionError(f"{game!r}: {place}: expected IllegalActionError, found {error!r}") from error
    raise AssertionError(f"{game!r}: {place}: expected IllegalActionError, found that it was accepted")


def _check_refusals(game: Game, num_envs: int, seed: int) -> None:
    env, rng = game.vector_env(num_envs), np.random.default_rng(seed)
    shape = (num_envs, game.num_players) if game.rules.simultaneous else (num_envs,)
    _refusal(game, "vector environment, step before reset", env, np.zeros(shape, dtype=np.int64))
    step = env.reset(seed=seed)
    _refusal(game, "vector environment, actions of one game too many", env, np.zeros((num_envs + 1, *shape[1:]), int))
    actions, row = _legal(step, rng), num_envs - 1
    illegal = [-1, game.rules.max_actions]
    illegal += np.flatnonzero(~step.masks[row].reshape(-1, game.rules.max_actions)[0]).tolist()
    for action in illegal:
        bad = actions.copy()
        bad.reshape(num_envs, -1)[row, 0] = action
        place = f"vector environment, action {action} in game {row}"
        message = _refusal(game, place, env, bad)
        require(f"game {row}" in message, game, place, f"a message naming game {row}", message)
    twin, rng = game.vector_env(num_envs), np.random.default_rng(seed)
    untouched = twin.step(_legal(twin.reset(seed=seed), rng))
    for name, expected, found in zip(VectorStep._fields, untouched, env.step(actions), strict=True):
        require_equal(game, f"vector environment after refusals, {name}", expected, found)
