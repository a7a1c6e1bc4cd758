"""A call as it goes on the wire."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from streamer.core.send_policy import SendPolicy


class Outgoing(Struct, frozen=True, gc=False):
    """A call as it goes on the wire, and for whom; it may hold secrets, and is never shown.

    ``keep_bytes`` of the answer's body are kept. A Struct, because it is made for every call.
    """

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    timeout_ms: int
    keep_bytes: int
    lane: str
    how: SendPolicy
    business: str = ""
    shows_credentials: bool = False

    def __repr__(self) -> str:
        """Tell where to, and no more."""
        return f"Outgoing({self.method} {self.lane})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Tell no more to rich, which asks this, and not repr, of whatever stands in a traceback."""
        return [("method", self.method), ("lane", self.lane)]
