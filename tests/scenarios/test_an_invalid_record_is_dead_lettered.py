"""A record that no task can be made of becomes a dead letter, whole; the records around it are delivered."""

from __future__ import annotations

import json

import pytest

from tests.support.scene import Scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

URL = "http://127.0.0.1:9/"

#: What came → the field that the dead letter names.
INVALID: tuple[tuple[bytes | None, str | None], ...] = (
    (b"no JSON at all", None),
    (b"\xff\xfe\x00", None),
    (b"[1, 2]", None),
    (b"[" * 100_000, None),
    (b"", None),
    (None, None),
    (b'{"body": "nowhere to go"}', "url"),
    (b'{"url": "ftp://example.com/"}', "url"),
    (b'{"url": 7}', "url"),
    (json.dumps({"url": URL, "metod": "PUT"}).encode(), "metod"),
    (json.dumps({"url": URL, "body_base64": "%%%"}).encode(), "body_base64"),
    (json.dumps({"url": URL, "body": "a", "json": 1}).encode(), "json"),
    (json.dumps({"url": URL, "headers": {"X": "a\r\nb: c"}}).encode(), "headers"),
    (json.dumps({"url": URL, "send_at": "tomorrow"}).encode(), "send_at"),
    (json.dumps({"url": URL, "retry": {"intervals": ["1m"] * 11}}).encode(), "retry.intervals"),
)
KEY, HEADERS = b"\x00key\xff", [("source", b"\xff\x00"), ("traceparent", b"not one")]


async def test_an_invalid_record_is_dead_lettered(scene: Scene) -> None:
    """Bytes, key and headers are kept, the reason names the field, and its partition goes on."""
    topic = scene.place.topics.requests
    good = json.dumps({"url": scene.url("/")}).encode()
    async with scene.ready_worker():
        coordinates = {}
        for number, (value, _) in enumerate(INVALID):
            record = await scene.producer.send_and_wait(topic, value, key=KEY, headers=HEADERS, partition=number % 2)
            coordinates[record.partition, record.offset] = number
            await scene.producer.send_and_wait(topic, good, partition=number % 2)
        letters = await scene.letters.until(lambda letters: len(letters) >= len(INVALID))
        ends = await scene.ends(2 * len(INVALID))
        arrivals = await scene.arrivals(len(INVALID))

    assert len(letters) == len(INVALID) == len(arrivals)
    for letter in letters:
        value, field = INVALID[coordinates.pop((letter.origin.partition, letter.origin.offset))]
        assert (letter.kind, letter.field, letter.reason.startswith(field or "")) == ("record", field, True), letter
        assert (letter.key, letter.value, letter.headers) == (KEY, value, tuple(HEADERS))
    assert coordinates == {}
    assert sorted(end["state"] for end in ends) == ["rejected"] * len(INVALID) + ["succeeded"] * len(INVALID)


async def test_one_that_fills_the_topics_limit_is_cut(scene: Scene) -> None:
    """In base64 it would be a third larger than any record may be; its partition goes on all the same."""
    topics = scene.place.topics
    value = b"\xff" * (topics.max_message_bytes - 8 * 1024)
    async with scene.ready_worker():
        record = await scene.producer.send_and_wait(topics.requests, value, key=b"k" * 4_096, partition=0)
        await scene.producer.send_and_wait(topics.requests, json.dumps({"url": scene.url("/")}).encode(), partition=0)
        (letter,) = await scene.letters.until(lambda letters: letters)
        await scene.arrivals(1)

    assert (letter.kind, letter.truncated, letter.key) == ("record", True, b"k" * 4_096)
    assert (letter.origin.partition, letter.origin.offset) == (record.partition, record.offset)
    assert letter.value is not None
    assert value.startswith(letter.value)
    assert len(letter.value) > len(value) // 2
