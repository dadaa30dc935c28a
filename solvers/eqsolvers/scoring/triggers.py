"""What a player gains by leaving a correlation device during play: the deviations of EFCE and EFCCE.

The device draws a component (a product policy) and, privately for each player, an action at each of its information
sets from its behaviour there; together they are the player's recommended pure policy. A player gets the recommendation
at an information set when it arrives there, for as long as it has followed all of them.

- The trigger (I, a) of *extensive-form correlated equilibrium*: follow until action a is recommended at I, then ignore
  what would be recommended and play the best continuation below I.
- The trigger I of *extensive-form coarse correlated equilibrium*: the same on arrival at I, before the recommendation.

With w_k the components' weights, y_k the player's own realisation plans and g_k its gradients against the others'
plans, what each sequence s below I is worth after the trigger (I, a) is

    sum_k  w_k  y_k(Ia)  g_k(s),

because the player's draws say nothing of the others' but through the component: having been recommended all of the
sequence Ia weights component k by y_k(Ia). The gain is the best response to that in the subtree of I, less what
following collects there, sum_k w_k sum_{s from Ia on} y_k(s) g_k(s). Before the recommendation at I the weight is
y_k of the sequence that leads to I, the sum of y_k(Ia) over a.

**Aggregation.** The *gap* of a player is the most that it gains by any set of triggers, each with its own continuation,
of which the first to be met counts. It is what a best response gains in the game with the device in which players see
recommendations and may stop following (von Stengel and Forges, definition 2.2), and is found bottom-up: at each
trigger either it is used or the ones below are. The literature's epsilon, by contrast, is the gain of the best single
trigger, `recommended.max()` or `arrived.max()` here. It is at most the gap, the gap at most the number of triggers
times it, and both are zero together. Only the former make the concepts comparable in numbers as they are in sets:

    ce_gap >= efce_gap >= efcce_gap >= cce_gap >= 0   for every device, player by player.

Proof. (1) cce <= efcce: a fixed policy is the set of triggers that stops on arrival at each of the player's first
information sets. (2) efcce <= efce: stopping on arrival at I is the set of triggers (I, a) for all a, with equal
continuations. (3) efce <= ce: who is told its component at the start can draw the recommendations itself, as privately
as the device would, and do what any set of triggers does; that is one replacement policy for each component, and the
best replacement is as good. (3) is strict where the trigger must act before it would know enough, and also because
`ce_gap` tells the component, not the pure policy drawn from it. For a product policy the first and the last are equal.

Assumes perfect recall; any number of players, any payoffs. Cost, for K components: all plans and gradients, O(K P);
then O(K sum_I A_I D_I) for a player, A_I actions at I and D_I sequences from I on: no more than K Q times the largest
A times the player's longest run of moves. Memory 4 K Q numbers.

Von Stengel and Forges (2008), "Extensive-form correlated equilibrium: definition and computational complexity",
Mathematics of Operations Research 33; Farina, Bianchi and Sandholm (2020), "Coarse correlation in extensive-form
games", AAAI (EFCCE); Celli, Marchesi, Farina and Gatti (2020), "No-regret learning dynamics for extensive-form
correlated equilibrium", NeurIPS, and Farina, Celli, Marchesi and Gatti (2022), "Simple uncoupled no-regret learning
dynamics for extensive-form correlated equilibrium", JACM 69 (trigger deviations of a single player).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.game import Game
from eqenvs.models import ExtensiveFormModel, Model
from eqenvs.policies import JointPolicy, components
from eqsolvers.scoring.device import Device, lay_out

if TYPE_CHECKING:
    from eqsolvers.scoring._sequence_form import SequenceFormEvaluator


@dataclass(frozen=True, eq=False)
class TriggerGains:
    """What one player gains by each trigger alone, times the probability of meeting it, and by the best sets of them.

    Attributes:
        recommended: [Q] float64, of the trigger (I, a) at the sequence that ends in it; 0 for the empty sequence. May
            be negative: then following is better.
        arrived: [I] float64, of the trigger I.
        efce_gap: the most by a set of the first kind, or by none.
        efcce_gap: the same of the second kind.
    """

    recommended: Float64Array
    arrived: Float64Array
    efce_gap: float
    efcce_gap: float


def trigger_gains(game: Game | Model, policy: JointPolicy) -> tuple[TriggerGains, ...]:
    """Each player's gains from triggers.

    Args:
        game: an extensive-form game that can be enumerated, or its model.
        policy: a correlation device, or a product policy as a device with one component.

    Raises:
        UnsupportedGame: unless the game is in extensive form.

    >>> import eqenvs
    >>> from eqenvs.policies import uniform
    >>> kuhn = eqenvs.make("kuhn_poker")
    >>> [round(gains.efce_gap, 6) for gains in trigger_gains(kuhn, uniform(kuhn))]
    [0.375, 0.541667]
    """
    model = game.model() if isinstance(game, Game) else game
    if not isinstance(model, ExtensiveFormModel):
        raise UnsupportedGame(f"triggers are defined for extensive-form games, not for a {type(model).__name__}")
    from eqsolvers.scoring._sequence_form import sequence_form  # numba takes longer to import than a game to score

    form = sequence_form(model)
    return gains_of_device(form, lay_out(model, form, *components(policy, model.num_players)))


def gains_of_device(form: SequenceFormEvaluator, device: Device) -> tuple[TriggerGains, ...]:
    """The same for a device whose plans and gradients are at hand."""
    found = form.trigger_gains(device.weights, device.plans, device.gradients)
    return tuple(TriggerGains(*gains) for gains in found)
