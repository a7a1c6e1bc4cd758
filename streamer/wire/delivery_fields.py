"""The fields of a delivery record, with their types and ranges: what is read is parsed by them, and refused by them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct, field

from streamer.core.delivery import Why

VERSION = 1

#: What the table's entries and the sender can hold: a number beyond would raise there, as a fault of ours.
_Instant = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
_Count = Annotated[int, Meta(ge=0, le=(1 << 31) - 1)]
_Number = Annotated[int, Meta(ge=1, le=(1 << 31) - 1)]
_Partition = Annotated[int, Meta(ge=0, le=(1 << 16) - 1)]
_Offset = Annotated[int, Meta(ge=0, le=(1 << 48) - 1)]
_Timestamp = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_Pairs = tuple[tuple[str, str], ...]
#: Is no value that a field may have: null is refused, and so is not what a field has that is not there.
_ABSENT: Any = None


class DeliveryFields(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A record as parsed: every field has its type and is in its range. See delivery_record and normal_request.

    The retry policy stays text: tasks share a handful of policies, which are known by their text.
    """

    version: Annotated[int, Meta(ge=VERSION, le=VERSION)] = field(name="v")
    task_id: str = field(name="t")
    business: str = field(name="b")
    lane: str = field(name="l")
    url: str = field(name="u")
    timeout_ms: _Number = field(name="k")
    retry: Raw = field(name="r")
    origin: tuple[str, _Partition, _Offset, _Timestamp] = field(name="o")
    accepted_at_ms: _Instant = field(name="a")
    due_at_ms: _Instant = field(name="d")
    business_id: str = field(name="bi", default=_ABSENT)
    generation: _Number = field(name="g", default=1)
    attempt: _Number = field(name="n", default=1)
    seen: bool = field(name="s", default=False)
    epoch: _Count = field(name="e", default=0)
    why: Why = field(name="w", default=_ABSENT)
    faults: _Count = field(name="f", default=0)
    promise_ms: _Instant = field(name="p", default=_ABSENT)
    command_id: str = field(name="c", default=_ABSENT)
    shard: _Count = field(name="sh", default=0)
    waits: _Count = field(name="wt", default=0)
    slot_ms: _Instant = field(name="sl", default=_ABSENT)
    revision: _Count = field(name="rv", default=0)
    method: str = field(name="m", default="POST")
    headers: _Pairs = field(name="h", default=())
    text: str = field(name="x", default=_ABSENT)
    encoded: str = field(name="z", default=_ABSENT)
    success_codes: tuple[str, ...] = field(name="sc", default=_ABSENT)
    expires_at_ms: _Instant = field(name="ex", default=_ABSENT)
    priority: Annotated[int, Meta(ge=1, le=10)] = field(name="pr", default=5)
    rate_key: str = field(name="rk", default=_ABSENT)
    sign: bool = field(name="sg", default=False)
    metadata: _Pairs = field(name="md", default=())
    traceparent: str = field(name="tp", default=_ABSENT)
    policy: str = field(name="po", default=_ABSENT)


#: What it raises is a ValueError or a RecursionError; delivery_error has the words for people.
parse_fields = msgspec.json.Decoder(DeliveryFields).decode
