"""The game in which every player may use some of the actions at each of its information sets.

McAleer, Lanier, Wang, Baldi and Fox (2021), "XDO: a double oracle algorithm for extensive-form games", NeurIPS: actions
of best responses are allowed, where a response is recommended by no other, so that a few of them combine to many
strategies. Tang, Dinh, McAleer and Yang (2023), "Regret-minimizing double oracle for extensive-form games", ICML, for
windows and the rules that end a stretch of solving.

A *window* is the time from one enlargement to the next: the restricted game stays the same, and so does the process
that solves it. What is played at information sets that the restricted game cannot reach is uniform over the actions
that are allowed there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from eqagents.distributed import Handle, Work
from eqagents.learners.psro._loop import Enlarged, RestrictedGame
from eqagents.learners.psro._responses import Request, Responses, respond
from eqagents.oracles import OracleResult
from eqagents.oracles._tasks import RESPOND_TO
from eqagents.oracles.exact import ExactConfig
from eqagents.policies import to_policy
from eqenvs.arrays import BoolArray, Float64Array
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models import ExtensiveFormModel
from eqenvs.models.restriction import Restriction, restrict
from eqenvs.policies import TabularPolicy, player_table, uniform
from eqsolvers.iterative import Process
from eqsolvers.scoring.score import score
from eqsolvers.scoring.scorers import scorer

if TYPE_CHECKING:
    from eqagents.learners.psro.xdo import XDOConfig

PER_PLAYER = ("allowed", "solution", "past")  # parts of the state


@dataclass(frozen=True)
class InfosetsState:
    """The restricted game and how far it is solved.

    Attributes:
        allowed: [I, A] bool per player.
        window: how often the game was enlarged.
        process: what the process of this window gave as its state; None before it has begun.
        solution: tables of the whole game, of this window.
        past: the average of the solutions of earlier windows, by iterations.
        past_iterations: how many those were; 0 where only this window counts.
        threshold: exploitability that the restricted game is next solved to, where that is the rule.
        iterations: of the process, in all windows.
        histories: visited by the process, by looks at its residual, by scores and by exact best responses.
        entropy: of what is random in processes, of the run.
    """

    allowed: tuple[BoolArray, ...]
    window: int
    process: dict[str, Any] | None
    solution: tuple[Float64Array, ...]
    past: tuple[Float64Array, ...]
    past_iterations: int
    threshold: float
    iterations: int
    histories: int
    entropy: int


class Infosets(RestrictedGame[InfosetsState]):
    """See the module; a `RestrictedGame`.

    Args:
        game: the game, in extensive form.
        config: of the learner.
        handle: of the published game.

    Raises:
        UnsupportedGame: if the game is of another family.
        InputError: if it cannot be enumerated.
    """

    def __init__(self, game: Game, config: XDOConfig, handle: Handle) -> None:
        if not game.exact:
            raise InputError(f"{config.id}: needs a game that can be enumerated, {game!r} cannot; use learner 'psro'")
        model = game.model()
        if not isinstance(model, ExtensiveFormModel):
            raise UnsupportedGame(
                f"{config.id}: restricts actions at information sets of extensive-form games, {game.spec.id} is "
                f"{game.family.value}; use learner 'psro'"
            )
        self._game, self._model, self._config = game, model, config
        self._spec = config.spec_for(game)
        self._handle = handle
        self._exact = isinstance(config.oracle, ExactConfig)
        # Of the window that was last worked on; both follow from the state.
        self._restriction: tuple[tuple[BoolArray, ...], Restriction] | None = None
        self._process: tuple[dict[str, Any] | None, Process] | None = None

    def begin(self, seed: np.random.SeedSequence) -> Work[Enlarged[InfosetsState]]:
        """Uniform play, to which the first responses are."""
        yield from ()
        tables = tuple(states.uniform() for states in self._game.information_states)
        state = InfosetsState(
            allowed=tuple(np.zeros(table.shape, dtype=bool) for table in tables),
            window=0,
            process=None,
            solution=tables,
            past=tables,
            past_iterations=0,
            threshold=self._config.until.threshold,
            iterations=0,
            histories=0,
            entropy=int(seed.generate_state(1, np.uint32)[0]),
        )
        return Enlarged(state, {})

    def _requests(self, state: InfosetsState) -> list[Request]:
        """One response of each player to the solution of this window."""
        opponents = TabularPolicy(self._game, list(state.solution))
        arguments = {"game": self._handle, "config": self._config.oracle, "opponents": opponents}
        return [
            Request(player, RESPOND_TO, {**arguments, "player": player}) for player in range(self._game.num_players)
        ]

    def enlarge(self, state: InfosetsState, iteration: int) -> Work[Enlarged[InfosetsState]]:
        """Allow what the responses do; solve on, or anew where something was added."""
        requests, n = self._requests(state), self._game.num_players
        responses = yield from respond(requests, n, self._config.oracle.id, iteration)
        tables = self._tables(responses)
        grown = tuple(
            old if table is None else old | _preferred(table) for old, table in zip(state.allowed, tables, strict=True)
        )
        added = [int(new.sum() - old.sum()) for old, new in zip(state.allowed, grown, strict=True)]
        if not all(own.any(axis=1).all() for own in grown):
            raise InputError(f"{self._config.id}: a player's first response failed, and there is no game without it")
        visited = n * len(self._model.parent) if self._exact else 0
        started = time.perf_counter()
        # Where nothing was added `allowed` stays the same object, by which what was made of it is known.
        begun = replace(state, histories=state.histories + visited)
        if any(added):
            past, count = self._past(state)
            begun = replace(
                begun, allowed=grown, window=state.window + 1, process=None, past=past, past_iterations=count
            )
        solved, residual = self._solved(begun)
        metrics = {
            "restricted/window": float(solved.window),
            "restricted/iterations": float(solved.iterations),
            "restricted/residual": residual,
            "restricted/threshold": state.threshold,
            "restricted/histories": float(len(self._restricted(solved.allowed).model.parent)),
            "samples/histories": float(solved.histories),
            "time/solve_s": time.perf_counter() - started,
        }
        for player, new in enumerate(added):
            metrics[f"restricted/actions_{player}"] = float(solved.allowed[player].sum())
            metrics[f"restricted/added_{player}"] = float(new)
        return Enlarged(solved, metrics, responses=responses, gains=self._gains(state, responses, tables))

    def _tables(self, responses: Responses) -> list[Float64Array | None]:
        """Each player's response; None where the oracle failed."""
        tables: list[Float64Array | None] = []
        for player in range(self._game.num_players):
            (response,) = responses.found(player)
            policy = None if response is None else to_policy(response.record, self._game, player)
            tables.append(None if policy is None else player_table(self._model, player, policy))
        return tables

    def _gains(self, state: InfosetsState, responses: Responses, tables: list[Float64Array | None]) -> dict[int, float]:
        """What each response earns more than the solution of its window does, in the whole game."""
        judge = scorer(self._model)
        values = judge.values(state.solution)
        found = {}
        for player, table in enumerate(tables):
            if table is None:
                continue
            (response,) = responses.of[player]
            if self._exact and isinstance(response, OracleResult):
                value = response.metrics["value"]
            else:
                joint = [*state.solution]
                joint[player] = table
                value = float(judge.values(joint)[player])
            found[player] = value - float(values[player])
        return found

    def _past(self, state: InfosetsState) -> tuple[tuple[Float64Array, ...], int]:
        """The average over the windows that are over, and its weight."""
        if state.window == 0 or not self._config.average_windows:
            return state.past, 0
        return self._averaged(state), state.past_iterations + self._of_window(state)

    def _of_window(self, state: InfosetsState) -> int:
        return state.process["iteration"] if state.process is not None else 0

    def _averaged(self, state: InfosetsState) -> tuple[Float64Array, ...]:
        """The solution of this window with those before it, by iterations."""
        if state.past_iterations == 0:
            return state.solution
        weights = np.array([state.past_iterations, self._of_window(state)], dtype=np.float64)
        weights /= weights.sum()
        return tuple(
            self._model.mix(player, np.stack([old, new]), weights)
            for player, (old, new) in enumerate(zip(state.past, state.solution, strict=True))
        )

    def _restricted(self, allowed: tuple[BoolArray, ...]) -> Restriction:
        if self._restriction is None or self._restriction[0] is not allowed:
            self._restriction = allowed, restrict(self._model, allowed)
        return self._restriction[1]

    def _at(self, state: InfosetsState) -> Process:
        """The process of a state's window where the state stands."""
        if self._process is None or state.process is None or self._process[0] is not state.process:
            process = self._config.begin(
                self._spec, self._restricted(state.allowed).model, seed=(state.entropy + state.window) % 2**32
            )
            if state.process is not None:
                process.restore(state.process)
            return process
        return self._process[1]

    def _solved(self, state: InfosetsState) -> tuple[InfosetsState, float]:
        """Solved by the configured rule, and the residual of the restricted game."""
        restriction, process = self._restricted(state.allowed), self._at(state)
        self._process = None  # until it is through
        before, touched = process.iteration, process.touched
        looks = self._config.until.run(process, restriction.model, state.threshold)
        n = self._game.num_players
        looked = n * (looks * len(restriction.model.parent) + self._config.until.halves * len(self._model.parent))
        policy = process.policy()
        assert isinstance(policy, TabularPolicy)  # of all processes on such models
        elsewhere = [own / own.sum(axis=1, keepdims=True) for own in state.allowed]
        solution = tuple(restriction.extended(policy.tables, elsewhere))
        residual = process.residual()
        after = replace(
            state,
            process=process.state(),
            solution=solution,
            threshold=self._threshold(state, solution),
            iterations=state.iterations + process.iteration - before,
            histories=state.histories + process.touched - touched + looked,
        )
        self._process = after.process, process
        return after, residual

    def _threshold(self, state: InfosetsState, solution: tuple[Float64Array, ...]) -> float:
        """Half of it where the whole game is solved to it already; see `UntilConfig`."""
        if not self._config.until.halves:
            return state.threshold
        found = score(self._model, TabularPolicy(self._game, list(solution)))
        return state.threshold / 2 if found.nash_conv / self._game.num_players < state.threshold else state.threshold

    def policy(self, state: InfosetsState) -> TabularPolicy:
        """The solution, of this window or averaged over all of them; uniform before the first."""
        if state.window == 0:
            return uniform(self._game)
        return TabularPolicy(self._game, list(self._averaged(state)))

    def to_tree(self, state: InfosetsState) -> dict[str, Any]:
        """See `Learner`."""
        return {name: list(part) if name in PER_PLAYER else part for name, part in vars(state).items()}

    def from_tree(self, tree: dict[str, Any]) -> InfosetsState:
        """See `Learner`."""
        return InfosetsState(**{**tree, **{name: tuple(tree[name]) for name in PER_PLAYER}})


def _preferred(table: Float64Array) -> BoolArray:
    """The action that a response prefers at every information set, the first of equals, [I, A]."""
    found = np.zeros(table.shape, dtype=bool)
    found[np.arange(len(table)), table.argmax(axis=1)] = True
    return found
