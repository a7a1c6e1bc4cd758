"""Writes the ledgers of a run while it lasts: outside the processes that are killed, and on the disk soon after.

What producers, receivers and cases know they say themselves; topics and committed offsets are followed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import RecordMetadata

from bench import run_ledgers as names
from bench.ledger_file import LedgerFile
from bench.ledgers import stages
from bench.oracle_values import Asked, ProcessEvent
from streamer.wire.header_names import TASK
from streamer.wire.topics import Topics
from tests.support.installation import Installation
from tests.support.offset_watch import Sample
from tests.support.topic_log import TopicLog

_FILES = (
    names.ACCEPTED, names.RESULTS, names.STANDING, names.COMMITS, names.LANES, names.LETTERS, names.PROCESSES, names.WAITING,
)  # fmt: skip
_FOREVER_S = 1e9


class KeptLedgers:
    """The open files of one run."""

    def __init__(self, files: dict[str, LedgerFile], topics: Topics) -> None:
        """Take the files by their names; ``kept_ledgers`` opens them."""
        self._files = files
        self._topics = topics

    def accepted(self, asked: Asked, metadata: RecordMetadata) -> None:
        """Note a task that the broker has acknowledged, and where its request stands."""
        place = {"topic": metadata.topic, "partition": metadata.partition, "offset": metadata.offset}
        self._files[names.ACCEPTED].add(asdict(asked) | place | {"stamp_ms": metadata.timestamp})

    def result(self, record: Any) -> None:
        """Note a record of the results topic, whole."""
        self._whole(names.RESULTS, record, "result")

    def sample(self, sample: Sample) -> None:
        """Note a committed offset that has changed."""
        self._files[names.COMMITS].add(sample)

    def process(self, name: str, what: str, detail: str = "") -> None:
        """Note that a process is spawned, signalled or has exited, at this moment."""
        event = ProcessEvent(time.time_ns() // 1_000_000, name, what, detail)
        self._files[names.PROCESSES].add(event, at_once=True)

    def waiting(self, tasks: Collection[str]) -> None:
        """Note which tasks still waited at the end."""
        for task in sorted(tasks):
            self._files[names.WAITING].add({"task_id": task})

    def take(self, record: Any) -> None:
        """Note a record of any other topic: lanes and dead letters whole, of others whose task stands where."""
        if record.topic == self._topics.lanes:
            self._whole(names.LANES, record, "figures")
        elif record.topic == self._topics.dead_letter:
            self._whole(names.LETTERS, record, "letter")
        elif task := _task_of(record, self._topics):
            place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            self._files[names.STANDING].add({"task_id": task} | place | {"stamp_ms": record.timestamp})

    def sync(self) -> None:
        """Put all on the disk."""
        for file in self._files.values():
            file.sync()

    def _whole(self, name: str, record: Any, field: str) -> None:
        if record.value is not None:
            place = {"partition": record.partition, "offset": record.offset, "stamp_ms": record.timestamp}
            self._files[name].add(place | {field: orjson.Fragment(record.value)})


def _task_of(record: Any, topics: Topics) -> str | None:
    if record.topic != topics.control:
        return (dict(record.headers).get(TASK) or b"").decode() or None
    # A signal between shards is of no task.
    task = orjson.loads(record.value).get("task_id")
    return task if isinstance(task, str) else None


@contextmanager
def kept_ledgers(directory: Path, topics: Topics) -> Iterator[KeptLedgers]:
    """Open the ledgers of a run; they are complete when the context has ended."""
    with ExitStack() as stack:
        yield KeptLedgers({name: stack.enter_context(LedgerFile(directory / name)) for name in _FILES}, topics)


@asynccontextmanager
async def followed(place: Installation, ledgers: KeptLedgers) -> AsyncIterator[None]:
    """Follow every topic but results into the ledgers; what stands there at the end of the context is in them."""
    topics = place.topics
    on_the_way = {topic for some in stages(place).values() for topic in some} - {topics.requests}
    consumer = AIOKafkaConsumer(bootstrap_servers=place.bootstrap, auto_offset_reset="earliest")
    tps = [
        TopicPartition(topic, number)
        for topic in (*on_the_way, topics.dead_letter)
        for number in range(place.partitions)
    ]
    consumer.assign([*tps, TopicPartition(topics.lanes, 0)])
    await consumer.start()
    try:
        log = TopicLog(consumer, ledgers.take)
        # Read while the run lasts: lanes is compacted, and a fault may cut a topic short.
        reading = asyncio.create_task(log.until(lambda _: False, _FOREVER_S))
        try:
            yield
        finally:
            reading.cancel()
            (ended,) = await asyncio.gather(reading, return_exceptions=True)
        # A reader that has failed has kept nothing since: the run cannot be judged.
        if isinstance(ended, Exception):
            raise ended
        await log.to_end()
    finally:
        await consumer.stop()


def readers(place: Installation) -> dict[str, str]:
    """Return the group that commits each topic."""
    return {topic: group for group, topics in stages(place).items() for topic in topics}
