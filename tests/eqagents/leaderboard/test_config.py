import pytest

from eqagents.leaderboard.config import parse_leaderboard
from eqagents.leaderboard.plan import Place, planned
from eqenvs.errors import InputError

A2C = {"name": "a2c", "learner": {"id": "a2c", "play": {"num_envs": 8, "steps": 4}}}
CFR = {"name": "cfr", "learner": {"id": "tabular", "method": "cfr"}, "iterations": 3}
DATA = {"tasks": [{"id": "kuhn_poker"}, {"id": "left_right"}], "entries": [A2C, CFR], "budget": {"samples": 100}}


def run_of(entry, task="kuhn_poker", **changes):
    config = parse_leaderboard({**DATA, "entries": [entry], **changes})
    return planned(config)[Place(task, entry["name"], 0)]


def test_seeds_are_a_number_or_a_list():
    assert parse_leaderboard(DATA).seeds == (0, 1, 2)
    assert parse_leaderboard({**DATA, "seeds": 2}).seeds == (0, 1)
    assert parse_leaderboard({**DATA, "seeds": [7, 3]}).seeds == (7, 3)


def test_samples_become_iterations_rounded_up():
    assert run_of(A2C).iterations == 4  # 100 stages of 1 x 8 x 4
    assert run_of({**A2C, "iterations": 9}).iterations == 9
    assert run_of(CFR).iterations == 3


def test_overrides_of_a_task_come_over_those_of_its_family_and_those_over_the_entrys():
    entry = {
        **A2C,
        "iterations": 1,
        "per_family": {
            "extensive_form": {"iterations": 2, "learner": {"play": {"steps": 5}, "trace": 0.5}},
            "mean_field": {"iterations": 7},
        },
        "per_task": {"kuhn_poker": {"learner": {"play": {"steps": 6}}}},
    }
    found = run_of(entry)
    assert found.iterations == 2
    assert (found.learner.play.num_envs, found.learner.play.steps, found.learner.trace) == (8, 6, 0.5)
    assert run_of(entry, "left_right").iterations == 7


def test_runs_are_ordinary_and_scored_at_the_ends_by_default():
    found = run_of(A2C, budget={"samples": 100, "seconds": 5.0})
    assert (found.game.id, found.seed, found.executor.workers, found.stop.seconds) == ("kuhn_poker", 0, 0, 5.0)
    assert found.score.every > found.iterations
    assert run_of(A2C, score={"episodes": 50}).score.every == found.score.every
    assert run_of(A2C, score={"every": 2}).score.every == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sedes": 3}, "unknown key 'sedes'; did you mean 'seeds'?"),
        ({"tasks": []}, "tasks must be a list of mappings"),
        ({"tasks": [{"id": "kuhn_pokr"}]}, "did you mean 'kuhn_poker'?"),
        ({"tasks": [{"id": "kuhn_poker", "parameters": {"num_playrs": 2}}]}, "did you mean 'num_players'?"),
        ({"tasks": [{"id": "kuhn_poker"}, {"id": "kuhn_poker"}]}, "'kuhn_poker' is taken"),
        ({"tasks": [{"id": "kuhn_poker", "name": "../x"}]}, "tasks.0.name: letters, digits and +._-"),
        ({"tasks": ["kuhn_poker"]}, "tasks.0 must be a mapping"),
        ({"entries": [{"name": "x", "learner": {"id": "ppoo"}}]}, "did you mean 'ppo'?"),
        ({"entries": [{"name": "x", "learner": {"id": "ppo", "clp": 1}}]}, "unknown key 'entries.0.learner.clp'"),
        ({"entries": [{"learner": {"id": "ppo"}}]}, "'entries.0.name' is required"),
        ({"entries": [{"name": "x"}]}, "entries.0.learner must be a mapping with an 'id'"),
        ({"entries": [A2C, A2C]}, "entries.1.name: 'a2c' is taken"),
        ({"entries": [{**A2C, "per_task": {"kuhn": {}}}]}, "unknown task 'kuhn'; did you mean 'kuhn_poker'?"),
        ({"entries": [{**A2C, "per_family": {"extensiv": {}}}]}, "did you mean 'extensive_form'?"),
        ({"entries": [{**A2C, "per_task": {"kuhn_poker": {"learner": {"clp": 1}}}}]}, "a2c on kuhn_poker: learner.clp"),
        ({"entries": [{**CFR, "iterations": None}]}, "cfr: iterations are required: 'tabular' has no settings play.*"),
        ({"budget": {}}, "a2c: iterations are required: budget.samples is not set"),
        ({"seeds": 0}, "seeds must be 1 to 10,000 different integers"),
        ({"seeds": [1, 1]}, "seeds must be 1 to 10,000 different integers"),
        ({"seeds": "3"}, "seeds must be a number of seeds or a list"),
        ({"groups": {"g": ["a2c", "dqn"]}}, "unknown entry 'dqn'"),
        ({"groups": {"g": ["a2c"]}}, "groups.g: a name, and two or more different entries"),
        ({"groups": {"all": ["a2c", "cfr"]}}, "'all' is the ranking of all entries"),
        ({"budget": {"sample": 3}}, "unknown key 'budget.sample'; did you mean 'samples'?"),
        ({"executor": {"workers": -1}}, "executor.workers"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(changes, message):
    with pytest.raises(InputError) as error:
        planned(parse_leaderboard({**DATA, **changes}))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
