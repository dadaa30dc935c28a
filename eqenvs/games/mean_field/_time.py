"""Parameters of how long a mean-field game lasts: with a horizon, or for ever and discounted."""

from __future__ import annotations

from eqenvs.spec import Parameter

STATIONARY_DISCOUNT = 0.95  # where none is given and there is no horizon


def horizon_parameter(default: int | None) -> Parameter:
    """Decisions, or None."""
    return Parameter(
        name="horizon",
        default=default,
        low=1,
        high=100_000,
        optional=True,
        description="decisions; none: no horizon, the game is discounted and played in the population's stable "
        "distribution",
    )


def discount_parameter(default: float | None = None) -> Parameter:
    """The factor a step."""
    return Parameter(
        name="discount",
        default=default,
        kind=float,
        low=0.0,
        high=1.0,
        description="factor a step"
        + ("" if default is not None else f"; default 1 with a horizon, {STATIONARY_DISCOUNT} without"),
    )


def resolved(horizon: int | None, discount: float | None) -> tuple[int | None, float]:
    """The horizon and the discount as a model takes them."""
    if discount is None:
        discount = STATIONARY_DISCOUNT if horizon is None else 1.0
    return horizon, discount
