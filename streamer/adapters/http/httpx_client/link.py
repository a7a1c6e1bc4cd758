"""One connection to a target, and how many calls are on it."""

from __future__ import annotations

import httpcore

Connection = httpcore.AsyncHTTP11Connection | httpcore.AsyncHTTP2Connection


class Link:
    """A connection that is open.

    ``fresh``: no call was on it yet. ``spoilt``: one was left before its end, so that no other may begin.
    """

    __slots__ = ("calls", "connection", "fresh", "idle_since_s", "shared", "spoilt")

    def __init__(self, connection: Connection) -> None:
        """Wrap a connection that was just opened; ``shared`` tells that calls may be on it side by side."""
        self.connection = connection
        self.shared = isinstance(connection, httpcore.AsyncHTTP2Connection)
        self.calls = 0
        self.idle_since_s = 0.0
        self.fresh = True
        self.spoilt = False

    def is_fit(self) -> bool:
        """Tell whether another call may begin: the other side has neither hung up nor said more than it was asked."""
        connection = self.connection
        if self.spoilt or connection.is_closed():
            return False
        if self.fresh:
            return True
        return connection.is_available() and not connection.has_expired() and not self._has_more()

    def _has_more(self) -> bool:
        connection = self.connection
        if not isinstance(connection, httpcore.AsyncHTTP11Connection):
            return False
        # httpcore would take what a peer says behind an answer for the answer to the next call, and shows it nowhere.
        return bool(connection._h11_state.trailing_data[0])  # noqa: SLF001
