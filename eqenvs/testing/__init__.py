"""Public conformance tests: does a game keep the contracts that solvers, learners and environments rely on?

Every function `check_...` takes a game and raises `AssertionError` with a message that names the game, the place, what
was expected and what was found. None needs pytest; `check_game` runs all that apply to a game, `game_findings` reports
on each. Anybody's PettingZoo environments are checked by `check_aec_env` and `check_parallel_env`, or `env_findings`.

>>> import eqenvs
>>> from eqenvs.testing import check_model
>>> check_model(eqenvs.make("kuhn_poker"))
"""

from eqenvs.testing._subject import EnvSettings
from eqenvs.testing.agreement import check_env_matches_model, check_tree_matches_env, expected_payoffs
from eqenvs.testing.conformance import check_game, game_findings
from eqenvs.testing.environments import check_environments
from eqenvs.testing.findings import Finding
from eqenvs.testing.markov import check_returns_match_env, check_states_match_env
from eqenvs.testing.mean_field import check_mean_field_model, check_population_matches_model
from eqenvs.testing.models import check_model
from eqenvs.testing.pettingzoo_envs import check_aec_env, check_parallel_env, env_findings
from eqenvs.testing.purity import check_backends_agree, check_rules_are_pure
from eqenvs.testing.vectorised import check_vector_env

__all__ = [
    "EnvSettings",
    "Finding",
    "check_aec_env",
    "check_backends_agree",
    "check_env_matches_model",
    "check_environments",
    "check_game",
    "check_mean_field_model",
    "check_model",
    "check_parallel_env",
    "check_population_matches_model",
    "check_returns_match_env",
    "check_rules_are_pure",
    "check_states_match_env",
    "check_tree_matches_env",
    "check_vector_env",
    "env_findings",
    "expected_payoffs",
    "game_findings",
]
