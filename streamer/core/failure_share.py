"""The share of failures among a lane's last calls, counted in buckets of time.

Must not know what a failure is, nor what follows from it.
"""

from __future__ import annotations

from array import array

_BUCKETS = 10
_EMPTY = bytes(_BUCKETS * 2 * array("I").itemsize)


class FailureShare:
    """Counts calls and failures over the last ``window_ms``, to a tenth of it; bounded whatever happens.

    ``calls`` and ``failures`` are as of the last ``add``.
    """

    __slots__ = ("_counts", "_newest", "_width_ms", "calls", "failures")

    def __init__(self, window_ms: int) -> None:
        self._width_ms = max(1, window_ms // _BUCKETS)
        #: Calls of each bucket, then failures of each bucket.
        self._counts = array("I", _EMPTY)
        self._newest = 0
        self.calls = 0
        self.failures = 0

    def add(self, failed: bool, now_ms: float) -> None:
        """Count a call that ended now."""
        self._turn_to(int(now_ms // self._width_ms))
        place = self._newest % _BUCKETS
        self._counts[place] += 1
        self.calls += 1
        if failed:
            self._counts[_BUCKETS + place] += 1
            self.failures += 1

    def _turn_to(self, newest: int) -> None:
        passed = newest - self._newest
        if -_BUCKETS < passed <= 0:
            # A clock that stepped back a little: the newest bucket counts on.
            return
        self._newest = newest
        if not 0 < passed < _BUCKETS:
            # All of it is too old, or the clock was set back by more than the window.
            self._counts = array("I", _EMPTY)
            self.calls = self.failures = 0
            return
        for bucket in range(newest - passed + 1, newest + 1):
            place = bucket % _BUCKETS
            self.calls -= self._counts[place]
            self.failures -= self._counts[_BUCKETS + place]
            self._counts[place] = self._counts[_BUCKETS + place] = 0
