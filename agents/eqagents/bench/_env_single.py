"""Steps a second of one game at a time: PettingZoo's AEC environments, ours and those of PettingZoo itself."""

from __future__ import annotations

import eqenvs
from eqagents.bench import Row, Section, Settings, _env_peers, brief
from eqagents.bench._measure import medians, paired, ratios, seconds_of
from eqenvs.envs.positions import MEMORY

GAMES = ("kuhn_poker", "leduc_poker", "tic_tac_toe", "connect_four")
FIRST = 10_000  # steps of a game that nobody has played yet
WARM = 300_000  # steps before the clock of the others starts


def section(settings: Settings) -> Section:
    """Random legal play in games that PettingZoo or OpenSpiel has."""
    rows: list[Row] = []
    for game_id in GAMES[:2] if settings.quick else GAMES:
        eqenvs.make(game_id).aec_env().reset(seed=0)  # compiles
        first = FIRST // 20 if settings.quick else FIRST
        ours = _env_peers.played(eqenvs.make(game_id).aec_env())
        cold = seconds_of(lambda ours=ours, first=first: ours(first)) / first  # type: ignore[misc]
        ours(first if settings.quick else WARM)
        measured = paired(
            {
                "eqenvs": ours,
                "pettingzoo": _env_peers.pettingzoo(game_id),
                "open_spiel": _env_peers.open_spiel(game_id, 1),
            },
            settings,
        )
        speeds = {name: 1 / seconds for name, seconds in medians(measured).items()}
        rows.append({"game": game_id, "first": 1 / cold, **speeds, **ratios(measured)})
        settings.say(brief(rows[-1]))
    return Section(
        id="single",
        title="Steps of one game per CPU second: `aec_env`, PettingZoo's classic environments, OpenSpiel's",
        columns={
            "game": "game",
            "first": f"eqenvs, first {FIRST:,}",
            "eqenvs": "eqenvs",
            "pettingzoo": "PettingZoo",
            "open_spiel": "OpenSpiel",
            "ratio_pettingzoo": "eqenvs / PettingZoo",
            "ratio_open_spiel": "eqenvs / OpenSpiel",
        },
        rows=rows,
        notes=(
            "A step is a look with `last()`, the drawing of a legal action, and the move, resets included; the same "
            "code plays PettingZoo's environments and ours. PettingZoo has no Kuhn poker. OpenSpiel's is "
            "`rl_environment` in its vector environment of one.",
            f"An environment keeps what it has met, up to {MEMORY >> 20} MiB a game; `first` is a game that nobody has "
            f"played yet, the others have been played for {WARM:,} steps.",
            *_env_peers.versions(),
        ),
    )
