"""The pace of a lane that was told "too many requests" without a word on how long to wait.

Must not know the lane's own limits, nor the time; each call takes ``now_ms``.
"""

from __future__ import annotations

from math import ceil, inf, log

from streamer.core.clock_step import step_back_ms
from streamer.core.rate import MOST_PER_S

#: No 429 makes a lane slower than this.
LEAST_PER_S = 0.1
#: So many times faster with each second without another 429.
_FASTER = 1.1
_STEP_MS = 1_000


class Pace:
    """Halved by a 429, faster by a tenth each second, and gone at twice the rate at which it was halved.

    Calls go evenly spaced at the pace; what was not used is not made up for. That is some fifteen seconds from a 429 to
    full speed.
    """

    __slots__ = ("_base_per_s", "_free_at_ms", "_last_ms", "_seen_ms", "_since_ms", "_slowed_at_ms")

    def __init__(self) -> None:
        self._base_per_s = self._free_at_ms = self._last_ms = self._seen_ms = self._since_ms = 0.0
        self._slowed_at_ms = -inf

    def __repr__(self) -> str:
        return f"<Pace from {self._base_per_s}/s at {self._slowed_at_ms} until {self._free_at_ms}>"

    def slow(self, begun_ms: float, rate_per_s: float, now_ms: float) -> bool:
        """Halve the pace after a 429 to a call begun at ``begun_ms``, of a lane that sent ``rate_per_s`` lately.

        A call begun no later than the last halving was sent at the old pace and says nothing of the new one: else one
        crowd of refused calls would halve it once for each of them. True when it halved.
        """
        self._follow(now_ms)
        if begun_ms <= self._slowed_at_ms:
            return False
        before = min(max(LEAST_PER_S, rate_per_s), MOST_PER_S, self.per_s(now_ms) or inf)
        self._slowed_at_ms = now_ms
        self._start(max(LEAST_PER_S, before / 2), 2 * before, now_ms)
        return True

    def next_ms(self, now_ms: float) -> float:
        """Return an instant, now or later, at which a call may go; asked again later it may be nearer."""
        self._follow(now_ms)
        if now_ms >= self._free_at_ms:
            return now_ms
        return max(now_ms, self._last_ms + 1_000 / self.per_s(now_ms))

    def take(self, now_ms: float) -> None:
        """Note a call that begins now."""
        self._follow(now_ms)
        self._last_ms = now_ms

    def active(self, now_ms: float) -> bool:
        """Tell whether it bounds anything."""
        self._follow(now_ms)
        return now_ms < self._free_at_ms

    def per_s(self, now_ms: float) -> float:
        """Return the calls a second that it lets go, 0 when it bounds nothing."""
        if not self.active(now_ms):
            return 0.0
        return float(self._base_per_s * _FASTER ** self._steps(now_ms))

    def restore(self, per_s: float, now_ms: float) -> None:
        """Go on at another worker's pace, as if it had been halved to that just now; 0 for none."""
        if per_s > 0:
            base_per_s = min(max(LEAST_PER_S, per_s), MOST_PER_S)
            self._follow(now_ms)
            self._start(base_per_s, 4 * base_per_s, now_ms)

    def _start(self, base_per_s: float, enough_per_s: float, now_ms: float) -> None:
        self._base_per_s = base_per_s
        self._free_at_ms = now_ms + _STEP_MS * ceil(log(enough_per_s / base_per_s, _FASTER))
        self._last_ms = self._since_ms = now_ms

    def _steps(self, now_ms: float) -> int:
        return max(0, int((now_ms - self._since_ms) // _STEP_MS))

    def _follow(self, now_ms: float) -> None:
        if now_ms >= self._seen_ms:
            self._seen_ms = now_ms
        elif back_ms := step_back_ms(self._seen_ms, now_ms):
            self._slowed_at_ms -= back_ms
            self._since_ms -= back_ms
            self._last_ms -= back_ms
            self._free_at_ms -= back_ms
            self._seen_ms = now_ms
