"""A dead letter keeps the whole task, so that it can be replayed, or the record as it came."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given

from streamer.core.delivery import Delivery, Origin
from streamer.core.emit import DeadLetterOf, UnreadableOf
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.wire.dead_letter_record import decode_dead_letter, encode_dead_letter
from streamer.wire.unreadable import UnreadableRecord
from tests.wire.golden_files import golden
from tests.wire.samples import AT_MS, DELIVERY, FAILED, deliveries, result

LAST = result(outcome=Outcome.NETWORK_ERROR, state=State.FAILED, exchange=FAILED)
TASK = DeadLetterOf(DELIVERY, "attempts_exhausted", LAST, AT_MS + 20)
RECORD = UnreadableOf(
    topic="requests",
    partition=3,
    offset=99,
    timestamp_ms=AT_MS,
    key=b"\xff\x00",
    value=b'{"url":',
    headers=(("trace", b"\xfe"), ("empty", b"")),
    field="url",
    reason="url is required",
    at_ms=AT_MS + 20,
)


@pytest.mark.parametrize(
    ("name", "letter"), [("dead_letter.task.v1.json", TASK), ("dead_letter.record.v1.json", RECORD)]
)
def test_golden(name: str, letter: DeadLetterOf | UnreadableOf) -> None:
    """What version 1 looks like does not change."""
    assert encode_dead_letter(letter) == golden(name)


@given(deliveries)
def test_a_task_comes_back_whole(delivery: Delivery) -> None:
    """Every delivery can be taken out of its dead letter as it went in."""
    letter = decode_dead_letter(encode_dead_letter(DeadLetterOf(delivery, "gone", LAST, AT_MS)))
    assert (letter.kind, letter.delivery, letter.reason, letter.at_ms) == ("task", delivery, "gone", AT_MS)
    assert (letter.task_id, letter.business, letter.lane) == (delivery.task_id, delivery.business, delivery.lane)
    assert letter.origin == delivery.origin


def test_the_last_result_is_in() -> None:
    """The dead letter tells how the last attempt went."""
    letter = decode_dead_letter(encode_dead_letter(TASK))
    assert letter.result is not None
    assert letter.result["error"] == "connection refused"


def test_a_record_comes_back_as_it_came() -> None:
    """Bytes, key, headers, field and coordinates survive."""
    letter = decode_dead_letter(encode_dead_letter(RECORD))
    assert (letter.kind, letter.delivery, letter.field) == ("record", None, "url")
    assert (letter.key, letter.value, letter.headers) == (RECORD.key, RECORD.value, RECORD.headers)
    assert letter.origin == Origin("requests", 3, 99, AT_MS)


def test_a_tombstone_comes_back_as_one() -> None:
    """No value and no key are not empty ones."""
    bare = UnreadableOf("requests", 0, 0, AT_MS, None, None, (), None, "no value", AT_MS)
    letter = decode_dead_letter(encode_dead_letter(bare))
    assert (letter.key, letter.value, letter.field) == (None, None, None)
    empty = UnreadableOf("requests", 0, 0, AT_MS, b"", b"", (), None, "no value", AT_MS)
    letter = decode_dead_letter(encode_dead_letter(empty))
    assert (letter.key, letter.value) == (b"", b"")


BROKEN: list[tuple[str, Any, str]] = [
    ("v", 2, "v"),
    ("kind", "other", "kind"),
    ("reason", 1, "reason"),
    ("at", "yesterday", "at"),
    ("origin", None, "origin"),
    ("origin", {"partition": 1, "offset": 1}, "topic"),
    ("delivery", None, "delivery"),
    ("delivery", {"v": 9}, "delivery.v"),
    ("result", "x", "result"),
]


@pytest.mark.parametrize(("field", "item", "named"), BROKEN)
def test_broken_task(field: str, item: Any, named: str) -> None:
    """One wrong field is refused by its name."""
    record = orjson.loads(encode_dead_letter(TASK)) | {field: item}
    with pytest.raises(UnreadableRecord) as caught:
        decode_dead_letter(orjson.dumps(record))
    assert caught.value.field == named


@pytest.mark.parametrize(
    ("field", "item"), [("key_base64", "?"), ("value_base64", 1), ("headers", [["a"]]), ("headers", 7), ("field", 1)]
)
def test_broken_record(field: str, item: Any) -> None:
    """A dead record that is itself broken is refused by its field."""
    record = orjson.loads(encode_dead_letter(RECORD)) | {field: item}
    with pytest.raises(UnreadableRecord) as caught:
        decode_dead_letter(orjson.dumps(record))
    assert caught.value.field == field


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{"])
def test_no_dead_letter(value: bytes | None) -> None:
    """Bytes that are no dead letter are refused."""
    with pytest.raises(UnreadableRecord):
        decode_dead_letter(value)
