"""OpenSpiel's games: loaded and solved here, the policy handed back and judged by OpenSpiel's own code.

The two scores share nothing but the game: here the sequence form of the tree that was read, there OpenSpiel's best
responses over its own histories, by information state strings. CPU seconds of one thread.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from typing import Any

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._peers import open_spiel
from eqenvs.game import Game
from eqenvs.interop.openspiel import to_policy
from eqenvs.policies import TabularPolicy, uniform
from eqsolvers.result import find_solver
from eqsolvers.scoring import score

TARGET = 1e-3  # NashConv
SMALL = 3000  # information sets up to which a linear programme is solved
ITERATIONS = 20_000
PYTHON = 20_000  # histories up to which OpenSpiel's Python code is asked too

LIMIT_POKER = (
    "universal_poker(betting=limit,numPlayers=2,numRounds=2,blind=1 1,raiseSize=2 4,maxRaises=1 1,firstPlayer=1 1,"
    "numSuits=2,numRanks=3,numHoleCards=1,numBoardCards=0 1,stack=20 20)"
)

GAMES: dict[str, tuple[str, ...]] = {
    "poker": (
        "kuhn_poker",
        "kuhn_poker(players=3)",
        "kuhn_poker(players=4)",
        "kuhn_poker(players=5)",
        "leduc_poker",
        "leduc_poker(players=3,suit_isomorphism=true)",
        LIMIT_POKER,
    ),
    "other cards": (
        "tiny_bridge_2p",
        "oh_hell(players=3,num_suits=2,num_cards_per_suit=3,num_tricks_fixed=1)",
        "goofspiel(num_cards=3)",
        "goofspiel(num_cards=5,imp_info=true,points_order=descending)",
        "goofspiel(players=3,num_cards=3,imp_info=true)",
    ),
    "dice": ("liars_dice(numdice=1,dice_sides=4)", "liars_dice"),
    "bids and troops": (
        "first_sealed_auction(players=2,max_value=4)",
        "first_sealed_auction(players=3,max_value=4)",
        "oshi_zumo(coins=4,size=1,horizon=4)",
        "oshi_zumo(coins=5,size=2,alesia=true,horizon=4)",
        "blotto",
        "blotto(coins=5,fields=3,players=3)",
    ),
    "trade and signals": (
        "sheriff",
        "bargaining(max_turns=2)",
        "trade_comm(num_items=3)",
        "lewis_signaling",
        "tiny_hanabi",
        "coordinated_mp",
    ),
    "hidden boards": (
        "battleship(board_width=2,board_height=2,ship_sizes=[2],ship_values=[1],num_shots=2)",
        "dark_hex(board_size=2)",
        "dark_hex(board_size=2,gameversion=adh)",
    ),
    "open boards": (
        "tic_tac_toe",
        "hex(board_size=3)",
        "connect_four(rows=3,columns=3,x_in_row=3)",
        "clobber(rows=3,columns=3)",
        "dots_and_boxes(num_rows=1,num_cols=2)",
        "go(board_size=2)",
        "havannah(board_size=2)",
        "mnk(m=3,n=2,k=2)",
        "nim(pile_sizes=2;3;4)",
        "y(board_size=3)",
    ),
    "one player": ("cliff_walking(horizon=6)",),
    "matrices": (
        "matrix_pd",
        "matrix_sh",
        "matrix_bos",
        "matrix_cd",
        "matrix_rpsw",
        "matrix_brps",
        "matrix_shapleys_game",
        "matching_pennies_3p",
    ),
    "made from another": (
        "misere(game=kuhn_poker())",
        "zerosum(game=matrix_pd())",
        "restricted_nash_response(game=kuhn_poker())",
        "normal_form_extensive_game(game=kuhn_poker())",
        "start_at(history=0;1;1,game=kuhn_poker())",
    ),
    "written in Python": ("python_kuhn_poker", "python_dynamic_routing"),
}
QUICK = ("kuhn_poker(players=3)", "goofspiel(num_cards=3)", "tiny_hanabi", "mnk(m=3,n=2,k=2)", "matrix_shapleys_game")


@dataclass(frozen=True)
class Judge:
    """OpenSpiel's scores of policies of one of its games."""

    game: Any

    @classmethod
    def of(cls, name: str) -> Judge:
        """Of the game; players who move at once then move one after the other, as the best responses ask for."""
        library = open_spiel()
        game = library.load_game(name)
        simultaneous = game.get_type().dynamics == library.GameType.Dynamics.SIMULTANEOUS
        return cls(library.convert_to_turn_based(game) if simultaneous else game)

    def nash_conv(self, policy: Any) -> float:
        """By the C++ code."""
        return float(open_spiel().nash_conv(self.game, policy))

    def nash_conv_by_python(self, policy: Any) -> float:
        """By the Python code, with its own best responses."""
        algorithms = importlib.import_module("open_spiel.python.algorithms.exploitability")
        policies = importlib.import_module("open_spiel.python.policy")
        wrapped = policies.pyspiel_policy_to_python_policy(self.game, policy)
        return float(algorithms.nash_conv(self.game, wrapped, use_cpp_br=False))


def with_python_games() -> Any:
    """OpenSpiel's module, its games in Python registered."""
    importlib.import_module("open_spiel.python.games")
    return open_spiel()


def method_for(game: Game) -> str:
    """The linear programme where it applies and is quick, else a CFR variant: without a theorem where not zero-sum."""
    if game.num_players != 2 or not game.constant_sum:
        return "pdcfr+"
    sizes: Any = game.model().sizes()
    return "sequence-lp" if sum(sizes["infosets"]) <= SMALL else "pcfr+"


def measure(kind: str, name: str) -> Row:
    """The row of a game."""
    started = time.process_time()
    game = eqenvs.make(f"openspiel:{name}")
    model: Any = game.model()
    sizes = model.sizes()
    row: Row = {"kind": kind, "game": name, "players": game.num_players, "constant_sum": game.constant_sum}
    row |= {"histories": sizes["histories"], "infosets": sum(sizes["infosets"])}
    row |= {"load": time.process_time() - started, "method": method_for(game)}
    solver = find_solver(game.family, "nash", row["method"])
    solver.compile(model)
    budget: dict[str, Any] = {"iterations": ITERATIONS} if solver.start is not None else {}
    started = time.process_time()
    result = solver.solve(model, tolerance=TARGET, **budget)
    row |= {"seconds": time.process_time() - started, "iterations": result.iterations}
    assert isinstance(result.policy, TabularPolicy)
    judge, exported, even = Judge.of(name), to_policy(game, result.policy), to_policy(game, uniform(game))
    started = time.process_time()
    row |= {"nash_conv": score(game, result.policy).nash_conv, "theirs": judge.nash_conv(exported)}
    row |= {"uniform": score(game, uniform(game)).nash_conv, "uniform_theirs": judge.nash_conv(even)}
    differences = [row["theirs"] - row["nash_conv"], row["uniform_theirs"] - row["uniform"]]
    if row["histories"] <= PYTHON:
        row["theirs_python"] = judge.nash_conv_by_python(exported)
        differences.append(row["theirs_python"] - row["nash_conv"])
    row |= {"difference": max(map(abs, differences)), "judged": time.process_time() - started}
    return row


def games(settings: Settings) -> Section:
    """Every game of the list."""
    with_python_games()
    rows = []
    measure("", "kuhn_poker")  # what is loaded at the first use is no game's
    for kind, names in GAMES.items():
        for name in names:
            if settings.quick and name not in QUICK:
                continue
            rows.append(measure(kind, name))
            settings.say(brief(rows[-1]))
    return Section(
        id="games",
        title=f"OpenSpiel's games: loaded, solved here to a NashConv of {TARGET:g}, and judged by OpenSpiel",
        columns={
            "kind": "kind",
            "game": "game",
            "players": "players",
            "histories": "histories",
            "infosets": "information sets",
            "load": "CPU s to load",
            "method": "method",
            "seconds": "CPU s to solve",
            "uniform": "NashConv of uniform play",
            "nash_conv": "NashConv here",
            "theirs": "NashConv by OpenSpiel",
            "theirs_python": "by its Python code",
            "difference": "difference",
        },
        rows=rows,
        notes=(
            "The load holds the reading and the model. Kernels are compiled before the clock of the solver starts.",
            "NashConv by OpenSpiel: pyspiel.nash_conv of the exported policy. The difference is the largest of that, "
            f"of uniform play's, and, up to {PYTHON:,} histories, of OpenSpiel's Python code.",
            "PDCFR+ has no theorem where a game is not two-player zero-sum; its NashConv is exact all the same.",
        ),
    )


def coverage(settings: Settings) -> Section:
    """OpenSpiel's registered games, by what they tell."""
    read = {
        "information state strings": "yes",
        "perfect information, one move at a time, no strings": "read only",
        "made from another game": "as that game is",
        "no information states": "no",
        "chance moves without their outcomes": "no",
        "mean field": "no",
    }
    found: dict[str, list[str]] = {tells: [] for tells in read}
    strings, histories, made, nothing, sampled, mean_field = found.values()
    for kind in with_python_games().registered_games():
        if kind.dynamics == kind.dynamics.MEAN_FIELD:
            group = mean_field
        elif kind.chance_mode == kind.chance_mode.SAMPLED_STOCHASTIC:
            group = sampled if kind.is_concrete else made
        elif kind.provides_information_state_string:
            group = strings
        elif kind.information == kind.information.PERFECT_INFORMATION and kind.dynamics == kind.dynamics.SEQUENTIAL:
            group = histories
        else:
            group = nothing
        group.append(kind.short_name)
    return Section(
        id="coverage",
        title="OpenSpiel's registered games, by what they say of themselves",
        columns={"tells": "they tell", "count": "games", "read": "covered, where small enough", "names": "names"},
        rows=[
            {"tells": tells, "count": len(names), "read": read[tells], "names": ", ".join(names)}
            for tells, names in found.items()
        ],
    )
