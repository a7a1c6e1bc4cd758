"""The one exception of reading records."""

from __future__ import annotations


class UnreadableRecord(Exception):
    """A record is not what it must be: ``field`` (a dotted path, None for all of it), and what is allowed."""

    def __init__(self, field: str | None, reason: str) -> None:
        super().__init__(reason if field is None else f"{field}: {reason}")
        self.field = field
        self.reason = reason
