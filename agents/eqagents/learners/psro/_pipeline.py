"""Several policies of each player in training at once, each against those before it: pipeline PSRO.

McAleer, Lanier, Fox and Baldi (2020), "Pipeline PSRO: a scalable approach for finding approximate Nash equilibria in
large games", NeurIPS, algorithm 2. A population is a row of frozen policies and a few *active* ones above them. An
active policy trains against the meta-solution of all policies below its level, active ones among them, which change
while it does. When the lowest active policy no longer improves it is frozen, and a new one begins on top.

A round is a stretch of training of every player and level, which goes on from where the policy stands, and the payoffs
of the policies that it gives. Levels do not wait for those above them: a level's round begins when the levels below it
and itself have had the one before, and the lowest ones may be rounds ahead of the highest. Difference from the paper:
what a level meets are the policies below it after the round before, not whatever they are by then, so the result does
not depend on who is faster.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from eqagents.configuration import Settings
from eqagents.distributed import Flow, Job, Work, outcome
from eqagents.learners.psro import _meta
from eqagents.learners.psro._growth import gain, gain_half_width
from eqagents.learners.psro._loop import Enlarged
from eqagents.learners.psro._payoffs import PayoffTable
from eqagents.learners.psro._policies import Policies, PoliciesState
from eqagents.learners.psro._responses import NONE, Responses, respond
from eqagents.oracles import Populations, find_oracle
from eqagents.policies import PolicyRecord, uniform_record
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqsolvers.meta import MetaSolution, find_meta_solver

if TYPE_CHECKING:
    from eqagents.learners.psro.psro import PSROConfig


class PipelineConfig(Settings):
    """Levels that train at once; oracles with `warm_start` need it to be true."""

    levels: int = Field(default=3, ge=1, description="active policies of each player")
    least_improvement: float = Field(
        default=0.01,
        ge=0,
        description="gain over the round before, in payoff, without which the lowest active policies are frozen",
    )
    most_rounds: int = Field(default=10, ge=1, description="rounds after which they are frozen in any case")
    ahead: int = Field(
        default=2,
        ge=0,
        description="rounds that levels may begin before the highest one has ended this one; changes no result",
    )


@dataclass(frozen=True)
class PipelineState:
    """The populations, and who is in training.

    Attributes:
        policies: the populations, active policies last, with the game between them and its solution. An active policy
            that has not been trained yet is not among them.
        frozen: how many policies of each player are no longer trained.
        gains: per player, of the lowest active policy over what it trains against; -inf before its first round.
        rounds: that the lowest active policies have trained as the lowest.
    """

    policies: PoliciesState
    frozen: int
    gains: tuple[float, ...]
    rounds: int


@dataclass(frozen=True)
class _Base:
    """What a round stands on.

    Attributes:
        populations: the frozen policies.
        payoffs: between them.
        gains: see `PipelineState`.
        rounds: see `PipelineState`.
        froze: whether the round before froze its lowest level.
        metrics: of the round before.
        trained_gains: per player, of the policies that the round before froze.
    """

    populations: tuple[tuple[PolicyRecord, ...], ...]
    payoffs: PayoffTable
    gains: tuple[float, ...]
    rounds: int
    froze: bool
    metrics: dict[str, float] = field(default_factory=dict)
    trained_gains: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Trained:
    """Policies of one level after a round.

    Attributes:
        records: of each player.
        target: what they trained against.
        responses: of their oracles.
    """

    records: tuple[PolicyRecord, ...]
    target: MetaSolution
    responses: Responses


@dataclass(frozen=True)
class _Level:
    """A level's part of a round.

    Attributes:
        trained: its policies.
        payoffs: of the profiles in which they are the highest, the others unknown, and the episodes behind them.
    """

    trained: Job[_Trained]
    payoffs: Job[tuple[PayoffTable, int]]


@dataclass(frozen=True)
class _Round:
    """A round under way.

    Attributes:
        levels: from the lowest.
        base: of the next round.
    """

    levels: tuple[_Level, ...]
    base: Job[_Base]


class Pipeline:
    """See the module; a `RestrictedGame`.

    Args:
        game: the game.
        config: of the learner, with a pipeline.
        flow: of the tasks.

    Raises:
        InputError: if the configuration does not fit.
    """

    def __init__(self, game: Game, config: PSROConfig, flow: Flow) -> None:
        assert config.pipeline is not None  # by the learner
        for name in ("symmetric", "keep_repeats", "least_gain", "prune_after"):
            if getattr(config, name) != type(config).model_fields[name].default:
                raise InputError(f"psro: pipeline: {name} says what joins a population, as levels do in turn; unset it")
        solver = find_meta_solver(config.meta_solver.id)
        if solver.learns:
            raise InputError(
                f"psro: pipeline: meta-solver {solver.id!r} learns from one iteration to the next, and active policies "
                "change; use 'nash'"
            )
        if find_oracle(config.oracle.id).needs_populations:
            raise InputError(
                f"psro: pipeline: oracle {config.oracle.id!r} responds for a whole population; use 'ppo' or 'exact'"
            )
        if getattr(config.oracle, "warm_start", True) is False:
            raise InputError("psro: pipeline: policies train round after round; set learner.oracle.warm_start to true")
        self._config, self._pipeline, self._count, self._flow = config, config.pipeline, game.num_players, flow
        self._policies = Policies(game, config, flow)
        # Rounds that were begun, with what they end in, and the state that they go on from: all follow from that state.
        self._begun: deque[tuple[_Round, Job[Enlarged[PipelineState]]]] = deque()
        self._from: PipelineState | None = None

    def begin(self, seed: np.random.SeedSequence) -> Work[Enlarged[PipelineState]]:
        """The uniformly random policy, frozen."""
        first = yield from self._policies.begin(seed)
        if first.state.meta.targets:
            raise InputError(
                "psro: pipeline: a level responds once, to everybody's mixture, and meta-solver "
                f"{self._config.meta_solver.id!r} has targets of its own; use 'nash' or one for a CCE"
            )
        state = PipelineState(first.state, 1, (-np.inf,) * self._count, 0)
        return Enlarged(state, first.metrics, first.episodes)

    def enlarge(self, state: PipelineState, iteration: int) -> Work[Enlarged[PipelineState]]:
        """A round of every level, and the beginning of those after it."""
        if state is not self._from:
            self._begun.clear()
        last, end = self._begun[-1] if self._begun else (self._standing(state), Job.done(Enlarged(state, {})))
        for number in range(iteration + len(self._begun), iteration + self._pipeline.ahead + 1):
            begun = self._begin_round(last, state.policies.entropy, number)
            end = self._flow.start(self._ended(last, begun, end, number), number)
            self._begun.append((begun, end))
            last = begun
        _, end = self._begun.popleft()
        found = yield from outcome(end)
        self._from = found.state
        return found

    def _standing(self, state: PipelineState) -> _Round:
        """The round that a state is the end of."""
        known = state.policies.payoffs
        levels = []
        for place in range(state.frozen, len(state.policies.populations[0])):
            records = tuple(own[place] for own in state.policies.populations)
            # What it trained against is not needed any more: its gains are in the state.
            trained = _Trained(records, state.policies.meta, NONE)
            payoffs = known.kept([range(place + 1)] * self._count)
            levels.append(_Level(Job.done(trained), Job.done((payoffs, 0))))
        base = _Base(
            populations=tuple(own[: state.frozen] for own in state.policies.populations),
            payoffs=known.kept([range(state.frozen)] * self._count),
            gains=state.gains,
            rounds=state.rounds,
            froze=False,
        )
        return _Round(tuple(levels), Job.done(base))

    def _begin_round(self, before: _Round, entropy: int, number: int) -> _Round:
        """All that a round consists of, under way."""
        levels: list[_Level] = []
        for level in range(self._pipeline.levels):
            trained = self._flow.start(self._train(before, level, entropy, number), number)
            below = [each.trained for each in levels]
            payoffs = self._flow.start(self._evaluate(before, (*below, trained), number), number)
            levels.append(_Level(trained, payoffs))
        base = self._flow.start(self._settle(before, levels[0]), number)
        return _Round(tuple(levels), base)

    def _train(self, before: _Round, level: int, entropy: int, number: int) -> Work[_Trained]:
        """A stretch of training of one level."""
        base = yield from outcome(before.base)
        place = level + base.froze  # in the round before; where that froze its lowest level all have moved down by one
        populations, payoffs = yield from _joined(base, before.levels[base.froze : place])
        starts: tuple[PolicyRecord, ...] = (uniform_record(),) * self._count
        if place < len(before.levels):
            starts = (yield from outcome(before.levels[place].trained)).records
        target, _ = _meta.solve(
            self._config.meta_solver,
            payoffs.mean,
            iteration=number - 1,
            entropy=entropy,
            memory={},
            outside=None,
        )
        handles = yield from self._policies.members.handles(populations, number - 1)
        requests = self._policies.requests(handles, target, payoffs.mean, starts)
        responses = yield from respond(requests, self._count, self._config.oracle.id, number, level)
        found = [responses.found(player)[0] for player in range(self._count)]
        records = tuple(
            start if response is None else response.record for start, response in zip(starts, found, strict=True)
        )
        return _Trained(records, target, responses)

    def _evaluate(self, before: _Round, levels: Sequence[Job[_Trained]], number: int) -> Work[tuple[PayoffTable, int]]:
        """The payoffs of the profiles in which the last of some levels is the highest."""
        base, *trained = yield [before.base, *levels]
        populations = _with(base.populations, trained)
        highest = len(populations[0]) - 1
        payoffs = PayoffTable.empty(self._count).grown([highest + 1] * self._count)
        cells = [cell for cell in payoffs.missing() if max(cell) == highest]
        found = yield from self._policies.fill(payoffs, cells, populations, number, len(levels) - 1)
        return found

    def _settle(self, before: _Round, lowest: _Level) -> Work[_Base]:
        """Whether the lowest level is frozen, and what the next round stands on."""
        base, trained = yield [before.base, lowest.trained]
        populations, payoffs = yield from _joined(base, [lowest])
        place = len(base.populations[0])
        players = range(self._count)
        gains = tuple(gain(payoffs.mean[player], player, place, trained.target) for player in players)
        improved = max(now - before for now, before in zip(gains, base.gains, strict=True))
        rounds = base.rounds + 1
        freezes = improved < self._pipeline.least_improvement or rounds >= self._pipeline.most_rounds
        metrics = {"pipeline/rounds": float(rounds), "pipeline/froze": float(freezes)}
        metrics |= {f"population/gain_{player}": each for player, each in enumerate(gains)}
        if freezes:
            widths = payoffs.half_widths()
            most = {p: gains[p] + gain_half_width(widths, p, place, trained.target) for p in players}
            return _Base(populations, payoffs, (-np.inf,) * self._count, 0, True, metrics, most)
        return _Base(base.populations, base.payoffs, gains, rounds, False, metrics)

    def _ended(
        self, before: _Round, this: _Round, end: Job[Enlarged[PipelineState]], number: int
    ) -> Work[Enlarged[PipelineState]]:
        """The state after a round, solved from where the round before ended; no training waits for it."""
        base, following, last = yield [before.base, this.base, end]
        populations, payoffs = yield from _joined(base, this.levels)
        idle = tuple(np.zeros(len(own), dtype=np.int64) for own in populations)
        inner = replace(last.state.policies, populations=populations, payoffs=payoffs, idle=idle)
        solved, metrics = self._policies.solved(inner, number)
        trained = [level.trained.result() for level in this.levels]
        self._forget(before, populations)
        metrics |= following.metrics | {"pipeline/frozen": float(len(following.populations[0]))}
        metrics |= {f"population/size_{player}": float(len(own)) for player, own in enumerate(populations)}
        return Enlarged(
            PipelineState(solved, len(following.populations[0]), following.gains, following.rounds),
            metrics,
            sum(level.payoffs.result()[1] for level in this.levels),
            reduce(Responses.and_also, (each.responses for each in trained)),
            following.trained_gains,
        )

    def _forget(self, before: _Round, populations: Sequence[Sequence[PolicyRecord]]) -> None:
        """Policies that were trained on are met by nobody any more."""
        kept = {id(record) for own in populations for record in own}
        old = [level.trained.result().records for level in before.levels]
        per_player = zip(*old, strict=True) if old else ()
        self._policies.members.forget([[each for each in own if id(each) not in kept] for own in per_player])

    def policy(self, state: PipelineState) -> JointPolicy:
        """All policies under their meta-strategies, active ones among them."""
        return self._policies.policy(state.policies)

    def measures(self, state: PipelineState) -> dict[str, float]:
        """See `Policies`."""
        return self._policies.measures(state.policies)

    def populations(self, state: PipelineState) -> Populations:
        """See `Policies`; active policies are among them."""
        return self._policies.populations(state.policies)

    def to_tree(self, state: PipelineState) -> dict[str, Any]:
        """See `Learner`."""
        return {
            "policies": self._policies.to_tree(state.policies),
            "frozen": state.frozen,
            "gains": list(state.gains),
            "rounds": state.rounds,
        }

    def from_tree(self, tree: dict[str, Any]) -> PipelineState:
        """See `Learner`."""
        return PipelineState(
            policies=self._policies.from_tree(tree["policies"]),
            frozen=tree["frozen"],
            gains=tuple(tree["gains"]),
            rounds=tree["rounds"],
        )

    def artefacts(self, state: PipelineState) -> dict[str, Any]:
        """See `Policies`."""
        return self._policies.artefacts(state.policies)


def _with(
    populations: Sequence[tuple[PolicyRecord, ...]], levels: Sequence[_Trained]
) -> tuple[tuple[PolicyRecord, ...], ...]:
    """Populations with the policies of some levels above them."""
    return tuple((*own, *(level.records[player] for level in levels)) for player, own in enumerate(populations))


def _joined(base: _Base, levels: Sequence[_Level]) -> Work[tuple[tuple[tuple[PolicyRecord, ...], ...], PayoffTable]]:
    """The frozen policies with those of some levels above them, and the payoffs between all of these."""
    trained = yield [level.trained for level in levels]
    filled = yield [level.payoffs for level in levels]
    return _with(base.populations, trained), reduce(PayoffTable.joined, (table for table, _ in filled), base.payoffs)
