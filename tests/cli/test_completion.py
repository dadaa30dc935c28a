"""What the shell is told when somebody presses tab."""

from __future__ import annotations

import pytest
from typer.main import get_command

from eqagents.cli.app import app


@pytest.fixture
def complete(monkeypatch, capsys):
    """The names offered for a line, as bash asks for them."""

    def offered(line):
        words = line.split(" ")
        monkeypatch.setenv("_EQENVS_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        with pytest.raises(SystemExit):
            get_command(app).main([], prog_name="eqenvs", complete_var="_EQENVS_COMPLETE")
        return capsys.readouterr().out.split()

    return offered


def test_commands_games_and_schemes(complete):
    assert complete("eqenvs ex") == ["export"]
    assert complete("eqenvs show kuhn") == ["kuhn_poker"]
    assert complete("eqenvs show gam") == ["gambit:"]


def test_parameters_methods_and_concepts_are_the_games(complete):
    assert complete("eqenvs show leduc_poker -p num_s") == ["num_suits="]
    assert complete("eqenvs solve kuhn_poker --method pd") == ["pdcfr+"]
    assert complete("eqenvs solve rock_paper_scissors --method pd") == []
    assert complete("eqenvs solve rock_paper_scissors --concept cc") == ["cce"]
    assert complete("eqenvs solve no_such_game --method pd") == []


def test_benchmarks(complete):
    assert complete("eqenvs bench ext") == ["extensive"]
