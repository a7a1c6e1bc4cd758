"""Whether the ends of a lane's last calls are reason enough to open its breaker.

Must not know the breaker's states, nor the time; each call takes ``now_ms``.
"""

from __future__ import annotations

from streamer.core.failure_share import FailureShare
from streamer.core.health import FAILURES, Health
from streamer.core.policy import BreakerPolicy


class FailureCount:
    """Failures in a row, failures to connect in a row, and the share of failures over the window.

    A failure to connect counts as both kinds. Any answer ends both rows, and a 5xx that of failures to connect.
    """

    __slots__ = ("_connect_in_row", "_in_row", "_share")

    def __init__(self, window_ms: int) -> None:
        self._in_row = self._connect_in_row = 0
        self._share = FailureShare(window_ms)

    def add(self, health: Health, policy: BreakerPolicy, now_ms: float) -> bool:
        """Count an end that says something; True when the policy wants the breaker opened."""
        failed = health in FAILURES
        share = self._share
        share.add(failed, now_ms)
        self._in_row = self._in_row + 1 if failed else 0
        self._connect_in_row = self._connect_in_row + 1 if health is Health.CONNECT_FAILED else 0
        return failed and (
            self._in_row >= policy.failures_in_row
            or self._connect_in_row >= policy.connect_failures_in_row
            or (share.calls >= policy.least_calls and share.failures >= policy.share * share.calls)
        )
