"""EFCE and EFCCE gaps against brute force over pure policies, published examples, and the order of the concepts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eqenvs
from eqenvs.arrays import namespace
from eqenvs.errors import UnsupportedGame
from eqenvs.game import repeated
from eqenvs.games.extensive_form.signalling import Signalling, SignallingState
from eqenvs.models import ExtensiveFormModel, Treeplex
from eqenvs.models.enumeration import enumerate_rules
from eqenvs.policies import MixturePolicy, TabularPolicy, marginals, tabulate, uniform
from eqsolvers.extensive_form.sequence_lp import solve
from eqsolvers.scoring import TriggerGains, score, trigger_gains


def build(game_id: str, **parameters: Any) -> ExtensiveFormModel:
    model = eqenvs.make(game_id, **parameters).model()
    assert isinstance(model, ExtensiveFormModel)
    return model


def random_device(model: ExtensiveFormModel, seed: int, size: int, *, pure: float = 0.5) -> MixturePolicy:
    """Components of which some share a player's policy, and some rows are pure; weights may be zero."""
    rng = np.random.default_rng(seed)
    pool = [[_random_table(states.masks, rng, pure) for _ in range(size)] for states in model.information_states]
    profiles = [TabularPolicy(model, [tables[rng.integers(size)] for tables in pool]) for _ in range(size)]
    weights = rng.integers(0, 4, size=size) + np.eye(size)[0]
    return MixturePolicy(profiles, weights / weights.sum())


def _random_table(masks: np.ndarray, rng: np.random.Generator, pure: float) -> np.ndarray:
    weights = rng.random(masks.shape) * masks
    best = np.eye(masks.shape[1])[weights.argmax(axis=1)]
    weights = np.where((rng.random(len(masks)) < pure)[:, None], best, weights)
    return weights / weights.sum(axis=1, keepdims=True)


# ---------------------------------------------------------------------------------------------------------- brute force


class Brute:
    """One player's deviations in the open: pure policies, the joint distribution over them, and a walk over the tree.

    Attributes:
        plans: the player's pure policies, tuples of an action for each information set.
        pays: [r, c] is what playing c gets where r is recommended, times the probability of that.
    """

    def __init__(self, model: ExtensiveFormModel, player: int, device: MixturePolicy) -> None:
        self.treeplex = model.treeplexes[player]
        options = [pure_policies(treeplex) for treeplex in model.treeplexes]
        self.plans = options[player]
        self.pays = np.zeros((len(self.plans),) * 2)
        payoff = {choice: self._payoff(model, player, choice) for choice in itertools.product(*options)}
        for component, weight in zip(device.components, device.weights, strict=True):
            tables = tabulate(model, component).tables
            drawn = [
                {plan: np.prod([table[i, a] for i, a in enumerate(plan)]) for plan in plans}
                for table, plans in zip(tables, options, strict=True)
            ]
            others = [[None] if p == player else plans for p, plans in enumerate(options)]
            for rest in itertools.product(*others):
                chance = weight * np.prod([drawn[p][plan] for p, plan in enumerate(rest) if p != player])
                row = np.array([payoff[(*rest[:player], plan, *rest[player + 1 :])] for plan in self.plans])
                self.pays += chance * np.outer([drawn[player][plan] for plan in self.plans], row)

    @staticmethod
    def _payoff(model: ExtensiveFormModel, player: int, choice: tuple[tuple[int, ...], ...]) -> float:
        reach = np.ones(len(model.parent))
        for h in range(1, len(model.parent)):
            above = model.parent[h]
            mover = model.player[above]
            edge = model.chance[h] if mover < 0 else choice[mover][model.infoset[above]] == model.action[h]
            reach[h] = reach[above] * edge
        return float(reach[model.terminals] @ model.payoffs[:, player])

    def chain(self, infoset: int) -> list[int]:
        """The player's information sets on the way to one of them, itself last."""
        above = self.treeplex.sequence_infoset[self.treeplex.parent_sequence[infoset]]
        return [*(self.chain(above) if above >= 0 else []), infoset]

    def below(self, infoset: int) -> list[int]:
        return [j for j in range(self.treeplex.num_infosets) if infoset in self.chain(j)]

    def played(self, plan: tuple[int, ...], triggers: dict[Any, dict[int, int]], told: bool) -> tuple[int, ...]:
        """What is done by who is recommended `plan` and stops at the first trigger that it meets."""
        actions = []
        for infoset, action in enumerate(plan):
            met = [(j, plan[j]) if told else j for j in self.chain(infoset)]
            first = next((trigger for trigger in met if trigger in triggers), None)
            actions.append(action if first is None else triggers[first][infoset])
        return tuple(actions)

    def gain(self, triggers: dict[Any, dict[int, int]], told: bool) -> float:
        played = [self.plans.index(self.played(plan, triggers, told)) for plan in self.plans]
        rows = np.arange(len(self.plans))
        return float((self.pays[rows, played] - self.pays[rows, rows]).sum())

    def continuations(self, infoset: int) -> Iterator[dict[int, int]]:
        below = self.below(infoset)
        actions = [np.flatnonzero(self.treeplex.states.masks[j]).tolist() for j in below]
        yield from (dict(zip(below, choice, strict=True)) for choice in itertools.product(*actions))

    def triggers(self, told: bool) -> list[Any]:
        infosets = range(self.treeplex.num_infosets)
        actions = [np.flatnonzero(mask).tolist() for mask in self.treeplex.states.masks]
        return [(i, a) for i in infosets for a in actions[i]] if told else list(infosets)

    def best_single(self, told: bool) -> list[float]:
        """By trigger, in the order of the sequences, or of the information sets."""
        return [
            max(self.gain({at: then}, told) for then in self.continuations(at[0] if told else at))
            for at in self.triggers(told)
        ]

    def best_set(self, told: bool) -> float:
        """Over every set of triggers with every continuation of each."""
        where = self.triggers(told)
        options = [[None, *self.continuations(at[0] if told else at)] for at in where]
        return max(
            self.gain({at: then for at, then in zip(where, choice, strict=True) if then is not None}, told)
            for choice in itertools.product(*options)
        )

    def swap(self) -> float:
        """The normal-form gap over pure policies: each recommended one replaced by its best replacement."""
        return float((self.pays.max(axis=1) - np.diag(self.pays)).sum())

    def commit(self) -> float:
        return float(max(0.0, self.pays.sum(axis=0).max() - np.trace(self.pays)))


def pure_policies(treeplex: Treeplex) -> list[tuple[int, ...]]:
    return list(itertools.product(*(np.flatnonzero(mask).tolist() for mask in treeplex.states.masks)))


# Each player has at most three information sets of two actions: the sets of triggers can be counted out.
TINY = {
    "blind": build("random_tree", depth=4, branching=2, chance_frequency=0.0, visibility=0.0, zero_sum=False),
    "signals": build("signalling", num_types=2, num_messages=2, num_actions=2, bias=0.3),
    "three players": build(
        "random_tree", depth=4, branching=2, num_players=3, chance_frequency=0.0, visibility=0.0, correlation=0.2
    ),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", TINY)
def test_gaps_are_the_best_of_all_sets_of_triggers_over_pure_policies(name: str, seed: int) -> None:
    model = TINY[name]
    device = random_device(model, seed, 3)
    scored = score(model, device)
    totals = {"ce": 0.0, "efce": 0.0, "efcce": 0.0, "cce": 0.0}
    for player, found in enumerate(trigger_gains(model, device)):
        brute = Brute(model, player, device)
        assert found.efce_gap == pytest.approx(brute.best_set(told=True), abs=1e-12)
        assert found.efcce_gap == pytest.approx(brute.best_set(told=False), abs=1e-12)
        assert found.recommended[0] == 0
        np.testing.assert_allclose(found.recommended[1:], brute.best_single(told=True), atol=1e-12)
        np.testing.assert_allclose(found.arrived, brute.best_single(told=False), atol=1e-12)
        assert brute.swap() >= found.efce_gap - 1e-12
        for concept, gap in zip(totals, (brute.swap(), found.efce_gap, found.efcce_gap, brute.commit()), strict=True):
            totals[concept] += gap
    assert scored.ce_gap is not None
    assert scored.ce_gap >= totals["ce"] - 1e-12  # told the component, it knows more than the pure policy drawn from it
    assert scored.efce_gap == pytest.approx(totals["efce"], abs=1e-12)
    assert scored.efcce_gap == pytest.approx(totals["efcce"], abs=1e-12)
    assert scored.cce_gap == pytest.approx(totals["cce"], abs=1e-12)


# --------------------------------------------------------------------------------------- twin in plain Python, any size


def twin(model: ExtensiveFormModel, player: int, device: MixturePolicy) -> TriggerGains:
    """The formula of the module by recursion, on the model's own plans and gradients."""
    treeplex = model.treeplexes[player]
    tables = [tabulate(model, component).tables for component in device.components]
    plans = [[t.realisation_plan(b) for t, b in zip(model.treeplexes, row, strict=True)] for row in tables]
    own = np.array([row[player] for row in plans])
    gradients = np.array([model.gradient(player, row) for row in plans])
    children: dict[int, list[int]] = {q: [] for q in range(treeplex.num_sequences)}
    for infoset, q in enumerate(treeplex.parent_sequence.tolist()):
        children[q].append(infoset)

    def actions(infoset: int) -> range:
        first = int(treeplex.first_sequence[infoset])
        return range(first, first + int(treeplex.num_actions[infoset]))

    def best(infoset: int, worth: np.ndarray) -> float:
        return max(worth[q] + sum(best(child, worth) for child in children[q]) for q in actions(infoset))

    collected = device.weights @ (own * gradients)

    def followed(q: int) -> float:
        return float(collected[q]) + sum(followed(r) for child in children[q] for r in actions(child))

    recommended, arrived = np.zeros(treeplex.num_sequences), np.zeros(treeplex.num_infosets)
    for infoset in range(treeplex.num_infosets):
        for q in actions(infoset):
            recommended[q] = best(infoset, (device.weights * own[:, q]) @ gradients) - followed(q)
        reach = own[:, treeplex.parent_sequence[infoset]]
        arrived[infoset] = best(infoset, (device.weights * reach) @ gradients) - sum(
            followed(q) for q in actions(infoset)
        )

    def told(q: int) -> float:
        return sum(max(recommended[r], told(r)) for child in children[q] for r in actions(child))

    def blind(q: int) -> float:
        return sum(max(arrived[child], sum(blind(r) for r in actions(child))) for child in children[q])

    return TriggerGains(recommended, arrived, told(0), blind(0))


@pytest.mark.parametrize(("game_id", "parameters"), [
    ("kuhn_poker", {"num_players": 3}),
    ("leduc_poker", {"suit_isomorphism": True}),  # information sets of two and of three actions
    ("sheriff", {}),
    ("random_tree", {"zero_sum": False, "seed": 3}),
])  # fmt: skip
def test_compiled_gains_are_those_of_the_recursion(game_id: str, parameters: dict[str, Any]) -> None:
    model = build(game_id, **parameters)
    device = random_device(model, 5, 4)
    for player, found in enumerate(trigger_gains(model, device)):
        expected = twin(model, player, device)
        np.testing.assert_allclose(found.recommended, expected.recommended, atol=1e-12)
        np.testing.assert_allclose(found.arrived, expected.arrived, atol=1e-12)
        assert found.efce_gap == pytest.approx(expected.efce_gap, abs=1e-12)
        assert found.efcce_gap == pytest.approx(expected.efcce_gap, abs=1e-12)


# ------------------------------------------------------------------------------------------------------- known examples


class Application(Signalling):
    """Von Stengel and Forges (2008), section 2.3: a good or bad student says one of two things and is taken or not.

    Type 0 is good, action 0 takes. Payoffs to student and professor: good taken (4, 10), bad taken (6, 0), else (0, 6).
    """

    def __init__(self) -> None:
        super().__init__(num_types=2, num_messages=2, num_actions=2, bias=0.0)

    def apply(self, state: SignallingState, actions: Any) -> tuple[SignallingState, Any]:
        after, _ = super().apply(state, actions)
        xp = namespace(actions)
        taken, good = after.action == 0, after.type == 0
        student = xp.where(taken, xp.where(good, 4.0, 6.0), 0.0)
        professor = xp.where(taken, xp.where(good, 10.0, 0.0), 6.0)
        return after, xp.where((state.stage == 2)[:, None], xp.stack([student, professor], axis=1), 0.0)


def test_password_that_only_the_good_student_is_told_is_an_efce_and_no_ce() -> None:
    """The professor takes who says the password; the good student is told it, the bad one is told either thing.

    The bad student does not know whether it was told the password, and gets 3 on average either way. Were it told its
    whole policy it would know what the good student says: half the time it is told the other thing, and copying would
    pay 6 instead of 0, which gains 1/2 * 1/2 * 6 = 1.5.
    """
    model = enumerate_rules(Application(), name="application")
    rows = np.eye(2)
    pure = [(good, bad) for good in range(2) for bad in range(2)]
    device = MixturePolicy(
        [TabularPolicy(model, [rows[[good, bad]], rows[[good, 1 - good]]]) for good, bad in pure], [0.25] * 4
    )
    scored = score(model, device)
    np.testing.assert_allclose(scored.values, [3.5, 6.5], atol=1e-12)  # the payoffs they find
    assert scored.efce_gap == pytest.approx(0, abs=1e-12)
    assert scored.efcce_gap == pytest.approx(0, abs=1e-12)
    assert scored.cce_gap == pytest.approx(0, abs=1e-12)
    assert scored.ce_gap == pytest.approx(1.5)


def test_one_move_each_leaves_nothing_to_hold_back() -> None:
    """Where nobody moves twice and nobody knows anything, EFCE is CE and EFCCE is CCE: both in rock-paper-scissors."""
    game = repeated(eqenvs.make("rock_paper_scissors"), 1)
    rows = np.eye(3)[:, None, :]
    scored = score(game, MixturePolicy([TabularPolicy(game, [row, row]) for row in rows], [1 / 3] * 3))
    assert (scored.ce_gap, scored.efce_gap) == pytest.approx((2.0, 2.0))  # each can win 1 once it is told
    assert (scored.efcce_gap, scored.cce_gap) == pytest.approx((0.0, 0.0), abs=1e-12)


def test_nash_equilibrium_has_no_gap_of_any_kind() -> None:
    model = build("kuhn_poker")
    for found in trigger_gains(model, solve(model).policy):
        assert found.efce_gap == pytest.approx(0, abs=1e-12)
        assert found.efcce_gap == pytest.approx(0, abs=1e-12)
        assert max(found.recommended.max(), found.arrived.max()) <= 1e-12


def test_language_of_trade_comm_drawn_for_both_has_no_gap() -> None:
    """A device draws one of two languages; in either the players learn what the other holds, and each gets the most, 1.

    Drawn apart, the languages match half the time, which pays half as much.
    """
    game = eqenvs.make("trade_comm", num_items=2)
    languages = []
    for flipped in (0, 1):
        tables = [np.zeros(states.masks.shape) for states in game.information_states]
        for player, table in enumerate(tables):
            for row, label in enumerate(game.information_state_labels(player)):
                held, _, said = label.removeprefix("item ").partition(":")
                item, heard = int(held), [int(word) for word in said.split()]
                trade = 2 + 2 * item + (heard[1 - player] ^ flipped) if len(heard) == 2 else 0  # own for the other's
                table[row, trade or item ^ flipped] = 1.0
        languages.append(TabularPolicy(game, tables))
    device = MixturePolicy(languages, [0.5, 0.5])
    scored = score(game, device)
    np.testing.assert_allclose(scored.values, [1.0, 1.0], atol=1e-12)  # FACTS.md
    gaps = (scored.ce_gap, scored.efce_gap, scored.efcce_gap, scored.cce_gap)
    assert gaps == pytest.approx((0.0,) * 4, abs=1e-12)
    np.testing.assert_allclose(score(game, marginals(device, 2)).values, [0.5, 0.5], atol=1e-12)


# ----------------------------------------------------------------------------------------------------------- properties

GAMES = {
    "kuhn": build("kuhn_poker"),
    "kuhn of three": build("kuhn_poker", num_players=3),
    "general-sum tree": build("random_tree", depth=5, branching=2, correlation=0.3, seed=7),
    "cheap talk": build("signalling", bias=0.4),
    "tiny hanabi": build("tiny_hanabi"),
}


@settings(max_examples=80, deadline=None)
@given(
    name=st.sampled_from(sorted(GAMES)),
    seed=st.integers(0, 10**6),
    size=st.integers(1, 5),
    pure=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_gaps_are_ordered_as_the_concepts(name: str, seed: int, size: int, pure: float) -> None:
    model = GAMES[name]
    device = random_device(model, seed, size, pure=pure)
    scored = score(model, device)
    chain = [scored.ce_gap, scored.efce_gap, scored.efcce_gap, scored.cce_gap, 0.0]
    for larger, smaller in itertools.pairwise(chain):
        assert larger is not None
        assert smaller is not None
        assert larger >= smaller - 1e-12
    for found in trigger_gains(model, device):
        for single, together in ((found.recommended, found.efce_gap), (found.arrived, found.efcce_gap)):
            assert single.max() - 1e-12 <= together <= np.maximum(single, 0).sum() + 1e-12


def test_every_inequality_is_strict_somewhere() -> None:
    strict = np.zeros(3, dtype=bool)
    for seed in range(5):
        scored = score(GAMES["kuhn"], random_device(GAMES["kuhn"], seed, 3))
        chain = np.array([scored.ce_gap, scored.efce_gap, scored.efcce_gap, scored.cce_gap], dtype=np.float64)
        strict |= -np.diff(chain) > 1e-3
    assert strict.all()


@pytest.mark.parametrize("name", GAMES)
def test_product_policy_gains_the_same_by_every_kind_of_deviation(name: str) -> None:
    model = GAMES[name]
    (product,) = random_device(model, 2, 1).components
    scored = score(model, product)
    alone = score(model, MixturePolicy([product], [1.0]))
    found = trigger_gains(model, product)
    np.testing.assert_allclose([gains.efce_gap for gains in found], scored.gains, atol=1e-12)
    np.testing.assert_allclose([gains.efcce_gap for gains in found], scored.gains, atol=1e-12)
    for each in (scored, alone):
        gaps = (each.ce_gap, each.efce_gap, each.efcce_gap, each.cce_gap, each.nash_conv)
        assert gaps == pytest.approx((scored.nash_conv,) * 5, abs=1e-12)


def test_drawing_a_policy_before_play_or_its_actions_in_play_is_the_same_device() -> None:
    """A component split into the pure policies that it draws from recommends the same; the CE gap is told more."""
    model = TINY["blind"]
    device = random_device(model, 1, 2, pure=0.0)
    components, weights = [], []
    for component, weight in zip(device.components, device.weights, strict=True):
        for choice in itertools.product(*(pure_policies(treeplex) for treeplex in model.treeplexes)):
            pairs = zip(choice, component.tables, strict=True)
            weights.append(weight * np.prod([table[np.arange(len(plan)), plan].prod() for plan, table in pairs]))
            components.append(TabularPolicy(model, [np.eye(2)[list(plan)] for plan in choice]))
    mixed, split = score(model, device), score(model, MixturePolicy(components, weights))
    assert split.efce_gap == pytest.approx(mixed.efce_gap, abs=1e-12)
    assert split.efcce_gap == pytest.approx(mixed.efcce_gap, abs=1e-12)
    assert split.cce_gap == pytest.approx(mixed.cce_gap, abs=1e-12)
    assert split.ce_gap is not None
    assert mixed.ce_gap is not None
    assert mixed.ce_gap >= split.ce_gap - 1e-12


def test_triggers_need_a_game_that_unfolds() -> None:
    game = eqenvs.make("rock_paper_scissors")
    scored = score(game, uniform(game))
    assert (scored.efce_gap, scored.efcce_gap) == (None, None)
    with pytest.raises(UnsupportedGame, match="extensive-form"):
        trigger_gains(game, uniform(game))
