"""The waits within a call, one after the other, and what it means that one was too long."""

from __future__ import annotations

import asyncio

from streamer.adapters.http.pace import NO_ANSWER, NO_CONNECTION, NO_END, NO_FIRST_BYTE, NO_NEXT_PIECE, Pace
from streamer.core.outcome import Failure

_ALL_ITS_TIME = Pace()


class Waits:
    """One timer for a call, moved from wait to wait: for a connection, an answer's head, and each piece of its body."""

    def __init__(self, timeout_ms: int, pace: Pace | None) -> None:
        """Begin now, with the wait for a connection, which the connector bounds further."""
        began_s = asyncio.get_running_loop().time()
        self._pace = pace or _ALL_ITS_TIME
        self._end_s = began_s + timeout_ms / 1000
        first_ms = self._pace.first_byte_ms
        self._first_s = None if first_ms is None else began_s + first_ms / 1000
        self.late = NO_CONNECTION
        self.timer = asyncio.timeout_at(self._end_s)

    def connected(self) -> None:
        """Wait for the head of the answer."""
        self._until(self._first_s, NO_FIRST_BYTE, NO_ANSWER)

    def came(self) -> None:
        """Wait for the next piece: a head or a piece has come."""
        read_ms = self._pace.read_ms
        if read_ms is not None:
            self._until(asyncio.get_running_loop().time() + read_ms / 1000, NO_NEXT_PIECE, NO_END)
        elif self.late is not NO_END:
            self._until(None, NO_END, NO_END)

    def _until(self, at_s: float | None, early: Failure, whole: Failure) -> None:
        if at_s is not None and at_s < self._end_s:
            self.late = early
            self.timer.reschedule(at_s)
        else:
            self.late = whole
            self.timer.reschedule(self._end_s)
