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
from tests.support.progress import unfinished
from tests.support.topic_log import topic_log

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

    async def taken_in(self, within_s: float, most_left: int = 0) -> None:
        """Return once intake and deliver have brought all but so many records to a call or to a wait."""
        topics, group = self.place.topics, self.place.group
        stages = {f"{group}-intake": [topics.requests], f"{group}-deliver": [topics.deliveries, topics.claims]}
        left = most_left + 1
        try:
            async with asyncio.timeout(within_s):
                while left > most_left:
                    spans = await unfinished(self.place.bootstrap, self.place.partitions, stages)
                    left = sum(len(span) for span in spans.values())
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise TimeoutError(f"{left} records are not taken in after {within_s:g} s") from None

    async def deferrals(self, domain: int) -> Counter[bytes]:
        """Return how often each task of a domain has been put off, by what ``results`` tells."""
        counts: Counter[bytes] = Counter()
        marks = (b'"outcome":"deferred"', b'"lane":"%s"' % self.lane(domain).encode())

        def count(record: Any) -> None:
            # Read as text: JSON of some hundred thousand results would take the workers' time.
            if all(mark in record.value for mark in marks):
                counts[record.key] += 1

        async with topic_log(self.place.bootstrap, self.place.topics.results, self.place.partitions, count) as log:
            await log.to_end()
        return counts


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
        yield Site(place, broker.pid, receivers, producer, Arrivals(log))
