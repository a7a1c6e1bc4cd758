"""What everything is measured on: a broker of its own, and who writes to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from tests.support.installation import Installation

BODY_BYTES = 300
PARTITIONS = 12
BODY = ("streamer " * 40)[:BODY_BYTES]
_BATCH_BYTES = 256 * 1024
_MOST_BYTES = 4 * 1024 * 1024
#: The broker's default is a minute; a long backlog takes longer to write.
_TRANSACTION_MS = 600_000


@dataclass(frozen=True, slots=True)
class Rig:
    """A broker that runs, where files go, a producer for tasks, one whose records are hidden until they are all there."""

    broker: EmbeddedBroker
    directory: Path
    producer: AIOKafkaProducer
    hidden: AIOKafkaProducer
    consumer: AIOKafkaConsumer

    @property
    def bootstrap(self) -> str:
        """The broker's address."""
        return self.broker.bootstrap

    @property
    def broker_pid(self) -> int:
        """The broker's process."""
        assert self.broker.pid is not None
        return self.broker.pid


@asynccontextmanager
async def rig(directory: Path) -> AsyncIterator[Rig]:
    """Start a fresh broker; all of it has ended when the context does."""
    async with AsyncExitStack() as stack:
        broker = EmbeddedBroker(BrokerOptions(directory / "kafka"))
        await asyncio.to_thread(broker.start)
        stack.push_async_callback(asyncio.to_thread, broker.stop)
        options: dict[str, Any] = {
            "bootstrap_servers": broker.bootstrap,
            "acks": "all",
            "max_batch_size": _BATCH_BYTES,
            "max_request_size": _MOST_BYTES,
        }
        producer = AIOKafkaProducer(**options)
        hidden = AIOKafkaProducer(**options, transactional_id="bench-backlog", transaction_timeout_ms=_TRANSACTION_MS)
        consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap)
        for each in (producer, hidden, consumer):
            await each.start()
            stack.push_async_callback(each.stop)
        yield Rig(broker, directory, producer, hidden, consumer)


def write_default_settings(place: Installation, changed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Leave every setting at its default but for names, places, what lets a worker call loopback, and what is ``changed``.

    Returns those that are part of a measurement.
    """
    measured: dict[str, Any] = {
        "tiers": place.tiers,
        "topics.partitions": place.partitions,
        "worker.from": "earliest",
        "http.allow_hosts": ["127.0.0.1"],
        "log.level": "warning",
        **(changed or {}),
    }
    own = {
        "kafka.bootstrap_servers": place.bootstrap,
        "kafka.prefix": place.prefix,
        "kafka.group": place.group,
        "worker.data_dir": str(place.directory / "state"),
    }
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in (measured | own).items()]
    place.config.write_text("".join(lines))
    return measured
