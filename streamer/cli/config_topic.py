"""The records on `config` as the commands read and write them: whole, as they stand, and as the book that they make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from streamer.adapters.kafka.appender import Appended, Appender
from streamer.adapters.kafka.log_reader import LogRecord, read_log
from streamer.cli.cluster import Installation
from streamer.cli.setup import limits_of, policy_of
from streamer.core.policy_book import PolicyBook
from streamer.settings.policies import breaker_policy
from streamer.wire.config_book import book_of
from streamer.wire.config_model import Kind
from streamer.wire.config_record import ConfigRecord, decode_config
from streamer.wire.config_record import Installation as Place
from streamer.wire.outgoing import OutRecord
from streamer.wire.unreadable import UnreadableRecord


@dataclass(frozen=True, slots=True)
class Stored:
    """The record of one key: the newest good one, with its fields as written.

    ``problem`` says what is wrong with a newer one, which no worker takes.
    """

    record: ConfigRecord
    fields: Mapping[str, Any]
    at_ms: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that stands on the topic, by key; ``broken`` are the keys that never had a good record."""

    place: Installation
    stored: Mapping[str, Stored]
    broken: Mapping[str, str]

    def of_kind(self, kind: Kind) -> dict[str, Stored]:
        """Return the records of one kind by name, in order."""
        found = {each.record.name: each for each in self.stored.values() if each.record.kind is kind}
        return dict(sorted(found.items()))

    def book(self, changed: ConfigRecord | None = None, without: str | None = None) -> PolicyBook:
        """Return the policies in force: with one record changed, or without the record of a key."""
        records = [each.record for key, each in self.stored.items() if key != without]
        if changed is not None:
            records.append(changed)
        settings = self.place.settings
        return book_of(records, policy_of(settings), settings.topics.partitions)


def reading_as(place: Installation) -> Place:
    """Return what a record leaves to this installation."""
    return Place(limits_of(place.settings), breaker_policy(place.settings.lanes.breaker))


async def read_config(place: Installation) -> Config:
    """Read the topic to its end; raises Unreachable and TopicMissing."""
    stored: dict[str, Stored] = {}
    broken: dict[str, str] = {}
    async with aclosing(read_log(place.options, place.topics.config)) as records:
        async for record in records:
            key = (record.key or b"").decode(errors="replace")
            if key.partition(":")[0] not in frozenset(Kind):
                continue
            broken.pop(key, None)
            if record.value is None:
                stored.pop(key, None)
            else:
                _take(key, record, reading_as(place), stored, broken)
    return Config(place, stored, broken)


async def write_config(place: Installation, key: str, value: bytes | None) -> Appended:
    """Write one record, acknowledged; None removes what is said. Raises NotAcknowledged."""
    appender = Appender(
        place.options,
        deadline_s=place.settings.kafka.produce_timeout_s,
        max_record_bytes=place.settings.topics.max_message_bytes,
    )
    try:
        return (await appender.append([OutRecord(place.topics.config, value, key.encode())]))[0]
    finally:
        await appender.close()


def _take(key: str, record: LogRecord, place: Place, stored: dict[str, Stored], broken: dict[str, str]) -> None:
    try:
        found = decode_config(key, record.value or b"", place)
    except UnreadableRecord as error:
        before = stored.get(key)
        if before is None:
            broken[key] = str(error)
        else:
            stored[key] = Stored(before.record, before.fields, before.at_ms, str(error))
        return
    fields = {name: value for name, value in json.loads(record.value or b"").items() if name != "v"}
    stored[key] = Stored(found, fields, record.timestamp_ms)
