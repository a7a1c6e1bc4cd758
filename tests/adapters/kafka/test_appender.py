"""The appender of commands: it gives up in time, and never writes behind the caller's back."""

from __future__ import annotations

import pytest

from streamer.adapters.kafka.appender import Appender, NotAcknowledged
from streamer.adapters.kafka.clients import client_options
from streamer.adapters.kafka.log_reader import LogRecord, read_log
from streamer.adapters.kafka.shares import RecordTooLarge
from streamer.wire.outgoing import OutRecord
from streamer.wire.topics import Topics
from tests.support.broker import RunningKafka

NOBODY = client_options("127.0.0.1:1")


async def test_without_a_broker_it_gives_up() -> None:
    """One try, then it is told how many records nobody acknowledged."""
    appender = Appender(NOBODY, deadline_s=1)
    with pytest.raises(NotAcknowledged, match="2 records not acknowledged within 1 s"):
        await appender.append([OutRecord("t", b"1"), OutRecord("t", b"2")])
    await appender.close()


async def test_nothing_needs_no_broker() -> None:
    """An empty list is written at once."""
    appender = Appender(NOBODY, deadline_s=1)
    assert await appender.append([]) == []
    await appender.close()


@pytest.mark.broker
async def test_coordinates_are_those_of_the_record(kafka: RunningKafka, topics: Topics) -> None:
    """Partition, offset and timestamp are what a reader sees; a record that is too large is named, and not written."""
    options = client_options(kafka.bootstrap)
    appender = Appender(options, max_record_bytes=1_000)
    try:
        written = await appender.append([OutRecord(topics.requests, b"%d" % n) for n in range(20)])
        with pytest.raises(RecordTooLarge):
            await appender.append([OutRecord(topics.requests, b"x" * 2_000)])
    finally:
        await appender.close()
    found: list[LogRecord] = [record async for record in read_log(options, topics.requests)]
    by_value = {record.value: (record.partition, record.offset, record.timestamp_ms) for record in found}
    assert by_value == {b"%d" % n: (at.partition, at.offset, at.timestamp_ms) for n, at in enumerate(written)}
