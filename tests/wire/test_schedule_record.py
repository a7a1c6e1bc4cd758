"""Schedules and their cursors as records: what is taken, what is refused and how, and the request of a firing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamer.adapters.calendar.cron import CronCalendar
from streamer.core.emit import Firing
from streamer.core.identity import firing_id
from streamer.core.ladder import Tier
from streamer.core.reading import Accepted
from streamer.core.schedule import Cursor, Misfire, Overlap, Schedule
from streamer.wire.cursor_record import decode_cursor, encode_cursor
from streamer.wire.firing import encode_firing
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.outgoing import Encoder
from streamer.wire.request_reader import read_request
from streamer.wire.schedule_record import read_schedule
from streamer.wire.topics import Topics
from streamer.wire.unreadable import UnreadableRecord

NOW_MS = 1_800_000_000_000
REQUEST = {"url": "https://API.example.com/report", "json": {"kind": "daily"}}
ENCODE = Encoder(Topics("s.", 12, (Tier("5s", 5_000),)))


def read(name: str = "report", **fields: Any) -> Schedule:
    """Read a record with these fields beside the request; those that are None are not given."""
    record = {"request": REQUEST, **fields}
    value = json.dumps({field: value for field, value in record.items() if value is not None}).encode()
    return read_schedule(name, value, DEFAULT_LIMITS, CronCalendar(), NOW_MS)


def test_the_least_that_a_record_must_say() -> None:
    """Cron or every, and the request; the rest has defaults."""
    schedule = read(cron="*/5 * * * *")
    assert json.loads(schedule.template) == REQUEST
    assert (schedule.name, schedule.lane, schedule.set_at_ms) == ("report", "api.example.com", NOW_MS)
    assert (schedule.cron, schedule.every_ms, schedule.time_zone) == ("*/5 * * * *", None, "UTC")
    assert (schedule.misfire, schedule.overlap, schedule.paused) == (Misfire.ONCE, Overlap.ALLOW, False)
    assert (schedule.starts_at_ms, schedule.ends_at_ms) == (None, None)


def test_all_that_a_record_may_say() -> None:
    """Every field reaches the schedule."""
    schedule = read(
        v=1,
        every="1m30s",
        time_zone="Europe/Zurich",
        misfire="all",
        overlap="skip",
        paused=True,
        starts_at="2026-01-01T00:00:00+01:00",
        ends_at="2027-01-01T00:00:00Z",
    )
    assert (schedule.every_ms, schedule.time_zone) == (90_000, "Europe/Zurich")
    assert (schedule.misfire, schedule.overlap, schedule.paused) == (Misfire.ALL, Overlap.SKIP, True)
    assert (schedule.starts_at_ms, schedule.ends_at_ms) == (1_767_222_000_000, 1_798_761_600_000)


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({}, "cron", "one of the two"),
        ({"cron": "* * * * *", "every": "1m"}, "every", "one of the two"),
        ({"cron": "61 * * * *"}, "cron", "bad minute"),
        ({"cron": "*/5 * * * * *"}, "cron", "for seconds use every"),
        ({"cron": 5}, "cron", "cron must be a cron expression"),
        ({"every": "999ms"}, "every", "1s to 365d is allowed"),
        ({"every": "366d"}, "every", "1s to 365d is allowed"),
        ({"every": 0}, "every", "1s to 365d is allowed"),
        ({"every": "often"}, "every", "no duration"),
        ({"every": "1m", "time_zone": "Mars/Olympus"}, "time_zone", "IANA"),
        ({"every": "1m", "misfire": "never"}, "misfire", '"skip", "once" or "all"'),
        ({"every": "1m", "overlap": "queue"}, "overlap", '"allow" or "skip"'),
        ({"every": "1m", "paused": "yes"}, "paused", "true or false"),
        ({"every": "1m", "v": 2}, "v", "v must be 1"),
        ({"every": "1m", "starts_at": "2026-01-01T00:00:00"}, "starts_at", "with a zone"),
        ({"every": "1m", "ends_at": "soon"}, "ends_at", "with a zone"),
        (
            {"every": "1m", "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2025-01-01T00:00:00Z"},
            "ends_at",
            "before starts_at",
        ),
        ({"every": "1m", "evry": "1m"}, "evry", "did you mean every"),
        ({"every": "1m", "request": "GET /"}, "request", "an object"),
        ({"every": "1m", "request": None}, "request", "request is required"),
    ],
)
def test_a_refusal_names_the_field(fields: dict[str, Any], field: str, reason: str) -> None:
    """What is wrong is said with the field and what is allowed."""
    with pytest.raises(UnreadableRecord) as refused:
        read(**fields)
    assert refused.value.field == field
    assert reason in refused.value.reason


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id": "x"}, "request.id"),
        ({"business_id": "x"}, "request.business_id"),
        ({"send_at": "2026-01-01T00:00:00Z"}, "request.send_at"),
        ({"delay": "1m"}, "request.delay"),
        ({"url": "ftp://example.com"}, "request.url"),
        ({"urll": "https://example.com"}, "request.urll"),
        ({"timeout_ms": 10**9}, "request.timeout_ms"),
        ({"metadata": {"schedule": "mine"}}, "request.metadata.schedule"),
        ({"metadata": {"scheduled_at": "mine"}}, "request.metadata.scheduled_at"),
        ({"metadata": {str(n): "" for n in range(15)}}, "request.metadata"),
        ({"metadata": ["a"]}, "request.metadata"),
        ({"specversion": "1.0", "data": REQUEST}, "request.specversion"),
    ],
)
def test_the_request_is_read_as_intake_reads_it(changed: dict[str, Any], field: str) -> None:
    """What intake would refuse is refused before it fires, and so is what each firing has of its own."""
    with pytest.raises(UnreadableRecord) as refused:
        read(every="1m", request={**REQUEST, **changed})
    assert refused.value.field == field


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x" * 65, "é"])
def test_a_name_must_be_plain(name: str) -> None:
    """A name is part of the key and of metadata."""
    with pytest.raises(UnreadableRecord, match="letters, digits"):
        read(name, every="1m")


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"null", b'"x"'])
def test_what_is_no_object_is_refused(value: bytes) -> None:
    """A record must be a JSON object."""
    with pytest.raises(UnreadableRecord):
        read_schedule("report", value, DEFAULT_LIMITS, CronCalendar(), NOW_MS)


def test_a_firing_is_a_request_with_an_id_of_its_instant() -> None:
    """It carries the schedule's request, the id, and in its metadata which schedule fired it, and when."""
    schedule = read(every="1m", request={**REQUEST, "metadata": {"team": "billing"}, "business": "acme"})
    out = ENCODE(Firing("report", NOW_MS, schedule.template))
    assert (out.topic, out.key) == ("s.requests", b"report")
    reading = read_request(out.value, (), DEFAULT_LIMITS, NOW_MS)
    assert isinstance(reading, Accepted)
    assert (reading.id, reading.business) == (firing_id("report", NOW_MS), "acme")
    assert reading.request.body == b'{"kind":"daily"}'
    assert dict(reading.request.metadata) == {
        "team": "billing",
        "schedule": "report",
        "scheduled_at": "2027-01-15T08:00:00.000Z",
    }


def test_a_firing_written_twice_is_one_task() -> None:
    """The bytes are the same, and another instant has another id."""
    first, again = (encode_firing(Firing("report", NOW_MS, b'{"url":"https://a.example"}')) for _ in range(2))
    assert first == again
    assert firing_id("report", NOW_MS) != firing_id("report", NOW_MS + 1)


@pytest.mark.parametrize("cursor", [Cursor("report", "ab", NOW_MS), Cursor("report", "ab", NOW_MS, NOW_MS - 1, NOW_MS)])
def test_a_cursor_comes_back(cursor: Cursor) -> None:
    """What is written is read, under the key `fired:NAME`."""
    out = ENCODE(cursor)
    assert (out.topic, out.key) == ("s.config", b"fired:report")
    assert decode_cursor("report", encode_cursor(cursor)) == cursor


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (b"x", None),
        (b"[]", "v"),
        (b'{"v":2}', "v"),
        (b'{"v":1}', "at"),
        (b'{"v":1,"at":5}', "at"),
        (b'{"v":1,"at":"2026-01-01T00:00:00Z","timing":5}', "timing"),
        (b'{"v":1,"at":"2026-01-01T00:00:00Z","fired":""}', "fired"),
        (b'{"v":1,"at":"2026-01-01T00:00:00Z","fired":"2026-01-01T00:00:00Z"}', "fired_at"),
    ],
)
def test_a_bad_cursor_names_the_field(value: bytes, field: str | None) -> None:
    """A cursor that cannot be read says why."""
    with pytest.raises(UnreadableRecord) as refused:
        decode_cursor("report", value)
    assert refused.value.field == field
