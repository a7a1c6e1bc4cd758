"""Whether the ends of a lane's last calls are reason enough to open its breaker.

Must not know the breaker's states, nor the time; each call takes ``now_ms``.
"""

from __future__ import annotations

from math import log

from streamer.core.failure_share import FailureShare
from streamer.core.health import FAILURES, Health
from streamer.core.policy import BreakerPolicy

#: The rows of a policy are meant for a lane that fails no more than one call in sixteen.
_USUAL_SHARE = 1 / 16


class FailureCount:
    """Failures in a row, failures to connect in a row, and the share of failures over the window.

    A failure to connect counts as both kinds. Any answer ends both rows, and a 5xx that of failures to connect. A lane that
    fails often anyway has rows by chance: there a row counts from the length at which it is as unlikely as the policy's is
    for a lane that fails one call in sixteen (ADR 0018).
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
            self._long(self._in_row, policy.failures_in_row, policy)
            or self._long(self._connect_in_row, policy.connect_failures_in_row, policy)
            or (share.calls >= policy.least_calls and share.failures >= policy.share * share.calls)
        )

    def _long(self, row: int, wanted: int, policy: BreakerPolicy) -> bool:
        if row < wanted:
            return False
        before = self._share.calls - self._in_row
        failed = self._share.failures - self._in_row
        if before < policy.least_calls or failed <= _USUAL_SHARE * before:
            return True
        # Of a lane that only fails, no row is unlikely: any is long enough.
        return failed == before or row >= wanted * log(_USUAL_SHARE) / log(failed / before)
