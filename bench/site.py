"""Where lanes are tested: an installation with default settings, receivers of many domains, and who writes tasks."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from bench.arrivals import Arrivals, tagged
from bench.rig import BODY, PARTITIONS, write_default_settings
from bench.waits import Waits
from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.kafka.topics import create_missing
from streamer.core.ladder import DEFAULT_TIERS
from streamer.core.partitioning import partition_of
from streamer.wire.config_key import key_of
from streamer.wire.config_model import Kind
from streamer.wire.config_record import encode_config
from tests.support.broker import delete_topics
from tests.support.domains import Domains, many_domains
from tests.support.installation import Installation
from tests.support.topic_log import TopicLog, topic_log

_TIERS = " ".join(tier.name for tier in DEFAULT_TIERS)
#: Records that are on their way to the broker at once.
_AT_ONCE = 5_000
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Site:
    """One installation; the answers of a domain are in the path of each task's URL."""

    place: Installation
    broker_pid: int
    domains: Domains
    producer: AIOKafkaProducer
    arrivals: Arrivals
    waits: Waits
    results: TopicLog[None]

    def lane(self, domain: int) -> str:
        """Return the lane of a domain."""
        return self.domains.urls[domain].removeprefix("http://")

    def partition(self, domain: int) -> int:
        """Return the partition of a domain, where topics meet in deliver."""
        return partition_of(self.lane(domain), self.place.partitions)

    def request(self, domain: int, name: str, number: int, answer: str = "ok", **fields: Any) -> dict[str, Any]:
        """Return a request for a domain; ``answer`` is the path by which it answers."""
        url = tagged(f"{self.domains.urls[domain]}/{answer}", name, number)
        return {"url": url, "body": BODY, **fields}

    async def publish(self, requests: Iterable[Mapping[str, Any]]) -> list[RecordMetadata]:
        """Write requests as fast as the broker takes them; return where they stand once all are acknowledged."""
        topic, left, stand = self.place.topics.requests, iter(requests), []
        while some := list(islice(left, _AT_ONCE)):
            pending = [await self.producer.send(topic, json.dumps(request).encode()) for request in some]
            stand += await asyncio.gather(*pending)
        return stand

    async def limit(self, domain: int, rate: str) -> None:
        """Give a domain a rate, by a record on ``config``."""
        key, value = key_of(Kind.DOMAIN, self.lane(domain)), encode_config({"rate": rate})
        await self.producer.send_and_wait(self.place.topics.config, value, key.encode(), partition=0)

    async def taken_in(self, name: str, domains: Iterable[int], tasks: int, within_s: float) -> None:
        """Return once so many tasks of a name have been called or sent to wait, however often.

        Committed offsets would not tell it: one record that waits in a lane's queue holds them back.
        """
        lanes, seen = [self.lane(domain) for domain in domains], 0
        try:
            async with asyncio.timeout(within_s):
                while seen < tasks:
                    waited = [await self.waits.of(lane, self.results) for lane in lanes]
                    called = {arrival.id for arrival in self.arrivals.of(name)}
                    seen = len(called.union(*waited))
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise TimeoutError(f"{seen} tasks of {tasks} are taken in after {within_s:g} s") from None

    async def deferrals(self, domain: int) -> Counter[str]:
        """Return how often each task of a domain has been put off up to now."""
        return await self.waits.of(self.lane(domain), self.results)


@asynccontextmanager
async def site(broker: EmbeddedBroker, directory: Path, name: str, domains: int) -> AsyncIterator[Site]:
    """Make an installation on a broker that runs; its topics and files have gone when the context ends."""
    assert broker.pid is not None
    place = Installation(broker.bootstrap, f"{name}.", directory / name, PARTITIONS, _TIERS)
    place.directory.mkdir()
    write_default_settings(place)
    async with AsyncExitStack() as stack:
        names = await create_missing(place.bootstrap, place.topics.specs())
        stack.push_async_callback(delete_topics, place.bootstrap, names)
        log = place.directory / "arrivals.jsonl"
        receivers = await stack.enter_async_context(many_domains(domains, log))
        producer = AIOKafkaProducer(bootstrap_servers=place.bootstrap, acks="all", max_batch_size=256 * 1024)
        await producer.start()
        stack.push_async_callback(producer.stop)
        waits = Waits()
        topic, partitions = place.topics.results, place.partitions
        results = await stack.enter_async_context(topic_log(place.bootstrap, topic, partitions, waits.take))
        yield Site(place, broker.pid, receivers, producer, Arrivals(log), waits, results)
