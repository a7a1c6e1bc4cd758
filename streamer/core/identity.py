"""Ids and digests of tasks, claims, events and lanes.

Must not know where an id is written.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

_ID_BYTES = 16
#: Of a trace's id and of a span's.
_TRACE_BYTES = 16 + 8


def _digest(*parts: bytes) -> bytes:
    """Return 16 bytes of BLAKE2b over length-prefixed parts, so that no two lists of parts collide by concatenation."""
    state = hashlib.blake2b(digest_size=_ID_BYTES)
    for part in parts:
        state.update(len(part).to_bytes(4, "big"))
        state.update(part)
    return state.digest()


def task_digest(task_id: str) -> bytes:
    """Return the task's 16-byte key in the table."""
    return hashlib.blake2b(task_id.encode(), digest_size=_ID_BYTES).digest()


def derived_task_id(cluster_id: str, topic: str, partition: int, offset: int, timestamp_ms: int) -> str:
    """Return the id of a record that names none: the same record read twice is one task, a re-created topic is not (RULES 31)."""
    coordinates = f"{topic}\0{partition}\0{offset}\0{timestamp_ms}".encode()
    return "tsk_" + _digest(cluster_id.encode(), coordinates).hex()


def business_task_id(business: str, business_id: str) -> str:
    """Return the id of a task that its business names by an id of its own."""
    return "tsk_" + _digest(b"business", business.encode(), business_id.encode()).hex()


def claim_key(business: str, business_id: str | None, task_id: str) -> bytes:
    """Return the 16-byte key of a claim: one per record, the business id before the id (RULES 12)."""
    if business_id is not None:
        return _digest(b"claim-business", business.encode(), business_id.encode())
    return _digest(b"claim-id", task_id.encode())


def event_id(task_id: str, generation: int, attempt: int, kind: str, salt: str = "") -> str:
    """Return the id of a result: the same event written twice has the same id."""
    return "evt_" + _digest(task_id.encode(), f"{generation}\0{attempt}\0{kind}\0{salt}".encode()).hex()


def command_mark(command_id: str | None) -> int:
    """Return 32 bits by which an entry knows its command; 0 for none, and for no command."""
    if command_id is None:
        return 0
    return int.from_bytes(_digest(b"command", command_id.encode())[:4], "big") or 1


def content_hash(*parts: bytes) -> bytes:
    """Return 8 bytes that tell two requests apart (RULES 32)."""
    return _digest(*parts)[:8]


# Asked for a call's headers, and soon after for those of its result.
@lru_cache(maxsize=2048)
def derived_traceparent(task_id: str) -> str:
    """Return the trace of a task whose producer sent none, as W3C Trace Context 1 writes it: always the same one.

    It says "sampled": each attempt is recorded on ``results`` under it, and a receiver that follows its caller's word, as
    OpenTelemetry's default samplers do, would record nothing otherwise.
    """
    digits = hashlib.blake2b(b"trace\0" + task_id.encode(), digest_size=_TRACE_BYTES).hexdigest()
    return f"00-{digits[:32]}-{digits[32:]}-01"


def firing_id(schedule: str, instant_ms: int) -> str:
    """Return the id of the task that a recurring schedule makes at an instant: the same however often it is made."""
    return "sch_" + _digest(b"schedule", schedule.encode(), str(instant_ms).encode()).hex()
