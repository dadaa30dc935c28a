"""The battle of the sexes played with entangled qubits.

The protocol of Eisert, Wilkens and Lewenstein (1999), "Quantum games and quantum strategies", Physical Review Letters
83, with the payoffs of the battle of the sexes instead of the prisoner's dilemma's. Each player turns its qubit of the
entangled pair J|00> by a unitary U, then J is undone and both qubits are measured: outcome |ab> pays what the actions
a and b do in the classical game. Here J = exp(i gamma D x D / 2) with entanglement gamma from 0 to pi/2, and

    U(theta, phi) = [[exp(i phi) cos(theta/2), sin(theta/2)], [-sin(theta/2), exp(-i phi) cos(theta/2)]],

theta from 0 to pi, phi from 0 to pi/2: C = U(0, 0) leaves the qubit alone, D = U(pi, 0) flips it, Q = U(0, pi/2) has no
classical counterpart. C and D play the classical game for every gamma. Without entanglement so do all others,
U(theta, phi) as the mixture that flips with probability sin^2(theta/2).

Players choose from a grid of angles, which has C and D, and Q if there are at least two phis.
"""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import Float64Array
from eqenvs.games.normal_form._tensors import number, require_fits
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter


def angles(num_thetas: int, num_phis: int) -> Float64Array:
    """The actions, [A, 2]: theta from 0 to pi, and for each but the last phi from 0 to pi/2.

    At theta = pi all phi are the same unitary, so the last action is D.

    >>> angles(2, 2).tolist() == [[0, 0], [0, pi / 2], [pi, 0]]  # C, Q, D
    True
    """
    thetas = np.linspace(0.0, pi, num_thetas)
    phis = np.linspace(0.0, pi / 2, num_phis)
    return np.array([*((theta, phi) for theta in thetas[:-1] for phi in phis), (pi, 0.0)])


def unitary(theta: float, phi: float) -> NDArray[np.complex128]:
    """U(theta, phi), [2, 2] complex."""
    stay, flip = np.cos(theta / 2), np.sin(theta / 2)
    return np.array([[np.exp(1j * phi) * stay, flip], [-flip, np.exp(-1j * phi) * stay]])


def outcome_probabilities(choices: Float64Array, gamma: float) -> Float64Array:
    """How likely |00>, |01>, |10> and |11> are for each two of `choices` [A, 2]: [A, A, 4]."""
    unitaries = np.array([unitary(theta, phi) for theta, phi in choices])
    # D x D squares to the identity, so that the exponential series is a cosine and a sine.
    flips = np.kron(unitary(pi, 0.0).round(), unitary(pi, 0.0).round())
    entangle = np.cos(gamma / 2) * np.eye(4) + 1j * np.sin(gamma / 2) * flips
    pair = entangle[:, 0].reshape(2, 2)
    turned = np.einsum("xab,ycd,bd->xyac", unitaries, unitaries, pair).reshape(len(choices), len(choices), 4)
    probability: Float64Array = np.abs(turned @ entangle.conj()) ** 2  # J is symmetric: its adjoint is its conjugate
    return probability


def build(
    num_thetas: int = 2,
    num_phis: int = 2,
    gamma: float = pi / 2,
    preferred: float = 2.0,
    other: float = 1.0,
    apart: float = 0.0,
) -> NormalFormModel:
    """The payoff tensor [2, A, A], actions in the order of `angles`.

    Raises:
        GameTooLargeError: if the grid is too fine.
    """
    count = (num_thetas - 1) * num_phis + 1
    require_fits("quantum_battle_of_the_sexes", [2 * count, 2 * count])  # with the amplitudes
    probability = outcome_probabilities(angles(num_thetas, num_phis), gamma)
    return NormalFormModel(
        [
            probability @ np.array([preferred, apart, apart, other]),
            probability @ np.array([other, apart, apart, preferred]),
        ]
    )


SPEC = GameSpec(
    id="quantum_battle_of_the_sexes",
    family=Family.NORMAL_FORM,
    title="Battle of the sexes with entangled qubits",
    build=build,
    # Together (preferred + other) with the probability of an outcome in which they agree, else twice `apart`.
    constant_sum=lambda preferred, other, apart, **_: preferred + other == 2 * apart,
    source="Eisert, Wilkens and Lewenstein (1999), Quantum games and quantum strategies, Physical Review Letters 83",
    parameters=(
        Parameter(name="num_thetas", default=2, low=2, high=100, description="angles theta, from 0 to pi"),
        Parameter(name="num_phis", default=2, low=1, high=100, description="angles phi, from 0 to pi/2"),
        number("gamma", pi / 2, "entanglement, radians; pi/2 is complete", low=0.0, high=pi / 2),
        number("preferred", 2.0, "payoff of meeting where one likes better"),
        number("other", 1.0, "payoff of meeting where the other likes better"),
        number("apart", 0.0, "payoff of not meeting"),
    ),
    facts=(
        Fact(
            source="C and D only: the classical game; of uniform play half the time they meet, either action gives its "
            "own half, so each gains (2 - 1) / 4",
            parameters={"num_phis": 1, "gamma": 1.0},
            sizes={"actions": [2, 2], "profiles": 4},
            uniform_nash_conv=0.5,
        ),
        Fact(
            source="C, Q and D, complete entanglement: against C and Q, these meet at the first place if they are "
            "the same and at the second if not; D meets D only, there; against uniform play C and Q pay 1, D 1/3 or "
            "2/3, so the players gain 2/9 and 1/9",
            sizes={"actions": [3, 3], "profiles": 9},
            uniform_nash_conv=1 / 3,
        ),
    ),
)
