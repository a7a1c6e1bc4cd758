"""A result tells people what happened, in the same words every time, and shows no secret."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from streamer.core.emit import Because
from streamer.core.lifecycle import State
from streamer.core.outcome import Exchange, Outcome, Response
from streamer.wire.body_text import from_base64
from streamer.wire.masking import MASK, SENSITIVE_HEADERS, USUAL
from streamer.wire.result_record import decode_result, encode_result, result_headers
from streamer.wire.unreadable import UnreadableRecord
from tests.wire.golden_files import golden
from tests.wire.samples import AT_MS, DELIVERY, EXCHANGE, FAILED, REQUEST, result

DEFERRED = Because("lane_full", "lane", reason="lane_full", tier="retry-1m", due_at_ms=AT_MS + 60_000)


def written(**changes: Any) -> dict[str, Any]:
    """Return a sample result as its record has it."""
    return decode_result(encode_result(result(**changes)))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("result.success.v1.json", {}),
        ("result.failure.v1.json", {"outcome": Outcome.NETWORK_ERROR, "state": State.RETRYING, "exchange": FAILED}),
        ("result.deferred.v1.json",
         {"outcome": Outcome.DEFERRED, "state": State.SCHEDULED, "exchange": None, "because": DEFERRED}),
        ("result.duplicate.v1.json",
         {"outcome": Outcome.DUPLICATE, "state": None, "exchange": None,
          "because": Because("claimed", "claim", reason="duplicate", detail="the id belongs to another request")}),
        ("result.conflict.v1.json",
         {"outcome": Outcome.CONTROL, "state": None, "exchange": None, "delivery": None, "command_id": "cmd_1",
          "because": Because("conflict", "deliver", reason="conflict", detail="generation is 2, not 1")}),
    ],
)  # fmt: skip
def test_golden(name: str, changes: dict[str, Any]) -> None:
    """What version 1 looks like does not change, event ids included."""
    assert encode_result(result(**changes)) == golden(name)


def test_final() -> None:
    """A result is final when its state has no successor, and not when it says nothing of the task's state."""
    assert written()["final"] is True
    assert written(state=State.RETRYING)["final"] is False
    none = written(outcome=Outcome.DUPLICATE, state=None)
    assert none["final"] is False
    assert "state" not in none


def test_a_certificate_that_was_not_verified_is_told() -> None:
    """The field stands there only where verification was off."""
    assert "tls_verified" not in written()
    assert written(exchange=replace(EXCHANGE, tls_verified=False))["tls_verified"] is False


def test_event_id_is_stable_and_tells_events_apart() -> None:
    """The same event has the same id; another outcome, reason, command or due time of a wait has another."""
    assert written()["event_id"] == written()["event_id"]
    moved = Because("lane_full", "lane", reason="lane_full", tier="retry-1m", due_at_ms=AT_MS + 60_001)
    events = [
        written(),
        written(outcome=Outcome.TIMEOUT),
        written(because=Because("success_codes", "deliver", reason="other")),
        written(command_id="cmd_1"),
        written(outcome=Outcome.DEFERRED, because=DEFERRED),
        written(outcome=Outcome.DEFERRED, because=moved),
    ]
    assert len({event["event_id"] for event in events}) == len(events)


def test_secrets_are_masked() -> None:
    """No sensitive header's value stands in a record, sent or received."""
    record = encode_result(result())
    assert b"secret" not in record
    assert b"a=b" not in record
    assert ["Authorization", MASK] in orjson.loads(record)["request"]["headers"]


@pytest.mark.parametrize("name", sorted(SENSITIVE_HEADERS))
def test_masked_in_every_spelling(name: str) -> None:
    """A sensitive name is known in every spelling, and the order stays."""
    headers = [("A", "1"), (name.title(), "s"), (name, "s")]
    assert USUAL.shown_headers(headers) == [("A", "1"), (name.title(), MASK), (name, MASK)]


def test_request_as_sent() -> None:
    """An attempt's result has the request's size and hash, and the headers that went out, else those asked for."""
    request = written()["request"]
    assert request["body_bytes"] == len(REQUEST.body)
    assert request["body_hash"] == "sha256:" + hashlib.sha256(REQUEST.body).hexdigest()
    assert ["webhook-id", "tsk_00ff"] in request["headers"]
    assert ["Content-Type", "application/json"] in written(exchange=FAILED)["request"]["headers"]
    assert "request" not in written(exchange=None)


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        (b"", "body", ""),
        ("ü\n".encode(), "body", "ü\n"),
        (b"\xff", "body_base64", "/w=="),
        (b"a\x00", "body_base64", "YQA="),
    ],
)
def test_any_body(body: bytes, field: str, text: str) -> None:
    """A response body is text where it can be, else base64."""
    record = written(exchange=Exchange(Response(200, body=body, body_bytes=len(body)), AT_MS, 1.0))
    assert record[field] == text
    assert len({"body", "body_base64"} & record.keys()) == 1


def test_lone_surrogates_do_not_stop_a_result() -> None:
    """A peer's header that is no text is written with question marks, and the result is not lost."""
    exchange = Exchange(Response(200, (("X-\ud800", "\udcff"),)), AT_MS, 1.0, "a\ud800")
    record = written(exchange=exchange)
    assert record["headers"] == [["X-?", "?"]]
    assert record["address"] == "a?"


def test_headers() -> None:
    """The trace goes with the result."""
    assert REQUEST.traceparent is not None
    assert result_headers(result()) == [("v", b"1"), ("traceparent", REQUEST.traceparent.encode())]
    assert result_headers(result(delivery=None)) == [("v", b"1")]


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{", b'{"v":2}', b'{"v":1}', b'{"v":1,"event_id":1}'])
def test_no_result(value: bytes | None) -> None:
    """What is no result of this version is refused."""
    with pytest.raises(UnreadableRecord):
        decode_result(value)


def test_the_samples_are_attempts() -> None:
    """The success is of the delivery whose coordinates its record gives."""
    record = written(exchange=EXCHANGE)
    assert record["origin"]["offset"] == DELIVERY.origin.offset
    assert record["duration_ms"] == 3.217


def test_what_was_kept_has_its_hash_and_says_whether_it_was_unpacked() -> None:
    """The hash is of the bytes that stand in the record; nothing kept has none."""
    kept = written(
        exchange=Exchange(Response(200, body=b"\xff", truncated=True, body_bytes=9, unpacked=True), AT_MS, 1.0)
    )
    assert kept["body_hash"] == "sha256:" + hashlib.sha256(b"\xff").hexdigest()
    assert (kept["unpacked"], kept["truncated"], kept["body_bytes"]) == (True, True, 9)
    plain = written(exchange=Exchange(Response(204), AT_MS, 1.0))
    assert not {"body_hash", "unpacked", "headers_truncated"} & plain.keys()


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"\x00" * 1_000,
        b"\x1b[2J\x1b]0;x\x07",
        b"\xed\xa0\x80",
        b"<script>alert(1)</script>",
        b"\xff" * 1_048_576,
    ],
)
def test_poison_survives_into_the_record(body: bytes) -> None:
    """Any bytes of a peer's come out of the record as they went in, and no control character stands in it raw."""
    value = encode_result(result(exchange=Exchange(Response(200, body=body, body_bytes=len(body)), AT_MS, 1.0)))
    record = decode_result(value)
    back = from_base64(record["body_base64"]) if "body_base64" in record else record["body"].encode()
    assert back == body
    assert not re.search(rb"[\x00-\x1f\x7f]", value)
