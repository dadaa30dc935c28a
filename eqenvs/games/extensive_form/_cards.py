"""Names of playing cards for readable information states."""

from __future__ import annotations

RANK_NAMES = "23456789TJQK"
SUIT_NAMES = "shdcabefgijklmnopqrtuvwxyz"


def rank_name(rank: int, num_ranks: int) -> str:
    """The rank's letter with the king as the highest (J, Q, K for three ranks); its number where letters run out.

    >>> [rank_name(rank, 3) for rank in range(3)]
    ['J', 'Q', 'K']
    """
    return RANK_NAMES[len(RANK_NAMES) - num_ranks + rank] if num_ranks <= len(RANK_NAMES) else f"{rank}."
