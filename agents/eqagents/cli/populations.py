"""`eqenvs evaluate --num-agents`: a mean-field policy in games of N agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from eqenvs.errors import InputError

if TYPE_CHECKING:
    from eqsolvers.scoring.finite_population import Fit, PopulationCurve

MEANINGS = {
    "gain": "gain, seeing what the policy sees",
    "distance": "its distance from the limit's",
    "full_information": "gain, seeing the others' counts",
}


def sizes_of(text: str) -> list[int]:
    """The numbers of agents, N or N,N,...

    Raises:
        InputError: one is no whole number.
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--num-agents needs N or N,N,..., whole numbers, got {text!r}") from None


def population_table(curve: PopulationCurve, title: str) -> Table:
    """The curve and its fits, for people."""
    table = Table("agents", "value", "gain", "sees what the policy sees", "kind", "method", title=title)
    for size, scored in zip(curve.sizes, curve.scores, strict=True):
        detail = scored.detail
        widths = detail.get("own_state_half_width")
        own = ", ".join(
            f"{gain:.4g}" + ("" if widths is None else f" +- {widths[i]:.2g}")
            for i, gain in enumerate(detail["own_state_gain"])
        )
        table.add_row(
            f"{size:,}", f"{scored.values.mean():.6g}", f"{scored.exploitability:.4g}", own, scored.kind.value,
            str(detail["method"]),
        )  # fmt: skip
    table.caption = "\n".join(
        [f"limit: {curve.limit:.4g}", *(_fitted(MEANINGS[name], fit) for name, fit in curve.fits.items())]
    )
    return table


def _fitted(meaning: str, fit: Fit) -> str:
    if fit.rate is None:
        return f"{meaning}: too few sizes for a rate"
    error = "" if fit.error is None else f" (standard error {fit.error:.2g})"
    return f"{meaning}: like N^{-fit.rate:.3g}{error}"
