"""Hold reads the headers it waits by, and passes the others on untouched."""

from __future__ import annotations

import pytest

from streamer.core.emit import Claim
from streamer.wire.delivery_headers import (
    HoldHeaders,
    KafkaHeaders,
    claim_content,
    claim_headers,
    delivery_headers,
    hold_headers,
    passed_on,
)
from streamer.wire.header_names import HEADERS
from streamer.wire.unreadable import UnreadableRecord
from tests.wire.samples import AT_MS, DELIVERY


def test_round_trip() -> None:
    """What a tier's record says in its headers is what hold reads."""
    written = delivery_headers(DELIVERY, AT_MS + 1)
    assert hold_headers(written) == HoldHeaders(AT_MS + 1, DELIVERY.due_at_ms, b"tsk_00ff")


def test_only_a_tier_has_a_release() -> None:
    """Elsewhere there is no release."""
    assert [name for name, _ in delivery_headers(DELIVERY)] == ["v", "task", "due_at_ms"]


def test_passed_on() -> None:
    """On the next tier only the release is another; on ``due`` there is none; what we do not know stays."""
    written = [*delivery_headers(DELIVERY, AT_MS), ("later", b"x")]
    to_tier = passed_on(written, AT_MS + 9)
    assert hold_headers(to_tier).release_at_ms == AT_MS + 9
    assert ("later", b"x") in to_tier
    assert passed_on(written, None) == [*delivery_headers(DELIVERY), ("later", b"x")]


@pytest.mark.parametrize("raw", [None, b"", b"-1", b"1.5", b"soon", b"9" * 17, "１".encode()])
@pytest.mark.parametrize("name", ["release_at_ms", "due_at_ms"])
def test_bad_instant(name: str, raw: bytes | None) -> None:
    """A header that is missing or no number is refused by its name."""
    headers: KafkaHeaders = [(n, raw if n == name else v) for n, v in delivery_headers(DELIVERY, AT_MS)]
    with pytest.raises(UnreadableRecord) as caught:
        hold_headers(headers)
    assert caught.value.field == name


def test_claim() -> None:
    """A claim's record brings the hash of what is asked for."""
    claim = Claim(b"k" * 16, bytes(range(8)), DELIVERY)
    assert claim_content(claim_headers(claim)) == bytes(range(8))
    for headers in ([], [("content", b"xyz")], [("content", b"\xff")]):
        with pytest.raises(UnreadableRecord):
            claim_content(headers)


def test_every_header_is_listed() -> None:
    """What we write stands in the closed list, and the list names nothing twice."""
    written = [*delivery_headers(DELIVERY, AT_MS), *claim_headers(Claim(b"", b"", DELIVERY))]
    names = [header.name for header in HEADERS]
    assert {name for name, _ in written} <= set(names)
    assert len(names) == len(set(names))
    assert all(header.meaning.endswith(".") for header in HEADERS)
