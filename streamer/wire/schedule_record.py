"""A recurring schedule as a record on ``config``, version 1, as anybody may write it: key ``schedule:NAME``."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.core.duration import format_duration, parse_duration_ms
from streamer.core.emit import Firing
from streamer.core.reading import Accepted, Refused
from streamer.core.schedule import LEAST_EVERY_MS, Misfire, Overlap, Schedule
from streamer.ports import Calendar
from streamer.wire.firing import SCHEDULE, SCHEDULED_AT, encode_firing
from streamer.wire.instants import parse_instant
from streamer.wire.limits import Limits
from streamer.wire.model_error import Fields, described
from streamer.wire.request_model import Duration, Instant
from streamer.wire.request_reader import read_request
from streamer.wire.unreadable import UnreadableRecord

VERSION = 1
#: What the key begins with; the schedule's name follows.
PREFIX = "schedule:"

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_INSTANT = 'an RFC 3339 instant with a zone: "2026-01-31T09:30:00Z"'
#: What each firing has of its own, and a schedule's request therefore not.
_OF_THE_FIRING = ("id", "business_id", "send_at", "delay")


class ScheduleRecord(BaseModel):
    """When to send what; each description completes "the field must be …". Null means that the field is not given."""

    model_config = ConfigDict(extra="forbid", strict=True)

    v: Literal[1] | None = Field(None, description="1")
    cron: str | None = Field(None, description='a cron expression of five fields, such as "*/5 * * * *"')
    every: Duration | None = Field(
        None, description='a duration from 1s to 365d: "30s", "1h30m", or a whole number of ms'
    )
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description='a name of the IANA database, such as "Europe/Zurich", default "UTC"'
    )
    request: dict[str, Any] = Field(description="an object: a request, as on `requests`")
    misfire: Literal["skip", "once", "all"] | None = Field(None, description='"skip", "once" or "all", default "once"')
    overlap: Literal["allow", "skip"] | None = Field(None, description='"allow" or "skip", default "allow"')
    paused: bool | None = Field(None, description="true or false, default false")
    starts_at: Instant | None = Field(None, description=_INSTANT)
    ends_at: Instant | None = Field(None, description=_INSTANT)


#: Every field → what it must be.
ALLOWED = described(ScheduleRecord)
_FIELDS = Fields(ALLOWED, "a schedule")


def check_name(name: str) -> None:
    """Raise ValueError, with what is allowed, unless a schedule may have this name."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no name of a schedule: it must be 1 to 64 letters, digits, _, . or -")


def read_schedule(name: str, value: bytes, limits: Limits, calendar: Calendar, set_at_ms: int) -> Schedule:
    """Read a record that was written at ``set_at_ms``; UnreadableRecord names the field and what is allowed."""
    try:
        check_name(name)
    except ValueError as error:
        raise UnreadableRecord("key", str(error)) from None
    try:
        record = ScheduleRecord.model_validate(orjson.loads(value))
    except orjson.JSONDecodeError as error:
        raise UnreadableRecord(None, f"the record is no JSON: {error}") from None
    except ValidationError as error:
        raise UnreadableRecord(*_refused(error)) from None
    every_ms = _timing(record, limits, calendar)
    template = orjson.dumps(record.request)
    starts_at_ms, ends_at_ms = _instant("starts_at", record.starts_at), _instant("ends_at", record.ends_at)
    if starts_at_ms is not None and ends_at_ms is not None and ends_at_ms < starts_at_ms:
        raise UnreadableRecord("ends_at", "ends_at must not be before starts_at")
    return Schedule(
        name=name,
        template=template,
        lane=_accepted(name, record.request, template, limits).lane,
        cron=record.cron,
        every_ms=every_ms,
        time_zone=record.time_zone or "UTC",
        misfire=Misfire(record.misfire or Misfire.ONCE),
        overlap=Overlap(record.overlap or Overlap.ALLOW),
        paused=record.paused or False,
        starts_at_ms=starts_at_ms,
        ends_at_ms=ends_at_ms,
        set_at_ms=set_at_ms,
    )


def _refused(error: ValidationError) -> tuple[str | None, str]:
    # Where the whole is no object there is no field to name.
    if not error.errors()[0]["loc"]:
        return None, "the record must be a JSON object with cron or every, and request"
    return _FIELDS.refusal(error)


def _timing(record: ScheduleRecord, limits: Limits, calendar: Calendar) -> int | None:
    """Check when it fires, and return the interval where there is one."""
    try:
        calendar.check_zone(record.time_zone or "UTC")
    except ValueError as error:
        raise UnreadableRecord("time_zone", f"time_zone {error}") from None
    if (record.cron is None) == (record.every is None):
        field = "cron" if record.every is None else "every"
        raise UnreadableRecord(field, "give cron or every: one of the two")
    if record.cron is not None:
        try:
            calendar.check_cron(record.cron)
        except ValueError as error:
            raise UnreadableRecord("cron", f"cron {error}") from None
        return None
    try:
        every_ms = parse_duration_ms(record.every or 0)
    except ValueError as error:
        raise UnreadableRecord("every", f"every: {error}") from None
    if not LEAST_EVERY_MS <= every_ms <= limits.horizon_ms:
        allowed = f"{format_duration(LEAST_EVERY_MS)} to {format_duration(limits.horizon_ms)}"
        raise UnreadableRecord("every", f"every is {format_duration(every_ms)}; {allowed} is allowed")
    return every_ms


def _accepted(name: str, request: dict[str, Any], template: bytes, limits: Limits) -> Accepted:
    """Read the request as intake will read each firing of it."""
    for field in _OF_THE_FIRING:
        if request.get(field) is not None:
            raise UnreadableRecord(f"request.{field}", f"request.{field} is not allowed: each firing has its own")
    if "specversion" in request:
        raise UnreadableRecord("request.specversion", "request must be a plain request, without an envelope")
    metadata = request.get("metadata")
    for field in (SCHEDULE, SCHEDULED_AT):
        if isinstance(metadata, dict) and field in metadata:
            raise UnreadableRecord(f"request.metadata.{field}", f"request.metadata.{field} is filled in at each firing")
    if metadata is not None and not isinstance(metadata, dict):
        raise UnreadableRecord("request.metadata", "request.metadata must be an object of names and texts")
    reading = read_request(encode_firing(Firing(name, 0, template)), (), limits, 0)
    if isinstance(reading, Refused):
        raise UnreadableRecord(f"request.{reading.field}" if reading.field else "request", f"request: {reading.reason}")
    return reading


def _instant(field: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return max(0, parse_instant(text))
    except ValueError as error:
        raise UnreadableRecord(field, f"{field} {error}") from None
