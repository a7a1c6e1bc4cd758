"""Slots under several rates at once (RULES 24): GCRA that hands out the future as well as the present.

Must not know where the clocks are kept, nor who waits for a slot. In µs, since a rate may have many slots a ms; in whole
ones, so that Redis, which counts in doubles, comes to exactly the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from streamer.core.clock_step import JITTER_MS
from streamer.core.policy import SharedLimit

#: A clock that goes back by more than this was set, and the reservations go back with it; less is jitter.
STEP_US = JITTER_MS * 1000


class Pace(Struct, frozen=True, gc=False):
    """A rate as the arithmetic needs it: so long from slot to slot, and so many at once after a rest."""

    spacing_us: int
    burst: int

    @property
    def lead_us(self) -> int:
        """How far a slot may lie before the theoretical arrival time."""
        return (self.burst - 1) * self.spacing_us


class KeyClock(Struct, frozen=True, gc=False):
    """A key's theoretical arrival time (GCRA), and when it was moved last."""

    tat_us: int = 0
    at_us: int = 0

    def tat_at(self, now_us: int) -> int:
        """Return the arrival time by a clock that may have been set back since: else all would wait until it is back."""
        back_us = self.at_us - now_us
        return self.tat_us - back_us if back_us > STEP_US else self.tat_us


def pace_of(limit: SharedLimit, share: float = 1.0) -> Pace:
    """Return the pace of a limit, or of a share of it; rounded so that it is never faster than the limit."""
    spacing_us = math.ceil(limit.rate.interval_ms * 1000 / (limit.rate.amount * share))
    return Pace(spacing_us, max(1, int(limit.burst * share)))


def slot_us(paces: Sequence[Pace], tats_us: Sequence[int], now_us: int) -> int:
    """Return the first slot from ``now_us`` on that all keys have in common."""
    return max([now_us, *(tat - pace.lead_us for pace, tat in zip(paces, tats_us, strict=True))])


def taken(pace: Pace, tat_us: int, slot_us: int, now_us: int) -> KeyClock:
    """Return a key's clock once ``slot_us`` is taken."""
    return KeyClock(max(tat_us, slot_us) + pace.spacing_us, now_us)
