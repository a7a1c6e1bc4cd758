"""Changes of recurring schedules: checked by the reader that every worker has, written, acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from streamer.adapters.kafka.appender import Appended, Appender
from streamer.cli.cluster import Installation
from streamer.cli.config_topic import read_config
from streamer.cli.console import USAGE, fail
from streamer.cli.schedule_topic import CALENDAR, Schedules, Stored, encode_schedule, read_schedules
from streamer.core.emit import Firing
from streamer.core.identity import firing_id
from streamer.core.schedule import Schedule
from streamer.wire.config_model import Kind
from streamer.wire.cursor_record import FIRED
from streamer.wire.outgoing import Encoder, OutRecord
from streamer.wire.schedule_record import PREFIX, read_schedule
from streamer.wire.unreadable import UnreadableRecord

#: Returns the new fields of a record.
Change = Callable[[Mapping[str, Any]], dict[str, Any]]


def now_ms() -> int:
    """Return the wall clock in epoch ms."""
    return time.time_ns() // 1_000_000


def found(schedules: Schedules, name: str) -> Stored:
    """Return a schedule; ends the command when there is none of this name."""
    if name in schedules.broken:
        fail(f"schedule {name}: its record is refused, and it does not fire: {schedules.broken[name]}")
    if name not in schedules.stored:
        fail(f"no schedule {name}: list them with `streamer schedules ls`")
    return schedules.stored[name]


async def change(place: Installation, name: str, make: Change) -> Stored:
    """Read what stands, change it, check it, write it; return what stands now."""
    schedules = await read_schedules(place)
    before = schedules.stored.get(name)
    fields = {field: value for field, value in make(before.fields if before else {}).items() if value is not None}
    value = encode_schedule(fields)
    try:
        schedule = read_schedule(name, value, schedules.limits, CALENDAR, now_ms())
    except UnreadableRecord as error:
        fail(error.reason, code=USAGE)
    await _check_policy(place, fields["request"])
    await _append(place, [OutRecord(place.topics.config, value, f"{PREFIX}{name}".encode())])
    return Stored(schedule, fields, before.cursor if before else None)


async def set_paused(place: Installation, name: str, *, paused: bool) -> Stored:
    """Pause or resume a schedule; one that is so already stays as it is."""
    stored = found(await read_schedules(place), name)
    if stored.schedule.paused is paused:
        return stored
    return await change(place, name, lambda fields: {**fields, "paused": paused or None})


async def remove(place: Installation, name: str) -> None:
    """Remove a schedule, and how far it had come: one that is set by this name later begins anew."""
    schedules = await read_schedules(place)
    if name not in schedules.broken:
        found(schedules, name)
    config = place.topics.config
    await _append(place, [OutRecord(config, None, f"{prefix}{name}".encode()) for prefix in (PREFIX, FIRED)])


async def fire(place: Installation, schedule: Schedule, instant_ms: int) -> tuple[str, Appended]:
    """Write a firing of this instant; return the task's id, and where its request stands."""
    record = Encoder(place.topics)(Firing(schedule.name, instant_ms, schedule.template))
    return firing_id(schedule.name, instant_ms), (await _append(place, [record]))[0]


async def _check_policy(place: Installation, request: Mapping[str, Any]) -> None:
    name = request.get("policy")
    if name is not None and name not in (await read_config(place)).of_kind(Kind.POLICY):
        fail(f"request.policy: nothing is said of policy {name!r}: set it with `streamer policies set`", code=USAGE)


async def _append(place: Installation, records: list[OutRecord]) -> list[Appended]:
    appender = Appender(
        place.options,
        deadline_s=place.settings.kafka.produce_timeout_s,
        max_record_bytes=place.settings.topics.max_message_bytes,
    )
    try:
        return await appender.append(records)
    finally:
        await appender.close()
