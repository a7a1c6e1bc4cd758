"""A rate limiter as one instant: the generic cell rate algorithm (ITU-T I.371, virtual scheduling).

Must not know who is limited, nor the time; each call takes ``now_ms``.
"""

from __future__ import annotations

from math import ceil

from streamer.core.clock_step import JITTER_MS, step_back_ms
from streamer.core.rate import Rate

#: Spacings are rounded up to 1/2048 ms. On that grid sums of epoch ms are exact in a float, so that a million rounding
#: errors do not add up to a call too many.
_GRID = 2_048


class Gcra:
    """Lets one call go each spacing, and ``burst`` at once after a rest.

    ``tat_ms`` is the theoretical arrival time: when the bucket would be full again. Invariant: while calls go only when
    ``next_ms(now) <= now``, any window of length t holds at most t / spacing + burst of them.

    Calls do not all take equally long to arrive, so at the receiver a window may hold a few more. ``way_ms`` is kept in hand
    of the burst for that, at most half of it: calls whose ways differ by less keep to the limit there too.
    """

    __slots__ = ("_ahead_ms", "_room", "_seen_ms", "burst", "rate", "spacing_ms", "tat_ms", "way_ms")

    def __init__(self, rate: Rate, burst: int, tat_ms: float = 0.0, way_ms: float = 0.0) -> None:
        self.way_ms = way_ms
        self.tat_ms = float(tat_ms)
        self._seen_ms = 0.0
        self._set(rate, burst)

    def __repr__(self) -> str:
        return f"<Gcra {self.rate} burst={self.burst} tat={self.tat_ms}>"

    def next_ms(self, now_ms: float) -> float:
        """Return the earliest instant, now or later, at which one call may go."""
        self._follow(now_ms)
        at_ms = self.tat_ms - self._ahead_ms
        if at_ms <= now_ms:
            return now_ms
        if at_ms - now_ms > self.spacing_ms + JITTER_MS:
            # No more can be owed than an empty bucket; the rest comes from another worker's clock, or from calls that
            # nobody asked leave for. It must not stop the lane for as long as that clock was wrong.
            self.tat_ms = now_ms + self._room * self.spacing_ms
            return now_ms + self.spacing_ms
        return at_ms

    def take(self, now_ms: float) -> None:
        """Count a call that begins now."""
        self._follow(now_ms)
        self.tat_ms = max(self.tat_ms, now_ms) + self.spacing_ms

    def change(self, rate: Rate, burst: int, now_ms: float) -> None:
        """Go on under other limits: the calls that are free now stay free, at most as many as the new burst.

        So a setting that flaps frees no burst (a wider bucket fills at the new rate), and the debt of a slow rate counts in
        calls, not in time: at worst the next call waits for one spacing of the new rate.
        """
        if rate == self.rate and burst == self.burst:
            return
        self._follow(now_ms)
        owed = max(0.0, self.tat_ms - now_ms) / self.spacing_ms
        free = max(0.0, self._room - owed)
        self._set(rate, burst)
        self.tat_ms = now_ms + (self._room - min(free, self._room)) * self.spacing_ms

    def empty(self, at_ms: float) -> None:
        """Go on as if the last free call had gone at ``at_ms``: the next may go one spacing later.

        For a lane that was another worker's until then, since nobody knows what that one's last calls were (RULES 18).
        """
        self.tat_ms = max(self.tat_ms, at_ms + self._room * self.spacing_ms)

    def _set(self, rate: Rate, burst: int) -> None:
        if burst < 1:
            raise ValueError(f"a burst is {burst}: allowed is 1 or more")
        self.rate = rate
        self.burst = burst
        self.spacing_ms = ceil(rate.interval_ms * _GRID / rate.amount) / _GRID
        ahead_ms = (burst - 1) * self.spacing_ms
        self._ahead_ms = ahead_ms - min(self.way_ms, ahead_ms / 2)
        #: Calls that may go at once after a rest: the burst, less what is kept in hand.
        self._room = 1 + self._ahead_ms / self.spacing_ms

    def _follow(self, now_ms: float) -> None:
        if now_ms >= self._seen_ms:
            self._seen_ms = now_ms
        elif back_ms := step_back_ms(self._seen_ms, now_ms):
            self.tat_ms -= back_ms
            self._seen_ms = now_ms
