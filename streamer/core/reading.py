"""What reading a request record comes to: a task to be, or a refusal that names the field.

Must not know how a record is written, nor where it came from.
"""

from __future__ import annotations

from msgspec import Struct

from streamer.core.request import Request


class Accepted(Struct, frozen=True, gc=False):
    """A good request record, defaults filled in.

    At most one of ``id`` and ``business_id`` is set, and at most one of ``send_at_ms`` (epoch ms, may be
    past) and ``delay_ms`` (from the record's acceptance).
    """

    id: str | None
    business: str
    business_id: str | None
    request: Request
    send_at_ms: int | None
    delay_ms: int | None
    lane: str


class Refused(Struct, frozen=True, gc=False):
    """A record that no task can be made of; ``field`` is a dotted path, or None for the record as a whole."""

    field: str | None
    reason: str
