"""The simulator against the exact model: the same decision points, the same payoffs, history by history and on average.

Expectations here come from a plain forward pass over the flat tree (or the payoff tensor), not from the sequence form
that the solvers use.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from eqenvs.arrays import Array, Float64Array, sample_categorical
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.models import ExtensiveFormModel, InformationStates, NormalFormModel
from eqenvs.policies import JointPolicy, MixturePolicy, ProductPolicy, TabularPolicy, tabulate
from eqenvs.rules import CHANCE, TERMINAL, Rules
from eqenvs.simulation import simulate
from eqenvs.testing._common import RulesProxy, require, require_equal

STANDARD_ERRORS = 5.0
AEC_SHARE = 20  # one AEC episode for so many simulated ones


def _components(policy: JointPolicy) -> Iterator[tuple[float, Any]]:
    """The products of behaviour policies that a joint policy draws from, with their probabilities."""
    if isinstance(policy, MixturePolicy):
        for weight, component in zip(policy.weights, policy.components, strict=True):
            for inner, product in _components(component):
                yield float(weight) * inner, product
        return
    players = policy.players if isinstance(policy, ProductPolicy) else ()
    for player, entry in enumerate(players):
        if isinstance(entry, MixturePolicy):
            for weight, component in zip(entry.weights, entry.components, strict=True):
                drawn = ProductPolicy([*players[:player], component, *players[player + 1 :]])
                for inner, product in _components(drawn):
                    yield float(weight) * inner, product
            return
    yield 1.0, policy


def _moments(model: ExtensiveFormModel | NormalFormModel, tables: TabularPolicy) -> tuple[Float64Array, Float64Array]:
    """First and second moments of each player's payoff under behaviour tables, [N] each."""
    if isinstance(model, NormalFormModel):
        probability = np.ones(())
        for table in tables.tables:
            probability = probability[..., None] * table[0]
        flat, reach = model.payoffs.reshape(model.num_players, -1).T, probability.reshape(-1)
    else:
        reach_all = np.ones(len(model.parent))
        for start, stop in zip(model.level_start[1:-1], model.level_start[2:], strict=True):
            here = np.arange(start, stop)
            above = model.parent[here]
            edge = model.chance[here].copy()
            for player, table in enumerate(tables.tables):
                moved = model.player[above] == player
                edge[moved] = table[model.infoset[above[moved]], model.action[here[moved]]]
            reach_all[here] = reach_all[above] * edge
        flat, reach = model.payoffs, reach_all[model.terminals]
    return reach @ flat, reach @ flat**2


def _exact_model(game: Game) -> ExtensiveFormModel | NormalFormModel:
    model = game.model()
    if not isinstance(model, ExtensiveFormModel | NormalFormModel):
        raise UnsupportedGame(f"{game.spec.id}: exact expectations are computed for extensive and normal form only")
    return model


def expected_payoffs(game: Game, policy: JointPolicy) -> Float64Array:
    """Each player's exact expected payoff, [N], by a plain forward pass; mixtures are expanded, not merged.

    >>> import eqenvs
    >>> game = eqenvs.make("kuhn_poker")
    >>> expected_payoffs(game, eqenvs.policies.uniform(game)).tolist()
    [0.125, -0.125]
    """
    model = _exact_model(game)
    total = np.zeros(game.num_players)
    for weight, product in _components(policy):
        total += weight * _moments(model, tabulate(model, product))[0]
    return total


def check_env_matches_model(game: Game, policy: JointPolicy, *, episodes: int = 20_000, seed: int = 0) -> None:
    """Simulated payoffs of a joint policy are the exact ones, within 5 standard errors (exact ones, too).

    Checked for `eqenvs.simulation.simulate` over all episodes and for the AEC environment over a twentieth of them,
    where the policy is looked up by `env.information_state(agent)`.

    Args:
        game: the game.
        policy: a joint policy, correlated or not.
        episodes: number of simulated episodes.
        seed: of all randomness; a fixed seed either always passes or always fails.

    Raises:
        AssertionError: naming the player whose mean payoff is off.
        UnsupportedGame: if the model is neither extensive nor normal form.
    """
    model = _exact_model(game)
    parts = [(weight, tabulate(model, product)) for weight, product in _components(policy)]
    mean, square = np.zeros(game.num_players), np.zeros(game.num_players)
    for weight, tables in parts:
        first, second = _moments(model, tables)
        mean, square = mean + weight * first, square + weight * second
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    simulated = simulate(game.rules, policy, episodes, seed)
    require(simulated.shape == (episodes, game.num_players), game, "simulate", "[episodes, N]", simulated.shape)
    _compare_means(game, "simulate", mean, deviation, simulated)
    played = _play_aec(game, parts, max(1, episodes // AEC_SHARE), np.random.default_rng(seed))
    _compare_means(game, "AEC environment", mean, deviation, played)


def _compare_means(game: Game, place: str, mean: Float64Array, deviation: Float64Array, got: Float64Array) -> None:
    bound = STANDARD_ERRORS * deviation / np.sqrt(len(got)) + 1e-9 * (1 + np.abs(mean))
    for player, (expected, found, width) in enumerate(zip(mean, got.mean(axis=0), bound, strict=True)):
        expectation = f"{expected:.6g} +- {width:.2g}"
        require(
            abs(expected - found) <= width, game, f"{place}, player {player}'s mean payoff", expectation, f"{found:.6g}"
        )


def _play_aec(
    game: Game, parts: list[tuple[float, TabularPolicy]], episodes: int, rng: np.random.Generator
) -> Float64Array:
    env = game.aec_env()
    weights = np.array([weight for weight, _ in parts])
    totals = np.zeros((episodes, game.num_players))
    for episode in range(episodes):
        tables = parts[int(sample_categorical(weights[None], rng.random(1))[0])][1]
        env.reset(seed=int(rng.integers(2**31)))
        while not any(env.terminations.values()):
            agent = env.agent_selection
            seen = env.observe(agent)
            states = InformationStates(
                env.information_state(agent)[None], seen["observation"][None], seen["action_mask"][None].astype(bool)
            )
            row = tables(env.possible_agents.index(agent), states)
            env.step(int(sample_categorical(row, rng.random(1))[0]))
            totals[episode] += [env.rewards[name] for name in env.possible_agents]
    return totals


class _Recorder(RulesProxy):
    """Rules that note every move made through them, chance's included."""

    def __init__(self, rules: Rules[Any]) -> None:
        super().__init__(rules)
        self.moves: list[list[int]] = []

    def apply(self, state: Any, actions: Array) -> tuple[Any, Array]:
        """Note the move, then make it."""
        self.moves.append(np.atleast_1d(actions[0]).tolist())
        after: tuple[Any, Array] = self._rules.apply(state, actions)
        return after


class _Walker:
    """Follows one game through the flat tree."""

    def __init__(self, game: Game, model: ExtensiveFormModel) -> None:
        self.game, self.model = game, model
        self.first = np.searchsorted(model.parent, np.arange(len(model.parent) + 1))
        self.at = 0

    def move(self, action: int) -> None:
        """Take the edge of an action or outcome."""
        children = np.arange(self.first[self.at], self.first[self.at + 1])
        hit = children[self.model.action[children] == action]
        place = f"history {self.at}"
        require(len(hit) == 1, self.game, place, f"one child by action {action}", f"{len(hit)} of {len(children)}")
        self.at = int(hit[0])

    def stage(self, move: list[int], acting: list[int]) -> None:
        """Take one call of `apply`: a single move, or a column per player and one for chance."""
        if len(move) == 1:
            self.move(move[0])
        elif self.model.player[self.at] == CHANCE:
            self.move(move[-1])
        else:
            for player in acting:
                self.move(move[player])


def check_tree_matches_env(game: Game, episodes: int = 20, seed: int = 0) -> None:
    """Random games through the AEC environment, followed move by move through the model.

    At every decision the mover, observation, mask and information-state key are those that the model has stored for the
    history reached; at the end the rewards add up to the payoffs there.

    Args:
        game: a game in extensive or normal form.
        episodes: number of games.
        seed: of all randomness.

    Raises:
        AssertionError: naming the episode, the history and what differs.
        UnsupportedGame: if the model is neither extensive nor normal form.
    """
    model = _exact_model(game)
    rng = np.random.default_rng(seed)
    recorder = _Recorder(game.rules)
    shadow = copy.copy(game)
    shadow.rules = cast("Rules[Any]", recorder)
    env = shadow.aec_env()
    for episode in range(episodes):
        recorder.moves.clear()
        env.reset(seed=int(rng.integers(2**31)))
        walker = _Walker(game, model) if isinstance(model, ExtensiveFormModel) else None
        totals = np.zeros(game.num_players)
        chosen: list[int] = []
        stage: dict[int, int] = {}
        while True:
            if walker is not None:
                for move in recorder.moves:
                    walker.stage(move, sorted(stage))
                    stage = {}
                recorder.moves.clear()
            if any(env.terminations.values()):
                break
            agent = env.agent_selection
            player = env.possible_agents.index(agent)
            place = f"episode {episode}, move {len(chosen)}, {agent}"
            at = walker.at if walker is not None else -1
            if isinstance(model, ExtensiveFormModel):
                # Within a stage of simultaneous moves, the tree goes through those already chosen.
                for earlier in stage.values():
                    at = _child(model, at, earlier)
                require(model.player[at] == player, game, f"{place}, mover at history {at}", model.player[at], player)
                row = int(model.infoset[at])
            else:
                row = 0
            states = model.information_states[player]
            seen, place = env.observe(agent), f"{place}, history {at}"
            require_equal(game, f"{place}, observation", states.observations[row], seen["observation"])
            require_equal(game, f"{place}, mask", states.masks[row].astype(np.int8), seen["action_mask"])
            require_equal(game, f"{place}, key", states.keys[row], env.information_state(agent))
            action = int(rng.choice(np.flatnonzero(seen["action_mask"])))
            stage[player] = action
            chosen.append(action)
            env.step(action)
            totals += [env.rewards[name] for name in env.possible_agents]
        if walker is not None and isinstance(model, ExtensiveFormModel):
            place = f"episode {episode}, end at history {walker.at}"
            require(model.player[walker.at] == TERMINAL, game, place, "a terminal history", model.player[walker.at])
            payoffs = model.payoffs[np.searchsorted(model.terminals, walker.at)]
        else:
            assert isinstance(model, NormalFormModel)
            place = f"episode {episode}, profile {tuple(chosen)}"
            payoffs = model.payoffs.reshape(game.num_players, -1)[:, np.ravel_multi_index(chosen, model.num_actions)]
        require_equal(game, f"{place}, payoffs", payoffs, totals, 1e-9 * (1 + float(np.abs(payoffs).max())))


def _child(model: ExtensiveFormModel, at: int, action: int) -> int:
    start, stop = np.searchsorted(model.parent, [at, at + 1])
    return int(start + np.searchsorted(model.action[start:stop], action))
