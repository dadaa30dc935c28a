"""The game between populations of policies: what PSRO restricts a game to.

Its payoffs are the empirical game of Wellman (2006), "Methods for empirical game-theoretic analysis", AAAI: a table
over profiles of the policies so far, of which an iteration fills the new rows and columns, and which a meta-solver
mixes anew.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from eqagents.distributed import Flow, Handle, Work
from eqagents.learners.psro import _meta
from eqagents.learners.psro._filling import Filling
from eqagents.learners.psro._growth import gain, gain_half_width, with_responses
from eqagents.learners.psro._loop import Enlarged, RestrictedGame
from eqagents.learners.psro._members import Members
from eqagents.learners.psro._outside import KnownGame
from eqagents.learners.psro._payoffs import Cell, PayoffTable
from eqagents.learners.psro._population import RESPOND, joint_policy
from eqagents.learners.psro._responses import PAYOFF_PHASE, Request, respond
from eqagents.learners.psro._symmetry import shared_rows, symmetric_solution
from eqagents.oracles import Populations, find_oracle
from eqagents.policies import PolicyRecord, uniform_record
from eqagents.policies.digests import Marks
from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqsolvers.meta import MetaSolution, find_meta_solver

if TYPE_CHECKING:
    from eqagents.learners.psro.psro import PSROConfig

WORSE = -1e-9  # a gain below which a response is worse than what it responds to, in payoff
USED = 1e-9  # the least weight of a policy that a solution uses


@dataclass(frozen=True)
class PoliciesState:
    """The populations and the game between them.

    Attributes:
        populations: per player, the records of its policies; the same one for all players of a symmetric game.
        payoffs: the empirical game.
        meta: how the populations are mixed.
        idle: per player, [K_p] int64, for how many solutions in a row each policy has had no weight.
        entropy: of what is random in meta-solvers.
    """

    populations: tuple[tuple[PolicyRecord, ...], ...]
    payoffs: PayoffTable
    meta: MetaSolution
    idle: tuple[IntArray, ...]
    entropy: int


class Policies(RestrictedGame[PoliciesState]):
    """See the module; a `RestrictedGame`.

    Args:
        game: the game.
        config: of the learner.
        flow: of the tasks.

    Raises:
        InputError: if the configuration does not fit the game.
    """

    def __init__(self, game: Game, config: PSROConfig, flow: Flow) -> None:
        self._game, self._config = game, config
        solver = find_meta_solver(config.meta_solver.id)
        if config.prune_after is not None and solver.learns:
            raise InputError(
                f"psro: prune_after: meta-solver {solver.id!r} learns from one iteration to the next, so its policies "
                "must stay"
            )
        shared = shared_rows(game) if config.symmetric else None
        tabulated = config.tabulate or config.payoffs.method == "exact"
        self.outside = KnownGame(game) if solver.needs_outside else None
        self._handle = flow.executor.publish(game)
        self._filling = Filling(self._handle, config.payoffs, symmetric=config.symmetric)
        self.members = Members(game, self._handle, flow, tabulated=tabulated, shared=shared)
        self._marks = Marks()
        # Players that respond, and grow populations, of their own.
        self._responding = (0,) if config.symmetric else tuple(range(game.num_players))

    def begin(self, seed: np.random.SeedSequence) -> Work[Enlarged[PoliciesState]]:
        """Uniformly random policies, and the game between them."""
        n = self._game.num_players
        state = PoliciesState(
            populations=((uniform_record(),),) * n,
            payoffs=PayoffTable.empty(n),
            meta=MetaSolution(tuple(np.ones(1) for _ in range(n))),
            idle=(np.zeros(1, dtype=np.int64),) * n,
            entropy=int(seed.generate_state(1, np.uint32)[0]),
        )
        filled, episodes = yield from self._filled(state, 0)
        solved, metrics = self.solved(filled, 0)
        return Enlarged(solved, metrics, episodes)

    def requests(
        self,
        handles: list[list[Handle]],
        meta: MetaSolution,
        payoffs: Float64Array,
        warm_starts: Sequence[PolicyRecord | None] | None = None,
    ) -> list[Request]:
        """One response to each of a player's targets.

        Args:
            handles: of the members of the populations.
            meta: how they are mixed.
            payoffs: [N, K_0, ..., K_{N-1}] of the empirical game.
            warm_starts: per player, what its oracle may start from; by default its last policy.
        """
        needs_payoffs = find_oracle(self._config.oracle.id).needs_populations
        return [
            Request(
                player,
                RESPOND,
                {
                    "game": self._handle,
                    "config": self._config.oracle,
                    "player": player,
                    "populations": handles,
                    "meta": target,
                    "payoffs": payoffs if needs_payoffs else None,
                    "warm_start": warm_starts[player] if warm_starts is not None else None,
                },
            )
            for player in self._responding
            for target in meta.against(player)
        ]

    def enlarge(self, state: PoliciesState, iteration: int) -> Work[Enlarged[PoliciesState]]:
        """Fill the new cells, keep what gains, mix anew."""
        handles = yield from self.members.handles(state.populations, iteration - 1)
        requests = self.requests(handles, state.meta, state.payoffs.mean)
        responses = yield from respond(requests, self._game.num_players, self._config.oracle.id, iteration)
        started = time.perf_counter()
        grown, places, targets = {}, {}, {}
        for player in self._responding:
            asked = zip(responses.found(player), state.meta.against(player), strict=True)
            found = [(response, target) for response, target in asked if response is not None]
            targets[player] = [target for _, target in found]
            records = [response.record for response, _ in found]
            records += [record for response, _ in found for record in response.also]  # which have no target
            old = state.populations[player]
            grown[player], places[player] = with_responses(
                old, records, self._marks, keep_repeats=self._config.keep_repeats
            )
        populations = self._everybody(grown)
        idle = tuple(
            np.concatenate([old, np.zeros(len(new) - len(old), dtype=np.int64)])
            for old, new in zip(state.idle, populations, strict=True)
        )
        filled, episodes = yield from self._filled(replace(state, populations=populations, idle=idle), iteration)
        gains = {
            player: [
                gain(filled.payoffs.mean[player], player, place, target)
                for place, target in zip(places[player], targets[player], strict=False)
            ]
            for player in self._responding
        }
        widths = filled.payoffs.half_widths()
        doubts = {
            player: [
                gain_half_width(widths, player, place, target)
                for place, target in zip(places[player], targets[player], strict=False)
            ]
            for player in self._responding
        }
        highest = {player: list(map(float.__add__, gains[player], doubts[player])) for player in self._responding}
        improving = self._without(filled, self._gaining(state, filled, places, highest))
        seconds = time.perf_counter() - started
        solved, metrics = self.solved(improving, iteration)
        busy = self._busy(solved)
        after = replace(self._without(solved, busy), meta=_of_policies(solved.meta, busy))
        for player in self._responding:
            sizes = [len(each.populations[player]) for each in (state, filled, improving, after)]
            metrics |= {
                f"population/size_{player}": float(sizes[3]),
                f"population/repeated_{player}": float(len(places[player]) - (sizes[1] - sizes[0])),
                f"population/worse_{player}": float(sum(each < WORSE for each in highest[player])),
                f"population/left_out_{player}": float(sizes[1] - sizes[2]),
                f"population/pruned_{player}": float(sizes[2] - sizes[3]),
                f"meta/support_{player}": float(np.count_nonzero(after.meta.strategies[player] > USED)),
            }
            if gains[player]:
                metrics[f"population/gain_{player}"] = max(gains[player])
        most = {player: max(own) for player, own in highest.items() if own}
        self._forget(filled, after)
        return Enlarged(after, metrics | {"time/payoffs_s": seconds}, episodes, responses, most)

    def _forget(self, before: PoliciesState, after: PoliciesState) -> None:
        """Those that were left out or taken out are kept for tasks no longer."""
        kept = [{id(record) for record in own} for own in after.populations]
        self.members.forget(
            [[each for each in own if id(each) not in ids] for own, ids in zip(before.populations, kept, strict=True)]
        )
        self._marks.keep(record for own in after.populations for record in own)

    def _everybody(self, of_responding: Mapping[int, Any]) -> tuple[Any, ...]:
        """What there is of every player that responds, for every player."""
        return tuple(of_responding.get(player, of_responding[0]) for player in range(self._game.num_players))

    def _gaining(
        self,
        state: PoliciesState,
        filled: PoliciesState,
        places: Mapping[int, list[int]],
        gains: Mapping[int, list[float]],
    ) -> list[list[int]]:
        """Per player, the policies but for new ones that gain too little; gains are the most that they may be."""
        may_lose = find_oracle(self._config.oracle.id).may_lose and "least_gain" not in self._config.model_fields_set
        least = None if may_lose else self._config.least_gain
        kept = {}
        for player in self._responding:
            responses, also = places[player][: len(gains[player])], places[player][len(gains[player]) :]
            good = {
                place for place, each in zip(responses, gains[player], strict=True) if least is None or each > least
            }
            known = len(state.populations[player])
            every = range(len(filled.populations[player]))
            kept[player] = [place for place in every if place < known or place in good or place in also]
        return list(self._everybody(kept))

    def _busy(self, state: PoliciesState) -> list[list[int]]:
        """Per player, the policies but for those that have been idle for too long."""
        most = self._config.prune_after
        return [[k for k, count in enumerate(own) if most is None or count < most] for own in state.idle]

    def _without(self, state: PoliciesState, policies: Sequence[list[int]]) -> PoliciesState:
        """The game between some of the policies, not solved yet."""
        if all(len(own) == len(population) for own, population in zip(policies, state.populations, strict=True)):
            return state
        kept = {p: tuple(state.populations[p][k] for k in policies[p]) for p in self._responding}
        return replace(
            state,
            populations=self._everybody(kept),
            payoffs=state.payoffs.kept(policies),
            idle=tuple(own[rows] for own, rows in zip(state.idle, policies, strict=True)),
        )

    def _filled(self, state: PoliciesState, iteration: int) -> Work[tuple[PoliciesState, int]]:
        """With all cells of the empirical game known, and the episodes that were played for it."""
        payoffs = state.payoffs.grown([len(population) for population in state.populations])
        filled, episodes = yield from self.fill(payoffs, payoffs.missing(), state.populations, iteration)
        return replace(state, payoffs=filled), episodes

    def fill(
        self,
        payoffs: PayoffTable,
        cells: Sequence[Cell],
        populations: Sequence[Sequence[PolicyRecord]],
        iteration: int,
        part: int = 0,
    ) -> Work[tuple[PayoffTable, int]]:
        """A table with some of its cells, and the episodes that were played for it.

        Args:
            payoffs: as large as the populations.
            cells: those that are wanted.
            populations: the records.
            iteration: of the run.
            part: which filling of the iteration this is; tasks have it in their keys.
        """
        handles = yield from self.members.handles(populations, iteration)
        found = yield from self._filling.fill(payoffs, cells, handles, (iteration, PAYOFF_PHASE, part))
        return found

    def solved(self, state: PoliciesState, iteration: int) -> tuple[PoliciesState, dict[str, float]]:
        """With the empirical game solved."""
        started = time.perf_counter()
        if self.outside is not None:
            self.outside.show(self.members.members(state.populations))
        meta, fell_back = _meta.solve(
            self._config.meta_solver,
            state.payoffs.mean,
            iteration=iteration,
            entropy=state.entropy,
            memory=state.meta.memory,
            outside=self.outside,
            alike=self._alike,
        )
        idle = tuple(
            np.where(strategy > USED, 0, own + 1) for own, strategy in zip(state.idle, meta.strategies, strict=True)
        )
        metrics = {
            "meta/residual": meta.residual,
            "meta/fell_back": float(fell_back),
            "time/meta_s": time.perf_counter() - started,
        }
        return replace(state, meta=meta, idle=idle), metrics

    def _alike(self, meta: MetaSolution) -> MetaSolution:
        """The same in games that are not declared symmetric."""
        if not self._config.symmetric:
            return meta
        return symmetric_solution(meta, constant_sum=self._game.num_players == 2 and self._game.constant_sum)

    def policy(self, state: PoliciesState) -> JointPolicy:
        """The populations under their meta-strategies: a product of private mixtures, or the device's mixture."""
        return joint_policy(self._game, self.members.members(state.populations), state.meta)

    def measures(self, state: PoliciesState) -> dict[str, float]:
        """The widest interval of a simulated empirical game."""
        if not state.payoffs.count.any():
            return {}
        return {"payoff_half_width": float(np.nanmax(state.payoffs.half_widths()))}

    def populations(self, state: PoliciesState) -> Populations:
        """The members, the meta-solution and the empirical game."""
        return Populations(self.members.members(state.populations), state.meta, state.payoffs.mean)

    def to_tree(self, state: PoliciesState) -> dict[str, Any]:
        """See `Learner`."""
        return {
            "populations": [list(state.populations[player]) for player in self._responding],
            "mean": state.payoffs.mean,
            "variance": state.payoffs.variance,
            "count": state.payoffs.count,
            "meta": _meta.solution_to_tree(state.meta),
            "idle": list(state.idle),
            "entropy": state.entropy,
        }

    def from_tree(self, tree: dict[str, Any]) -> PoliciesState:
        """See `Learner`."""
        populations = {p: tuple(own) for p, own in zip(self._responding, tree["populations"], strict=True)}
        return PoliciesState(
            populations=self._everybody(populations),
            payoffs=PayoffTable(tree["mean"], tree["variance"], tree["count"]),
            meta=_meta.solution_from_tree(tree["meta"]),
            idle=tuple(tree["idle"]),
            entropy=tree["entropy"],
        )

    def artefacts(self, state: PoliciesState) -> dict[str, Any]:
        """The empirical game, as `meta_game`."""
        mean = state.payoffs.mean
        return {
            "meta_game": {
                "payoffs": np.where(np.isnan(mean), np.array(None), mean.astype(object)).tolist(),
                "half_widths": state.payoffs.half_widths().tolist(),
                "meta_strategies": [strategy.tolist() for strategy in state.meta.strategies],
                "labels": [
                    [f"{record['kind']} {k}" for k, record in enumerate(population)] for population in state.populations
                ],
            }
        }


def _of_policies(meta: MetaSolution, policies: Sequence[list[int]]) -> MetaSolution:
    """A meta-solution of some of the policies, which have all its weight; what it remembers is of all of them."""
    if all(len(own) == len(rows) for own, rows in zip(meta.strategies, policies, strict=True)):
        return meta
    device = None if meta.device is None else meta.device[np.ix_(*policies)]
    return MetaSolution(
        strategies=tuple(own[rows] / own[rows].sum() for own, rows in zip(meta.strategies, policies, strict=True)),
        device=None if device is None else device / device.sum(),
        targets=tuple(
            # What hears of a policy without weight is no target any more.
            tuple(_of_policies(target, policies) for target in own if _weight(target, policies) > 0.5)
            for own in meta.targets
        ),
        residual=meta.residual,
    )


def _weight(meta: MetaSolution, policies: Sequence[list[int]]) -> float:
    return float(min(own[rows].sum() for own, rows in zip(meta.strategies, policies, strict=True)))
