"""How far a machine's clock is from another's, from one instant of the other's between two of its own.

Must not know whose the other clock is, nor what follows.
"""

from __future__ import annotations


def skew_ms(before_ms: int, other_ms: int, after_ms: int) -> int:
    """Return by how much our clock is ahead at the least, negative when it is behind, 0 when the instants fit.

    The other's instant lies anywhere between our two: what the exchange took is nobody's fault.
    """
    if other_ms < before_ms:
        return before_ms - other_ms
    return min(0, after_ms - other_ms)
