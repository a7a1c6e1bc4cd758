"""The trace that a request record brings, by W3C Trace Context 1; what is malformed is no trace, and refuses nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from streamer.wire.header_names import TRACEPARENT, TRACESTATE

KafkaHeaders = Sequence[tuple[str, bytes | None]]
Pairs = tuple[tuple[str, str], ...]

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
_KEY = rb"[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}"
# Visible ASCII without comma and equals sign, with spaces, but not at the end.
_VALUE = rb"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER = re.compile(rb"(?:" + _KEY + rb")=" + _VALUE + rb"\Z")
_MOST_MEMBERS = 32
#: What every party must be able to pass on.
_MOST_STATE_BYTES = 512


def trace_of_record(kafka: KafkaHeaders, headers: Pairs) -> tuple[str | None, Pairs]:
    """Return the record's traceparent, and the headers with what belongs to it.

    A ``traceparent`` among the request's own headers goes before the one among the record's; ``tracestate`` goes with the
    record's alone, and becomes a header of the request, since nothing else has to know it.
    """
    for name, value in headers:
        if name.lower() == TRACEPARENT:
            return _traceparent(value.encode("latin-1", "replace")), headers
    for name, raw in kafka:
        if name == TRACEPARENT and raw is not None and (found := _traceparent(raw)):
            return found, _with_state(kafka, headers)
    return None, headers


def _with_state(kafka: KafkaHeaders, headers: Pairs) -> Pairs:
    state = b",".join([raw for name, raw in kafka if name == TRACESTATE and raw])
    if not state or any(name.lower() == TRACESTATE for name, _ in headers):
        return headers
    members = [member for part in state.split(b",") if (member := part.strip(b" \t"))]
    good = members and len(members) <= _MOST_MEMBERS and all(map(_MEMBER.match, members))
    kept = b",".join(members)
    return (*headers, (TRACESTATE, kept.decode("ascii"))) if good and len(kept) <= _MOST_STATE_BYTES else headers


def _traceparent(raw: bytes) -> str | None:
    return raw.decode("ascii") if _TRACEPARENT.match(raw) else None
