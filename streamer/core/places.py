"""Places of a lane that are kept free for the business that comes next, while several use the lane.

Must not know what a call is, nor the time.
"""

from __future__ import annotations

from streamer.core.caps import business_of

#: A business counts as using the lane for so long after it was last seen.
LATELY_MS = 60_000.0
#: One place in so many is kept, and none in a lane with fewer than this many.
_ONE_IN = 10
_LEAST_ROOM = 4


class Places:
    """Counts the calls of each business in one lane.

    Turns alone are not enough: calls that began together end together, so that a business whose turn it is waits for a whole
    answer of the target's while another has all places. So while more than one business uses a lane, none has all of it.
    A lane that one business uses by itself gives it every place.
    """

    __slots__ = ("_last", "_running", "_several_until_ms")

    def __init__(self) -> None:
        self._running: dict[str, int] | None = None
        self._last: str | None = None
        self._several_until_ms = 0.0

    def __repr__(self) -> str:
        return f"<Places {self._running or {}}>"

    def came(self, taker: str, now_ms: float) -> None:
        """Note that who takes turns uses the lane; a business and its part under a policy are one."""
        business = business_of(taker)
        if business != self._last:
            if self._last is not None:
                self._several_until_ms = now_ms + LATELY_MS
            self._last = business

    def may(self, taker: str, room: int, now_ms: float) -> bool:
        """Tell whether one more call may begin in a lane with ``room`` for so many at once."""
        if self._running is None or now_ms >= self._several_until_ms or room < _LEAST_ROOM:
            return True
        return self._running.get(business_of(taker), 0) < room - max(1, room // _ONE_IN)

    def take(self, taker: str) -> None:
        """Count a call that begins."""
        if self._running is None:
            # Only while there are calls: a hundred thousand lanes may be idle at once.
            self._running = {}
        business = business_of(taker)
        self._running[business] = self._running.get(business, 0) + 1

    def give_back(self, taker: str) -> None:
        """Count a call that ended."""
        business, running = business_of(taker), self._running
        if running is None or business not in running:
            raise ValueError(f"no call of business {business!r} is running")
        running[business] -= 1
        if not running[business]:
            del running[business]
            if not running:
                self._running = None
