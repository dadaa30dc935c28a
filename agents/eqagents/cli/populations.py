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

NOISE = " *"
NOTE = "* not told apart from 0: below its 95 % half-width"


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
    table = Table("agents", "gain", "seeing the counts too", "value", "kind", "method", title=title)
    lines = []
    for size, scored in zip(curve.sizes, curve.scores, strict=True):
        detail = scored.detail
        gains = detail["own_state_gain"]
        widths = detail.get("own_state_half_width", [None] * len(gains))
        own = ", ".join(_measured(gain, width) for gain, width in zip(gains, widths, strict=True))
        ways = detail["method"] if isinstance(detail["method"], list) else [detail["method"]]
        counted = f"{scored.exploitability:.4g}" if ways == ["exact"] else "-"
        value = ", ".join(f"{each:.6g}" for each in scored.values)
        table.add_row(f"{size:,}", own, counted, value, scored.kind.value, ", ".join(ways))
        if NOISE in own and NOTE not in lines:
            lines.append(NOTE)
    rest = curve.scores[0].detail.get("stable_distribution")
    lines += [] if rest is None else [f"stable distribution: {rest}"]
    lines += [f"limit: {curve.limit:.4g}", *(_fitted(MEANINGS[name], fit) for name, fit in curve.fits.items())]
    table.caption = "\n".join(lines)
    return table


def _measured(gain: float, width: float | None) -> str:
    if width is None:
        return f"{gain:.4g}"
    return f"{gain:.4g} +- {width:.2g}" + (NOISE if gain < width else "")


def _fitted(meaning: str, fit: Fit) -> str:
    if fit.rate is None:
        return f"{meaning}: too few sizes for a rate"
    error = "" if fit.error is None else f" (standard error {fit.error:.2g})"
    return f"{meaning}: like N^{-fit.rate:.3g}{error}"
