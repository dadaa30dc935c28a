"""PettingZoo environments of anybody: PettingZoo's own tests, and what those leave open.

An environment is given by a function that makes one; with `max_cycles` or `render_mode` among its parameters it is also
made with these. Every check has a name, which `EnvSettings.left_out` takes:

- `plays`: legal random play raises nothing; masks are read from observation or info
- `observations`, `masks`, `keys`, `ends`, `rewards`, `cumulative_rewards` (AEC): at every step of it
- `seeds`, `seeds_reused`: the same seed gives the same, in a new object; in a used one, after unfinished episodes
- `hash_seeds`: the same under other values of PYTHONHASHSEED, for functions that another process can import
- `spaces`, `spaces_kept`: the same space objects, in two calls and in all episodes
- `aliasing`: what was returned is not changed later
- `deepcopy`, `pickle`: copies made in the middle of an episode go on alike, and apart from the original
- `max_cycles`: the same play until the clock runs out, then truncation
- `refusals`: what happens on illegal actions and on steps before `reset` or after the end; told, never a defect
- `dead_steps` (AEC): agents that have ended take None alone
- `pettingzoo_api_test`, `pettingzoo_seed_test`, ..., `pettingzoo_max_cycles_test`, `render`: PettingZoo's tests
- `render_changes_nothing`: an episode is the same whether it is drawn or not
- `aec_equals_parallel`, where both interfaces are given

Cost: about ten plays of each episode, and a process per hash seed.
"""

from __future__ import annotations

from functools import partial

from eqenvs.testing._agreement_of_faces import check_agreement
from eqenvs.testing._episode_checks import episode_checks
from eqenvs.testing._faces import AECFace, Face, ParallelFace
from eqenvs.testing._hash_seeds import HashSeeds
from eqenvs.testing._official import max_cycles_test, official_checks
from eqenvs.testing._repeat_checks import repeat_checks
from eqenvs.testing._subject import EnvSettings, MakeEnv, Subject
from eqenvs.testing.findings import Check, Finding, NotApplicable, prefixed, raise_first, run_checks


def check_aec_env(make_env: MakeEnv, settings: EnvSettings | None = None, *, name: str | None = None) -> None:
    """Check an AEC environment.

    Args:
        make_env: makes one.
        settings: how much, and what to leave out.
        name: for messages; default what the environment calls itself.

    Raises:
        AssertionError: at the first defect, naming environment, seed, step, what was expected and what was found.
    """
    raise_first(env_checks(make_aec=make_env, settings=settings, name=name))


def check_parallel_env(
    make_env: MakeEnv,
    settings: EnvSettings | None = None,
    *,
    make_aec: MakeEnv | None = None,
    name: str | None = None,
) -> None:
    """Check a Parallel environment, and, where `make_aec` is given, that it is the same as that AEC environment.

    Args:
        make_env: makes one.
        settings: how much, and what to leave out.
        make_aec: makes an AEC environment of the same thing; it is checked, too.
        name: for messages; default what the environment calls itself.

    Raises:
        AssertionError: see `check_aec_env`.
    """
    raise_first(env_checks(make_aec=make_aec, make_parallel=make_env, settings=settings, name=name))


def env_findings(
    *,
    make_aec: MakeEnv | None = None,
    make_parallel: MakeEnv | None = None,
    settings: EnvSettings | None = None,
    name: str | None = None,
) -> list[Finding]:
    """What every check finds, instead of raising.

    Args:
        make_aec: makes an AEC environment.
        make_parallel: makes a Parallel environment; where both are given they are compared as well.
        settings: how much, and what to leave out.
        name: for messages; default what the environment calls itself.
    """
    return run_checks(env_checks(make_aec=make_aec, make_parallel=make_parallel, settings=settings, name=name))


def subjects(
    make_aec: MakeEnv | None, make_parallel: MakeEnv | None, settings: EnvSettings, name: str | None
) -> dict[str, Subject]:
    """What is under test, by "parallel" and "aec"."""
    faces: tuple[tuple[str, type[Face], MakeEnv | None], ...] = (
        ("parallel", ParallelFace, make_parallel),
        ("aec", AECFace, make_aec),
    )
    return {key: Subject(face, make_env, settings, name) for key, face, make_env in faces if make_env is not None}


def env_checks(
    *,
    make_aec: MakeEnv | None = None,
    make_parallel: MakeEnv | None = None,
    settings: EnvSettings | None = None,
    name: str | None = None,
) -> list[Check]:
    """The checks of one or both interfaces, named "aec.seeds", "parallel.seeds", ...; see `env_findings`."""
    settings = settings or EnvSettings()
    return checks_of(subjects(make_aec, make_parallel, settings, name), settings)


def checks_of(given: dict[str, Subject], settings: EnvSettings) -> list[Check]:
    """The checks of what `subjects` gave."""
    checks: list[Check] = []
    hash_seeds = HashSeeds()
    for prefix, subject in given.items():
        hash_seeds.add(subject)
        hashed = Check("hash_seeds", partial(hash_seeds.check, subject))
        own = [*episode_checks(subject), *repeat_checks(subject), hashed, *official_checks(subject)]
        checks += prefixed(prefix, own)
    if len(given) == 2:
        checks += [
            Check("aec_equals_parallel", lambda: check_agreement(given["parallel"], given["aec"])),
            Check("pettingzoo_max_cycles_test", lambda: max_cycles_test(given["parallel"], given["aec"]), "PettingZoo"),
        ]
    return [_unless_left_out(check, settings.left_out) for check in checks]


def _unless_left_out(check: Check, left_out: tuple[str, ...]) -> Check:
    def skipped() -> str:
        raise NotApplicable("left out")

    named = check.name in left_out or check.name.rpartition(".")[2] in left_out
    return Check(check.name, skipped, check.demand) if named else check
