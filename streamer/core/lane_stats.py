"""What a lane has measured of its target: how long calls take, and how many begin.

Must not decide anything; a lane promises slots by it, and people look at it.
"""

from __future__ import annotations

from array import array

_KEPT = 64
_SECONDS = 10
#: The weight of the newest call in the running mean of the service time.
_NEWEST = 0.2


class LaneStats:
    """The service time as a running mean, the last latencies, and the calls begun in each of the last ten seconds."""

    __slots__ = ("_begun", "_latencies", "_second", "service_ms")

    def __init__(self) -> None:
        #: Mean time of a call, failures and timeouts included; 0 before the first has ended.
        self.service_ms = 0.0
        self._latencies: array[float] = array("f")
        self._begun = [0] * _SECONDS
        self._second = 0

    def begun(self, now_ms: float) -> None:
        """Note that a call begins."""
        self._turn(int(now_ms // 1000))
        self._begun[self._second % _SECONDS] += 1

    def ended(self, duration_ms: float) -> None:
        """Note how long a call took."""
        mean = self.service_ms
        self.service_ms = mean + _NEWEST * (duration_ms - mean) if mean else max(duration_ms, 0.001)
        if len(self._latencies) == _KEPT:
            del self._latencies[: _KEPT // 2]
        self._latencies.append(duration_ms)

    def per_s(self, now_ms: float) -> float:
        """Return calls begun a second, over the whole seconds of the last ten that have passed."""
        self._turn(int(now_ms // 1000))
        newest = self._second % _SECONDS
        return (sum(self._begun) - self._begun[newest]) / (_SECONDS - 1)

    def quantile(self, share: float) -> float | None:
        """Return the latency below which ``share`` of the last calls were, or None without any."""
        if not self._latencies:
            return None
        ordered = sorted(self._latencies)
        return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1)

    def _turn(self, second: int) -> None:
        passed = second - self._second
        if passed <= 0:
            return
        for empty in range(self._second + 1, self._second + 1 + min(passed, _SECONDS)):
            self._begun[empty % _SECONDS] = 0
        self._second = second
