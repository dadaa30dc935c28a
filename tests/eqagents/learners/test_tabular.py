"""Iterative solvers as learners: each of them, on arrival, keeps the learner's protocol; and what a bad name says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import by_id
from eqagents.distributed import InlineExecutor
from eqagents.learners import find_learner, tabular
from eqagents.learners.tabular import Tabular, TabularConfig, TabularState, iterative_methods
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqagents.training.config import parse_config
from eqagents.training.run import evaluate, load_trained, resume, train
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import CorrelatedStrategy, MarkovCorrelatedPolicy, tabulate
from eqenvs.spec import Family
from eqsolvers.scoring import score

if TYPE_CHECKING:
    from pathlib import Path

GAMES = {
    Family.EXTENSIVE_FORM: [eqenvs.make("kuhn_poker")],
    Family.NORMAL_FORM: [eqenvs.make("rock_paper_scissors", rock_win=3.0)],
    Family.MARKOV: [
        eqenvs.make("random_markov_game", zero_sum=True, num_states=3),
        eqenvs.make("random_markov_game", zero_sum=True, num_states=3, horizon=3),
    ],
}
METHODS = [(family, method) for method, specs in iterative_methods().items() for family in specs if family in GAMES]


def game_for(family: Family, method: str) -> Game:
    """The first game of the family that the method says it covers."""
    return next(game for game in GAMES[family] if iterative_methods()[method][family].covers(game))


def config(method: str = "cfr+", **fields: Any) -> TabularConfig:
    found = by_id({"id": "tabular", "method": method, **fields}, find_learner, "learner")
    assert isinstance(found, TabularConfig)
    return found


def make(family: Family, method: str, **fields: Any) -> Tabular:
    return Tabular(game_for(family, method), config(method, **{"iterations_per_step": 3, **fields}))


def seed(entropy: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(entropy)


def iterate(learner: Tabular, state: TabularState, steps: int) -> TabularState:
    for _ in range(steps):
        state, _ = learner.step(state)
    return state


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """What is at the ends of a tree; arrays as dtype, shape and bytes."""
    if isinstance(tree, dict):
        return {k: v for key, value in tree.items() for k, v in leaves(value, f"{path}/{key}").items()}
    if isinstance(tree, list | tuple):
        return {k: v for i, value in enumerate(tree) for k, v in leaves(value, f"{path}/{i}").items()}
    return {path: (tree.dtype.str, tree.shape, tree.tobytes()) if isinstance(tree, np.ndarray) else tree}


def played(learner: Tabular, state: TabularState) -> list[bytes]:
    """The policy of a state, to the bit."""
    policy = learner.average_policy(state)
    if isinstance(policy, CorrelatedStrategy):
        return [policy.distribution.tobytes()]
    if isinstance(policy, MarkovCorrelatedPolicy):
        return [policy.distributions.tobytes()]
    return [table.tobytes() for table in tabulate(learner._model, policy).tables]


def is_randomness(path: str) -> bool:
    """Whether a leaf of a process's state is where its random numbers come from."""
    return any(word in path for word in ("seed", "stream"))


def test_the_methods_are_those_that_can_be_stepped() -> None:
    methods = iterative_methods()
    assert {"cfr", "cfr+", "dcfr", "hs-dcfr", "hs-pcfr+", "pcfr+", "pdcfr+"} <= methods.keys()
    assert not {"sequence-lp", "lp"} & methods.keys()


@pytest.mark.parametrize(("family", "method"), METHODS, ids=[f"{f}-{m}" for f, m in METHODS])
def test_step_is_a_pure_function_of_the_state(family: Family, method: str) -> None:
    learner = make(family, method)
    early = iterate(learner, learner.init(seed(5)), 1)
    before, policy = leaves(learner.to_tree(early)), played(learner, early)
    late = iterate(learner, early, 2)
    after = leaves(learner.to_tree(late))
    assert leaves(learner.to_tree(early)) == before  # a later step writes to no earlier state
    assert played(learner, early) == policy  # nor does the process, which stood at another one, show through
    assert leaves(learner.to_tree(iterate(learner, early, 2))) == after
    assert leaves(learner.to_tree(late)) == after
    assert (learner.iteration(early), learner.iteration(late)) == (1, 3)


@pytest.mark.parametrize(("family", "method"), METHODS, ids=[f"{f}-{m}" for f, m in METHODS])
def test_checkpointed_state_goes_on_to_the_bit_in_another_process(family: Family, method: str, tmp_path: Path) -> None:
    learner, again = make(family, method), make(family, method)
    state = iterate(learner, learner.init(seed(5)), 2)
    save_checkpoint(tmp_path, 2, learner.to_tree(state))
    whole = iterate(learner, state, 2)
    resumed = iterate(again, again.from_tree(load_checkpoint(tmp_path)[1]), 2)
    assert leaves(again.to_tree(resumed)) == leaves(learner.to_tree(whole))
    assert played(again, resumed) == played(learner, whole)


@pytest.mark.parametrize("method", ["cfr+", "mmd", "es-mccfr"])
def test_the_state_of_another_game_is_refused_in_one_line(method: str) -> None:
    kuhn, leduc = (Tabular(eqenvs.make(name), config(method)) for name in ("kuhn_poker", "leduc_poker"))
    stored = kuhn.to_tree(iterate(kuhn, kuhn.init(seed(0)), 1))
    with pytest.raises(
        InputError, match=r"^restore: the state is of another game or other settings: state\S+ is an arr"
    ):
        leduc.step(leduc.from_tree(stored))


@pytest.mark.parametrize(("family", "method"), METHODS, ids=[f"{f}-{m}" for f, m in METHODS])
def test_randomness_is_the_seeds(family: Family, method: str) -> None:
    spec, outcomes = iterative_methods()[method][family], []
    # Learners that can see averages draw nothing then; those that climb start at random where that is asked for.
    options = {"feedback", "gradient", "start"}
    settings = {p.name: p.choices[-1] for p in spec.parameters if p.name in options}
    for entropy in (5, 5, 6):
        learner = make(family, method, iterations_per_step=20, settings=settings)
        state = iterate(learner, learner.init(seed(entropy)), 1)
        # Not the policy alone: a greedy one may be the same whatever was drawn.
        tables = {path: leaf for path, leaf in leaves(learner.to_tree(state)).items() if not is_randomness(path)}
        outcomes.append((played(learner, state), tables))
    assert outcomes[0] == outcomes[1]
    assert (outcomes[0] != outcomes[2]) == spec.random


def test_steps_are_the_methods_own_iterations() -> None:
    learner = make(Family.EXTENSIVE_FORM, "cfr+", settings={"gamma": 2}, iterations_per_step=7)
    state, metrics = learner.step(learner.init(seed(0)))
    state, metrics = learner.step(state)
    start = iterative_methods()["cfr+"][Family.EXTENSIVE_FORM].start
    assert start is not None
    process = start(learner._model, seed=9, settings={"gamma": 2.0})
    process.run(14)
    assert played(learner, state) == [table.tobytes() for table in process.policy().tables]  # type: ignore[union-attr]
    assert metrics["tabular/iterations"] == 14
    assert metrics["samples/histories"] == process.touched


UNITS = [
    (Family.EXTENSIVE_FORM, "cfr", "samples/histories"),
    (Family.NORMAL_FORM, "hedge", "samples/payoffs"),
    (Family.MARKOV, "v-learning", "samples/steps"),
    (Family.MARKOV, "nash-vi", "samples/stage_games"),
]


@pytest.mark.parametrize(("family", "method", "key"), UNITS)
def test_work_is_counted_in_the_methods_own_unit(family: Family, method: str, key: str) -> None:
    learner = make(family, method)
    state, metrics = learner.step(learner.init(seed(0)))
    assert [name for name in metrics if name.startswith("samples/")] == [key]
    assert metrics[key] == learner._at(state).touched > 0


def test_a_process_that_says_its_unit_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = make(Family.EXTENSIVE_FORM, "cfr")
    state = learner.init(seed(0))
    monkeypatch.setattr(learner._at(state), "unit", "public states", raising=False)
    assert "samples/public_states" in learner.step(state)[1]


def test_compiling_is_told_once_and_apart() -> None:
    learner = make(Family.EXTENSIVE_FORM, "cfr+")
    first, metrics = learner.step(learner.init(seed(0)))
    assert {"time/compile_s", "time/iterations_s"} <= metrics.keys()
    assert "time/compile_s" not in learner.step(first)[1]


def test_more_than_two_players_have_the_gap_of_the_play_average_beside_the_score() -> None:
    game = eqenvs.make("kuhn_poker", num_players=3)
    learner = Tabular(game, config("cfr", iterations_per_step=50))
    start = learner.init(seed(0))
    assert learner.measures(start) == {}  # nothing was played
    state, _ = learner.step(start)
    gap = learner.measures(state)["play_cce_gap"]
    assert 0 < gap < 1
    assert gap != score(game, learner.average_policy(state)).nash_conv
    iterate(learner, state, 1)
    assert learner.measures(state) == {"play_cce_gap": gap}  # of the state that was asked about
    two = make(Family.EXTENSIVE_FORM, "cfr")
    assert two.measures(iterate(two, two.init(seed(0)), 1)) == {}


def test_other_concepts_show_their_own_residual(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = iterative_methods()["cfr"][Family.EXTENSIVE_FORM]
    other = {"cfr": {Family.EXTENSIVE_FORM: replace(spec, concepts=("cce",))}}
    monkeypatch.setattr(tabular, "iterative_methods", lambda: other)
    learner = make(Family.EXTENSIVE_FORM, "cfr")
    state, _ = learner.step(learner.init(seed(0)))
    assert learner.measures(state) == {
        "residual": pytest.approx(
            score(GAMES[Family.EXTENSIVE_FORM][0], learner.average_policy(state)).nash_conv, abs=1e-12
        )
    }


def test_interrupted_step_leaves_the_state_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = make(Family.EXTENSIVE_FORM, "cfr+")
    state = iterate(learner, learner.init(seed(0)), 2)
    expected = leaves(learner.to_tree(iterate(learner, state, 1)))
    process = learner._at(state)
    run = process.run

    def stopped_halfway(iterations: int) -> None:
        run(1)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(process, "run", stopped_halfway)
        with pytest.raises(KeyboardInterrupt):
            learner.step(state)
    assert leaves(learner.to_tree(iterate(learner, state, 1))) == expected


BAD = [
    ({"method": "cfr++"}, r"unknown iterative method 'cfr\+\+'; did you mean 'cfr\+'"),
    ({"method": "sequence-lp"}, "unknown iterative method 'sequence-lp'"),
    ({"settings": {"gama": 2}}, r"config: learner\.settings: unknown parameter of cfr\+ 'gama'; did you mean 'gamma'"),
    ({"settings": {"gamma": "two"}}, r"cfr\+: parameter 'gamma' must be a number from 0.* got 'two'"),
    ({"settings": {"alternating": 1}}, r"cfr\+: parameter 'alternating' must be true or false, got 1"),
    ({"settings": [1]}, "config: learner.settings: .*got"),
    ({"iterations_per_step": 0}, "config: learner.iterations_per_step: .*greater than or equal to 1"),
    ({"iterations": 10}, "unknown key 'learner.iterations'; did you mean 'iterations_per_step'"),
]


@pytest.mark.parametrize(("fields", "message"), BAD, ids=[str(fields) for fields, _ in BAD])
def test_bad_configuration_is_one_line_that_names_the_key(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        config(**{"method": "cfr+", **fields})
    assert "\n" not in str(caught.value)


def test_method_is_required() -> None:
    with pytest.raises(InputError, match=r"key 'learner\.method' is required"):
        by_id({"id": "tabular"}, find_learner, "learner")


def test_method_of_another_family_is_refused_with_what_there_is() -> None:
    spec = find_learner("tabular")
    with (
        pytest.raises(InputError, match=r"unknown iterative method for normal_form games 'cfr\+'; ") as caught,
        InlineExecutor(0) as executor,
    ):
        spec.build(GAMES[Family.NORMAL_FORM][0], config("cfr+"), executor)
    assert "\n" not in str(caught.value)


def test_game_without_a_model_is_refused() -> None:
    with pytest.raises(InputError, match=r"tabular: 'cfr\+' needs a game that can be enumerated, phantom.* 'psro'"):
        Tabular(eqenvs.make("phantom_tic_tac_toe"), config("cfr+"))


def test_a_scored_mean_field_run_is_read_again_and_goes_on_to_the_same_end(tmp_path):
    config = {
        "game": {"id": "left_right"},
        "learner": {"id": "tabular", "method": "omd", "iterations_per_step": 2},
        "iterations": 4,
        "checkpoint": {"every": 1, "keep": 4},
    }
    through, cut = tmp_path / "through", tmp_path / "cut"
    train(parse_config(config), through)

    class Stop(Exception):  # noqa: N818
        pass

    def stop(progress):
        if progress.iteration == 2:
            raise Stop

    with pytest.raises(Stop):
        train(parse_config(config), cut, stop)
    resume(cut)
    for found, expected in zip(load_trained(cut).policy.tables, load_trained(through).policy.tables, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert evaluate(cut).nash_conv == evaluate(through).nash_conv
