"""The lease on our partitions: a recent good heartbeat is the right to send and to write (RULES 4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: The coordinator may give our partitions away this long before we would notice, so the lease ends this much earlier.
SLACK_S = 2.0


class HeartbeatLease:
    """Held while the last good heartbeat was *sent* less than the session, minus the slack, ago.

    A process that was stopped finds the lease lost by the monotonic clock alone, before it has spoken to anyone. A lease
    that has lapsed stays lost until the next assignment, however soon a heartbeat follows: work was dropped meanwhile, and
    only a new assignment reads it again.
    """

    def __init__(self, session_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._span_s = session_s - SLACK_S
        self._monotonic = monotonic
        self._renewed_at = float("-inf")
        self._lapsed = False

    def begin(self) -> None:
        """Note an assignment, which is as good as a heartbeat and forgives a lapse."""
        self._renewed_at, self._lapsed = self._monotonic(), False

    def renew(self, sent_at: float) -> None:
        """Note a good heartbeat that was sent at ``sent_at`` (monotonic seconds)."""
        if self._renewed_at > float("-inf") and not self.held():
            self._lapsed = True
        self._renewed_at = max(self._renewed_at, sent_at)

    def end(self) -> None:
        """Note that another has our place: nothing is ours any more, whenever the last heartbeat was."""
        self._lapsed = True

    def held(self) -> bool:
        """Tell whether we may send and write now."""
        return not self._lapsed and self._monotonic() - self._renewed_at < self._span_s


def listen(coordinator: Any, lease: HeartbeatLease) -> None:
    """Renew the lease at each good heartbeat of an aiokafka consumer's coordinator."""
    beat = coordinator._do_heartbeat

    async def beat_and_renew() -> bool:
        sent_at = time.monotonic()
        good = bool(await beat())
        if good:
            lease.renew(sent_at)
        return good

    coordinator._do_heartbeat = beat_and_renew
