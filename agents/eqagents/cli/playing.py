"""`eqenvs play`: a person in the terminal against a joint policy.

The person sees what its player knows, no more: the readable name of the information state, and the picture where the
game hides nothing. The others' actions are drawn from the policy at their information states. After the game everything
is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from eqenvs.envs.aec import GameAECEnv
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.models import InformationStates
from eqenvs.policies import MixturePolicy, ProductPolicy
from eqenvs.rendering import as_text
from eqenvs.rendering.screen import picture_of

QUIT, HINT = "q", "?"
MOST_MOVES = 60  # that are told at the end


class Leaves(Exception):  # noqa: N818 - no error
    """The person has had enough."""


def play_game(
    game: Game,
    policy: Any,
    *,
    player: int,
    seed: int | None,
    ask: Callable[[str], str],
    tell: Callable[[str], None],
) -> list[float]:
    """One game.

    Args:
        game: to play; in turns, or by choosing at once.
        policy: a joint policy, of whom the others play their parts.
        player: the person's.
        seed: of chance and the others' choices; None for one that no seed gives.
        ask: reads the person's answer to a prompt.
        tell: shows a text.

    Returns:
        What each player was paid.

    Raises:
        InputError: there is no such player.
        Leaves: the person ended the game.
    """
    if not 0 <= player < game.rules.num_players:
        raise InputError(f"--player must be from 0 to {game.rules.num_players - 1}, got {player}")
    rng = np.random.default_rng(seed)
    drawn = _drawn(policy, rng)
    env = game.aec_env()
    env.reset(seed=int(rng.integers(2**31)))
    paid = np.zeros(game.rules.num_players)
    made: list[str] = []
    drawn_from = "; it is a mixture, of which one part was drawn for this game" if _mixed(policy) else ""
    tell(f"You are player {player}. {QUIT} ends the game, {HINT} shows what the policy would do{drawn_from}.")
    while not any(env.terminations.values()) and not any(env.truncations.values()):
        mover = env.possible_agents.index(env.agent_selection)
        if mover == player:
            for line in _position(game, env, player):
                tell(line)
            action = _asked(game, env, drawn, player, ask, tell)
        else:
            table = _probabilities(env, drawn, mover)
            action = int(rng.choice(len(table), p=table))
            if game.rules.open_information and not game.rules.simultaneous:
                tell(f"player {mover}: {game.rules.describe_action(mover, action)}")
        made.append(f"player {mover} {game.rules.describe_action(mover, action)}")
        env.step(action)
        paid += [env.rewards[agent] for agent in env.possible_agents]
    tell("")
    cut = "..., " if len(made) > MOST_MOVES else ""
    tell(f"moves: {cut}{', '.join(made[-MOST_MOVES:])}")
    tell(as_text(picture_of(game.rules, env.position()), ()))
    tell("; ".join(f"player {who}: {reward:g}" for who, reward in enumerate(paid)))
    return [float(reward) for reward in paid]


def _drawn(policy: Any, rng: np.random.Generator) -> Any:
    """A joint policy without mixtures: each of them is drawn from once for a game, as it is meant."""
    while isinstance(policy, MixturePolicy):
        policy = policy.components[int(rng.choice(len(policy.weights), p=policy.weights))]
    if isinstance(policy, ProductPolicy):
        return ProductPolicy([_drawn(entry, rng) for entry in policy.players])
    return policy


def _mixed(policy: Any) -> bool:
    if isinstance(policy, ProductPolicy):
        return any(map(_mixed, policy.players))
    return isinstance(policy, MixturePolicy)


def _probabilities(env: GameAECEnv, policy: Any, player: int) -> Any:
    agent = env.possible_agents[player]
    seen = env.observe(agent)
    mask = seen["action_mask"].astype(bool)
    states = InformationStates(env.information_state(agent)[None], seen["observation"][None], mask[None])
    entry: Any = policy.players[player] if isinstance(policy, ProductPolicy) else policy
    table = np.asarray(entry(player, states), dtype=np.float64)[0][: len(mask)]
    return table / table.sum()


def _position(game: Game, env: GameAECEnv, player: int) -> Iterator[str]:
    yield ""
    if game.rules.open_information:
        yield as_text(picture_of(game.rules, env.position()), ())
    else:
        key = env.information_state(env.possible_agents[player])
        yield f"you know: {game.rules.describe_information_state(player, key)}"


def _asked(
    game: Game, env: GameAECEnv, policy: Any, player: int, ask: Callable[[str], str], tell: Callable[[str], None]
) -> int:
    """The person's action, by its name or number."""
    legal = np.flatnonzero(env.observe(env.possible_agents[player])["action_mask"]).tolist()
    labels = {action: game.rules.describe_action(player, action) for action in legal}
    # Names are answers only where they are not the number of another action, or another action's name.
    clear = len(set(labels.values())) == len(labels) and not any(
        name.isdecimal() and int(name) != action for action, name in labels.items()
    )
    answers = {str(action): action for action in legal} | (
        {name: action for action, name in labels.items()} if clear else {}
    )
    shown = [str(action) if name == str(action) else f"{action}: {name}" for action, name in labels.items()]
    while True:
        answer = ask(f"your move ({', '.join(shown)}): ").strip()
        if answer == QUIT:
            raise Leaves
        if answer == HINT:
            table = _probabilities(env, policy, player)
            tell(
                ", ".join(
                    f"{text} with probability {table[action]:.3f}" for action, text in zip(legal, shown, strict=True)
                )
            )
        elif answer in answers:
            return answers[answer]
        else:
            tell(f"{answer!r} is none of them")


def first_picture(game: Game) -> str | None:
    """A game's first position as text; None where the game has no picture."""
    env = game.aec_env()
    env.reset(seed=0)
    picture = game.rules.picture(env.position())
    return None if picture is None else as_text(picture, ())
