"""Datasets: what is collected, kept and refused; their coverage."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError, InputError, PolicyError, UnsupportedGame
from eqenvs.models import MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy, MixturePolicy, TabularPolicy, uniform
from eqsolvers.markov.offline import Dataset, collect, coverage, load, solve_offline, unilateral_concentrability
from eqsolvers.markov.offline._counts import Counts

GAME = eqenvs.make(
    "random_markov_game", num_states=3, action_counts="2x3", horizon=3, discount=0.9, seed=2, branching=2
).model()


def random_policy(model, seed):
    rng = np.random.default_rng(seed)
    return TabularPolicy(
        model, [rng.dirichlet(np.ones(s.masks.shape[1]), size=len(s.keys)) for s in model.information_states]
    )


def test_a_file_gives_back_the_same_dataset(tmp_path):
    dataset = collect(GAME, uniform(GAME), episodes=50, seed=1, origin={"game": "random_markov_game"})
    again = collect(GAME, uniform(GAME), episodes=50, seed=1)
    other = collect(GAME, uniform(GAME), episodes=50, seed=2)
    dataset.save(tmp_path / "data.npz")
    found = load(tmp_path / "data.npz")
    assert found.checksum == dataset.checksum == again.checksum != other.checksum
    assert found.origin == {"episodes": 50, "seed": 1, "length": 3, "game": "random_markov_game"}
    for name in ("episode", "step", "state", "actions", "reward", "after"):
        assert getattr(found, name).tobytes() == getattr(dataset, name).tobytes()
    assert found.frame.legal[1].tolist() == dataset.frame.legal[1].tolist()


def test_files_that_are_none_or_were_changed_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    with pytest.raises(InputError, match="no such file"):
        load(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="cannot be read as npz"):
        load(path)
    np.savez(path, state=np.zeros(3))
    with pytest.raises(InputError, match="'about' is missing"):
        load(path)
    collect(GAME, uniform(GAME), episodes=5, seed=1).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read as npz"):
        load(path)
    path.write_bytes(whole)
    with np.load(path) as file:
        stored = {name: file[name] for name in file.files}
    np.savez(path, **stored | {"reward": stored["reward"] * 0.5})
    with pytest.raises(InputError, match=r"the checksum is \w{12}\.\., the file says \w{12}\.\."):
        load(path)
    np.savez(path, **stored | {"state": stored["state"] + 3})
    with pytest.raises(InputError, match="state must be from 0 to 2, got 3"):
        load(path)
    np.savez(path, **stored | {"actions": stored["actions"][:, :1]})
    with pytest.raises(InputError, match="'actions' must have shape"):
        load(path)
    about = json.loads(stored["about"].tobytes())
    newer = np.frombuffer(json.dumps(about | {"format": 2}).encode(), dtype=np.uint8)
    np.savez(path, **stored | {"about": newer})
    with pytest.raises(InputError, match="its format is 2, this version reads 1"):
        load(path)
    del about["frame"]["horizon"]
    np.savez(path, **stored | {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)})
    with pytest.raises(InputError, match="its description is damaged"):
        load(path)


def test_bad_calls_are_refused():
    with pytest.raises(InputError, match="episodes and length must be at least 1"):
        collect(GAME, uniform(GAME), episodes=0, seed=0)
    with pytest.raises(GameTooLargeError, match="more than 100,000,000 steps"):
        collect(GAME, uniform(GAME), episodes=10**9, seed=0)
    mixed = MixturePolicy([uniform(GAME), random_policy(GAME, 0)], [0.5, 0.5])
    with pytest.raises(PolicyError):
        collect(GAME, mixed, episodes=1, seed=0)
    legal = [[[True, False]], [[True, True]]]
    model = MarkovModel(np.ones((1, 2, 2, 1)), np.zeros((2, 1, 2, 2)), [1.0], horizon=1, legal=legal)
    good = collect(model, uniform(model), episodes=3, seed=0)
    assert (good.actions[:, 0] == 0).all()
    parts = {name: getattr(good, name) for name in ("frame", "episode", "step", "state", "reward", "after")}
    with pytest.raises(InputError, match="step 0 has action 1 of player 0 in state 0, where it is illegal"):
        Dataset(**parts, actions=good.actions + np.array([[1, 0]]))
    with pytest.raises(InputError, match="a reward is outside the bounds"):
        Dataset(**parts | {"reward": good.reward + 1}, actions=good.actions)


def test_frequencies_are_those_of_the_model_and_the_behaviour():
    behaviour, episodes = random_policy(GAME, 3), 40_000
    dataset = collect(GAME, behaviour, episodes=episodes, seed=4)
    counts = Counts(dataset)
    first, second = behaviour.tables
    joint = np.einsum("ia,ib->iab", first, second).reshape(9, 6)
    now, transition = GAME.initial, GAME.transition.reshape(3, 6, 3)
    kernel = counts.kernel.toarray().reshape(3, 3, 6, 3, 3)
    for step in range(3):
        rows = now[:, None] * joint[step * 3 : step * 3 + 3]
        seen = counts.visits[step * 3 : step * 3 + 3]
        spread = 5 * np.sqrt(np.maximum(rows * (1 - rows), 1e-6) / episodes)
        assert (np.abs(seen / episodes - rows) < spread).all()
        now = np.einsum("sa,sat->t", rows, transition)
        often = seen > 2000
        if step < 2:
            assert np.abs(kernel[step, :, :, step + 1] - transition)[often].max() < 5 * 0.5 / np.sqrt(2000)
            assert kernel[step][often].sum(axis=2).sum(axis=1) == pytest.approx(1.0)
        else:
            assert kernel[step].sum() == 0  # nothing follows the last step
        paid = counts.reward[:, step * 3 : step * 3 + 3]
        np.testing.assert_allclose(paid[:, often], GAME.reward.reshape(2, 3, 6)[:, often], atol=1e-12)


def test_a_cut_is_no_end_and_an_end_by_the_rules_is():
    goes_on = MarkovModel(np.ones((1, 1, 1)), np.ones((1, 1, 1)), [1.0], discount=0.9)
    ends = MarkovModel(np.array([[[0.5, 0.5]]]), np.ones((1, 1, 1)), [1.0], discount=0.9)
    cut = collect(goes_on, uniform(goes_on), episodes=4, seed=0, length=5)
    over = collect(ends, uniform(ends), episodes=4000, seed=0, length=5)
    assert cut.after.max() == 0
    assert coverage(cut).cut == 4
    found = coverage(over)
    assert found.ended + found.cut == 4000
    assert found.cut == pytest.approx(4000 / 32, abs=5 * np.sqrt(4000 / 32))
    assert Counts(cut).kernel.toarray() == pytest.approx(1.0)
    assert Counts(over).kernel.toarray() == pytest.approx(0.5, abs=0.05)


def test_coverage_counts():
    correlated = np.zeros((9, 2, 3))
    correlated[:, 0, 0] = correlated[:, 1, 2] = 0.5
    dataset = collect(GAME, MarkovCorrelatedPolicy(GAME, correlated), episodes=300, seed=0)
    found = coverage(dataset)
    assert (found.episodes, found.steps, found.rows, found.points) == (300, 900, 54, 9)
    assert found.seen == 2 * found.points_seen <= 14
    assert found.least >= 1
    assert found.ended == found.cut == 0


def test_unilateral_concentrability_is_that_of_all_deviations():
    # Of a target over all pure Markov policies of either player, written out.
    model = eqenvs.make(
        "random_markov_game", num_states=2, action_counts="2x3", horizon=2, discount=0.5, seed=7
    ).model()
    target, behaviour = random_policy(model, 1), random_policy(model, 2)

    def occupied(tables):
        joint = np.einsum("ia,ib->iab", *tables).reshape(4, 6)
        now, rows = model.initial, []
        for step in range(2):
            rows.append(now[:, None] * joint[2 * step : 2 * step + 2])
            now = np.einsum("sa,sat->t", rows[-1], model.transition.reshape(2, 6, 2))
        return np.concatenate(rows)

    share, most = occupied(behaviour.tables), 0.0
    for player, own in enumerate(model.num_actions):
        for pure in itertools.product(range(own), repeat=4):
            tables = list(target.tables)
            tables[player] = np.eye(own)[list(pure)]
            rows = occupied(tables)
            most = max(most, (rows[rows > 0] / share[rows > 0]).max())
    assert unilateral_concentrability(model, target, behaviour)[0] == pytest.approx(most, rel=1e-12)
    many = collect(model, behaviour, episodes=200_000, seed=0)
    assert unilateral_concentrability(model, target, many)[0] == pytest.approx(most, rel=0.1)


def test_concentrability_is_infinite_where_a_deviation_is_never_seen():
    only = np.zeros((9, 2, 3))
    only[:, 1, 1] = 1.0
    behaviour = MarkovCorrelatedPolicy(GAME, only)
    assert unilateral_concentrability(GAME, behaviour.marginals(), behaviour)[0] == np.inf
    endless = eqenvs.make("random_markov_game").model()
    with pytest.raises(UnsupportedGame, match="needs a game with a horizon"):
        unilateral_concentrability(endless, uniform(endless), uniform(endless))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": lambda d: np.ones_like(d.step)}, "each must have the steps 0, 1, .. from state to state; entry 0"),
        ({"step": lambda d: np.zeros_like(d.step)}, "entry 1 breaks that"),
        ({"episode": lambda d: d.episode[::-1].copy()}, "episodes must not decrease"),
        (
            {"after": lambda d: np.where(np.arange(len(d.after)) == 0, (d.after + 1) % 3, d.after)},
            "entry 1 breaks that",
        ),
        ({"after": lambda d: np.full_like(d.after, 3)}, "after must be from 0 to 2, got 3 to 3"),
        ({"state": lambda d: d.state.astype(float)}, "'state' must be of integers, got float64"),
    ],
)
def test_steps_that_do_not_follow_each_other_are_refused(changes, message):
    dataset = collect(GAME, uniform(GAME), episodes=4, seed=0)
    arrays = {name: getattr(dataset, name) for name in ("episode", "step", "state", "actions", "reward", "after")}
    for name, change in changes.items():
        arrays[name] = change(dataset)
    with pytest.raises(InputError, match=message):
        Dataset(dataset.frame, **arrays)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"delta": 0.0}, "delta must be between 0 and 1, got 0.0"),
        ({"delta": float("nan")}, "delta must be between 0 and 1, got nan"),
        ({"error_scale": -1.0}, "error_scale must be finite and at least 0"),
        ({"concept": "foo"}, "concept must be nash, ce or cce, got 'foo'"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        solve_offline(collect(GAME, uniform(GAME), episodes=4, seed=0), **arguments)


def test_a_single_array_is_no_dataset(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match="cannot be read as npz"):
        load(tmp_path / "one.npy")


def test_the_first_states_distribution_is_kept_and_may_be_missing(tmp_path):
    dataset = collect(GAME, uniform(GAME), episodes=4, seed=0)
    arrays = (dataset.episode, dataset.step, dataset.state, dataset.actions, dataset.reward, dataset.after)
    for initial in (GAME.initial, None):
        kept = Dataset(replace(dataset.frame, initial=initial), *arrays)
        kept.save(tmp_path / "play.npz")
        found = load(tmp_path / "play.npz")
        assert found.checksum == kept.checksum
        assert found.frame.initial is None if initial is None else (found.frame.initial == initial).all()
    shifted = np.roll(GAME.initial, 1)
    assert GAME.initial[0] == 1
    with pytest.raises(InputError, match=r"an episode begins in state 0, which `initial` of the frame rules out"):
        Dataset(replace(dataset.frame, initial=shifted), *arrays)
    with pytest.raises(InputError, match="initial must be non-negative and sum to 1"):
        replace(dataset.frame, initial=np.array([0.5, 0.5, 0.5]))
