"""The Kafka headers of a delivery: all that hold looks at, so that the value passes through it as bytes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from streamer.core.delivery import Delivery
from streamer.core.emit import Claim
from streamer.wire.delivery_fields import VERSION as DELIVERY_VERSION
from streamer.wire.header_names import CONTENT, DUE_AT_MS, RELEASE_AT_MS, TASK, VERSION
from streamer.wire.unreadable import UnreadableRecord

KafkaHeaders = Sequence[tuple[str, bytes | None]]

_MOST_DIGITS = 16
_VERSION = (VERSION, b"%d" % DELIVERY_VERSION)


class HoldHeaders(Struct, frozen=True, gc=False):
    """What hold needs of a record: until when it waits here, when its task is due, and the task's name."""

    release_at_ms: int
    due_at_ms: int
    task: bytes


def delivery_headers(delivery: Delivery, release_at_ms: int | None = None) -> list[tuple[str, bytes]]:
    """Return the headers of a delivery; a record on a tier has ``release_at_ms``."""
    headers = [
        _VERSION,
        (TASK, delivery.task_id.encode()),
        (DUE_AT_MS, b"%d" % delivery.due_at_ms),
    ]
    if release_at_ms is not None:
        headers.append((RELEASE_AT_MS, b"%d" % release_at_ms))
    return headers


def claim_headers(claim: Claim) -> list[tuple[str, bytes]]:
    """Return the headers of a claim's record: a delivery's, and the hash of what is asked for."""
    return [*delivery_headers(claim.delivery), (CONTENT, claim.content.hex().encode())]


def passed_on(headers: KafkaHeaders, release_at_ms: int | None) -> list[tuple[str, bytes | None]]:
    """Return the headers with which hold passes a record on: to a tier, or to ``due`` without a release."""
    passed = [header for header in headers if header[0] != RELEASE_AT_MS]
    if release_at_ms is not None:
        passed.append((RELEASE_AT_MS, b"%d" % release_at_ms))
    return passed


def hold_headers(headers: KafkaHeaders) -> HoldHeaders:
    """Return what hold needs; UnreadableRecord names a header that is missing or no number."""
    found = dict(headers)
    return HoldHeaders(_instant(found, RELEASE_AT_MS), _instant(found, DUE_AT_MS), found.get(TASK) or b"")


def claim_content(headers: KafkaHeaders) -> bytes:
    """Return the hash of what a claimant asks for; UnreadableRecord when it is missing or no hash."""
    try:
        return bytes.fromhex((dict(headers).get(CONTENT) or b"?").decode("ascii"))
    except ValueError:
        raise UnreadableRecord(CONTENT, f"header {CONTENT} must be hex digits") from None


def _instant(found: dict[str, bytes | None], name: str) -> int:
    raw = found.get(name)
    if raw is None or not raw.isdigit() or len(raw) > _MOST_DIGITS:
        raise UnreadableRecord(name, f"header {name} must be epoch ms in decimal")
    return int(raw)
