"""Battleship: two players hide their ships and then shoot at each other's in turn.

Farina, Ling, Fang and Sandholm (2019), "Correlation in extensive-form games: saddle-point formulation and benchmarks",
NeurIPS, and Farina, Bianchi and Sandholm (2020), "Coarse correlation in extensive-form games", AAAI; rules as in
OpenSpiel (Lanctot et al. 2019). Ships are placed one by one, the players in alternation, unseen by the other. Then the
players shoot in alternation, `num_shots` times each or until a fleet is sunk; the answer to a shot is water, hit, or
sunk (the last cell of a ship, or another shot at a ship that is sunk), and both players know it. General-sum unless
`loss_multiplier` is 1: a ship costs its owner that many times what the other gains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from math import comb, factorial, perm
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, Constants, IntArray, device_of, namespace, one_hot, put_along, take_along
from eqenvs.errors import InputError
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.rendering import Board, Picture, player_colour, squares
from eqenvs.rendering.picture import SEA
from eqenvs.rules import TERMINAL, Rules
from eqenvs.spec import Fact, Family, GameSpec, Parameter

WATER, HIT, SUNK = 0, 1, 2
DAMAGED = (90, 90, 96)  # a cell of a ship, in pictures
MAX_TABLE = 4_000_000  # entries of the table of ways to place a fleet


class BattleshipState(NamedTuple):
    """A batch of games on C cells with K shots a player; -1 stands for what has not happened yet."""

    fleet: Array  # [B, 2] int64, each player's ships placed so far, as a row of the fleet tables
    shots: Array  # [B, 2 K] int64, each player's shots in order, 3 * cell + answer
    shot: Array  # [B, 2 C] bool, the cells each player has shot at
    moves: Array  # [B] int64, placements and shots made


class Fleets(NamedTuple):
    """Every way to place the first ships that leaves room for the rest; row 0 has none placed."""

    actions: list[tuple[int, ...]]  # the placements of each row, in order
    children: IntArray  # [rows, 3 C], the row after one more placement, -1 if illegal
    cells: IntArray  # [rows, C], which ship lies there, -1 none


def _placements(height: int, width: int, sizes: tuple[int, ...]) -> list[list[tuple[int, int]]]:
    """How each ship can lie on an empty board: action, and the occupied cells as a bit mask.

    The action is C + cell for a ship to the right of `cell` and 2 C + cell for one below it; ships of size 1 lie to the
    right.
    """
    size = height * width
    placements: list[list[tuple[int, int]]] = []
    for length in sizes:
        found = []
        for orientation, (down, right) in ((1, (0, 1)), (2, (1, 0))):
            for cell in range(size):
                row, col = divmod(cell, width)
                fits = row + down * (length - 1) < height and col + right * (length - 1) < width
                if fits and (orientation == 1 or length > 1):
                    covered = sum(1 << (cell + i * (down * width + right)) for i in range(length))
                    found.append((orientation * size + cell, covered))
        placements.append(found)
    return placements


def _too_many(height: int, width: int, sizes: tuple[int, ...]) -> InputError:
    return InputError(
        f"battleship: ship_sizes {','.join(map(str, sizes))} can be placed in too many ways on {height} x {width} "
        f"cells (at most {MAX_TABLE // (3 * height * width):,} are listed); use fewer ships or a smaller board"
    )


def _room(height: int, width: int, sizes: tuple[int, ...]) -> Callable[[int, int], bool]:
    """A test of whether the ships from a given one on fit beside the cells taken; answers are kept.

    Raises:
        InputError: if the ships do not fit on an empty board; the test raises it if there is too much to keep.
    """
    size, placements = height * width, _placements(height, width, sizes)
    known: dict[tuple[int, int], bool] = {}

    def room(ship: int, taken: int) -> bool:
        if ship == len(sizes):
            return True
        if (ship, taken) not in known:
            free = (covered for _, covered in placements[ship] if not covered & taken)
            known[ship, taken] = any(room(ship + 1, taken | covered) for covered in free)
            if len(known) > MAX_TABLE // (3 * size):
                raise _too_many(height, width, sizes)
        return known[ship, taken]

    if sum(sizes) > size or not room(0, 0):
        raise InputError(f"battleship: ship_sizes {','.join(map(str, sizes))} do not fit on {height} x {width} cells")
    return room


def list_fleets(height: int, width: int, sizes: tuple[int, ...]) -> Fleets:
    """All partial fleets on a board.

    Raises:
        InputError: if the ships do not fit together, or can be placed in too many ways to list.
    """
    size, room, placements = height * width, _room(height, width, sizes), _placements(height, width, sizes)
    actions: list[tuple[int, ...]] = [()]
    masks: list[tuple[int, ...]] = [()]
    edges: list[tuple[int, int, int]] = []
    row = 0
    while row < len(actions):
        ship, taken = len(actions[row]), sum(masks[row])
        for action, covered in placements[ship] if ship < len(sizes) else ():
            if not covered & taken and room(ship + 1, taken | covered):
                edges.append((row, action, len(actions)))
                actions.append((*actions[row], action))
                masks.append((*masks[row], covered))
        if len(actions) * 3 * size > MAX_TABLE:
            raise _too_many(height, width, sizes)
        row += 1
    children = np.full((len(actions), 3 * size), -1, dtype=np.int64)
    for parent, action, child in edges:
        children[parent, action] = child
    cells = np.full((len(actions), size), -1, dtype=np.int64)
    for index, ships in enumerate(masks):
        for ship, covered in enumerate(ships):
            cells[index, [cell for cell in range(size) if covered >> cell & 1]] = ship
    return Fleets(actions, children, cells)


class Battleship(Rules[BattleshipState]):
    """Battleship on C = height * width cells, S ships and K shots a player.

    Observation: float32 [2 + SC + K (C + 3) + KC], one-hot player; the cells of each own ship; own shots in order,
    one-hot cell and one-hot answer (water, hit, sunk); the other's shots in order, one-hot cell.
    Actions: 0 .. C - 1 shoot at a cell (rows first); C + cell puts the next ship to the right of a cell, 2 C + cell
    below it, where it leaves room for the ships to come.
    Reward: at the end, the values of the other's ships sunk less loss_multiplier times those of the own ships sunk.

    Version history: 0, first version.
    """

    num_players = 2
    num_chance_outcomes = 0

    def __init__(
        self,
        height: int = 2,
        width: int = 2,
        ship_sizes: str = "1,2",
        ship_values: str | None = None,
        num_shots: int = 2,
        loss_multiplier: float = 2.0,
        allow_repeated_shots: bool = False,
    ) -> None:
        self.sizes = _sizes(ship_sizes)
        self.ship_values = ",".join("1" for _ in self.sizes) if ship_values is None else ship_values
        self.values = _numbers("ship_values", self.ship_values)
        if len(self.values) != len(self.sizes):
            raise InputError(
                f"battleship: parameter 'ship_values' must have one number for each of the {len(self.sizes)} ships, "
                f"got {ship_values!r}"
            )
        self.height, self.width, self.num_cells = height, width, height * width
        self.num_ships, self.num_shots = len(self.sizes), num_shots
        if not allow_repeated_shots and num_shots > self.num_cells:
            raise InputError(
                f"battleship: parameter 'num_shots' must be at most the {self.num_cells} cells unless "
                f"allow_repeated_shots, got {num_shots}"
            )
        self.loss_multiplier, self.allow_repeated_shots = loss_multiplier, allow_repeated_shots
        self.fleets = list_fleets(height, width, self.sizes)
        self._tables = Constants(children=self.fleets.children, cells=self.fleets.cells, sizes=self.sizes)
        self.num_actions = (3 * self.num_cells,) * 2
        self.observation_size = 2 + self.num_ships * self.num_cells + num_shots * (2 * self.num_cells + 3)

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> BattleshipState:
        return BattleshipState(
            fleet=xp.zeros((batch, 2), dtype=xp.int64, device=device),
            shots=xp.full((batch, 2 * self.num_shots), -1, dtype=xp.int64, device=device),
            shot=xp.zeros((batch, 2 * self.num_cells), dtype=xp.bool, device=device),
            moves=xp.zeros((batch,), dtype=xp.int64, device=device),
        )

    def _part(self, both: Array, player: Array) -> Array:
        """One player's half of an array that holds both players' side by side, [B, M / 2]."""
        half = both.shape[1] // 2
        return namespace(both).where((player == 0)[:, None], both[:, :half], both[:, half:])

    def _ships(self, state: BattleshipState, player: Array) -> Array:
        """The ship of `player` at each cell, -1 where there is none, [B, C] int64."""
        return self._tables.on("cells", player)[take_along(state.fleet, player)]

    def _sunk(self, state: BattleshipState, player: Array) -> Array:
        """Which ships of `player` are sunk, [B, S] bool; nothing is before all are placed."""
        xp = namespace(player)
        hit = one_hot(self._ships(state, player), self.num_ships) & self._part(state.shot, 1 - player)[:, :, None]
        return xp.sum(xp.astype(hit, xp.int64), axis=1) == self._tables.on("sizes", player)[None, :]

    def _losses(self, state: BattleshipState) -> tuple[Array, Array]:
        """The ships that each player has lost, [B, S] bool each."""
        xp = namespace(state.moves)
        return self._sunk(state, xp.zeros_like(state.moves)), self._sunk(state, xp.ones_like(state.moves))

    def _over(self, state: BattleshipState, losses: tuple[Array, Array]) -> Array:
        xp = namespace(state.moves)
        beaten = xp.all(losses[0], axis=1) | xp.all(losses[1], axis=1)
        return beaten | (state.moves == 2 * (self.num_ships + self.num_shots))

    def turn(self, state: BattleshipState) -> Array:
        xp = namespace(state.moves)
        return xp.where(self._over(state, self._losses(state)), TERMINAL, state.moves % 2)

    def legal_actions(self, state: BattleshipState, player: Array) -> Array:
        xp = namespace(player)
        placing = state.moves < 2 * self.num_ships
        placements = self._tables.on("children", player)[take_along(state.fleet, player)] >= 0
        targets = self._part(state.shot, player)
        targets = xp.ones_like(targets) if self.allow_repeated_shots else ~targets
        beyond = xp.zeros_like(placements[:, self.num_cells :])
        return xp.where(placing[:, None], placements, xp.concat([targets, beyond], axis=1))

    def apply(self, state: BattleshipState, actions: Array) -> tuple[BattleshipState, Array]:
        xp = namespace(actions)
        player, placing = state.moves % 2, state.moves < 2 * self.num_ships
        shooting = ~placing & (state.moves < 2 * (self.num_ships + self.num_shots))
        placed = take_along(self._tables.on("children", actions)[take_along(state.fleet, player)], actions)
        target = xp.where(shooting, actions, 0)
        fired = state._replace(
            fleet=put_along(state.fleet, player, placed, placing),
            shot=state.shot | (one_hot(player * self.num_cells + target, 2 * self.num_cells) & shooting[:, None]),
            moves=state.moves + xp.astype(placing | shooting, xp.int64),
        )
        ship = take_along(self._ships(fired, 1 - player), target)
        sunk = xp.any(one_hot(ship, self.num_ships) & self._sunk(fired, 1 - player), axis=1)
        answer = xp.where(ship < 0, WATER, xp.where(sunk, SUNK, HIT))
        slot = player * self.num_shots + (state.moves - 2 * self.num_ships) // 2
        after = fired._replace(shots=put_along(state.shots, slot, 3 * target + answer, shooting))
        return after, self._payoffs(after)

    def _payoffs(self, state: BattleshipState) -> Array:
        xp = namespace(state.moves)
        losses = self._losses(state)
        values = xp.asarray(self.values, dtype=xp.float64, device=device_of(state.moves))
        first, second = (xp.sum(xp.where(lost, values, 0.0), axis=1) for lost in losses)
        payoffs = xp.stack([second - self.loss_multiplier * first, first - self.loss_multiplier * second], axis=1)
        return xp.where(self._over(state, losses)[:, None], payoffs, 0.0)

    def observation(self, state: BattleshipState, player: Array) -> Array:
        xp = namespace(player)
        own, others = self._part(state.shots, player), self._part(state.shots, 1 - player)
        answers = one_hot(xp.where(own < 0, -1, own % 3), 3)
        parts = [
            one_hot(self._ships(state, player), self.num_ships),
            one_hot(own // 3, self.num_cells),
            answers,
            one_hot(others // 3, self.num_cells),
        ]
        flat = [one_hot(player, 2), *(xp.reshape(part, (player.shape[0], -1)) for part in parts)]
        return xp.astype(xp.concat(flat, axis=1), xp.float32)

    def information_state(self, state: BattleshipState, player: Array) -> Array:
        fleet = take_along(state.fleet, player)[:, None]
        own, others = self._part(state.shots, player), self._part(state.shots, 1 - player)
        return namespace(player).concat([fleet, own, others // 3], axis=1)

    def public_observation(self, state: BattleshipState) -> Array:
        return state.shots

    def describe_information_state(self, player: int, key: Array) -> str:
        fleet, *shots = (int(entry) for entry in np.asarray(key))
        ships = " ".join(self.describe_action(player, action) for action in self.fleets.actions[fleet])
        own, others = shots[: self.num_shots], shots[self.num_shots :]
        fired = " ".join(self._cell_name(code // 3) + ".x#"[code % 3] for code in own if code >= 0)
        received = " ".join(self._cell_name(cell) for cell in others if cell >= 0)
        return f"[{ships}] {fired} / {received}"

    def picture(self, state: BattleshipState) -> Picture:
        return Picture(boards=tuple(self._sea(state, owner) for owner in (0, 1)))

    def _sea(self, state: BattleshipState, owner: int) -> Board:
        """A player's ships by number: "o" for a shot into the water, "x" for a hit, "#" where a ship is sunk."""
        player = np.array([owner])
        ships, sunk = self._ships(state, player)[0], self._sunk(state, player)[0]
        shot = self._part(state.shot, 1 - player)[0]
        marks, pieces = [], []
        for cell, ship in enumerate(ships.tolist()):
            if ship >= 0:
                glyph = str(ship + 1) if not shot[cell] else "#" if sunk[ship] else "x"
                marks.append((cell, glyph, DAMAGED if shot[cell] else player_colour(owner)))
            elif shot[cell]:
                pieces.append((cell, "o", player_colour(1 - owner)))
        return squares(
            self.height,
            self.width,
            marks=marks,
            pieces=pieces,
            ground=SEA,
            title=f"ships of player_{owner}",
            rows=tuple(str(row + 1) for row in range(self.height)),
            columns=tuple("abcdefghijklmnopqrstuvwxyz"[: self.width]),
        )

    def _cell_name(self, cell: int) -> str:
        row, col = divmod(cell, self.width)
        return f"{'abcdefghijklmnopqrstuvwxyz'[col]}{row + 1}"

    def describe_action(self, player: int, action: int) -> str:
        kind, cell = divmod(action, self.num_cells)
        return self._cell_name(cell) + ("", ">", "v")[kind]


def _numbers(parameter: str, text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    low = 1 if parameter == "ship_sizes" else 0
    if not numbers or not all(low <= number < float("inf") for number in numbers):
        raise InputError(
            f"battleship: parameter {parameter!r} must be numbers of at least {low} separated by commas, got {text!r}"
        )
    return numbers


def _sizes(text: str) -> tuple[int, ...]:
    numbers = _numbers("ship_sizes", text)
    if any(number != int(number) for number in numbers):
        raise InputError(f"battleship: parameter 'ship_sizes' must be integers, got {text!r}")
    return tuple(int(number) for number in numbers)


def num_histories(height: int, width: int, ship_sizes: str, num_shots: int, allow_repeated_shots: bool) -> int:
    """Histories, counted up to the placement with which they exceed the default limit of enumeration.

    However the fleets lie, the number of orders of shots that leave a ship afloat is the same.
    """
    sizes, cells = _sizes(ship_sizes), height * width
    room, taken = _room(height, width, sizes), Counter({0: 1})  # cells taken -> ways to place ships there
    total = fleets = 1
    for ship, placements in enumerate(_placements(height, width, sizes)):
        after = Counter[int]()
        for before, ways in taken.items():
            for _, covered in placements:
                if not covered & before and room(ship + 1, before | covered):
                    after[before | covered] += ways
        total += fleets * after.total() + after.total() ** 2
        taken, fleets = after, after.total()
        if total > DEFAULT_MAX_SIZE:
            return total
    for shot in range(2 * num_shots):
        # Player 0 has made as many shots as player 1, or one more.
        first, second = (
            _afloat(sum(sizes), cells, made, allow_repeated_shots) for made in ((shot + 1) // 2, shot // 2)
        )
        total += fleets**2 * first * second * (cells if allow_repeated_shots else cells - shot // 2)
    return total


def _afloat(fleet: int, cells: int, shots: int, repeated: bool) -> int:
    """Orders of so many shots, at a board of so many cells, that miss at least one of the fleet's."""
    if repeated:
        # All less those that hit every cell, by inclusion and exclusion.
        missing: int = -sum((-1) ** j * comb(fleet, j) * (cells - j) ** shots for j in range(1, fleet + 1))
        return missing
    return perm(cells, shots) - (comb(cells - fleet, shots - fleet) * factorial(shots) if shots >= fleet else 0)


def _constant_sum(
    height: int,
    width: int,
    ship_sizes: str,
    ship_values: str,
    num_shots: int,
    loss_multiplier: float,
    allow_repeated_shots: bool,
) -> bool:
    """Whether losses count as much as gains, or ships of the same total value are sunk in every game.

    The latter happens in corner cases: no ship of value can be sunk, or the first to sink the only ship always does.
    What can be sunk depends on how many cells of each ship are hit, not on where they lie.
    """
    if loss_multiplier == 1:
        return True
    sizes, values = _sizes(ship_sizes), _numbers("ship_values", ship_values)
    water = height * width - sum(sizes)
    worth: list[set[float]] = [set() for _ in range(sum(sizes))]  # by cells hit, what can be sunk short of everything
    for hits in product(*(range(size + 1) for size in sizes)):
        if hits != sizes:
            sunk = (value for hit, size, value in zip(hits, sizes, values, strict=True) if hit == size)
            worth[sum(hits)].add(sum(sunk))

    def short_of_all(shots: int) -> list[tuple[int, set[float]]]:
        """The cells that can have been hit with so many shots, and what may be sunk then."""
        return [
            (hits, worth[hits])
            for hits in range(min(shots, len(worth) - 1) + 1)
            if shots - hits <= water or (allow_repeated_shots and (hits or water))
        ]

    ends = set[float]()
    for shots in range(num_shots):
        now, then = (set[float]().union(*(sunk for _, sunk in short_of_all(made))) for made in (shots, shots + 1))
        if any(hits == len(worth) - 1 for hits, _ in short_of_all(shots)):
            # The last cell is hit, by player 0 or after player 0's next shot by player 1.
            ends |= {sum(values) + other for other in now | then}
    last = set[float]().union(*(sunk for _, sunk in short_of_all(num_shots)))
    ends |= {own + other for own in last for other in last}
    return max(ends) - min(ends) <= 1e-9 * max(ends)


SPEC = GameSpec(
    id="battleship",
    family=Family.EXTENSIVE_FORM,
    title="Battleship",
    build=Battleship,
    constant_sum=_constant_sum,
    size=lambda height, width, ship_sizes, num_shots, allow_repeated_shots, **_: num_histories(
        height, width, ship_sizes, num_shots, allow_repeated_shots
    ),
    source="Farina, Ling, Fang and Sandholm (2019), Correlation in extensive-form games, NeurIPS; OpenSpiel (2019)",
    parameters=(
        Parameter(name="height", default=2, low=1, high=10, description="rows of a board"),
        Parameter(name="width", default=2, low=1, high=10, description="columns of a board"),
        Parameter(name="ship_sizes", default="1,2", kind=str, description="cells of each ship, separated by commas"),
        Parameter(
            name="ship_values",
            default=None,
            kind=str,
            description="payoff for sinking each ship, separated by commas; default 1 each",
        ),
        Parameter(name="num_shots", default=2, low=1, high=100, description="shots of each player"),
        Parameter(
            name="loss_multiplier",
            default=2.0,
            kind=float,
            low=0,
            description="what a lost ship costs, in units of what sinking it pays; 1 makes the game zero-sum",
        ),
        Parameter(
            name="allow_repeated_shots",
            default=False,
            kind=bool,
            description="whether a cell can be shot at more than once",
        ),
    ),
    facts=tuple(
        Fact(
            source="OpenSpiel 2.0.2, enumerated",
            parameters=parameters,
            sizes={"histories": histories, "terminals": terminals, "infosets": infosets, "sequences": sequences},
        )
        for parameters, histories, terminals, infosets, sequences in (
            ({}, 13685, 9216, [397, 1189], [1197, 3597]),
            ({"num_shots": 3}, 59765, 32256, [6541, 10405], [13485, 22029]),
            ({"allow_repeated_shots": True, "ship_values": "1,2"}, 21877, 16384, [397, 1573], [1581, 6285]),
            ({"ship_sizes": "2", "num_shots": 3}, 10069, 5568, [1413, 1873], [2965, 4101]),
            ({"height": 1, "width": 4, "ship_values": "1,2"}, 7713, 5184, [299, 893], [899, 2699]),
            (
                {"width": 3, "ship_sizes": "3", "loss_multiplier": 1.0, "allow_repeated_shots": True},
                6223,
                5184,
                [147, 877],
                [879, 5259],
            ),
        )
    ),
)
