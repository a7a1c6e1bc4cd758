"""What is measured on: a broker, topics with default settings, a receiver, and a producer that writes tasks."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.receiver import SENT_AT
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.kafka.topics import create_missing
from tests.support.installation import ROOT, Installation, environment

BODY_BYTES = 300
PARTITIONS = 12
BODY = ("streamer " * 40)[:BODY_BYTES]
_LOOK_S = 0.05


class Receiver:
    """The receiver's process: its ports, and its figures."""

    def __init__(self, pid: int, ports: Sequence[int]) -> None:
        """Wrap a process that has told its ports, the last one for figures."""
        self.pid = pid
        self.ports = ports[:-1]
        self._desk = httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[-1]}", trust_env=False)

    async def stats(self, *, latencies: bool = False) -> dict[str, Any]:
        """Return what came since the last reset."""
        found: dict[str, Any] = (await self._desk.get("/stats?all" if latencies else "/stats")).json()
        return found

    async def reset(self) -> None:
        """Begin to count again."""
        await self._desk.get("/reset")

    async def close(self) -> None:
        """Close the connection for figures."""
        await self._desk.aclose()


@dataclass(frozen=True, slots=True)
class Rig:
    """Everything but the workers."""

    broker: EmbeddedBroker
    place: Installation
    receiver: Receiver
    producer: AIOKafkaProducer
    results: AIOKafkaConsumer

    @property
    def broker_pid(self) -> int:
        """The broker's process."""
        assert self.broker.pid is not None
        return self.broker.pid

    def records(self, number: int) -> list[bytes]:
        """Return this many request records, over all domains in turn."""
        urls = [f"http://127.0.0.1:{port}/hook" for port in self.receiver.ports]
        return [json.dumps({"url": urls[n % len(urls)], "body": BODY}).encode() for n in range(number)]

    async def publish(self, topic: str, records: Sequence[bytes]) -> None:
        """Write records, and return when the broker has acknowledged all."""
        await asyncio.gather(*[await self.producer.send(topic, record) for record in records])

    async def publish_one(self, number: int) -> None:
        """Write one record that carries the instant at which it was produced."""
        port = self.receiver.ports[number % len(self.receiver.ports)]
        record = {
            "url": f"http://127.0.0.1:{port}/hook",
            "body": BODY,
            "headers": {SENT_AT: str(time.monotonic_ns())},
        }
        await self.producer.send_and_wait(self.place.topics.requests, json.dumps(record).encode())

    async def result_count(self) -> int:
        """Return how many results have ever been written."""
        topic = self.place.topics.results
        ends = await self.results.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])
        return sum(ends.values())

    async def until_results(self, wanted: int, within_s: float) -> None:
        """Return once so many results stand on their topic; TimeoutError tells how many do."""
        found = 0
        try:
            async with asyncio.timeout(within_s):
                while (found := await self.result_count()) < wanted:  # noqa: ASYNC110 - a topic gives no signal
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise TimeoutError(f"{found} results of {wanted} after {within_s:g} s") from None


@asynccontextmanager
async def rig(directory: Path, domains: int) -> AsyncIterator[Rig]:
    """Start everything but the workers, on a fresh broker; all of it has ended when the context does."""
    async with AsyncExitStack() as stack:
        broker = EmbeddedBroker(BrokerOptions(directory / "kafka"))
        await asyncio.to_thread(broker.start)
        stack.push_async_callback(asyncio.to_thread, broker.stop)
        place = Installation(broker.bootstrap, "bench.", directory, PARTITIONS, "1s 1m 1h")
        write_default_settings(place)
        await create_missing(place.bootstrap, place.topics.specs())
        receiver = await stack.enter_async_context(_receiver(domains))
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=0, max_batch_size=256 * 1024)
        await producer.start()
        stack.push_async_callback(producer.stop)
        results = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap)
        await results.start()
        stack.push_async_callback(results.stop)
        yield Rig(broker, place, receiver, producer, results)


def write_default_settings(place: Installation) -> None:
    """Leave every setting at its default but for names, places and what lets a worker call loopback."""
    settings = {
        "tiers": place.tiers,
        "kafka.bootstrap_servers": place.bootstrap,
        "kafka.prefix": place.prefix,
        "kafka.group": place.group,
        "worker.data_dir": str(place.directory / "state"),
        "worker.from": "earliest",
        "http.allow_hosts": ["127.0.0.1"],
        "log.level": "warning",
    }
    place.config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))


@asynccontextmanager
async def _receiver(domains: int) -> AsyncIterator[Receiver]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.receiver", "--ports", str(domains)),
        cwd=ROOT,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    receiver = Receiver(process.pid, json.loads(await process.stdout.readline()))
    try:
        yield receiver
    finally:
        await receiver.close()
        process.send_signal(signal.SIGTERM)
        await process.communicate()


async def open_loop(send: Callable[[int], Coroutine[Any, Any, None]], per_s: float, seconds: float) -> int:
    """Call ``send`` with 0, 1, 2 and so on at a steady rate whatever comes of it; return how many, once all have returned."""
    loop = asyncio.get_running_loop()
    begun_s, tasks = loop.time(), set()
    for number in count():
        due_s = begun_s + number / per_s
        if due_s - begun_s >= seconds:
            break
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        tasks.add(asyncio.create_task(send(number)))
    await asyncio.gather(*tasks)
    return len(tasks)
