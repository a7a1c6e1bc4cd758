"""The stage of a story: an installation, a receiver in a process of its own, a producer, and what the topics say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from streamer.core.lane_key import lane_key
from streamer.wire.config_record import encode_config
from streamer.wire.dead_letter_record import DeadLetter, decode_dead_letter
from streamer.wire.result_record import decode_result
from tests.support.arrival_log import LoggedArrival
from tests.support.installation import Installation
from tests.support.receiver_process import ReceiverProcess, receiver_process
from tests.support.topic_log import TopicLog, topic_log
from tests.support.waiting import until
from tests.support.worker import WorkerProcess, worker_process

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a story acts with and looks at."""

    place: Installation
    receiver: ReceiverProcess
    producer: AIOKafkaProducer
    results: TopicLog[Result]
    letters: TopicLog[DeadLetter]

    def worker(self, name: str = "0", *flags: str) -> AbstractAsyncContextManager[WorkerProcess]:
        """Start a worker, not waiting until it is ready."""
        return worker_process(self.place, name, *flags)

    @asynccontextmanager
    async def ready_worker(self, name: str = "0", *flags: str) -> AsyncIterator[WorkerProcess]:
        """Run a worker that is ready."""
        async with self.worker(name, *flags) as worker:
            yield await worker.ready()

    def url(self, path: str) -> str:
        """Return a URL of the receiver; the path chooses its answers."""
        return self.receiver.url + path

    async def request(self, path: str = "/", **fields: Any) -> RecordMetadata:
        """Append a request for a path of the receiver."""
        return (await self.requests([{"url": self.url(path), **fields}]))[0]

    async def requests(self, records: Iterable[Mapping[str, Any]], key: bytes | None = None) -> list[RecordMetadata]:
        """Append requests, each acknowledged; those of one key are read in their order."""
        topic = self.place.topics.requests
        pending = [await self.producer.send(topic, json.dumps(record).encode(), key) for record in records]
        return [await future for future in pending]

    @property
    def lane(self) -> str:
        """The lane of the receiver's URLs."""
        return lane_key(self.receiver.url)

    async def configure(self, key: str, fields: Mapping[str, Any] | None) -> None:
        """Write a record on `config`, acknowledged; None takes it away."""
        value = encode_config(fields) if fields is not None else None
        await self.producer.send_and_wait(self.place.topics.config, value, key.encode())

    async def ends(self, count: int, within_s: float = 20.0) -> list[Result]:
        """Return the final results once there are ``count`` of them."""
        found = await self.results.until(lambda results: sum(r["final"] for r in results) >= count, within_s)
        return [result for result in found if result["final"]]

    async def arrivals(self, count: int, within_s: float = 20.0) -> list[LoggedArrival]:
        """Return the receiver's arrivals once there are ``count`` of them."""
        await until(lambda: len(self.receiver.arrivals()) >= count, within_s)
        return self.receiver.arrivals()


@asynccontextmanager
async def make_scene(place: Installation) -> AsyncIterator[Scene]:
    """Set the stage on an installation whose topics exist."""
    topics = place.topics
    producer = AIOKafkaProducer(
        bootstrap_servers=place.bootstrap,
        acks="all",
        enable_idempotence=True,
        max_request_size=topics.max_message_bytes,
    )
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(receiver_process(place.directory / "arrivals.jsonl"))
        await producer.start()
        stack.push_async_callback(producer.stop)
        results = await stack.enter_async_context(
            topic_log(place.bootstrap, topics.results, topics.partitions, lambda record: decode_result(record.value))
        )
        letters = await stack.enter_async_context(
            topic_log(
                place.bootstrap, topics.dead_letter, topics.partitions, lambda record: decode_dead_letter(record.value)
            )
        )
        yield Scene(place, receiver, producer, results, letters)


def of_task(results: Iterable[Result], task_id: str) -> list[Result]:
    """Return the results of one task, in the order of their topic."""
    return [result for result in results if result["task_id"] == task_id]


def at(result: Result, metadata: RecordMetadata) -> bool:
    """Tell whether a result answers the request record that stands there."""
    origin = result.get("origin", {})
    return (origin.get("partition"), origin.get("offset")) == (metadata.partition, metadata.offset)
